/* A hash map from short byte keys to pointers, open addressing. It copies neither: the key's bytes
 * live inside the value, where `key_of` finds them. Owned by one thread or one lock. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map;

/* NULL when out of memory. */
struct map *map_new(struct span (*key_of)(const void *value));
/* Frees the map, not the values. Nulls the pointer. */
void map_free(struct map **m);

void *map_get(const struct map *m, struct span key);
/* The key must not be in the map. False when out of memory: nothing changed. */
bool map_put(struct map *m, void *value);
/* Removes and returns the value; NULL when there is none. */
void *map_take(struct map *m, struct span key);
size_t map_count(const struct map *m);
/* Walks all values in no order: start with *at = 0, NULL ends. No put or take meanwhile. */
void *map_each(const struct map *m, size_t *at);

#endif
