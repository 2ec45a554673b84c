/* Lookups beside the thread, with a name server that this file stands in for: names that begin with
 * "slow" are answered once the gate is open. */
#include "dispatcher/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned asking, most;

struct answer {
    struct addrinfo info;
    struct sockaddr_in6 address;
};

/* In place of the C library's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)service;
    (void)hints;
    pthread_mutex_lock(&lock);
    asking++;
    most = asking > most ? asking : most;
    pthread_cond_broadcast(&changed);
    while (strncmp(name, "slow", 4) == 0 && !gate_open)
        pthread_cond_wait(&changed, &lock);
    asking--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (strncmp(name, "unknown", 7) == 0)
        return EAI_NONAME;

    struct answer *four = calloc(2, sizeof *four), *six = four + 1;
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("93.184.216.34")};
    memcpy(&four->address, &in4, sizeof in4);
    six->address.sin6_family = AF_INET6;
    inet_pton(AF_INET6, "::ffff:10.0.0.1", &six->address.sin6_addr);
    four->info = (struct addrinfo){
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&four->address, .ai_next = &six->info};
    six->info =
        (struct addrinfo){.ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&six->address};
    *out = &four->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

static void gate(bool open)
{
    pthread_mutex_lock(&lock);
    gate_open = open;
    most = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_until_asking(unsigned n)
{
    pthread_mutex_lock(&lock);
    while (asking != n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static unsigned forgotten;

static void on_forget(void *owner)
{
    *(bool *)owner = true;
    forgotten++;
}

struct bench {
    int fd;
    struct resolver *resolver;
};

static struct bench begin(void)
{
    struct bench b = {.fd = eventfd(0, 0)};
    b.resolver = resolver_new(b.fd, on_forget);
    assert_non_null(b.resolver);
    forgotten = 0;
    return b;
}

static void end(struct bench *b)
{
    resolver_free(&b->resolver);
    assert_null(b->resolver);
    close(b->fd);
}

/* The next answer; waits for it. */
static void *take(struct bench *b, struct addresses *out)
{
    void *owner = NULL;
    while (!resolver_take(b->resolver, &owner, out)) {
        eventfd_t wakes;
        assert_int_equal(eventfd_read(b->fd, &wakes), 0);
    }
    return owner;
}

static void an_answer_wakes_and_comes_back_with_its_owner(void **state)
{
    (void)state;
    struct bench b = begin();
    struct addresses found;
    bool owner = false;
    assert_true(resolver_ask(b.resolver, "name.test", &owner));
    assert_ptr_equal(take(&b, &found), &owner);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.text[0], "93.184.216.34");
    assert_string_equal(found.text[1], "10.0.0.1"); /* the plain spelling */
    void *again;
    assert_false(resolver_take(b.resolver, &again, &found));
    end(&b);
    assert_int_equal(forgotten, 0);
}

static void a_name_that_does_not_resolve_has_no_addresses(void **state)
{
    (void)state;
    struct bench b = begin();
    struct addresses found = {.count = 7};
    bool owner = false;
    assert_true(resolver_ask(b.resolver, "unknown.test", &owner));
    assert_ptr_equal(take(&b, &found), &owner);
    assert_int_equal(found.count, 0);
    end(&b);
}

static void no_more_lookups_than_the_bound_are_under_way_and_the_others_follow(void **state)
{
    (void)state;
    enum { EXTRA = 40 };
    struct bench b = begin();
    struct addresses found;
    bool owners[RESOLVER_THREADS_MAX + EXTRA] = {false};
    gate(false);
    for (unsigned i = 0; i < RESOLVER_THREADS_MAX + EXTRA; i++)
        assert_true(resolver_ask(b.resolver, "slow.test", &owners[i]));
    wait_until_asking(RESOLVER_THREADS_MAX);
    gate(true);
    for (unsigned i = 0; i < RESOLVER_THREADS_MAX + EXTRA; i++) {
        bool *owner = take(&b, &found);
        assert_false(*owner);
        *owner = true;
        assert_int_equal(found.count, 2);
    }
    assert_true(most <= RESOLVER_THREADS_MAX);
    end(&b);
    assert_int_equal(forgotten, 0);
}

static void freeing_waits_for_nobody_and_gives_every_owner_back(void **state)
{
    (void)state;
    enum { COUNT = RESOLVER_THREADS_MAX + 5 };
    struct bench b = begin();
    bool owners[COUNT] = {false}, quick = false;
    gate(false);
    assert_true(resolver_ask(b.resolver, "quick.test", &quick));
    eventfd_t wakes;
    assert_int_equal(eventfd_read(b.fd, &wakes), 0); /* answered, not taken */
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(resolver_ask(b.resolver, "slow.test", &owners[i]));
    wait_until_asking(RESOLVER_THREADS_MAX);
    end(&b);
    assert_int_equal(forgotten, COUNT + 1);
    assert_true(quick);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(owners[i]);
    gate(true);
    wait_until_asking(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_wakes_and_comes_back_with_its_owner),
        cmocka_unit_test(a_name_that_does_not_resolve_has_no_addresses),
        cmocka_unit_test(no_more_lookups_than_the_bound_are_under_way_and_the_others_follow),
        cmocka_unit_test(freeing_waits_for_nobody_and_gives_every_owner_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
