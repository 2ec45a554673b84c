/* Signing secrets in the text forms of Standard Webhooks 1.0: "whsec_" for HMAC keys, "whsk_" and
 * "whpk_" for the secret and the public key of ed25519.
 *
 * Invariants: an ed25519 key in memory is seed and public key, 32 bytes each, that belong together,
 * so that what receivers are shown verifies what is signed; copies made on the way are wiped. */
#include "dispatcher/dispatcher.h"

#include "base/hash.h"
#include "base/rand.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define HMAC_KEY_MIN 24
#define HMAC_KEY_MAX 75
#define HMAC_KEY_FRESH 24 /* 192 bits, as receivers know it; base64 needs no padding */
#define ED25519_HALF 32

static bool ed25519_public(const uint8_t *seed, uint8_t out[ED25519_HALF])
{
    size_t len = ED25519_HALF;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_HALF);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == ED25519_HALF;
    EVP_PKEY_free(key);
    return ok;
}

static enum err hmac_check(struct span bytes, const char **why)
{
    *why = "a secret is 24 to 75 bytes long before base64";
    return bytes.len < HMAC_KEY_MIN || bytes.len > HMAC_KEY_MAX ? ERR_INVALID : ERR_OK;
}

static enum err ed25519_check(struct span bytes, const char **why)
{
    uint8_t public[ED25519_HALF];
    *why = "a whsk_ secret is 64 bytes long before base64: the ed25519 seed and its public key";
    if (bytes.len != 2 * (size_t)ED25519_HALF)
        return ERR_INVALID;
    if (!ed25519_public((const uint8_t *)bytes.ptr, public))
        return ERR_NO_MEMORY;
    *why = "the public key in the whsk_ secret does not belong to its seed";
    return span_eq(span_skip(bytes, ED25519_HALF), span_of(public, ED25519_HALF)) ? ERR_OK
                                                                                  : ERR_INVALID;
}

static enum err bytes_parse(struct span bytes, enum key_kind kind, struct signing_key *out,
                            const char **why)
{
    enum err e = kind == KEY_HMAC ? hmac_check(bytes, why) : ed25519_check(bytes, why);
    if (e)
        return e;
    *out = (struct signing_key){.kind = kind, .len = bytes.len};
    assert(bytes.len <= sizeof out->bytes);
    memcpy(out->bytes, bytes.ptr, bytes.len);
    return ERR_OK;
}

enum err dispatcher_secret_parse(struct span text, struct signing_key *out, const char **why)
{
    enum key_kind kind = span_starts(text, SPAN("whsk_")) ? KEY_ED25519 : KEY_HMAC;
    if (span_starts(text, SPAN("whpk_"))) {
        *why = "this is a public key; signing needs the secret one (whsk_)";
        return ERR_INVALID;
    }
    if (kind == KEY_ED25519)
        text = span_skip(text, strlen("whsk_"));
    else if (span_starts(text, SPAN("whsec_")))
        text = span_skip(text, strlen("whsec_"));

    *why = "a secret is whsec_ or whsk_ followed by base64";
    if (text.len > SIGNING_KEY_MAX / 3 * 4)
        return ERR_INVALID;
    struct buf bytes;
    buf_init(&bytes, SIGNING_KEY_MAX);
    if (!buf_reserve(&bytes, SIGNING_KEY_MAX)) /* at once: a growing buffer leaves copies behind */
        return ERR_NO_MEMORY;
    enum err e = base64_decode(text, &bytes);
    if (!e)
        e = bytes_parse(buf_view(&bytes), kind, out, why);
    OPENSSL_cleanse(bytes.ptr, bytes.cap);
    buf_free(&bytes);
    return e;
}

void dispatcher_secret_format(const struct signing_key *key, struct buf *out)
{
    struct span bytes = span_of(key->bytes, key->len);
    assert(key->kind == KEY_HMAC || key->len == 2 * (size_t)ED25519_HALF);
    buf_text(out, key->kind == KEY_HMAC ? "whsec_" : "whpk_");
    base64_encode(key->kind == KEY_HMAC ? bytes : span_skip(bytes, ED25519_HALF), out);
}

void dispatcher_secret_make(enum key_kind kind, struct signing_key *out)
{
    *out = (struct signing_key){.kind = kind};
    if (kind == KEY_HMAC) {
        out->len = HMAC_KEY_FRESH;
        rand_bytes(out->bytes, out->len);
        return;
    }
    out->len = 2 * (size_t)ED25519_HALF;
    rand_bytes(out->bytes, ED25519_HALF);
    if (!ed25519_public(out->bytes, out->bytes + ED25519_HALF))
        abort();
}
