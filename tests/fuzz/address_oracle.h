/* A second table of the addresses that no endpoint may have, written from the IANA registries as
 * ranges of numbers, and compared as numbers: dispatcher/guard.c compares prefixes of bytes. */
#ifndef FUZZ_ADDRESS_ORACLE_H
#define FUZZ_ADDRESS_ORACLE_H

#include "tests/fuzz/fuzz.h"

static inline bool oracle_special4(const uint8_t b[4])
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00000000, 0x00ffffff}, {0x0a000000, 0x0affffff}, {0x64400000, 0x647fffff},
        {0x7f000000, 0x7fffffff}, {0xa9fe0000, 0xa9feffff}, {0xac100000, 0xac1fffff},
        {0xc0000000, 0xc00000ff}, {0xc0000200, 0xc00002ff}, {0xc0586300, 0xc05863ff},
        {0xc0a80000, 0xc0a8ffff}, {0xc6120000, 0xc613ffff}, {0xc6336400, 0xc63364ff},
        {0xcb007100, 0xcb0071ff}, {0xe0000000, 0xffffffff},
    };
    const uint32_t address =
        (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (address >= ranges[i].first && address <= ranges[i].last)
            return true;
    return false;
}

/* Mapped IPv4 is judged as IPv4; of the rest only global unicast outside the special blocks is not
 * special. The upper half of an address tells. */
static inline bool oracle_special6(const uint8_t b[16])
{
    static const struct {
        uint64_t first, last;
    } open[] = {
        /* between 2001::/23, 2001:db8::/32, 2002::/16 and 3fff::/20 */
        {0x2000000000000000, 0x2000ffffffffffff}, {0x2001020000000000, 0x20010db7ffffffff},
        {0x20010db900000000, 0x2001ffffffffffff}, {0x2003000000000000, 0x3ffeffffffffffff},
        {0x3fff100000000000, 0x3fffffffffffffff},
    };
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t upper = 0;
    if (memcmp(b, mapped, sizeof mapped) == 0)
        return oracle_special4(b + 12);
    for (int i = 0; i < 8; i++)
        upper = upper << 8 | b[i];
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (upper >= open[i].first && upper <= open[i].last)
            return false;
    return true;
}

#endif
