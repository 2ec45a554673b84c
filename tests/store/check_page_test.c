/* Pages under the store's feet: every byte of what LMDB believes of its pages (heads, pointers,
 * heads of rows) changes once while the store is open. `check` says so before it follows the page,
 * or what is stored is what it was. */
#include "tests/store/sweep_world.h"

#include <fcntl.h>

#define PAGE 4096
#define PAGE_HEAD 16
#define ROW_HEAD 8
#define PAGE_BRANCH 1 /* LMDB's flags of a page */
#define PAGE_LEAF 2
#define PAGE_OVERFLOW 4
#define PAGE_SIZE_AT (PAGE_HEAD + 24) /* in a page of roots */

static int file;
static uint32_t stored; /* what all trees hold */

static uint32_t digest_all(void)
{
    uint32_t sum = 0;
    for (int t = 0; t < TREES; t++)
        sum = sum * 31 + sweep_digest(sweep.r.s, (enum tree)t);
    return sum;
}

static void write_at(uint64_t offset, const void *bytes, size_t len)
{
    assert_int_equal(pwrite(file, bytes, len, (off_t)offset), len);
}

/* Changes one bit, asks, and puts it back. Whether `check` found it. */
static bool flip(uint64_t offset, unsigned bit)
{
    struct check_report report;
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, (off_t)offset), 1);
    uint8_t changed = byte ^ (uint8_t)(1u << bit);
    write_at(offset, &changed, 1);
    enum err e = store_check(sweep.r.s, sweep_ignore, NULL, &report);
    bool found = e || report.errors;
    if (!found && digest_all() != stored)
        fail_msg("bit %u of byte %llu of page %llu is not found", bit,
                 (unsigned long long)offset % PAGE, (unsigned long long)offset / PAGE);
    write_at(offset, &byte, 1);
    return found;
}

static unsigned load16(const uint8_t *at)
{
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static unsigned flip_page(uint64_t number)
{
    uint8_t page[PAGE];
    unsigned found = 0;
    uint64_t start = number * PAGE;
    assert_int_equal(pread(file, page, PAGE, (off_t)start), PAGE);
    unsigned flags = load16(page + 10);
    for (unsigned at = 0; flags == PAGE_OVERFLOW && at < PAGE_HEAD; at++)
        found += flip(start + at, at % 8);
    if (!(flags & (PAGE_BRANCH | PAGE_LEAF)))
        return found;
    unsigned rows = (load16(page + 12) - PAGE_HEAD) / 2;
    for (unsigned at = 0; at < PAGE_HEAD + 2 * rows; at++)
        found += flip(start + at, (at + (unsigned)number) % 8);
    for (unsigned i = 0; i < rows && i < 4; i++)
        for (unsigned at = 0; at < ROW_HEAD; at++)
            found += flip(start + load16(page + PAGE_HEAD + 2 * i) + at, at);
    return found;
}

static void a_changed_page_is_found_before_it_is_followed(void **state)
{
    (void)state;
    unsigned found = 0;
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(sweep.r.s->env.mdb, &info), 0);
    for (uint64_t number = 2; number <= info.me_last_pgno; number++)
        found += flip_page(number);
    assert_true(found > 500);
}

static void a_page_of_roots_that_is_none_is_found(void **state)
{
    (void)state;
    assert_true(flip(PAGE_HEAD, 0));
    assert_true(flip(PAGE + PAGE_HEAD, 0));
    assert_true(flip(PAGE_SIZE_AT, 0));
}

static void an_empty_file_is_found(void **state)
{
    (void)state;
    char dir[] = "/tmp/surehook-pages-XXXXXX", path[64];
    struct check_report report;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int empty = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(empty >= 0);
    close(empty);
    OK(store_check_file(dir, sweep_ignore, NULL, &report));
    assert_int_equal(report.errors, 1);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock", dir);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

static void a_file_that_was_cut_is_found(void **state)
{
    (void)state;
    struct check_report report;
    MDB_envinfo info;
    struct stat was;
    assert_int_equal(fstat(file, &was), 0);
    assert_int_equal(mdb_env_info(sweep.r.s->env.mdb, &info), 0);
    assert_int_equal(ftruncate(file, (off_t)info.me_last_pgno * PAGE), 0);
    OK(store_check(sweep.r.s, sweep_ignore, NULL, &report));
    assert_true(report.errors > 0);
    sweep_restore(); /* the same file, whole again */
    OK(store_check(sweep.r.s, sweep_ignore, NULL, &report));
    assert_int_equal(report.errors, 0);
}

/* A value in pages of its own; of zeros, so that none of them looks like a page of a tree. */
static void put_long_answer(void)
{
    static const char zeros[2 * PAGE];
    const uint8_t hash[8] = {0};
    const struct env *env = &sweep.r.s->env;
    struct buf record;
    MDB_txn *txn;
    buf_init(&record, 3 * PAGE);
    record_answer_encode(200, hash, span_of(zeros, sizeof zeros), &record);
    assert_int_equal(mdb_txn_begin(env->mdb, NULL, 0, &txn), 0);
    OK(tree_put(env, txn, TREE_ANSWER, SPAN("long"), buf_view(&record), 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
    buf_free(&record);
    free(sweep.image);
    sweep_keep();
}

static int set_up(void **state)
{
    char path[128];
    (void)state;
    world_fill();
    OK(store_open(&sweep.r.settings, &sweep.r.s));
    put_long_answer();
    sweep_path(path);
    file = open(path, O_RDWR);
    assert_true(file >= 0);
    stored = digest_all();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(file);
    store_close(&sweep.r.s);
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_page_is_found_before_it_is_followed),
        cmocka_unit_test(a_page_of_roots_that_is_none_is_found),
        cmocka_unit_test(an_empty_file_is_found),
        cmocka_unit_test(a_file_that_was_cut_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
