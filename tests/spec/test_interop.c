/*
 * Masks of other systems: values that the systems publish or drew, the oracle on every tier, thresholds at
 * their edges, arguments.
 */
#include "dropwise_interop.h"

#include <inttypes.h>
#include <math.h>

#include "interop/constructors.h"
#include "support/common.h"
#include "support/interop_make.h"
#include "cpu_masks.h" /* the text of data/cpu_masks.txt, and so on */
#include "jax_layer_masks.h"
#include "numpy_masks.h"
#include "numpy_philox.h"
#include "onednn_masks.h"
#include "torch_philox.h"

static const char *name_of(const ref_interop *r)
{
    return dropwise_layout_name(r->layout);
}

#define SEED UINT64_C(0x0123456789ABCDEF)

enum { WINDOW = 6000 };

static const double probabilities[] = {0.5, 0.1, 0.9, 1.0 / 3, 0, 1};

/* Generators that go from state to state. */
static bool has_state(const ref_interop *r)
{
    return r->layout == DROPWISE_LAYOUT_TORCH_CPU || r->layout == DROPWISE_LAYOUT_PADDLE_CPU ||
           r->layout == DROPWISE_LAYOUT_MXNET_CPU;
}

/* p = 1 is forbidden by some systems, of which some round it to f32 before. */
static bool is_forbidden(const ref_interop *r)
{
    switch (r->layout) {
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
    case DROPWISE_LAYOUT_ONNX_RUNTIME_CPU:
    case DROPWISE_LAYOUT_ONNX_RUNTIME_WEB:
    case DROPWISE_LAYOUT_MXNET_CPU:
        return (float)r->p == 1;
    case DROPWISE_LAYOUT_TENSORFLOW:
    case DROPWISE_LAYOUT_TENSORFLOW_STATEFUL:
    case DROPWISE_LAYOUT_TENSORFLOW_XLA:
        return r->p == 1;
    default:
        return false;
    }
}

/* ---- The oracle ---- */

/* What the oracle keeps of [base, base + n). */
static uint8_t expected_keep[WINDOW];

static void check_range(const dropwise_interop *interop, const char *name, size_t case_number, uint64_t base,
                        size_t at, size_t n, guard_arena *arena)
{
    uint8_t expected[WINDOW / 8 + 1];
    uint8_t *bits = guard_place(arena, (n + 7) / 8, n % 2, n % 64);
    memset(bits, 0xA5, (n + 7) / 8);
    assert_int_equal(dropwise_interop_bits(interop, base + at, n, bits), DROPWISE_OK);
    ref_pack(expected_keep + at, n, expected);
    assert_same_bytes(bits, expected, (n + 7) / 8, "%s, case %zu: %zu elements from %" PRIu64, name,
                      case_number, n, base + at);
    assert_true(guard_intact(arena));
}

/* The whole window, small pieces anywhere, and pieces at the edges of rows, turns and chunks. */
static void check_window(const ref_interop *r, size_t number, const dropwise_interop *interop, uint64_t base,
                         guard_arena *arena)
{
    static const size_t starts[] = {0, 1, 3, 7, 8, 15, 64, 1023, 2047, 2048, 2999, 3000, 3001, 4095};
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 16, 31, 64, 65, 128, 560, 1000, 1031, 2048, 2051, 3500};
    const size_t n_sizes = sizeof sizes / sizeof sizes[0];
    const size_t step = !quick() ? 2 : has_state(r) ? n_sizes : 5;
    const size_t n = interop->size - base < WINDOW ? (size_t)(interop->size - base) : WINDOW;
    for (size_t i = 0; i < n; i++)
        expected_keep[i] = (uint8_t)ref_interop_keep(r, base + i);
    check_range(interop, name_of(r), number, base, 0, n, arena);
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++)
        for (size_t i = quick() ? (3 * s + number) % step : s % 2; i < n_sizes; i += step)
            if (starts[s] + sizes[i] <= n)
                check_range(interop, name_of(r), number, base, starts[s], sizes[i], arena);
}

/* Of the layout whose number is the state. */
static void masks_on_any_range_are_the_oracles(void **state)
{
    static const uint64_t bases[] = {0,
                                     1234567,
                                     (UINT64_C(1) << 31) - 3000,
                                     (UINT64_C(1) << 32) - 3001,
                                     (UINT64_C(1) << 32) - WINDOW,
                                     UINT32_MAX - WINDOW,
                                     (UINT64_C(1) << 34) - 2999,
                                     (UINT64_C(1) << 38) - 3003,
                                     (UINT64_C(1) << 60) - WINDOW};
    const uint32_t *layout = *state;
    size_t windows = 0;
    guard_arena arena = guard_new(WINDOW);
    for (size_t c = 0; c < ref_interop_n_cases; c++) {
        for (size_t b = 0; ref_interop_cases[c].layout == *layout && b < sizeof bases / sizeof bases[0];
             b++) {
            ref_interop r = ref_interop_cases[c];
            r.p = probabilities[(b + c) % 6];
            dropwise_interop interop;
            if (is_forbidden(&r))
                r.p = 0.5;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_OK);
            /* The oracle of a generator that has a state goes through all of its states. */
            if (has_state(&r) && bases[b] > 1 << 22)
                continue;
            const size_t turns = has_state(&r) ? 9 : 3; /* a jump is a second where emulated */
            if (bases[b] < interop.size && (!quick() || b == 0 || b % turns == c % turns)) {
                check_window(&r, c, &interop, bases[b], &arena);
                windows++;
            }
        }
    }
    guard_free(&arena);
    assert_true(windows > 0);
}

/* ---- Thresholds and scales ---- */

/* The number that the library calls v, as the system has it: the inverse of the transform. */
static uint64_t number_of(const ref_interop *r, uint64_t v)
{
    switch (r->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_RBG:
    case DROPWISE_LAYOUT_JAX_HIGH:
    case DROPWISE_LAYOUT_JAX_RBG_HIGH:
        return r->draws == REF_F16 ? v >> 16 : r->draws == REF_BF16 ? v >> 24 : v;
    case DROPWISE_LAYOUT_TENSORFLOW_XLA:
        return r->draws == REF_F16 ? v >> 22 : v;
    case DROPWISE_LAYOUT_TENSORFLOW:
    case DROPWISE_LAYOUT_TENSORFLOW_STATEFUL:
        return v >> (r->draws == REF_F64 ? 12 : r->draws == REF_F32 ? 9 : r->draws == REF_F16 ? 22 : 25);
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return v >> 1;
    case DROPWISE_LAYOUT_ONEMKL:
    case DROPWISE_LAYOUT_ONEMKL_BERNOULLI:
        return v ^ 0x80000000u;
    case DROPWISE_LAYOUT_TORCH_CPU:
        return v >> 11;
    case DROPWISE_LAYOUT_TORCH_FUNC_RANDOM:
        return v >> (r->draws == REF_F64 ? 11 : r->draws == REF_F32 ? 8 : r->draws == REF_F16 ? 21 : 24);
    default:
        return v;
    }
}

/* Versions of torch.compile that compare with p in the tensor's dtype. */
static bool rounds_p_to_dtype(const ref_interop *r)
{
    return r->layout == DROPWISE_LAYOUT_INDUCTOR_GPU_2_12 || r->layout == DROPWISE_LAYOUT_INDUCTOR_GPU_2_13 ||
           r->layout == DROPWISE_LAYOUT_INDUCTOR_CPU_2_12;
}

/* The next v that has another number. */
static uint64_t next_of(const ref_interop *r, uint64_t v)
{
    for (int bit = 0; bit < 64; bit++)
        if (number_of(r, v + (UINT64_C(1) << bit)) != number_of(r, v))
            return v + (UINT64_C(1) << bit);
    return v;
}

static bool is_top(const ref_interop *r, uint64_t v)
{
    const bool is_legacy =
        r->layout == DROPWISE_LAYOUT_JAX_LEGACY || r->layout == DROPWISE_LAYOUT_JAX_LEGACY_HIGH;
    const bool is_bytes = r->layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2 ||
                          r->layout == DROPWISE_LAYOUT_TRANSFORMER_ENGINE ||
                          (is_legacy && r->draws == REF_BF16);
    const bool is_31 = r->layout == DROPWISE_LAYOUT_ONNX_RUNTIME_CPU ||
                       r->layout == DROPWISE_LAYOUT_ONNX_RUNTIME_WEB ||
                       r->layout == DROPWISE_LAYOUT_ONEMKL_MCG31;
    const bool is_folded =
        is_31 || r->layout == DROPWISE_LAYOUT_TRITON || r->layout == DROPWISE_LAYOUT_INDUCTOR_GPU ||
        r->layout == DROPWISE_LAYOUT_INDUCTOR_GPU_2_12 || r->layout == DROPWISE_LAYOUT_INDUCTOR_GPU_2_13;
    const bool is_half = is_legacy && r->draws == REF_F16;
    return v >= (r->draws == REF_F64 ? UINT64_MAX
                 : is_bytes          ? 0xFF
                 : is_folded         ? 0x7FFFFFFF
                 : is_half           ? 0xFFFF
                                     : UINT32_MAX);
}

static void a_threshold_lies_where_the_systems_own_comparison_turns(void **state)
{
    (void)state;
    static const double ps[] = {0,    1e-9, 0x1p-33, 0x1p-32,   1e-7,     0x1p-24,     0x1p-23,
                                1e-4, 0.1,  1.0 / 3, 0.4999999, 0.5,      0.50000003,  0.6,
                                0.75, 0.9,  0.99,    0.9999,    1 - 1e-7, 1 - 0x1p-30, 1};
    for (size_t c = 0; c < ref_interop_n_cases; c++) {
        for (size_t i = 0; i < sizeof ps / sizeof ps[0]; i++) {
            ref_interop r = ref_interop_cases[c];
            r.p = ps[i];
            dropwise_interop interop;
            const dropwise_status status = make_interop(&r, &interop);
            if (is_forbidden(&r)) {
                assert_int_equal(status, DROPWISE_ERROR_PROBABILITY);
                continue;
            }
            const double scale = ref_interop_scale(&r);
            if (isinf(scale)) { /* in a narrow type, and in an f32 that is next to 1 */
                assert_int_equal(status, DROPWISE_ERROR_PARAMETER);
                continue;
            }
            assert_int_equal(status, DROPWISE_OK);
            assert_int_equal(interop.layout, r.layout);
            assert_memory_equal(&interop.scale, &scale, sizeof scale);
            const int last = ref_interop_decide(&r, number_of(&r, interop.last));
            if (last == (int)interop.drops)
                fail_msg("%s, p %.17g: the last number is not decided so", name_of(&r), r.p);
            if (is_top(&r, interop.last))
                continue;
            if (ref_interop_decide(&r, number_of(&r, next_of(&r, interop.last))) == last)
                fail_msg("%s, p %.17g: the number after the last one is decided likewise", name_of(&r), r.p);
        }
    }
}

/* The rates of docs/interop.md: what a system that compares bytes keeps, times what it multiplies by. */
static void systems_that_compare_bytes_keep_and_scale_at_the_documented_bias(void **state)
{
    (void)state;
    static const struct {
        double p, flash_attention, transformer_engine;
    } biases[] = {{0.1, 0.99826, 1.00260},
                  {0.17, 0.99774, 1.00245},
                  {0.2, 1.00098, 1.00098},
                  {0.3, 0.99888, 1.00446},
                  {0.5, 1, 1}};
    for (size_t i = 0; i < sizeof biases / sizeof biases[0]; i++) {
        dropwise_interop a, b;
        assert_int_equal(dropwise_interop_flash_attention_2(&a, 8, 8, 1, 0, biases[i].p), DROPWISE_OK);
        assert_int_equal(dropwise_interop_transformer_engine(&b, 1, 0, biases[i].p), DROPWISE_OK);
        assert_true(fabs(a.keep * a.scale - biases[i].flash_attention) < 6e-6);
        assert_true(fabs(b.keep * b.scale - biases[i].transformer_engine) < 6e-6);
    }
}

static void keep_is_1_minus_p_but_for_the_steps_of_what_a_system_compares(void **state)
{
    (void)state;
    for (size_t c = 0; c < ref_interop_n_cases; c++) {
        ref_interop r = ref_interop_cases[c];
        dropwise_interop interop;
        for (size_t i = 0; i < 6; i++) {
            r.p = probabilities[i];
            if (make_interop(&r, &interop) != DROPWISE_OK)
                continue;
            const ref_dtype compared = rounds_p_to_dtype(&r) ? r.dtype : r.draws;
            const bool is_bytes = r.layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2 ||
                                  r.layout == DROPWISE_LAYOUT_TRANSFORMER_ENGINE;
            const double off = is_bytes || compared == REF_BF16 ? 1.0 / 64
                               : compared == REF_F16            ? 1.0 / 1024
                                                                : 1e-6;
            assert_true(fabs(interop.keep - (1 - r.p)) <= off);
        }
    }
}

/* ---- Published values ---- */

static void assert_mask(const dropwise_interop *interop, uint64_t first, const char *digits, const char *what)
{
    const size_t n = strlen(digits);
    uint8_t bits[64], expected[64], keep[512];
    for (size_t i = 0; i < n; i++)
        keep[i] = digits[i] == '1';
    ref_pack(keep, n, expected);
    assert_int_equal(dropwise_interop_bits(interop, first, n, bits), DROPWISE_OK);
    assert_same_bytes(bits, expected, (n + 7) / 8, "%s", what);
}

static void assert_words(const uint32_t *words, const uint32_t *expected, size_t n)
{
    assert_same_bytes(words, expected, 4 * n, "words");
}

/* Mask words that only a threshold of 1/2 shows: bit 31 of each is 0 where it is kept. */
static void top_bits(const uint32_t *words, size_t n, char *digits)
{
    for (size_t i = 0; i < n; i++)
        digits[i] = words[i] >> 31 ? '0' : '1';
    digits[n] = 0;
}

/* JAX's own tests (tests/random_test.py), its documentation, and MLX's tests of the same generator. */
static void jax_draws_what_its_tests_and_documentation_publish(void **state)
{
    (void)state;
    uint32_t key[2], out[2];
    dropwise_interop interop;
    assert_int_equal(dropwise_jax_key(0, key), DROPWISE_OK);
    static const uint32_t children[5][2] = {{1797259609u, 2579123966u},
                                            {928981903u, 3453687069u},
                                            {4146024105u, 2718843009u},
                                            {2467461003u, 3840466878u},
                                            {2285895361u, 433833334u}};
    for (uint32_t child = 0; child < 5; child++) {
        assert_int_equal(dropwise_jax_split(key, child, out), DROPWISE_OK);
        assert_words(out, children[child], 2);
        assert_int_equal(dropwise_jax_fold_in(key, child, out), DROPWISE_OK);
        assert_words(out, children[child], 2);
    }
    static const uint32_t legacy2[2][2] = {{4146024105u, 967050713u}, {2718843009u, 1272950319u}};
    static const uint32_t legacy4[4][2] = {{2285895361u, 1501764800u},
                                           {1518642379u, 4090693311u},
                                           {433833334u, 4221794875u},
                                           {839183663u, 3740430601u}};
    for (uint32_t child = 0; child < 4; child++) {
        if (child < 2) {
            assert_int_equal(dropwise_jax_split_legacy(key, 2, child, out), DROPWISE_OK);
            assert_words(out, legacy2[child], 2);
        }
        assert_int_equal(dropwise_jax_split_legacy(key, 4, child, out), DROPWISE_OK);
        assert_words(out, legacy4[child], 2);
    }

    /* uniform(key(0), (4,)): numbers of about 23 bits, found by keeping what is below their neighbours. */
    static const double uniform[4] = {0.9476670027, 0.9785798788, 0.3322914839, 0.4686684608};
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, DROPWISE_F32, uniform[i] + 1e-7),
                         DROPWISE_OK);
        assert_mask(&interop, i, "1", "uniform of key 0, from above");
        assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, DROPWISE_F32, uniform[i] - 1e-7),
                         DROPWISE_OK);
        assert_mask(&interop, i, "0", "uniform of key 0, from below");
    }
}

/* Random bits that JAX's tests expect of the legacy order, three of each width, and what they decide. */
static void jax_legacy_draws_what_its_tests_publish(void **state)
{
    (void)state;
    static const struct {
        ref_dtype draws;
        double unit;
        double numbers[3];
    } expected[] = {
        {REF_BF16, 0x1p-8, {216, 115, 43}},
        {REF_F16, 0x1p-16, {41682, 1300, 55017}},
        {REF_F32, 0x1p-32, {56197195, 4200222568.0, 961309823}},
        {REF_F64, 0x1p-64, {3982329540505020460.0, 16822122385914693683.0, 7882654074788531506.0}},
    };
    uint32_t key[2];
    assert_int_equal(dropwise_jax_key(1701, key), DROPWISE_OK);
    for (size_t e = 0; e < 4; e++) {
        const ref_interop r = {DROPWISE_LAYOUT_JAX_LEGACY, .draws = expected[e].draws, .seed = 1701,
                               .size = 3};
        for (uint64_t i = 0; i < 3; i++) {
            const double u = expected[e].numbers[i] * expected[e].unit;
            assert_true((double)ref_interop_number(&r, i) * expected[e].unit == u);
            const double off = expected[e].draws == REF_BF16  ? 0x1p-7
                               : expected[e].draws == REF_F16 ? 0x1p-10
                                                              : 0x1p-22;
            dropwise_interop interop;
            for (int above = 0; above < 2; above++) {
                assert_int_equal(dropwise_interop_jax_legacy(&interop, key, 3,
                                                             dtype_number(expected[e].draws), DROPWISE_F32,
                                                             u + (above ? off : -off)),
                                 DROPWISE_OK);
                assert_mask(&interop, i, above ? "1" : "0", "legacy bits of key 1701");
            }
        }
    }
}

/* The documentation of tf.nn.experimental.stateless_dropout. */
static void tensorflow_draws_what_its_documentation_publishes(void **state)
{
    (void)state;
    const int64_t seed[2] = {1, 0};
    dropwise_interop interop;
    assert_int_equal(dropwise_interop_tensorflow(&interop, seed, DROPWISE_F32, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "101000010100001", "stateless_dropout, rate 0.5");
    assert_int_equal(dropwise_interop_tensorflow(&interop, seed, DROPWISE_F32, 0.8), DROPWISE_OK);
    assert_mask(&interop, 0, "100000000100001", "stateless_dropout, rate 0.8");
    assert_true(interop.scale == 5.0);
    /* Not published: a transcription's stateless_uniform([8], seed [1, 2]). */
    const int64_t seed12[2] = {1, 2};
    static const double uniform[8] = {.84406042, .19204533, .99622321, .16038740,
                                      .27199018, .64934599, .10694444, .06516242};
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(dropwise_interop_tensorflow(&interop, seed12, DROPWISE_F32, uniform[i] - 1e-6),
                         DROPWISE_OK);
        assert_mask(&interop, i, "1", "transcribed stateless_uniform, from below");
        assert_int_equal(dropwise_interop_tensorflow(&interop, seed12, DROPWISE_F32, uniform[i] + 1e-6),
                         DROPWISE_OK);
        assert_mask(&interop, i, "0", "transcribed stateless_uniform, from above");
    }
}

/* Random123's zero vectors, and number 9,999 of C++'s std::philox4x32 and philox4x64, [rand.predef]. */
static void philox_draws_what_random123_and_the_standard_of_cpp_publish(void **state)
{
    (void)state;
    dropwise_interop interop;
    static const uint32_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    char digits[5];
    assert_int_equal(dropwise_interop_curand(&interop, 0, 0, 0, 0.5), DROPWISE_OK);
    top_bits(zero, 4, digits);
    for (int i = 0; i < 4; i++)
        digits[i] = digits[i] == '1' ? '0' : '1'; /* kept above p */
    assert_mask(&interop, 0, digits, "cuRAND's first numbers of seed 0");
    const double number = 1955073260 * 0x1p-32;
    for (int above = 0; above < 2; above++) {
        const double p = number + (above ? 1e-6 : -1e-6);
        assert_int_equal(dropwise_interop_curand(&interop, 20111115, 0, 0, p), DROPWISE_OK);
        assert_mask(&interop, 9999, above ? "0" : "1", "number 10,000 of philox4x32");
    }
    const uint64_t key[2] = {20111115, 0}, before[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const double number64 = 3409172418970261260.0 * 0x1p-64;
    for (int above = 0; above < 2; above++) {
        const double p = number64 + (above ? 1e-14 : -1e-14);
        assert_int_equal(dropwise_interop_numpy(&interop, key, before, DROPWISE_F64, p), DROPWISE_OK);
        assert_mask(&interop, 9999, above ? "0" : "1", "number 10,000 of philox4x64");
    }
}

/*
 * What others print of runs on GPUs: torch.rand(12, device="cuda") after manual_seed(0), and Triton's
 * tutorial.
 */
static void pytorch_and_triton_draw_what_others_print_of_gpus(void **state)
{
    (void)state;
    dropwise_interop interop;
    static const double uniform[12] = {0.3990, 0.5167, 0.0249, 0.9401, 0.9459, 0.7967,
                                       0.4150, 0.8203, 0.2290, 0.9096, 0.1183, 0.0752};
    for (uint64_t thread = 0; thread < 12; thread++) {
        for (int above = 0; above < 2; above++) {
            const double keep = uniform[thread] + (above ? 5.1e-5 : -5.1e-5);
            assert_int_equal(
                dropwise_interop_torch_cuda(&interop, DROPWISE_F32, 1024, 256, 1, 0, 0, 1 - keep),
                DROPWISE_OK);
            assert_mask(&interop, thread, above ? "1" : "0", "the first number of each thread");
        }
    }
    assert_int_equal(dropwise_interop_triton(&interop, 123, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "0100010011", "Triton's tutorial, seed 123");
    assert_int_equal(dropwise_interop_triton(&interop, 512, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "0011011000", "Triton's tutorial, seed 512");
}

/* Predictions from transcriptions of the sources, with no published value to hold them against. */
static void layouts_without_published_values_draw_what_transcriptions_predict(void **state)
{
    (void)state;
    dropwise_interop interop;
    assert_int_equal(dropwise_interop_torch_cuda(&interop, DROPWISE_F32, 1024, 256, 4, 0, 0, 0.5),
                     DROPWISE_OK);
    assert_mask(&interop, 0, "100000101011", "PyTorch, seed 0");
    assert_int_equal(dropwise_interop_torch_cuda(&interop, DROPWISE_F32, 1024, 256, 4, 42, 0, 0.5),
                     DROPWISE_OK);
    assert_mask(&interop, 0, "011111101010", "PyTorch, seed 42");
    assert_int_equal(dropwise_interop_inductor_cpu(&interop, DROPWISE_F32, 123, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "0000110011", "Inductor on a CPU, seed 123");
    assert_int_equal(dropwise_interop_inductor_cpu(&interop, DROPWISE_F32, 512, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "0001011100", "Inductor on a CPU, seed 512");
    assert_int_equal(dropwise_interop_flash_attention_2(&interop, 32, 40, 0, 0, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "1011110011100010010010011100111110010111", "FlashAttention, row 0");
    assert_mask(&interop, 40, "0101011110111001010100000100101101011010", "FlashAttention, row 1");
    assert_mask(&interop, 320, "1110111101000010111100001100000101010110", "FlashAttention, row 8");
    assert_mask(&interop, 680, "1010001110110111100001110010000010100001", "FlashAttention, row 17");
    static const struct {
        double p;
        uint16_t chunk0, chunk1;
    } chunks[] = {{0.1, 0xffbf, 0xedff}, {0.25, 0xffbe, 0xedef}, {0.5, 0xfe8a, 0x65ce}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t bits[4];
        assert_int_equal(dropwise_interop_transformer_engine(&interop, 0, 0, chunks[i].p), DROPWISE_OK);
        assert_int_equal(dropwise_interop_bits(&interop, 0, 32, bits), DROPWISE_OK);
        assert_int_equal(bits[0] | bits[1] << 8, chunks[i].chunk0);
        assert_int_equal(bits[2] | bits[3] << 8, chunks[i].chunk1);
    }
    assert_int_equal(dropwise_interop_onnx_runtime(&interop, 1024, 256, 0, 0, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "10000011", "ONNX Runtime, seed 0");
    assert_int_equal(dropwise_interop_deepspeed(&interop, 2048, 512, 0, 0, 0.5), DROPWISE_OK);
    assert_mask(&interop, 0, "01111101", "DeepSpeed, seed 0");
}

/* ---- Masks that the systems drew ---- */

static void onednns_masks_are_drawn_again(void **state)
{
    (void)state;
    static char text[sizeof onednn_masks];
    memcpy(text, onednn_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char api[8], digits[300];
        int64_t seed;
        uint64_t offset;
        double p;
        if (line[0] == '#')
            continue;
        assert_int_equal(
            sscanf(line, "%7s %" SCNd64 " %" SCNu64 " %lf %299s", api, &seed, &offset, &p, digits), 5);
        dropwise_interop interop;
        if (strcmp(api, "v36") == 0)
            assert_int_equal(dropwise_interop_onednn_3_6(&interop, (uint32_t)seed, p), DROPWISE_OK);
        else if (offset != 0)
            assert_int_equal(dropwise_interop_onednn_3_11(&interop, (uint64_t)seed, offset, p), DROPWISE_OK);
        else
            assert_int_equal(dropwise_interop_onednn_3_11_no_offset(&interop, (uint32_t)seed, p),
                             DROPWISE_OK);
        assert_int_equal(strlen(digits), 256);
        assert_mask(&interop, 0, digits, line);
        rows++;
    }
    assert_int_equal(rows, 42);
}

/* A number of a row, by its name; false if it has none. */
static bool number_in(const char *line, const char *name, uint64_t *number)
{
    char text[20];
    snprintf(text, sizeof text, " %s=", name);
    const char *at = strstr(line, text);
    if (at != NULL)
        *number = strtoull(at + strlen(text), NULL, 10);
    return at != NULL;
}

static double probability_in(const char *line, const char *name)
{
    char text[20];
    snprintf(text, sizeof text, " %s=", name);
    const char *at = strstr(line, text);
    return at != NULL ? strtod(at + strlen(text), NULL) : -1;
}

static uint32_t layout_named(const char *line)
{
    const size_t length = strcspn(line, " ");
    for (uint32_t layout = 1; layout < DROPWISE_LAYOUT_COUNT; layout++) {
        const char *name = dropwise_layout_name(layout);
        if (strlen(name) == length && memcmp(name, line, length) == 0)
            return layout;
    }
    fail_msg("no such layout: %s", line);
    return 0;
}

/* What a row of cpu_masks.txt was given. */
static layout_call call_of(const char *line, uint32_t layout)
{
    layout_call call = {.draws = DROPWISE_F32};
    number_in(line, "seed", &call.seed);
    number_in(line, "stream", &call.stream);
    number_in(line, "before", &call.before);
    number_in(line, "run", &call.run);
    number_in(line, "offset", &call.offset);
    number_in(line, "size", &call.size);
    const double keep = probability_in(line, "keep");
    call.p = keep >= 0 ? 1 - keep : probability_in(line, "p");
    call.keep = keep >= 0 ? keep : 1 - call.p;
    const char *dtype = strstr(line, " dtype=");
    for (ref_dtype d = REF_F32; dtype != NULL && d <= REF_BF16; d++) {
        const size_t length = strlen(dtype_name(d));
        if (memcmp(dtype + 7, dtype_name(d), length) == 0 && dtype[7 + length] == ' ')
            call.draws = dtype_number(d);
    }
    call.dtype = call.draws;
    if (layout == DROPWISE_LAYOUT_NUMPY_PCG64) {
        uint64_t state[2], increment[2];
        assert_true(number_in(line, "state0", &state[0]) && number_in(line, "state1", &state[1]));
        assert_true(number_in(line, "inc0", &increment[0]) && number_in(line, "inc1", &increment[1]));
        assert_int_equal(dropwise_numpy_pcg64_seed(call.seed, call.numpy_key, call.numpy_counter),
                         DROPWISE_OK);
        assert_same_bytes(call.numpy_key, state, sizeof state, "the state: %s", line);
        assert_same_bytes(call.numpy_counter, increment, sizeof increment, "the increment: %s", line);
    }
    return call;
}

static void masks_of_systems_on_cpus_are_drawn_again(void **state)
{
    (void)state;
    static char text[sizeof cpu_masks];
    memcpy(text, cpu_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '#')
            continue;
        const uint32_t layout = layout_named(line);
        const layout_call call = call_of(line, layout);
        dropwise_interop interop;
        assert_int_equal(call_constructor(layout, &call, &interop), DROPWISE_OK);
        assert_mask(&interop, 0, strrchr(line, ' ') + 1, line);
        rows++;
    }
    assert_int_equal(rows, 476);
}

/* The key of a row of jax_layer_masks.txt. */
static void key_of_layer(const char *line, uint32_t key[2])
{
    uint64_t seed = 0, call = 0, taken = 0, separator = 0;
    char path[200] = "";
    number_in(line, "seed", &seed);
    number_in(line, "call", &call);
    number_in(line, "taken", &taken);
    number_in(line, "separator", &separator);
    const char *at = strstr(line, " path=");
    if (at != NULL)
        memcpy(path, at + 6, strcspn(at + 6, " "));
    assert_int_equal(dropwise_jax_key(seed, key), DROPWISE_OK);
    const dropwise_status status =
        strncmp(line, "linen ", 6) == 0
            ? dropwise_jax_linen_key(key, path, (uint32_t)call, (uint32_t)separator, key)
        : strncmp(line, "nnx ", 4) == 0   ? dropwise_jax_nnx_key(key, (uint32_t)taken, (uint32_t)call, key)
        : strncmp(line, "haiku ", 6) == 0 ? dropwise_jax_haiku_key(key, (uint32_t)call, key)
                                          : dropwise_jax_keras_key((uint32_t)seed, (uint32_t)call, key);
    assert_int_equal(status, DROPWISE_OK);
}

static void layers_of_flax_haiku_and_keras_draw_from_their_keys(void **state)
{
    (void)state;
    static char text[sizeof jax_layer_masks];
    memcpy(text, jax_layer_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '#')
            continue;
        uint32_t key[2];
        dropwise_interop interop;
        key_of_layer(line, key);
        assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, DROPWISE_F32, 0.5), DROPWISE_OK);
        assert_mask(&interop, 0, strrchr(line, ' ') + 1, line);
        rows++;
    }
    assert_int_equal(rows, 90);
}

/* With keep in the middle of an element's own step, its second number decides. */
static void second_numbers_decide_where_first_ones_are_in_keeps_step(void **state)
{
    (void)state;
    enum { PARTS = 8 };
    size_t decided[2] = {0, 0};
    for (size_t c = 0; c < ref_interop_n_cases; c++) {
        ref_interop r = ref_interop_cases[c];
        const int cut = r.draws == REF_F64 ? 12 : r.draws == REF_F32 ? 9 : r.draws == REF_F16 ? 6 : 1;
        const int bits = r.draws == REF_F64 ? 52 : r.draws == REF_F32 ? 23 : r.draws == REF_F16 ? 10 : 7;
        for (uint64_t i = 0; ref_interop_is_high(&r) && i < 1000; i++) {
            const uint64_t first = ref_interop_number(&r, i) >> cut;
            const uint64_t second = ref_interop_number(&r, r.size + i) >> cut;
            /* So small that keep has digits for parts of the step. */
            if (first >> (bits - 4) != 0)
                continue;
            for (int part = 1; part < PARTS; part++) {
                const double keep = ldexp((double)(PARTS * first) + part, -bits - 3);
                dropwise_interop interop;
                r.p = 1 - keep;
                const dropwise_status status = make_interop(&r, &interop);
                if (status == DROPWISE_ERROR_PARAMETER || 1 - r.p != keep)
                    continue; /* the scale is beyond the dtype */
                assert_int_equal(status, DROPWISE_OK);
                const bool is_kept = ldexp((double)second, -bits) < (double)part / PARTS;
                assert_mask(&interop, i, is_kept ? "1" : "0", name_of(&r));
                decided[is_kept]++;
            }
        }
    }
    assert_true(decided[0] > 1000 && decided[1] > 1000);
}

/* As 3.8 multiplied, to nine digits. */
static void onednn_multiplies_by_its_own_scale(void **state)
{
    (void)state;
    static const struct {
        double p;
        float scale;
    } scales[] = {{0.5, 2.0f}, {0.1, 1.11111116f}, {0.9, 9.99999809f}};
    for (size_t i = 0; i < 3; i++) {
        dropwise_interop interop;
        assert_int_equal(dropwise_interop_onednn_3_6(&interop, 1, scales[i].p), DROPWISE_OK);
        assert_true((float)interop.scale == scales[i].scale);
    }
}

static void numpys_keys_and_masks_are_drawn_again(void **state)
{
    (void)state;
    static char text[sizeof numpy_masks];
    memcpy(text, numpy_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char dtype[16], digits[300];
        uint64_t seed, key[2], made[2];
        double p;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%" SCNu64 " %" SCNx64 " %" SCNx64 " %15s %lf %299s", &seed, &key[0],
                                &key[1], dtype, &p, digits),
                         6);
        assert_int_equal(dropwise_numpy_key(seed, made), DROPWISE_OK);
        assert_same_bytes(made, key, sizeof key, "the key of seed %" PRIu64, seed);
        dropwise_interop interop;
        const bool is_f64 = strcmp(dtype, "float64") == 0;
        assert_int_equal(dropwise_interop_numpy(&interop, key, NULL, is_f64 ? DROPWISE_F64 : DROPWISE_F32, p),
                         DROPWISE_OK);
        assert_mask(&interop, 0, digits, line);
        rows++;
    }
    assert_int_equal(rows, 36);
}

/* A decimal number of up to 128 bits as two words, the lower one first; returns what follows it. */
static const char *read_u128(const char *text, uint64_t words[2])
{
    words[0] = words[1] = 0;
    while (*text == ' ')
        text++;
    for (; *text >= '0' && *text <= '9'; text++) {
        const uint64_t low = (words[0] & UINT32_MAX) * 10 + (uint64_t)(*text - '0');
        const uint64_t high = (words[0] >> 32) * 10 + (low >> 32);
        words[0] = high << 32 | (low & UINT32_MAX);
        words[1] = words[1] * 10 + (high >> 32);
    }
    return text;
}

/* Each number of the file is on the right side of thresholds just above and below it. */
static void numpys_numbers_are_on_the_right_side_of_thresholds_next_to_them(void **state)
{
    (void)state;
    static char text[sizeof numpy_philox];
    memcpy(text, numpy_philox, sizeof text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char kind[8];
        uint64_t key[2], counter[4] = {0};
        int used;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%7s%n", kind, &used), 1);
        const bool raw = strcmp(kind, "raw") == 0;
        const char *at = read_u128(read_u128(line + used, key), counter);
        for (uint64_t i = 0; i < (raw ? 16 : 32); i++) {
            uint64_t number;
            assert_int_equal(sscanf(at, raw ? " %" SCNx64 "%n" : " %" SCNu64 "%n", &number, &used), 1);
            at += used;
            const double u = raw ? (double)(number >> 11) * 0x1p-53 : (double)number * 0x1p-24;
            const double step = raw ? 0x1p-53 : 0x1p-24;
            dropwise_interop interop;
            const dropwise_dtype draws = raw ? DROPWISE_F64 : DROPWISE_F32;
            assert_int_equal(dropwise_interop_numpy(&interop, key, counter, draws, u), DROPWISE_OK);
            assert_mask(&interop, i, "1", line);
            assert_int_equal(dropwise_interop_numpy(&interop, key, counter, draws, u + step), DROPWISE_OK);
            assert_mask(&interop, i, "0", line);
        }
    }
}

/* PyTorch's engine, as cuRAND's states have it, and torch.compile's numbers on a CPU. */
static void pytorchs_engine_and_compiled_numbers_on_a_cpu_are_drawn_again(void **state)
{
    (void)state;
    static char text[sizeof torch_philox];
    memcpy(text, torch_philox, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        uint64_t seed, subsequence, blocks;
        double p;
        char digits[300];
        int used;
        dropwise_interop interop;
        if (line[0] == '#')
            continue;
        rows++;
        if (sscanf(line, "rand %" SCNu64 " %lf %299s", &seed, &p, digits) == 3) {
            assert_int_equal(dropwise_interop_inductor_cpu(&interop, DROPWISE_F32, seed, p), DROPWISE_OK);
            assert_mask(&interop, 0, digits, line);
            continue;
        }
        assert_int_equal(
            sscanf(line, "philox %" SCNu64 " %" SCNu64 " %" SCNu64 "%n", &seed, &subsequence, &blocks, &used),
            3);
        const char *at = line + used;
        for (uint64_t i = 0; i < 8; i++) {
            uint32_t word;
            assert_int_equal(sscanf(at, " %" SCNx32 "%n", &word, &used), 1);
            at += used;
            for (int above = 0; above < 2; above++) {
                const double limit = word * 0x1p-32 + (above ? 1e-6 : -1e-6);
                assert_int_equal(dropwise_interop_curand(&interop, seed, subsequence, 4 * blocks, limit),
                                 DROPWISE_OK);
                assert_mask(&interop, i, above ? "0" : "1", line);
            }
        }
    }
    assert_int_equal(rows, 16);
}

/* ---- Application ---- */

static void forward_and_the_rest_of_the_library_apply_the_mask_as_the_oracle(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint8_t x[8 * N], y[8 * N], expected[8 * N], apart[8 * N], bits[N / 8], wanted[N / 8], keep[N];
    for (size_t c = 0; c < ref_interop_n_cases; c += 3) {
        for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
            ref_interop r = ref_interop_cases[c];
            r.p = 0.3;
            r.dtype = dtype < REF_F8_E4M3 ? dtype : REF_F32; /* systems know no narrower ones */
            if (r.layout == DROPWISE_LAYOUT_PADDLE_CPU && r.dtype != REF_F64)
                r.dtype = REF_F32;
            if (r.layout == DROPWISE_LAYOUT_MXNET_CPU) {
                r.dtype = r.dtype == REF_BF16 ? REF_F32 : r.dtype;
                r.draws = r.dtype == REF_F32 ? REF_F32 : REF_F64;
            }
            if (r.layout == DROPWISE_LAYOUT_TENSORFLOW || r.layout == DROPWISE_LAYOUT_TENSORFLOW_STATEFUL ||
                r.layout == DROPWISE_LAYOUT_TENSORFLOW_XLA || r.layout == DROPWISE_LAYOUT_TORCH_FUNC_RANDOM)
                r.draws = r.dtype;
            dropwise_interop interop;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_OK);
            const size_t n = interop.size < N ? (size_t)interop.size : N;
            const double scale = ref_interop_scale(&r);
            for (size_t i = 0; i < n; i++)
                keep[i] = (uint8_t)ref_interop_keep(&r, i);
            ref_pack(keep, n, wanted);
            fill_awkward(dtype, x, n, c);
            ref_apply(dtype, keep, n, x, expected, scale == 1 ? NULL : &scale);
            const dropwise_dtype number = dtype_number(dtype);
            const size_t bytes = n * ref_bytes(dtype);
            assert_int_equal(dropwise_interop_forward(&interop, number, 0, n, x, y, bits), DROPWISE_OK);
            assert_same_bytes(y, expected, bytes, "%s, %s", name_of(&r), dtype_name(dtype));
            assert_same_bytes(bits, wanted, (n + 7) / 8, "%s, bits", name_of(&r));
            assert_int_equal(dropwise_interop_forward(&interop, number, 0, n, x, x, NULL), DROPWISE_OK);
            assert_same_bytes(x, expected, bytes, "%s, %s, in place", name_of(&r), dtype_name(dtype));
            const size_t first = n / 3, width = ref_bytes(dtype);
            fill_awkward(dtype, x, n, c);
            assert_int_equal(
                dropwise_interop_forward(&interop, number, first, n - first, x + first * width, apart, NULL),
                DROPWISE_OK);
            assert_same_bytes(apart, expected + first * width, bytes - first * width, "%s, %s, from %zu on",
                              name_of(&r), dtype_name(dtype), first);

            /* The rest of the library, from the bits and the mask. */
            dropwise_mask mask;
            assert_int_equal(dropwise_interop_mask(&interop, &mask), DROPWISE_OK);
            fill_awkward(dtype, x, n, c);
            assert_int_equal(dropwise_backward(&mask, number, 0, n, x, apart, bits), DROPWISE_OK);
            if (dtype != REF_F64)
                assert_same_bytes(apart, expected, bytes, "%s, %s, by stored bits", name_of(&r),
                                  dtype_name(dtype));
        }
    }
}

/* A large output, which is stored past the caches: as that of parts. */
static void a_large_output_is_that_of_its_parts_wherever_it_lies(void **state)
{
    (void)state;
    enum { N = (4 << 20) / 4 + 5000 };
    static float x[N + 1], y[N + 1], of_parts[N + 1];
    dropwise_interop interop;
    assert_int_equal(dropwise_interop_curand(&interop, SEED, 5, 6, 0.3), DROPWISE_OK);
    fill_awkward(REF_F32, (uint8_t *)x, N + 1, 1);
    for (size_t at = 0; at < 2; at++) {
        assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 77, N, x, y + at, NULL),
                         DROPWISE_OK);
        for (size_t done = 0; done < N; done += 99999) {
            const size_t n = N - done < 99999 ? N - done : 99999;
            assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 77 + done, n, x + done,
                                                      of_parts + done, NULL),
                             DROPWISE_OK);
        }
        assert_same_bytes(y + at, of_parts, N * sizeof *y, "a large output, %zu elements from the start", at);
    }
}

/* For all scales that a mask can have and that are floats, the library multiplies by the same float. */
static void a_mask_of_ours_multiplies_by_the_same_float(void **state)
{
    (void)state;
    const uint8_t kept = 1;
    const float one = 1;
    for (size_t i = 1; i < 42667; i++) {
        const double p = i < 10000 ? (double)i / 10000 : 1 - 1.0 / (double)(i - 9900);
        dropwise_interop interop;
        dropwise_mask mask;
        float scaled;
        assert_int_equal(dropwise_interop_curand(&interop, 1, 2, 3, p), DROPWISE_OK);
        assert_int_equal(dropwise_interop_mask(&interop, &mask), DROPWISE_OK);
        assert_int_equal(dropwise_backward_f32(&mask, 0, 1, &one, &scaled, &kept), DROPWISE_OK);
        if (scaled != (float)interop.scale)
            fail_msg("p %.17g: %.9g is not the scale %.9g", p, (double)scaled, interop.scale);
    }
}

/* ---- Launches ---- */

static void launches_of_pytorch_onnx_runtime_and_deepspeed_are_theirs(void **state)
{
    (void)state;
    uint32_t threads, vector;
    uint64_t step;
    /* An A100: 108 multiprocessors of 2,048 threads. */
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, 1000, 108, 2048, &threads, &vector, &step),
                     DROPWISE_OK);
    assert_int_equal(threads, 1024);
    assert_int_equal(vector, 4);
    assert_int_equal(step, 4);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F16, 1 << 24, 108, 2048, &threads, &vector, &step),
                     DROPWISE_OK);
    assert_int_equal(threads, 108 * 2048);
    assert_int_equal(vector, 8);
    assert_int_equal(step, (((1 << 24) - 1) / (108 * 2048 * 4) + 1) * 4);
    static const struct {
        dropwise_dtype dtype;
        uint64_t numel;
        uint32_t vector;
    } vectors[] = {{DROPWISE_F64, 6, 2},   {DROPWISE_F64, 7, 1},  {DROPWISE_BF16, 12, 4},
                   {DROPWISE_BF16, 14, 2}, {DROPWISE_F32, 14, 2}, {DROPWISE_F32, 15, 1},
                   {DROPWISE_F16, 16, 8}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        assert_int_equal(
            dropwise_torch_cuda_launch(vectors[i].dtype, vectors[i].numel, 1, 1024, &threads, &vector, &step),
            DROPWISE_OK);
        assert_int_equal(vector, vectors[i].vector);
    }
    assert_int_equal(dropwise_onnx_runtime_launch(1025, 80, 2048, &threads, &step), DROPWISE_OK);
    assert_int_equal(threads, 512);
    assert_int_equal(step, 4);
    assert_int_equal(dropwise_deepspeed_launch(4096, &threads, &step), DROPWISE_OK);
    assert_int_equal(threads, 1024);
    assert_int_equal(step, 4);
    assert_int_equal(dropwise_deepspeed_launch(4, &threads, &step), DROPWISE_OK);
    assert_int_equal(threads, 512);
    assert_int_equal(step, 0);
}

static void launches_refuse_bad_arguments_and_write_nothing(void **state)
{
    (void)state;
    uint32_t threads = 7, vector = 7;
    uint64_t step = 7;
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, 0, 1, 1024, &threads, &vector, &step),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, 8, 0, 1024, &threads, &vector, &step),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, 8, 1, 255, &threads, &vector, &step),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, UINT64_MAX, UINT32_MAX, UINT32_MAX, &threads,
                                                &vector, &step),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F8_E4M3, 8, 1, 1024, &threads, &vector, &step),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_torch_cuda_launch(DROPWISE_F32, 8, 1, 1024, NULL, &vector, &step),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_onnx_runtime_launch(UINT64_C(1) << 31, 1, 1024, &threads, &step),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_onnx_runtime_launch(0, 1, 1024, &threads, &step), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_onnx_runtime_launch(4, 1, 1024, &threads, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_deepspeed_launch(6, &threads, &step), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_deepspeed_launch(0, &threads, &step), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_deepspeed_launch(4, NULL, &step), DROPWISE_ERROR_NULL);
    assert_true(threads == 7 && vector == 7 && step == 7);
}

/* ---- Arguments ---- */

static void every_system_refuses_bad_arguments_and_structs_and_writes_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < ref_interop_n_cases; c++) {
        ref_interop r = ref_interop_cases[c];
        dropwise_interop interop, before;
        memset(&interop, 0x5A, sizeof interop);
        before = interop;
        static const double bad[] = {-1e-9, 1.0000001, NAN, INFINITY, -INFINITY};
        for (size_t i = 0; i < 5; i++) {
            r.p = bad[i];
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PROBABILITY);
        }
        r.p = 0.5;
        assert_int_equal(make_interop(&r, NULL), DROPWISE_ERROR_NULL);
        if (r.threads != 0) {
            const uint64_t threads = r.threads, offset = r.offset, size = r.size, vector = r.vector;
            r.threads = 0;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.threads = (1u << 30) + 1;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.threads = threads;
            r.offset = offset + 2;
            if (r.layout != DROPWISE_LAYOUT_DEEPSPEED)
                assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.offset = offset;
            r.size = r.layout == DROPWISE_LAYOUT_TORCH_CUDA ? UINT64_C(1) << 61 : UINT64_C(1) << 31;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.size = size + 1;
            if (r.layout == DROPWISE_LAYOUT_DEEPSPEED || vector > 1)
                assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.size = size;
            r.vector = 3;
            if (r.layout == DROPWISE_LAYOUT_TORCH_CUDA)
                assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.vector = vector;
        }
        if (r.layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2) {
            r.rows = 0;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.rows = UINT64_C(1) << 31;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.rows = 5;
            r.columns = 0;
            assert_int_equal(make_interop(&r, &interop), DROPWISE_ERROR_PARAMETER);
            r.columns = 5;
        }
        assert_memory_equal(&interop, &before, sizeof interop);

        uint8_t bits[8] = {0x77}, x[64] = {0}, y[64] = {0x77};
        dropwise_mask mask = {.seed = 77};
        const dropwise_mask mask_before = mask;
        assert_int_equal(make_interop(&r, &interop), DROPWISE_OK);
        const uint64_t size = interop.size;
        assert_int_equal(dropwise_interop_bits(&interop, size, 1, bits), DROPWISE_ERROR_RANGE);
        assert_int_equal(dropwise_interop_bits(&interop, size - 1, 2, bits), DROPWISE_ERROR_RANGE);
        assert_int_equal(dropwise_interop_bits(&interop, UINT64_MAX, 2, bits), DROPWISE_ERROR_RANGE);
        assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, size, 1, x, y, NULL),
                         DROPWISE_ERROR_RANGE);
        assert_int_equal(dropwise_interop_bits(&interop, size - 1, 1, bits), DROPWISE_OK);
        bits[0] = 0x77;
        assert_int_equal(dropwise_interop_bits(&interop, 0, 1, NULL), DROPWISE_ERROR_NULL);
        assert_int_equal(dropwise_interop_bits(&interop, UINT64_MAX, 0, NULL), DROPWISE_OK);
        assert_int_equal(dropwise_interop_bits(NULL, 0, 1, bits), DROPWISE_ERROR_NULL);
        assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 0, 1, NULL, y, NULL),
                         DROPWISE_ERROR_NULL);
        assert_int_equal(dropwise_interop_forward(&interop, 99, 0, 1, x, y, NULL), DROPWISE_ERROR_DTYPE);
        assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 0, SIZE_MAX, x, y, NULL),
                         DROPWISE_ERROR_SIZE);
        if (size >= 8)
            assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 0, 8, x, x + 4, NULL),
                             DROPWISE_ERROR_OVERLAP);
        assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 0, 1, x, y, y),
                         DROPWISE_ERROR_OVERLAP);
        assert_int_equal(dropwise_interop_mask(&interop, NULL), DROPWISE_ERROR_NULL);

        static const dropwise_status expected[] = {DROPWISE_ERROR_STRUCT_SIZE, DROPWISE_ERROR_LAYOUT,
                                                   DROPWISE_ERROR_LAYOUT,      DROPWISE_ERROR_RESERVED,
                                                   DROPWISE_ERROR_PARAMETER,   DROPWISE_ERROR_PARAMETER,
                                                   DROPWISE_ERROR_PARAMETER,   DROPWISE_ERROR_PARAMETER,
                                                   DROPWISE_ERROR_PARAMETER,   DROPWISE_ERROR_PARAMETER};
        for (int change = 0; change < 10; change++) {
            dropwise_interop bad_one = interop;
            switch (change) {
            case 0:
                bad_one.struct_size--;
                break;
            case 1:
                bad_one.layout = 0;
                break;
            case 2:
                bad_one.layout = DROPWISE_LAYOUT_COUNT;
                break;
            case 3:
                bad_one.reserved[0] = 1;
                break;
            case 4:
                bad_one.drops = 2;
                break;
            case 5:
                bad_one.draws = DROPWISE_F8_E5M2;
                break;
            case 6:
                bad_one.size = (UINT64_C(1) << 60) + 1;
                break;
            case 7:
                bad_one.scale = NAN;
                break;
            case 8:
                bad_one.scale = 0.5; /* no system multiplies by less than 1 */
                break;
            default:
                bad_one.threads = r.threads != 0 ? 0 : bad_one.threads;
                bad_one.rows = 0;
                if (r.threads == 0 && r.layout != DROPWISE_LAYOUT_FLASH_ATTENTION_2)
                    bad_one.skip = UINT64_C(1) << 61;
            }
            assert_int_equal(dropwise_interop_bits(&bad_one, 0, 1, bits), expected[change]);
            assert_int_equal(dropwise_interop_forward(&bad_one, DROPWISE_F32, 0, 1, x, y, NULL),
                             expected[change]);
            assert_int_equal(dropwise_interop_mask(&bad_one, &mask), expected[change]);
        }
        assert_int_equal(bits[0], 0x77);
        assert_int_equal(y[0], 0x77);
        assert_memory_equal(&mask, &mask_before, sizeof mask);
    }
}

/* ---- Structs that were filled by hand ---- */

typedef struct field {
    const char *name;
    size_t at, bytes;
    bool is_real;
} field;

#define FIELD(name, is_real) \
    { \
#name, offsetof(dropwise_interop, name), sizeof(((dropwise_interop *)0)->name), is_real \
    }
static const field fields[] = {
    FIELD(struct_size, false), FIELD(layout, false),     FIELD(key[0], false),     FIELD(key[1], false),
    FIELD(counter[0], false),  FIELD(counter[1], false), FIELD(counter[2], false), FIELD(counter[3], false),
    FIELD(size, false),        FIELD(last, false),       FIELD(drops, false),      FIELD(draws, false),
    FIELD(threads, false),     FIELD(vector, false),     FIELD(rows, false),       FIELD(columns, false),
    FIELD(keep, true),         FIELD(scale, true),       FIELD(skip, false),       FIELD(reserved[0], false),
};

static const uint64_t odd_wholes[] = {
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    16,
    17,
    255,
    256,
    65535,
    65536,
    65537,
    1 << 29,
    (1 << 29) + 1,
    1 << 30,
    (1 << 30) + 1,
    INT32_MAX,
    UINT64_C(1) << 31,
    UINT32_MAX,
    UINT64_C(1) << 32,
    UINT64_C(1) << 60,
    (UINT64_C(1) << 60) + 1,
    UINT64_C(1) << 61,
    UINT64_C(1) << 63,
    UINT64_MAX - 3,
    UINT64_MAX,
};

static const double odd_reals[] = {
    0,
    -0.0,
    1,
    -1,
    0.5,
    0x1.fffffffffffffp-1,
    5e-324,
    1e-310,
    1e-40,
    0x1p53,
    1e38,
    0x1.fffffep127,
    0x1.fffffe0000001p127,
    0x1.ffffffp127,
    0x1p128,
    1e300,
    -1e300,
    INFINITY,
    -INFINITY,
    NAN,
};

enum {
    N_FIELDS = sizeof fields / sizeof fields[0],
    N_WHOLES = sizeof odd_wholes / sizeof odd_wholes[0],
    N_REALS = sizeof odd_reals / sizeof odd_reals[0],
    ODD_N = 100
};

/* What calls make of a struct; what they refuse leaves outputs as they were. */
typedef struct made {
    dropwise_status bits_status[3], forward_status[REF_DTYPES], mask_status;
    uint8_t bits[3][(ODD_N + 7) / 8], y[REF_DTYPES][8 * ODD_N];
    dropwise_mask mask;
} made;

static void make_all(const dropwise_interop *d, uint8_t x[REF_DTYPES][8 * ODD_N], made *m)
{
    static const uint64_t firsts[3] = {0, 4999, (UINT64_C(1) << 60) - ODD_N};
    static uint8_t untouched[8 * ODD_N];
    memset(untouched, 0x5A, sizeof untouched);
    memset(m, 0x5A, sizeof *m);
    for (size_t i = 0; i < 3; i++) {
        m->bits_status[i] = dropwise_interop_bits(d, firsts[i], ODD_N, m->bits[i]);
        if (m->bits_status[i] != DROPWISE_OK)
            assert_memory_equal(m->bits[i], untouched, sizeof m->bits[i]);
    }
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        m->forward_status[dtype] =
            dropwise_interop_forward(d, dtype_number(dtype), 0, ODD_N, x[dtype], m->y[dtype], NULL);
        if (m->forward_status[dtype] != DROPWISE_OK)
            assert_memory_equal(m->y[dtype], untouched, sizeof m->y[dtype]);
    }
    m->mask_status = dropwise_interop_mask(d, &m->mask);
    if (m->mask_status != DROPWISE_OK)
        assert_memory_equal(&m->mask, untouched, sizeof m->mask);
}

/* A struct that has odd value number i in a field. */
static dropwise_interop odd_one(const dropwise_interop *good, const field *f, size_t i)
{
    dropwise_interop odd = *good;
    uint8_t *to = (uint8_t *)&odd + f->at;
    const uint32_t narrow = (uint32_t)odd_wholes[f->is_real ? 0 : i];
    if (f->is_real)
        memcpy(to, &odd_reals[i], sizeof(double));
    else
        memcpy(to, f->bytes == 8 ? (const void *)&odd_wholes[i] : &narrow, f->bytes);
    return odd;
}

static void structs_filled_by_hand_give_the_same_on_all_tiers_or_are_refused(void **state)
{
    (void)state;
    static uint8_t x[REF_DTYPES][8 * ODD_N];
    static made by_scalar, here;
    const dropwise_isa isa = dropwise_isa_active();
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++)
        fill_awkward(dtype, x[dtype], ODD_N, dtype);
    for (size_t c = 0; c < ref_interop_n_cases; c += quick() ? 3 : 1) {
        ref_interop r = ref_interop_cases[c];
        dropwise_interop good;
        r.p = 0.3;
        assert_int_equal(make_interop(&r, &good), DROPWISE_OK);
        const size_t step = !has_state(&r) ? 1 : quick() ? 27 : 9;
        for (size_t f = 0; f < N_FIELDS; f++)
            for (size_t i = 0; i < (fields[f].is_real ? (size_t)N_REALS : (size_t)N_WHOLES); i += step) {
                const dropwise_interop odd = odd_one(&good, &fields[f], i);
                assert_int_equal(dropwise_isa_select(DROPWISE_ISA_SCALAR), DROPWISE_OK);
                make_all(&odd, x, &by_scalar);
                assert_int_equal(dropwise_isa_select(isa), DROPWISE_OK);
                if (isa == DROPWISE_ISA_SCALAR)
                    continue;
                make_all(&odd, x, &here);
                assert_same_bytes(&here, &by_scalar, sizeof here, "%s, case %zu: value %zu of %s",
                                  name_of(&r), c, i, fields[f].name);
            }
    }
}

static dropwise_interop changed;

/* All calls but the mask's refuse the struct, or all take it; floats beyond f32 are for f64 alone. */
static void expect_status(dropwise_status bits_status, dropwise_status f32_status)
{
    uint8_t bits[1], x[8] = {0}, y[8];
    assert_int_equal(dropwise_interop_bits(&changed, 0, 1, bits), bits_status);
    assert_int_equal(dropwise_interop_forward(&changed, DROPWISE_F64, 0, 1, x, y, NULL), bits_status);
    assert_int_equal(dropwise_interop_forward(&changed, DROPWISE_F32, 0, 1, x, y, NULL), f32_status);
    assert_int_equal(dropwise_interop_forward(&changed, DROPWISE_F16, 0, 1, x, y, NULL), f32_status);
    assert_int_equal(dropwise_interop_forward(&changed, DROPWISE_F8_E5M2, 0, 1, x, y, NULL), f32_status);
}

#define EXPECT_REFUSED(made, field, value) \
    (changed = (made), changed.field = (value), \
     expect_status(DROPWISE_ERROR_PARAMETER, DROPWISE_ERROR_PARAMETER))

/* The ranges of fields that the header states, at their ends. */
static void fields_are_taken_up_to_the_ends_of_their_ranges(void **state)
{
    (void)state;
    const uint32_t key[2] = {1, 2};
    dropwise_interop d;
    for (size_t i = 0; i < N_REALS; i++) {
        const double scale = odd_reals[i];
        const bool is_scale = (scale == 0 && !signbit(scale)) || (scale >= 1 && isfinite(scale));
        assert_int_equal(dropwise_interop_curand(&changed, 1, 2, 3, 0.5), DROPWISE_OK);
        changed.scale = scale;
        const dropwise_status status = is_scale ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
        expect_status(status, scale <= 0x1.fffffep127 ? status : DROPWISE_ERROR_PARAMETER);
    }
    /* A mask of f64 that has such a scale. */
    assert_int_equal(dropwise_interop_jax(&changed, key, DROPWISE_F64, DROPWISE_F64, 1e-300), DROPWISE_OK);
    expect_status(DROPWISE_OK, DROPWISE_ERROR_PARAMETER);

    assert_int_equal(dropwise_interop_torch_cuda(&d, DROPWISE_F32, 64, 256, 4, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, threads, 0);
    EXPECT_REFUSED(d, threads, (1u << 30) + 1);
    EXPECT_REFUSED(d, vector, 0);
    EXPECT_REFUSED(d, vector, 3);
    EXPECT_REFUSED(d, vector, 32);
    EXPECT_REFUSED(d, size, 65);
    EXPECT_REFUSED(d, size, (UINT64_C(1) << 60) + 4);
    EXPECT_REFUSED(d, last, UINT64_C(1) << 32);
    EXPECT_REFUSED(d, skip, 1);
    EXPECT_REFUSED(d, drops, 2);
    EXPECT_REFUSED(d, draws, DROPWISE_F64);
    EXPECT_REFUSED(d, draws, -1);
    assert_int_equal(dropwise_interop_onnx_runtime(&d, 64, 256, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, threads, (1u << 29) + 1);
    EXPECT_REFUSED(d, vector, 8);
    EXPECT_REFUSED(d, size, UINT64_C(1) << 31);
    assert_int_equal(dropwise_interop_deepspeed(&d, 64, 256, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, size, 66);
    EXPECT_REFUSED(d, skip, 4);
    assert_int_equal(dropwise_interop_curand_host(&d, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, threads, 65535);
    EXPECT_REFUSED(d, skip, (UINT64_C(1) << 60) + 1);
    assert_int_equal(dropwise_interop_flash_attention_2(&d, 8, 8, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, last, 256);
    EXPECT_REFUSED(d, rows, 0);
    EXPECT_REFUSED(d, rows, UINT64_C(1) << 31);
    EXPECT_REFUSED(d, columns, UINT64_C(1) << 63);
    EXPECT_REFUSED(d, size, (UINT64_C(1) << 32) + 1);
    assert_int_equal(dropwise_interop_transformer_engine(&d, 1, 0, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, last, 256);
    assert_int_equal(dropwise_interop_jax_legacy(&d, key, 64, DROPWISE_F16, DROPWISE_F16, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, last, 65536);
    EXPECT_REFUSED(d, size, 2 * (uint64_t)(UINT32_MAX - 1) + 1);
    assert_int_equal(dropwise_interop_jax_high(&d, key, 64, DROPWISE_F32, DROPWISE_F32, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, counter[2], UINT64_C(1) << 32);
    EXPECT_REFUSED(d, size, (UINT64_C(1) << 59) + 1);
    assert_int_equal(dropwise_interop_jax_legacy_high(&d, key, 64, DROPWISE_BF16, DROPWISE_F32, 0.5),
                     DROPWISE_OK);
    EXPECT_REFUSED(d, last, 256);
    EXPECT_REFUSED(d, counter[2], 256);
    EXPECT_REFUSED(d, size, 2 * (uint64_t)(UINT32_MAX - 1) + 1);
    assert_int_equal(dropwise_interop_jax_legacy(&d, key, 64, DROPWISE_BF16, DROPWISE_BF16, 0.5),
                     DROPWISE_OK);
    EXPECT_REFUSED(d, last, 256);
    assert_int_equal(dropwise_interop_inductor_gpu_2_13(&d, DROPWISE_F32, 1, 0.5), DROPWISE_OK);
    EXPECT_REFUSED(d, size, (UINT64_C(1) << 32) + 1);
    EXPECT_REFUSED(d, last, UINT64_C(1) << 32);
    /* What a layout has no use for is not looked at, nor is keep. */
    changed = d;
    changed.threads = changed.vector = UINT32_MAX;
    changed.rows = changed.columns = changed.counter[3] = UINT64_MAX;
    changed.keep = NAN;
    expect_status(DROPWISE_OK, DROPWISE_OK);
}

/* As JAX 0.10.2 made them on a CPU; the last two keys' counters carry, or just do not. */
static void keys_of_unsafe_rbg_are_jaxs(void **state)
{
    (void)state;
    static const struct {
        uint32_t key[4], data, child, folded[4], split[4];
    } cases[] = {
        {{56543296, 1826787332, 2453521982, 2503663988},
         9,
         7,
         {1310944905, 1688908187, 309966127, 1377747203},
         {1359734147, 915656304, 2071371638, 770558457}},
        {{56543296, 3974270976, 2453521982, 356180336},
         UINT32_MAX,
         1000,
         {3657556568, 1588222138, 2929213204, 535348391},
         {2492321321, 779701316, 2807745090, 3452757688}},
        {{5, 6, UINT32_MAX, UINT32_MAX}, 0, 2, {0}, {959641239, 4014108029, 1286985423, 2186698299}},
        {{5, 6, UINT32_MAX - 19, UINT32_MAX}, 0, 2, {0}, {3369663133, 2917692848, 2659525831, 1622086665}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t key[4];
        memcpy(key, cases[i].key, sizeof key);
        assert_int_equal(dropwise_jax_unsafe_rbg_split(key, cases[i].child, key), DROPWISE_OK);
        assert_same_bytes(key, cases[i].split, sizeof key, "split, case %zu", i);
        if (cases[i].folded[0] == 0)
            continue;
        memcpy(key, cases[i].key, sizeof key);
        assert_int_equal(dropwise_jax_unsafe_rbg_fold_in(key, cases[i].data, key), DROPWISE_OK);
        assert_same_bytes(key, cases[i].folded, sizeof key, "fold_in, case %zu", i);
    }
}

static void keys_refuse_bad_arguments_and_write_nothing(void **state)
{
    (void)state;
    uint32_t key[2] = {1, 2}, out[2] = {7, 7};
    assert_int_equal(dropwise_jax_key(1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_split(NULL, 1, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_split(key, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_fold_in(NULL, 1, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_split_legacy(key, 2, 2, out), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_jax_split_legacy(key, UINT32_C(1) << 31, 2, out), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_jax_split_legacy(NULL, 2, 1, out), DROPWISE_ERROR_NULL);
    uint32_t rbg_key[4] = {1, 2, 3, 4};
    assert_int_equal(dropwise_jax_unsafe_rbg_split(NULL, 1, rbg_key), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_unsafe_rbg_split(rbg_key, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_unsafe_rbg_fold_in(NULL, 1, rbg_key), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_unsafe_rbg_fold_in(rbg_key, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_linen_key(NULL, "", 0, 0, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_linen_key(key, NULL, 0, 0, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_linen_key(key, "", 0, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_linen_key(key, "", 0, 2, out), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_jax_nnx_key(NULL, 0, 0, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_nnx_key(key, 0, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_haiku_key(NULL, 0, out), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_haiku_key(key, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_jax_keras_key(0, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_numpy_key(1, NULL), DROPWISE_ERROR_NULL);
    assert_true(out[0] == 7 && out[1] == 7);
}

static void systems_refuse_what_they_do_not_know_and_write_nothing(void **state)
{
    (void)state;
    const uint32_t key[2] = {1, 2}, rbg_key[4] = {0};
    const uint64_t numpy_key[2] = {1, 2};
    const int64_t seed[2] = {1, 2};
    dropwise_interop interop, before;
    memset(&interop, 0x5A, sizeof interop);
    before = interop;
    assert_int_equal(dropwise_interop_jax(&interop, NULL, DROPWISE_F32, DROPWISE_F32, 0.5),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F8_E4M3, DROPWISE_F32, 0.5),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, 0, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_jax_legacy(&interop, key, UINT32_MAX, DROPWISE_F32, DROPWISE_F32, 0.5),
                     DROPWISE_ERROR_PARAMETER);
    const uint64_t words = UINT32_MAX - 1;
    assert_int_equal(
        dropwise_interop_jax_legacy(&interop, key, 2 * words + 1, DROPWISE_F16, DROPWISE_F16, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(
        dropwise_interop_jax_legacy(&interop, key, 4 * words + 1, DROPWISE_BF16, DROPWISE_F32, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(
        dropwise_interop_jax_legacy(&interop, key, UINT64_C(1) << 31, DROPWISE_F64, DROPWISE_F32, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(
        dropwise_interop_jax_high(&interop, key, (UINT64_C(1) << 59) + 1, DROPWISE_F32, DROPWISE_F32, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(
        dropwise_interop_jax_rbg_high(&interop, rbg_key, UINT64_MAX, DROPWISE_F32, DROPWISE_F32, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(
        dropwise_interop_jax_legacy_high(&interop, key, UINT64_C(1) << 31, DROPWISE_F32, DROPWISE_F32, 0.5),
        DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, DROPWISE_F16, 1e-6),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_jax(&interop, key, DROPWISE_F32, DROPWISE_F16, 2e-8),
                     DROPWISE_ERROR_PARAMETER); /* which is 0 in f16 */
    assert_int_equal(dropwise_interop_tensorflow(&interop, NULL, DROPWISE_F32, 0.5), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_interop_tensorflow(&interop, seed, 42, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_tensorflow(&interop, seed, DROPWISE_F32, 1),
                     DROPWISE_ERROR_PROBABILITY);
    assert_int_equal(dropwise_interop_tensorflow(&interop, seed, DROPWISE_F16, 0.99999),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_onednn_3_11(&interop, 1, 0, 0.5), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_curand_host(&interop, 1, UINT64_MAX, 0.5), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_numpy(&interop, NULL, NULL, DROPWISE_F32, 0.5), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_interop_numpy(&interop, numpy_key, NULL, DROPWISE_F16, 0.5),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_flash_attention_2(&interop, 8, 8, 1, 0, 1), DROPWISE_ERROR_PROBABILITY);
    assert_int_equal(dropwise_interop_transformer_engine(&interop, 1, 0, 1), DROPWISE_ERROR_PROBABILITY);
    assert_int_equal(dropwise_interop_transformer_engine(&interop, 1, 2, 0.5), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_torch_cuda(&interop, DROPWISE_F8_E4M3, 8, 256, 4, 1, 0, 0.5),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_inductor_gpu(&interop, DROPWISE_F8_E5M2, 1, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_inductor_gpu_2_12(&interop, 0, 1, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_inductor_gpu_2_13(&interop, 0, 1, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_inductor_cpu(&interop, 0, 1, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_inductor_cpu_2_12(&interop, 0, 1, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_torch_cpu(&interop, DROPWISE_F8_E5M2, 1, 0, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_torch_cpu(&interop, DROPWISE_F32, 1, (UINT64_C(1) << 61) + 1, 0.5),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_torch_cpu(&interop, DROPWISE_F16, 1, 0, 0.99999),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_mxnet_cpu(&interop, DROPWISE_BF16, 1, 9, 0, 0.5), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_interop_mxnet_cpu(&interop, DROPWISE_F16, 1, 9, 0, 0.99999),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_mxnet_cpu(&interop, DROPWISE_F32, 1, UINT64_C(1) << 31, 0, 0.5),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_interop_mxnet_cpu(&interop, DROPWISE_F32, 1, 9, UINT64_C(1) << 32, 0.5),
                     DROPWISE_ERROR_PARAMETER);
    assert_memory_equal(&interop, &before, sizeof interop);
}

static void a_scale_that_no_mask_of_ours_has_is_refused(void **state)
{
    (void)state;
    dropwise_interop interop;
    dropwise_mask mask;
    assert_int_equal(dropwise_interop_curand(&interop, 1, 2, 3, 1 - 1e-6), DROPWISE_OK);
    assert_int_equal(dropwise_interop_mask(&interop, &mask), DROPWISE_ERROR_PARAMETER);
}

static void every_layout_has_its_name(void **state)
{
    (void)state;
    for (uint32_t layout = 1; layout < DROPWISE_LAYOUT_COUNT; layout++)
        assert_non_null(dropwise_layout_name(layout));
    assert_null(dropwise_layout_name(0));
    assert_null(dropwise_layout_name(DROPWISE_LAYOUT_COUNT));
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(a_threshold_lies_where_the_systems_own_comparison_turns),
        cmocka_unit_test(systems_that_compare_bytes_keep_and_scale_at_the_documented_bias),
        cmocka_unit_test(keep_is_1_minus_p_but_for_the_steps_of_what_a_system_compares),
        cmocka_unit_test(jax_draws_what_its_tests_and_documentation_publish),
        cmocka_unit_test(jax_legacy_draws_what_its_tests_publish),
        cmocka_unit_test(tensorflow_draws_what_its_documentation_publishes),
        cmocka_unit_test(philox_draws_what_random123_and_the_standard_of_cpp_publish),
        cmocka_unit_test(pytorch_and_triton_draw_what_others_print_of_gpus),
        cmocka_unit_test(layouts_without_published_values_draw_what_transcriptions_predict),
        cmocka_unit_test(onednns_masks_are_drawn_again),
        cmocka_unit_test(masks_of_systems_on_cpus_are_drawn_again),
        cmocka_unit_test(layers_of_flax_haiku_and_keras_draw_from_their_keys),
        cmocka_unit_test(second_numbers_decide_where_first_ones_are_in_keeps_step),
        cmocka_unit_test(onednn_multiplies_by_its_own_scale),
        cmocka_unit_test(numpys_keys_and_masks_are_drawn_again),
        cmocka_unit_test(numpys_numbers_are_on_the_right_side_of_thresholds_next_to_them),
        cmocka_unit_test(pytorchs_engine_and_compiled_numbers_on_a_cpu_are_drawn_again),
        cmocka_unit_test(forward_and_the_rest_of_the_library_apply_the_mask_as_the_oracle),
        cmocka_unit_test(a_large_output_is_that_of_its_parts_wherever_it_lies),
        cmocka_unit_test(a_mask_of_ours_multiplies_by_the_same_float),
        cmocka_unit_test(launches_of_pytorch_onnx_runtime_and_deepspeed_are_theirs),
        cmocka_unit_test(launches_refuse_bad_arguments_and_write_nothing),
        cmocka_unit_test(every_system_refuses_bad_arguments_and_structs_and_writes_nothing),
        cmocka_unit_test(structs_filled_by_hand_give_the_same_on_all_tiers_or_are_refused),
        cmocka_unit_test(fields_are_taken_up_to_the_ends_of_their_ranges),
        cmocka_unit_test(keys_of_unsafe_rbg_are_jaxs),
        cmocka_unit_test(keys_refuse_bad_arguments_and_write_nothing),
        cmocka_unit_test(systems_refuse_what_they_do_not_know_and_write_nothing),
        cmocka_unit_test(a_scale_that_no_mask_of_ours_has_is_refused),
        cmocka_unit_test(every_layout_has_its_name),
    };
    enum { N_OTHERS = sizeof others / sizeof others[0] };
    enum { N_LAYOUTS = DROPWISE_LAYOUT_COUNT - 1 };
    static char names[N_LAYOUTS][100];
    static uint32_t layouts[N_LAYOUTS];
    static struct CMUnitTest tests[N_LAYOUTS + N_OTHERS];
    for (uint32_t i = 0; i < N_LAYOUTS; i++) {
        layouts[i] = i + 1;
        snprintf(names[i], sizeof names[i], "masks_of_%s_on_any_range_are_the_oracles",
                 dropwise_layout_name(layouts[i]));
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = masks_on_any_range_are_the_oracles, .initial_state = &layouts[i]};
    }
    memcpy(tests + N_LAYOUTS, others, sizeof others);
    return run_on_each_tier(tests, NULL, NULL);
}
