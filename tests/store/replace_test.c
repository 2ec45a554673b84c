/* A copy takes the place of a data file whole, checked, or not at all. */
#include "tests/store/rig.h"

#include "store/replace.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static struct rig r, copy;
static unsigned findings;

static void count_finding(void *context, const char *finding)
{
    (void)context;
    (void)finding;
    findings++;
}

static enum err restore(const char *from, const char *to, struct replace_report *report)
{
    struct store_settings settings = r.settings;
    settings.dir = to;
    findings = 0;
    *report = (struct replace_report){.say = count_finding};
    return store_restore(from, &settings, report);
}

static bool has(const char *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void leave_file(const char *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

/* A stopped store with a backup beside it. */
static struct id begin(void)
{
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    (void)rig_add_endpoint(&r, &a);
    struct id message = rig_send(&r, &a);
    rig_make(&copy);
    OK(store_backup(r.s, copy.dir));
    rig_stop(&r);
    return message;
}

static void end(void)
{
    rig_remove(&r);
    rig_remove(&copy);
}

static void a_restored_backup_is_the_store_it_was_made_of(void **state)
{
    (void)state;
    struct id message = begin();
    static struct rig to;
    struct replace_report report;
    struct message *m;
    rig_make(&to);
    OK(restore(copy.dir, to.dir, &report));
    assert_int_equal(report.check.messages, 1);
    assert_false(has(to.dir, "replacing"));
    assert_false(has(copy.dir, "lock.mdb")); /* the backup is as it was */
    rig_start(&to);
    OK(rig_load(&to, &message, &m));
    assert_true(span_is(m->payload, "{\"n\":1}"));
    message_unref(&m);
    rig_close(&to);
    end();
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    struct replace_report report;
    assert_int_equal(restore(copy.dir, r.dir, &report), ERR_CONFLICT);
    rig_make(&to);
    leave_file(to.dir, "precious");
    assert_int_equal(restore(copy.dir, to.dir, &report), ERR_CONFLICT);
    assert_false(has(to.dir, "data.mdb"));
    assert_int_equal(restore(to.dir, r.dir, &report), ERR_NOT_FOUND);
    rig_start(&r);
    rig_close(&r);
    rig_remove(&to);
    rig_remove(&copy);
}

static void a_store_in_use_is_no_backup_and_no_place_for_one(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    struct replace_report report;
    rig_make(&to);
    rig_start(&r);
    assert_int_equal(restore(r.dir, to.dir, &report), ERR_LOCKED);
    report = (struct replace_report){.say = count_finding};
    assert_int_equal(restore(copy.dir, r.dir, &report), ERR_LOCKED);
    assert_int_equal(store_compact(&r.settings, &report), ERR_LOCKED);
    assert_false(has(to.dir, "data.mdb"));
    rig_close(&r);
    rig_remove(&to);
    rig_remove(&copy);
}

/* A byte of the payload in the file. */
static void damage(const char *dir)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    char *bytes = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    unsigned found = 0;
    for (char *at = bytes; (at = memmem(at, (size_t)(bytes + st.st_size - at), "{\"n\":1}", 7));) {
        assert_int_equal(pwrite(fd, "{\"n\":2}", 7, at - bytes), 7);
        at++;
        found++;
    }
    assert_true(found > 0);
    free(bytes);
    close(fd);
}

static void a_damaged_backup_is_not_put_in_place(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    struct replace_report report;
    rig_make(&to);
    damage(copy.dir);
    assert_int_equal(restore(copy.dir, to.dir, &report), ERR_CORRUPT);
    assert_int_equal(findings, 1);
    assert_false(has(to.dir, "data.mdb") || has(to.dir, "replacing"));
    rig_remove(&to);
    end();
}

/* Every page of rows says that it is another. */
static void damage_pages(const char *dir)
{
    enum { PAGE = 4096, FLAGS = 10, LEAF = 2 };
    char path[256], page[PAGE];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (off_t at = 2 * PAGE; pread(fd, page, PAGE, at) == PAGE; at += PAGE) {
        if (!(page[FLAGS] & LEAF))
            continue;
        page[0] ^= 1;
        assert_int_equal(pwrite(fd, page, 1, at), 1);
    }
    close(fd);
}

static void a_backup_with_damaged_pages_is_not_opened(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    struct replace_report report;
    rig_make(&to);
    damage_pages(copy.dir);
    assert_int_equal(restore(copy.dir, to.dir, &report), ERR_CORRUPT);
    assert_true(findings > 0);
    assert_int_equal(report.check.errors, findings);
    assert_false(has(to.dir, "data.mdb") || has(to.dir, "replacing"));
    rig_remove(&to);
    end();
}

/* There is room for the name of the lock, and not for that of the copy. */
static void where_no_copy_has_a_name_nothing_is_begun(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    static char dir[PATH_MAX];
    struct replace_report report;
    rig_make(&to);
    size_t len = strlen(to.dir), most = sizeof dir - sizeof "/replacing";
    memcpy(dir, to.dir, len);
    while (len + 2 <= most) {
        memcpy(dir + len, "/.", 2);
        len += 2;
    }
    dir[len] = '\0';
    assert_int_equal(restore(copy.dir, dir, &report), ERR_INVALID);
    assert_false(has(to.dir, "data.mdb") || has(to.dir, "replacing"));
    rig_remove(&to);
    end();
}

static void compacting_keeps_everything_and_gives_back_the_rest(void **state)
{
    (void)state;
    static struct id ids[1000];
    rig_open(&r);
    r.settings.message_retention_us = DAY_US;
    rig_restart(&r);
    struct app a = rig_app(&r, "one");
    rig_send_all(&r, &a, ids, 1000);
    rig_advance(&r, 2 * DAY_US);
    struct id kept = rig_send(&r, &a);
    rig_turns(&r, 40);
    rig_stop(&r);
    struct replace_report report = {.say = count_finding};
    OK(store_compact(&r.settings, &report));
    assert_int_equal(report.check.errors, 0);
    assert_true(report.after < report.before);
    assert_false(has(r.dir, "replacing"));
    rig_start(&r);
    struct message *m;
    OK(rig_load(&r, &kept, &m));
    message_unref(&m);
    (void)rig_send(&r, &a);
    rig_close(&r);
}

static void what_an_interrupted_copy_left_is_thrown_away(void **state)
{
    (void)state;
    (void)begin();
    static struct rig to;
    char left[128];
    struct replace_report report = {.say = count_finding};
    rig_make(&to);
    for (int i = 0; i < 2; i++) {
        snprintf(left, sizeof left, "%s/replacing", i ? to.dir : r.dir);
        assert_int_equal(mkdir(left, 0700), 0);
        leave_file(left, "data.mdb");
    }
    OK(store_compact(&r.settings, &report));
    OK(restore(copy.dir, to.dir, &report));
    rig_start(&to);
    rig_close(&to);
    rig_start(&r);
    rig_close(&r);
    rig_remove(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_backup_is_the_store_it_was_made_of),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(a_store_in_use_is_no_backup_and_no_place_for_one),
        cmocka_unit_test(a_damaged_backup_is_not_put_in_place),
        cmocka_unit_test(a_backup_with_damaged_pages_is_not_opened),
        cmocka_unit_test(where_no_copy_has_a_name_nothing_is_begun),
        cmocka_unit_test(compacting_keeps_everything_and_gives_back_the_rest),
        cmocka_unit_test(what_an_interrupted_copy_left_is_thrown_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
