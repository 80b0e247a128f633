/*
 * The caller's floating-point environment: under any rounding mode, with subnormals flushed and all traps
 * enabled, every public function gives the bytes that it gives under the default one, on every tier, traps
 * never, and leaves control bits and flags as they were. The inputs have signalling NaN, infinities and the
 * largest numbers, in dropped places and in kept ones. The same calls show that each keeps to one tier.
 */
#define _GNU_SOURCE /* feenableexcept */

#include <fenv.h>

#include "support/common.h"
#include "tiers/dispatch.h"
#include "dropwise_attention.h"
#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "support/interop_make.h"
#include "support/variants.h"

#include "calls_of_test.h" /* the text of this file */
#include "declared.h"      /* and of the public headers */
#include "declared_attention.h"
#include "declared_dropblock.h"
#include "declared_dropconnect.h"
#include "declared_fused.h"
#include "declared_interop.h"
#include "declared_variants.h"

/* ---- Environments ---- */

typedef struct environment {
    const char *name;
    int rounding;
    bool flushes, traps;
    bool flags; /* all set before */
} environment;

static const environment environments[] = {
    {"flags set", FE_TONEAREST, false, false, true},
    {"traps", FE_TONEAREST, false, true, false},
#ifdef FE_UPWARD
    {"upward", FE_UPWARD, false, false, false},
    {"upward, flush, traps", FE_UPWARD, true, true, false},
    {"downward", FE_DOWNWARD, false, false, false},
    {"downward, flush", FE_DOWNWARD, true, false, false},
    {"toward zero", FE_TOWARDZERO, false, false, false},
    {"toward zero, traps", FE_TOWARDZERO, false, true, false},
#endif
    {"flush", FE_TONEAREST, true, false, false},
    {"flush, traps", FE_TONEAREST, true, true, false},
};

/* What a call has to leave as it is. */
typedef struct registers {
    uint64_t control, flags;
} registers;

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { FLAGS = 0x3F, FLUSH = 0x8040, TRAPS_OFF = 0x1F80 };

static registers read_registers(void)
{
    return (registers){_mm_getcsr() & ~(unsigned)FLAGS, _mm_getcsr() & FLAGS};
}

static void set_environment(const environment *e)
{
    unsigned control = e->traps ? 0 : TRAPS_OFF;
    control |= e->flushes ? FLUSH : 0;
    control |= e->rounding == FE_UPWARD       ? 0x4000
               : e->rounding == FE_DOWNWARD   ? 0x2000
               : e->rounding == FE_TOWARDZERO ? 0x6000
                                              : 0;
    _mm_setcsr(control | (e->flags ? FLAGS : 0));
}

static void set_default(void)
{
    _mm_setcsr(TRAPS_OFF);
}
#elif defined(__aarch64__)
enum { FLAGS = 0x9F, FLUSH = 1 << 24, DEFAULT_NAN = 1 << 25, ALTERNATIVE_HALF = 1 << 26, TRAPS = 0x9F00 };

static registers read_registers(void)
{
    registers r;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(r.control), "=r"(r.flags) : : "memory");
    return r;
}

static void write_registers(uint64_t control, uint64_t flags)
{
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(control), "r"(flags) : "memory");
}

static void set_environment(const environment *e)
{
    uint64_t control = e->traps ? TRAPS : 0;
    control |= e->flushes ? FLUSH | DEFAULT_NAN | ALTERNATIVE_HALF : 0;
    write_registers(control | (uint64_t)e->rounding, e->flags ? FLAGS : 0);
}

static void set_default(void)
{
    write_registers(0, 0);
}
#else
#if defined(__GLIBC__) && !defined(__riscv)
#define HAS_TRAPS
#endif

static registers read_registers(void)
{
    const int flags = fetestexcept(FE_ALL_EXCEPT);
    const int control = fegetround();
#ifdef HAS_TRAPS
    return (registers){(uint64_t)control | (uint64_t)(unsigned)fegetexcept() << 32, (uint64_t)flags};
#else
    return (registers){(uint64_t)control, (uint64_t)flags};
#endif
}

static void set_environment(const environment *e)
{
    fesetenv(FE_DFL_ENV);
    fesetround(e->rounding);
    if (e->flags)
        feraiseexcept(FE_ALL_EXCEPT);
    else
        feclearexcept(FE_ALL_EXCEPT);
#ifdef HAS_TRAPS
    if (e->traps)
        feenableexcept(FE_ALL_EXCEPT);
#endif
}

static void set_default(void)
{
    fesetenv(FE_DFL_ENV);
    feclearexcept(FE_ALL_EXCEPT);
}
#endif

/* ---- What calls read and write ---- */

enum { N = 131, ROWS = 3, COLUMNS = 45, LIMIT = 1 << 16, INPUTS = 4 };

static uint8_t inputs[INPUTS][ROWS * COLUMNS * 8];
static uint8_t written[LIMIT];
static size_t n_written;

/* Where a call writes n bytes. */
static void *room(size_t n)
{
    assert_true(n_written + n <= LIMIT);
    n_written += n;
    return written + n_written - n;
}

/* What every call begins with, in the test of what calls load; NULL in others. */
static const dropwise_kernels *chosen;

static void said(dropwise_status status)
{
    memcpy(room(sizeof status), &status, sizeof status);
    if (chosen != NULL)
        atomic_store(&dropwise_active_kernels, chosen);
}

static const void *in(size_t i)
{
    return inputs[i];
}

static ref_dtype tested;
static dropwise_dtype dtype;

static void *elements(void)
{
    return room(ROWS * COLUMNS * ref_bytes(tested));
}

static void *numbers_of_sums(size_t n)
{
    return room(n * (tested == REF_F64 ? sizeof(double) : sizeof(float)));
}

static dropwise_mask mask_p(double p)
{
    dropwise_mask mask;
    memset(&mask, 0, sizeof mask);
    said(dropwise_mask_init(&mask, p, 11, 22));
    memcpy(room(sizeof mask), &mask, sizeof mask);
    return mask;
}

static dropwise_view rows_view(void)
{
    const uint64_t size[] = {ROWS, COLUMNS};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    return view;
}

/* ---- The calls ---- */

static void masks(void)
{
    mask_p(0x1p-41 + 0x1p-80); /* 1 - p is a tie, and so is what it is rounded to */
    mask_p(0.5 + 0x1p-41);
    mask_p(0x1p-1074);
    mask_p(0.1);
    mask_p((double)__builtin_nan(""));
    const double nan = (double)__builtin_nan(""), *const ps[] = {&nan, &nan};
    for (dropwise_status status = DROPWISE_OK; status <= DROPWISE_ERROR_WORKSPACE; status++)
        dropwise_explain(status, "dropwise_concrete_init", (const void *const[]){NULL, ps[0], ps[1]},
                         room(100), 100);
    const dropwise_mask mask = mask_p(0.3);
    uint32_t kept = 0;
    said(dropwise_draw_bits(&mask, 5, N, room(N / 8 + 1)));
    said(dropwise_draw_bytes(&mask, 5, N, room(N)));
    said(dropwise_keeps(&mask, 5, &kept));
    memcpy(room(sizeof kept), &kept, sizeof kept);
}

static void dropout(void)
{
    for (uint32_t scaling = DROPWISE_SCALING_INVERTED; scaling <= DROPWISE_SCALING_STANDARD; scaling++) {
        dropwise_mask mask = mask_p(0.3);
        mask.scaling = scaling;
        uint8_t *bits = room(N / 8 + 1);
        said(dropwise_forward(&mask, dtype, 3, N, in(0), elements(), bits));
        said(dropwise_backward(&mask, dtype, 3, N, in(1), elements(), NULL));
        said(dropwise_backward(&mask, dtype, 3, N, in(1), elements(), bits));
        said(dropwise_infer(&mask, dtype, N, in(0), elements()));
        mask.flags = DROPWISE_ACCUMULATE;
        uint8_t *sum = elements();
        for (int i = 0; i < 3; i++)
            said(dropwise_backward(&mask, dtype, 3, N, in(i), sum, i == 1 ? bits : NULL));
    }
}

/* Of the dtype that they are for. */
static void typed(void)
{
    const dropwise_mask mask = mask_p(0.3);
    switch (dtype) {
    case DROPWISE_F32:
        said(dropwise_forward_f32(&mask, 3, N, in(0), elements(), NULL));
        said(dropwise_backward_f32(&mask, 3, N, in(1), elements(), NULL));
        said(dropwise_infer_f32(&mask, N, in(0), elements()));
        break;
    case DROPWISE_F64:
        said(dropwise_forward_f64(&mask, 3, N, in(0), elements(), NULL));
        said(dropwise_backward_f64(&mask, 3, N, in(1), elements(), NULL));
        said(dropwise_infer_f64(&mask, N, in(0), elements()));
        break;
    case DROPWISE_F16:
        said(dropwise_forward_f16(&mask, 3, N, in(0), elements(), NULL));
        said(dropwise_backward_f16(&mask, 3, N, in(1), elements(), NULL));
        said(dropwise_infer_f16(&mask, N, in(0), elements()));
        break;
    case DROPWISE_BF16:
        said(dropwise_forward_bf16(&mask, 3, N, in(0), elements(), NULL));
        said(dropwise_backward_bf16(&mask, 3, N, in(1), elements(), NULL));
        said(dropwise_infer_bf16(&mask, N, in(0), elements()));
        break;
    default:
        break;
    }
}

static void views(void)
{
    const dropwise_mask mask = mask_p(0.3);
    dropwise_view view = rows_view();
    dropwise_stored stored = {.struct_size = sizeof stored,
                              .form = DROPWISE_FORM_SCALED,
                              .data = elements(),
                              .size = ROWS * COLUMNS * ref_bytes(tested)};
    dropwise_stored bytes = {.struct_size = sizeof bytes,
                             .form = DROPWISE_FORM_BYTES,
                             .data = room(ROWS * COLUMNS),
                             .size = ROWS * COLUMNS};
    said(dropwise_draw_view(&mask, dtype, &view, &stored));
    said(dropwise_convert_stored(&mask, dtype, ROWS, COLUMNS, &stored, &bytes));
    said(dropwise_forward_view(&mask, dtype, &view, in(0), elements(), &stored));
    said(dropwise_backward_view(&mask, dtype, &view, in(1), elements(), &stored));
    said(dropwise_view_share(&view, 1));
    said(dropwise_forward_view(&mask, dtype, &view, in(0), elements(), NULL));
    const uint64_t noise_shape[] = {ROWS, 1}, start[] = {1, 2}, size[] = {2, 20};
    said(dropwise_view_noise_shape(&view, noise_shape));
    said(dropwise_view_shard(&view, start, size));
    said(dropwise_view_pack(&view));
    said(dropwise_backward_view(&mask, dtype, &view, in(1), elements(), NULL));
}

static void fused(void)
{
    const dropwise_mask mask = mask_p(0.3);
    const dropwise_view view = rows_view();
    said(dropwise_residual_forward(&mask, dtype, &view, in(0), in(1), in(2), elements(), NULL));
    void *dx = elements();
    said(dropwise_residual_backward(&mask, dtype, &view, in(0), dx, numbers_of_sums(COLUMNS), NULL));
    for (dropwise_activation a = DROPWISE_RELU; a <= DROPWISE_SILU; a++) {
        said(dropwise_activation_forward(&mask, dtype, &view, a, in(0), in(1), elements(), NULL));
        dx = elements();
        said(dropwise_activation_backward(&mask, dtype, &view, a, in(0), in(1), in(2), dx,
                                          numbers_of_sums(COLUMNS), NULL));
    }
    dropwise_softmax softmax;
    said(dropwise_softmax_init(&softmax, (double)__builtin_inff()));
    said(dropwise_softmax_init(&softmax, 0.3));
    said(dropwise_softmax_forward(&mask, dtype, &view, &softmax, in(0), elements(), elements(), NULL));
    said(dropwise_softmax_backward(&mask, dtype, &view, &softmax, in(0), in(1), elements(), NULL));
}

#ifndef DROPWISE_WITHOUT_ATTENTION
enum { QUERIES = 27, WORKSPACE = 1 << 18 };

/* Numbers that calls take as floats, and so where floats may lie. */
static float floats[6][QUERIES * COLUMNS], workspace[WORKSPACE / 4];

static void write_floats(size_t i, size_t n)
{
    memcpy(room(n * sizeof(float)), floats[i], n * sizeof(float));
}

static void attentions(void)
{
    const dropwise_mask mask = mask_p(0.3);
    for (uint64_t size = 1; size <= 3; size += 2) {
        dropwise_attention a;
        uint64_t bytes = 0;
        said(dropwise_attention_init(&a, 1, 1, 1, QUERIES, COLUMNS, size, 1));
        said(dropwise_attention_workspace(&a, dtype, 1, &bytes));
        assert_true(bytes <= sizeof workspace);
        a.add = in(2);
        a.causal = 1;
        a.causal_offset = 20;
        for (size_t i = 0; i < sizeof floats[0] / sizeof floats[0][0]; i++)
            floats[0][i] = 0;
        void *out = elements();
        said(dropwise_attention_forward(&mask, dtype, &a, in(0), in(1), in(3), out, floats[0], workspace,
                                        sizeof workspace));
        write_floats(0, QUERIES);
        void *dq = elements(), *dk = elements();
        said(dropwise_attention_backward(&mask, dtype, &a, in(0), in(1), in(3), out, floats[0], in(2), dq, dk,
                                         elements(), workspace, sizeof workspace));
    }
}

static void attention_tiles(void)
{
    const dropwise_mask mask = mask_p(0.3);
    dropwise_attention_tile tile;
    uint8_t bits[ROWS * 8];
    memset(&tile, 0, sizeof tile);
    tile.struct_size = sizeof tile;
    tile.rows = ROWS;
    tile.columns = tile.stride = tile.out_stride = COLUMNS;
    tile.bits = bits;
    tile.bits_stride = 8;
    tile.scale = 0.3;
    fill_awkward(REF_F32, floats[0], ROWS * COLUMNS, 5);
    fill_awkward(REF_F32, floats[1], ROWS * COLUMNS, 6);
    fill_awkward(REF_F32, floats[5], ROWS, 7);
    memset(floats[3], 0, sizeof floats[3]);
    memset(floats[4], 0, sizeof floats[4]);
    said(dropwise_draw_bits_rows(&mask, 7, ROWS, COLUMNS, 1000, bits, 8));
    memcpy(room(sizeof bits), bits, sizeof bits);
    float *const top = floats[3], *const sum = top + ROWS, *const shrink = sum + ROWS;
    for (uint32_t first = 2; first-- > 0;)
        said(dropwise_attention_tile_forward(&tile, dtype, first, floats[0], top, sum, shrink, elements()));
    write_floats(3, (size_t)3 * ROWS);
    said(dropwise_attention_rows_end(&mask, dtype, ROWS, COLUMNS, floats[1], COLUMNS, top, sum, elements(),
                                     COLUMNS, floats[4]));
    said(dropwise_attention_delta(dtype, ROWS, COLUMNS, in(0), COLUMNS, in(1), COLUMNS, floats[4] + ROWS));
    write_floats(4, (size_t)2 * ROWS);
    void *probabilities = elements();
    said(dropwise_attention_tile_backward(&mask, &tile, dtype, floats[0], floats[1], floats[4], floats[5],
                                          probabilities, elements()));
}
#endif

static void variants(void)
{
    const dropwise_mask mask = mask_p(0.3);
    const dropwise_view view = rows_view();
    for (what op = 0; op < N_OPERATIONS; op++) {
        void *y = elements();
        last_dlogit = 0;
        said(run(op, &mask, dtype, &view, in(0), in(1), y, elements(), NULL));
        memcpy(room(sizeof last_dlogit), &last_dlogit, sizeof last_dlogit);
    }
}

static void concretes(void)
{
    dropwise_concrete concrete;
    said(dropwise_concrete_init(&concrete, -0.7, 0.3));
    concrete.weight_regularizer = 1e-3;
    concrete.dropout_regularizer = 1e-2;
    concrete.features = 77;
    double results[4] = {0};
    said(dropwise_concrete_probability(&concrete, &results[0]));
    said(dropwise_concrete_regularizer(&concrete, dtype, N, in(0), &results[1], &results[2], &results[3]));
    memcpy(room(sizeof results), results, sizeof results);
}

static void dropconnects(void)
{
    dropwise_mask mask = mask_p(0.3);
    dropwise_dropconnect layer; /* 3 samples, 2 rows of 45 weights */
    said(dropwise_dropconnect_init(&layer, ROWS, 2, COLUMNS));
    said(dropwise_dropconnect_forward(&mask, dtype, &layer, in(0), in(1), in(2), elements()));
    void *dx = elements(), *dw = numbers_of_sums(ROWS * COLUMNS);
    said(
        dropwise_dropconnect_backward(&mask, dtype, &layer, in(0), in(1), in(2), dx, dw, numbers_of_sums(2)));
    mask.scaling = DROPWISE_SCALING_STANDARD;
    void *mean = numbers_of_sums(ROWS * 2), *variance = numbers_of_sums(ROWS * 2);
    said(dropwise_dropconnect_moments(&mask, dtype, &layer, in(0), in(1), in(2), mean, variance));
    said(dropwise_dropconnect_sample(&mask, dtype, 5, ROWS * 2, mean, variance, elements()));
}

static void dropblocks(void)
{
    dropwise_mask mask = mask_p(0.05);
    const uint64_t size[] = {ROWS, 5, 9};
    dropwise_view view;
    said(dropwise_view_init(&view, 3, size));
    dropwise_dropblock block;
    said(dropwise_dropblock_init(&block, &view, 6, 3));
    double gamma = 0;
    uint64_t entries = 0, kept = 0;
    said(dropwise_dropblock_gamma(&block, &view, 0.3, &gamma));
    memcpy(room(sizeof gamma), &gamma, sizeof gamma);
    said(dropwise_dropblock_entries(&view, &entries));
    uint8_t *bits = room((ROWS * COLUMNS + 7) / 8);
    said(dropwise_dropblock_draw(&mask, &block, &view, bits, &kept));
    said(dropwise_dropblock_apply(dtype, &view, 1.3, bits, in(0), elements()));
    said(dropwise_dropblock_forward(&mask, dtype, &block, &view, in(0), elements(), bits));
    said(dropwise_dropblock_backward(&mask, dtype, &view, in(1), elements(), bits));
}

static void interops(void)
{
    static const double rates[] = {0.5 + 0x1p-25, 0.6, 0.7, 2.0 / 3.0}; /* 1 - p is exact, as it is ours */
    for (uint32_t layout = 1; layout < DROPWISE_LAYOUT_COUNT; layout++)
        for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
            const ref_interop r = {.layout = layout,
                                   .seed = 7,
                                   .seed2 = 9,
                                   .p = rates[i],
                                   .draws = tested,
                                   .dtype = tested,
                                   .size = 1000,
                                   .threads = 256,
                                   .vector = 4,
                                   .rows = 128,
                                   .columns = 128};
            dropwise_interop interop;
            dropwise_mask mask;
            memset(&interop, 0, sizeof interop);
            memset(&mask, 0, sizeof mask);
            said(make_interop(&r, &interop));
            memcpy(room(sizeof interop), &interop, sizeof interop);
            said(dropwise_interop_mask(&interop, &mask));
            said(dropwise_interop_bits(&interop, 0, 20, room(3)));
            said(dropwise_interop_forward(&interop, dtype, 0, 20, in(0), room(20 * ref_bytes(tested)), NULL));
        }
}

static void torch_cpus(void)
{
    dropwise_mt19937 engine;
    uint8_t state[DROPWISE_TORCH_STATE_BYTES] = {0};
    uint32_t numbers[5];
    static dropwise_mt19937_jump jump;
    state[8] = state[12] = 1;
    said(dropwise_mt19937_seed(&engine, 5));
    said(dropwise_mt19937_to_torch(&engine, state, sizeof state));
    said(dropwise_mt19937_from_torch(&engine, state, sizeof state));
    said(dropwise_mt19937_words(&engine, 5, numbers));
    said(dropwise_mt19937_skip(&engine, 1000));
    said(dropwise_mt19937_jump_init(&jump, 1));
    said(dropwise_mt19937_make_jump(&engine, &jump));
    memcpy(room(sizeof numbers), numbers, sizeof numbers);
    if (tested > REF_BF16)
        return;
    uint8_t *bits = room(3);
    said(dropwise_torch_cpu_bits(&engine, 0.6, 20, bits));
    said(dropwise_torch_cpu_forward(&engine, dtype, 0.7, 20, in(0), room(20 * ref_bytes(tested)), bits));
    said(dropwise_torch_cpu_apply(dtype, 2.0 / 3.0, 20, bits, in(0), room(20 * ref_bytes(tested))));
    memcpy(room(sizeof engine), &engine, sizeof engine);
}

static void launches(void)
{
    uint32_t key[2] = {1, 2}, rbg_key[4] = {1, 2, 3, 4}, threads = 0, vector = 0;
    uint64_t step = 0, numpy_key[2], increment[2];
    said(dropwise_jax_key(5, key));
    said(dropwise_jax_fold_in(key, 6, key));
    said(dropwise_jax_split(key, 1, key));
    said(dropwise_jax_split_legacy(key, 4, 1, key));
    said(dropwise_jax_unsafe_rbg_split(rbg_key, 1, rbg_key));
    said(dropwise_jax_unsafe_rbg_fold_in(rbg_key, 6, rbg_key));
    said(dropwise_jax_linen_key(key, "a/b", 1, 1, key));
    said(dropwise_jax_nnx_key(key, 1, 2, key));
    said(dropwise_jax_haiku_key(key, 2, key));
    said(dropwise_jax_keras_key(key[0], 2, key));
    said(dropwise_numpy_key(5, numpy_key));
    said(dropwise_numpy_pcg64_seed(5, numpy_key, increment));
    said(dropwise_torch_cuda_launch(DROPWISE_F32, 100000, 80, 1024, &threads, &vector, &step));
    said(dropwise_onnx_runtime_launch(100000, 80, 1024, &threads, &step));
    said(dropwise_deepspeed_launch(100000, &threads, &step));
    memcpy(room(sizeof key), key, sizeof key);
    memcpy(room(sizeof numpy_key), numpy_key, sizeof numpy_key);
}

static void words(void)
{
    assert_non_null(dropwise_status_string(DROPWISE_OK));
    assert_non_null(dropwise_version());
    assert_non_null(dropwise_part_name(0));
    assert_non_null(dropwise_generator_name(DROPWISE_PHILOX4X32_10));
    assert_non_null(dropwise_layout_name(1));
    assert_non_null(dropwise_isa_name(dropwise_isa_active()));
    assert_non_null(dropwise_isa_reason());
    assert_non_null(dropwise_aes_name());
    assert_non_null(dropwise_aes_reason());
    assert_non_null(dropwise_math_reason());
    said(dropwise_math_check());
    assert_non_null(dropwise_cpu_feature_name(0));
    (void)dropwise_cpu_features();
    said(dropwise_isa_check(dropwise_isa_active()));
    said(dropwise_isa_select(dropwise_isa_active()));
}

typedef struct calls {
    void (*run)(void);
    const char *name;
} calls;

static const calls all_calls[] = {
    {masks, "masks"},
    {dropout, "dropout"},
    {typed, "typed"},
    {views, "views"},
    {fused, "fused steps"},
#ifndef DROPWISE_WITHOUT_ATTENTION
    {attentions, "attention"},
    {attention_tiles, "attention by tiles"},
#endif
    {variants, "variants"},
    {concretes, "concrete dropout"},
    {dropconnects, "DropConnect"},
    {dropblocks, "DropBlock"},
    {interops, "masks of other systems"},
    {torch_cpus, "PyTorch on a CPU"},
    {launches, "keys and launches"},
    {words, "words"},
};

enum { N_CALLS = sizeof all_calls / sizeof all_calls[0] };

/* What lists call: every layout's constructor, every variant. */
static const char *const called_by_lists[] = {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    "dropwise_interop_" #constructor "(",
#include "interop/layouts.inc"
#define DROPWISE_VARIANT(NAME, function, inputs, outputs, nan, traits, arguments) "dropwise_" #function "(",
#include "support/variants.inc"
};

/* A function's name, with the parenthesis behind it. */
static bool is_called(const char *call)
{
    for (size_t i = 0; i < sizeof called_by_lists / sizeof called_by_lists[0]; i++)
        if (strcmp(called_by_lists[i], call) == 0)
            return true;
    return strstr(calls_of_test, call) != NULL;
}

static void every_declared_function_is_called_here(void **state)
{
    (void)state;
    static const char prefix[] = "\nDROPWISE_API";
    const char *const headers[] = {declared,
#ifndef DROPWISE_WITHOUT_ATTENTION
                                   declared_attention,
#endif
                                   declared_dropblock, declared_dropconnect, declared_fused,
                                   declared_interop,   declared_variants};
    size_t found = 0;
    for (size_t h = 0; h < sizeof headers / sizeof headers[0]; h++)
        for (const char *at = strstr(headers[h], prefix); at != NULL; at = strstr(at, prefix), found++) {
            char call[100];
            at += strlen(prefix);
            const size_t end = strcspn(at, "(");
            size_t name = end;
            while (at[name - 1] != ' ' && at[name - 1] != '*')
                name--;
            snprintf(call, sizeof call, "%.*s", (int)(end + 1 - name), at + name);
            if (!is_called(call))
                fail_msg("%s) is not called in this program", call);
        }
    assert_true(found > 80);
}

/* ---- The comparison ---- */

/* Before each test, as one that failed may have left another environment. */
static int begin(void **state)
{
    (void)state;
    set_default();
    return 0;
}

static void make(const calls *c)
{
    memset(written, 0xA5, sizeof written);
    n_written = 0;
    c->run();
}

static void check_environment(const calls *c, const environment *e, const uint8_t *expected)
{
    const dropwise_isa isa = dropwise_isa_active();
    set_environment(e);
    const registers before = read_registers();
    make(c);
    const registers after = read_registers();
    set_default();
    assert_same_bytes(written, expected, sizeof written, "%s: %s, %s, calls of %s", dropwise_isa_name(isa),
                      e->name, dtype_name(tested), c->name);
    if (after.control != before.control || after.flags != before.flags)
        fail_msg("%s: %s, %s, calls of %s: control %#llx became %#llx, flags %#llx became %#llx",
                 dropwise_isa_name(isa), e->name, dtype_name(tested), c->name,
                 (unsigned long long)before.control, (unsigned long long)after.control,
                 (unsigned long long)before.flags, (unsigned long long)after.flags);
}

/* Under the default environment on the scalar tier and on this one, then under all others. */
static void check_calls(const calls *c)
{
    static uint8_t by_scalar[LIMIT], expected[LIMIT];
    const dropwise_isa isa = dropwise_isa_active();
    set_default();
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_SCALAR), DROPWISE_OK);
    make(c);
    memcpy(by_scalar, written, sizeof by_scalar);
    assert_int_equal(dropwise_isa_select(isa), DROPWISE_OK);
    make(c);
    memcpy(expected, written, sizeof expected);
    assert_same_bytes(expected, by_scalar, sizeof expected, "%s differs from scalar: %s, calls of %s",
                      dropwise_isa_name(isa), dtype_name(tested), c->name);
    for (size_t e = 0; e < sizeof environments / sizeof environments[0]; e++)
        check_environment(c, &environments[e], expected);
}

static void in_any_environment_calls_give_the_same_bytes_on_all_tiers_and_leave_it(void **state)
{
    (void)state;
    for (int d = 0; d < REF_DTYPES; d++) {
        tested = (ref_dtype)d;
        dtype = dtype_number(tested);
        for (size_t i = 0; i < INPUTS; i++)
            fill_awkward(tested, inputs[i], ROWS * COLUMNS, 100 + i);
        for (size_t i = 0; i < N_CALLS; i++)
            check_calls(&all_calls[i]);
    }
}

/* ---- One tier in a call ---- */

/*
 * The scalar tier, whose first kernels of a call choose another tier, as another thread might: one without
 * any kernel. A call that loaded the tier again would end there.
 */
static dropwise_kernels choosing, without_kernels;

static void choose_another(void)
{
    atomic_store(&dropwise_active_kernels, &without_kernels);
}

static void prepare(const dropwise_key *key, uint32_t high, dropwise_schedule *schedule)
{
    choose_another();
    dropwise_kernels_scalar.philox4x32_10.prepare(key, high, schedule);
}

static void generate(const dropwise_key *key, uint64_t counter, size_t n_blocks, void *bytes)
{
    choose_another();
    dropwise_kernels_scalar.philox4x32_10.generate(key, counter, n_blocks, bytes);
}

static void generate_at(const dropwise_key *key, const uint64_t *counters, size_t n_blocks, void *bytes)
{
    choose_another();
    dropwise_kernels_scalar.philox4x32_10.generate_at(key, counters, n_blocks, bytes);
}

static void scale_kept(const void *bits, size_t n, const void *p, void *y, const void *scale)
{
    choose_another();
    dropwise_kernels_scalar.scale_kept_f32(bits, n, p, y, scale);
}

static void widen(size_t n, const void *p, float *out)
{
    choose_another();
    dropwise_kernels_scalar.widen_bf16(n, p, out);
}

static void philox_words(const dropwise_counters *counters, size_t n_blocks, void *out)
{
    choose_another();
    dropwise_kernels_scalar.words_philox4x32_10(counters, n_blocks, out);
}

static void threefry_planes(const dropwise_counters *counters, size_t n_blocks, void *out)
{
    choose_another();
    dropwise_kernels_scalar.words_threefry2x32_20_planes(counters, n_blocks, out);
}

static void a_call_keeps_to_the_tier_it_began_with(void **state)
{
    (void)state;
    choosing = dropwise_kernels_scalar;
    choosing.philox4x32_10.prepare = prepare;
    choosing.philox4x32_10.generate = generate;
    choosing.philox4x32_10.generate_at = generate_at;
    choosing.scale_kept_f32 = scale_kept;
    choosing.widen_bf16 = widen;
    choosing.words_philox4x32_10 = philox_words;
    choosing.words_threefry2x32_20_planes = threefry_planes;
    without_kernels.isa = DROPWISE_ISA_SCALAR;
    static const ref_dtype dtypes[] = {REF_F32, REF_F64, REF_BF16};
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        tested = dtypes[d];
        dtype = dtype_number(tested);
        for (size_t i = 0; i < N_CALLS; i++) {
            if (all_calls[i].run == words) /* chooses itself */
                continue;
            static uint8_t expected[LIMIT];
            assert_int_equal(dropwise_isa_select(DROPWISE_ISA_SCALAR), DROPWISE_OK);
            make(&all_calls[i]);
            memcpy(expected, written, sizeof expected);
            chosen = &choosing;
            atomic_store(&dropwise_active_kernels, chosen);
            make(&all_calls[i]);
            chosen = NULL;
            assert_same_bytes(written, expected, sizeof written, "%s, calls of %s", dtype_name(tested),
                              all_calls[i].name);
        }
    }
    /* Long rows, which go by ways of their own. */
    enum { LONG = 5000 };
    static float x[2 * LONG], y[2 * LONG];
    const uint64_t size[] = {2, LONG - 1};
    dropwise_view view;
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.3, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    view.x_stride[0] = view.y_stride[0] = LONG;
    atomic_store(&dropwise_active_kernels, &choosing);
    assert_int_equal(dropwise_forward_view(&mask, DROPWISE_F32, &view, x, y, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_AUTO), DROPWISE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_declared_function_is_called_here),
        cmocka_unit_test_setup(in_any_environment_calls_give_the_same_bytes_on_all_tiers_and_leave_it, begin),
        cmocka_unit_test_setup(a_call_keeps_to_the_tier_it_began_with, begin),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
