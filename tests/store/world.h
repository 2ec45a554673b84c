/* A store without its writer, filled row by row, so that the tests of reads and of `check` choose
 * every byte. Everything between world_begin and world_commit is one transaction. */
#ifndef TESTS_STORE_WORLD_H
#define TESTS_STORE_WORLD_H

#include "base/hash.h"
#include "base/log.h"
#include "store/snapshot.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define WORLD_MAP (64 * 1024 * 1024)
#define WORLD_NOW INT64_C(1700000000000000) /* a multiple of the 4 ms that an id knows */
#define WORLD_DAY (INT64_C(86400) * US_PER_S)

struct world {
    struct store s;
    char dir[64];
    MDB_txn *txn;
    struct buf record;
    struct endpoint_counts counts[16]; /* by endpoint number, written by world_commit */
};

#define WORLD_OK(call) assert_int_equal(call, ERR_OK)

/* The id of a moment in milliseconds after WORLD_NOW; `n` tells those of one moment apart. */
static inline struct id world_id(int64_t ms, uint8_t n)
{
    struct id id = id_floor((struct wall){WORLD_NOW + ms * US_PER_MS});
    id.b[ID_BYTES - 1] = n;
    return id;
}

static inline void world_begin(struct world *w)
{
    assert_int_equal(mdb_txn_begin(w->s.env.mdb, NULL, 0, &w->txn), 0);
}

static inline void world_put(struct world *w, enum tree tree, struct treekey key)
{
    assert_false(w->record.failed);
    WORLD_OK(tree_put(&w->s.env, w->txn, tree, key_span(&key), buf_view(&w->record), 0));
    buf_clear(&w->record);
}

static inline void world_del(struct world *w, enum tree tree, struct treekey key)
{
    WORLD_OK(tree_del(&w->s.env, w->txn, tree, key_span(&key)));
}

static inline void world_index(struct world *w, enum index_family family, struct treekey key,
                               struct span value)
{
    WORLD_OK(index_put(w->s.index, family, key_span(&key), value, WALL_NEVER));
}

static inline void world_commit(struct world *w)
{
    for (uint32_t n = 0; n < 16; n++) {
        record_count_encode(&w->counts[n], &w->record);
        world_put(w, TREE_COUNT, key_number(n));
    }
    struct marks marks = {world_id(WORLD_DAY, 0), world_id(WORLD_DAY, 0), 100, 100, 100};
    record_marks_encode(&marks, &w->record);
    struct treekey name = {.len = sizeof META_MARKS - 1};
    memcpy(name.b, META_MARKS, name.len);
    world_put(w, TREE_META, name);
    WORLD_OK(index_flush(w->s.index, w->txn));
    assert_int_equal(mdb_txn_commit(w->txn), 0);
    index_committed(w->s.index);
}

static inline void world_open(struct world *w)
{
    *w = (struct world){.dir = "/tmp/surehook-store-XXXXXX"};
    clock_fake((struct wall){WORLD_NOW}, (struct mono){1});
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    assert_non_null(mkdtemp(w->dir));
    buf_init(&w->record, 2 * 1024 * 1024);
    WORLD_OK(env_open(&w->s.env, w->dir, WORLD_MAP, false));
    WORLD_OK(vault_new(NULL, &w->s.vault));
    w->s.snapshots = snapshots_new();
    assert_non_null(w->s.snapshots);
    world_begin(w);
    WORLD_OK(index_open(w->s.env.mdb, w->txn, &w->s.index));
    assert_int_equal(mdb_txn_commit(w->txn), 0);
    index_committed(w->s.index);
}

static inline void world_remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *entry; (entry = readdir(d));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

static inline void world_close(struct world *w)
{
    snapshots_free(&w->s.snapshots);
    index_close(&w->s.index);
    vault_free(&w->s.vault);
    env_close(&w->s.env);
    buf_free(&w->record);
    world_remove_dir(w->dir);
    clock_real();
}

/* ---------------------------------------------------------------- nouns */

static inline void world_app(struct world *w, const struct app *a)
{
    record_app_encode(a, &w->record);
    world_put(w, TREE_APP, key_id(&a->id));
    world_put(w, TREE_APP_ORG, key_id_id(&a->org, &a->id));
    if (a->uid.len == 0)
        return;
    buf_bytes(&w->record, a->id.b, ID_BYTES);
    world_put(w, TREE_APP_UID, key_id_text(&a->org, a->uid));
}

static inline void world_endpoint(struct world *w, const struct endpoint *e)
{
    record_endpoint_encode(e, w->s.vault, &w->record);
    world_put(w, TREE_ENDPOINT, key_number(e->number));
    buf_u32(&w->record, e->number);
    world_put(w, TREE_ENDPOINT_ID, key_id(&e->id));
    buf_u32(&w->record, e->number);
    world_put(w, TREE_ENDPOINT_APP, key_number_id(e->app_number, &e->id));
    if (e->uid.len == 0)
        return;
    buf_u32(&w->record, e->number);
    world_put(w, TREE_ENDPOINT_UID, key_number_text(e->app_number, e->uid));
}

static inline void world_message(struct world *w, const struct message *m)
{
    record_message_encode(m, &w->record);
    world_put(w, TREE_MESSAGE, key_id(&m->id));
    for (unsigned i = 0; i < record_message_chunks(m); i++) {
        record_body_encode(m, i, &w->record);
        world_put(w, TREE_BODY, key_body(&m->id, (uint16_t)i));
    }
    struct span id = span_of(m->id.b, ID_BYTES);
    world_put(w, TREE_EXPIRY, key_expiry(m->expires, EXPIRY_MESSAGE, id));
    world_index(w, INDEX_APP_MESSAGE, key_number_id(m->app_number, &m->id), (struct span){0});
    if (m->event_id.len == 0)
        return;
    struct treekey event = key_number(m->app_number);
    hash_128(m->event_id, event.b + event.len);
    event.len += 16;
    world_index(w, INDEX_EVENT_ID, event, id);
}

static inline void world_delivery(struct world *w, const struct delivery *d, uint16_t tries)
{
    record_delivery_encode(d, &w->record);
    world_put(w, TREE_DELIVERY, key_id_number(&d->message, d->endpoint_number));
    if (d->due.us) {
        record_due_encode(tries, &w->record);
        world_put(w, TREE_DUE, key_due(d->endpoint_number, d->due, &d->message, TRIGGER_SCHEDULED));
        w->counts[d->endpoint_number].waiting++;
    }
    if (d->state == DELIVERY_DEAD) {
        struct dead_record dead = {d->finished, d->reason, SPAN("invoice.paid")};
        record_dead_encode(&dead, &w->record);
        world_put(w, TREE_DEAD, key_number_id(d->endpoint_number, &d->message));
        w->counts[d->endpoint_number].dead++;
    }
    world_index(w, INDEX_ENDPOINT_MESSAGE, key_number_id(d->endpoint_number, &d->message),
                (struct span){0});
}

static inline void world_attempt(struct world *w, const struct attempt *a)
{
    record_attempt_encode(a, &w->record);
    world_put(w, TREE_ATTEMPT, key_id_id(&a->message, &a->id));
    world_index(w, INDEX_ENDPOINT_ATTEMPT, key_number_id(a->endpoint_number, &a->id),
                span_of(a->message.b, ID_BYTES));
}

/* Flips a bit in the middle of a stored record. */
static inline void world_damage(struct world *w, enum tree tree, struct treekey key)
{
    struct span value;
    WORLD_OK(tree_get(&w->s.env, w->txn, tree, key_span(&key), &value));
    buf_span(&w->record, value);
    w->record.ptr[value.len - 1] ^= 1;
    world_put(w, tree, key);
}

#endif
