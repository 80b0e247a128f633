/* Concrete dropout: p is learned, by a mask that is relaxed to numbers between 0 and 1. */
#include "dropwise_variants.h"

#include <string.h>

#include "base/exp_log.h"
#include "base/fp_env.h"
#include "layers/noise_layer.h"
#include "tiers/dispatch.h"

static dropwise_status check_logit(double logit, double temperature)
{
    const bool inside = logit >= -64 && logit <= 64 && temperature >= 0x1p-20 && temperature <= 0x1p20;
    return inside ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}

static dropwise_status check_concrete(const dropwise_concrete *concrete)
{
    if (concrete == NULL)
        return DROPWISE_ERROR_NULL;
    if (concrete->struct_size != sizeof *concrete)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof concrete->reserved / sizeof concrete->reserved[0]; i++)
        if (concrete->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    if (!dropwise_is_finite(concrete->weight_regularizer) ||
        !dropwise_is_finite(concrete->dropout_regularizer))
        return DROPWISE_ERROR_PARAMETER;
    return check_logit(concrete->logit, concrete->temperature);
}

static FP_ENV_BODY dropwise_status concrete_init(dropwise_concrete *concrete, double logit,
                                                 double temperature)
{
    if (concrete == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_status status = check_logit(logit, temperature);
    if (status != DROPWISE_OK)
        return status;
    memset(concrete, 0, sizeof *concrete);
    concrete->struct_size = sizeof *concrete;
    concrete->logit = logit;
    concrete->temperature = temperature;
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_init(dropwise_concrete *concrete, double logit, double temperature)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_init(concrete, logit, temperature));
}

/* p and 1 / (1 - p). */
typedef struct probability {
    double p, inverse_keep;
} probability;

static probability probability_of(double logit)
{
    return (probability){1.0 / (1.0 + exp_of(-logit)), 1.0 + exp_of(logit)};
}

static FP_ENV_BODY dropwise_status concrete_probability(const dropwise_concrete *concrete, double *p)
{
    const dropwise_status status = check_concrete(concrete);
    if (status != DROPWISE_OK)
        return status;
    if (p == NULL)
        return DROPWISE_ERROR_NULL;
    *p = probability_of(concrete->logit).p;
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_probability(const dropwise_concrete *concrete, double *p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_probability(concrete, p));
}

/* Reals will be the kept parts of the relaxed mask. */
static void draw_relaxed(noise_call *c, const dropwise_params *p)
{
    const dropwise_kernels *k = c->rows.kernels;
    draw_uniform_words(c, c->rows.is_f64 ? k->noise_relaxed_f64 : k->noise_relaxed_f32, p);
}

static FP_ENV_BODY dropwise_status concrete_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view,
                                                    const dropwise_concrete *concrete, const void *x, void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status =
        dropwise_begin_noise(&c, kernels, mask, dtype, view, true, x, y, WRITTEN, &empty);
    if (status == DROPWISE_OK)
        status = check_concrete(concrete);
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status != DROPWISE_OK || empty)
        return status;
    const probability of = probability_of(concrete->logit);
    const dropwise_params relaxed = params_of(&c.rows, concrete->logit, 1.0 / concrete->temperature, 0);
    const dropwise_params scale = params_of(&c.rows, 0, of.inverse_keep, 0);
    draw_relaxed(&c, &relaxed);
    dropwise_run_noise(&c, modulate_of(&c.rows), &scale);
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const dropwise_concrete *concrete,
                                          const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_forward(mask, dtype, view, concrete, x, y));
}

static void run_concrete_backward(noise_call *c, const dropwise_params *p, const operand *dy,
                                  const operand *x, const operand *dx, double *sums)
{
    row_call *rows = &c->rows;
    dropwise_relaxed_grad_fn *const kernel =
        rows->is_f64 ? rows->kernels->relaxed_grad_f64 : rows->kernels->relaxed_grad_f32;
    row r = first_row(rows);
    do {
        for (uint64_t column = 0; column < rows->row_length; column += PIECE) {
            const row_piece at = {.column = column, .n = piece_length(rows->row_length, column)};
            float of_dy[PIECE], of_x[PIECE];
            double buffer[PIECE], of_dx[PIECE];
            prefetch_piece(rows, dy, &r, at.column);
            prefetch_piece(rows, x, &r, at.column);
            prefetch_sum(rows, dx, &r, at.column);
            const void *kept = noise_of(c, &r, at, buffer);
            const void *d = load_reals(rows, dy, &r, column, at.n, of_dy);
            kernel(at.n, d, load_reals(rows, x, &r, column, at.n, of_x), kept, p,
                   output(rows, dx, &r, column, of_dx), sums);
            finish_gradient(rows, dx, &r, column, at.n, NULL, of_dx);
        }
    } while (dropwise_next_row(rows, &r));
}

static FP_ENV_BODY dropwise_status concrete_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_view *view,
                                                     const dropwise_concrete *concrete, const void *dy,
                                                     const void *x, void *dx, double *dlogit)
{
    const dropwise_kernels *kernels = dropwise_active();
    bool empty;
    dropwise_status status = dropwise_check_rows(mask, dtype, view, NULL, &empty);
    if (status == DROPWISE_OK)
        status = check_concrete(concrete);
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status == DROPWISE_OK && (dlogit == NULL || (!empty && (dy == NULL || x == NULL || dx == NULL))))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    const operand_use use = gradient_use(mask);
    if (empty) { /* a sum of nothing */
        if (use == WRITTEN)
            *dlogit = 0;
        return DROPWISE_OK;
    }
    static const int64_t alone[DROPWISE_MAX_RANK];
    noise_call c;
    c.view = *view;
    dropwise_merge_rows(&c.view, 16); /* so that no column gets into another sum */
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{dy, c.view.x_stride, bytes, READ},
                                {x, c.view.y_stride, bytes, READ},
                                {dx, c.view.y_stride, bytes, use},
                                {dlogit, alone, sizeof *dlogit, use}};
    status = dropwise_begin_rows(&c.rows, kernels, mask, dtype, &c.view, operands, 4, NULL, false);
    if (status != DROPWISE_OK)
        return status;
    const probability of = probability_of(concrete->logit);
    const dropwise_params relaxed = params_of(&c.rows, concrete->logit, 1.0 / concrete->temperature, 0);
    const dropwise_params slope = params_of(&c.rows, of.inverse_keep, of.p, 1.0 / concrete->temperature);
    double sums[16] = {0};
    draw_relaxed(&c, &relaxed);
    run_concrete_backward(&c, &slope, &operands[0], &operands[1], &operands[2], sums);
    const real total = dropwise_sum_tree(true, sums, 1);
    dropwise_put_sums(kernels, true, use, 1, &total, dlogit);
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const dropwise_concrete *concrete,
                                           const void *dy, const void *x, void *dx, double *dlogit)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_backward(mask, dtype, view, concrete, dy, x, dx, dlogit));
}

static double sum_of_squares(const dropwise_kernels *kernels, dropwise_dtype dtype, size_t n,
                             const uint8_t *weights)
{
    const dropwise_dtype_kernels of_dtype = dropwise_dtype_of(kernels, dtype);
    dropwise_dot_fn *const dot = dtype == DROPWISE_F64 ? kernels->dot_f64 : kernels->dot_f32;
    double sums[16] = {0};
    for (size_t done = 0; done < n; done += PIECE) {
        float wide[PIECE];
        const size_t len = piece_length(n, done);
        const void *piece = weights + done * dropwise_dtype_bytes(dtype);
        if (of_dtype.widen != NULL) {
            of_dtype.widen(len, piece, wide);
            piece = wide;
        }
        dot(len, piece, piece, sums);
    }
    return dropwise_sum_tree(true, sums, 1).f64;
}

static dropwise_status check_results(dropwise_extent of_weights, const double *value, const double *dlogit,
                                     const double *decay)
{
    const dropwise_extent extents[] = {of_weights, dropwise_extent_of(value, sizeof *value),
                                       dropwise_extent_of(dlogit, sizeof *dlogit),
                                       dropwise_extent_of(decay, sizeof *decay)};
    for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++)
        for (size_t j = 0; j < i; j++)
            if (dropwise_overlap(extents[i], extents[j]))
                return DROPWISE_ERROR_OVERLAP;
    return DROPWISE_OK;
}

/* The NaN of 0 times infinity has another sign on x86 than elsewhere. */
static double quiet(double number)
{
    return number == number ? number : __builtin_nan("");
}

static FP_ENV_BODY dropwise_status concrete_regularizer(const dropwise_concrete *concrete,
                                                        dropwise_dtype dtype, uint64_t n, const void *weights,
                                                        double *value, double *dlogit, double *decay)
{
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_status status = check_concrete(concrete);
    const size_t bytes = dropwise_dtype_bytes(dtype);
    if (status == DROPWISE_OK && bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, bytes);
    if (status == DROPWISE_OK &&
        (value == NULL || dlogit == NULL || decay == NULL || (weights == NULL && n != 0)))
        status = DROPWISE_ERROR_NULL;
    if (status == DROPWISE_OK)
        status = check_results(dropwise_extent_of(weights, (size_t)n * bytes), value, dlogit, decay);
    if (status != DROPWISE_OK)
        return status;
    const double a = concrete->logit;
    const probability of = probability_of(a);
    const double by_weights = concrete->weight_regularizer * of.inverse_keep;
    const double squares = sum_of_squares(kernels, dtype, (size_t)n, weights);
    const double by_dropout = concrete->dropout_regularizer * (double)concrete->features;
    /* p ln p + (1 - p) ln(1 - p) = p a + ln(1 - p), and 1 / (1 - p) is at hand. */
    *value = quiet(by_weights * squares + by_dropout * (of.p * a - log_of(of.inverse_keep)));
    *dlogit = quiet(by_weights * squares * of.p + by_dropout * a * of.p / of.inverse_keep);
    *decay = 2.0 * by_weights;
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_regularizer(const dropwise_concrete *concrete, dropwise_dtype dtype,
                                              uint64_t n, const void *weights, double *value, double *dlogit,
                                              double *decay)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_regularizer(concrete, dtype, n, weights, value, dlogit, decay));
}
