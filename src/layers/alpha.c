/* Alpha dropout: what is dropped becomes what SELU tends to, and mean and variance stay. */
#include "dropwise_variants.h"

#include "base/fp_env.h"
#include "layers/row_layer.h"
#include "tiers/dispatch.h"

/* What SELU tends to at -infinity: -lambda alpha. */
#define SELU_MINIMUM (-1.7580993408473766)

typedef struct alpha_params {
    double a, b, dropped;
} alpha_params;

static alpha_params alpha_of(const dropwise_mask *mask)
{
    const double q = dropwise_keep_probability(mask);
    const double a = 1.0 / __builtin_sqrt(q + SELU_MINIMUM * SELU_MINIMUM * q * (1.0 - q));
    const double b = -a * SELU_MINIMUM * (1.0 - q);
    return (alpha_params){a, b, a * SELU_MINIMUM + b};
}

static void run_alpha_forward(row_call *c, const dropwise_step_kernels *k, alpha_params alpha,
                              const operand *x, const operand *y)
{
    const dropwise_params affine = params_of(c, alpha.a, alpha.b, alpha.dropped);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            float of_x[PIECE], of_y[PIECE];
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, x, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            const void *in = load_reals(c, x, &r, p.column, p.n, of_x);
            (stores_nontemporally(c, p) ? k->affine_kept_nt : k->affine_kept)(
                bits, p.n, in, &affine, output(c, y, &r, p.column, of_y));
            finish_output(c, y, &r, p.column, p.n, of_y);
        }
    } while (dropwise_next_row(c, &r));
    end_rows(c);
}

static void run_alpha_backward(row_call *c, double a, const operand *dy, const operand *dx)
{
    const bool own = c->dtype.widen == NULL;
    dropwise_apply_fn *const kernel = own ? c->dtype.scale_kept : c->kernels->scale_kept_f32;
    dropwise_apply_fn *const nontemporal = own ? c->dtype.scale_kept_nt : c->kernels->scale_kept_nt_f32;
    const real factor = real_of(c->is_f64, a);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, dx); p.n != 0; p = next_piece(c, p)) {
            float of_dy[PIECE];
            double of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, dy, &r, p.column);
            prefetch_sum(c, dx, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            const void *in = load_reals(c, dy, &r, p.column, p.n, of_dy);
            (stores_nontemporally(c, p) ? nontemporal : kernel)(bits, p.n, in,
                                                                output(c, dx, &r, p.column, of_dx), &factor);
            finish_gradient(c, dx, &r, p.column, p.n, bits, of_dx);
        }
    } while (dropwise_next_row(c, &r));
    end_rows(c);
}

static FP_ENV_BODY dropwise_status alpha(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const void *x, void *y,
                                         const dropwise_stored *stored, bool forward)
{
    bool empty;
    dropwise_view merged;
    dropwise_status status = dropwise_check_merged_rows(mask, dtype, view, stored, &merged, &empty);
    if (status == DROPWISE_OK && !empty && (x == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    /* p = 0 copies what is kept, p = 1 keeps nothing: as dropout does. */
    if (dropwise_is_constant(mask->keep_threshold)) {
        dropwise_mask plain = *mask;
        plain.scaling = DROPWISE_SCALING_STANDARD;
        return forward ? dropwise_forward_view(&plain, dtype, view, x, y, stored)
                       : dropwise_backward_view(&plain, dtype, view, x, y, stored);
    }
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{x, merged.x_stride, bytes, READ},
                                {y, merged.y_stride, bytes, forward ? WRITTEN : gradient_use(mask)}};
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_step_kernels steps = dropwise_steps_of(kernels, dtype);
    row_call c;
    status = dropwise_begin_rows(&c, kernels, mask, dtype, &merged, operands, 2, stored, forward);
    if (status != DROPWISE_OK)
        return status;
    take_elements(&c);
    const alpha_params p = alpha_of(mask);
    if (forward)
        run_alpha_forward(&c, &steps, p, &operands[0], &operands[1]);
    else
        run_alpha_backward(&c, p.a, &operands[0], &operands[1]);
    return DROPWISE_OK;
}

dropwise_status dropwise_alpha_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const void *x, void *y,
                                       const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, alpha(mask, dtype, view, x, y, stored, true));
}

dropwise_status dropwise_alpha_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                        const dropwise_view *view, const void *dy, void *dx,
                                        const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, alpha(mask, dtype, view, dy, dx, stored, false));
}
