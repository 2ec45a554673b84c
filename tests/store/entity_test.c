/* Applications, endpoints, event types and keys: one order with the messages, compare and set. */
#include "tests/store/rig.h"

static enum err put_app(struct rig *r, struct app *a)
{
    struct app_op op = {.app = a};
    return rig_do(r, &op.op, STORE_APP_PUT);
}

static enum err put_type(struct rig *r, struct event_type *t)
{
    struct event_type_op op = {.type = t};
    return rig_do(r, &op.op, STORE_EVENT_TYPE_PUT);
}

static void a_change_of_something_that_changed_meanwhile_is_stale(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), old = a;
    a.name = SPAN("new");
    OK(put_app(&r, &a));
    assert_true(a.version > old.version);
    assert_int_equal(put_app(&r, &old), ERR_STALE);
    struct endpoint e = rig_add_endpoint(&r, &a), e_old = e;
    OK(rig_put_endpoint(&r, &e));
    assert_int_equal(rig_put_endpoint(&r, &e_old), ERR_STALE);
    struct event_type t = {.org = a.org, .name = SPAN("a")}, t_old;
    OK(put_type(&r, &t));
    t_old = t;
    OK(put_type(&r, &t));
    assert_int_equal(put_type(&r, &t_old), ERR_STALE);
    t_old.version = 0;
    assert_int_equal(put_type(&r, &t_old), ERR_CONFLICT);
    rig_close(&r);
}

static void a_uid_is_taken_until_its_owner_leaves_it(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct app b = {.id = id_random(r.now), .org = a.org, .uid = SPAN("one")};
    assert_int_equal(put_app(&r, &b), ERR_CONFLICT);
    b.org = id_random(r.now); /* unique per organisation */
    OK(put_app(&r, &b));
    a.uid = SPAN("renamed");
    OK(put_app(&r, &a));
    rig_restart(&r);
    struct app c = rig_app(&r, "one");
    assert_int_not_equal(c.number, a.number);

    struct endpoint e = rig_endpoint_new(&r, &a), f = rig_endpoint_new(&r, &a);
    e.uid = f.uid = SPAN("ep");
    OK(rig_put_endpoint(&r, &e));
    assert_int_equal(rig_put_endpoint(&r, &f), ERR_CONFLICT);
    struct endpoint_op op = {.number = e.number};
    OK(rig_do(&r, &op.op, STORE_ENDPOINT_DELETE));
    OK(rig_put_endpoint(&r, &f));
    assert_true(f.number > e.number); /* numbers are not used again */
    rig_close(&r);
}

static void a_change_of_an_application_s_rate_is_heard_for_each_of_its_endpoints(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one"), other = rig_app(&r, "two");
    rig_add_endpoint(&r, &a);
    rig_add_endpoint(&r, &a);
    rig_add_endpoint(&r, &other);
    rig_restart(&r); /* the rate of before is known from the disk */
    struct app_op op = {.app = &a};
    a.throttle_rate = 9;
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    rig_turn(&r);
    assert_int_equal(r.endpoints, 2);
    a.name = SPAN("another name");
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    rig_turn(&r);
    assert_int_equal(r.endpoints, 2);
    struct store_read *read;
    struct app *loaded;
    OK(store_read_begin(r.s, &read));
    OK(store_app_load(read, &a.id, &loaded));
    assert_int_equal(loaded->throttle_rate, 9);
    app_free(&loaded);
    struct id none = id_random(r.now);
    assert_int_equal(store_app_load(read, &none, &loaded), ERR_NOT_FOUND);
    store_read_end(&read);
    a.throttle_rate = 0;
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    rig_turn(&r);
    assert_int_equal(r.endpoints, 4);
    rig_close(&r);
}

static void an_endpoint_of_an_application_that_is_gone_is_not_found(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = rig_app(&r, "one");
    struct app_op op = {.id = a.id};
    OK(rig_do(&r, &op.op, STORE_APP_DELETE));
    assert_int_equal(rig_do(&r, &op.op, STORE_APP_DELETE), ERR_NOT_FOUND);
    struct endpoint e = rig_endpoint_new(&r, &a);
    assert_int_equal(rig_put_endpoint(&r, &e), ERR_NOT_FOUND);
    rig_close(&r);
}

static void the_default_organisation_stays_the_same(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct id org = store_default_org(r.s);
    assert_false(id_is_zero(&org));
    rig_restart(&r);
    struct id again = store_default_org(r.s);
    assert_memory_equal(org.b, again.b, ID_BYTES);
    rig_close(&r);
}

static void a_key_is_found_until_it_is_revoked_or_expires(void **state)
{
    (void)state;
    static struct rig r;
    struct api_key found;
    rig_open(&r);
    assert_false(store_has_keys(r.s));
    struct key_op forever = {.key = {.id = id_random(r.now), .hash = {1}, .name = "ci"}};
    struct key_op brief = {.key = {.id = id_random(r.now), .hash = {2}}};
    brief.key.expires = wall_add(r.now, US_PER_S);
    OK(rig_do(&r, &forever.op, STORE_KEY_PUT));
    OK(rig_do(&r, &brief.op, STORE_KEY_PUT));
    assert_int_equal(rig_do(&r, &brief.op, STORE_KEY_PUT), ERR_CONFLICT);
    rig_restart(&r);
    assert_true(store_has_keys(r.s));
    OK(store_key_find(r.s, forever.key.hash, &found));
    assert_string_equal(found.name, "ci");
    OK(store_key_find(r.s, brief.key.hash, &found));
    rig_advance(&r, US_PER_S);
    assert_int_equal(store_key_find(r.s, brief.key.hash, &found), ERR_NOT_FOUND);
    OK(rig_do(&r, &forever.op, STORE_KEY_REVOKE));
    assert_int_equal(store_key_find(r.s, forever.key.hash, &found), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &forever.op, STORE_KEY_REVOKE), ERR_NOT_FOUND);
    rig_close(&r);
}

static void an_answered_request_is_answered_alike_when_it_comes_again(void **state)
{
    (void)state;
    static struct rig r;
    rig_open(&r);
    struct app a = {.id = id_random(r.now), .org = store_default_org(r.s), .uid = SPAN("one")};
    struct app_op op = {.app = &a};
    op.op.idempotency = (struct idempotency){.used = true, .key = "k", .lifetime_us = US_PER_S};
    op.op.answer_status = 201;
    buf_init(&op.op.answer, 100);
    buf_text(&op.op.answer, "first");
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    struct app b = {.id = id_random(r.now), .org = a.org, .uid = SPAN("one")};
    op.app = &b;
    buf_clear(&op.op.answer);
    buf_text(&op.op.answer, "second");
    op.op.answer_status = 200;
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    assert_true(op.op.replayed);
    assert_int_equal(op.op.answer_status, 201);
    assert_true(span_is(buf_view(&op.op.answer), "first"));
    /* A refusal is not an answer to repeat, and an answer is forgotten in time. */
    rig_advance(&r, 2 * US_PER_S);
    rig_turn(&r);
    assert_int_equal(rig_do(&r, &op.op, STORE_APP_PUT), ERR_CONFLICT);
    b.uid = SPAN("two");
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    assert_false(op.op.replayed);
    buf_free(&op.op.answer);
    rig_close(&r);
}

static void signing_secrets_need_the_main_secret_that_sealed_them(void **state)
{
    (void)state;
    static struct rig r;
    struct store *other;
    rig_open(&r); /* plain at first: a main secret can be introduced */
    rig_stop(&r);
    r.settings.main_secret = "correct";
    rig_start(&r);
    struct app a = rig_app(&r, "one");
    struct endpoint e = rig_endpoint_new(&r, &a);
    e.key_count = 1;
    e.keys[0] =
        (struct signing_key){.kind = KEY_HMAC, .bytes = "0123456789abcdef01234567", .len = 24};
    OK(rig_put_endpoint(&r, &e));
    rig_stop(&r);
    struct store_settings wrong = r.settings;
    wrong.main_secret = "wrong";
    assert_int_equal(store_open(&wrong, &other), ERR_INVALID);
    wrong.main_secret = NULL;
    assert_int_equal(store_open(&wrong, &other), ERR_INVALID);
    rig_start(&r);
    struct store_read *read;
    struct endpoint *stored;
    OK(store_read_begin(r.s, &read));
    OK(store_endpoint_load(read, e.number, &stored));
    store_read_end(&read);
    assert_memory_equal(stored->keys[0].bytes, e.keys[0].bytes, 24);
    endpoint_free(&stored);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_something_that_changed_meanwhile_is_stale),
        cmocka_unit_test(a_uid_is_taken_until_its_owner_leaves_it),
        cmocka_unit_test(a_change_of_an_application_s_rate_is_heard_for_each_of_its_endpoints),
        cmocka_unit_test(an_endpoint_of_an_application_that_is_gone_is_not_found),
        cmocka_unit_test(the_default_organisation_stays_the_same),
        cmocka_unit_test(a_key_is_found_until_it_is_revoked_or_expires),
        cmocka_unit_test(an_answered_request_is_answered_alike_when_it_comes_again),
        cmocka_unit_test(signing_secrets_need_the_main_secret_that_sealed_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
