/* What the reads of one noun need from another's. Private to store/. */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "store/snapshot.h"

enum err read_message(struct store_read *r, const struct id *id, bool content,
                      struct message **out) MUST_CHECK;
/* Without looking at the payload. */
bool read_message_matches(const struct message *m, const struct message_filter *filter);
/* Loads the message only when the filter asks anything. ERR_NOT_FOUND: it does not match. */
enum err read_message_filter(struct store_read *r, const struct id *id,
                             const struct message_filter *filter) MUST_CHECK;

enum err read_delivery(struct store_read *r, const struct id *message, uint32_t endpoint,
                       struct delivery *out) MUST_CHECK;

/* Values of the small trees that lead from a name to an entity: an id, or a number of 4 bytes.
 * ERR_NOT_FOUND, ERR_CORRUPT. */
enum err read_id_at(struct store_read *r, enum tree tree, const struct treekey *key,
                    struct id *out) MUST_CHECK;
enum err read_number_at(struct store_read *r, enum tree tree, const struct treekey *key,
                        uint32_t *out) MUST_CHECK;

struct task_info read_task_info(const struct id *id, const struct task *t);

/* The id or number in a borrowed suffix or value; false when its length is wrong. */
bool read_as_id(struct span bytes, struct id *out);
bool read_as_number(struct span bytes, uint32_t *out);

#endif
