/* One table is all there is to say about a metric: its name, its meaning, and where its figure
 * stands. They count the whole service and name no tenant, so that showing them needs no token; a
 * figure per tenant would need one. */
#include "admin/metrics.h"

#include "admin/context.h"
#include "admin/handlers.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

enum source { STORE, DISPATCHER, HTTP, MOMENT };
enum type { COUNTER, GAUGE, HISTOGRAM };

static const char *class_label(unsigned i)
{
    return attempt_class_name((enum attempt_class)i);
}
static const char *refusal_label(unsigned i)
{
    return refusal_name((enum refusal)i);
}

struct metric {
    const char *name, *help;
    enum type type;
    enum source source;
    size_t offset;
    double unit;                      /* one of the source's in the metric's unit */
    const char *label;                /* of an array of counters; NULL: one counter */
    unsigned count;                   /* of the array */
    const char *(*value)(unsigned i); /* of the label */
};

#define IN(source, field) source, offsetof(source##_STRUCT, field)
#define STORE_STRUCT struct store_stats
#define DISPATCHER_STRUCT struct dispatcher_stats
#define HTTP_STRUCT struct http_stats
#define MOMENT_STRUCT struct metrics_moment
/* One counter or histogram, counted as it is shown, or in microseconds. */
#define PLAIN 1, NULL, 0, NULL
#define SECONDS 1e-6, NULL, 0, NULL

static const struct metric metrics[] = {
    {"surehook_messages_accepted_total", "Messages answered 202, durable.", COUNTER,
     IN(STORE, accepted), PLAIN},
    {"surehook_messages_accepted_bytes_total", "Payload bytes of accepted messages.", COUNTER,
     IN(STORE, accepted_bytes), PLAIN},
    {"surehook_idempotent_replays_total", "Requests answered from their idempotency record.",
     COUNTER, IN(STORE, replayed), PLAIN},
    {"surehook_messages_conflicting_total", "Messages refused because their eventId exists.",
     COUNTER, IN(STORE, conflicts), PLAIN},
    {"surehook_store_refused_busy_total", "Writes refused because too many waited.", COUNTER,
     IN(STORE, refused_busy), PLAIN},
    {"surehook_store_refused_full_total", "Writes refused because the map or the disk was full.",
     COUNTER, IN(STORE, refused_full), PLAIN},
    {"surehook_polls_waiting", "Requests that wait for a message.", GAUGE, IN(STORE, watching),
     PLAIN},
    {"surehook_deliveries_delivered_total", "Deliveries that ended with a 2xx.", COUNTER,
     IN(STORE, delivered), PLAIN},
    {"surehook_deliveries_dead_total", "Deliveries that went to the dead letters.", COUNTER,
     IN(STORE, dead), PLAIN},
    {"surehook_deliveries_waiting", "Deliveries that are scheduled or will be retried.", GAUGE,
     IN(STORE, waiting), PLAIN},
    {"surehook_dead_letters", "Dead letters that are kept.", GAUGE, IN(STORE, dead_waiting), PLAIN},
    {"surehook_records_expired_total", "Records deleted by retention.", COUNTER, IN(STORE, expired),
     PLAIN},
    {"surehook_records_corrupt_total", "Records that failed their checksum and were set aside.",
     COUNTER, IN(STORE, corrupt), PLAIN},
    {"surehook_commits_total", "Commits of the store.", COUNTER, IN(STORE, commits), PLAIN},
    {"surehook_commit_seconds", "Time of a commit with its syncs.", HISTOGRAM, IN(STORE, commit_us),
     SECONDS},
    {"surehook_commit_rows", "Rows written by a commit.", HISTOGRAM, IN(STORE, commit_rows), PLAIN},
    {"surehook_map_used_bytes", "Bytes of the data file in use.", GAUGE, IN(STORE, map_used),
     PLAIN},
    {"surehook_map_size_bytes", "Bytes that the data file may grow to.", GAUGE, IN(STORE, map_size),
     PLAIN},
    {"surehook_attempts_total", "Attempts by the class of their outcome.", COUNTER,
     IN(DISPATCHER, attempts), 1, "outcome", ATTEMPT_LAST + 1, class_label},
    {"surehook_attempt_seconds", "Time of an attempt, from its start to its outcome.", HISTOGRAM,
     IN(DISPATCHER, attempt_us), SECONDS},
    {"surehook_attempt_queued_seconds", "Time between due and the start of the attempt.", HISTOGRAM,
     IN(DISPATCHER, queued_us), SECONDS},
    {"surehook_attempts_in_flight", "Attempts under way.", GAUGE, IN(DISPATCHER, in_flight), PLAIN},
    {"surehook_breakers_open", "Endpoints whose circuit breaker is open or half-open.", GAUGE,
     IN(DISPATCHER, breakers_open), PLAIN},
    {"surehook_deliveries_ready", "Deliveries in memory that wait for their turn.", GAUGE,
     IN(DISPATCHER, ready), PLAIN},
    {"surehook_retries_total", "Attempts that will be repeated.", COUNTER, IN(DISPATCHER, retries),
     PLAIN},
    {"surehook_handoffs_hot_total", "New deliveries taken over in memory.", COUNTER,
     IN(DISPATCHER, handoffs_hot), PLAIN},
    {"surehook_handoffs_cold_total", "New deliveries left on disk for their turn.", COUNTER,
     IN(DISPATCHER, handoffs_cold), PLAIN},
    {"surehook_due_pages_total", "Pages of due deliveries read back from disk.", COUNTER,
     IN(DISPATCHER, pages), PLAIN},
    {"surehook_oldest_due_age_seconds",
     "Age of the oldest delivery that is due and not in flight, but for those that an open breaker "
     "holds back: alert on this one.",
     GAUGE, IN(MOMENT, oldest_due_us), SECONDS},
    {"surehook_http_requests_total", "Requests.", COUNTER, IN(HTTP, requests), PLAIN},
    {"surehook_http_refused_total", "Requests refused, by reason.", COUNTER, IN(HTTP, refused), 1,
     "reason", REFUSAL_COUNT, refusal_label},
    {"surehook_http_connections", "Open client connections.", GAUGE, IN(HTTP, connections), PLAIN},
    {"surehook_http_request_seconds", "Time from the head of a request to its answer.", HISTOGRAM,
     IN(HTTP, request_us), SECONDS},
    {"process_resident_memory_bytes", "Resident memory.", GAUGE, IN(MOMENT, resident_bytes), PLAIN},
    {"process_cpu_seconds_total", "Processor time, user and system.", COUNTER, IN(MOMENT, cpu_us),
     SECONDS},
    {"process_open_fds", "Open file descriptors.", GAUGE, IN(MOMENT, open_files), PLAIN},
};

static const void *source_of(const struct metrics_sources *from, enum source source)
{
    const void *const sources[] = {[STORE] = from->store,
                                   [DISPATCHER] = from->dispatcher,
                                   [HTTP] = from->http,
                                   [MOMENT] = from->moment};
    return sources[source];
}

static void number(struct buf *out, uint64_t value, double unit)
{
    if (unit == 1)
        buf_decimal(out, value);
    else
        buf_printf(out, "%.9g", (double)value * unit);
    buf_char(out, '\n');
}

static void write_histogram(const struct metric *m, const struct histogram *h, struct buf *out)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        count += counter_get(&h->bucket[i]);
        buf_printf(out, "%s_bucket{le=\"", m->name);
        if (i < HISTOGRAM_BUCKETS)
            buf_printf(out, "%.9g", (double)(h->first << i) * m->unit);
        else
            buf_text(out, "+Inf");
        buf_text(out, "\"} ");
        number(out, count, 1);
    }
    buf_printf(out, "%s_sum ", m->name);
    number(out, counter_get(&h->sum), m->unit);
    buf_printf(out, "%s_count ", m->name);
    number(out, count, 1);
}

static void write_counters(const struct metric *m, const struct counter *counters, struct buf *out)
{
    for (unsigned i = 0; i < (m->label ? m->count : 1); i++) {
        buf_text(out, m->name);
        if (m->label)
            buf_printf(out, "{%s=\"%s\"}", m->label, m->value(i));
        buf_char(out, ' ');
        number(out, counter_get(&counters[i]), m->unit);
    }
}

void metrics_write(const struct metrics_sources *from, struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const struct metric *m = &metrics[i];
        const char *base = source_of(from, m->source);
        if (!base)
            continue;
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
        if (m->type == HISTOGRAM)
            write_histogram(m, (const void *)(base + m->offset), out);
        else
            write_counters(m, (const void *)(base + m->offset), out);
    }
}

static uint64_t resident_pages(void)
{
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident;
}

static uint64_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* without the one that this walk needs */
}

void metrics_measure(struct metrics_moment *out)
{
    struct rusage use;
    counter_add(&out->resident_bytes, resident_pages() * (uint64_t)sysconf(_SC_PAGESIZE));
    counter_add(&out->open_files, open_files());
    if (getrusage(RUSAGE_SELF, &use) == 0)
        counter_add(&out->cpu_us,
                    (uint64_t)((use.ru_utime.tv_sec + use.ru_stime.tv_sec) * US_PER_S +
                               use.ru_utime.tv_usec + use.ru_stime.tv_usec));
}

void metrics_get_route(struct request *req)
{
    const struct admin *a = context_of(req);
    struct metrics_moment moment = {0};
    counter_add(&moment.oldest_due_us, (uint64_t)dispatcher_oldest_due_age(a->dispatcher));
    metrics_measure(&moment);
    struct metrics_sources from = {
        .store = store_stats(a->store),
        .dispatcher = dispatcher_stats(a->dispatcher),
        .http = a->server ? http_server_stats(a->server) : NULL,
        .moment = &moment,
    };
    struct buf out;
    buf_init(&out, 256 * 1024);
    metrics_write(&from, &out);
    request_reply_header(req, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    request_reply(req, 200, &out);
}
