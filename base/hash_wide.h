/* XXH3 of long input, by AVX2 where compiler and processor have it: a third of the time, the same
 * values. Pure, any thread. For hash.c alone. */
#ifndef BASE_HASH_WIDE_H
#define BASE_HASH_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Only GCC compiles a single file's functions for another processor than the build's. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define HASH_WIDE 1
#else
#define HASH_WIDE 0
#endif

#define HASH_WIDE_LEAST 241 /* XXH3 mixes what is shorter in another way, without long vectors */

/* Without it the functions below must not be called. */
static inline bool hash_wide_pays(size_t len)
{
#if HASH_WIDE
    return len >= HASH_WIDE_LEAST && __builtin_cpu_supports("avx2");
#else
    (void)len;
    return false;
#endif
}

uint64_t hash_wide_64(const void *bytes, size_t len);
/* In the canonical byte order. */
void hash_wide_128(const void *bytes, size_t len, uint8_t out[16]);

#endif
