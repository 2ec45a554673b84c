/* The index against a plain array: random batches, aborts, steps, crashes and views, with tables of
 * a hundred entries, so that every run is written, merged and dropped many times. */
#include "tests/store/index_fixture.h"

#include "base/rand.h"

#define KEYS 160
#define PREFIXES 3
#define VIEWS 3
/* One thread alone runs: the thread sanitizer has little to see. */
#ifdef __SANITIZE_THREAD__
#define SEEDS 1
#else
#define SEEDS 4
#endif

struct model_entry {
    struct wall expires; /* 0: never put */
    size_t len;
    uint8_t value[INDEX_VALUE_MAX];
};

struct model {
    struct model_entry entry[INDEX_FAMILIES][KEYS];
};

struct model_view {
    struct index_view *view;
    MDB_txn *txn; /* NULL: not begun yet */
    struct model model;
};

struct world {
    struct fixture f;
    struct rng rng;
    struct model committed, batch;
    struct model_view views[VIEWS];
    int64_t lifetime_s; /* of entries, at most; rounds take a second on average */
    unsigned commits, aborts, crashes, dropped;
    unsigned deepest; /* level that a run reached */
};

/* Keys in byte order; every third belongs to another prefix of four bytes. */
static struct run_key keys[KEYS];

static int by_bytes(const void *a, const void *b)
{
    return entry_key_cmp(run_key_span(a), run_key_span(b));
}

static void make_keys(void)
{
    struct rng rng;
    rng_seed(&rng, 7);
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t bytes[INDEX_KEY_MAX] = {0, 0, 0, (uint8_t)(1 + i % PREFIXES)};
        size_t len = 5 + rng_next(&rng) % (INDEX_KEY_MAX - 4);
        for (size_t at = 4; at < len; at++)
            bytes[at] = rng_next(&rng) % 4 ? (uint8_t)rng_next(&rng) : 0xff;
        run_key_set(&keys[i], span_of(bytes, len));
    }
    qsort(keys, KEYS, sizeof *keys, by_bytes);
}

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)(rng_next(&w->rng) % n);
}

static bool lives(const struct model_entry *e, struct wall now)
{
    return e->expires.us > now.us;
}

/* ------------------------------------------------ comparing */

static void compare_get(struct world *w, const struct model_view *v, enum index_family family,
                        unsigned i)
{
    const struct model_entry *e = &v->model.entry[family][i];
    uint8_t value[INDEX_VALUE_MAX];
    size_t len = 0;
    enum err got =
        index_view_get(v->view, v->txn, family, run_key_span(&keys[i]), w->f.now, value, &len);
    assert_int_equal(got, lives(e, w->f.now) ? ERR_OK : ERR_NOT_FOUND);
    if (got == ERR_OK)
        assert_true(span_eq(span_of(value, len), span_of(e->value, e->len)));
}

/* One walk from `start` (KEYS: from the prefix's end), the model beside it. */
static void compare_walk(struct world *w, const struct model_view *v, enum index_family family,
                         struct span prefix, unsigned start, bool backward)
{
    struct index_cursor *c;
    struct span from = start < KEYS ? run_key_span(&keys[start]) : SPAN("");
    assert_int_equal(index_cursor_open(v->view, v->txn, family, prefix, from, backward, &c),
                     ERR_OK);
    for (unsigned n = 0; n < KEYS; n++) {
        unsigned i = backward ? KEYS - 1 - n : n;
        const struct model_entry *e = &v->model.entry[family][i];
        if (!lives(e, w->f.now) || !span_starts(run_key_span(&keys[i]), prefix))
            continue;
        if (start < KEYS && (backward ? i > start : i < start))
            continue;
        struct span key, value;
        assert_int_equal(index_cursor_next(c, &key, &value), ERR_OK);
        assert_true(span_eq(key, run_key_span(&keys[i])));
        assert_true(span_eq(value, span_of(e->value, e->len)));
    }
    struct span key, value;
    assert_int_equal(index_cursor_next(c, &key, &value), ERR_NOT_FOUND);
    index_cursor_close(&c);
}

static void compare(struct world *w, const struct model_view *v)
{
    enum index_family family = (enum index_family)below(w, INDEX_FAMILIES);
    for (unsigned i = 0; i < KEYS; i++)
        compare_get(w, v, family, i);
    uint8_t bytes[4] = {0, 0, 0, (uint8_t)(1 + below(w, PREFIXES))};
    struct span prefix = span_of(bytes, 4);
    compare_walk(w, v, family, prefix, KEYS, false);
    compare_walk(w, v, family, prefix, KEYS, true);
    unsigned start = below(w, KEYS);
    prefix = span_of(keys[start].b, 4);
    compare_walk(w, v, family, prefix, start, false);
    compare_walk(w, v, family, prefix, start, true);
}

static void compare_batch(struct world *w)
{
    for (unsigned n = 0; n < 20; n++) {
        enum index_family family = below(w, 2) ? INDEX_IDEMPOTENCY : INDEX_EVENT_ID;
        unsigned i = below(w, KEYS);
        const struct model_entry *e = &w->batch.entry[family][i];
        uint8_t value[INDEX_VALUE_MAX];
        size_t len = 0;
        enum err got =
            index_get(w->f.ix, w->f.txn, family, run_key_span(&keys[i]), w->f.now, value, &len);
        assert_int_equal(got, lives(e, w->f.now) ? ERR_OK : ERR_NOT_FOUND);
        if (got == ERR_OK)
            assert_true(span_eq(span_of(value, len), span_of(e->value, e->len)));
    }
}

/* ------------------------------------------------ acting */

static void close_view(struct model_view *v)
{
    if (v->txn)
        mdb_txn_abort(v->txn);
    v->txn = NULL;
    index_view_close(&v->view);
}

static void close_views(struct world *w)
{
    for (unsigned i = 0; i < VIEWS; i++)
        close_view(&w->views[i]);
}

/* Opens, reads or closes one of the views: reading begins any number of batches after opening. */
static void touch_view(struct world *w)
{
    struct model_view *v = &w->views[below(w, VIEWS)];
    if (!v->view) {
        v->view = index_view_open(w->f.ix);
        v->model = w->committed;
        assert_non_null(v->view);
    } else if (below(w, 4) == 0) {
        close_view(v);
    } else {
        if (!v->txn)
            assert_int_equal(mdb_txn_begin(w->f.env, NULL, MDB_RDONLY, &v->txn), 0);
        compare(w, v);
    }
}

/* False: the tables are full. */
static bool put_some(struct world *w)
{
    unsigned count = below(w, 30);
    if (!index_has_room(w->f.ix, count))
        return false;
    for (unsigned n = 0; n < count; n++) {
        enum index_family family = (enum index_family)below(w, INDEX_FAMILIES);
        unsigned i = below(w, KEYS);
        struct model_entry *e = &w->batch.entry[family][i];
        struct wall expires =
            wall_add(w->f.now, (1 + below(w, (unsigned)w->lifetime_s)) * US_PER_S);
        if (expires.us > e->expires.us)
            e->expires = expires;
        e->len = below(w, INDEX_VALUE_MAX + 1);
        for (size_t at = 0; at < e->len; at++)
            e->value[at] = (uint8_t)rng_next(&w->rng);
        assert_int_equal(index_put(w->f.ix, family, run_key_span(&keys[i]),
                                   span_of(e->value, e->len), e->expires),
                         ERR_OK);
    }
    return true;
}

static void crash(struct world *w)
{
    w->crashes++;
    close_views(w);
    fixture_reopen(&w->f);
    w->batch = w->committed;
}

static void one_batch(struct world *w)
{
    w->batch = w->committed;
    fixture_begin(&w->f);
    (void)put_some(w);
    compare_batch(w);
    if (below(w, 5))
        (void)fixture_step(&w->f, 1 + below(w, 300));
    touch_view(w);
    unsigned end = below(w, 100);
    if (end < 10) {
        w->aborts++;
        fixture_abort(&w->f);
    } else if (end < 12) {
        crash(w);
    } else {
        w->commits++;
        fixture_commit(&w->f);
        w->committed = w->batch;
    }
}

/* What the background work has come to. */
static void observe(struct world *w)
{
    const struct directory *d = w->f.ix->directory;
    assert_true(d->filter_bytes <= w->f.limits.filter_bytes_max);
    for (unsigned i = 0; i < directory_count(d); i++)
        if (d->item[i].run->level > w->deepest)
            w->deepest = d->item[i].run->level;
    for (const struct run *run = w->f.ix->doomed; run; run = run->next)
        w->dropped += run->figures.max_expires.us <= w->f.now.us;
}

static struct world *world_run(uint64_t seed, unsigned rounds, size_t table_bytes,
                               size_t filter_bytes, int64_t lifetime_s)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    rng_seed(&w->rng, seed);
    w->lifetime_s = lifetime_s;
    fixture_open(&w->f, table_bytes, filter_bytes);
    for (unsigned round = 0; round < rounds; round++) {
        one_batch(w);
        touch_view(w);
        fixture_advance(&w->f, (int64_t)below(w, 2000) * US_PER_MS);
        observe(w);
        uint64_t entries;
        if (round % 100 == 0)
            assert_int_equal(fixture_check(&w->f, &entries), 0);
    }
    assert_true(w->commits > rounds / 2 && w->aborts > 0 && w->crashes > 0);
    return w;
}

static void world_end(struct world *w)
{
    close_views(w);
    fixture_settle(&w->f);
    fixture_close(&w->f);
    free(w);
}

static void the_index_agrees_with_a_sorted_array_while_runs_expire(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_run(seed, 1000, 8192, 64 * 1024, 200);
        assert_true(w->dropped > 0);
        world_end(w);
    }
}

static void the_index_agrees_with_a_sorted_array_while_runs_merge_to_the_last_level(void **state)
{
    (void)state;
    struct world *w = world_run(10, 3000, 8192, 64 * 1024, 100000);
    assert_int_equal(w->deepest, INDEX_LEVELS - 1);
    world_end(w);
}

static void the_index_agrees_with_a_sorted_array_when_few_filters_fit(void **state)
{
    (void)state;
    world_end(world_run(11, 1000, 8192, 200, 1000));
}

static void the_index_agrees_with_a_sorted_array_when_batches_span_tables(void **state)
{
    (void)state;
    world_end(world_run(12, 2000, 6144, 64 * 1024, 1000));
}

int main(void)
{
    make_keys();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_agrees_with_a_sorted_array_while_runs_expire),
        cmocka_unit_test(the_index_agrees_with_a_sorted_array_while_runs_merge_to_the_last_level),
        cmocka_unit_test(the_index_agrees_with_a_sorted_array_when_few_filters_fit),
        cmocka_unit_test(the_index_agrees_with_a_sorted_array_when_batches_span_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
