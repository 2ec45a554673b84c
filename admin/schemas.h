/* The shapes of the API, by the names of the SDKs' models where they have one. */
#ifndef ADMIN_SCHEMAS_H
#define ADMIN_SCHEMAS_H

#include "admin/schema.h"

/* Rows of a table of fields: what must be there, what may, and what may also be null. */
#define FIELD_MUST(name, type, about)               \
    {                                               \
        name, &(type), SCHEMA_REQUIRED, about, NULL \
    }
#define FIELD_MUST_NULL(name, type, about)                            \
    {                                                                 \
        name, &(type), SCHEMA_REQUIRED | SCHEMA_NULLABLE, about, NULL \
    }
#define FIELD_MAY(name, type, about)  \
    {                                 \
        name, &(type), 0, about, NULL \
    }
#define FIELD_MAY_NULL(name, type, about)           \
    {                                               \
        name, &(type), SCHEMA_NULLABLE, about, NULL \
    }
#define FIELD_RARE_NULL(name, type, about)                        \
    {                                                             \
        name, &(type), SCHEMA_NULLABLE | SCHEMA_RARE, about, NULL \
    }
#define FIELD_RATE_IN                                  \
    FIELD_MAY_NULL("throttleRate", schema_rate, NULL), \
        FIELD_RARE_NULL("rateLimit", schema_rate, "`throttleRate` under its older name.")
#define FIELD_RATE_OUT                                                                \
    {"rateLimit", &schema_rate, SCHEMA_REQUIRED | SCHEMA_NULLABLE,                    \
     "`throttleRate` under its older name.", "null"},                                 \
    {                                                                                 \
        "throttleRate", &schema_rate, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null" \
    }
#define FIELD_END                 \
    {                             \
        NULL, NULL, 0, NULL, NULL \
    }

#define FIELD_ATTEMPTS_IN                                                                 \
    FIELD_RARE_NULL("paused", schema_boolean, "What it gets waits until it is resumed."), \
        FIELD_RARE_NULL("retryPolicy", schema_retry_policy, NULL),                        \
        FIELD_RARE_NULL("attemptTimeout", schema_attempt_timeout, NULL),                  \
        FIELD_RARE_NULL("maxInFlight", schema_max_in_flight, NULL),                       \
        FIELD_RARE_NULL("freshShare", schema_fresh_share, NULL)
#define FIELD_NONE_OUT(name, type)                                     \
    {                                                                  \
        name, &(type), SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null" \
    }
#define FIELD_ATTEMPTS_OUT                                        \
    FIELD_MUST("paused", schema_boolean, NULL),                   \
        FIELD_NONE_OUT("retryPolicy", schema_retry_policy),       \
        FIELD_NONE_OUT("attemptTimeout", schema_attempt_timeout), \
        FIELD_NONE_OUT("maxInFlight", schema_max_in_flight),      \
        FIELD_NONE_OUT("freshShare", schema_fresh_share)

/* schema_common.c */
extern const struct schema schema_boolean, schema_time, schema_count, schema_text, schema_object;
extern const struct schema schema_app_id, schema_endpoint_id, schema_message_id, schema_attempt_id,
    schema_task_id, schema_key_id;
extern const struct schema schema_app_ref, schema_endpoint_ref, schema_message_ref;
extern const struct schema schema_event_type_name, schema_channel, schema_tag, schema_description;
extern const struct schema schema_metadata, schema_headers, schema_rate;
extern const struct schema schema_error, schema_validation_error, schema_finding, schema_empty;

/* schema_app.c: applications, keys, event types, tasks */
extern const struct schema schema_app_in, schema_app_patch, schema_app_out;
extern const struct schema schema_key_in, schema_key_out;
extern const struct schema schema_event_type_in, schema_event_type_update, schema_event_type_patch,
    schema_event_type_out;
extern const struct schema schema_event_type_group, schema_event_type_flags,
    schema_event_type_schemas;
extern const struct schema schema_task_status, schema_task_out;

/* schema_import.c: usage, environments, OpenAPI */
extern const struct schema schema_usage_in, schema_usage_out, schema_usage_types_out;
extern const struct schema schema_usage_apps, schema_usage_types;
extern const struct schema schema_environment_in, schema_environment_out;
extern const struct schema schema_openapi_import_in, schema_openapi_import_out;

extern const struct schema schema_portal_access_in, schema_portal_access_out,
    schema_portal_expire_in;

/* schema_retry.c */
extern const struct schema schema_retry_policy, schema_attempt_timeout, schema_max_in_flight,
    schema_fresh_share;

/* schema_endpoint.c */
extern const struct schema schema_endpoint_in, schema_endpoint_patch, schema_endpoint_out;
extern const struct schema schema_operational_in;
extern const struct schema schema_endpoint_headers_in, schema_endpoint_headers_patch,
    schema_endpoint_headers_out;
extern const struct schema schema_endpoint_secret_out, schema_endpoint_secret_rotate_in;
extern const struct schema schema_endpoint_enable_in, schema_recover_in, schema_bulk_replay_in;
extern const struct schema schema_endpoint_stats, schema_endpoint_attempt_stats;
extern const struct schema schema_transformation_patch, schema_transformation_out;

/* schema_transport.c */
extern const struct schema schema_endpoint_auth_in, schema_endpoint_auth_out;
extern const struct schema schema_endpoint_tls_in, schema_endpoint_tls_out;

/* schema_message.c */
extern const struct schema schema_message_in, schema_message_out;
extern const struct schema schema_batch_in, schema_batch_out, schema_message_or_batch_out;
extern const struct schema schema_message_event_id, schema_message_payload, schema_message_channels,
    schema_message_tags, schema_message_ordering_key;

/* schema_cloud_event.c */
extern const struct schema schema_cloud_event, schema_cloud_events, schema_cloud_attributes;

/* What a message shows wherever it appears. */
#define SCHEMA_MESSAGE_OUT_FIELDS                                                                  \
    FIELD_MUST("id", schema_message_id, NULL),                                                     \
        FIELD_MUST_NULL("eventId", schema_message_event_id, NULL),                                 \
        FIELD_MUST("eventType", schema_event_type_name, NULL),                                     \
        FIELD_MUST("payload", schema_message_payload, NULL),                                       \
        FIELD_MUST_NULL("channels", schema_message_channels, NULL),                                \
        FIELD_MUST_NULL("tags", schema_message_tags, NULL),                                        \
        FIELD_MUST("timestamp", schema_time, NULL),                                                \
        FIELD_MUST_NULL("orderingKey", schema_message_ordering_key, NULL),                         \
        {"cloudEvent", &schema_cloud_attributes, SCHEMA_RARE, "Of one that came as a CloudEvent.", \
         NULL},                                                                                    \
    {                                                                                              \
        "deliverAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"                 \
    }

extern const struct schema schema_precheck_in, schema_precheck_out;
extern const struct schema schema_bulk_expunge_in, schema_bulk_expunge_out;
extern const struct schema schema_example_in;

/* schema_poller.c */
extern const struct schema schema_poller_ref, schema_consumer_ref;
extern const struct schema schema_poll_out, schema_consumer_seek_in, schema_consumer_seek_out;

/* schema_delivery.c: attempts, deliveries, dead letters */
extern const struct schema schema_status, schema_status_text, schema_status_class;
extern const struct schema schema_attempt_out, schema_endpoint_message_out,
    schema_message_endpoint_out, schema_delivery_out, schema_explanation_out;
extern const struct schema schema_dead_letter_out, schema_dead_letter_choice,
    schema_dead_letter_choice_of_endpoint, schema_dead_letter_replay,
    schema_dead_letter_replay_of_endpoint;

#endif
