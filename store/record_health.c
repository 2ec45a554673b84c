/* The record of an endpoint's health: fixed fields alone. */
#include "store/codec.h"
#include "store/record.h"

void record_health_encode(const struct endpoint_health *h, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_wall(out, h->failing_since);
    buf_u32(out, h->failures);
    codec_wall(out, h->disabled_at);
    codec_wall(out, h->breaker.opened_at);
    codec_wall(out, h->breaker.probe_at);
    buf_u16(out, h->breaker.probes);
    buf_u8(out, (uint8_t)h->breaker.cause);
    buf_u16(out, h->breaker.status);
    codec_end(out, start);
}

enum err record_health_decode(struct span in, struct endpoint_health *out)
{
    *out = (struct endpoint_health){.failures = 0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->failing_since = codec_read_wall(&r);
    out->failures = read_u32(&r);
    out->disabled_at = codec_read_wall(&r);
    out->breaker.opened_at = codec_read_wall(&r);
    out->breaker.probe_at = codec_read_wall(&r);
    out->breaker.probes = read_u16(&r);
    out->breaker.cause = codec_read_below(&r, ATTEMPT_LAST + 1);
    out->breaker.status = read_u16(&r);
    return codec_finished(&r);
}
