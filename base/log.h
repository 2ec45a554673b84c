/* Structured log lines on stderr: `time level event key=value …`, or one JSON object a line.
 *
 *     log_info("attempt", LOG_SPAN("msg", id), LOG_INT("status", 200), LOG_END);
 *
 * Identity first. Never a secret, never a body. Any thread; a line is written with one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/id.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *name;
    enum { LOG_IS_END, LOG_IS_SPAN, LOG_IS_INT, LOG_IS_ID } type;
    struct span text;
    int64_t number;
    const struct id *id;
};

#define LOG_SPAN(n, v) ((struct log_field){.name = (n), .type = LOG_IS_SPAN, .text = (v)})
#define LOG_TEXT_FIELD(n, v) LOG_SPAN(n, span_text(v))
#define LOG_INT(n, v) ((struct log_field){.name = (n), .type = LOG_IS_INT, .number = (int64_t)(v)})
/* An id with its prefix, given as text constant. */
#define LOG_ID(n, prefix, v) \
    ((struct log_field){.name = (n), .type = LOG_IS_ID, .text = SPAN(prefix), .id = (v)})
#define LOG_END ((struct log_field){.name = 0})

/* Once, before threads start. */
void log_setup(enum log_level least, enum log_format format);
/* Cheap: ask before building fields on a hot path. */
bool log_on(enum log_level level);
void log_line(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_AT(level, event, ...)                                            \
    do {                                                                     \
        if (log_on(level))                                                   \
            log_line(level, event, (const struct log_field[]){__VA_ARGS__}); \
    } while (0)
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, __VA_ARGS__)

#endif
