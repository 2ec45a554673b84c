/* "127.0.0.1:8071", "[::1]:0" or ":8071" as a listening socket. */
#ifndef HTTP_LISTEN_ADDRESS_H
#define HTTP_LISTEN_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>

#define LISTEN_ADDRESS_MAX 64

/* Binds and listens. *fd is the caller's; `address` gets the text with the real port. `shared`:
 * several sockets may bind the same port (SO_REUSEPORT). ERR_INVALID (logged) when the text is no
 * address with port, ERR_CONFLICT (logged) when it cannot be bound. */
enum err listen_address_bind(const char *text, bool shared, int *fd,
                             char address[LISTEN_ADDRESS_MAX]) MUST_CHECK;

#endif
