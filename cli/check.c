/* `surehook check`: verifies a stopped service's data. Exit status 0: clean; 1: findings; 2: it
 * could not be opened. */
#include "cli/command.h"

static const char help[] =
    "usage: surehook check [--data DIR]\n"
    "\n"
    "Verifies every record and every index of the data directory against every other. The service\n"
    "must be stopped (or check a backup).\n";

static void say(void *context, const char *finding)
{
    (void)context;
    printf("%s\n", finding);
}

static int check(const struct config *config, char **words)
{
    (void)words;
    struct store *store = NULL;
    struct store_settings settings = config->store;
    settings.as_is = true;
    if (!config_has_data(config))
        return 2;
    struct check_report r = {0};
    enum err e = store_check_file(settings.dir, say, NULL, &r);
    if (!e && r.errors) {
        printf("the pages of the file are damaged, and were not followed: %llu errors\n",
               (unsigned long long)r.errors);
        return 1;
    }
    if (!e)
        e = store_open(&settings, &store);
    if (e) {
        fprintf(stderr, "surehook: cannot open %s: %s\n", config->store.dir, err_text(e));
        return 2;
    }
    e = store_check(store, say, NULL, &r);
    store_close(&store);
    if (e) {
        fprintf(stderr, "surehook: the check stopped: %s\n", err_text(e));
        return 2;
    }
    printf("%llu messages, %llu deliveries, %llu attempts, %llu dead letters, %llu endpoints, "
           "%llu index entries: %llu errors\n",
           (unsigned long long)r.messages, (unsigned long long)r.deliveries,
           (unsigned long long)r.attempts, (unsigned long long)r.dead,
           (unsigned long long)r.endpoints, (unsigned long long)r.index_entries,
           (unsigned long long)r.errors);
    return r.errors ? 1 : 0;
}

int command_check(int argc, char **argv)
{
    return command_with_words(argc, argv, help, 0, check);
}
