/*
 * Kernels matmul and transpose: products of matrices in f32. A block of c stays in registers while the depth
 * is walked, each element a chain of fused multiply-adds of its own, so that neither blocks nor the width of
 * vectors change a bit.
 */

enum {
    /* Vectors of a row of the block: with its rows, what there are registers for, and loads hide behind. */
    MATMUL_VECTORS = LANES_b32 == 8 ? 2 : 4,
    MATMUL_COLUMNS = MATMUL_VECTORS * LANES_b32,
    /* Of y, 64 columns of this depth stay in L1 while they meet all rows of x. */
    MATMUL_DEPTH = 64
};

VEC_INLINE vec_f32 load_f32(const uint8_t *p)
{
    return as_f32(load_b32(p));
}

VEC_INLINE void matmul_block(const dropwise_matmul *m, unsigned vectors, size_t depth, bool adds,
                             const uint8_t *x, const uint8_t *y, uint8_t *c)
{
    vec_f32 sum[DROPWISE_MATMUL_ROWS][MATMUL_VECTORS];
    VEC_UNROLL
    for (unsigned r = 0; r < DROPWISE_MATMUL_ROWS; r++) {
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            sum[r][v] = adds ? load_f32(c + r * m->c_row + v * sizeof(vec_f32)) : set_f32(0);
    }
    for (; depth != 0; depth--) {
        vec_f32 of_y[MATMUL_VECTORS];
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            of_y[v] = load_f32(y + v * sizeof(vec_f32));
        VEC_UNROLL
        for (unsigned r = 0; r < DROPWISE_MATMUL_ROWS; r++) {
            float of_x;
            memcpy(&of_x, x + (ptrdiff_t)r * m->x_row, sizeof of_x);
            VEC_UNROLL
            for (unsigned v = 0; v < vectors; v++)
                sum[r][v] = fma_f32(set_f32(of_x), of_y[v], sum[r][v]);
        }
        x += m->x_step;
        y += m->y_row;
    }
    VEC_UNROLL
    for (unsigned r = 0; r < DROPWISE_MATMUL_ROWS; r++) {
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            store_b32(c + r * m->c_row + v * sizeof(vec_f32), as_b32(sum[r][v]));
    }
}

/* Some columns, for all rows. */
VEC_INLINE void matmul_columns(const dropwise_matmul *m, unsigned vectors, size_t depth, bool adds,
                               const uint8_t *x, const uint8_t *y, uint8_t *c)
{
    for (size_t i = 0; i < m->rows; i += DROPWISE_MATMUL_ROWS)
        matmul_block(m, vectors, depth, adds, x + (ptrdiff_t)i * m->x_row, y, c + i * m->c_row);
}

static void matmul_f32(const dropwise_matmul *m)
{
    for (size_t k = 0; k < m->depth; k += MATMUL_DEPTH) {
        const size_t depth = m->depth - k < MATMUL_DEPTH ? m->depth - k : MATMUL_DEPTH;
        const bool adds = m->adds || k != 0;
        for (size_t j = 0; j < m->columns;) {
            const uint8_t *x = m->x + (ptrdiff_t)k * m->x_step;
            const uint8_t *y = m->y + (ptrdiff_t)k * m->y_row + j / 64 * m->y_block + j % 64 * sizeof(float);
            uint8_t *c = m->c + j * sizeof(float);
            if (MATMUL_COLUMNS <= 16 || m->columns - j >= MATMUL_COLUMNS) {
                matmul_columns(m, MATMUL_VECTORS, depth, adds, x, y, c);
                j += MATMUL_COLUMNS;
            } else {
                matmul_columns(m, 16 / LANES_b32, depth, adds, x, y, c);
                j += 16;
            }
        }
    }
}

static void transpose_f32(size_t rows, size_t columns, const uint8_t *x, ptrdiff_t x_row, uint8_t *y)
{
    for (size_t i = 0; i < 64; i += LANES_b32) {
        for (size_t j = 0; j < columns; j += LANES_b32) {
            uint8_t part[LANES_b32 * sizeof(vec_f32)];
            const uint8_t *from = x + (ptrdiff_t)i * x_row + j * sizeof(float);
            ptrdiff_t step = x_row;
            if (i + LANES_b32 > rows || j + LANES_b32 > columns) {
                const size_t bytes =
                    columns - j < LANES_b32 ? (columns - j) * sizeof(float) : sizeof(vec_f32);
                memset(part, 0, sizeof part);
                for (size_t k = 0; k < LANES_b32 && i + k < rows; k++)
                    memcpy(part + k * sizeof(vec_f32), from + (ptrdiff_t)k * step, bytes);
                from = part;
                step = sizeof(vec_f32);
            }
            vec_f32 v[LANES_b32];
            VEC_UNROLL
            for (unsigned k = 0; k < LANES_b32; k++)
                v[k] = load_f32(from + (ptrdiff_t)k * step);
            transpose_lanes_f32(v);
            VEC_UNROLL
            for (unsigned k = 0; k < LANES_b32; k++)
                store_b32(y + ((j + k) * 64 + i) * sizeof(float), as_b32(v[k]));
        }
    }
}
