/* What the writer keeps in memory: applications, endpoints with their match rules and counters, and
 * API keys. Private to store/.
 *
 * Threads. The writer thread alone changes it, after the commit of what it shows, and reads it
 * without a lock. Other threads use only the functions of the last part, which take the lock for
 * reading; every change takes it for writing. Counters are atomics, published after each commit.
 *
 * Memory grows with applications, endpoints and keys, never with messages. */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "store/match.h"
#include "store/tree.h"

struct vault;
struct table;
struct table_endpoint;

struct table_app {
    struct id id, org;
    uint32_t number;
    uint64_t version;
    struct wall created;
    int64_t throttle_rate;
    struct span uid; /* empty: none */
    unsigned endpoint_count, endpoint_room;
    struct table_endpoint **endpoints; /* not deleted, ascending by number */
    uint8_t number_key[4];             /* what the maps look at */
    uint8_t *uid_key;                  /* org, uid; NULL: no uid */
    size_t uid_key_len;
};

struct table_endpoint {
    uint32_t number;
    struct id id;
    struct table_app *app; /* NULL when the application was deleted */
    uint64_t version;
    struct wall created;
    bool disabled;
    bool play;         /* at Svix Play */
    bool deleted;      /* its rows are gone; kept for its counters until its task ended */
    unsigned retiring; /* unfinished TASK_ENDPOINT_DISABLED of it: no replay, no resend meanwhile */
    enum ordering ordering;
    unsigned relining; /* unfinished TASK_ORDER_CHANGED of it: nobody in a line is let go */
    struct span uid;
    struct match_rule rule;
    void *rule_block;

    /* Owned by the writer: with the batch, and whether the batch changed it. */
    struct endpoint_counts working;
    bool dirty;
    struct table_endpoint *next_dirty;
    /* As of the last commit; any thread. */
    _Atomic uint64_t waiting, dead;
    uint8_t number_key[4];
};

/* NULL when out of memory. */
struct table *table_new(void);
void table_free(struct table **t);
/* Reads applications, endpoints, counters and keys, at open. */
enum err table_load(struct table *t, const struct env *env, MDB_txn *txn,
                    const struct vault *vault) MUST_CHECK;

/* ------------------------------------------------ the writer's part */

struct table_app *table_app(const struct table *t, const struct id *id);
struct table_app *table_app_numbered(const struct table *t, uint32_t number);
struct table_app *table_app_by_uid(const struct table *t, const struct id *org, struct span uid);
/* Endpoints of operational applications, of all organisations; deleted ones do not count. */
unsigned table_operational_endpoints(const struct table *t);
/* Whether any of its endpoints is ordered. */
bool table_app_ordered(const struct table_app *a);
/* Also those that are deleted and still have a task. */
struct table_endpoint *table_endpoint(const struct table *t, uint32_t number);

/* Entries are made before the commit (so that running out of memory refuses the operation), and
 * put in after it. `put` takes the entry over and replaces the one of the same number, whose
 * endpoints and counters live on. ERR_NO_MEMORY of `put` is fatal to the caller: disk and memory
 * would disagree. */
enum err table_app_new(const struct app *a, struct table_app **out) MUST_CHECK;
void table_app_free(struct table_app **a);
enum err table_app_put(struct table *t, struct table_app *fresh) MUST_CHECK;
/* Its endpoints are deleted with it. */
void table_app_delete(struct table *t, uint32_t number);

enum err table_endpoint_new(const struct endpoint *e, struct table_endpoint **out) MUST_CHECK;
void table_endpoint_free(struct table_endpoint **e);
enum err table_endpoint_put(struct table *t, struct table_endpoint *fresh,
                            uint32_t app_number) MUST_CHECK;
/* Leaves the application's list; found by number until table_endpoint_forget. */
void table_endpoint_delete(struct table *t, uint32_t number);
void table_endpoint_forget(struct table *t, uint32_t number);

enum err table_key_put(struct table *t, const struct api_key *key) MUST_CHECK;
/* No effect when there is none. */
void table_key_revoke(struct table *t, const struct id *id);

/* ------------------------------------------------ any thread */

/* ERR_NOT_FOUND when unknown or expired. */
enum err table_key_find(struct table *t, const uint8_t hash[32], struct wall now,
                        struct api_key *out) MUST_CHECK;
bool table_has_keys(struct table *t);
/* Whether an endpoint of the application takes such a message; which it has. */
bool table_takes(struct table *t, uint32_t app_number, const struct match_subject *subject);
struct app_receivers table_receivers(struct table *t, uint32_t app_number);
/* Zeros for an unknown endpoint. */
struct endpoint_counts table_counts(struct table *t, uint32_t endpoint);

#endif
