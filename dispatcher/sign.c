/* Standard Webhooks 1.0 signatures: v1 (HMAC-SHA256) and v1a (ed25519), over "id.timestamp.body".
 *
 * A key is prepared once: an HMAC context that has its key is re-initialised for a fraction of what
 * keying it costs, and it takes the message in pieces, so that a body is not copied. ed25519 needs
 * the message as one; it costs so much more that a buffer for each signature is noise, and so no
 * idle signer holds a body's worth of memory.
 *
 * Invariant: a delivery is never sent unsigned: no live key is a failure. */
#include "dispatcher/sign.h"

#include "base/hash.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define ED25519_SEED 32
#define ED25519_SIGNATURE 64

struct prepared {
    struct wall expires; /* {0}: never */
    EVP_MAC_CTX *hmac;   /* one of the two */
    EVP_PKEY *ed25519;
};

struct signer {
    struct buf prefix; /* "id.timestamp."; kept for its memory */
    unsigned count;
    struct prepared keys[SIGNING_KEYS_MAX];
};

static EVP_MAC_CTX *hmac_prepare(const struct signing_key *key)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (ctx && EVP_MAC_init(ctx, key->bytes, key->len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static bool key_prepare(const struct signing_key *key, struct prepared *out)
{
    assert(key->len > 0 && key->len <= sizeof key->bytes);
    out->expires = key->expires;
    if (key->kind == KEY_HMAC) {
        out->hmac = hmac_prepare(key);
        return out->hmac != NULL;
    }
    assert(key->kind == KEY_ED25519 && key->len >= ED25519_SEED);
    out->ed25519 = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->bytes, ED25519_SEED);
    return out->ed25519 != NULL;
}

struct signer *signer_new(const struct signing_key *keys, unsigned count)
{
    assert(count <= SIGNING_KEYS_MAX);
    struct signer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    buf_init(&s->prefix, ID_MAX + EVENT_ID_MAX);
    for (; s->count < count; s->count++) {
        if (!key_prepare(&keys[s->count], &s->keys[s->count])) {
            signer_free(&s);
            return NULL;
        }
    }
    return s;
}

void signer_free(struct signer **s)
{
    if (!*s)
        return;
    for (unsigned i = 0; i < SIGNING_KEYS_MAX; i++) {
        EVP_MAC_CTX_free((*s)->keys[i].hmac);
        EVP_PKEY_free((*s)->keys[i].ed25519);
    }
    buf_free(&(*s)->prefix);
    free(*s);
    *s = NULL;
}

static bool hmac_sign(EVP_MAC_CTX *ctx, struct span prefix, struct span body, struct buf *out)
{
    uint8_t mac[SHA256_BYTES];
    size_t len = 0;
    if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(ctx, (const uint8_t *)prefix.ptr, prefix.len) != 1 ||
        EVP_MAC_update(ctx, (const uint8_t *)body.ptr, body.len) != 1 ||
        EVP_MAC_final(ctx, mac, &len, sizeof mac) != 1)
        return false;
    assert(len == sizeof mac);
    buf_text(out, "v1,");
    base64_encode(span_of(mac, len), out);
    return !out->failed;
}

static bool ed25519_sign(EVP_PKEY *key, struct span prefix, struct span body, struct buf *out)
{
    uint8_t signature[ED25519_SIGNATURE];
    size_t len = sizeof signature;
    struct buf message;
    buf_init(&message, prefix.len + body.len);
    buf_reserve(&message, prefix.len + body.len);
    buf_span(&message, prefix);
    buf_span(&message, body);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && !message.failed && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, signature, &len, (const uint8_t *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    buf_free(&message);
    if (!ok)
        return false;
    assert(len == sizeof signature);
    buf_text(out, "v1a,");
    base64_encode(span_of(signature, len), out);
    return !out->failed;
}

bool signer_sign(struct signer *s, struct span id, int64_t timestamp, struct span body,
                 struct wall now, struct buf *out)
{
    assert(timestamp >= 0);
    buf_clear(&s->prefix);
    buf_span(&s->prefix, id);
    buf_char(&s->prefix, '.');
    buf_decimal(&s->prefix, (uint64_t)timestamp);
    buf_char(&s->prefix, '.');
    if (s->prefix.failed)
        return false;

    struct span prefix = buf_view(&s->prefix);
    unsigned live = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct prepared *key = &s->keys[i];
        if (key->expires.us != 0 && key->expires.us <= now.us)
            continue;
        if (live++ > 0)
            buf_char(out, ' ');
        if (!(key->hmac ? hmac_sign(key->hmac, prefix, body, out)
                        : ed25519_sign(key->ed25519, prefix, body, out)))
            return false;
    }
    return live > 0;
}
