/* Options from one table: command line, environment and file, in this order of precedence.
 *
 * `--name value`, `--name=value`, `SUREHOOK_NAME` (dashes become underscores) and lines
 * `name = value` (white space around both trimmed; # at the start of a line or behind white space
 * begins a comment) in the file named by the option `config`. An unknown key, a key given twice in
 * one source or an impossible value is an error that names the key, its source and the rule. An
 * empty text is none (NULL), but an empty secret is an error. A command whose options are not the
 * service's reads the command line alone: the environment is the service's. The table also prints
 * --help and the reference in docs/. */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/clock.h"
#include "base/quantity.h"

enum option_type {
    OPTION_TEXT,      /* const char *, malloc'ed or NULL */
    OPTION_FLAG,      /* bool: true/false; bare --name on the command line is true */
    OPTION_INTEGER,   /* int64_t */
    OPTION_NUMBER,    /* double */
    OPTION_SIZE,      /* int64_t bytes: k m g t (powers of 1024), with or without "ib" */
    OPTION_DURATION,  /* int64_t microseconds: ms s m h d, several in a row ("1h30m") */
    OPTION_CHOICE,    /* int: index into `choices` */
    OPTION_DURATIONS, /* struct durations: comma-separated, may be empty */
};

#define DURATIONS_MAX 64
struct durations {
    unsigned count;
    int64_t us[DURATIONS_MAX];
};

struct option {
    const char *name; /* "retry-jitter" */
    enum option_type type;
    size_t offset;        /* of the field in the target struct */
    const char *fallback; /* the default, as text; NULL: none */
    double min,
        max; /* of a number (bytes, microseconds for sizes and durations); both 0: no rule */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
    bool secret;                /* never printed back */
    const char *help;           /* one sentence */
};

struct option_error {
    char text[512];
};

/* Fills `target` (zeroed by the caller) from argv, environ and the file. argv starts behind the
 * command's name; words that are not options, and all behind "--", are left in `rest` (pointers
 * into argv, argc of them at most) for commands that take words. On failure nothing is left
 * allocated. */
enum err option_load(const struct option *table, size_t n, void *target, int argc, char **argv,
                     char **rest, int *rest_count, struct option_error *error) MUST_CHECK;
/* The same from argv alone. */
enum err option_load_words(const struct option *table, size_t n, void *target, int argc,
                           char **argv, char **rest, int *rest_count,
                           struct option_error *error) MUST_CHECK;
/* Frees what OPTION_TEXT fields own. */
void option_release(const struct option *table, size_t n, void *target);

/* For --help: aligned text with the defaults in brackets. */
void option_help(const struct option *table, size_t n, struct buf *out);
/* For docs/configuration.md: a Markdown table. */
void option_reference(const struct option *table, size_t n, struct buf *out);

#endif
