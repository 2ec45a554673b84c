/* A sorted array: built once, never changed. */
#include "admin/json_index.h"

#include <stdlib.h>

struct json_index_entry {
    struct span name;
    struct json_value value;
};

static int compare(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static int compare_entries(const void *left, const void *right)
{
    const struct json_index_entry *a = left, *b = right;
    return compare(a->name, b->name);
}

enum err json_index_build(struct json_value object, struct json_index *out)
{
    struct span name;
    struct json_value item;
    size_t count = 0;
    *out = (struct json_index){.count = 0};
    if (object.type != JSON_OBJECT)
        return ERR_OK;
    for (struct json_walk w = json_walk(object); json_next(&w, &name, &item);)
        count++;
    out->entries = malloc((count + 1) * sizeof *out->entries);
    if (!out->entries)
        return ERR_NO_MEMORY;
    for (struct json_walk w = json_walk(object); json_next(&w, &name, &item);)
        if (!w.name_escaped)
            out->entries[out->count++] = (struct json_index_entry){name, item};
    qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    return ERR_OK;
}

void json_index_free(struct json_index *index)
{
    free(index->entries);
    *index = (struct json_index){.count = 0};
}

static bool is_as_written(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '~' || name.ptr[i] == '%' || name.ptr[i] == '/')
            return false;
    return true;
}

bool json_index_get(const struct json_index *index, struct span name, struct json_value *out)
{
    size_t low = 0, high = is_as_written(name) ? index->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(index->entries[middle].name, name);
        if (order == 0) {
            *out = index->entries[middle].value;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
