/* Every function here is called instead of the one of its name without `__wrap_` (ld's --wrap).
 *
 * A commit that fails does what LMDB's does: nothing is written and the transaction is gone. */
#include "tests/store/fault.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>

#define PLACES_MAX 8192
#define FRAMES 12     /* of a place, from the call outwards … */
#define FRAMES_OURS 3 /* … of which these are in this file */
#define ROTTEN_MAX 8192

#define CAN(way) (1u << (way))
enum {
    CAN_FAIL = CAN(FAULT_ERROR),
    CAN_WRITE = CAN(FAULT_ERROR) | CAN(FAULT_FULL),
    CAN_READ = CAN(FAULT_ERROR) | CAN(FAULT_ROTTEN),
    CAN_LOOK_UP = CAN(FAULT_ERROR) | CAN(FAULT_ROTTEN) | CAN(FAULT_LOST),
};

struct place {
    uint64_t hash;
    unsigned ways;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* under lock */
static struct place places[PLACES_MAX];
static unsigned place_count;
/* written by the test's thread while no other runs into a place */
static atomic_bool recording;
static atomic_int armed = -1; /* a place; -1: none */
static enum fault_way armed_way;
static atomic_bool struck;

static _Thread_local bool shielded;

const char *fault_way_name(enum fault_way way)
{
    static const char *const names[] = {"error", "full", "rotten", "lost", "no fault"};
    return names[way];
}

/* The first call of backtrace allocates. */
__attribute__((constructor)) static void set_up(void)
{
    void *frames[1];
    backtrace(frames, 1);
}

void fault_shield(bool on)
{
    shielded = on;
}

void fault_record(void)
{
    atomic_store(&recording, true);
}

unsigned fault_places(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = place_count;
    pthread_mutex_unlock(&lock);
    return count;
}

bool fault_possible(unsigned place, enum fault_way way)
{
    return (places[place].ways & CAN(way)) != 0;
}

void fault_arm(unsigned place, enum fault_way way)
{
    armed_way = way;
    atomic_store(&struck, false);
    atomic_store(&armed, (int)place);
}

bool fault_disarm(void)
{
    atomic_store(&recording, false);
    atomic_store(&armed, -1);
    return atomic_exchange(&struck, false);
}

/* ---------------------------------------------------------------- places */

static uint64_t __attribute__((noinline)) hash_of_stack(const char *what)
{
    void *frames[FRAMES];
    uint64_t hash = (uint64_t)(uintptr_t)what;
    int count = backtrace(frames, FRAMES);
    for (int i = FRAMES_OURS; i < count; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * UINT64_C(0x9E3779B97F4A7C15);
    return hash;
}

static void note(uint64_t hash, unsigned ways)
{
    pthread_mutex_lock(&lock);
    unsigned i = 0;
    while (i < place_count && places[i].hash != hash)
        i++;
    if (i == place_count) {
        assert(place_count < PLACES_MAX);
        places[place_count++] = (struct place){hash, ways};
    }
    pthread_mutex_unlock(&lock);
}

/* Whether this call is the one that fails; *way: how. `what` names the function, a literal. */
static bool __attribute__((noinline)) fails(const char *what, unsigned ways, enum fault_way *way)
{
    int target = atomic_load(&armed);
    bool records = atomic_load(&recording);
    if (shielded || (target < 0 && !records))
        return false;
    shielded = true; /* what this itself allocates */
    uint64_t hash = hash_of_stack(what);
    shielded = false;
    if (records)
        note(hash, ways);
    if (target < 0 || places[target].hash != hash || atomic_exchange(&struck, true))
        return false;
    atomic_store(&armed, -1);
    *way = armed_way;
    return true;
}

/* ---------------------------------------------------------------- LMDB */

static int error_of(enum fault_way way)
{
    return way == FAULT_FULL ? MDB_MAP_FULL : way == FAULT_LOST ? MDB_NOTFOUND : EIO;
}

/* A copy with the last bit of the last byte flipped. */
static void rot(MDB_val *v)
{
    static _Thread_local uint8_t copy[ROTTEN_MAX];
    if (!v->mv_size || v->mv_size > sizeof copy)
        return;
    memcpy(copy, v->mv_data, v->mv_size);
    copy[v->mv_size - 1] ^= 1;
    v->mv_data = copy;
}

#define WRAPPED(type, name, ...)     \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

/* A call of LMDB that either does its work or returns an error. */
#define LMDB_CALL(name, ways, parameters, arguments)                               \
    int __real_##name parameters;                                                  \
    int __wrap_##name parameters;                                                  \
    int __wrap_##name parameters                                                   \
    {                                                                              \
        enum fault_way way;                                                        \
        return fails(#name, ways, &way) ? error_of(way) : __real_##name arguments; \
    }

LMDB_CALL(mdb_env_create, CAN_FAIL, (MDB_env * *env), (env))
LMDB_CALL(mdb_env_open, CAN_FAIL,
          (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
          (env, path, flags, mode))
LMDB_CALL(mdb_env_sync, CAN_FAIL, (MDB_env * env, int force), (env, force))
LMDB_CALL(mdb_env_copy2, CAN_FAIL, (MDB_env * env, const char *path, unsigned flags),
          (env, path, flags))
LMDB_CALL(mdb_env_copyfd2, CAN_WRITE, (MDB_env * env, int fd, unsigned flags), (env, fd, flags))
LMDB_CALL(mdb_dbi_flags, CAN_FAIL, (MDB_txn * txn, MDB_dbi dbi, unsigned *flags), (txn, dbi, flags))
LMDB_CALL(mdb_txn_begin, CAN_FAIL, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
          (env, parent, flags, txn))
LMDB_CALL(mdb_txn_renew, CAN_FAIL, (MDB_txn * txn), (txn))
LMDB_CALL(mdb_dbi_open, CAN_WRITE, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi),
          (txn, name, flags, dbi))
LMDB_CALL(mdb_put, CAN_WRITE,
          (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags),
          (txn, dbi, key, data, flags))
LMDB_CALL(mdb_del, CAN_WRITE, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
          (txn, dbi, key, data))
LMDB_CALL(mdb_cursor_open, CAN_FAIL, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor),
          (txn, dbi, cursor))
LMDB_CALL(mdb_cursor_del, CAN_WRITE, (MDB_cursor * cursor, unsigned flags), (cursor, flags))

WRAPPED(int, mdb_txn_commit, MDB_txn *txn)
{
    enum fault_way way;
    if (!fails("mdb_txn_commit", CAN_WRITE, &way))
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error_of(way);
}

WRAPPED(int, mdb_get, MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
    enum fault_way way = FAULT_ROTTEN;
    bool hit = fails("mdb_get", CAN_LOOK_UP, &way);
    if (hit && way != FAULT_ROTTEN)
        return error_of(way);
    int rc = __real_mdb_get(txn, dbi, key, data);
    if (hit && !rc)
        rot(data);
    return rc;
}

WRAPPED(int, mdb_cursor_get, MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
    enum fault_way way = FAULT_ROTTEN;
    bool hit = fails("mdb_cursor_get", CAN_READ, &way);
    if (hit && way != FAULT_ROTTEN)
        return error_of(way);
    int rc = __real_mdb_cursor_get(cursor, key, data, op);
    if (hit && !rc)
        rot(data->mv_size ? data : key);
    return rc;
}

/* ---------------------------------------------------------------- memory */

static bool no_memory(const char *what)
{
    enum fault_way way;
    if (!fails(what, CAN_FAIL, &way))
        return false;
    errno = ENOMEM;
    return true;
}

WRAPPED(void *, malloc, size_t size)
{
    return no_memory("malloc") ? NULL : __real_malloc(size);
}

WRAPPED(void *, calloc, size_t count, size_t size)
{
    return no_memory("calloc") ? NULL : __real_calloc(count, size);
}

WRAPPED(void *, realloc, void *old, size_t size)
{
    return no_memory("realloc") ? NULL : __real_realloc(old, size);
}

WRAPPED(char *, strdup, const char *text)
{
    return no_memory("strdup") ? NULL : __real_strdup(text);
}

WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
        void *(*start)(void *), void *context)
{
    return no_memory("pthread_create") ? EAGAIN
                                       : __real_pthread_create(thread, attributes, start, context);
}

/* ---------------------------------------------------------------- the system */

static bool refused(const char *what, unsigned ways)
{
    enum fault_way way;
    if (!fails(what, ways, &way))
        return false;
    errno = way == FAULT_FULL ? ENOSPC : EIO;
    return true;
}

/* A call of the system that either does its work or returns -1. */
#define SYSTEM_CALL(name, ways, parameters, arguments)              \
    int __real_##name parameters;                                   \
    int __wrap_##name parameters;                                   \
    int __wrap_##name parameters                                    \
    {                                                               \
        return refused(#name, ways) ? -1 : __real_##name arguments; \
    }

SYSTEM_CALL(fsync, CAN_WRITE, (int fd), (fd))
SYSTEM_CALL(flock, CAN_FAIL, (int fd, int operation), (fd, operation))
SYSTEM_CALL(mkdir, CAN_WRITE, (const char *path, mode_t mode), (path, mode))
SYSTEM_CALL(rmdir, CAN_FAIL, (const char *path), (path))
SYSTEM_CALL(fstat, CAN_FAIL, (int fd, struct stat *out), (fd, out))
SYSTEM_CALL(chmod, CAN_FAIL, (const char *path, mode_t mode), (path, mode))
SYSTEM_CALL(unlink, CAN_FAIL, (const char *path), (path))
SYSTEM_CALL(rename, CAN_WRITE, (const char *from, const char *to), (from, to))
SYSTEM_CALL(access, CAN_FAIL, (const char *path, int mode), (path, mode))
SYSTEM_CALL(fallocate, CAN_WRITE, (int fd, int mode, off_t from, off_t len), (fd, mode, from, len))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return refused("open", CAN_FAIL) ? -1 : __real_open(path, flags, mode);
}

WRAPPED(DIR *, opendir, const char *path)
{
    return refused("opendir", CAN_FAIL) ? NULL : __real_opendir(path);
}

WRAPPED(void *, mmap, void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return refused("mmap", CAN_FAIL) ? MAP_FAILED
                                     : __real_mmap(at, len, protection, flags, fd, offset);
}

/* ---------------------------------------------------------------- OpenSSL */

WRAPPED(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, void)
{
    return no_memory("EVP_CIPHER_CTX_new") ? NULL : __real_EVP_CIPHER_CTX_new();
}

WRAPPED(EVP_KDF *, EVP_KDF_fetch, OSSL_LIB_CTX *context, const char *name, const char *properties)
{
    return no_memory("EVP_KDF_fetch") ? NULL : __real_EVP_KDF_fetch(context, name, properties);
}

WRAPPED(EVP_KDF_CTX *, EVP_KDF_CTX_new, EVP_KDF *kdf)
{
    return no_memory("EVP_KDF_CTX_new") ? NULL : __real_EVP_KDF_CTX_new(kdf);
}

WRAPPED(int, EVP_KDF_derive, EVP_KDF_CTX *context, unsigned char *key, size_t len,
        const OSSL_PARAM params[])
{
    return no_memory("EVP_KDF_derive") ? 0 : __real_EVP_KDF_derive(context, key, len, params);
}

WRAPPED(int, EVP_EncryptInit_ex2, EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher,
        const unsigned char *key, const unsigned char *nonce, const OSSL_PARAM params[])
{
    return no_memory("EVP_EncryptInit_ex2")
               ? 0
               : __real_EVP_EncryptInit_ex2(context, cipher, key, nonce, params);
}
