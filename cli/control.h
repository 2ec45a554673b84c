/* The control socket `<data>/control.sock`: how commands reach a running service. Mode 0600, and
 * the peer must be root or the service's own user. One request line, one answer line. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/action.h"

struct control;

/* Listens and answers on a thread of its own until control_stop. */
enum err control_start(const char *data_dir, struct store *store, struct control **out) MUST_CHECK;
/* Finishes the request under way, removes the socket. Nulls the pointer. */
void control_stop(struct control **c);

/* Asks the service that uses this directory. ERR_NOT_FOUND when none listens; otherwise *answer is
 * a new reference. */
enum err control_ask(const char *data_dir, const json_t *request, json_t **answer) MUST_CHECK;

/* The running service when there is one, else the store itself, opened for the moment. Prints the
 * reason and returns NULL when neither works. */
struct config;
json_t *control_run(const struct config *config, const json_t *request);

#endif
