/* What is due next: a heap of those that wait for their time. */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stdint.h>
#include <stdlib.h>

#include "wire.h"

typedef struct {
    uint64_t due;
    int heap_at; /* its place in the heap, -1 = it does not wait */
} Timed;

static Timed **heap;
static int heap_count, heap_room;

static void heap_put(int at, Timed *c) {
    heap[at] = c;
    c->heap_at = at;
}

static void heap_sift(int at) {
    Timed *c = heap[at];
    while (at > 0 && heap[(at - 1) / 2]->due > c->due) {
        heap_put(at, heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        int child = 2 * at + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= c->due) break;
        heap_put(at, heap[child]);
        at = child;
    }
    heap_put(at, c);
}

static void heap_add(Timed *c) {
    if (heap_count == heap_room) {
        heap_room = heap_room ? heap_room * 2 : 1024;
        if (!(heap = realloc(heap, sizeof *heap * (size_t)heap_room))) die("memory");
    }
    heap_put(heap_count++, c);
    heap_sift(c->heap_at);
}

static void heap_remove(Timed *c) {
    int at = c->heap_at;
    if (at < 0) return;
    c->heap_at = -1;
    Timed *last = heap[--heap_count];
    if (last != c) {
        heap_put(at, last);
        heap_sift(at);
    }
}

#endif
