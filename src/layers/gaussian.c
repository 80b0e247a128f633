/* Gaussian dropout, Gaussian noise that is added, and random numbers themselves, uniform and normal. */
#include "dropwise_variants.h"

#include <string.h>

#include "base/fp_env.h"
#include "layers/noise_layer.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"

/* ---- Random numbers ---- */

/* Begins a call that writes random numbers: the strides of x do not count. */
static dropwise_status begin_draw(noise_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                                  dropwise_dtype dtype, const dropwise_view *view, void *y, bool *empty)
{
    const dropwise_status status = dropwise_check_view_call(mask, dtype, view, NULL, empty);
    if (status != DROPWISE_OK)
        return status;
    dropwise_view of_y = *view;
    memcpy(of_y.x_stride, of_y.y_stride, sizeof of_y.x_stride);
    return dropwise_begin_noise(c, kernels, mask, dtype, &of_y, false, NULL, y, WRITTEN, empty);
}

static void run_draw(noise_call *c)
{
    row_call *rows = &c->rows;
    row r = first_row(rows);
    do {
        for (row_piece p = first_piece(rows, &r, &c->y); p.n != 0; p = next_piece(rows, p)) {
            double buffer[PIECE];
            const void *noise = noise_of(c, &r, p, buffer);
            uint8_t *y = operand_at(rows, &c->y, &r, p.column);
            if (rows->dtype.narrow != NULL)
                rows->dtype.narrow(p.n, noise, y);
            else
                memcpy(y, noise, p.n * rows->real_bytes);
        }
    } while (dropwise_next_row(rows, &r));
}

static FP_ENV_BODY dropwise_status draw_uniform(const dropwise_mask *mask, dropwise_dtype dtype,
                                                const dropwise_view *view, void *y)
{
    noise_call c;
    bool empty;
    const dropwise_status status = begin_draw(&c, dropwise_active(), mask, dtype, view, y, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_kernels *k = c.rows.kernels;
    const dropwise_params none = params_of(&c.rows, 0, 0, 0);
    draw_uniform_words(&c, c.rows.is_f64 ? k->noise_uniform_f64 : k->noise_uniform_f32, &none);
    run_draw(&c);
    return DROPWISE_OK;
}

dropwise_status dropwise_draw_uniform(const dropwise_mask *mask, dropwise_dtype dtype,
                                      const dropwise_view *view, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, draw_uniform(mask, dtype, view, y));
}

static FP_ENV_BODY dropwise_status draw_normal(const dropwise_mask *mask, dropwise_dtype dtype,
                                               const dropwise_view *view, void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status = begin_draw(&c, kernels, mask, dtype, view, y, &empty);
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status != DROPWISE_OK || empty)
        return status;
    draw_normal_words(&c);
    run_draw(&c);
    return DROPWISE_OK;
}

dropwise_status dropwise_draw_normal(const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_view *view, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, draw_normal(mask, dtype, view, y));
}

/* ---- Normal noise ---- */

static FP_ENV_BODY dropwise_status gaussian(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_view *view, const void *x, void *y,
                                            operand_use use)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status = dropwise_begin_noise(&c, kernels, mask, dtype, view, true, x, y, use, &empty);
    if (status == DROPWISE_OK && mask->keep_threshold == 0)
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status != DROPWISE_OK || empty)
        return status;
    const double q = dropwise_keep_probability(mask);
    const dropwise_params p = params_of(&c.rows, 1, __builtin_sqrt((1.0 - q) / q), 0);
    draw_normal_words(&c);
    dropwise_run_noise(&c, modulate_of(&c.rows), &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_gaussian_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, gaussian(mask, dtype, view, x, y, WRITTEN));
}

dropwise_status dropwise_gaussian_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const void *dy, void *dx)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, gaussian(mask, dtype, view, dy, dx, gradient_use(mask)));
}

static FP_ENV_BODY dropwise_status gaussian_noise(const dropwise_mask *mask, dropwise_dtype dtype,
                                                  const dropwise_view *view, double sigma, const void *x,
                                                  void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status =
        dropwise_begin_noise(&c, kernels, mask, dtype, view, true, x, y, WRITTEN, &empty);
    if (status == DROPWISE_OK && !(sigma >= 0 && dropwise_is_finite(sigma)))
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels, dtype);
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_params p = params_of(&c.rows, 1, sigma, 0);
    draw_normal_words(&c);
    dropwise_run_noise(&c, mix_of(&c.rows), &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_gaussian_noise(const dropwise_mask *mask, dropwise_dtype dtype,
                                        const dropwise_view *view, double sigma, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, gaussian_noise(mask, dtype, view, sigma, x, y));
}
