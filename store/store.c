/* Opening and closing: the environment, what memory holds of it, and the writer thread.
 *
 * Opening reads applications, endpoints, keys, unfinished tasks and the index's directory and tail,
 * never messages or deliveries: a backlog does not delay the start. */
#include "store/store.h"

#include "store/datafile.h"
#include "store/snapshot.h"
#include "store/watches.h"
#include "store/writer.h"

#include "base/failpoint.h"
#include "base/log.h"

/* Sealed at the first start with a main secret, opened at every later one. */
static const char secret_proof[] = "surehook main secret";

static enum err out_of_memory(const void *p)
{
    return p ? ERR_OK : ERR_NO_MEMORY;
}

/* ---------------------------------------------------------------- open */

static enum err check_proof(struct store *s, struct span sealed)
{
    struct buf opened;
    buf_init(&opened, 256);
    enum err e = vault_open(s->vault, SPAN(META_SECRET), sealed, &opened);
    if (!e && !span_is(buf_view(&opened), secret_proof))
        e = ERR_CORRUPT;
    buf_free(&opened);
    if (!e)
        return ERR_OK;
    if (e == ERR_NO_MEMORY)
        return e;
    log_error(
        "the data was sealed with another main secret; start with main-secret set to that one",
        LOG_END);
    return ERR_INVALID;
}

/* Checks the stored proof. A new one is written when there is none, and sealed as soon as there is
 * a secret; else opening writes nothing, so that `check` sees a damaged file as it was. */
static enum err check_secret(struct store *s, MDB_txn *txn)
{
    struct span key = SPAN(META_SECRET), stored = {0};
    enum err e = tree_get(&s->env, txn, TREE_META, key, &stored);
    if (!e)
        e = check_proof(s, stored);
    else if (e == ERR_NOT_FOUND)
        e = ERR_OK;
    if (e)
        return e;
    struct buf fresh;
    buf_init(&fresh, 256);
    vault_seal(s->vault, key, span_text(secret_proof), &fresh);
    if (fresh.failed)
        e = ERR_NO_MEMORY;
    else if (fresh.len != stored.len) /* a sealed one is longer */
        e = tree_put(&s->env, txn, TREE_META, key, buf_view(&fresh), 0);
    buf_free(&fresh);
    return e;
}

static enum err default_org(struct store *s, MDB_txn *txn)
{
    struct span stored;
    enum err e = tree_get(&s->env, txn, TREE_META, SPAN(META_ORG), &stored);
    return e ? e : record_org_decode(stored, &s->org);
}

/* The gauges begin at what the endpoints' counters say. */
static enum err sum_counters(struct store *s, MDB_txn *txn)
{
    MDB_cursor *c;
    enum err e = tree_cursor(&s->env, txn, TREE_COUNT, &c);
    if (e)
        return e;
    struct span key = {0}, value;
    e = tree_walk(c, MDB_FIRST, &key, &value);
    for (; !e; e = tree_walk(c, MDB_NEXT, &key, &value)) {
        struct endpoint_counts counts;
        if (record_count_decode(value, &counts))
            continue; /* reported when the table was loaded */
        counter_add(&s->stats.waiting, counts.waiting);
        counter_add(&s->stats.dead_waiting, counts.dead);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err load(struct store *s)
{
    MDB_txn *txn;
    enum err e = env_err(mdb_txn_begin(s->env.mdb, NULL, 0, &txn), "begin");
    if (e)
        return e;
    e = check_secret(s, txn);
    if (!e)
        e = default_org(s, txn);
    if (!e)
        e = table_load(s->table, &s->env, txn, s->vault);
    if (!e)
        e = sum_counters(s, txn);
    if (!e)
        e = index_open(s->env.mdb, txn, &s->index);
    if (!e)
        e = writer_new(s, txn, &s->writer);
    if (e) {
        mdb_txn_abort(txn);
        return e;
    }
    e = env_err(mdb_txn_commit(txn), "commit");
    if (!e)
        index_committed(s->index);
    FAILPOINT("store-opened");
    return e;
}

static enum err copy_settings(struct store *s, const struct store_settings *settings)
{
    s->settings = *settings;
    s->settings.main_secret = NULL; /* the vault keeps what it needs of it */
    s->settings.dir = strdup(settings->dir);
    return out_of_memory(s->settings.dir);
}

static void init_stats(struct store *s)
{
    histogram_init(&s->stats.commit_us, 50);
    histogram_init(&s->stats.commit_rows, 1);
    counter_add(&s->stats.map_size, (uint64_t)s->settings.map_size);
}

bool store_exists(const char *dir)
{
    return datafile_exists(dir);
}

enum err store_open(const struct store_settings *settings, struct store **out)
{
    struct store *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return ERR_NO_MEMORY;
    s->env.lock_fd = -1;
    enum err e = copy_settings(s, settings);
    init_stats(s);
    if (!e)
        e = vault_new(settings->main_secret, &s->vault);
    if (!e)
        e = out_of_memory(s->table = table_new());
    if (!e)
        e = out_of_memory(s->snapshots = snapshots_new());
    if (!e)
        e = out_of_memory(s->watches = watches_new());
    if (!e)
        e = env_open(&s->env, settings->dir, settings->map_size, settings->as_is);
    if (!e)
        e = load(s);
    if (e)
        store_close(out);
    return e;
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (!s)
        return;
    store_stop(s);
    writer_free(&s->writer);
    snapshots_free(&s->snapshots);
    watches_free(&s->watches);
    index_close(&s->index);
    table_free(&s->table);
    env_close(&s->env);
    vault_free(&s->vault);
    free((char *)s->settings.dir);
    free(s);
    *store = NULL;
}

/* ---------------------------------------------------------------- run */

enum err store_start(struct store *s, const struct store_listener *listener)
{
    return writer_start(s->writer, listener);
}

void store_stop(struct store *s)
{
    if (s->writer)
        writer_stop(s->writer);
}

enum err store_submit(struct store *s, struct store_op *op)
{
    return writer_submit(s->writer, op);
}

/* ---------------------------------------------------------------- from memory */

enum err store_key_find(struct store *s, const uint8_t hash[32], struct api_key *out)
{
    return table_key_find(s->table, hash, clock_wall(), out);
}

bool store_has_keys(struct store *s)
{
    return table_has_keys(s->table);
}

struct id store_default_org(const struct store *s)
{
    return s->org;
}

bool store_app_takes(struct store *s, uint32_t app_number, const struct match_subject *subject)
{
    return table_takes(s->table, app_number, subject);
}

struct app_receivers store_app_receivers(struct store *s, uint32_t app_number)
{
    return table_receivers(s->table, app_number);
}

struct endpoint_counts store_endpoint_counts(struct store *s, uint32_t endpoint)
{
    return table_counts(s->table, endpoint);
}

const struct store_stats *store_stats(const struct store *s)
{
    return &s->stats;
}
