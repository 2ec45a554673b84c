/* Pages of other origins (the CORS protocol of the Fetch standard), when the option allows them.
 * Every origin is as good as another: who asks shows a token, which no page has unless it was
 * given one, and there are no cookies. */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include "http/router.h"

/* Lets a page read the answer, whatever it will be; before the request is looked at. */
void cors_allow(struct request *req);

/* The question that a browser asks before the request itself, without a token. True when it was
 * that and the answer was made: what the path's routes take. */
bool cors_preflight(struct request *req, struct span method, const struct router_match *match);

#endif
