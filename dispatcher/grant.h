/* The client credentials grant of OAuth 2 (RFC 6749 section 4.4): what is asked of an authorization
 * server, what its answer means, and for how long. Pure; any thread. */
#ifndef DISPATCHER_GRANT_H
#define DISPATCHER_GRANT_H

#include "base/clock.h"
#include "store/transport.h"

/* Appends the body, a form, and the line of its own header (empty with CLIENT_SECRET_POST). Look at
 * their `failed`. */
void grant_request(const struct endpoint_auth *auth, struct buf *body, struct buf *authorization);

/* Appends the access token of the answer's body and sets how long it lives, 0 at least. ERR_INVALID
 * unless it is a bearer token that can stand in a header. */
enum err grant_answer(struct span body, struct buf *token, int64_t *lifetime_us) MUST_CHECK;

/* The line "authorization: Basic …" (RFC 7617). */
void grant_basic(const struct endpoint_auth *auth, struct buf *line);

#define GRANT_LIFETIME_DEFAULT_US (300 * US_PER_S) /* of a token that does not say */
#define GRANT_LIFETIME_MAX_US (24 * 3600 * US_PER_S)
#define GRANT_AHEAD_MAX_US (60 * US_PER_S)
#define GRANT_REFUSED_REST_US (60 * US_PER_S)

/* Of a token that came at `got`: from when on a new one is fetched while it still serves, and from
 * when on it does not serve any more. Clocks differ and attempts take time, so that both are before
 * its end. */
struct mono grant_renew_at(struct mono got, int64_t lifetime_us);
struct mono grant_end_at(struct mono got, int64_t lifetime_us);

/* Whether a 401 ends a token: not soon after one ended another, or an endpoint that always answers
 * so would have its authorization server asked at every attempt. `refused` is when that was, {0}
 * never. */
bool grant_ended_by_refusal(struct mono refused, struct mono now);

#endif
