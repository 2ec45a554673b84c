/* Every admin route: its method, its path, who may use it, how long its body may be, and who
 * answers.
 *
 * Who: an application token does everything on its own application's endpoints (ACCESS_APP…), if it
 * has the capability, and reads what belongs to it (ACCESS_READ); it sees no secret of the
 * organisation. A read token never sees a signing secret. Metrics and health name no tenant and are
 * open, for probes and scrapers. */
#include "admin/handlers.h"

#include "admin/admin.h"

#define API "/api/v1"
#define APP API "/app/{app}"
#define ENDPOINT APP "/endpoint/{endpoint}"
#define MESSAGE APP "/msg/{msg}"
#define POLLER APP "/poller/{sink}"
#define OPERATIONAL API "/operational-webhook/endpoint"
#define BODY ADMIN_BODY_MAX

static const struct route routes[] = {
    {METHOD_GET, API "/app", ACCESS_READ_ORG, 0, app_list_route, "application.list"},
    {METHOD_POST, API "/app", ACCESS_ADMIN, BODY, app_create_route, "application.create"},
    {METHOD_GET, APP, ACCESS_READ, 0, app_get_route, "application.get"},
    {METHOD_PUT, APP, ACCESS_ADMIN, BODY, app_put_route, "application.update"},
    {METHOD_PATCH, APP, ACCESS_ADMIN, BODY, app_patch_route, "application.patch"},
    {METHOD_DELETE, APP, ACCESS_ADMIN, 0, app_delete_route, "application.delete"},

    {METHOD_GET, APP "/endpoint", ACCESS_READ, 0, endpoint_list_route, "endpoint.list"},
    {METHOD_POST, APP "/endpoint", ACCESS_APP, BODY, endpoint_create_route, "endpoint.create"},
    {METHOD_GET, ENDPOINT, ACCESS_READ, 0, endpoint_get_route, "endpoint.get"},
    {METHOD_PUT, ENDPOINT, ACCESS_APP, BODY, endpoint_put_route, "endpoint.update"},
    {METHOD_PATCH, ENDPOINT, ACCESS_APP, BODY, endpoint_patch_route, "endpoint.patch"},
    {METHOD_DELETE, ENDPOINT, ACCESS_APP, 0, endpoint_delete_route, "endpoint.delete"},
    {METHOD_GET, ENDPOINT "/secret", ACCESS_APP_SECRET_VIEW, 0, endpoint_secret_get_route,
     "endpoint.get_secret"},
    {METHOD_POST, ENDPOINT "/secret/rotate", ACCESS_APP_SECRET, BODY, endpoint_secret_rotate_route,
     "endpoint.rotate_secret"},
    {METHOD_GET, ENDPOINT "/headers", ACCESS_READ, 0, endpoint_header_get_route,
     "endpoint.get_headers"},
    {METHOD_PUT, ENDPOINT "/headers", ACCESS_APP, BODY, endpoint_header_put_route,
     "endpoint.update_headers"},
    {METHOD_PATCH, ENDPOINT "/headers", ACCESS_APP, BODY, endpoint_header_patch_route,
     "endpoint.patch_headers"},
    {METHOD_GET, ENDPOINT "/authentication", ACCESS_READ, 0, endpoint_auth_get_route,
     "endpoint.get_authentication"},
    {METHOD_PUT, ENDPOINT "/authentication", ACCESS_APP, BODY, endpoint_auth_put_route,
     "endpoint.update_authentication"},
    {METHOD_DELETE, ENDPOINT "/authentication", ACCESS_APP, 0, endpoint_auth_delete_route,
     "endpoint.delete_authentication"},
    {METHOD_GET, ENDPOINT "/tls", ACCESS_READ, 0, endpoint_tls_get_route, "endpoint.get_tls"},
    {METHOD_PUT, ENDPOINT "/tls", ACCESS_APP, BODY, endpoint_tls_put_route, "endpoint.update_tls"},
    {METHOD_DELETE, ENDPOINT "/tls", ACCESS_APP, 0, endpoint_tls_delete_route,
     "endpoint.delete_tls"},
    {METHOD_POST, ENDPOINT "/enable", ACCESS_APP, BODY, endpoint_enable_route, "endpoint.enable"},
    {METHOD_POST, ENDPOINT "/recover", ACCESS_APP_ATTEMPT, BODY, recover_create_route,
     "endpoint.recover"},
    {METHOD_POST, ENDPOINT "/replay-missing", ACCESS_APP_ATTEMPT, BODY, replay_missing_route,
     "endpoint.replay_missing"},
    {METHOD_POST, ENDPOINT "/bulk-replay", ACCESS_APP_ATTEMPT, BODY, replay_bulk_route,
     "endpoint.bulk_replay"},
    {METHOD_POST, ENDPOINT "/send-example", ACCESS_APP_ATTEMPT, BODY, example_send_route,
     "endpoint.send_example"},
    {METHOD_GET, ENDPOINT "/transformation", ACCESS_READ, 0, transformation_get_route,
     "endpoint.get_transformation"},
    {METHOD_PATCH, ENDPOINT "/transformation", ACCESS_APP_TRANSFORMATION, BODY,
     transformation_patch_route, "endpoint.patch_transformation"},
    {METHOD_GET, ENDPOINT "/stats", ACCESS_READ, 0, stats_get_route, "endpoint.get_stats"},
    {METHOD_GET, ENDPOINT "/attempt-stats", ACCESS_READ, 0, stats_get_attempts_route,
     "endpoint.get_attempt_stats"},

    {METHOD_GET, API "/event-type", ACCESS_READ_TYPES, 0, event_type_list_route, "event_type.list"},
    {METHOD_POST, API "/event-type", ACCESS_ADMIN, BODY, event_type_create_route,
     "event_type.create"},
    {METHOD_GET, API "/event-type/{name}", ACCESS_READ_TYPES, 0, event_type_get_route,
     "event_type.get"},
    {METHOD_PUT, API "/event-type/{name}", ACCESS_ADMIN, BODY, event_type_put_route,
     "event_type.update"},
    {METHOD_PATCH, API "/event-type/{name}", ACCESS_ADMIN, BODY, event_type_patch_route,
     "event_type.patch"},
    {METHOD_DELETE, API "/event-type/{name}", ACCESS_ADMIN, 0, event_type_delete_route,
     "event_type.delete"},

    {METHOD_GET, APP "/msg", ACCESS_READ, 0, message_list_route, "message.list"},
    {METHOD_GET, MESSAGE, ACCESS_READ, 0, message_get_route, "message.get"},
    {METHOD_POST, APP "/msg/precheck/active", ACCESS_INGEST, BODY, message_precheck_route,
     "message.precheck"},
    {METHOD_POST, APP "/msg/bulk-expunge", ACCESS_ADMIN, BODY, expunge_several_route,
     "message.bulk_expunge_content"},
    {METHOD_POST, APP "/msg/expunge-all-contents", ACCESS_ADMIN, BODY, expunge_all_route,
     "message.expunge_all_contents"},
    {METHOD_DELETE, MESSAGE "/content", ACCESS_ADMIN, 0, expunge_message_route,
     "message.expunge_content"},

    {METHOD_GET, APP "/attempt/endpoint/{endpoint}", ACCESS_READ, 0, attempt_list_of_endpoint_route,
     "message_attempt.list_by_endpoint"},
    {METHOD_GET, APP "/attempt/msg/{msg}", ACCESS_READ, 0, attempt_list_of_message_route,
     "message_attempt.list_by_msg"},
    {METHOD_GET, MESSAGE "/attempt/{attempt}", ACCESS_READ, 0, attempt_get_route,
     "message_attempt.get"},
    {METHOD_DELETE, MESSAGE "/attempt/{attempt}/content", ACCESS_ADMIN, 0, expunge_attempt_route,
     "message_attempt.expunge_content"},
    {METHOD_GET, ENDPOINT "/msg", ACCESS_READ, 0, attempt_messages_of_endpoint_route,
     "message_attempt.list_attempted_messages"},
    {METHOD_GET, MESSAGE "/endpoint", ACCESS_READ, 0, attempt_endpoints_of_message_route,
     "message_attempt.list_attempted_destinations"},
    {METHOD_GET, MESSAGE "/endpoint/{endpoint}", ACCESS_READ, 0, attempt_delivery_get_route,
     "delivery.get"},
    {METHOD_GET, MESSAGE "/endpoint/{endpoint}/explain", ACCESS_READ, 0, explain_get_route,
     "delivery.explain"},
    {METHOD_POST, MESSAGE "/endpoint/{endpoint}/resend", ACCESS_APP_ATTEMPT, BODY,
     resend_create_route, "message_attempt.resend"},

    {METHOD_GET, POLLER, ACCESS_READ, 0, poller_poll_route, "message_poller.poll"},
    {METHOD_GET, POLLER "/consumer/{consumer}", ACCESS_APP_ATTEMPT, 0, poller_consumer_poll_route,
     "message_poller.consumer_poll"},
    {METHOD_POST, POLLER "/consumer/{consumer}/seek", ACCESS_APP_ATTEMPT, BODY,
     poller_consumer_seek_route, "message_poller.consumer_seek"},

    {METHOD_GET, APP "/dead-letter", ACCESS_READ, 0, dead_letter_list_of_app_route,
     "dead_letter.list_by_application"},
    {METHOD_POST, APP "/dead-letter/replay", ACCESS_APP_ATTEMPT, BODY, dead_letter_replay_app_route,
     "dead_letter.replay_application"},
    {METHOD_POST, APP "/dead-letter/purge", ACCESS_APP, BODY, dead_letter_purge_app_route,
     "dead_letter.purge_application"},
    {METHOD_GET, ENDPOINT "/dead-letter", ACCESS_READ, 0, dead_letter_list_of_endpoint_route,
     "dead_letter.list_by_endpoint"},
    {METHOD_POST, ENDPOINT "/dead-letter/replay", ACCESS_APP_ATTEMPT, BODY,
     dead_letter_replay_endpoint_route, "dead_letter.replay_endpoint"},
    {METHOD_POST, ENDPOINT "/dead-letter/purge", ACCESS_APP, BODY, dead_letter_purge_endpoint_route,
     "dead_letter.purge_endpoint"},
    {METHOD_GET, ENDPOINT "/dead-letter/{msg}", ACCESS_READ, 0, dead_letter_get_route,
     "dead_letter.get"},
    {METHOD_POST, ENDPOINT "/dead-letter/{msg}/replay", ACCESS_APP_ATTEMPT, BODY,
     dead_letter_replay_route, "dead_letter.replay"},
    {METHOD_DELETE, ENDPOINT "/dead-letter/{msg}", ACCESS_APP, 0, dead_letter_discard_route,
     "dead_letter.discard"},

    {METHOD_POST, API "/event-type/import/openapi", ACCESS_ADMIN, IMPORT_BODY_MAX,
     openapi_import_route, "event_type.import_openapi"},

    {METHOD_POST, API "/stats/usage/app", ACCESS_ADMIN, BODY, usage_app_route,
     "statistics.aggregate_app_stats"},
    {METHOD_PUT, API "/stats/usage/event-types", ACCESS_ADMIN, BODY, usage_event_type_route,
     "statistics.aggregate_event_types"},

    {METHOD_POST, API "/environment/export", ACCESS_ADMIN, BODY, environment_export_route,
     "environment.export"},
    {METHOD_POST, API "/environment/import", ACCESS_ADMIN, IMPORT_BODY_MAX,
     environment_import_route, "environment.import_"},

    {METHOD_GET, API "/background-task", ACCESS_READ, 0, task_list_route, "background_task.list"},
    {METHOD_GET, API "/background-task/{task}", ACCESS_READ, 0, task_get_route,
     "background_task.get"},

    {METHOD_GET, OPERATIONAL, ACCESS_ADMIN, 0, endpoint_list_route,
     "operational_webhook_endpoint.list"},
    {METHOD_POST, OPERATIONAL, ACCESS_ADMIN, BODY, endpoint_create_route,
     "operational_webhook_endpoint.create"},
    {METHOD_GET, OPERATIONAL "/{endpoint}", ACCESS_ADMIN, 0, endpoint_get_route,
     "operational_webhook_endpoint.get"},
    {METHOD_PUT, OPERATIONAL "/{endpoint}", ACCESS_ADMIN, BODY, endpoint_put_route,
     "operational_webhook_endpoint.update"},
    {METHOD_DELETE, OPERATIONAL "/{endpoint}", ACCESS_ADMIN, 0, endpoint_delete_route,
     "operational_webhook_endpoint.delete"},
    {METHOD_GET, OPERATIONAL "/{endpoint}/secret", ACCESS_ADMIN, 0, endpoint_secret_get_route,
     "operational_webhook_endpoint.get_secret"},
    {METHOD_POST, OPERATIONAL "/{endpoint}/secret/rotate", ACCESS_ADMIN, BODY,
     endpoint_secret_rotate_route, "operational_webhook_endpoint.rotate_secret"},
    {METHOD_GET, OPERATIONAL "/{endpoint}/headers", ACCESS_ADMIN, 0, endpoint_header_get_route,
     "operational_webhook_endpoint.get_headers"},
    {METHOD_PUT, OPERATIONAL "/{endpoint}/headers", ACCESS_ADMIN, BODY, endpoint_header_put_route,
     "operational_webhook_endpoint.update_headers"},

    {METHOD_POST, API "/auth/app-portal-access/{app}", ACCESS_ADMIN, BODY, portal_access_route,
     "authentication.app_portal_access"},
    {METHOD_POST, API "/auth/dashboard-access/{app}", ACCESS_ADMIN, BODY, portal_access_route,
     "authentication.dashboard_access"},
    {METHOD_POST, API "/auth/logout", ACCESS_APP_ANY, BODY, portal_logout_route,
     "authentication.logout"},
    {METHOD_POST, API "/auth/app/{app}/expire-all", ACCESS_ADMIN, BODY, portal_expire_route,
     "authentication.expire_all"},

    {METHOD_GET, API "/key", ACCESS_ADMIN, 0, key_list_route, "key.list"},
    {METHOD_POST, API "/key", ACCESS_ADMIN, BODY, key_create_route, "key.create"},
    {METHOD_DELETE, API "/key/{key}", ACCESS_ADMIN, 0, key_revoke_route, "key.revoke"},

    {METHOD_GET, API "/health", ACCESS_PUBLIC, 0, health_get_route, "health.get"},
    {METHOD_GET, API "/health/ping", ACCESS_PUBLIC, 0, health_get_route, "health.ping"},
    {METHOD_GET, "/metrics", ACCESS_PUBLIC, 0, metrics_get_route, "metrics.get"},
    {METHOD_GET, "/openapi.json", ACCESS_PUBLIC, 0, openapi_get_route, "openapi.get"},
    {METHOD_GET, "/docs", ACCESS_PUBLIC, 0, openapi_page_get_route, "openapi.page"},
};

struct route_table routes_all(void)
{
    return (struct route_table){.routes = routes, .count = sizeof routes / sizeof *routes};
}
