/* The protocol of hot and cold, example by example, and then against a model: a due index in an
 * array, a log of mail that lags behind it, and random interleavings. */
#include "lane_fixture.h"

#include "base/rand.h"

static void a_handoff_joins_a_hot_lane(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 1, 100, 11, 100));
    assert_true(lane_can_go(f->lane, at(100)));
    assert_false(lane_wants_page(f->lane, at(100)));
    struct id id = id_of(1);
    assert_true(held_has(f->held, ENDPOINT, &id));
    end(f, start(f), WALL_NEVER);
    assert_false(held_has(f->held, ENDPOINT, &id));
}

static void a_handoff_not_newer_than_the_last_page_is_dropped(void **state)
{
    struct fixture *f = *state;
    assert_false(hand(f, 1, 100, 10, 100));
    assert_int_equal(f->lane->ready, 0);
    assert_true(f->lane->next_due.us == WALL_NEVER.us);
}

static void a_full_list_turns_cold_and_a_page_finds_what_was_dropped(void **state)
{
    struct fixture *f = *state;
    const int64_t now = 100000;
    for (uint32_t n = 0; n < READY_MAX; n++)
        assert_true(hand(f, n, 100 + n, 11 + n, now));
    assert_false(hand(f, READY_MAX, now - 2, 50000, now));
    assert_false(hand(f, READY_MAX + 1, now - 1, 50001, now));
    assert_false(lane_wants_page(f->lane, at(now)));
    while (f->lane->ready > LANE_LOW)
        end(f, start(f), WALL_NEVER);
    assert_true(lane_wants_page(f->lane, at(now)));
    struct due_row rows[] = {row(READY_MAX - 1, 100 + READY_MAX - 1), row(READY_MAX, now - 2),
                             row(READY_MAX + 1, now - 1)};
    lane_page(f->lane, f->held, rows, 3, WALL_NEVER, 60000, at(now));
    assert_int_equal(f->lane->ready, LANE_LOW + 2);
    assert_true(hand(f, READY_MAX + 2, now, 60001, now));
}

static void the_byte_budget_bounds_what_is_hot(void **state)
{
    struct fixture *f = *state;
    f->bytes.max = 10;
    assert_false(hand(f, 1, 100, 11, 100));
    assert_int_equal(f->bytes.used, 0);
    assert_true(lane_wants_page(f->lane, at(100)));
}

static void large_bodies_of_one_endpoint_leave_room_for_the_others(void **state)
{
    struct fixture *f = *state;
    const size_t body = 1 << 20;
    uint32_t n = 0;
    f->bytes.max = HOT_BYTES_MAX;
    while (hand_bytes(f, n, 100 + n, 11 + n, 1000, body))
        n++;
    assert_in_range(n, 1, HOT_BYTES_MAX / 4 / body);
    assert_int_equal(f->lane->hot_bytes, f->bytes.used);
    while (f->lane->ready > 0)
        end(f, start(f), WALL_NEVER);
    assert_int_equal(f->lane->hot_bytes, 0);
    struct due_row rest = row(n, 100 + n);
    lane_page(f->lane, f->held, &rest, 1, WALL_NEVER, 5000, at(1000));
    assert_true(hand_bytes(f, n + 1, 1000, 5001, 1000, body));
}

static void a_retry_in_the_future_does_not_count_as_older(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 1, 100, 11, 100));
    end(f, start(f), at(5000));
    assert_true(lane_wake_at(f->lane).us == 5000);
    assert_true(hand(f, 2, 200, 12, 200));
    end(f, start(f), WALL_NEVER);
    assert_false(hand(f, 3, 5001, 13, 5001));
    assert_true(lane_wants_page(f->lane, at(5001)));
}

static void a_resend_of_a_delivery_in_flight_is_found_after_it(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 1, 100, 11, 100));
    struct claim *c = start(f);
    lane_due(f->lane, at(150), 12);
    assert_true(lane_wants_page(f->lane, at(200)));
    struct due_row rows[] = {row(1, 100), row(1, 150)};
    rows[1].trigger = TRIGGER_MANUAL;
    lane_page(f->lane, f->held, rows, 2, WALL_NEVER, 12, at(200));
    assert_int_equal(f->lane->ready, 0);
    assert_false(lane_wants_page(f->lane, at(200)));
    end(f, c, WALL_NEVER);
    assert_true(lane_wants_page(f->lane, at(200)));
    lane_page(f->lane, f->held, rows + 1, 1, WALL_NEVER, 13, at(200));
    assert_int_equal(f->lane->backlog.first->trigger, TRIGGER_MANUAL);
}

static void a_disabled_endpoint_sleeps_until_it_changes(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 1, 100, 11, 100));
    lane_sleep(f->lane, f->held, &f->bytes);
    assert_int_equal(f->lane->ready, 0);
    assert_false(lane_can_go(f->lane, at(200)));
    assert_true(lane_wake_at(f->lane).us == WALL_NEVER.us);
    assert_false(hand(f, 2, 200, 12, 200));
    lane_changed(f->lane);
    assert_true(lane_can_go(f->lane, at(200)));
    f->lane->changed = false;
    assert_true(lane_wants_page(f->lane, at(200)));
}

static void a_resting_lane_waits_with_everything(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 1, 100, 11, 100));
    lane_rest(f->lane, at(900));
    assert_false(lane_can_go(f->lane, at(899)));
    assert_true(lane_wake_at(f->lane).us == 900);
    assert_true(lane_can_go(f->lane, at(900)));
}

static void outcomes_that_wait_for_the_disk_hold_the_lane_back(void **state)
{
    struct fixture *f = *state;
    struct claim *settling[LANE_SETTLING_MAX];
    for (uint32_t n = 0; n < LANE_SETTLING_MAX; n++) {
        assert_true(hand(f, n, 100, 11 + n, 100));
        settling[n] = start(f);
        lane_settle(f->lane, settling[n], &f->bytes);
    }
    assert_true(hand(f, 1000, 101, 200, 101));
    assert_false(lane_can_go(f->lane, at(101)));
    for (uint32_t n = 0; n < LANE_SETTLING_MAX; n++)
        lane_settled(f->lane, f->held, settling[n], WALL_NEVER);
    assert_true(lane_can_go(f->lane, at(101)));
}

/* ---------------------------------------------------------------- the model */

#define MESSAGES (3 * READY_MAX)
#define ROWS_MAX (8 * READY_MAX)

/* What the lane will hear, in the order of commits. */
struct model_mail {
    enum { HEAR_HANDOFF, HEAR_DUE, HEAR_SETTLED } kind;
    uint64_t txn;
    struct due_row row;
    struct claim *claim;
    struct wall retry_at;
};

struct model {
    struct rng rng;
    struct fixture f;
    int64_t now, pace; /* pace: how long a unit of time is */
    uint64_t txn;
    struct due_row rows[ROWS_MAX]; /* the truth on disk, ordered */
    unsigned row_count;
    struct model_mail mail[ROWS_MAX];
    unsigned mail_from, mail_to;
    struct claim *flying[64];
    unsigned flying_count;
    uint32_t made;
    unsigned owed[MESSAGES]; /* successes still due */
    unsigned resends;
    uint64_t fresh; /* deliveries, counted at each step that they waited as fresh ones */
};

static unsigned below(struct model *m, unsigned n)
{
    return (unsigned)(rng_next(&m->rng) % n);
}

static uint32_t number_of(const struct id *id)
{
    return (uint32_t)id->b[16] << 24 | (uint32_t)id->b[17] << 16 | (uint32_t)id->b[18] << 8 |
           id->b[19];
}

static int row_cmp(const struct due_row *a, const struct due_row *b)
{
    if (a->due.us != b->due.us)
        return a->due.us < b->due.us ? -1 : 1;
    int c = id_cmp(&a->message, &b->message);
    return c ? c : (int)a->trigger - (int)b->trigger;
}

static void row_insert(struct model *m, struct due_row r)
{
    unsigned i = m->row_count++;
    assert_true(m->row_count <= ROWS_MAX);
    for (; i > 0 && row_cmp(&m->rows[i - 1], &r) > 0; i--)
        m->rows[i] = m->rows[i - 1];
    m->rows[i] = r;
}

static void row_remove(struct model *m, const struct claim *c)
{
    for (unsigned i = 0; i < m->row_count; i++) {
        const struct due_row *r = &m->rows[i];
        if (r->due.us != c->due.us || r->trigger != c->trigger ||
            id_cmp(&r->message, &c->key.message) != 0)
            continue;
        memmove(&m->rows[i], &m->rows[i + 1], (m->row_count - i - 1) * sizeof *m->rows);
        m->row_count--;
        return;
    }
    fail_msg("the row of a claim is not on disk");
}

static void post(struct model *m, struct model_mail mail)
{
    mail.txn = m->txn;
    m->mail[m->mail_to++ % ROWS_MAX] = mail;
    assert_true(m->mail_to - m->mail_from < ROWS_MAX);
}

static void model_ingest(struct model *m)
{
    if (m->made == MESSAGES)
        return;
    struct due_row r = row(m->made, m->now);
    m->txn++;
    m->owed[m->made++] = 1;
    row_insert(m, r);
    post(m, (struct model_mail){.kind = HEAR_HANDOFF, .row = r});
}

/* A manual attempt of any message, as the store takes it: one at a time. */
static void model_resend(struct model *m)
{
    if (m->made == 0)
        return;
    struct due_row r = row(below(m, m->made), m->now);
    r.trigger = TRIGGER_MANUAL;
    for (unsigned i = 0; i < m->row_count; i++)
        if (m->rows[i].trigger == TRIGGER_MANUAL && id_cmp(&m->rows[i].message, &r.message) == 0)
            return;
    m->txn++;
    m->owed[number_of(&r.message)]++;
    m->resends++;
    row_insert(m, r);
    post(m, (struct model_mail){.kind = HEAR_DUE, .row = r});
}

static void model_hear(struct model *m)
{
    if (m->mail_from == m->mail_to)
        return;
    struct model_mail mail = m->mail[m->mail_from++ % ROWS_MAX];
    switch (mail.kind) {
    case HEAR_HANDOFF:
        hand(&m->f, number_of(&mail.row.message), mail.row.due.us, mail.txn, m->now);
        break;
    case HEAR_DUE:
        lane_due(m->f.lane, mail.row.due, mail.txn);
        break;
    case HEAR_SETTLED:
        lane_settled(m->f.lane, m->f.held, mail.claim, mail.retry_at);
        break;
    }
}

static void model_page(struct model *m)
{
    struct due_row rows[ROWS_MAX];
    unsigned want = lane_page_rows(m->f.lane), n = 0;
    if (!lane_wants_page(m->f.lane, at(m->now)))
        return;
    while (n < want && n < m->row_count && m->rows[n].due.us <= m->now) {
        rows[n] = m->rows[n];
        n++;
    }
    struct wall next = n < m->row_count ? m->rows[n].due : WALL_NEVER;
    lane_page(m->f.lane, m->f.held, rows, n, next, m->txn, at(m->now));
}

static void model_start(struct model *m)
{
    struct lane *lane = m->f.lane;
    if (!lane_can_go(lane, at(m->now)) || lane->ready == 0 || m->flying_count == 64)
        return;
    struct claim *c = start(&m->f);
    for (unsigned i = 0; i < m->flying_count; i++)
        assert_true(id_cmp(&m->flying[i]->key.message, &c->key.message) != 0);
    m->flying[m->flying_count++] = c;
}

static void model_end(struct model *m)
{
    if (m->flying_count == 0)
        return;
    unsigned i = below(m, m->flying_count);
    struct claim *c = m->flying[i];
    m->flying[i] = m->flying[--m->flying_count];
    struct model_mail mail = {.kind = HEAR_SETTLED, .claim = c, .retry_at = WALL_NEVER};
    uint32_t n = number_of(&c->key.message);
    if (below(m, 20) == 0) { /* aborted: it stays due */
        lane_abandon(m->f.lane, m->f.held, c, &m->f.bytes);
        return;
    }
    m->txn++;
    row_remove(m, c);
    if (c->trigger == TRIGGER_SCHEDULED && below(m, 4) == 0) {
        mail.retry_at = at(m->now + (int64_t)below(m, 200) * m->pace);
        struct due_row r = row(n, mail.retry_at.us);
        r.tries = (uint16_t)(c->tries + 1);
        row_insert(m, r);
    } else {
        assert_true(m->owed[n] > 0); /* nothing is sent that nobody waits for */
        m->owed[n]--;
    }
    lane_settle(m->f.lane, c, &m->f.bytes);
    post(m, mail);
}

/* I1: what the lane has heard of is held, or not before next_due, or the `again` of a claim. */
static void model_check(struct model *m)
{
    uint64_t heard = m->mail_from ? m->mail[(m->mail_from - 1) % ROWS_MAX].txn : 0;
    if (m->mail_from != m->mail_to || heard > m->txn)
        return; /* rows carry no transaction: judge when everything was heard */
    for (unsigned i = 0; i < m->row_count; i++) {
        const struct due_row *r = &m->rows[i];
        const struct claim *c = held_find(m->f.held, ENDPOINT, &r->message);
        bool covered = r->due.us >= m->f.lane->next_due.us ||
                       (c && c->due.us == r->due.us && c->trigger == r->trigger) ||
                       (c && c->again.us <= r->due.us);
        assert_true(covered);
    }
    assert_true(m->f.lane->ready - m->f.lane->fresh_ready <= READY_MAX);
    assert_true(m->f.lane->fresh_ready <= LANE_FRESH_MAX);
}

static void model_step(struct model *m, bool quiet)
{
    m->now += below(m, 8) * m->pace;
    m->fresh += m->f.lane->fresh_ready;
    switch (below(m, 12)) {
    case 0:
    case 1:
    case 2:
        for (unsigned burst = below(m, 200) ? 1 : READY_MAX; burst > 0 && !quiet; burst--)
            model_ingest(m);
        break;
    case 3:
        if (!quiet && below(m, 4) == 0)
            model_resend(m);
        break;
    case 4:
    case 5:
    case 6:
        for (unsigned n = below(m, 6); n > 0; n--)
            model_hear(m);
        break;
    case 7:
        model_page(m);
        break;
    case 8:
    case 9:
        for (unsigned n = below(m, 4); n > 0; n--)
            model_start(m);
        break;
    default:
        model_end(m);
        break;
    }
    if (below(m, 32) == 0)
        model_check(m);
}

static void nothing_is_lost_and_nothing_is_sent_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct model *m = calloc(1, sizeof *m);
        rng_seed(&m->rng, seed);
        m->now = 1000;
        m->f.held = held_new();
        m->f.bytes.max = seed % 2 ? 1 << 20 : 4096; /* the tight one drops often */
        m->f.lane = lane_new(ENDPOINT, 16, WALL_NEVER, 0);
        m->f.lane->fresh_share = seed % 3 ? (unsigned)(seed * 30 % 91) : 0;
        m->pace = m->f.lane->fresh_share ? US_PER_S / 10 : 1; /* it falls behind, or not */
        while (m->made < MESSAGES)
            model_step(m, false);
        for (unsigned i = 0; i < 2000000 && (m->row_count || m->mail_from != m->mail_to); i++)
            model_step(m, true);
        assert_int_equal(m->row_count, 0);
        for (uint32_t n = 0; n < MESSAGES; n++)
            assert_int_equal(m->owed[n], 0);
        assert_true(m->resends > 0);
        assert_true(m->fresh > 0 || m->f.lane->fresh_share == 0);
        assert_int_equal(held_count(m->f.held), 0);
        assert_int_equal(m->f.bytes.used, 0);
        lane_free(&m->f.lane);
        held_free(&m->f.held);
        free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handoff_joins_a_hot_lane),
        TEST(a_handoff_not_newer_than_the_last_page_is_dropped),
        TEST(a_full_list_turns_cold_and_a_page_finds_what_was_dropped),
        TEST(the_byte_budget_bounds_what_is_hot),
        TEST(large_bodies_of_one_endpoint_leave_room_for_the_others),
        TEST(a_retry_in_the_future_does_not_count_as_older),
        TEST(a_resend_of_a_delivery_in_flight_is_found_after_it),
        TEST(a_disabled_endpoint_sleeps_until_it_changes),
        TEST(a_resting_lane_waits_with_everything),
        TEST(outcomes_that_wait_for_the_disk_hold_the_lane_back),
        cmocka_unit_test(nothing_is_lost_and_nothing_is_sent_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
