/* The writer's own records: durable tasks, the high-water marks, stored answers. The records of
 * nouns stand in record_entity.c, record_message.c and record_delivery.c. */
#include "store/record.h"

#include "store/codec.h"
#include "store/entry.h"

/* On disk: append only. */
enum { TASK_EVENT_TYPE = 1, TASK_RESULTS, TASK_PLACE, TASK_RATE };
enum { FILTER_EVENT_TYPE = 1, FILTER_CHANNEL, FILTER_TAG };
enum { ANSWER_BODY = 1 };
enum { RESULT_UID = 1 };

/* line | ticket | message */
static void encode_place(const struct line_place *at, struct buf *out)
{
    uint8_t place[LINE_BYTES + 2 * ID_BYTES];
    memcpy(place, at->line, LINE_BYTES);
    memcpy(place + LINE_BYTES, at->ticket.b, ID_BYTES);
    memcpy(place + LINE_BYTES + ID_BYTES, at->message.b, ID_BYTES);
    codec_field(out, TASK_PLACE, span_of(place, sizeof place));
}

static enum err decode_place(struct span value, struct line_place *at)
{
    struct reader r = reader_of(value);
    struct span line = read_span(&r, LINE_BYTES);
    if (line.len == LINE_BYTES)
        memcpy(at->line, line.ptr, LINE_BYTES);
    at->ticket = codec_read_id(&r);
    at->message = codec_read_id(&r);
    return id_is_zero(&at->ticket) ? ERR_CORRUPT : codec_finished(&r);
}

/* rate | where its next token stands */
static void encode_pace(const struct task *t, struct buf *out)
{
    uint8_t pace[12];
    put_be32(pace, t->rate);
    put_be64(pace + 4, (uint64_t)t->next_ns);
    codec_field(out, TASK_RATE, span_of(pace, sizeof pace));
}

static enum err decode_pace(struct span value, struct task *out)
{
    struct reader r = reader_of(value);
    out->rate = read_u32(&r);
    out->next_ns = (int64_t)read_u64(&r);
    if (out->rate < 1 || out->rate > RATE_MAX || out->next_ns < 0 || out->next_ns > INT64_MAX / 2)
        return ERR_CORRUPT;
    return codec_finished(&r);
}

void record_task_encode(const struct task *t, struct buf *out)
{
    uint8_t results[8];
    size_t start = codec_begin(out);
    buf_u8(out, (uint8_t)t->kind);
    buf_u8(out, t->failed ? 2 : t->finished);
    codec_id(out, &t->org);
    codec_id(out, &t->app);
    buf_u32(out, t->app_number);
    buf_u32(out, t->endpoint);
    codec_id(out, &t->cursor);
    codec_id(out, &t->message);
    buf_u32(out, t->cursor_number);
    codec_wall(out, t->since);
    codec_wall(out, t->until);
    buf_u64(out, t->done);
    codec_wall(out, t->created);
    codec_wall(out, t->updated);
    codec_field(out, TASK_EVENT_TYPE,
                span_of(t->event_type, strnlen(t->event_type, EVENT_TYPE_MAX)));
    if (t->results) {
        put_be64(results, t->results);
        codec_field(out, TASK_RESULTS, span_of(results, sizeof results));
    }
    if (!id_is_zero(&t->place.ticket))
        encode_place(&t->place, out);
    if (t->rate)
        encode_pace(t, out);
    codec_end(out, start);
}

enum err record_task_decode(struct span in, struct task *out)
{
    *out = (struct task){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->kind = codec_read_below(&r, TASK_KINDS);
    uint8_t end = codec_read_below(&r, 3);
    out->finished = end > 0;
    out->failed = end == 2;
    out->org = codec_read_id(&r);
    out->app = codec_read_id(&r);
    out->app_number = read_u32(&r);
    out->endpoint = read_u32(&r);
    out->cursor = codec_read_id(&r);
    out->message = codec_read_id(&r);
    out->cursor_number = read_u32(&r);
    out->since = codec_read_wall(&r);
    out->until = codec_read_wall(&r);
    out->done = read_u64(&r);
    out->created = codec_read_wall(&r);
    out->updated = codec_read_wall(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == TASK_EVENT_TYPE && f.value.len <= EVENT_TYPE_MAX &&
            !memchr(f.value.ptr, '\0', f.value.len))
            memcpy(out->event_type, f.value.ptr, f.value.len);
        else if (f.tag == TASK_RESULTS && f.value.len == 8 &&
                 get_be64((const uint8_t *)f.value.ptr) > 0)
            out->results = get_be64((const uint8_t *)f.value.ptr);
        else if (f.tag == TASK_RATE)
            r.failed |= decode_pace(f.value, out) != ERR_OK;
        else if (f.tag != TASK_PLACE || decode_place(f.value, &out->place))
            r.failed = true;
    }
    return codec_finished(&r);
}

void record_task_result_encode(const struct task_result *r, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u64(out, r->deliveries);
    buf_u8(out, r->catch_all);
    codec_field(out, RESULT_UID, r->uid);
    codec_end(out, start);
}

enum err record_task_result_decode(struct span in, struct task_result *out)
{
    *out = (struct task_result){.deliveries = 0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->deliveries = read_u64(&r);
    out->catch_all = codec_read_below(&r, 2) != 0;
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == RESULT_UID)
            out->uid = f.value;
        else
            r.failed = true;
    }
    return codec_finished(&r);
}

void record_task_filter_encode(const struct task_filter *f, struct buf *out)
{
    const struct message_filter *m = &f->message;
    size_t start = codec_begin(out);
    buf_u16(out, (uint16_t)m->event_type_count);
    buf_u16(out, (uint16_t)f->states);
    buf_u16(out, (uint16_t)(f->status_class + 1));
    for (unsigned i = 0; i < m->event_type_count; i++)
        codec_field(out, FILTER_EVENT_TYPE, m->event_types[i]);
    codec_field(out, FILTER_CHANNEL, m->channel);
    codec_field(out, FILTER_TAG, m->tag);
    codec_end(out, start);
}

static enum err decode_filter(struct reader *r, struct task_filter *f, struct span *types,
                              unsigned count)
{
    struct codec_tagged field = {.lists = CODEC_LIST(FILTER_EVENT_TYPE)};
    while (codec_read_tagged(r, &field)) {
        if (field.tag == FILTER_EVENT_TYPE && f->message.event_type_count < count)
            types[f->message.event_type_count++] = field.value;
        else if (field.tag == FILTER_CHANNEL)
            f->message.channel = field.value;
        else if (field.tag == FILTER_TAG)
            f->message.tag = field.value;
        else
            r->failed = true;
    }
    enum err e = codec_finished(r);
    return !e && f->message.event_type_count != count ? ERR_CORRUPT : e;
}

enum err record_task_filter_decode(struct span in, struct task_filter **out)
{
    *out = NULL;
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    unsigned count = read_u16(&r);
    if (r.failed || count > ENDPOINT_FILTERS_MAX)
        return ERR_CORRUPT;
    void *block;
    e = codec_copy(in, sizeof **out + count * sizeof(struct span), &block, &r);
    if (e)
        return e;
    struct task_filter *f = block;
    struct span *types = (struct span *)(f + 1);
    (void)read_u16(&r);
    f->states = read_u16(&r);
    f->status_class = (int)read_u16(&r) - 1;
    f->message.event_types = types;
    e = decode_filter(&r, f, types, count);
    if (e)
        free(f);
    else
        *out = f;
    return e;
}

void record_marks_encode(const struct marks *m, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &m->message);
    codec_id(out, &m->attempt);
    buf_u32(out, m->next_app);
    buf_u32(out, m->next_endpoint);
    buf_u64(out, m->next_version);
    codec_end(out, start);
}

enum err record_marks_decode(struct span in, struct marks *out)
{
    *out = (struct marks){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->message = codec_read_id(&r);
    out->attempt = codec_read_id(&r);
    out->next_app = read_u32(&r);
    out->next_endpoint = read_u32(&r);
    out->next_version = read_u64(&r);
    return codec_finished(&r);
}

void record_empty_encode(struct buf *out)
{
    codec_end(out, codec_begin(out));
}

void record_org_encode(const struct id *org, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, org);
    codec_end(out, start);
}

enum err record_org_decode(struct span in, struct id *out)
{
    struct reader r;
    enum err e = codec_open(in, &r);
    *out = codec_read_id(&r);
    return e ? e : codec_finished(&r);
}

void record_answer_encode(uint16_t status, const uint8_t body_hash[8], struct span answer,
                          struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u16(out, status);
    buf_bytes(out, body_hash, 8);
    codec_field(out, ANSWER_BODY, answer);
    codec_end(out, start);
}

enum err record_answer_decode(struct span in, uint16_t *status, uint8_t body_hash[8],
                              struct span *answer)
{
    *status = 0;
    *answer = (struct span){0};
    memset(body_hash, 0, 8);
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    *status = read_u16(&r);
    struct span hash = read_span(&r, 8);
    if (hash.len == 8)
        memcpy(body_hash, hash.ptr, 8);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == ANSWER_BODY)
            *answer = f.value;
        else
            r.failed = true;
    }
    return codec_finished(&r);
}
