/* Options of an example that are whole numbers. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct int_option {
    const char *name;
    int *value;
    int min, max;
} int_option;

/* Sets the value of the option of that name; false if there is none, or if the text is no such number. */
bool read_int(const int_option *options, size_t n, const char *name, const char *text);

#endif
