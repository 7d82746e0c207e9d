/* How long a program is kept off its core that does nothing but look at the clock.
 *
 *   pauses SECONDS
 *
 * What is told was taken by others: processes, the kernel, whatever runs the machine itself. Interrupts are shorter than
 * what counts here. Prints one line of JSON.
 */
#include "wire.h"

#define SEEN 100000ull /* ns between two looks that are no work of ours */
#define LONG 1000000ull

int main(int argc, char **argv) {
    double seconds = argc == 2 ? atof(argv[1]) : 0;
    if (seconds <= 0) {
        fprintf(stderr, "pauses: seconds are needed\n");
        return 2;
    }
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), before = start, taken = 0, most = 0;
    unsigned count = 0;
    while (before < end) {
        uint64_t now = now_ns(), pause = now - before;
        if (pause > SEEN) taken += pause;
        if (pause > LONG) count++;
        if (pause > most) most = pause;
        before = now;
    }
    printf("{\"seconds\": %.6f, \"taken_ms\": %.3f, \"over_1_ms\": %u, \"longest_ms\": %.3f}\n", (double)(before - start) / 1e9,
           (double)taken / 1e6, count, (double)most / 1e6);
    return 0;
}
