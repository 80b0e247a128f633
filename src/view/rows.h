/*
 * Calls that go row by row, in pieces that stay in L1: tensors whose last dimension is contiguous, with
 * bits, reals in and reals out for each piece. Elements narrower than f32 are widened into buffers, and
 * narrowed out of them, but where a layer's kernels take those of 16 bits as they are.
 */
#ifndef DROPWISE_ROWS_H
#define DROPWISE_ROWS_H

#include <string.h>

#include "apply/apply.h"
#include "apply/stored.h"
#include "base/min.h"
#include "draw/bit_source.h"
#include "draw/strip.h"

enum { PIECE = 512 /* elements of a row that go through a kernel at a time */, MAX_OPERANDS = 6 };

typedef enum operand_use { READ, WRITTEN, ADDED /* to what is there: a gradient */ } operand_use;

/* A tensor of a call: pointer, strides in elements, element size. Bias and dbias have a stride of 0 but along
 * the row. */
typedef struct operand {
    const void *p;
    const int64_t *stride;
    size_t element_bytes;
    operand_use use;
} operand;

/* What a backward call does with its outputs. */
static inline operand_use gradient_use(const dropwise_mask *mask)
{
    return dropwise_accumulates(mask) ? ADDED : WRITTEN;
}

/* A call, after it was checked. */
typedef struct row_call {
    const dropwise_view *view;
    bool is_f64;
    size_t element_bytes, real_bytes;
    dropwise_dtype_kernels dtype;
    const dropwise_kernels *kernels;
    real factor; /* of what is kept */
    draw_plan draw;
    union {
        bit_source source;
        struct { /* instead, if rows are short and do not follow each other in the mask */
            strip strip;
            uint8_t strip_bits[STRIP_BYTES];
        };
    };
    uint64_t run_length; /* mask indices that follow each other from row to row, from the first row on */
    bool reads_stored;
    bool far;         /* operands are not in the caches                              */
    bool nontemporal; /* outputs would not stay there, and are apart from the inputs */
    bool adds;        /* to an output                                                */
    stored_mask stored;
    uint64_t row_length, n_rows;
    uint64_t strip_row, strip_end; /* numbers of the rows whose bits are in the strip; none if they are one */
} row_call;

/* Where a row lies. */
typedef struct row {
    uint64_t at[DROPWISE_MAX_RANK]; /* coordinates; the last is 0 */
    uint64_t number;
    uint64_t into_run; /* indices of its run in the mask, row_call.run_length of them, that come before it */
    uint64_t index;    /* of its first element in the mask                                            */
    uint64_t stored;   /* its row in the stored mask                                                  */
} row;

/* The checks that come before those of data; *empty says that there is none. */
dropwise_status dropwise_check_rows(const dropwise_mask *mask, dropwise_dtype dtype,
                                    const dropwise_view *view, const dropwise_stored *stored, bool *empty);

/*
 * Checks the operands, those with a NULL pointer left out, and fills the call. If `draws`, writes the stored
 * mask, which is read from then on.
 */
dropwise_status dropwise_begin_rows(row_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                                    dropwise_dtype dtype, const dropwise_view *view, const operand *operands,
                                    size_t n_operands, const dropwise_stored *stored, bool draws);

/* For a layer that has kernels for each dtype which has any of its own: they take elements as they are. What
 * is added to elements is not rounded to their type before. */
static inline void take_elements(row_call *c)
{
    if (c->dtype.scale_kept != NULL && !c->adds) {
        c->dtype.widen = NULL;
        c->dtype.narrow = NULL;
    }
}

/* The kernels for what these calls load, elements as they are or widened. */
static inline dropwise_step_kernels steps_of_rows(const row_call *c, dropwise_dtype dtype)
{
    return dropwise_steps_of(c->kernels, c->dtype.widen == NULL ? dtype : DROPWISE_F32);
}

/*
 * Makes one row of rows that follow each other in all operands and in the mask, or share it, so that short
 * rows do not cost a call of a kernel each. Only for calls without a stored mask, whose rows are those of the
 * view. Rows of a length that `multiple` does not divide stay as they are.
 */
void dropwise_merge_rows(dropwise_view *view, uint64_t multiple);

/*
 * dropwise_check_rows, and the view to go by: without a stored mask, rows that are one in memory and mask
 * become one.
 */
dropwise_status dropwise_check_merged_rows(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const dropwise_stored *stored,
                                           dropwise_view *merged, bool *empty);

static inline row first_row(const row_call *c)
{
    row r;
    memset(&r, 0, sizeof r);
    r.index = c->view->first;
    return r;
}

/* The next row in row-major order; false after the last one. */
bool dropwise_next_row(const row_call *c, row *r);

/* After the last row. */
static inline void end_rows(const row_call *c)
{
    if (c->nontemporal)
        c->kernels->nt_fence();
}

/* Elements of the piece that begins at a column. */
static inline size_t piece_length(uint64_t columns, uint64_t column)
{
    return min_size(PIECE, columns - column);
}

/*
 * A piece of a row: the loop over a row's pieces is
 *     for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p))
 * Where y is written past the caches, the first piece leads up to where y is aligned for that.
 */
typedef struct row_piece {
    uint64_t column;
    size_t n;
    bool leads;       /* up to where y is aligned: bits after it are drawn on their own */
    bool nontemporal; /* y is aligned                                                  */
} row_piece;

/* Where an operand's element lies. */
static inline uint8_t *operand_at(const row_call *c, const operand *o, const row *r, uint64_t column)
{
    int64_t at = (int64_t)column * o->stride[c->view->rank - 1];
    for (uint32_t d = 0; d + 1 < c->view->rank; d++)
        at += (int64_t)r->at[d] * o->stride[d];
    return (uint8_t *)(uintptr_t)o->p + at * (int64_t)o->element_bytes;
}

static inline row_piece first_piece(const row_call *c, const row *r, const operand *y)
{
    row_piece p = {.n = piece_length(c->row_length, 0)};
    if (!c->nontemporal)
        return p;
    const size_t misaligned = (uintptr_t)operand_at(c, y, r, 0) % DROPWISE_NT_ALIGN;
    if (misaligned % y->element_bytes != 0)
        return p;
    p.nontemporal = misaligned == 0;
    p.leads = misaligned != 0;
    const size_t lead = (DROPWISE_NT_ALIGN - misaligned) / y->element_bytes;
    if (p.leads && lead < p.n)
        p.n = lead;
    return p;
}

static inline row_piece next_piece(const row_call *c, row_piece p)
{
    p.column += p.n;
    p.n = piece_length(c->row_length, p.column);
    p.nontemporal = p.nontemporal || p.leads;
    p.leads = false;
    return p;
}

/*
 * Prefetches the piece after the next of an operand of a call that is far: memory answers while pieces
 * between are drawn. Always inlined, as gcc 12 leaves out calls of a function that does nothing but prefetch.
 */
static inline __attribute__((always_inline)) void prefetch_piece(const row_call *c, const operand *o,
                                                                 const row *r, uint64_t column)
{
    if (!c->far || o->p == NULL || c->row_length - column <= 2 * PIECE)
        return;
    const uint8_t *from = operand_at(c, o, r, column + 2 * PIECE);
    const size_t bytes = piece_length(c->row_length, column + 2 * PIECE) * o->element_bytes;
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(from + i, 0, 2);
}

/* The same for an output that is added to: it is read, too. */
static inline __attribute__((always_inline)) void prefetch_sum(const row_call *c, const operand *o,
                                                               const row *r, uint64_t column)
{
    if (o->use == ADDED)
        prefetch_piece(c, o, r, column);
}

/* The keep bits of a piece of a row, by themselves or in a buffer of PIECE bits. If `whole`, all of the row
 * and of the rows after it will be asked for. */
const uint8_t *dropwise_piece_bits(row_call *c, const row *r, uint64_t column, size_t n, bool whole,
                                   uint8_t *buffer);

/* A piece of an operand as a kernel takes it: where it is, or widened into the buffer. */
static inline const void *load_reals(const row_call *c, const operand *o, const row *r, uint64_t column,
                                     size_t n, float *buffer)
{
    if (o->p == NULL)
        return NULL;
    const uint8_t *p = operand_at(c, o, r, column);
    if (c->dtype.widen == NULL)
        return p;
    c->dtype.widen(n, p, buffer);
    return buffer;
}

/* Where a kernel writes a piece of an output: in place, or to the buffer, from where it is narrowed or added.
 * The buffer is one of floats, or, for gradients, of doubles. */
static inline void *output(const row_call *c, const operand *o, const row *r, uint64_t column, void *buffer)
{
    if (o->p == NULL)
        return NULL;
    return c->dtype.narrow == NULL && o->use != ADDED ? (void *)operand_at(c, o, r, column) : buffer;
}

static inline void finish_output(const row_call *c, const operand *o, const row *r, uint64_t column, size_t n,
                                 const void *buffer)
{
    if (o->p != NULL && c->dtype.narrow != NULL)
        c->dtype.narrow(n, buffer, operand_at(c, o, r, column));
}

/* The same for a gradient, which was dropped where bits are 0; bits may be NULL. */
static inline void finish_gradient(const row_call *c, const operand *o, const row *r, uint64_t column,
                                   size_t n, const uint8_t *bits, const void *buffer)
{
    const real one = real_of(c->is_f64, 1);
    if (o->use == ADDED && o->p != NULL)
        dropwise_add_reals(c->kernels, &c->dtype, bits, n, buffer, operand_at(c, o, r, column), &one);
    else
        finish_output(c, o, r, column, n, buffer);
}

/* n sums, in f64 or in f32, to a place of an output of such numbers. */
void dropwise_put_sums(const dropwise_kernels *kernels, bool is_f64, operand_use use, size_t n,
                       const void *sums, void *out);

/* 16 partial sums, `step` reals apart, to one. */
real dropwise_sum_tree(bool is_f64, const void *sums, size_t step);

#endif
