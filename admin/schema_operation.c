/* One row an operation, in the order of the route tables. A route without a row is described by its
 * path and scope alone; a test asks for the rows. */
#include "admin/schema_operation.h"

#include "admin/schemas.h"
#include "admin/task.h"
#include "base/bounds.h"
#include "http/page_params.h"

/* ---- query parameters ---- */

static const struct schema limit = {
    .kind = SCHEMA_INTEGER, .min = 1, .max = PAGE_MAX, .example = "50"};
static const char *order_choice(unsigned i)
{
    static const char *const names[] = {"ascending", "descending"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}
static const struct schema order = {.kind = SCHEMA_CHOICE, .choice = order_choice};

#define ITERATOR(prefix)                                                            \
    {                                                                               \
        .kind = SCHEMA_TEXT, .pattern = "^(-?" prefix "[0-9A-Z][0-9A-Za-z]{26})?$", \
        .example = "\"" prefix "2bjkzYgDPCTwDCZ1nQbWSUqqYVy\""                      \
    }
static const struct schema app_iterator = ITERATOR(ID_APP);
static const struct schema endpoint_iterator = ITERATOR(ID_ENDPOINT);
static const struct schema message_iterator = ITERATOR(ID_MESSAGE);
static const struct schema attempt_iterator = ITERATOR(ID_ATTEMPT);
static const struct schema task_iterator = ITERATOR(ID_TASK);
static const struct schema name_iterator = {
    .kind = SCHEMA_TEXT, .max = NAME_MAX_LEN, .example = "\"order.placed\""};
static const struct schema place_iterator = {.kind = SCHEMA_TEXT,
                                             .max = 2 * ID_MAX + 1,
                                             .example = "\"" ID_MESSAGE
                                                        "2bjkzYgDPCTwDCZ1nQbWSUqqYVy." ID_ENDPOINT
                                                        "2bjkzYgDPCTwDCZ1nQbWSUqqYVy\""};
static const struct schema event_types = {
    .kind = SCHEMA_LIST, .max = ENDPOINT_FILTERS_MAX, .item = &schema_event_type_name};
static const struct schema event_types_one = {
    .kind = SCHEMA_LIST, .max = 1, .item = &schema_event_type_name};
_Static_assert(PAGE_DEFAULT == 50, "the text names the number");

#define PAGE_QUERY(iterator)                                                                    \
    FIELD_MAY("limit", limit, "Rows of the page; 50 unless said otherwise."),                   \
        FIELD_MAY("iterator", iterator,                                                         \
                  "`iterator` or `prevIterator` of a page: continues after it, or before it."), \
        FIELD_MAY("order", order, "By time of creation.")
#define TIMES_QUERY                                          \
    FIELD_MAY("before", schema_time, "Only what is older."), \
        FIELD_MAY("after", schema_time, "Only what is newer; alone: the oldest page of that.")
#define CONTENT_QUERY \
    FIELD_MAY("with_content", schema_boolean, "false leaves payloads and responses out.")
#define MESSAGE_QUERY                                                              \
    FIELD_MAY("event_types", event_types, "Only these; repeated or with commas."), \
        FIELD_MAY("channel", schema_text, "Only of this channel."),                \
        FIELD_MAY("tag", schema_text, "Only with this tag.")
#define EXPANDED_QUERY                             \
    FIELD_MAY("expanded_statuses", schema_boolean, \
              "Whether the client knows status 4, canceled; without it, what its SDK knows.")
#define STATUS_QUERY FIELD_MAY("status", schema_status, "Only of this status.")
#define DEAD_QUERY                                                \
    FIELD_MAY("since", schema_time, "What died at or after it."), \
        FIELD_MAY("until", schema_time, "What died before it."),  \
        FIELD_MAY("event_types", event_types_one, "Only this one."), CONTENT_QUERY
#define ATTEMPT_QUERY                                                                         \
    PAGE_QUERY(attempt_iterator), TIMES_QUERY, MESSAGE_QUERY, CONTENT_QUERY, STATUS_QUERY,    \
        FIELD_MAY("status_code_class", schema_status_class, "Only responses of this class."), \
        FIELD_MAY("with_msg", schema_boolean, "true adds each attempt's message."), EXPANDED_QUERY

static const struct schema_field app_list_query[] = {
    PAGE_QUERY(app_iterator),
    FIELD_MAY("exclude_apps_with_no_endpoints", schema_boolean, "true leaves them out."),
    FIELD_MAY("exclude_apps_with_disabled_endpoints", schema_boolean,
              "true leaves those out that have none but disabled ones."),
    FIELD_MAY("exclude_apps_with_svix_play_endpoints", schema_boolean,
              "true leaves those out that have none but ones at Svix Play."),
    FIELD_END};
static const struct schema_field app_create_query[] = {
    FIELD_MAY("get_if_exists", schema_boolean, "true answers with the one that has this uid."),
    FIELD_END,
};
static const struct schema_field endpoint_list_query[] = {PAGE_QUERY(endpoint_iterator), FIELD_END};
static const struct schema_field event_type_list_query[] = {
    PAGE_QUERY(name_iterator),
    FIELD_MAY("include_archived", schema_boolean, "true shows archived ones, too."),
    FIELD_MAY("with_content", schema_boolean, "true shows their schemas."),
    FIELD_END,
};
static const struct schema_field event_type_delete_query[] = {
    FIELD_MAY("expunge", schema_boolean, "true deletes it; otherwise it is archived."),
    FIELD_END,
};
static const struct schema_field message_create_query[] = {CONTENT_QUERY, FIELD_END};
static const struct schema_field message_list_query[] = {PAGE_QUERY(message_iterator), TIMES_QUERY,
                                                         MESSAGE_QUERY, CONTENT_QUERY, FIELD_END};
static const struct schema_field attempts_of_endpoint_query[] = {ATTEMPT_QUERY, FIELD_END};
static const struct schema_field attempts_of_message_query[] = {
    ATTEMPT_QUERY, FIELD_MAY("endpoint_id", schema_endpoint_ref, NULL), FIELD_END};
static const struct schema_field attempt_get_query[] = {EXPANDED_QUERY, FIELD_END};
static const struct schema_field messages_of_endpoint_query[] = {PAGE_QUERY(message_iterator),
                                                                 TIMES_QUERY,
                                                                 MESSAGE_QUERY,
                                                                 CONTENT_QUERY,
                                                                 STATUS_QUERY,
                                                                 EXPANDED_QUERY,
                                                                 FIELD_END};
static const struct schema_field endpoints_of_message_query[] = {PAGE_QUERY(endpoint_iterator),
                                                                 EXPANDED_QUERY, FIELD_END};
static const struct schema_field dead_of_app_query[] = {
    FIELD_MAY("limit", limit, "Rows of the page; 50 unless said otherwise."),
    FIELD_MAY("iterator", place_iterator, "`iterator` of the page before."), DEAD_QUERY, FIELD_END};
static const struct schema_field dead_of_endpoint_query[] = {PAGE_QUERY(message_iterator),
                                                             DEAD_QUERY, FIELD_END};

static const struct schema poll_iterator = {
    .kind = SCHEMA_TEXT,
    .pattern = "^(" ID_MESSAGE "[0-9A-Za][0-9A-Za-z]{26})?$",
    .example = "\"" ID_MESSAGE "2bjkzYgDPCTwDCZ1nQbWSUqqYVy\""};
static const struct schema poll_wait = {
    .kind = SCHEMA_INTEGER, .max = POLL_WAIT_MAX_S, .example = "20"};
#define POLL_QUERY                                                                             \
    FIELD_MAY("limit", limit, "Messages of the page; 50 unless said otherwise."),              \
        FIELD_MAY("event_type", schema_event_type_name, "Only of this event type."),           \
        FIELD_MAY("channel", schema_text, "Only of this channel."),                            \
        FIELD_MAY("wait", poll_wait, "Seconds to wait for a message when there is none yet."), \
        FIELD_MAY("iterator", poll_iterator,                                                   \
                  "`iterator` of the page before; of a consumer it says that this page is done.")
static const struct schema_field poll_query[] = {
    POLL_QUERY, FIELD_MAY("after", schema_time, "Only what is newer."), FIELD_END};
static const struct schema_field consumer_poll_query[] = {POLL_QUERY, FIELD_END};

static const struct schema_field stats_query[] = {
    FIELD_MAY("since", schema_time, "From this hour on; 28 days before `until` otherwise."),
    FIELD_MAY("until", schema_time, "Up to this hour, with it; now otherwise."), FIELD_END};
static const struct schema task_kind = {.kind = SCHEMA_CHOICE, .choice = task_kind_name};
static const struct schema task_status = {.kind = SCHEMA_CHOICE, .choice = task_status_name};
static const struct schema_field task_list_query[] = {
    PAGE_QUERY(task_iterator), FIELD_MAY("task", task_kind, "Only of this kind."),
    FIELD_MAY("status", task_status, "Only of this status."), FIELD_END};

/* ---- operations ---- */

static const struct schema task_or_nothing = {.kind = SCHEMA_EITHER,
                                              .about = "A task; `{}` when the messages were named.",
                                              .item = &schema_task_out,
                                              .other = &schema_empty};

static const struct operation operations[] = {
    {"message.create", "Accepts an event; answers once it is on disk.", &schema_message_in,
     &schema_message_or_batch_out, 202, 0, message_create_query,
     OPERATION_CLOUD_EVENT | OPERATION_CLOUD_EVENTS},
    {"message.create_batch", "Accepts many events, each with a result of its own.",
     &schema_batch_in, &schema_batch_out, 202, 0, NULL, OPERATION_CLOUD_EVENTS},

    {"application.list", "Lists applications.", NULL, &schema_app_out, 200, 0, app_list_query,
     OPERATION_PAGE},
    {"application.create", "Makes an application.", &schema_app_in, &schema_app_out, 201, 200,
     app_create_query, 0},
    {"application.get", "Shows an application.", NULL, &schema_app_out, 200, 0, NULL, 0},
    {"application.update", "Replaces an application, or makes it under the uid in the path.",
     &schema_app_in, &schema_app_out, 200, 201, NULL, 0},
    {"application.patch", "Changes some fields of an application.", &schema_app_patch,
     &schema_app_out, 200, 0, NULL, 0},
    {"application.delete", "Deletes an application with all that it has.", NULL, NULL, 204, 0, NULL,
     0},

    {"endpoint.list", "Lists endpoints.", NULL, &schema_endpoint_out, 200, 0, endpoint_list_query,
     OPERATION_PAGE},
    {"endpoint.create", "Makes an endpoint.", &schema_endpoint_in, &schema_endpoint_out, 201, 0,
     NULL, 0},
    {"endpoint.get", "Shows an endpoint.", NULL, &schema_endpoint_out, 200, 0, NULL, 0},
    {"endpoint.update",
     "Replaces an endpoint but for its secret and headers, or makes it under the uid in the path.",
     &schema_endpoint_in, &schema_endpoint_out, 200, 201, NULL, 0},
    {"endpoint.patch", "Changes some fields of an endpoint.", &schema_endpoint_patch,
     &schema_endpoint_out, 200, 0, NULL, 0},
    {"endpoint.delete", "Deletes an endpoint and cancels its deliveries.", NULL, NULL, 204, 0, NULL,
     0},
    {"endpoint.get_secret", "Shows the signing secret.", NULL, &schema_endpoint_secret_out, 200, 0,
     NULL, 0},
    {"endpoint.rotate_secret", "Changes the signing secret; the old one signs on for a while.",
     &schema_endpoint_secret_rotate_in, &schema_endpoint_secret_out, 200, 204, NULL,
     OPERATION_BODY_OPTIONAL},
    {"endpoint.get_headers", "Shows the headers that are sent with every attempt.", NULL,
     &schema_endpoint_headers_out, 200, 0, NULL, 0},
    {"endpoint.update_headers", "Replaces the headers.", &schema_endpoint_headers_in, NULL, 204, 0,
     NULL, 0},
    {"endpoint.patch_headers", "Changes some headers.", &schema_endpoint_headers_patch, NULL, 204,
     0, NULL, 0},
    {"endpoint.get_authentication", "Shows how attempts authenticate, without the secret.", NULL,
     &schema_endpoint_auth_out, 200, 0, NULL, 0},
    {"endpoint.update_authentication", "Sets how attempts authenticate.", &schema_endpoint_auth_in,
     NULL, 204, 0, NULL, 0},
    {"endpoint.delete_authentication", "Lets attempts authenticate no more.", NULL, NULL, 204, 0,
     NULL, 0},
    {"endpoint.get_tls", "Shows the endpoint's certificates and when they end, without the key.",
     NULL, &schema_endpoint_tls_out, 200, 0, NULL, 0},
    {"endpoint.update_tls",
     "Sets the authorities that are trusted and the client certificate that is shown.",
     &schema_endpoint_tls_in, NULL, 204, 0, NULL, 0},
    {"endpoint.delete_tls", "Takes the endpoint's certificates away.", NULL, NULL, 204, 0, NULL, 0},
    {"endpoint.enable",
     "Enables an endpoint, closes its breaker and replays what died since it failed.",
     &schema_endpoint_enable_in, &schema_task_out, 202, 0, NULL, 0},
    {"endpoint.recover", "Sends once more what failed for good since a moment.", &schema_recover_in,
     &schema_task_out, 202, 0, NULL, 0},
    {"endpoint.send_example", "Sends an example of an event to this endpoint alone.",
     &schema_example_in, &schema_message_out, 202, 0, NULL, 0},
    {"endpoint.get_transformation", "Shows that payloads are sent as they came.", NULL,
     &schema_transformation_out, 200, 0, NULL, 0},
    {"endpoint.patch_transformation", "Takes back a transformation; making one is not built yet.",
     &schema_transformation_patch, NULL, 204, 0, NULL, 0},
    {"endpoint.get_stats",
     "Counts an endpoint's messages of a window by what became of them, in whole hours.", NULL,
     &schema_endpoint_stats, 200, 0, stats_query, 0},
    {"endpoint.get_attempt_stats",
     "Counts an endpoint's attempts of a window by how they ended, in whole hours.", NULL,
     &schema_endpoint_attempt_stats, 200, 0, stats_query, 0},
    {"endpoint.replay_missing", "Sends messages that the endpoint takes and never got.",
     &schema_recover_in, &schema_task_out, 202, 0, NULL, 0},
    {"endpoint.bulk_replay", "Sends messages to the endpoint once more.", &schema_bulk_replay_in,
     &schema_task_out, 202, 0, NULL, 0},

    {"event_type.list", "Lists event types by name.", NULL, &schema_event_type_out, 200, 0,
     event_type_list_query, OPERATION_PAGE},
    {"event_type.create", "Makes an event type, or takes an archived one back.",
     &schema_event_type_in, &schema_event_type_out, 201, 0, NULL, 0},
    {"event_type.get", "Shows an event type.", NULL, &schema_event_type_out, 200, 0, NULL, 0},
    {"event_type.update", "Replaces an event type, or makes it.", &schema_event_type_update,
     &schema_event_type_out, 200, 201, NULL, 0},
    {"event_type.patch", "Changes some fields of an event type.", &schema_event_type_patch,
     &schema_event_type_out, 200, 0, NULL, 0},
    {"event_type.delete", "Archives or deletes an event type.", NULL, NULL, 204, 0,
     event_type_delete_query, 0},

    {"message.list", "Lists messages, the newest first.", NULL, &schema_message_out, 200, 0,
     message_list_query, OPERATION_PAGE},
    {"message.get", "Shows a message.", NULL, &schema_message_out, 200, 0, message_create_query, 0},
    {"message.expunge_content", "Deletes a message's payload.", NULL, NULL, 204, 0, NULL, 0},

    {"message.precheck", "Tells whether any endpoint would get such a message.",
     &schema_precheck_in, &schema_precheck_out, 200, 0, NULL, 0},
    {"message.bulk_expunge_content", "Deletes the payloads of some messages.",
     &schema_bulk_expunge_in, &schema_bulk_expunge_out, 200, 0, NULL, 0},
    {"message.expunge_all_contents", "Deletes the payloads of all messages of an application.",
     &schema_empty, &schema_task_out, 202, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"message_attempt.expunge_content", "Deletes the response of an attempt.", NULL, NULL, 204, 0,
     NULL, 0},

    {"message_attempt.list_by_endpoint", "Lists attempts at an endpoint, the newest first.", NULL,
     &schema_attempt_out, 200, 0, attempts_of_endpoint_query, OPERATION_PAGE},
    {"message_attempt.list_by_msg", "Lists attempts of a message, the newest first.", NULL,
     &schema_attempt_out, 200, 0, attempts_of_message_query, OPERATION_PAGE},
    {"message_attempt.get", "Shows an attempt.", NULL, &schema_attempt_out, 200, 0,
     attempt_get_query, 0},
    {"message_attempt.list_attempted_messages",
     "Lists the messages of an endpoint, each with its state there.", NULL,
     &schema_endpoint_message_out, 200, 0, messages_of_endpoint_query, OPERATION_PAGE},
    {"message_attempt.list_attempted_destinations",
     "Lists the endpoints of a message, each with the message's state there.", NULL,
     &schema_message_endpoint_out, 200, 0, endpoints_of_message_query, OPERATION_PAGE},
    {"delivery.get", "Tells what happened to a message at an endpoint and what happens next.", NULL,
     &schema_delivery_out, 200, 0, NULL, 0},
    {"delivery.explain",
     "Explains a message at an endpoint: what happened, in order, and what comes next.", NULL,
     &schema_explanation_out, 200, 0, NULL, 0},
    {"message_attempt.resend", "Makes one attempt now.", &schema_empty, &schema_empty, 202, 0, NULL,
     OPERATION_BODY_OPTIONAL},

    {"message_poller.poll", "Reads messages, the oldest first, from where the iterator says.", NULL,
     &schema_poll_out, 200, 0, poll_query, 0},
    {"message_poller.consumer_poll",
     "Reads the messages that this consumer has not yet done with, the oldest first.", NULL,
     &schema_poll_out, 200, 0, consumer_poll_query, 0},
    {"message_poller.consumer_seek", "Sets from where a consumer reads.", &schema_consumer_seek_in,
     &schema_consumer_seek_out, 200, 0, NULL, 0},

    {"dead_letter.list_by_application",
     "Lists an application's dead letters, the newest message first.", NULL,
     &schema_dead_letter_out, 200, 0, dead_of_app_query, OPERATION_PAGE},
    {"dead_letter.replay_application", "Starts the schedule again for dead letters.",
     &schema_dead_letter_replay, &schema_task_out, 202, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"dead_letter.purge_application", "Discards dead letters.", &schema_dead_letter_choice,
     &schema_task_out, 202, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"dead_letter.list_by_endpoint", "Lists an endpoint's dead letters, the newest message first.",
     NULL, &schema_dead_letter_out, 200, 0, dead_of_endpoint_query, OPERATION_PAGE},
    {"dead_letter.replay_endpoint", "Starts the schedule again for dead letters of an endpoint.",
     &schema_dead_letter_replay_of_endpoint, &task_or_nothing, 202, 0, NULL,
     OPERATION_BODY_OPTIONAL},
    {"dead_letter.purge_endpoint", "Discards dead letters of an endpoint.",
     &schema_dead_letter_choice_of_endpoint, &task_or_nothing, 202, 0, NULL,
     OPERATION_BODY_OPTIONAL},
    {"dead_letter.get", "Shows a dead letter with its payload.", NULL, &schema_dead_letter_out, 200,
     0, NULL, 0},
    {"dead_letter.replay", "Starts the schedule again for one dead letter.", &schema_empty,
     &schema_empty, 202, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"dead_letter.discard", "Discards one dead letter.", NULL, NULL, 204, 0, NULL, 0},

    {"event_type.import_openapi", "Makes event types of the webhooks in an OpenAPI description.",
     &schema_openapi_import_in, &schema_openapi_import_out, 200, 0, NULL, 0},
    {"statistics.aggregate_app_stats",
     "Counts deliveries of a window by application, in whole hours; the task's data has them.",
     &schema_usage_in, &schema_usage_out, 202, 0, NULL, 0},
    {"statistics.aggregate_event_types",
     "Collects the event types that each application's endpoints ask for; the task's data has "
     "them.",
     &schema_empty, &schema_usage_types_out, 202, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"environment.export", "Shows the organisation's configuration as one document.", &schema_empty,
     &schema_environment_out, 200, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"environment.import_", "Adds and updates what an exported document names.",
     &schema_environment_in, NULL, 204, 0, NULL, 0},

    {"background_task.list", "Lists tasks, the newest first.", NULL, &schema_task_out, 200, 0,
     task_list_query, OPERATION_PAGE},
    {"background_task.get", "Shows how far a task is.", NULL, &schema_task_out, 200, 0, NULL, 0},

    {"operational_webhook_endpoint.list", "Lists the organisation's operational endpoints.", NULL,
     &schema_endpoint_out, 200, 0, endpoint_list_query, OPERATION_PAGE},
    {"operational_webhook_endpoint.create",
     "Makes an endpoint that is told what happens to endpoints, deliveries and tasks.",
     &schema_operational_in, &schema_endpoint_out, 201, 0, NULL, 0},
    {"operational_webhook_endpoint.get", "Shows an operational endpoint.", NULL,
     &schema_endpoint_out, 200, 0, NULL, 0},
    {"operational_webhook_endpoint.update",
     "Replaces an operational endpoint but for its secret and headers, or makes it.",
     &schema_operational_in, &schema_endpoint_out, 200, 201, NULL, 0},
    {"operational_webhook_endpoint.delete", "Deletes an operational endpoint.", NULL, NULL, 204, 0,
     NULL, 0},
    {"operational_webhook_endpoint.get_secret", "Shows its signing secret.", NULL,
     &schema_endpoint_secret_out, 200, 0, NULL, 0},
    {"operational_webhook_endpoint.rotate_secret",
     "Changes its signing secret; the old one signs on for a while.",
     &schema_endpoint_secret_rotate_in, NULL, 204, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"operational_webhook_endpoint.get_headers", "Shows the headers that are sent to it.", NULL,
     &schema_endpoint_headers_out, 200, 0, NULL, 0},
    {"operational_webhook_endpoint.update_headers", "Replaces the headers that are sent to it.",
     &schema_endpoint_headers_in, NULL, 204, 0, NULL, 0},

    {"operational_webhook_endpoint.get_authentication",
     "Shows how attempts there authenticate, without the secret.", NULL, &schema_endpoint_auth_out,
     200, 0, NULL, 0},
    {"operational_webhook_endpoint.update_authentication", "Sets how attempts there authenticate.",
     &schema_endpoint_auth_in, NULL, 204, 0, NULL, 0},
    {"operational_webhook_endpoint.delete_authentication",
     "Lets attempts there authenticate no more.", NULL, NULL, 204, 0, NULL, 0},
    {"operational_webhook_endpoint.get_tls",
     "Shows its certificates and when they end, without the key.", NULL, &schema_endpoint_tls_out,
     200, 0, NULL, 0},
    {"operational_webhook_endpoint.update_tls",
     "Sets the authorities that are trusted and the client certificate that is shown.",
     &schema_endpoint_tls_in, NULL, 204, 0, NULL, 0},
    {"operational_webhook_endpoint.delete_tls", "Takes its certificates away.", NULL, NULL, 204, 0,
     NULL, 0},

    {"authentication.app_portal_access", "Makes a token for the portal of an application.",
     &schema_portal_access_in, &schema_portal_access_out, 200, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"authentication.dashboard_access", "The same under its older name.", &schema_portal_access_in,
     &schema_portal_access_out, 200, 0, NULL, OPERATION_BODY_OPTIONAL},
    {"authentication.logout", "Ends the portal token that it comes with.", &schema_empty, NULL, 204,
     0, NULL, OPERATION_BODY_OPTIONAL},
    {"authentication.expire_all", "Ends portal tokens of an application.", &schema_portal_expire_in,
     NULL, 204, 0, NULL, OPERATION_BODY_OPTIONAL},

    {"key.list", "Lists the organisation's keys, without their tokens.", NULL, &schema_key_out, 200,
     0, NULL, OPERATION_PAGE},
    {"key.create", "Makes a key and shows its token, this once.", &schema_key_in, &schema_key_out,
     201, 0, NULL, 0},
    {"key.revoke", "Ends a key.", NULL, NULL, 204, 0, NULL, 0},

    {"health.get", "Answers as long as the service does.", NULL, NULL, 204, 0, NULL, 0},
    {"health.ping", "The same under the SDKs' other name.", NULL, NULL, 204, 0, NULL, 0},
    {"metrics.get", "Figures in the Prometheus text format.", NULL, &schema_text, 200, 0, NULL,
     OPERATION_TEXT},
    {"openapi.get", "This description.", NULL, &schema_object, 200, 0, NULL, 0},
    {"openapi.page", "This description for people.", NULL, &schema_text, 200, 0, NULL,
     OPERATION_HTML},
};

const struct operation_body *schema_other_bodies(const struct operation *op)
{
    static const struct operation_body bodies[] = {
        {"application/cloudevents+json", &schema_cloud_event},
        {"application/cloudevents-batch+json", &schema_cloud_events},
        {NULL, NULL},
    };
    if (op->marks & OPERATION_CLOUD_EVENT)
        return bodies;
    return op->marks & OPERATION_CLOUD_EVENTS ? bodies + 1 : bodies + 2;
}

const struct operation *schema_operation(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

const struct schema *schema_parameter(struct span name)
{
    static const struct {
        const char *name;
        const struct schema *schema;
    } parameters[] = {
        {"app", &schema_app_ref},           {"endpoint", &schema_endpoint_ref},
        {"msg", &schema_message_ref},       {"attempt", &schema_attempt_id},
        {"task", &schema_task_id},          {"key", &schema_key_id},
        {"name", &schema_event_type_name},  {"sink", &schema_poller_ref},
        {"consumer", &schema_consumer_ref},
    };
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (span_is(name, parameters[i].name))
            return parameters[i].schema;
    return &schema_text;
}
