/* Operations of an operator: keys, backup, status. They go through the same asynchronous writes as
 * everything else; this module waits for their completion. */
#include "cli/action.h"

#include "admin/key.h"
#include "base/hash.h"
#include "base/option.h"

#include <pthread.h>

#define LIFETIME_MAX_US \
    (INT64_C(36500) * 86400 * US_PER_S) /* dates beyond year 9999 have no text */

/* Lets one thread wait for one operation. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
};

static void wake(struct store_op *op)
{
    struct waiter *w = op->owner;
    pthread_mutex_lock(&w->mutex);
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->mutex);
}

static enum err submit_and_wait(struct store *store, struct store_op *op)
{
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    op->owner = &w;
    op->done = wake;
    enum err e = store_submit(store, op);
    if (e)
        return e;
    pthread_mutex_lock(&w.mutex);
    while (!w.is_done)
        pthread_cond_wait(&w.done, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
    return op->result;
}

static json_t *failure(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static const char *text_of(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

/* The application that a key of SCOPE_APP is bound to; it must exist. */
static const char *bind_app(struct store *store, const char *ref, struct api_key *key)
{
    if (!ref)
        return "app: a key of scope `app` needs the application";
    struct store_read *read;
    if (store_read_begin(store, &read))
        return "the store cannot be read";
    struct app *app = NULL;
    enum err e = store_app_get(read, &key->org, span_text(ref), &app);
    store_read_end(&read);
    if (e)
        return "app: no such application in this organisation";
    key->app = app->id;
    app_free(&app);
    return NULL;
}

/* A member of another type would pass for absent: a key that should expire never would. */
static bool all_texts(const json_t *request)
{
    static const char *const members[] = {"scope", "org", "app", "name", "expires"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *v = json_object_get(request, members[i]);
        if (v && !json_is_string(v))
            return false;
    }
    return true;
}

/* Fills the key from the request; NULL or what is wrong. */
static const char *key_from_request(struct store *store, const json_t *request, struct api_key *key)
{
    if (!all_texts(request))
        return "scope, org, app, name and expires must be texts";
    const char *org = text_of(request, "org");
    const char *name = text_of(request, "name");
    const char *expires = text_of(request, "expires");
    int64_t lifetime = 0;
    if (!key_scope_parse(span_text(text_of(request, "scope")), &key->scope))
        return "scope: must be admin, ingest, read or app";
    if (org && id_parse(span_text(org), ID_ORG, &key->org))
        return "org: not an organisation id";
    if (!org)
        key->org = store_default_org(store);
    if (name && strlen(name) >= sizeof key->name)
        return "name: longer than 63 bytes";
    if (expires && (duration_parse(span_text(expires), &lifetime) || lifetime <= 0))
        return "expires: not a duration such as 12h or 30d";
    if (lifetime > LIFETIME_MAX_US)
        return "expires: longer than 36500d";
    if (key->scope == SCOPE_APP) {
        const char *wrong = bind_app(store, text_of(request, "app"), key);
        if (wrong)
            return wrong;
    } else if (text_of(request, "app")) {
        return "app: only a key of scope `app` is bound to an application";
    }
    key->created = clock_wall();
    key->id = id_fresh(key->created);
    if (lifetime)
        key->expires = wall_add(key->created, lifetime);
    if (name)
        memcpy(key->name, name, strlen(name));
    return NULL;
}

static json_t *key_json(const struct api_key *key)
{
    char id[ID_MAX + 1], org[ID_MAX + 1], app[ID_MAX + 1], created[WALL_TEXT_LEN + 1];
    char expires[WALL_TEXT_LEN + 1];
    id_format(&key->id, ID_KEY, id);
    id_format(&key->org, ID_ORG, org);
    id_format(&key->app, ID_APP, app);
    wall_format(key->created, created);
    wall_format(key->expires, expires);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s?}", "id", id, "scope",
                     key_scope_name(key->scope), "org", org, "app",
                     key->scope == SCOPE_APP ? app : NULL, "name", key->name, "created", created,
                     "expires", key->expires.us ? expires : NULL);
}

static json_t *key_create(struct store *store, const json_t *request)
{
    struct key_op op = {.op.kind = STORE_KEY_PUT};
    const char *wrong = key_from_request(store, request, &op.key);
    if (wrong)
        return failure(wrong);
    char token[KEY_TOKEN_LEN + 1];
    key_token_make(token, op.key.hash);
    enum err e = submit_and_wait(store, &op.op);
    if (e)
        return failure(err_text(e));
    json_t *answer = key_json(&op.key);
    json_object_set_new(answer, "token", json_string(token));
    return answer;
}

static json_t *key_list(struct store *store)
{
    struct store_read *read;
    if (store_read_begin(store, &read))
        return failure("the store cannot be read");
    struct api_key *keys = NULL;
    size_t count = 0;
    enum err e = store_key_list(read, &keys, &count);
    store_read_end(&read);
    if (e)
        return failure(err_text(e));
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, key_json(&keys[i]));
    free(keys);
    return json_pack("{s:o}", "keys", rows);
}

static json_t *key_revoke(struct store *store, const json_t *request)
{
    struct key_op op = {.op.kind = STORE_KEY_REVOKE};
    const char *id = text_of(request, "id");
    if (!id || id_parse(span_text(id), ID_KEY, &op.key.id))
        return failure("id: not a key id");
    enum err e = submit_and_wait(store, &op.op);
    return e ? failure(e == ERR_NOT_FOUND ? "id: no such key" : err_text(e))
             : json_pack("{s:s}", "revoked", id);
}

static json_t *backup(struct store *store, const json_t *request)
{
    const char *dir = text_of(request, "dir");
    if (!dir || dir[0] != '/')
        return failure("dir: must be an absolute path");
    enum err e = store_backup(store, dir);
    return e ? failure(err_text(e)) : json_pack("{s:s}", "backup", dir);
}

static json_t *status(struct store *store)
{
    const struct store_stats *stats = store_stats(store);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "version", SUREHOOK_VERSION, "accepted",
                     (json_int_t)counter_get(&stats->accepted), "waiting",
                     (json_int_t)counter_get(&stats->waiting), "dead",
                     (json_int_t)counter_get(&stats->dead_waiting), "mapUsed",
                     (json_int_t)counter_get(&stats->map_used), "mapSize",
                     (json_int_t)counter_get(&stats->map_size));
}

json_t *action_run(struct store *store, const json_t *request)
{
    const char *verb = text_of(request, "do");
    if (!verb)
        return failure("do: missing");
    if (strcmp(verb, "key.create") == 0)
        return key_create(store, request);
    if (strcmp(verb, "key.list") == 0)
        return key_list(store);
    if (strcmp(verb, "key.revoke") == 0)
        return key_revoke(store, request);
    if (strcmp(verb, "backup") == 0)
        return backup(store, request);
    if (strcmp(verb, "status") == 0)
        return status(store);
    return failure("do: unknown");
}

enum err action_first_key(struct store *store, enum err (*keep)(void *context, const char *token),
                          void *context)
{
    struct key_op op = {.op.kind = STORE_KEY_PUT,
                        .key = {.scope = SCOPE_ADMIN, .name = "first key"}};
    op.key.created = clock_wall();
    op.key.id = id_fresh(op.key.created);
    op.key.org = store_default_org(store);
    char token[KEY_TOKEN_LEN + 1];
    key_token_make(token, op.key.hash);
    enum err e = keep(context, token);
    return e ? e : submit_and_wait(store, &op.op);
}
