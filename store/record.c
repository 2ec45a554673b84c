/* The writer's own records: durable tasks, the high-water marks, stored answers. The records of
 * nouns stand in record_entity.c, record_message.c and record_delivery.c. */
#include "store/record.h"

#include "store/codec.h"

/* On disk: append only. */
enum { TASK_EVENT_TYPE = 1 };
enum { ANSWER_BODY = 1 };

void record_task_encode(const struct task *t, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u8(out, (uint8_t)t->kind);
    buf_u8(out, t->finished);
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
    codec_end(out, start);
}

enum err record_task_decode(struct span in, struct task *out)
{
    *out = (struct task){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->kind = codec_read_below(&r, TASK_RECOVER + 1);
    out->finished = codec_read_below(&r, 2) != 0;
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
        if (f.tag == TASK_EVENT_TYPE && f.value.len <= EVENT_TYPE_MAX)
            memcpy(out->event_type, f.value.ptr, f.value.len);
        else
            r.failed = true;
    }
    return codec_finished(&r);
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
