/* getaddrinfo(3) cannot be interrupted, and with a dead name server it takes as long as
 * resolv.conf says. So each lookup has a thread, which takes up the next one that waits before it
 * ends; and a resolver that is freed leaves its threads behind: the last one frees what they share.
 *
 * Invariants: a lookup is in exactly one list; one that waits has a thread under way that will come
 * to it; nobody writes the wake_fd once the resolver is closed. */
#include "dispatcher/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

struct lookup {
    TAILQ_ENTRY(lookup) link;
    struct resolver *resolver;
    void *owner;
    struct addresses found; /* its thread's, then whoever takes it from `done` */
    char name[];
};
TAILQ_HEAD(lookup_list, lookup);

struct resolver {
    int wake_fd;
    void (*forget)(void *owner);
    pthread_mutex_t lock;
    /* under lock */
    bool closed;
    unsigned threads;
    struct lookup_list waiting, underway, done;
};

void addresses_add(struct addresses *a, int family, const void *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->count == RESOLVER_ADDRESSES_MAX)
        return;
    if (family == AF_INET6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        family = AF_INET;
        bytes = (const uint8_t *)bytes + sizeof mapped;
    }
    if (inet_ntop(family, bytes, a->text[a->count], sizeof a->text[0]))
        a->count++;
}

static void look_up(const char *name, struct addresses *out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    *out = (struct addresses){0};
    if (getaddrinfo(name, NULL, &hints, &list))
        return;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        if (a->ai_family == AF_INET)
            addresses_add(out, AF_INET,
                          &((const struct sockaddr_in *)(void *)a->ai_addr)->sin_addr);
        else if (a->ai_family == AF_INET6)
            addresses_add(out, AF_INET6,
                          &((const struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr);
    }
    freeaddrinfo(list);
}

static void resolver_destroy(struct resolver *r)
{
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Under the lock: hands the answer over, and returns what to look up next; NULL: end. */
static struct lookup *move_on(struct resolver *r, struct lookup *ended)
{
    TAILQ_REMOVE(&r->underway, ended, link);
    if (r->closed) {
        free(ended);
        r->threads--;
        return NULL;
    }
    TAILQ_INSERT_TAIL(&r->done, ended, link);
    eventfd_write(r->wake_fd, 1);
    struct lookup *next = TAILQ_FIRST(&r->waiting);
    if (!next) {
        r->threads--;
        return NULL;
    }
    TAILQ_REMOVE(&r->waiting, next, link);
    TAILQ_INSERT_TAIL(&r->underway, next, link);
    return next;
}

static void *run(void *context)
{
    struct lookup *l = context;
    struct resolver *r = l->resolver;
    pthread_setname_np(pthread_self(), "resolve");
    for (bool last = false; l;) {
        look_up(l->name, &l->found);
        pthread_mutex_lock(&r->lock);
        l = move_on(r, l);
        last = !l && r->closed && r->threads == 0;
        pthread_mutex_unlock(&r->lock);
        if (last)
            resolver_destroy(r);
    }
    return NULL;
}

static bool start_thread(struct lookup *l)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, l))
        return false;
    pthread_detach(thread);
    return true;
}

bool resolver_ask(struct resolver *r, const char *name, void *owner)
{
    const size_t len = strlen(name) + 1;
    struct lookup *l = calloc(1, sizeof *l + len);
    if (!l)
        return false;
    l->resolver = r;
    l->owner = owner;
    memcpy(l->name, name, len);

    pthread_mutex_lock(&r->lock);
    bool good = true;
    if (r->threads < RESOLVER_THREADS_MAX && start_thread(l)) {
        r->threads++;
        TAILQ_INSERT_TAIL(&r->underway, l, link);
    } else if (r->threads > 0) {
        TAILQ_INSERT_TAIL(&r->waiting, l, link);
    } else {
        good = false;
    }
    pthread_mutex_unlock(&r->lock);
    if (!good)
        free(l);
    return good;
}

bool resolver_take(struct resolver *r, void **owner, struct addresses *out)
{
    pthread_mutex_lock(&r->lock);
    struct lookup *l = TAILQ_FIRST(&r->done);
    if (l)
        TAILQ_REMOVE(&r->done, l, link);
    pthread_mutex_unlock(&r->lock);
    if (!l)
        return false;
    *owner = l->owner;
    *out = l->found;
    free(l);
    return true;
}

struct resolver *resolver_new(int wake_fd, void (*forget)(void *owner))
{
    struct resolver *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->wake_fd = wake_fd;
    r->forget = forget;
    pthread_mutex_init(&r->lock, NULL);
    TAILQ_INIT(&r->waiting);
    TAILQ_INIT(&r->underway);
    TAILQ_INIT(&r->done);
    return r;
}

static void drop_list(struct resolver *r, struct lookup_list *list)
{
    for (struct lookup *l; (l = TAILQ_FIRST(list));) {
        TAILQ_REMOVE(list, l, link);
        r->forget(l->owner);
        free(l);
    }
}

void resolver_free(struct resolver **r)
{
    struct resolver *self = *r;
    if (!self)
        return;
    *r = NULL;
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    drop_list(self, &self->waiting);
    drop_list(self, &self->done);
    struct lookup *l;
    TAILQ_FOREACH(l, &self->underway, link)
    {
        self->forget(l->owner);
    }
    const bool last = self->threads == 0;
    pthread_mutex_unlock(&self->lock);
    if (last)
        resolver_destroy(self);
}
