/* What the load generator and the sink share: the stamp in a payload, latencies, raw sockets. Kept
 * apart from the service's code, so that a mistake there cannot flatter the figures. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The first member of every payload: the moment at which the event was meant to be sent, in
 * nanoseconds of CLOCK_MONOTONIC, behind a 1, so that it has 19 digits and no leading zero. */
#define STAMP_MEMBER "\"bench\":"
#define STAMP_DIGITS 19
#define STAMP_BASE INT64_C(1000000000000000000)

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Latencies in microseconds, kept whole for exact quantiles. */
struct samples {
    uint32_t *us;
    size_t count, cap;
};

static inline void samples_add(struct samples *s, int64_t ns)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1 << 16;
        s->us = realloc(s->us, s->cap * sizeof *s->us);
        if (!s->us)
            abort();
    }
    s->us[s->count++] = ns < 0 ? 0 : (uint32_t)(ns / 1000);
}

static inline int samples_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static inline void samples_sort(struct samples *s)
{
    if (s->count)
        qsort(s->us, s->count, sizeof *s->us, samples_order);
}

static inline uint32_t samples_at(const struct samples *s, double quantile)
{
    if (!s->count)
        return 0;
    size_t i = (size_t)(quantile * (double)(s->count - 1));
    return s->us[i];
}

/* "127.0.0.1:8071". */
static inline struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[32];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) {
        fprintf(stderr, "not an address with a port: %s\n", text);
        exit(2);
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        fprintf(stderr, "not an IPv4 address: %s\n", text);
        exit(2);
    }
    a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return a;
}

/* The length of a message's head with its empty line, or 0 while it is incomplete. */
static inline size_t head_length(const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    return end ? (size_t)(end - data) + 4 : 0;
}

/* Content-Length of a head; 0 when it has none. */
static inline size_t content_length(const char *head, size_t len)
{
    static const char name[] = "\r\ncontent-length:";
    for (size_t i = 0; i + sizeof name - 1 < len; i++) {
        if (head[i] == '\r' && strncasecmp(head + i, name, sizeof name - 1) == 0)
            return strtoul(head + i + sizeof name - 1, NULL, 10);
    }
    return 0;
}

#endif
