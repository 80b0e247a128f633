/*
 * All public calls at once, for as long as is asked for: what they promise to threads, signal handlers and
 * children holds if every call has the same outcome each time, whatever goes on beside it.
 *
 *   8 threads   make calls (calls.h) with random arguments, each twice
 *   a thread    changes the tier all the time
 *   a thread    sends signals to those that call, whose handler makes a call, too
 *   a thread    forks; the child makes calls
 *   a thread    loads the library once more, calls it, and unloads it
 *
 * usage: soak SECONDS [LIBRARY [SEED]]
 */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/calls.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define HAS_TSAN
#endif

enum { CALLERS = 8, INPUT = 200, KNOWN = 300 };

static atomic_bool is_over;
static uint64_t first_seed;

/* ---- Failures, and what was done ---- */

static atomic_ulong n_cases, n_tiers, n_signals, n_children, n_loads, n_failures;

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "failed: %s\n", what);
        atomic_fetch_add(&n_failures, 1);
    }
}

/* ---- Inputs at random ---- */

static uint64_t noise(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static size_t make_input(uint64_t *state, uint8_t *input)
{
    for (size_t i = 0; i < INPUT; i += 8) {
        const uint64_t word = noise(state);
        memcpy(input + i, &word, 8);
    }
    return 8 + noise(state) % (INPUT - 8);
}

static void pause_us(long us)
{
    const struct timespec time = {0, us * 1000};
    nanosleep(&time, NULL);
}

/* ---- A call whose result is known ---- */

typedef dropwise_status init_fn(dropwise_mask *, double, uint64_t, uint64_t);
typedef dropwise_status forward_fn(const dropwise_mask *, dropwise_dtype, uint64_t, size_t, const void *,
                                   void *, void *);

static float known_x[KNOWN], known_y[KNOWN];

static dropwise_status make_known(init_fn *init, forward_fn *forward, float *y)
{
    dropwise_mask mask;
    const dropwise_status status = init(&mask, 0.3, 11, 22);
    return status != DROPWISE_OK ? status : forward(&mask, DROPWISE_F32, 33, KNOWN, known_x, y, NULL);
}

static bool is_known(init_fn *init, forward_fn *forward)
{
    float y[KNOWN];
    return make_known(init, forward, y) == DROPWISE_OK && memcmp(y, known_y, sizeof y) == 0;
}

/* ---- Threads ---- */

static bool same_twice(const uint8_t *input, size_t n)
{
    static _Thread_local outcome once, again;
    make_calls(input, n, &once);
    make_calls(input, n, &again);
    return same_outcome(&once, &again);
}

static void *call(void *number)
{
    uint64_t state = first_seed + *(const uint64_t *)number;
    uint8_t input[INPUT];
    while (!atomic_load(&is_over)) {
        const size_t n = make_input(&state, input);
        expect(same_twice(input, n), "a call had another outcome the second time");
        atomic_fetch_add(&n_cases, 2);
    }
    return NULL;
}

static void *change_tiers(void *unused)
{
    uint64_t state = first_seed + 100;
    (void)unused;
    while (!atomic_load(&is_over)) {
        const dropwise_isa isa = (dropwise_isa)(noise(&state) % 8);
        if (dropwise_isa_check(isa) == DROPWISE_OK) {
            expect(dropwise_isa_select(isa) == DROPWISE_OK, "a tier that can be used was not selected");
            atomic_fetch_add(&n_tiers, 1);
        }
        pause_us(50);
    }
    return NULL;
}

static void handle(int number)
{
    (void)number;
    const int error = errno;
    if (!is_known(dropwise_mask_init, dropwise_forward))
        atomic_fetch_add(&n_failures, 1);
    atomic_fetch_add(&n_signals, 1);
    errno = error;
}

static void *send_signals(void *callers)
{
    const pthread_t *threads = callers;
    for (size_t i = 0; !atomic_load(&is_over); i++) {
        expect(pthread_kill(threads[i % CALLERS], SIGUSR1) == 0, "a signal was not sent");
        pause_us(200);
    }
    return NULL;
}

static void *make_children(void *unused)
{
    uint64_t state = first_seed + 200;
    uint8_t input[INPUT];
    (void)unused;
    while (!atomic_load(&is_over)) {
        const size_t n = make_input(&state, input);
        same_twice(input, n); /* so that the thread has its memory */
        const pid_t child = fork();
        if (child == 0)
            _exit(same_twice(input, n) && is_known(dropwise_mask_init, dropwise_forward) ? 0 : 1);
        int status = -1;
        expect(child > 0, "no child was made");
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        expect(status == 0, "a child's calls failed");
        atomic_fetch_add(&n_children, 1);
        pause_us(2000);
    }
    return NULL;
}

static void *load_again(void *name)
{
    while (!atomic_load(&is_over)) {
        void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            atomic_fetch_add(&n_failures, 1);
            return NULL;
        }
        void *init = dlsym(library, "dropwise_mask_init"), *forward = dlsym(library, "dropwise_forward");
        init_fn *init_function;
        forward_fn *forward_function;
        memcpy(&init_function, &init, sizeof init); /* POSIX's way, in words of C */
        memcpy(&forward_function, &forward, sizeof forward);
        expect(is_known(init_function, forward_function), "the library's second copy drew something else");
        dlclose(library);
        atomic_fetch_add(&n_loads, 1);
        pause_us(1000);
    }
    return NULL;
}

static pthread_t begin(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0)
        abort();
    return thread;
}

int main(int argc, char **argv)
{
    const long seconds = argc >= 2 && argc <= 4 ? strtol(argv[1], NULL, 10) : 0;
    if (seconds <= 0) {
        fprintf(stderr, "usage: soak SECONDS [LIBRARY [SEED]]\n");
        return 2;
    }
    first_seed = argc == 4 ? strtoull(argv[3], NULL, 10) << 32 : 0;
    for (size_t i = 0; i < KNOWN; i++)
        known_x[i] = (float)i + 0.5F;
    if (make_known(dropwise_mask_init, dropwise_forward, known_y) != DROPWISE_OK)
        return 1;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);

    pthread_t callers[CALLERS], others[4];
    uint64_t numbers[CALLERS];
    size_t n_others = 0;
    for (uint64_t i = 0; i < CALLERS; i++) {
        numbers[i] = i;
        callers[i] = begin(call, &numbers[i]);
    }
    others[n_others++] = begin(change_tiers, NULL);
    const pthread_t signals = begin(send_signals, callers);
#ifndef HAS_TSAN /* it follows neither children of programs with threads nor libraries that come and go */
    others[n_others++] = begin(make_children, NULL);
    if (argc >= 3)
        others[n_others++] = begin(load_again, argv[2]);
#endif
    for (long left = seconds; left > 0 && atomic_load(&n_failures) == 0; left--) {
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%ld s left, %lu cases ", left, atomic_load(&n_cases));
        sleep(1);
    }
    atomic_store(&is_over, true);
    pthread_join(signals, NULL); /* before those that it sends to */
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    for (size_t i = 0; i < n_others; i++)
        pthread_join(others[i], NULL);
    printf("%lu cases, %lu changes of the tier, %lu signals, %lu children, %lu loads: %lu failures\n",
           atomic_load(&n_cases), atomic_load(&n_tiers), atomic_load(&n_signals), atomic_load(&n_children),
           atomic_load(&n_loads), atomic_load(&n_failures));
    return atomic_load(&n_failures) != 0;
}
