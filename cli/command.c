/* What the commands that work on a data directory have in common. */
#include "cli/command.h"

#define WORDS_MAX 64

int command_with_words(int argc, char **argv, const char *help, int wanted,
                       int (*run)(const struct config *config, char **words))
{
    char *words[WORDS_MAX];
    int count = 0, status = 2;
    struct config config;
    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > WORDS_MAX || argc < wanted) {
        fputs(help, stderr);
        return 2;
    }
    if (config_load(&config, argc, argv, words, &count))
        return 2;
    if (count == wanted)
        status = run(&config, words);
    else
        fputs(help, stderr);
    config_release(&config);
    return status;
}
