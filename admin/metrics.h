/* Metrics in the Prometheus text format, version 0.0.4. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "dispatcher/dispatcher.h"
#include "http/server.h"

/* What is measured at the moment of asking. */
struct metrics_moment {
    struct counter oldest_due_us, resident_bytes, cpu_us, open_files;
};

struct metrics_sources {
    const struct store_stats *store;
    const struct dispatcher_stats *dispatcher;
    const struct http_stats *http; /* NULL: no server yet; its metrics are left out */
    const struct metrics_moment *moment;
};

/* Appends all of them. Pure but for the counters it reads. */
void metrics_write(const struct metrics_sources *from, struct buf *out);
/* What the kernel says about this process; figures that cannot be read stay zero. */
void metrics_measure(struct metrics_moment *out);

#endif
