/*
 * The header of NumPy's file format, versions 1.0 to 3.0 (numpy.lib.format): magic, version, length, and a
 * Python dictionary with the keys descr, fortran_order and shape.
 */
#ifndef NPY_H
#define NPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dropwise.h"

/* What NumPy's own reader takes. */
enum { NPY_MAX_HEADER = 10000, NPY_MAX_AXES = 64 };

/* Elements that follow each other in the file are `stride` apart in C order. */
typedef struct npy_axis {
    uint64_t size;
    uint64_t stride;
} npy_axis;

typedef struct npy_header {
    uint8_t raw[NPY_MAX_HEADER + 12]; /* as read: to be written again in front of the result */
    size_t raw_size;
    uint64_t n; /* elements: the product of the shape */
    dropwise_dtype dtype;
    size_t element_bytes;
    bool swapped; /* the bytes of an element are not in the host's order */
    /* The axes as they lie in the file, the fastest first; at least one. In C order all are one. */
    int n_axes;
    npy_axis axis[NPY_MAX_AXES];
} npy_header;

/*
 * Reads the header of an array of floating-point numbers and returns NULL, or returns what is wrong with it,
 * in a static buffer. `dtype` says what the bytes of an element are where the file does not, or is 0.
 */
const char *npy_read_header(FILE *in, dropwise_dtype dtype, npy_header *header);

#endif
