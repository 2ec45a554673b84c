/* Attempts, deliveries, their explanations, and dead letters: what became of messages. */
#include "admin/schemas.h"

#include "admin/explanation.h"
#include "admin/status.h"
#include "base/bounds.h"

static const char *status_choice(unsigned i)
{
    static const char *const numbers[] = {"0", "1", "2", "3", "4"};
    _Static_assert(sizeof numbers / sizeof *numbers == STATUS_LAST + 1, "one number a status");
    return i <= STATUS_LAST ? numbers[i] : NULL;
}
const struct schema schema_status = {
    .kind = SCHEMA_INTEGER,
    .name = "MessageStatus",
    .about =
        "0 success, 1 pending (never tried), 2 fail (given up), 3 sending (a retry is pending), "
        "4 canceled.",
    .choice = status_choice,
    .example = "0"};
static const char *status_text_choice(unsigned i)
{
    return i <= STATUS_LAST ? status_text((enum status)i) : NULL;
}
const struct schema schema_status_text = {
    .kind = SCHEMA_CHOICE, .name = "MessageStatusText", .choice = status_text_choice};

static const char *class_choice(unsigned i)
{
    static const char *const classes[] = {"100", "200", "300", "400", "500"};
    return i < sizeof classes / sizeof *classes ? classes[i] : NULL;
}
const struct schema schema_status_class = {.kind = SCHEMA_INTEGER,
                                           .name = "StatusCodeClass",
                                           .about = "The first digit of an HTTP status.",
                                           .choice = class_choice,
                                           .example = "200"};

/* ---- attempts ---- */

static const char *outcome_choice(unsigned i)
{
    return i <= ATTEMPT_LAST ? attempt_class_name((enum attempt_class)i) : NULL;
}
static const struct schema outcome = {.kind = SCHEMA_CHOICE,
                                      .name = "AttemptOutcome",
                                      .about = "How it ended: success, an HTTP status that is no "
                                               "success, or what kept it from a response.",
                                      .choice = outcome_choice};
static const char *trigger_choice(unsigned i)
{
    static const char *const numbers[] = {"0", "1"};
    return i <= TRIGGER_MANUAL ? numbers[i] : NULL;
}
static const struct schema trigger = {.kind = SCHEMA_INTEGER,
                                      .name = "MessageAttemptTriggerType",
                                      .about = "0 scheduled, 1 manual.",
                                      .choice = trigger_choice,
                                      .example = "0"};
static const struct schema http_status = {.kind = SCHEMA_INTEGER, .max = 999, .example = "200"};
static const struct schema url = {
    .kind = SCHEMA_TEXT, .format = "uri", .example = "\"https://warehouse.example.com/hooks\""};

static const struct schema_field attempt_fields[] = {
    FIELD_MUST("id", schema_attempt_id, NULL),
    FIELD_MUST("msgId", schema_message_id, NULL),
    FIELD_MUST("endpointId", schema_endpoint_id, NULL),
    FIELD_MUST("url", url, NULL),
    {"response", &schema_text, SCHEMA_REQUIRED,
     "The first 16 KiB of the body, or why there is none; `{}` without content.", "\"ok\""},
    {"responseStatusCode", &http_status, SCHEMA_REQUIRED, "0: no response.", NULL},
    {"responseDurationMs", &schema_count, SCHEMA_REQUIRED, NULL, "12"},
    FIELD_MUST("status", schema_status, NULL),
    FIELD_MUST("statusText", schema_status_text, NULL),
    FIELD_MUST("outcome", outcome, NULL),
    FIELD_MUST("triggerType", trigger, NULL),
    FIELD_MUST("timestamp", schema_time, NULL),
    {"msg", &schema_message_out, SCHEMA_RARE, "With `with_msg=true`, without its payload.", NULL},
    FIELD_END,
};
_Static_assert(ATTEMPT_BODY_KEPT_MAX == 16 * 1024, "the text names the number");
const struct schema schema_attempt_out = {
    .kind = SCHEMA_OBJECT, .name = "MessageAttemptOut", .fields = attempt_fields};

static const struct schema_field endpoint_message_fields[] = {
    SCHEMA_MESSAGE_OUT_FIELDS,
    FIELD_MUST("status", schema_status, NULL),
    FIELD_MUST("statusText", schema_status_text, NULL),
    {"nextAttempt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_END,
};
const struct schema schema_endpoint_message_out = {.kind = SCHEMA_OBJECT,
                                                   .name = "EndpointMessageOut",
                                                   .about =
                                                       "A message with its state at one endpoint.",
                                                   .fields = endpoint_message_fields};

/* ---- deliveries ---- */

static const char *state_choice(unsigned i)
{
    if (i > DELIVERY_NONE + 1)
        return NULL;
    return i > DELIVERY_NONE ? "in_flight" : delivery_state_name((enum delivery_state)i);
}
static const struct schema state = {
    .kind = SCHEMA_CHOICE,
    .name = "DeliveryState",
    .about =
        "scheduled (never tried), in_flight, retrying, delivered, dead (given up), canceled, or "
        "none (only manual attempts, none of which succeeded).",
    .choice = state_choice};
static const char *reason_choice(unsigned i)
{
    return i < REASON_CANCELED ? delivery_reason_name((enum delivery_reason)(i + 1)) : NULL;
}
static const struct schema reason = {.kind = SCHEMA_CHOICE,
                                     .name = "DeliveryReason",
                                     .about = "Why it is dead or canceled.",
                                     .choice = reason_choice};

#define TRIES_FIELDS                                                                               \
    {"tries", &schema_count, SCHEMA_REQUIRED, "Scheduled attempts since it was made or replayed.", \
     NULL},                                                                                        \
        FIELD_MUST_NULL("lastAttemptId", schema_attempt_id, NULL),                                 \
    {                                                                                              \
        "lastStatusCode", &http_status, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "503"             \
    }

static const struct schema_field delivery_fields[] = {
    FIELD_MUST("msgId", schema_message_id, NULL),
    FIELD_MUST("endpointId", schema_endpoint_id, NULL),
    {"state", &state, SCHEMA_REQUIRED, NULL, "\"retrying\""},
    {"reason", &reason, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    TRIES_FIELDS,
    FIELD_MUST_NULL("nextAttempt", schema_time, NULL),
    {"waitsFor", &schema_message_id, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "The message that must be delivered or given up before this one is sent.", "null"},
    FIELD_MUST("createdAt", schema_time, NULL),
    {"finishedAt", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    FIELD_END,
};
const struct schema schema_delivery_out = {
    .kind = SCHEMA_OBJECT,
    .name = "DeliveryOut",
    .about = "One message at one endpoint: what happened, what happens next, when and why.",
    .fields = delivery_fields};

/* ---- explanations ---- */

static const char *told_state_choice(unsigned i)
{
    static const char *const more[] = {"in_flight", "accepted", "unmatched"};
    if (i <= DELIVERY_NONE)
        return delivery_state_name((enum delivery_state)i);
    i -= DELIVERY_NONE + 1;
    return i < sizeof more / sizeof *more ? more[i] : NULL;
}
static const struct schema told_state = {
    .kind = SCHEMA_CHOICE,
    .name = "ExplanationState",
    .about = "A DeliveryState; accepted: still being handed to the endpoints; unmatched: the "
             "endpoint does not get the message.",
    .choice = told_state_choice};
static const struct schema told_step = {
    .kind = SCHEMA_CHOICE, .name = "ExplanationStepKind", .choice = explanation_step_name};
static const struct schema told_rule = {
    .kind = SCHEMA_CHOICE,
    .name = "ExplanationRule",
    .about = "Why the endpoint gets the message or not, by what the endpoint asks for now.",
    .choice = explanation_rule_name};
static const struct schema told_wait = {.kind = SCHEMA_CHOICE,
                                        .name = "ExplanationWait",
                                        .about = "What must end first for anything to happen.",
                                        .choice = explanation_wait_name};
static const struct schema told_remedy = {
    .kind = SCHEMA_CHOICE, .name = "ExplanationRemedy", .choice = explanation_remedy_name};
static const struct schema told_remedies = {.kind = SCHEMA_LIST, .item = &told_remedy};

#define FIELD_MOMENT(name, about, example)                                     \
    {                                                                          \
        name, &schema_count, SCHEMA_REQUIRED | SCHEMA_NULLABLE, about, example \
    }
static const struct schema_field timings_fields[] = {
    {"queuedUs", &schema_count, SCHEMA_REQUIRED, "From when it was due to its start.", "850"},
    FIELD_MOMENT("dnsUs", "The name was resolved.", "310"),
    FIELD_MOMENT("connectUs", "The connection stood.", "2150"),
    FIELD_MOMENT("tlsUs", "The TLS handshake was over.", "9800"),
    FIELD_MOMENT("firstByteUs", "The response began.", "24100"),
    {"totalUs", &schema_count, SCHEMA_REQUIRED, "It ended.", "24300"},
    FIELD_END,
};
static const struct schema timings = {
    .kind = SCHEMA_OBJECT,
    .name = "AttemptTimings",
    .about = "Microseconds after the attempt's start; null: it did not come to that, or an open "
             "connection was used.",
    .fields = timings_fields};

static const struct schema_field told_step_fields[] = {
    FIELD_MUST_NULL("at", schema_time, NULL),
    {"what", &told_step, SCHEMA_REQUIRED, NULL, "\"attempt\""},
    {"detail", &schema_text, SCHEMA_REQUIRED, "A sentence.", "\"Attempt 1 got status 503.\""},
    {"rule", &told_rule, SCHEMA_RARE, "Of matched and not_matched.", NULL},
    {"reason", &reason, SCHEMA_RARE, "Of dead and canceled.", NULL},
    {"attemptId", &schema_attempt_id, 0, "Of an attempt, like the rest.", NULL},
    {"triggerType", &trigger, 0, NULL, NULL},
    {"outcome", &outcome, 0, NULL, "\"status\""},
    {"responseStatusCode", &http_status, 0, "0: no response.", "503"},
    {"timings", &timings, 0, NULL, NULL},
    FIELD_END,
};
static const struct schema told_step_out = {
    .kind = SCHEMA_OBJECT, .name = "ExplanationStep", .fields = told_step_fields};
static const struct schema told_steps = {.kind = SCHEMA_LIST, .item = &told_step_out};

static const struct schema_field told_next_fields[] = {
    {"what", &told_wait, SCHEMA_REQUIRED, NULL, "\"retry\""},
    {"at", &schema_time, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "When it ends at the earliest; null: not known, or not by time.", NULL},
    {"triggerType", &trigger, SCHEMA_REQUIRED, "Of the attempt that comes.", NULL},
    {"waitsFor", &schema_message_id, SCHEMA_REQUIRED | SCHEMA_NULLABLE,
     "With order: the message that goes before it.", "null"},
    {"why", &schema_text, SCHEMA_REQUIRED, "A sentence.",
     "\"Attempt 1 got status 503, and the next is due at 2026-01-02T03:04:10.123456Z.\""},
    FIELD_END,
};
static const struct schema told_next = {
    .kind = SCHEMA_OBJECT, .name = "ExplanationNext", .fields = told_next_fields};

static const struct schema_field explanation_fields[] = {
    FIELD_MUST("msgId", schema_message_id, NULL),
    FIELD_MUST("endpointId", schema_endpoint_id, NULL),
    {"asOf", &schema_time, SCHEMA_REQUIRED, "When this was true.", NULL},
    {"state", &told_state, SCHEMA_REQUIRED, NULL, "\"retrying\""},
    {"summary", &schema_text, SCHEMA_REQUIRED, "A sentence.",
     "\"Not delivered yet: attempt 1 got status 503, and the next is due at "
     "2026-01-02T03:04:10.123456Z.\""},
    {"steps", &told_steps, SCHEMA_REQUIRED, "What happened, in order.", NULL},
    {"next", &told_next, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "null: nothing comes by itself.", NULL},
    {"can", &told_remedies, SCHEMA_REQUIRED, "What a person can do.", "[\"resend\"]"},
    FIELD_END,
};
const struct schema schema_explanation_out = {
    .kind = SCHEMA_OBJECT,
    .name = "ExplanationOut",
    .about = "What happened to a message at an endpoint, and what comes next.",
    .fields = explanation_fields};

/* ---- dead letters ---- */

static const struct schema_field dead_letter_fields[] = {
    SCHEMA_MESSAGE_OUT_FIELDS,
    FIELD_MUST("endpointId", schema_endpoint_id, NULL),
    FIELD_MUST_NULL("reason", reason, NULL),
    TRIES_FIELDS,
    FIELD_MUST_NULL("diedAt", schema_time, NULL),
    FIELD_END,
};
const struct schema schema_dead_letter_out = {
    .kind = SCHEMA_OBJECT, .name = "DeadLetterOut", .fields = dead_letter_fields};

#define CHOICE_FIELDS                                                                          \
    {"since", &schema_time, SCHEMA_NULLABLE | SCHEMA_RARE, "What died at or after it.", NULL}, \
        {"until", &schema_time, SCHEMA_NULLABLE | SCHEMA_RARE, "What died before it.", NULL},  \
        FIELD_MAY_NULL("eventType", schema_event_type_name, NULL)

#define REPLAY_FIELDS \
    CHOICE_FIELDS, FIELD_RARE_NULL("rate", schema_rate, "Deliveries a second; null: all at once.")

static const struct schema_field replay_fields[] = {REPLAY_FIELDS, FIELD_END};
const struct schema schema_dead_letter_replay = {
    .kind = SCHEMA_OBJECT,
    .name = "DeadLetterReplay",
    .about = "Which dead letters, and how fast; `{}` is all at once.",
    .fields = replay_fields};

static const struct schema_field choice_fields[] = {CHOICE_FIELDS, FIELD_END};
const struct schema schema_dead_letter_choice = {.kind = SCHEMA_OBJECT,
                                                 .name = "DeadLetterChoice",
                                                 .about = "Which dead letters; `{}` is all.",
                                                 .fields = choice_fields};

static const struct schema message_ids = {
    .kind = SCHEMA_LIST, .min = 1, .max = PAGE_MAX, .item = &schema_message_id};
static const struct schema_field replay_of_endpoint_fields[] = {
    REPLAY_FIELDS,
    FIELD_RARE_NULL("messageIds", message_ids, "These; excludes the other members."),
    FIELD_END,
};
const struct schema schema_dead_letter_replay_of_endpoint = {
    .kind = SCHEMA_OBJECT,
    .name = "DeadLetterReplayOfEndpoint",
    .about = "Which dead letters of the endpoint, and how fast; `{}` is all at once.",
    .fields = replay_of_endpoint_fields};

static const struct schema_field choice_of_endpoint_fields[] = {
    CHOICE_FIELDS,
    FIELD_RARE_NULL("messageIds", message_ids, "These; excludes the other members."),
    FIELD_END,
};
const struct schema schema_dead_letter_choice_of_endpoint = {
    .kind = SCHEMA_OBJECT,
    .name = "DeadLetterChoiceOfEndpoint",
    .about = "Which dead letters of the endpoint; `{}` is all.",
    .fields = choice_of_endpoint_fields};
