/*
 * Kernels of DropConnect, for one type that is computed in.
 *
 * A product is computed and then kept or dropped: what is dropped adds +0.0, whatever it was.
 */
#include "kernels/template.h"

/*
 * Rows that are multiplied at the same time. Additions to one sum wait for each other, and a row has no more
 * than 16 / LANES vectors of sums; with 4 to 8 of them under way there is always one to add to.
 */
enum { OP_R(DOT_ROWS) = LANES >= 8 ? 4 : LANES >= 4 ? 2 : 1 };

/* The partial sums of total r, which are a column of the matrix. */
VEC_INLINE void OP_R(load_column)(OP_R(vec) *partial, const uint8_t *sums, size_t sums_step, size_t r)
{
    NUMBER lanes[16];
    for (unsigned k = 0; k < 16; k++)
        memcpy(&lanes[k], sums + k * sums_step + r * sizeof(NUMBER), sizeof(NUMBER));
    OP_R(load_sums)(partial, lanes);
}

VEC_INLINE void OP_R(store_column)(const OP_R(vec) *partial, uint8_t *sums, size_t sums_step, size_t r)
{
    NUMBER lanes[16];
    OP_R(store_sums)(partial, lanes);
    for (unsigned k = 0; k < 16; k++)
        memcpy(sums + k * sums_step + r * sizeof(NUMBER), &lanes[k], sizeof(NUMBER));
}

/* Rows r to r + rows - 1, of which there are at most DOT_ROWS; a constant. */
VEC_INLINE void OP_R(masked_dot_rows)(unsigned rows, size_t r, const uint8_t *bits, size_t bits_step,
                                      size_t n, const uint8_t *a, size_t a_step, const void *x, uint8_t *sums,
                                      size_t sums_step)
{
    OP_R(vec) partial[OP_R(DOT_ROWS)][16 / LANES];
    bits += r * bits_step;
    a += r * a_step;
    VEC_UNROLL
    for (unsigned j = 0; j < rows; j++)
        OP_R(load_column)(partial[j], sums, sums_step, r + j);
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        uint64_t word[OP_R(DOT_ROWS)];
        VEC_UNROLL
        for (unsigned j = 0; j < rows; j++)
            word[j] = load_le64(bits + j * bits_step + i / 8);
        for (unsigned quarter = 0; quarter < 64; quarter += 16) {
            VEC_UNROLL
            for (unsigned lane = 0; lane < 16; lane += LANES) {
                const OP_R(vec) in = OP_R(load_reals)(x, i + quarter + lane, SIZE_MAX);
                VEC_UNROLL
                for (unsigned j = 0; j < rows; j++) {
                    const OP_R(vec) of_a = OP_R(load_reals)(a + j * a_step, i + quarter + lane, SIZE_MAX);
                    OP_R(add_to_sums)(partial[j], lane, OP_R(mul_kept)(of_a, in, word[j], lane));
                }
            }
            VEC_UNROLL
            for (unsigned j = 0; j < rows; j++)
                word[j] >>= 16;
        }
    }
    for (; i < n; i += LANES) {
        const OP_R(vec) in = OP_R(load_reals)(x, i, n);
        VEC_UNROLL
        for (unsigned j = 0; j < rows; j++) {
            const uint64_t word = OP_R(word)(bits + j * bits_step, i, n);
            OP_R(add_to_sums)(partial[j], i,
                              OP_R(mul_kept)(OP_R(load_reals)(a + j * a_step, i, n), in, word, i % 64));
        }
    }
    VEC_UNROLL
    for (unsigned j = 0; j < rows; j++)
        OP_R(store_column)(partial[j], sums, sums_step, r + j);
}

static void OP_R(masked_dot)(const void *bits, size_t bits_step, size_t rows, size_t n, const void *a,
                             size_t a_step, const void *x, void *sums, size_t sums_step)
{
    size_t r = 0;
    for (; rows - r >= OP_R(DOT_ROWS); r += OP_R(DOT_ROWS))
        OP_R(masked_dot_rows)(OP_R(DOT_ROWS), r, bits, bits_step, n, a, a_step, x, sums, sums_step);
    for (; r < rows; r++)
        OP_R(masked_dot_rows)(1, r, bits, bits_step, n, a, a_step, x, sums, sums_step);
}

static void OP_R(dot_moments)(size_t n, const void *a, const void *x, void *sums, void *squares,
                              size_t sums_step)
{
    OP_R(vec) sum[16 / LANES], square[16 / LANES];
    OP_R(load_column)(sum, sums, sums_step, 0);
    OP_R(load_column)(square, squares, sums_step, 0);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) product = OP_R(mul)(OP_R(load_reals)(a, i, n), OP_R(load_reals)(x, i, n));
        OP_R(add_to_sums)(sum, i, product);
        OP_R(add_to_sums)(square, i, OP_R(mul)(product, product));
    }
    OP_R(store_column)(sum, sums, sums_step, 0);
    OP_R(store_column)(square, squares, sums_step, 0);
}

/* Vectors of columns whose sums stay in registers while rows are added to them. */
enum { OP_R(AXPY_VECTORS) = 64 / LANES < 8 ? 64 / LANES : 8 };

/* The columns of `vectors` vectors, a constant, from i on; if it is 1, that may be a part of one. */
VEC_INLINE void OP_R(masked_axpy_columns)(unsigned vectors, const uint8_t *bits, size_t bits_step,
                                          size_t rows, size_t i, size_t n, const uint8_t *coefficients,
                                          const uint8_t *a, size_t a_step, uint8_t *sums, size_t sums_step)
{
    const size_t end = vectors == 1 ? n : SIZE_MAX;
    for (size_t k = 0; k < 16 && k < rows; k++) {
        OP_R(vec) sum[OP_R(AXPY_VECTORS)];
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            sum[v] = OP_R(load_reals)(sums + k * sums_step, i + v * LANES, end);
        for (size_t r = k; r < rows; r += 16) {
            const uint64_t word = OP_R(word)(bits + r * bits_step, i, n) >> i % 64;
            NUMBER c;
            memcpy(&c, coefficients + r * sizeof c, sizeof c);
            VEC_UNROLL
            for (unsigned v = 0; v < vectors; v++) {
                const OP_R(vec) of_a = OP_R(load_reals)(a + r * a_step, i + v * LANES, end);
                sum[v] = OP_R(add)(sum[v], OP_R(mul_kept)(of_a, OP_R(set)(c), word, v * LANES));
            }
        }
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            OP_R(store_part)(sums + k * sums_step + (i + v * LANES) * sizeof(NUMBER), end - (i + v * LANES),
                             sum[v]);
    }
}

static void OP_R(masked_axpy)(const void *bits, size_t bits_step, size_t rows, size_t n,
                              const void *coefficients, const void *a, size_t a_step, void *sums,
                              size_t sums_step)
{
    const size_t columns = OP_R(AXPY_VECTORS) * LANES;
    size_t i = 0;
    for (; n - i >= columns; i += columns)
        OP_R(masked_axpy_columns)(OP_R(AXPY_VECTORS), bits, bits_step, rows, i, n, coefficients, a, a_step,
                                  sums, sums_step);
    for (; i < n; i += LANES)
        OP_R(masked_axpy_columns)(1, bits, bits_step, rows, i, n, coefficients, a, a_step, sums, sums_step);
}

/* n_sums is a constant. */
VEC_INLINE void OP_R(fold_loop)(size_t n_sums, size_t n, const void *sums, size_t sums_step, NUMBER scale,
                                const void *add, void *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        /* The last columns go through whole vectors on the stack. */
        uint8_t last[16][sizeof(OP_R(vec))];
        const bool whole = n - i >= LANES;
        const uint8_t *from = (const uint8_t *)sums + i * sizeof(NUMBER);
        const size_t step = whole ? sums_step : sizeof last[0];
        if (!whole) {
            for (size_t k = 0; k < n_sums; k++)
                OP_W(store)(last[k], OP_W(as)(OP_R(load_part)(from + k * sums_step, n - i)));
            from = last[0];
        }
        OP_R(vec) sum[16];
        VEC_UNROLL
        for (size_t k = 0; k < n_sums; k++)
            sum[k] = OP_R(load_reals)(from + k * step, 0, SIZE_MAX);
        VEC_UNROLL
        for (size_t half = n_sums / 2; half != 0; half /= 2) {
            VEC_UNROLL
            for (size_t k = 0; k < half; k++)
                sum[k] = OP_R(add)(sum[k], sum[k + half]);
        }
        OP_R(vec) v = OP_R(mul)(sum[0], OP_R(set)(scale));
        if (add != NULL)
            v = OP_R(add)(v, OP_R(load_reals)(add, i, n));
        OP_R(store_reals)(y, i, n, v);
    }
}

static void OP_R(fold_sums)(size_t n_sums, size_t n, const void *sums, size_t sums_step, const void *scale,
                            const void *add, void *y)
{
    NUMBER s;
    memcpy(&s, scale, sizeof s);
    switch (n_sums) {
    case 1:
        OP_R(fold_loop)(1, n, sums, sums_step, s, add, y);
        break;
    case 2:
        OP_R(fold_loop)(2, n, sums, sums_step, s, add, y);
        break;
    case 4:
        OP_R(fold_loop)(4, n, sums, sums_step, s, add, y);
        break;
    case 8:
        OP_R(fold_loop)(8, n, sums, sums_step, s, add, y);
        break;
    default:
        OP_R(fold_loop)(16, n, sums, sums_step, s, add, y);
    }
}

static void OP_R(sample_normal)(const void *mean, const void *variance, size_t n, const void *z, void *y)
{
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) deviation =
            OP_R(mul)(OP_R(sqrt)(OP_R(load_reals)(variance, i, n)), OP_R(load_reals)(z, i, n));
        OP_R(store_reals)(y, i, n, OP_R(add)(OP_R(load_reals)(mean, i, n), deviation));
    }
}
