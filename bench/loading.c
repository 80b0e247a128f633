/*
 * What it costs to load the library: prints microseconds for dlopen of an empty library, for dlopen of the
 * library, and for the library's constructor alone, that of the copy that is linked into this program.
 *
 * usage: loading EMPTY LIBRARY [DEPENDENCY...]    dependencies are loaded before, and not counted
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dropwise.h"

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

/* Before the constructors that have no priority, of which the library's is the only one. */
static double before_constructor;

__attribute__((constructor(101))) static void take_time(void)
{
    microseconds(); /* the first call is slower */
    before_constructor = microseconds();
}

static void load(const char *path)
{
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL) == NULL) {
        fprintf(stderr, "loading: %s\n", dlerror());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const double constructor = microseconds() - before_constructor;
    if (dropwise_isa_active() == DROPWISE_ISA_AUTO) /* so that the library is linked */
        return 1;
    if (argc < 3) {
        fprintf(stderr, "usage: loading EMPTY LIBRARY [DEPENDENCY...]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        load(argv[i]);

    const double start = microseconds();
    load(argv[1]);
    const double with_empty = microseconds();
    load(argv[2]);
    const double with_both = microseconds();

    printf("%.2f %.2f %.2f\n", with_empty - start, with_both - with_empty, constructor);
    return 0;
}
