/* Arguments: every status has its bad input, nothing is written then, and edges that are no errors. */
#include <math.h>

#include "support/common.h"

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

static void a_probability_outside_0_to_1_is_refused(void **state)
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

static void a_probability_becomes_the_nearest_threshold_ties_to_even(void **state)
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
        assert_int_equal(mask.flags, 0);
        for (int r = 0; r < 6; r++)
            assert_int_equal(mask.reserved[r], 0);
    }
}

static void every_call_refuses_a_mask_with_a_field_that_is_wrong(void **state)
{
    (void)state;
    assert_mask_refused(NULL, DROPWISE_ERROR_NULL);
    dropwise_mask mask = good;
    mask.struct_size = 0;
    assert_mask_refused(&mask, DROPWISE_ERROR_STRUCT_SIZE);
    mask.struct_size = 65;
    assert_mask_refused(&mask, DROPWISE_ERROR_STRUCT_SIZE);
    for (int r = 0; r < 6; r++) {
        mask = good;
        mask.reserved[r] = 1;
        assert_mask_refused(&mask, DROPWISE_ERROR_RESERVED);
    }
    for (int bit = 1; bit < 32; bit++) {
        mask = good;
        mask.flags = UINT32_C(1) << bit | DROPWISE_ACCUMULATE;
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

static void no_element_lies_beyond_the_limit_of_indices(void **state)
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
    float one;
    assert_int_equal(dropwise_forward_f32(&good, limit - 1, 1, x, &one, NULL), DROPWISE_OK);
}

static void no_bytes_lie_beyond_the_last_block(void **state)
{
    (void)state;
    uint8_t last[16];
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX, 16, last), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX, 17, bits), DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_draw_bytes(&good, UINT64_MAX - 1, 33, bits), DROPWISE_ERROR_RANGE);
    assert_untouched();
}

static void a_size_beyond_memory_is_refused(void **state)
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

static void an_unknown_dtype_is_refused(void **state)
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

static void a_pointer_that_is_missing_is_refused(void **state)
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

static void no_elements_need_no_pointers(void **state)
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

static float buffer[4 * N];

static void buffers_that_overlap_are_refused(void **state)
{
    (void)state;
    static float before[4 * N];
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
}

static void neighbours_do_not_overlap_nor_does_a_call_in_place(void **state)
{
    (void)state;
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, buffer + N, (uint8_t *)(buffer + 2 * N)),
                     DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer + N, buffer, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&good, 0, N, buffer, buffer, NULL), DROPWISE_OK);
}

static void typed_calls_are_those_of_their_dtype(void **state)
{
    (void)state;
    dropwise_mask standard = good;
    standard.scaling = DROPWISE_SCALING_STANDARD; /* by which inference does something */
    {
        const float *in = (const float *)x;
        float a[N], b[N];
        dropwise_forward(&good, DROPWISE_F32, 3, N, in, a, bits);
        assert_int_equal(dropwise_forward_f32(&good, 3, N, in, b, bits + N), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "forward_f32");
        assert_same_bytes(bits + N, bits, N / 8, "bits of forward_f32");
        assert_int_equal(dropwise_backward_f32(&good, 3, N, in, b, bits), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "backward_f32");
        dropwise_infer(&standard, DROPWISE_F32, N, in, a);
        assert_int_equal(dropwise_infer_f32(&standard, N, in, b), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "infer_f32");
    }
    {
        const double *in = (const double *)x;
        double a[N], b[N];
        dropwise_forward(&good, DROPWISE_F64, 3, N, in, a, bits);
        assert_int_equal(dropwise_forward_f64(&good, 3, N, in, b, bits + N), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "forward_f64");
        assert_same_bytes(bits + N, bits, N / 8, "bits of forward_f64");
        assert_int_equal(dropwise_backward_f64(&good, 3, N, in, b, bits), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "backward_f64");
        dropwise_infer(&standard, DROPWISE_F64, N, in, a);
        assert_int_equal(dropwise_infer_f64(&standard, N, in, b), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "infer_f64");
    }
    {
        const uint16_t *in = (const uint16_t *)x;
        uint16_t a[N], b[N];
        dropwise_forward(&good, DROPWISE_F16, 3, N, in, a, bits);
        assert_int_equal(dropwise_forward_f16(&good, 3, N, in, b, bits + N), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "forward_f16");
        assert_same_bytes(bits + N, bits, N / 8, "bits of forward_f16");
        assert_int_equal(dropwise_backward_f16(&good, 3, N, in, b, bits), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "backward_f16");
        dropwise_infer(&standard, DROPWISE_F16, N, in, a);
        assert_int_equal(dropwise_infer_f16(&standard, N, in, b), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "infer_f16");
    }
    {
        const uint16_t *in = (const uint16_t *)x;
        uint16_t a[N], b[N];
        dropwise_forward(&good, DROPWISE_BF16, 3, N, in, a, bits);
        assert_int_equal(dropwise_forward_bf16(&good, 3, N, in, b, bits + N), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "forward_bf16");
        assert_same_bytes(bits + N, bits, N / 8, "bits of forward_bf16");
        assert_int_equal(dropwise_backward_bf16(&good, 3, N, in, b, bits), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "backward_bf16");
        dropwise_infer(&standard, DROPWISE_BF16, N, in, a);
        assert_int_equal(dropwise_infer_bf16(&standard, N, in, b), DROPWISE_OK);
        assert_same_bytes(b, a, sizeof a, "infer_bf16");
    }
}

static const float odd[3] = {NAN, -INFINITY, -0.0f}, zeros[3] = {0.0f, 0.0f, 0.0f};

static void p_of_1_clears_whatever_x_and_stored_bits_are(void **state)
{
    (void)state;
    dropwise_mask mask;
    float out[3];
    uint8_t packed[1];
    assert_int_equal(dropwise_mask_init(&mask, 1.0, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&mask, 0, 3, odd, out, packed), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1");
    assert_int_equal(packed[0], 0);
    packed[0] = 7;
    assert_int_equal(dropwise_backward_f32(&mask, 0, 3, odd, out, packed), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1 with bits that say otherwise");
}

static void p_of_0_copies_every_bit_and_stores_that_all_is_kept(void **state)
{
    (void)state;
    dropwise_mask mask;
    float out[3];
    uint8_t packed[1] = {0};
    assert_int_equal(dropwise_mask_init(&mask, 0.0, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&mask, 0, 3, odd, out, packed), DROPWISE_OK);
    assert_same_bytes(out, odd, sizeof out, "p = 0");
    assert_int_equal(packed[0], 7);
}

/* Where 0 * infinity would be a NaN of the CPU's own. */
static void inference_by_standard_scaling_with_p_of_1_gives_zeros(void **state)
{
    (void)state;
    dropwise_mask mask;
    float out[3];
    assert_int_equal(dropwise_mask_init(&mask, 1.0, 1, 2), DROPWISE_OK);
    mask.scaling = DROPWISE_SCALING_STANDARD;
    assert_int_equal(dropwise_infer_f32(&mask, 3, odd, out), DROPWISE_OK);
    assert_same_bytes(out, zeros, sizeof out, "p = 1, inference");
}

static void stored_bits_decide_alone_with_p_of_0_too(void **state)
{
    (void)state;
    dropwise_mask mask;
    const float ones[3] = {1.0f, 1.0f, 1.0f}, middle[3] = {0.0f, 1.0f, 0.0f};
    const uint8_t packed[1] = {2};
    float out[3];
    assert_int_equal(dropwise_mask_init(&mask, 0.0, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_backward_f32(&mask, 0, 3, ones, out, packed), DROPWISE_OK);
    assert_same_bytes(out, middle, sizeof out, "p = 0 with stored bits");
}

static void inverted_scaling_scales_in_training_and_standard_scaling_at_inference(void **state)
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

static void every_status_has_a_string_of_its_own(void **state)
{
    (void)state;
    for (dropwise_status a = DROPWISE_OK; a <= DROPWISE_ERROR_WORKSPACE; a++) {
        assert_non_null(dropwise_status_string(a));
        for (dropwise_status b = DROPWISE_OK; b < a; b++)
            assert_string_not_equal(dropwise_status_string(a), dropwise_status_string(b));
    }
    assert_string_equal(dropwise_status_string(-1), "unknown status");
    assert_string_equal(dropwise_status_string(INT32_MAX), "unknown status");
}

static void the_version_is_that_of_the_header_and_of_the_project(void **state)
{
    (void)state;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", DROPWISE_VERSION_MAJOR, DROPWISE_VERSION_MINOR,
             DROPWISE_VERSION_PATCH);
    assert_string_equal(dropwise_version(), version);
    assert_string_equal(dropwise_version(), PROJECT_VERSION);
}

static void every_tier_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_SCALAR), "scalar");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_NEON), "neon");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_AVX2), "avx2");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_AVX512), "avx512");
    assert_string_equal(dropwise_isa_name(DROPWISE_ISA_RVV), "rvv");
}

static void a_tier_that_is_unknown_is_refused_and_the_choice_stays(void **state)
{
    (void)state;
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
}

static void the_scalar_tier_is_usable_and_one_of_another_architecture_is_not_built(void **state)
{
    (void)state;
    const dropwise_isa before = dropwise_isa_active();
    assert_int_equal(dropwise_isa_check(DROPWISE_ISA_SCALAR), DROPWISE_OK);
#if defined(__x86_64__)
    const dropwise_isa foreign = DROPWISE_ISA_NEON;
#else
    const dropwise_isa foreign = DROPWISE_ISA_AVX2;
#endif
    assert_int_equal(dropwise_isa_check(foreign), DROPWISE_ERROR_ISA_NOT_BUILT);
    assert_int_equal(dropwise_isa_select(foreign), DROPWISE_ERROR_ISA_NOT_BUILT);
    assert_int_equal(dropwise_isa_active(), before);
}

static void every_cpu_feature_has_a_name(void **state)
{
    (void)state;
    uint32_t k = 0;
    while (dropwise_cpu_feature_name(k) != NULL)
        k++;
    assert_in_range(k, 1, 63);
    assert_null(dropwise_cpu_feature_name(k));
    assert_null(dropwise_cpu_feature_name(UINT32_MAX));
    assert_true(dropwise_cpu_features() < UINT64_C(1) << k);
}

static void a_build_names_its_parts_once_each(void **state)
{
    (void)state;
    bool has[4] = {false};
    static const char *const names[] = {"fused", "attention", "variants", "interop"};
    uint32_t k = 0, n = 0;
    for (; dropwise_part_name(k) != NULL; k++)
        for (size_t i = 0; i < 4; i++)
            if (strcmp(dropwise_part_name(k), names[i]) == 0 && !has[i]) {
                has[i] = true;
                n++;
            }
    assert_int_equal(n, k);
    assert_null(dropwise_part_name(k + 1));
    assert_null(dropwise_part_name(UINT32_MAX));
    bool built[4] = {true, true, true, true};
#ifdef DROPWISE_WITHOUT_FUSED
    built[0] = false;
#endif
#ifdef DROPWISE_WITHOUT_ATTENTION
    built[1] = false;
#endif
#ifdef DROPWISE_WITHOUT_VARIANTS
    built[2] = false;
#endif
#ifdef DROPWISE_WITHOUT_INTEROP
    built[3] = false;
#endif
    assert_memory_equal(has, built, sizeof has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_names_its_parts_once_each),
        cmocka_unit_test(a_probability_outside_0_to_1_is_refused),
        cmocka_unit_test(a_probability_becomes_the_nearest_threshold_ties_to_even),
        cmocka_unit_test(every_call_refuses_a_mask_with_a_field_that_is_wrong),
        cmocka_unit_test(no_element_lies_beyond_the_limit_of_indices),
        cmocka_unit_test(no_bytes_lie_beyond_the_last_block),
        cmocka_unit_test(a_size_beyond_memory_is_refused),
        cmocka_unit_test(an_unknown_dtype_is_refused),
        cmocka_unit_test(a_pointer_that_is_missing_is_refused),
        cmocka_unit_test(no_elements_need_no_pointers),
        cmocka_unit_test(buffers_that_overlap_are_refused),
        cmocka_unit_test(neighbours_do_not_overlap_nor_does_a_call_in_place),
        cmocka_unit_test(p_of_1_clears_whatever_x_and_stored_bits_are),
        cmocka_unit_test(p_of_0_copies_every_bit_and_stores_that_all_is_kept),
        cmocka_unit_test(inference_by_standard_scaling_with_p_of_1_gives_zeros),
        cmocka_unit_test(stored_bits_decide_alone_with_p_of_0_too),
        cmocka_unit_test(inverted_scaling_scales_in_training_and_standard_scaling_at_inference),
        cmocka_unit_test(every_status_has_a_string_of_its_own),
        cmocka_unit_test(the_version_is_that_of_the_header_and_of_the_project),
        cmocka_unit_test(every_tier_has_its_name),
        cmocka_unit_test(a_tier_that_is_unknown_is_refused_and_the_choice_stays),
        cmocka_unit_test(the_scalar_tier_is_usable_and_one_of_another_architecture_is_not_built),
        cmocka_unit_test(every_cpu_feature_has_a_name),
        cmocka_unit_test(typed_calls_are_those_of_their_dtype),
    };
    return run_once(tests, setup, NULL);
}
