/* The one list of things that can go wrong.
 *
 * A function that can fail returns `enum err`; the detail is logged where it happened and the code
 * travels up. ERR_OK is zero, so `if (e)` reads as "if it failed". */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_LIST(X)                                                              \
    X(OK, "success")                                                             \
    X(NOT_FOUND, "no such entity")                                               \
    X(CONFLICT, "an entity with this identity exists")                           \
    X(STALE, "the entity changed since it was read; read it again and retry")    \
    X(INVALID, "the input breaks a rule; the detail names the field")            \
    X(TOO_LARGE, "the input is over its bound")                                  \
    X(BUSY, "too much is under way; retry later")                                \
    X(FULL, "the map or the disk is full; nothing was stored")                   \
    X(CORRUPT, "a record failed its checksum or its decoding and was set aside") \
    X(IO, "the disk failed; the process must stop")                              \
    X(LOCKED, "another process uses this data directory")                        \
    X(VERSION, "the data has the format of another version")                     \
    X(NO_MEMORY, "out of memory")                                                \
    X(STOPPING, "the service is shutting down")                                  \
    X(MISMATCH, "the idempotency key was used with another body")                \
    X(IN_FLIGHT, "an attempt of this delivery is in flight")                     \
    X(DISABLED, "the endpoint is disabled")

enum err {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* "NOT_FOUND"; static storage. */
const char *err_name(enum err e);
/* The sentence of the list above; static storage. */
const char *err_text(enum err e);

#endif
