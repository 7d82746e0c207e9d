/* Reads a body in chunked transfer, in pieces of any size. */
#ifndef BENCH_CHUNKED_H
#define BENCH_CHUNKED_H

#include <stddef.h>

typedef struct {
    enum { SIZE, DATA, DATA_END, TRAILER } stage;
    size_t left, line; /* bytes of the chunk that are to come; of the line that have come */
} Chunked;

typedef void (*Content)(void *who, const char *data, size_t length);

/* Chunked transfer; 1 when the last chunk is over, -1 when it is none. */
static int chunked_read(Chunked *c, const char *data, size_t length, Content content, void *who) {
    for (const char *end = data + length; data < end;) {
        if (c->stage == DATA) {
            size_t part = (size_t)(end - data) < c->left ? (size_t)(end - data) : c->left;
            content(who, data, part);
            data += part;
            if (!(c->left -= part)) c->stage = DATA_END;
            continue;
        }
        char byte = *data++;
        if (byte == '\r') continue;
        if (c->stage == SIZE && byte != '\n') {
            int digit = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 32) >= 'a' && (byte | 32) <= 'f' ? (byte | 32) - 'a' + 10 : -1;
            if (digit < 0) return -1;
            c->left = c->left * 16 + (size_t)digit;
            c->line++;
        } else if (c->stage == SIZE) {
            if (!c->line) return -1;
            c->stage = c->left ? DATA : TRAILER;
            c->line = 0;
        } else if (c->stage == DATA_END) {
            if (byte != '\n') return -1;
            c->stage = SIZE;
        } else if (byte != '\n') {
            c->line++;
        } else if (!c->line) {
            return 1;
        } else {
            c->line = 0;
        }
    }
    return 0;
}

#endif
