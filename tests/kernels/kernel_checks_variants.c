/* Checks of the kernels of the variants: alpha dropout, zoneout, noise, concrete dropout. */
#include <math.h>

#include "kernels/kernel_checks.h"

/* Where a kernel writes: aligned for those that stream. */
static uint8_t *output_of(const fused_case *c, const char *name)
{
    return is_nontemporal(name) ? guard_at_start(&arenas[3], c->bytes, 0) : c->in[3];
}

/* Parameters in the type of a kernel, and what they were rounded to. */
typedef struct any_params {
    dropwise_params params;
    double value[3];
} any_params;

static any_params params_of(ref_dtype dtype, double first, double middle, double last)
{
    any_params p;
    const double values[3] = {first, middle, last};
    for (size_t i = 0; i < 3; i++) {
        put(real_of(dtype), (uint8_t *)&p.params, i, values[i]);
        p.value[i] = rounded(dtype, values[i]);
    }
    return p;
}

void check_affine(dropwise_affine_fn *affine, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            fused_case *c = fused_setup(name, size_number(s), at_end, true);
            const any_params p = params_of(c->dtype, 0.8, 0.15, -1.3);
            uint8_t *y = output_of(c, name);
            for (size_t i = 0; i < c->n; i++) {
                const double product = rounded(c->dtype, get(c->dtype, c->in[0], i) * p.value[0]);
                put(c->dtype, expected, i, c->keep[i] ? rounded(c->dtype, product + p.value[1]) : p.value[2]);
            }
            affine(c->bits, c->n, c->in[0], &p.params, y);
            assert_same_bytes(y, expected, c->bytes, "%s: n %zu", name, c->n);
            assert_all_intact();
            if (is_nontemporal(name))
                continue;
            affine(c->bits, c->n, c->in[0], &p.params, c->in[0]);
            assert_same_bytes(c->in[0], expected, c->bytes, "%s: in place, n %zu", name, c->n);
        }
    }
}

/* Elements of any width: three buffers of noise, bits, and where results go. */
typedef struct moved_case {
    size_t n, width, bytes;
    uint8_t keep[LARGE_N], *bits, *x, *second, *y, *other;
} moved_case;

static moved_case *moved_setup(const char *name, size_t n, bool at_end)
{
    static moved_case c;
    uint64_t state = n;
    c.n = n;
    c.width = ref_bytes(dtype_of(name));
    c.bytes = n * c.width;
    c.bits = guard_place(&second, (n + 7) / 8, at_end, n % 64);
    for (size_t i = 0; i < n; i++)
        c.keep[i] = noise(&state) % 3 != 0;
    ref_pack(c.keep, n, c.bits);
    if (n % 8 != 0)
        c.bits[n / 8] |= (uint8_t)(0xFF << n % 8);
    c.x = guard_place(&arenas[0], c.bytes, at_end, n % 64);
    c.second = guard_place(&arenas[1], c.bytes, at_end, (n + 1) % 64);
    c.y = is_nontemporal(name) ? guard_at_start(&arenas[2], c.bytes, 0)
                               : guard_place(&arenas[2], c.bytes, at_end, (n + 2) % 64);
    c.other = is_nontemporal(name) ? guard_at_start(&arenas[3], c.bytes, 0)
                                   : guard_place(&arenas[3], c.bytes, at_end, (n + 3) % 64);
    fill_noise(c.x, c.bytes, 1);
    fill_noise(c.second, c.bytes, 2);
    return &c;
}

void check_blend(dropwise_blend_fn *blend, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            moved_case *c = moved_setup(name, size_number(s), at_end);
            for (size_t i = 0; i < c->n; i++)
                memcpy(expected + i * c->width, (c->keep[i] ? c->x : c->second) + i * c->width, c->width);
            blend(c->bits, c->n, c->x, c->second, c->y);
            assert_same_bytes(c->y, expected, c->bytes, "%s: n %zu", name, c->n);
            assert_all_intact();
            if (is_nontemporal(name))
                continue;
            uint8_t *to = s % 2 ? c->x : c->second;
            blend(c->bits, c->n, c->x, c->second, to);
            assert_same_bytes(to, expected, c->bytes, "%s: in place, n %zu", name, c->n);
        }
    }
}

void check_split(dropwise_split_fn *split, const char *name)
{
    static uint8_t kept[8 * LARGE_N], dropped[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            moved_case *c = moved_setup(name, size_number(s), at_end);
            memset(kept, 0, c->bytes);
            memset(dropped, 0, c->bytes);
            for (size_t i = 0; i < c->n; i++)
                memcpy((c->keep[i] ? kept : dropped) + i * c->width, c->x + i * c->width, c->width);
            split(c->bits, c->n, c->x, c->y, c->other);
            assert_same_bytes(c->y, kept, c->bytes, "%s: kept, n %zu", name, c->n);
            assert_same_bytes(c->other, dropped, c->bytes, "%s: dropped, n %zu", name, c->n);
            assert_all_intact();
            if (is_nontemporal(name))
                continue;
            split(c->bits, c->n, c->x, s % 2 ? c->x : c->y, s % 2 ? c->y : c->x);
            assert_same_bytes(s % 2 ? c->x : c->y, kept, c->bytes, "%s: kept in place, n %zu", name, c->n);
            assert_same_bytes(s % 2 ? c->y : c->x, dropped, c->bytes, "%s: dropped in place, n %zu", name,
                              c->n);
        }
    }
}

void check_combine(dropwise_combine_fn *combine, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            fused_case *c = fused_setup(name, size_number(s), at_end, true);
            const any_params p = params_of(c->dtype, 0.9, -0.3, 0);
            uint8_t *y = output_of(c, name);
            for (size_t i = 0; i < c->n; i++) {
                const double a = get(c->dtype, c->in[0], i);
                const double part = rounded(c->dtype, get(c->dtype, c->in[1], i) * p.value[1]);
                const double mixed = rounded(c->dtype, rounded(c->dtype, a * p.value[0]) + part);
                const double modulated = rounded(c->dtype, a * rounded(c->dtype, p.value[0] + part));
                put_result(c->dtype, expected, i, strstr(name, "mix") != NULL ? mixed : modulated);
            }
            combine(c->n, c->in[0], c->in[1], &p.params, y);
            assert_same_bytes(y, expected, c->bytes, "%s: n %zu", name, c->n);
            assert_all_intact();
            if (is_nontemporal(name))
                continue;
            uint8_t *to = s % 2 ? c->in[0] : c->in[1];
            combine(c->n, c->in[0], c->in[1], &p.params, to);
            assert_same_bytes(to, expected, c->bytes, "%s: in place, n %zu", name, c->n);
        }
    }
}

/* Half of the distance of numbers near 1. */
static double unit_of(ref_dtype dtype)
{
    return dtype == REF_F64 ? 0x1p-53 : 0x1p-24;
}

static void assert_close(double actual, double expected, double error, const char *name, size_t i, size_t n)
{
    if (!(fabs(actual - expected) <= error))
        fail_msg("%s: number %zu of %zu is %.17g, expected %.17g within %g", name, i, n, actual, expected,
                 error);
}

void check_noise(dropwise_noise_fn *make, const char *name)
{
    static const uint32_t extreme[8] = {0,
                                        UINT32_MAX,
                                        1,
                                        UINT32_MAX - 1,
                                        UINT32_C(1) << 31,
                                        (UINT32_C(1) << 31) - 1,
                                        UINT32_MAX / 4,
                                        UINT32_MAX - 127};
    const double logit = -0.7, temperature = 0.125;
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            const size_t n = size_number(s) / 4 * 4;
            fused_case *c = fused_setup(name, n, at_end, false);
            const double unit = unit_of(c->dtype);
            const any_params p = params_of(c->dtype, logit, 1 / temperature, 0);
            uint8_t *words = guard_place(&input, 4 * n, at_end, (n + 5) % 64), *numbers = c->in[3];
            fill_noise(words, 4 * n, s);
            for (size_t i = 0; i < n; i += 2) { /* each extreme word with each other */
                const uint32_t first = extreme[i / 2 % 8], other = extreme[(i / 2 / 8 + i) % 8];
                if (i / 128 % 2 == 1) {
                    put_le32(words + 4 * i, first);
                    put_le32(words + 4 * i + 4, other);
                }
            }
            make(n, words, &p.params, numbers);
            for (size_t i = 0; i < n; i++) {
                const uint32_t pair[2] = {get_le32(words + i / 2 * 8), get_le32(words + i / 2 * 8 + 4)};
                const uint32_t word = get_le32(words + 4 * i);
                const double actual = get(c->dtype, numbers, i);
                if (strstr(name, "uniform") != NULL) {
                    assert_close(actual, ref_uniform(c->dtype, word), 0, name, i, n);
                } else if (strstr(name, "normal") != NULL) {
                    const double z = ref_normal(c->dtype, pair[0], pair[1], i % 2);
                    assert_close(actual, z, (c->dtype == REF_F64 ? 8 : 3.5) * 2 * unit * fabs(z), name, i, n);
                } else {
                    const double kept = ref_relaxed(c->dtype, word, p.value[0], 1 / p.value[1]);
                    const double size = fabs(logit) + fabs(log((word + 0.5) / (UINT32_MAX - word + 0.5)));
                    const double power = (1 - kept) * size / temperature;
                    const double error =
                        c->dtype == REF_F64 ? 8 * (1 + power + 2 / temperature) : 5 * (1 + power);
                    assert_close(actual, kept, error * unit * kept + 1e-37, name, i, n);
                }
            }
            assert_all_intact();
            assert_true(guard_intact(&input));
        }
    }
}

/* 16 sums in double, element i added to sum i mod 16 in order. */
static void check_sums(const double *sums, const double *terms, size_t n, const char *name)
{
    double expected[16];
    for (size_t k = 0; k < 16; k++)
        expected[k] = 0.25 * (double)k;
    for (size_t i = 0; i < n; i++)
        expected[i % 16] += terms[i];
    assert_same_bytes(sums, expected, sizeof expected, "%s: sums of %zu", name, n);
}

static void start_sums(double *sums)
{
    for (size_t k = 0; k < 16; k++)
        sums[k] = 0.25 * (double)k;
}

static double terms[LARGE_N];

void check_relaxed_grad(dropwise_relaxed_grad_fn *grad, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 1, false);
            const any_params p = params_of(c->dtype, 1.7, 0.4, 10);
            double sums[16];
            start_sums(sums);
            for (size_t i = 0; i < c->n; i++) {
                const double part = get(c->dtype, c->in[2], i);
                const double d =
                    rounded(c->dtype, get(c->dtype, c->in[0], i) * rounded(c->dtype, part * p.value[0]));
                const double z = rounded(c->dtype, rounded(c->dtype, 1 - part) * p.value[2]);
                const double product = rounded(c->dtype, d * get(c->dtype, c->in[1], i));
                put_result(c->dtype, expected, i, d);
                terms[i] = rounded(c->dtype, product * rounded(c->dtype, p.value[1] - z));
            }
            uint8_t *dx = variant & 2 ? c->in[s % 2] : c->in[3]; /* in place of dy or x too */
            grad(c->n, c->in[0], c->in[1], c->in[2], &p.params, dx, sums);
            assert_same_bytes(dx, expected, c->bytes, "%s: n %zu", name, c->n);
            check_sums(sums, terms, c->n, name);
            assert_all_intact();
        }
    }
}

void check_dot(dropwise_dot_fn *dot, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        fused_case *c = fused_setup(name, size_number(s), s % 2, false);
        double sums[16];
        start_sums(sums);
        for (size_t i = 0; i < c->n; i++)
            terms[i] = rounded(c->dtype, get(c->dtype, c->in[0], i) * get(c->dtype, c->in[1], i));
        dot(c->n, c->in[0], c->in[1], sums);
        check_sums(sums, terms, c->n, name);
    }
}
