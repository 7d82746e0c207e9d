/* Counts of durations with a resolution of one percent, as HDR histograms have it: 64 steps for every power of two. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define STEPS 64

typedef struct {
    uint64_t counts[64 * STEPS], count, sum, max;
} Histogram;

static inline void histogram_add(Histogram *h, uint64_t ns) {
    int shift = ns < STEPS ? 0 : 63 - __builtin_clzll(ns) - 6;
    h->counts[(uint64_t)shift * STEPS + (ns >> shift)]++;
    h->count++;
    h->sum += ns;
    if (ns > h->max) h->max = ns;
}

/* The duration that this share of all did not exceed. */
static inline double histogram_at(const Histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count), passed = 0;
    for (uint64_t at = 0; at < 64 * STEPS && h->count; at++) {
        passed += h->counts[at];
        if (passed > wanted || passed == h->count) {
            if (at < 2 * STEPS) return (double)at;
            uint64_t shift = at / STEPS - 1, low = (at - shift * STEPS) << shift;
            double middle = (double)low + (double)((1ull << shift) - 1) / 2;
            return middle < (double)h->max ? middle : (double)h->max;
        }
    }
    return 0;
}

/* As JSON, in microseconds. */
static inline void histogram_print(const char *name, const Histogram *h) {
    double mean = h->count ? (double)h->sum / (double)h->count : 0;
    printf("\"%s\": {\"count\": %llu, \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
           name, (unsigned long long)h->count, mean / 1e3, histogram_at(h, .5) / 1e3, histogram_at(h, .9) / 1e3,
           histogram_at(h, .99) / 1e3, histogram_at(h, .999) / 1e3, (double)h->max / 1e3);
}

#endif
