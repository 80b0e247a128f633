/* Checks of the kernels of the fused steps. */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "kernels/kernel_checks.h"

void check_residual(dropwise_residual_fn *residual, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 8; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 4, true);
            uint8_t *bias = variant & 1 ? c->in[1] : NULL, *skip = variant & 2 ? c->in[2] : NULL;
            for (size_t i = 0; i < c->n; i++) {
                double v = get(c->dtype, c->in[0], i);
                if (bias != NULL)
                    v = rounded(c->dtype, v + get(c->dtype, bias, i));
                v = dropped(c, i, v);
                if (skip != NULL)
                    v = rounded(c->dtype, get(c->dtype, skip, i) + v);
                put_result(c->dtype, expected, i, v);
            }
            uint8_t *y = is_nontemporal(name) ? guard_at_start(&arenas[3], c->bytes, 0) : c->in[3];
            residual(c->bits, c->n, c->in[0], bias, skip, y, &c->factor);
            assert_same_bytes(y, expected, c->bytes, "%s: n %zu, variant %d", name, c->n, variant);
            assert_all_intact();
            if (is_nontemporal(name))
                continue;
            uint8_t *to = s % 2 && skip != NULL ? skip : c->in[0];
            residual(c->bits, c->n, c->in[0], bias, skip, to, &c->factor);
            assert_same_bytes(to, expected, c->bytes, "%s: in place, n %zu, variant %d", name, c->n, variant);
        }
    }
}

/* The functions and their slopes, in double. */
static double activation_of(const char *name, double z, bool slope)
{
    const double density = exp(-z * z / 2) / sqrt(2 * M_PI), phi = 0.5 * erfc(-z / sqrt(2.0));
    const double inner = sqrt(2 / M_PI) * (z + 0.044715 * z * z * z), t = tanh(inner);
    const double g = 1 / (1 + exp(-z));
    if (strstr(name, "relu") != NULL)
        return slope ? z > 0 : z > 0 ? z : 0;
    if (strstr(name, "gelu_tanh") != NULL)
        return slope ? 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * z * z)
                     : 0.5 * z * (1 + t);
    if (strstr(name, "gelu") != NULL)
        return slope ? phi + z * density : z * phi;
    if (strstr(name, "silu") != NULL)
        return slope ? g * (1 + z * (1 - g)) : z * g;
    return slope ? 1 : z; /* identity */
}

/*
 * A number near enough to the formula: what was rounded to its type is a few roundings of what it is made of
 * away.
 */
static void assert_near_as(ref_dtype dtype, const fused_case *c, const uint8_t *p, size_t i, double expected,
                           double size, const char *name)
{
    const double unit = real_of(c->dtype) == REF_F32 ? 0x1p-24 : 0x1p-53, actual = get(dtype, p, i);
    const double distance = 24 * unit * (size + fabs(expected)) + 1e-37;
    uint8_t least[8], most[8];
    put(dtype, least, 0, expected - distance);
    put(dtype, most, 0, expected + distance);
    if (!(actual >= get(dtype, least, 0) && actual <= get(dtype, most, 0)))
        fail_msg("%s: element %zu of %zu is %.17g, expected %.17g", name, i, c->n, actual, expected);
}

static void assert_near(const fused_case *c, const uint8_t *p, size_t i, double expected, double size,
                        const char *name)
{
    assert_near_as(c->dtype, c, p, i, expected, size, name);
}

void check_activate(dropwise_activate_fn *activate, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, false);
            uint8_t *bias = variant & 1 ? c->in[1] : NULL;
            activate(c->bits, c->n, c->in[0], bias, c->in[3], &c->factor);
            for (size_t i = 0; i < c->n; i++) {
                const double b = bias != NULL ? get(c->dtype, bias, i) : 0;
                const double z = rounded(c->dtype, get(c->dtype, c->in[0], i) + b);
                const double v = c->keep[i] ? activation_of(name, z, false) * c->factor_value : 0;
                assert_near(c, c->in[3], i, v, c->keep[i] ? fabs(z) : 0, name);
            }
            assert_all_intact();
        }
    }
}

void check_activate_grad(dropwise_activate_grad_fn *grad, const char *name)
{
    const bool exact = strstr(name, "identity") != NULL || strstr(name, "relu") != NULL;
    static uint8_t before[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 8; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 4, false);
            const ref_dtype real = real_of(c->dtype);
            const size_t sums_bytes = c->n * ref_bytes(real);
            uint8_t *bias = variant & 1 ? c->in[2] : NULL;
            uint8_t *sums = guard_place(&arenas[4], sums_bytes, c->at_end, (c->n + 4) % 64);
            for (size_t i = 0; i < c->n; i++) { /* where nothing is kept, no slope may come through */
                if (!c->keep[i])
                    put(c->dtype, c->in[1], i,
                        i % 3 == 0   ? (double)NAN
                        : i % 3 == 1 ? -(double)INFINITY
                                     : -1.0);
                put(real, sums, i, (double)(i % 7) - 3.25);
            }
            memcpy(before, sums, sums_bytes);
            grad(c->bits, c->n, c->in[0], c->in[1], bias, c->in[3], &c->factor, variant & 2 ? sums : NULL);
            for (size_t i = 0; i < c->n; i++) {
                const double b = bias != NULL ? get(c->dtype, bias, i) : 0;
                const double z = rounded(c->dtype, get(c->dtype, c->in[1], i) + b);
                const double d = dropped(c, i, get(c->dtype, c->in[0], i));
                const double term = c->keep[i] ? d * activation_of(name, z, true) : 0;
                const double size = c->keep[i] ? fabs(d) * (1 + fabs(z)) : 0, old = get(real, before, i);
                assert_near(c, c->in[3], i, term, size, name);
                assert_true(c->keep[i] || !signbit(get(c->dtype, c->in[3], i)));
                if (!(variant & 2))
                    assert_true(get(real, sums, i) == old);
                else if (exact)
                    assert_true(get(real, sums, i) == rounded(real, old + term));
                else if (real == c->dtype) /* what was written */
                    assert_true(get(real, sums, i) == rounded(real, old + get(real, c->in[3], i)));
                else
                    assert_near_as(real, c, sums, i, old + term, size, name);
            }
            assert_all_intact();
        }
    }
}

static double logit_of(const fused_case *c, size_t i, const uint8_t *add)
{
    const double v = rounded(c->dtype, get(c->dtype, c->in[0], i) * c->factor_value);
    return add != NULL ? rounded(c->dtype, v + get(c->dtype, add, i)) : v;
}

/* ---- Rows of a softmax ---- */

enum { ROWS = 3 };

/*
 * Rows of a number of columns, or a single long one, in buffers 0 and 1 (x or dy, add or probabilities),
 * 3 and 4.
 */
typedef struct rows_case {
    fused_case *c;
    size_t columns, visible[ROWS];
    dropwise_softmax_rows rows;
} rows_case;

static rows_case rows_setup(const char *name, size_t columns, int variant)
{
    static any_scale scale;
    rows_case r = {.columns = columns};
    r.rows.rows = columns * ROWS <= LARGE_N ? ROWS : 1;
    r.c = fused_setup(name, columns * r.rows.rows, variant & 2, false);
    scale = scale_for(r.c->dtype, 0.75);
    const size_t step = columns * ref_bytes(r.c->dtype);
    r.rows.n = columns;
    r.rows.x = r.c->in[0];
    r.rows.y = r.c->in[4];
    r.rows.x_step = r.rows.add_step = r.rows.y_step = (ptrdiff_t)step;
    r.rows.scale = &scale;
    r.rows.factor = &r.c->factor;
    r.rows.visible = (int64_t)columns;
    if (variant & 4) { /* the first row sees nothing, the others a part */
        r.rows.visible = -(int64_t)(columns / 3);
        r.rows.visible_step = (int64_t)columns / 2 + 1;
    }
    r.rows.bits_step = (columns + 7) / 8;
    uint8_t *bits = guard_place(&arenas[5], r.rows.rows * r.rows.bits_step, variant & 2, columns % 64);
    r.rows.bits = bits;
    for (size_t row = 0; row < r.rows.rows; row++) {
        const int64_t visible = r.rows.visible + (int64_t)row * r.rows.visible_step;
        r.visible[row] = visible < 0 ? 0 : visible > (int64_t)columns ? columns : (size_t)visible;
        ref_pack(r.c->keep + row * columns, columns, bits + row * r.rows.bits_step);
    }
    return r;
}

/* +0.0 where the row does not count, and what is near elsewhere. */
static void assert_row_near(const rows_case *r, const uint8_t *p, size_t row, size_t k, double expected,
                            double size, const char *name)
{
    const size_t i = row * r->columns + k;
    const fused_case *c = r->c;
    if (k >= r->visible[row])
        assert_true(get(c->dtype, p, i) == 0 && !signbit(get(c->dtype, p, i)));
    else
        assert_near(c, p, i, expected, size, name);
}

void check_softmax(dropwise_softmax_fn *softmax, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 8; variant++) {
            if (size_number(s) > DROPWISE_SOFTMAX_ROW)
                continue;
            rows_case r = rows_setup(name, size_number(s), variant);
            const fused_case *c = r.c;
            const ref_dtype real = real_of(c->dtype);
            r.rows.add = variant & 1 ? c->in[1] : NULL;
            r.rows.probabilities = s % 2 ? c->in[3] : NULL;
            if (variant & 1 && c->n > 5)
                put(c->dtype, c->in[1], 5, -INFINITY);
            softmax(&r.rows);
            for (size_t row = 0; row < r.rows.rows; row++) {
                double sum = 0, max = -INFINITY;
                for (int pass = 0; pass < 3; pass++)
                    for (size_t k = 0; k < r.columns; k++) {
                        const size_t i = row * r.columns + k;
                        double logit = rounded(c->dtype, get(c->dtype, c->in[0], i) * 0.75);
                        if (variant & 1)
                            logit = rounded(c->dtype, logit + get(c->dtype, c->in[1], i));
                        const bool counts = k < r.visible[row];
                        if (pass == 0 && counts)
                            max = logit > max ? logit : max;
                        else if (pass == 1 && counts)
                            sum += exp(rounded(real, logit - max));
                        else if (pass == 2) {
                            const double p = exp(rounded(real, logit - max)) / sum;
                            const double size = p * (2 + (double)r.columns / 16);
                            if (s % 2)
                                assert_row_near(&r, c->in[3], row, k, p, size, name);
                            assert_true(c->keep[i] || (get(c->dtype, c->in[4], i) == 0 &&
                                                       !signbit(get(c->dtype, c->in[4], i))));
                            assert_row_near(&r, c->in[4], row, k, c->keep[i] ? p * c->factor_value : 0, size,
                                            name);
                        }
                    }
            }
            assert_all_intact();
        }
    }
}

void check_softmax_grad(dropwise_softmax_grad_fn *grad, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 8; variant += 2) {
            if (size_number(s) > DROPWISE_SOFTMAX_ROW)
                continue;
            rows_case r = rows_setup(name, size_number(s), variant);
            const fused_case *c = r.c;
            r.rows.probabilities = c->in[1];
            grad(&r.rows);
            for (size_t row = 0; row < r.rows.rows; row++) {
                double dot = 0, size = 0;
                for (size_t k = 0; k < r.visible[row]; k++) {
                    const size_t i = row * r.columns + k;
                    const double term =
                        dropped(c, i, get(c->dtype, c->in[0], i)) * get(c->dtype, c->in[1], i);
                    dot += term;
                    size += fabs(term);
                }
                for (size_t k = 0; k < r.columns; k++) {
                    const size_t i = row * r.columns + k;
                    const double p = get(c->dtype, c->in[1], i),
                                 d = dropped(c, i, get(c->dtype, c->in[0], i));
                    assert_row_near(&r, c->in[4], row, k, p * (d - dot) * 0.75,
                                    fabs(p) * (fabs(d) + size * (1 + (double)r.columns / 16)), name);
                }
            }
            assert_all_intact();
        }
    }
}

void check_row_max(dropwise_row_max_fn *row_max, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, true);
            uint8_t *add = variant & 1 ? c->in[1] : NULL, max[8], expected[8];
            double m = s % 2 ? 1.5 : -INFINITY;
            put(c->dtype, max, 0, m);
            for (size_t i = 0; i < c->n; i++)
                m = logit_of(c, i, add) > m ? logit_of(c, i, add) : m;
            put(c->dtype, expected, 0, m);
            row_max(c->n, c->in[0], add, &c->factor, max);
            assert_same_bytes(max, expected, ref_bytes(c->dtype), "%s: n %zu", name, c->n);
        }
    }
}

/* 16 sums, element i added to sum i mod 16 in order. */
static void check_sums(const fused_case *c, const uint8_t *sums, const double *start, const double *terms,
                       const char *name)
{
    double expected[16];
    uint8_t bytes[16 * 8];
    memcpy(expected, start, sizeof expected);
    for (size_t i = 0; i < c->n; i++)
        expected[i % 16] = rounded(c->dtype, expected[i % 16] + terms[i]);
    for (size_t k = 0; k < 16; k++)
        put(c->dtype, bytes, k, expected[k]);
    assert_same_bytes(sums, bytes, 16 * ref_bytes(c->dtype), "%s: sums of %zu", name, c->n);
}

static void start_sums(ref_dtype dtype, uint8_t *sums, double *start)
{
    for (size_t k = 0; k < 16; k++) {
        start[k] = 0.25 * (double)k;
        put(dtype, sums, k, start[k]);
    }
}

static double terms[LARGE_N];

void check_row_exp(dropwise_row_exp_fn *row_exp, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, false);
            uint8_t *add = variant & 1 ? c->in[1] : NULL, sums[16 * 8];
            const any_scale max = scale_for(c->dtype, 3.5);
            double start[16];
            start_sums(c->dtype, sums, start);
            if (add != NULL && c->n > 5)
                put(c->dtype, add, 5, -INFINITY);
            const size_t room = (c->n + 63) / 64 * 64 * ref_bytes(c->dtype);
            uint8_t *e = guard_place(&arenas[3], room, variant & 2, (c->n + 3) % 64);
            row_exp(c->n, c->in[0], add, &c->factor, &max, e, sums);
            for (size_t i = 0; i < c->n; i++) {
                const double power = rounded(c->dtype, logit_of(c, i, add) - 3.5);
                assert_near(c, e, i, exp(power), 0, name);
                terms[i] = get(c->dtype, e, i);
            }
            check_sums(c, sums, start, terms, name);
            assert_all_intact();
        }
    }
}

void check_row_drop(dropwise_row_drop_fn *row_drop, const char *name)
{
    static uint8_t probabilities[8 * LARGE_N], expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, true);
            const any_scale inverse = scale_for(c->dtype, 0.3);
            for (size_t i = 0; i < c->n; i++) {
                const double p = rounded(c->dtype, get(c->dtype, c->in[0], i) * rounded(c->dtype, 0.3));
                put_result(c->dtype, probabilities, i, p);
                put_result(c->dtype, expected, i, dropped(c, i, p));
            }
            row_drop(c->bits, c->n, c->in[0], &inverse, &c->factor, variant & 1 ? c->in[3] : NULL, c->in[4]);
            if (variant & 1)
                assert_same_bytes(c->in[3], probabilities, c->bytes, "%s: n %zu", name, c->n);
            assert_same_bytes(c->in[4], expected, c->bytes, "%s: y, n %zu", name, c->n);
            assert_all_intact();
        }
    }
}

void check_row_dot(dropwise_row_dot_fn *row_dot, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        fused_case *c = fused_setup(name, size_number(s), s % 2, false);
        uint8_t sums[16 * 8];
        double start[16];
        start_sums(c->dtype, sums, start);
        row_dot(c->bits, c->n, c->in[0], c->in[1], &c->factor, sums);
        for (size_t i = 0; i < c->n; i++)
            terms[i] =
                rounded(c->dtype, dropped(c, i, get(c->dtype, c->in[0], i)) * get(c->dtype, c->in[1], i));
        check_sums(c, sums, start, terms, name);
    }
}

void check_row_grad(dropwise_row_grad_fn *row_grad, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        fused_case *c = fused_setup(name, size_number(s), s % 2, true);
        const any_scale dot = scale_for(c->dtype, 0.7), scale = scale_for(c->dtype, 0.125);
        for (size_t i = 0; i < c->n; i++) {
            const double d = dropped(c, i, get(c->dtype, c->in[0], i));
            const double g = rounded(c->dtype, d - rounded(c->dtype, 0.7));
            const double v = rounded(c->dtype, get(c->dtype, c->in[1], i) * g);
            put_result(c->dtype, expected, i, rounded(c->dtype, v * 0.125));
        }
        row_grad(c->bits, c->n, c->in[0], c->in[1], &c->factor, &dot, &scale, c->in[3]);
        assert_same_bytes(c->in[3], expected, c->bytes, "%s: n %zu", name, c->n);
        assert_all_intact();
    }
}
