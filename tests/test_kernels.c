/*
 * Every kernel of kernels.inc on every tier against the oracle: all small sizes, all alignments, counters
 * that wrap, awkward floats, guard pages on both sides of every buffer, read-only inputs.
 */
#include "common.h"
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
                    {"_bf16", REF_BF16}, {"_f16", REF_F16}, {"_b16", REF_F16}};
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

static void check_kernels(dropwise_isa isa)
{
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    assert_non_null(kernels);
    assert_int_equal(kernels->isa, isa);
#define DROPWISE_KERNEL(kind, name) check_##kind(kernels->name, #name);
#include "kernels.inc"
#undef DROPWISE_KERNEL
}

static void test_kernels(void **state)
{
    (void)state;
    input = guard_new(8 * LARGE_N + MARGIN);
    output = guard_new(8 * LARGE_N + MARGIN);
    second = guard_new(LARGE_N + MARGIN);
    for_each_tier(check_kernels);
    guard_free(&input);
    guard_free(&output);
    guard_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels)};
    return cmocka_run_group_tests_name("kernels", tests, report_tiers, NULL);
}
