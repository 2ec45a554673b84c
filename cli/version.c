/* `surehook version`. */
#include "cli/command.h"

#include <stdio.h>

int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("surehook %s\n", SUREHOOK_VERSION);
    return 0;
}
