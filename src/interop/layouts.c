#include "interop/layouts.h"

#include "base/check.h"

/* Dtypes of the numbers that a layout compares. */
enum { ONLY_F32 = 1 << DROPWISE_F32, ONLY_F64 = 1 << DROPWISE_F64, F32_AND_F64 = ONLY_F32 | ONLY_F64 };
enum { FOUR_FLOATS = F32_AND_F64 | 1 << DROPWISE_F16 | 1 << DROPWISE_BF16 };

#define ANY_SIZE DROPWISE_INDEX_LIMIT

typedef struct layout_fields {
    uint32_t draws, bits;
    uint64_t size, skip;
    bool (*is_shape)(const dropwise_interop *d);
} layout_fields;

/* JAX splits the key from 2^32 - 1 words on. */
uint64_t dropwise_jax_legacy_limit(int32_t draws)
{
    const uint64_t words = UINT32_MAX - 1;
    return draws == DROPWISE_F64    ? words / 2
           : draws == DROPWISE_F16  ? words * 2
           : draws == DROPWISE_BF16 ? words * 4
                                    : words;
}

/* The elements of 2^26 heads: FlashAttention counts heads times 32 in an int. */
uint64_t dropwise_attention_limit(uint64_t rows, uint64_t columns)
{
    const uint64_t head = rows * columns;
    return head < DROPWISE_INDEX_LIMIT >> 26 ? head << 26 : DROPWISE_INDEX_LIMIT;
}

/* ---- Fields that say how a system's kernel goes through the tensor ---- */

static bool is_any_shape(const dropwise_interop *d)
{
    (void)d;
    return true;
}

static bool is_launch(const dropwise_interop *d, uint32_t most_threads)
{
    return d->threads != 0 && d->threads <= most_threads && is_torch_vector(d->vector);
}

static bool is_torch_shape(const dropwise_interop *d)
{
    return is_launch(d, MAX_THREADS) && d->size % d->vector == 0;
}

static bool is_deepspeed_shape(const dropwise_interop *d)
{
    return is_launch(d, MAX_THREADS) && d->vector == 4 && d->size % 4 == 0;
}

static bool is_onnx_runtime_shape(const dropwise_interop *d)
{
    return is_launch(d, MAX_THREADS / 2) && d->vector == 4;
}

static bool is_curand_host_shape(const dropwise_interop *d)
{
    return d->threads == CURAND_SUBSEQUENCES && d->vector == 4;
}

static bool is_attention_shape(const dropwise_interop *d)
{
    return d->rows != 0 && d->columns != 0 && is_int(d->rows) && is_int(d->columns) &&
           d->size <= dropwise_attention_limit(d->rows, d->columns);
}

/* Narrow dtypes have narrow numbers. */
static bool is_legacy_shape(const dropwise_interop *d)
{
    const uint64_t last = UINT64_MAX >> (64 - jax_bits(d->draws));
    return d->size <= dropwise_jax_legacy_limit(d->draws) && d->last <= last;
}

static bool is_high_shape(const dropwise_interop *d)
{
    return d->counter[2] <= (d->draws == DROPWISE_F64 ? UINT64_MAX : UINT32_MAX);
}

static bool is_legacy_high_shape(const dropwise_interop *d)
{
    dropwise_interop all = *d, second;
    all.size = 2 * d->size;
    second = all;
    second.last = d->counter[2];
    return is_legacy_shape(&all) && is_legacy_shape(&second);
}

/* ---- The list ---- */

static const char *const layout_names[DROPWISE_LAYOUT_COUNT] = {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) [number] = name,
#include "interop/layouts.inc"
};

#define FIELDS(draws, bits, size, skip, shape) \
    { \
        draws, bits, size, skip, is_##shape \
    }
static const layout_fields layout_limits[DROPWISE_LAYOUT_COUNT] = {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    [number] = FIELDS fields,
#include "interop/layouts.inc"
};

#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    _Static_assert(DROPWISE_LAYOUT_##LAYOUT == (number), "the number of a layout");
#include "interop/layouts.inc"

enum {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) ROW_OF_##LAYOUT,
#include "interop/layouts.inc"
    ROWS
};
_Static_assert(ROWS + 1 == DROPWISE_LAYOUT_COUNT, "a row for every layout");

const char *dropwise_layout_name(uint32_t layout)
{
    return layout < DROPWISE_LAYOUT_COUNT ? layout_names[layout] : NULL;
}

/*
 * Kernels may multiply zeros where elements are dropped: a negative scale, also a negative 0, or an infinite
 * one would make -0.0 or NaN of them.
 */
static bool is_scale(double scale)
{
    const bool is_zero = scale == 0.0 && !__builtin_signbit(scale);
    return is_zero || (scale >= 1.0 && dropwise_is_finite(scale));
}

static bool parameters_are_known(const dropwise_interop *d)
{
    const layout_fields *may = &layout_limits[d->layout];
    const bool is_drawn = is_float_dtype(d->draws) && (may->draws >> d->draws & 1) != 0;
    const uint32_t bits = d->draws == DROPWISE_F64 ? 2 * may->bits : may->bits;
    return d->drops <= 1 && is_drawn && d->size <= may->size && d->last <= UINT64_MAX >> (64 - bits) &&
           d->skip <= may->skip && may->is_shape(d) && is_scale(d->scale);
}

dropwise_status dropwise_check_interop(const dropwise_interop *interop)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (interop->struct_size != sizeof *interop)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (dropwise_layout_name(interop->layout) == NULL)
        return DROPWISE_ERROR_LAYOUT;
    if (interop->reserved[0] != 0)
        return DROPWISE_ERROR_RESERVED;
    return parameters_are_known(interop) ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}
