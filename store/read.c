/* References: the small trees lead from what people write to what the store uses. */
#include "store/read.h"

bool read_as_id(struct span bytes, struct id *out)
{
    if (bytes.len != ID_BYTES)
        return false;
    memcpy(out->b, bytes.ptr, ID_BYTES);
    return true;
}

bool read_as_number(struct span bytes, uint32_t *out)
{
    struct reader r = reader_of(bytes);
    *out = read_u32(&r);
    return !r.failed && r.at == r.end;
}

enum err read_id_at(struct store_read *r, enum tree tree, const struct treekey *key, struct id *out)
{
    struct span value;
    enum err e = snapshot_get(r, tree, key, &value);
    if (e)
        return e;
    return read_as_id(value, out) ? ERR_OK : snapshot_corrupt(r, "reference", key_span(key));
}

enum err read_number_at(struct store_read *r, enum tree tree, const struct treekey *key,
                        uint32_t *out)
{
    struct span value;
    enum err e = snapshot_get(r, tree, key, &value);
    if (e)
        return e;
    return read_as_number(value, out) ? ERR_OK : snapshot_corrupt(r, "reference", key_span(key));
}
