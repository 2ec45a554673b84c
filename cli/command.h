/* The commands behind `surehook <command>`. Each takes the words after its name and returns the
 * process's exit status. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/config.h"

/* For a command that takes `wanted` words and the options: reads both and calls `run`, whose status
 * it returns. `--help` alone prints the help; 2 after a mistake, which is told. */
int command_with_words(int argc, char **argv, const char *help, int wanted,
                       int (*run)(const struct config *config, char **words));

int command_serve(int argc, char **argv);
int command_key(int argc, char **argv);
int command_listen(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_compact(int argc, char **argv);
int command_check(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
