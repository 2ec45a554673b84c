/* Every call of a start, of a first start and of a backup fails once: it is refused, and the next
 * one finds a store that is whole. */
#include "tests/store/older.h"
#include "tests/store/sweep_world.h"

#include "store/replace.h"

#include <ftw.h>

/* ---------------------------------------------------------------- trials */

static void expect_whole(const char *dir)
{
    struct store_settings settings = sweep.r.settings;
    struct check_report report;
    struct store *s;
    settings.dir = dir;
    OK(store_open(&settings, &s));
    OK(store_check(s, rig_report, NULL, &report));
    if (report.errors)
        SWEEP_FAIL("%u findings", (unsigned)report.errors);
    store_close(&s);
}

/* From nothing, or from what is there, to a store that has worked. */
static void start(void)
{
    struct rig *r = &sweep.r;
    const struct store_listener listener = {r, rig_delivery, rig_due, rig_endpoint, rig_failed};
    fault_shield(false);
    sweep_begin();
    enum err e = store_open(&r->settings, &r->s);
    if (!e)
        e = store_start(r->s, &listener);
    fault_shield(true);
    sweep_end();
    if (sweep.way == FAULT_WAYS)
        OK(e);
    if (e && r->s)
        store_close(&r->s);
    if (!e)
        rig_stop(r);
    assert_null(r->s);
    if (!sweep_lies())
        expect_whole(r->dir);
}

static void start_again(void)
{
    sweep_restore();
    start();
}

static void start_anew(void)
{
    struct rig *r = &sweep.r;
    rig_remove(r);
    assert_int_equal(access(r->dir, F_OK), -1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    clock_fake(r->now, (struct mono){1});
    start();
}

static void back_up(void)
{
    struct rig *r = &sweep.r;
    char copy[128], file[160];
    snprintf(copy, sizeof copy, "%s-copy", r->dir);
    sweep_restore();
    OK(store_open(&r->settings, &r->s));
    assert_int_equal(mkdir(copy, 0755), 0);
    fault_shield(false);
    sweep_begin();
    enum err e = store_backup(r->s, copy);
    fault_shield(true);
    sweep_end();
    store_close(&r->s);
    if (sweep.way == FAULT_WAYS)
        OK(e);
    if (!e)
        expect_whole(copy);
    const char *const names[] = {"data.mdb", "lock.mdb", "lock"};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s", copy, names[i]);
        int rc = unlink(file);
        if (!rc && e)
            SWEEP_FAIL("a backup that failed left %s behind", names[i]);
    }
    assert_int_equal(rmdir(copy), 0);
}

/* ---------------------------------------------------------------- copies that take a place */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

/* What a failed try leaves does not hinder the next one, unless the copy has taken its place. */
static void restore(void)
{
    struct rig *r = &sweep.r;
    struct store_settings target = r->settings;
    struct replace_report report = {.say = sweep_ignore};
    char dir[128];
    snprintf(dir, sizeof dir, "%s-copy", r->dir);
    target.dir = dir;
    sweep_restore();
    fault_shield(false);
    sweep_begin();
    enum err e = store_restore(r->dir, &target, &report);
    fault_shield(true);
    sweep_end();
    if (e)
        e = store_restore(r->dir, &target, &report);
    if (e && !(e == ERR_CONFLICT && store_exists(dir)))
        SWEEP_FAIL("the next try: %s", err_text(e));
    if (sweep.way == FAULT_WAYS)
        OK(e);
    expect_whole(dir);
    assert_int_equal(nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void compact(void)
{
    struct replace_report report = {.say = sweep_ignore};
    char folder[128];
    sweep_restore();
    fault_shield(false);
    sweep_begin();
    enum err e = store_compact(&sweep.r.settings, &report);
    fault_shield(true);
    sweep_end();
    if (sweep.way == FAULT_WAYS)
        OK(e);
    expect_whole(sweep.r.dir);
    snprintf(folder, sizeof folder, "%s/replacing", sweep.r.dir);
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS); /* a failed one may leave it */
}

/* ---------------------------------------------------------------- tests */

static void a_start_that_fails_leaves_the_store_whole(void **state)
{
    (void)state;
    sweep_all("a start", start_again);
}

static void a_backup_that_fails_leaves_nothing(void **state)
{
    (void)state;
    sweep_all("a backup", back_up);
}

static void a_first_start_that_fails_can_be_repeated(void **state)
{
    (void)state;
    sweep_all("the first start", start_anew);
}

static void a_copy_that_fails_takes_no_place(void **state)
{
    (void)state;
    sweep_all("a restore", restore);
    sweep_all("a compaction", compact);
}

/* Another store than before, and the last: a start brings it up to date. */
static void a_step_to_the_next_format_that_fails_can_be_repeated(void **state)
{
    (void)state;
    struct rig *r = &sweep.r;
    char path[128];
    sweep_path(path);
    unlink(path);
    rig_start(r);
    (void)rig_app(r, "one");
    struct id org = store_default_org(r->s);
    rig_stop(r);
    older_alter(r, older_make_1, org.b);
    free(sweep.image);
    sweep_keep();
    sweep_all("a step to the next format", start_again);
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
    print_message("%u of %u\n", sweep.struck, sweep.trials);
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_fails_leaves_the_store_whole),
        cmocka_unit_test(a_backup_that_fails_leaves_nothing),
        cmocka_unit_test(a_copy_that_fails_takes_no_place),
        cmocka_unit_test(a_first_start_that_fails_can_be_repeated),
        cmocka_unit_test(a_step_to_the_next_format_that_fails_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
