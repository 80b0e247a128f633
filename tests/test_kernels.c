/*
 * Every kernel of kernels.inc on every tier against the oracle: all small sizes, all alignments, counters
 * that wrap, awkward floats, guard pages on both sides of every buffer, read-only inputs.
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "common.h"
#include "dispatch.h"
#include "kernels.h"

enum { MAX_N = 4 * 64 + 1, LARGE_N = 4099, MARGIN = 128 };

static guard_arena input, output, second;

static const size_t sizes_beyond_small[] = {320, 511, 512, 1000, LARGE_N};
enum { N_SIZES = MAX_N + 1 + sizeof sizes_beyond_small / sizeof sizes_beyond_small[0] };

static size_t size_number(size_t i)
{
    return i <= MAX_N ? i : sizes_beyond_small[i - MAX_N - 1];
}

static void check_generate(dropwise_generate_fn *generate, const char *name)
{
    static const uint64_t starts[] = {0,
                                      1,
                                      UINT64_C(0xFFFFFFFF),
                                      UINT64_C(0x100000000) - 37,
                                      UINT64_C(0x1000000000000000) - 5,
                                      UINT64_C(0x123456789ABCDEF0),
                                      UINT64_MAX - 20};
    const dropwise_key key = {{0x01234567, 0x89ABCDEF}, {0xFEDCBA98, 0x76543210}};
    const uint64_t seed = UINT64_C(0x89ABCDEF01234567), stream = UINT64_C(0x76543210FEDCBA98);
    uint8_t expected[16 * 100];
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        for (uint64_t b = 0; b < 100; b++)
            ref_block(seed, stream, starts[s] + b, expected + 16 * b);
        for (size_t n = 0; n <= 100; n++) {
            for (int at_end = 0; at_end < 2; at_end++) {
                uint8_t *out = guard_place(&output, 16 * n, at_end, n % 64);
                generate(&key, starts[s], n, out);
                assert_same_bytes(out, expected, 16 * n, "%s: start %zu, %zu blocks", name, s, n);
                assert_true(guard_intact(&output));
            }
        }
    }
}

static void check_generate_at(dropwise_generate_at_fn *generate_at, const char *name)
{
    const dropwise_key key = {{0x01234567, 0x89ABCDEF}, {0xFEDCBA98, 0x76543210}};
    const uint64_t seed = UINT64_C(0x89ABCDEF01234567), stream = UINT64_C(0x76543210FEDCBA98);
    uint8_t expected[16 * 100];
    for (size_t n = 0; n <= 100; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *out = guard_place(&output, 16 * n, at_end, n % 64);
            uint8_t *counters = guard_place(&input, 8 * n, at_end, n % 8 * 8);
            fill_noise(counters, 8 * n, n);
            for (size_t b = 0; b < n; b++) {
                uint64_t counter;
                memcpy(&counter, counters + 8 * b, 8);
                ref_block(seed, stream, counter, expected + 16 * b);
            }
            generate_at(&key, (const uint64_t *)(const void *)counters, n, out);
            assert_same_bytes(out, expected, 16 * n, "%s: %zu blocks", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

static void threshold_case(dropwise_threshold_fn *threshold, const char *name, size_t n, uint8_t t,
                           bool at_end, size_t offset)
{
    uint8_t below[LARGE_N], equal[LARGE_N], expected[LARGE_N];
    uint8_t *in = guard_place(&input, n, at_end, offset);
    uint64_t state = n + t;
    for (size_t j = 0; j < n; j++) {
        const uint64_t r = noise(&state);
        in[j] = r % 4 == 0 ? t : r % 4 == 1 ? (uint8_t)(t + 1 - 2 * (r >> 8 & 1)) : (uint8_t)(r >> 32);
        below[j] = in[j] < t;
        equal[j] = in[j] == t;
    }
    const size_t n_bytes = (n + 7) / 8;
    for (int with_equal = 0; with_equal < 2; with_equal++) {
        uint8_t *lt = guard_place(&output, n_bytes, at_end, offset);
        uint8_t *eq = with_equal ? guard_place(&second, n_bytes, at_end, offset) : NULL;
        guard_readonly(&input, true);
        threshold(in, n, t, lt, eq);
        guard_readonly(&input, false);
        ref_pack(below, n, expected);
        assert_same_bytes(lt, expected, n_bytes, "%s: below %u, n %zu", name, t, n);
        assert_true(guard_intact(&output));
        if (with_equal) {
            ref_pack(equal, n, expected);
            assert_same_bytes(eq, expected, n_bytes, "%s: equal %u, n %zu", name, t, n);
            assert_true(guard_intact(&second));
        }
    }
}

static void check_threshold(dropwise_threshold_fn *threshold, const char *name)
{
    static const uint8_t thresholds[] = {0, 1, 127, 128, 129, 230, 254, 255};
    for (size_t i = 0; i < N_SIZES; i++)
        for (int at_end = 0; at_end < 2; at_end++)
            threshold_case(threshold, name, size_number(i), thresholds[i % 8], at_end, 0);
    for (size_t offset = 0; offset < 64; offset++)
        for (size_t t = 0; t < 8; t++)
            threshold_case(threshold, name, 200 + t, thresholds[t], false, offset);
    for (unsigned t = 0; t < 256; t++)
        threshold_case(threshold, name, 259, (uint8_t)t, true, 0);
}

/* The streaming kernels want an aligned y; the others are tried at any place. */
static bool is_stream(const char *name)
{
    return strstr(name, "stream") != NULL;
}

/* A kernel's name ends in its dtype, or, where it only copies, in the width of its elements. */
static ref_dtype dtype_of(const char *name)
{
    static const struct {
        const char *suffix;
        ref_dtype dtype;
    } suffixes[] = {{"_f32", REF_F32},   {"_b32", REF_F32}, {"_f64", REF_F64}, {"_b64", REF_F64},
                    {"_bf16", REF_BF16}, {"_f16", REF_F16}, {"_b16", REF_F16},
                    {"_b8", REF_F8_E4M3}};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(strrchr(name, '_'), suffixes[i].suffix) == 0)
            return suffixes[i].dtype;
    fail_msg("%s names no dtype", name);
    return REF_F32;
}

/* A scale in the type that the kernel reads. */
typedef union any_scale {
    double f64;
    float f32;
} any_scale;

static any_scale scale_for(ref_dtype dtype, double value)
{
    any_scale scale = {.f64 = value};
    if (dtype != REF_F64)
        scale.f32 = (float)value;
    return scale;
}

static void apply_case(dropwise_apply_fn *apply, const char *name, size_t n, bool at_end,
                       size_t offset, bool in_place)
{
    const double value = 1.0 / 0.9;
    const ref_dtype dtype = dtype_of(name);
    const any_scale scale = scale_for(dtype, value);
    const bool scaled = strstr(name, "scale_kept") != NULL;
    const size_t n_bytes = n * ref_bytes(dtype);
    uint8_t keep[LARGE_N];
    static uint8_t expected[8 * LARGE_N];
    uint8_t *bits = guard_place(&second, (n + 7) / 8, at_end, offset);
    uint64_t state = n + offset;
    for (size_t j = 0; j < n; j++)
        keep[j] = noise(&state) % 3 != 0;
    ref_pack(keep, n, bits);
    if (n % 8 != 0)
        bits[n / 8] |= (uint8_t)(0xFF << n % 8); /* unused bits may hold anything */

    uint8_t *x = guard_place(&input, n_bytes, at_end, offset);
    uint8_t *y = is_stream(name) ? guard_at_start(&output, n_bytes, offset / 64 * 64)
                                 : guard_place(&output, n_bytes, at_end, 3 * offset % 64);
    fill_awkward(dtype, x, n, n + offset);
    ref_apply(dtype, keep, n, x, expected, scaled ? &value : NULL);
    if (in_place) {
        memcpy(y, x, n_bytes);
        apply(bits, n, y, y, &scale);
    } else {
        guard_readonly(&input, true);
        apply(bits, n, x, y, &scale);
        guard_readonly(&input, false);
    }
    assert_same_bytes(y, expected, n_bytes, "%s: n %zu, offset %zu, %s", name, n, offset,
                      in_place ? "in place" : "apart");
    assert_true(guard_intact(&output));
}

static void check_apply(dropwise_apply_fn *apply, const char *name)
{
    for (size_t i = 0; i < N_SIZES; i++)
        for (int at_end = 0; at_end < 2; at_end++)
            for (int in_place = 0; in_place < 2; in_place++)
                apply_case(apply, name, size_number(i), at_end, 0, in_place);
    for (size_t offset = 0; offset < 64; offset++)
        apply_case(apply, name, 150 + offset, false, offset, offset % 2);
}

static void scale_case(dropwise_scale_fn *scale, const char *name, size_t n, bool at_end,
                       size_t offset)
{
    const double value = 0.9;
    const ref_dtype dtype = dtype_of(name);
    const any_scale factor = scale_for(dtype, value);
    const size_t n_bytes = n * ref_bytes(dtype);
    static uint8_t keep[LARGE_N], expected[8 * LARGE_N];
    memset(keep, 1, n);
    uint8_t *x = guard_place(&input, n_bytes, at_end, offset);
    uint8_t *y = is_stream(name) ? guard_at_start(&output, n_bytes, 0)
                                 : guard_place(&output, n_bytes, at_end, 3 * offset % 64);
    fill_awkward(dtype, x, n, n + offset);
    ref_apply(dtype, keep, n, x, expected, &value);
    guard_readonly(&input, true);
    scale(n, x, y, &factor);
    guard_readonly(&input, false);
    assert_same_bytes(y, expected, n_bytes, "%s: n %zu, offset %zu", name, n, offset);
    assert_true(guard_intact(&output));
}

/* All 65,536 values of a 16-bit type, by factors that meet ties, overflow and every kind of subnormal. */
static void scale_all_narrow(dropwise_scale_fn *scale, const char *name)
{
    enum { ALL = 65536 };
    static const double factors[] = {1.0, 0.5, 2.0, 1.0 / 0.9, 1.0 / 3, 0.0003662, 1.0009765625, 1000.1,
                                     1099511627776.0};
    static uint16_t x[ALL], expected[ALL];
    static _Alignas(DROPWISE_STREAM_ALIGN) uint16_t y[ALL];
    static uint8_t keep[ALL];
    const ref_dtype dtype = dtype_of(name);
    memset(keep, 1, sizeof keep);
    for (unsigned i = 0; i < ALL; i++)
        x[i] = (uint16_t)i;
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++) {
        const any_scale factor = scale_for(dtype, factors[f]);
        ref_apply(dtype, keep, ALL, x, expected, &factors[f]);
        scale(ALL, x, y, &factor);
        assert_same_bytes(y, expected, sizeof y, "%s: every value times %g", name, factors[f]);
    }
}

static void check_scale(dropwise_scale_fn *scale, const char *name)
{
    for (size_t i = 0; i < N_SIZES; i++)
        for (int at_end = 0; at_end < 2; at_end++)
            scale_case(scale, name, size_number(i), at_end, 0);
    for (size_t offset = 0; offset < 64; offset++)
        scale_case(scale, name, 150 + offset, false, offset);
    if (ref_bytes(dtype_of(name)) == 2 && !is_stream(name))
        scale_all_narrow(scale, name);
}

static void check_nonzero(dropwise_nonzero_fn *nonzero, const char *name)
{
    const size_t bytes = ref_bytes(dtype_of(name));
    for (size_t i = 0; i < N_SIZES; i++) {
        const size_t n = size_number(i);
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t keep[LARGE_N], expected[LARGE_N];
            uint8_t *x = guard_place(&input, n * bytes, at_end, i % 64);
            uint8_t *bits = guard_place(&output, (n + 7) / 8, at_end, i % 64);
            uint64_t state = i;
            memset(x, 0, n * bytes);
            for (size_t j = 0; j < n; j++) {
                const uint64_t r = noise(&state); /* a single bit, anywhere, is enough */
                keep[j] = r % 2 != 0;
                if (keep[j])
                    x[j * bytes + (r >> 8) % bytes] = (uint8_t)(1u << (r >> 16) % 8);
            }
            ref_pack(keep, n, expected);
            guard_readonly(&input, true);
            nonzero(n, x, bits);
            guard_readonly(&input, false);
            assert_same_bytes(bits, expected, (n + 7) / 8, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

static void check_clear(dropwise_clear_fn *clear, const char *name)
{
    static const uint8_t zeros[LARGE_N];
    for (size_t i = 0; i < N_SIZES; i++) {
        const size_t n = size_number(i);
        uint8_t *y = guard_at_start(&output, n, i % 4 * DROPWISE_STREAM_ALIGN);
        clear(n, y);
        assert_same_bytes(y, zeros, n, "%s: n %zu", name, n);
        assert_true(guard_intact(&output));
    }
}

/* The dtype that a name ends in, for the narrow ones: widen_f8_e4m3, narrow_f8_e4m3_sat. */
static ref_dtype narrow_dtype_of(const char *name)
{
    for (ref_dtype dtype = REF_F16; dtype < REF_DTYPES; dtype++)
        if (strcmp(strchr(name, '_') + 1, dtype_name(dtype)) == 0)
            return dtype;
    fail_msg("%s names no dtype", name);
    return REF_F16;
}

/* Element i of an array of elements of one or two bytes. */
static void store_code(uint8_t *array, size_t i, size_t bytes, unsigned code)
{
    const uint16_t two = (uint16_t)code;
    const uint8_t one = (uint8_t)code;
    memcpy(array + i * bytes, bytes == 2 ? (const void *)&two : &one, bytes);
}

/* Every value of the type, then every size and alignment. */
static void check_widen(dropwise_widen_fn *widen, const char *name)
{
    const ref_dtype dtype = narrow_dtype_of(name);
    const size_t bytes = ref_bytes(dtype);
    static float expected[65536], wide[65536];
    static uint8_t all[2 * 65536];
    const size_t n_all = bytes == 2 ? 65536 : 256;
    for (unsigned i = 0; i < n_all; i++) {
        store_code(all, i, bytes, i);
        expected[i] = ref_widen(dtype, i);
        /* What a quiet NaN is made of may wait until it is used. */
        if (dtype == REF_BF16)
            memcpy(&expected[i], &(uint32_t){(uint32_t)i << 16}, 4);
    }
    widen(n_all, all, wide);
    assert_same_bytes(wide, expected, n_all * 4, "%s: every value", name);
    for (size_t n = 0; n <= 70; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *x = guard_place(&input, n * bytes, at_end, n % 64);
            float *out = (float *)(void *)guard_place(&output, n * 4, at_end, n % 16 * 4);
            memcpy(x, all + 37 * bytes, n * bytes);
            guard_readonly(&input, true);
            widen(n, x, out);
            guard_readonly(&input, false);
            assert_same_bytes(out, expected + 37, n * 4, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

/* Every value of the type, halfway between each and its neighbours and a bit off that, and noise. */
static void check_narrow(dropwise_narrow_fn *narrow, const char *name)
{
    const ref_dtype dtype = narrow_dtype_of(name);
    const size_t bytes = ref_bytes(dtype);
    enum { N = 40000 };
    static float in[N];
    static uint8_t expected[2 * N], out[2 * N];
    uint64_t state = 7;
    for (size_t i = 0; i < N; i++) {
        const uint64_t r = noise(&state);
        const unsigned code = (unsigned)(r & (bytes == 2 ? 0xFFFF : 0xFF));
        const float value = ref_widen(dtype, code), above = ref_widen(dtype, code + 1);
        uint32_t u = (uint32_t)(r >> 16);
        if (i % 4 != 3) {
            const float middle = value + (above - value) / 2;
            memcpy(&u, i % 4 == 0 ? &value : &middle, 4);
            u += i % 4 == 2 ? (uint32_t)(r >> 48) % 3 - 1 : 0;
        }
        memcpy(&in[i], &u, 4);
        store_code(expected, i, bytes, ref_narrow(dtype, in[i]));
    }
    narrow(N, in, out);
    assert_same_bytes(out, expected, N * bytes, "%s", name);
    for (size_t n = 0; n <= 70; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            float *x = (float *)(void *)guard_place(&input, n * 4, at_end, n % 16 * 4);
            uint8_t *y = guard_place(&output, n * bytes, at_end, n % 64);
            memcpy(x, in + 100, n * 4);
            guard_readonly(&input, true);
            narrow(n, x, y);
            guard_readonly(&input, false);
            assert_same_bytes(y, expected + 100 * bytes, n * bytes, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

/* ---- Fused steps: f32 and f64 ---- */

/* What a kernel computes in, as doubles: rounding to f32 after each operation gives what f32 gives. */
static double rounded(ref_dtype dtype, double v)
{
    return dtype == REF_F32 ? (double)(float)v : v;
}

static double get(ref_dtype dtype, const uint8_t *p, size_t i)
{
    float f32;
    double f64;
    if (dtype == REF_F32) {
        memcpy(&f32, p + 4 * i, 4);
        return (double)f32;
    }
    memcpy(&f64, p + 8 * i, 8);
    return f64;
}

static void put(ref_dtype dtype, uint8_t *p, size_t i, double v)
{
    const float f32 = (float)v;
    if (dtype == REF_F32)
        memcpy(p + 4 * i, &f32, 4);
    else
        memcpy(p + 8 * i, &v, 8);
}

/* The one NaN that fused kernels write. */
static void put_result(ref_dtype dtype, uint8_t *p, size_t i, double v)
{
    put(dtype, p, i, isnan(v) ? (double)NAN : v);
}

/* Six buffers of a kernel's own, each between guard pages, filled with ordinary and some awkward numbers. */
enum { BUFFERS = 6 };
static guard_arena arenas[BUFFERS];

typedef struct fused_case {
    ref_dtype dtype;
    size_t n, bytes;
    bool at_end;
    uint8_t keep[LARGE_N], *bits;
    uint8_t *in[BUFFERS];
    any_scale factor;
    double factor_value;
} fused_case;

static fused_case *fused_setup(const char *name, size_t n, bool at_end, bool awkward)
{
    static fused_case c;
    c.dtype = dtype_of(name);
    c.n = n;
    c.bytes = n * ref_bytes(c.dtype);
    c.at_end = at_end;
    c.factor_value = 1 / 0.7;
    c.factor = scale_for(c.dtype, c.factor_value);
    c.factor_value = rounded(c.dtype, c.factor_value);
    uint64_t state = n + at_end;
    c.bits = guard_place(&second, (n + 7) / 8, at_end, n % 64);
    for (size_t i = 0; i < n; i++)
        c.keep[i] = noise(&state) % 3 != 0;
    ref_pack(c.keep, n, c.bits);
    if (n % 8 != 0)
        c.bits[n / 8] |= (uint8_t)(0xFF << n % 8);
    for (int b = 0; b < BUFFERS; b++) {
        c.in[b] = guard_place(&arenas[b], c.bytes, at_end, (n + (size_t)b) % 64);
        if (awkward && b < 3)
            fill_awkward(c.dtype, c.in[b], n, noise(&state));
        else
            for (size_t i = 0; i < n; i++)
                put(c.dtype, c.in[b], i, (double)(int64_t)noise(&state) * 0x1p-61);
    }
    return &c;
}

static double dropped(const fused_case *c, size_t i, double v)
{
    return c->keep[i] ? rounded(c->dtype, v * c->factor_value) : 0.0;
}

static void assert_all_intact(void)
{
    for (int b = 0; b < BUFFERS; b++)
        assert_true(guard_intact(&arenas[b]));
}

static void check_residual(dropwise_residual_fn *residual, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < N_SIZES; s++) {
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
            uint8_t *y = is_stream(name) ? guard_at_start(&arenas[3], c->bytes, 0) : c->in[3];
            residual(c->bits, c->n, c->in[0], bias, skip, y, &c->factor);
            assert_same_bytes(y, expected, c->bytes, "%s: n %zu, variant %d", name, c->n, variant);
            assert_all_intact();
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

/* A result near enough to the formula, at a distance of a few roundings of what it is made of. */
static void assert_near(const fused_case *c, const uint8_t *p, size_t i, double expected, double size,
                        const char *name)
{
    const double unit = c->dtype == REF_F32 ? 0x1p-24 : 0x1p-53, actual = get(c->dtype, p, i);
    if (!(fabs(actual - expected) <= 24 * unit * (size + fabs(expected)) + 1e-37))
        fail_msg("%s: element %zu of %zu is %.17g, expected %.17g", name, i, c->n, actual, expected);
}

static void check_activate(dropwise_activate_fn *activate, const char *name)
{
    for (size_t s = 0; s < N_SIZES; s++) {
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

static void check_activate_grad(dropwise_activate_grad_fn *grad, const char *name)
{
    static uint8_t before[8 * LARGE_N];
    for (size_t s = 0; s < N_SIZES; s++) {
        for (int variant = 0; variant < 8; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 4, false);
            uint8_t *bias = variant & 1 ? c->in[2] : NULL, *sums = variant & 2 ? c->in[4] : NULL;
            memcpy(before, c->in[4], c->bytes);
            for (size_t i = 0; i < c->n; i++) /* where nothing is kept, no slope may come through */
                if (!c->keep[i])
                    put(c->dtype, c->in[1], i,
                        i % 3 == 0 ? (double)NAN : i % 3 == 1 ? -(double)INFINITY : -1.0);
            grad(c->bits, c->n, c->in[0], c->in[1], bias, c->in[3], &c->factor, sums);
            for (size_t i = 0; i < c->n; i++) {
                const double b = bias != NULL ? get(c->dtype, bias, i) : 0;
                const double z = rounded(c->dtype, get(c->dtype, c->in[1], i) + b);
                const double d = dropped(c, i, get(c->dtype, c->in[0], i));
                assert_near(c, c->in[3], i, c->keep[i] ? d * activation_of(name, z, true) : 0,
                            c->keep[i] ? fabs(d) * (1 + fabs(z)) : 0, name);
                assert_true(c->keep[i] || !signbit(get(c->dtype, c->in[3], i)));
                if (sums != NULL) /* exactly what was written */
                    put_result(c->dtype, before, i,
                               rounded(c->dtype, get(c->dtype, before, i) + get(c->dtype, c->in[3], i)));
            }
            assert_same_bytes(c->in[4], before, c->bytes, "%s: sums, n %zu", name, c->n);
            assert_all_intact();
        }
    }
}

static double logit_of(const fused_case *c, size_t i, const uint8_t *add)
{
    const double v = rounded(c->dtype, get(c->dtype, c->in[0], i) * c->factor_value);
    return add != NULL ? rounded(c->dtype, v + get(c->dtype, add, i)) : v;
}

static void check_row_max(dropwise_row_max_fn *row_max, const char *name)
{
    for (size_t s = 0; s < N_SIZES; s++) {
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

static void check_row_exp(dropwise_row_exp_fn *row_exp, const char *name)
{
    for (size_t s = 0; s < N_SIZES; s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, false);
            uint8_t *add = variant & 1 ? c->in[1] : NULL, sums[16 * 8];
            const any_scale max = scale_for(c->dtype, 3.5);
            double start[16];
            start_sums(c->dtype, sums, start);
            if (add != NULL && c->n > 5)
                put(c->dtype, add, 5, -INFINITY);
            row_exp(c->n, c->in[0], add, &c->factor, &max, c->in[3], sums);
            for (size_t i = 0; i < c->n; i++) {
                const double power = rounded(c->dtype, logit_of(c, i, add) - 3.5);
                assert_near(c, c->in[3], i, exp(power), 0, name);
                terms[i] = get(c->dtype, c->in[3], i);
            }
            check_sums(c, sums, start, terms, name);
            assert_all_intact();
        }
    }
}

static void check_row_drop(dropwise_row_drop_fn *row_drop, const char *name)
{
    static uint8_t probabilities[8 * LARGE_N], expected[8 * LARGE_N];
    for (size_t s = 0; s < N_SIZES; s++) {
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, true);
            const any_scale inverse = scale_for(c->dtype, 0.3);
            for (size_t i = 0; i < c->n; i++) {
                const double p =
                    rounded(c->dtype, get(c->dtype, c->in[0], i) * rounded(c->dtype, 0.3));
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

static void check_row_dot(dropwise_row_dot_fn *row_dot, const char *name)
{
    for (size_t s = 0; s < N_SIZES; s++) {
        fused_case *c = fused_setup(name, size_number(s), s % 2, false);
        uint8_t sums[16 * 8];
        double start[16];
        start_sums(c->dtype, sums, start);
        row_dot(c->bits, c->n, c->in[0], c->in[1], &c->factor, sums);
        for (size_t i = 0; i < c->n; i++)
            terms[i] = rounded(c->dtype,
                               dropped(c, i, get(c->dtype, c->in[0], i)) * get(c->dtype, c->in[1], i));
        check_sums(c, sums, start, terms, name);
    }
}

static void check_row_grad(dropwise_row_grad_fn *row_grad, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < N_SIZES; s++) {
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

static void check_kernels(dropwise_isa isa)
{
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    assert_non_null(kernels);
    assert_int_equal(kernels->isa, isa);
    const bool has_math = dropwise_active_has_math();
    if (!has_math)
        printf("tier %s: no SLEEF functions here\n", dropwise_isa_name(isa));
#define DROPWISE_KERNEL(kind, name) check_##kind(kernels->name, #name);
#define DROPWISE_MATH_KERNEL(kind, name) \
    if (has_math)                        \
        check_##kind(kernels->name, #name);
#include "kernels.inc"
#undef DROPWISE_KERNEL
#undef DROPWISE_MATH_KERNEL
}

static void test_kernels(void **state)
{
    (void)state;
    input = guard_new(8 * LARGE_N + MARGIN);
    output = guard_new(8 * LARGE_N + MARGIN);
    second = guard_new(LARGE_N + MARGIN);
    for (int b = 0; b < BUFFERS; b++)
        arenas[b] = guard_new(8 * LARGE_N + MARGIN);
    for_each_tier(check_kernels);
    guard_free(&input);
    guard_free(&output);
    guard_free(&second);
    for (int b = 0; b < BUFFERS; b++)
        guard_free(&arenas[b]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels)};
    return cmocka_run_group_tests_name("kernels", tests, report_tiers, NULL);
}
