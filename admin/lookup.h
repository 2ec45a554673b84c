/* Finds what a path names, within what the token may see. Another tenant's entity and one that does
 * not exist are the same 404: an answer must not tell which ids are taken. */
#ifndef ADMIN_LOOKUP_H
#define ADMIN_LOOKUP_H

#include "http/request.h"

/* Zero it before use; lookup_release afterwards. */
struct lookup {
    struct store_read *read; /* one snapshot for all that is found */
    struct app *app;
    struct endpoint *endpoint;
    struct message *message;
};

/* Opens the snapshot unless it is open. */
enum err lookup_begin(const struct request *req, struct lookup *l) MUST_CHECK;

/* Whether the route is about operational endpoints: its path names no application, and the
 * organisation's own is meant. Number 0: that was not made yet. */
bool lookup_is_operational(const struct request *req);

/* By the path parameters {app}, {endpoint} and {msg}; the later ones find the earlier ones first.
 * ERR_NOT_FOUND, or what the store says. */
enum err lookup_find_app(const struct request *req, struct lookup *l) MUST_CHECK;
enum err lookup_find_endpoint(const struct request *req, struct lookup *l) MUST_CHECK;

/* The same for handlers: on false the reply was made and everything released. */
bool lookup_app(struct request *req, struct lookup *l);
bool lookup_endpoint(struct request *req, struct lookup *l);
bool lookup_message(struct request *req, struct lookup *l, bool content);
bool lookup_message_endpoint(struct request *req, struct lookup *l, bool content);

/* A message of the application that was found, by its id. */
enum err lookup_message_by_id(struct lookup *l, const struct id *id, bool content,
                              struct message **out) MUST_CHECK;

/* Replies with the error and releases. */
void lookup_fail(struct request *req, struct lookup *l, enum err e);
/* Ends the snapshot and keeps what was found: a snapshot must not outlive its handler. */
void lookup_unpin(struct lookup *l);
void lookup_release(struct lookup *l);

#endif
