/* A receiver's check of a signature. The candidates in the header are compared in constant time,
 * and one good one is enough, since a key may be in rotation. */
#include "cli/verify.h"

#include "base/hash.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define TOLERANCE_S 300
#define KEY_BYTES_MAX 128
#define CONTENT_MAX ((size_t)64 * 1024 * 1024)

/* The bytes of a secret with this prefix; false when it has another one or is not base64. */
static bool secret_bytes(const char *secret, const char *prefix, struct buf *key)
{
    struct span text = span_text(secret), head = span_text(prefix);
    buf_init(key, KEY_BYTES_MAX);
    return span_starts(text, head) && !base64_decode(span_skip(text, head.len), key) &&
           !key->failed && key->len;
}

bool verify_secret_valid(const char *secret)
{
    struct buf key;
    bool hmac = secret_bytes(secret, "whsec_", &key);
    buf_free(&key);
    bool public = !hmac && secret_bytes(secret, "whpk_", &key) && key.len == 32;
    if (!hmac)
        buf_free(&key);
    return hmac || public;
}

static bool hmac_is_good(struct span key, struct span content, struct span candidate)
{
    uint8_t mac[SHA256_BYTES];
    struct buf expected;
    buf_init(&expected, 64);
    hash_hmac_sha256(key, content, mac);
    base64_encode(span_of(mac, sizeof mac), &expected);
    bool good = !expected.failed && hash_same(buf_view(&expected), candidate);
    buf_free(&expected);
    return good;
}

static bool ed25519_is_good(struct span key, struct span content, struct span candidate)
{
    struct buf signature;
    buf_init(&signature, KEY_BYTES_MAX);
    EVP_PKEY *public =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)key.ptr, key.len);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = public && context && !base64_decode(candidate, &signature) && !signature.failed &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                EVP_DigestVerify(context, (const uint8_t *)signature.ptr, signature.len,
                                 (const uint8_t *)content.ptr, content.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    buf_free(&signature);
    return good;
}

static bool any_candidate_is_good(const char *secret, struct span content, struct span candidates)
{
    struct buf key;
    bool hmac = secret_bytes(secret, "whsec_", &key);
    if (!hmac) {
        buf_free(&key);
        if (!secret_bytes(secret, "whpk_", &key)) {
            buf_free(&key);
            return false;
        }
    }
    const struct span version = hmac ? SPAN("v1,") : SPAN("v1a,");
    bool good = false;
    while (candidates.ptr) {
        struct span one = span_cut(&candidates, ' ');
        if (!span_starts(one, version))
            continue;
        one = span_skip(one, version.len);
        good |= hmac ? hmac_is_good(buf_view(&key), content, one)
                     : ed25519_is_good(buf_view(&key), content, one);
    }
    buf_free(&key);
    return good;
}

enum verify_answer verify_delivery(const char *secret, const char *id, const char *timestamp,
                                   const char *signature, struct span body, int64_t now_s)
{
    if (!id || !timestamp || !signature)
        return VERIFY_NO_HEADERS;
    char *end = NULL;
    int64_t sent = strtoll(timestamp, &end, 10);
    if (*end || end == timestamp)
        return VERIFY_BAD;
    if (sent < now_s - TOLERANCE_S || sent > now_s + TOLERANCE_S)
        return VERIFY_TOO_OLD;
    struct buf content;
    buf_init(&content, CONTENT_MAX);
    buf_printf(&content, "%s.%" PRId64 ".", id, sent);
    buf_span(&content, body);
    bool good =
        !content.failed && any_candidate_is_good(secret, buf_view(&content), span_text(signature));
    buf_free(&content);
    return good ? VERIFY_GOOD : VERIFY_BAD;
}

const char *verify_text(enum verify_answer answer)
{
    switch (answer) {
    case VERIFY_GOOD:
        return "signature good";
    case VERIFY_NO_HEADERS:
        return "NOT SIGNED";
    case VERIFY_TOO_OLD:
        return "TIMESTAMP OUT OF RANGE";
    case VERIFY_BAD:
        break;
    }
    return "SIGNATURE WRONG";
}
