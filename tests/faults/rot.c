/* Flips one bit of the data file at a time and looks at what the store makes of it.
 *
 *     rot FILE LEDGER DIR MAP-SIZE TRIALS SEED WORKER WORKERS PLANT
 *
 * Whatever the bit: no event of the ledger is read with other bytes. And the flip is detected (the
 * store does not open, `check` has findings, or it dies: LMDB's own pages carry no checksum), or
 * it is harmless: all rows of all trees and all lists are what they were. PLANT is `none` or a bug
 * that must be found: `blind` (check's findings are passed over), `other-bytes` (a payload of the
 * ledger is another).
 *
 * Prints a line for each finding and `N flips, N detected, N harmless, N bad` in the last. Each
 * flip is looked at in a child. */
#include "tests/faults/ledger.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/snapshot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLIP_SECONDS 60
#define ENDPOINTS 2 /* those of the ledger's application */

enum verdict { HARMLESS, DETECTED, WRONG_BYTES, UNNOTICED, VERDICTS };

/* Digests of what stands in each tree, and of what the index knows. */
struct content {
    uint8_t parts[TREES + 1][16];
};

static struct {
    struct ledger ledger;
    uint8_t *bytes; /* of the file, up to its last page in use */
    uint64_t used, size;
    const char *dir;
    char file[4096];
    int64_t map_size;
    bool blind;
    struct content before; /* any flip */
} rot;

static void ignore(void *context, const char *text)
{
    (void)context;
    (void)text;
}

/* ---------------------------------------------------------------- what the store holds */

static enum err digest_tree(struct store_read *r, enum tree tree, struct buf *all)
{
    struct span key = {0}, value;
    MDB_cursor *c;
    enum err e = tree_cursor(&r->store->env, r->txn, tree, &c);
    if (e)
        return e;
    for (e = tree_walk(c, MDB_FIRST, &key, &value); !e; e = tree_walk(c, MDB_NEXT, &key, &value)) {
        buf_u32(all, (uint32_t)key.len);
        buf_span(all, key);
        buf_u32(all, (uint32_t)value.len);
        buf_span(all, value);
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* What the index knows of the first endpoints' deliveries. */
static enum err digest_lists(struct store_read *r, struct buf *all)
{
    struct delivery rows[PAGE_MAX];
    const struct message_filter any = {0};
    for (uint32_t endpoint = 1; endpoint <= ENDPOINTS; endpoint++) {
        struct page page = {.limit = PAGE_MAX};
        struct page_result result;
        do {
            enum err e = store_deliveries_of_endpoint(r, endpoint, &page, 0, &any, rows, &result);
            if (e)
                return e;
            for (unsigned i = 0; i < result.count; i++)
                buf_bytes(all, rows[i].message.b, ID_BYTES);
            page.has_cursor = true;
            page.cursor = result.last;
        } while (result.more);
    }
    return ERR_OK;
}

static enum err digest_content(struct store *s, struct content *out)
{
    struct store_read *r;
    struct buf all;
    buf_init(&all, UINT32_MAX);
    enum err e = store_read_begin(s, &r);
    if (e)
        return e;
    for (int t = 0; t <= TREES && !e; t++) {
        buf_clear(&all);
        e = t < TREES ? digest_tree(r, (enum tree)t, &all) : digest_lists(r, &all);
        if (!e && all.failed)
            e = ERR_NO_MEMORY;
        hash_128(buf_view(&all), out->parts[t]);
    }
    store_read_end(&r);
    buf_free(&all);
    return e;
}

/* Whether all is as it was; says what is not. */
static bool same_content(const struct content *now)
{
#define TREE_NAME(name, text) text,
    static const char *const names[TREES + 1] = {TREE_LIST(TREE_NAME) "the lists of the index"};
#undef TREE_NAME
    bool same = true;
    for (int t = 0; t <= TREES; t++) {
        if (memcmp(now->parts[t], rot.before.parts[t], sizeof now->parts[t]) == 0)
            continue;
        printf("changed: %s\n", names[t]);
        fflush(stdout);
        same = false;
    }
    return same;
}

/* ---------------------------------------------------------------- one flip */

static enum verdict look_at_ledger(struct store *s)
{
    enum verdict verdict = HARMLESS;
    struct store_read *r;
    if (store_read_begin(s, &r))
        return DETECTED;
    for (size_t i = 0; i < rot.ledger.count && verdict != WRONG_BYTES; i++) {
        enum ledger_answer answer = ledger_look(&rot.ledger.rows[i], r);
        if (answer == LEDGER_WRONG)
            verdict = WRONG_BYTES;
        else if (answer != LEDGER_KEPT)
            verdict = UNNOTICED; /* unless `check` notices */
    }
    store_read_end(&r);
    return verdict;
}

static enum verdict look(void)
{
    const struct store_settings settings = {
        .dir = rot.dir, .map_size = rot.map_size, .message_retention_us = 3600 * US_PER_S};
    struct store *s;
    struct check_report report = {0};
    struct content content;
    if (store_open(&settings, &s))
        return DETECTED;
    enum verdict verdict = look_at_ledger(s);
    if (verdict == WRONG_BYTES)
        return verdict;
    enum err e = store_check(s, ignore, NULL, &report);
    if ((e || report.errors) && !rot.blind)
        return DETECTED;
    e = digest_content(s, &content);
    store_close(&s);
    if (e || !same_content(&content))
        return UNNOTICED;
    return verdict;
}

static void put_file(void)
{
    int fd = open(rot.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, rot.bytes, rot.used, 0) != (ssize_t)rot.used ||
        ftruncate(fd, (off_t)rot.size) || close(fd)) {
        perror(rot.file);
        exit(2);
    }
}

static enum verdict flip(uint64_t bit)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);
    int status;
    rot.bytes[bit / 8] ^= mask;
    put_file();
    rot.bytes[bit / 8] ^= mask;
    pid_t child = fork();
    if (child == 0) {
        alarm(FLIP_SECONDS);
        _exit((int)look());
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(2);
    if (!WIFSIGNALED(status))
        return (enum verdict)WEXITSTATUS(status);
    if (WTERMSIG(status) != SIGALRM)
        return DETECTED;
    printf("bit %" PRIu64 ": it hangs\n", bit);
    return UNNOTICED;
}

/* ---------------------------------------------------------------- all of them */

static void load_file(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info)) {
        perror(path);
        exit(2);
    }
    rot.size = (uint64_t)info.st_size;
    rot.bytes = malloc(rot.size);
    if (!rot.bytes || pread(fd, rot.bytes, rot.size, 0) != info.st_size)
        exit(2);
    for (rot.used = rot.size; rot.used > 0 && !rot.bytes[rot.used - 1];)
        rot.used--;
    close(fd);
}

/* The content before any flip, which must be clean. */
static void take_content(void)
{
    const struct store_settings settings = {
        .dir = rot.dir, .map_size = rot.map_size, .message_retention_us = 3600 * US_PER_S};
    struct store *s;
    put_file();
    if (store_open(&settings, &s) || digest_content(s, &rot.before))
        exit(2);
    store_close(&s);
}

int main(int argc, char **argv)
{
    static const char *const bad[VERDICTS] = {[WRONG_BYTES] = "an event has other bytes",
                                              [UNNOTICED] = "something changed and nobody noticed"};
    uint64_t counts[VERDICTS] = {0};
    struct rng rng;
    if (argc != 10)
        return 2;
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    load_file(argv[1]);
    ledger_load(&rot.ledger, argv[2]);
    rot.dir = argv[3];
    snprintf(rot.file, sizeof rot.file, "%s/data.mdb", rot.dir);
    rot.map_size = strtoll(argv[4], NULL, 10);
    uint64_t trials = strtoull(argv[5], NULL, 10), worker = strtoull(argv[7], NULL, 10);
    uint64_t workers = strtoull(argv[8], NULL, 10);
    rot.blind = strcmp(argv[9], "blind") == 0;
    if (strcmp(argv[9], "other-bytes") == 0)
        rot.ledger.rows[0].payload.len--;
    rng_seed(&rng, strtoull(argv[6], NULL, 10));
    take_content();
    for (uint64_t i = 0; i < trials; i++) {
        uint64_t bit = rng_next(&rng) % (rot.used * 8);
        if (i % workers != worker)
            continue;
        enum verdict verdict = flip(bit);
        counts[verdict]++;
        if (bad[verdict])
            printf("bit %" PRIu64 " of byte %" PRIu64 ": %s\n", bit % 8, bit / 8, bad[verdict]);
        fflush(stdout);
    }
    printf("%" PRIu64 " flips, %" PRIu64 " detected, %" PRIu64 " harmless, %" PRIu64 " bad\n",
           counts[0] + counts[1] + counts[2] + counts[3], counts[DETECTED], counts[HARMLESS],
           counts[WRONG_BYTES] + counts[UNNOTICED]);
    free(rot.bytes);
    ledger_free(&rot.ledger);
    return 0;
}
