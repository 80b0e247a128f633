/* DropConnect: check the arguments, then products with weights that are dropped. */
#include "dropwise_dropconnect.h"

#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "draw/real_source.h"
#include "layers/masked_products.h"
#include "tiers/dispatch.h"

enum { MAX_MATRICES = 6 /* of a call */ };

/* ---- Checks ---- */

/* A matrix of a call: some rows, `stride` elements apart. */
typedef struct matrix {
    const void *p;
    uint64_t rows, row_length, stride;
    size_t element_bytes;
    bool output;
} matrix;

/* Grows *sum by n * stride; false if it does not fit. */
static bool add_product(uint64_t n, uint64_t stride, uint64_t *sum)
{
    uint64_t term;
    return !__builtin_mul_overflow(n, stride, &term) && !__builtin_add_overflow(*sum, term, sum);
}

static dropwise_status check_layer(const dropwise_dropconnect *layer)
{
    if (layer == NULL)
        return DROPWISE_ERROR_NULL;
    if (layer->struct_size != sizeof *layer)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof layer->reserved / sizeof layer->reserved[0]; i++)
        if (layer->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    if (layer->rows == 0 || layer->columns == 0)
        return DROPWISE_ERROR_SHAPE;
    uint64_t last = layer->first;
    if (layer->samples != 0 && (!add_product(layer->samples - 1, layer->mask_sample_stride, &last) ||
                                !add_product(layer->rows - 1, layer->mask_row_stride, &last) ||
                                !add_product(layer->columns - 1, 1, &last) || last >= DROPWISE_INDEX_LIMIT))
        return DROPWISE_ERROR_RANGE;
    return DROPWISE_OK;
}

static dropwise_status extent_of(const matrix *m, dropwise_extent *extent)
{
    uint64_t elements = m->row_length;
    if (!add_product(m->rows - 1, m->stride, &elements) ||
        dropwise_check_size(elements, m->element_bytes) != DROPWISE_OK)
        return DROPWISE_ERROR_SIZE;
    *extent = dropwise_extent_of(m->p, (size_t)elements * m->element_bytes);
    return DROPWISE_OK;
}

/* Matrices with a NULL pointer are left out: who needs them has checked that. */
static dropwise_status check_matrices(const matrix *matrices, size_t n)
{
    dropwise_extent extents[MAX_MATRICES];
    for (size_t i = 0; i < n; i++) {
        const dropwise_status status =
            matrices[i].p != NULL ? extent_of(&matrices[i], &extents[i]) : DROPWISE_OK;
        if (status != DROPWISE_OK)
            return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (!matrices[i].output || matrices[i].p == NULL)
            continue;
        if (matrices[i].rows > 1 && matrices[i].stride < matrices[i].row_length)
            return DROPWISE_ERROR_SELF_OVERLAP;
        for (size_t j = 0; j < n; j++)
            if (j != i && matrices[j].p != NULL && dropwise_overlap(extents[i], extents[j]))
                return DROPWISE_ERROR_OVERLAP;
    }
    return DROPWISE_OK;
}

static dropwise_status check_call(const dropwise_mask *mask, dropwise_dtype dtype,
                                  const dropwise_dropconnect *layer)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    return status == DROPWISE_OK ? check_layer(layer) : status;
}

/* ---- Public functions ---- */

dropwise_status dropwise_dropconnect_init(dropwise_dropconnect *layer, uint64_t samples, uint64_t rows,
                                          uint64_t columns)
{
    if (layer == NULL)
        return DROPWISE_ERROR_NULL;
    if (rows == 0 || columns == 0)
        return DROPWISE_ERROR_SHAPE;
    uint64_t weights = 0, all = 0;
    if (!add_product(rows, columns, &weights) || weights > DROPWISE_INDEX_LIMIT ||
        !add_product(samples, weights, &all) || all > DROPWISE_INDEX_LIMIT)
        return DROPWISE_ERROR_RANGE;
    *layer = (dropwise_dropconnect){.struct_size = sizeof *layer,
                                    .samples = samples,
                                    .rows = rows,
                                    .columns = columns,
                                    .mask_sample_stride = weights,
                                    .mask_row_stride = columns,
                                    .w_stride = columns,
                                    .x_stride = columns,
                                    .y_stride = rows};
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropconnect_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_dropconnect *layer, const void *w,
                                                       const void *x, const void *bias, void *y)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (w == NULL || x == NULL || y == NULL)
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {bias, 1, layer->rows, 0, bytes, false},
                               {y, layer->samples, layer->rows, layer->y_stride, bytes, true}};
    status = check_matrices(matrices, 4);
    if (status != DROPWISE_OK)
        return status;
    const product_call c = dropwise_begin_products(mask, dtype, layer);
    dropwise_multiply_masked(&c, &(product){.w = w, .x = x, .bias = bias, .y = y});
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_dropconnect *layer, const void *w, const void *x,
                                             const void *bias, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_forward(mask, dtype, layer, w, x, bias, y));
}

static FP_ENV_BODY dropwise_status dropconnect_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_dropconnect *layer, const void *w,
                                                        const void *x, const void *dy, void *dx, void *dw,
                                                        void *db)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (dy == NULL || (dx != NULL && w == NULL) || (dw != NULL && x == NULL))
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t real_bytes = dropwise_real_bytes(dtype);
    if (dx == NULL) /* it is not read */
        w = NULL;
    if (dw == NULL)
        x = NULL;
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {dy, layer->samples, layer->rows, layer->y_stride, bytes, false},
                               {dx, layer->samples, layer->columns, layer->x_stride, bytes, true},
                               {dw, layer->rows, layer->columns, layer->w_stride, real_bytes, true},
                               {db, 1, layer->rows, 0, real_bytes, true}};
    status = check_matrices(matrices, 6);
    if (status != DROPWISE_OK)
        return status;
    const product_call c = dropwise_begin_products(mask, dtype, layer);
    if (dx != NULL)
        dropwise_gradient_x(&c, w, dy, dropwise_accumulates(mask), dx);
    if (dw != NULL)
        dropwise_gradient_w(&c, x, dy, dw);
    if (db != NULL)
        dropwise_gradient_bias(&c, dy, db);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                              const dropwise_dropconnect *layer, const void *w, const void *x,
                                              const void *dy, void *dx, void *dw, void *db)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_backward(mask, dtype, layer, w, x, dy, dx, dw, db));
}

static FP_ENV_BODY dropwise_status dropconnect_moments(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_dropconnect *layer, const void *w,
                                                       const void *x, const void *bias, void *mean,
                                                       void *variance)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (w == NULL || x == NULL || mean == NULL || variance == NULL)
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t real_bytes = dropwise_real_bytes(dtype);
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {bias, 1, layer->rows, 0, bytes, false},
                               {mean, layer->samples, layer->rows, layer->y_stride, real_bytes, true},
                               {variance, layer->samples, layer->rows, layer->y_stride, real_bytes, true}};
    status = check_matrices(matrices, 5);
    if (status != DROPWISE_OK)
        return status;
    /* With q the probability of being kept: q s, and (1 - q) q s^2; both are 0 where nothing is kept. */
    const double q = dropwise_keep_probability(mask);
    const bool inverted = mask->scaling == DROPWISE_SCALING_INVERTED;
    product_call c = dropwise_begin_products(mask, dtype, layer);
    c.narrow = NULL;
    c.scale = real_of(dtype == DROPWISE_F64, !inverted ? q : q != 0.0 ? 1.0 : 0.0);
    const double square_scale = !inverted ? (1.0 - q) * q : q != 0.0 ? (1.0 - q) / q : 0.0;
    const product p = {.w = w,
                       .x = x,
                       .bias = bias,
                       .y = mean,
                       .variance = variance,
                       .square_scale = real_of(dtype == DROPWISE_F64, square_scale)};
    dropwise_multiply_masked(&c, &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_moments(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_dropconnect *layer, const void *w, const void *x,
                                             const void *bias, void *mean, void *variance)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_moments(mask, dtype, layer, w, x, bias, mean, variance));
}

static FP_ENV_BODY dropwise_status dropconnect_sample(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      uint64_t first, size_t n, const void *mean,
                                                      const void *variance, void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_status status = dropwise_check_mask(mask);
    const size_t bytes = dropwise_dtype_bytes(dtype);
    if (status == DROPWISE_OK && bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    const size_t real_bytes = dropwise_real_bytes(dtype);
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, real_bytes);
    if (status == DROPWISE_OK)
        status = dropwise_check_range(first, n);
    if (status == DROPWISE_OK && n != 0 && (mean == NULL || variance == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status != DROPWISE_OK || n == 0)
        return status;
    const void *const moments[] = {mean, variance};
    const dropwise_extent of_y = dropwise_extent_of(y, n * bytes);
    for (size_t i = 0; i < 2; i++)
        if ((moments[i] != y || bytes != real_bytes) &&
            dropwise_overlap(dropwise_extent_of(moments[i], n * real_bytes), of_y))
            return DROPWISE_ERROR_OVERLAP;

    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    const bool is_f64 = dtype == DROPWISE_F64;
    dropwise_noise_fn *const noise_normal = is_f64 ? kernels->noise_normal_f64 : kernels->noise_normal_f32;
    dropwise_sample_normal_fn *const sample_normal =
        is_f64 ? kernels->sample_normal_f64 : kernels->sample_normal_f32;
    dropwise_narrow_fn *narrow = dropwise_dtype_of(kernels, dtype).narrow;
    real_source normal;
    dropwise_reals_init(&normal, &draw, STREAM_NORMAL, noise_normal, NULL, real_bytes);
    for (size_t i = 0; i < n; i += REALS_PIECE) {
        float wide[REALS_PIECE];
        const size_t len = min_size(REALS_PIECE, n - i);
        uint8_t *out = element_at(y, 0, 0, i, bytes);
        sample_normal(element_at(mean, 0, 0, i, real_bytes), element_at(variance, 0, 0, i, real_bytes), len,
                      dropwise_reals_get(&normal, first + i, 1, len, NULL),
                      narrow == NULL ? (void *)out : wide);
        if (narrow != NULL)
            narrow(len, wide, out);
    }
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_sample(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                            size_t n, const void *mean, const void *variance, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_sample(mask, dtype, first, n, mean, variance, y));
}
