/* A fast OpenAI-compatible upstream: one thread, epoll, keep-alive, optionally TLS.
 *
 *   upstream [--port N] [--cert FILE --key FILE]
 *
 * The model's name says what is answered: "bench-CHUNKS-RATE" streams CHUNKS events, RATE a second or (0) in one burst;
 * "-cutK" behind it closes the connection before event K, "-flipK" changes one byte of event K. Without "stream": true
 * a short completion is answered. Prints {"port": N} once it listens and its counts when SIGTERM ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#include "schedule.h"
#include "wire.h"

#define SLAB 65536
#define EVENT_ROOM 1024
#define STREAM_HEADERS                                                                               \
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"                          \
    "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"

typedef struct {
    Timed time; /* first, so that it is the connection */
    int fd, writing;
    char *in, *out;
    size_t in_length, in_room, out_length, out_sent;
    unsigned next, total, cut, flip; /* of the stream that is being answered; next > total: none */
    int streaming, usage;
    uint64_t interval;
#ifdef WITH_TLS
    SSL *tls;
#endif
} Connection;

static int epoll_fd, timer_fd;
static uint64_t requests, events, connections;
#ifdef WITH_TLS
static SSL_CTX *tls_context;
#endif

/* -- one connection -- */

static void drop(Connection *c) {
    heap_remove(&c->time);
#ifdef WITH_TLS
    if (c->tls) SSL_free(c->tls);
#endif
    close(c->fd);
    free(c->in);
    free(c->out);
    c->fd = -1; /* freed by the loop: events of this round may still name it */
}

static ssize_t take(Connection *c, char *to, size_t room) {
#ifdef WITH_TLS
    if (c->tls) {
        ERR_clear_error(); /* another connection's error must not be taken for this one's */
        int got = SSL_read(c->tls, to, (int)room);
        if (got > 0) return got;
        int why = SSL_get_error(c->tls, got);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return 0;
        errno = EAGAIN;
        return -1;
    }
#endif
    return recv(c->fd, to, room, 0);
}

static ssize_t give(Connection *c, const char *from, size_t length) {
#ifdef WITH_TLS
    if (c->tls) {
        ERR_clear_error();
        int sent = SSL_write(c->tls, from, (int)length);
        if (sent > 0) return sent;
        int why = SSL_get_error(c->tls, sent);
        errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
        return -1;
    }
#endif
    return send(c->fd, from, length, MSG_NOSIGNAL);
}

static void watch_writing(Connection *c, int writing) {
    if (c->writing == writing) return;
    c->writing = writing;
    struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void append(Connection *c, const char *data, size_t length) {
    memcpy(c->out + c->out_length, data, length);
    c->out_length += length;
}

static void append_chunk(Connection *c, const char *data, size_t length) {
    c->out_length += (size_t)sprintf(c->out + c->out_length, "%zx\r\n", length);
    append(c, data, length);
    append(c, "\r\n", 2);
}

static void append_event(Connection *c, uint64_t now) {
    char event[sizeof SSE_BEFORE + MARK_LENGTH + sizeof SSE_AFTER];
    size_t length = sizeof SSE_BEFORE - 1;
    memcpy(event, SSE_BEFORE, length);
    write_mark(event + length, c->next, now);
    if (c->flip == c->next + 1) event[length + 3] ^= 1;
    length += MARK_LENGTH;
    memcpy(event + length, SSE_AFTER, sizeof SSE_AFTER - 1);
    append_chunk(c, event, length + sizeof SSE_AFTER - 1);
    c->next++;
    events++;
}

/* Put the events that are due into the buffer, as many as it holds; 0 when the connection is to be cut. */
static int fill(Connection *c, uint64_t now) {
    while (c->streaming && c->out_length + 2 * EVENT_ROOM < SLAB) {
        if (c->next == c->total) {
            append_chunk(c, SSE_FINISH, sizeof SSE_FINISH - 1);
            if (c->usage) append_chunk(c, SSE_USAGE, sizeof SSE_USAGE - 1);
            append_chunk(c, SSE_DONE, sizeof SSE_DONE - 1);
            append(c, "0\r\n\r\n", 5);
            c->streaming = 0;
            heap_remove(&c->time);
            return 1;
        }
        if (c->interval && c->time.due > now) return 1;
        if (c->cut == c->next + 1) return 0;
        append_event(c, now);
        c->time.due += c->interval;
        if (c->time.heap_at >= 0) heap_sift(c->time.heap_at);
    }
    return 1;
}

static void flush(Connection *c, uint64_t now) {
    for (;;) {
        int going_on = fill(c, now);
        while (c->out_sent < c->out_length) {
            ssize_t sent = give(c, c->out + c->out_sent, c->out_length - c->out_sent);
            if (sent < 0) {
                if (errno != EAGAIN) return drop(c);
                heap_remove(&c->time); /* its time does not count while the other side does not read */
                return watch_writing(c, 1);
            }
            c->out_sent += (size_t)sent;
        }
        c->out_sent = c->out_length = 0;
        if (!going_on) return drop(c);
        if (!c->streaming) return watch_writing(c, 0);
        if (c->interval && c->time.due > now) {
            if (c->time.heap_at < 0) heap_add(&c->time);
            return watch_writing(c, 0);
        }
    }
}

static unsigned option(const char *name, const char *end, const char *key) {
    const char *found = memmem(name, (size_t)(end - name), key, strlen(key));
    return found ? (unsigned)atoi(found + strlen(key)) + 1 : 0;
}

static void refuse(Connection *c, const char *status) {
    c->out_length += (size_t)sprintf(c->out + c->out_length, "HTTP/1.1 %s\r\ncontent-length: 0\r\n\r\n", status);
    flush(c, now_ns());
}

static int has(const char *body, size_t length, const char *key) {
    const char *end = body + length, *at = body;
    while ((at = memmem(at, (size_t)(end - at), key, strlen(key)))) {
        at += strlen(key);
        const char *value = at;
        while (value < end && (*value == ' ' || *value == ':')) value++;
        if (end - value >= 4 && !memcmp(value, "true", 4)) return 1;
    }
    return 0;
}

static void answer(Connection *c, const char *body, size_t length) {
    uint64_t now = now_ns();
    const char *name = memmem(body, length, "\"bench-", 7);
    requests++;
    if (!name) return refuse(c, "400 No model that says what to answer");
    name++;
    const char *end = memchr(name, '"', (size_t)(body + length - name));
    if (!end) return refuse(c, "400 Bad Request");
    if (!has(body, length, "\"stream\"")) {
        size_t content = sizeof JSON_BEFORE + sizeof JSON_AFTER - 2 + MARK_LENGTH;
        c->out_length = (size_t)sprintf(
            c->out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", content);
        append(c, JSON_BEFORE, sizeof JSON_BEFORE - 1);
        write_mark(c->out + c->out_length, 0, now);
        c->out_length += MARK_LENGTH;
        append(c, JSON_AFTER, sizeof JSON_AFTER - 1);
        return flush(c, now);
    }
    char *rest;
    double rate;
    c->next = 0;
    c->total = (unsigned)strtoul(name + 6, &rest, 10);
    rate = *rest == '-' ? strtod(rest + 1, NULL) : 0;
    c->interval = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    c->time.due = now;
    c->cut = option(name, end, "-cut");
    c->flip = option(name, end, "-flip");
    c->usage = has(body, length, "\"include_usage\"");
    c->streaming = 1;
    append(c, STREAM_HEADERS, sizeof STREAM_HEADERS - 1);
    append_chunk(c, SSE_HEAD, sizeof SSE_HEAD - 1);
    flush(c, now);
}

/* One request out of what was read; the bytes it took, 0 when it is not complete. */
static size_t parse(Connection *c) {
    char *head_end = memmem(c->in, c->in_length, "\r\n\r\n", 4);
    if (!head_end) return 0;
    size_t head = (size_t)(head_end - c->in) + 4, body = 0;
    *head_end = 0;
    char *declared = strcasestr(c->in, "\r\ncontent-length:");
    if (declared) body = strtoul(declared + 17, NULL, 10);
    *head_end = '\r';
    if (c->in_length < head + body) return 0;
    if (memcmp(c->in, "POST", 4)) refuse(c, "200 OK");
    else if (declared) answer(c, c->in + head, body);
    else refuse(c, "411 Length Required");
    return head + body;
}

static void readable(Connection *c) {
    for (;;) {
        if (c->in_room - c->in_length < SLAB) {
            c->in_room = c->in_room * 2 + SLAB;
            if (!(c->in = realloc(c->in, c->in_room))) die("memory");
        }
        size_t room = c->in_room - c->in_length;
        ssize_t got = take(c, c->in + c->in_length, room);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return drop(c);
        if (got < 0) return;
        c->in_length += (size_t)got;
        size_t used = c->streaming ? 0 : parse(c);
        if (c->fd < 0) return;
        memmove(c->in, c->in + used, c->in_length -= used);
#ifdef WITH_TLS
        if (c->tls) continue; /* it may hold more than the socket tells */
#endif
        if ((size_t)got < room) return;
    }
}

/* -- all of them -- */

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *c = calloc(1, sizeof *c);
        if (!c || !(c->out = malloc(SLAB))) die("memory");
        c->fd = fd;
        c->time.heap_at = -1;
        connections++;
#ifdef WITH_TLS
        if (tls_context) {
            c->tls = SSL_new(tls_context);
            SSL_set_fd(c->tls, fd);
            SSL_set_accept_state(c->tls);
        }
#endif
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void send_due(void) {
    uint64_t now;
    while (heap_count && heap[0]->due <= (now = now_ns())) {
        Connection *c = (Connection *)heap[0];
        flush(c, now);
        if (c->fd < 0) free(c);
    }
    struct itimerspec when = {0};
    if (heap_count) {
        when.it_value.tv_sec = (time_t)(heap[0]->due / 1000000000u);
        when.it_value.tv_nsec = (long)(heap[0]->due % 1000000000u);
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&at, &length);
    printf("{\"port\": %d}\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static void use_tls(const char *cert, const char *key) {
#ifdef WITH_TLS
    tls_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tls_context, cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) == 1)
        return;
    fprintf(stderr, "upstream: the certificate or its key cannot be read\n");
#else
    (void)cert, (void)key;
    fprintf(stderr, "upstream: built without TLS: apt-get install libssl-dev\n");
#endif
    exit(2);
}

int main(int argc, char **argv) {
    const char *cert = NULL, *key = NULL;
    int port = 0, chosen;
    struct option known[] = {{"port", 1, 0, 'p'}, {"cert", 1, 0, 'c'}, {"key", 1, 0, 'k'}, {0, 0, 0, 0}};
    while ((chosen = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (chosen == 'p') port = atoi(optarg);
        else if (chosen == 'c') cert = optarg;
        else if (chosen == 'k') key = optarg;
        else return 2;
    }
    if (cert && key) use_tls(cert, key);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody else would end it */
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    int signals = signalfd(-1, &ending, SFD_CLOEXEC);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int listener = listen_on(port), extra[] = {listener, timer_fd, signals};
    for (int i = 0; i < 3; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &extra[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, extra[i], &e);
    }
    struct epoll_event ready[256];
    for (;;) {
        int count = epoll_wait(epoll_fd, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            uint64_t ticks;
            if (ready[i].data.ptr == &extra[0]) welcome(listener);
            else if (ready[i].data.ptr == &extra[1]) (void)!read(timer_fd, &ticks, sizeof ticks);
            else if (ready[i].data.ptr == &extra[2]) {
                printf("{\"requests\": %lu, \"events\": %lu, \"connections\": %lu}\n", requests, events, connections);
                return 0;
            } else {
                Connection *c = ready[i].data.ptr;
                if (c->writing && ready[i].events & EPOLLOUT) flush(c, now_ns());
                if (c->fd >= 0 && ready[i].events & ~(uint32_t)EPOLLOUT) readable(c);
                if (c->fd < 0) free(c);
            }
        }
        send_due();
    }
}
