/* `surehook version`; with --fail-points the binary of `make faults` lists its own. */
#include "cli/command.h"

#include "base/failpoint.h"

#include <stdio.h>
#include <string.h>

int command_version(int argc, char **argv)
{
#ifdef SUREHOOK_FAILPOINTS
    if (argc == 1 && strcmp(argv[0], "--fail-points") == 0) {
        failpoint_print();
        return 0;
    }
#else
    (void)argc;
    (void)argv;
#endif
    printf("surehook %s\n", SUREHOOK_VERSION);
    return 0;
}
