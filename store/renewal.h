/* A message that is kept beyond its expiry: its index entries are written anew with the later one,
 * in steps, and then its expiry row moves there. Until then the old row keeps the place where the
 * next step begins. Private to store/; the writer thread alone uses it. */
#ifndef STORE_RENEWAL_H
#define STORE_RENEWAL_H

#include "store/batch.h"

/* `row` is the key of the message's expiry row. Both work until about `limit` rows were written, or
 * the index has no more room: then the row is put off for a moment, so that it holds nothing up. */
enum err renewal_begin(struct batch *b, const struct treekey *row, const struct id *message,
                       struct wall until, unsigned limit) MUST_CHECK;
/* `at` is what the row's value says. */
enum err renewal_go_on(struct batch *b, const struct treekey *row, const struct id *message,
                       const struct renewal *at, unsigned limit) MUST_CHECK;

#endif
