/* Invariant: what was decoded obeys every bound of the header, so that whoever computes with a
 * policy need not look again. */
#include "store/retry.h"

#include "store/codec.h"

#include <assert.h>

enum { FIRST, CAP, EXPONENTIAL_DELAYS };

/* kind | attempts | jitter | factor | age | delays, each in milliseconds */
void retry_policy_encode(const struct retry_policy *p, struct buf *out)
{
    assert(p->kind != RETRY_NONE && p->count <= RETRY_DELAYS_MAX);
    const unsigned delays = p->kind == RETRY_SCHEDULE ? p->count : EXPONENTIAL_DELAYS;
    buf_u8(out, (uint8_t)p->kind);
    buf_u16(out, p->attempts_max);
    buf_u8(out, p->jitter_percent);
    buf_u8(out, p->factor);
    buf_u64(out, (uint64_t)p->age_max_us);
    for (unsigned i = 0; i < delays; i++)
        buf_u32(out, p->delay_ms[i]);
}

static bool exponential_sound(const struct retry_policy *p, unsigned delays)
{
    return delays == EXPONENTIAL_DELAYS && p->delay_ms[FIRST] <= p->delay_ms[CAP] &&
           p->factor >= 1 && p->factor <= RETRY_FACTOR_MAX && (p->attempts_max || p->age_max_us);
}

bool retry_policy_decode(struct span in, struct retry_policy *out)
{
    struct reader r = reader_of(in);
    *out = (struct retry_policy){.kind = codec_read_below(&r, RETRY_KINDS)};
    out->attempts_max = read_u16(&r);
    out->jitter_percent = read_u8(&r);
    out->factor = read_u8(&r);
    const uint64_t age = read_u64(&r);
    struct span rest = read_rest(&r);
    const size_t delays = rest.len / sizeof(uint32_t);
    bool good = !r.failed && out->kind != RETRY_NONE && out->attempts_max <= RETRY_ATTEMPTS_MAX &&
                (out->jitter_percent <= 100 || out->jitter_percent == RETRY_JITTER_OPTION) &&
                age <= RETRY_AGE_MAX_US && rest.len % sizeof(uint32_t) == 0 &&
                delays <= RETRY_DELAYS_MAX;
    struct reader list = reader_of(rest);
    for (size_t i = 0; good && i < delays; i++) {
        out->delay_ms[i] = read_u32(&list);
        good = out->delay_ms[i] >= 1 && out->delay_ms[i] <= RETRY_DELAY_MAX_MS;
    }
    if (!good)
        return false;
    out->age_max_us = (int64_t)age;
    out->count = out->kind == RETRY_SCHEDULE ? (unsigned)delays : 0;
    return out->kind == RETRY_SCHEDULE || exponential_sound(out, (unsigned)delays);
}
