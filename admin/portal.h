/* Names of what a token of the application portal may do. */
#ifndef ADMIN_PORTAL_H
#define ADMIN_PORTAL_H

/* The name of bit `i` of enum capability; NULL past the last. */
const char *portal_capability_name(unsigned i);

#endif
