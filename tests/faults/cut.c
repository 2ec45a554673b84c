/* Opens the store in every state in which a power cut may have left its file.
 *
 *     cut RECORD LEDGER DIR MAP-SIZE STATES SEED WORKER WORKERS PLANT
 *
 * At each call of the record, or at some when STATES are few, the states of crash_disk.h are made
 * in DIR (one on tmpfs is quick): about STATES of them, of which this process takes every
 * WORKERS-th. Each must open, satisfy `check`, hold every event that the ledger owes by then, byte
 * for byte, and, in a share of them, take one more event. PLANT is `none` or a bug that must be
 * found: `no-sync`, `lazy-meta` or `early-answer`.
 *
 * Prints a line for each finding and the number of states and of bad ones in the last. A state is
 * opened in a child, which may crash. The same seed makes the same states. */
#include "tests/faults/crash_disk.h"
#include "tests/faults/ledger.h"

#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EARLY_CALLS 12   /* how much too early a planted answer is */
#define WRITE_EVERY 16   /* states between two that are written to */
#define FIRST_CALLS 24   /* of a file's life: it comes into being */
#define FIRST_STATES 10  /* random ones for each of these calls */
#define STATE_SECONDS 60 /* a state that takes longer hangs */
#define APP SPAN("cut")  /* the application that exists once anything is owed */

static struct {
    struct ledger ledger;
    const char *record, *dir;
    int64_t map_size;
    uint64_t states, seed;
    unsigned worker, workers;
    const char *plant;
    uint64_t calls; /* in the record */
    struct store *store;
} cut;

/* What the child tells its parent, in shared memory. */
static struct progress {
    uint64_t state; /* the one under way */
    uint64_t opened, bad;
    bool finished;
} * progress;

struct state {
    uint64_t number, call;
    enum cut cut;
};

static void finding(const struct state *s, const char *what)
{
    static const char *const names[CUT_CHOICES] = {"none", "all", "some", "torn", "last"};
    printf("state %" PRIu64 " (call %" PRIu64 ", %s of what was not synced): %s\n", s->number,
           s->call, names[s->cut], what);
    fflush(stdout);
}

/* ---------------------------------------------------------------- what must hold */

static void print_finding(void *context, const char *text)
{
    finding(context, text);
}

static bool check(struct state *s)
{
    struct check_report report;
    enum err e = store_check(cut.store, print_finding, s, &report);
    if (e)
        finding(s, err_text(e));
    return !e && !report.errors;
}

static bool holds_what_it_owes(const struct state *s, uint64_t until)
{
    static const char *const texts[] = {"", "lost", "damaged", "partial", "wrong"};
    struct store_read *r;
    bool good = true;
    if (store_read_begin(cut.store, &r))
        return false;
    for (size_t i = 0; i < cut.ledger.count && cut.ledger.rows[i].after <= until && good; i++) {
        enum ledger_answer answer = ledger_look(&cut.ledger.rows[i], r);
        if (answer == LEDGER_KEPT)
            continue;
        char text[128], id[ID_MAX + 1];
        id_format(&cut.ledger.rows[i].message, ID_MESSAGE, id);
        snprintf(text, sizeof text, "%s, answered 202 after call %" PRIu64 ", is %s", id,
                 cut.ledger.rows[i].after, texts[answer]);
        finding(s, text);
        good = false;
    }
    store_read_end(&r);
    return good;
}

static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_changed = PTHREAD_COND_INITIALIZER;

static void wake(struct store_op *op)
{
    pthread_mutex_lock(&done_lock);
    *(bool *)op->owner = true;
    pthread_cond_signal(&done_changed);
    pthread_mutex_unlock(&done_lock);
}

/* Starts the writer, with whatever work the cut interrupted, and gives it an event. */
static bool takes_another(const struct state *s, bool app_exists)
{
    const struct store_listener nobody = {0};
    struct message *m = message_new();
    bool done = false;
    if (!m || store_start(cut.store, &nobody))
        return false;
    m->event_type = SPAN("after.cut");
    m->payload = SPAN("{\"after\":\"the cut\"}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {
        .org = store_default_org(cut.store), .app = APP, .count = 1, .items = &item};
    op.op.kind = STORE_INGEST;
    op.op.owner = &done;
    op.op.done = wake;
    enum err e = store_submit(cut.store, &op.op);
    pthread_mutex_lock(&done_lock);
    while (!e && !done)
        pthread_cond_wait(&done_changed, &done_lock);
    pthread_mutex_unlock(&done_lock);
    store_stop(cut.store);
    e = e ? e : op.op.result;
    message_unref(&m);
    if (e == ERR_OK || (e == ERR_NOT_FOUND && !app_exists))
        return true;
    finding(s, "no event can be added");
    return false;
}

static bool open_state(struct state *s, uint64_t owed_until)
{
    const struct store_settings settings = {
        .dir = cut.dir, .map_size = cut.map_size, .message_retention_us = 3600 * US_PER_S};
    bool owes = cut.ledger.count && cut.ledger.rows[0].after <= owed_until;
    enum err e = store_open(&settings, &cut.store);
    if (e) {
        finding(s, "does not open");
        return false;
    }
    bool good = check(s) && holds_what_it_owes(s, owed_until);
    if (good && s->number % WRITE_EVERY == cut.worker)
        good = takes_another(s, owes) && check(s) && holds_what_it_owes(s, owed_until);
    store_close(&cut.store);
    return good;
}

/* ---------------------------------------------------------------- which states */

static void visit(const struct crash_disk *d, struct state *s, uint64_t first)
{
    if (s->number++ < first || s->number % cut.workers != cut.worker)
        return;
    struct rng rng;
    rng_seed(&rng, cut.seed + s->number);
    progress->state = s->number;
    alarm(STATE_SECONDS);
    crash_disk_cut(d, s->cut, &rng, cut.dir);
    progress->opened++;
    if (!open_state(s, d->sequence))
        progress->bad++;
}

/* Random states at this call: as many as bring the sum up to its share of the whole, and a number
 * for each of the first ones, which make the file. */
static void visit_random(const struct crash_disk *d, struct state *s, uint64_t first)
{
    uint64_t early = s->call < FIRST_CALLS ? s->call : FIRST_CALLS;
    uint64_t wanted = early * FIRST_STATES + cut.states * s->call / cut.calls;
    while (s->number < wanted) {
        s->cut = CUT_SOME + (enum cut)(s->number % (CUT_CHOICES - CUT_SOME));
        visit(d, s, first);
    }
}

/* All states from number `first` on. */
static void visit_all(uint64_t first)
{
    struct crash_disk d;
    struct state s = {0};
    /* Half of the states, or more, are random. */
    uint64_t stride = 1 + 2 * cut.calls / cut.states;
    crash_disk_open(&d, cut.record);
    d.trust_no_sync = strcmp(cut.plant, "no-sync") == 0;
    d.lazy_meta = strcmp(cut.plant, "lazy-meta") == 0;
    while (crash_disk_begin(&d)) {
        if (s.call++ % stride != 0 && s.call > FIRST_CALLS) {
            crash_disk_end(&d);
            continue;
        }
        if (d.pending_count == 0 && d.name == NAME_FINAL) { /* between two calls */
            crash_disk_end(&d);
            s.cut = CUT_NONE;
            visit(&d, &s, first);
            continue;
        }
        s.cut = CUT_ALL;
        visit(&d, &s, first);
        visit_random(&d, &s, first);
        crash_disk_end(&d);
    }
    s.cut = CUT_ALL;
    visit(&d, &s, first);
    crash_disk_close(&d);
}

static uint64_t count_calls(void)
{
    struct crash_disk d;
    uint64_t calls = 0;
    crash_disk_open(&d, cut.record);
    for (; crash_disk_begin(&d); calls++)
        crash_disk_end(&d);
    crash_disk_close(&d);
    return calls;
}

/* ---------------------------------------------------------------- children */

/* A child that crashes made a finding of its state; the next one begins behind it. */
static void supervise(void)
{
    while (!progress->finished) {
        pid_t child = fork();
        int status;
        if (child == 0) {
            visit_all(progress->state);
            progress->finished = true;
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            exit(2);
        if (progress->finished)
            return;
        if (!WIFSIGNALED(status))
            exit(2);
        printf("state %" PRIu64 ": %s\n", progress->state, strsignal(WTERMSIG(status)));
        fflush(stdout);
        progress->bad++;
    }
}

int main(int argc, char **argv)
{
    if (argc != 10)
        return 2;
    log_setup(LOG_ERROR + 1, LOG_TEXT);
    cut.record = argv[1];
    ledger_load(&cut.ledger, argv[2]);
    cut.dir = argv[3];
    cut.map_size = strtoll(argv[4], NULL, 10);
    cut.states = strtoull(argv[5], NULL, 10);
    cut.seed = strtoull(argv[6], NULL, 10);
    cut.worker = (unsigned)strtoul(argv[7], NULL, 10);
    cut.workers = (unsigned)strtoul(argv[8], NULL, 10);
    cut.plant = argv[9];
    cut.calls = count_calls();
    if (strcmp(cut.plant, "early-answer") == 0)
        for (size_t i = 0; i < cut.ledger.count; i++)
            cut.ledger.rows[i].after -= cut.ledger.rows[i].after < EARLY_CALLS ? 0 : EARLY_CALLS;
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        return 2;
    supervise();
    printf("%" PRIu64 " states, %" PRIu64 " bad\n", progress->opened, progress->bad);
    ledger_free(&cut.ledger);
    return 0;
}
