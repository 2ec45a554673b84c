/* The parts of store_check, and what they share. Private to store/.
 *
 * Trees are walked side by side in key order, so that memory is bounded by one message whatever is
 * stored. A finding is said and counted and the walk goes on; only an error of the disk ends it. */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/read.h"

struct check {
    struct store_read *r;
    void (*say)(void *context, const char *finding);
    void *context;
    struct check_report *report;
    struct marks marks;
    struct wall now;
    uint64_t consumers; /* whose expiry row was not met yet */
    bool relining;      /* a task rearranges lines: one may stand still */
    /* Endpoint and line of the place that was looked at last. */
    uint8_t line[4 + LINE_BYTES];
};

/* One finding. */
void check_say(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A walk over one tree from its first row. `at` is good while `more`. */
struct check_walk {
    MDB_cursor *cursor;
    struct span key, value;
    bool more;
};
enum err check_open(struct check *c, enum tree tree, struct check_walk *w) MUST_CHECK;
enum err check_next(struct check_walk *w) MUST_CHECK;
void check_close(struct check_walk *w);

/* Says a finding when the tree has no such row. */
enum err check_row_exists(struct check *c, enum tree tree, const struct treekey *key,
                          const char *what) MUST_CHECK;

/* Says a finding when the row's record was bound to another key (store/codec.h). */
void check_key(struct check *c, struct span key, struct span value, const char *noun);

/* For findings: an id in text, on the caller's stack. */
struct check_text {
    char text[ID_MAX + 1];
};
struct check_text check_id(const struct id *id, const char *prefix);
/* The first bytes of a key as an id, zeros when it is short. */
struct id check_prefix(struct span key);

/* check_page.c: what LMDB believes of its file. */
enum err check_pages(struct check *c) MUST_CHECK;
enum err check_entities(struct check *c) MUST_CHECK;
/* Messages with their bodies, deliveries, attempts, expiry and index entries. */
enum err check_messages(struct check *c) MUST_CHECK;
/* Due rows, dead letters, counters, expiry rows. */
enum err check_queues(struct check *c) MUST_CHECK;

/* check_stat.c */
enum err check_stats(struct check *c) MUST_CHECK;

#endif
