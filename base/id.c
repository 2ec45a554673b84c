/* KSUIDs: 160 bits, big-endian, so that comparing bytes, texts and moments gives one order.
 *
 * The text is base 62. It is converted five digits at a time, because 62^5 fits 32 bits: six long
 * divisions instead of twenty-seven. */
#include "base/id.h"

#include "base/rand.h"

#include <assert.h>
#include <pthread.h>

#define EPOCH_S INT64_C(1400000000)
#define WORDS (ID_BYTES / 4)
#define CHUNK_DIGITS 5
#define CHUNK UINT64_C(916132832) /* 62^5 */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void to_words(const struct id *id, uint32_t words[WORDS])
{
    struct reader r = reader_of(span_of(id->b, ID_BYTES));

    for (int i = 0; i < WORDS; i++)
        words[i] = read_u32(&r);
}

static void from_words(const uint32_t words[WORDS], struct id *id)
{
    for (int i = 0; i < WORDS; i++)
        for (int j = 0; j < 4; j++)
            id->b[4 * i + j] = (uint8_t)(words[i] >> (24 - 8 * j));
}

static uint32_t divide(uint32_t words[WORDS], uint64_t by)
{
    uint64_t rest = 0;

    for (int i = 0; i < WORDS; i++) {
        rest = rest << 32 | words[i];
        words[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    return (uint32_t)rest;
}

/* words = words * by + add; false when that does not fit. */
static bool multiply(uint32_t words[WORDS], uint64_t by, uint64_t add)
{
    for (int i = WORDS - 1; i >= 0; i--) {
        add += words[i] * by;
        words[i] = (uint32_t)add;
        add >>= 32;
    }
    return add == 0;
}

size_t id_format(const struct id *id, const char *prefix, char out[ID_MAX + 1])
{
    size_t prefix_len = strlen(prefix);
    char *first = out + prefix_len;
    char *at = first + ID_TEXT;
    uint32_t words[WORDS];

    assert(prefix_len <= ID_PREFIX_MAX);
    memcpy(out, prefix, prefix_len);
    *at = '\0';
    to_words(id, words);
    while (at > first) {
        uint32_t chunk = divide(words, CHUNK);
        for (int i = 0; i < CHUNK_DIGITS && at > first; i++) {
            *--at = digits[chunk % 62];
            chunk /= 62;
        }
    }
    return prefix_len + ID_TEXT;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

enum err id_parse(struct span text, const char *prefix, struct id *out)
{
    struct span head = span_text(prefix);
    uint32_t words[WORDS] = {0};

    if (text.len != head.len + ID_TEXT || !span_starts(text, head))
        return ERR_INVALID;
    text = span_skip(text, head.len);
    while (text.len) {
        size_t taken = text.len % CHUNK_DIGITS ? text.len % CHUNK_DIGITS : CHUNK_DIGITS;
        uint64_t chunk = 0;
        for (size_t i = 0; i < taken; i++) {
            int value = digit_value(text.ptr[i]);
            if (value < 0)
                return ERR_INVALID;
            chunk = chunk * 62 + (uint64_t)value;
        }
        if (!multiply(words, CHUNK, chunk))
            return ERR_INVALID;
        text = span_skip(text, taken);
    }
    from_words(words, out);
    return ERR_OK;
}

struct wall id_time(const struct id *id)
{
    struct reader r = reader_of(span_of(id->b, ID_BYTES));
    int64_t seconds = EPOCH_S + read_u32(&r);

    return (struct wall){seconds * US_PER_S + read_u8(&r) * 4 * US_PER_MS};
}

struct id id_floor(struct wall t)
{
    int64_t us = t.us - EPOCH_S * US_PER_S;
    struct id id = {{0}};

    if (t.us < EPOCH_S * US_PER_S)
        return id;
    int64_t seconds = us / US_PER_S;
    uint32_t words[WORDS] = {seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds};
    from_words(words, &id);
    id.b[4] = (uint8_t)(us % US_PER_S / (4 * US_PER_MS));
    return id;
}

/* Kernel randomness, fetched for many ids at once: an id must not cost a system call. */
static uint32_t random_word(void)
{
    static _Thread_local uint32_t pool[64];
    static _Thread_local unsigned left;

    if (left == 0) {
        rand_bytes(pool, sizeof pool);
        left = sizeof pool / sizeof *pool;
    }
    return pool[--left];
}

struct id id_random(struct wall now)
{
    struct id id = id_floor(now);

    for (int i = 5; i < ID_BYTES; i += 3) {
        uint32_t word = random_word();
        memcpy(id.b + i, &word, 3);
    }
    return id;
}

struct id id_next(struct id_gen *gen, struct wall now)
{
    struct id floor = id_floor(now);

    if (id_cmp(&floor, &gen->last) > 0) {
        gen->last = id_random(now);
        gen->last.b[5] &= 0x7f; /* room for 2^119 steps before the moment would be touched */
    } else {
        uint32_t words[WORDS];
        to_words(&gen->last, words);
        bool fits = multiply(words, 1, UINT64_C(1) + random_word());
        assert(fits);
        from_words(words, &gen->last);
    }
    return gen->last;
}

struct id id_fresh(struct wall now)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct id_gen gen;

    pthread_mutex_lock(&mutex);
    struct id id = id_next(&gen, now);
    pthread_mutex_unlock(&mutex);
    return id;
}
