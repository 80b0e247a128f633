/*
 * The header of NumPy's file format, versions 1.0 to 3.0 (numpy.lib.format): magic, version, length, and a
 * Python dictionary with the keys descr, fortran_order and shape.
 */
#ifndef NPY_H
#define NPY_H

#include <stdint.h>
#include <stdio.h>

#include "dropwise.h"

enum { NPY_MAX_HEADER = 65536 };

typedef struct npy_header {
    uint8_t raw[NPY_MAX_HEADER + 12]; /* as read: to be written again in front of the result */
    size_t raw_size;
    uint64_t n; /* elements: the product of the shape */
    dropwise_dtype dtype;
    size_t element_bytes;
} npy_header;

/*
 * Reads the header of an array of float16, float32 or float64 in the host's byte order and returns NULL, or
 * returns what is wrong with it, in a static buffer.
 */
const char *npy_read_header(FILE *in, npy_header *header);

#endif
