/* One place for the shapes, so that every refusal of the service looks the same to an SDK. */
#include "http/answer.h"

static const struct {
    unsigned status;
    const char *code;
} codes[] = {
    {400, "generic_error"},        {401, "authentication_failed"},
    {403, "insufficient_access"},  {404, "not_found"},
    {405, "method_not_allowed"},   {409, "conflict"},
    {413, "payload_too_large"},    {415, "unsupported_media_type"},
    {429, "rate_limit"},           {500, "server_error"},
    {501, "not_implemented"},      {503, "service_unavailable"},
    {507, "insufficient_storage"},
};

const char *answer_code(unsigned status)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].status == status)
            return codes[i].code;
    return status < 500 ? "generic_error" : "server_error";
}

unsigned answer_status(enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
    case ERR_STALE:
    case ERR_MISMATCH:
    case ERR_IN_FLIGHT:
    case ERR_DISABLED:
        return 409;
    case ERR_INVALID:
        return 422;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_FULL:
        return 507;
    case ERR_BUSY:
    case ERR_IO:
    case ERR_NO_MEMORY:
    case ERR_STOPPING:
        return 503;
    default:
        return 500;
    }
}

const char *answer_text(enum err e)
{
    return e == ERR_NOT_FOUND ? "Entity not found" : err_text(e);
}

void answer_error(struct buf *out, unsigned status, const char *detail)
{
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w);
    jw_member_string(&w, "code", span_text(answer_code(status)));
    jw_member_string(&w, "detail", span_text(detail));
    jw_end_object(&w);
    jw_finish(&w);
}

/* The text with its dots in place of what stood for them. */
static void loc_text(struct json_writer *w, struct span part)
{
    struct buf text;
    buf_init(&text, part.len);
    buf_span(&text, part);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == LOC_DOT)
            text.ptr[i] = '.';
    jw_string(w, buf_view(&text));
    w->out->failed |= text.failed;
    buf_free(&text);
}

/* Writes one element of `loc`: an index as a number, anything else as text. */
static void loc_element(struct json_writer *w, struct span part)
{
    int64_t index = 0;
    bool number = part.len > 0 && part.len < 10;
    for (size_t i = 0; number && i < part.len; i++) {
        number = part.ptr[i] >= '0' && part.ptr[i] <= '9';
        index = index * 10 + (part.ptr[i] - '0');
    }
    if (number)
        jw_int(w, index);
    else
        loc_text(w, part);
}

void answer_finding(struct json_writer *w, const char *where, const char *field,
                    const char *message, const char *type)
{
    jw_object(w);
    jw_name(w, "loc");
    jw_array(w);
    jw_string(w, span_text(where));
    struct span rest = span_text(field);
    while (rest.ptr)
        loc_element(w, span_cut(&rest, '.'));
    jw_end_array(w);
    jw_member_string(w, "msg", span_text(message));
    jw_member_string(w, "type", span_text(type));
    jw_end_object(w);
}

void answer_invalid(struct buf *out, const char *where, const char *field, const char *message,
                    const char *type)
{
    struct json_writer w;
    jw_init(&w, out);
    jw_object(&w);
    jw_name(&w, "detail");
    jw_array(&w);
    answer_finding(&w, where, field, message, type);
    jw_end_array(&w);
    jw_end_object(&w);
    jw_finish(&w);
}
