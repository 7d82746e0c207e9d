/* A client that loads a gateway and checks every answer: one thread, epoll, HTTP/1.1 keep-alive.
 *
 *   load --port N --request FILE --kind json|sse|text --chunks N --connections N
 *        (--requests N | --seconds S [--warmup S]) [--rate PER_SECOND] [--ramp S] [--loose] [--stall] [--leave]
 *        [--watch NAME=PID,PID]...
 *
 * FILE holds the request, head and body. Without --rate each connection asks again when it has its answer (closed
 * loop); with it requests are due at fixed times, and their latency counts from then (open loop). --ramp spreads the
 * first requests, --stall stops reading after the first event until the window ends, --leave hangs up then. Counted is
 * the window of --seconds after --warmup; --watch measures the CPU time of processes in it. Where every stream began
 * before the window, so did the first events that are told. Every answer is checked, in the window or not.
 * Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "chunked.h"
#include "expect.h"
#include "histogram.h"
#include "watch.h"

#define READ_ROOM 262144
#define HEAD_ROOM 8192
#define GRACE 30000000000ull /* for answers that are not over when the window ends */

enum state { CLOSED, CONNECTING, SENDING, READING_HEAD, READING_BODY };
enum framing { LENGTH, CHUNKED, UNTIL_CLOSE };

typedef struct {
    int fd, asked, closing, status, stalled, seen_first;
    enum state state;
    enum framing framing;
    Chunked chunked;
    size_t sent, head_length, left;
    uint64_t started;
    char head[HEAD_ROOM];
    Expected expected;
} Connection;

static struct {
    int port, loose, stall, leave, count;
    unsigned chunks;
    enum kind kind;
    uint64_t requests, warmup, window, ramp;
    double rate;
    char *request;
    size_t length;
} wanted = {.kind = JSON, .chunks = 1, .count = 1};

static struct {
    uint64_t ok, cut, corrupt, incomplete, status, failed, unfinished, left, events, bytes;
    uint64_t window_ok, window_events, window_bytes, begun;
} counts;

static Histogram latency, first, early, transit;
static int epoll_fd, open_count, idle_count, is_over, in_window;
static Connection *all, **idle;
static uint64_t start, window_start, window_end, read_at, own_before, own_after;
static char sample[240], buffer[READ_ROOM];

/* -- the window -- */

static void open_window(uint64_t now) {
    window_start = now;
    in_window = 1;
    for (int i = 0; i < watch_count; i++) watches[i].before = cpu_of(&watches[i]);
    own_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void close_window(uint64_t now) {
    window_end = now;
    in_window = 0;
    is_over = 1;
    for (int i = 0; i < watch_count; i++) watches[i].after = cpu_of(&watches[i]);
    own_after = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < watch_count; i++)
        for (int pid = 0; pid < watches[i].count; pid++) watches[i].rss_kb += rss_of(watches[i].pids[pid]);
}

/* -- one connection -- */

static void interest(Connection *c, uint32_t events, int how) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, how, c->fd, &e)) die("epoll_ctl");
}

static void hang_up(Connection *c) {
    if (c->state != CLOSED) {
        close(c->fd);
        open_count--;
    }
    c->state = CLOSED;
    c->stalled = 0;
}

static void send_request(Connection *c) {
    while (c->sent < wanted.length) {
        ssize_t sent = send(c->fd, wanted.request + c->sent, wanted.length - c->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (c->state != SENDING) interest(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            c->state = SENDING;
            return;
        }
        if (sent < 0) break; /* the answer, or the end, is read next */
        c->sent += (size_t)sent;
    }
    if (c->state == SENDING || c->state == CONNECTING) interest(c, EPOLLIN, EPOLL_CTL_MOD);
    c->state = READING_HEAD;
}

static void dial(Connection *c) {
    int on = 1, small = 65536;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (wanted.stall) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    c->state = CONNECTING;
    open_count++;
    interest(c, EPOLLOUT, EPOLL_CTL_ADD);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
}

static void ask(Connection *c, uint64_t due) {
    c->asked = 1;
    c->started = due;
    c->sent = c->head_length = c->left = 0;
    c->seen_first = c->closing = 0;
    c->chunked = (Chunked){0};
    c->expected = (Expected){0};
    counts.begun++;
    if (c->state == CLOSED) dial(c);
    else send_request(c);
}

/* The answer is over, one way or another: the connection may ask again. */
static void over(Connection *c, uint64_t *kind, int keep) {
    ++*kind;
    if (kind == &counts.ok && in_window) {
        counts.window_ok++;
        histogram_add(&latency, read_at - c->started);
    }
    if (!keep || c->closing) hang_up(c);
    else c->state = READING_HEAD, c->head_length = 0;
    c->asked = 0;
    idle[idle_count++] = c;
}

static void judge(Connection *c) {
    const Expected *e = &c->expected;
    int whole = wanted.loose ? e->next == wanted.chunks && e->at == 0 : e->stage == OVER;
    if (c->status != 200) over(c, &counts.status, 1);
    else if (e->wrong) over(c, &counts.corrupt, 1);
    else over(c, whole ? &counts.ok : &counts.incomplete, 1);
}

static void seen_mark(void *who, uint64_t sent_at) {
    Connection *c = who;
    counts.events++;
    if (!c->seen_first) {
        c->seen_first = 1;
        if (!is_over) histogram_add(in_window ? &first : &early, read_at - c->started);
    }
    if (in_window) {
        counts.window_events++;
        histogram_add(&transit, read_at - sent_at);
    }
}

static void body(void *who, const char *data, size_t length) {
    Connection *c = who;
    counts.bytes += length;
    if (in_window) counts.window_bytes += length;
    if (c->status != 200) {
        size_t kept = strlen(sample), room = sizeof sample - 1 - kept;
        if (!counts.status) memcpy(sample + kept, data, length < room ? length : room);
        return;
    }
    if (wanted.loose) expect_marks(&c->expected, wanted.chunks, data, length, seen_mark, c);
    else expect_exactly(&c->expected, wanted.kind, wanted.chunks, data, length, seen_mark, c);
}

static void more_body(Connection *c, const char *data, size_t length) {
    if (c->framing == CHUNKED) {
        int ended = chunked_read(&c->chunked, data, length, body, c);
        if (ended > 0) judge(c);
        else if (ended < 0) over(c, &counts.corrupt, 0);
        return;
    }
    size_t part = c->framing == LENGTH && length > c->left ? c->left : length;
    body(c, data, part);
    if (c->framing == LENGTH && !(c->left -= part)) judge(c);
}

static void head(Connection *c, const char *data, size_t length) {
    size_t room = HEAD_ROOM - 1 - c->head_length, part = length < room ? length : room;
    memcpy(c->head + c->head_length, data, part);
    c->head[c->head_length + part] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        c->head_length += part;
        if (part < length) over(c, &counts.corrupt, 0);
        return;
    }
    size_t used = (size_t)(end - c->head) + 4 - c->head_length;
    end[2] = 0;
    c->status = strncmp(c->head, "HTTP/1.1 ", 9) ? 0 : atoi(c->head + 9);
    char *declared = strcasestr(c->head, "\r\ncontent-length:");
    c->framing = declared ? LENGTH : strcasestr(c->head, "\r\ntransfer-encoding: chunked") ? CHUNKED : UNTIL_CLOSE;
    c->left = declared ? strtoul(declared + 17, NULL, 10) : 0;
    c->closing = c->framing == UNTIL_CLOSE || strcasestr(c->head, "\r\nconnection: close") != NULL;
    c->state = READING_BODY;
    if (declared && !c->left) judge(c);
    else if (length > used) more_body(c, data + used, length - used);
}

static void ended(Connection *c) {
    if (c->state == READING_BODY && c->framing == UNTIL_CLOSE) judge(c);
    else over(c, c->state == READING_BODY ? &counts.cut : &counts.failed, 0);
}

static void readable(Connection *c) {
    ssize_t got = recv(c->fd, buffer, wanted.stall ? 16384 : READ_ROOM, 0);
    read_at = now_ns();
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (c->asked) ended(c);
        else hang_up(c);
        return;
    }
    if (c->state == READING_BODY) more_body(c, buffer, (size_t)got);
    else head(c, buffer, (size_t)got);
    if (wanted.stall && c->state == READING_BODY && c->seen_first && !is_over) {
        c->stalled = 1;
        interest(c, 0, EPOLL_CTL_MOD);
    }
}

/* -- the whole run -- */

static uint64_t due_at(uint64_t number) {
    if (wanted.rate > 0) return start + (uint64_t)((double)number * 1e9 / wanted.rate);
    if (number < (uint64_t)wanted.count) return start + wanted.ramp * number / (uint64_t)wanted.count;
    return 0;
}

/* Ask what is due and has a connection; when the next is due, 0 = when an answer is over. */
static uint64_t ask_due(uint64_t now) {
    while (idle_count && !is_over && (!wanted.requests || counts.begun < wanted.requests)) {
        uint64_t due = due_at(counts.begun);
        if (due > now) return due;
        ask(idle[--idle_count], due && (wanted.rate > 0) ? due : now);
    }
    return 0;
}

/* The window is over: who stopped reading goes on, or all leave. */
static void go_on_reading(void) {
    for (int i = 0; i < wanted.count; i++)
        if (wanted.leave && all[i].asked) {
            over(&all[i], &counts.left, 0);
        } else if (all[i].stalled && all[i].state == READING_BODY) {
            all[i].stalled = 0;
            interest(&all[i], EPOLLIN, EPOLL_CTL_MOD);
        }
}

static void run(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), waiting;
    struct epoll_event ready[256], e = {.events = EPOLLIN, .data.ptr = NULL};
    uint64_t armed = 0, ticks;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &e);
    start = now_ns();
    if (wanted.requests) open_window(start);
    do {
        uint64_t now = now_ns(), wake;
        if (!window_start && now >= start + wanted.warmup) open_window(now);
        if (!is_over && !wanted.requests && window_start && now >= window_start + wanted.window) {
            close_window(now);
            go_on_reading();
        }
        wake = ask_due(now);
        uint64_t limit = is_over ? window_end + GRACE
                         : wanted.requests ? 0
                         : window_start ? window_start + wanted.window : start + wanted.warmup;
        if (is_over && now >= limit) break;
        if (!wake || (limit && limit < wake)) wake = limit;
        if (wake != armed) {
            struct itimerspec when = {.it_value = {(time_t)(wake / 1000000000u), (long)(wake % 1000000000u)}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
            armed = wake;
        }
        if (idle_count == wanted.count && (is_over || (wanted.requests && counts.begun >= wanted.requests))) break;
        waiting = epoll_wait(epoll_fd, ready, 256, -1);
        for (int i = 0; i < waiting; i++) {
            Connection *c = ready[i].data.ptr;
            if (!c) {
                (void)!read(timer, &ticks, sizeof ticks);
                armed = 0;
            } else if (c->state == CONNECTING || (c->state == SENDING && ready[i].events & EPOLLOUT)) {
                int error = 0;
                socklen_t size = sizeof error;
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
                if (error) over(c, &counts.failed, 0);
                else send_request(c);
            } else if (c->state != CLOSED) {
                readable(c);
            }
        }
    } while (1);
    if (!is_over) close_window(now_ns());
    counts.unfinished = (uint64_t)(wanted.count - idle_count);
}

static void print(void) {
    printf("{\"seconds\": %.6f, ", (double)(window_end - window_start) / 1e9);
    printf("\"ok\": %lu, \"cut\": %lu, \"corrupt\": %lu, \"incomplete\": %lu, \"status\": %lu, \"failed\": %lu, "
           "\"unfinished\": %lu, \"left\": %lu, \"events\": %lu, \"bytes\": %lu, ",
           counts.ok, counts.cut, counts.corrupt, counts.incomplete, counts.status, counts.failed, counts.unfinished, counts.left,
           counts.events, counts.bytes);
    printf("\"window\": {\"answers\": %lu, \"events\": %lu, \"bytes\": %lu}, ", counts.window_ok, counts.window_events,
           counts.window_bytes);
    printf("\"watched\": {\"load\": {\"cpu_ns\": %lu}", own_after - own_before);
    for (int i = 0; i < watch_count; i++)
        printf(", \"%s\": {\"cpu_ns\": %lu, \"rss_kb\": %lu}", watches[i].name, watches[i].after - watches[i].before,
               watches[i].rss_kb);
    printf("}, ");
    histogram_print("latency", &latency);
    printf(", ");
    histogram_print("first", first.count ? &first : &early);
    printf(", ");
    histogram_print("transit", &transit);
    printf(", \"sample\": \"");
    for (const char *p = sample; *p; p++)
        if (*p == '"' || *p == '\\') printf("\\%c", *p);
        else putchar(*p >= 32 && *p < 127 ? *p : '?');
    printf("\"}\n");
}

static void load_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    wanted.length = (size_t)ftell(file);
    rewind(file);
    wanted.request = malloc(wanted.length + 1);
    if (!wanted.request || fread(wanted.request, 1, wanted.length, file) != wanted.length) die(path);
    fclose(file);
}

static void read_options(int argc, char **argv) {
    struct option known[] = {{"port", 1, 0, 'p'},     {"request", 1, 0, 'f'}, {"kind", 1, 0, 'k'},  {"chunks", 1, 0, 'n'},
                             {"connections", 1, 0, 'c'}, {"requests", 1, 0, 'q'}, {"seconds", 1, 0, 's'}, {"warmup", 1, 0, 'w'},
                             {"rate", 1, 0, 'r'},     {"ramp", 1, 0, 'a'},    {"loose", 0, 0, 'l'}, {"stall", 0, 0, 't'}, {"leave", 0, 0, 'v'},
                             {"watch", 1, 0, 'o'},    {0, 0, 0, 0}};
    int chosen;
    while ((chosen = getopt_long(argc, argv, "", known, NULL)) != -1) switch (chosen) {
            case 'p': wanted.port = atoi(optarg); break;
            case 'f': load_request(optarg); break;
            case 'k': wanted.kind = !strcmp(optarg, "sse") ? SSE : !strcmp(optarg, "text") ? TEXT : JSON; break;
            case 'n': wanted.chunks = (unsigned)atoi(optarg); break;
            case 'c': wanted.count = atoi(optarg); break;
            case 'q': wanted.requests = strtoull(optarg, NULL, 10); break;
            case 's': wanted.window = (uint64_t)(atof(optarg) * 1e9); break;
            case 'w': wanted.warmup = (uint64_t)(atof(optarg) * 1e9); break;
            case 'r': wanted.rate = atof(optarg); break;
            case 'a': wanted.ramp = (uint64_t)(atof(optarg) * 1e9); break;
            case 'l': wanted.loose = 1; break;
            case 't': wanted.stall = 1; break;
            case 'v': wanted.leave = 1; break;
            case 'o': add_watch(optarg); break;
            default: exit(2);
        }
    if (!wanted.port || !wanted.request || wanted.count < 1 || (!wanted.requests && !wanted.window)) {
        fprintf(stderr, "load: --port, --request and --requests or --seconds are needed\n");
        exit(2);
    }
}

int main(int argc, char **argv) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    read_options(argc, argv);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    all = calloc((size_t)wanted.count, sizeof *all);
    idle = calloc((size_t)wanted.count, sizeof *idle);
    if (!all || !idle) die("memory");
    for (int i = wanted.count - 1; i >= 0; i--) idle[idle_count++] = &all[i];
    run();
    print();
    return 0;
}
