/* The writer's tables: what others ask of them while the writer changes them. */
#include "store/table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define APP 1
#define ENDPOINTS 9 /* the room for them grows twice */

static struct table *table;
static atomic_bool done;
static atomic_uint asked;

static void add_app(int64_t throttle_rate)
{
    const struct app a = {.id = {{1}}, .org = {{2}}, .number = APP, .throttle_rate = throttle_rate};
    struct table_app *fresh;
    assert_int_equal(table_app_new(&a, &fresh), ERR_OK);
    assert_int_equal(table_app_put(table, fresh), ERR_OK);
}

static void add_endpoint(uint32_t number, bool disabled)
{
    const struct endpoint e = {
        .number = number, .url = SPAN("http://receiver.example/"), .disabled = disabled};
    struct table_endpoint *fresh;
    assert_int_equal(table_endpoint_new(&e, &fresh), ERR_OK);
    assert_int_equal(table_endpoint_put(table, fresh, APP), ERR_OK);
}

/* The application and its endpoints come, are replaced and go. */
static void live_once(void)
{
    add_app(0);
    for (uint32_t n = 1; n <= ENDPOINTS; n++)
        add_endpoint(n, true);
    add_app(7);
    for (uint32_t n = 1; n <= ENDPOINTS; n++)
        add_endpoint(n, false);
    table_endpoint_delete(table, 1);
    table_app_delete(table, APP);
    for (uint32_t n = 1; n <= ENDPOINTS; n++)
        table_endpoint_forget(table, n);
}

/* Whatever the moment: nothing is enabled where nothing is. */
static void *ask(void *wrong)
{
    const struct match_subject subject = {.event_type = SPAN("a")};
    while (!atomic_load(&done)) {
        struct app_receivers has = table_receivers(table, APP);
        if (has.enabled && !has.any)
            atomic_store((atomic_bool *)wrong, true);
        (void)table_takes(table, APP, &subject);
        (void)table_counts(table, 1);
        atomic_fetch_add(&asked, 1);
    }
    return NULL;
}

static void an_application_is_asked_while_it_changes(void **state)
{
    (void)state;
    atomic_bool wrong = false;
    pthread_t thread;
    table = table_new();
    assert_non_null(table);
    assert_int_equal(pthread_create(&thread, NULL, ask, &wrong), 0);
    for (unsigned lives = 0; lives < 300 || atomic_load(&asked) < 300; lives++)
        live_once();
    atomic_store(&done, true);
    pthread_join(thread, NULL);
    assert_false(atomic_load(&wrong));
    assert_false(table_receivers(table, APP).any);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_is_asked_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
