/* How an endpoint is told who calls: Basic, or OAuth 2 client credentials. */
#ifndef ADMIN_ENDPOINT_AUTH_H
#define ADMIN_ENDPOINT_AUTH_H

#include "admin/body.h"
#include "store/model.h"

/* Refuses `field` when the endpoint, as the change leaves it, would have two authorizations: one of
 * its own headers and its authentication's. */
void endpoint_auth_agree(struct body *b, const char *field, const struct endpoint *e);

#endif
