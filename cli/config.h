/* Every option of the service, in one table, and where it lands: the settings of each layer. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "admin/admin.h"
#include "base/log.h"
#include "base/option.h"
#include "dispatcher/dispatcher.h"
#include "http/server.h"
#include "ingest/ingest.h"

struct config {
    char *config_file;
    struct store_settings store;
    struct dispatcher_settings dispatcher;
    struct http_settings http;
    struct ingest_settings ingest;
    struct admin_settings admin;
    int64_t drain_us;
    int log_level, log_format;
    int idempotency_mismatch; /* 0 replay, 1 conflict */
    int default_signature;    /* enum key_kind */
};

extern const struct option config_options[];
extern const size_t config_option_count;

/* Loads the options of `serve` (other commands that open the data directory take the same table)
 * and spreads shared values over the layers. Prints the reason and returns ERR_INVALID on a
 * mistake. Words that are no options go to `rest`. */
enum err config_load(struct config *c, int argc, char **argv, char **rest,
                     int *rest_count) MUST_CHECK;
/* Whether the data directory holds a store. Prints when it does not: only `serve` makes one, for a
 * command on a mistyped path must not answer for an empty store. */
bool config_has_data(const struct config *c) MUST_CHECK;
void config_release(struct config *c);

#endif
