/* What whole attention and its tiles share: bits of rows, logits of a tile, the end of rows, delta. */
#ifndef DROPWISE_LAYERS_ATTENTION_H
#define DROPWISE_LAYERS_ATTENTION_H

#include <stdbool.h>

#include "dropwise_attention.h"

#include "apply/dtype.h"
#include "draw/draw.h"

/* Numbers that are looked at together where something is done before a kernel of attention. */
enum { ATTENTION_PIECE = 512 };

/* Elements of a dtype as f32 and back; NULL: they are f32. */
typedef struct attention_type {
    size_t bytes;
    dropwise_widen_fn *widen;
    dropwise_narrow_fn *narrow;
    bool is_bf16; /* whole attention multiplies it as it is */
} attention_type;

/* False for a dtype that attention has not. */
bool dropwise_attention_type_of(const dropwise_kernels *kernels, dropwise_dtype dtype, attention_type *type);

/* n elements as f32: where they are, or widened into the buffer. */
static inline const float *attention_load(const attention_type *type, const uint8_t *p, size_t n,
                                          float *buffer)
{
    if (type->widen == NULL)
        return (const float *)(const void *)p;
    type->widen(n, p, buffer);
    return buffer;
}

/* What scores become logits by. */
typedef struct attention_masks {
    bool causal;
    int64_t offset;     /* columns up to row + offset count */
    const uint8_t *add; /* or NULL; rows lie add_row bytes apart */
    ptrdiff_t add_row;
    attention_type add_type;
    const uint8_t *allow; /* or NULL */
    ptrdiff_t allow_row;
} attention_masks;

bool dropwise_is_attention_scale(double scale);

/* Of scores, what makes them logits to base 2. */
float dropwise_attention_factor(double scale);

/*
 * Writes -infinity where a column does not count. Where numbers are added, scores become logits, and the
 * factor of the rows becomes 1.
 */
void dropwise_attention_logits(const dropwise_kernels *kernels, const attention_masks *masks,
                               dropwise_attention_rows *rows);

/* The offset of a causal mask, so near that sums of it and of counts do not wrap. */
int64_t dropwise_attention_offset(int64_t offset, uint64_t rows, uint64_t columns);

/* Columns that count in a row, the first ones. */
static inline uint64_t attention_visible(bool causal, int64_t offset, uint64_t row, uint64_t columns)
{
    const int64_t end = (int64_t)row + offset + 1;
    return !causal || end >= (int64_t)columns ? columns : end < 0 ? 0 : (uint64_t)end;
}

void dropwise_attention_bits(const draw_plan *plan, uint64_t first, uint64_t rows, size_t columns,
                             uint64_t row_stride, uint8_t *bits, size_t bits_stride);

/* What is kept is multiplied by. */
double dropwise_attention_kept(const dropwise_mask *mask);

/* A row of n numbers times a factor, as elements, or added to elements. */
void dropwise_attention_store(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                              const float *from, float factor, bool adds, void *out);

/* A row's end: out and, unless it is NULL, the log-sum-exp. */
void dropwise_attention_end(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                            const float *o, double kept, float top, float sum, void *out, float *lse);

float dropwise_attention_delta_of(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                                  const uint8_t *dout, const uint8_t *out);

/* Rows of scores and of dp to dropped probabilities and gradients; what rows has of a mask is filled in. */
void dropwise_attention_grad(const dropwise_kernels *kernels, const dropwise_mask *mask, double scale,
                             dropwise_attention_rows *rows, const float *lse, const float *delta);

#endif
