/* The handlers of routes.c, one noun per file. Each runs on an HTTP thread, as http/request.h
 * says. */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

#include "http/server.h"

/* The table without its context. Static storage. */
struct route_table routes_all(void);

void app_list_route(struct request *req);
void app_create_route(struct request *req);
void app_get_route(struct request *req);
void app_put_route(struct request *req);
void app_patch_route(struct request *req);
void app_delete_route(struct request *req);
void endpoint_list_route(struct request *req);
void endpoint_create_route(struct request *req);
void endpoint_get_route(struct request *req);
void endpoint_put_route(struct request *req);
void endpoint_patch_route(struct request *req);
void endpoint_delete_route(struct request *req);
void endpoint_secret_get_route(struct request *req);
void endpoint_secret_rotate_route(struct request *req);
void endpoint_header_get_route(struct request *req);
void endpoint_header_put_route(struct request *req);
void endpoint_header_patch_route(struct request *req);
void endpoint_auth_get_route(struct request *req);
void endpoint_auth_put_route(struct request *req);
void endpoint_auth_delete_route(struct request *req);
void endpoint_tls_get_route(struct request *req);
void endpoint_tls_put_route(struct request *req);
void endpoint_tls_delete_route(struct request *req);
void endpoint_enable_route(struct request *req);
void recover_create_route(struct request *req);
void stats_get_route(struct request *req);
void stats_get_attempts_route(struct request *req);
void replay_missing_route(struct request *req);
void replay_bulk_route(struct request *req);
void event_type_list_route(struct request *req);
void event_type_create_route(struct request *req);
void event_type_get_route(struct request *req);
void event_type_put_route(struct request *req);
void event_type_patch_route(struct request *req);
void event_type_delete_route(struct request *req);
void message_list_route(struct request *req);
void message_get_route(struct request *req);
void message_precheck_route(struct request *req);
void expunge_message_route(struct request *req);
void expunge_several_route(struct request *req);
void expunge_all_route(struct request *req);
void expunge_attempt_route(struct request *req);
void example_send_route(struct request *req);
void transformation_get_route(struct request *req);
void transformation_patch_route(struct request *req);
void attempt_list_of_endpoint_route(struct request *req);
void attempt_list_of_message_route(struct request *req);
void attempt_get_route(struct request *req);
void attempt_messages_of_endpoint_route(struct request *req);
void attempt_endpoints_of_message_route(struct request *req);
void attempt_delivery_get_route(struct request *req);
void explain_get_route(struct request *req);
void resend_create_route(struct request *req);
void dead_letter_list_of_app_route(struct request *req);
void dead_letter_replay_app_route(struct request *req);
void dead_letter_purge_app_route(struct request *req);
void dead_letter_list_of_endpoint_route(struct request *req);
void dead_letter_replay_endpoint_route(struct request *req);
void dead_letter_purge_endpoint_route(struct request *req);
void dead_letter_get_route(struct request *req);
void dead_letter_replay_route(struct request *req);
void dead_letter_discard_route(struct request *req);
void usage_app_route(struct request *req);
void usage_event_type_route(struct request *req);
void environment_export_route(struct request *req);
void environment_import_route(struct request *req);
void openapi_import_route(struct request *req);
void poller_poll_route(struct request *req);
void poller_consumer_poll_route(struct request *req);
void poller_consumer_seek_route(struct request *req);
void task_list_route(struct request *req);
void task_get_route(struct request *req);
void portal_access_route(struct request *req);
void portal_logout_route(struct request *req);
void portal_expire_route(struct request *req);
void key_list_route(struct request *req);
void key_create_route(struct request *req);
void key_revoke_route(struct request *req);
void health_get_route(struct request *req);
void metrics_get_route(struct request *req);
void openapi_get_route(struct request *req);
void openapi_page_get_route(struct request *req);

#endif
