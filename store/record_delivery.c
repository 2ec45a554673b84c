/* Deliveries and what is written with each outcome: due rows, attempts, dead letters, counters.
 *
 * Invariant: a delivery's record has one size whatever its state, so that LMDB rewrites it in
 * place; only one that stands in a line or was replayed is longer. */
#include "store/codec.h"
#include "store/entry.h"
#include "store/record.h"

enum { STATE_REPORTED = 0x80 }; /* beside the delivery's state in its byte */

/* On disk: append only. */
enum { TAG_PLACE = 1, TAG_REPLAYED };
enum { TAG_URL = 1, TAG_RESPONSE };
enum { TAG_EVENT_TYPE = 1 };
enum { TAG_APP = 1 };

/* held | line | ticket */
static void encode_place(const struct delivery *d, struct buf *out)
{
    uint8_t place[1 + LINE_BYTES + ID_BYTES] = {d->held};
    memcpy(place + 1, d->line, LINE_BYTES);
    memcpy(place + 1 + LINE_BYTES, d->ticket.b, ID_BYTES);
    codec_field(out, TAG_PLACE, span_of(place, sizeof place));
}

static void encode_replayed(const struct delivery *d, struct buf *out)
{
    uint8_t value[8];
    put_be64(value, (uint64_t)d->replayed.us);
    codec_field(out, TAG_REPLAYED, span_of(value, sizeof value));
}

void record_delivery_encode(const struct delivery *d, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u8(out, (uint8_t)(d->state | (d->reported ? STATE_REPORTED : 0)));
    buf_u8(out, (uint8_t)d->reason);
    buf_u16(out, d->tries);
    buf_u16(out, d->last_status);
    codec_wall(out, d->created);
    codec_wall(out, d->due);
    codec_wall(out, d->finished);
    codec_wall(out, d->manual_due);
    codec_id(out, &d->last_attempt);
    if (!id_is_zero(&d->ticket))
        encode_place(d, out);
    if (d->replayed.us)
        encode_replayed(d, out);
    codec_end(out, start);
}

/* False on damage: no encoder writes a zero ticket. */
static bool decode_place(struct span value, struct delivery *out)
{
    struct reader r = reader_of(value);
    out->held = codec_read_below(&r, 2);
    struct span line = read_span(&r, LINE_BYTES);
    if (line.len == LINE_BYTES)
        memcpy(out->line, line.ptr, LINE_BYTES);
    out->ticket = codec_read_id(&r);
    return !codec_finished(&r) && !id_is_zero(&out->ticket);
}

/* False on damage: no encoder writes a zero. */
static bool decode_replayed(struct span value, struct delivery *out)
{
    struct reader r = reader_of(value);
    out->replayed = codec_read_wall(&r);
    return !codec_finished(&r) && out->replayed.us != 0;
}

enum err record_delivery_decode(struct span in, struct delivery *out)
{
    *out = (struct delivery){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    uint8_t state = read_u8(&r);
    out->reported = (state & STATE_REPORTED) != 0;
    out->state = state & ~STATE_REPORTED;
    if (out->state > DELIVERY_NONE)
        r.failed = true;
    out->reason = codec_read_below(&r, REASON_CANCELED + 1);
    out->tries = read_u16(&r);
    out->last_status = read_u16(&r);
    out->created = codec_read_wall(&r);
    out->due = codec_read_wall(&r);
    out->finished = codec_read_wall(&r);
    out->manual_due = codec_read_wall(&r);
    out->last_attempt = codec_read_id(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f))
        r.failed |= f.tag == TAG_PLACE      ? !decode_place(f.value, out)
                    : f.tag == TAG_REPLAYED ? !decode_replayed(f.value, out)
                                            : true;
    return codec_finished(&r);
}

void record_due_encode(uint16_t tries, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u16(out, tries);
    codec_end(out, start);
}

enum err record_due_decode(struct span in, uint16_t *tries)
{
    *tries = 0;
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    *tries = read_u16(&r);
    return codec_finished(&r);
}

void record_renewal_encode(const struct renewal *at, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_wall(out, at->until);
    buf_u8(out, (uint8_t)at->part);
    buf_u8(out, at->begun);
    codec_id(out, &at->last);
    codec_end(out, start);
}

enum err record_renewal_decode(struct span in, struct renewal *out)
{
    struct reader r;
    *out = (struct renewal){0};
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->until = codec_read_wall(&r);
    out->part = codec_read_below(&r, RENEWAL_PARTS);
    out->begun = codec_read_below(&r, 2);
    out->last = codec_read_id(&r);
    return codec_finished(&r);
}

static void encode_span_of_time(struct buf *out, int64_t us)
{
    codec_varint(out, us > 0 ? (uint64_t)us : 0);
}

static int64_t read_span_of_time(struct reader *r)
{
    uint64_t us = codec_read_varint(r);
    if (us > INT64_MAX)
        r->failed = true;
    return r->failed ? 0 : (int64_t)us;
}

void record_attempt_encode(const struct attempt *a, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &a->endpoint);
    buf_u32(out, a->endpoint_number);
    codec_wall(out, a->started);
    buf_u8(out, (uint8_t)a->outcome);
    buf_u8(out, (uint8_t)a->trigger);
    buf_u16(out, a->status);
    buf_u16(out, a->number);
    encode_span_of_time(out, a->duration_us);
    encode_span_of_time(out, a->queued_us);
    encode_span_of_time(out, a->dns_us);
    encode_span_of_time(out, a->connect_us);
    encode_span_of_time(out, a->tls_us);
    encode_span_of_time(out, a->first_byte_us);
    codec_field(out, TAG_URL, a->url);
    codec_field(out, TAG_RESPONSE, a->response);
    codec_end(out, start);
}

enum err record_attempt_decode(struct span in, bool content, struct attempt **out)
{
    *out = NULL;
    struct reader r;
    void *block;
    enum err e = codec_copy(in, sizeof(struct attempt), &block, &r);
    if (e)
        return e;
    struct attempt *a = block;
    a->endpoint = codec_read_id(&r);
    a->endpoint_number = read_u32(&r);
    a->started = codec_read_wall(&r);
    a->outcome = codec_read_below(&r, ATTEMPT_LAST + 1);
    a->trigger = codec_read_below(&r, TRIGGER_MANUAL + 1);
    a->status = read_u16(&r);
    a->number = read_u16(&r);
    a->duration_us = read_span_of_time(&r);
    a->queued_us = read_span_of_time(&r);
    a->dns_us = read_span_of_time(&r);
    a->connect_us = read_span_of_time(&r);
    a->tls_us = read_span_of_time(&r);
    a->first_byte_us = read_span_of_time(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == TAG_URL)
            a->url = f.value;
        else if (f.tag != TAG_RESPONSE)
            r.failed = true;
        else if (content)
            a->response = f.value;
    }
    e = codec_finished(&r);
    if (e)
        attempt_free(&a);
    *out = a;
    return e;
}

void record_dead_encode(const struct dead_record *d, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_wall(out, d->died);
    buf_u8(out, (uint8_t)d->reason);
    codec_field(out, TAG_EVENT_TYPE, d->event_type);
    codec_end(out, start);
}

enum err record_dead_decode(struct span in, struct dead_record *out)
{
    *out = (struct dead_record){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->died = codec_read_wall(&r);
    out->reason = codec_read_below(&r, REASON_CANCELED + 1);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == TAG_EVENT_TYPE)
            out->event_type = f.value;
        else
            r.failed = true;
    }
    return codec_finished(&r);
}

void record_stat_encode(const struct stat_record *s, struct buf *out)
{
    uint8_t app[4];
    size_t start = codec_begin(out);
    buf_u8(out, s->inexact);
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        codec_varint(out, s->stats.deliveries[i]);
    codec_varint(out, s->stats.succeeded);
    codec_varint(out, s->stats.failed);
    if (s->app) {
        put_be32(app, s->app);
        codec_field(out, TAG_APP, span_of(app, sizeof app));
    }
    codec_end(out, start);
}

enum err record_stat_decode(struct span in, struct stat_record *out)
{
    *out = (struct stat_record){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->inexact = codec_read_below(&r, 2) != 0;
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        out->stats.deliveries[i] = codec_read_varint(&r);
    out->stats.succeeded = codec_read_varint(&r);
    out->stats.failed = codec_read_varint(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        struct reader number = reader_of(f.value);
        out->app = read_u32(&number);
        r.failed |= f.tag != TAG_APP || f.value.len != 4 || !out->app;
    }
    e = codec_finished(&r);
    if (e)
        *out = (struct stat_record){0};
    return e;
}

void record_count_encode(const struct endpoint_counts *c, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u64(out, c->waiting);
    buf_u64(out, c->dead);
    codec_end(out, start);
}

enum err record_count_decode(struct span in, struct endpoint_counts *out)
{
    *out = (struct endpoint_counts){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->waiting = read_u64(&r);
    out->dead = read_u64(&r);
    return codec_finished(&r);
}
