/* The build's baseline has vectors of 16 bytes. xxhash chooses its code when it is compiled: this
 * file alone is compiled for wider ones, and nothing else may stand in it. */
#include "base/hash_wide.h"

#include <string.h>

#if HASH_WIDE
#pragma GCC target("avx2")
#endif

#ifndef __SANITIZE_THREAD__
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

uint64_t hash_wide_64(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

void hash_wide_128(const void *bytes, size_t len, uint8_t out[16])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, len));
    memcpy(out, canonical.digest, 16);
}
