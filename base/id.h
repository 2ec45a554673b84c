/* Public identifiers: KSUIDs of 20 bytes, written as 27 characters of base62 behind a prefix.
 *
 * 4 bytes of seconds since 1,400,000,000, one byte of the millisecond / 4, 15 bytes that begin
 * random. Byte order is text order is time order. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/clock.h"

#define ID_BYTES 20
#define ID_TEXT 27
#define ID_PREFIX_MAX 8
/* The longest text: prefix and 27 characters. */
#define ID_MAX (ID_PREFIX_MAX + ID_TEXT)

struct id {
    uint8_t b[ID_BYTES];
};

/* The prefix of an entity, with its underscore: "app_", "ep_", "msg_", "atmpt_", "evtype_",
 * "qtask_", "org_", "key_". */
#define ID_APP "app_"
#define ID_ENDPOINT "ep_"
#define ID_MESSAGE "msg_"
#define ID_ATTEMPT "atmpt_"
#define ID_EVENT_TYPE "evtype_"
#define ID_TASK "qtask_"
#define ID_ORG "org_"
#define ID_KEY "key_"

/* Writes prefix + 27 characters + NUL; returns the length without the NUL. */
size_t id_format(const struct id *id, const char *prefix, char out[ID_MAX + 1]);
/* ERR_INVALID unless the text is exactly the prefix and 27 base62 digits that fit 20 bytes. */
enum err id_parse(struct span text, const char *prefix, struct id *out) MUST_CHECK;

static inline int id_cmp(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_BYTES);
}
static inline bool id_is_zero(const struct id *a)
{
    static const struct id zero;
    return id_cmp(a, &zero) == 0;
}
/* The moment in the id, to 4 ms. */
struct wall id_time(const struct id *id);
/* The smallest id of a moment: every id made later compares greater or equal. */
struct id id_floor(struct wall t);

/* Strictly increasing ids: owned by one thread. When the clock stands still or steps back the next
 * id is the last one plus a small random step. Start from the stored high-water mark. */
struct id_gen {
    struct id last;
};
struct id id_next(struct id_gen *gen, struct wall now);
/* Strictly increasing within the process, so that lists show the order of creation; any thread. */
struct id id_fresh(struct wall now);
/* An id outside any sequence; any thread. */
struct id id_random(struct wall now);

#endif
