/* Time, in two types that cannot be mixed: wall clock for storage, monotonic for waiting.
 * Both count microseconds. A loop reads the clock once a turn and passes "now" along. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/buf.h"

#include <stdint.h>

struct wall {
    int64_t us; /* since 1970-01-01T00:00:00Z; 0 means "none" */
};

struct mono {
    int64_t us; /* since some moment before the process started */
};

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define WALL_NEVER ((struct wall){INT64_MAX})
#define MONO_NEVER ((struct mono){INT64_MAX})

struct wall clock_wall(void);
struct mono clock_mono(void);

/* Tests only: from now on both clocks stand still at these values (until clock_real). */
void clock_fake(struct wall wall, struct mono mono);
void clock_real(void);

/* Clamped at the far ends instead of overflowing. */
struct wall wall_add(struct wall t, int64_t us);
struct mono mono_add(struct mono t, int64_t us);

/* "2026-01-02T03:04:05.123456Z" (RFC 3339), always six digits of fraction. */
#define WALL_TEXT_LEN 27
void wall_format(struct wall t, char out[WALL_TEXT_LEN + 1]);
/* RFC 3339 with any offset and 0-9 digits of fraction, and "2026-01-02 03:04:05.123456789 UTC".
 * ERR_INVALID otherwise. */
enum err wall_parse(struct span text, struct wall *out) MUST_CHECK;

#endif
