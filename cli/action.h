/* What an operator may ask of a store, as one JSON request and one JSON answer, so that a command
 * works alike on a running service (through its control socket) and on a stopped one (directly). */
#ifndef CLI_ACTION_H
#define CLI_ACTION_H

#include "store/store.h"

#include <jansson.h>

/* Requests: {"do":"key.create","scope":"admin|ingest|read|app","org":"org_…","app":"…","name":"…",
 * "expires":"1h"}, {"do":"key.list"}, {"do":"key.revoke","id":"key_…"}, {"do":"backup","dir":"…"},
 * {"do":"status"}. The answer is a new reference: {"error":"…"} or the result. The store must be
 * started. Blocks until the commit. Never NULL but for lack of memory. */
json_t *action_run(struct store *store, const json_t *request);

/* Makes an admin key in the default organisation. `keep` gets the token before the key is stored,
 * so that a crash between the two leaves a useless token and not a key that nobody knows. */
enum err action_first_key(struct store *store, enum err (*keep)(void *context, const char *token),
                          void *context) MUST_CHECK;

#endif
