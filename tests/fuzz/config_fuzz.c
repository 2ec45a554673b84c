/* What people configure with: quantities, the file of options, JSON Schemas, regular expressions,
 * YAML, OpenAPI. What is accepted can be written down and read back as the same; what is said of a
 * schema is said of it inside another; what is imported obeys the rules of an event type.
 *
 * Input: a byte for what it is, then its text. */
#include "admin/json_pattern.h"
#include "admin/json_schema.h"
#include "admin/openapi_webhook.h"
#include "admin/yaml.h"
#include "base/option.h"
#include "tests/fuzz/json_oracle.h"

#include <sys/mman.h>
#include <unistd.h>

/* ---------------------------------------------------------------- quantities */

/* Units from the largest down, each once, summed in 128 bits. False when it is no duration. */
static bool sum_duration(const char *text, __int128 *us)
{
    static const char *const units[] = {"d", "h", "m", "s", "ms"};
    static const int64_t factors[] = {86400000000, 3600000000, 60000000, 1000000, 1000};
    size_t next = 0;
    *us = 0;
    if (strcmp(text, "0") == 0)
        return true;
    do {
        const size_t digits = strspn(text, FUZZ_DIGITS);
        const size_t letters = strspn(text + digits, "abcdefghijklmnopqrstuvwxyz");
        __int128 n = 0;
        for (size_t i = 0; i < digits; i++)
            n = n > INT64_MAX ? n : n * 10 + (text[i] - '0');
        while (next < 5 && (strlen(units[next]) != letters ||
                            strncmp(text + digits, units[next], letters) != 0))
            next++;
        if (!digits || next == 5 || n > INT64_MAX)
            return false;
        *us += n * factors[next++];
        text += digits + letters;
    } while (*text);
    return *us <= INT64_MAX;
}

static void check_quantity(struct span text)
{
    int64_t value, again;
    __int128 sum = 0;
    struct buf out;
    char *copy = fuzz_text(text);
    buf_init(&out, 256);
    const bool good = duration_parse(text, &value) == ERR_OK;
    HOLDS(good == (strlen(copy) == text.len && sum_duration(copy, &sum)));
    if (good) {
        HOLDS(value == (int64_t)sum);
        duration_print(value, &out);
        HOLDS(duration_parse(buf_view(&out), &again) == ERR_OK && again == value);
    }
    buf_clear(&out);
    if (size_parse(text, &value) == ERR_OK) {
        static const char units[] = "kmgt";
        char *end;
        const unsigned long long number = strtoull(copy, &end, 10);
        const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
        HOLDS(unit || !*end);
        HOLDS(value == (int64_t)(number << (unit ? 10 * (unit - units + 1) : 0)));
        size_print(value, &out);
        HOLDS(size_parse(buf_view(&out), &again) == ERR_OK && again == value);
    }
    buf_free(&out);
    free(copy);
}

/* ---------------------------------------------------------------- the file of options */

struct settings {
    char *config, *text, *secret;
    bool flag;
    int64_t integer, size, duration;
    double number;
    int choice;
    struct durations list;
};

static const char *const choices[] = {"none", "some", "all", NULL};

#define OPTION(n, t, ...)                                                                   \
    {                                                                                       \
        .name = #n, .type = OPTION_##t, .offset = offsetof(struct settings, n), __VA_ARGS__ \
    }
static const struct option options[] = {
    OPTION(config, TEXT),
    OPTION(text, TEXT, .fallback = "here"),
    OPTION(secret, TEXT, .secret = true),
    OPTION(flag, FLAG, .fallback = "false"),
    OPTION(integer, INTEGER, .min = -100, .max = 100),
    OPTION(size, SIZE, .fallback = "1k", .min = 1, .max = 1e12),
    OPTION(duration, DURATION, .fallback = "1s"),
    OPTION(number, NUMBER, .fallback = "0.5"),
    OPTION(choice, CHOICE, .fallback = "none", .choices = choices),
    OPTION(list, DURATIONS, .fallback = "5s,5m"),
};
#define OPTIONS (sizeof options / sizeof *options)

static enum err load(struct span file, struct settings *out, struct option_error *error)
{
    char path[64], *argv[1] = {path}, *rest[1];
    int fd = memfd_create("options", MFD_CLOEXEC), words;
    HOLDS(fd >= 0 && write(fd, file.ptr, file.len) == (ssize_t)file.len);
    snprintf(path, sizeof path, "--config=/proc/self/fd/%d", fd);
    memset(out, 0, sizeof *out);
    enum err e = option_load(options, OPTIONS, out, 1, argv, rest, &words, error);
    HOLDS(e || words == 0);
    close(fd);
    return e;
}

static void write_settings(const struct settings *s, struct buf *out)
{
    if (s->secret)
        buf_printf(out, "secret=%s\n", s->secret);
    buf_printf(out, "text=%s\nflag=%s\ninteger=%lld\n", s->text ? s->text : "",
               s->flag ? "true" : "false", (long long)s->integer);
    buf_text(out, "size=");
    size_print(s->size, out);
    buf_text(out, "\nduration=");
    duration_print(s->duration, out);
    buf_printf(out, "\nnumber=%.17g\nchoice=%s\nlist=", s->number, choices[s->choice]);
    for (unsigned i = 0; i < s->list.count; i++) {
        buf_text(out, i ? "," : "");
        duration_print(s->list.us[i], out);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct settings *a, const struct settings *b)
{
    HOLDS(same_text(a->text, b->text) && same_text(a->secret, b->secret));
    HOLDS(a->flag == b->flag && a->integer == b->integer && a->size == b->size);
    HOLDS(a->duration == b->duration && a->number == b->number && a->choice == b->choice);
    HOLDS(a->list.count == b->list.count);
    HOLDS(memcmp(a->list.us, b->list.us, a->list.count * sizeof *a->list.us) == 0);
}

static void check_options(struct span file)
{
    struct settings first, second;
    struct option_error error = {""};
    struct buf text;
    buf_init(&text, 256 * 1024);
    if (load(file, &first, &error) != ERR_OK) {
        HOLDS(*error.text && memchr(error.text, '\0', sizeof error.text));
    } else {
        HOLDS(first.integer >= -100 && first.integer <= 100 && first.size >= 1);
        HOLDS(first.list.count <= DURATIONS_MAX && (!first.secret || *first.secret));
        write_settings(&first, &text);
        HOLDS(!text.failed && load(buf_view(&text), &second, &error) == ERR_OK);
        check_same(&first, &second);
        option_release(options, OPTIONS, &first);
        option_release(options, OPTIONS, &second);
    }
    buf_free(&text);
}

/* ---------------------------------------------------------------- schemas */

static bool judge(struct span text, struct json_schema_fault *fault, bool *parsed)
{
    struct json_value schema;
    struct json_error error;
    size_t work = 0;
    *fault = (struct json_schema_fault){.message = NULL};
    *parsed = json_check(text, JSON_DEPTH_MAX, &schema, &error) == ERR_OK;
    bool good = *parsed && json_schema_check(schema, &work, fault);
    HOLDS(work <= SCHEMA_WORK_MAX + 4 * text.len * text.len);
    return good;
}

/* References are relative to what is around them: schemas with any are judged alone. */
static void check_schema(struct span text)
{
    static const char around[] = "allOf.0";
    struct json_schema_fault fault, inside;
    struct buf wrapped;
    bool parsed;
    const bool good = judge(text, &fault, &parsed);
    if (!parsed)
        return;
    HOLDS(good || (fault.message && *fault.message));
    HOLDS(strlen(fault.path) <= JSON_SCHEMA_PATH_MAX);
    if (memchr(text.ptr, '#', text.len) || memchr(text.ptr, '\\', text.len))
        return;
    buf_init(&wrapped, text.len + 64);
    buf_text(&wrapped, "{\"allOf\":[");
    buf_span(&wrapped, text);
    buf_text(&wrapped, "]}");
    const bool good_inside = judge(buf_view(&wrapped), &inside, &parsed);
    if (parsed) {
        HOLDS(good == good_inside);
        HOLDS(good || strcmp(fault.message, inside.message) == 0);
        if (!good && strlen(fault.path) < 300) {
            HOLDS(strncmp(inside.path, around, strlen(around)) == 0);
            HOLDS(!*fault.path || strcmp(inside.path + strlen(around) + 1, fault.path) == 0);
        }
    }
    buf_free(&wrapped);
}

/* Any text, each of its marks escaped, is an expression. */
static void check_pattern(struct span text)
{
    struct buf quoted;
    const char *wrong = json_pattern_fault(text);
    HOLDS(!wrong || *wrong);
    buf_init(&quoted, 2 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (!fuzz_only(span_of(text.ptr + i, 1), FUZZ_ALNUM))
            buf_char(&quoted, '\\');
        buf_char(&quoted, text.ptr[i]);
    }
    HOLDS(!json_pattern_fault(buf_view(&quoted)));
    buf_free(&quoted);
}

/* ---------------------------------------------------------------- descriptions */

/* libyaml takes no surrogates, knows more control characters and line ends than JSON, and wants at
 * most 1,024 bytes before a colon. */
static bool is_simple(struct span json)
{
    for (size_t i = 0; i < json.len; i++)
        if (json.ptr[i] < ' ' || json.ptr[i] > '~')
            return false;
    return json.len < 1000 && !memmem(json.ptr, json.len, "\\u", 2);
}

/* What comes out is JSON, and JSON goes through as it is. */
static void check_yaml(struct span text)
{
    struct buf json, again;
    struct json_value value;
    char why[160];
    buf_init(&json, 64 * 1024);
    buf_init(&again, 64 * 1024);
    enum err e = yaml_to_json(text, &json, why);
    HOLDS(e == ERR_OK || e == ERR_INVALID || e == ERR_TOO_LARGE);
    HOLDS(e != ERR_INVALID || (*why && memchr(why, '\0', sizeof why)));
    if (!e && json.len) {
        HOLDS(oracle_check(buf_view(&json), &value));
        json_t *theirs = oracle_value(buf_view(&json));
        if (is_simple(buf_view(&json))) {
            HOLDS(yaml_to_json(buf_view(&json), &again, why) == ERR_OK);
            HOLDS(!theirs || oracle_same(buf_view(&again), theirs));
        }
        json_decref(theirs);
    }
    buf_free(&json);
    buf_free(&again);
}

static void check_type(const struct event_type *t)
{
    HOLDS(t->name.len >= 1 && t->name.len <= EVENT_TYPE_MAX);
    HOLDS(fuzz_only(t->name, FUZZ_ALNUM "-_."));
    HOLDS(t->description.len <= DESCRIPTION_MAX && !t->flag_count);
    if (t->schemas.len) {
        struct json_schema_fault fault;
        struct json_value root, one;
        struct span name;
        bool parsed;
        HOLDS(oracle_check(t->schemas, &root) && root.type == JSON_OBJECT);
        struct json_walk w = json_walk(root);
        HOLDS(json_next(&w, &name, &one) && span_is(name, "1"));
        HOLDS(judge(one.raw, &fault, &parsed));
    }
}

static void check_openapi(struct span text)
{
    struct body b;
    struct event_type *types;
    unsigned count = 0;
    struct span copy = fuzz_copy(text);
    body_open(&b, copy, false);
    if (b.result == ERR_OK)
        openapi_webhook_read(&b, &types, &count);
    HOLDS(b.result == ERR_OK || b.result == ERR_INVALID);
    HOLDS(b.result == ERR_OK || (*b.message && b.type));
    for (unsigned i = 0; b.result == ERR_OK && i < count; i++) {
        check_type(&types[i]);
        for (unsigned j = 0; j < i; j++)
            HOLDS(!span_eq(types[i].name, types[j].name));
    }
    HOLDS(b.result || count <= IMPORT_TYPES_MAX);
    body_close(&b);
    free((char *)copy.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    switch (fuzz_choice(&input, 6)) {
    case 0:
        check_quantity(input);
        break;
    case 1:
        check_options(input);
        break;
    case 2:
        check_schema(input);
        break;
    case 3:
        check_pattern(input);
        break;
    case 4:
        check_yaml(input);
        break;
    default:
        check_openapi(input);
    }
    return 0;
}
