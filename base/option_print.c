/* The option table as people read it: --help, the reference, and bounds in error messages. */
#include "base/option_print.h"

#define HELP_COLUMNS 100

void option_print_bound(const struct option *o, double bound, struct buf *out)
{
    if (o->type == OPTION_SIZE)
        size_print((int64_t)bound, out);
    else if (o->type == OPTION_DURATION || o->type == OPTION_DURATIONS)
        duration_print((int64_t)bound, out);
    else
        buf_printf(out, "%.15g", bound);
}

bool option_has_range(const struct option *o)
{
    return o->min != 0 || o->max != 0;
}

/* What stands for the value: "duration", "replay|conflict"; empty for a flag. */
static void print_type(const struct option *o, const char *between, struct buf *out)
{
    static const char *const names[] = {
        [OPTION_TEXT] = "text", [OPTION_FLAG] = "",
        [OPTION_INTEGER] = "n", [OPTION_NUMBER] = "number",
        [OPTION_SIZE] = "size", [OPTION_DURATION] = "duration",
        [OPTION_CHOICE] = "",   [OPTION_DURATIONS] = "durations",
    };

    buf_text(out, names[o->type]);
    for (int i = 0; o->type == OPTION_CHOICE && o->choices[i]; i++)
        buf_printf(out, "%s%s", i ? between : "", o->choices[i]);
}

static void print_range(const struct option *o, struct buf *out)
{
    if (!option_has_range(o))
        return;
    option_print_bound(o, o->min, out);
    buf_text(out, " to ");
    option_print_bound(o, o->max, out);
}

static void print_synopsis(const struct option *o, struct buf *out)
{
    buf_printf(out, "  --%s ", o->name);
    print_type(o, "|", out);
}

/* The length of the longest synopsis. */
static size_t synopsis_width(const struct option *table, size_t n)
{
    struct buf synopsis;
    size_t width = 0;

    buf_init(&synopsis, 256);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&synopsis);
        print_synopsis(&table[i], &synopsis);
        if (synopsis.len > width)
            width = synopsis.len;
    }
    buf_free(&synopsis);
    return width;
}

/* Words into lines of HELP_COLUMNS that begin at column `indent`; the first one is there already. */
static void print_wrapped(struct span words, size_t indent, struct buf *out)
{
    size_t column = indent;

    while (words.ptr) {
        struct span word = span_cut(&words, ' ');
        if (column > indent && column + 1 + word.len > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent) {
            buf_char(out, ' ');
            column++;
        }
        buf_span(out, word);
        column += word.len;
    }
    buf_char(out, '\n');
}

void option_help(const struct option *table, size_t n, struct buf *out)
{
    size_t width = synopsis_width(table, n);
    struct buf words;

    buf_init(&words, 1024);
    for (size_t i = 0; i < n; i++) {
        const struct option *o = &table[i];
        size_t start = out->len;
        buf_clear(&words);
        buf_text(&words, o->help);
        if (o->fallback && *o->fallback && o->type != OPTION_FLAG)
            buf_printf(&words, " [%s]", o->fallback);
        print_synopsis(o, out);
        buf_printf(out, "%*s  ", (int)(start + width - out->len), "");
        print_wrapped(buf_view(&words), width + 2, out);
    }
    buf_free(&words);
}

void option_reference(const struct option *table, size_t n, struct buf *out)
{
    buf_text(out, "| Option | Value | Default | Range | Meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        const struct option *o = &table[i];
        buf_printf(out, "| `%s` | ", o->name);
        if (o->type == OPTION_FLAG)
            buf_text(out, "true, false");
        print_type(o, ", ", out);
        if (o->fallback && *o->fallback)
            buf_printf(out, " | `%s` | ", o->fallback);
        else
            buf_text(out, " | | ");
        print_range(o, out);
        buf_printf(out, " | %s |\n", o->help);
    }
}
