/* Tokens of the portal: good until they expire or are ended, and gone from the disk in time. */
#include "tests/store/rig.h"

static struct rig r;
static struct app a;

static struct portal_token token(uint8_t fill, int64_t lives_us)
{
    struct portal_token t = {.org = a.org,
                             .app = a.id,
                             .created = r.now,
                             .expires = wall_add(r.now, lives_us),
                             .capabilities = CAPABILITY_ALL};
    memset(t.hash, fill, sizeof t.hash);
    memset(t.session, fill, sizeof t.session);
    return t;
}

static void put(const struct portal_token *t)
{
    struct portal_op op = {.token = *t};
    OK(rig_do(&r, &op.op, STORE_PORTAL_PUT));
}

static bool is_good(const struct portal_token *t)
{
    struct portal_token found;
    enum err e = store_portal_find(r.s, &t->app, t->hash, r.now, &found);
    assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    assert_true(e || found.capabilities == t->capabilities);
    return e == ERR_OK;
}

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
}

static void a_token_is_good_until_it_expires_and_then_leaves(void **state)
{
    (void)state;
    begin();
    struct portal_token t = token(1, DAY_US), other = token(2, DAY_US);
    put(&t);
    assert_true(is_good(&t));
    assert_false(is_good(&other));
    other.app = id_random(r.now);
    memcpy(other.hash, t.hash, sizeof other.hash);
    assert_false(is_good(&other));
    rig_restart(&r);
    rig_advance(&r, DAY_US - 1);
    assert_true(is_good(&t));
    rig_advance(&r, 1);
    assert_false(is_good(&t));
    rig_advance(&r, 60 * US_PER_S);
    rig_turns(&r, 3);
    assert_int_equal(rig_rows(&r, TREE_PORTAL), 0);
    rig_close(&r);
}

static void what_is_meant_ends_and_nothing_else(void **state)
{
    (void)state;
    begin();
    struct portal_token t[4];
    for (uint8_t i = 0; i < 4; i++) {
        t[i] = token(i, DAY_US);
        put(&t[i]);
    }
    struct portal_end_op one = {.app = a.id, .hash = t[0].hash};
    OK(rig_do(&r, &one.op, STORE_PORTAL_END));
    assert_int_equal(rig_do(&r, &one.op, STORE_PORTAL_END), ERR_NOT_FOUND);
    struct portal_end_op session = {.app = a.id, .session_count = 1, .at = r.now};
    session.sessions = (const uint8_t(*)[16])t[1].session;
    OK(rig_do(&r, &session.op, STORE_PORTAL_END));
    assert_false(is_good(&t[0]) || is_good(&t[1]));
    assert_true(is_good(&t[2]) && is_good(&t[3]));
    struct portal_end_op soon = {.app = a.id, .at = wall_add(r.now, US_PER_S)};
    OK(rig_do(&r, &soon.op, STORE_PORTAL_END));
    assert_true(is_good(&t[2]));
    struct portal_end_op later = {.app = a.id, .at = wall_add(r.now, 2 * DAY_US)};
    OK(rig_do(&r, &later.op, STORE_PORTAL_END)); /* lengthens no life */
    rig_advance(&r, US_PER_S);
    assert_false(is_good(&t[2]) || is_good(&t[3]));
    rig_advance(&r, 2 * DAY_US);
    rig_turns(&r, 3);
    assert_int_equal(rig_rows(&r, TREE_PORTAL), 0);
    rig_close(&r);
}

static void one_too_many_ends_the_oldest(void **state)
{
    (void)state;
    begin();
    static struct portal_token t[PORTAL_TOKENS_MAX + 2];
    for (unsigned i = 0; i < PORTAL_TOKENS_MAX + 2; i++) {
        t[i] = token(0, DAY_US);
        memcpy(t[i].hash, &i, sizeof i);
        rig_advance(&r, 1);
        put(&t[i]);
    }
    assert_int_equal(rig_rows(&r, TREE_PORTAL), PORTAL_TOKENS_MAX);
    assert_false(is_good(&t[0]) || is_good(&t[1]));
    assert_true(is_good(&t[2]) && is_good(&t[PORTAL_TOKENS_MAX + 1]));
    rig_close(&r);
}

static void a_token_may_make_its_application(void **state)
{
    (void)state;
    begin();
    struct app made = {.id = id_random(r.now),
                       .org = a.org,
                       .uid = SPAN("new"),
                       .name = SPAN("made"),
                       .created = r.now};
    struct portal_token t = token(1, DAY_US);
    t.app = made.id;
    struct portal_op op = {.token = t};
    assert_int_equal(rig_do(&r, &op.op, STORE_PORTAL_PUT), ERR_NOT_FOUND);
    op.create = &made;
    OK(rig_do(&r, &op.op, STORE_PORTAL_PUT));
    assert_true(is_good(&t));
    struct app again = made;
    again.id = id_random(r.now);
    struct portal_op late = {.token = t, .create = &again};
    late.token.app = again.id;
    assert_int_equal(rig_do(&r, &late.op, STORE_PORTAL_PUT), ERR_STALE);
    struct app_op gone = {.id = made.id};
    OK(rig_do(&r, &gone.op, STORE_APP_DELETE));
    assert_false(is_good(&t));
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_good_until_it_expires_and_then_leaves),
        cmocka_unit_test(what_is_meant_ends_and_nothing_else),
        cmocka_unit_test(one_too_many_ends_the_oldest),
        cmocka_unit_test(a_token_may_make_its_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
