/* Each place costs a comparison of names: only the binary of an experiment has them. */
#include "base/failpoint.h"

#ifdef SUREHOOK_FAILPOINTS

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAILPOINT_NAME(name) name,
static const char *const names[] = {FAILPOINT_LIST(FAILPOINT_NAME)};
#define NAMES (sizeof names / sizeof *names)

static struct {
    pthread_once_t once;
    char name[32], then[32]; /* empty: none */
    unsigned nth;
    atomic_uint reached;
    atomic_bool armed; /* `name` was reached: `then` is next */
} wanted = {.once = PTHREAD_ONCE_INIT, .nth = 1};

static void read_wanted(void)
{
    const char *text = getenv("FAULTS_POINT");
    if (!text)
        return;
    size_t len = strcspn(text, ":>");
    assert(len < sizeof wanted.name);
    memcpy(wanted.name, text, len);
    if (text[len] == ':')
        wanted.nth = (unsigned)strtoul(text + len + 1, NULL, 10);
    else if (text[len] == '>')
        snprintf(wanted.then, sizeof wanted.then, "%s", text + len + 1);
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void end_process(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

void failpoint_reach(const char *name)
{
    pthread_once(&wanted.once, read_wanted);
    assert(is_known(name));
    if (atomic_load(&wanted.armed) && strcmp(name, wanted.then) == 0)
        end_process();
    if (strcmp(name, wanted.name) != 0 || atomic_fetch_add(&wanted.reached, 1) + 1 != wanted.nth)
        return;
    if (!wanted.then[0])
        end_process();
    atomic_store(&wanted.armed, true);
}

void failpoint_print(void)
{
    for (size_t i = 0; i < NAMES; i++)
        puts(names[i]);
}

#endif
