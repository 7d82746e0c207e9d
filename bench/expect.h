/* Checks an answer's body while it comes, in pieces of any size: every byte, or (loosely) every mark in it. */
#ifndef BENCH_EXPECT_H
#define BENCH_EXPECT_H

#include "wire.h"

enum kind { JSON, SSE, TEXT };

typedef struct {
    const char *text;
    size_t length;
} Piece;

#define PIECE(literal) {literal, sizeof(literal) - 1}

/* What is around the marks, by kind. */
static const struct {
    Piece head, before, after, tail;
} SHAPES[] = {
    [JSON] = {{"", 0}, PIECE(JSON_BEFORE), PIECE(JSON_AFTER), {"", 0}},
    [SSE] = {PIECE(SSE_HEAD), PIECE(SSE_BEFORE), PIECE(SSE_AFTER), PIECE(SSE_FINISH SSE_DONE)},
    [TEXT] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}},
};

enum stage { HEAD, BEFORE, MARK, AFTER, TAIL, OVER };

typedef struct {
    enum stage stage;
    size_t at;         /* bytes of the current piece that have come */
    unsigned next;     /* the mark that is expected */
    int wrong;         /* a byte was not the expected one */
    char mark[MARK_LENGTH];
} Expected;

typedef void (*MarkSeen)(void *who, uint64_t sent_at);

static const Piece *piece_of(const Expected *e, enum kind kind) {
    switch (e->stage) {
        case HEAD: return &SHAPES[kind].head;
        case BEFORE: return &SHAPES[kind].before;
        case AFTER: return &SHAPES[kind].after;
        default: return &SHAPES[kind].tail;
    }
}

static void mark_over(Expected *e, MarkSeen seen, void *who) {
    uint64_t at;
    if (!read_mark(e->mark, e->next, &at)) {
        e->wrong = 1;
        return;
    }
    e->next++;
    e->at = 0;
    seen(who, at);
}

/* Exactly: all bytes are known but for the marks. */
static void expect_exactly(Expected *e, enum kind kind, unsigned total, const char *data, size_t length, MarkSeen seen, void *who) {
    while (!e->wrong) {
        if (e->stage == MARK) {
            size_t part = MARK_LENGTH - e->at < length ? MARK_LENGTH - e->at : length;
            memcpy(e->mark + e->at, data, part);
            e->at += part, data += part, length -= part;
            if (e->at < MARK_LENGTH) return;
            mark_over(e, seen, who);
            e->stage = AFTER;
        } else if (e->stage == OVER) {
            e->wrong = length > 0;
            return;
        } else {
            const Piece *piece = piece_of(e, kind);
            size_t part = piece->length - e->at < length ? piece->length - e->at : length;
            if (memcmp(piece->text + e->at, data, part)) {
                e->wrong = 1;
                return;
            }
            e->at += part, data += part, length -= part;
            if (e->at < piece->length) return;
            e->at = 0;
            if (e->stage == HEAD || e->stage == AFTER) e->stage = e->next < total ? BEFORE : TAIL;
            else e->stage = e->stage == BEFORE ? MARK : OVER;
        }
    }
}

/* Loosely, for gateways that write events anew: the marks in order, whatever is around them. */
static void expect_marks(Expected *e, unsigned total, const char *data, size_t length, MarkSeen seen, void *who) {
    while (length && !e->wrong) {
        if (e->at == 0) {
            const char *found = memchr(data, '#', length);
            if (!found) return;
            length -= (size_t)(found - data);
            data = found;
        }
        size_t part = MARK_LENGTH - e->at < length ? MARK_LENGTH - e->at : length;
        memcpy(e->mark + e->at, data, part);
        e->at += part, data += part, length -= part;
        if (e->at < MARK_LENGTH) return;
        mark_over(e, seen, who);
        if (e->next > total) e->wrong = 1;
    }
}

#endif
