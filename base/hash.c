/* Digests from OpenSSL, fast hashes from xxhash (inlined, so that no library is needed at run
 * time), and base64.
 *
 * SHA-256 by OpenSSL's older functions, which allocate nothing: the newer ones do for every digest,
 * so that a request could fail without memory where a caller that signs or compares has no answer. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include "base/hash_wide.h"
#include "base/rand.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>

/* The thread sanitizer would look at every single read of a hash, which is most of what a test of
 * the store takes: under it the library's is called, and what it reads is told at once. */
#ifdef __SANITIZE_THREAD__
void __tsan_read_range(const void *bytes, unsigned long len);
#else
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

static const void *bytes_of(struct span s)
{
#ifdef __SANITIZE_THREAD__
    if (s.len)
        __tsan_read_range(s.ptr, s.len);
#endif
    return s.ptr ? s.ptr : "";
}

void hash_sha256(struct span data, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, bytes_of(data), data.len);
    SHA256_Final(out, &sha);
}

/* The key with every byte changed by `change`, and then the data. RFC 2104, section 2. */
static void keyed(const uint8_t key[SHA256_CBLOCK], uint8_t change, struct span data,
                  uint8_t out[SHA256_BYTES])
{
    uint8_t pad[SHA256_CBLOCK];
    SHA256_CTX sha;
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = key[i] ^ change;
    SHA256_Init(&sha);
    SHA256_Update(&sha, pad, sizeof pad);
    SHA256_Update(&sha, bytes_of(data), data.len);
    SHA256_Final(out, &sha);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(&sha, sizeof sha);
}

void hash_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES])
{
    uint8_t block[SHA256_CBLOCK] = {0}, inner[SHA256_BYTES];
    if (key.len > sizeof block)
        hash_sha256(key, block);
    else
        memcpy(block, bytes_of(key), key.len);
    keyed(block, 0x36, data, inner);
    keyed(block, 0x5c, span_of(inner, sizeof inner), out);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(inner, sizeof inner);
}

uint32_t hash_checksum(struct span data)
{
    const void *bytes = bytes_of(data);

    if (hash_wide_pays(data.len))
        return (uint32_t)hash_wide_64(bytes, data.len);
    return (uint32_t)XXH3_64bits(bytes, data.len);
}

static uint64_t table_seed;

static void make_table_seed(void)
{
    rand_bytes(&table_seed, sizeof table_seed);
}

uint64_t hash_table(struct span data)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_table_seed);
    return XXH3_64bits_withSeed(bytes_of(data), data.len, table_seed);
}

void hash_128(struct span data, uint8_t out[16])
{
    const void *bytes = bytes_of(data);
    XXH128_canonical_t canonical;

    if (hash_wide_pays(data.len)) {
        hash_wide_128(bytes, data.len, out);
        return;
    }
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, data.len));
    memcpy(out, canonical.digest, 16);
}

bool hash_same(struct span a, struct span b)
{
    return a.len == b.len && CRYPTO_memcmp(bytes_of(a), bytes_of(b), a.len) == 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span data, struct buf *out)
{
    const uint8_t *at = bytes_of(data);

    if (!buf_reserve(out, (data.len + 2) / 3 * 4))
        return;
    for (size_t left = data.len; left > 0;) {
        size_t taken = left < 3 ? left : 3;
        uint32_t group = 0;
        char text[4] = {'=', '=', '=', '='};
        for (size_t i = 0; i < 3; i++)
            group = group << 8 | (i < taken ? at[i] : 0U);
        for (size_t i = 0; i <= taken; i++)
            text[i] = base64_digits[group >> (18 - 6 * i) & 63];
        buf_bytes(out, text, sizeof text);
        at += taken;
        left -= taken;
    }
}

/* The value of a digit whose last two are `plus` and `slash`; -1 for none. */
static int base64_value(char c, char plus, char slash)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == plus ? 62 : c == slash ? 63 : -1;
}

/* Text without padding. Bits behind the last byte must be zero, or two texts would mean one value. */
static enum err decode(struct span text, char plus, char slash, struct buf *out)
{
    uint32_t bits = 0;
    unsigned have = 0;

    if (text.len % 4 == 1)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i], plus, slash);
        if (value < 0)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_u8(out, (uint8_t)(bits >> have));
            bits &= (1U << have) - 1;
        }
    }
    return bits ? ERR_INVALID : ERR_OK;
}

enum err base64_decode(struct span text, struct buf *out)
{
    if (text.len % 4)
        return ERR_INVALID;
    for (int i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return decode(text, '+', '/', out);
}

enum err base64url_decode(struct span text, struct buf *out)
{
    return decode(text, '-', '_', out);
}
