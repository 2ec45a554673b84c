/* The receiver: libmicrohttpd with a thread per connection, since a person watches it. */
#include "http/receiver.h"

#include "base/bounds.h"
#include "http/listen_address.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

struct receiver {
    struct MHD_Daemon *daemon;
    unsigned (*handler)(void *context, const struct received *r);
    void *context;
    char address[LISTEN_ADDRESS_MAX];
};

static const char *header_of(const void *connection, const char *name)
{
    return MHD_lookup_connection_value((struct MHD_Connection *)(uintptr_t)connection,
                                       MHD_HEADER_KIND, name);
}

const char *receiver_header(const struct received *r, const char *name)
{
    return r->header(r->connection, name);
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct receiver *r = context;
    struct buf *body = *state;
    (void)version;
    if (!body) {
        body = malloc(sizeof *body);
        if (!body)
            return MHD_NO;
        buf_init(body, BATCH_BODY_MAX);
        *state = body;
        return MHD_YES;
    }
    if (*size) {
        buf_bytes(body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (body->failed)
        return answer(connection, MHD_HTTP_CONTENT_TOO_LARGE);
    const struct received received = {.method = method,
                                      .path = url,
                                      .body = buf_view(body),
                                      .header = header_of,
                                      .connection = connection};
    return answer(connection, r->handler(r->context, &received));
}

static void on_end(void *context, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    struct buf *body = *state;
    (void)context;
    (void)connection;
    (void)code;
    if (!body)
        return;
    buf_free(body);
    free(body);
    *state = NULL;
}

enum err receiver_start(const char *listen,
                        unsigned (*handler)(void *context, const struct received *r), void *context,
                        struct receiver **out)
{
    struct receiver *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->handler = handler;
    r->context = context;
    int fd = -1;
    enum err e = listen_address_bind(listen, false, &fd, r->address);
    if (!e) {
        r->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD |
                                         MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL,
                                     0, NULL, NULL, on_request, r, MHD_OPTION_LISTEN_SOCKET, fd,
                                     MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
        if (!r->daemon) {
            close(fd);
            e = ERR_IO;
        }
    }
    if (e) {
        free(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

const char *receiver_address(const struct receiver *r)
{
    return r->address;
}

void receiver_stop(struct receiver **receiver)
{
    struct receiver *r = *receiver;
    if (!r)
        return;
    *receiver = NULL;
    MHD_stop_daemon(r->daemon);
    free(r);
}
