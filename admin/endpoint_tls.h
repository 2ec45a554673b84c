/* Whom an endpoint's attempts trust, and the certificate that they show. */
#ifndef ADMIN_ENDPOINT_TLS_H
#define ADMIN_ENDPOINT_TLS_H

#include "admin/body.h"
#include "store/model.h"

/* Refuses `field` when the endpoint, as the change leaves it, would have certificates that its URL
 * makes no use of. */
void endpoint_tls_agree(struct body *b, const char *field, const struct endpoint *e);

#endif
