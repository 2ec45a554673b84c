/* Pollers: pages of messages for those who fetch them. */
#include "admin/schemas.h"

#include "base/bounds.h"
#include "base/id.h"

#define NAME_PATTERN "^[a-zA-Z0-9\\-_.]+$"

const struct schema schema_poller_ref = {
    .kind = SCHEMA_TEXT,
    .about = "The id or uid of an endpoint, whose event types and channels then choose the "
             "messages; or any other name, for all of them.",
    .min = 1,
    .max = UID_MAX,
    .pattern = NAME_PATTERN,
    .example = "\"warehouse\""};
const struct schema schema_consumer_ref = {
    .kind = SCHEMA_TEXT,
    .about = "A name of your own; each consumer of a poller has its own position.",
    .min = 1,
    .max = UID_MAX,
    .pattern = NAME_PATTERN,
    .example = "\"importer-1\""};

static const struct schema_field message_fields[] = {
    SCHEMA_MESSAGE_OUT_FIELDS,
    {"headers", &schema_headers, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "The message's own, which an endpoint would get.", "null"},
    FIELD_END,
};
static const struct schema message = {
    .kind = SCHEMA_OBJECT, .name = "PollingEndpointMessageOut", .fields = message_fields};
static const struct schema messages = {.kind = SCHEMA_LIST, .max = PAGE_MAX, .item = &message};
static const struct schema place = {.kind = SCHEMA_TEXT,
                                    .about = "Where the next page begins.",
                                    .pattern = "^" ID_MESSAGE "[0-9A-Za][0-9A-Za-z]{26}$",
                                    .example = "\"" ID_MESSAGE "2bjkzYgDPCTwDCZ1nQbWSUqqYVy\""};
static const struct schema_field out_fields[] = {
    FIELD_MUST("data", messages, "The oldest first."),
    FIELD_MUST("iterator", place, NULL),
    FIELD_MUST("done", schema_boolean, "Whether there was no more at that moment."),
    FIELD_END,
};
const struct schema schema_poll_out = {
    .kind = SCHEMA_OBJECT, .name = "PollingEndpointOut", .fields = out_fields};

static const struct schema_field seek_in_fields[] = {
    FIELD_MUST("after", schema_time, "The consumer goes on with the first message after it."),
    FIELD_END,
};
const struct schema schema_consumer_seek_in = {
    .kind = SCHEMA_OBJECT, .name = "PollingEndpointConsumerSeekIn", .fields = seek_in_fields};
static const struct schema_field seek_out_fields[] = {
    FIELD_MUST("iterator", place, NULL),
    FIELD_END,
};
const struct schema schema_consumer_seek_out = {
    .kind = SCHEMA_OBJECT, .name = "PollingEndpointConsumerSeekOut", .fields = seek_out_fields};
