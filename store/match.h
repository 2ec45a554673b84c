/* Whether an endpoint takes a message. Pure. */
#ifndef STORE_MATCH_H
#define STORE_MATCH_H

#include "base/span.h"

/* What an endpoint asks for; the spans are borrowed. */
struct match_rule {
    unsigned filter_count;
    const struct span *filters; /* event types; none: every type */
    unsigned channel_count;
    const struct span *channels; /* none: every message */
};

/* What a message offers. */
struct match_subject {
    struct span event_type;
    unsigned channel_count;
    const struct span *channels;
};

/* The type is one of the filters, or there are none, and the channels meet, or the rule has none. A
 * rule with channels does not take a message without any. */
bool match(const struct match_rule *rule, const struct match_subject *subject);

/* Whether the URL, as an endpoint stores it, leads to Svix Play: a page on which people look at
 * what arrives, so that nobody receives it. */
bool match_play(struct span url);

#endif
