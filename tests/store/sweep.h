/* A filled store whose every call fails once (tests/store/fault.h): each trial begins from the same
 * file, so that what a test remembers of it (ids, numbers) holds in all of them.
 *
 * One store a process; the state is global. */
#ifndef TESTS_STORE_SWEEP_H
#define TESTS_STORE_SWEEP_H

#include "tests/store/fault.h"
#include "tests/store/rig.h"

#include <signal.h>
#include <sys/stat.h>

#define SWEEP_MAP (16 << 20)
#define SWEEP_SECRET "the main secret of the sweep"

/* Sanitizers make a trial slow, and look for what one place in a few shows as well. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SWEEP_STRIDE 2
#else
#define SWEEP_STRIDE 1
#endif

static struct sweep {
    struct rig r;
    char *image; /* the data file as filled */
    size_t image_len;
    const char *name; /* of the case and the trial under way, for who must find a crash */
    unsigned place;
    enum fault_way way; /* FAULT_WAYS: none */
    unsigned trials, struck;
} sweep;

static inline void sweep_tell(int signal_number)
{
    fault_shield(true);
    print_error("%s, place %u, %s: signal %d\n", sweep.name, sweep.place, fault_way_name(sweep.way),
                signal_number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* ---------------------------------------------------------------- the file */

static inline void sweep_path(char path[128])
{
    snprintf(path, 128, "%s/data.mdb", sweep.r.dir);
}

/* A directory in memory, when the system has one: thousands of files are written. */
static inline void sweep_make(void)
{
    rig_make(&sweep.r);
    rmdir(sweep.r.dir);
    bool quick = access("/dev/shm", W_OK) == 0;
    snprintf(sweep.r.dir, sizeof sweep.r.dir, "%s/surehook-sweep-XXXXXX",
             quick ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(sweep.r.dir));
    sweep.r.settings.map_size = SWEEP_MAP;
    sweep.r.settings.main_secret = SWEEP_SECRET;
    fault_shield(true);
}

/* Keeps the file of the store, which was stopped and closed. */
static inline void sweep_keep(void)
{
    char path[128];
    struct stat info;
    sweep_path(path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    sweep.image_len = (size_t)info.st_size;
    sweep.image = malloc(sweep.image_len);
    assert_non_null(sweep.image);
    assert_int_equal(fread(sweep.image, 1, sweep.image_len, f), sweep.image_len);
    fclose(f);
}

static inline void sweep_restore(void)
{
    char path[128];
    sweep_path(path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(sweep.image, 1, sweep.image_len, f), sweep.image_len);
    fclose(f);
    struct rig *r = &sweep.r;
    r->deliveries = r->dues = r->endpoints = r->failures = r->done = 0;
    r->now = (struct wall){RIG_EPOCH};
    clock_fake(r->now, (struct mono){1});
}

static inline void sweep_remove(void)
{
    rig_remove(&sweep.r);
    free(sweep.image);
    sweep.image = NULL;
}

/* ---------------------------------------------------------------- trials */

/* The part of a trial in which calls may fail lies between these two. */
static inline void sweep_begin(void)
{
    if (sweep.way == FAULT_WAYS)
        fault_record();
    else
        fault_arm(sweep.place, sweep.way);
}

static inline void sweep_end(void)
{
    sweep.struck += fault_disarm();
}

/* Whether the store is lied to: what it reads is not what it wrote. */
static inline bool sweep_lies(void)
{
    return sweep.way == FAULT_ROTTEN || sweep.way == FAULT_LOST;
}

/* The next way in which a place can fail, and the first of the next place. */
static inline bool sweep_next(void)
{
    if (sweep.way == FAULT_WAYS)
        sweep.way = 0;
    else
        sweep.way++;
    for (; sweep.place < fault_places(); sweep.place += SWEEP_STRIDE, sweep.way = 0)
        for (; sweep.way < FAULT_WAYS; sweep.way++)
            if (fault_possible(sweep.place, sweep.way))
                return true;
    return false;
}

/* Runs `trial` without a fault, then once for each place that it passes and no trial before it did,
 * and each way in which that can fail. All from one call, which is a part of the places. */
static inline void sweep_all(const char *name, void (*trial)(void))
{
    sweep.name = name;
    sweep.way = FAULT_WAYS;
    sweep.place = fault_places();
    signal(SIGABRT, sweep_tell); /* cmocka's own says nothing of a trial */
    signal(SIGSEGV, sweep_tell);
    do {
        trial();
        sweep.trials++;
    } while (sweep_next());
}

/* ---------------------------------------------------------------- looking */

static inline void sweep_ignore(void *context, const char *finding)
{
    (void)context;
    (void)finding;
}

/* What a tree holds, row by row. */
static inline uint32_t sweep_digest(struct store *s, enum tree tree)
{
    MDB_txn *txn;
    MDB_cursor *c;
    struct span key = {0}, value;
    uint32_t sum = 0;
    assert_int_equal(mdb_txn_begin(s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    OK(tree_cursor(&s->env, txn, tree, &c));
    for (enum err e = tree_walk(c, MDB_FIRST, &key, &value); !e;
         e = tree_walk(c, MDB_NEXT, &key, &value))
        sum = (sum ^ hash_checksum(key)) * UINT32_C(2654435761) + hash_checksum(value);
    mdb_cursor_close(c);
    mdb_txn_abort(txn);
    return sum;
}

#define SWEEP_FAIL(...)                                                                        \
    do {                                                                                       \
        print_error("%s, place %u, %s: ", sweep.name, sweep.place, fault_way_name(sweep.way)); \
        fail_msg(__VA_ARGS__);                                                                 \
    } while (0)

#endif
