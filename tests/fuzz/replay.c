/* Shows a fuzz target every input of its corpus, without libFuzzer: what was found once is looked
 * for in every run of the tests and under every sanitizer.
 *
 *     TARGET_fuzz            the files of tests/fuzz/corpus/TARGET, in their order; TAP
 *     TARGET_fuzz FILE...    these, to look at a finding
 *
 * A property that does not hold ends the process; the line before names the input. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>

#define CORPUS "tests/fuzz/corpus"
#define INPUT_MAX (1 << 20)

static bool replay(const char *path)
{
    static char bytes[INPUT_MAX];
    FILE *f = fopen(path, "re");
    if (!f) {
        printf("not ok - %s: cannot be read\n", path);
        return false;
    }
    fprintf(stderr, "# %s\n", path);
    struct span input = fuzz_copy(span_of(bytes, fread(bytes, 1, sizeof bytes, f)));
    fclose(f);
    LLVMFuzzerTestOneInput((const uint8_t *)input.ptr, input.len);
    free((char *)input.ptr);
    return true;
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* The target's name is that of the program, without "_fuzz". */
static int replay_corpus(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    const char *end = strstr(name, "_fuzz");
    char folder[PATH_MAX], path[PATH_MAX];
    struct dirent **files;
    snprintf(folder, sizeof folder, CORPUS "/%.*s", end ? (int)(end - name) : 0, name);
    int count = scandir(folder, &files, visible, alphasort), good = 0;
    for (int i = 0; i < count; i++) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
        good += len < (int)sizeof path && replay(path);
        free(files[i]);
    }
    if (count < 1)
        printf("not ok - %s has no inputs; run the tests in the project's folder\n", folder);
    else
        free(files);
    printf("%s - the corpus of %s: %d inputs\n", good == count && count > 0 ? "ok" : "not ok", name,
           good);
    return good == count && count > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool good = true;
    if (argc < 2)
        return replay_corpus(argv[0]);
    for (int i = 1; i < argc; i++)
        good = replay(argv[i]) && good;
    return good ? 0 : 1;
}
