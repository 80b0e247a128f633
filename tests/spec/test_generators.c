/*
 * Masks of every generator by the public functions, on every tier, against the oracle: bits, bytes, elements,
 * scattered indices. What does not depend on the generator is tested with the default one, in test_dropout.c.
 */
#include "support/common.h"

#define SEED UINT64_C(0x0123456789ABCDEF)
#define STREAM UINT64_C(0xFEDCBA9876543210)

static const struct generator {
    uint32_t number;
    ref_generator reference;
    const char *name;
} generators[] = {
#define REF_GENERATOR(number, name, user_name, cipher, rounds) {DROPWISE_##number, REF_##number, user_name},
#include "oracle/generators.inc"
};

enum { N_GENERATORS = sizeof generators / sizeof generators[0] };

static const uint64_t firsts[] = {
    0, 1, 63, 64, (UINT64_C(1) << 36) - 2000, (UINT64_C(1) << 36) - 18000, (UINT64_C(1) << 60) - 20000};
static const double probabilities[] = {0.1, 0.5, 1.0 - 0x1p-40};

enum { N = 20000, N_STRIDED = 300 };

static dropwise_mask mask_of(const struct generator *g, double p, ref_mask *reference)
{
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, p, SEED, STREAM), DROPWISE_OK);
    mask.generator = g->number;
    *reference = ref_mask_of(p, SEED, STREAM);
    reference->generator = g->reference;
    return mask;
}

static void check_case(const struct generator *g, double p, uint64_t first)
{
    static uint8_t keep[N], expected_bits[N], bits[N / 8 + 1];
    static float x[N], y[N], expected[N];
    ref_mask reference;
    const dropwise_mask mask = mask_of(g, p, &reference);
    const double scale = ref_inverted_scale(&reference);
    const size_t n = quick() ? 5000 : N;
    ref_keep_range(&reference, first, n, keep);
    ref_pack(keep, n, expected_bits);
    fill_noise(x, n * sizeof *x, first);
    assert_int_equal(dropwise_draw_bits(&mask, first, n, bits), DROPWISE_OK);
    assert_same_bytes(bits, expected_bits, (n + 7) / 8, "%s: p %g", g->name, p);
    assert_int_equal(dropwise_forward_f32(&mask, first, n, x, y, NULL), DROPWISE_OK);
    ref_apply(REF_F32, keep, n, x, expected, &scale);
    assert_same_bytes(y, expected, n * sizeof *y, "%s: forward, p %g", g->name, p);

    uint8_t bytes[100], expected_bytes[112];
    for (uint64_t b = 0; b < 7; b++)
        ref_generate(g->reference, SEED, STREAM, first / 16 + b, expected_bytes + 16 * b);
    assert_int_equal(dropwise_draw_bytes(&mask, first / 16, sizeof bytes, bytes), DROPWISE_OK);
    assert_same_bytes(bytes, expected_bytes, sizeof bytes, "%s: bytes", g->name);
}

/* Every third element, each from a block of its own. */
static void check_strided(const struct generator *g)
{
    uint8_t keep[N_STRIDED], expected[N_STRIDED];
    ref_mask reference;
    const dropwise_mask mask = mask_of(g, 0.3, &reference);
    const uint64_t size = N_STRIDED;
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 1, &size), DROPWISE_OK);
    view.first = (UINT64_C(1) << 36) - 100;
    view.mask_stride[0] = 3;
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BYTES, keep, sizeof keep, 0, {0, 0}};
    assert_int_equal(dropwise_draw_view(&mask, DROPWISE_F32, &view, &stored), DROPWISE_OK);
    for (uint64_t i = 0; i < N_STRIDED; i++)
        expected[i] = (uint8_t)ref_keep(&reference, view.first + 3 * i);
    assert_same_bytes(keep, expected, sizeof keep, "%s: strided", g->name);
}

static void check_ranges(const struct generator *g)
{
    if (g->number == DROPWISE_ARS4X32_7)
        printf("%s by %s\n", g->name, dropwise_aes_name());
    for (size_t f = 0; f < sizeof firsts / sizeof firsts[0]; f++)
        for (size_t p = 0; p < sizeof probabilities / sizeof probabilities[0]; p++)
            check_case(g, probabilities[p], firsts[f]);
}

#define REF_GENERATOR(number, name, user_name, cipher, rounds) \
    static void name##_draws_the_oracles_masks_and_bytes(void **state) \
    { \
        (void)state; \
        check_ranges(&generators[REF_##number]); \
    }
#include "oracle/generators.inc"

static void elements_at_a_stride_are_the_oracles_for_each_generator(void **state)
{
    (void)state;
    for (size_t g = 0; g < N_GENERATORS; g++)
        check_strided(&generators[g]);
}

static void every_generator_has_its_name(void **state)
{
    (void)state;
    for (size_t g = 0; g < N_GENERATORS; g++)
        assert_string_equal(dropwise_generator_name(generators[g].number), generators[g].name);
}

static void there_is_no_generator_below_the_first_or_past_the_last(void **state)
{
    (void)state;
    static const uint32_t others[] = {0, N_GENERATORS + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ref_mask reference;
        uint8_t bits;
        dropwise_mask mask = mask_of(&generators[0], 0.5, &reference);
        mask.generator = others[i];
        assert_int_equal(dropwise_draw_bits(&mask, 0, 8, &bits), DROPWISE_ERROR_GENERATOR);
        assert_null(dropwise_generator_name(others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define REF_GENERATOR(number, name, user_name, cipher, rounds) \
    cmocka_unit_test(name##_draws_the_oracles_masks_and_bytes),
#include "oracle/generators.inc"
        cmocka_unit_test(elements_at_a_stride_are_the_oracles_for_each_generator),
        cmocka_unit_test(every_generator_has_its_name),
        cmocka_unit_test(there_is_no_generator_below_the_first_or_past_the_last),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
