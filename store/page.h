/* One walker for all lists: cursor, direction, time bounds, limit and the bounds on work are done
 * once. Private to store/.
 *
 * A list is the keys of a tree or of an index family that begin with a prefix; what follows the
 * prefix is the row's suffix, and lists are in the suffix's order or its reverse. */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include "store/snapshot.h"

#define PAGE_ROW_MAX 192 /* bytes of one element of `rows` */

struct page_list {
    enum { PAGE_TREE, PAGE_INDEX } source;
    enum tree tree;
    enum index_family family;
    const struct treekey *prefix;
    bool descending;    /* the list's order before page->ascending flips it */
    bool timed;         /* suffixes are ids, and before and after hold */
    struct span cursor; /* a suffix that takes the place of page->cursor; empty: none */

    /* Fills one element of `rows`. ERR_NOT_FOUND and ERR_CORRUPT skip the row (the callee logged a
     * corrupt one); any other error ends the list. `suffix` and `value` are borrowed. */
    enum err (*take)(void *context, struct span suffix, struct span value, void *row);
    void (*drop)(void *row); /* releases what `take` filled in; NULL: nothing to release */
    void *context;
    size_t row_size; /* of an element, at most PAGE_ROW_MAX */
};

/* Walks at most READ_ROWS_MAX rows and, beyond the first few, READ_US_MAX. On an error no row is
 * left to the caller. */
enum err page_walk(struct store_read *r, const struct page_list *list, const struct page *page,
                   void *rows, struct page_result *result) MUST_CHECK;

/* Whether a row of this moment lies between `after` and `before`. The walker uses ids, which know
 * 4 ms; a list whose rows know their moment better asks this too. */
bool page_has(const struct page *page, struct wall t);

#endif
