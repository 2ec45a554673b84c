/* The writer's memory of what messages are matched against.
 *
 * Invariants
 *   - it shows the last commit, never an open batch: an aborted batch has nothing to undo here;
 *   - an entry is in every map of its kind or in none;
 *   - an application's endpoints ascend by number, because numbers grow and new ones go last, so
 *     that the deliveries of a message can be appended to their tree. */
#include "store/table.h"

#include "base/map.h"

#include <assert.h>
#include <pthread.h>

#define FIRST_ROOM 4

struct table {
    /* the writer alone */
    struct map *apps, *apps_by_uid;
    unsigned operational; /* as table_operational_endpoints says */
    /* changed by the writer under `lock`, read by others under it */
    pthread_rwlock_t lock;
    struct map *apps_numbered; /* and the endpoints of each */
    struct map *endpoints;
    struct map *keys;
};

static struct span app_id_of(const void *value)
{
    const struct table_app *a = value;
    return span_of(a->id.b, ID_BYTES);
}

static struct span app_number_of(const void *value)
{
    const struct table_app *a = value;
    return span_of(a->number_key, sizeof a->number_key);
}

static struct span app_uid_of(const void *value)
{
    const struct table_app *a = value;
    return span_of(a->uid_key, a->uid_key_len);
}

static struct span endpoint_number_of(const void *value)
{
    const struct table_endpoint *e = value;
    return span_of(e->number_key, sizeof e->number_key);
}

static struct span key_hash_of(const void *value)
{
    const struct api_key *k = value;
    return span_of(k->hash, sizeof k->hash);
}

static void put_number(uint8_t out[4], uint32_t number)
{
    struct treekey k = key_number(number);
    memcpy(out, k.b, 4);
}

struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pthread_rwlock_init(&t->lock, NULL);
    t->apps = map_new(app_id_of);
    t->apps_numbered = map_new(app_number_of);
    t->apps_by_uid = map_new(app_uid_of);
    t->endpoints = map_new(endpoint_number_of);
    t->keys = map_new(key_hash_of);
    if (!t->apps || !t->apps_numbered || !t->apps_by_uid || !t->endpoints || !t->keys)
        table_free(&t);
    return t;
}

void table_free(struct table **t)
{
    struct table *dead = *t;
    if (!dead)
        return;
    size_t at = 0;
    for (struct table_app *a; dead->apps && (a = map_each(dead->apps, &at));)
        table_app_free(&a);
    at = 0;
    for (struct table_endpoint *e; dead->endpoints && (e = map_each(dead->endpoints, &at));)
        table_endpoint_free(&e);
    at = 0;
    for (struct api_key *k; dead->keys && (k = map_each(dead->keys, &at));)
        free(k);
    map_free(&dead->apps);
    map_free(&dead->apps_numbered);
    map_free(&dead->apps_by_uid);
    map_free(&dead->endpoints);
    map_free(&dead->keys);
    pthread_rwlock_destroy(&dead->lock);
    free(dead);
    *t = NULL;
}

/* ---------------------------------------------------------------- applications */

struct table_app *table_app(const struct table *t, const struct id *id)
{
    return map_get(t->apps, span_of(id->b, ID_BYTES));
}

struct table_app *table_app_numbered(const struct table *t, uint32_t number)
{
    uint8_t key[4];
    put_number(key, number);
    return map_get(t->apps_numbered, span_of(key, sizeof key));
}

struct table_app *table_app_by_uid(const struct table *t, const struct id *org, struct span uid)
{
    if (uid.len == 0 || uid.len > UID_MAX)
        return NULL;
    struct treekey key = key_id_text(org, uid);
    return map_get(t->apps_by_uid, key_span(&key));
}

enum err table_app_new(const struct app *a, struct table_app **out)
{
    struct table_app *fresh = calloc(1, sizeof *fresh + ID_BYTES + a->uid.len);
    *out = fresh;
    if (!fresh)
        return ERR_NO_MEMORY;
    fresh->id = a->id;
    fresh->org = a->org;
    fresh->number = a->number;
    fresh->version = a->version;
    fresh->created = a->created;
    fresh->throttle_rate = a->throttle_rate;
    put_number(fresh->number_key, a->number);
    if (a->uid.len) {
        struct treekey key = key_id_text(&a->org, a->uid);
        fresh->uid_key = (uint8_t *)(fresh + 1);
        fresh->uid_key_len = key.len;
        memcpy(fresh->uid_key, key.b, key.len);
        fresh->uid = span_of(fresh->uid_key + ID_BYTES, a->uid.len);
    }
    return ERR_OK;
}

void table_app_free(struct table_app **a)
{
    if (!*a)
        return;
    free((*a)->endpoints);
    free(*a);
    *a = NULL;
}

static void app_unmap(struct table *t, const struct table_app *a)
{
    map_take(t->apps, app_id_of(a));
    map_take(t->apps_numbered, app_number_of(a));
    if (a->uid_key)
        map_take(t->apps_by_uid, app_uid_of(a));
}

enum err table_app_put(struct table *t, struct table_app *fresh)
{
    pthread_rwlock_wrlock(&t->lock);
    struct table_app *old = table_app_numbered(t, fresh->number);
    if (old) {
        app_unmap(t, old);
        fresh->endpoints = old->endpoints;
        fresh->endpoint_count = old->endpoint_count;
        fresh->endpoint_room = old->endpoint_room;
        for (unsigned i = 0; i < fresh->endpoint_count; i++)
            fresh->endpoints[i]->app = fresh;
        old->endpoints = NULL;
        table_app_free(&old);
    }
    bool kept = map_put(t->apps, fresh);
    bool ok = kept && map_put(t->apps_numbered, fresh) &&
              (!fresh->uid_key || map_put(t->apps_by_uid, fresh));
    pthread_rwlock_unlock(&t->lock);
    if (!kept)
        table_app_free(&fresh);
    return ok ? ERR_OK : ERR_NO_MEMORY;
}

void table_app_delete(struct table *t, uint32_t number)
{
    struct table_app *a = table_app_numbered(t, number);
    assert(a && !app_is_operational(&a->id, &a->org));
    pthread_rwlock_wrlock(&t->lock);
    for (unsigned i = 0; i < a->endpoint_count; i++) {
        a->endpoints[i]->deleted = true;
        a->endpoints[i]->app = NULL;
    }
    app_unmap(t, a);
    pthread_rwlock_unlock(&t->lock);
    table_app_free(&a);
}

/* ---------------------------------------------------------------- endpoints */

bool table_app_ordered(const struct table_app *a)
{
    for (unsigned i = 0; i < a->endpoint_count; i++)
        if (a->endpoints[i]->ordering != ORDERING_NONE)
            return true;
    return false;
}

struct table_endpoint *table_endpoint(const struct table *t, uint32_t number)
{
    uint8_t key[4];
    put_number(key, number);
    return map_get(t->endpoints, span_of(key, sizeof key));
}

/* Moves the bytes of a span into the block at *at. */
static struct span keep(char **at, struct span s)
{
    struct span kept = span_of(*at, s.len);
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static enum err rule_copy(const struct endpoint *e, struct table_endpoint *fresh)
{
    size_t spans = e->filter_count + e->channel_count;
    size_t bytes = e->uid.len;
    for (unsigned i = 0; i < e->filter_count; i++)
        bytes += e->filters[i].len;
    for (unsigned i = 0; i < e->channel_count; i++)
        bytes += e->channels[i].len;
    struct span *filters = malloc(spans * sizeof *filters + bytes + 1);
    if (!filters)
        return ERR_NO_MEMORY;
    struct span *channels = filters + e->filter_count;
    char *at = (char *)(filters + spans);
    for (unsigned i = 0; i < e->filter_count; i++)
        filters[i] = keep(&at, e->filters[i]);
    for (unsigned i = 0; i < e->channel_count; i++)
        channels[i] = keep(&at, e->channels[i]);
    fresh->uid = keep(&at, e->uid);
    fresh->rule_block = filters;
    fresh->rule = (struct match_rule){e->filter_count, filters, e->channel_count, channels};
    return ERR_OK;
}

enum err table_endpoint_new(const struct endpoint *e, struct table_endpoint **out)
{
    struct table_endpoint *fresh = calloc(1, sizeof *fresh);
    *out = fresh;
    if (!fresh)
        return ERR_NO_MEMORY;
    fresh->number = e->number;
    fresh->id = e->id;
    fresh->version = e->version;
    fresh->created = e->created;
    fresh->disabled = e->disabled;
    fresh->play = match_play(e->url);
    fresh->ordering = e->ordering;
    put_number(fresh->number_key, e->number);
    enum err err = rule_copy(e, fresh);
    if (err)
        table_endpoint_free(out);
    return err;
}

void table_endpoint_free(struct table_endpoint **e)
{
    if (!*e)
        return;
    free((*e)->rule_block);
    free(*e);
    *e = NULL;
}

unsigned table_operational_endpoints(const struct table *t)
{
    return t->operational;
}

static bool app_adopt(struct table *t, struct table_app *a, struct table_endpoint *fresh)
{
    if (a->endpoint_count == a->endpoint_room) {
        unsigned room = a->endpoint_room ? a->endpoint_room * 2 : FIRST_ROOM;
        struct table_endpoint **more = realloc(a->endpoints, room * sizeof *more);
        if (!more)
            return false;
        a->endpoints = more;
        a->endpoint_room = room;
    }
    assert(!a->endpoint_count || a->endpoints[a->endpoint_count - 1]->number < fresh->number);
    a->endpoints[a->endpoint_count++] = fresh;
    fresh->app = a;
    t->operational += app_is_operational(&a->id, &a->org);
    return true;
}

static unsigned place_of(const struct table_app *a, const struct table_endpoint *e)
{
    unsigned i = 0;
    while (i < a->endpoint_count && a->endpoints[i] != e)
        i++;
    assert(i < a->endpoint_count);
    return i;
}

/* Replaces the old entry everywhere; what counts deliveries lives on. */
static void endpoint_succeed(struct table_endpoint *old, struct table_endpoint *fresh)
{
    assert(!old->dirty);
    fresh->app = old->app;
    fresh->retiring = old->retiring;
    fresh->relining = old->relining;
    fresh->working = old->working;
    atomic_init(&fresh->waiting, atomic_load(&old->waiting));
    atomic_init(&fresh->dead, atomic_load(&old->dead));
    if (old->app)
        old->app->endpoints[place_of(old->app, old)] = fresh;
}

enum err table_endpoint_put(struct table *t, struct table_endpoint *fresh, uint32_t app_number)
{
    struct table_endpoint *old = table_endpoint(t, fresh->number);
    struct table_app *a = table_app_numbered(t, app_number);
    pthread_rwlock_wrlock(&t->lock);
    if (old) {
        map_take(t->endpoints, endpoint_number_of(old)); /* which leaves room */
        endpoint_succeed(old, fresh);
    }
    fresh->deleted = !old && !a;
    bool mapped = map_put(t->endpoints, fresh);
    bool ok = mapped && (old || !a || app_adopt(t, a, fresh));
    if (mapped && !ok)
        map_take(t->endpoints, endpoint_number_of(fresh));
    pthread_rwlock_unlock(&t->lock);
    table_endpoint_free(&old);
    if (!ok)
        table_endpoint_free(&fresh);
    return ok ? ERR_OK : ERR_NO_MEMORY;
}

void table_endpoint_delete(struct table *t, uint32_t number)
{
    struct table_endpoint *e = table_endpoint(t, number);
    assert(e);
    pthread_rwlock_wrlock(&t->lock);
    if (e->app) {
        unsigned i = place_of(e->app, e);
        e->app->endpoint_count--;
        t->operational -= app_is_operational(&e->app->id, &e->app->org);
        memmove(e->app->endpoints + i, e->app->endpoints + i + 1,
                (e->app->endpoint_count - i) * sizeof(struct table_endpoint *));
    }
    e->app = NULL;
    e->deleted = true;
    pthread_rwlock_unlock(&t->lock);
}

void table_endpoint_forget(struct table *t, uint32_t number)
{
    uint8_t key[4];
    put_number(key, number);
    pthread_rwlock_wrlock(&t->lock);
    struct table_endpoint *e = map_take(t->endpoints, span_of(key, sizeof key));
    pthread_rwlock_unlock(&t->lock);
    assert(!e || (e->deleted && !e->dirty));
    table_endpoint_free(&e);
}

struct endpoint_counts table_counts(struct table *t, uint32_t endpoint)
{
    struct endpoint_counts counts = {0};
    pthread_rwlock_rdlock(&t->lock);
    struct table_endpoint *e = table_endpoint(t, endpoint);
    if (e) {
        counts.waiting = atomic_load_explicit(&e->waiting, memory_order_relaxed);
        counts.dead = atomic_load_explicit(&e->dead, memory_order_relaxed);
    }
    pthread_rwlock_unlock(&t->lock);
    return counts;
}

/* ---------------------------------------------------------------- keys */

enum err table_key_put(struct table *t, const struct api_key *key)
{
    struct api_key *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return ERR_NO_MEMORY;
    *fresh = *key;
    pthread_rwlock_wrlock(&t->lock);
    free(map_take(t->keys, key_hash_of(fresh)));
    bool ok = map_put(t->keys, fresh);
    pthread_rwlock_unlock(&t->lock);
    if (!ok)
        free(fresh);
    return ok ? ERR_OK : ERR_NO_MEMORY;
}

void table_key_revoke(struct table *t, const struct id *id)
{
    size_t at = 0;
    struct api_key *k;
    while ((k = map_each(t->keys, &at)) && id_cmp(&k->id, id) != 0)
        ;
    if (!k)
        return;
    pthread_rwlock_wrlock(&t->lock);
    map_take(t->keys, key_hash_of(k));
    pthread_rwlock_unlock(&t->lock);
    free(k);
}

enum err table_key_find(struct table *t, const uint8_t hash[32], struct wall now,
                        struct api_key *out)
{
    pthread_rwlock_rdlock(&t->lock);
    const struct api_key *k = map_get(t->keys, span_of(hash, sizeof k->hash));
    bool live = k && (k->expires.us == 0 || k->expires.us > now.us);
    if (live)
        *out = *k;
    pthread_rwlock_unlock(&t->lock);
    return live ? ERR_OK : ERR_NOT_FOUND;
}

bool table_has_keys(struct table *t)
{
    pthread_rwlock_rdlock(&t->lock);
    bool any = map_count(t->keys) > 0;
    pthread_rwlock_unlock(&t->lock);
    return any;
}

/* ---------------------------------------------------------------- matching */

bool table_takes(struct table *t, uint32_t app_number, const struct match_subject *subject)
{
    bool takes = false;
    pthread_rwlock_rdlock(&t->lock);
    const struct table_app *a = table_app_numbered(t, app_number);
    for (unsigned i = 0; a && i < a->endpoint_count && !takes; i++)
        takes = !a->endpoints[i]->disabled && match(&a->endpoints[i]->rule, subject);
    pthread_rwlock_unlock(&t->lock);
    return takes;
}

struct app_receivers table_receivers(struct table *t, uint32_t app_number)
{
    struct app_receivers has = {0};
    pthread_rwlock_rdlock(&t->lock);
    const struct table_app *a = table_app_numbered(t, app_number);
    for (unsigned i = 0; a && i < a->endpoint_count && !(has.enabled && has.elsewhere); i++) {
        has.any = true;
        has.enabled |= !a->endpoints[i]->disabled;
        has.elsewhere |= !a->endpoints[i]->play;
    }
    pthread_rwlock_unlock(&t->lock);
    return has;
}
