/* From libmicrohttpd's callbacks to a handler: the head's checks, the body, the reply. */
#ifndef HTTP_INTAKE_H
#define HTTP_INTAKE_H

#include "http/connection.h"
#include "http/request_state.h"

#include <stdarg.h>

/* One HTTP thread's requests. Owned by it, but for `inbox`. */
struct intake {
    struct site *site;
    struct inbox *inbox; /* operations that came back */
    struct connections *connections;
    struct waits *waits;
    struct request *spare; /* released requests, to be used again */
    unsigned spare_count;
    unsigned waiting; /* requests that are suspended */
    /* Lists take long, and neither events nor new connections must wait behind many of them: they
     * get half of the time, and more when there is nothing else to do. Beyond it they are
     * suspended, and begin later, in order: as many as will all have begun within about a second.
     * More are refused. */
    int64_t reading_us;    /* that they may take now */
    struct mono earned_at; /* when that was last added to */
    int64_t list_us;       /* one takes, on average */
    unsigned put_off_count;
    struct request *put_off, *last_put_off;
};

void intake_init(struct intake *in, struct site *site, struct inbox *inbox,
                 struct connections *connections, struct waits *waits);
/* Every request must be over. */
void intake_free(struct intake *in);

/* For MHD_OPTION_URI_LOG_CALLBACK: the request line arrived. Returns the request. */
void *intake_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
/* The access handler. */
enum MHD_Result intake_access(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **con_cls);
/* For MHD_OPTION_NOTIFY_COMPLETED. */
void intake_end(void *cls, struct MHD_Connection *mhd, void **con_cls,
                enum MHD_RequestTerminationCode code);

/* For MHD_OPTION_NOTIFY_CONNECTION. A connection's end is also that of a request which
 * libmicrohttpd forgot to end (0.9.75, when it had no memory for its arguments). */
void intake_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                   enum MHD_ConnectionNotificationCode code);
/* For MHD_OPTION_EXTERNAL_LOGGER: tells when libmicrohttpd refuses a request itself. Counts it; an
 * answer that it would garble is written here instead. */
void intake_log(void *cls, const char *format, va_list args);

/* Continues the requests whose operations came back, and begins some of those that were put off;
 * MHD_run must follow. `idle`: nothing else is waiting. */
void intake_continue(struct intake *in, bool idle);
/* Some are still put off: the next turn must not wait. */
bool intake_is_behind(const struct intake *in);

#endif
