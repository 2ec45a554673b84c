/* The record of a consumer: fixed fields alone. */
#include "store/codec.h"
#include "store/record.h"

void record_consumer_encode(const struct consumer *c, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &c->position);
    codec_wall(out, c->used);
    codec_end(out, start);
}

enum err record_consumer_decode(struct span in, struct consumer *out)
{
    *out = (struct consumer){.used = {0}};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->position = codec_read_id(&r);
    out->used = codec_read_wall(&r);
    return codec_finished(&r);
}
