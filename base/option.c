/* Options from one table.
 *
 * The sources are read in order of precedence and the first text of an option wins; only then are
 * the winning texts parsed, so that an error names the source that counts. Nothing is left
 * allocated when loading fails. */
#include "base/option.h"

#include "base/option_print.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>

#define ENV_PREFIX "SUREHOOK_"
#define FILE_BYTES_MAX (64 * 1024)

extern char **environ;

enum source { SOURCE_NONE, SOURCE_COMMAND_LINE, SOURCE_ENVIRONMENT, SOURCE_FILE, SOURCE_DEFAULT };

struct setting {
    enum source source; /* of the text that counts */
    enum source seen;   /* the last source that had one */
    unsigned line;      /* in the file */
    struct span text;
};

struct loader {
    const struct option *table;
    size_t n;
    struct setting *settings; /* n of them */
    const char *path;         /* of the file; owned, as is its content */
    struct buf file;
    struct option_error *error;
};

__attribute__((format(printf, 2, 3))) static enum err fail(struct loader *l, const char *format,
                                                           ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->error->text, sizeof l->error->text, format, args);
    va_end(args);
    return ERR_INVALID;
}

/* "SUREHOOK_RETRY_JITTER" for "retry-jitter". */
static void env_name(const struct option *o, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, ENV_PREFIX "%s", o->name);

    assert(at < size);
    for (char *c = out + strlen(ENV_PREFIX); *c; c++)
        *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
}

#define ENV_NAME_MAX 64

/* `problem` about an option, and where its text came from. */
static enum err reject(struct loader *l, size_t i, const char *problem)
{
    const struct option *o = &l->table[i];
    char name[ENV_NAME_MAX];

    switch (l->settings[i].source) {
    case SOURCE_COMMAND_LINE:
        return fail(l, "%s: %s (from --%s)", o->name, problem, o->name);
    case SOURCE_ENVIRONMENT:
        env_name(o, name, sizeof name);
        return fail(l, "%s: %s (from %s)", o->name, problem, name);
    case SOURCE_FILE:
        return fail(l, "%s: %s (from %s, line %u)", o->name, problem, l->path, l->settings[i].line);
    default:
        return fail(l, "%s: %s (the default)", o->name, problem);
    }
}

static enum err offer(struct loader *l, size_t i, enum source source, unsigned line,
                      struct span text)
{
    struct setting *setting = &l->settings[i];

    if (setting->seen == source) {
        setting->source = source;
        setting->line = line;
        return reject(l, i, "given twice");
    }
    setting->seen = source;
    if (setting->source == SOURCE_NONE) {
        setting->source = source;
        setting->line = line;
        setting->text = text;
    }
    return ERR_OK;
}

/* The index of the option; n when there is none. */
static size_t find(const struct loader *l, struct span name)
{
    size_t i = 0;

    while (i < l->n && !span_is(name, l->table[i].name))
        i++;
    return i;
}

static enum err read_command_line(struct loader *l, int argc, char **argv, char **rest,
                                  int *rest_count)
{
    bool words_only = false;

    *rest_count = 0;
    for (int at = 0; at < argc; at++) {
        struct span word = span_text(argv[at]);
        if (words_only || word.len < 2 || word.ptr[0] != '-') {
            rest[(*rest_count)++] = argv[at];
            continue;
        }
        if (span_eq(word, SPAN("--"))) {
            words_only = true;
            continue;
        }
        struct span value = span_skip(word, 2);
        struct span name = span_cut(&value, '=');
        size_t i = find(l, name);
        if (i == l->n || !span_starts(word, SPAN("--")))
            return fail(l, "unknown option %.*s", SPAN_ARG(span_of(word.ptr, name.len + 2)));
        if (!value.ptr && l->table[i].type == OPTION_FLAG)
            value = SPAN("true");
        else if (!value.ptr && ++at == argc)
            return fail(l, "%s: a value is missing (from --%s)", l->table[i].name,
                        l->table[i].name);
        else if (!value.ptr)
            value = span_text(argv[at]);
        enum err e = offer(l, i, SOURCE_COMMAND_LINE, 0, value);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err read_environment(struct loader *l)
{
    for (char **entry = environ; entry && *entry; entry++) {
        struct span value = span_text(*entry);
        char expected[ENV_NAME_MAX];
        size_t i = 0;
        if (!span_starts(value, SPAN(ENV_PREFIX)))
            continue;
        struct span name = span_cut(&value, '=');
        for (; i < l->n; i++) {
            env_name(&l->table[i], expected, sizeof expected);
            if (span_is(name, expected))
                break;
        }
        if (i == l->n)
            return fail(l, "unknown option %.*s in the environment", SPAN_ARG(name));
        enum err e = offer(l, i, SOURCE_ENVIRONMENT, 0, value);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* A # begins a comment at the start of the line or behind white space: values may contain one. */
static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '#' && (i == 0 || line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t'))
            line.len = i;
    while (line.len && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' ' ||
                        line.ptr[line.len - 1] == '\t'))
        line.len--;
    return span_trim(line);
}

static enum err read_lines(struct loader *l)
{
    struct span rest = buf_view(&l->file);

    for (unsigned number = 1; rest.ptr; number++) {
        struct span value = without_comment(span_cut(&rest, '\n'));
        if (value.len == 0)
            continue;
        struct span name = span_trim(span_cut(&value, '='));
        if (!value.ptr)
            return fail(l, "%s, line %u: not of the form name = value", l->path, number);
        size_t i = find(l, name);
        if (i == l->n || span_is(name, "config"))
            return fail(l, "unknown option %.*s (from %s, line %u)", SPAN_ARG(name), l->path,
                        number);
        enum err e = offer(l, i, SOURCE_FILE, number, span_trim(value));
        if (e)
            return e;
    }
    return ERR_OK;
}

/* The whole file into l->file; a description of what went wrong, or NULL. */
static const char *slurp(struct loader *l)
{
    FILE *stream = fopen(l->path, "re");
    char chunk[4096];
    size_t got;

    if (!stream)
        return strerror(errno);
    while ((got = fread(chunk, 1, sizeof chunk, stream)) > 0)
        buf_bytes(&l->file, chunk, got);
    const char *problem = ferror(stream) ? strerror(errno) : NULL;
    fclose(stream);
    if (l->file.failed)
        problem = "it is too large";
    else if (l->file.len && memchr(l->file.ptr, '\0', l->file.len))
        problem = "it is not a text file";
    return problem;
}

static enum err read_file(struct loader *l)
{
    size_t i = find(l, SPAN("config"));

    if (i == l->n)
        return ERR_OK;
    struct span path = l->settings[i].text;
    if (l->settings[i].source == SOURCE_NONE)
        path = span_text(l->table[i].fallback);
    if (path.len == 0)
        return ERR_OK;
    l->path = strndup(path.ptr, path.len);
    if (!l->path)
        return ERR_NO_MEMORY;
    const char *problem = slurp(l);
    if (problem)
        return fail(l, "config: cannot read %s: %s", l->path, problem);
    return read_lines(l);
}

static bool parse_number(struct span text, double *out)
{
    char copy[64], *end;

    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strspn(copy, "0123456789.eE+-") != text.len)
        return false;
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

static bool parse_integer(struct span text, int64_t *out)
{
    bool negative = text.len && text.ptr[0] == '-';

    *out = 0;
    for (size_t i = negative; i < text.len; i++) {
        int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, negative ? -digit : digit, out))
            return false;
    }
    return text.len > negative;
}

/* Rejects a number outside the option's range; `shown` is how it was written. */
static enum err check_range(struct loader *l, size_t i, double v, struct span shown)
{
    const struct option *o = &l->table[i];
    struct buf problem;

    if (!option_has_range(o) || (v >= o->min && v <= o->max))
        return ERR_OK;
    buf_init(&problem, sizeof l->error->text);
    buf_printf(&problem, "%.*s is %s ", SPAN_ARG(shown),
               v > o->max ? "over the maximum" : "under the minimum");
    option_print_bound(o, v > o->max ? o->max : o->min, &problem);
    enum err e = reject(l, i, problem.failed ? "is outside its range" : problem.ptr);
    buf_free(&problem);
    return e;
}

static enum err reject_form(struct loader *l, size_t i, struct span shown, const char *expected)
{
    char problem[256];

    snprintf(problem, sizeof problem, "\"%.*s\" is not %s", (int)(shown.len < 99 ? shown.len : 99),
             shown.len ? shown.ptr : "", expected);
    return reject(l, i, problem);
}

static enum err set_text(struct loader *l, size_t i, char **field)
{
    struct span text = l->settings[i].text;

    if (text.len == 0 && l->table[i].secret)
        return reject(l, i, "an empty secret protects nothing");
    if (text.len == 0)
        return ERR_OK;
    *field = strndup(text.ptr, text.len);
    return *field ? ERR_OK : ERR_NO_MEMORY;
}

static enum err set_flag(struct loader *l, size_t i, bool *field)
{
    struct span text = l->settings[i].text;

    *field = span_eq(text, SPAN("true"));
    if (!*field && !span_eq(text, SPAN("false")))
        return reject_form(l, i, text, "true or false");
    return ERR_OK;
}

static enum err set_number(struct loader *l, size_t i, double *field)
{
    struct span text = l->settings[i].text;

    if (!parse_number(text, field))
        return reject_form(l, i, text, "a number");
    return check_range(l, i, *field, text);
}

static enum err set_integer(struct loader *l, size_t i, int64_t *field)
{
    struct span text = l->settings[i].text;
    enum option_type type = l->table[i].type;

    if (type == OPTION_INTEGER && !parse_integer(text, field))
        return reject_form(l, i, text, "a whole number");
    if (type == OPTION_SIZE && size_parse(text, field))
        return reject_form(l, i, text, "a size such as 64k or 1GiB");
    if (type == OPTION_DURATION && duration_parse(text, field))
        return reject_form(l, i, text, "a duration such as 250ms or 1h30m");
    return check_range(l, i, (double)*field, text);
}

static enum err set_choice(struct loader *l, size_t i, int *field)
{
    const char *const *choices = l->table[i].choices;
    struct span text = l->settings[i].text;
    char expected[128] = "one of";

    for (*field = 0; choices[*field]; ++*field) {
        size_t used = strlen(expected);
        if (span_is(text, choices[*field]))
            return ERR_OK;
        snprintf(expected + used, sizeof expected - used, "%s %s", *field ? "," : "",
                 choices[*field]);
    }
    return reject_form(l, i, text, expected);
}

static enum err set_durations(struct loader *l, size_t i, struct durations *field)
{
    struct span rest = span_trim(l->settings[i].text);

    field->count = 0;
    while (rest.len) {
        struct span part = span_trim(span_cut(&rest, ','));
        int64_t us;
        if (duration_parse(part, &us) || (rest.ptr && rest.len == 0))
            return reject_form(l, i, l->settings[i].text, "durations separated by commas");
        if (field->count == DURATIONS_MAX)
            return reject(l, i, "too many durations");
        enum err e = check_range(l, i, (double)us, part);
        if (e)
            return e;
        field->us[field->count++] = us;
    }
    return ERR_OK;
}

static enum err set_field(struct loader *l, size_t i, void *field)
{
    switch (l->table[i].type) {
    case OPTION_TEXT:
        return set_text(l, i, field);
    case OPTION_FLAG:
        return set_flag(l, i, field);
    case OPTION_NUMBER:
        return set_number(l, i, field);
    case OPTION_CHOICE:
        return set_choice(l, i, field);
    case OPTION_DURATIONS:
        return set_durations(l, i, field);
    default:
        return set_integer(l, i, field);
    }
}

static enum err set_fields(struct loader *l, void *target)
{
    for (size_t i = 0; i < l->n; i++) {
        struct setting *setting = &l->settings[i];
        if (setting->source == SOURCE_NONE) {
            if (!l->table[i].fallback)
                continue;
            setting->source = SOURCE_DEFAULT;
            setting->text = span_text(l->table[i].fallback);
        }
        enum err e = set_field(l, i, (char *)target + l->table[i].offset);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err read_sources(struct loader *l, bool words_only, int argc, char **argv, char **rest,
                             int *rest_count)
{
    enum err e = read_command_line(l, argc, argv, rest, rest_count);
    if (!e && !words_only)
        e = read_environment(l);
    if (!e && !words_only)
        e = read_file(l);
    return e;
}

static enum err load(struct loader *l, void *target, bool words_only, int argc, char **argv,
                     char **rest, int *rest_count)
{
    enum err e = ERR_NO_MEMORY;

    buf_init(&l->file, FILE_BYTES_MAX);
    l->settings = calloc(l->n + 1, sizeof *l->settings);
    if (l->settings)
        e = read_sources(l, words_only, argc, argv, rest, rest_count);
    if (!e)
        e = set_fields(l, target);
    if (e == ERR_NO_MEMORY)
        fail(l, "%s", err_text(e));
    if (e)
        option_release(l->table, l->n, target);
    free(l->settings);
    free((char *)l->path);
    buf_free(&l->file);
    return e;
}

enum err option_load(const struct option *table, size_t n, void *target, int argc, char **argv,
                     char **rest, int *rest_count, struct option_error *error)
{
    struct loader l = {.table = table, .n = n, .error = error};
    return load(&l, target, false, argc, argv, rest, rest_count);
}

enum err option_load_words(const struct option *table, size_t n, void *target, int argc,
                           char **argv, char **rest, int *rest_count, struct option_error *error)
{
    struct loader l = {.table = table, .n = n, .error = error};
    return load(&l, target, true, argc, argv, rest, rest_count);
}

void option_release(const struct option *table, size_t n, void *target)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].type != OPTION_TEXT)
            continue;
        char **field = (char **)((char *)target + table[i].offset);
        free(*field);
        *field = NULL;
    }
}
