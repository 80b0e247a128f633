/*
 * DROPWISE_ACCUMULATE: every backward function adds what it writes without the flag, rounded once, and leaves
 * alone what is dropped, in ranges and views, with stored masks, in place; forward functions ignore the flag.
 *
 * What is added is known from the same call in f32, or f64, without the flag, which other tests hold against
 * the oracle; the sum is made here, in double.
 */
#include <math.h>

#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "dropwise_variants.h"
#ifndef DROPWISE_WITHOUT_ATTENTION
#include "dropwise_attention.h"
#endif
#include "support/tensors.h"

enum { DY, X, DX, DX2, TENSORS };
static uint8_t tensor[TENSORS][8 * MAX_N], wide[TENSORS][8 * MAX_N], expected[2][8 * MAX_N];
static uint8_t stored_mask[8 * MAX_N], block_bits[MAX_N];
static uint8_t bias[8 * MAX_N], wide_bias[8 * MAX_N];
static double sums[MAX_N], wide_sums[MAX_N]; /* dbias and dlogit, of either type */

static dropwise_mask accumulating(double p)
{
    dropwise_mask mask = mask_of(p);
    mask.flags = DROPWISE_ACCUMULATE;
    return mask;
}

static ref_dtype real_of(ref_dtype dtype)
{
    return dtype == REF_F64 ? REF_F64 : REF_F32;
}

/* The same numbers in the type that is computed in. */
static void widen(ref_dtype dtype, const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(real_of(dtype), to, (int64_t)i, get(dtype, from, (int64_t)i));
}

/* Element i of y grows by g, as the header says. */
static void add(ref_dtype dtype, uint8_t *y, int64_t i, double g)
{
    const double sum = computed(dtype, get(dtype, y, i) + g);
    put(dtype, y, i, isnan(sum) ? (double)NAN : sum);
}

/* ---- Functions on views ---- */

typedef enum what {
    VIEW,
    RESIDUAL,
    RELU,
    GELU,
    GELU_TANH,
    SILU,
    SOFTMAX,
    CAUSAL,
    ALPHA,
    ZONEOUT,
    GAUSSIAN,
    CONCRETE,
    DROPBLOCK,
    OPERATIONS
} what;

static bool needs_functions(what op)
{
    return op == GAUSSIAN || op == CONCRETE || (op >= GELU && op <= CAUSAL);
}

static bool has_stored(what op)
{
    return op != GAUSSIAN && op != CONCRETE && op != DROPBLOCK;
}

/* Tensors as a call gets them: of the dtype itself, or widened. */
typedef struct tensors {
    uint8_t (*t)[8 * MAX_N];
    const uint8_t *bias;
    double *sums;
} tensors;

static dropwise_status run(what op, const dropwise_mask *mask, ref_dtype dtype, const dropwise_view *v,
                           const tensors *of, const dropwise_stored *stored)
{
    const dropwise_dtype d = dtype_number(dtype);
    const uint8_t *dy = of->t[DY], *x = of->t[X];
    uint8_t *dx = of->t[DX];
    dropwise_softmax softmax;
    dropwise_concrete concrete;
    switch (op) {
    case VIEW:
        return dropwise_backward_view(mask, d, v, dy, dx, stored);
    case RESIDUAL:
        return dropwise_residual_backward(mask, d, v, dy, dx, of->sums, stored);
    case RELU:
    case GELU:
    case GELU_TANH:
    case SILU:
        return dropwise_activation_backward(mask, d, v, DROPWISE_RELU + (int)(op - RELU), dy, x, of->bias, dx,
                                            of->sums, stored);
    case SOFTMAX:
    case CAUSAL:
        assert_int_equal(dropwise_softmax_init(&softmax, 0.25), DROPWISE_OK);
        softmax.causal = op == CAUSAL;
        softmax.causal_offset = 2;
        return dropwise_softmax_backward(mask, d, v, &softmax, dy, x, dx, stored);
    case ALPHA:
        return dropwise_alpha_backward(mask, d, v, dy, dx, stored);
    case ZONEOUT:
        return dropwise_zoneout_backward(mask, d, v, dy, dx, of->t[DX2], stored);
    case GAUSSIAN:
        return dropwise_gaussian_backward(mask, d, v, dy, dx);
    case CONCRETE:
        assert_int_equal(dropwise_concrete_init(&concrete, -0.8, 0.5), DROPWISE_OK);
        return dropwise_concrete_backward(mask, d, v, &concrete, dy, x, dx, of->sums);
    default:
        return dropwise_dropblock_backward(mask, d, v, dy, dx, block_bits);
    }
}

/* Whether the gradient of element i is dropped, so that what it would be added to stays as it is. */
static bool is_dropped(what op, const dropwise_view *v, uint64_t i, bool second_output)
{
    uint64_t entry = 0, left = i, at[DROPWISE_MAX_RANK];
    switch (op) {
    case SOFTMAX:
    case GAUSSIAN:
    case CONCRETE:
        return false;
    case CAUSAL:
        return i % where.columns > i / where.columns % v->size[v->rank - 2] + 2;
    case DROPBLOCK:
        for (uint32_t d = v->rank; d-- > 0; left /= v->size[d])
            at[d] = left % v->size[d];
        for (uint32_t d = 0; d < v->rank; d++)
            if (v->mask_stride[d] != 0)
                entry = entry * v->size[d] + at[d];
        return (block_bits[entry / 8] >> entry % 8 & 1) == 0;
    default:
        return where.keep[i] == second_output;
    }
}

static void draw_blocks(const dropwise_mask *mask, const dropwise_view *v)
{
    dropwise_dropblock block;
    uint64_t kept;
    assert_int_equal(dropwise_dropblock_init(&block, v, 0, 1), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_draw(mask, &block, v, block_bits, &kept), DROPWISE_OK);
}

static dropwise_stored stored_of(const dropwise_mask *mask, ref_dtype dtype, const dropwise_view *v,
                                 uint32_t form)
{
    dropwise_stored stored = {
        .struct_size = sizeof stored, .form = form, .data = stored_mask, .size = sizeof stored_mask};
    assert_int_equal(dropwise_draw_view(mask, dtype_number(dtype), v, &stored), DROPWISE_OK);
    return stored;
}

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void view_case(what op, ref_dtype dtype, const dropwise_view *v, double p, uint32_t form)
{
    const dropwise_mask mask = mask_of(p), adding = accumulating(p);
    const size_t bytes = ref_bytes(dtype);
    lay_out(v, p);
    size_t used = where.columns; /* places, and some behind them */
    for (uint64_t i = 0; i < where.n; i++)
        used = (size_t)max_i64((int64_t)used, max_i64(where.x_at[i], where.y_at[i]));
    used += 100;
    for (int t = 0; t < TENSORS; t++)
        fill(dtype, tensor[t], (int64_t)used, (uint64_t)(t + 1));
    fill(dtype, bias, (int64_t)used, 99);
    for (int t = 0; t < DX; t++)
        widen(dtype, tensor[t], wide[t], used);
    widen(dtype, bias, wide_bias, used);
    memset(wide[DX], 0, 8 * used);
    memset(wide[DX2], 0, 8 * used);
    if (op == DROPBLOCK)
        draw_blocks(&mask, v);
    const ref_dtype real = real_of(dtype);
    dropwise_stored stored;
    const dropwise_stored *of_wide = NULL;
    if (form != 0) {
        stored = stored_of(&mask, real, v, form);
        of_wide = &stored;
    }
    const tensors in_wide = {wide, wide_bias, wide_sums};
    assert_int_equal(run(op, &mask, real, v, &in_wide, of_wide), DROPWISE_OK);

    fill_awkward(dtype, tensor[DX], used, 5);
    fill_awkward(dtype, tensor[DX2], used, 6);
    for (size_t i = 0; i < used; i++) {
        const double v0 = (double)i / 16; /* exact in f32, too */
        put(op == CONCRETE ? REF_F64 : real, (uint8_t *)sums, (int64_t)i, v0);
    }
    memcpy(expected[0], tensor[DX], used * bytes);
    memcpy(expected[1], tensor[DX2], used * bytes);
    for (uint64_t i = 0; i < where.n; i++) {
        if (!is_dropped(op, v, i, false))
            add(dtype, expected[0], where.y_at[i], get(real, wide[DX], where.y_at[i]));
        if (op == ZONEOUT && !is_dropped(op, v, i, true))
            add(dtype, expected[1], where.y_at[i], get(real, wide[DX2], where.y_at[i]));
    }
    if (form != 0)
        stored = stored_of(&mask, dtype, v, form);
    const tensors in = {tensor, bias, sums};
    assert_int_equal(run(op, &adding, dtype, v, &in, of_wide), DROPWISE_OK);
    assert_same_bytes(tensor[DX], expected[0], used * bytes, "operation %d, %s, rank %u, p %g, form %u",
                      (int)op, dtype_name(dtype), v->rank, p, form);
    assert_same_bytes(tensor[DX2], expected[1], used * bytes, "operation %d, %s, second output", (int)op,
                      dtype_name(dtype));
    const size_t n_sums = op >= RESIDUAL && op <= SILU ? where.columns : op == CONCRETE;
    const ref_dtype of_sums = op == CONCRETE ? REF_F64 : real;
    for (size_t i = 0; i < n_sums; i++) {
        const double g = get(of_sums, (const uint8_t *)wide_sums, (int64_t)i);
        assert_true(get(of_sums, (const uint8_t *)sums, (int64_t)i) == computed(of_sums, (double)i / 16 + g));
    }
}

/* A number of a type, of which some layers have few. */
static const ref_dtype dtypes[] = {REF_F32, REF_F64, REF_F16, REF_BF16, REF_F8_E4M3, REF_F8_E5M2};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

static bool can_run(what op, ref_dtype dtype, const dropwise_view *v)
{
    if (op == CAUSAL && v->rank < 2)
        return false;
    return !needs_functions(op) || has_functions(dtype);
}

static void views_accumulate(void **state)
{
    (void)state;
    make_views();
    for (what op = 0; op < OPERATIONS; op++)
        for (int k = 0; k < N_VIEWS; k += quick() ? 3 : 1)
            for (int d = 0; d < DTYPES; d++)
                if (can_run(op, dtypes[d], &views[k]))
                    view_case(op, dtypes[d], &views[k], 0.3, 0);
}

static void stored_masks_accumulate(void **state)
{
    (void)state;
    make_views();
    for (what op = 0; op < OPERATIONS; op++)
        for (uint32_t form = DROPWISE_FORM_BITS; form <= DROPWISE_FORM_SCALED; form++)
            for (int d = 0; d < DTYPES; d++)
                if (has_stored(op) && can_run(op, dtypes[d], &views[form]))
                    view_case(op, dtypes[d], &views[form], 0.3, form);
}

static void constant_masks_accumulate(void **state)
{
    (void)state;
    make_views();
    for (what op = 0; op < OPERATIONS; op++)
        for (int p = 0; p < 2; p++)
            for (int d = 0; d < DTYPES; d++)
                if (can_run(op, dtypes[d], &views[3]) && !(op == GAUSSIAN && p == 1)) {
                    view_case(op, dtypes[d], &views[0], p, 0);
                    view_case(op, dtypes[d], &views[3], p, 0);
                }
}

/* Elements that lie apart are gathered; columns that lie together in other tensors share a decision. */
static void strides_of_all_kinds_accumulate(void **state)
{
    (void)state;
    static const uint64_t size[3] = {6, 17, 40};
    for (unsigned kind = 0; kind < 4; kind++) {
        dropwise_view v = view_of(3, size, kind == 3 ? 1u << 2 : 0);
        for (uint32_t d = 0; d < 3 && kind != 3; d++)
            v.y_stride[d] *= 2;
        if (kind == 1)
            v.x_stride[2] = 17, v.x_stride[1] = 1;
        if (kind == 2)
            v.y_stride[1] = 2, v.y_stride[2] = 34;
        for (int d = 0; d < DTYPES; d++) {
            view_case(VIEW, dtypes[d], &v, 0.4, 0);
            view_case(DROPBLOCK, dtypes[d], &v, 0.4, 0);
        }
    }
}

/* Outputs that are dy: what they grow by is what dy was before. */
static void outputs_in_place_accumulate(void **state)
{
    (void)state;
    static const uint64_t size[2] = {5, 700};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask adding = accumulating(0.4);
    const int64_t n = 5 * 700;
    lay_out(&v, 0.4);
    const ref_mask ref = ref_mask_of(0.4, SEED, STREAM);
    for (int d = 0; d < DTYPES; d++) {
        const ref_dtype dtype = dtypes[d];
        const dropwise_dtype number = dtype_number(dtype);
        const double scale = computed(dtype, ref_inverted_scale(&ref));
        fill(dtype, tensor[X], n, 1);
        for (int call = 0; call < 4; call++) {
            const bool by_zoneout = call >= 2, second = call == 3;
            uint8_t *dh = tensor[second ? DX2 : DX], *dbefore = tensor[second ? DX : DX2];
            memcpy(tensor[DX], tensor[X], sizeof tensor[DX]);
            memcpy(expected[0], tensor[X], sizeof expected[0]);
            for (int64_t i = 0; i < n; i++)
                if (where.keep[i] != second)
                    add(dtype, expected[0], i,
                        computed(dtype, get(dtype, tensor[X], i) * (by_zoneout ? 1 : scale)));
            fill(dtype, tensor[DX2], n, 2);
            const dropwise_status status =
                by_zoneout ? dropwise_zoneout_backward(&adding, number, &v, tensor[DX], dh, dbefore, NULL)
                : call == 0
                    ? dropwise_backward_view(&adding, number, &v, tensor[DX], tensor[DX], NULL)
                    : dropwise_residual_backward(&adding, number, &v, tensor[DX], tensor[DX], NULL, NULL);
            assert_int_equal(status, DROPWISE_OK);
            assert_same_bytes(tensor[DX], expected[0], (size_t)n * ref_bytes(dtype), "%s, call %d",
                              dtype_name(dtype), call);
        }
    }
}

static void standard_scaling_accumulates(void **state)
{
    (void)state;
    enum { N = 777 };
    uint8_t keep[N];
    const ref_mask ref = ref_mask_of(0.3, SEED, STREAM);
    ref_keep_range(&ref, 0, N, keep);
    dropwise_mask mask = accumulating(0.3);
    mask.scaling = DROPWISE_SCALING_STANDARD;
    for (int d = 0; d < DTYPES; d++) {
        fill_awkward(dtypes[d], tensor[DY], N, 1);
        fill_awkward(dtypes[d], tensor[DX], N, 2);
        memcpy(expected[0], tensor[DX], sizeof expected[0]);
        ref_add(dtypes[d], keep, N, tensor[DY], expected[0], 1);
        assert_int_equal(
            dropwise_backward(&mask, dtype_number(dtypes[d]), 0, N, tensor[DY], tensor[DX], NULL),
            DROPWISE_OK);
        assert_same_bytes(tensor[DX], expected[0], N * ref_bytes(dtypes[d]), "%s", dtype_name(dtypes[d]));
    }
}

/* ---- Ranges ---- */

static void range_case(ref_dtype dtype, double p, uint64_t first, size_t n, bool in_place, bool stored)
{
    static uint8_t keep[MAX_N], bits[MAX_N / 8 + 1];
    const dropwise_mask mask = accumulating(p);
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const double scale = p == 1 ? 0 : ref_inverted_scale(&ref);
    const uint8_t *dy = in_place ? tensor[DX] + 1 : tensor[DY] + 1;
    ref_keep_range(&ref, first, n, keep);
    ref_pack(keep, n, bits);
    fill_awkward(dtype, tensor[DY] + 1, n, n);
    fill_awkward(dtype, tensor[DX] + 1, n, n + 1);
    tensor[DX][1 + n * ref_bytes(dtype)] = NOT_WRITTEN;
    memcpy(expected[0], tensor[DX], sizeof expected[0]);
    ref_add(dtype, keep, n, in_place ? tensor[DX] + 1 : dy, expected[0] + 1, scale);
    assert_int_equal(
        dropwise_backward(&mask, dtype_number(dtype), first, n, dy, tensor[DX] + 1, stored ? bits : NULL),
        DROPWISE_OK);
    assert_same_bytes(tensor[DX] + 1, expected[0] + 1, n * ref_bytes(dtype) + 1,
                      "%s, p %g, %zu elements from %llu%s%s", dtype_name(dtype), p, n,
                      (unsigned long long)first, in_place ? ", in place" : "", stored ? ", stored" : "");
}

static void ranges_accumulate(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 63, 64, 65, 511, 1025, 5000, MAX_N - 2};
    static const double ps[] = {0, 0.1, 0.5, 1};
    for (int d = 0; d < DTYPES; d++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0] - (quick() ? 1 : 0); s++)
            for (unsigned way = 0; way < 4; way++)
                range_case(dtypes[d], ps[(s + way) % 4], way * 77, sizes[s], way % 2 != 0, way / 2 != 0);
}

/* Beyond the caches memory is asked ahead. */
static void large_ranges_accumulate(void **state)
{
    (void)state;
    enum { LARGE = 1100003 };
    if (quick())
        skip();
    const ref_mask ref = ref_mask_of(0.1, SEED, STREAM);
    uint8_t *keep = malloc(LARGE), *dy = malloc(8 * LARGE), *dx = malloc(8 * LARGE), *sum = malloc(8 * LARGE);
    assert_true(keep != NULL && dy != NULL && dx != NULL && sum != NULL);
    ref_keep_range(&ref, 5, LARGE, keep);
    const dropwise_mask mask = accumulating(0.1);
    for (int d = 0; d < 3; d++) {
        const size_t bytes = ref_bytes(dtypes[d]);
        fill(dtypes[d], dy, LARGE, 1);
        fill(dtypes[d], dx, LARGE, 2);
        memcpy(sum, dx, LARGE * bytes);
        ref_add(dtypes[d], keep, LARGE, dy, sum, ref_inverted_scale(&ref));
        assert_int_equal(dropwise_backward(&mask, dtype_number(dtypes[d]), 5, LARGE, dy, dx, NULL),
                         DROPWISE_OK);
        assert_same_bytes(dx, sum, LARGE * bytes, "%s", dtype_name(dtypes[d]));
    }
    free(keep);
    free(dy);
    free(dx);
    free(sum);
}

/* ---- Products ---- */

/* Elements i of a tensor become those before plus g, of a tensor that was widened. */
static void assert_grown(ref_dtype dtype, const uint8_t *actual, const uint8_t *before, const uint8_t *g,
                         size_t n, const char *name)
{
    memcpy(expected[0], before, n * ref_bytes(dtype));
    for (size_t i = 0; i < n; i++)
        add(dtype, expected[0], (int64_t)i, get(real_of(dtype), g, (int64_t)i));
    assert_same_bytes(actual, expected[0], n * ref_bytes(dtype), "%s of %s", name, dtype_name(dtype));
}

static void dropconnect_accumulates(void **state)
{
    (void)state;
    enum { SAMPLES = 3, ROWS = 20, COLUMNS = 150, N = SAMPLES * COLUMNS };
    dropwise_dropconnect layer;
    assert_int_equal(dropwise_dropconnect_init(&layer, SAMPLES, ROWS, COLUMNS), DROPWISE_OK);
    const dropwise_mask mask = mask_of(0.5), adding = accumulating(0.5);
    for (int d = 0; d < DTYPES; d++) {
        const ref_dtype dtype = dtypes[d], real = real_of(dtype);
        uint8_t before[8 * N];
        fill(dtype, tensor[DY], SAMPLES * ROWS, 1);
        fill(dtype, tensor[X], ROWS * COLUMNS, 2); /* the weights */
        fill(dtype, before, N, 3);
        widen(dtype, tensor[DY], wide[DY], SAMPLES * ROWS);
        widen(dtype, tensor[X], wide[X], ROWS * COLUMNS);
        memcpy(tensor[DX], before, sizeof before);
        assert_int_equal(dropwise_dropconnect_backward(&mask, dtype_number(real), &layer, wide[X], NULL,
                                                       wide[DY], wide[DX], NULL, NULL),
                         DROPWISE_OK);
        assert_int_equal(dropwise_dropconnect_backward(&adding, dtype_number(dtype), &layer, tensor[X], NULL,
                                                       tensor[DY], tensor[DX], NULL, NULL),
                         DROPWISE_OK);
        assert_grown(dtype, tensor[DX], before, wide[DX], N, "dx");
    }
}

#ifndef DROPWISE_WITHOUT_ATTENTION
/* Of bf16, f32 says nothing about the gradients, as products differ: the sum is near that of rounded ones. */
static void assert_grown_by_rounded(const uint8_t *y, const uint8_t *before, const uint8_t *plain, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double g = get(REF_BF16, plain, (int64_t)i), sum = get(REF_BF16, before, (int64_t)i) + g;
        const double error = fabs(get(REF_BF16, y, (int64_t)i) - sum);
        if (isfinite(sum) && !(error <= 0x1p-8 * (fabs(g) + fabs(sum))))
            fail_msg("element %zu of bf16: off by %g of %g", i, error, sum);
    }
}

static void attention_accumulates(void **state)
{
    (void)state;
    enum { HEADS = 2, QUERIES = 50, SIZE = 24, N = HEADS * QUERIES * SIZE, Q = 0, K, V, OUT, DOUT, INPUTS };
    static uint8_t in[INPUTS][8 * N], wide_in[INPUTS][8 * N], grad[3][8 * N], before[3][8 * N],
        plain[3][8 * N];
    static float lse[HEADS * QUERIES], wide_grad[3][N], workspace[1 << 18];
    static const ref_dtype types[] = {REF_F32, REF_F16, REF_BF16};
    dropwise_attention a;
    assert_int_equal(dropwise_attention_init(&a, 1, HEADS, HEADS, QUERIES, QUERIES, SIZE, SIZE), DROPWISE_OK);
    const dropwise_mask mask = mask_of(0.2), adding = accumulating(0.2);
    for (int d = 0; d < 3; d++) {
        const ref_dtype dtype = types[d];
        for (int t = 0; t < INPUTS; t++) {
            fill(dtype, in[t], N, (uint64_t)t);
            widen(dtype, in[t], wide_in[t], N);
        }
        assert_int_equal(dropwise_attention_forward(&mask, DROPWISE_F32, &a, wide_in[Q], wide_in[K],
                                                    wide_in[V], wide_grad[0], lse, workspace,
                                                    sizeof workspace),
                         DROPWISE_OK);
        assert_int_equal(dropwise_attention_backward(&mask, DROPWISE_F32, &a, wide_in[Q], wide_in[K],
                                                     wide_in[V], wide_in[OUT], lse, wide_in[DOUT],
                                                     wide_grad[0], wide_grad[1], wide_grad[2], workspace,
                                                     sizeof workspace),
                         DROPWISE_OK);
        for (int t = 0; t < 3; t++) {
            fill(dtype, before[t], N, (uint64_t)(t + 20));
            memcpy(grad[t], before[t], sizeof before[t]);
        }
        assert_int_equal(dropwise_attention_backward(&adding, dtype_number(dtype), &a, in[Q], in[K], in[V],
                                                     in[OUT], lse, in[DOUT], grad[0], grad[1], grad[2],
                                                     workspace, sizeof workspace),
                         DROPWISE_OK);
        assert_int_equal(dropwise_attention_backward(&mask, dtype_number(dtype), &a, in[Q], in[K], in[V],
                                                     in[OUT], lse, in[DOUT], plain[0], plain[1], plain[2],
                                                     workspace, sizeof workspace),
                         DROPWISE_OK);
        static const char *const names[] = {"dq", "dk", "dv"};
        for (int t = 0; t < 3; t++) {
            if (dtype == REF_BF16)
                assert_grown_by_rounded(grad[t], before[t], plain[t], N);
            else
                assert_grown(dtype, grad[t], before[t], (const uint8_t *)wide_grad[t], N, names[t]);
        }
    }
}
#endif

/* ---- Others ---- */

/* Sums of nothing are added to nothing. */
static void empty_views_accumulate(void **state)
{
    (void)state;
    static const uint64_t size[2] = {0, 5};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = accumulating(0.3);
    dropwise_concrete concrete;
    assert_int_equal(dropwise_concrete_init(&concrete, -0.8, 0.5), DROPWISE_OK);
    float dbias[5] = {1, 2, 3, 4, 5};
    double dlogit = 3;
    assert_int_equal(dropwise_residual_backward(&mask, DROPWISE_F32, &v, NULL, NULL, dbias, NULL),
                     DROPWISE_OK);
    assert_true(dbias[0] == 1 && dbias[4] == 5);
    assert_int_equal(
        dropwise_concrete_backward(&mask, DROPWISE_F32, &v, &concrete, NULL, NULL, NULL, &dlogit),
        DROPWISE_OK);
    assert_true(dlogit == 3);
}

static void forward_ignores_the_flag(void **state)
{
    (void)state;
    enum { N = 640 };
    static const uint64_t size[2] = {N / 64, 64};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = mask_of(0.3), adding = accumulating(0.3);
    static float x[N], before[N], plain[N], flagged[N];
    fill(REF_F32, (uint8_t *)x, N, 1);
    fill(REF_F32, (uint8_t *)before, N, 2);
    fill(REF_F32, (uint8_t *)flagged, N, 3);
    for (int call = 0; call < 8; call++) {
        for (int k = 0; k < 2; k++) {
            const dropwise_mask *m = k == 0 ? &mask : &adding;
            float *y = k == 0 ? plain : flagged;
            const dropwise_status status =
                call == 0   ? dropwise_forward(m, DROPWISE_F32, 0, N, x, y, NULL)
                : call == 1 ? dropwise_forward_view(m, DROPWISE_F32, &v, x, y, NULL)
                : call == 2 ? dropwise_residual_forward(m, DROPWISE_F32, &v, x, NULL, before, y, NULL)
                : call == 3
                    ? dropwise_activation_forward(m, DROPWISE_F32, &v, DROPWISE_GELU, x, NULL, y, NULL)
                : call == 4 ? dropwise_alpha_forward(m, DROPWISE_F32, &v, x, y, NULL)
                : call == 5 ? dropwise_zoneout_forward(m, DROPWISE_F32, &v, x, before, y, NULL)
                : call == 6 ? dropwise_infer(m, DROPWISE_F32, N, x, y)
                            : dropwise_gaussian_forward(m, DROPWISE_F32, &v, x, y);
            assert_int_equal(status, DROPWISE_OK);
        }
        assert_same_bytes(flagged, plain, sizeof plain, "call %d", call);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_accumulate),
        cmocka_unit_test(large_ranges_accumulate),
        cmocka_unit_test(standard_scaling_accumulates),
        cmocka_unit_test(views_accumulate),
        cmocka_unit_test(outputs_in_place_accumulate),
        cmocka_unit_test(stored_masks_accumulate),
        cmocka_unit_test(constant_masks_accumulate),
        cmocka_unit_test(strides_of_all_kinds_accumulate),
        cmocka_unit_test(dropconnect_accumulates),
#ifndef DROPWISE_WITHOUT_ATTENTION
        cmocka_unit_test(attention_accumulates),
#endif
        cmocka_unit_test(empty_views_accumulate),
        cmocka_unit_test(forward_ignores_the_flag),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
