/* Options of the examples: numbers, and where images are read from. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "images.h"

/* Seeds that a program tries. */
enum { MAX_SEEDS = 64 };

typedef struct int_option {
    const char *name;
    int *value;
    int min, max;
} int_option;

/* Sets the value of the option of that name; false if there is none, or if the text is no such number. */
bool read_int(const int_option *options, size_t n, const char *name, const char *text);

/* False if the text is no number in this range. */
bool read_real(double min, double max, const char *text, double *out);

/* Where images are read from. */
typedef struct source {
    const char *path; /* NULL: nowhere yet */
    bool fashion;     /* else digits       */
} source;

/* --fashion FOLDER or --digits FILE; false if it is another option, or the second of these. */
bool read_source(source *from, const char *name, const char *text);

/* See images.h. */
bool source_read(const source *from, dataset *d);

/* False, after a message, if learning from n_train images leaves none to hold out. */
bool enough_images(const char *program, int n_train, const dataset *d);

#endif
