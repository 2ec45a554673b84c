/* The handlers of routes.c, one noun per file. Each runs on an HTTP thread, as http/request.h says. */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

#include "http/server.h"

/* The table without its context. Static storage. */
struct route_table routes_all(void);

void app_list(struct request *req);
void app_create(struct request *req);
void app_get(struct request *req);
void app_put(struct request *req);
void app_patch(struct request *req);
void app_delete(struct request *req);
void endpoint_list(struct request *req);
void endpoint_create(struct request *req);
void endpoint_get(struct request *req);
void endpoint_put(struct request *req);
void endpoint_patch(struct request *req);
void endpoint_delete(struct request *req);
void endpoint_secret_get(struct request *req);
void endpoint_secret_rotate(struct request *req);
void endpoint_header_get(struct request *req);
void endpoint_header_put(struct request *req);
void endpoint_header_patch(struct request *req);
void recover_create(struct request *req);
void event_type_list(struct request *req);
void event_type_create(struct request *req);
void event_type_get(struct request *req);
void event_type_put(struct request *req);
void event_type_patch(struct request *req);
void event_type_delete(struct request *req);
void message_list(struct request *req);
void message_get(struct request *req);
void message_expunge(struct request *req);
void attempt_list_of_endpoint(struct request *req);
void attempt_list_of_message(struct request *req);
void attempt_get(struct request *req);
void attempt_messages_of_endpoint(struct request *req);
void attempt_endpoints_of_message(struct request *req);
void attempt_delivery_get(struct request *req);
void resend_create(struct request *req);
void dead_letter_list_of_app(struct request *req);
void dead_letter_replay_app(struct request *req);
void dead_letter_purge_app(struct request *req);
void dead_letter_list_of_endpoint(struct request *req);
void dead_letter_replay_endpoint(struct request *req);
void dead_letter_purge_endpoint(struct request *req);
void dead_letter_get(struct request *req);
void dead_letter_replay(struct request *req);
void dead_letter_discard(struct request *req);
void task_get(struct request *req);
void key_list(struct request *req);
void key_create(struct request *req);
void key_revoke(struct request *req);
void health_get(struct request *req);
void metrics_get(struct request *req);

#endif
