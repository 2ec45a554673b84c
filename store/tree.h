/* The LMDB environment and its trees. Private to store/.
 *
 * docs/architecture.md has the table of keys; the functions here build them, and nothing else
 * does. Key integers are big-endian, so that byte order is numeric order. */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include "store/store.h"

#include <lmdb.h>

#define TREE_LIST(X)                \
    X(META, "meta")                 \
    X(APP, "app")                   \
    X(APP_UID, "app_uid")           \
    X(APP_ORG, "app_org")           \
    X(ENDPOINT, "endpoint")         \
    X(ENDPOINT_ID, "endpoint_id")   \
    X(ENDPOINT_UID, "endpoint_uid") \
    X(ENDPOINT_APP, "endpoint_app") \
    X(EVENT_TYPE, "event_type")     \
    X(KEY, "key")                   \
    X(MESSAGE, "message")           \
    X(BODY, "body")                 \
    X(DELIVERY, "delivery")         \
    X(DUE, "due")                   \
    X(ATTEMPT, "attempt")           \
    X(DEAD, "dead")                 \
    X(EXPIRY, "expiry")             \
    X(ANSWER, "answer")             \
    X(COUNT, "count")               \
    X(TASK, "task")                 \
    X(TASK_FILTER, "task_filter")   \
    X(TASK_RESULT, "task_result")   \
    X(STAT, "stat")                 \
    X(PORTAL, "portal")             \
    X(LINE, "line")                 \
    X(CONSUMER, "consumer")         \
    X(HEALTH, "health")

enum tree {
#define TREE_ENUM(name, text) TREE_##name,
    TREE_LIST(TREE_ENUM)
#undef TREE_ENUM
        TREES
};

extern const char *const tree_names[TREES];

#define STORE_FORMAT 2 /* store/format.c */

struct env {
    MDB_env *mdb;
    MDB_dbi tree[TREES];
    int lock_fd; /* <dir>/lock, held with flock while the environment is open */
    uint64_t map_size;
    uint64_t reserved, written; /* store/reserve.h; by the writer's thread */
};

/* Creates the directory (0700), takes the lock, opens environment and trees as store/format.h says.
 * ERR_LOCKED, ERR_VERSION, ERR_CORRUPT, ERR_IO, logged. */
enum err env_open(struct env *env, const char *dir, int64_t map_size, bool as_is) MUST_CHECK;
void env_close(struct env *env);
/* The lock of a data directory that exists: ours until *fd is closed. ERR_LOCKED, ERR_IO, logged. */
enum err env_lock(const char *dir, int *fd) MUST_CHECK;
/* Syncs a directory and its entry in the one above: what was created in it survives a power cut.
 * ERR_IO, ERR_FULL, logged. */
enum err env_sync_directory(const char *dir) MUST_CHECK;
/* What an LMDB (or errno) code means to us; logs everything but NOTFOUND with `what` was
 * attempted. */
enum err env_err(int rc, const char *what);

/* Thin forms of mdb_get/put/del/cursor on spans; MDB_NOTFOUND becomes ERR_NOT_FOUND (not logged),
 * MDB_MAP_FULL and ENOSPC become ERR_FULL. A got span points into the map. */
enum err tree_get(const struct env *env, MDB_txn *txn, enum tree t, struct span key,
                  struct span *value) MUST_CHECK;
/* flags: 0, MDB_APPEND or MDB_NOOVERWRITE (ERR_CONFLICT). */
enum err tree_put(const struct env *env, MDB_txn *txn, enum tree t, struct span key,
                  struct span value, unsigned flags) MUST_CHECK;
enum err tree_del(const struct env *env, MDB_txn *txn, enum tree t, struct span key) MUST_CHECK;
enum err tree_cursor(const struct env *env, MDB_txn *txn, enum tree t, MDB_cursor **out) MUST_CHECK;
/* op: MDB_SET_RANGE (key in: *key), MDB_NEXT, MDB_PREV, MDB_FIRST, MDB_LAST … */
enum err tree_walk(MDB_cursor *c, MDB_cursor_op op, struct span *key,
                   struct span *value) MUST_CHECK;

/* Removes the row under the cursor; MDB_NEXT then yields the one behind it. */
enum err tree_del_at(MDB_cursor *c) MUST_CHECK;

/* The data file's descriptor. */
int env_file(const struct env *env);
/* The end of the last page that was ever in use, in bytes. */
uint64_t env_end(const struct env *env);
/* Bytes of the map that cannot be used anew: all up to the last page but those in the free list.
 * Walks the free list only when the last page lies beyond `look` bytes, else counts it as used.
 * Not inside a write transaction. */
enum err env_used(const struct env *env, uint64_t look, uint64_t *used) MUST_CHECK;

/* Keys. Build into a struct treekey on the stack. */
#define TREE_KEY_MAX 320
struct treekey {
    uint8_t b[TREE_KEY_MAX];
    size_t len;
};
static inline struct span key_span(const struct treekey *k)
{
    return span_of(k->b, k->len);
}
/* A row's key, to be used after the row may have moved, with room for one byte more. ERR_CORRUPT:
 * longer than any that is written here. */
enum err key_copy(struct span key, struct treekey *out) MUST_CHECK;
struct treekey key_id(const struct id *id); /* APP, MESSAGE, KEY, TASK, TASK_FILTER, ENDPOINT_ID */
struct treekey key_number(uint32_t number); /* ENDPOINT, COUNT, HEALTH */
struct treekey key_id_id(const struct id *a, const struct id *b); /* APP_ORG, ATTEMPT … */
struct treekey key_id_text(const struct id *a, struct span text); /* APP_UID, EVENT_TYPE */
struct treekey key_number_text(uint32_t a, struct span text);     /* ENDPOINT_UID */
struct treekey key_number_id(uint32_t a, const struct id *b); /* ENDPOINT_APP, DEAD, index keys */
struct treekey key_id_number(const struct id *a, uint32_t b); /* DELIVERY */
struct treekey key_portal(const struct id *app, const uint8_t hash[32]);              /* PORTAL */
struct treekey key_consumer(const struct id *app, const uint8_t name[CONSUMER_NAME]); /* CONSUMER */
struct treekey key_body(const struct id *message, uint16_t chunk);                    /* BODY */
struct treekey key_due(uint32_t endpoint, struct wall due, const struct id *message,
                       enum attempt_trigger trigger); /* DUE */
enum err key_due_parse(struct span key, uint32_t *endpoint, struct wall *due, struct id *message,
                       enum attempt_trigger *trigger) MUST_CHECK;

/* A place in a line of an endpoint (store/order.h). */
struct line_place {
    uint8_t line[LINE_BYTES];
    struct id ticket, message;
};
struct treekey key_line_begin(uint32_t endpoint, const uint8_t line[LINE_BYTES]);
struct treekey key_line(uint32_t endpoint, const struct line_place *at); /* LINE */
enum err key_line_parse(struct span key, uint32_t *endpoint, struct line_place *at) MUST_CHECK;

/* Expiry rows: time | kind | id (message, task), idempotency key (answer), hour (statistics) or key
 * (portal token, consumer). On disk: append only. */
enum expiry_kind {
    EXPIRY_MESSAGE,
    EXPIRY_ANSWER,
    EXPIRY_TASK,
    EXPIRY_STAT,
    EXPIRY_PORTAL,
    EXPIRY_CONSUMER,
    EXPIRY_KINDS
};
struct treekey key_expiry(struct wall when, enum expiry_kind kind, struct span what);
enum err key_expiry_parse(struct span key, struct wall *when, enum expiry_kind *kind,
                          struct span *what) MUST_CHECK;

/* Names in META; values are records of record.h. */
#define META_FORMAT "format"       /* u32 */
#define META_MARKS "marks"         /* struct marks, rewritten by every commit */
#define META_ORG "organisation"    /* id of the default one */
#define META_SECRET "secret-check" /* proves main_secret at open */
struct marks {
    struct id message, attempt; /* high-water marks of the two generators */
    uint32_t next_app, next_endpoint;
    uint64_t next_version;
};

#endif
