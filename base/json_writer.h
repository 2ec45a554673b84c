/* JSON going out: a tiny writer over a buf that owns commas and asserts nesting.
 * Sticky error in the buf. Strings are escaped as RFC 8259 section 7 asks; a byte that is not part
 * of well-formed UTF-8 becomes U+FFFD, so that what a peer sent cannot break an answer. */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include "base/id.h"

#define JSON_WRITER_DEPTH 32

struct json_writer {
    struct buf *out;
    unsigned depth;
    uint32_t is_object; /* one bit a level */
    uint32_t has_item;
    bool after_name;
};

void jw_init(struct json_writer *w, struct buf *out);
/* Asserts that every container was closed. */
void jw_finish(struct json_writer *w);

void jw_object(struct json_writer *w);
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_end_array(struct json_writer *w);
void jw_name(struct json_writer *w, const char *name);

void jw_string(struct json_writer *w, struct span s);
void jw_int(struct json_writer *w, int64_t v);
void jw_double(struct json_writer *w, double v);
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
/* Text that is JSON already, for instance a payload; an empty span writes null. */
void jw_raw(struct json_writer *w, struct span json);
void jw_id(struct json_writer *w, const char *prefix, const struct id *id);
/* RFC 3339; {0} writes null. */
void jw_time(struct json_writer *w, struct wall t);

/* name + value in one call. */
void jw_member_string(struct json_writer *w, const char *name, struct span s);
void jw_member_int(struct json_writer *w, const char *name, int64_t v);
void jw_member_bool(struct json_writer *w, const char *name, bool v);
void jw_member_null(struct json_writer *w, const char *name);
void jw_member_raw(struct json_writer *w, const char *name, struct span json);
void jw_member_id(struct json_writer *w, const char *name, const char *prefix, const struct id *id);
void jw_member_time(struct json_writer *w, const char *name, struct wall t);

#endif
