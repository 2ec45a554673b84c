/* A bit that flipped on disk while nobody looked: what LMDB believes of its file without a checksum
 * is verified by opening or by `check`. */
#include "tests/store/rig.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PAGE_HEAD 16
#define ROW_HEAD 8
#define META_ROOTS 24
#define META_LAST 120
#define META_TXN 128
#define TREE_BYTES 48
#define TREE_PAD 4 /* the first bytes of what LMDB keeps of a tree: they say nothing */

static struct rig r;
static char path[128];
static uint8_t *bytes;
static size_t size, page_size;

static uint64_t load64(size_t at)
{
    uint64_t v;
    memcpy(&v, bytes + at, sizeof v);
    return v;
}

static size_t load16(size_t at)
{
    uint16_t v;
    memcpy(&v, bytes + at, sizeof v);
    return v;
}

/* A stopped store with a little of everything, and its file in memory. */
static int setup(void **state)
{
    (void)state;
    static struct id ids[200];
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    (void)rig_add_endpoint(&r, &a);
    rig_send_all(&r, &a, ids, 200);
    struct key_op key = {.key = {.id = id_random(r.now), .scope = SCOPE_ADMIN}};
    OK(rig_do(&r, &key.op, STORE_KEY_PUT));
    rig_turns(&r, 5);
    MDB_stat stat;
    assert_int_equal(mdb_env_stat(r.s->env.mdb, &stat), 0);
    page_size = stat.ms_psize;
    rig_stop(&r);
    snprintf(path, sizeof path, "%s/data.mdb", r.dir);
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    size = (size_t)info.st_size;
    bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, size, 0), info.st_size);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(bytes);
    rig_remove(&r);
    return 0;
}

static void silent(void *context, const char *finding)
{
    (void)context;
    (void)finding;
}

static void write_file(void)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
    close(fd);
}

/* As `surehook check` looks: the pages first, so that LMDB, which would die of some, sees none that
 * is damaged. */
static bool is_noticed(void)
{
    struct store *s;
    struct check_report report;
    write_file();
    OK(store_check_file(r.dir, silent, NULL, &report));
    if (report.errors)
        return true;
    if (store_open(&r.settings, &s))
        return true;
    OK(store_check(s, silent, NULL, &report));
    store_close(&s);
    return report.errors > 0;
}

/* ---------------------------------------------------------------- places in the file */

static size_t newest_meta(void)
{
    size_t first = PAGE_HEAD, second = page_size + PAGE_HEAD;
    return load64(second + META_TXN) > load64(first + META_TXN) ? second : first;
}

static size_t root_page(unsigned tree)
{
    return load64(newest_meta() + META_ROOTS + tree * TREE_BYTES + 40) * page_size;
}

/* The row of the list of trees that names this one, which is in its only page. */
static size_t tree_row(const char *name)
{
    size_t page = root_page(1), rows = (load16(page + 12) - PAGE_HEAD) / 2, len = strlen(name);
    for (size_t i = 0; i < rows; i++) {
        size_t row = page + load16(page + PAGE_HEAD + 2 * i);
        if (load16(row + 6) == len && memcmp(bytes + row + ROW_HEAD, name, len) == 0)
            return row;
    }
    fail_msg("no tree %s", name);
    return 0;
}

/* The first list of free pages: how many, then their numbers. */
static size_t free_list(void)
{
    size_t page = root_page(0), row = page + load16(page + PAGE_HEAD);
    size_t list = row + ROW_HEAD + load16(row + 6);
    assert_true(load64(list) > 0);
    return list;
}

/* ---------------------------------------------------------------- */

static void a_file_that_is_right_has_no_findings(void **state)
{
    (void)state;
    assert_false(is_noticed());
}

/* Its name, too: with another one the tree was once made anew, and empty. */
static void a_bit_of_what_leads_to_a_tree_is_noticed(void **state)
{
    (void)state;
    static const char *const trees[] = {"key", "index_tail"};
    for (size_t t = 0; t < sizeof trees / sizeof *trees; t++) {
        size_t row = tree_row(trees[t]), said = row + ROW_HEAD + strlen(trees[t]);
        for (size_t at = row; at < said + TREE_BYTES; at++) {
            if (at >= said && at < said + TREE_PAD)
                continue;
            for (unsigned bit = 0; bit < 8; bit += 3) {
                bytes[at] ^= (uint8_t)(1u << bit);
                if (!is_noticed())
                    fail_msg("bit %u of byte %zu of tree %s", bit, at - row, trees[t]);
                bytes[at] ^= (uint8_t)(1u << bit);
            }
        }
    }
}

static void a_page_that_is_free_and_in_use_is_noticed(void **state)
{
    (void)state;
    uint64_t in_use = root_page(1) / page_size;
    memcpy(bytes + free_list() + 8, &in_use, sizeof in_use);
    assert_true(is_noticed());
}

static void a_page_without_a_place_is_noticed(void **state)
{
    (void)state;
    uint64_t fewer = load64(free_list()) - 1;
    memcpy(bytes + free_list(), &fewer, sizeof fewer);
    assert_true(is_noticed());
}

static void a_last_commit_that_was_lost_is_noticed(void **state)
{
    (void)state;
    bytes[newest_meta() + META_TXN] ^= 4;
    assert_true(is_noticed());
}

static void keys_out_of_order_are_noticed(void **state)
{
    (void)state;
    uint8_t *pointers = bytes + root_page(1) + PAGE_HEAD, first[2];
    memcpy(first, pointers, 2);
    memcpy(pointers, pointers + 2, 2);
    memcpy(pointers + 2, first, 2);
    assert_true(is_noticed());
}

static void a_file_that_was_cut_is_noticed(void **state)
{
    (void)state;
    size = load64(newest_meta() + META_LAST) * page_size;
    write_file();
    assert_int_equal(truncate(path, (off_t)size), 0);
    assert_true(is_noticed());
}

int main(void)
{
#define ROT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROT_TEST(a_file_that_is_right_has_no_findings),
        ROT_TEST(a_bit_of_what_leads_to_a_tree_is_noticed),
        ROT_TEST(a_page_that_is_free_and_in_use_is_noticed),
        ROT_TEST(a_page_without_a_place_is_noticed),
        ROT_TEST(a_last_commit_that_was_lost_is_noticed),
        ROT_TEST(keys_out_of_order_are_noticed),
        ROT_TEST(a_file_that_was_cut_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
