/* Trees are made once, with the data file, and never again: LMDB finds a tree by its name, in a row
 * without a checksum. A tree made anew because a bit of its name flipped would be an empty one, and
 * all that stood in it would be gone without a word.
 *
 * Formats
 *   1  a tree was made whenever it was missing; the organisation stood in META as bare bytes
 *   2  every tree, the marks and the organisation, as a record, are there from the first commit
 *
 * A change that an older program would misread, a new tree among them, is a new number and a step
 * from the one before. Optional fields of records are not: see store/codec.h. */
#include "store/format.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "store/record.h"

static enum err damaged(const char *what, const char *name)
{
    log_error("the data file is damaged; restore a backup", LOG_TEXT_FIELD(what, name), LOG_END);
    return ERR_CORRUPT;
}

/* ---------------------------------------------------------------- trees */

static enum err open_tree(struct env *env, MDB_txn *txn, enum tree tree, unsigned flags)
{
    unsigned kind = 0;
    int rc = mdb_dbi_open(txn, tree_names[tree], flags, &env->tree[tree]);
    if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
        return damaged("missing", tree_names[tree]);
    if (!rc)
        rc = mdb_dbi_flags(txn, env->tree[tree], &kind);
    if (!rc && kind) /* another order of keys than ours */
        return damaged("flags", tree_names[tree]);
    return env_err(rc, tree_names[tree]);
}

static enum err open_trees(struct env *env, MDB_txn *txn, unsigned flags)
{
    enum err e = ERR_OK;
    for (int t = 0; t < TREES && !e; t++)
        e = open_tree(env, txn, (enum tree)t, flags);
    return e;
}

/* Whether the data file has just been made: it has no tree at all. */
static enum err is_new(MDB_txn *txn, bool *yes)
{
    MDB_dbi trees;
    MDB_cursor *c;
    MDB_val key, value;
    int rc = mdb_dbi_open(txn, NULL, 0, &trees);
    if (!rc)
        rc = mdb_cursor_open(txn, trees, &c);
    if (rc)
        return env_err(rc, "trees");
    rc = mdb_cursor_get(c, &key, &value, MDB_FIRST);
    mdb_cursor_close(c);
    *yes = rc == MDB_NOTFOUND;
    return *yes ? ERR_OK : env_err(rc, "trees");
}

/* ---------------------------------------------------------------- rows of META */

static enum err put_format(struct env *env, MDB_txn *txn, unsigned format)
{
    const uint8_t row[4] = {0, 0, 0, (uint8_t)format};
    return tree_put(env, txn, TREE_META, SPAN(META_FORMAT), span_of(row, sizeof row), 0);
}

static enum err get_format(struct env *env, MDB_txn *txn, unsigned *format)
{
    struct span value;
    enum err e = tree_get(env, txn, TREE_META, SPAN(META_FORMAT), &value);
    if (e)
        return e == ERR_NOT_FOUND ? damaged("missing", META_FORMAT) : e;
    struct reader r = reader_of(value);
    *format = read_u32(&r);
    return r.failed || r.at != r.end || *format == 0 ? damaged("row", META_FORMAT) : ERR_OK;
}

static enum err put_record(struct env *env, MDB_txn *txn, struct span key, struct buf *record)
{
    enum err e =
        record->failed ? ERR_NO_MEMORY : tree_put(env, txn, TREE_META, key, buf_view(record), 0);
    buf_free(record);
    return e;
}

static enum err put_org(struct env *env, MDB_txn *txn, const struct id *org)
{
    struct buf record;
    buf_init(&record, INLINE_BYTES_MAX);
    record_org_encode(org, &record);
    return put_record(env, txn, SPAN(META_ORG), &record);
}

static enum err put_first_marks(struct env *env, MDB_txn *txn)
{
    const struct marks first = {.next_app = 1, .next_endpoint = 1, .next_version = 1};
    struct buf record;
    buf_init(&record, INLINE_BYTES_MAX);
    record_marks_encode(&first, &record);
    return put_record(env, txn, SPAN(META_MARKS), &record);
}

static enum err make_meta(struct env *env, MDB_txn *txn)
{
    const struct id org = id_random(clock_wall());
    enum err e = put_format(env, txn, STORE_FORMAT);
    if (!e)
        e = put_first_marks(env, txn);
    return e ? e : put_org(env, txn, &org);
}

static enum err has_row(const struct env *env, MDB_txn *txn, const char *name)
{
    struct span value;
    enum err e = tree_get(env, txn, TREE_META, span_text(name), &value);
    return e == ERR_NOT_FOUND ? damaged("missing", name) : e;
}

/* ---------------------------------------------------------------- steps */

static enum err from_1(struct env *env, MDB_txn *txn)
{
    struct span value;
    struct id org = id_random(clock_wall());
    enum err e = open_trees(env, txn, MDB_CREATE);
    if (!e)
        e = tree_get(env, txn, TREE_META, SPAN(META_MARKS), &value);
    if (e == ERR_NOT_FOUND) /* nothing was ever committed */
        e = put_first_marks(env, txn);
    if (!e)
        e = tree_get(env, txn, TREE_META, SPAN(META_ORG), &value);
    if (!e && value.len != ID_BYTES)
        return damaged("row", META_ORG);
    if (!e)
        memcpy(org.b, value.ptr, ID_BYTES);
    return e && e != ERR_NOT_FOUND ? e : put_org(env, txn, &org);
}

/* From the format of its place to the next. */
static enum err (*const steps[STORE_FORMAT])(struct env *env, MDB_txn *txn) = {[1] = from_1};

static enum err refuse_older(unsigned format)
{
    log_error("the data has an older format; `serve` of this version brings it up to date, and no "
              "older version opens it from then on: make a backup first",
              LOG_INT("format", format), LOG_INT("known", STORE_FORMAT), LOG_END);
    return ERR_VERSION;
}

static enum err refuse_newer(unsigned format)
{
    log_error("the data was written by a newer version; start that one, or restore a backup of "
              "before the upgrade",
              LOG_INT("format", format), LOG_INT("known", STORE_FORMAT),
              LOG_TEXT_FIELD("version", SUREHOOK_VERSION), LOG_END);
    return ERR_VERSION;
}

/* ---------------------------------------------------------------- opening */

/* One transaction's work. *done: the trees are open and as they should be; else a step was made. */
static enum err advance(struct env *env, MDB_txn *txn, bool as_is, bool *done)
{
    unsigned format = 0;
    enum err e = is_new(txn, done);
    if (!e && *done) {
        e = open_trees(env, txn, MDB_CREATE);
        return e ? e : make_meta(env, txn);
    }
    if (!e)
        e = open_tree(env, txn, TREE_META, 0);
    if (!e)
        e = get_format(env, txn, &format);
    if (e)
        return e;
    if (format > STORE_FORMAT)
        return refuse_newer(format);
    if (format < STORE_FORMAT && as_is)
        return refuse_older(format);
    *done = format == STORE_FORMAT;
    if (!*done) {
        e = steps[format](env, txn);
        return e ? e : put_format(env, txn, format + 1);
    }
    e = open_trees(env, txn, 0);
    if (!e)
        e = has_row(env, txn, META_MARKS);
    return e ? e : has_row(env, txn, META_ORG);
}

enum err format_open(struct env *env, bool as_is)
{
    for (bool done = false; !done;) {
        MDB_txn *txn;
        enum err e = env_err(mdb_txn_begin(env->mdb, NULL, 0, &txn), "begin");
        if (e)
            return e;
        e = advance(env, txn, as_is, &done);
        if (e) {
            mdb_txn_abort(txn);
            return e;
        }
        e = env_err(mdb_txn_commit(txn), "commit");
        if (e)
            return e;
        FAILPOINT("format-step");
        if (!done)
            log_warn("the data was brought to the next format; no older version opens it", LOG_END);
    }
    return ERR_OK;
}
