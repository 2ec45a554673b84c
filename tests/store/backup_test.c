/* A backup taken while serving is a store: it opens, agrees with itself, and holds what was
 * acknowledged before it began. */
#include "tests/store/rig.h"

#include <sys/stat.h>

#define BEFORE 50
#define DURING 200

struct running {
    struct rig *r;
    struct rig_ingest ingest[DURING];
    struct message *messages[DURING];
};

/* Ingest that is under way while the copy is made. */
static void send_many(struct running *x, const struct app *a)
{
    for (int i = 0; i < DURING; i++) {
        x->messages[i] = rig_message("a", "{\"n\":2}");
        x->ingest[i] = (struct rig_ingest){.item.message = x->messages[i]};
        x->ingest[i].op.org = a->org;
        x->ingest[i].op.app = a->uid;
        x->ingest[i].op.count = 1;
        x->ingest[i].op.items = &x->ingest[i].item;
        rig_submit(x->r, &x->ingest[i].op.op, STORE_INGEST);
    }
}

static void expect_store(const char *dir, const struct rig *r, const struct id *ids)
{
    struct store_settings settings = r->settings;
    struct store *copy;
    struct check_report report;
    struct store_read *read;
    struct message *m;
    settings.dir = dir;
    OK(store_open(&settings, &copy));
    OK(store_check(copy, rig_report, NULL, &report));
    assert_int_equal(report.errors, 0);
    assert_true(report.messages >= BEFORE);
    OK(store_read_begin(copy, &read));
    for (int i = 0; i < BEFORE; i++) {
        OK(store_message_load(read, &ids[i], &m));
        assert_true(span_is(m->payload, "{\"n\":1}"));
        message_unref(&m);
    }
    store_read_end(&read);
    store_close(&copy);
}

static void a_backup_taken_while_serving_opens_and_holds_what_was_acknowledged(void **state)
{
    (void)state;
    static struct rig r, copy;
    static struct running x;
    struct id ids[BEFORE];
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    (void)rig_add_endpoint(&r, &a);
    for (int i = 0; i < BEFORE; i++)
        ids[i] = rig_send(&r, &a);

    rig_make(&copy);
    assert_int_equal(rmdir(copy.dir), 0); /* only its name is wanted */
    unsigned done = r.done;
    x.r = &r;
    send_many(&x, &a);
    OK(store_backup(r.s, copy.dir));
    rig_await(&r, done + DURING);
    for (int i = 0; i < DURING; i++)
        message_unref(&x.messages[i]);

    struct stat st;
    assert_int_equal(stat(copy.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    expect_store(copy.dir, &r, ids);
    rig_close(&r);
    rig_remove(&copy);
}

static void a_backup_goes_into_a_missing_or_an_empty_directory_only(void **state)
{
    (void)state;
    static struct rig r, copy;
    rig_open(&r);
    rig_make(&copy); /* an empty directory */
    OK(store_backup(r.s, copy.dir));
    assert_int_equal(store_backup(r.s, copy.dir), ERR_CONFLICT);
    assert_int_equal(store_backup(r.s, r.dir), ERR_CONFLICT);
    assert_int_equal(store_backup(r.s, "/proc/none/such"), ERR_IO);
    rig_close(&r);
    rig_remove(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_taken_while_serving_opens_and_holds_what_was_acknowledged),
        cmocka_unit_test(a_backup_goes_into_a_missing_or_an_empty_directory_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
