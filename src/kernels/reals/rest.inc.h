/*
 * The last elements of a row, which are fewer than a kernel goes over at a time: they are copied to buffers
 * that have room for as many, and the kernel is called for these. One function for each kind of kernels, for
 * elements of any size.
 */

/* Bits i to i + n - 1 as a word, with any bits above them. n is a power of two up to 64, and divides i. */
VEC_INLINE uint64_t bits_at(const void *bits, size_t i, unsigned n)
{
    uint8_t word[8] = {0};
    memcpy(word, (const uint8_t *)bits + i / 8, n < 8 ? 1 : n / 8);
    return n < 8 ? load_le64(word) >> i % 8 : load_le64(word);
}

/* The most bytes that a kernel goes over at a time: 64 numbers of type f64. */
enum { MOST_BYTES = 512 };

typedef struct rest_buffer {
    uint8_t bytes[MOST_BYTES];
} rest_buffer;

/* Elements i to n - 1 in a buffer, with zeros after them up to `whole`; NULL of NULL. */
VEC_SHARED uint8_t *rest_of(rest_buffer *buffer, size_t whole, size_t bytes, const void *p, size_t i,
                            size_t n)
{
    if (p == NULL)
        return NULL;
    memcpy(buffer->bytes, (const uint8_t *)p + i * bytes, (n - i) * bytes);
    memset(buffer->bytes + (n - i) * bytes, 0, (whole - (n - i)) * bytes);
    return buffer->bytes;
}

VEC_INLINE void end_rest(const rest_buffer *buffer, size_t bytes, void *p, size_t i, size_t n)
{
    memcpy((uint8_t *)p + i * bytes, buffer, (n - i) * bytes);
}

/* Bits i to n - 1, which are fewer than 64, from bit 0 on, with zeros after them. */
VEC_SHARED uint64_t rest_of_bits(const void *bits, size_t i, size_t n)
{
    const uint64_t word = load_le64_part((const uint8_t *)bits + i / 64 * 8, bytes_of_bits(n - i / 64 * 64));
    return word >> i % 64;
}

VEC_SHARED void residual_rest(dropwise_residual_fn *kernel, size_t whole, size_t bytes, const void *bits,
                              size_t i, size_t n, const void *x, const void *bias, const void *residual,
                              void *y, const void *factor)
{
    rest_buffer of_x, of_bias, of_residual;
    uint8_t word[8];
    store_le64(word, rest_of_bits(bits, i, n));
    kernel(word, whole, rest_of(&of_x, whole, bytes, x, i, n), rest_of(&of_bias, whole, bytes, bias, i, n),
           rest_of(&of_residual, whole, bytes, residual, i, n), &of_x, factor);
    end_rest(&of_x, bytes, y, i, n);
}

VEC_SHARED void apply_rest(dropwise_apply_fn *kernel, size_t whole, size_t bytes, const void *bits, size_t i,
                           size_t n, const void *x, void *y, const void *scale)
{
    rest_buffer of_x;
    uint8_t word[8];
    store_le64(word, rest_of_bits(bits, i, n));
    kernel(word, whole, rest_of(&of_x, whole, bytes, x, i, n), &of_x, scale);
    end_rest(&of_x, bytes, y, i, n);
}

/* The same where y is read, too, and bits may be NULL. */
VEC_SHARED void add_rest(dropwise_apply_fn *kernel, size_t whole, size_t bytes, const void *bits, size_t i,
                         size_t n, const void *x, void *y, const void *scale)
{
    rest_buffer of_x, of_y;
    uint8_t word[8];
    store_le64(word, bits != NULL ? rest_of_bits(bits, i, n) : UINT64_MAX);
    rest_of(&of_y, whole, bytes, y, i, n);
    kernel(word, whole, rest_of(&of_x, whole, bytes, x, i, n), &of_y, scale);
    end_rest(&of_y, bytes, y, i, n);
}

VEC_SHARED void affine_rest(dropwise_affine_fn *kernel, size_t whole, size_t bytes, const void *bits,
                            size_t i, size_t n, const void *x, const dropwise_params *params, void *y)
{
    rest_buffer of_x;
    uint8_t word[8];
    store_le64(word, rest_of_bits(bits, i, n));
    kernel(word, whole, rest_of(&of_x, whole, bytes, x, i, n), params, &of_x);
    end_rest(&of_x, bytes, y, i, n);
}

VEC_SHARED void combine_rest(dropwise_combine_fn *kernel, size_t whole, size_t bytes, size_t i, size_t n,
                             const void *a, const void *b, const dropwise_params *params, void *y)
{
    rest_buffer of_a, of_b;
    kernel(whole, rest_of(&of_a, whole, bytes, a, i, n), rest_of(&of_b, whole, bytes, b, i, n), params,
           &of_a);
    end_rest(&of_a, bytes, y, i, n);
}

VEC_SHARED void activate_rest(dropwise_activate_fn *kernel, size_t whole, size_t bytes, const void *bits,
                              size_t i, size_t n, const void *x, const void *bias, void *y,
                              const void *factor)
{
    rest_buffer of_x, of_bias;
    uint8_t word[8];
    store_le64(word, rest_of_bits(bits, i, n));
    kernel(word, whole, rest_of(&of_x, whole, bytes, x, i, n), rest_of(&of_bias, whole, bytes, bias, i, n),
           &of_x, factor);
    end_rest(&of_x, bytes, y, i, n);
}

VEC_SHARED void activate_grad_rest(dropwise_activate_grad_fn *kernel, size_t whole, size_t bytes,
                                   size_t real_bytes, const void *bits, size_t i, size_t n, const void *dy,
                                   const void *x, const void *bias, void *dx, const void *factor, void *sums)
{
    rest_buffer of_dy, of_x, of_bias, of_sums;
    uint8_t word[8];
    store_le64(word, rest_of_bits(bits, i, n));
    kernel(word, whole, rest_of(&of_dy, whole, bytes, dy, i, n), rest_of(&of_x, whole, bytes, x, i, n),
           rest_of(&of_bias, whole, bytes, bias, i, n), &of_dy, factor,
           rest_of(&of_sums, whole, real_bytes, sums, i, n));
    end_rest(&of_dy, bytes, dx, i, n);
    if (sums != NULL)
        end_rest(&of_sums, real_bytes, sums, i, n);
}

/* ---- Rows of a softmax ---- */

/* Columns of row r that count. */
VEC_INLINE size_t columns_of(const dropwise_softmax_rows *c, size_t r)
{
    const int64_t columns = c->visible + (int64_t)r * c->visible_step;
    return columns < 0 ? 0 : (uint64_t)columns > c->n ? c->n : (size_t)columns;
}

/* Clears the bytes between two numbers of them. */
VEC_INLINE void clear_from(uint8_t *p, size_t from, size_t to)
{
    if (from < to)
        memset(p + from, 0, to - from);
}

/* Fills bytes, vectors of them or less than one, with an element again and again. */
VEC_INLINE void repeat_element(uint8_t *to, size_t bytes, const uint8_t *element, size_t element_bytes)
{
    if (element_bytes == 8) {
        uint64_t u;
        memcpy(&u, element, sizeof u);
        for (size_t k = 0; k + sizeof(vec_b64) <= bytes; k += sizeof(vec_b64))
            store_b64(to + k, set_b64(u));
        return;
    }
    uint32_t u;
    if (element_bytes == 2) {
        uint16_t half;
        memcpy(&half, element, sizeof half);
        u = half * UINT32_C(0x10001);
    } else {
        memcpy(&u, element, sizeof u);
    }
    for (size_t k = 0; k + sizeof(vec_b32) <= bytes; k += sizeof(vec_b32))
        store_b32(to + k, set_b32(u));
}

VEC_SHARED void copy_rest(uint8_t *to, const uint8_t *from, size_t bytes)
{
    if (bytes < 64)
        copy_few(to, from, bytes);
    else
        memcpy(to, from, bytes);
}
