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
#define FIELD_END                 \
    {                             \
        NULL, NULL, 0, NULL, NULL \
    }

/* schema_common.c */
extern const struct schema schema_boolean, schema_time, schema_count, schema_text, schema_object;
extern const struct schema schema_app_id, schema_endpoint_id, schema_message_id, schema_attempt_id,
    schema_task_id, schema_key_id;
extern const struct schema schema_app_ref, schema_endpoint_ref, schema_message_ref;
extern const struct schema schema_event_type_name, schema_channel, schema_tag, schema_description;
extern const struct schema schema_metadata, schema_headers;
extern const struct schema schema_error, schema_validation_error, schema_finding, schema_empty;

/* schema_app.c: applications, keys, event types, tasks */
extern const struct schema schema_app_in, schema_app_patch, schema_app_out;
extern const struct schema schema_key_in, schema_key_out;
extern const struct schema schema_event_type_in, schema_event_type_update, schema_event_type_patch,
    schema_event_type_out;
extern const struct schema schema_task_out;

extern const struct schema schema_portal_access_in, schema_portal_access_out,
    schema_portal_expire_in;

/* schema_endpoint.c */
extern const struct schema schema_endpoint_in, schema_endpoint_patch, schema_endpoint_out;
extern const struct schema schema_operational_in;
extern const struct schema schema_endpoint_headers_in, schema_endpoint_headers_patch,
    schema_endpoint_headers_out;
extern const struct schema schema_endpoint_secret_out, schema_endpoint_secret_rotate_in;
extern const struct schema schema_recover_in, schema_bulk_replay_in;
extern const struct schema schema_endpoint_stats, schema_endpoint_attempt_stats;

/* schema_message.c */
extern const struct schema schema_message_in, schema_message_out;
extern const struct schema schema_batch_in, schema_batch_out;
extern const struct schema schema_message_event_id, schema_message_payload, schema_message_channels,
    schema_message_tags;

/* What a message shows wherever it appears. */
#define SCHEMA_MESSAGE_OUT_FIELDS                                                  \
    FIELD_MUST("id", schema_message_id, NULL),                                     \
        FIELD_MUST_NULL("eventId", schema_message_event_id, NULL),                 \
        FIELD_MUST("eventType", schema_event_type_name, NULL),                     \
        FIELD_MUST("payload", schema_message_payload, NULL),                       \
        FIELD_MUST_NULL("channels", schema_message_channels, NULL),                \
        FIELD_MUST_NULL("tags", schema_message_tags, NULL),                        \
        FIELD_MUST("timestamp", schema_time, NULL),                                \
    {                                                                              \
        "deliverAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null" \
    }

/* schema_delivery.c: attempts, deliveries, dead letters */
extern const struct schema schema_status, schema_status_text, schema_status_class;
extern const struct schema schema_attempt_out, schema_endpoint_message_out,
    schema_message_endpoint_out, schema_delivery_out;
extern const struct schema schema_dead_letter_out, schema_dead_letter_choice,
    schema_dead_letter_choice_of_endpoint;

#endif
