/* Which runs make up the index at one moment, with the filters that are in memory.
 *
 * A directory never changes: the writer makes a new one and publishes it; views hold references.
 * Because it holds references on its runs and filters, those live as long as anyone may read
 * them. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "store/filter.h"
#include "store/run.h"

struct directory_item {
    struct run *run;
    struct filter *filter; /* NULL: look the run up directly */
};

struct directory {
    atomic_uint references;
    size_t filter_bytes;     /* in memory, in all */
    struct wall next_expiry; /* the earliest moment at which a whole run is dead */
    /* Families in order; within one the newest run first: lower levels before higher ones, and
     * higher numbers before lower ones. first[f] ... first[f + 1] are the runs of family f. */
    unsigned first[INDEX_FAMILIES + 1];
    struct directory_item item[];
};

/* The items of `old` (may be NULL) but for those whose run is in `without`, and `added` (NULL:
 * none), with one reference. Takes its own references on runs and filters. Filters of the oldest
 * runs are left out until those in memory fit `filter_bytes_max`. NULL: out of memory. */
struct directory *directory_change(const struct directory *old, struct run *const *without,
                                   unsigned without_count, const struct directory_item *added,
                                   size_t filter_bytes_max);
struct directory *directory_ref(struct directory *d);
/* Drops the reference and nulls the pointer; NULL is allowed. Any thread. */
void directory_unref(struct directory **d);

unsigned directory_count(const struct directory *d);
/* How many runs of a level a family has. */
unsigned directory_level_count(const struct directory *d, enum index_family family, unsigned level);

/* The newest entry of the key in any run. ERR_NOT_FOUND. Points into the map. */
enum err directory_find(const struct directory *d, const struct index_trees *trees, MDB_txn *txn,
                        enum index_family family, struct span key,
                        struct index_entry *out) MUST_CHECK;

#endif
