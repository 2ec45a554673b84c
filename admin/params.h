/* Query parameters of admin routes. Each reader replies with a 422 that names the parameter, and
 * returns false, when it is malformed; an absent one leaves *out alone. */
#ifndef ADMIN_PARAMS_H
#define ADMIN_PARAMS_H

#include "admin/field.h"

/* true or false. */
bool params_flag(struct request *req, const char *name, bool *out);
bool params_time(struct request *req, const char *name, struct wall *out);
bool params_integer(struct request *req, const char *name, unsigned min, unsigned max,
                    unsigned *out);
/* A text that obeys the rule. It lives as long as the request. */
bool params_text(struct request *req, const char *name, const struct text_rule *rule,
                 struct span *out);
/* The i-th item of an array that obeys the rule; at the end *out is empty. */
bool params_item(struct request *req, const char *name, unsigned i, const struct text_rule *rule,
                 struct span *out);
/* An integer among `allowed`, which ends with -1. */
bool params_choice(struct request *req, const char *name, const int *allowed, int *out);
/* Parameters of the API that this version does not follow: refused unless they ask for nothing
 * ("false"), for nothing accepted may be ignored. The list ends with NULL. */
bool params_unsupported(struct request *req, const char *const *names);

/* event_types, channel and tag. Spans live as long as the request. */
bool params_message_filter(struct request *req, struct message_filter *out);
/* with_content: true when absent, as the API has it for messages and attempts. */
bool params_with_content(struct request *req, bool *out);
/* Whether the client knows the canceled state: what it says, or else what its SDK knows. */
bool params_expanded(struct request *req, bool *out);

#endif
