/* curl's multi interface on one epoll descriptor. Owned by one dispatcher thread.
 *
 * Connections are spread over several multi handles, because the cost of a transfer grows with the
 * connections that its multi keeps: plain HTTP over many, TLS over few (each multi caches one
 * certificate store of about 1 MiB). Endpoints in allowed special subnets have multis of their own,
 * so that no public name ever meets a connection into an internal network. (The first one of a name
 * that turns out to lead there is closed after its attempt.) */
#ifndef DISPATCHER_POLL_H
#define DISPATCHER_POLL_H

#include "base/clock.h"

#include <curl/curl.h>

#define POLL_PLAIN_SHARDS 16
#define POLL_TLS_SHARDS 2
#define POLL_SHARDS (2 * (POLL_PLAIN_SHARDS + POLL_TLS_SHARDS))
/* Connections that a multi keeps at least. */
#define POLL_CONNECTIONS 256

/* Which multi serves an endpoint: 0 … POLL_SHARDS - 1. */
unsigned poll_shard(bool tls, bool special, uint32_t endpoint);

struct poll;

/* `ended` is called from poll_run for each transfer that is over, already taken out of its multi.
 * `connections` is what a multi may keep; wake_fd makes poll_run return when readable. NULL when
 * out of memory or descriptors. */
struct poll *poll_new(void (*ended)(void *context, CURL *easy, CURLcode code), void *context,
                      int wake_fd, long connections);
/* Every transfer must have been removed. Nulls the pointer. */
void poll_free(struct poll **p);

/* Sets what the sockets of this handle need: once for each handle, before its first poll_add. Its
 * open-socket callback must call poll_opened. */
void poll_prepare(struct poll *p, CURL *easy);
/* A socket that curl is about to use was created. */
void poll_opened(struct poll *p, curl_socket_t fd);

/* Starts the transfer. False when out of memory. */
bool poll_add(struct poll *p, unsigned shard, CURL *easy) MUST_CHECK;
/* Aborts a transfer that has not ended; not from inside curl's callbacks. */
void poll_remove(struct poll *p, unsigned shard, CURL *easy);

/* Waits for sockets, timers, the wake_fd or the deadline, and handles what came. */
void poll_run(struct poll *p, struct mono deadline);

#endif
