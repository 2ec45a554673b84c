/* Strict order: the lines in which the deliveries of an ordered endpoint wait. Private to store/;
 * the writer thread alone uses it.
 *
 * Every unfinished delivery of an ordering key stands in the line of its endpoint and key, at the
 * place of its ticket: its message's id, or when it is replayed a fresh id of the same generator,
 * so that a ticket is above all that were drawn before, across restarts too. A line lets one go at
 * a time: whoever enters behind another is held, which means that it has no due row, and becomes
 * due in the transaction that ends the last one before it.
 *
 * Lines are kept for ordered endpoints alone; a delivery that stands in none costs nothing here. */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include "store/delivery.h"

/* The line of a message by the endpoint's option; false: it stands in none. Pure. */
bool order_line(enum ordering ordering, struct span ordering_key, uint8_t line[LINE_BYTES]);
/* The same for a stored message. One that cannot be read has no ordering key. */
enum err order_line_of(struct batch *b, const struct table_endpoint *ep, const struct id *message,
                       uint8_t line[LINE_BYTES], bool *stands) MUST_CHECK;

/* Takes the place of this ticket, at the end of `line`; held when it is not alone there or lines
 * are being rearranged. The caller stores the record. */
enum err order_enter(struct batch *b, const struct table_endpoint *ep, struct delivery *d,
                     const uint8_t line[LINE_BYTES], const struct id *ticket) MUST_CHECK;
/* Leaves its line, and lets the next one go. The caller stores the record. */
enum err order_leave(struct batch *b, struct delivery *d) MUST_CHECK;
/* Moves a delivery to its place in another line; NULL: out of its line, and held no more. Lets
 * nobody go. Stores the record. */
enum err order_move(struct batch *b, struct delivery *d, const uint8_t *line) MUST_CHECK;
/* Lets the first of a line go if it is held. */
enum err order_flow(struct batch *b, uint32_t endpoint, const uint8_t line[LINE_BYTES]) MUST_CHECK;

/* The place behind *at, of any line of the endpoint; a zero place begins. ERR_NOT_FOUND. */
enum err order_next(struct batch *b, uint32_t endpoint, struct line_place *at) MUST_CHECK;
/* The delivery of a place; ERR_NOT_FOUND, and the row is gone, when there is none any more. */
enum err order_load(struct batch *b, uint32_t endpoint, const struct line_place *at,
                    struct delivery *d) MUST_CHECK;

/* After a change or damage: a task looks at the lines of the endpoint for those that do not go on.
 * No effect when it is not ordered. */
enum err order_mend(struct batch *b, uint32_t endpoint) MUST_CHECK;

#endif
