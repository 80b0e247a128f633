/* The command apply: dropout of a NumPy file. */
#ifndef APPLY_H
#define APPLY_H

#include "dropwise.h"

/*
 * Writes dropout of the tensor in file `in_name` to `out_name`; - is standard input or output. The file's
 * element 0 meets element `first` of the mask. Returns an exit status, after a message if it is not 0.
 */
int apply_file(const dropwise_mask *mask, uint64_t first, const char *in_name, const char *out_name);

#endif
