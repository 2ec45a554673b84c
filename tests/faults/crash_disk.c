/* The model of a disk is that of ALICE: no order among unsynced writes, the sector as the unit of
 * what a disk writes, and, harsher, a sector that was written up to some byte. It is not harsher
 * still: a torn sector holds no bytes that were neither there nor written. LMDB's page of roots
 * has no checksum, so that it rests on that, as on a sector that was not written being whole. */
#include "tests/faults/crash_disk.h"
#include "tests/faults/record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

void crash_disk_open(struct crash_disk *d, const char *path)
{
    struct stat info;
    *d = (struct crash_disk){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info))
        fail(path);
    d->record_len = (size_t)info.st_size;
    void *mapped = mmap(NULL, d->record_len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        fail(path);
    d->record = mapped;
    close(fd);
}

void crash_disk_close(struct crash_disk *d)
{
    munmap((void *)(uintptr_t)d->record, d->record_len);
    free(d->durable);
    free(d->pending);
    *d = (struct crash_disk){0};
}

static void make_room(struct crash_disk *d, uint64_t size)
{
    if (size <= d->room)
        return;
    uint64_t room = 2 * size;
    d->durable = realloc(d->durable, room);
    if (!d->durable)
        abort();
    memset(d->durable + d->room, 0, room - d->room);
    d->room = room;
}

static void add_piece(struct crash_disk *d, struct piece p)
{
    if (d->pending_count == d->pending_room) {
        d->pending_room = d->pending_room ? 2 * d->pending_room : 1024;
        d->pending = realloc(d->pending, d->pending_room * sizeof *d->pending);
        if (!d->pending)
            abort();
    }
    d->pending[d->pending_count++] = p;
}

static void add_write(struct crash_disk *d, const struct record *r, const uint8_t *bytes)
{
    uint64_t offset = r->offset, length = r->length, end = offset + length;
    make_room(d, end);
    if (end > d->size_pending)
        d->size_pending = end;
    while (offset < end) {
        uint64_t edge = (offset / SECTOR + 1) * SECTOR;
        uint32_t part = (uint32_t)((edge < end ? edge : end) - offset);
        add_piece(d, (struct piece){offset, part, bytes, r->durable});
        offset += part;
        bytes += part;
    }
}

static void make_durable(struct crash_disk *d, const struct piece *p)
{
    uint64_t end = p->offset + p->length;
    memcpy(d->durable + p->offset, p->bytes, p->length);
    if (end > d->high)
        d->high = end;
    if (end > d->size)
        d->size = end;
}

/* Makes those durable whose `dsync` is this, of all or of the last call's. */
static void settle(struct crash_disk *d, size_t from, bool dsync)
{
    size_t kept = from;
    for (size_t i = from; i < d->pending_count; i++) {
        if (d->pending[i].dsync == dsync)
            make_durable(d, &d->pending[i]);
        else
            d->pending[kept++] = d->pending[i];
    }
    d->pending_count = kept;
}

static struct record next_call(const struct crash_disk *d)
{
    struct record r;
    memcpy(&r, d->record + d->at, sizeof r);
    return r;
}

bool crash_disk_begin(struct crash_disk *d)
{
    if (d->record_len - d->at < sizeof(struct record))
        return false;
    struct record r = next_call(d);
    d->last_call = d->pending_count;
    switch (r.kind) {
    case RECORD_WRITE:
        if (r.durable)
            settle(d, 0, true);
        d->last_call = d->pending_count;
        add_write(d, &r, d->record + d->at + sizeof r);
        break;
    case RECORD_SIZE:
        make_room(d, r.offset);
        if (r.durable || r.offset > d->size_pending)
            d->size_pending = r.offset;
        break;
    case RECORD_NAME:
        d->name = NAME_EITHER;
        break;
    case RECORD_DIRECTORY:
        if (d->name == NAME_EITHER)
            d->name = NAME_FINAL;
        break;
    default:
        if (d->trust_no_sync)
            break;
        settle(d, 0, false);
        d->size = d->size_pending;
        d->last_call = d->pending_count;
    }
    return true;
}

void crash_disk_end(struct crash_disk *d)
{
    struct record r = next_call(d);
    if (r.kind == RECORD_WRITE && r.durable && !d->lazy_meta)
        settle(d, d->last_call, true);
    d->sequence = r.sequence;
    d->at += sizeof r + (r.kind == RECORD_WRITE ? r.length : 0);
}

/* ---------------------------------------------------------------- the file after a cut */

static bool chance(struct rng *rng, double share)
{
    return rng_unit(rng) < share;
}

static void write_at(int fd, const uint8_t *bytes, uint64_t len, uint64_t offset)
{
    if (len && pwrite(fd, bytes, len, (off_t)offset) != (ssize_t)len)
        fail("write a crash state");
}

/* How much of a piece reached the disk. */
static uint32_t reached(const struct crash_disk *d, size_t i, enum cut cut, double share,
                        struct rng *rng)
{
    uint32_t whole = d->pending[i].length;
    switch (cut) {
    case CUT_NONE:
        return 0;
    case CUT_ALL:
        return whole;
    case CUT_SOME:
        return chance(rng, share) ? whole : 0;
    case CUT_TORN:
        if (chance(rng, 0.1))
            return (uint32_t)(rng_next(rng) % whole);
        return chance(rng, share) ? whole : 0;
    default:
        if (i < d->last_call)
            return whole;
        if (chance(rng, 0.2))
            return (uint32_t)(rng_next(rng) % whole);
        return chance(rng, share) ? whole : 0;
    }
}

/* A new file in the place of what was there. */
static int create(const struct crash_disk *d, struct rng *rng, const char *dir)
{
    char path[2][4096];
    bool final = d->name == NAME_FINAL || (d->name == NAME_EITHER && chance(rng, 0.5));
    snprintf(path[0], sizeof path[0], "%s/data.new", dir);
    snprintf(path[1], sizeof path[1], "%s/data.mdb", dir);
    unlink(path[0]);
    unlink(path[1]);
    int fd = open(path[final], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        fail(path[final]);
    return fd;
}

void crash_disk_cut(const struct crash_disk *d, enum cut cut, struct rng *rng, const char *dir)
{
    static const double shares[] = {0.05, 0.5, 0.95};
    double share = shares[rng_next(rng) % 3];
    int fd = create(d, rng, dir);
    uint64_t size = d->size;
    write_at(fd, d->durable, d->high, 0);
    for (size_t i = 0; i < d->pending_count; i++) {
        const struct piece *p = &d->pending[i];
        uint32_t part = reached(d, i, cut, share, rng);
        write_at(fd, p->bytes, part, p->offset);
        if (part && p->offset + part > size)
            size = p->offset + part;
    }
    if (d->size_pending > size && cut != CUT_NONE && (cut == CUT_ALL || chance(rng, 0.5)))
        size = d->size_pending;
    if (ftruncate(fd, (off_t)size))
        fail("size of a crash state");
    close(fd);
}
