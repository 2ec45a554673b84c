/* Access tokens on a clock that stands still, with an authorization server that answers when told. */
#include "dispatcher/bearer.h"
#include "dispatcher/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S US_PER_S
#define FETCHES 8

struct transfer {
    struct transfer_post post;
    struct result result;
    int64_t own_us; /* of the destination */
    bool under_way;
};

static struct transfer fetches[FETCHES];
static unsigned fetch_count;
static bool no_memory, resolves;
static const struct outbound outbound;

struct transfer *transfer_post(struct transfers *ts, struct destination *to,
                               const struct transfer_post *post)
{
    (void)ts;
    if (no_memory)
        return NULL;
    to->resolved = resolves;
    assert_true(fetch_count < FETCHES);
    struct transfer *t = &fetches[fetch_count++];
    *t = (struct transfer){.post = *post, .own_us = to->timeout_us, .under_way = true};
    return t;
}

void transfer_abort(struct transfer *t)
{
    assert_true(t->under_way);
    t->under_way = false;
}

void transfer_result(const struct transfer *t, struct result *result, struct attempt *timing)
{
    (void)timing;
    *result = t->result;
}

/* The last fetch ends so. */
static void answer(enum attempt_class outcome, uint16_t status, const char *body)
{
    struct transfer *t = &fetches[fetch_count - 1];
    assert_true(t->under_way);
    t->under_way = false;
    t->result = (struct result){outcome, status, status == 429 ? 7 * S : -1};
    buf_text(t->post.response, body);
    t->post.ended(t->post.owner, t);
}

struct attempt_fake {
    struct bearer_wait wait;
    bool told;
    char token[64]; /* empty: it failed */
    struct result failure;
};

static void on_told(struct bearer_wait *wait, struct span token, const struct result *failure)
{
    struct attempt_fake *a = (struct attempt_fake *)wait;
    assert_false(a->told);
    assert_true((token.len > 0) == (failure == NULL));
    a->told = true;
    snprintf(a->token, sizeof a->token, "%.*s", SPAN_ARG(token));
    if (failure)
        a->failure = *failure;
}

static struct bearers *bearers;
static struct endpoint endpoint;
static struct destination destination;

static int setup(void **state)
{
    (void)state;
    clock_fake((struct wall){1000 * S}, (struct mono){1000 * S});
    fetch_count = 0;
    no_memory = false;
    resolves = true;
    endpoint = (struct endpoint){.auth = {.kind = AUTH_OAUTH2,
                                          .user = SPAN("client"),
                                          .secret = SPAN("secret"),
                                          .token_url = SPAN("https://login.example.com/token")}};
    destination = (struct destination){.endpoint = &endpoint, .number = 1, .grant_key = {1}};
    bearers = bearers_new(NULL, &outbound);
    return bearers ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bearers_free(&bearers);
    for (unsigned i = 0; i < fetch_count; i++)
        assert_false(fetches[i].under_way);
    clock_real();
    return 0;
}

static enum bearer_answer ask(struct attempt_fake *a)
{
    struct span token = {0};
    *a = (struct attempt_fake){.wait.done = on_told};
    enum bearer_answer got = bearers_ask(bearers, &destination, clock_mono(), &a->wait, &token);
    snprintf(a->token, sizeof a->token, "%.*s", SPAN_ARG(token));
    return got;
}

static void pass(int64_t us)
{
    struct mono now = mono_add(clock_mono(), us);
    clock_fake((struct wall){now.us}, now);
}

#define HOUR "\",\"expires_in\":3600}"
#define TOKEN(text) "{\"access_token\":\"" text HOUR

static void attempts_that_need_the_same_token_wait_for_one_fetch(void **state)
{
    (void)state;
    struct attempt_fake a, b, c;
    assert_int_equal(ask(&a), BEARER_WAITS);
    assert_int_equal(ask(&b), BEARER_WAITS);
    assert_int_equal(fetch_count, 1);
    assert_false(a.told || b.told);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    assert_string_equal(a.token, "one");
    assert_string_equal(b.token, "one");
    assert_int_equal(ask(&c), BEARER_READY);
    assert_string_equal(c.token, "one");
    assert_int_equal(c.wait.serial, a.wait.serial);
    assert_int_equal(fetch_count, 1);
}

static void a_fetch_takes_no_longer_than_an_attempt_may(void **state)
{
    (void)state;
    struct attempt_fake a;
    destination.timeout_us = 3 * S;
    assert_int_equal(ask(&a), BEARER_WAITS);
    assert_int_equal(fetches[0].post.timeout_us, BEARER_FETCH_US);
    assert_int_equal(fetches[0].own_us, 3 * S);
    answer(ATTEMPT_TIMEOUT, 0, "");
    assert_true(a.told);
}

static void a_failure_is_that_of_all_who_wait_and_the_next_one_asks_again(void **state)
{
    (void)state;
    static const struct {
        enum attempt_class outcome;
        uint16_t status;
        const char *body;
        enum attempt_class failure;
    } table[] = {
        {ATTEMPT_REFUSED, 0, "", ATTEMPT_TOKEN},
        {ATTEMPT_TIMEOUT, 0, "", ATTEMPT_TOKEN},
        {ATTEMPT_BLOCKED, 0, "", ATTEMPT_TOKEN},
        {ATTEMPT_DNS, 0, "", ATTEMPT_TOKEN},
        {ATTEMPT_TLS, 0, "", ATTEMPT_TOKEN},
        {ATTEMPT_STATUS, 400, TOKEN("no"), ATTEMPT_TOKEN},
        {ATTEMPT_SUCCESS, 200, "{\"error\":\"x\"}", ATTEMPT_TOKEN},
        {ATTEMPT_PROXY, 0, "", ATTEMPT_PROXY},
    };
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        struct attempt_fake a, b;
        assert_int_equal(ask(&a), BEARER_WAITS);
        assert_int_equal(ask(&b), BEARER_WAITS);
        assert_int_equal(fetch_count, i + 1);
        answer(table[i].outcome, table[i].status, table[i].body);
        assert_true(a.told && b.told);
        assert_string_equal(a.token, "");
        assert_int_equal(b.failure.outcome, table[i].failure);
        assert_int_equal(b.failure.status, 0);
        assert_int_equal(b.failure.retry_after_us, -1);
    }
}

static void a_server_that_asks_to_wait_is_heard(void **state)
{
    (void)state;
    struct attempt_fake a;
    assert_int_equal(ask(&a), BEARER_WAITS);
    answer(ATTEMPT_STATUS, 429, "");
    assert_int_equal(a.failure.outcome, ATTEMPT_TOKEN);
    assert_int_equal(a.failure.retry_after_us, 7 * S);
}

static void it_is_renewed_while_it_serves_and_nobody_waits(void **state)
{
    (void)state;
    struct attempt_fake a;
    ask(&a);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    pass(3539 * S);
    assert_int_equal(ask(&a), BEARER_READY);
    assert_int_equal(fetch_count, 1);
    pass(S);
    assert_int_equal(ask(&a), BEARER_READY);
    assert_string_equal(a.token, "one");
    assert_int_equal(fetch_count, 2);
    assert_int_equal(ask(&a), BEARER_READY);
    assert_int_equal(fetch_count, 2);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("two"));
    assert_int_equal(ask(&a), BEARER_READY);
    assert_string_equal(a.token, "two");
}

static void a_renewal_that_fails_leaves_the_old_one_until_its_end(void **state)
{
    (void)state;
    struct attempt_fake a;
    ask(&a);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    pass(3540 * S);
    ask(&a);
    answer(ATTEMPT_REFUSED, 0, "");
    assert_int_equal(ask(&a), BEARER_READY); /* and does not ask at every attempt */
    assert_int_equal(fetch_count, 2);
    pass(5 * S);
    assert_int_equal(ask(&a), BEARER_READY);
    assert_int_equal(fetch_count, 3);
    answer(ATTEMPT_REFUSED, 0, "");
    pass(40 * S);
    assert_int_equal(ask(&a), BEARER_WAITS);
    assert_int_equal(fetch_count, 4);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("two"));
    assert_string_equal(a.token, "two");
}

static void one_without_a_life_serves_those_who_waited_for_it(void **state)
{
    (void)state;
    struct attempt_fake a, b;
    assert_int_equal(ask(&a), BEARER_WAITS);
    answer(ATTEMPT_SUCCESS, 200, "{\"access_token\":\"one\",\"expires_in\":0}");
    assert_string_equal(a.token, "one");
    assert_int_equal(ask(&b), BEARER_WAITS);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("two"));
    assert_string_equal(b.token, "two");
}

static void a_refused_token_is_given_up_once(void **state)
{
    (void)state;
    struct attempt_fake a, b, late;
    ask(&a);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    ask(&late);
    bearers_refused(bearers, &destination, late.wait.serial, clock_mono());
    assert_int_equal(ask(&b), BEARER_WAITS);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("two"));
    /* A late answer to the old token, and one to the new one too soon. */
    bearers_refused(bearers, &destination, a.wait.serial, clock_mono());
    bearers_refused(bearers, &destination, b.wait.serial, clock_mono());
    assert_int_equal(ask(&a), BEARER_READY);
    assert_string_equal(a.token, "two");
    pass(60 * S);
    bearers_refused(bearers, &destination, a.wait.serial, clock_mono());
    assert_int_equal(ask(&a), BEARER_WAITS);
    assert_int_equal(fetch_count, 3);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("three"));
}

static void another_configuration_gets_a_token_of_its_own(void **state)
{
    (void)state;
    struct attempt_fake a, b, c;
    assert_int_equal(ask(&a), BEARER_WAITS);
    destination.grant_key[0] = 2;
    assert_int_equal(ask(&b), BEARER_WAITS);
    assert_int_equal(fetch_count, 2);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("two"));
    assert_true(b.told && !a.told);
    assert_int_equal(ask(&c), BEARER_READY);
    assert_string_equal(c.token, "two");
    struct transfer *first = &fetches[0];
    first->under_way = false;
    first->result = (struct result){ATTEMPT_SUCCESS, 200, -1};
    buf_text(first->post.response, TOKEN("one"));
    first->post.ended(first->post.owner, first);
    assert_string_equal(a.token, "one");
}

static void who_does_not_wait_any_more_is_not_told(void **state)
{
    (void)state;
    struct attempt_fake a, b;
    ask(&a);
    ask(&b);
    bearer_cancel(&a.wait);
    bearer_cancel(&a.wait);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    assert_true(!a.told && b.told);
}

static void what_is_being_fetched_at_the_end_is_aborted(void **state)
{
    (void)state;
    struct attempt_fake a;
    assert_int_equal(ask(&a), BEARER_WAITS);
    bearer_cancel(&a.wait);
}

static void without_memory_nobody_waits(void **state)
{
    (void)state;
    struct attempt_fake a;
    no_memory = true;
    assert_int_equal(ask(&a), BEARER_FAILED);
    no_memory = false;
    assert_int_equal(ask(&a), BEARER_WAITS);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    pass(3550 * S);
    no_memory = true;
    assert_int_equal(ask(&a), BEARER_READY);
}

static void a_name_that_does_not_resolve_is_not_looked_up_on_the_side(void **state)
{
    (void)state;
    struct attempt_fake a;
    const struct mono now = clock_mono();
    assert_true(bearers_would_look_up(bearers, &destination, now));
    resolves = false;
    ask(&a);
    assert_false(bearers_would_look_up(bearers, &destination, now)); /* it is under way */
    answer(ATTEMPT_DNS, 0, "");
    assert_true(bearers_would_look_up(bearers, &destination, now));
    resolves = true;
    ask(&a);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    assert_false(bearers_would_look_up(bearers, &destination, now));
    resolves = false;
    pass(3550 * S);
    ask(&a);
    answer(ATTEMPT_DNS, 0, "");
    pass(10 * S);
    assert_int_equal(ask(&a), BEARER_READY);
    assert_int_equal(fetch_count, 3);
    pass(3600 * S);
    assert_true(bearers_would_look_up(bearers, &destination, clock_mono()));
}

static void there_are_only_so_many_and_the_least_used_goes(void **state)
{
    (void)state;
    struct attempt_fake a;
    for (unsigned i = 0; i <= BEARERS_MAX; i++) {
        memcpy(destination.grant_key, &i, sizeof i);
        fetch_count = 0;
        assert_int_equal(ask(&a), BEARER_WAITS);
        answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
    }
    const unsigned first = 0, second = 1;
    memcpy(destination.grant_key, &second, sizeof second);
    assert_int_equal(ask(&a), BEARER_READY);
    memcpy(destination.grant_key, &first, sizeof first);
    assert_int_equal(ask(&a), BEARER_WAITS);
    answer(ATTEMPT_SUCCESS, 200, TOKEN("one"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attempts_that_need_the_same_token_wait_for_one_fetch),
        TEST(a_fetch_takes_no_longer_than_an_attempt_may),
        TEST(a_failure_is_that_of_all_who_wait_and_the_next_one_asks_again),
        TEST(a_server_that_asks_to_wait_is_heard),
        TEST(it_is_renewed_while_it_serves_and_nobody_waits),
        TEST(a_renewal_that_fails_leaves_the_old_one_until_its_end),
        TEST(one_without_a_life_serves_those_who_waited_for_it),
        TEST(a_refused_token_is_given_up_once),
        TEST(another_configuration_gets_a_token_of_its_own),
        TEST(who_does_not_wait_any_more_is_not_told),
        TEST(what_is_being_fetched_at_the_end_is_aborted),
        TEST(without_memory_nobody_waits),
        TEST(a_name_that_does_not_resolve_is_not_looked_up_on_the_side),
        TEST(there_are_only_so_many_and_the_least_used_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
