/* Messages on their way in and as they are read back. */
#include "admin/schemas.h"

#include "base/bounds.h"

static const struct schema event_id = {
    .kind = SCHEMA_TEXT,
    .about = "Your own identifier, unique in the application for as long as the message is kept; "
             "serves wherever the id does.",
    .min = 1,
    .max = EVENT_ID_MAX,
    .pattern = "^(?!" ID_MESSAGE ")[a-zA-Z0-9\\-_.]+$",
    .example = "\"order-1001\""};
static const struct schema payload = {.kind = SCHEMA_OBJECT,
                                      .about = "Delivered byte for byte as it is written here.",
                                      .example = "{\"order\":\"A-1001\",\"total\":42.5}"};
static const struct schema channels = {
    .kind = SCHEMA_LIST,
    .about = "Endpoints with channels take the message only when they have one of these.",
    .max = MESSAGE_CHANNELS_MAX,
    .unique = true,
    .item = &schema_channel};
static const struct schema tags = {.kind = SCHEMA_LIST,
                                   .about = "For finding the message again.",
                                   .max = TAGS_MAX,
                                   .unique = true,
                                   .item = &schema_tag};
static const struct schema days = {.kind = SCHEMA_INTEGER,
                                   .about = "How long the message is kept, in days.",
                                   .min = 5,
                                   .max = 90,
                                   .example = "30"};
static const struct schema hours = {.kind = SCHEMA_INTEGER,
                                    .about =
                                        "The same in hours; excludes `payloadRetentionPeriod`.",
                                    .min = 1,
                                    .max = 90 * 24,
                                    .example = "48"};

static const struct schema raw_payload = {
    .kind = SCHEMA_TEXT,
    .about = "Sent instead of the payload, as it is; its content type goes into `headers`.",
    .min = 1,
    .max = MESSAGE_BODY_MAX,
    .example = "\"<order/>\""};
static const struct schema_field transformation_fields[] = {
    FIELD_RARE_NULL("rawPayload", raw_payload, NULL),
    FIELD_MAY_NULL("headers", schema_headers, NULL),
    FIELD_END,
};
static const struct schema transformation = {
    .kind = SCHEMA_OBJECT,
    .about = "What is sent beside or instead of the payload. Other members are refused.",
    .fields = transformation_fields};

static const struct schema_field in_fields[] = {
    FIELD_MUST("eventType", schema_event_type_name, NULL),
    FIELD_MUST("payload", payload, NULL),
    FIELD_MAY_NULL("eventId", event_id, NULL),
    FIELD_MAY_NULL("channels", channels, NULL),
    FIELD_MAY_NULL("tags", tags, NULL),
    {"orderingKey", &schema_message_ordering_key, SCHEMA_NULLABLE | SCHEMA_RARE,
     "Endpoints with `ordering` get messages of the same key one after another.", NULL},
    {"deliverAt", &schema_time, SCHEMA_NULLABLE | SCHEMA_RARE,
     "When the first attempt is made: at most 24 hours ahead.", NULL},
    {"application", &schema_app_in, SCHEMA_NULLABLE | SCHEMA_RARE,
     "Made when the application of the path does not exist.", NULL},
    FIELD_RARE_NULL("payloadRetentionPeriod", days, NULL),
    FIELD_RARE_NULL("payloadRetentionHours", hours, NULL),
    FIELD_RARE_NULL("transformationsParams", transformation, NULL),
    FIELD_END,
};
const struct schema schema_message_in = {
    .kind = SCHEMA_OBJECT, .name = "MessageIn", .fields = in_fields};

static const struct schema_field out_fields[] = {SCHEMA_MESSAGE_OUT_FIELDS, FIELD_END};
const struct schema schema_message_out = {
    .kind = SCHEMA_OBJECT, .name = "MessageOut", .fields = out_fields};

const struct schema schema_message_event_id = {.kind = SCHEMA_TEXT, .example = "\"order-1001\""};
const struct schema schema_message_payload = {
    .kind = SCHEMA_OBJECT,
    .about = "`{}` without content, when it was expunged, and when it is not JSON.",
    .example = "{\"order\":\"A-1001\",\"total\":42.5}"};
const struct schema schema_message_channels = {.kind = SCHEMA_LIST, .item = &schema_channel};
const struct schema schema_message_ordering_key = {.kind = SCHEMA_TEXT,
                                                   .min = 1,
                                                   .max = NAME_MAX_LEN,
                                                   .pattern = "^[^\\u0000-\\u001f\\u007f]+$",
                                                   .example = "\"customer-7\""};
const struct schema schema_message_tags = {.kind = SCHEMA_LIST, .item = &schema_tag};

/* ---- batches ---- */

static const struct schema messages = {
    .kind = SCHEMA_LIST, .min = 1, .max = BATCH_MESSAGES_MAX, .item = &schema_message_in};
static const struct schema_field batch_in_fields[] = {
    FIELD_MUST("messages", messages, "Each is judged alone: one that is refused refuses no other."),
    FIELD_END,
};
const struct schema schema_batch_in = {
    .kind = SCHEMA_OBJECT, .name = "MessageBatchIn", .fields = batch_in_fields};

static const struct schema item_status = {
    .kind = SCHEMA_INTEGER, .min = 200, .max = 599, .example = "202"};
static const struct schema findings = {.kind = SCHEMA_LIST, .item = &schema_finding};
static const struct schema detail = {
    .kind = SCHEMA_EITHER, .item = &schema_text, .other = &findings};
static const struct schema_field item_fields[] = {
    FIELD_MUST("status", item_status,
               "The status that a request for this message alone would get."),
    {"id", &schema_message_id, 0, "Of the message; of a conflict, that of the first.", NULL},
    {"eventId", &schema_message_event_id, SCHEMA_NULLABLE, NULL, NULL},
    FIELD_MAY("timestamp", schema_time, NULL),
    {"code", &schema_text, SCHEMA_RARE, "Of a refusal, as in Error.", NULL},
    {"detail", &detail, SCHEMA_RARE, "Of a refusal, as in Error or ValidationError.", NULL},
    FIELD_END,
};
static const struct schema item = {
    .kind = SCHEMA_OBJECT, .name = "MessageBatchItemOut", .fields = item_fields};
static const struct schema items = {.kind = SCHEMA_LIST, .item = &item};
static const struct schema_field batch_out_fields[] = {
    FIELD_MUST("data", items, "In the order of the request."),
    FIELD_END,
};
const struct schema schema_batch_out = {
    .kind = SCHEMA_OBJECT, .name = "MessageBatchOut", .fields = batch_out_fields};
const struct schema schema_message_or_batch_out = {
    .kind = SCHEMA_EITHER,
    .about = "Of a batch of CloudEvents a result for each.",
    .item = &schema_message_out,
    .other = &schema_batch_out};

/* ---- before and after ---- */

static const struct schema_field precheck_in_fields[] = {
    FIELD_MUST("eventType", schema_event_type_name, NULL),
    FIELD_MAY_NULL("channels", channels, NULL),
    FIELD_END,
};
const struct schema schema_precheck_in = {
    .kind = SCHEMA_OBJECT, .name = "MessagePrecheckIn", .fields = precheck_in_fields};
static const struct schema_field precheck_out_fields[] = {
    FIELD_MUST("active", schema_boolean, "Whether any endpoint would get it now."),
    FIELD_END,
};
const struct schema schema_precheck_out = {
    .kind = SCHEMA_OBJECT, .name = "MessagePrecheckOut", .fields = precheck_out_fields};

static const struct schema expunged_refs = {.kind = SCHEMA_LIST,
                                            .about = "Ids or eventIds.",
                                            .max = PAGE_MAX,
                                            .item = &schema_message_ref,
                                            .example = "[\"order-1001\"]"};
static const struct schema_field bulk_expunge_in_fields[] = {
    FIELD_MAY_NULL("ids", expunged_refs, NULL),
    FIELD_END,
};
const struct schema schema_bulk_expunge_in = {
    .kind = SCHEMA_OBJECT, .name = "BulkExpungeContentsIn", .fields = bulk_expunge_in_fields};
static const char *expunged_choice(unsigned i)
{
    static const char *const names[] = {"expunged", "not-found"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}
static const struct schema expunged = {
    .kind = SCHEMA_CHOICE, .name = "BulkExpungeStatus", .choice = expunged_choice};
static const struct schema expunge_results = {
    .kind = SCHEMA_MAP, .item = &expunged, .example = "{\"order-1001\":\"expunged\"}"};
static const struct schema_field bulk_expunge_out_fields[] = {
    FIELD_MUST("results", expunge_results, NULL),
    FIELD_END,
};
const struct schema schema_bulk_expunge_out = {
    .kind = SCHEMA_OBJECT, .name = "BulkExpungeContentsOut", .fields = bulk_expunge_out_fields};

static const struct schema example_index = {
    .kind = SCHEMA_INTEGER, .max = INT32_MAX, .example = "0"};
static const struct schema_field example_in_fields[] = {
    FIELD_MUST("eventType", schema_event_type_name, NULL),
    FIELD_RARE_NULL("exampleIndex", example_index,
                    "Which of the examples in the newest schema; the first otherwise."),
    FIELD_MAY_NULL("payload", payload,
                   "Sent instead of an example; an application's token may not."),
    FIELD_END,
};
const struct schema schema_example_in = {
    .kind = SCHEMA_OBJECT, .name = "EventExampleIn", .fields = example_in_fields};
