/* The shapes of what concerns a whole organisation: usage, the environment as a document, event
 * types out of an OpenAPI description. */
#include "admin/schemas.h"

#include "base/bounds.h"

/* ---- usage ---- */

static const struct schema app_refs = {.kind = SCHEMA_LIST,
                                       .about = "Ids or uids; all applications otherwise.",
                                       .min = 1,
                                       .max = AGGREGATE_APPS_MAX,
                                       .item = &schema_app_ref};
static const struct schema_field usage_in_fields[] = {
    FIELD_MUST("since", schema_time, "From this hour on."),
    FIELD_MUST("until", schema_time, "Up to this hour, with it."),
    {"appIds", &app_refs, SCHEMA_NULLABLE | SCHEMA_RARE, NULL, NULL},
    FIELD_END,
};
const struct schema schema_usage_in = {
    .kind = SCHEMA_OBJECT, .name = "AppUsageStatsIn", .fields = usage_in_fields};

static const struct schema unresolved = {
    .kind = SCHEMA_LIST, .item = &schema_text, .example = "[]"};

#define ANNOUNCED(kind)                                                                     \
    FIELD_MUST("id", schema_task_id, NULL), FIELD_MUST("status", schema_task_status, NULL), \
        {"task", &schema_text, SCHEMA_REQUIRED, NULL, kind},                                \
        FIELD_MUST("updatedAt", schema_time, NULL)

static const struct schema_field usage_out_fields[] = {
    ANNOUNCED("\"application.stats\""),
    FIELD_MUST("unresolvedAppIds", unresolved, "What was asked for and does not exist."),
    FIELD_END,
};
const struct schema schema_usage_out = {
    .kind = SCHEMA_OBJECT, .name = "AppUsageStatsOut", .fields = usage_out_fields};

static const struct schema_field usage_types_out_fields[] = {ANNOUNCED("\"event-type.aggregate\""),
                                                             FIELD_END};
const struct schema schema_usage_types_out = {
    .kind = SCHEMA_OBJECT, .name = "AggregateEventTypesOut", .fields = usage_types_out_fields};

static const struct schema_field usage_app_fields[] = {
    FIELD_MUST("appId", schema_app_id, NULL),
    {"appUid", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_MUST("messageDestinations", schema_count,
               "Deliveries, a message at an endpoint each, whatever became of them."),
    FIELD_END,
};
static const struct schema usage_app = {
    .kind = SCHEMA_OBJECT, .name = "AppUsage", .fields = usage_app_fields};
const struct schema schema_usage_apps = {.kind = SCHEMA_LIST, .item = &usage_app};

static const struct schema type_names = {.kind = SCHEMA_LIST, .item = &schema_event_type_name};
static const struct schema_field usage_type_fields[] = {
    FIELD_MUST("appId", schema_app_id, NULL),
    FIELD_MUST("explicitlySubscribedEventTypes", type_names, "By name."),
    {"hasCatchAllEndpoint", &schema_boolean, SCHEMA_REQUIRED,
     "Whether an endpoint asks for every type.", "false"},
    FIELD_END,
};
static const struct schema usage_type = {
    .kind = SCHEMA_OBJECT, .name = "AppEventTypes", .fields = usage_type_fields};
const struct schema schema_usage_types = {.kind = SCHEMA_LIST, .item = &usage_type};

/* ---- environments ---- */

static const struct schema types_in = {
    .kind = SCHEMA_LIST, .max = IMPORT_TYPES_MAX, .item = &schema_event_type_in};
static const struct schema types_out = {.kind = SCHEMA_LIST, .item = &schema_event_type_out};
static const struct schema none = {
    .kind = SCHEMA_LIST, .about = "Not supported: empty.", .item = &schema_object, .example = "[]"};

static const struct schema_field environment_in_fields[] = {
    FIELD_MAY_NULL("eventTypes", types_in, "Made, or replaced where the name exists."),
    {"settings", &schema_object, SCHEMA_NULLABLE, "Not supported: empty.", "{}"},
    FIELD_MAY_NULL("connectors", none, NULL),
    {"transformationTemplates", &none, SCHEMA_NULLABLE | SCHEMA_RARE, NULL, NULL},
    FIELD_END,
};
const struct schema schema_environment_in = {
    .kind = SCHEMA_OBJECT, .name = "EnvironmentIn", .fields = environment_in_fields};

static const struct schema form = {.kind = SCHEMA_INTEGER, .example = "1"};
static const struct schema_field environment_out_fields[] = {
    FIELD_MUST("version", form, "Of the document's form."),
    FIELD_MUST("createdAt", schema_time, NULL),
    FIELD_MUST("eventTypes", types_out, "By name, archived ones too."),
    {"settings", &schema_object, SCHEMA_REQUIRED, "Always empty.", "{}"},
    FIELD_MUST("connectors", none, NULL),
    FIELD_MUST("transformationTemplates", none, NULL),
    FIELD_END,
};
const struct schema schema_environment_out = {
    .kind = SCHEMA_OBJECT, .name = "EnvironmentOut", .fields = environment_out_fields};

/* ---- OpenAPI ---- */

static const struct schema spec_raw = {.kind = SCHEMA_TEXT,
                                       .min = 1,
                                       .max = IMPORT_BODY_MAX,
                                       .example = "\"openapi: 3.1.0\\nwebhooks: {}\\n\""};
static const struct schema_field import_in_fields[] = {
    {"spec", &schema_object, SCHEMA_NULLABLE, "The description; or …",
     "{\"openapi\":\"3.1.0\",\"webhooks\":{\"order.placed\":{\"post\":{\"description\":\"An "
     "order\"}}}}"},
    {"specRaw", &spec_raw, SCHEMA_NULLABLE | SCHEMA_RARE, "… its text, JSON or YAML.", NULL},
    {"dryRun", &schema_boolean, SCHEMA_NULLABLE, "true changes nothing.", "false"},
    {"replaceAll", &schema_boolean, SCHEMA_NULLABLE,
     "true archives event types that the description does not name.", "false"},
    FIELD_END,
};
const struct schema schema_openapi_import_in = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeImportOpenApiIn", .fields = import_in_fields};

static const struct schema_field from_openapi_fields[] = {
    FIELD_MUST("name", schema_event_type_name, NULL),
    FIELD_MUST("description", schema_description, NULL),
    FIELD_MUST_NULL("schemas", schema_event_type_schemas, NULL),
    FIELD_MUST("deprecated", schema_boolean, NULL),
    {"archived", &schema_boolean, SCHEMA_REQUIRED, "By `replaceAll`.", "false"},
    FIELD_MUST_NULL("groupName", schema_event_type_group, NULL),
    {"featureFlags", &schema_event_type_flags, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_END,
};
static const struct schema from_openapi = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeFromOpenApi", .fields = from_openapi_fields};
static const struct schema from_openapi_list = {.kind = SCHEMA_LIST, .item = &from_openapi};
static const struct schema_field import_data_fields[] = {
    FIELD_MUST("modified", type_names, "What was made, changed or archived."),
    {"to_modify", &from_openapi_list, SCHEMA_RARE, "Of a dry run: what would be.", NULL},
    FIELD_END,
};
static const struct schema import_data = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeImportOpenApiOutData", .fields = import_data_fields};
static const struct schema_field import_out_fields[] = {
    FIELD_MUST("data", import_data, NULL),
    FIELD_END,
};
const struct schema schema_openapi_import_out = {
    .kind = SCHEMA_OBJECT, .name = "EventTypeImportOpenApiOut", .fields = import_out_fields};
