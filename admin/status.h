/* The API's status of a delivery and of an attempt, out of the store's states. Pure. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "store/model.h"

enum status { STATUS_SUCCESS, STATUS_PENDING, STATUS_FAIL, STATUS_SENDING, STATUS_CANCELED };
#define STATUS_LAST STATUS_CANCELED

/* "success", "pending", "fail", "sending", "canceled". */
const char *status_text(enum status s);
/* `expanded` is false for clients that know no canceled state: they see success, as the API that
 * they were written for does. */
enum status status_of_delivery(const struct delivery *d, bool expanded);
enum status status_of_attempt(const struct attempt *a);
/* The states (bits 1 << enum delivery_state) that a filter by this status wants. */
unsigned status_states(enum status s, bool expanded);
/* When the next attempt is made; {0}: none is planned, or another delivery goes before. */
struct wall status_next_attempt(const struct delivery *d);

#endif
