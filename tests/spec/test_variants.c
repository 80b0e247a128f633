/*
 * The variants through the public functions: against the oracle element by element, the same bits on every
 * tier, gradients against central differences, aliasing, shards, large results, far tails, and every error.
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "tiers/dispatch.h"
#include "support/tensors.h"
#include "support/variants.h"

/* ---- All functions alike ---- */

static bool has(what op, int trait)
{
    return (operations[op].traits & trait) != 0;
}

static dropwise_concrete concrete_of(double logit, double temperature)
{
    dropwise_concrete concrete;
    assert_int_equal(dropwise_concrete_init(&concrete, logit, temperature), DROPWISE_OK);
    return concrete;
}

static bool can_run(what op, ref_dtype dtype, double p)
{
    return (!has(op, NEEDS_MATH) || has_functions(dtype)) && !(has(op, NEEDS_VARIANCE) && p == 1);
}

/* ---- The oracle ---- */

enum { A, B, Y, Y2, N_TENSORS };
static uint8_t tensor[N_TENSORS][8 * MAX_N], stored_mask[8 * MAX_N];

/* Half of the distance of numbers near 1, of the type that is computed in. */
static double unit_of(ref_dtype dtype)
{
    return dtype == REF_F64 ? 0x1p-53 : 0x1p-24;
}

static double ref_z(ref_dtype dtype, uint64_t index)
{
    return ref_normal(dtype, ref_word(SEED, STREAM, 3, index / 2 * 2),
                      ref_word(SEED, STREAM, 3, index / 2 * 2 + 1), index % 2);
}

/* What concrete dropout multiplies by, and how far a function may be from it. */
static double ref_kept(ref_dtype dtype, uint64_t index, double *error)
{
    const uint32_t word = ref_word(SEED, STREAM, 2, index);
    const double kept = ref_relaxed(dtype, word, LOGIT, TEMPERATURE), scale = 1 + exp(LOGIT);
    const double size = fabs(LOGIT) + 2 + fabs(log((word + 0.5) / (UINT32_MAX - word + 0.5)));
    const double unit = unit_of(dtype);
    *error = scale * kept * ((1 - kept) * 8 * unit * size / TEMPERATURE + 6 * unit);
    return kept * scale;
}

/*
 * Element i of an output. *error is 0 where it has to be exact, else what it may differ by before it is
 * rounded to the dtype.
 */
static double expected_of(what op, ref_dtype dtype, double p, uint64_t i, int which_output, double *error)
{
    const ref_mask mask = ref_mask_of(p, SEED, STREAM);
    const ref_affine alpha = ref_alpha(&mask);
    const bool keep = where.keep[i], constant = p == 0 || p == 1;
    const double q = ref_standard_scale(&mask), unit = unit_of(dtype);
    const double a = get(dtype, tensor[A], where.x_at[i]), b = get(dtype, tensor[B], where.y_at[i]);
    double factor, z;
    *error = 0;
    switch (op) {
    case ALPHA_FORWARD:
        if (constant)
            return p == 0 ? a : 0;
        factor = computed(dtype, a * computed(dtype, alpha.a));
        return keep ? computed(dtype, factor + computed(dtype, alpha.b)) : computed(dtype, alpha.dropped);
    case ALPHA_BACKWARD:
        if (constant)
            return p == 0 ? a : 0;
        return keep ? computed(dtype, a * computed(dtype, alpha.a)) : 0;
    case ZONEOUT_FORWARD:
        return keep ? a : b;
    case ZONEOUT_BACKWARD:
        return (which_output == 0) == keep ? a : 0;
    case ZONEOUT_INFER:
        if (constant)
            return p == 0 ? a : b;
        return computed(dtype, computed(dtype, a * computed(dtype, q)) +
                                   computed(dtype, b * computed(dtype, 1 - q)));
    case DRAW_UNIFORM:
        return ref_uniform(dtype, ref_word(SEED, STREAM, 2, where.index[i]));
    case DRAW_NORMAL:
        z = ref_z(dtype, where.index[i]);
        *error = 16 * unit * fabs(z);
        return z;
    case GAUSSIAN_FORWARD:
    case GAUSSIAN_BACKWARD:
    case GAUSSIAN_NOISE:
        factor = op == GAUSSIAN_NOISE ? SIGMA : sqrt((1 - q) / q);
        z = factor * ref_z(dtype, where.index[i]);
        *error = op == GAUSSIAN_NOISE ? 2 * unit * fabs(a) + 20 * unit * fabs(z)
                                      : fabs(a) * unit * (3 + 20 * fabs(z));
        return op == GAUSSIAN_NOISE ? a + z : a * (1 + z);
    default:
        factor = ref_kept(dtype, where.index[i], error);
        *error *= fabs(a);
        return a * factor;
    }
}

/* Where a view writes, so that it is known where it must not. */
static void assert_only_view_written(const uint8_t *t, size_t bytes, const char *name)
{
    static uint8_t inside[MAX_N];
    memset(inside, 0, sizeof inside);
    for (uint64_t i = 0; i < where.n; i++)
        inside[where.y_at[i]] = 1;
    for (size_t e = 0; e < MAX_N; e++)
        for (size_t k = 0; k < bytes && !inside[e]; k++)
            if (t[e * bytes + k] != NOT_WRITTEN)
                fail_msg("%s: wrote element %zu, which is not its own", name, e);
}

static void assert_output(what op, ref_dtype dtype, double p, const uint8_t *t, int which_output)
{
    const size_t bytes = ref_bytes(dtype);
    for (uint64_t i = 0; i < where.n; i++) {
        double error;
        const double expected = expected_of(op, dtype, p, i, which_output, &error);
        const double actual = get(dtype, t, where.y_at[i]);
        uint8_t exact[8];
        put(dtype, exact, 0, expected);
        if (error == 0)
            assert_same_bytes(t + where.y_at[i] * (int64_t)bytes, exact, bytes, "%s %s, element %llu",
                              operations[op].name, dtype_name(dtype), (unsigned long long)i);
        else if (!(fabs(actual - expected) <=
                   error + 1.01 * precision[dtype].unit * fabs(expected) + precision[dtype].tiny))
            fail_msg("%s %s, element %llu is %.17g, expected %.17g", operations[op].name, dtype_name(dtype),
                     (unsigned long long)i, actual, expected);
    }
    assert_only_view_written(t, bytes, operations[op].name);
}

static dropwise_stored storage(uint32_t form)
{
    const dropwise_stored stored = {sizeof stored, form, stored_mask, sizeof stored_mask, 0, {0, 0}};
    return stored;
}

static void fill_inputs(ref_dtype dtype)
{
    fill(dtype, tensor[A], MAX_N, 1);
    fill(dtype, tensor[B], MAX_N, 2);
}

/* ---- Every function, dtype and view ---- */

typedef struct arguments {
    what op;
    dropwise_mask mask;
    const dropwise_view *view;
    ref_dtype dtype;
} arguments;

static dropwise_status call(const void *of)
{
    const arguments *c = of;
    return run(c->op, &c->mask, dtype_number(c->dtype), c->view, tensor[A], tensor[B], tensor[Y], tensor[Y2],
               NULL);
}

static void call_op_like_scalar(what op, const dropwise_view *v, ref_dtype dtype, double p)
{
    const arguments c = {op, mask_of(p), v, dtype};
    const size_t used = MAX_N * ref_bytes(dtype);
    const result results[] = {{operations[op].name, tensor[Y], used},
                              {operations[op].name, tensor[Y2], used},
                              {"the gradient to the logit", &last_dlogit, sizeof last_dlogit}};
    call_like_scalar(call, &c, results, 3);
}

static void run_and_check(what op, const dropwise_view *v, ref_dtype dtype, double p)
{
    const dropwise_mask mask = mask_of(p);
    const dropwise_dtype number = dtype_number(dtype);
    const operation *o = &operations[op];
    const size_t used = MAX_N * ref_bytes(dtype);
    call_op_like_scalar(op, v, dtype, p);
    for (int k = 0; k < o->outputs; k++)
        assert_output(op, dtype, p, tensor[Y + k], k);
    if (!has(op, STORES))
        return;
    /* With the mask stored, and from it. */
    static uint8_t first[2][8 * MAX_N];
    memcpy(first[0], tensor[Y], used);
    memcpy(first[1], tensor[Y2], used);
    dropwise_stored stored = storage((uint32_t)(1 + where.n % 3));
    if (has(op, READS))
        assert_int_equal(dropwise_draw_view(&mask, number, v, &stored), DROPWISE_OK);
    memset(tensor[Y], NOT_WRITTEN, used);
    memset(tensor[Y2], NOT_WRITTEN, used);
    assert_int_equal(run(op, &mask, number, v, tensor[A], tensor[B], tensor[Y], tensor[Y2], &stored),
                     DROPWISE_OK);
    assert_same_bytes(tensor[Y], first[0], used, "%s with a stored mask", o->name);
    assert_same_bytes(tensor[Y2], first[1], used, "%s with a stored mask, second output", o->name);
}

/* The sum of dropwise_concrete_backward, in the promised order, within the error of its terms. */
static void check_dlogit(ref_dtype dtype)
{
    const double p = 1 / (1 + exp(-LOGIT)), unit = unit_of(dtype);
    double sum[16] = {0}, size = 0;
    for (uint64_t i = 0; i < where.n; i++) {
        double error;
        const double y = get(dtype, tensor[A], where.x_at[i]) * get(dtype, tensor[B], where.y_at[i]) *
                         ref_kept(dtype, where.index[i], &error);
        const double kept = ref_kept(dtype, where.index[i], &error) / (1 + exp(LOGIT));
        const double term = y * (p - (1 - kept) / TEMPERATURE);
        sum[i % where.columns % 16] += term;
        size += fabs(y) * (1 + 1 / TEMPERATURE) * 300 * unit;
    }
    for (int half = 8; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            sum[k] += sum[k + half];
    if (!(fabs(last_dlogit - sum[0]) <= size))
        fail_msg("%s: the gradient to the logit is %.17g, expected %.17g within %g", dtype_name(dtype),
                 last_dlogit, sum[0], size);
}

/* Besides the common views: mask indices at strides 2 and -1 along rows, one decision for all, rows of 1. */
enum { N_MORE = 4 };
static dropwise_view more_views[N_MORE];

static void make_more_views(void)
{
    static const uint64_t size[2] = {13, 130}, column[2] = {90, 1}, maps[4] = {2, 5, 6, 7};
    size_t n = 0;
    dropwise_view v = view_of(2, size, 0);
    v.mask_stride[1] = 2;
    v.mask_stride[0] = 260;
    v.first = 3;
    more_views[n++] = v;
    v = view_of(2, size, 0);
    v.mask_stride[1] = -1;
    v.mask_stride[0] = 131;
    v.first = 1000;
    more_views[n++] = v;
    more_views[n++] = view_of(2, column, 0);
    v = view_of(4, maps, 1u << 2 | 1u << 3); /* feature maps, from the middle of a block on */
    v.first = 1234567;
    more_views[n++] = v;
    assert_int_equal(n, N_MORE);
}

/* Of the operation that is the state. */
static void results_agree_with_the_oracle_in_the_same_bits_on_all_tiers(void **state)
{
    static const double probabilities[] = {0.1, 0.5, 0.0, 1.0};
    const what op = *(const what *)*state;
    make_views();
    make_more_views();
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        fill_inputs(dtype);
        for (size_t v = 0; v < N_VIEWS + N_MORE; v++) {
            const dropwise_view *view = v < N_VIEWS ? &views[v] : &more_views[v - N_VIEWS];
            const double p = probabilities[(v + (size_t)op / 2) % 4];
            if (!can_run(op, dtype, p) || (quick() && (v + (size_t)op + dtype) % 5 != 0))
                continue;
            lay_out(view, p);
            run_and_check(op, view, dtype, p);
            if (op == CONCRETE_BACKWARD)
                check_dlogit(dtype);
        }
    }
}

/* ---- Awkward numbers ---- */

enum { N_AWKWARD = 5000 };

static void assert_awkward(what op, ref_dtype dtype, uint64_t i)
{
    const size_t bytes = ref_bytes(dtype);
    const bool is_nan = isnan(get(dtype, tensor[Y], (int64_t)i));
    uint8_t expected[8] = {0};
    double error;
    switch (operations[op].nan) {
    case NAN_MOVES:
        if (where.keep[i])
            memcpy(expected, tensor[A] + i * bytes, bytes);
        else if (operations[op].inputs == 2)
            memcpy(expected, tensor[B] + i * bytes, bytes);
        break;
    case NAN_OF_KEPT:
        if (where.keep[i] && isnan(get(dtype, tensor[A], (int64_t)i))) {
            assert_true(is_nan);
            return;
        }
        put(dtype, expected, 0, expected_of(op, dtype, 0.3, i, 0, &error));
        break;
    default:
        if (!is_nan)
            return;
        put(dtype, expected, 0, (double)NAN);
    }
    assert_same_bytes(tensor[Y] + i * bytes, expected, bytes, "%s, awkward", operations[op].name);
}

/* NaN, infinities, subnormals. */
static void nan_moves_as_it_is_or_becomes_the_quiet_one_and_is_none_where_dropped(void **state)
{
    (void)state;
    static const uint64_t size[1] = {N_AWKWARD};
    const dropwise_view v = view_of(1, size, 0);
    lay_out(&v, 0.3);
    for (ref_dtype dtype = REF_F32; dtype <= REF_F64; dtype++) {
        fill_awkward(dtype, tensor[A], N_AWKWARD, 1);
        fill_awkward(dtype, tensor[B], N_AWKWARD, 2);
        for (what op = 0; op < N_OPERATIONS; op++) {
            if (!can_run(op, dtype, 0.3))
                continue;
            call_op_like_scalar(op, &v, dtype, 0.3);
            for (uint64_t i = 0; i < N_AWKWARD; i++)
                assert_awkward(op, dtype, i);
        }
    }
}

/* Gaussian dropout is exactly x (1 + sigma z) of the numbers of dropwise_draw_normal; noise likewise. */
static void gaussian_dropout_is_made_of_the_numbers_of_draw_normal(void **state)
{
    (void)state;
    static const uint64_t size[2] = {40, 111};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = mask_of(0.2);
    enum { N = 40 * 111 };
    for (ref_dtype dtype = REF_F32; dtype <= REF_F64; dtype++) {
        if (!has_functions(dtype))
            continue;
        fill_inputs(dtype);
        const double q = (double)mask.keep_threshold * 0x1p-40;
        const double sigma = computed(dtype, sqrt((1 - q) / q)), fixed = computed(dtype, SIGMA);
        assert_int_equal(dropwise_draw_normal(&mask, dtype_number(dtype), &v, tensor[B]), DROPWISE_OK);
        for (what op = GAUSSIAN_FORWARD; op <= GAUSSIAN_NOISE; op++) {
            assert_int_equal(run(op, &mask, dtype_number(dtype), &v, tensor[A], NULL, tensor[Y], NULL, NULL),
                             DROPWISE_OK);
            for (int64_t i = 0; i < N; i++) {
                const double x = get(dtype, tensor[A], i), z = get(dtype, tensor[B], i);
                const double y = op == GAUSSIAN_NOISE
                                     ? computed(dtype, x + computed(dtype, fixed * z))
                                     : computed(dtype, x * computed(dtype, 1 + computed(dtype, sigma * z)));
                assert_true(get(dtype, tensor[Y], i) == y);
            }
        }
    }
}

/* ---- Ways to cut a call ---- */

/* A range in two calls gives what one call gives; every size, at guard pages, inputs read-only. */
static void a_range_cut_anywhere_gives_the_same_bits(void **state)
{
    (void)state;
    enum { MOST = 1100 };
    static guard_arena arenas[4];
    static uint8_t whole[2][4 * MOST];
    for (int k = 0; k < 4; k++)
        arenas[k] = guard_new(4 * MOST);
    const dropwise_mask mask = mask_of(0.3);
    for (uint64_t n = 1; n <= MOST; n += n < 70 ? 1 : n < 1000 ? 231 : 13) {
        if (quick() && n % 3 != 0)
            continue;
        for (what op = 0; op < N_OPERATIONS; op++) {
            if (!can_run(op, REF_F32, 0.3))
                continue;
            const bool at_end = (n + (uint64_t)op) % 2;
            uint8_t *a = guard_place(&arenas[0], 4 * n, at_end, 1);
            uint8_t *b = guard_place(&arenas[1], 4 * n, at_end, 2);
            uint8_t *y = guard_place(&arenas[2], 4 * n, at_end, 3);
            uint8_t *y2 = guard_place(&arenas[3], 4 * n, at_end, 5);
            fill(REF_F32, a, (int64_t)n, 1);
            fill(REF_F32, b, (int64_t)n, 2);
            guard_readonly(&arenas[0], true);
            guard_readonly(&arenas[1], true);
            dropwise_view v = view_of(1, &n, 0);
            v.first = (UINT64_C(1) << 34) - 5;
            memset(y2, 0, 4 * n);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, b, y, y2, NULL), DROPWISE_OK);
            memcpy(whole[0], y, 4 * n);
            memcpy(whole[1], y2, 4 * n);
            const double of_whole = last_dlogit;
            memset(y, 0x5C, 4 * n);
            const uint64_t cut = n * 3 / 7;
            v.size[0] = cut;
            if (cut != 0)
                assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, b, y, y2, NULL), DROPWISE_OK);
            const double of_first = cut != 0 ? last_dlogit : 0;
            v.size[0] = n - cut;
            v.first += cut;
            assert_int_equal(
                run(op, &mask, DROPWISE_F32, &v, a + 4 * cut, b + 4 * cut, y + 4 * cut, y2 + 4 * cut, NULL),
                DROPWISE_OK);
            assert_same_bytes(y, whole[0], 4 * n, "%s: %llu in two calls", operations[op].name,
                              (unsigned long long)n);
            assert_same_bytes(y2, whole[1], 4 * n, "%s: %llu in two calls, second output",
                              operations[op].name, (unsigned long long)n);
            if (op == CONCRETE_BACKWARD)
                assert_true(fabs(of_first + last_dlogit - of_whole) <= 1e-5 * (double)n);
            for (int k = 0; k < 4; k++)
                assert_true(guard_intact(&arenas[k]));
            guard_readonly(&arenas[0], false);
            guard_readonly(&arenas[1], false);
        }
    }
    for (int k = 0; k < 4; k++)
        guard_free(&arenas[k]);
}

/*
 * The order of a sum depends on columns, not on whether rows follow each other in memory: rows of one length,
 * not a multiple of 16, give the same bits with and without gaps between them.
 */
static void the_order_of_a_sum_does_not_depend_on_gaps_between_rows(void **state)
{
    (void)state;
    enum { ROWS = 13, COLUMNS = 130, STEP = 150 };
    static const uint64_t size[2] = {ROWS, COLUMNS};
    static double x[ROWS][COLUMNS], dy[ROWS][COLUMNS], x_apart[ROWS][STEP], dy_apart[ROWS][STEP];
    static double dx[ROWS][STEP];
    needs_math();
    fill(REF_F64, (uint8_t *)x, ROWS * COLUMNS, 1);
    fill(REF_F64, (uint8_t *)dy, ROWS * COLUMNS, 2);
    for (size_t r = 0; r < ROWS; r++) {
        memcpy(x_apart[r], x[r], sizeof x[r]);
        memcpy(dy_apart[r], dy[r], sizeof dy[r]);
    }
    const dropwise_mask mask = mask_of(0.4);
    dropwise_view v = view_of(2, size, 0);
    assert_int_equal(run(CONCRETE_BACKWARD, &mask, DROPWISE_F64, &v, dy, x, dx, NULL, NULL), DROPWISE_OK);
    const double together = last_dlogit;
    v.x_stride[0] = v.y_stride[0] = STEP;
    assert_int_equal(run(CONCRETE_BACKWARD, &mask, DROPWISE_F64, &v, dy_apart, x_apart, dx, NULL, NULL),
                     DROPWISE_OK);
    assert_same_bytes(&last_dlogit, &together, sizeof last_dlogit, "the sum of rows apart");
}

/* A shard of a tensor draws what the whole draws there, for masks of every kind. */
static void a_shard_draws_what_the_whole_draws_there(void **state)
{
    (void)state;
    static const uint64_t size[3] = {6, 10, 35}, start[3] = {1, 2, 3}, part[3] = {4, 7, 30};
    static const uint32_t shared[] = {0, 1u << 0, 1u << 1, 1u << 2, 1u << 1 | 1u << 2, 7};
    const dropwise_mask mask = mask_of(0.4);
    fill_inputs(REF_F32);
    for (size_t s = 0; s < sizeof shared / sizeof shared[0]; s++) {
        for (what op = 0; op < N_OPERATIONS; op++) {
            static float whole[6][10][35], own[6][10][35];
            if (!can_run(op, REF_F32, 0.4))
                continue;
            dropwise_view v = view_of(3, size, shared[s]);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, tensor[A], tensor[B], whole, tensor[Y2], NULL),
                             DROPWISE_OK);
            memset(own, 0x5C, sizeof own);
            assert_int_equal(dropwise_view_shard(&v, start, part), DROPWISE_OK);
            const size_t skip = 4 * (1 * 350 + 2 * 35 + 3);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, tensor[A] + skip, tensor[B] + skip,
                                 &own[1][2][3], tensor[Y2], NULL),
                             DROPWISE_OK);
            for (size_t i = 1; i < 5; i++)
                for (size_t j = 2; j < 9; j++)
                    assert_same_bytes(&own[i][j][3], &whole[i][j][3], sizeof(float[30]), "%s: a shard",
                                      operations[op].name);
        }
    }
}

/* Results beyond 4 MiB are nontemporal, from where they are aligned for it: the same as in small parts. */
static void large_results_are_those_of_small_parts(void **state)
{
    (void)state;
    enum { N = (4 << 20) / 4 + 1500, PART = 100000, ROOM = 64 };
    static uint8_t a[4 * N + ROOM], b[4 * N + ROOM], y[4 * N + 2 * ROOM], y2[4 * N + 2 * ROOM];
    static uint8_t parts[4 * N], parts2[4 * N];
    const uint64_t size[2] = {2, N / 2};
    const dropwise_mask mask = mask_of(0.1);
    for (what op = 0; op < N_OPERATIONS; op++) {
        if (!can_run(op, REF_F32, 0.1) || (quick() && (op != ZONEOUT_FORWARD && op != ZONEOUT_BACKWARD)))
            continue;
        static const size_t offsets[] = {0, 4, 16, 60, 62};
        const size_t offset = offsets[((size_t)op + (size_t)dropwise_isa_active()) % 5];
        fill(REF_F32, a, N, 1);
        fill(REF_F32, b, N, 2);
        for (uint64_t done = 0; done < N; done += PART) {
            const uint64_t n = N - done < PART ? N - done : PART;
            dropwise_view v = view_of(1, &n, 0);
            v.first = done;
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a + 4 * done, b + 4 * done, parts + 4 * done,
                                 parts2 + 4 * done, NULL),
                             DROPWISE_OK);
        }
        memset(y, 0x5C, sizeof y);
        memset(y2, 0x5C, sizeof y2);
        const dropwise_view v = view_of(2, size, 0);
        assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, b, y + offset, y2 + (offset + 4) % ROOM, NULL),
                         DROPWISE_OK);
        assert_same_bytes(y + offset, parts, 4 * N, "%s: large", operations[op].name);
        if (operations[op].outputs == 2) {
            assert_same_bytes(y2 + (offset + 4) % ROOM, parts2, 4 * N, "%s: large", operations[op].name);
            memset(y2, 0x5C, sizeof y2);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, b, y + offset, y2 + offset, NULL),
                             DROPWISE_OK);
            assert_same_bytes(y2 + offset, parts2, 4 * N, "%s: large, nontemporal", operations[op].name);
        }
        for (size_t k = 0; k < offset; k++)
            assert_int_equal(y[k], 0x5C);
        for (size_t k = offset + 4 * N; k < sizeof y; k++)
            assert_int_equal(y[k], 0x5C);
    }
}

/* In place is as apart: over the first input, and where the second one may be the output, over that. */
static void results_over_an_input_are_those_apart(void **state)
{
    (void)state;
    static const uint64_t size[2] = {9, 5000};
    enum { N = 9 * 5000 };
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = mask_of(0.1);
    fill_inputs(REF_F32);
    for (what op = 0; op < N_OPERATIONS; op++) {
        static uint8_t z[4 * N];
        uint8_t *a = tensor[A], *b = tensor[B], *y = tensor[Y], *y2 = tensor[Y2];
        if (!can_run(op, REF_F32, 0.1) || operations[op].inputs == 0)
            continue;
        assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, b, y, y2, NULL), DROPWISE_OK);
        memcpy(z, a, sizeof z);
        if (op == ZONEOUT_BACKWARD) {
            static uint8_t other[4 * N];
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, z, b, z, other, NULL), DROPWISE_OK);
            assert_same_bytes(z, y, sizeof z, "kept, in place");
            assert_same_bytes(other, y2, sizeof z, "dropped, kept in place");
            memcpy(z, a, sizeof z);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, z, b, other, z, NULL), DROPWISE_OK);
            assert_same_bytes(other, y, sizeof z, "kept, dropped in place");
            assert_same_bytes(z, y2, sizeof z, "dropped, in place");
            continue;
        }
        assert_int_equal(run(op, &mask, DROPWISE_F32, &v, z, b, z, NULL, NULL), DROPWISE_OK);
        assert_same_bytes(z, y, sizeof z, "%s: over the first input", operations[op].name);
        if (operations[op].inputs == 2) {
            memcpy(z, b, sizeof z);
            assert_int_equal(run(op, &mask, DROPWISE_F32, &v, a, z, z, NULL, NULL), DROPWISE_OK);
            assert_same_bytes(z, y, sizeof z, "%s: over the second input", operations[op].name);
        }
    }
}

/* Zoneout by bits from elsewhere: they decide, whatever the p of the mask. */
static void stored_bits_decide_on_zoneout_whatever_p_is(void **state)
{
    (void)state;
    static const uint64_t size[1] = {10};
    const float h[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const dropwise_view v = view_of(1, size, 0);
    const dropwise_mask mask = mask_of(1);
    uint8_t bits[2] = {0x55, 0x01};
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, bits, sizeof bits, 0, {0, 0}};
    float dh[10], dbefore[10];
    assert_int_equal(dropwise_zoneout_backward(&mask, DROPWISE_F32, &v, h, dh, dbefore, &stored),
                     DROPWISE_OK);
    for (int i = 0; i < 10; i++) {
        assert_true(dh[i] == (i % 2 == 0 ? h[i] : 0));
        assert_true(dbefore[i] == (i % 2 == 0 ? 0 : h[i]));
    }
}

/* ---- Gradients against central differences, in f64 ---- */

enum { GRAD_ROWS = 6, GRAD_COLUMNS = 23, GRAD_N = GRAD_ROWS * GRAD_COLUMNS };

typedef struct grad_case {
    dropwise_view view;
    dropwise_mask mask;
    dropwise_concrete concrete;
    double x[GRAD_N], before[GRAD_N], weights[GRAD_N];
} grad_case;

/* The sum of weights * y. */
static double loss(const grad_case *c, what op)
{
    static double y[GRAD_N];
    if (op == CONCRETE_FORWARD)
        assert_int_equal(dropwise_concrete_forward(&c->mask, DROPWISE_F64, &c->view, &c->concrete, c->x, y),
                         DROPWISE_OK);
    else
        assert_int_equal(run(op, &c->mask, DROPWISE_F64, &c->view, c->x, c->before, y, NULL, NULL),
                         DROPWISE_OK);
    double sum = 0;
    for (int i = 0; i < GRAD_N; i++)
        sum += c->weights[i] * y[i];
    return sum;
}

/* The gradient to one number that the loss depends on. */
static void assert_gradient(const grad_case *c, what op, double *at, double gradient, double tolerance)
{
    const double h = 1e-5, before = *at;
    *at = before + h;
    const double above = loss(c, op);
    *at = before - h;
    const double below = loss(c, op);
    *at = before;
    const double difference = (above - below) / (2 * h);
    if (!(fabs(difference - gradient) <= tolerance * (1 + fabs(gradient))))
        fail_msg("%s: gradient %.12g, difference %.12g", operations[op].name, gradient, difference);
}

static void gradients_are_what_central_differences_say(void **state)
{
    (void)state;
    static const uint64_t size[2] = {GRAD_ROWS, GRAD_COLUMNS};
    static grad_case c;
    double dx[GRAD_N], dbefore[GRAD_N];
    fill(REF_F64, (uint8_t *)c.x, GRAD_N, 1);
    fill(REF_F64, (uint8_t *)c.before, GRAD_N, 2);
    fill(REF_F64, (uint8_t *)c.weights, GRAD_N, 3);
    c.mask = mask_of(0.3);
    c.view = view_of(2, size, 0);
    const dropwise_dtype f64 = DROPWISE_F64;

    assert_int_equal(dropwise_alpha_backward(&c.mask, f64, &c.view, c.weights, dx, NULL), DROPWISE_OK);
    for (int i = 0; i < GRAD_N; i++)
        assert_gradient(&c, ALPHA_FORWARD, &c.x[i], dx[i], 1e-8);
    assert_int_equal(dropwise_zoneout_backward(&c.mask, f64, &c.view, c.weights, dx, dbefore, NULL),
                     DROPWISE_OK);
    for (int i = 0; i < GRAD_N; i++) {
        assert_gradient(&c, ZONEOUT_FORWARD, &c.x[i], dx[i], 1e-8);
        assert_gradient(&c, ZONEOUT_FORWARD, &c.before[i], dbefore[i], 1e-8);
    }
    if (!has_math())
        return;
    assert_int_equal(dropwise_gaussian_backward(&c.mask, f64, &c.view, c.weights, dx), DROPWISE_OK);
    for (int i = 0; i < GRAD_N; i++) {
        assert_gradient(&c, GAUSSIAN_FORWARD, &c.x[i], dx[i], 1e-8);
        assert_gradient(&c, GAUSSIAN_NOISE, &c.x[i], c.weights[i], 1e-8);
    }
    /* Concrete dropout, with numbers of its own for each element and for each row. */
    static const double logits[] = {-3, -0.5, 0, 2}, temperatures[] = {0.1, 2.0 / 3, 1.5};
    for (int l = 0; l < 4; l++) {
        for (int t = 0; t < 3; t++) {
            c.view = view_of(2, size, t == 1 ? 1u << 1 : 0);
            c.concrete = concrete_of(logits[l], temperatures[t]);
            double da;
            assert_int_equal(
                dropwise_concrete_backward(&c.mask, f64, &c.view, &c.concrete, c.weights, c.x, dx, &da),
                DROPWISE_OK);
            for (int i = 0; i < GRAD_N; i++)
                assert_gradient(&c, CONCRETE_FORWARD, &c.x[i], dx[i], 1e-7);
            assert_gradient(&c, CONCRETE_FORWARD, &c.concrete.logit, da, 1e-6);
        }
    }
}

/* ---- The regularizer of concrete dropout ---- */

static double regularizer(const dropwise_concrete *concrete, dropwise_dtype dtype, uint64_t n,
                          const void *weights, double *da, double *decay)
{
    double value;
    assert_int_equal(dropwise_concrete_regularizer(concrete, dtype, n, weights, &value, da, decay),
                     DROPWISE_OK);
    return value;
}

/* Of 1,000 weights: the sum, its gradients, and the probability. */
typedef struct regularized {
    const dropwise_concrete *concrete;
    const double *w;
    double *results;
} regularized;

static dropwise_status regularize(const void *of)
{
    const regularized *r = of;
    const dropwise_status status = dropwise_concrete_regularizer(
        r->concrete, DROPWISE_F64, 1000, r->w, &r->results[0], &r->results[1], &r->results[2]);
    return status != DROPWISE_OK ? status : dropwise_concrete_probability(r->concrete, &r->results[3]);
}

static void what_the_regularizer_makes_of_infinities_is_the_quiet_nan(void **state)
{
    (void)state;
    const dropwise_concrete c = concrete_of(0, 0.1);
    double dlogit, decay;
    const double weight[] = {INFINITY};
    const double value = regularizer(&c, DROPWISE_F64, 1, weight, &dlogit, &decay); /* 0 times infinity */
    const uint64_t quiet = UINT64_C(0x7FF8000000000000);
    assert_memory_equal(&value, &quiet, 8);
    assert_memory_equal(&dlogit, &quiet, 8);
}

static void a_sum_lies_over_no_input(void **state)
{
    (void)state;
    needs_math();
    const uint64_t size[] = {1};
    double dy = 3, x = 2, dx = 1;
    dropwise_view v;
    dropwise_mask mask;
    const dropwise_concrete c = concrete_of(0, 0.1);
    assert_int_equal(dropwise_view_init(&v, 1, size), DROPWISE_OK);
    assert_int_equal(dropwise_mask_init(&mask, 0.1, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_concrete_backward(&mask, DROPWISE_F64, &v, &c, &dy, &x, &dx, &dy),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_concrete_backward(&mask, DROPWISE_F64, &v, &c, &dy, &x, &dx, &x),
                     DROPWISE_ERROR_OVERLAP);
    assert_true(dy == 3 && x == 2 && dx == 1);
}

static void the_regularizer_follows_its_formula_in_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    static const double logits[] = {-64, -20, -2, 0, 1, 20, 64};
    static double w[1000];
    fill(REF_F64, (uint8_t *)w, 1000, 7);
    for (size_t l = 0; l < sizeof logits / sizeof logits[0]; l++) {
        dropwise_concrete c = concrete_of(logits[l], 0.1);
        c.weight_regularizer = 0.01;
        c.dropout_regularizer = 0.3;
        c.features = 25;
        const double p = 1 / (1 + exp(-logits[l])), rest = 1 / (1 + exp(logits[l]));
        double squares = 0, results[4];
        for (int i = 0; i < 1000; i++)
            squares += w[i] * w[i];
        /* ln(1 - p) = -ln(1 + exp(logit)), each with the digits that it has. */
        const double entropy = p * -log1p(exp(-logits[l])) - rest * log1p(exp(logits[l]));
        const regularized r = {&c, w, results};
        call_like_scalar(regularize, &r, &(result){"regularizer", results, sizeof results}, 1);
        const double value = results[0], da = results[1], decay = results[2];
        const double expected = 0.01 * squares / rest + 0.3 * 25 * entropy;
        const double expected_da = 0.01 * squares * p / rest + 0.3 * 25 * logits[l] * p * rest;
        assert_true(fabs(value - expected) <= 1e-12 * (fabs(expected) + 0.3 * 25 * (1 + fabs(logits[l]))));
        assert_true(fabs(da - expected_da) <= 1e-12 * (fabs(expected_da) + 1));
        assert_true(fabs(decay - 0.02 / rest) <= 1e-14 * decay);
        assert_true(fabs(results[3] - p) <= 1e-15 * p);

        if (fabs(logits[l]) > 2) /* beyond, differences have no digits */
            continue;
        double ignored, ignored2;
        const double h = 1e-5;
        dropwise_concrete moved = c;
        moved.logit = logits[l] + h;
        const double above = regularizer(&moved, DROPWISE_F64, 1000, w, &ignored, &ignored2);
        moved.logit = logits[l] - h;
        const double below = regularizer(&moved, DROPWISE_F64, 1000, w, &ignored, &ignored2);
        assert_true(fabs((above - below) / (2 * h) - da) <= 1e-7 * (1 + fabs(da)));
        for (int i = 0; i < 1000; i += 97) {
            const double before = w[i];
            w[i] = before + h;
            const double up = regularizer(&c, DROPWISE_F64, 1000, w, &ignored, &ignored2);
            w[i] = before - h;
            const double down = regularizer(&c, DROPWISE_F64, 1000, w, &ignored, &ignored2);
            w[i] = before;
            assert_true(fabs((up - down) / (2 * h) - decay * before) <= 1e-7);
        }
    }
}

static void a_sum_of_squares_is_exact_in_small_integers_of_any_dtype(void **state)
{
    (void)state;
    dropwise_concrete c = concrete_of(0, 0.1);
    c.weight_regularizer = 0.5;
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        for (uint64_t n = 0; n < 1200; n += n < 40 ? 1 : 387) {
            static uint8_t v[1200 * 8];
            double squares = 0, da, decay;
            for (uint64_t i = 0; i < n; i++) {
                put(dtype, v, (int64_t)i, (double)(i % 5));
                squares += (double)(i % 5 * (i % 5));
            }
            assert_true(regularizer(&c, dtype_number(dtype), n, v, &da, &decay) == squares);
            assert_true(da == squares / 2 && decay == 2);
        }
    }
}

/* ---- Tails: what can be sampled of them is in test_layer_statistics.c ---- */

/*
 * Beyond what can be sampled, the probability of |z| > limit is a sum over the first words: given one, r is
 * known, and so is the part of all angles whose cosine is large enough.
 */
static void far_tails_of_normal_numbers_have_their_probability(void **state)
{
    (void)state;
    enum { WORDS = 4096 };
    static uint8_t words[2 * WORDS][4];
    static float z[2 * WORDS];
    for (uint32_t w = 0; w < WORDS; w++) {
        put_le32(words[2 * w], w);
        put_le32(words[2 * w + 1], 0); /* an angle of 0: z is r */
    }
    const dropwise_params none = {{0, 0, 0}};
    dropwise_active()->noise_normal_f32(2 * WORDS, words, &none, z);
    assert_within((double)z[0], sqrt(2 * 33 * log(2.0)), 1e-6, "the largest normal number");
    static const double limits[] = {5.3, 5.6, 6.0}, tolerances[] = {1e-4, 2e-4, 2e-3};
    for (int k = 0; k < 3; k++) {
        double p = 0;
        for (uint32_t w = 0; w < WORDS; w++) {
            assert_true(w == 0 || z[2 * w] <= z[2 * w - 2]);
            if ((double)z[2 * w] > limits[k])
                p += 2 / M_PI * acos(limits[k] / (double)z[2 * w]) * 0x1p-32;
        }
        assert_true((double)z[2 * WORDS - 2] < limits[k]); /* all words that count were tried */
        assert_within(p / erfc(limits[k] / sqrt(2.0)), 1, tolerances[k], "a far tail, to the normal one");
    }
}

/* ---- One decision ---- */

static void one_decision_is_the_oracles(void **state)
{
    (void)state;
    static const double probabilities[] = {0, 0.2, 0.5, 1 - 0x1p-40, 1};
    for (int k = 0; k < 5; k++) {
        const dropwise_mask mask = mask_of(probabilities[k]);
        const ref_mask ref = ref_mask_of(probabilities[k], SEED, STREAM);
        for (uint64_t i = 0; i < 300; i++) {
            uint32_t kept = 7;
            const uint64_t index = i < 200 ? i : DROPWISE_INDEX_LIMIT - 1 - (i - 200);
            assert_int_equal(dropwise_keeps(&mask, index, &kept), DROPWISE_OK);
            assert_int_equal(kept, ref_keep(&ref, index));
        }
    }
}

static void one_decision_beyond_the_limit_or_without_a_mask_is_refused(void **state)
{
    (void)state;
    const dropwise_mask mask = mask_of(0.5);
    uint32_t kept = 7;
    assert_int_equal(dropwise_keeps(NULL, 0, &kept), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_keeps(&mask, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_keeps(&mask, DROPWISE_INDEX_LIMIT, &kept), DROPWISE_ERROR_RANGE);
    assert_int_equal(kept, 7);
}

/* ---- Errors ---- */

static float ex[256], es[256], ey[256], ez[256], before[256];

static void assert_untouched(void)
{
    assert_same_bytes(ey, before, sizeof ey, "y after an error");
    assert_same_bytes(ez, before, sizeof ez, "the second output after an error");
}

static void assert_run_refused(what op, const dropwise_mask *mask, dropwise_dtype dtype,
                               const dropwise_view *v, const void *a, const void *b, void *y, void *y2,
                               const dropwise_stored *stored, dropwise_status status)
{
    last_dlogit = 77;
    const dropwise_status actual = run(op, mask, dtype, v, a, b, y, y2, stored);
    if (actual != status)
        fail_msg("%s: status %d, expected %d", operations[op].name, actual, status);
    assert_true(last_dlogit == 77);
    assert_untouched();
}

/* Which functions: all, or those that take a stored mask. */
static void assert_refused(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *v,
                           const dropwise_stored *stored, dropwise_status status)
{
    for (what op = 0; op < N_OPERATIONS; op++)
        if (can_run(op, REF_F32, 0.5) && (stored == NULL || has(op, STORES)))
            assert_run_refused(op, mask, dtype, v, ex, es, ey, ez, stored, status);
}

static dropwise_mask good_mask;
static dropwise_view good;
static dropwise_concrete good_concrete;
static const dropwise_dtype f32 = DROPWISE_F32;

static int setup_errors(void **state)
{
    (void)state;
    static const uint64_t size[2] = {4, 16};
    memset(before, 0x35, sizeof before);
    memcpy(ey, before, sizeof ey);
    memcpy(ez, before, sizeof ez);
    good = view_of(2, size, 0);
    good_mask = mask_of(0.5);
    good_concrete = concrete_of(0.5, 0.1);
    return 0;
}

static void every_function_refuses_a_bad_mask_dtype_view_or_stored_mask(void **state)
{
    (void)state;
    assert_common_refusals(assert_refused, &good_mask, &good, ey);
}

static void pointers_that_are_missing_or_overlap_are_refused(void **state)
{
    (void)state;
    const dropwise_mask *mask = &good_mask;
    for (what op = 0; op < N_OPERATIONS; op++) {
        const operation *o = &operations[op];
        if (!can_run(op, REF_F32, 0.5))
            continue;
        if (o->inputs > 0) {
            assert_run_refused(op, mask, f32, &good, NULL, es, ey, ez, NULL, DROPWISE_ERROR_NULL);
            assert_run_refused(op, mask, f32, &good, ey + 1, es, ey, ez, NULL, DROPWISE_ERROR_OVERLAP);
        }
        if (o->inputs > 1) {
            assert_run_refused(op, mask, f32, &good, ex, NULL, ey, ez, NULL, DROPWISE_ERROR_NULL);
            assert_run_refused(op, mask, f32, &good, ex, ey + 1, ey, ez, NULL, DROPWISE_ERROR_OVERLAP);
        }
        assert_run_refused(op, mask, f32, &good, ex, es, NULL, ez, NULL, DROPWISE_ERROR_NULL);
        if (o->outputs > 1) {
            assert_run_refused(op, mask, f32, &good, ex, es, ey, NULL, NULL, DROPWISE_ERROR_NULL);
            assert_run_refused(op, mask, f32, &good, ex, es, ey, ey, NULL, DROPWISE_ERROR_OVERLAP);
        }
    }
    dropwise_view v = good;
    v.x_stride[0] = 17; /* in place with other strides */
    assert_run_refused(ALPHA_FORWARD, mask, f32, &v, ey, NULL, ey, NULL, NULL, DROPWISE_ERROR_OVERLAP);
    assert_run_refused(ZONEOUT_FORWARD, mask, f32, &v, ey, es, ey, NULL, NULL, DROPWISE_ERROR_OVERLAP);
}

static void no_rows_need_no_pointers(void **state)
{
    (void)state;
    dropwise_view v = good;
    v.size[0] = 0;
    last_dlogit = 5;
    for (what op = 0; op < N_OPERATIONS; op++)
        if (can_run(op, REF_F32, 0.5))
            assert_int_equal(run(op, &good_mask, f32, &v, NULL, NULL, NULL, NULL, NULL), DROPWISE_OK);
    assert_true(last_dlogit == 0); /* a sum of nothing */
}

static void gaussian_dropout_refuses_a_sigma_that_is_no_number(void **state)
{
    (void)state;
    const dropwise_mask all = mask_of(1);
    assert_int_equal(dropwise_gaussian_forward(&all, f32, &good, ex, ey), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_gaussian_backward(&all, f32, &good, ex, ey), DROPWISE_ERROR_PARAMETER);
    static const double no_sigma[] = {-0x1p-1074, INFINITY, -INFINITY, NAN};
    for (int i = 0; i < 4; i++)
        assert_int_equal(dropwise_gaussian_noise(&good_mask, f32, &good, no_sigma[i], ex, ey),
                         DROPWISE_ERROR_PARAMETER);
    assert_untouched();
}

static const double no_logit[] = {64.5, -64.5, INFINITY, -INFINITY, NAN};

static void concrete_init_refuses_numbers_out_of_range(void **state)
{
    (void)state;
    dropwise_concrete c = good_concrete;
    static const double no_temperature[] = {0, -1, 0x1p-21, 0x1p21, INFINITY, NAN};
    assert_int_equal(dropwise_concrete_init(NULL, 0, 1), DROPWISE_ERROR_NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(dropwise_concrete_init(&c, no_logit[i], 1), DROPWISE_ERROR_PARAMETER);
    for (int i = 0; i < 6; i++)
        assert_int_equal(dropwise_concrete_init(&c, 0, no_temperature[i]), DROPWISE_ERROR_PARAMETER);
    assert_same_bytes(&c, &good_concrete, sizeof c, "the struct after an error");
}

/* By every function of concrete dropout; nothing is written. */
static void assert_concrete_refused(const dropwise_concrete *c, dropwise_status status)
{
    double value = 7, da = 7, decay = 7;
    assert_int_equal(dropwise_concrete_forward(&good_mask, f32, &good, c, ex, ey), status);
    assert_int_equal(dropwise_concrete_backward(&good_mask, f32, &good, c, ex, es, ey, &da), status);
    assert_int_equal(dropwise_concrete_probability(c, &value), status);
    assert_int_equal(dropwise_concrete_regularizer(c, f32, 16, ex, &value, &da, &decay), status);
    assert_true(value == 7 && da == 7 && decay == 7);
    assert_untouched();
}

static void concrete_dropout_refuses_a_field_that_is_wrong(void **state)
{
    (void)state;
    assert_concrete_refused(NULL, DROPWISE_ERROR_NULL);
    dropwise_concrete c = good_concrete;
    for (int i = 0; i < 5; i++) {
        c.logit = no_logit[i];
        assert_concrete_refused(&c, DROPWISE_ERROR_PARAMETER);
    }
    c = good_concrete;
    c.temperature = 0;
    assert_concrete_refused(&c, DROPWISE_ERROR_PARAMETER);
    c = good_concrete;
    c.weight_regularizer = INFINITY;
    assert_concrete_refused(&c, DROPWISE_ERROR_PARAMETER);
    c = good_concrete;
    c.dropout_regularizer = NAN;
    assert_concrete_refused(&c, DROPWISE_ERROR_PARAMETER);
    c = good_concrete;
    c.struct_size = 1;
    assert_concrete_refused(&c, DROPWISE_ERROR_STRUCT_SIZE);
    c = good_concrete;
    c.reserved[4] = 1;
    assert_concrete_refused(&c, DROPWISE_ERROR_RESERVED);
}

static void concrete_dropout_refuses_sums_that_are_missing_or_overlap(void **state)
{
    (void)state;
    double value = 7, da = 7, decay = 7;
    assert_int_equal(dropwise_concrete_probability(&good_concrete, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_concrete_backward(&good_mask, f32, &good, &good_concrete, ex, es, ey, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_concrete_backward(&good_mask, f32, &good, &good_concrete, ex, es, ey,
                                                (double *)(void *)(ey + 2)),
                     DROPWISE_ERROR_OVERLAP);
    const struct {
        dropwise_dtype dtype;
        uint64_t n;
        const void *weights;
        double *value, *da, *decay;
        dropwise_status status;
    } cases[] = {
        {77, 16, ex, &value, &da, &decay, DROPWISE_ERROR_DTYPE},
        {DROPWISE_F32, UINT64_MAX, ex, &value, &da, &decay, DROPWISE_ERROR_SIZE},
        {DROPWISE_F32, 16, NULL, &value, &da, &decay, DROPWISE_ERROR_NULL},
        {DROPWISE_F32, 16, ex, NULL, &da, &decay, DROPWISE_ERROR_NULL},
        {DROPWISE_F32, 16, ex, &value, NULL, &decay, DROPWISE_ERROR_NULL},
        {DROPWISE_F32, 16, ex, &value, &da, NULL, DROPWISE_ERROR_NULL},
        {DROPWISE_F32, 16, ex, &value, &value, &decay, DROPWISE_ERROR_OVERLAP},
        {DROPWISE_F64, 1, &da, &value, &da, &decay, DROPWISE_ERROR_OVERLAP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(dropwise_concrete_regularizer(&good_concrete, cases[i].dtype, cases[i].n,
                                                       cases[i].weights, cases[i].value, cases[i].da,
                                                       cases[i].decay),
                         cases[i].status);
    assert_true(value == 7 && da == 7 && decay == 7);
    assert_untouched();
}

/* On a tier whose functions cannot run here, or in a build without SLEEF; but f32 and what is made by it has
 * its own. */
static void variants_in_f64_without_their_functions_are_a_status(void **state)
{
    (void)state;
    const uint64_t two = 2;
    const dropwise_view v = view_of(1, &two, 0);
    double value, da, decay;
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        const dropwise_status status = has_functions(dtype) ? DROPWISE_OK : DROPWISE_ERROR_MATH;
        for (what op = 0; op < N_OPERATIONS; op++)
            assert_int_equal(run(op, &good_mask, dtype_number(dtype), &v, ex, es, ey, ez, NULL),
                             has(op, NEEDS_MATH) ? status : DROPWISE_OK);
        assert_int_equal(
            dropwise_concrete_regularizer(&good_concrete, dtype_number(dtype), 2, ex, &value, &da, &decay),
            DROPWISE_OK);
    }
    assert_int_equal(dropwise_concrete_probability(&good_concrete, &value), DROPWISE_OK);
    assert_true(has_math() || !is_required("sleef"));
}

#define WITH_GOOD_ONES(test) cmocka_unit_test_setup(test, setup_errors)

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(nan_moves_as_it_is_or_becomes_the_quiet_one_and_is_none_where_dropped),
        cmocka_unit_test(gaussian_dropout_is_made_of_the_numbers_of_draw_normal),
        cmocka_unit_test(a_range_cut_anywhere_gives_the_same_bits),
        cmocka_unit_test(the_order_of_a_sum_does_not_depend_on_gaps_between_rows),
        cmocka_unit_test(a_shard_draws_what_the_whole_draws_there),
        cmocka_unit_test(large_results_are_those_of_small_parts),
        cmocka_unit_test(results_over_an_input_are_those_apart),
        cmocka_unit_test(stored_bits_decide_on_zoneout_whatever_p_is),
        cmocka_unit_test(gradients_are_what_central_differences_say),
        cmocka_unit_test(what_the_regularizer_makes_of_infinities_is_the_quiet_nan),
        cmocka_unit_test(a_sum_lies_over_no_input),
        cmocka_unit_test(the_regularizer_follows_its_formula_in_the_same_bits_on_all_tiers),
        cmocka_unit_test(a_sum_of_squares_is_exact_in_small_integers_of_any_dtype),
        cmocka_unit_test(far_tails_of_normal_numbers_have_their_probability),
        cmocka_unit_test(one_decision_is_the_oracles),
        cmocka_unit_test(one_decision_beyond_the_limit_or_without_a_mask_is_refused),
        WITH_GOOD_ONES(every_function_refuses_a_bad_mask_dtype_view_or_stored_mask),
        WITH_GOOD_ONES(pointers_that_are_missing_or_overlap_are_refused),
        WITH_GOOD_ONES(no_rows_need_no_pointers),
        WITH_GOOD_ONES(gaussian_dropout_refuses_a_sigma_that_is_no_number),
        WITH_GOOD_ONES(concrete_init_refuses_numbers_out_of_range),
        WITH_GOOD_ONES(concrete_dropout_refuses_a_field_that_is_wrong),
        WITH_GOOD_ONES(concrete_dropout_refuses_sums_that_are_missing_or_overlap),
        WITH_GOOD_ONES(variants_in_f64_without_their_functions_are_a_status),
    };
    enum { N_OTHERS = sizeof others / sizeof others[0] };
    static char names[N_OPERATIONS][100];
    static what states[N_OPERATIONS];
    static struct CMUnitTest tests[N_OPERATIONS + N_OTHERS];
    for (what op = 0; op < N_OPERATIONS; op++) {
        states[op] = op;
        snprintf(names[op], sizeof names[op], "%s_agrees_with_the_oracle_in_the_same_bits_on_all_tiers",
                 operations[op].name);
        tests[op] =
            (struct CMUnitTest){.name = names[op],
                                .test_func = results_agree_with_the_oracle_in_the_same_bits_on_all_tiers,
                                .initial_state = &states[op]};
    }
    memcpy(tests + N_OPERATIONS, others, sizeof others);
    return run_on_each_tier(tests, NULL, NULL);
}
