/* CloudEvents as JSON: the rules of ingest/cloud_event.h. */
#include "admin/schemas.h"

#include "base/bounds.h"

#define URI_CHARACTER "([A-Za-z0-9._~:/?#\\[\\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"

static const char *version_choice(unsigned i)
{
    return i ? NULL : "1.0";
}
static const struct schema version = {.kind = SCHEMA_CHOICE, .choice = version_choice};
static const struct schema id = {.kind = SCHEMA_TEXT,
                                 .about = "With `source` the event's identity in the application: "
                                          "one that is sent again gets the first answer.",
                                 .min = 1,
                                 .max = CLOUD_ATTRIBUTES_BYTES,
                                 .example = "\"A-1001\""};
static const struct schema source = {.kind = SCHEMA_TEXT,
                                     .about = "A URI reference (RFC 3986).",
                                     .min = 1,
                                     .max = CLOUD_ATTRIBUTES_BYTES,
                                     .pattern = "^" URI_CHARACTER "+$",
                                     .example = "\"/shop/orders\""};
static const struct schema data_schema = {.kind = SCHEMA_TEXT,
                                          .about = "An absolute URI.",
                                          .min = 3,
                                          .max = CLOUD_ATTRIBUTES_BYTES,
                                          .pattern = "^[A-Za-z][A-Za-z0-9+.-]*:" URI_CHARACTER "+$",
                                          .example = "\"https://example.com/order.json\""};
static const struct schema content_type = {
    .kind = SCHEMA_TEXT,
    .about = "A media type; without it the data is JSON.",
    .min = 3,
    .max = CLOUD_ATTRIBUTES_BYTES,
    .pattern = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;.*)?$",
    .example = "\"application/json\""};
static const struct schema subject = {
    .kind = SCHEMA_TEXT, .min = 1, .max = CLOUD_ATTRIBUTES_BYTES, .example = "\"A-1001\""};
static const struct schema data = {
    .kind = SCHEMA_ANY,
    .about = "JSON of any type, delivered byte for byte; of another `datacontenttype` a text.",
    .example = "{\"order\":\"A-1001\",\"total\":42.5}"};
static const struct schema base64 = {.kind = SCHEMA_TEXT,
                                     .about = "Any bytes in base64, instead of `data`.",
                                     .max = MESSAGE_BODY_MAX,
                                     .pattern = "^[A-Za-z0-9+/]*={0,2}$",
                                     .example = "\"AAECAw==\""};

#define ATTRIBUTES                                                                           \
    FIELD_MUST("specversion", version, NULL), FIELD_MUST("id", id, NULL),                    \
        FIELD_MUST("source", source, NULL),                                                  \
        FIELD_MUST("type", schema_event_type_name, "The event type."),                       \
        FIELD_MAY_NULL("datacontenttype", content_type, NULL),                               \
        FIELD_RARE_NULL("dataschema", data_schema, NULL),                                    \
        FIELD_MAY_NULL("subject", subject, NULL), FIELD_MAY_NULL("time", schema_time, NULL), \
        FIELD_RARE_NULL("partitionkey", schema_message_ordering_key,                         \
                        "The same as `orderingKey` of a message.")

static const struct schema_field in_fields[] = {
    ATTRIBUTES,
    FIELD_MAY_NULL("data", data, NULL),
    FIELD_RARE_NULL("data_base64", base64, NULL),
    FIELD_END,
};
const struct schema schema_cloud_event = {
    .kind = SCHEMA_OBJECT,
    .name = "CloudEvent",
    .about = "Other members are extension attributes: names of a-z and 0-9, values texts, true, "
             "false or integers. In binary mode the attributes are `ce-` headers, percent-encoded, "
             "and the body is the data, of the content type that it has.",
    .fields = in_fields};
const struct schema schema_cloud_events = {
    .kind = SCHEMA_LIST, .min = 1, .max = BATCH_MESSAGES_MAX, .item = &schema_cloud_event};

static const struct schema_field attribute_fields[] = {ATTRIBUTES, FIELD_END};
const struct schema schema_cloud_attributes = {
    .kind = SCHEMA_OBJECT,
    .name = "CloudEventAttributes",
    .about = "The context attributes with which a CloudEvent came, extensions included.",
    .fields = attribute_fields};
