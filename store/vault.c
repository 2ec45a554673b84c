/* Signing secrets at rest, so that a stolen data directory does not let the thief sign events.
 *
 * Sealed form: SEALED | nonce (12) | text | tag (16), or PLAIN | text. The derived key and the
 * plain text never leave memory; both are wiped when done with.
 *
 * Failing to seal fails the caller's buffer: a secret is never written plain by accident. */
#include "store/vault.h"

#include "base/rand.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16

enum { PLAIN = 0, SEALED = 1 }; /* on disk */

struct vault {
    bool sealing;
    uint8_t key[KEY_BYTES];
};

static bool derive(const char *main_secret, uint8_t key[KEY_BYTES])
{
    static const char purpose[] = "surehook signing secrets v1";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)main_secret,
                                          strlen(main_secret)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose, sizeof purpose - 1),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx && EVP_KDF_derive(ctx, key, KEY_BYTES, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

enum err vault_new(const char *main_secret, struct vault **out)
{
    *out = NULL;
    struct vault *v = calloc(1, sizeof *v);
    if (!v)
        return ERR_NO_MEMORY;
    if (main_secret) {
        v->sealing = true;
        if (!derive(main_secret, v->key)) {
            vault_free(&v);
            return ERR_NO_MEMORY;
        }
    }
    *out = v;
    return ERR_OK;
}

void vault_free(struct vault **v)
{
    if (*v)
        OPENSSL_cleanse(*v, sizeof **v);
    free(*v);
    *v = NULL;
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct vault *v, struct span bound,
                    struct span plain, const uint8_t nonce[NONCE_BYTES], struct buf *out)
{
    if (plain.len > INT32_MAX || !buf_reserve(out, plain.len + TAG_BYTES))
        return false;
    uint8_t *text = (uint8_t *)out->ptr + out->len;
    int n;
    if (EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), v->key, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)bound.ptr, (int)bound.len) != 1 ||
        EVP_EncryptUpdate(ctx, text, &n, (const uint8_t *)plain.ptr, (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(ctx, text + n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, text + plain.len) != 1)
        return false;
    out->len += plain.len + TAG_BYTES;
    out->ptr[out->len] = '\0';
    return true;
}

void vault_seal(const struct vault *v, struct span bound, struct span plain, struct buf *out)
{
    if (!v->sealing) {
        buf_u8(out, PLAIN);
        buf_span(out, plain);
        return;
    }
    uint8_t nonce[NONCE_BYTES];
    rand_bytes(nonce, sizeof nonce);
    buf_u8(out, SEALED);
    buf_bytes(out, nonce, sizeof nonce);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || !encrypt(ctx, v, bound, plain, nonce, out))
        out->failed = true;
    EVP_CIPHER_CTX_free(ctx);
}

/* Writes text.len bytes behind out->len and leaves it to the caller to count them: they are not to
 * be believed before the tag was. */
static bool decrypt(EVP_CIPHER_CTX *ctx, const struct vault *v, struct span bound,
                    struct span nonce, struct span text, struct span tag, struct buf *out)
{
    uint8_t *plain = (uint8_t *)out->ptr + out->len;
    int n;
    return EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), v->key, (const uint8_t *)nonce.ptr, NULL) ==
               1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)bound.ptr, (int)bound.len) == 1 &&
           EVP_DecryptUpdate(ctx, plain, &n, (const uint8_t *)text.ptr, (int)text.len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, (void *)tag.ptr) == 1 &&
           EVP_DecryptFinal_ex(ctx, plain + n, &n) == 1;
}

static enum err open_sealed(const struct vault *v, struct span bound, struct span sealed,
                            struct buf *out)
{
    if (!v->sealing)
        return ERR_INVALID;
    if (sealed.len < NONCE_BYTES + TAG_BYTES || sealed.len > INT32_MAX)
        return ERR_CORRUPT;
    struct span nonce = span_of(sealed.ptr, NONCE_BYTES);
    struct span text = span_of(sealed.ptr + NONCE_BYTES, sealed.len - NONCE_BYTES - TAG_BYTES);
    struct span tag = span_of(text.ptr + text.len, TAG_BYTES);
    if (out->len + text.len > out->max)
        return ERR_CORRUPT;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || !buf_reserve(out, text.len + 1)) {
        EVP_CIPHER_CTX_free(ctx);
        return ERR_NO_MEMORY;
    }
    bool ok = decrypt(ctx, v, bound, nonce, text, tag, out);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return ERR_CORRUPT;
    out->len += text.len;
    out->ptr[out->len] = '\0';
    return ERR_OK;
}

enum err vault_open(const struct vault *v, struct span bound, struct span sealed, struct buf *out)
{
    struct reader r = reader_of(sealed);
    uint8_t form = read_u8(&r);
    struct span rest = read_rest(&r);
    if (r.failed || form > SEALED)
        return ERR_CORRUPT;
    if (form == SEALED)
        return open_sealed(v, bound, rest, out);
    if (out->len + rest.len > out->max)
        return ERR_CORRUPT;
    buf_span(out, rest);
    return out->failed ? ERR_NO_MEMORY : ERR_OK;
}
