/* `surehook backup DIR`. */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/control.h"

#include <unistd.h>

static const char help[] =
    "usage: surehook backup DIR [--data DIR]\n"
    "\n"
    "Copies the store into DIR, which must be empty or missing, while the service runs or not.\n"
    "Every event acknowledged before the command began is in the copy. To restore, start\n"
    "`surehook serve --data DIR`.\n";

int command_backup(int argc, char **argv)
{
    char *words[64];
    int count = 0;
    struct config config;
    if (argc == 0 || argc > 64 || strcmp(argv[0], "--help") == 0) {
        fputs(help, argc == 1 ? stdout : stderr);
        return argc == 1 ? 0 : 2;
    }
    if (config_load(&config, argc, argv, words, &count))
        return 2;
    int status = 2;
    char path[8192], here[4096];
    if (count != 1 || !getcwd(here, sizeof here)) {
        fputs(help, stderr);
    } else {
        snprintf(path, sizeof path, "%s%s%s", words[0][0] == '/' ? "" : here,
                 words[0][0] == '/' ? "" : "/", words[0]);
        json_t *request = json_pack("{s:s, s:s}", "do", "backup", "dir", path);
        json_t *answer = control_run(&config, request);
        status = answer ? 0 : 1;
        if (answer)
            printf("backed up to %s\n", path);
        json_decref(answer);
        json_decref(request);
    }
    config_release(&config);
    return status;
}
