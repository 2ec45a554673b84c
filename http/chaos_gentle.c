/* What `surehook listen --chaos` offers. Apart from the engine because it is a table and nothing
 * else; what floods its peer is not for the program that users run, and stands with the tests. */
#include "http/chaos.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* Bytes on their way before a reset, or it would overtake them. */
#define GRACE_US (50 * US_PER_MS)

/* The first half of a ServerHello: a record of 122 bytes is announced, 22 of them come. */
#define HALF_SERVER_HELLO "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03surehook-chaos\x00\x00"

#define GENTLE(ROW)                                                                              \
    ROW("drip-body", "200, then a byte of body a second", .opening = SPAN(OK "\r\n"),            \
        .piece = SPAN("x"), .pieces = UINT64_MAX, .pause_us = US_PER_S)                          \
    ROW("drip-headers", "200, then a byte of a header a second", .opening = SPAN(OK "x-drip: "), \
        .piece = SPAN("x"), .pieces = UINT64_MAX, .pause_us = US_PER_S)                          \
    ROW("drip-status", "a byte of the status line a second", .opening = SPAN("HTTP/1.1 200 "),   \
        .piece = SPAN("x"), .pieces = UINT64_MAX, .pause_us = US_PER_S)                          \
    ROW("drip-informational", "103 Early Hints every second and no final answer",                \
        .piece = SPAN("HTTP/1.1 103 Early Hints\r\n\r\n"), .pieces = UINT64_MAX,                 \
        .pause_us = US_PER_S)                                                                    \
    ROW("silent", "takes the request and never answers", .end = CHAOS_HOLD)                      \
    ROW("deaf", "accepts the connection and reads nothing", .cue = CHAOS_DEAF)                   \
    ROW("close", "closes instead of an answer", .end = CHAOS_CLOSE)                              \
    ROW("close-headers", "closes within the headers", .opening = SPAN(OK "x-half: "),            \
        .end = CHAOS_CLOSE)                                                                      \
    ROW("reset", "resets instead of an answer", .end = CHAOS_RESET)                              \
    ROW("reset-accept", "resets as soon as somebody connects", .cue = CHAOS_ON_ACCEPT,           \
        .end = CHAOS_RESET)                                                                      \
    ROW("reset-headers", "resets within the headers", .opening = SPAN(OK "x-half: "),            \
        .pause_us = GRACE_US, .end = CHAOS_RESET)                                                \
    ROW("reset-body", "200, then resets within the body",                                        \
        .opening = SPAN(OK "content-length: 100\r\n\r\nhalf"), .pause_us = GRACE_US,             \
        .end = CHAOS_RESET)                                                                      \
    ROW("garbage", "answers with a line that is no HTTP",                                        \
        .opening = SPAN("this is not HTTP\r\n\r\n"), .end = CHAOS_CLOSE)                         \
    ROW("tls-silent", "takes the beginning of a handshake and is silent", .cue = CHAOS_ON_BYTES) \
    ROW("tls-stall", "stops in the middle of a TLS handshake", .cue = CHAOS_ON_BYTES,            \
        .opening = SPAN(HALF_SERVER_HELLO))                                                      \
    ROW("tls-reset", "resets in the middle of a TLS handshake", .cue = CHAOS_ON_BYTES,           \
        .opening = SPAN(HALF_SERVER_HELLO), .pause_us = GRACE_US, .end = CHAOS_RESET)

#define AS_BEHAVIOUR(title, text, ...) {.name = (title), .help = (text), __VA_ARGS__},
#define AS_NAME(title, ...) title,

const struct chaos_behaviour chaos_gentle[] = {GENTLE(AS_BEHAVIOUR)};
const size_t chaos_gentle_count = sizeof chaos_gentle / sizeof *chaos_gentle;
const char *const chaos_choices[] = {"none", GENTLE(AS_NAME) NULL};
