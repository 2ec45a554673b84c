/* The API's JSON of our entities: ApplicationOut, EndpointOut, EventTypeOut, MessageAttemptOut,
 * BackgroundTaskOut, and what we add in the same style. A field that has no value is null. Secrets
 * are in none of them. */
#ifndef ADMIN_ENTITY_OUT_H
#define ADMIN_ENTITY_OUT_H

#include "http/message_out.h"
#include "store/store.h"

void entity_out_app(struct json_writer *w, const struct app *a);
/* `health` as of `now`. */
void entity_out_endpoint(struct json_writer *w, const struct endpoint *e,
                         const struct endpoint_health *health, struct wall now);
/* Without `content` the schemas are null. */
void entity_out_event_type(struct json_writer *w, const struct event_type *t, bool content);

/* Without `content` the response is "{}", as the API says. `msg` may be NULL; its payload is never
 * shown here. */
void entity_out_attempt(struct json_writer *w, const struct attempt *a, bool content,
                        const struct message *msg);

/* Of an endpoint's page: MessageOut and the state of its delivery there. */
void entity_out_endpoint_message(struct json_writer *w, const struct message *m,
                                 const struct delivery *d, bool content, bool expanded);
/* Of a message's page: EndpointOut and the state of the delivery there. */
void entity_out_message_endpoint(struct json_writer *w, const struct endpoint *e,
                                 const struct delivery *d, bool expanded);

/* Ours. The state of one delivery: what happened, what happens next, when and why. */
void entity_out_delivery(struct json_writer *w, const struct delivery *d, const struct id *endpoint,
                         bool in_flight, const struct id *waits_for);
/* Ours. MessageOut and why, where and when it died. */
void entity_out_dead_letter(struct json_writer *w, const struct message *m,
                            const struct delivery *d, const struct id *endpoint, bool content);

void entity_out_task(struct json_writer *w, const struct task_info *t);
/* The same in two parts: between them stands what else belongs into `data`. */
void entity_out_task_open(struct json_writer *w, const struct task_info *t);
void entity_out_task_close(struct json_writer *w, const struct task_info *t);

/* `token` is empty but in the answer that creates the key: it is not stored anywhere. */
void entity_out_key(struct json_writer *w, const struct api_key *k, struct span token);

#endif
