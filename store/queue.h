/* Operations in order, linked by their inbox item. Private to store/; owned by one thread. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/store.h"

struct queue {
    struct store_op *first, *last;
    unsigned count, patient, ingests; /* patient: how many of them nobody waits for */
};

static inline bool queue_patient(const struct store_op *op)
{
    return op->kind == STORE_OUTCOME && !((const struct outcome_op *)op)->urgent;
}

static inline void queue_push(struct queue *q, struct store_op *op)
{
    op->item.next = NULL;
    if (q->last)
        q->last->item.next = &op->item;
    else
        q->first = op;
    q->last = op;
    q->count++;
    q->patient += queue_patient(op);
    q->ingests += op->kind == STORE_INGEST;
}

/* NULL when empty. */
static inline struct store_op *queue_pop(struct queue *q)
{
    struct store_op *op = q->first;
    if (!op)
        return NULL;
    q->first = (struct store_op *)op->item.next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    q->patient -= queue_patient(op);
    q->ingests -= op->kind == STORE_INGEST;
    return op;
}

/* Puts all of `front` before all of q, and leaves `front` empty. */
static inline void queue_put_back(struct queue *q, struct queue *front)
{
    for (struct store_op *op; (op = queue_pop(q));)
        queue_push(front, op);
    *q = *front;
    *front = (struct queue){0};
}

static inline bool queue_only_patient(const struct queue *q)
{
    return q->count == q->patient;
}

#endif
