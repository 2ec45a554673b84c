/* Where a consumer of a poller stands. */
#include "store/read.h"

/* Used once in this part of the time after which it would be forgotten, it is kept. */
#define FADES_AFTER 4

enum err store_consumer_get(struct store_read *r, const struct id *app,
                            const uint8_t name[CONSUMER_NAME], struct wall now,
                            struct consumer *out, bool *fades)
{
    struct treekey key = key_consumer(app, name);
    struct span value;
    *out = (struct consumer){.used = {0}};
    *fades = false;
    enum err e = snapshot_get(r, TREE_CONSUMER, &key, &value);
    if (!e)
        e = snapshot_decoded(r, "consumer", &key, record_consumer_decode(value, out));
    int64_t unused = now.us - out->used.us;
    *fades = !e && unused > r->store->settings.message_retention_us / FADES_AFTER;
    return e;
}
