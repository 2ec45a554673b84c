/* Who comes with a token of the application portal. Not in memory: a person clicks, while producers
 * send thousands of events a second with keys that are. */
#include "store/read.h"

static enum err find(struct store_read *r, const struct id *app, const uint8_t hash[32],
                     struct portal_token *out)
{
    struct treekey key = key_portal(app, hash), app_key = key_id(app);
    struct span value;
    enum err e = snapshot_get(r, TREE_PORTAL, &key, &value);
    if (!e)
        e = snapshot_decoded(r, "portal token", &key, record_portal_decode(value, out));
    return e ? e : snapshot_get(r, TREE_APP, &app_key, &value);
}

enum err store_portal_find(struct store *s, const struct id *app, const uint8_t hash[32],
                           struct wall now, struct portal_token *out)
{
    struct store_read *r;
    enum err e = store_read_begin(s, &r);
    if (e)
        return e;
    e = find(r, app, hash, out);
    store_read_end(&r);
    if (e)
        return e;
    out->app = *app;
    memcpy(out->hash, hash, sizeof out->hash);
    return out->expires.us > now.us ? ERR_OK : ERR_NOT_FOUND;
}
