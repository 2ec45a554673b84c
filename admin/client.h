/* Which generation of the SDKs asks. They differ in what they can read, and both must work. */
#ifndef ADMIN_CLIENT_H
#define ADMIN_CLIENT_H

#include "http/request.h"

/* The major version in "svix-libs/2.9.1/python"; 0 for any other client. */
unsigned client_sdk_major(struct span user_agent);
unsigned client_of(const struct request *req);

#endif
