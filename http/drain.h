/* Closing gently: a socket that is closed while bytes of the client wait unread is reset, and the
 * reset can overtake the reply that says why (RFC 9112 section 9.6). Such sockets stay here, read
 * and discarded, for a bounded time. Owned by one HTTP thread. */
#ifndef HTTP_DRAIN_H
#define HTTP_DRAIN_H

#include "base/clock.h"

struct drain;

/* NULL when out of memory or descriptors. */
struct drain *drain_new(void);
/* Closes what is left. Nulls the pointer. */
void drain_free(struct drain **d);
/* Readable (level-triggered) when drain_turn has bytes to discard. */
int drain_fd(const struct drain *d);
/* Takes the descriptor over and ends its sending side. With too many here it is closed at once. */
void drain_add(struct drain *d, int fd, struct mono now);
/* Discards what arrived, closes those that ended or are late. */
void drain_turn(struct drain *d, struct mono now);
/* When the next one is late. */
struct mono drain_next(const struct drain *d);

#endif
