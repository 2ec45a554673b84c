/* Hands a finished reply to libmicrohttpd. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "http/intake.h"

/* Inside the access handler, for an answered request. MHD_NO closes the connection: there was no
 * memory even for a refusal. */
enum MHD_Result reply_queue(struct intake *in, struct request *req);

/* Writes an answered request's reply straight to the socket, as far as it takes it at once, for the
 * moments in which libmicrohttpd accepts none. The connection must be closed afterwards. */
void reply_write_now(struct intake *in, struct request *req, int fd);

#endif
