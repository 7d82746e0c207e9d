/* What other processes use while the load runs: their CPU time to the nanosecond, and their memory. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire.h"

#define WATCHED 8

typedef struct {
    const char *name;
    clockid_t clocks[64];
    int pids[64], count;
    uint64_t before, after;
    uint64_t rss_kb;
} Watch;

static Watch watches[WATCHED];
static int watch_count;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_of(const Watch *w) {
    uint64_t sum = 0;
    for (int i = 0; i < w->count; i++) sum += clock_ns(w->clocks[i]);
    return sum;
}

static uint64_t rss_of(int pid) {
    char path[64], line[256];
    unsigned long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %lu kB", &kb) == 1) break;
    fclose(file);
    return kb;
}

static void add_watch(char *given) {
    char *pids = strchr(given, '='), *one;
    if (!pids || watch_count == WATCHED) exit(2);
    *pids++ = 0;
    Watch *w = &watches[watch_count++];
    w->name = given;
    while ((one = strsep(&pids, ",")) && w->count < 64) {
        w->pids[w->count] = atoi(one);
        if (clock_getcpuclockid(atoi(one), &w->clocks[w->count++])) die(one);
    }
}

#endif
