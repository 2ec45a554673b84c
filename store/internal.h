/* What stands behind `struct store`. Private to store/.
 *
 * Everything but the members marked below is set by store_open and constant until store_close. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/index.h"
#include "store/record.h"
#include "store/table.h"
#include "store/vault.h"

struct writer;    /* store/writer.h */
struct snapshots; /* store/snapshot.h */
struct watches;   /* store/watches.h */

struct store {
    struct store_settings settings; /* dir is a copy, main_secret is NULL: the vault has it */
    struct env env;
    struct vault *vault;
    struct id org; /* the default organisation */

    struct index *index; /* as store/index.h says: the writer's part and the readers' part */
    struct table *table; /* as store/table.h says */
    struct snapshots *snapshots; /* idle read snapshots; any thread */
    struct watches *watches;     /* who waits for messages; any thread */
    struct store_stats stats;    /* relaxed atomics: the writer adds, anyone reads */
    struct writer *writer;       /* the thread and its inbox, from store_open to store_close */
};

/* store_key_find, store_has_keys, store_default_org, store_endpoint_counts and store_stats are in
 * store/store.c; every other read is in the files of its noun. */

#endif
