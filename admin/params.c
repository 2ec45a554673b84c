/* A filter that is misread silently shows the wrong rows, so every malformed value is refused. */
#include "admin/params.h"

#include "admin/client.h"
#include "base/utf8.h"

static bool refuse(struct request *req, const char *name, const char *message)
{
    request_invalid(req, "query", name, message);
    return false;
}

bool params_flag(struct request *req, const char *name, bool *out)
{
    struct span text;
    if (!request_query(req, name, &text))
        return true;
    *out = span_is(text, "true");
    return *out || span_is(text, "false") ? true : refuse(req, name, "must be true or false");
}

bool params_time(struct request *req, const char *name, struct wall *out)
{
    struct span text;
    if (!request_query(req, name, &text) || wall_parse(text, out) == ERR_OK)
        return true;
    return refuse(req, name, "is not a date and time (RFC 3339)");
}

bool params_integer(struct request *req, const char *name, unsigned min, unsigned max,
                    unsigned *out)
{
    struct span text;
    unsigned value = 0;
    if (!request_query(req, name, &text))
        return true;
    bool good = text.len > 0 && text.len <= 9;
    for (size_t i = 0; good && i < text.len; i++) {
        good = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = value;
    if (good && value >= min && value <= max)
        return true;
    char message[64];
    snprintf(message, sizeof message, "must be an integer between %u and %u", min, max);
    return refuse(req, name, message);
}

static bool text_good(struct request *req, const char *name, const struct text_rule *rule,
                      struct span text)
{
    const char *why;
    if (!utf8_valid(text))
        return refuse(req, name, "is not valid UTF-8");
    return text_check(rule, text, &why) || refuse(req, name, why);
}

bool params_text(struct request *req, const char *name, const struct text_rule *rule,
                 struct span *out)
{
    struct span text;
    if (!request_query(req, name, &text))
        return true;
    *out = text;
    return text_good(req, name, rule, text);
}

bool params_item(struct request *req, const char *name, unsigned i, const struct text_rule *rule,
                 struct span *out)
{
    *out = span_text(NULL);
    return !request_query_item(req, name, i, out) || text_good(req, name, rule, *out);
}

bool params_choice(struct request *req, const char *name, const int *allowed, int *out)
{
    struct span text;
    if (!request_query(req, name, &text))
        return true;
    for (; *allowed >= 0; allowed++) {
        char number[16];
        snprintf(number, sizeof number, "%d", *allowed);
        if (!span_is(text, number))
            continue;
        *out = *allowed;
        return true;
    }
    return refuse(req, name, "is not one of the known values");
}

bool params_unsupported(struct request *req, const char *const *names)
{
    struct span text;
    for (; *names; names++)
        if (request_query(req, *names, &text) && !span_is(text, "false"))
            return refuse(req, *names, "not supported by this version");
    return true;
}

static bool event_types(struct request *req, struct message_filter *out)
{
    struct span value;
    unsigned count = 0;
    while (request_query_item(req, "event_types", count, &value))
        if (++count > ENDPOINT_FILTERS_MAX)
            return refuse(req, "event_types", "names too many event types");
    if (!count)
        return true;
    struct span *types = request_alloc(req, count * sizeof *types);
    if (!types) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        if (!params_item(req, "event_types", i, &field_event_type, &types[i]))
            return false;
    out->event_types = types;
    out->event_type_count = count;
    return true;
}

bool params_message_filter(struct request *req, struct message_filter *out)
{
    *out = (struct message_filter){0};
    return params_text(req, "channel", &field_channel, &out->channel) &&
           params_text(req, "tag", &field_tag, &out->tag) && event_types(req, out);
}

bool params_with_content(struct request *req, bool *out)
{
    *out = true;
    return params_flag(req, "with_content", out);
}

bool params_expanded(struct request *req, bool *out)
{
    *out = client_of(req) != 1;
    return params_flag(req, "expanded_statuses", out);
}
