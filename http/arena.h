/* Memory that lives as long as one request: a first block that is recycled with it, and further
 * blocks when that is not enough. Owned by one thread. */
#ifndef HTTP_ARENA_H
#define HTTP_ARENA_H

#include "base/span.h"

struct arena_block;

struct arena {
    char *at, *end;
    struct arena_block *more;
    size_t total; /* bytes of further blocks */
    size_t max;   /* of `total` */
};

/* `first` stays the caller's. */
void arena_init(struct arena *a, void *first, size_t len, size_t max);
/* Aligned for anything; NULL when out of memory or over the maximum. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy with a NUL behind it; ptr is NULL when there was no memory. */
struct span arena_copy(struct arena *a, struct span s);
/* Frees the further blocks. */
void arena_free(struct arena *a);

#endif
