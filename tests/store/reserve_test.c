/* What is written past the last page, on a real environment in a real file. */
#include "store/reserve.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((size_t)1024 * 1024)

struct fixture {
    char dir[64];
    struct env env;
    uint8_t *value;
};

static void setup(struct fixture *f, size_t map_size)
{
    *f = (struct fixture){.dir = "/tmp/reserve_test_XXXXXX", .value = malloc(MIB)};
    assert_non_null(f->value);
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(env_open(&f->env, f->dir, (int64_t)map_size, false), ERR_OK);
}

static void teardown(struct fixture *f)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock"};
    char path[96];
    env_close(&f->env);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    free(f->value);
}

/* `count` values of 1 MiB, from number `first`, each filled with its number. */
static void fill(struct fixture *f, uint32_t first, uint32_t count)
{
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f->env.mdb, NULL, 0, &txn), 0);
    for (uint32_t i = first; i < first + count; i++) {
        struct treekey key = key_number(i);
        memset(f->value, (int)i, MIB);
        assert_int_equal(
            tree_put(&f->env, txn, TREE_BODY, key_span(&key), span_of(f->value, MIB), 0), ERR_OK);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void assert_filled(struct fixture *f, uint32_t count)
{
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(f->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    for (uint32_t i = 0; i < count; i++) {
        struct treekey key = key_number(i);
        struct span value;
        assert_int_equal(tree_get(&f->env, txn, TREE_BODY, key_span(&key), &value), ERR_OK);
        memset(f->value, (int)i, MIB);
        assert_int_equal(value.len, MIB);
        assert_memory_equal(value.ptr, f->value, MIB);
    }
    mdb_txn_abort(txn);
}

static int file_of(const struct fixture *f)
{
    int fd;
    assert_int_equal(mdb_env_get_fd(f->env.mdb, &fd), 0);
    return fd;
}

static uint64_t size_of(const struct fixture *f)
{
    struct stat file;
    assert_int_equal(fstat(file_of(f), &file), 0);
    return (uint64_t)file.st_size;
}

static unsigned pieces(struct fixture *f)
{
    unsigned n = 0;
    bool more = true;
    for (; more; n++)
        assert_int_equal(reserve_write(&f->env, &more), ERR_OK);
    return n;
}

static void a_small_file_is_left_as_it_is(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1024 * MIB);
    fill(&f, 0, 60);
    uint64_t size = size_of(&f);
    assert_false(reserve_wants(&f.env));
    assert_int_equal(pieces(&f), 1);
    assert_int_equal(size_of(&f), size);
    teardown(&f);
}

static void a_quarter_of_a_large_one_is_written_ahead_and_nothing_of_it_changes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1024 * MIB);
    fill(&f, 0, 80);
    uint64_t used = size_of(&f);
    assert_int_equal(reserve_blocks(&f.env), ERR_OK); /* blocks that were never written */
    assert_true(reserve_wants(&f.env));
    assert_in_range(pieces(&f), 80, 90); /* of 256 KiB */
    assert_false(reserve_wants(&f.env));
    assert_true((uint64_t)lseek(file_of(&f), 0, SEEK_HOLE) >= used + used / 4);
    assert_filled(&f, 80);
    fill(&f, 80, 5); /* less than half of it is used up */
    assert_false(reserve_wants(&f.env));
    fill(&f, 85, 10);
    assert_true(reserve_wants(&f.env));
    assert_filled(&f, 95);
    teardown(&f);
}

static void what_an_earlier_process_wrote_ahead_is_not_written_again(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1024 * MIB);
    fill(&f, 0, 80);
    (void)pieces(&f);
    f.env.written = 0;
    if ((uint64_t)lseek(file_of(&f), 0, SEEK_HOLE) == size_of(&f))
        assert_int_equal(pieces(&f), 1);
    teardown(&f);
}

static void the_map_is_the_end(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 90 * MIB);
    fill(&f, 0, 80);
    (void)pieces(&f);
    assert_in_range(size_of(&f), 81 * MIB, 90 * MIB);
    teardown(&f);
}

/* A file of /proc stands for a file system that cannot. */
static void where_blocks_cannot_be_reserved_it_is_not_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 64 * MIB);
    fill(&f, 0, 1);
    int good = dup(file_of(&f)), other = open("/proc/self/comm", O_RDWR | O_CLOEXEC);
    uint64_t size = size_of(&f);
    assert_true(good >= 0 && other >= 0);
    assert_true(dup2(other, file_of(&f)) >= 0);
    assert_int_equal(reserve_blocks(&f.env), ERR_OK);
    assert_true(dup2(good, file_of(&f)) >= 0);
    assert_int_equal(reserve_blocks(&f.env), ERR_OK);
    assert_int_equal(size_of(&f), size);
    f.env.reserved = 0;
    assert_int_equal(reserve_blocks(&f.env), ERR_OK);
    assert_true(size_of(&f) > size);
    close(good);
    close(other);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_file_is_left_as_it_is),
        cmocka_unit_test(a_quarter_of_a_large_one_is_written_ahead_and_nothing_of_it_changes),
        cmocka_unit_test(what_an_earlier_process_wrote_ahead_is_not_written_again),
        cmocka_unit_test(the_map_is_the_end),
        cmocka_unit_test(where_blocks_cannot_be_reserved_it_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
