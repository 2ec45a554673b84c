/* For the routes below an endpoint (secret, headers) that change it. */
#ifndef ADMIN_ENDPOINT_H
#define ADMIN_ENDPOINT_H

#include "admin/write.h"

/* Finds the endpoint of the path and makes w->endpoint its present state. False: replied. */
bool endpoint_load(struct request *req, struct write *w);
/* The operation that stores w->endpoint. */
void endpoint_prepare_put(struct write *w, unsigned status);

#endif
