/* `surehook compact`. Exit status 0: done; 1: the data is damaged and stays; 2: it could not begin
 * or end. */
#include "cli/command.h"

#include "store/replace.h"

static const char help[] =
    "usage: surehook compact [--data DIR]\n"
    "\n"
    "Gives back the disk that expired and deleted data took: writes the data file anew, verifies\n"
    "every record of the new one, and puts it in place of the old one. The service must be\n"
    "stopped; the disk must have room for what is live. It may be interrupted: nothing is lost.\n";

static void say(void *context, const char *finding)
{
    (void)context;
    printf("%s\n", finding);
}

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / (1024 * 1024);
}

static int compact(const struct config *config, char **words)
{
    (void)words;
    struct replace_report report = {.say = say};
    struct store_settings settings = config->store;
    settings.as_is = true;
    if (!config_has_data(config))
        return 2;
    enum err e = store_compact(&settings, &report);
    if (report.check.errors) {
        fprintf(stderr, "surehook: the data is damaged and was left as it is: %llu findings\n",
                (unsigned long long)report.check.errors);
        return 1;
    }
    if (e) {
        fprintf(stderr, "surehook: cannot compact %s: %s\n", settings.dir, err_text(e));
        return 2;
    }
    printf("compacted %s: %.1f MiB before, %.1f MiB now\n", settings.dir, mebibytes(report.before),
           mebibytes(report.after));
    return 0;
}

int command_compact(int argc, char **argv)
{
    return command_with_words(argc, argv, help, 0, compact);
}
