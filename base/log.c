/* One line, one write(2): lines of several threads never mix, and a line is out before the process
 * can die. Values are cut and escaped here, so that no caller can break a line in two. */
#include "base/log.h"

#include "base/json_writer.h"

#include <errno.h>
#include <unistd.h>

#define LINE_BYTES_MAX (64 * 1024)
#define VALUE_BYTES_MAX 1024 /* a URL fits; a log is no store of bodies */

/* Written once before threads start. */
static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

bool log_on(enum log_level level)
{
    return level >= least_level;
}

static struct span cut(struct span s)
{
    return span_of(s.ptr, s.len < VALUE_BYTES_MAX ? s.len : VALUE_BYTES_MAX);
}

/* A word that a reader can tell from its surroundings without quotes. */
static bool is_bare(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || strchr("\"=\\", s.ptr[i]))
            return false;
    return s.len > 0;
}

static void text_value(struct buf *out, struct span s)
{
    struct json_writer quotes;

    if (is_bare(s)) {
        buf_span(out, s);
        return;
    }
    jw_init(&quotes, out);
    jw_string(&quotes, s);
}

static void text_line(struct buf *out, const char *time, enum log_level level, const char *event,
                      const struct log_field *f)
{
    buf_printf(out, "%s %s %s", time, level_names[level], event);
    for (; f->name; f++) {
        char id[ID_MAX + 1];
        buf_printf(out, " %s=", f->name);
        if (f->type == LOG_IS_INT)
            buf_printf(out, "%lld", (long long)f->number);
        else if (f->type == LOG_IS_ID)
            buf_bytes(out, id, id_format(f->id, f->text.ptr, id));
        else
            text_value(out, cut(f->text));
    }
}

static void json_line(struct buf *out, const char *time, enum log_level level, const char *event,
                      const struct log_field *f)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_member_string(&w, "time", span_text(time));
    jw_member_string(&w, "level", span_text(level_names[level]));
    jw_member_string(&w, "event", span_text(event));
    for (; f->name; f++) {
        if (f->type == LOG_IS_INT)
            jw_member_int(&w, f->name, f->number);
        else if (f->type == LOG_IS_ID)
            jw_member_id(&w, f->name, f->text.ptr, f->id);
        else
            jw_member_string(&w, f->name, cut(f->text));
    }
    jw_end_object(&w);
    jw_finish(&w);
}

static bool build(struct buf *out, enum log_level level, const char *event,
                  const struct log_field *fields)
{
    char time[WALL_TEXT_LEN + 1];

    wall_format(clock_wall(), time);
    buf_clear(out);
    if (line_format == LOG_JSON)
        json_line(out, time, level, event, fields);
    else
        text_line(out, time, level, event, fields);
    buf_char(out, '\n');
    return !out->failed;
}

void log_line(enum log_level level, const char *event, const struct log_field *fields)
{
    static const struct log_field none;
    struct buf line;
    ssize_t written = -1;

    buf_init(&line, LINE_BYTES_MAX);
    if (build(&line, level, event, fields) || build(&line, level, event, &none))
        do
            written = write(STDERR_FILENO, line.ptr, line.len);
        while (written < 0 && errno == EINTR);
    (void)written; /* a log that cannot be written has no one to tell */
    buf_free(&line);
}
