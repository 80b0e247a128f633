/* Arguments: every status has its bad input, nothing is written then, and edges that are no errors. */
#include <math.h>

#include "common.h"

enum { N = 64 };
static float x[2 * N], y[2 * N], y_before[2 * N];
static uint8_t bits[2 * N], bits_before[2 * N];
static dropwise_mask good;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * N; i++) {
        x[i] = (float)i;
        y[i] = y_before[i] = -7.0f;
        bits[i] = bits_before[i] = 0xCA;
    }
    return dropwise_mask_init(&good, 0.5, 1, 2);
}

static void assert_untouched(void)
{
    assert_same_bytes(y, y_before, sizeof y, "y after an error");
    assert_same_bytes(bits, bits_before, sizeof bits, "bits after an error");
}

/* All calls that take a mask, a range and data refuse these arguments alike. */
static void assert_refused(const dropwise_mask *mask, uint64_t first, size_t n, dropwise_status status)
{
    assert_int_equal(dropwise_draw_bits(mask, first, n, bits), status);
    assert_int_equal(dropwise_forward(mask, DROPWISE_F32, first, n, x, y, NULL), status);
    assert_int_equal(dropwise_forward(mask, DROPWISE_F32, first, n, x, y, bits), status);
    assert_int_equal(dropwise_backward(mask, DROPWISE_F32, first, n, x, y, NULL), status);
    assert_int_equal(dropwise_backward(mask, DROPWISE_F32, first, n, x, y, bits), status);
    assert_untouched();
}

static void assert_mask_refused(const dropwise_mask *mask, dropwise_status status)
{
    assert_refused(mask, 0, N, status);
    assert_int_equal(dropwise_infer(mask, DROPWISE_F32, N, x, y), status);
    assert_int_equal(dropwise_draw_bytes(mask, 0, N, bits), status);
    assert_untouched();
}

static void test_probability(void **state)
{
    (void)state;
    static const double refused[] = {-0x1p-1074, -1.0, 1.0 + 0x1p-52, 2.0, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        dropwise_mask mask;
        memset(&mask, 0xCA, sizeof mask);
        const dropwise_mask before = mask;
        assert_int_equal(dropwise_mask_init(&mask, refused[i], 1, 2), DROPWISE_ERROR_PROBABILITY);
        assert_same_bytes(&mask, &before, sizeof mask, "mask after p = %g", refused[i]);
    }
    assert_int_equal(dropwise_mask_init(NULL, 0.5, 1, 2), DROPWISE_ERROR_NULL);
}

static void test_thresholds(void **state)
{
    (void)state;
    static const struct {
        double p;
        uint64_t threshold;
    } cases[] = {
        {0.0, UINT64_C(1) << 40},
        {-0.0, UINT64_C(1) << 40},
        {0x1p-41, UINT64_C(1) << 40},           /* half to even: up   */
        {3 * 0x1p-41, (UINT64_C(1) << 40) - 2}, /* and down */
        {0x1p-40, (UINT64_C(1) << 40) - 1},
        {0x1p-1074, UINT64_C(1) << 40},
        {0.1, UINT64_C(989560464998)}, /* 0.9 * 2^40 = 989560464998.4   */
        {0.5, UINT64_C(1) << 39},
        {255.0 / 256, UINT64_C(1) << 32},
        {1.0 - 0x1p-40, 1},
        {1.0 - 0x1p-41, 0},
        {1.0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dropwise_mask mask;
        assert_int_equal(dropwise_mask_init(&mask, cases[i].p, 3, 4), DROPWISE_OK);
        assert_int_equal(mask.keep_threshold, cases[i].threshold);
        assert_int_equal(mask.struct_size, 64);
        assert_int_equal(mask.generator, DROPWISE_PHILOX4X32_10);
        assert_int_equal(mask.seed, 3);
        assert_int_equal(mask.stream, 4);
        assert_int_equal(mask.scaling, DROPWISE_SCALING_INVERTED);
        for (int r = 0; r < 7; r++)
            assert_int_equal(mask.reserved[r], 0);
    }
}

static void test_mask_fields(void **state)
{
    (void)state;
    assert_mask_refused(NULL, DROPWISE_ERROR_NULL);
    dropwise_mask mask = good;
    mask.struct_size = 0;
    assert_mask_refused(&mask, DROPWISE_ERROR_STRUCT_SIZE);
    mask.struct_size = 65;
    assert_mask_refused(&mask, DROPWISE_ERROR_STRUCT_SIZE);
    for (int r = 0; r < 7; r++) {
        mask = good;
        mask.reserved[r] = 1;
        assert_mask_refused(&mask, DROPWISE_ERROR_RESERVED);
    }
    mask = good;
    mask.generator = 0;
    assert_mask_refused(&mask, DROPWISE_ERROR_GENERATOR);
    mask.generator = 99;
    assert_mask_refused(&mask, DROPWISE_ERROR_GENERATOR);
    mask = good;
    mask.keep_threshold = (UINT64_C(1) << 40) + 1;
    assert_mask_refused(&mask, DROPWISE_ERROR_KEEP_THRESHOLD);
    mask = good;
    mask.scaling = 0;
    assert_mask_refused(&mask, DROPWISE_ERROR_SCALING);
    mask.scaling = 3;
    assert_mask_refused(&mask, DROPWISE_ERROR_SCALING);
}

static void test_range(void **state)
{
    (void)state;
    const uint64_t limit = UINT64_C(1) << 60;
    assert_refused(&good, limit, 1, DROPWISE_ERROR_RANGE);
    assert_refused(&good, limit - N + 1, N, DROPWISE_ERROR_RANGE);
    assert_refused(&good, UINT64_MAX, 1, DROPWISE_ERROR_RANGE);
    assert_refused(&good, UINT64_MAX - 10, N, DROPWISE_ERROR_RANGE);
#if SIZE_MAX > UINT32_MAX /* smaller sizes do not get there */
    assert_refused(&good, 0, (size_t)limit + 1, DROPWISE_ERROR_RANGE);
    assert_refused(&good, 1, (size_t)limit, DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_draw_bits(&good, 0, SIZE_MAX, bits), DROPWISE_ERROR_RANGE);
    assert_untouched();
#endif

    uint8_t last[16];
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX, 16, last), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX, 17, bits), DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX - 1, 33, bits), DROPWISE_ERROR_RANGE);
    assert_untouched();

    float one;
    assert_int_equal(dropwise_forward_f32(&good, limit - 1, 1, x, &one, NULL), DROPWISE_OK);
}

static void test_size(void **state)
{
    (void)state;
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 4, SIZE_MAX / 4 + 1, SIZE_MAX / 8 + 1};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        assert_int_equal(dropwise_forward_f32(&good, 0, huge[i], x, y, NULL), DROPWISE_ERROR_SIZE);
        assert_int_equal(dropwise_backward_f32(&good, 0, huge[i], x, y, bits), DROPWISE_ERROR_SIZE);
        assert_int_equal(dropwise_infer_f32(&good, huge[i], x, y), DROPWISE_ERROR_SIZE);
    }
    assert_int_equal(dropwise_draw_bytes(&good, 0, SIZE_MAX, bits), DROPWISE_ERROR_SIZE);
    assert_untouched();
}

static void test_dtype(void **state)
{
    (void)state;
    static const dropwise_dtype unknown[] = {0, -1, 99, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(dropwise_forward(&good, unknown[i], 0, N, x, y, bits), DROPWISE_ERROR_DTYPE);
        assert_int_equal(dropwise_backward(&good, unknown[i], 0, N, x, y, NULL), DROPWISE_ERROR_DTYPE);
        assert_int_equal(dropwise_infer(&good, unknown[i], N, x, y), DROPWISE_ERROR_DTYPE);
    }
    assert_untouched();
}

static void test_null(void **state)
{
    (void)state;
    assert_int_equal(dropwise_draw_bits(&good, 0, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_draw_bytes(&good, 0, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, NULL, y, bits), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, x, NULL, bits), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_backward_f32(&good, 0, N, NULL, y, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_backward_f32(&good, 0, N, x, NULL, bits), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_infer_f32(&good, N, NULL, y), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_infer_f32(&good, N, x, NULL), DROPWISE_ERROR_NULL);
    assert_untouched();
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(dropwise_draw_bits(&good, 0, 0, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bits(&good, UINT64_C(1) << 60, 0, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX, 0, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 0, 0, NULL, NULL, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_backward_f32(&good, 0, 0, NULL, NULL, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_infer_f32(&good, 0, NULL, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 5, 0, x, y, bits), DROPWISE_OK);
    assert_untouched();
}

static void test_overlap(void **state)
{
    (void)state;
    static float buffer[4 * N], before[4 * N];
    for (int i = 0; i < 4 * N; i++)
        buffer[i] = before[i] = (float)i;
    for (int shift = 1; shift < N; shift += 7) {
        assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, buffer + shift, NULL),
                         DROPWISE_ERROR_OVERLAP);
        assert_int_equal(dropwise_backward_f32(&good, 0, N, buffer + shift, buffer, NULL),
                         DROPWISE_ERROR_OVERLAP);
        assert_int_equal(dropwise_infer_f32(&good, N, buffer + shift, buffer), DROPWISE_ERROR_OVERLAP);
    }
    /* Bits inside x or y. */
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, y, buffer + N - 1), DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, x, buffer, buffer), DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_backward_f32(&good, 0, N, x, buffer, (uint8_t *)(buffer + N) - 1),
                     DROPWISE_ERROR_OVERLAP);
    assert_same_bytes(buffer, before, sizeof buffer, "buffer after an error");
    assert_untouched();

    /* Neighbours do not overlap, and in place is no overlap. */
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, buffer + N, (uint8_t *)(buffer + 2 * N)),
                     DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer + N, buffer, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, buffer, NULL), DROPWISE_OK);
}

static void test_edges(void **state)
{
    (void)state;
    dropwise_mask mask;
    float out[3];
    const float in[3] = {NAN, -INFINITY, -0.0f};
    const float zeros[3] = {0.0f, 0.0f, 0.0f};
    uint8_t packed[1];
    assert_int_equal(dropwise_mask_init(&mask, 1.0, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&mask, 0, 3, in, out, packed), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1");
    assert_int_equal(packed[0], 0);
    packed[0] = 7;
    assert_int_equal(dropwise_backward_f32(&mask, 0, 3, in, out, packed), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1 with bits that say otherwise");
    assert_int_equal(dropwise_mask_init(&mask, 0.0, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&mask, 0, 3, in, out, packed), DROPWISE_OK);
    assert_same_bytes(out, in, sizeof out, "p = 0");
    assert_int_equal(packed[0], 7);

    /* Inference by standard scaling with p = 1: zeros, where 0 * infinity would be a NaN of the CPU's own. */
    assert_int_equal(dropwise_mask_init(&mask, 1.0, 1, 2), DROPWISE_OK);
    mask.scaling = DROPWISE_SCALING_STANDARD;
    assert_int_equal(dropwise_infer_f32(&mask, 3, in, out), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1, inference");
    assert_int_equal(dropwise_mask_init(&mask, 0.0, 1, 2), DROPWISE_OK);

    /* Stored bits decide alone: with p = 0 too. */
    const float ones[3] = {1.0f, 1.0f, 1.0f};
    const float middle[3] = {0.0f, 1.0f, 0.0f};
    packed[0] = 2;
    assert_int_equal(dropwise_backward_f32(&mask, 0, 3, ones, out, packed), DROPWISE_OK);
    assert_same_bytes(out, middle, sizeof out, "p = 0 with stored bits");
}

static void test_scalings(void **state)
{
    (void)state;
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.75, 1, 2), DROPWISE_OK);
    const float in[2] = {3.0f, -5.0f};
    float out[2];
    uint8_t all = 0xFF;
    assert_int_equal(dropwise_backward_f32(&mask, 0, 2, in, out, &all), DROPWISE_OK);
    assert_true(out[0] == 12.0f && out[1] == -20.0f);
    assert_int_equal(dropwise_infer_f32(&mask, 2, in, out), DROPWISE_OK);
    assert_true(out[0] == 3.0f && out[1] == -5.0f);
    mask.scaling = DROPWISE_SCALING_STANDARD;
    assert_int_equal(dropwise_backward_f32(&mask, 0, 2, in, out, &all), DROPWISE_OK);
    assert_true(out[0] == 3.0f && out[1] == -5.0f);
    assert_int_equal(dropwise_infer_f32(&mask, 2, in, out), DROPWISE_OK);
    assert_true(out[0] == 0.75f && out[1] == -1.25f);
}

static void test_words(void **state)
{
    (void)state;
    for (dropwise_status a = DROPWISE_OK; a <= DROPWISE_ERROR_MATH; a++) {
        assert_non_null(dropwise_status_string(a));
        for (dropwise_status b = DROPWISE_OK; b < a; b++)
            assert_string_not_equal(dropwise_status_string(a), dropwise_status_string(b));
    }
    assert_string_equal(dropwise_status_string(-1), "unknown status");
    assert_string_equal(dropwise_status_string(INT32_MAX), "unknown status");
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", DROPWISE_VERSION_MAJOR, DROPWISE_VERSION_MINOR,
             DROPWISE_VERSION_PATCH);
    assert_string_equal(dropwise_version(), version);
    assert_string_equal(dropwise_version(), PROJECT_VERSION);
}

static void test_isa(void **state)
{
    (void)state;
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_SCALAR), "scalar");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_NEON), "neon");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_AVX2), "avx2");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_AVX512), "avx512");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_RVV), "rvv");
    static const dropwise_isa unknown[] = {-1, DROPWISE_ISA_COUNT, 99, INT32_MIN};
    const dropwise_isa before = dropwise_isa_active();
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_null(dropwise_isa_name(unknown[i]));
        assert_int_equal(dropwise_isa_check(unknown[i]), DROPWISE_ERROR_ISA_UNKNOWN);
        assert_int_equal(dropwise_isa_select(unknown[i]), DROPWISE_ERROR_ISA_UNKNOWN);
        assert_int_equal(dropwise_isa_active(), before);
    }
    assert_null(dropwise_isa_name(DROPWISE_ISA_AUTO));
    assert_int_equal(dropwise_isa_check(DROPWISE_ISA_AUTO), DROPWISE_ERROR_ISA_UNKNOWN);
    assert_int_equal(dropwise_isa_check(DROPWISE_ISA_SCALAR), DROPWISE_OK);
#if defined(__x86_64__)
    const dropwise_isa foreign = DROPWISE_ISA_NEON;
#else
    const dropwise_isa foreign = DROPWISE_ISA_AVX2;
#endif
    assert_int_equal(dropwise_isa_check(foreign), DROPWISE_ERROR_ISA_NOT_BUILT);
    assert_int_equal(dropwise_isa_select(foreign), DROPWISE_ERROR_ISA_NOT_BUILT);
    assert_int_equal(dropwise_isa_active(), before);

    uint32_t k = 0;
    while (dropwise_cpu_feature_name(k) != NULL)
        k++;
    assert_in_range(k, 1, 63);
    assert_null(dropwise_cpu_feature_name(k));
    assert_null(dropwise_cpu_feature_name(UINT32_MAX));
    assert_true(dropwise_cpu_features() < UINT64_C(1) << k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probability), cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_mask_fields), cmocka_unit_test(test_range),
        cmocka_unit_test(test_size),        cmocka_unit_test(test_dtype),
        cmocka_unit_test(test_null),        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_overlap),     cmocka_unit_test(test_edges),
        cmocka_unit_test(test_scalings),    cmocka_unit_test(test_words),
        cmocka_unit_test(test_isa),
    };
    return cmocka_run_group_tests_name("api", tests, setup, NULL);
}
