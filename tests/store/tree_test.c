/* The thin layer on LMDB: what errors mean, keys that are none, paths that are too long, space. */
#include "tests/store/sweep_world.h"

#include "store/datafile.h"
#include "store/replace.h"
#include "store/reserve.h"

#include <errno.h>

static void each_error_of_lmdb_means_one_of_ours(void **state)
{
    (void)state;
    const struct {
        int rc;
        enum err e;
    } rows[] = {
        {MDB_SUCCESS, ERR_OK},        {MDB_NOTFOUND, ERR_NOT_FOUND},
        {MDB_KEYEXIST, ERR_CONFLICT}, {MDB_MAP_FULL, ERR_FULL},
        {MDB_TXN_FULL, ERR_FULL},     {ENOSPC, ERR_FULL},
        {EDQUOT, ERR_FULL},           {ENOMEM, ERR_NO_MEMORY},
        {MDB_READERS_FULL, ERR_BUSY}, {MDB_VERSION_MISMATCH, ERR_VERSION},
        {MDB_CORRUPTED, ERR_IO},      {EIO, ERR_IO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(env_err(rows[i].rc, "test"), rows[i].e);
}

static void a_key_that_is_cut_or_longer_is_none(void **state)
{
    (void)state;
    const struct id message = {{1}};
    const struct line_place place = {.ticket = {{2}}, .message = {{3}}};
    struct treekey due = key_due(7, (struct wall){1}, &message, TRIGGER_MANUAL);
    struct treekey line = key_line(7, &place);
    struct treekey expiry =
        key_expiry((struct wall){1}, EXPIRY_MESSAGE, span_of(message.b, ID_BYTES));
    uint32_t endpoint;
    struct wall when;
    struct id id;
    struct span what;
    struct line_place at;
    enum attempt_trigger trigger;
    enum expiry_kind kind;
    for (size_t len = 0; len <= due.len + 1; len++)
        assert_int_equal(key_due_parse(span_of(due.b, len), &endpoint, &when, &id, &trigger) ==
                             ERR_OK,
                         len == due.len);
    for (size_t len = 0; len <= line.len + 1; len++)
        assert_int_equal(key_line_parse(span_of(line.b, len), &endpoint, &at) == ERR_OK,
                         len == line.len);
    for (size_t len = 0; len <= expiry.len + 1; len++)
        assert_int_equal(key_expiry_parse(span_of(expiry.b, len), &when, &kind, &what) == ERR_OK,
                         len == expiry.len);
}

static void a_moment_before_time_began_is_none(void **state)
{
    (void)state;
    const struct id message = {{1}};
    struct treekey due = key_due(7, (struct wall){1}, &message, TRIGGER_MANUAL);
    uint32_t endpoint;
    struct wall when;
    struct id id;
    enum attempt_trigger trigger;
    due.b[4] = 0x80;
    assert_int_equal(key_due_parse(key_span(&due), &endpoint, &when, &id, &trigger), ERR_CORRUPT);
}

static void a_key_that_is_too_long_is_not_copied(void **state)
{
    (void)state;
    static const char bytes[TREE_KEY_MAX];
    struct treekey out;
    OK(key_copy(span_of(bytes, TREE_KEY_MAX - 1), &out));
    assert_int_equal(out.len, TREE_KEY_MAX - 1);
    assert_int_equal(key_copy(span_of(bytes, TREE_KEY_MAX), &out), ERR_CORRUPT);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char path[5000];
    struct store_settings settings = sweep.r.settings;
    struct replace_report report = {.say = sweep_ignore};
    struct check_report checked;
    struct store *s;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    settings.dir = path;
    int lock;
    assert_false(store_exists(path));
    assert_int_equal(env_lock(path, &lock), ERR_INVALID);
    assert_int_equal(env_sync_directory(path), ERR_INVALID);
    assert_int_equal(datafile_make(path), ERR_INVALID);
    assert_int_equal(store_check_file(path, sweep_ignore, NULL, &checked), ERR_INVALID);
    assert_int_not_equal(store_open(&settings, &s), ERR_OK);
    assert_null(s);
    assert_int_not_equal(store_restore(path, &sweep.r.settings, &report), ERR_OK);
    OK(store_open(&sweep.r.settings, &s));
    assert_int_equal(store_backup(s, path), ERR_INVALID);
    store_close(&s);
}

/* ---------------------------------------------------------------- space */

static void measure(void)
{
    uint64_t used;
    OK(store_open(&sweep.r.settings, &sweep.r.s));
    struct env *env = &sweep.r.s->env;
    env->reserved = 0;
    fault_shield(false);
    sweep_begin();
    enum err e = env_used(env, 0, &used);
    enum err reserved = reserve_blocks(env);
    fault_shield(true);
    sweep_end();
    if (sweep.way == FAULT_WAYS)
        assert_false(e || reserved);
    else
        assert_true(e == ERR_IO || e == ERR_FULL || reserved == ERR_IO || reserved == ERR_FULL ||
                    sweep_lies());
    store_close(&sweep.r.s);
}

static void what_cannot_be_measured_is_said(void **state)
{
    (void)state;
    sweep_restore();
    sweep_all("space", measure);
}

static int set_up(void **state)
{
    (void)state;
    world_fill();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_of_lmdb_means_one_of_ours),
        cmocka_unit_test(a_key_that_is_cut_or_longer_is_none),
        cmocka_unit_test(a_moment_before_time_began_is_none),
        cmocka_unit_test(a_key_that_is_too_long_is_not_copied),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(what_cannot_be_measured_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
