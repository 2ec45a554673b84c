/* The pages of the data file: LMDB keeps them without checksums, and follows what they say.
 *
 * Every page up to the last one in use is one of a tree, once, or free: one that is both would be
 * written over. Every page is what the one above takes it for, its keys are in order and within
 * what the one above says of them, and what LMDB counted is there. What stands in a value is not
 * looked at: records have checksums of their own.
 *
 * Written after LMDB 0.9 (data version 1), whose file format is fixed, but not in its header. */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1
#define META_TREES 24 /* in a page of roots: the free pages, the list of trees */
#define META_LAST 120 /* the number of the last page in use */
#define META_TXN 128
#define PAGE_MIN 512
#define PAGE_MAX_BYTES 65536
#define HEAD 16 /* of a page: number (8), pad (2), flags (2), lower (2), upper (2) */
#define NODE 8  /* of a row: length or page (4), flags (2), length of the key (2) */
#define TREE_BYTES 48
#define TREE_NAME_MAX 64
#define DEPTH_MAX 32
#define NO_PAGE UINT64_MAX

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4 };
enum { NODE_BIG = 1, NODE_TREE = 2 };

struct pages {
    struct check *c;
    const uint8_t *map;
    uint64_t count; /* up to the last page in use */
    uint64_t size;  /* bytes of a page */
    uint8_t *seen;  /* a bit for each page that has its place */
};

/* What LMDB says of a tree, and what is found of it. */
struct tree_figures {
    uint64_t depth, branches, leaves, overflows, entries;
};

struct tree_pages {
    struct pages *p;
    enum { TREE_FREE, TREE_MAIN, TREE_ROWS } kind;
    char name[TREE_NAME_MAX];
    struct tree_figures found;
};

static uint16_t load16(const uint8_t *at)
{
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static uint64_t load64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

/* ---------------------------------------------------------------- places */

/* Gives so many pages their place; false, and a finding, when they have one already. */
static bool claim(struct pages *p, uint64_t first, uint64_t many, const char *tree)
{
    if (first >= p->count || many > p->count - first) {
        check_say(p->c, "page %llu of %s lies behind the last page", (unsigned long long)first,
                  tree);
        return false;
    }
    for (uint64_t n = first; n < first + many; n++) {
        uint8_t bit = (uint8_t)(1u << n % 8);
        if (p->seen[n / 8] & bit) {
            check_say(p->c, "page %llu of %s has two uses", (unsigned long long)n, tree);
            return false;
        }
        p->seen[n / 8] |= bit;
    }
    return true;
}

static void bad_page(const struct tree_pages *t, uint64_t number, const char *what)
{
    check_say(t->p->c, "page %llu of %s: %s", (unsigned long long)number, t->name, what);
}

/* ---------------------------------------------------------------- rows */

struct row {
    uint64_t bytes; /* of the page */
    unsigned flags;
    struct span key;
    uint64_t child;     /* of a branch */
    struct span value;  /* of a leaf: in the page … */
    uint64_t value_len; /* … or elsewhere */
};

/* The n-th row of a page; false: it does not lie within. */
static bool row_at(const struct pages *p, const uint8_t *page, unsigned n, bool leaf,
                   struct row *out)
{
    uint64_t at = load16(page + HEAD + 2 * (uint64_t)n);
    if (at < load16(page + 14) || at + NODE > p->size)
        return false;
    const uint8_t *row = page + at;
    uint32_t low = load32(row);
    uint64_t key_len = load16(row + 6), room = p->size - at - NODE;
    *out = (struct row){.flags = load16(row + 4)};
    if (key_len > room)
        return false;
    out->key = span_of(row + NODE, key_len);
    out->child = low | (uint64_t)out->flags << 32;
    out->value_len = low;
    uint64_t here = out->flags & NODE_BIG ? sizeof(uint64_t) : low;
    if (leaf && here > room - key_len)
        return false;
    out->value = span_of(row + NODE + key_len, leaf ? here : 0);
    out->bytes = (NODE + key_len + out->value.len + 1) & ~UINT64_C(1);
    return true;
}

static int key_order(const struct tree_pages *t, struct span a, struct span b)
{
    if (t->kind == TREE_FREE && a.len == 8 && b.len == 8) {
        uint64_t x = load64((const uint8_t *)a.ptr), y = load64((const uint8_t *)b.ptr);
        return (x > y) - (x < y);
    }
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static void check_tree(struct pages *p, struct tree_pages *t, const uint8_t *said);

/* The named tree that a row of the main tree speaks of. */
static void named_tree(struct tree_pages *main, const struct row *row)
{
    struct tree_pages t = {.p = main->p, .kind = TREE_ROWS};
    snprintf(t.name, sizeof t.name, "tree `%.*s`", (int)(row->key.len < 40 ? row->key.len : 40),
             row->key.ptr);
    if (row->flags != NODE_TREE || row->value.len != TREE_BYTES)
        check_say(main->p->c, "%s is none", t.name);
    else
        check_tree(main->p, &t, (const uint8_t *)row->value.ptr);
}

static void free_pages(struct pages *p, struct span value)
{
    const uint8_t *at = (const uint8_t *)value.ptr;
    if (value.len < 8 || load64(at) > value.len / 8 - 1) {
        check_say(p->c, "a list of free pages is cut");
        return;
    }
    uint64_t many = load64(at);
    for (uint64_t i = 1; i <= many; i++)
        (void)claim(p, load64(at + 8 * i), 1, "the free pages");
}

/* A value in pages of its own; where it is. */
static struct span big_value(struct tree_pages *t, const struct row *row)
{
    struct pages *p = t->p;
    uint64_t first = load64((const uint8_t *)row->value.ptr);
    uint64_t many = (HEAD + row->value_len + p->size - 1) / p->size;
    if (!claim(p, first, many, t->name))
        return (struct span){0};
    const uint8_t *page = p->map + first * p->size;
    if (load64(page) != first || load16(page + 10) != PAGE_OVERFLOW || load32(page + 12) != many)
        bad_page(t, first, "it is not the value that it should be");
    t->found.overflows += many;
    return span_of(page + HEAD, row->value_len);
}

static void leaf_row(struct tree_pages *t, const struct row *row)
{
    struct span value = row->flags & NODE_BIG ? big_value(t, row) : row->value;
    t->found.entries++;
    if (t->kind == TREE_MAIN)
        named_tree(t, row);
    else if (row->flags & ~(unsigned)NODE_BIG)
        check_say(t->p->c, "%s has a row of another kind", t->name);
    else if (t->kind == TREE_FREE && value.ptr)
        free_pages(t->p, value);
}

/* ---------------------------------------------------------------- trees */

/* Bounds of the keys of a page; NULL: none. `high` is the first key behind it. */
struct bounds {
    const struct span *low, *high;
};

static bool in_bounds(const struct tree_pages *t, struct span key, const struct bounds *b)
{
    return (!b->low || key_order(t, key, *b->low) >= 0) &&
           (!b->high || key_order(t, key, *b->high) < 0);
}

static void walk_page(struct tree_pages *t, uint64_t number, unsigned depth,
                      const struct bounds *bounds);

/* The rows of a page in order; the first of a branch has no key that counts. */
static void walk_rows(struct tree_pages *t, uint64_t number, const uint8_t *page, unsigned depth,
                      const struct bounds *bounds)
{
    bool leaf = load16(page + 10) == PAGE_LEAF;
    unsigned count = (load16(page + 12) - HEAD) / 2u;
    uint64_t bytes = 0;
    struct row row, next = {0};
    bool good = count > 0 && row_at(t->p, page, 0, leaf, &row);
    for (unsigned n = 0; good && n < count; n++, row = next) {
        bool keyed = leaf || n > 0, last = n + 1 == count;
        good = last || row_at(t->p, page, n + 1, leaf, &next);
        if (!good)
            break;
        bytes += row.bytes;
        if ((keyed && !in_bounds(t, row.key, bounds)) ||
            (keyed && !last && key_order(t, row.key, next.key) >= 0))
            bad_page(t, number, "its keys are out of order");
        const struct bounds inner = {keyed ? &row.key : bounds->low,
                                     last ? bounds->high : &next.key};
        if (leaf)
            leaf_row(t, &row);
        else
            walk_page(t, row.child, depth + 1, &inner);
    }
    if (!good || bytes != t->p->size - load16(page + 14))
        bad_page(t, number, "its rows do not fill their place");
}

static void walk_page(struct tree_pages *t, uint64_t number, unsigned depth,
                      const struct bounds *bounds)
{
    struct pages *p = t->p;
    if (depth > DEPTH_MAX || !claim(p, number, 1, t->name))
        return;
    const uint8_t *page = p->map + number * p->size;
    unsigned flags = load16(page + 10), lower = load16(page + 12), upper = load16(page + 14);
    bool leaf = flags == PAGE_LEAF;
    if (load64(page) != number || (!leaf && flags != PAGE_BRANCH) || lower < HEAD || lower % 2 ||
        lower > upper || upper > p->size) {
        bad_page(t, number, "it is not the page that it should be");
        return;
    }
    if (depth > t->found.depth)
        t->found.depth = depth;
    t->found.branches += !leaf;
    t->found.leaves += leaf;
    walk_rows(t, number, page, depth, bounds);
}

static void check_tree(struct pages *p, struct tree_pages *t, const uint8_t *said)
{
    static const struct bounds none = {NULL, NULL};
    const struct tree_figures figures = {load16(said + 6), load64(said + 8), load64(said + 16),
                                         load64(said + 24), load64(said + 32)};
    uint64_t root = load64(said + 40);
    if (t->kind == TREE_ROWS && load16(said + 4))
        check_say(p->c, "%s has keys in another order", t->name);
    if (root != NO_PAGE)
        walk_page(t, root, 1, &none);
    if (memcmp(&figures, &t->found, sizeof figures) != 0)
        check_say(p->c, "%s is not as large as LMDB counted", t->name);
}

/* ---------------------------------------------------------------- the file */

static const uint8_t *meta_at(const struct pages *p, unsigned n)
{
    return p->map + n * p->size + HEAD;
}

static uint64_t meta_txn(const uint8_t *meta)
{
    return load64(meta + META_TXN);
}

/* What LMDB goes by. */
static const uint8_t *newest_meta(const struct pages *p)
{
    return meta_at(p, meta_txn(meta_at(p, 1)) > meta_txn(meta_at(p, 0)));
}

/* The two pages of roots are written in turn: the newer one holds in its place what its number
 * says, and the older one the commit before. */
static void check_roots(struct pages *p)
{
    const uint8_t *meta[2] = {meta_at(p, 0), meta_at(p, 1)};
    uint64_t txn[2] = {meta_txn(meta[0]), meta_txn(meta[1])};
    unsigned newer = txn[1] > txn[0];
    bool made = !txn[0] && !txn[1]; /* and nothing was ever committed */
    for (unsigned n = 0; n < 2; n++)
        if (load32(meta[n]) != META_MAGIC || load32(meta[n] + 4) != META_VERSION)
            check_say(p->c, "page of roots %u is none", n);
    if (!made && (txn[newer] % 2 != newer || txn[newer] - txn[!newer] != 1))
        check_say(p->c, "the pages of roots are not of two commits in a row: %llu and %llu",
                  (unsigned long long)txn[0], (unsigned long long)txn[1]);
}

static void check_all(struct pages *p)
{
    struct tree_pages free_tree = {.p = p, .kind = TREE_FREE, .name = "the free pages"};
    struct tree_pages main_tree = {.p = p, .kind = TREE_MAIN, .name = "the list of trees"};
    const uint8_t *meta = newest_meta(p);
    uint64_t lost = 0;
    check_roots(p);
    (void)claim(p, 0, 2, "the roots");
    check_tree(p, &free_tree, meta + META_TREES);
    check_tree(p, &main_tree, meta + META_TREES + TREE_BYTES);
    for (uint64_t n = 0; n < p->count; n++)
        lost += !(p->seen[n / 8] >> n % 8 & 1);
    if (lost)
        check_say(p->c, "%llu pages are neither in use nor free", (unsigned long long)lost);
}

/* Finds out how large a page is, and which is the last one; false, and a finding, when the file
 * cannot hold them. */
static bool measure(struct pages *p, uint64_t file_size)
{
    p->size = file_size > HEAD + META_TREES + 4 ? load32(meta_at(p, 0) + META_TREES) : 0;
    if (p->size < PAGE_MIN || p->size > PAGE_MAX_BYTES || p->size & (p->size - 1)) {
        check_say(p->c, "page of roots 0 is none");
        return false;
    }
    uint64_t pages = file_size / p->size;
    uint64_t last = pages >= 2 ? load64(newest_meta(p) + META_LAST) : NO_PAGE;
    if (last >= pages) {
        check_say(p->c, "the data file is cut: it has %llu pages", (unsigned long long)pages);
        return false;
    }
    p->count = last + 1;
    return true;
}

static enum err check_file(struct check *c, int fd)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return env_err(errno, "look at the pages");
    if (file.st_size == 0) {
        check_say(c, "the data file is empty");
        return ERR_OK;
    }
    void *map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return env_err(errno, "map the pages");
    struct pages p = {.c = c, .map = map};
    enum err e = ERR_OK;
    if (measure(&p, (uint64_t)file.st_size)) {
        p.seen = calloc(p.count / 8 + 1, 1);
        e = p.seen ? ERR_OK : ERR_NO_MEMORY;
        if (!e)
            check_all(&p);
        free(p.seen);
    }
    munmap(map, (size_t)file.st_size);
    return e;
}

enum err check_pages(struct check *c)
{
    return check_file(c, env_file(&c->r->store->env));
}

enum err store_check_file(const char *dir, void (*say)(void *context, const char *finding),
                          void *context, struct check_report *report)
{
    char path[PATH_MAX];
    int lock, len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    struct check c = {.say = say, .context = context, .report = report};
    *report = (struct check_report){0};
    if (len < 0 || (size_t)len >= sizeof path)
        return ERR_INVALID;
    enum err e = env_lock(dir, &lock);
    if (e)
        return e;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    e = fd < 0 ? env_err(errno, path) : check_file(&c, fd);
    if (fd >= 0)
        close(fd);
    close(lock);
    return e;
}
