/* Our states tell more than the API's statuses; here alone they are folded. */
#include "admin/status.h"

#include <assert.h>

const char *status_text(enum status s)
{
    static const char *const texts[] = {"success", "pending", "fail", "sending", "canceled"};
    assert((size_t)s < sizeof texts / sizeof *texts);
    return texts[s];
}

enum status status_of_delivery(const struct delivery *d, bool expanded)
{
    switch (d->state) {
    case DELIVERY_DELIVERED:
        return STATUS_SUCCESS;
    case DELIVERY_SCHEDULED:
        return STATUS_PENDING;
    case DELIVERY_RETRYING:
        return STATUS_SENDING;
    case DELIVERY_DEAD:
        return STATUS_FAIL;
    case DELIVERY_CANCELED:
        return expanded ? STATUS_CANCELED : STATUS_SUCCESS;
    case DELIVERY_NONE:
        return id_is_zero(&d->last_attempt) ? STATUS_PENDING : STATUS_FAIL;
    }
    assert(!"a delivery state that does not exist");
    return STATUS_FAIL;
}

enum status status_of_attempt(const struct attempt *a)
{
    return a->outcome == ATTEMPT_SUCCESS ? STATUS_SUCCESS : STATUS_FAIL;
}

unsigned status_states(enum status s, bool expanded)
{
    unsigned canceled = 1u << DELIVERY_CANCELED;
    switch (s) {
    case STATUS_SUCCESS:
        return 1u << DELIVERY_DELIVERED | (expanded ? 0 : canceled);
    case STATUS_PENDING:
        return 1u << DELIVERY_SCHEDULED;
    case STATUS_FAIL:
        return 1u << DELIVERY_DEAD | 1u << DELIVERY_NONE;
    case STATUS_SENDING:
        return 1u << DELIVERY_RETRYING;
    case STATUS_CANCELED:
        return canceled;
    }
    assert(!"a status that does not exist");
    return 0;
}

struct wall status_next_attempt(const struct delivery *d)
{
    if (!d->due.us || d->held || (d->manual_due.us && d->manual_due.us < d->due.us))
        return d->manual_due;
    return d->due;
}
