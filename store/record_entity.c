/* What people configure: applications, endpoints, event types and API keys. These change rarely, so
 * clarity goes before bytes. Identity stands in the record as well as in the key, so that `check`
 * can compare them.
 *
 * Invariant: a signing key, and what an endpoint authenticates with, is on disk only in its sealed
 * form, bound to its endpoint's id. */
#include "store/codec.h"
#include "store/record.h"
#include "store/vault.h"

#include <openssl/crypto.h>

/* On disk: append only, each. */
enum { APP_UID = 1, APP_NAME, APP_METADATA };
enum {
    ENDPOINT_UID = 1,
    ENDPOINT_URL,
    ENDPOINT_DESCRIPTION,
    ENDPOINT_REASON,
    ENDPOINT_FILTER,
    ENDPOINT_CHANNEL,
    ENDPOINT_METADATA,
    ENDPOINT_HEADERS,
    ENDPOINT_KEY,
    ENDPOINT_ORDERING,
    ENDPOINT_CLOUD_EVENTS,
    ENDPOINT_PAUSED,
    ENDPOINT_RETRY,
    ENDPOINT_TIMEOUT,
    ENDPOINT_MAX_IN_FLIGHT,
    ENDPOINT_AUTH,
    ENDPOINT_TLS,
    ENDPOINT_FRESH_SHARE,
};
enum { PORTAL_FLAGS = 1 };
enum { TYPE_NAME = 1, TYPE_DESCRIPTION, TYPE_GROUP, TYPE_FLAG, TYPE_SCHEMAS, TYPE_RETRY };
enum { TYPE_ARCHIVED = 1, TYPE_DEPRECATED = 2, TYPE_FLAGS_END = 4 };
enum { KEY_NAME = 1 };

#define RETRY_STORED_MAX 512 /* a policy is at most 13 bytes and four a delay */
#define SEALED_MAX 1024      /* a signing key, its nonce and its tag are under 200 bytes */

/* 0 is left out. */
static void encode_number(struct buf *out, uint8_t tag, int64_t v)
{
    uint8_t bytes[sizeof v];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((uint64_t)v >> 8 * (sizeof bytes - 1 - i));
    if (v)
        codec_field(out, tag, span_of(bytes, sizeof bytes));
}

/* False on damage: no encoder writes a number outside 1 to `max`. */
static bool decode_number(struct span value, int64_t max, int64_t *out)
{
    struct reader r = reader_of(value);
    const uint64_t v = read_u64(&r);
    *out = (int64_t)v;
    return !codec_finished(&r) && v >= 1 && v <= (uint64_t)max;
}

/* A field of what `value` holds, which is freed. */
static void put_field(struct buf *out, uint8_t tag, struct buf *value)
{
    if (value->failed)
        out->failed = true;
    else
        codec_field(out, tag, buf_view(value));
    buf_free(value);
}

static void encode_retry(struct buf *out, uint8_t tag, const struct retry_policy *p)
{
    struct buf value;
    if (p->kind == RETRY_NONE)
        return;
    buf_init(&value, RETRY_STORED_MAX);
    retry_policy_encode(p, &value);
    put_field(out, tag, &value);
}

static int64_t read_rate(struct reader *r)
{
    uint64_t rate = read_u64(r);
    if (rate > RATE_MAX)
        r->failed = true;
    return (int64_t)rate;
}

void record_app_encode(const struct app *a, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &a->id);
    buf_u32(out, a->number);
    codec_id(out, &a->org);
    buf_u64(out, a->version);
    codec_wall(out, a->created);
    codec_wall(out, a->updated);
    buf_u64(out, (uint64_t)a->throttle_rate);
    codec_field(out, APP_UID, a->uid);
    codec_field(out, APP_NAME, a->name);
    codec_field(out, APP_METADATA, a->metadata);
    codec_end(out, start);
}

enum err record_app_decode(struct span in, struct app **out)
{
    *out = NULL;
    struct reader r;
    void *block;
    enum err e = codec_copy(in, sizeof(struct app), &block, &r);
    if (e)
        return e;
    struct app *a = block;
    a->id = codec_read_id(&r);
    a->number = read_u32(&r);
    a->org = codec_read_id(&r);
    a->version = read_u64(&r);
    a->created = codec_read_wall(&r);
    a->updated = codec_read_wall(&r);
    a->throttle_rate = read_rate(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        switch (f.tag) {
        case APP_UID:
            a->uid = f.value;
            break;
        case APP_NAME:
            a->name = f.value;
            break;
        case APP_METADATA:
            a->metadata = f.value;
            break;
        default:
            r.failed = true;
        }
    }
    e = codec_finished(&r);
    if (e)
        app_free(&a);
    *out = a;
    return e;
}

/* kind | expires | sealed bytes */
static void encode_key(const struct endpoint *e, const struct signing_key *key,
                       const struct vault *v, struct buf *out)
{
    struct buf value;
    buf_init(&value, SEALED_MAX);
    buf_u8(&value, (uint8_t)key->kind);
    codec_wall(&value, key->expires);
    vault_seal(v, span_of(e->id.b, ID_BYTES), span_of(key->bytes, key->len), &value);
    put_field(out, ENDPOINT_KEY, &value);
}

static enum err decode_key(struct span value, const struct vault *v, struct endpoint *e)
{
    if (e->key_count == SIGNING_KEYS_MAX)
        return ERR_CORRUPT;
    struct reader r = reader_of(value);
    struct signing_key *key = &e->keys[e->key_count];
    key->kind = codec_read_below(&r, KEY_ED25519 + 1);
    key->expires = codec_read_wall(&r);
    struct span sealed = read_rest(&r);
    if (r.failed)
        return ERR_CORRUPT;
    struct buf plain;
    buf_init(&plain, SIGNING_KEY_MAX);
    enum err err = vault_open(v, span_of(e->id.b, ID_BYTES), sealed, &plain);
    if (!err && plain.len == 0)
        err = ERR_CORRUPT;
    if (!err) {
        memcpy(key->bytes, plain.ptr, plain.len);
        key->len = plain.len;
        e->key_count++;
    }
    if (plain.ptr)
        OPENSSL_cleanse(plain.ptr, plain.cap);
    buf_free(&plain);
    return err;
}

void record_endpoint_encode(const struct endpoint *e, const struct vault *v, struct buf *out)
{
    size_t start = codec_begin(out);
    buf_u16(out, (uint16_t)e->filter_count);
    codec_id(out, &e->id);
    buf_u32(out, e->number);
    codec_id(out, &e->app);
    buf_u32(out, e->app_number);
    codec_id(out, &e->org);
    buf_u64(out, e->version);
    codec_wall(out, e->created);
    codec_wall(out, e->updated);
    buf_u64(out, (uint64_t)e->user_version);
    buf_u8(out, e->disabled);
    buf_u64(out, (uint64_t)e->throttle_rate);
    codec_field(out, ENDPOINT_UID, e->uid);
    codec_field(out, ENDPOINT_URL, e->url);
    codec_field(out, ENDPOINT_DESCRIPTION, e->description);
    codec_field(out, ENDPOINT_REASON, e->disabled_reason);
    for (unsigned i = 0; i < e->filter_count; i++)
        codec_field(out, ENDPOINT_FILTER, e->filters[i]);
    for (unsigned i = 0; i < e->channel_count; i++)
        codec_field(out, ENDPOINT_CHANNEL, e->channels[i]);
    codec_field(out, ENDPOINT_METADATA, e->metadata);
    codec_field(out, ENDPOINT_HEADERS, e->headers);
    for (unsigned i = 0; i < e->key_count; i++)
        encode_key(e, &e->keys[i], v, out);
    const uint8_t ordering = (uint8_t)e->ordering;
    if (ordering != ORDERING_NONE)
        codec_field(out, ENDPOINT_ORDERING, span_of(&ordering, 1));
    const uint8_t cloud_events = (uint8_t)e->cloud_events;
    if (cloud_events != CLOUD_EVENTS_NONE)
        codec_field(out, ENDPOINT_CLOUD_EVENTS, span_of(&cloud_events, 1));
    encode_number(out, ENDPOINT_PAUSED, e->paused);
    encode_retry(out, ENDPOINT_RETRY, &e->retry);
    encode_number(out, ENDPOINT_TIMEOUT, e->timeout_us);
    encode_number(out, ENDPOINT_MAX_IN_FLIGHT, e->max_in_flight);
    record_auth_encode(e, v, ENDPOINT_AUTH, out);
    record_tls_encode(e, v, ENDPOINT_TLS, out);
    encode_number(out, ENDPOINT_FRESH_SHARE, e->fresh_share);
    codec_end(out, start);
}

static void decode_endpoint_fixed(struct reader *r, struct endpoint *e)
{
    e->id = codec_read_id(r);
    e->number = read_u32(r);
    e->app = codec_read_id(r);
    e->app_number = read_u32(r);
    e->org = codec_read_id(r);
    e->version = read_u64(r);
    e->created = codec_read_wall(r);
    e->updated = codec_read_wall(r);
    e->user_version = (int64_t)read_u64(r);
    e->disabled = codec_read_below(r, 2) != 0;
    e->throttle_rate = read_rate(r);
}

/* When and how often it is tried. False on damage. */
static bool decode_pace(const struct codec_tagged *f, struct endpoint *e)
{
    int64_t v;
    switch (f->tag) {
    case ENDPOINT_PAUSED:
        e->paused = decode_number(f->value, 1, &v);
        return e->paused;
    case ENDPOINT_RETRY:
        return retry_policy_decode(f->value, &e->retry);
    case ENDPOINT_TIMEOUT:
        return decode_number(f->value, ATTEMPT_TIMEOUT_MAX_S * US_PER_S, &e->timeout_us);
    case ENDPOINT_FRESH_SHARE:
        if (!decode_number(f->value, 1 + FRESH_SHARE_MAX, &v))
            return false;
        e->fresh_share = (unsigned)v;
        return true;
    default:
        if (!decode_number(f->value, UINT16_MAX, &v))
            return false;
        e->max_in_flight = (uint32_t)v;
        return true;
    }
}

static enum err decode_sealed(const struct codec_tagged *f, const struct vault *v,
                              struct endpoint *e)
{
    switch (f->tag) {
    case ENDPOINT_AUTH:
        return record_auth_decode(f->value, v, ENDPOINT_AUTH, e);
    case ENDPOINT_TLS:
        return record_tls_decode(f->value, v, ENDPOINT_TLS, e);
    default:
        return decode_key(f->value, v, e);
    }
}

static enum err decode_endpoint_tagged(struct reader *r, const struct vault *v, struct endpoint *e,
                                       unsigned filters_max)
{
    struct codec_tagged f = {.lists = CODEC_LIST(ENDPOINT_FILTER) | CODEC_LIST(ENDPOINT_CHANNEL) |
                                      CODEC_LIST(ENDPOINT_KEY)};
    enum err err = ERR_OK;
    while (!err && codec_read_tagged(r, &f)) {
        switch (f.tag) {
        case ENDPOINT_UID:
            e->uid = f.value;
            break;
        case ENDPOINT_URL:
            e->url = f.value;
            break;
        case ENDPOINT_DESCRIPTION:
            e->description = f.value;
            break;
        case ENDPOINT_REASON:
            e->disabled_reason = f.value;
            break;
        case ENDPOINT_FILTER:
            if (e->filter_count == filters_max)
                return ERR_CORRUPT;
            e->filters[e->filter_count++] = f.value;
            break;
        case ENDPOINT_CHANNEL:
            if (e->channel_count == ENDPOINT_CHANNELS_MAX)
                return ERR_CORRUPT;
            e->channels[e->channel_count++] = f.value;
            break;
        case ENDPOINT_METADATA:
            e->metadata = f.value;
            break;
        case ENDPOINT_HEADERS:
            e->headers = f.value;
            break;
        case ENDPOINT_KEY:
        case ENDPOINT_AUTH:
        case ENDPOINT_TLS:
            err = decode_sealed(&f, v, e);
            break;
        case ENDPOINT_ORDERING:
            e->ordering = (enum ordering)(uint8_t)f.value.ptr[0];
            if (f.value.len != 1 || e->ordering == ORDERING_NONE || e->ordering >= ORDERINGS)
                return ERR_CORRUPT;
            break;
        case ENDPOINT_CLOUD_EVENTS:
            e->cloud_events = (enum cloud_events)(uint8_t)f.value.ptr[0];
            if (f.value.len != 1 || e->cloud_events == CLOUD_EVENTS_NONE ||
                e->cloud_events >= CLOUD_EVENTS_END)
                return ERR_CORRUPT;
            break;
        case ENDPOINT_PAUSED:
        case ENDPOINT_RETRY:
        case ENDPOINT_TIMEOUT:
        case ENDPOINT_MAX_IN_FLIGHT:
        case ENDPOINT_FRESH_SHARE:
            if (!decode_pace(&f, e))
                return ERR_CORRUPT;
            break;
        default:
            return ERR_CORRUPT;
        }
    }
    if (!err)
        err = codec_finished(r);
    return !err && e->filter_count != filters_max ? ERR_CORRUPT : err;
}

enum err record_endpoint_decode(struct span in, const struct vault *v, struct endpoint **out)
{
    *out = NULL;
    struct reader r;
    enum err err = codec_open(in, &r);
    if (err)
        return err;
    unsigned filters_max = read_u16(&r);
    if (r.failed || filters_max > ENDPOINT_FILTERS_MAX)
        return ERR_CORRUPT;

    void *block;
    size_t head = sizeof(struct endpoint) + filters_max * sizeof(struct span);
    err = codec_copy(in, head, &block, &r);
    if (err)
        return err;
    struct endpoint *e = block;
    e->filters = filters_max > 0 ? (struct span *)(e + 1) : NULL;
    (void)read_u16(&r);
    decode_endpoint_fixed(&r, e);
    err = decode_endpoint_tagged(&r, v, e, filters_max);
    if (err)
        endpoint_free(&e);
    *out = e;
    return err;
}

void record_event_type_encode(const struct event_type *t, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &t->org);
    buf_u64(out, t->version);
    codec_wall(out, t->created);
    codec_wall(out, t->updated);
    buf_u8(out,
           (uint8_t)((t->archived ? TYPE_ARCHIVED : 0) | (t->deprecated ? TYPE_DEPRECATED : 0)));
    codec_field(out, TYPE_NAME, t->name);
    codec_field(out, TYPE_DESCRIPTION, t->description);
    codec_field(out, TYPE_GROUP, t->group_name);
    for (unsigned i = 0; i < t->flag_count; i++)
        codec_field(out, TYPE_FLAG, t->flags[i]);
    codec_field(out, TYPE_SCHEMAS, t->schemas);
    encode_retry(out, TYPE_RETRY, &t->retry);
    codec_end(out, start);
}

enum err record_event_type_decode(struct span in, struct event_type **out)
{
    *out = NULL;
    struct reader r;
    void *block;
    enum err e = codec_copy(in, sizeof(struct event_type), &block, &r);
    if (e)
        return e;
    struct event_type *t = block;
    t->org = codec_read_id(&r);
    t->version = read_u64(&r);
    t->created = codec_read_wall(&r);
    t->updated = codec_read_wall(&r);
    uint8_t flags = codec_read_below(&r, TYPE_FLAGS_END);
    t->archived = (flags & TYPE_ARCHIVED) != 0;
    t->deprecated = (flags & TYPE_DEPRECATED) != 0;
    struct codec_tagged f = {.lists = CODEC_LIST(TYPE_FLAG)};
    while (codec_read_tagged(&r, &f)) {
        switch (f.tag) {
        case TYPE_NAME:
            t->name = f.value;
            break;
        case TYPE_DESCRIPTION:
            t->description = f.value;
            break;
        case TYPE_GROUP:
            t->group_name = f.value;
            break;
        case TYPE_FLAG:
            if (t->flag_count < EVENT_TYPE_FLAGS_MAX)
                t->flags[t->flag_count++] = f.value;
            else
                r.failed = true;
            break;
        case TYPE_SCHEMAS:
            t->schemas = f.value;
            break;
        case TYPE_RETRY:
            r.failed |= !retry_policy_decode(f.value, &t->retry);
            break;
        default:
            r.failed = true;
        }
    }
    e = codec_finished(&r);
    if (e)
        event_type_free(&t);
    *out = t;
    return e;
}

void record_portal_encode(const struct portal_token *t, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &t->org);
    codec_wall(out, t->created);
    codec_wall(out, t->expires);
    buf_u8(out, (uint8_t)t->capabilities);
    buf_bytes(out, t->session, sizeof t->session);
    codec_field(out, PORTAL_FLAGS, span_text(t->flags.names));
    codec_end(out, start);
}

enum err record_portal_decode(struct span in, struct portal_token *out)
{
    *out = (struct portal_token){.expires = {0}};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->org = codec_read_id(&r);
    out->created = codec_read_wall(&r);
    out->expires = codec_read_wall(&r);
    out->capabilities = codec_read_below(&r, CAPABILITY_ALL + 1);
    struct span session = read_span(&r, sizeof out->session);
    if (session.len == sizeof out->session)
        memcpy(out->session, session.ptr, session.len);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == PORTAL_FLAGS && f.value.len < sizeof out->flags.names &&
            !memchr(f.value.ptr, '\0', f.value.len))
            memcpy(out->flags.names, f.value.ptr, f.value.len);
        else
            r.failed = true;
    }
    return codec_finished(&r);
}

void record_key_encode(const struct api_key *k, struct buf *out)
{
    size_t start = codec_begin(out);
    codec_id(out, &k->id);
    buf_bytes(out, k->hash, sizeof k->hash);
    codec_id(out, &k->org);
    buf_u8(out, (uint8_t)k->scope);
    codec_id(out, &k->app);
    codec_wall(out, k->created);
    codec_wall(out, k->expires);
    codec_field(out, KEY_NAME, span_of(k->name, strnlen(k->name, sizeof k->name - 1)));
    codec_end(out, start);
}

enum err record_key_decode(struct span in, struct api_key *out)
{
    *out = (struct api_key){0};
    struct reader r;
    enum err e = codec_open(in, &r);
    if (e)
        return e;
    out->id = codec_read_id(&r);
    struct span hash = read_span(&r, sizeof out->hash);
    if (hash.len == sizeof out->hash)
        memcpy(out->hash, hash.ptr, hash.len);
    out->org = codec_read_id(&r);
    out->scope = codec_read_below(&r, SCOPE_APP + 1);
    out->app = codec_read_id(&r);
    out->created = codec_read_wall(&r);
    out->expires = codec_read_wall(&r);
    struct codec_tagged f = {0};
    while (codec_read_tagged(&r, &f)) {
        if (f.tag == KEY_NAME && f.value.len < sizeof out->name &&
            !memchr(f.value.ptr, '\0', f.value.len))
            memcpy(out->name, f.value.ptr, f.value.len);
        else
            r.failed = true;
    }
    return codec_finished(&r);
}
