/* Reading durable tasks: what became of the work that an answer promised. */
#include "store/read.h"

static const char *const kinds[] = {
    [TASK_FANOUT] = "message.fanout",
    [TASK_ENDPOINT_DISABLED] = "endpoint.disable",
    [TASK_ENDPOINT_DELETED] = "endpoint.delete",
    [TASK_APP_DELETED] = "application.delete",
    [TASK_DEAD_REPLAY] = "dead_letter.replay",
    [TASK_DEAD_PURGE] = "dead_letter.purge",
    [TASK_RECOVER] = "endpoint.recover",
};

enum err store_task_get(struct store_read *r, const struct id *org, const struct id *id,
                        struct task_info *out)
{
    *out = (struct task_info){0};
    struct treekey key = key_id(id);
    struct span value;
    struct task task;
    enum err e = snapshot_get(r, TREE_TASK, &key, &value);
    if (!e)
        e = snapshot_decoded(r, "task", &key, record_task_decode(value, &task));
    if (e)
        return e;
    if (id_cmp(&task.org, org) != 0)
        return ERR_NOT_FOUND;
    *out = (struct task_info){
        .id = *id,
        .org = task.org,
        .app = task.app,
        .kind = kinds[task.kind],
        .finished = task.finished,
        .done = task.done,
        .created = task.created,
        .updated = task.updated,
    };
    return ERR_OK;
}
