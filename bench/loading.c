/*
 * What it costs to load the library: prints microseconds for dlopen of an empty library, for dlopen of the
 * library, and for choosing a tier, which is all that its constructor does.
 *
 * usage: loading EMPTY LIBRARY [DEPENDENCY...]    dependencies are loaded before, and not counted
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "loading: %s\n", dlerror());
        exit(1);
    }
    return library;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: loading EMPTY LIBRARY [DEPENDENCY...]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        load(argv[i]);

    const double start = microseconds();
    load(argv[1]);
    const double with_empty = microseconds();
    void *library = load(argv[2]);
    const double with_both = microseconds();

    /* What POSIX has for functions in shared libraries. */
    int32_t (*select_isa)(int32_t);
    *(void **)&select_isa = dlsym(library, "dropwise_isa_select");
    if (select_isa == NULL) {
        fprintf(stderr, "loading: %s has no dropwise_isa_select\n", argv[2]);
        return 1;
    }
    const double before = microseconds();
    select_isa(0);
    const double after = microseconds();

    printf("%.2f %.2f %.2f\n", with_empty - start, with_both - with_empty, after - before);
    return 0;
}
