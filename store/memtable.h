/* The table in memory: one skip list per family over one arena of fixed size.
 *
 * Threads. One writer adds and links; any number of readers search without a lock. A node is
 * complete before it is linked, and linked nodes never move, change or leave. What a reader may see
 * is bounded by a limit, the arena's mark when it opened its view: nodes come from the arena in the
 * order in which they are put, so a node is visible exactly when it lies below the limit.
 *
 * A node that was added and not yet linked can be forgotten (memtable_truncate): that is how a
 * batch that aborts leaves nothing behind. Several nodes may have the same key: the newest stands
 * first. */
#ifndef STORE_MEMTABLE_H
#define STORE_MEMTABLE_H

#include "store/entry.h"

struct memtable;

/* The arena's place of a node; 0: none. */
typedef uint32_t memtable_node;

/* One reference. NULL: out of memory. Bytes from 4 KiB to 1 GiB (asserted). */
struct memtable *memtable_new(size_t bytes);
struct memtable *memtable_ref(struct memtable *t);
/* Drops the reference and nulls the pointer; NULL is allowed. Any thread. */
void memtable_unref(struct memtable **t);

/* ------------------------------------------------ the writer's part */

/* Room that any entry is sure to fit in. */
#define MEMTABLE_NODE_MAX 216
/* How many entries are sure to fit. */
size_t memtable_room(const struct memtable *t);
/* Doubles the arena. Only before the table is shared. False: out of memory. */
bool memtable_grow(struct memtable *t) MUST_CHECK;
/* Copies the entry into the arena, unlinked. 0: full. */
memtable_node memtable_add(struct memtable *t, enum index_family family,
                           const struct index_entry *e) MUST_CHECK;
/* Links every node from `mark` on: from now on searches with a higher limit see them. */
void memtable_link(struct memtable *t, memtable_node mark);
/* Forgets the unlinked nodes from `mark` on. */
void memtable_truncate(struct memtable *t, memtable_node mark);
/* The mark of an empty table. */
memtable_node memtable_start(const struct memtable *t);
/* The end of what was added: the limit of who may see all of it. */
memtable_node memtable_mark(const struct memtable *t);
/* The nodes from a mark on, in the order of adding: the node at `at` and the mark behind it. */
memtable_node memtable_after(const struct memtable *t, memtable_node at);
enum index_family memtable_family(const struct memtable *t, memtable_node node);
/* Linked nodes of the family, older versions of a key included. */
size_t memtable_count(const struct memtable *t, enum index_family family);

/* ------------------------------------------------ searching, any thread with a reference */

/* Lives as long as the reference. */
struct index_entry memtable_entry(const struct memtable *t, memtable_node node);
/* The newest visible node of the key; 0: none. */
memtable_node memtable_find(const struct memtable *t, memtable_node limit, enum index_family family,
                            struct span key);
/* The newest visible node of the first key >= `key` (of the last key <= it); 0: none. */
memtable_node memtable_seek(const struct memtable *t, memtable_node limit, enum index_family family,
                            struct span key, bool backward);
/* The same for the first key behind this node's (before it). */
memtable_node memtable_next(const struct memtable *t, memtable_node limit, memtable_node node,
                            bool backward);

#endif
