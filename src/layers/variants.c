/* The variants of dropout: check the arguments, then piece by piece bits or numbers, and a kernel. */
#include "dropwise_variants.h"

#include <string.h>

#include "base/fp_env.h"
#include "draw/reals.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"
#include "view/rows.h"

/* The keep probability. */
static double keep_probability(const dropwise_mask *mask)
{
    return (double)mask->keep_threshold * 0x1p-40;
}

/* Parameters of kernels in the type that is computed in. */
static dropwise_params params_of(const row_call *c, double first, double second, double third)
{
    if (c->is_f64)
        return (dropwise_params){.f64 = {first, second, third}};
    return (dropwise_params){.f32 = {(float)first, (float)second, (float)third}};
}

/* Whether numbers of a piece are written to y itself, past the caches. */
static bool stores_nontemporally(const row_call *c, row_piece p)
{
    return p.nontemporal && c->dtype.narrow == NULL;
}

static void end_call(const row_call *c)
{
    if (c->nontemporal)
        c->kernels->nt_fence();
}

/* The bits of a piece. */
static const uint8_t *bits_of(row_call *c, const row *r, row_piece p, uint8_t *buffer)
{
    return dropwise_piece_bits(c, r, p.column, p.n, !p.leads, buffer);
}

/* ---- Alpha dropout ---- */

/* What SELU tends to at -infinity: -lambda alpha. */
#define SELU_MINIMUM (-1.7580993408473766)

typedef struct alpha_params {
    double a, b, dropped;
} alpha_params;

static alpha_params alpha_of(const dropwise_mask *mask)
{
    const double q = keep_probability(mask);
    const double a = 1.0 / __builtin_sqrt(q + SELU_MINIMUM * SELU_MINIMUM * q * (1.0 - q));
    const double b = -a * SELU_MINIMUM * (1.0 - q);
    return (alpha_params){a, b, a * SELU_MINIMUM + b};
}

static void run_alpha_forward(row_call *c, alpha_params alpha, const operand *x, const operand *y)
{
    dropwise_affine_fn *const kernel = c->is_f64 ? c->kernels->affine_kept_f64 : c->kernels->affine_kept_f32;
    dropwise_affine_fn *const nontemporal =
        c->is_f64 ? c->kernels->affine_kept_nt_f64 : c->kernels->affine_kept_nt_f32;
    const dropwise_params affine = params_of(c, alpha.a, alpha.b, alpha.dropped);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            float of_x[PIECE], of_y[PIECE];
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, x, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            const void *in = numbers(c, x, &r, p.column, p.n, of_x);
            (stores_nontemporally(c, p) ? nontemporal : kernel)(bits, p.n, in, &affine,
                                                                output(c, y, &r, p.column, of_y));
            finish_output(c, y, &r, p.column, p.n, of_y);
        }
    } while (dropwise_next_row(c, &r));
    end_call(c);
}

static void run_alpha_backward(row_call *c, double a, const operand *dy, const operand *dx)
{
    dropwise_apply_fn *const kernel = c->is_f64 ? c->kernels->scale_kept_f64 : c->kernels->scale_kept_f32;
    dropwise_apply_fn *const nontemporal =
        c->is_f64 ? c->kernels->scale_kept_nt_f64 : c->kernels->scale_kept_nt_f32;
    const number factor = number_of(c, a);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, dx); p.n != 0; p = next_piece(c, p)) {
            float of_dy[PIECE], of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, dy, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            const void *in = numbers(c, dy, &r, p.column, p.n, of_dy);
            (stores_nontemporally(c, p) ? nontemporal : kernel)(bits, p.n, in,
                                                                output(c, dx, &r, p.column, of_dx), &factor);
            finish_output(c, dx, &r, p.column, p.n, of_dx);
        }
    } while (dropwise_next_row(c, &r));
    end_call(c);
}

/*
 * The checks of a call by rows. Without a stored mask, rows that are one in memory and mask become one:
 * *merged is the view to go by.
 */
static dropwise_status check_call(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                                  const dropwise_stored *stored, dropwise_view *merged, bool *empty)
{
    const dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, empty);
    if (status != DROPWISE_OK)
        return status;
    *merged = *view;
    if (stored == NULL && !*empty)
        dropwise_merge_rows(merged, 1);
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status alpha(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const void *x, void *y,
                                         const dropwise_stored *stored, bool forward)
{
    bool empty;
    dropwise_view merged;
    dropwise_status status = check_call(mask, dtype, view, stored, &merged, &empty);
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
    const operand operands[] = {{x, merged.x_stride, bytes, false}, {y, merged.y_stride, bytes, true}};
    row_call c;
    status = dropwise_begin_rows(&c, dropwise_active(), mask, dtype, &merged, operands, 2, stored, forward);
    if (status != DROPWISE_OK)
        return status;
    const alpha_params p = alpha_of(mask);
    if (forward)
        run_alpha_forward(&c, p, &operands[0], &operands[1]);
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

/* ---- Zoneout ---- */

typedef struct move_kernels {
    dropwise_blend_fn *blend, *blend_nt;
    dropwise_split_fn *split, *split_nt;
} move_kernels;

static move_kernels moves_of(const dropwise_kernels *k, size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        return (move_kernels){k->blend_b8, k->blend_nt_b8, k->split_b8, k->split_nt_b8};
    case 2:
        return (move_kernels){k->blend_b16, k->blend_nt_b16, k->split_b16, k->split_nt_b16};
    case 4:
        return (move_kernels){k->blend_b32, k->blend_nt_b32, k->split_b32, k->split_nt_b32};
    default:
        return (move_kernels){k->blend_b64, k->blend_nt_b64, k->split_b64, k->split_nt_b64};
    }
}

static void run_blend(row_call *c, const operand *h, const operand *before, const operand *y)
{
    const move_kernels k = moves_of(c->kernels, c->element_bytes);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, h, &r, p.column);
            prefetch_piece(c, before, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            (p.nontemporal ? k.blend_nt : k.blend)(bits, p.n, place(c, h, &r, p.column),
                                                   place(c, before, &r, p.column), place(c, y, &r, p.column));
        }
    } while (dropwise_next_row(c, &r));
    end_call(c);
}

static void run_split(row_call *c, const operand *dy, const operand *dh, const operand *dbefore)
{
    const move_kernels k = moves_of(c->kernels, c->element_bytes);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, dh); p.n != 0; p = next_piece(c, p)) {
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, dy, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            uint8_t *dropped = place(c, dbefore, &r, p.column);
            const bool nontemporal = p.nontemporal && (uintptr_t)dropped % DROPWISE_NT_ALIGN == 0;
            (nontemporal ? k.split_nt : k.split)(bits, p.n, place(c, dy, &r, p.column),
                                                 place(c, dh, &r, p.column), dropped);
        }
    } while (dropwise_next_row(c, &r));
    end_call(c);
}

/* A call with three tensors, none of which may be NULL: the first by x_stride, the others by y_stride. */
typedef struct zoneout_call {
    row_call rows;
    dropwise_view view;
    operand operands[3];
} zoneout_call;

/* Checks a call and begins it; `outputs` of the tensors, the last ones, are written. */
static dropwise_status begin_zoneout(zoneout_call *c, const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_view *view, const void *const tensors[3], int outputs,
                                     const dropwise_stored *stored, bool draws, bool *empty)
{
    dropwise_status status = check_call(mask, dtype, view, stored, &c->view, empty);
    for (int i = 0; i < 3 && status == DROPWISE_OK && !*empty; i++)
        status = tensors[i] == NULL ? DROPWISE_ERROR_NULL : DROPWISE_OK;
    if (status != DROPWISE_OK || *empty)
        return status;
    for (int i = 0; i < 3; i++)
        c->operands[i] = (operand){tensors[i], i == 0 ? c->view.x_stride : c->view.y_stride,
                                   dropwise_dtype_bytes(dtype), i >= 3 - outputs};
    status = dropwise_begin_rows(&c->rows, dropwise_active(), mask, dtype, &c->view, c->operands, 3, stored,
                                 draws);
    /* As nothing is scaled, a stored mask counts for p = 1 too. */
    if (status == DROPWISE_OK)
        c->rows.reads_stored = stored != NULL;
    return status;
}

static FP_ENV_BODY dropwise_status zoneout_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                   const dropwise_view *view, const void *h,
                                                   const void *before, void *y, const dropwise_stored *stored)
{
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {h, before, y};
    const dropwise_status status = begin_zoneout(&c, mask, dtype, view, tensors, 1, stored, true, &empty);
    if (status == DROPWISE_OK && !empty)
        run_blend(&c.rows, &c.operands[0], &c.operands[1], &c.operands[2]);
    return status;
}

dropwise_status dropwise_zoneout_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const void *h, const void *before,
                                         void *y, const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_forward(mask, dtype, view, h, before, y, stored));
}

static FP_ENV_BODY dropwise_status zoneout_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *dy, void *dh,
                                                    void *dbefore, const dropwise_stored *stored)
{
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {dy, dh, dbefore};
    const dropwise_status status = begin_zoneout(&c, mask, dtype, view, tensors, 2, stored, false, &empty);
    if (status == DROPWISE_OK && !empty)
        run_split(&c.rows, &c.operands[0], &c.operands[1], &c.operands[2]);
    return status;
}

dropwise_status dropwise_zoneout_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *dy, void *dh, void *dbefore,
                                          const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_backward(mask, dtype, view, dy, dh, dbefore, stored));
}

/* ---- Two operands that are combined ---- */

typedef struct combine_kernels {
    dropwise_combine_fn *ordinary, *nontemporal;
} combine_kernels;

static combine_kernels mix_of(const row_call *c)
{
    const dropwise_kernels *k = c->kernels;
    return c->is_f64 ? (combine_kernels){k->mix_f64, k->mix_nt_f64}
                     : (combine_kernels){k->mix_f32, k->mix_nt_f32};
}

static combine_kernels modulate_of(const row_call *c)
{
    const dropwise_kernels *k = c->kernels;
    return c->is_f64 ? (combine_kernels){k->modulate_f64, k->modulate_nt_f64}
                     : (combine_kernels){k->modulate_f32, k->modulate_nt_f32};
}

static void run_mix(row_call *c, const dropwise_params *weights, const operand *a, const operand *b,
                    const operand *y)
{
    const combine_kernels k = mix_of(c);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            float of_a[PIECE], of_b[PIECE], of_y[PIECE];
            const void *in = numbers(c, a, &r, p.column, p.n, of_a);
            (stores_nontemporally(c, p) ? k.nontemporal : k.ordinary)(
                p.n, in, numbers(c, b, &r, p.column, p.n, of_b), weights, output(c, y, &r, p.column, of_y));
            finish_output(c, y, &r, p.column, p.n, of_y);
        }
    } while (dropwise_next_row(c, &r));
    end_call(c);
}

static FP_ENV_BODY dropwise_status zoneout_infer(const dropwise_mask *mask, dropwise_dtype dtype,
                                                 const dropwise_view *view, const void *h, const void *before,
                                                 void *y)
{
    if (dropwise_check_mask(mask) == DROPWISE_OK && dropwise_is_constant(mask->keep_threshold))
        return dropwise_zoneout_forward(mask, dtype, view, h, before, y, NULL);
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {h, before, y};
    const dropwise_status status = begin_zoneout(&c, mask, dtype, view, tensors, 1, NULL, false, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    const double q = keep_probability(mask);
    const dropwise_params weights = params_of(&c.rows, q, 1.0 - q, 0);
    run_mix(&c.rows, &weights, &c.operands[0], &c.operands[1], &c.operands[2]);
    return DROPWISE_OK;
}

dropwise_status dropwise_zoneout_infer(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const void *h, const void *before, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_infer(mask, dtype, view, h, before, y));
}

/* ---- Noise ---- */

/* A call that draws numbers for x, which may be NULL, and writes y. */
typedef struct noise_call {
    row_call rows;
    dropwise_view view;
    operand x, y;
    noise_source source;
} noise_call;

/* The numbers of a piece; the buffer has room for PIECE of them. */
static const void *noise_of(noise_call *c, const row *r, row_piece p, void *buffer)
{
    const int64_t step = c->rows.view->mask_stride[c->rows.view->rank - 1];
    return dropwise_noise_get(&c->source, r->index + (uint64_t)((int64_t)p.column * step), step, p.n, buffer);
}

/* y of x and the numbers, by a kernel. */
static void run_noise(noise_call *c, combine_kernels kernels, const dropwise_params *p)
{
    row_call *rows = &c->rows;
    row r = first_row(rows);
    do {
        for (row_piece at = first_piece(rows, &r, &c->y); at.n != 0; at = next_piece(rows, at)) {
            float of_x[PIECE], of_y[PIECE];
            double buffer[PIECE];
            prefetch_piece(rows, &c->x, &r, at.column);
            const void *noise = noise_of(c, &r, at, buffer);
            const void *in = numbers(rows, &c->x, &r, at.column, at.n, of_x);
            (stores_nontemporally(rows, at) ? kernels.nontemporal : kernels.ordinary)(
                at.n, in, noise, p, output(rows, &c->y, &r, at.column, of_y));
            finish_output(rows, &c->y, &r, at.column, at.n, of_y);
        }
    } while (dropwise_next_row(rows, &r));
    end_call(rows);
}

/* Checks a call and begins it; x is NULL, and not checked, in calls that write numbers alone. */
static dropwise_status begin_noise(noise_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                                   dropwise_dtype dtype, const dropwise_view *view, bool has_x, const void *x,
                                   void *y, bool *empty)
{
    dropwise_status status = check_call(mask, dtype, view, NULL, &c->view, empty);
    if (status == DROPWISE_OK && !*empty && (y == NULL || (has_x && x == NULL)))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || *empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{x, c->view.x_stride, bytes, false}, {y, c->view.y_stride, bytes, true}};
    c->x = operands[0];
    c->y = operands[1];
    return dropwise_begin_rows(&c->rows, kernels, mask, dtype, &c->view, operands, 2, NULL, false);
}

static void draw_uniform_words(noise_call *c, dropwise_noise_fn *noise, const dropwise_params *p)
{
    dropwise_noise_init(&c->source, &c->rows.draw, STREAM_UNIFORM, noise, p, c->rows.number_bytes);
}

static void draw_normal_words(noise_call *c)
{
    const dropwise_kernels *k = c->rows.kernels;
    dropwise_noise_init(&c->source, &c->rows.draw, STREAM_NORMAL,
                        c->rows.is_f64 ? k->noise_normal_f64 : k->noise_normal_f32, NULL,
                        c->rows.number_bytes);
}

/* ---- Random numbers ---- */

/* Begins a call that writes numbers: the strides of x do not count. */
static dropwise_status begin_draw(noise_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                                  dropwise_dtype dtype, const dropwise_view *view, void *y, bool *empty)
{
    const dropwise_status status = dropwise_check_view_call(mask, dtype, view, NULL, empty);
    if (status != DROPWISE_OK)
        return status;
    dropwise_view of_y = *view;
    memcpy(of_y.x_stride, of_y.y_stride, sizeof of_y.x_stride);
    return begin_noise(c, kernels, mask, dtype, &of_y, false, NULL, y, empty);
}

static void run_draw(noise_call *c)
{
    row_call *rows = &c->rows;
    row r = first_row(rows);
    do {
        for (row_piece p = first_piece(rows, &r, &c->y); p.n != 0; p = next_piece(rows, p)) {
            double buffer[PIECE];
            const void *noise = noise_of(c, &r, p, buffer);
            uint8_t *y = place(rows, &c->y, &r, p.column);
            if (rows->dtype.narrow != NULL)
                rows->dtype.narrow(p.n, noise, y);
            else
                memcpy(y, noise, p.n * rows->number_bytes);
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
        status = dropwise_check_math(kernels);
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

static FP_ENV_BODY dropwise_status gaussian_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *x, void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status = begin_noise(&c, kernels, mask, dtype, view, true, x, y, &empty);
    if (status == DROPWISE_OK && mask->keep_threshold == 0)
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels);
    if (status != DROPWISE_OK || empty)
        return status;
    const double q = keep_probability(mask);
    const dropwise_params p = params_of(&c.rows, 1, __builtin_sqrt((1.0 - q) / q), 0);
    draw_normal_words(&c);
    run_noise(&c, modulate_of(&c.rows), &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_gaussian_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, gaussian_forward(mask, dtype, view, x, y));
}

dropwise_status dropwise_gaussian_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const void *dy, void *dx)
{
    return dropwise_gaussian_forward(mask, dtype, view, dy, dx);
}

static FP_ENV_BODY dropwise_status gaussian_noise(const dropwise_mask *mask, dropwise_dtype dtype,
                                                  const dropwise_view *view, double sigma, const void *x,
                                                  void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    noise_call c;
    bool empty;
    dropwise_status status = begin_noise(&c, kernels, mask, dtype, view, true, x, y, &empty);
    if (status == DROPWISE_OK && !(sigma >= 0 && dropwise_is_finite(sigma)))
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels);
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_params p = params_of(&c.rows, 1, sigma, 0);
    draw_normal_words(&c);
    run_noise(&c, mix_of(&c.rows), &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_gaussian_noise(const dropwise_mask *mask, dropwise_dtype dtype,
                                        const dropwise_view *view, double sigma, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, gaussian_noise(mask, dtype, view, sigma, x, y));
}

/* ---- Concrete dropout ---- */

static dropwise_status check_logit(double logit, double temperature)
{
    const bool inside = logit >= -64 && logit <= 64 && temperature >= 0x1p-20 && temperature <= 0x1p20;
    return inside ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}

static dropwise_status check_concrete(const dropwise_kernels *kernels, const dropwise_concrete *concrete)
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
    const dropwise_status status = check_logit(concrete->logit, concrete->temperature);
    return status == DROPWISE_OK ? dropwise_check_math(kernels) : status;
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

static probability probability_of(const dropwise_kernels *kernels, double logit)
{
    double e[2] = {-logit, logit};
    kernels->map_exp_f64(2, e, e);
    return (probability){1.0 / (1.0 + e[0]), 1.0 + e[1]};
}

static FP_ENV_BODY dropwise_status concrete_probability(const dropwise_concrete *concrete, double *p)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_status status = check_concrete(kernels, concrete);
    if (status != DROPWISE_OK)
        return status;
    if (p == NULL)
        return DROPWISE_ERROR_NULL;
    *p = probability_of(kernels, concrete->logit).p;
    return DROPWISE_OK;
}

dropwise_status dropwise_concrete_probability(const dropwise_concrete *concrete, double *p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, concrete_probability(concrete, p));
}

/* Numbers will be the kept parts of the relaxed mask. */
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
    dropwise_status status = begin_noise(&c, kernels, mask, dtype, view, true, x, y, &empty);
    if (status == DROPWISE_OK)
        status = check_concrete(kernels, concrete);
    if (status != DROPWISE_OK || empty)
        return status;
    const probability of = probability_of(c.rows.kernels, concrete->logit);
    const dropwise_params relaxed = params_of(&c.rows, concrete->logit, 1.0 / concrete->temperature, 0);
    const dropwise_params scale = params_of(&c.rows, 0, of.inverse_keep, 0);
    draw_relaxed(&c, &relaxed);
    run_noise(&c, modulate_of(&c.rows), &scale);
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
            float of_dy[PIECE], of_x[PIECE], of_dx[PIECE];
            double buffer[PIECE];
            prefetch_piece(rows, dy, &r, at.column);
            prefetch_piece(rows, x, &r, at.column);
            const void *kept = noise_of(c, &r, at, buffer);
            const void *d = numbers(rows, dy, &r, column, at.n, of_dy);
            kernel(at.n, d, numbers(rows, x, &r, column, at.n, of_x), kept, p,
                   output(rows, dx, &r, column, of_dx), sums);
            finish_output(rows, dx, &r, column, at.n, of_dx);
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
        status = check_concrete(kernels, concrete);
    if (status == DROPWISE_OK && (dlogit == NULL || (!empty && (dy == NULL || x == NULL || dx == NULL))))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    if (empty) { /* a sum of nothing */
        *dlogit = 0;
        return DROPWISE_OK;
    }
    static const int64_t alone[DROPWISE_MAX_RANK];
    noise_call c;
    c.view = *view;
    dropwise_merge_rows(&c.view, 16); /* so that no column gets into another sum */
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{dy, c.view.x_stride, bytes, false},
                                {x, c.view.y_stride, bytes, false},
                                {dx, c.view.y_stride, bytes, true},
                                {dlogit, alone, sizeof *dlogit, true}};
    status = dropwise_begin_rows(&c.rows, kernels, mask, dtype, &c.view, operands, 4, NULL, false);
    if (status != DROPWISE_OK)
        return status;
    const probability of = probability_of(c.rows.kernels, concrete->logit);
    const dropwise_params relaxed = params_of(&c.rows, concrete->logit, 1.0 / concrete->temperature, 0);
    const dropwise_params slope = params_of(&c.rows, of.inverse_keep, of.p, 1.0 / concrete->temperature);
    double sums[16] = {0};
    draw_relaxed(&c, &relaxed);
    run_concrete_backward(&c, &slope, &operands[0], &operands[1], &operands[2], sums);
    *dlogit = dropwise_sum_tree(true, sums, 1).f64;
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

static FP_ENV_BODY dropwise_status concrete_regularizer(const dropwise_concrete *concrete,
                                                        dropwise_dtype dtype, uint64_t n, const void *weights,
                                                        double *value, double *dlogit, double *decay)
{
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_status status = check_concrete(kernels, concrete);
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
    const probability of = probability_of(kernels, a);
    double ln_inverse_keep;
    kernels->map_log_f64(1, &of.inverse_keep, &ln_inverse_keep);
    const double by_weights = concrete->weight_regularizer * of.inverse_keep;
    const double squares = sum_of_squares(kernels, dtype, (size_t)n, weights);
    const double by_dropout = concrete->dropout_regularizer * (double)concrete->features;
    /* p ln p + (1 - p) ln(1 - p) = p a + ln(1 - p), and 1 / (1 - p) is at hand. */
    *value = by_weights * squares + by_dropout * (of.p * a - ln_inverse_keep);
    *dlogit = by_weights * squares * of.p + by_dropout * a * of.p / of.inverse_keep;
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
