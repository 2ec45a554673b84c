/* How attempts are made: the retry policy of endpoints and event types, and what else an endpoint
 * has a say in. */
#include "admin/schemas.h"

#include "base/bounds.h"
#include "store/retry.h"

#define DURATION_PATTERN "^(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$"

static const struct schema delay = {.kind = SCHEMA_TEXT,
                                    .about = "A duration, `250ms` or `1h30m`, up to 30 days.",
                                    .min = 2,
                                    .max = 31,
                                    .pattern = DURATION_PATTERN,
                                    .example = "\"5m\""};
static const struct schema schedule = {.kind = SCHEMA_LIST,
                                       .about =
                                           "The delays after the first attempt, each from the end "
                                           "of the one before; may be empty.",
                                       .max = RETRY_DELAYS_MAX,
                                       .item = &delay,
                                       .example = "[\"5s\",\"5m\",\"2h\"]"};
static const struct schema factor = {
    .kind = SCHEMA_INTEGER, .min = 1, .max = RETRY_FACTOR_MAX, .example = "2"};
static const struct schema jitter = {
    .kind = SCHEMA_INTEGER,
    .about = "The share of its spread by which a delay is shortened at random; null: as the "
             "service is set up.",
    .max = 100,
    .example = "100"};
static const struct schema attempts = {.kind = SCHEMA_INTEGER,
                                       .about = "In all, the first included; null: no such bound.",
                                       .min = 1,
                                       .max = RETRY_ATTEMPTS_MAX,
                                       .example = "3"};
static const struct schema age = {
    .kind = SCHEMA_TEXT,
    .about = "No retry is later than this after the first attempt was due, up to 365 days; null: "
             "no such bound.",
    .min = 2,
    .max = 31,
    .pattern = DURATION_PATTERN,
    .example = "\"3d\""};

static const struct schema_field exponential_fields[] = {
    FIELD_MUST("first", delay, NULL),
    FIELD_MAY_NULL("factor", factor, "2 unless said otherwise."),
    {"cap", &delay, SCHEMA_REQUIRED, "No delay is longer.", "\"6h\""},
    FIELD_END,
};
static const struct schema exponential = {.kind = SCHEMA_OBJECT,
                                          .name = "RetryExponential",
                                          .about =
                                              "Each delay is `factor` times the one before, up to "
                                              "`cap`.",
                                          .fields = exponential_fields};

static const struct schema_field policy_fields[] = {
    FIELD_MAY_NULL("schedule", schedule, NULL),
    FIELD_RARE_NULL("exponential", exponential, NULL),
    FIELD_MAY_NULL("jitterPercent", jitter, NULL),
    FIELD_MAY_NULL("maxAttempts", attempts, NULL),
    FIELD_MAY_NULL("maxAge", age, NULL),
    FIELD_END,
};
const struct schema schema_retry_policy = {
    .kind = SCHEMA_OBJECT,
    .name = "RetryPolicy",
    .about = "Either `schedule`, of which `maxAttempts` may use a part, or `exponential` with "
             "`maxAttempts` or `maxAge`. An endpoint's goes before that of the event type, which "
             "goes before the option `retry-schedule`; null: none of its own.",
    .fields = policy_fields};

const struct schema schema_attempt_timeout = {
    .kind = SCHEMA_TEXT,
    .about = "The longest that one attempt may take in all, up to `5m`; null: as the service is "
             "set up.",
    .min = 2,
    .max = 31,
    .pattern = DURATION_PATTERN,
    .example = "\"10s\""};
const struct schema schema_max_in_flight = {
    .kind = SCHEMA_INTEGER,
    .about = "Attempts at once, at most what the option `endpoint-max-in-flight` allows; null: "
             "that.",
    .min = 1,
    .max = 10000,
    .example = "4"};
const struct schema schema_fresh_share = {
    .kind = SCHEMA_INTEGER,
    .about = "Percent of the attempts of an endpoint that is behind that go to new messages; null: "
             "as the option `fresh-share` says. An ordered endpoint has none.",
    .min = 0,
    .max = FRESH_SHARE_MAX,
    .example = "50"};
