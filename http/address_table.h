/* How many connections there are, in all and from one address. Any thread: one lock, taken when a
 * connection begins and when it ends. */
#ifndef HTTP_ADDRESS_TABLE_H
#define HTTP_ADDRESS_TABLE_H

#include "base/err.h"

#include <stdint.h>
#include <sys/socket.h>

struct address_table;

/* An IPv4 address, or the first 64 bits of an IPv6 address: one subscriber line owns all of
 * them. */
struct address_key {
    uint8_t b[8];
};
struct address_key address_key_of(const struct sockaddr *sa);

/* `max` in all, `max_each` from one address. NULL when out of memory. */
struct address_table *address_table_new(size_t max, size_t max_each);
/* Nulls the pointer. */
void address_table_free(struct address_table **t);

/* ERR_BUSY when it would be one too many of its address, ERR_FULL of all. */
enum err address_table_enter(struct address_table *t, struct address_key key) MUST_CHECK;
/* Once for each time that entering succeeded. */
void address_table_leave(struct address_table *t, struct address_key key);
/* How many the address has. */
size_t address_table_count(struct address_table *t, struct address_key key);

#endif
