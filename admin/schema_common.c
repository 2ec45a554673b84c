/* What several shapes share: ids, names, times, refusals. */
#include "admin/schemas.h"

#include "base/bounds.h"
#include "http/answer.h"

const struct schema schema_boolean = {.kind = SCHEMA_BOOLEAN, .example = "false"};
const struct schema schema_time = {.kind = SCHEMA_TIME};
const struct schema schema_count = {.kind = SCHEMA_INTEGER, .max = INT64_MAX, .example = "3"};
const struct schema schema_rate = {.kind = SCHEMA_INTEGER,
                                   .about = "Attempts a second at most; null: no limit.",
                                   .min = 1,
                                   .max = RATE_MAX,
                                   .example = "100"};
const struct schema schema_text = {.kind = SCHEMA_TEXT, .example = "\"text\""};
const struct schema schema_object = {.kind = SCHEMA_OBJECT, .example = "{}"};

#define ID_SCHEMA(prefix)                                                      \
    {                                                                          \
        .kind = SCHEMA_TEXT, .pattern = "^" prefix "[0-9A-Z][0-9A-Za-z]{26}$", \
        .example = "\"" prefix "2bjkzYgDPCTwDCZ1nQbWSUqqYVy\""                 \
    }
const struct schema schema_app_id = ID_SCHEMA(ID_APP);
const struct schema schema_endpoint_id = ID_SCHEMA(ID_ENDPOINT);
const struct schema schema_message_id = ID_SCHEMA(ID_MESSAGE);
const struct schema schema_attempt_id = ID_SCHEMA(ID_ATTEMPT);
const struct schema schema_task_id = ID_SCHEMA(ID_TASK);
const struct schema schema_key_id = ID_SCHEMA(ID_KEY);

const struct schema schema_app_ref = {.kind = SCHEMA_TEXT,
                                      .about = "Id or uid of an application.",
                                      .min = 1,
                                      .max = UID_MAX,
                                      .pattern = "^[a-zA-Z0-9\\-_.]+$",
                                      .example = "\"shop\""};
const struct schema schema_endpoint_ref = {.kind = SCHEMA_TEXT,
                                           .about = "Id or uid of an endpoint.",
                                           .min = 1,
                                           .max = UID_MAX,
                                           .pattern = "^[a-zA-Z0-9\\-_.]+$",
                                           .example = "\"warehouse\""};
const struct schema schema_message_ref = {.kind = SCHEMA_TEXT,
                                          .about = "Id or eventId of a message.",
                                          .min = 1,
                                          .max = EVENT_ID_MAX,
                                          .pattern = "^[a-zA-Z0-9\\-_.]+$",
                                          .example = "\"order-1001\""};

const struct schema schema_event_type_name = {.kind = SCHEMA_TEXT,
                                              .about = "The name of an event type.",
                                              .min = 1,
                                              .max = EVENT_TYPE_MAX,
                                              .pattern = "^[a-zA-Z0-9\\-_.]+$",
                                              .example = "\"order.placed\""};
const struct schema schema_channel = {.kind = SCHEMA_TEXT,
                                      .min = 1,
                                      .max = CHANNEL_MAX,
                                      .pattern = "^[a-zA-Z0-9\\-_.:]+$",
                                      .example = "\"project:7\""};
const struct schema schema_tag = {.kind = SCHEMA_TEXT,
                                  .min = 1,
                                  .max = CHANNEL_MAX,
                                  .pattern = "^[^\\u0000-\\u001f\\u007f]+$",
                                  .example = "\"import\""};
const struct schema schema_description = {
    .kind = SCHEMA_TEXT, .max = DESCRIPTION_MAX, .example = "\"Orders of the shop\""};

const struct schema schema_metadata = {
    .kind = SCHEMA_MAP,
    .about = "Texts of yours by name: at most 4096 bytes as JSON. Never sent.",
    .item = &schema_text,
    .example = "{\"plan\":\"gold\"}"};
_Static_assert(METADATA_MAX == 4096 && ENDPOINT_HEADERS_MAX == 4096, "the texts name the number");
const struct schema schema_headers = {
    .kind = SCHEMA_MAP,
    .about = "Values by name, sent with every attempt: at most 4096 bytes as JSON. Names that HTTP "
             "or the signature needs are refused.",
    .item = &schema_text,
    .example = "{\"x-tenant\":\"7\"}"};

const struct schema schema_empty = {
    .kind = SCHEMA_OBJECT, .name = "EmptyResponse", .about = "{}", .example = "{}"};

/* ---- refusals ---- */

static const struct schema_field error_fields[] = {
    {"code", &schema_text, SCHEMA_REQUIRED, "For programs.", "\"not_found\""},
    {"detail", &schema_text, SCHEMA_REQUIRED, "For people.", "\"Entity not found\""},
    FIELD_END,
};
const struct schema schema_error = {.kind = SCHEMA_OBJECT, .name = "Error", .fields = error_fields};

static const struct schema place_index = {.kind = SCHEMA_INTEGER, .example = "0"};
static const struct schema place_name = {.kind = SCHEMA_TEXT, .example = "\"body\""};
static const struct schema place_part = {
    .kind = SCHEMA_EITHER, .item = &place_name, .other = &place_index};
static const struct schema place = {.kind = SCHEMA_LIST, .item = &place_part};
static const struct schema_field finding_fields[] = {
    {"loc", &place, SCHEMA_REQUIRED, "Where: `body`, `query` or `path`, then the way to the value.",
     "[\"body\",\"eventType\"]"},
    {"msg", &schema_text, SCHEMA_REQUIRED, "What is wrong.", "\"field required\""},
    {"type", &schema_text, SCHEMA_REQUIRED,
     "`value_error`, `value_error.missing` or `value_error.jsondecode`.",
     "\"value_error.missing\""},
    FIELD_END,
};
const struct schema schema_finding = {
    .kind = SCHEMA_OBJECT, .name = "ValidationFinding", .fields = finding_fields};
static const struct schema findings = {.kind = SCHEMA_LIST, .item = &schema_finding};
static const struct schema_field validation_error_fields[] = {
    FIELD_MUST("detail", findings, NULL),
    FIELD_END,
};
const struct schema schema_validation_error = {
    .kind = SCHEMA_OBJECT, .name = "ValidationError", .fields = validation_error_fields};
