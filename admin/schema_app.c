/* Applications, API keys, event types and background tasks. */
#include "admin/schemas.h"

#include "admin/key.h"
#include "admin/portal.h"
#include "base/bounds.h"

/* ---- applications ---- */

static const struct schema app_name = {
    .kind = SCHEMA_TEXT, .min = 1, .max = NAME_MAX_LEN, .example = "\"Shop\""};
static const struct schema app_uid = {
    .kind = SCHEMA_TEXT,
    .about = "Your own identifier, unique in the organisation; serves wherever the id does.",
    .min = 1,
    .max = UID_MAX,
    .pattern = "^(?!" ID_APP ")[a-zA-Z0-9\\-_.]+$",
    .example = "\"shop\""};

static const struct schema_field app_in_fields[] = {
    FIELD_MUST("name", app_name, NULL),
    FIELD_MAY_NULL("uid", app_uid, NULL),
    FIELD_MAY_NULL("metadata", schema_metadata, NULL),
    FIELD_RATE_IN,
    FIELD_END,
};
const struct schema schema_app_in = {
    .kind = SCHEMA_OBJECT, .name = "ApplicationIn", .fields = app_in_fields};

static const struct schema_field app_patch_fields[] = {
    FIELD_MAY("name", app_name, NULL),
    FIELD_MAY_NULL("uid", app_uid, NULL),
    FIELD_MAY_NULL("metadata", schema_metadata, NULL),
    FIELD_RATE_IN,
    FIELD_END,
};
const struct schema schema_app_patch = {.kind = SCHEMA_OBJECT,
                                        .name = "ApplicationPatch",
                                        .about = "What is absent stays, what is null is cleared.",
                                        .fields = app_patch_fields};

static const struct schema_field app_out_fields[] = {
    FIELD_MUST("id", schema_app_id, NULL),
    FIELD_MUST_NULL("uid", app_uid, NULL),
    FIELD_MUST("name", app_name, NULL),
    FIELD_RATE_OUT,
    FIELD_MUST("metadata", schema_metadata, NULL),
    FIELD_MUST("createdAt", schema_time, NULL),
    FIELD_MUST("updatedAt", schema_time, NULL),
    FIELD_END,
};
const struct schema schema_app_out = {
    .kind = SCHEMA_OBJECT, .name = "ApplicationOut", .fields = app_out_fields};

/* ---- keys ---- */

static const char *scope_choice(unsigned i)
{
    return i <= SCOPE_APP ? key_scope_name((enum key_scope)i) : NULL;
}
static const struct schema key_scope = {
    .kind = SCHEMA_CHOICE,
    .name = "KeyScope",
    .about =
        "What a key may do: everything, send messages, read, or what concerns one application.",
    .choice = scope_choice};
static const struct schema key_name = {.kind = SCHEMA_TEXT,
                                       .max = sizeof((struct api_key *)0)->name - 1,
                                       .example = "\"checkout service\""};

static const struct schema_field key_in_fields[] = {
    FIELD_MUST("scope", key_scope, NULL),
    FIELD_MAY_NULL("name", key_name, NULL),
    {"appId", &schema_app_ref, SCHEMA_NULLABLE | SCHEMA_RARE,
     "Id or uid of the application; goes with the scope `app` alone.", NULL},
    {"expiresAt", &schema_time, SCHEMA_NULLABLE | SCHEMA_RARE,
     "In the future; without it the key never expires.", NULL},
    FIELD_END,
};
const struct schema schema_key_in = {
    .kind = SCHEMA_OBJECT, .name = "KeyIn", .fields = key_in_fields};

static const struct schema_field key_out_fields[] = {
    FIELD_MUST("id", schema_key_id, NULL),
    FIELD_MUST("name", key_name, NULL),
    FIELD_MUST("scope", key_scope, NULL),
    {"appId", &schema_app_id, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_MUST("createdAt", schema_time, NULL),
    {"expiresAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    {"token", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "Only in the answer that creates the key; nobody can show it again.",
     "\"sh_q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA\""},
    FIELD_END,
};
const struct schema schema_key_out = {
    .kind = SCHEMA_OBJECT, .name = "KeyOut", .fields = key_out_fields};

/* ---- event types ---- */

const struct schema schema_event_type_group = {.kind = SCHEMA_TEXT,
                                               .about = "Groups event types for people.",
                                               .min = 1,
                                               .max = NAME_MAX_LEN,
                                               .pattern = "^[a-zA-Z0-9\\-_.]+$",
                                               .example = "\"orders\""};
static const struct schema flag = {
    .kind = SCHEMA_TEXT,
    .about = "Shows the type only to application tokens that carry one of its flags.",
    .min = 1,
    .max = NAME_MAX_LEN,
    .pattern = "^[a-zA-Z0-9\\-_.]+$",
    .example = "\"beta\""};
const struct schema schema_event_type_flags = {
    .kind = SCHEMA_LIST, .max = EVENT_TYPE_FLAGS_MAX, .unique = true, .item = &flag};
static const struct schema json_schema = {
    .kind = SCHEMA_EITHER, .item = &schema_object, .other = &schema_boolean};
const struct schema schema_event_type_schemas = {.kind = SCHEMA_MAP,
                                                 .about = "A JSON Schema by version.",
                                                 .item = &json_schema,
                                                 .example = "{\"1\":{\"type\":\"object\"}}"};

/* The fields that creating and replacing share. */
#define EVENT_TYPE_FIELDS                                                  \
    FIELD_MUST("description", schema_description, NULL),                   \
        FIELD_MAY_NULL("archived", schema_boolean, NULL),                  \
        FIELD_MAY_NULL("deprecated", schema_boolean, NULL),                \
        FIELD_MAY_NULL("schemas", schema_event_type_schemas, NULL),        \
        FIELD_MAY_NULL("groupName", schema_event_type_group, NULL),        \
        FIELD_RARE_NULL("featureFlag", flag, NULL),                        \
        FIELD_RARE_NULL("featureFlags", schema_event_type_flags,           \
                        "The flags; a list decides when both are given."), \
        FIELD_RARE_NULL("retryPolicy", schema_retry_policy, NULL), FIELD_END

static const struct schema_field event_type_in_fields[] = {
    FIELD_MUST("name", schema_event_type_name, NULL),
    EVENT_TYPE_FIELDS,
};
const struct schema schema_event_type_in = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeIn", .fields = event_type_in_fields};

static const struct schema_field event_type_update_fields[] = {EVENT_TYPE_FIELDS};
const struct schema schema_event_type_update = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeUpdate", .fields = event_type_update_fields};

static const struct schema_field event_type_patch_fields[] = {
    FIELD_MAY("description", schema_description, NULL),
    FIELD_MAY("archived", schema_boolean, NULL),
    FIELD_MAY("deprecated", schema_boolean, NULL),
    FIELD_MAY_NULL("schemas", schema_event_type_schemas, NULL),
    FIELD_MAY_NULL("groupName", schema_event_type_group, NULL),
    FIELD_RARE_NULL("featureFlag", flag, NULL),
    FIELD_RARE_NULL("featureFlags", schema_event_type_flags,
                    "The flags; a list decides when both are given."),
    FIELD_RARE_NULL("retryPolicy", schema_retry_policy, NULL),
    FIELD_END,
};
const struct schema schema_event_type_patch = {.kind = SCHEMA_OBJECT,
                                               .name = "EventTypePatch",
                                               .about =
                                                   "What is absent stays, what is null is cleared.",
                                               .fields = event_type_patch_fields};

static const struct schema_field event_type_out_fields[] = {
    FIELD_MUST("name", schema_event_type_name, NULL),
    FIELD_MUST("description", schema_description, NULL),
    FIELD_MUST("archived", schema_boolean, NULL),
    FIELD_MUST("deprecated", schema_boolean, NULL),
    FIELD_MUST_NULL("schemas", schema_event_type_schemas, NULL),
    FIELD_MUST_NULL("groupName", schema_event_type_group, NULL),
    {"featureFlag", &flag, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    {"featureFlags", &schema_event_type_flags, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_NONE_OUT("retryPolicy", schema_retry_policy),
    FIELD_MUST("createdAt", schema_time, NULL),
    FIELD_MUST("updatedAt", schema_time, NULL),
    FIELD_END,
};
const struct schema schema_event_type_out = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeOut", .fields = event_type_out_fields};

/* ---- tasks ---- */

static const char *task_status_choice(unsigned i)
{
    static const char *const names[] = {"running", "finished", "failed"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}
const struct schema schema_task_status = {
    .kind = SCHEMA_CHOICE, .name = "BackgroundTaskStatus", .choice = task_status_choice};
static const struct schema_field task_data_fields[] = {
    {"processed", &schema_count, SCHEMA_REQUIRED, "Rows done so far.", "250"},
    {"messagesPurged", &schema_count, 0, "Payloads deleted so far, of a purge.", "250"},
    {"messagesSent", &schema_count, 0, "Attempts asked for so far, of a recover or replay.", "250"},
    {"appStats", &schema_usage_apps, SCHEMA_RARE, "Of `application.stats`, once it is finished.",
     NULL},
    {"event_types", &schema_usage_types, SCHEMA_RARE,
     "Of `event-type.aggregate`, once it is finished.", NULL},
    {"error", &schema_text, SCHEMA_RARE, "Why it failed.", "\"the result is too large\""},
    FIELD_END,
};
static const struct schema task_data = {.kind = SCHEMA_OBJECT, .fields = task_data_fields};
static const struct schema_field task_out_fields[] = {
    FIELD_MUST("id", schema_task_id, NULL),
    FIELD_MUST("status", schema_task_status, NULL),
    {"task", &schema_text, SCHEMA_REQUIRED, "What it does.", "\"endpoint.recover\""},
    FIELD_MUST("data", task_data, NULL),
    FIELD_MUST("updatedAt", schema_time, NULL),
    FIELD_END,
};
const struct schema schema_task_out = {
    .kind = SCHEMA_OBJECT, .name = "BackgroundTaskOut", .fields = task_out_fields};

/* ---- the application portal ---- */

static const struct schema capability = {
    .kind = SCHEMA_CHOICE, .name = "AppPortalCapability", .choice = portal_capability_name};
static const struct schema capabilities = {.kind = SCHEMA_LIST,
                                           .about = "With `ViewBase`; null: all of them.",
                                           .min = 1,
                                           .max = 6,
                                           .item = &capability,
                                           .example = "[\"ViewBase\",\"CreateAttempts\"]"};
static const struct schema token_flags = {
    .kind = SCHEMA_LIST, .max = ENDPOINT_FILTERS_MAX, .item = &flag, .example = "[\"beta\"]"};
static const struct schema token_expiry = {.kind = SCHEMA_INTEGER,
                                           .about = "Seconds that the token lives; 7 days unless "
                                                    "said otherwise.",
                                           .min = 3600,
                                           .max = 7 * 86400,
                                           .example = "3600"};
static const struct schema session_id = {
    .kind = SCHEMA_TEXT, .min = 1, .max = NAME_MAX_LEN, .example = "\"user-17\""};
static const struct schema_field portal_access_fields[] = {
    {"application", &schema_app_in, SCHEMA_NULLABLE | SCHEMA_RARE,
     "Made when the application of the path does not exist.", NULL},
    FIELD_MAY_NULL("readOnly", schema_boolean, "true leaves `ViewBase` alone."),
    FIELD_MAY_NULL("capabilities", capabilities, NULL),
    FIELD_MAY_NULL("featureFlags", token_flags, "Shows the event types behind them."),
    FIELD_MAY_NULL("expiry", token_expiry, NULL),
    FIELD_MAY_NULL("sessionId", session_id, "For ending the tokens of one session."),
    FIELD_END,
};
const struct schema schema_portal_access_in = {
    .kind = SCHEMA_OBJECT, .name = "AppPortalAccessIn", .fields = portal_access_fields};
static const struct schema_field portal_out_fields[] = {
    {"url", &schema_text, SCHEMA_REQUIRED, "The portal, with the token in it.",
     "\"https://portal.example.com/#key=e30=\""},
    {"token", &schema_text, SCHEMA_REQUIRED, "Shown this once.",
     "\"shp_2bjkzYgDPCTwDCZ1nQbWSUqqYVy_q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA\""},
    FIELD_END,
};
const struct schema schema_portal_access_out = {
    .kind = SCHEMA_OBJECT, .name = "AppPortalAccessOut", .fields = portal_out_fields};
static const struct schema expire_after = {.kind = SCHEMA_INTEGER,
                                           .about = "Seconds until they end; 0 unless said "
                                                    "otherwise.",
                                           .max = 7 * 86400,
                                           .example = "0"};
static const struct schema session_ids = {
    .kind = SCHEMA_LIST, .max = PORTAL_SESSIONS_MAX, .item = &session_id};
static const struct schema_field portal_expire_fields[] = {
    FIELD_MAY_NULL("expiry", expire_after, NULL),
    FIELD_MAY_NULL("sessionIds", session_ids, "Only tokens of these sessions."),
    FIELD_END,
};
const struct schema schema_portal_expire_in = {
    .kind = SCHEMA_OBJECT, .name = "ApplicationTokenExpireIn", .fields = portal_expire_fields};
