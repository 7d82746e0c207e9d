/* Counts what the main thread of a Python process asks of the system and of the allocator.
 *
 * LD_PRELOAD it: calls of the C library that become system calls are counted on their way, but for those that wait: how
 * often an event loop has to is a matter of time. `counter_hook` puts a
 * counter before Python's allocators. Under Callgrind `counter_from` and `counter_to` bound what it counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif

enum { ALLOCATIONS, READS, WRITES, OTHERS, KINDS };
static long counts[KINDS];
static __thread int in_main; /* 0 unknown, 1 yes, -1 no */

static void count(int kind) {
    if (!in_main) in_main = syscall(SYS_gettid) == getpid() ? 1 : -1;
    if (in_main > 0) counts[kind]++;
}

/* -- system calls ------------------------------------------------------------------------------------------------- */

#define COUNTED(kind, result, name, parameters, arguments)                             \
    result name parameters {                                                           \
        static result(*real) parameters;                                               \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);               \
        count(kind);                                                                   \
        return real arguments;                                                         \
    }

COUNTED(READS, ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
COUNTED(READS, ssize_t, readv, (int fd, const struct iovec *to, int many), (fd, to, many))
COUNTED(READS, ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
COUNTED(READS, ssize_t, recvmsg, (int fd, struct msghdr *to, int flags), (fd, to, flags))
COUNTED(WRITES, ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
COUNTED(WRITES, ssize_t, writev, (int fd, const struct iovec *from, int many), (fd, from, many))
COUNTED(WRITES, ssize_t, send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags))
COUNTED(WRITES, ssize_t, sendmsg, (int fd, const struct msghdr *from, int flags), (fd, from, flags))
COUNTED(OTHERS, int, epoll_ctl, (int fd, int what, int of, struct epoll_event *event), (fd, what, of, event))
COUNTED(OTHERS, int, setsockopt, (int fd, int level, int name, const void *from, socklen_t size),
        (fd, level, name, from, size))
COUNTED(OTHERS, int, socket, (int family, int kind, int protocol), (family, kind, protocol))
COUNTED(OTHERS, int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size))
COUNTED(OTHERS, int, accept4, (int fd, struct sockaddr *from, socklen_t *size, int flags), (fd, from, size, flags))
COUNTED(OTHERS, int, shutdown, (int fd, int how), (fd, how))
COUNTED(OTHERS, int, close, (int fd), (fd))
COUNTED(OTHERS, int, fsync, (int fd), (fd))
COUNTED(OTHERS, int, fdatasync, (int fd), (fd))
COUNTED(OTHERS, ssize_t, getrandom, (void *to, size_t size, unsigned flags), (to, size, flags))
struct pollfd;
COUNTED(OTHERS, int, poll, (struct pollfd *of, unsigned long many, int ms), (of, many, ms))

/* -- Python's allocators, as Include/cpython/pymem.h declares them -------------------------------------------------- */

typedef struct {
    void *ctx;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
} Allocator;
enum { MEM = 1, OBJ = 2 };
static Allocator under[3];

static void *counted_malloc(void *ctx, size_t size) {
    Allocator *to = ctx;
    count(ALLOCATIONS);
    return to->malloc(to->ctx, size);
}

static void *counted_calloc(void *ctx, size_t many, size_t size) {
    Allocator *to = ctx;
    count(ALLOCATIONS);
    return to->calloc(to->ctx, many, size);
}

static void *counted_realloc(void *ctx, void *old, size_t size) {
    Allocator *to = ctx;
    count(ALLOCATIONS);
    return to->realloc(to->ctx, old, size);
}

static void counted_free(void *ctx, void *old) {
    Allocator *to = ctx;
    to->free(to->ctx, old);
}

/* Call it once, holding the interpreter's lock; 0 when this is no Python. */
int counter_hook(void) {
    void (*get)(int, Allocator *) = (void (*)(int, Allocator *))dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
    void (*set)(int, Allocator *) = (void (*)(int, Allocator *))dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
    if (!get || !set) return 0;
    for (int domain = MEM; domain <= OBJ; domain++) {
        Allocator counted = {&under[domain], counted_malloc, counted_calloc, counted_realloc, counted_free};
        get(domain, &under[domain]);
        set(domain, &counted);
    }
    return 1;
}

/* -- for the plugin ------------------------------------------------------------------------------------------------- */

void counter_read(long *into) {
    for (int kind = 0; kind < KINDS; kind++) into[kind] = counts[kind];
}

void counter_from(void) {
#ifdef CALLGRIND_START_INSTRUMENTATION
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
#endif
}

void counter_to(void) {
#ifdef CALLGRIND_DUMP_STATS
    CALLGRIND_DUMP_STATS; /* and count on: to translate all of it again at every start takes longest */
#endif
}
