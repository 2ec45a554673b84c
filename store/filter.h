/* A Bloom filter beside a run: "surely not in there" without touching the run.
 *
 * Ten bits a key and seven probes: about one wrong "maybe" in a hundred. Built by the writer, then
 * read by anyone who holds a reference. */
#ifndef STORE_FILTER_H
#define STORE_FILTER_H

#include "base/span.h"

#include <stdint.h>

struct filter;

/* A key's hash, computed once for the filters of all runs. */
struct filter_hash {
    uint64_t first, step;
};
struct filter_hash filter_hash_of(struct span key);

/* The bytes of a filter for so many keys. */
size_t filter_size(uint64_t keys);
/* Empty, one reference. Bytes as from filter_size (a multiple of 8, asserted). NULL: out of
 * memory. */
struct filter *filter_new(size_t bytes);
struct filter *filter_ref(struct filter *f);
/* Drops the reference and nulls the pointer; NULL is allowed. Any thread. */
void filter_unref(struct filter **f);

void filter_add(struct filter *f, struct filter_hash hash);
/* False: the key was never added. */
bool filter_maybe(const struct filter *f, struct filter_hash hash);

/* The bits, for storing and loading. */
size_t filter_bytes(const struct filter *f);
uint8_t *filter_data(struct filter *f);

#endif
