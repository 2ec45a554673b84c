/* Inboxes: order, wake-ups, and no item lost between threads. */
#include "base/inbox.h"

#include "tests/base/check.h"

#include <poll.h>
#include <pthread.h>

struct note {
    struct inbox_item item;
    unsigned thread, number;
};

static bool readable(const struct inbox *in)
{
    struct pollfd p = {.fd = inbox_fd(in), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void items_come_out_in_the_order_of_putting(void **state)
{
    (void)state;
    struct inbox *in = inbox_new();
    struct note a = {.number = 1}, b = {.number = 2}, c = {.number = 3}, d = {.number = 4};

    assert_non_null(in);
    inbox_put(in, &a.item);
    b.item.next = &c.item;
    inbox_put_list(in, &b.item, &c.item);
    inbox_put(in, &d.item);
    assert_int_equal(inbox_count(in), 4);
    unsigned expected = 1;
    for (struct inbox_item *i = inbox_take(in); i; i = i->next)
        assert_int_equal(((struct note *)i)->number, expected++);
    assert_int_equal(expected, 5);
    assert_int_equal(inbox_count(in), 0);
    assert_null(inbox_take(in));
    inbox_free(&in);
    assert_null(in);
}

static void the_descriptor_is_readable_exactly_while_items_wait(void **state)
{
    (void)state;
    struct inbox *in = inbox_new();
    struct note a, b;

    assert_false(readable(in));
    inbox_put(in, &a.item);
    inbox_put(in, &b.item);
    assert_true(readable(in));
    assert_non_null(inbox_take(in));
    assert_false(readable(in));
    inbox_put(in, &a.item);
    assert_true(readable(in));
    assert_non_null(inbox_take(in));
    inbox_free(&in);
}

static void a_wake_without_items_makes_it_readable_once(void **state)
{
    (void)state;
    struct inbox *in = inbox_new();

    inbox_wake(in);
    inbox_wake(in);
    assert_true(readable(in));
    inbox_wait(in, MONO_NEVER);
    assert_null(inbox_take(in));
    assert_false(readable(in));
    inbox_free(&in);
}

static void waiting_ends_at_a_deadline_that_has_passed(void **state)
{
    (void)state;
    struct inbox *in = inbox_new();

    inbox_wait(in, (struct mono){0});
    inbox_wait(in, mono_add(clock_mono(), 1));
    assert_null(inbox_take(in));
    inbox_free(&in);
}

#define SENDERS 4
#define NOTES 5000

struct sender {
    struct inbox *in;
    struct note *notes;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (size_t i = 0; i < NOTES; i += 2) {
        s->notes[i].item.next = &s->notes[i + 1].item;
        inbox_put_list(s->in, &s->notes[i].item, &s->notes[i + 1].item);
    }
    return NULL;
}

static void nothing_is_lost_or_reordered_between_threads(void **state)
{
    (void)state;
    struct inbox *in = inbox_new();
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    unsigned next[SENDERS] = {0};

    for (unsigned t = 0; t < SENDERS; t++) {
        senders[t] = (struct sender){in, calloc(NOTES, sizeof(struct note))};
        assert_non_null(senders[t].notes);
        for (unsigned i = 0; i < NOTES; i++) {
            senders[t].notes[i].thread = t;
            senders[t].notes[i].number = i;
        }
        assert_int_equal(pthread_create(&threads[t], NULL, send_all, &senders[t]), 0);
    }
    for (size_t got = 0; got < SENDERS * NOTES;) {
        inbox_wait(in, MONO_NEVER);
        for (struct inbox_item *i = inbox_take(in); i; i = i->next, got++) {
            struct note *note = (struct note *)i;
            assert_int_equal(note->number, next[note->thread]++);
        }
    }
    for (unsigned t = 0; t < SENDERS; t++) {
        pthread_join(threads[t], NULL);
        free(senders[t].notes);
    }
    inbox_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_of_putting),
        cmocka_unit_test(the_descriptor_is_readable_exactly_while_items_wait),
        cmocka_unit_test(a_wake_without_items_makes_it_readable_once),
        cmocka_unit_test(waiting_ends_at_a_deadline_that_has_passed),
        cmocka_unit_test(nothing_is_lost_or_reordered_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
