/* ApplicationIn inside a message: the application to make when the path's does not exist. The same
 * rules as those of POST /app (admin/app.c), with its own scanner because this is the hot path's. */
#include "ingest/reading.h"

#define FIELD "application"

static enum err read_name(struct reading *r, struct json_value v, struct app *out)
{
    enum err e = reading_text(r, v, &out->name);
    if (e == ERR_INVALID || (!e && (out->name.len < 1 || out->name.len > NAME_MAX_LEN)))
        return reading_refuse(r, FIELD ".name", "must be a text of 1 to 256 bytes");
    return e;
}

static enum err read_uid(struct reading *r, struct json_value v, struct app *out)
{
    enum err e = reading_text(r, v, &out->uid);
    if (e == ERR_INVALID || (!e && !reading_is_name(out->uid, UID_MAX, "-_.")))
        return reading_refuse(r, FIELD ".uid",
                              "must be 1 to 256 characters of a-z, A-Z, 0-9, - _ and .");
    if (!e && span_starts(out->uid, SPAN(ID_APP)))
        return reading_refuse(r, FIELD ".uid", "must not begin with app_");
    return e;
}

/* A text that can be read back: the map is kept as it stands. */
static enum err check_text(struct reading *r, struct json_value v)
{
    struct buf text;
    buf_init(&text, METADATA_MAX);
    enum err e = v.type == JSON_STRING ? json_text(v, &text) : ERR_INVALID;
    if (text.failed)
        e = ERR_NO_MEMORY;
    buf_free(&text);
    return e == ERR_INVALID ? reading_refuse(r, FIELD ".metadata", "must be texts by name") : e;
}

static enum err read_metadata(struct reading *r, struct json_value v, struct app *out)
{
    if (v.type != JSON_OBJECT)
        return reading_refuse(r, FIELD ".metadata", "must be an object");
    if (v.raw.len > METADATA_MAX)
        return reading_refuse(r, FIELD ".metadata", "must be at most 4096 bytes");
    struct json_walk w = json_walk(v);
    struct json_value item;
    struct span name;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &name, &item))
        e = w.name_escaped || reading_is_repeated(v, name, span_eq)
                ? reading_refuse(r, FIELD ".metadata",
                                 "names must differ and must not have escapes")
                : check_text(r, item);
    out->metadata = v.raw;
    return e;
}

static enum err take_rate(struct reading *r, const char *field, struct json_value v,
                          struct app *out)
{
    int64_t rate;
    if (v.type != JSON_NUMBER || json_int64(v, 1, RATE_MAX, &rate))
        return reading_refuse(r, field, "must be an integer from 1 to 65535");
    if (out->throttle_rate && out->throttle_rate != rate)
        return reading_refuse(r, field, "throttleRate and rateLimit must not differ");
    out->throttle_rate = rate;
    return ERR_OK;
}

static enum err read_rate(struct reading *r, struct json_value v, struct app *out)
{
    return take_rate(r, FIELD ".throttleRate", v, out);
}

static enum err read_older_rate(struct reading *r, struct json_value v, struct app *out)
{
    return take_rate(r, FIELD ".rateLimit", v, out);
}

static const struct member {
    const char *name;
    enum err (*read)(struct reading *r, struct json_value v, struct app *out);
} members[] = {
    {"name", read_name},
    {"uid", read_uid},
    {"metadata", read_metadata},
    {"throttleRate", read_rate},
    {"rateLimit", read_older_rate},
};
#define MEMBERS (sizeof members / sizeof members[0])

static enum err read_member(struct reading *r, struct span name, struct json_value v,
                            unsigned *seen, struct app *out)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!span_is(name, members[i].name))
            continue;
        if (*seen & 1u << i)
            return reading_refuse(r, FIELD, "has a member twice");
        *seen |= 1u << i;
        return v.type == JSON_NULL && i > 0 ? ERR_OK : members[i].read(r, v, out);
    }
    return ERR_OK;
}

enum err application_read(struct reading *r, struct json_value v, struct app *out)
{
    if (v.type != JSON_OBJECT)
        return reading_refuse(r, FIELD, "must be an object");
    struct json_walk w = json_walk(v);
    struct json_value item;
    struct span name;
    unsigned seen = 0;
    enum err e = ERR_OK;
    while (!e && json_next(&w, &name, &item))
        e = w.name_escaped ? reading_refuse(r, FIELD, "names must not have escapes")
                           : read_member(r, name, item, &seen, out);
    if (!e && !out->name.len)
        e = reading_refuse_missing(r, FIELD ".name");
    return e;
}
