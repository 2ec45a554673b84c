/* Endpoints, their headers and secrets. */
#include "admin/schemas.h"

#include "base/bounds.h"
#include "store/model.h"

static const struct schema url = {.kind = SCHEMA_TEXT,
                                  .about =
                                      "http or https; stored with a lower-case host and a path.",
                                  .min = 1,
                                  .max = URL_MAX,
                                  .format = "uri",
                                  .example = "\"https://warehouse.example.com/hooks\""};
static const struct schema uid = {
    .kind = SCHEMA_TEXT,
    .about = "Your own identifier, unique in the application; serves wherever the id does.",
    .min = 1,
    .max = UID_MAX,
    .pattern = "^(?!" ID_ENDPOINT ")[a-zA-Z0-9\\-_.]+$",
    .example = "\"warehouse\""};
static const struct schema version = {
    .kind = SCHEMA_INTEGER, .about = "A number of yours.", .min = 1, .max = 65535, .example = "1"};
static const struct schema filter = {
    .kind = SCHEMA_LIST,
    .about = "The event types that it takes, which must exist; null: all.",
    .min = 1,
    .max = ENDPOINT_FILTERS_MAX,
    .item = &schema_event_type_name};
static const struct schema channels = {.kind = SCHEMA_LIST,
                                       .about =
                                           "It takes messages of these channels; null: of all.",
                                       .min = 1,
                                       .max = ENDPOINT_CHANNELS_MAX,
                                       .item = &schema_channel};

static const struct schema ordering = {
    .kind = SCHEMA_CHOICE,
    .name = "Ordering",
    .about = "none: each message on its own; key: those with the same `orderingKey` one after "
             "another, the next one when the one before was delivered or given up; fifo: all so.",
    .choice = ordering_name};

static const struct schema cloud_events = {
    .kind = SCHEMA_CHOICE,
    .name = "CloudEventsMode",
    .about = "As what it gets its messages. none: the payload; structured: a CloudEvent in JSON "
             "around it; binary: the payload, with the CloudEvent's attributes as headers.",
    .choice = cloud_events_name};

#define BASE64_DIGIT "[A-Za-z0-9+/]"
#define BASE64_END "(" BASE64_DIGIT "[AQgw]==|" BASE64_DIGIT "{2}[AEIMQUYcgkosw048]=)"
static const struct schema secret = {
    .kind = SCHEMA_TEXT,
    .about =
        "`whsec_` and base64 of 24 to 75 bytes, or `whsk_` and base64 of an ed25519 secret and "
        "public key. Better left out: then one is made.",
    .pattern = "^(whsec_(" BASE64_DIGIT "{4}){8,25}|whsec_(" BASE64_DIGIT "{4}){8,24}" BASE64_END
               "|whsk_" BASE64_DIGIT "{85}[AQgw]==)$",
    .example = "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\""};

static const struct schema_field in_fields[] = {
    FIELD_MUST("url", url, NULL),
    FIELD_MAY_NULL("uid", uid, NULL),
    FIELD_MAY_NULL("description", schema_description, NULL),
    FIELD_RARE_NULL("version", version, NULL),
    FIELD_MAY_NULL("disabled", schema_boolean, NULL),
    FIELD_RARE_NULL("filterTypes", filter, "`eventTypes` under its older name."),
    FIELD_MAY_NULL("eventTypes", filter, NULL),
    FIELD_MAY_NULL("channels", channels, NULL),
    FIELD_MAY_NULL("metadata", schema_metadata, NULL),
    FIELD_RATE_IN,
    FIELD_RARE_NULL("ordering", ordering, NULL),
    FIELD_RARE_NULL("cloudEvents", cloud_events, NULL),
    FIELD_ATTEMPTS_IN,
    FIELD_MAY_NULL("headers", schema_headers, NULL),
    FIELD_RARE_NULL("secret", secret, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_in = {
    .kind = SCHEMA_OBJECT, .name = "EndpointIn", .fields = in_fields};

static const struct schema_field patch_fields[] = {
    FIELD_MAY("url", url, NULL),
    FIELD_MAY_NULL("uid", uid, NULL),
    FIELD_MAY("description", schema_description, NULL),
    FIELD_RARE_NULL("version", version, NULL),
    FIELD_MAY("disabled", schema_boolean, NULL),
    FIELD_RARE_NULL("filterTypes", filter, "`eventTypes` under its older name."),
    FIELD_MAY_NULL("eventTypes", filter, NULL),
    FIELD_MAY_NULL("channels", channels, NULL),
    FIELD_MAY_NULL("metadata", schema_metadata, NULL),
    FIELD_RATE_IN,
    FIELD_RARE_NULL("ordering", ordering, NULL),
    FIELD_RARE_NULL("cloudEvents", cloud_events, NULL),
    FIELD_ATTEMPTS_IN,
    FIELD_RARE_NULL("headers", schema_headers, NULL),
    FIELD_RARE_NULL("secret", secret, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_patch = {.kind = SCHEMA_OBJECT,
                                             .name = "EndpointPatch",
                                             .about =
                                                 "What is absent stays, what is null is cleared.",
                                             .fields = patch_fields};

/* What an endpoint shows wherever it appears. */
#define OUT_FIELDS                                                                                 \
    FIELD_MUST("id", schema_endpoint_id, NULL), FIELD_MUST_NULL("uid", uid, NULL),                 \
        FIELD_MUST("url", url, NULL), FIELD_MUST("description", schema_description, NULL),         \
        FIELD_MUST("version", version, NULL), FIELD_MUST("disabled", schema_boolean, NULL),        \
        FIELD_MUST_NULL("filterTypes", filter, "`eventTypes` under its older name."),              \
        FIELD_MUST_NULL("eventTypes", filter, NULL), FIELD_MUST_NULL("channels", channels, NULL),  \
        FIELD_RATE_OUT, FIELD_MUST("ordering", ordering, NULL),                                    \
        FIELD_MUST("cloudEvents", cloud_events, NULL), FIELD_ATTEMPTS_OUT,                         \
        FIELD_MUST("metadata", schema_metadata, NULL), FIELD_MUST("createdAt", schema_time, NULL), \
        FIELD_MUST("updatedAt", schema_time, NULL)

static const char *breaker_state(unsigned i)
{
    static const char *const names[] = {"closed", "open", "half_open"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}
static const struct schema breaker_choice = {
    .kind = SCHEMA_CHOICE,
    .name = "BreakerState",
    .about = "closed: attempts are made; open: what is due waits, which is no attempt; half_open: "
             "one probe is due or under way, and decides.",
    .choice = breaker_state};
static const struct schema_field breaker_fields[] = {
    FIELD_MUST("state", breaker_choice, NULL),
    {"reason", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "The outcome of the attempt that opened it, or of the last probe.", "\"timeout\""},
    {"statusCode", &schema_count, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "Its status, if any.", "503"},
    {"openedAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, NULL},
    {"nextProbeAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "Of an open one.", NULL},
    {"failingSince", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "The first failed attempt since the last success.", NULL},
    FIELD_END,
};
static const struct schema breaker = {
    .kind = SCHEMA_OBJECT, .name = "EndpointBreaker", .fields = breaker_fields};

static const struct schema_field out_fields[] = {
    OUT_FIELDS,
    FIELD_MUST("breaker", breaker, "Whether attempts are made at the moment."),
    {"disabledReason", &schema_text, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "Why it is disabled: `manual`; `gone`, it answered 410; `failing`, for too long.", "null"},
    FIELD_END,
};
const struct schema schema_endpoint_out = {
    .kind = SCHEMA_OBJECT, .name = "EndpointOut", .fields = out_fields};

static const struct schema_field message_endpoint_fields[] = {
    OUT_FIELDS,
    FIELD_MUST("status", schema_status, NULL),
    FIELD_MUST("statusText", schema_status_text, NULL),
    {"nextAttempt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_END,
};
const struct schema schema_message_endpoint_out = {
    .kind = SCHEMA_OBJECT,
    .name = "MessageEndpointOut",
    .about = "An endpoint with the state of one message there.",
    .fields = message_endpoint_fields};

/* ---- operational ---- */

static const struct schema operational_type = {.kind = SCHEMA_CHOICE,
                                               .choice = operational_event_name};
static const struct schema operational_filter = {
    .kind = SCHEMA_LIST,
    .about = "The operational events that it takes; null: all.",
    .min = 1,
    .max = ENDPOINT_FILTERS_MAX,
    .item = &operational_type};
static const struct schema_field operational_in_fields[] = {
    FIELD_MUST("url", url, NULL),
    FIELD_MAY_NULL("uid", uid, NULL),
    FIELD_MAY_NULL("description", schema_description, NULL),
    FIELD_RARE_NULL("version", version, NULL),
    FIELD_MAY_NULL("disabled", schema_boolean, NULL),
    FIELD_RARE_NULL("filterTypes", operational_filter, "`eventTypes` under its older name."),
    FIELD_MAY_NULL("eventTypes", operational_filter, NULL),
    FIELD_MAY_NULL("metadata", schema_metadata, NULL),
    FIELD_RATE_IN,
    FIELD_RARE_NULL("ordering", ordering, NULL),
    FIELD_RARE_NULL("cloudEvents", cloud_events, NULL),
    FIELD_ATTEMPTS_IN,
    FIELD_MAY_NULL("headers", schema_headers, NULL),
    FIELD_RARE_NULL("secret", secret, NULL),
    FIELD_END,
};
const struct schema schema_operational_in = {
    .kind = SCHEMA_OBJECT, .name = "OperationalWebhookEndpointIn", .fields = operational_in_fields};

/* ---- headers ---- */

static const struct schema_field headers_in_fields[] = {
    FIELD_MUST("headers", schema_headers, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_headers_in = {
    .kind = SCHEMA_OBJECT, .name = "EndpointHeadersIn", .fields = headers_in_fields};

static const struct schema maybe_text = {.kind = SCHEMA_EITHER,
                                         .item = &schema_text,
                                         .other = &(const struct schema){.kind = SCHEMA_NULL}};
static const struct schema headers_change = {.kind = SCHEMA_MAP,
                                             .about = "Values by name; null removes the header.",
                                             .item = &maybe_text,
                                             .example = "{\"x-tenant\":\"8\",\"x-old\":null}"};
static const struct schema header_name = {
    .kind = SCHEMA_TEXT, .min = 1, .max = 256, .example = "\"x-old\""};
static const struct schema header_names = {.kind = SCHEMA_LIST,
                                           .about = "Headers to remove.",
                                           .max = ENDPOINT_FILTERS_MAX,
                                           .item = &header_name};
static const struct schema_field headers_patch_fields[] = {
    FIELD_MUST("headers", headers_change, NULL),
    FIELD_MAY_NULL("deleteHeaders", header_names, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_headers_patch = {
    .kind = SCHEMA_OBJECT, .name = "EndpointHeadersPatchIn", .fields = headers_patch_fields};

static const struct schema sensitive = {.kind = SCHEMA_LIST, .item = &header_name};
static const struct schema_field headers_out_fields[] = {
    FIELD_MUST("headers", schema_headers, NULL),
    {"sensitive", &sensitive, SCHEMA_REQUIRED,
     "Headers that look like credentials: their values are not shown.", "[\"authorization\"]"},
    FIELD_END,
};
const struct schema schema_endpoint_headers_out = {
    .kind = SCHEMA_OBJECT, .name = "EndpointHeadersOut", .fields = headers_out_fields};

/* ---- secrets ---- */

static const struct schema_field secret_out_fields[] = {
    {"key", &schema_text, SCHEMA_REQUIRED, "`whsec_…`, or the public key `whpk_…`.",
     "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\""},
    FIELD_END,
};
const struct schema schema_endpoint_secret_out = {
    .kind = SCHEMA_OBJECT, .name = "EndpointSecretOut", .fields = secret_out_fields};

static const struct schema grace = {
    .kind = SCHEMA_INTEGER,
    .about = "How long the old key signs on: a day unless said otherwise.",
    .max = 7 * 24 * 3600,
    .example = "86400"};
static const struct schema_field rotate_fields[] = {
    FIELD_RARE_NULL("key", secret, NULL),
    FIELD_MAY_NULL("gracePeriodSeconds", grace, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_secret_rotate_in = {
    .kind = SCHEMA_OBJECT, .name = "EndpointSecretRotateIn", .fields = rotate_fields};

/* ---- recovery ---- */

static const struct schema_field enable_fields[] = {
    FIELD_MAY_NULL("since", schema_time,
                   "What died since then is replayed; null: since it failed or was disabled."),
    FIELD_END,
};
const struct schema schema_endpoint_enable_in = {
    .kind = SCHEMA_OBJECT, .name = "EndpointEnableIn", .fields = enable_fields};

static const struct schema_field recover_fields[] = {
    FIELD_MUST("since", schema_time, NULL),
    {"until", &schema_time, SCHEMA_NULLABLE | SCHEMA_RARE, "Not before `since`; null: now.", NULL},
    FIELD_END,
};
const struct schema schema_recover_in = {
    .kind = SCHEMA_OBJECT, .name = "RecoverIn", .fields = recover_fields};

static const struct schema replayed_types = {.kind = SCHEMA_LIST,
                                             .min = 1,
                                             .max = ENDPOINT_FILTERS_MAX,
                                             .unique = true,
                                             .item = &schema_event_type_name};
static const struct schema_field bulk_replay_fields[] = {
    FIELD_MUST("since", schema_time, "Messages that were accepted after it."),
    FIELD_MAY_NULL("until", schema_time, "Messages that were accepted before it."),
    FIELD_MAY_NULL("eventTypes", replayed_types, "Only of these types."),
    FIELD_RARE_NULL("channel", schema_channel, "Only of this channel."),
    FIELD_RARE_NULL("tag", schema_tag, "Only with this tag."),
    FIELD_RARE_NULL("status", schema_status,
                    "Only in this state at the endpoint; without it, whatever was sent."),
    FIELD_RARE_NULL("statusCodeClass", schema_status_class, "Only what was last answered so."),
    FIELD_END,
};
const struct schema schema_bulk_replay_in = {
    .kind = SCHEMA_OBJECT, .name = "BulkReplayIn", .fields = bulk_replay_fields};

/* ---- statistics ---- */

static const struct schema_field stats_fields[] = {
    {"success", &schema_count, SCHEMA_REQUIRED, "Delivered.", "9000"},
    {"pending", &schema_count, SCHEMA_REQUIRED, "Not tried yet.", "3"},
    {"sending", &schema_count, SCHEMA_REQUIRED, "Waiting for the next attempt.", "12"},
    {"fail", &schema_count, SCHEMA_REQUIRED, "Given up.", "1"},
    {"canceled", &schema_count, SCHEMA_REQUIRED, "Canceled.", "0"},
    FIELD_END,
};
const struct schema schema_endpoint_stats = {
    .kind = SCHEMA_OBJECT, .name = "EndpointStats", .fields = stats_fields};
static const struct schema_field attempt_stats_fields[] = {
    {"success", &schema_count, SCHEMA_REQUIRED, "Answered with 2xx.", "9000"},
    {"fail", &schema_count, SCHEMA_REQUIRED, "Everything else.", "17"},
    {"canceled", &schema_count, SCHEMA_REQUIRED, "Always 0.", "0"},
    FIELD_END,
};
const struct schema schema_endpoint_attempt_stats = {
    .kind = SCHEMA_OBJECT, .name = "EndpointAttemptStats", .fields = attempt_stats_fields};

/* ---- transformations ---- */

static const struct schema variables = {.kind = SCHEMA_MAP, .item = &schema_text, .example = "{}"};
static const struct schema_field transformation_patch_fields[] = {
    FIELD_MAY_NULL("enabled", schema_boolean, "true is refused: not built yet."),
    FIELD_RARE_NULL("code", schema_text, "Refused: not built yet."),
    FIELD_RARE_NULL("variables", variables, "Any is refused: not built yet."),
    FIELD_END,
};
const struct schema schema_transformation_patch = {.kind = SCHEMA_OBJECT,
                                                   .name = "EndpointTransformationPatch",
                                                   .fields = transformation_patch_fields};
static const struct schema_field transformation_out_fields[] = {
    FIELD_MUST_NULL("code", schema_text, NULL),
    FIELD_MUST("enabled", schema_boolean, "Always false: not built yet."),
    FIELD_MUST_NULL("variables", variables, NULL),
    FIELD_MUST_NULL("updatedAt", schema_time, NULL),
    FIELD_END,
};
const struct schema schema_transformation_out = {.kind = SCHEMA_OBJECT,
                                                 .name = "EndpointTransformationOut",
                                                 .fields = transformation_out_fields};
