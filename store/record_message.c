/* Messages: one head for each event, its payload inline when the whole fits a leaf page, else in
 * chunks of a leaf's size, because large values need contiguous free pages, which a fragmented file
 * seldom has.
 *
 * Head: flags | created | expires | application | its number | payload length | payload checksum
 * (of chunks; the record's own covers an inline one) | tagged fields | inline payload.
 *
 * Invariant: record_message_encode and record_message_chunks agree on what is inline, and a decoded
 * message carries in its block what record_message_verify needs. */
#include "store/codec.h"
#include "store/entry.h"
#include "store/record.h"

#include "base/hash.h"

#include <assert.h>

#define CHUNK_BYTES (INLINE_BYTES_MAX - CODEC_HEAD)
#define FIXED_BYTES (CODEC_HEAD + 1 + 8 + 8 + ID_BYTES + 4 + 4 + 4)

enum { FLAG_EXPUNGED = 1, FLAG_CHUNKED = 2, FLAGS_END = 4 };

/* On disk: append only. */
enum {
    TAG_EVENT_TYPE = 1,
    TAG_EVENT_ID,
    TAG_ORDERING_KEY,
    TAG_CHANNEL,
    TAG_TAG,
    TAG_CONTENT_TYPE,
    TAG_HEADERS,
    TAG_DELIVER_AT,
    TAG_ONLY_ENDPOINT,
    TAG_ATTRIBUTES,
    TAG_TRACEPARENT,
    TAG_TRACESTATE,
};

struct stored_message {
    struct message m; /* first: the block is freed by this pointer */
    bool chunked;
    uint32_t checksum; /* of the payload */
    char bytes[];
};

/* The bytes of a moment as a field's value, in `room`; empty for none. */
static struct span moment_field(struct wall t, uint8_t room[8])
{
    if (!t.us)
        return (struct span){0};
    put_be64(room, (uint64_t)t.us);
    return span_of(room, 8);
}

/* The same for an endpoint's number. */
static struct span number_field(uint32_t n, uint8_t room[4])
{
    if (!n)
        return (struct span){0};
    put_be32(room, n);
    return span_of(room, 4);
}

static struct span payload_of(const struct message *m)
{
    static const struct span none;
    return m->expunged ? none : m->payload;
}

static bool fits_inline(const struct message *m)
{
    uint8_t moment[8], number[4];
    size_t len =
        FIXED_BYTES + codec_field_len(m->event_type) + codec_field_len(m->event_id) +
        codec_field_len(m->ordering_key) + codec_field_len(m->content_type) +
        codec_field_len(m->headers) + codec_field_len(moment_field(m->deliver_at, moment)) +
        codec_field_len(number_field(m->only_endpoint, number)) + codec_field_len(m->attributes) +
        codec_field_len(m->traceparent) + codec_field_len(m->tracestate) + payload_of(m).len;
    for (unsigned i = 0; i < m->channel_count; i++)
        len += codec_field_len(m->channels[i]);
    for (unsigned i = 0; i < m->tag_count; i++)
        len += codec_field_len(m->tags[i]);
    return len <= INLINE_BYTES_MAX;
}

void record_message_encode(const struct message *m, struct buf *out)
{
    struct span payload = payload_of(m);
    bool chunked = payload.len > 0 && !fits_inline(m);
    uint8_t moment[8], number[4];
    assert(payload.len <= UINT32_MAX);

    size_t start = codec_begin(out);
    buf_u8(out, (uint8_t)((m->expunged ? FLAG_EXPUNGED : 0) | (chunked ? FLAG_CHUNKED : 0)));
    codec_wall(out, m->created);
    codec_wall(out, m->expires);
    codec_id(out, &m->app);
    buf_u32(out, m->app_number);
    buf_u32(out, (uint32_t)payload.len);
    buf_u32(out, chunked ? hash_checksum(payload) : 0);
    codec_field(out, TAG_EVENT_TYPE, m->event_type);
    codec_field(out, TAG_EVENT_ID, m->event_id);
    codec_field(out, TAG_ORDERING_KEY, m->ordering_key);
    for (unsigned i = 0; i < m->channel_count; i++)
        codec_field(out, TAG_CHANNEL, m->channels[i]);
    for (unsigned i = 0; i < m->tag_count; i++)
        codec_field(out, TAG_TAG, m->tags[i]);
    codec_field(out, TAG_CONTENT_TYPE, m->content_type);
    codec_field(out, TAG_HEADERS, m->headers);
    codec_field(out, TAG_DELIVER_AT, moment_field(m->deliver_at, moment));
    codec_field(out, TAG_ONLY_ENDPOINT, number_field(m->only_endpoint, number));
    codec_field(out, TAG_ATTRIBUTES, m->attributes);
    codec_field(out, TAG_TRACEPARENT, m->traceparent);
    codec_field(out, TAG_TRACESTATE, m->tracestate);
    if (!chunked)
        buf_span(out, payload);
    codec_end(out, start);
}

unsigned record_message_chunks(const struct message *m)
{
    size_t len = payload_of(m).len;
    if (len == 0 || fits_inline(m))
        return 0;
    return (unsigned)((len + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

/* The extent of one chunk within a payload; empty beyond its end. */
static struct span chunk_extent(struct span payload, unsigned chunk)
{
    struct span rest = span_skip(payload, (size_t)chunk * CHUNK_BYTES);
    if (rest.len > CHUNK_BYTES)
        rest.len = CHUNK_BYTES;
    return rest;
}

void record_body_encode(const struct message *m, unsigned chunk, struct buf *out)
{
    struct span extent = chunk_extent(payload_of(m), chunk);
    assert(extent.len > 0);
    size_t start = codec_begin(out);
    buf_span(out, extent);
    codec_end(out, start);
}

static void decode_array(struct reader *r, struct span *items, unsigned *count, unsigned max,
                         struct span value)
{
    if (*count < max)
        items[(*count)++] = value;
    else
        r->failed = true;
}

static enum err decode_tagged(struct reader *r, struct message *m)
{
    struct codec_tagged f = {.lists = CODEC_LIST(TAG_CHANNEL) | CODEC_LIST(TAG_TAG)};
    while (codec_read_tagged(r, &f)) {
        switch (f.tag) {
        case TAG_EVENT_TYPE:
            m->event_type = f.value;
            break;
        case TAG_EVENT_ID:
            m->event_id = f.value;
            break;
        case TAG_ORDERING_KEY:
            m->ordering_key = f.value;
            break;
        case TAG_CHANNEL:
            decode_array(r, m->channels, &m->channel_count, MESSAGE_CHANNELS_MAX, f.value);
            break;
        case TAG_TAG:
            decode_array(r, m->tags, &m->tag_count, TAGS_MAX, f.value);
            break;
        case TAG_CONTENT_TYPE:
            m->content_type = f.value;
            break;
        case TAG_HEADERS:
            m->headers = f.value;
            break;
        case TAG_DELIVER_AT:
            if (f.value.len != 8)
                return ERR_CORRUPT;
            m->deliver_at.us = (int64_t)get_be64((const uint8_t *)f.value.ptr);
            if (m->deliver_at.us <= 0)
                return ERR_CORRUPT;
            break;
        case TAG_ONLY_ENDPOINT: {
            struct reader number = reader_of(f.value);
            m->only_endpoint = read_u32(&number);
            if (f.value.len != 4 || !m->only_endpoint)
                return ERR_CORRUPT;
            break;
        }
        case TAG_ATTRIBUTES:
            m->attributes = f.value;
            break;
        case TAG_TRACEPARENT:
            m->traceparent = f.value;
            break;
        case TAG_TRACESTATE:
            m->tracestate = f.value;
            break;
        default:
            return ERR_CORRUPT;
        }
    }
    return codec_finished(r);
}

enum err record_message_decode(struct span in, bool content, struct message **out, size_t *missing)
{
    *out = NULL;
    *missing = 0;
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    uint8_t flags = codec_read_below(&r, FLAGS_END);
    struct message fixed = {.expunged = (flags & FLAG_EXPUNGED) != 0};
    fixed.created = codec_read_wall(&r);
    fixed.expires = codec_read_wall(&r);
    fixed.app = codec_read_id(&r);
    fixed.app_number = read_u32(&r);
    size_t payload_len = read_u32(&r);
    uint32_t checksum = read_u32(&r);
    struct span tail = read_rest(&r);
    bool chunked = (flags & FLAG_CHUNKED) != 0;
    size_t inline_len = chunked ? 0 : payload_len;
    if (r.failed || inline_len > tail.len || payload_len > BATCH_BODY_MAX ||
        (fixed.expunged && payload_len > 0) || (chunked ? payload_len == 0 : checksum != 0))
        return ERR_CORRUPT;

    size_t tags_len = tail.len - inline_len;
    size_t bytes = tags_len + (content ? payload_len : 0);
    struct stored_message *sm = malloc(sizeof *sm + bytes);
    if (!sm)
        return ERR_NO_MEMORY;
    *sm = (struct stored_message){.m = fixed, .chunked = content && chunked, .checksum = checksum};
    atomic_init(&sm->m.refs, 1);
    sm->m.block_len = bytes;
    if (bytes > 0)
        memcpy(sm->bytes, tail.ptr, content && !chunked ? tail.len : tags_len);
    if (content)
        sm->m.payload = span_of(sm->bytes + tags_len, payload_len);

    struct reader tags = reader_of(span_of(sm->bytes, tags_len));
    e = decode_tagged(&tags, &sm->m);
    if (e) {
        free(sm);
        return e;
    }
    *missing = chunked ? payload_len : 0;
    *out = &sm->m;
    return ERR_OK;
}

enum err record_message_expires(struct span in, struct wall *out)
{
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    codec_read_below(&r, FLAGS_END);
    codec_read_wall(&r);
    *out = codec_read_wall(&r);
    return r.failed ? ERR_CORRUPT : ERR_OK;
}

enum err record_body_decode(struct span in, unsigned chunk, struct message *m)
{
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    struct span bytes = read_rest(&r);
    struct span extent = chunk_extent(m->payload, chunk);
    if (extent.len == 0 || bytes.len != extent.len)
        return ERR_CORRUPT;
    struct stored_message *sm = (struct stored_message *)m;
    memcpy(sm->bytes + (extent.ptr - sm->bytes), bytes.ptr, bytes.len);
    return ERR_OK;
}

enum err record_message_verify(const struct message *m)
{
    const struct stored_message *sm = (const struct stored_message *)m;
    if (sm->chunked && hash_checksum(m->payload) != sm->checksum)
        return ERR_CORRUPT;
    return ERR_OK;
}
