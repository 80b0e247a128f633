/*
 * What people have to say, and what they may, to get the masks of a layout: for the program dropwise and for
 * Python, which take numbers by name and check them before a constructor gets them. Of the public header
 * alone; no part of the library.
 */
#ifndef DROPWISE_LAYOUT_OPTIONS_H
#define DROPWISE_LAYOUT_OPTIONS_H

#include <string.h>

#include "dropwise_interop.h"

/*
 * What some layout has besides --seed and --p, each a bit; the names are in this order. Where there is PATH,
 * RUN goes with it alone.
 */
enum {
    STREAM = 1,
    DTYPE = 2,
    SIZE = 4,
    THREADS = 8,
    VECTOR = 16,
    OFFSET = 32,
    ROWS = 64,
    COLUMNS = 128,
    BEFORE = 256,
    RUN = 512,
    KEEP = 1024,
    PATH = 2048
};

/* A name, and how many bits the number has; 0 for what is no whole number. */
typedef struct layout_number {
    const char *name;
    unsigned bits;
} layout_number;

static const layout_number layout_numbers[] = {
    {"stream", 64}, {"dtype", 0},    {"size", 64},   {"threads", 32}, {"vector", 32}, {"offset", 64},
    {"rows", 64},   {"columns", 64}, {"before", 60}, {"run", 64},     {"keep", 0},    {"path", 0},
};

enum { LAYOUT_NUMBERS = sizeof layout_numbers / sizeof layout_numbers[0] };

typedef struct layout_options {
    uint32_t layout;
    unsigned seed_bits;
    unsigned needs, takes;
} layout_options;

#define OPTIONS(seed_bits, needs, takes) seed_bits, needs, takes
static const layout_options layout_options_of[] = {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    {number, OPTIONS options},
#include "interop/layouts.inc"
};
#undef OPTIONS

static inline unsigned bits_of_layout_number(const char *name)
{
    for (int i = 0; i < LAYOUT_NUMBERS; i++)
        if (strcmp(layout_numbers[i].name, name) == 0)
            return layout_numbers[i].bits;
    return 0;
}

enum { LAYOUTS = sizeof layout_options_of / sizeof layout_options_of[0] };

#endif
