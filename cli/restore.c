/* `surehook restore BACKUP`. Exit status 0: restored; 1: refused or damaged; 2: a mistake. */
#include "cli/command.h"

#include "store/replace.h"

static const char help[] =
    "usage: surehook restore BACKUP [--data DIR]\n"
    "\n"
    "Copies the store that `surehook backup` wrote into BACKUP to the data directory, which must\n"
    "be empty or missing, verifies every record of the copy, and only then puts it in place.\n"
    "BACKUP stays as it is. With a main secret, give the one of the data that was backed up.\n";

static void say(void *context, const char *finding)
{
    (void)context;
    fprintf(stderr, "%s\n", finding);
}

static int restore(const struct config *config, char **words)
{
    const char *backup = words[0];
    struct replace_report report = {.say = say};
    enum err e = store_restore(backup, &config->store, &report);
    switch (e) {
    case ERR_OK:
        printf("restored %s to %s: %llu messages, %llu deliveries, %llu endpoints\n", backup,
               config->store.dir, (unsigned long long)report.check.messages,
               (unsigned long long)report.check.deliveries,
               (unsigned long long)report.check.endpoints);
        return 0;
    case ERR_NOT_FOUND:
        fprintf(stderr, "surehook: there is no store in %s\n", backup);
        return 1;
    case ERR_CONFLICT:
        fprintf(stderr, "surehook: %s is not empty; nothing was restored\n", config->store.dir);
        return 1;
    case ERR_CORRUPT:
        fprintf(stderr, "surehook: nothing was restored: the backup is damaged: %llu findings\n",
                (unsigned long long)report.check.errors);
        return 1;
    default:
        fprintf(stderr, "surehook: cannot restore to %s: %s\n", config->store.dir, err_text(e));
        return 1;
    }
}

int command_restore(int argc, char **argv)
{
    return command_with_words(argc, argv, help, 1, restore);
}
