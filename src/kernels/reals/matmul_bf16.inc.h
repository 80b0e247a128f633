/*
 * Kernels matmul_bf16, pack and pair: products of bf16 as the matrix instructions of CPUs sum them up (Intel
 * AMX, TDPBF16PS), by fused multiply-adds. Of 32 elements the even ones are a chain that begins with +0, and
 * so are the odd ones, and the sum of the two is added to what is there.
 *
 * Those instructions take subnormal numbers for 0, and make none. That does not matter: elements whose size
 * pack has limited have products, and sums of products, that are multiples of 2^-126.
 */

enum {
    BF16_DEPTH = 32, /* elements of a step       */
    BF16_ROWS = 4,   /* rows of a block of x     */
    BF16_COLUMNS = 64
};

/* A step of rows of x or of y, widened: even elements and odd ones. */
typedef float bf16_x[2][BF16_ROWS][BF16_DEPTH / 2];
typedef float bf16_y[2][BF16_DEPTH / 2][BF16_COLUMNS];

/* LANES_b32 pairs of elements as reals. */
VEC_INLINE void widen_pairs(const uint8_t *p, float *even, float *odd)
{
    if (LANES_b32 == 1) { /* in either order of bytes */
        store_b32((uint8_t *)even, as_b32(load_bf16(p)));
        store_b32((uint8_t *)odd, as_b32(load_bf16(p + 2)));
        return;
    }
    const vec_b32 pairs = load_b32(p);
    store_b32((uint8_t *)even, shl_b32(pairs, 16));
    store_b32((uint8_t *)odd, and_b32(pairs, set_b32(0xFFFF0000)));
}

/* sum = the chain of a half of the elements. */
VEC_INLINE void chain_f32(unsigned vectors, float (*x)[BF16_DEPTH / 2], float (*y)[BF16_COLUMNS],
                          size_t column, vec_f32 (*sum)[MATMUL_VECTORS])
{
    VEC_UNROLL
    for (unsigned r = 0; r < BF16_ROWS; r++) {
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            sum[r][v] = set_f32(0);
    }
    VEC_ROLLED
    for (unsigned k = 0; k < BF16_DEPTH / 2; k++) {
        vec_f32 of_y[MATMUL_VECTORS];
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++)
            of_y[v] = load_f32((const uint8_t *)(y[k] + column + v * LANES_b32));
        VEC_UNROLL
        for (unsigned r = 0; r < BF16_ROWS; r++) {
            VEC_UNROLL
            for (unsigned v = 0; v < vectors; v++)
                sum[r][v] = fma_f32(set_f32(x[r][k]), of_y[v], sum[r][v]);
        }
    }
}

VEC_INLINE void matmul_bf16_block(const dropwise_matmul *m, unsigned vectors, bool adds, bf16_x x, bf16_y y,
                                  size_t column, uint8_t *c)
{
    vec_f32 even[BF16_ROWS][MATMUL_VECTORS], odd[BF16_ROWS][MATMUL_VECTORS];
    chain_f32(vectors, x[0], y[0], column, even);
    chain_f32(vectors, x[1], y[1], column, odd);
    VEC_UNROLL
    for (unsigned r = 0; r < BF16_ROWS; r++) {
        VEC_UNROLL
        for (unsigned v = 0; v < vectors; v++) {
            uint8_t *to = c + r * m->c_row + v * sizeof(vec_f32);
            const vec_f32 sum = add_f32(even[r][v], odd[r][v]);
            store_b32(to, as_b32(add_f32(adds ? load_f32(to) : set_f32(0), sum)));
        }
    }
}

/* A step of some columns, for all rows. */
VEC_SHARED void matmul_bf16_columns(const dropwise_matmul *m, size_t n, bool adds, const uint8_t *x,
                                    const uint8_t *y, uint8_t *c)
{
    bf16_y of_y;
    bf16_x of_x;
    for (unsigned k = 0; k < BF16_DEPTH / 2; k++)
        for (size_t j = 0; j < n; j += LANES_b32)
            widen_pairs(y + (ptrdiff_t)k * m->y_row + 4 * j, of_y[0][k] + j, of_y[1][k] + j);
    for (size_t i = 0; i < m->rows; i += BF16_ROWS) {
        for (unsigned r = 0; r < BF16_ROWS; r++)
            for (unsigned k = 0; k < BF16_DEPTH / 2; k += LANES_b32)
                widen_pairs(x + (ptrdiff_t)(i + r) * m->x_row + (ptrdiff_t)k * 4, of_x[0][r] + k,
                            of_x[1][r] + k);
        for (size_t j = 0; j < n;) {
            uint8_t *to = c + i * m->c_row + j * sizeof(float);
            if (MATMUL_COLUMNS <= 32 || n - j >= MATMUL_COLUMNS) {
                matmul_bf16_block(m, MATMUL_VECTORS, adds, of_x, of_y, j, to);
                j += MATMUL_COLUMNS;
            } else {
                matmul_bf16_block(m, 32 / LANES_b32, adds, of_x, of_y, j, to);
                j += 32;
            }
        }
    }
}

static void matmul_bf16(const dropwise_matmul *m)
{
    for (size_t k = 0; k < m->depth; k += BF16_DEPTH)
        for (size_t j = 0; j < m->columns; j += BF16_COLUMNS) {
            const size_t n = m->columns - j < BF16_COLUMNS ? m->columns - j : BF16_COLUMNS;
            matmul_bf16_columns(m, n, m->adds || k != 0, m->x + k * 2,
                                m->y + (ptrdiff_t)(k / 2) * m->y_row + j / BF16_COLUMNS * m->y_block,
                                m->c + j * sizeof(float));
        }
}

/* Elements whose size, in some bits of a word, is below the least one are cleared. */
VEC_INLINE vec_b32 clear_least(vec_b32 v, uint32_t size, uint32_t least)
{
    const choose32 less = above_b32(set_b32(least), and_b32(v, set_b32(size)));
    return select_b32(less, set_b32(0), v);
}

VEC_INLINE void pack_few(uint16_t least, const uint8_t *x, uint8_t *y)
{
    const vec_b32 v = load_b32(x), first = and_b32(v, set_b32(0xFFFF));
    const vec_b32 second = and_b32(v, set_b32(0xFFFF0000));
    store_b32(
        y, or_b32(clear_least(first, 0x7FFF, least), clear_least(second, 0x7FFF0000, (uint32_t)least << 16)));
}

static void pack_bf16(size_t n, uint16_t least, const void *x, void *y)
{
    const uint8_t *from = x;
    uint8_t *to = y;
    size_t i = 0;
    for (; n - i >= 2 * LANES_b32; i += 2 * LANES_b32)
        pack_few(least, from + 2 * i, to + 2 * i);
    if (i < n) {
        uint8_t last[4 * LANES_b32] = {0};
        memcpy(last, from + 2 * i, 2 * (n - i));
        pack_few(least, last, last);
        memcpy(to + 2 * i, last, 2 * (n - i));
    }
}

static void pair_bf16(size_t n, const void *a, const void *b, void *y)
{
    const uint8_t *first = a, *second = b;
    uint8_t *to = y;
    for (size_t i = 0; i < n; i += LANES_b32) {
        if (LANES_b32 == 1) { /* in either order of bytes */
            memcpy(to + 4 * i, first + 2 * i, 2);
            memcpy(to + 4 * i + 2, second + 2 * i, 2);
        } else {
            store_b32(to + 4 * i, or_b32(load_u16(first + 2 * i), shl_b32(load_u16(second + 2 * i), 16)));
        }
    }
}
