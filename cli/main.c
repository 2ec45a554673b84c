/* surehook: one binary, a command each. */
#include "cli/command.h"
#include "cli/config.h"

#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", command_serve, "run the service"},
    {"key", command_key, "create, list and revoke API keys"},
    {"listen", command_listen, "receive deliveries, print and verify them"},
    {"backup", command_backup, "copy the data directory, also while the service runs"},
    {"restore", command_restore, "put a backup into an empty data directory"},
    {"compact", command_compact, "give back the disk that a stopped service's data does not need"},
    {"check", command_check, "verify every page, record and index of a stopped service's data"},
    {"version", command_version, "print the version"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static int usage(FILE *out, int status)
{
    fprintf(out, "surehook: webhooks, delivered\n\nusage: surehook <command> [options]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n`surehook <command> --help` explains a command.\n");
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr, 2);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return usage(stdout, 0);
    if (strcmp(argv[1], "--version") == 0)
        return command_version(0, NULL);
    fprintf(stderr, "surehook: unknown command `%s`\n\n", argv[1]);
    return usage(stderr, 2);
}
