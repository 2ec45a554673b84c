/* The JSON body of an admin request, read field by field with precise refusals.
 *
 * The first broken rule is kept and everything after it reads as absent, so that a handler reads
 * all its fields and looks at the result once. Spans that it returns point into the raw body or
 * into its arena, and live until body_close. Owned by one thread. Ingest has its own scanner: this
 * one is for small bodies. */
#ifndef ADMIN_BODY_H
#define ADMIN_BODY_H

#include "admin/text_map.h"
#include "http/request.h"

/* Three states: a PATCH leaves alone what is absent and clears what is null. */
enum field { FIELD_ABSENT, FIELD_NULL, FIELD_VALUE };

#define BODY_FIELD_MAX 512

struct body {
    struct json_value root;         /* an object; empty raw when there was no body */
    struct arena arena;             /* what had to be decoded */
    enum err result;                /* ERR_OK, ERR_INVALID, ERR_NO_MEMORY */
    char field[BODY_FIELD_MAX + 1]; /* dotted path of the broken field, as
                                       http/answer.h says; empty: the body itself */
    char message[160];
    size_t work;      /* as json_schema_check counts it */
    const char *type; /* of the refusal: "value_error", … */
};

/* What a text must look like. Lengths are bytes of UTF-8. */
struct text_rule {
    size_t min, max;
    const char *also;       /* letters, digits and these characters alone; NULL: any text */
    const char *not_prefix; /* a uid must not look like an id; NULL: no rule */
};

/* Parses; `optional` lets an empty body pass as {}. Refuses what is not one object, members of the
 * same name in any object, bad UTF-8, and nesting over JSON_DEPTH_MAX. `raw` stays the caller's and
 * must outlive the body. */
void body_open(struct body *b, struct span raw, bool optional);
void body_close(struct body *b);
/* False, with the refusal replied, when a rule was broken. */
bool body_good(struct request *req, const struct body *b);

/* `inner` reads an object inside the body, with the memory of the outer one, until body_leave,
 * which records what broke in it under `name`. One at a time. */
void body_enter(struct body *outer, struct json_value object, struct body *inner);
void body_leave(struct body *outer, const char *name, struct body *inner);

/* Records a broken rule unless one was recorded before. `message` is copied. */
void body_refuse(struct body *b, const char *field, const char *message);
/* Records what broke in `inner`, which is the body's member `name`. */
void body_adopt(struct body *b, const char *name, const struct body *inner);
/* The field must have a value. */
void body_require(struct body *b, const char *field, enum field state);
/* Null is no value of this field. */
void body_refuse_null(struct body *b, const char *field, enum field state);
/* None of these fields may have a value here, for the reason given. The list ends with NULL. */
void body_refuse_present(struct body *b, const char *const *fields, const char *message);
/* Known fields that this version does not enforce: nothing accepted may be ignored. Null is fine.
 * The list ends with NULL. */
void body_unsupported(struct body *b, const char *const *fields);

/* Each leaves *out alone unless it returns FIELD_VALUE. */
enum field body_text(struct body *b, const char *name, const struct text_rule *rule,
                     struct span *out);
enum field body_bool(struct body *b, const char *name, bool *out);
enum field body_integer(struct body *b, const char *name, int64_t min, int64_t max, int64_t *out);
enum field body_time(struct body *b, const char *name, struct wall *out);
/* A list of min to max different texts; `out` has room for max. */
enum field body_texts(struct body *b, const char *name, const struct text_rule *rule, unsigned min,
                      unsigned max, struct span *out, unsigned *count);
/* An object as it stands in the body, of at most `max` bytes. */
enum field body_object(struct body *b, const char *name, size_t max, struct json_value *out);
/* A list of at most `max` items as it stands in the body. */
enum field body_list(struct body *b, const char *name, unsigned max, struct json_value *out,
                     unsigned *count);
/* An object of texts; `nulls`: or of nulls. */
enum field body_map(struct body *b, const char *name, bool nulls, struct text_map *out);
/* The map as compact JSON in the body's arena; refuses `field` when that is over `max` bytes. */
struct span body_map_json(struct body *b, const char *field, const struct text_map *map,
                          size_t max);

/* Whether a text obeys the rule; *why is set otherwise. */
bool text_check(const struct text_rule *rule, struct span text, const char **why);

#endif
