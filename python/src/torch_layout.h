/* How a tensor of PyTorch lies in memory, and what view of the library that is. */
#ifndef TORCH_LAYOUT_H
#define TORCH_LAYOUT_H

#include <dropwise.h>

#include <stdbool.h>

enum { MAX_TORCH_RANK = 64 };

/* Strides of a tensor that is dense in row-major order. */
void contiguous_strides(int rank, const int64_t *size, int64_t *stride);

/* Strides that PyTorch gives to results: dense ones, with the dimensions in the same order. */
void dense_strides(int rank, const int64_t *size, const int64_t *stride, int64_t *result);

/* Whether these are the strides of a tensor; those of dimensions that are 1 long do not count. */
bool are_same_strides(int rank, const int64_t *size, const int64_t *a, const int64_t *b);

/* The dimension along which elements are next to each other; -1 if there is none that is 2 long or longer. */
int row_dimension(int rank, const int64_t *size, const int64_t *stride);

typedef struct layout {
    int rank;
    const int64_t *size, *x, *y; /* sizes; strides of the input and of the output */
    uint64_t share;              /* a bit for each dimension that shares its mask */
    const int64_t *part;         /* NULL, or where this begins in a whole, and the whole's sizes */
    bool has_rows;               /* the last dimension of the view has to be a row */
    bool has_own_row;            /* which is the last one of the tensor, by itself */
    bool is_plain;               /* dimensions stay as they are */
} layout;

/*
 * The view of such a tensor, whose mask counts elements in row-major order. Dimensions that are one to the
 * library are merged, as it takes few. NULL, or what is wrong.
 */
const char *make_view(const layout *l, dropwise_view *view);

#endif
