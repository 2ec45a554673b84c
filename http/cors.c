/* Without the option nothing here says a word, so that no page of another origin reads an answer.
 *
 * The wildcards hold because no request carries credentials of the browser's own; of the headers
 * `authorization` alone must be named beside its wildcard. */
#include "http/cors.h"

#include "http/request_state.h"

#define PREFLIGHT_KEPT_S "600"

void cors_allow(struct request *req)
{
    if (!req->site->settings.cors)
        return;
    request_reply_header(req, "Access-Control-Allow-Origin", "*");
    request_reply_header(req, "Access-Control-Expose-Headers", "*");
}

bool cors_preflight(struct request *req, struct span method, const struct router_match *match)
{
    struct span asked;
    if (!req->site->settings.cors || !span_is(method, "OPTIONS") ||
        !request_header(req, "access-control-request-method", &asked))
        return false;
    char allow[ROUTER_ALLOW_MAX];
    router_allow(match, allow);
    request_reply_header(req, "Access-Control-Allow-Methods", allow);
    request_reply_header(req, "Access-Control-Allow-Headers", "*, authorization");
    request_reply_header(req, "Access-Control-Max-Age", PREFLIGHT_KEPT_S);
    request_reply_empty(req, 204);
    return true;
}
