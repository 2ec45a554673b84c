/* Fields of heads: Retry-After of responses, the headers that people configure, media types, trace
 * contexts, and times. Each parser agrees with a naive second reading; a header that is accepted is
 * one line of a request, with the name and the value that were asked for, and none of ours.
 *
 * Input: a byte for what it is, then the field's value, or the name and the value on two lines, or
 * a JSON object of headers. */
#include "admin/text_map.h"
#include "base/bounds.h"
#include "base/media_type.h"
#include "dispatcher/destination.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/retry_after.h"
#include "ingest/trace.h"
#include "tests/fuzz/json_oracle.h"

#include "base/log.h"

#define NOW_S INT64_C(1767225600) /* 2026-01-01 */
#define NOW ((struct wall){NOW_S * US_PER_S + 250000})

/* ---------------------------------------------------------------- Retry-After */

static int64_t capped(int64_t wait_us)
{
    const int64_t longest = RETRY_AFTER_MAX_S * US_PER_S;
    return wait_us < 0 ? 0 : wait_us > longest ? longest : wait_us;
}

/* Days since 1970 by counting years and months. */
static int64_t days_of(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = day - 1;
    for (int y = 1970; y < year; y++)
        days += (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
    for (int y = year; y < 1970; y++)
        days -= (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
    for (int m = 0; m < month; m++)
        days += lengths[m] +
                (m == 1 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0) ? 1 : 0);
    return days;
}

#pragma GCC diagnostic ignored "-Wformat-y2k" /* RFC 850 has two digits of a year */
#define IMF "%a, %d %b %Y %H:%M:%S GMT"
#define RFC850 "%A, %d-%b-%y %H:%M:%S GMT"
#define ASCTIME "%a %b %e %H:%M:%S %Y"

/* What strptime makes of it, in any of the three forms. False: nothing. */
static bool read_date(const char *text, int64_t *seconds)
{
    for (int i = 0; i < 3; i++) {
        struct tm tm = {.tm_mday = 0};
        const char *end = i == 0   ? strptime(text, IMF, &tm)
                          : i == 1 ? strptime(text, RFC850, &tm)
                                   : strptime(text, ASCTIME, &tm);
        if (!end || *end)
            continue;
        int year = tm.tm_year + 1900;
        if (i == 1) /* the latest such year within fifty of now, by RFC 9110 */
            year = 2000 + year % 100 > 2076 ? 1900 + year % 100 : 2000 + year % 100;
        *seconds = days_of(year, tm.tm_mon, tm.tm_mday) * 86400 + tm.tm_hour * 3600 +
                   tm.tm_min * 60 + tm.tm_sec;
        return true;
    }
    return false;
}

static void check_retry_after(struct span value)
{
    const int64_t wait = retry_after_parse(value, NOW);
    char *text = fuzz_text(span_trim(value));
    const bool digits = *text && fuzz_only(span_trim(value), FUZZ_DIGITS);
    int64_t seconds;
    HOLDS(wait >= -1 && wait <= RETRY_AFTER_MAX_S * US_PER_S);
    HOLDS(wait == retry_after_parse(span_trim(value), NOW));
    if (digits) {
        const double asked = strtod(text, NULL);
        HOLDS(wait == (asked > 1e6 ? capped(INT64_MAX) : capped((int64_t)asked * US_PER_S)));
    } else if (wait >= 0) {
        HOLDS(read_date(text, &seconds));
        /* around the turn of the fifty years the naive reader takes the other century */
        const bool turning = strchr(text, '-') && (strstr(text, "-75 ") || strstr(text, "-76 "));
        HOLDS(turning || wait == capped(seconds * US_PER_S - NOW.us));
    }
    free(text);
}

/* Any moment around now, written in each form, comes back. */
static void check_date_of(struct span input)
{
    uint32_t offset = 0;
    char text[64];
    if (input.len)
        memcpy(&offset, input.ptr, input.len < sizeof offset ? input.len : sizeof offset);
    const time_t at = (time_t)(NOW_S - 86400 * 365 * 20 + offset % (86400 * 365 * 40));
    struct tm tm;
    HOLDS(gmtime_r(&at, &tm));
    for (int i = 0; i < 3; i++) {
        const size_t len = i == 0   ? strftime(text, sizeof text, IMF, &tm)
                           : i == 1 ? strftime(text, sizeof text, RFC850, &tm)
                                    : strftime(text, sizeof text, ASCTIME, &tm);
        struct span value = span_of(text, len);
        HOLDS(value.len && retry_after_parse(value, NOW) == capped(at * US_PER_S - NOW.us));
        text[value.len - 1] ^= 1; /* "GMU", or another year */
        const int64_t other = retry_after_parse(value, NOW);
        HOLDS(i == 2 || other == -1);
    }
}

/* ---------------------------------------------------------------- configured headers */

static bool is_ours(struct span name)
{
    static const char *const names[] = {
        "Connection", "Content-Length", "Expect",  "Host",       "HTTP2-Settings",    "Keep-Alive",
        "TE",         "Trailer",        "Upgrade", "User-Agent", "Transfer-Encoding",
    };
    static const char *const prefixes[] = {"Webhook-", "Svix-", "Proxy-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (name.len >= strlen(prefixes[i]) &&
            strncasecmp(name.ptr, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool may_be_sent(struct span name, struct span value)
{
    return name.len && fuzz_only(name, FUZZ_TOKEN) && !is_ours(name) &&
           fuzz_is_field_value(value) && span_trim(value).len;
}

static void check_header(struct span input)
{
    struct span value = input, name = span_cut(&value, '\n');
    const char *why = NULL;
    enum err e = dispatcher_header_check(name, value, &why);
    HOLDS(!e == may_be_sent(name, value));
    HOLDS(!e || (why && *why));
}

/* As a receiver splits it. */
static void check_line(const char *line)
{
    struct span value = span_text(line), name = span_cut(&value, ':');
    HOLDS(value.ptr && value.len > 1 && value.ptr[0] == ' ');
    HOLDS(may_be_sent(name, span_skip(value, 1)));
    HOLDS(span_eq(span_trim(value), span_skip(value, 1)));
}

/* Each member that may be sent is a line, and nothing else is. */
static void check_lines(const json_t *object, const struct curl_slist *list, const char *type)
{
    size_t wanted = 0, lines = 0;
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)object, name, v)
    {
        struct span value = span_of(json_string_value(v), json_string_length(v));
        if (!oracle_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) ||
            !may_be_sent(span_text(name), value))
            continue;
        bool found = false;
        for (const struct curl_slist *h = list; h; h = h->next) {
            struct span line_value = span_text(h->data), line_name = span_cut(&line_value, ':');
            found |= span_is(line_name, name) && span_eq(span_trim(line_value), span_trim(value));
        }
        wanted += strcasecmp(name, "content-type") != 0;
        HOLDS(found || (strcasecmp(name, "content-type") == 0 && type));
    }
    for (; list; list = list->next, lines++)
        check_line(list->data);
    if (type)
        check_line(type);
    HOLDS(lines == wanted);
}

/* How the dispatcher reads what was stored; and the map in which the API shows it. */
static void check_headers(struct span json)
{
    struct curl_slist *list = NULL;
    char *type = NULL;
    struct arena arena;
    struct text_map map;
    struct json_value root;
    json_error_t error;
    struct buf out;
    json_t *object = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &error);
    buf_init(&out, 8 * ADMIN_BODY_MAX);
    arena_init(&arena, NULL, 0, ADMIN_BODY_MAX);
    if (json.len <= ENDPOINT_HEADERS_MAX) {
        HOLDS(destination_headers(json, &list, &type));
        const bool plain = oracle_is_object(object) && !memchr(json.ptr, '\\', json.len) &&
                           json_check(json, 2, &root, &(struct json_error){0}) == ERR_OK;
        if (plain)
            check_lines(object, list, type);
        for (const struct curl_slist *h = list; h; h = h->next)
            check_line(h->data);
    }
    if (text_map_parse(&arena, json, &map) == ERR_OK && json.len) {
        text_map_write(&map, &out);
        HOLDS(map.count <= TEXT_MAP_MAX && !out.failed);
        HOLDS(!object || oracle_same(buf_view(&out), object));
    }
    curl_slist_free_all(list);
    free(type);
    buf_free(&out);
    arena_free(&arena);
    json_decref(object);
}

/* ---------------------------------------------------------------- media types, traces */

/* RFC 9110 section 8.3.1 as a walk of single steps. */
static bool is_media_type(const char *s)
{
    size_t n = strspn(s, FUZZ_TOKEN);
    if (!n || s[n] != '/')
        return false;
    s += n + 1;
    n = strspn(s, FUZZ_TOKEN);
    if (!n)
        return false;
    for (s += n;;) {
        s += strspn(s, " \t");
        if (!*s)
            return true;
        if (*s++ != ';')
            return false;
        s += strspn(s, " \t");
        n = strspn(s, FUZZ_TOKEN);
        if (!n) {
            if (*s && *s != ';')
                return false;
            continue;
        }
        s += n;
        if (*s++ != '=')
            return false;
        if (*s != '"') {
            n = strspn(s, FUZZ_TOKEN);
            if (!n)
                return false;
            s += n;
            continue;
        }
        for (s++; *s && *s != '"'; s++)
            if (*s == '\\' && !*++s)
                return false;
        if (*s++ != '"')
            return false;
    }
}

static void check_media_type(struct span text)
{
    struct media_type m;
    char *copy = fuzz_text(text);
    const bool good = media_type_parse(text, &m);
    const bool plain = strlen(copy) == text.len && fuzz_is_field_value(text);
    HOLDS(good == (plain && is_media_type(copy)));
    if (good) {
        HOLDS(m.whole.ptr == text.ptr && m.whole.len == m.type.len + 1 + m.subtype.len);
        HOLDS(m.charset.len == 0 || (m.charset.ptr > text.ptr && m.charset.len < text.len));
        HOLDS(fuzz_only(m.type, FUZZ_TOKEN) && fuzz_only(m.subtype, FUZZ_TOKEN));
    }
    free(copy);
}

/* W3C Trace Context section 3.2, by sscanf. */
static void check_trace(struct span text)
{
    char *copy = fuzz_text(text);
    unsigned version, flags;
    char trace[33], parent[17];
    int end = 0;
    const bool shaped = strlen(copy) == text.len && text.len <= TRACEPARENT_MAX &&
                        sscanf(copy, "%2x-%32[0-9a-f]-%16[0-9a-f]-%2x%n", &version, trace, parent,
                               &flags, &end) == 4 &&
                        strlen(trace) == 32 && strlen(parent) == 16 && end == 55 &&
                        fuzz_only(span_of(copy, 2), FUZZ_DIGITS "abcdef") &&
                        fuzz_only(span_of(copy + 53, 2), FUZZ_DIGITS "abcdef");
    bool good = shaped && version != 0xff && strspn(trace, "0") != 32 && strspn(parent, "0") != 16;
    if (good && copy[55])
        good = version > 0 && copy[55] == '-';
    for (size_t i = 0; good && i < text.len; i++)
        good = (unsigned char)text.ptr[i] > 32 && (unsigned char)text.ptr[i] < 127;
    HOLDS(trace_is_parent(text) == good);
    bool state = text.len >= 1 && text.len <= TRACESTATE_MAX;
    for (size_t i = 0; state && i < text.len; i++)
        state = (unsigned char)text.ptr[i] >= 32 && (unsigned char)text.ptr[i] < 127;
    HOLDS(trace_is_state(text) == state);
    free(copy);
}

/* ---------------------------------------------------------------- times */

/* A moment comes back from the text that answers show it in, and is the one that strptime reads. */
static void check_time(struct span text)
{
    struct wall t, again;
    char shown[WALL_TEXT_LEN + 1];
    struct tm tm = {.tm_mday = 0};
    if (wall_parse(text, &t) != ERR_OK)
        return;
    wall_format(t, shown);
    HOLDS(strlen(shown) == WALL_TEXT_LEN);
    HOLDS(text.len >= 20 && fuzz_only(text, FUZZ_DIGITS "-:.+TtZz UC"));
    if (text.ptr[0] == '0' || text.ptr[0] == '9') /* shown within the years 0000 to 9999 */
        return;
    HOLDS(wall_parse(span_of(shown, WALL_TEXT_LEN), &again) == ERR_OK && again.us == t.us);
    char *copy = fuzz_text(span_of(text.ptr, 19));
    copy[10] = 'T';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
    HOLDS(end && !*end);
    const int64_t local = days_of(tm.tm_year + 1900, tm.tm_mon, tm.tm_mday) * 86400 +
                          tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    HOLDS(llabs((t.us - (t.us % US_PER_S + US_PER_S) % US_PER_S) / US_PER_S - local) <= 86400);
    if (text.ptr[text.len - 1] == 'Z')
        HOLDS((t.us - (t.us % US_PER_S + US_PER_S) % US_PER_S) / US_PER_S == local);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    log_setup(LOG_ERROR, LOG_TEXT); /* headers that are left out are logged */
    switch (fuzz_choice(&input, 7)) {
    case 0:
        check_retry_after(input);
        break;
    case 1:
        check_date_of(input);
        break;
    case 2:
        check_header(input);
        break;
    case 3:
        check_headers(input);
        break;
    case 4:
        check_media_type(input);
        break;
    case 5:
        check_trace(input);
        break;
    default:
        check_time(input);
    }
    return 0;
}
