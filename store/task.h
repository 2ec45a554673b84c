/* Durable work in steps: what one commit should not hold. A task commits with the operation that
 * asked for it, and each of its steps with the cursor at which the next one begins, so that a crash
 * neither skips nor repeats a delivery. Private to store/; the writer thread alone uses it.
 *
 * Order
 *   - fan-outs come first, whole: no configuration operation is applied while one is unfinished, so
 *     that a message meets the endpoints of the moment at which it was accepted;
 *   - tasks that move deliveries run in order within one application (a replay begins when the
 *     disabling before it has ended), while applications take turns;
 *   - what rearranges the lines of ordered endpoints has turns of its own: meanwhile they stand
 *     still;
 *   - recovers and replays wait for the attempts that they asked for, and whatever has a rate for
 *     its moments: they hold nothing else back;
 *   - figures take what rows the others leave. */
#ifndef STORE_TASK_H
#define STORE_TASK_H

#include "store/batch.h"

struct tasks;

/* NULL when out of memory. */
struct tasks *tasks_new(void);
void tasks_free(struct tasks **t);
/* Reads what is unfinished, at open. A DISABLED task marks its endpoint as retiring, an
 * ORDER_CHANGED task as relining. */
enum err tasks_load(struct tasks *t, struct store *s, MDB_txn *txn) MUST_CHECK;

/* Adds a task to the batch. `created` is set; the id is the caller's, or drawn when it is zero. */
enum err tasks_add(struct batch *b, const struct task *task) MUST_CHECK;
/* Steps until about `rows` more rows were written. *more: there is more to do at once. */
enum err tasks_step(struct batch *b, unsigned rows, bool *more) MUST_CHECK;
/* After the commit, or instead of it. */
void tasks_committed(struct tasks *t, struct store *s);
void tasks_aborted(struct tasks *t);

/* Whether a fan-out is unfinished, of this batch or an earlier one. */
bool tasks_fan_out(const struct tasks *t);
/* Whether a recover waits for its attempts: look again in a moment. */
bool tasks_waiting(const struct tasks *t);
/* When one with a rate wants its next step; WALL_NEVER: there is none. */
struct wall tasks_due_at(const struct tasks *t);

/* The steps, each in the file of its noun: go on while b->rows < limit, which holds at first, keep
 * the cursor in `t`, set t->finished at the end. */
enum err fanout_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err retire_disabled_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err retire_endpoint_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err retire_app_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err dead_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err order_change_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err order_flow_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err recover_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err replay_missing_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err replay_bulk_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err expunge_all_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err expunge_rest_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err aggregate_stats_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;
enum err aggregate_types_step(struct batch *b, struct task *t, unsigned limit) MUST_CHECK;

/* Attempts that a task asks for at a time; for more once the last of them was made: a slow
 * endpoint is not buried. */
#define TASK_ATTEMPTS 64

#endif
