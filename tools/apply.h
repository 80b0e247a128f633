/* The command apply: dropout of a NumPy file. */
#ifndef APPLY_H
#define APPLY_H

#include "dropwise.h"

/*
 * Writes dropout of the tensor in file `in_name` to `out_name`; - is standard input or output. The tensor's
 * element 0, in C order, meets element `first` of the mask. `dtype` says what elements are where the file
 * does not, or is 0. Returns an exit status, after a message if it is not 0.
 */
int apply_file(const dropwise_mask *mask, uint64_t first, dropwise_dtype dtype, const char *in_name,
               const char *out_name);

#endif
