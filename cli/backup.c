/* `surehook backup DIR`. */
#include "cli/command.h"
#include "cli/control.h"

#include <limits.h>
#include <unistd.h>

static const char help[] =
    "usage: surehook backup DIR [--data DIR]\n"
    "\n"
    "Copies the store into DIR, which must be empty or missing, while the service runs or not.\n"
    "Every event acknowledged before the command began is in the copy. `surehook restore DIR`\n"
    "puts it back.\n";

/* The service has another working directory, so that it gets the whole path. */
static bool whole_path(const char *dir, char out[PATH_MAX])
{
    char here[PATH_MAX];
    if (dir[0] == '/')
        return snprintf(out, PATH_MAX, "%s", dir) < PATH_MAX;
    return getcwd(here, sizeof here) && snprintf(out, PATH_MAX, "%s/%s", here, dir) < PATH_MAX;
}

static int backup(const struct config *config, char **words)
{
    const char *dir = words[0];
    char path[PATH_MAX];
    json_t *request = NULL;
    if (dir[0] && whole_path(dir, path))
        request = json_pack("{s:s, s:s}", "do", "backup", "dir", path);
    if (!request) {
        fprintf(stderr, "surehook: the path of the copy is empty, too long or not UTF-8\n");
        return 2;
    }
    json_t *answer = control_run(config, request);
    if (answer)
        printf("backed up to %s\n", path);
    int status = answer ? 0 : 1;
    json_decref(answer);
    json_decref(request);
    return status;
}

int command_backup(int argc, char **argv)
{
    return command_with_words(argc, argv, help, 1, backup);
}
