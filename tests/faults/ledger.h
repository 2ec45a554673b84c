/* What a client saw: the events that were answered 202, and whether a store still has them. */
#ifndef TESTS_FAULTS_LEDGER_H
#define TESTS_FAULTS_LEDGER_H

#include "store/store.h"

struct owed {
    uint64_t after; /* owed by any state with this call on the data file in it */
    struct id message;
    unsigned fan_out;
    struct span payload;
};

struct ledger {
    struct owed *rows; /* by `after` */
    size_t count;
    char *text;
};

/* Reads `after id fan-out payload` a line. Ends the process when it cannot. */
void ledger_load(struct ledger *l, const char *path);
void ledger_free(struct ledger *l);

enum ledger_answer {
    LEDGER_KEPT,    /* every byte, and a delivery for each endpoint */
    LEDGER_LOST,    /* no such message */
    LEDGER_DAMAGED, /* the store knows that it cannot read it */
    LEDGER_PARTIAL, /* not all of its deliveries */
    LEDGER_WRONG,   /* other bytes under this id */
};
enum ledger_answer ledger_look(const struct owed *row, struct store_read *r);

#endif
