/* The parts of an endpoint's record that hold credentials. Each is one field, sealed as a whole and
 * bound to the endpoint and to what it is, so that neither can be put in place of another.
 *
 * Opened, it stands where its sealed form stood, in the block of the record's own copy: no second
 * copy is left behind, and transport_wipe reaches it. */
#include "store/codec.h"
#include "store/record.h"
#include "store/vault.h"

#include <openssl/crypto.h>

#define OPENED_MAX (128 * 1024)

/* On disk: append only, each. */
enum { AUTH_USER = 1, AUTH_SECRET, AUTH_TOKEN_URL, AUTH_SCOPE, AUTH_AUDIENCE };
enum { TLS_CA = 1, TLS_CERTIFICATE, TLS_KEY };

struct bound {
    uint8_t bytes[ID_BYTES + 1];
};

static struct bound bound_of(const struct endpoint *e, uint8_t tag)
{
    struct bound b;
    memcpy(b.bytes, e->id.b, ID_BYTES);
    b.bytes[ID_BYTES] = tag;
    return b;
}

static struct span bound_span(const struct bound *b)
{
    return span_of(b->bytes, sizeof b->bytes);
}

/* Appends the field with what `plain` has, and wipes and frees that. */
static void seal(const struct endpoint *e, const struct vault *v, uint8_t tag, struct buf *plain,
                 struct buf *out)
{
    const struct bound bound = bound_of(e, tag);
    struct buf sealed;
    buf_init(&sealed, OPENED_MAX + 64);
    vault_seal(v, bound_span(&bound), buf_view(plain), &sealed);
    if (plain->failed || sealed.failed)
        out->failed = true;
    else
        codec_field(out, tag, buf_view(&sealed));
    if (plain->ptr)
        OPENSSL_cleanse(plain->ptr, plain->cap);
    buf_free(plain);
    buf_free(&sealed);
}

/* Room at once: a buffer that grows leaves copies behind. Without memory it fails for good, which
 * `seal` sees. */
static void plain_begin(struct buf *plain)
{
    buf_init(plain, OPENED_MAX);
    (void)buf_reserve(plain, OPENED_MAX);
}

void record_auth_encode(const struct endpoint *e, const struct vault *v, uint8_t tag,
                        struct buf *out)
{
    const struct endpoint_auth *a = &e->auth;
    struct buf plain;
    if (a->kind == AUTH_NONE)
        return;
    plain_begin(&plain);
    buf_u8(&plain, (uint8_t)a->kind);
    buf_u8(&plain, (uint8_t)a->client_auth);
    codec_field(&plain, AUTH_USER, a->user);
    codec_field(&plain, AUTH_SECRET, a->secret);
    codec_field(&plain, AUTH_TOKEN_URL, a->token_url);
    codec_field(&plain, AUTH_SCOPE, a->scope);
    codec_field(&plain, AUTH_AUDIENCE, a->audience);
    seal(e, v, tag, &plain, out);
}

void record_tls_encode(const struct endpoint *e, const struct vault *v, uint8_t tag,
                       struct buf *out)
{
    struct buf plain;
    if (!transport_tls_any(&e->tls))
        return;
    plain_begin(&plain);
    codec_field(&plain, TLS_CA, e->tls.ca);
    codec_field(&plain, TLS_CERTIFICATE, e->tls.certificate);
    codec_field(&plain, TLS_KEY, e->tls.key);
    seal(e, v, tag, &plain, out);
}

/* `sealed` is the caller's own memory. */
static enum err open_in_place(const struct endpoint *e, const struct vault *v, uint8_t tag,
                              struct span sealed, struct reader *r)
{
    const struct bound bound = bound_of(e, tag);
    struct buf plain;
    buf_init(&plain, sealed.len);
    if (!buf_reserve(&plain, sealed.len))
        return ERR_NO_MEMORY;
    enum err err = vault_open(v, bound_span(&bound), sealed, &plain);
    if (!err && plain.len > 0) {
        memcpy((void *)sealed.ptr, plain.ptr, plain.len);
        *r = reader_of(span_of(sealed.ptr, plain.len));
    } else if (!err) {
        err = ERR_CORRUPT;
    }
    OPENSSL_cleanse(plain.ptr, plain.cap);
    buf_free(&plain);
    return err;
}

/* The fields that follow, by tag; each bound by `most`. */
static enum err read_fields(struct reader *r, struct span *const *fields, const size_t *most,
                            unsigned count)
{
    struct codec_tagged f = {0};
    while (codec_read_tagged(r, &f)) {
        if (f.tag > count || f.value.len > most[f.tag - 1])
            return ERR_CORRUPT;
        *fields[f.tag - 1] = f.value;
    }
    return codec_finished(r);
}

static bool auth_sound(const struct endpoint_auth *a)
{
    const bool url = a->token_url.len > 0;
    return a->kind != AUTH_NONE && url == (a->kind == AUTH_OAUTH2);
}

enum err record_auth_decode(struct span sealed, const struct vault *v, uint8_t tag,
                            struct endpoint *e)
{
    struct endpoint_auth *a = &e->auth;
    struct span *const fields[] = {&a->user, &a->secret, &a->token_url, &a->scope, &a->audience};
    static const size_t most[] = {AUTH_USER_MAX, AUTH_SECRET_MAX, URL_MAX, AUTH_SCOPE_MAX,
                                  AUTH_SCOPE_MAX};
    struct reader r;
    enum err err = open_in_place(e, v, tag, sealed, &r);
    if (err)
        return err;
    a->kind = codec_read_below(&r, AUTH_KINDS);
    a->client_auth = codec_read_below(&r, CLIENT_AUTHS);
    err = read_fields(&r, fields, most, AUTH_AUDIENCE);
    return !err && !auth_sound(a) ? ERR_CORRUPT : err;
}

enum err record_tls_decode(struct span sealed, const struct vault *v, uint8_t tag,
                           struct endpoint *e)
{
    struct endpoint_tls *t = &e->tls;
    struct span *const fields[] = {&t->ca, &t->certificate, &t->key};
    static const size_t most[] = {TLS_CA_MAX, TLS_CERTIFICATE_MAX, TLS_KEY_MAX};
    struct reader r;
    enum err err = open_in_place(e, v, tag, sealed, &r);
    if (!err)
        err = read_fields(&r, fields, most, TLS_KEY);
    const bool pair = (t->certificate.len > 0) == (t->key.len > 0);
    return !err && (!transport_tls_any(t) || !pair) ? ERR_CORRUPT : err;
}
