/* The table in memory: order, age, limits, and readers beside the writer. */
#include "store/memtable.h"

#include "base/rand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FAMILY INDEX_APP_MESSAGE

static struct memtable *table;

static int setup(void **state)
{
    (void)state;
    table = memtable_new(64 * 1024);
    return table ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    memtable_unref(&table);
    return 0;
}

static memtable_node put(const char *key, const char *value)
{
    struct index_entry e = {span_text(key), span_text(value), WALL_NEVER};
    memtable_node node = memtable_add(table, FAMILY, &e);
    assert_int_not_equal(node, 0);
    memtable_link(table, node);
    return node;
}

static void expect(memtable_node node, const char *key, const char *value)
{
    assert_int_not_equal(node, 0);
    assert_true(span_is(memtable_entry(table, node).key, key));
    assert_true(span_is(memtable_entry(table, node).value, value));
}

static void keys_come_in_order_in_both_directions(void **state)
{
    (void)state;
    put("c", "3");
    put("a", "1");
    put("ab", "2");
    memtable_node limit = memtable_mark(table);
    memtable_node at = memtable_seek(table, limit, FAMILY, SPAN("a"), false);
    expect(at, "a", "1");
    at = memtable_next(table, limit, at, false);
    expect(at, "ab", "2");
    at = memtable_next(table, limit, at, false);
    expect(at, "c", "3");
    assert_int_equal(memtable_next(table, limit, at, false), 0);
    at = memtable_next(table, limit, at, true);
    expect(at, "ab", "2");
    at = memtable_next(table, limit, at, true);
    expect(at, "a", "1");
    assert_int_equal(memtable_next(table, limit, at, true), 0);
    expect(memtable_seek(table, limit, FAMILY, SPAN("b"), true), "ab", "2");
    expect(memtable_seek(table, limit, FAMILY, SPAN("b"), false), "c", "3");
    assert_int_equal(memtable_seek(table, limit, FAMILY, SPAN("d"), false), 0);
    assert_int_equal(memtable_seek(table, limit, FAMILY, SPAN("A"), true), 0);
}

static void the_newest_value_of_a_key_is_found_once(void **state)
{
    (void)state;
    put("a", "old");
    put("b", "old");
    put("a", "new");
    memtable_node limit = memtable_mark(table);
    expect(memtable_find(table, limit, FAMILY, SPAN("a")), "a", "new");
    memtable_node at = memtable_seek(table, limit, FAMILY, SPAN("a"), false);
    expect(memtable_next(table, limit, at, false), "b", "old");
    at = memtable_seek(table, limit, FAMILY, SPAN("z"), true);
    at = memtable_next(table, limit, at, true);
    expect(at, "a", "new");
    assert_int_equal(memtable_next(table, limit, at, true), 0);
    assert_int_equal(memtable_count(table, FAMILY), 3);
}

static void a_limit_hides_what_came_later(void **state)
{
    (void)state;
    put("b", "old");
    memtable_node limit = memtable_mark(table);
    put("a", "later");
    put("b", "later");
    put("c", "later");
    expect(memtable_find(table, limit, FAMILY, SPAN("b")), "b", "old");
    assert_int_equal(memtable_find(table, limit, FAMILY, SPAN("a")), 0);
    memtable_node at = memtable_seek(table, limit, FAMILY, SPAN("a"), false);
    expect(at, "b", "old");
    assert_int_equal(memtable_next(table, limit, at, false), 0);
    at = memtable_seek(table, limit, FAMILY, SPAN("c"), true);
    expect(at, "b", "old");
    assert_int_equal(memtable_next(table, limit, at, true), 0);
}

static void families_do_not_meet(void **state)
{
    (void)state;
    put("a", "1");
    memtable_node limit = memtable_mark(table);
    assert_int_equal(memtable_find(table, limit, INDEX_EVENT_ID, SPAN("a")), 0);
    assert_int_equal(memtable_seek(table, limit, INDEX_EVENT_ID, SPAN("a"), false), 0);
}

static void what_was_not_linked_can_be_forgotten(void **state)
{
    (void)state;
    put("a", "1");
    memtable_node mark = memtable_mark(table);
    struct index_entry e = {SPAN("b"), SPAN("2"), WALL_NEVER};
    assert_int_not_equal(memtable_add(table, FAMILY, &e), 0);
    assert_int_equal(memtable_find(table, memtable_mark(table), FAMILY, SPAN("b")), 0);
    memtable_truncate(table, mark);
    put("c", "3");
    memtable_node limit = memtable_mark(table);
    memtable_node at = memtable_seek(table, limit, FAMILY, SPAN("a"), false);
    expect(memtable_next(table, limit, at, false), "c", "3");
}

static void a_full_table_refuses_and_what_has_room_always_fits(void **state)
{
    (void)state;
    char key[INDEX_KEY_MAX], value[INDEX_VALUE_MAX];
    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    struct index_entry e = {span_of(key, sizeof key), span_of(value, sizeof value), WALL_NEVER};
    size_t room = memtable_room(table), added = 0;
    while (memtable_add(table, FAMILY, &e))
        added++;
    assert_true(room > 0 && added >= room);
    assert_int_equal(memtable_room(table), 0);
    assert_true(memtable_grow(table));
    assert_int_not_equal(memtable_add(table, FAMILY, &e), 0);
}

static void the_same_entries_fill_the_same_bytes(void **state)
{
    (void)state;
    struct memtable *other = memtable_new(64 * 1024);
    struct rng rng;
    rng_seed(&rng, 3);
    for (unsigned i = 0; i < 500; i++) {
        uint64_t key = rng_next(&rng);
        struct index_entry e = {span_of(&key, sizeof key), SPAN("value"), WALL_NEVER};
        assert_int_equal(memtable_add(table, FAMILY, &e), memtable_add(other, FAMILY, &e));
    }
    memtable_unref(&other);
}

/* ------------------------------------------------ many keys */

#define MANY 20000

/* Hashes; hashes of a narrow range; hashes behind a number; keys that count up behind a number, a
 * few of them late: each sort is looked for in its own way when it is linked. */
static size_t make_key(struct rng *rng, unsigned i, enum index_family *family, uint8_t key[24])
{
    unsigned sort = (unsigned)(rng_next(rng) % 4);
    for (unsigned j = 0; j < 24; j += 8) {
        uint64_t random = rng_next(rng);
        memcpy(key + j, &random, 8);
    }
    *family = sort == 3 ? INDEX_ENDPOINT_ATTEMPT : INDEX_IDEMPOTENCY;
    if (sort == 1)
        memset(key, 0x7f, 3);
    if (sort >= 2)
        put_be32(key, (uint32_t)(rng_next(rng) % 5));
    if (sort == 3)
        put_be64(key + 4, i - (rng_next(rng) % 3));
    return sort < 2 ? 16 : sort == 2 ? 20 : 24;
}

static int by_key(const void *left, const void *right)
{
    const struct index_entry *a = left, *b = right;
    return entry_key_cmp(a->key, b->key);
}

/* A walk meets exactly the sorted keys. */
static void expect_walk(const struct memtable *t, enum index_family family,
                        struct index_entry *entry, size_t count)
{
    qsort(entry, count, sizeof *entry, by_key);
    memtable_node limit = memtable_mark(t);
    memtable_node at = memtable_seek(t, limit, family, SPAN("\0"), false);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(at, 0);
        assert_true(span_eq(memtable_entry(t, at).key, entry[i].key));
        assert_int_equal(memtable_find(t, limit, family, entry[i].key), at);
        at = memtable_next(t, limit, at, false);
    }
    assert_int_equal(at, 0);
}

static void keys_of_every_sort_stand_in_order(void **state)
{
    (void)state;
    struct memtable *t = memtable_new(4 * 1024 * 1024);
    struct index_entry *entry[INDEX_FAMILIES] = {0};
    size_t count[INDEX_FAMILIES] = {0};
    for (unsigned family = 0; family < INDEX_FAMILIES; family++)
        entry[family] = calloc(MANY, sizeof *entry[family]);
    struct rng rng;
    rng_seed(&rng, 7);
    memtable_node mark = memtable_mark(t);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t key[24];
        enum index_family family;
        struct index_entry e = {.expires = WALL_NEVER};
        e.key = span_of(key, make_key(&rng, i, &family, key));
        memtable_node node = memtable_add(t, family, &e);
        assert_int_not_equal(node, 0);
        entry[family][count[family]++] = memtable_entry(t, node);
        if (rng_next(&rng) % 8 == 0) {
            memtable_link(t, mark);
            mark = memtable_mark(t);
        }
    }
    memtable_link(t, mark);
    for (unsigned family = 0; family < INDEX_FAMILIES; family++) {
        expect_walk(t, (enum index_family)family, entry[family], count[family]);
        free(entry[family]);
    }
    memtable_unref(&t);
}

/* ------------------------------------------------ readers beside the writer */

#define RACE_KEYS 20000

struct race {
    struct memtable *table;
    _Atomic memtable_node limit;
    atomic_bool over;
};

/* Every walk sees growing keys, and at least as many as the limit promises. */
static void *walk_until_over(void *arg)
{
    struct race *r = arg;
    size_t least = 0;
    while (!atomic_load(&r->over)) {
        memtable_node limit = atomic_load_explicit(&r->limit, memory_order_acquire);
        size_t seen = 0;
        struct span last = SPAN("");
        for (memtable_node at = memtable_seek(r->table, limit, FAMILY, SPAN("\0"), false); at;
             at = memtable_next(r->table, limit, at, false)) {
            struct index_entry e = memtable_entry(r->table, at);
            if (!span_eq(e.key, e.value) || (last.len && entry_key_cmp(last, e.key) >= 0))
                return "out of order";
            last = e.key;
            seen++;
        }
        if (seen < least)
            return "an entry vanished";
        least = seen;
    }
    return NULL;
}

static void readers_walk_while_the_writer_links(void **state)
{
    (void)state;
    struct race r = {.table = memtable_new(4 * 1024 * 1024)};
    atomic_init(&r.limit, memtable_mark(r.table));
    pthread_t readers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, walk_until_over, &r), 0);
    struct rng rng;
    rng_seed(&rng, 5);
    for (unsigned i = 0; i < RACE_KEYS; i++) {
        uint64_t key = rng_next(&rng);
        struct span bytes = span_of(&key, sizeof key);
        struct index_entry e = {bytes, bytes, WALL_NEVER};
        memtable_node node = memtable_add(r.table, FAMILY, &e);
        assert_int_not_equal(node, 0);
        memtable_link(r.table, node);
        atomic_store_explicit(&r.limit, memtable_mark(r.table), memory_order_release);
    }
    atomic_store(&r.over, true);
    for (int i = 0; i < 2; i++) {
        void *complaint;
        assert_int_equal(pthread_join(readers[i], &complaint), 0);
        assert_null(complaint);
    }
    memtable_unref(&r.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_come_in_order_in_both_directions, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_value_of_a_key_is_found_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_hides_what_came_later, setup, teardown),
        cmocka_unit_test_setup_teardown(families_do_not_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_linked_can_be_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_refuses_and_what_has_room_always_fits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_same_entries_fill_the_same_bytes, setup, teardown),
        cmocka_unit_test(keys_of_every_sort_stand_in_order),
        cmocka_unit_test(readers_walk_while_the_writer_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
