/*
 * How much of the stack calls use, which dropwise.h promises: what lies below a call's frame is painted
 * before it, and looked at afterwards. For compilers that optimize and add nothing of their own.
 */
#include "support/common.h"
#include "dropwise_attention.h"
#include "dropwise_fused.h"
#include "dropwise_interop.h"
#include "dropwise_variants.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SANITIZER
#endif
#endif
/* On 32-bit x86 the frames of the two functions below do not lie alike. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(HAS_SANITIZER) || \
    !defined(__OPTIMIZE__) || defined(__i386__)
#define HAS_LARGE_FRAMES true
#else
#define HAS_LARGE_FRAMES false
#endif

/* Painted words, of which the highest ones are where the frames of this file's own functions are. */
enum { PAINTED = 24 << 10, OWN = 32 };

static const uint64_t paint = UINT64_C(0xA5A55A5AA5A55A5A);

/* The frame ends with the function, and what is in it stays. */
static __attribute__((noinline)) void paint_stack(void)
{
    uint64_t words[PAINTED];
    for (size_t i = 0; i < PAINTED; i++)
        words[i] = paint;
    __asm__ volatile("" : : "r"(words) : "memory"); /* as if somebody read them */
}

/* The same frame again: from where on the paint is gone. */
static __attribute__((noinline)) size_t used_stack(void)
{
    uint64_t words[PAINTED];
    __asm__ volatile("" : : "r"(words) : "memory"); /* as if somebody wrote them */
    size_t i = 0;
    while (i < PAINTED && words[i] == paint)
        i++;
    return (PAINTED - i) * sizeof words[0];
}

enum { ROWS = 40, COLUMNS = 60, LONG = 1000, GAP = 37, ELEMENTS = ROWS * LONG };

static double x[ELEMENTS], y[ELEMENTS], sums[LONG], stored_bits[ELEMENTS / 64 + ROWS];

static dropwise_mask mask;
static dropwise_view view;
static dropwise_stored stored;

/* A tile of a mask, with a gap between its rows; y is dense, or transposed. */
static void make_tile(uint64_t rows, uint64_t columns, uint64_t gap, bool transposed)
{
    const uint64_t size[] = {rows, columns};
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    view.mask_stride[0] = (int64_t)(columns + gap);
    if (transposed) {
        view.y_stride[0] = 1;
        view.y_stride[1] = (int64_t)rows;
    }
    stored = (dropwise_stored){.struct_size = sizeof stored,
                               .form = DROPWISE_FORM_BITS,
                               .data = stored_bits,
                               .size = sizeof stored_bits};
}

typedef dropwise_status some_call(dropwise_dtype dtype);

static dropwise_status range(dropwise_dtype dtype)
{
    return dropwise_forward(&mask, dtype, 5, ELEMENTS, x, y, NULL);
}

static dropwise_status plain_view(dropwise_dtype dtype)
{
    return dropwise_forward_view(&mask, dtype, &view, x, y, NULL);
}

static dropwise_status added_range(dropwise_dtype dtype)
{
    mask.flags = DROPWISE_ACCUMULATE;
    return dropwise_backward(&mask, dtype, 5, ELEMENTS, x, y, NULL);
}

static dropwise_status added_view(dropwise_dtype dtype)
{
    mask.flags = DROPWISE_ACCUMULATE;
    return dropwise_backward_view(&mask, dtype, &view, x, y, NULL);
}

static dropwise_status view_and_mask(dropwise_dtype dtype)
{
    return dropwise_forward_view(&mask, dtype, &view, x, y, &stored);
}

static dropwise_status residual(dropwise_dtype dtype)
{
    return dropwise_residual_forward(&mask, dtype, &view, x, x, NULL, y, &stored);
}

static dropwise_status residual_gradient(dropwise_dtype dtype)
{
    return dropwise_residual_backward(&mask, dtype, &view, x, y, sums, NULL);
}

static dropwise_status added_gradient(dropwise_dtype dtype)
{
    mask.flags = DROPWISE_ACCUMULATE;
    return residual_gradient(dtype);
}

static dropwise_status softmax(dropwise_dtype dtype)
{
    dropwise_softmax how;
    dropwise_softmax_init(&how, 1.0);
    return dropwise_softmax_forward(&mask, dtype, &view, &how, x, NULL, y, &stored);
}

static dropwise_status alpha(dropwise_dtype dtype)
{
    return dropwise_alpha_forward(&mask, dtype, &view, x, y, &stored);
}

#ifndef DROPWISE_WITHOUT_ATTENTION
enum { QUERIES = 40, SIZE = 24, WORKSPACE = 1 << 20 };

static float q[ROWS * LONG], workspace[WORKSPACE / sizeof(float)];
static uint64_t keys, mask_row;

/* Of the types that it has. */
static dropwise_status attention(dropwise_dtype dtype)
{
    dropwise_attention a;
    dropwise_status status = dropwise_attention_init(&a, 1, 1, 1, QUERIES, keys, SIZE, SIZE);
    a.mask_stride[2] = mask_row;
    a.add = q;
    a.causal = 1;
    a.causal_offset = (int64_t)keys;
    if (dtype != DROPWISE_F32 && dtype != DROPWISE_F16 && dtype != DROPWISE_BF16)
        return status;
    if (status == DROPWISE_OK)
        status = dropwise_attention_forward(&mask, dtype, &a, q, q, q, y, (float *)(void *)sums, workspace,
                                            sizeof workspace);
    return status == DROPWISE_OK
               ? dropwise_attention_backward(&mask, dtype, &a, q, q, q, q, (float *)(void *)sums, q, y,
                                             y + QUERIES * SIZE, x, workspace, sizeof workspace)
               : status;
}
#endif

#ifndef DROPWISE_WITHOUT_INTEROP
/* Generators with a state, far on. */
static dropwise_status systems(dropwise_dtype dtype)
{
    dropwise_interop made[3];
    dropwise_status status = dropwise_interop_mxnet_cpu(&made[0], DROPWISE_F64, 5, 1000000, 3, 0.1);
    if (status == DROPWISE_OK)
        status = dropwise_interop_paddle_cpu(&made[1], DROPWISE_F32, 5, 1000000, 0.1);
    if (status == DROPWISE_OK)
        status = dropwise_interop_torch_cpu(&made[2], DROPWISE_F32, 5, 1000000, 0.1);
    for (int i = 0; i < 3 && status == DROPWISE_OK; i++)
        status = dropwise_interop_forward(&made[i], dtype, 100, ELEMENTS, x, y, stored_bits);
    return status;
}
#endif

/* The second of two calls counts: the first one may bind functions and choose tables. */
static void assert_stack(const char *name, some_call *call, size_t most)
{
    for (uint32_t generator = DROPWISE_PHILOX4X32_10; generator <= DROPWISE_ARS4X32_7; generator++) {
        for (dropwise_dtype dtype = DROPWISE_F32; dtype <= DROPWISE_F8_E5M2_SAT; dtype++) {
            if (call == softmax && dtype == DROPWISE_F64 && !has_math())
                continue;
            assert_int_equal(dropwise_mask_init(&mask, 0.1, 1, 2), DROPWISE_OK);
            mask.generator = generator;
            assert_int_equal(call(dtype), DROPWISE_OK);
            paint_stack();
            const dropwise_status status = call(dtype);
            const size_t used = used_stack();
            assert_int_equal(status, DROPWISE_OK);
            if (used > most + OWN * sizeof paint)
                fail_msg("%s of dtype %d with %s: %zu bytes of the stack", name, dtype,
                         dropwise_generator_name(generator), used);
        }
    }
}

static void calls_use_no_more_of_the_stack_than_the_header_says(void **state)
{
    (void)state;
    if (HAS_LARGE_FRAMES)
        skip();
    assert_stack("a range", range, 32 << 10);
    assert_stack("a range that is added", added_range, 32 << 10);
    for (size_t i = 0; i < 8; i++) {
        make_tile(ROWS, i % 2 == 0 ? COLUMNS : LONG, i / 2 % 2 == 0 ? GAP : 0, i / 4 == 1);
        assert_stack("a view", plain_view, 32 << 10);
        assert_stack("a view that is added", added_view, 32 << 10);
        assert_stack("a view and its mask", view_and_mask, 32 << 10);
    }
    for (size_t i = 0; i < 4; i++) {
        make_tile(ROWS, i % 2 == 0 ? COLUMNS : LONG, i / 2 % 2 == 0 ? GAP : 0, false);
        assert_stack("a residual and its mask", residual, 64 << 10);
        assert_stack("gradients of a residual", residual_gradient, 64 << 10);
        assert_stack("gradients that are added", added_gradient, 64 << 10);
        assert_stack("alpha dropout and its mask", alpha, 64 << 10);
        assert_stack("softmax and its mask", softmax, 64 << 10);
    }
#ifndef DROPWISE_WITHOUT_INTEROP
    assert_stack("masks of other systems", systems, 64 << 10);
#endif
#ifndef DROPWISE_WITHOUT_ATTENTION
    for (size_t i = 0; i < 4; i++) {
        keys = i % 2 == 0 ? COLUMNS : LONG - 1;
        mask_row = i / 2 == 0 ? keys : keys + GAP;
        assert_stack("attention", attention, 64 << 10);
    }
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_use_no_more_of_the_stack_than_the_header_says),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
