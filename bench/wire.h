/* What the upstream writes and the load client expects: both sides are compiled from these bytes. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* An event's text is a mark: "#", six digits of its number, "@", its time of sending, ":", a checksum. */
#define MARK_LENGTH 29
#define MARK_SUMMED 24

#define META                                                                                         \
    "\"id\":\"chatcmpl-BenchBenchBenchBenchBench0001\",\"object\":\"chat.completion.chunk\","        \
    "\"created\":1700000000,\"model\":\"bench\",\"service_tier\":\"default\","                       \
    "\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,\"delta\":"
#define SSE_HEAD                                                                                     \
    "data: {" META "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"   \
    "\"finish_reason\":null}],\"obfuscation\":\"abcdefgh\"}\n\n"
#define SSE_BEFORE "data: {" META "{\"content\":\""
#define SSE_AFTER                                                                                    \
    "\"},\"logprobs\":null,\"finish_reason\":null}],\"obfuscation\":\"abcdefghijklmnopqrstuvwxyz\"}\n\n"
#define SSE_FINISH                                                                                   \
    "data: {" META "{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"obfuscation\":\"abcd\"}\n\n"
#define SSE_USAGE                                                                                    \
    "data: {\"id\":\"chatcmpl-BenchBenchBenchBenchBench0001\",\"object\":\"chat.completion.chunk\"," \
    "\"created\":1700000000,\"model\":\"bench\",\"choices\":[],"                                     \
    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":100,\"total_tokens\":109}}\n\n"
#define SSE_DONE "data: [DONE]\n\n"
#define JSON_BEFORE                                                                                  \
    "{\"id\":\"chatcmpl-BenchBenchBenchBenchBench0001\",\"object\":\"chat.completion\","             \
    "\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":"              \
    "{\"role\":\"assistant\",\"content\":\""
#define JSON_AFTER                                                                                   \
    "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"                           \
    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18},"                   \
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\"}"

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint16_t mark_sum(const char *mark) {
    uint32_t sum = 2166136261u;
    for (int i = 0; i < MARK_SUMMED; i++) sum = (sum ^ (unsigned char)mark[i]) * 16777619u;
    return (uint16_t)(sum ^ (sum >> 16));
}

static inline void hex_digits(char *to, uint64_t value, int count) {
    for (int i = count - 1; i >= 0; i--, value >>= 4) to[i] = "0123456789abcdef"[value & 15];
}

static inline void write_mark(char *to, unsigned number, uint64_t at) {
    to[0] = '#';
    for (int i = 6; i >= 1; i--, number /= 10) to[i] = (char)('0' + number % 10);
    to[7] = '@';
    hex_digits(to + 8, at, 16);
    to[24] = ':';
    hex_digits(to + 25, mark_sum(to), 4);
}

/* Whether this is the mark of that number; its time of sending goes to `at`. */
static inline int read_mark(const char *mark, unsigned number, uint64_t *at) {
    char expected[MARK_LENGTH];
    uint64_t value = 0;
    for (int i = 8; i < 24; i++) {
        int c = mark[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return 0;
        value = value << 4 | (uint64_t)digit;
    }
    write_mark(expected, number, value);
    *at = value;
    return memcmp(mark, expected, MARK_LENGTH) == 0;
}

static inline void die(const char *what) {
    perror(what);
    exit(2);
}

#endif
