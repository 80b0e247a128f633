/*
 * The fused steps through the public functions: against formulas in double, against the calls that are not
 * fused, gradients against central differences, the same bits on every tier, and every error.
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "dropwise_fused.h"
#include "support/tensors.h"

/* ---- A case: a view, its operands, and what the oracle makes of them ---- */

enum { X, SKIP, DY, Y, P, DX, N_TENSORS };

static uint8_t tensor[N_TENSORS][8 * MAX_N], bias[8 * MAX_N], add[8 * MAX_N], stored_mask[8 * MAX_N];
static double expected[MAX_N], sizes[MAX_N]; /* in row-major order, and their scale for tolerances */
static double dbias[MAX_N];

static void assert_result(ref_dtype dtype, const uint8_t *t, const char *what)
{
    const double math = dtype == REF_F64 ? 0x1p-53 : 0x1p-24;
    for (uint64_t i = 0; i < where.n; i++) {
        const double actual = get(dtype, t, where.y_at[i]);
        const double error = 40 * math * (sizes[i] + fabs(expected[i])) +
                             precision[dtype].unit * fabs(expected[i]) * 1.01 + precision[dtype].tiny;
        if (!(fabs(actual - expected[i]) <= error) && actual != expected[i] &&
            !(isnan(actual) && isnan(expected[i])))
            fail_msg("%s, %s: element %llu is %.17g, expected %.17g", what, dtype_name(dtype),
                     (unsigned long long)i, actual, expected[i]);
    }
}

static double function_of(dropwise_activation a, double z, bool slope)
{
    const double density = exp(-z * z / 2) / sqrt(2 * M_PI), phi = 0.5 * erfc(-z / sqrt(2.0));
    const double t = tanh(sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)), g = 1 / (1 + exp(-z));
    switch (a) {
    case DROPWISE_RELU:
        return slope ? z > 0 : z < 0 ? 0 : z;
    case DROPWISE_GELU:
        return slope ? phi + z * density : z * phi;
    case DROPWISE_GELU_TANH:
        return slope ? 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * sqrt(2 / M_PI) * (1 + 0.134145 * z * z)
                     : 0.5 * z * (1 + t);
    case DROPWISE_SILU:
        return slope ? g * (1 + z * (1 - g)) : z * g;
    default:
        return slope ? 1 : z;
    }
}

/* dbias in the order that the header promises, from the dx that the oracle expects to be exact. */
static void check_dbias(ref_dtype dtype, const void *actual, bool exact)
{
    for (uint64_t c = 0; c < where.columns; c++) {
        double sum[16] = {0}, size = 0;
        for (uint64_t r = 0; r < where.rows; r++) {
            const double d = expected[r * where.columns + c];
            sum[r % 16] = computed(dtype, sum[r % 16] + d);
            size += fabs(d) + sizes[r * where.columns + c];
        }
        for (int half = 8; half > 0; half /= 2)
            for (int k = 0; k < half; k++)
                sum[k] = computed(dtype, sum[k] + sum[k + half]);
        const double a = get(dtype == REF_F64 ? REF_F64 : REF_F32, actual, (int64_t)c);
        const double unit = dtype == REF_F64 ? 0x1p-53 : 0x1p-24;
        if (exact ? a != sum[0] : !(fabs(a - sum[0]) <= 60 * unit * size + 1e-30))
            fail_msg("dbias %llu is %.17g, expected %.17g", (unsigned long long)c, a, sum[0]);
    }
}

typedef struct elementwise {
    dropwise_mask mask;
    const dropwise_view *view;
    ref_dtype dtype;
    dropwise_activation activation; /* 0: the step with a residual */
    const void *bias, *skip;
    void *sums;
    const dropwise_stored *stored;
} elementwise;

static dropwise_status forward(const void *arguments)
{
    const elementwise *e = arguments;
    const dropwise_dtype number = dtype_number(e->dtype);
    if (e->activation == 0)
        return dropwise_residual_forward(&e->mask, number, e->view, tensor[X], e->bias, e->skip, tensor[Y],
                                         e->stored);
    return dropwise_activation_forward(&e->mask, number, e->view, e->activation, tensor[X], e->bias,
                                       tensor[Y], e->stored);
}

/* x lies where dx does. */
static dropwise_status backward(const void *arguments)
{
    const elementwise *e = arguments;
    const dropwise_dtype number = dtype_number(e->dtype);
    if (e->activation == 0)
        return dropwise_residual_backward(&e->mask, number, e->view, tensor[DY], tensor[DX], e->sums,
                                          e->stored);
    return dropwise_activation_backward(&e->mask, number, e->view, e->activation, tensor[DY], tensor[SKIP],
                                        e->bias, tensor[DX], e->sums, e->stored);
}

static void run_elementwise(const dropwise_view *v, ref_dtype dtype, double p, dropwise_activation a,
                            bool with_bias, bool with_skip)
{
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const double s = p == 0 || p == 1 ? 1 : computed(dtype, ref_inverted_scale(&ref));
    const size_t bytes = ref_bytes(dtype);
    elementwise e = {.mask = mask_of(p),
                     .view = v,
                     .dtype = dtype,
                     .activation = a,
                     .bias = with_bias ? bias : NULL,
                     .skip = with_skip ? tensor[SKIP] : NULL,
                     .sums = with_bias || with_skip ? dbias : NULL};
    lay_out(v, p);
    const size_t used = (size_t)(where.y_at[where.n - 1] + 1) * bytes;
    for (uint64_t i = 0; i < where.n; i++) {
        const double x = get(dtype, tensor[X], where.x_at[i]);
        const double z = with_bias ? computed(dtype, x + get(dtype, bias, (int64_t)(i % where.columns))) : x;
        double y = where.keep[i] ? computed(dtype, function_of(a, z, false) * s) : 0;
        if (with_skip)
            y = computed(dtype, get(dtype, tensor[SKIP], where.y_at[i]) + y);
        expected[i] = y;
        sizes[i] = where.keep[i] ? fabs(z) : 0;
    }
    call_like_scalar(forward, &e, &(result){"forward", tensor[Y], used}, 1);
    assert_result(dtype, tensor[Y], "forward");
    if (a <= DROPWISE_RELU) /* no rounding but what the oracle does */
        for (uint64_t i = 0; i < where.n; i++) {
            uint8_t exact[8];
            put(dtype, exact, 0, expected[i]);
            assert_same_bytes(tensor[Y] + where.y_at[i] * (int64_t)bytes, exact, bytes, "forward, exact");
        }

    /* With the mask stored, in each form; and from it. */
    static uint8_t again[8 * MAX_N];
    memcpy(again, tensor[Y], used);
    const dropwise_stored stored = {
        sizeof stored, (uint32_t)(1 + where.n % 3), stored_mask, sizeof stored_mask, 0, {0, 0}};
    e.stored = &stored;
    memset(tensor[Y], NOT_WRITTEN, used);
    assert_int_equal(forward(&e), DROPWISE_OK);
    assert_same_bytes(tensor[Y], again, used, "forward with a stored mask");

    for (uint64_t i = 0; i < where.n; i++) {
        const double d = where.keep[i] ? computed(dtype, get(dtype, tensor[DY], where.x_at[i]) * s) : 0;
        const double x = get(dtype, tensor[SKIP], where.y_at[i]);
        const double z = with_bias ? computed(dtype, x + get(dtype, bias, (int64_t)(i % where.columns))) : x;
        expected[i] = where.keep[i] ? computed(dtype, d * function_of(a, z, true)) : 0;
        sizes[i] = fabs(d) * (1 + fabs(z));
    }
    const result results[] = {{"backward", tensor[DX], used},
                              {"dbias", dbias, where.columns * sizeof(double)}};
    for (int from_stored = 0; from_stored < 2; from_stored++) {
        e.stored = from_stored ? &stored : NULL;
        call_like_scalar(backward, &e, results, 2);
        assert_result(dtype, tensor[DX], "backward");
        if (e.sums != NULL)
            check_dbias(dtype, e.sums, a <= DROPWISE_RELU);
    }
}

static void fill_operands(ref_dtype dtype)
{
    fill(dtype, tensor[X], MAX_N, 1);
    fill(dtype, tensor[SKIP], MAX_N, 2);
    fill(dtype, tensor[DY], MAX_N, 3);
    fill(dtype, bias, MAX_N, 4);
    fill(dtype, add, MAX_N, 5);
}

/* The steps from one activation to another. */
static void check_elementwise(dropwise_activation first, dropwise_activation last)
{
    static const double probabilities[] = {0.1, 0.5, 0.0, 1.0};
    make_views();
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        if (last > DROPWISE_RELU && !has_functions(dtype))
            continue;
        fill_operands(dtype);
        for (size_t v = 0; v < N_VIEWS; v++)
            for (dropwise_activation a = first; a <= last; a++)
                if (!quick() || (v + (size_t)a + dtype) % 4 == 0)
                    run_elementwise(&views[v], dtype, probabilities[(v + (size_t)a) % 4], a, (v + dtype) % 2,
                                    (v + dtype) % 3 == 0 && a == 0);
    }
}

static void a_residual_and_its_gradients_are_exact_and_of_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    check_elementwise(0, 0);
}

static void relu_and_its_gradients_are_exact_and_of_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    check_elementwise(DROPWISE_RELU, DROPWISE_RELU);
}

static void gelu_and_silu_are_near_their_formulas_and_of_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    check_elementwise(DROPWISE_GELU, DROPWISE_SILU);
}

/* ---- Softmax ---- */

typedef struct attention {
    dropwise_mask mask;
    const dropwise_view *view;
    ref_dtype dtype;
    dropwise_softmax softmax;
    void *probabilities;
    const dropwise_stored *stored;
} attention;

static dropwise_status softmax_forward(const void *arguments)
{
    const attention *a = arguments;
    return dropwise_softmax_forward(&a->mask, dtype_number(a->dtype), a->view, &a->softmax, tensor[X],
                                    a->probabilities, tensor[Y], a->stored);
}

static dropwise_status softmax_backward(const void *arguments)
{
    const attention *a = arguments;
    return dropwise_softmax_backward(&a->mask, dtype_number(a->dtype), a->view, &a->softmax, tensor[DY],
                                     tensor[P], tensor[DX], a->stored);
}

static void run_softmax(const dropwise_view *v, ref_dtype dtype, double p, bool causal, int64_t offset,
                        bool with_add)
{
    attention a = {.mask = mask_of(p), .view = v, .dtype = dtype, .probabilities = tensor[P]};
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const double s = p == 0 || p == 1 ? 1 : computed(dtype, ref_inverted_scale(&ref));
    assert_int_equal(dropwise_softmax_init(&a.softmax, 0.3), DROPWISE_OK);
    a.softmax.causal = causal;
    a.softmax.causal_offset = offset;
    if (with_add) { /* a row for each query, shared by all that comes before */
        a.softmax.add = add;
        a.softmax.add_stride[v->rank - 1] = 1;
        if (v->rank > 1)
            a.softmax.add_stride[v->rank - 2] = (int64_t)v->size[v->rank - 1];
    }
    lay_out(v, p);
    const size_t used = (size_t)(where.y_at[where.n - 1] + 1) * ref_bytes(dtype);
    static double probabilities[MAX_N];
    for (uint64_t r = 0; r < where.rows; r++) {
        const uint64_t query = v->rank > 1 ? r % v->size[v->rank - 2] : 0;
        double max = -INFINITY, sum = 0;
        static double logits[MAX_N];
        for (uint64_t c = 0; c < where.columns; c++) {
            const uint64_t i = r * where.columns + c;
            logits[c] = computed(dtype, get(dtype, tensor[X], where.x_at[i]) * computed(dtype, 0.3));
            if (with_add)
                logits[c] =
                    computed(dtype, logits[c] + get(dtype, add, (int64_t)(query * where.columns + c)));
            if (causal && (int64_t)c - offset > (int64_t)query)
                logits[c] = -INFINITY;
            max = logits[c] > max || isnan(logits[c]) ? logits[c] : max;
        }
        for (uint64_t c = 0; c < where.columns; c++)
            sum += max > -INFINITY || isnan(max) ? exp(logits[c] - max) : 0;
        for (uint64_t c = 0; c < where.columns; c++) {
            const uint64_t i = r * where.columns + c;
            const bool counts = !causal || (int64_t)c - offset <= (int64_t)query;
            probabilities[i] = counts && (sum > 0 || isnan(sum)) ? exp(logits[c] - max) / sum : 0;
            expected[i] = probabilities[i];
            sizes[i] = probabilities[i] * (2 + (double)where.columns / 16);
        }
    }
    const result results[] = {{"probabilities", tensor[P], used}, {"softmax", tensor[Y], used}};
    call_like_scalar(softmax_forward, &a, results, 2);
    assert_result(dtype, tensor[P], "probabilities");
    for (uint64_t i = 0; i < where.n; i++)
        expected[i] = where.keep[i] ? probabilities[i] * s : 0;
    assert_result(dtype, tensor[Y], "softmax");

    /* The unfused call on the probabilities gives the same bits where nothing is narrowed between. */
    static uint8_t unfused[8 * MAX_N];
    if (dtype == REF_F32 || dtype == REF_F64) {
        dropwise_view from_p = *v;
        memcpy(from_p.x_stride, v->y_stride, sizeof from_p.x_stride);
        memset(unfused, NOT_WRITTEN, used);
        assert_int_equal(
            dropwise_forward_view(&a.mask, dtype_number(dtype), &from_p, tensor[P], unfused, NULL),
            DROPWISE_OK);
        bool has_nan = false; /* whose bits the unfused call keeps */
        for (uint64_t i = 0; i < where.n; i++)
            has_nan = has_nan || isnan(probabilities[i]);
        if (!has_nan)
            assert_same_bytes(tensor[Y], unfused, used, "softmax, not fused");
    }

    /* Without the probabilities, with the mask stored; then the backward pass from both. */
    const dropwise_stored stored = {
        sizeof stored, (uint32_t)(1 + where.n % 3), stored_mask, sizeof stored_mask, 0, {0, 0}};
    a.probabilities = NULL;
    a.stored = &stored;
    memcpy(unfused, tensor[Y], used);
    memset(tensor[Y], NOT_WRITTEN, used);
    assert_int_equal(softmax_forward(&a), DROPWISE_OK);
    assert_same_bytes(tensor[Y], unfused, used, "softmax with a stored mask");

    for (uint64_t r = 0; r < where.rows; r++) {
        double dot = 0, size = 0;
        for (uint64_t c = 0; c < where.columns; c++) {
            const uint64_t i = r * where.columns + c;
            const double d = where.keep[i] ? get(dtype, tensor[DY], where.x_at[i]) * s : 0;
            dot += d * get(dtype, tensor[P], where.y_at[i]);
            size += fabs(d * get(dtype, tensor[P], where.y_at[i]));
        }
        for (uint64_t c = 0; c < where.columns; c++) {
            const uint64_t i = r * where.columns + c;
            const double d = where.keep[i] ? get(dtype, tensor[DY], where.x_at[i]) * s : 0;
            const double probability = get(dtype, tensor[P], where.y_at[i]);
            expected[i] = 0.3 * probability * (d - dot);
            sizes[i] = probability * (fabs(d) + size * (1 + (double)where.columns / 16));
        }
    }
    for (int from_stored = 0; from_stored < 2; from_stored++) {
        a.stored = from_stored ? &stored : NULL;
        call_like_scalar(softmax_backward, &a, &(result){"softmax, backward", tensor[DX], used}, 1);
        assert_result(dtype, tensor[DX], "softmax, backward");
    }
}

/* Long rows, of which causal ones ask for a part of the mask: that part is the same as in a stored mask. */
static void softmax_drops_of_long_causal_rows_what_a_stored_mask_says(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 32768 };
    static const struct {
        dropwise_dtype dtype;
        uint64_t first, columns;
        int64_t offset;
    } cases[] = {{DROPWISE_F32, 1, COLUMNS, 9999},     {DROPWISE_F32, 0, COLUMNS, 16400},
                 {DROPWISE_F32, 100, 20000, 5000},     {DROPWISE_F32, 7, 16384, 8000},
                 {DROPWISE_F8_E4M3, 1, COLUMNS, 9999}, {DROPWISE_F8_E4M3, 33, 12000, -1}};
    static uint8_t x[ROWS * COLUMNS * 4], dy[sizeof x], y[sizeof x], dx[sizeof x], again[sizeof x];
    static uint8_t bits[ROWS * COLUMNS / 8];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t size[] = {ROWS, cases[i].columns};
        const bool is_f32 = cases[i].dtype == DROPWISE_F32;
        const size_t n = ROWS * (size_t)cases[i].columns * (is_f32 ? 4 : 1);
        for (size_t k = 0; k < n; k++) { /* from 0.5 to 1 or so, of any sign */
            x[k] = is_f32 && k % 4 == 3 ? 0x3F : is_f32 ? (uint8_t)(k * 37) : (uint8_t)(0x30 + k * 37 % 8);
            dy[k] = is_f32 && k % 4 == 3 ? 0xBF : is_f32 ? (uint8_t)(k * 53) : (uint8_t)(0xB0 + k * 53 % 8);
        }
        dropwise_view view;
        dropwise_softmax softmax;
        assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
        assert_int_equal(dropwise_softmax_init(&softmax, 1), DROPWISE_OK);
        view.first = cases[i].first;
        softmax.causal = 1;
        softmax.causal_offset = cases[i].offset;
        for (uint64_t seed = 0; seed < (quick() ? 10 : 40); seed++) {
            dropwise_mask mask;
            dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, bits, sizeof bits, 0, {0, 0}};
            assert_int_equal(dropwise_mask_init(&mask, 0.1, seed, i), DROPWISE_OK);
            assert_int_equal(dropwise_draw_view(&mask, cases[i].dtype, &view, &stored), DROPWISE_OK);
            assert_int_equal(
                dropwise_softmax_forward(&mask, cases[i].dtype, &view, &softmax, x, NULL, y, NULL),
                DROPWISE_OK);
            assert_int_equal(
                dropwise_softmax_backward(&mask, cases[i].dtype, &view, &softmax, dy, x, dx, NULL),
                DROPWISE_OK);
            assert_int_equal(
                dropwise_softmax_backward(&mask, cases[i].dtype, &view, &softmax, dy, x, again, &stored),
                DROPWISE_OK);
            assert_same_bytes(dx, again, n, "backward");
            for (size_t k = 0; k < ROWS * cases[i].columns; k++) {
                static const uint8_t zeros[4];
                const size_t bytes = is_f32 ? 4 : 1;
                if ((bits[k / 8] >> k % 8 & 1) == 0 && memcmp(y + k * bytes, zeros, bytes) != 0)
                    fail_msg("case %zu, seed %u: element %zu is kept", i, (unsigned)seed, k);
            }
        }
    }
}

static void softmax_is_near_its_formula_and_of_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    static const uint64_t square[2] = {40, 40}, heads[3] = {3, 17, 65}, one[1] = {1000};
    static const uint64_t long_rows[2] = {2, 9001}, single[2] = {50, 1}, many_rows[3] = {2, 150, 24};
    static const uint64_t longest_whole[2] = {2, 4096}, shortest_by_pieces[2] = {2, 4097};
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        if ((quick() && dtype % 3 != 0) || !has_functions(dtype))
            continue;
        fill_operands(dtype);
        dropwise_view v = view_of(2, square, 0);
        run_softmax(&v, dtype, 0.1, false, 0, false);
        run_softmax(&v, dtype, 0.1, true, 0, false);
        run_softmax(&v, dtype, 0.5, true, -7, true); /* the first queries see nothing */
        run_softmax(&v, dtype, 0.0, true, INT64_MAX, true);
        run_softmax(&v, dtype, 1.0, true, 3, true);
        v = view_of(3, heads, 0);
        run_softmax(&v, dtype, 0.3, true, 65 - 17, true);
        v.y_stride[1] += 7; /* padded rows */
        v.y_stride[0] = 17 * v.y_stride[1];
        run_softmax(&v, dtype, 0.3, false, 0, true);
        v = view_of(3, heads, 1u << 0); /* a mask for all heads */
        run_softmax(&v, dtype, 0.3, false, 0, true);
        v = view_of(1, one, 0);
        run_softmax(&v, dtype, 0.2, false, 0, false);
        v = view_of(2, single, 0);
        run_softmax(&v, dtype, 0.2, false, 0, false);
        v = view_of(2, long_rows, 0);
        run_softmax(&v, dtype, 0.2, false, 0, true);
        v = view_of(2, longest_whole, 0);
        run_softmax(&v, dtype, 0.2, true, 4095, true);
        v = view_of(2, shortest_by_pieces, 0);
        run_softmax(&v, dtype, 0.2, true, 4095, false);
        v = view_of(3, many_rows, 0); /* more than go to a kernel together */
        run_softmax(&v, dtype, 0.1, true, -100, false);
        run_softmax(&v, dtype, 0.1, true, -64, true);

        /* Nothing counts in a row; a NaN in another, +infinity in a third. */
        v = view_of(2, square, 0);
        for (int64_t c = 0; c < 40; c++)
            put(dtype, tensor[X], 80 + c, -448);
        if (dtype != REF_F8_E4M3 && dtype != REF_F8_E4M3_SAT) {
            for (int64_t c = 0; c < 40; c++)
                put(dtype, tensor[X], 80 + c, -INFINITY);
            put(dtype, tensor[X], 41, NAN);
            put(dtype, tensor[X], 130, INFINITY);
        }
        if (dtype < REF_F8_E4M3)
            run_softmax(&v, dtype, 0.1, false, 0, false);
    }
}

/* ---- Gradients against central differences, in f64 ---- */

enum { GRAD_ROWS = 6, GRAD_COLUMNS = 23, GRAD_N = GRAD_ROWS * GRAD_COLUMNS };

typedef enum step { RESIDUAL = 0, SOFTMAX = -1 } step; /* else an activation */

/* The sum of weights * y, and y's step chosen by what. */
static double loss(const dropwise_mask *mask, const dropwise_view *v, int what, const double *x,
                   const double *b, const dropwise_softmax *softmax, const double *weights)
{
    static double y[GRAD_N];
    if (what == SOFTMAX)
        assert_int_equal(dropwise_softmax_forward(mask, DROPWISE_F64, v, softmax, x, NULL, y, NULL),
                         DROPWISE_OK);
    else if (what == RESIDUAL)
        assert_int_equal(dropwise_residual_forward(mask, DROPWISE_F64, v, x, b, x, y, NULL), DROPWISE_OK);
    else
        assert_int_equal(dropwise_activation_forward(mask, DROPWISE_F64, v, what, x, b, y, NULL),
                         DROPWISE_OK);
    double sum = 0;
    for (int i = 0; i < GRAD_N; i++)
        sum += weights[i] * y[i];
    return sum;
}

static void gradients_are_what_central_differences_say(void **state)
{
    (void)state;
    static const uint64_t size[2] = {GRAD_ROWS, GRAD_COLUMNS};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = mask_of(0.3);
    dropwise_softmax softmax;
    assert_int_equal(dropwise_softmax_init(&softmax, 0.7), DROPWISE_OK);
    softmax.causal = 1;
    softmax.causal_offset = GRAD_COLUMNS - GRAD_ROWS;
    double x[GRAD_N], b[GRAD_COLUMNS], weights[GRAD_N], dx[GRAD_N], db[GRAD_COLUMNS], p[GRAD_N], y[GRAD_N];
    fill(REF_F64, (uint8_t *)x, GRAD_N, 1);
    fill(REF_F64, (uint8_t *)b, GRAD_COLUMNS, 2);
    fill(REF_F64, (uint8_t *)weights, GRAD_N, 3);
    const int last = has_math() ? DROPWISE_SILU : DROPWISE_RELU;
    for (int what = has_math() ? SOFTMAX : RESIDUAL; what <= last; what++) {
        if (what == SOFTMAX) {
            assert_int_equal(dropwise_softmax_forward(&mask, DROPWISE_F64, &v, &softmax, x, p, y, NULL),
                             DROPWISE_OK);
            assert_int_equal(
                dropwise_softmax_backward(&mask, DROPWISE_F64, &v, &softmax, weights, p, dx, NULL),
                DROPWISE_OK);
        } else if (what == RESIDUAL) {
            assert_int_equal(dropwise_residual_backward(&mask, DROPWISE_F64, &v, weights, dx, db, NULL),
                             DROPWISE_OK);
            for (int i = 0; i < GRAD_N; i++)
                dx[i] += weights[i]; /* x is the residual too */
        } else {
            assert_int_equal(
                dropwise_activation_backward(&mask, DROPWISE_F64, &v, what, weights, x, b, dx, db, NULL),
                DROPWISE_OK);
        }
        const double h = 1e-5;
        for (int i = 0; i < GRAD_N + (what == SOFTMAX ? 0 : GRAD_COLUMNS); i++) {
            double *at = i < GRAD_N ? &x[i] : &b[i - GRAD_N], before = *at;
            *at = before + h;
            const double above = loss(&mask, &v, what, x, b, &softmax, weights);
            *at = before - h;
            const double below = loss(&mask, &v, what, x, b, &softmax, weights);
            *at = before;
            const double difference = (above - below) / (2 * h),
                         gradient = i < GRAD_N ? dx[i] : db[i - GRAD_N];
            if (!(fabs(difference - gradient) <= 1e-8 * (1 + fabs(gradient))))
                fail_msg("step %d, input %d: gradient %.12g, difference %.12g", what, i, gradient,
                         difference);
        }
    }
}

/* ---- Aliasing that is allowed ---- */

static void results_over_an_operand_are_those_apart(void **state)
{
    (void)state;
    enum { R = 9, C = 5000, N = R * C };
    static const uint64_t size[2] = {R, C};
    const dropwise_view v = view_of(2, size, 0);
    const dropwise_mask mask = mask_of(0.1);
    dropwise_softmax softmax;
    assert_int_equal(dropwise_softmax_init(&softmax, 1.5), DROPWISE_OK);
    static float x[N], skip[N], b[C], y[N], p[N], z[N];
    fill(REF_F32, (uint8_t *)x, N, 1);
    fill(REF_F32, (uint8_t *)skip, N, 2);
    fill(REF_F32, (uint8_t *)b, C, 3);
#define F DROPWISE_F32
    assert_int_equal(dropwise_residual_forward(&mask, F, &v, x, b, skip, y, NULL), DROPWISE_OK);
    memcpy(z, x, sizeof z);
    assert_int_equal(dropwise_residual_forward(&mask, F, &v, z, b, skip, z, NULL), DROPWISE_OK);
    assert_same_bytes(z, y, sizeof z, "residual over x");
    memcpy(z, skip, sizeof z);
    assert_int_equal(dropwise_residual_forward(&mask, F, &v, x, b, z, z, NULL), DROPWISE_OK);
    assert_same_bytes(z, y, sizeof z, "residual over the residual");
    assert_int_equal(dropwise_activation_backward(&mask, F, &v, DROPWISE_RELU, x, skip, b, y, NULL, NULL),
                     DROPWISE_OK);
    memcpy(z, skip, sizeof z);
    assert_int_equal(dropwise_activation_backward(&mask, F, &v, DROPWISE_RELU, x, z, b, z, NULL, NULL),
                     DROPWISE_OK);
    assert_same_bytes(z, y, sizeof z, "backward over x");
    assert_int_equal(dropwise_softmax_forward(&mask, F, &v, &softmax, x, p, y, NULL), DROPWISE_OK);
    memcpy(z, x, sizeof z);
    assert_int_equal(dropwise_softmax_forward(&mask, F, &v, &softmax, z, NULL, z, NULL), DROPWISE_OK);
    assert_same_bytes(z, y, sizeof z, "softmax over x");
    assert_int_equal(dropwise_softmax_backward(&mask, F, &v, &softmax, skip, p, y, NULL), DROPWISE_OK);
    memcpy(z, p, sizeof z);
    assert_int_equal(dropwise_softmax_backward(&mask, F, &v, &softmax, skip, z, z, NULL), DROPWISE_OK);
    assert_same_bytes(z, y, sizeof z, "softmax backward over the probabilities");
#undef F
}

/* ---- Errors ---- */

static float ex[256], es[256], eb[64], ey[256], ep[256], before[256];

static void assert_untouched(void)
{
    assert_same_bytes(ey, before, sizeof ey, "y after an error");
    assert_same_bytes(ep, before, sizeof ep, "probabilities after an error");
}

/* All fused functions refuse these arguments alike. */
static void assert_refused(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *v,
                           const dropwise_stored *stored, dropwise_status status)
{
    dropwise_softmax softmax;
    assert_int_equal(dropwise_softmax_init(&softmax, 1), DROPWISE_OK);
    assert_int_equal(dropwise_residual_forward(mask, dtype, v, ex, eb, es, ey, stored), status);
    assert_int_equal(dropwise_residual_backward(mask, dtype, v, ex, ey, ep, stored), status);
    assert_int_equal(dropwise_activation_forward(mask, dtype, v, DROPWISE_RELU, ex, eb, ey, stored), status);
    assert_int_equal(dropwise_activation_backward(mask, dtype, v, DROPWISE_RELU, ex, es, eb, ey, ep, stored),
                     status);
    assert_int_equal(dropwise_softmax_forward(mask, dtype, v, &softmax, ex, ep, ey, stored), status);
    assert_int_equal(dropwise_softmax_backward(mask, dtype, v, &softmax, ex, es, ey, stored), status);
    assert_untouched();
}

/* What is good, of which tests change one field. */
static dropwise_mask good_mask;
static dropwise_view good;
static dropwise_softmax good_softmax;
static const dropwise_dtype f32 = DROPWISE_F32;

static int setup_errors(void **state)
{
    (void)state;
    static const uint64_t size[2] = {4, 16};
    memset(before, 0x35, sizeof before);
    memcpy(ey, before, sizeof ey);
    memcpy(ep, before, sizeof ep);
    good = view_of(2, size, 0);
    good_mask = mask_of(0.5);
    return dropwise_softmax_init(&good_softmax, 1);
}

static void every_step_refuses_a_bad_mask_dtype_view_or_stored_mask(void **state)
{
    (void)state;
    assert_common_refusals(assert_refused, &good_mask, &good, ey);
    dropwise_view v = good;
    v.x_stride[1] = -1;
    assert_refused(&good_mask, f32, &v, NULL, DROPWISE_ERROR_SHAPE);
    v = good;
    v.x_stride[0] = INT64_MAX / 8;
    assert_refused(&good_mask, f32, &v, NULL, DROPWISE_ERROR_SIZE);
}

static void a_residual_refuses_pointers_that_are_missing_or_overlap(void **state)
{
    (void)state;
    const dropwise_mask *mask = &good_mask;
    assert_int_equal(dropwise_residual_forward(mask, f32, &good, NULL, eb, es, ey, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_residual_forward(mask, f32, &good, ex, eb, es, NULL, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_residual_forward(mask, f32, &good, ey + 1, eb, es, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_residual_forward(mask, f32, &good, ex, ey, es, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_residual_forward(mask, f32, &good, ex, eb, ey + 16, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_residual_backward(mask, f32, &good, ex, ey, ey, NULL), DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_residual_backward(mask, f32, &good, NULL, ey, ep, NULL), DROPWISE_ERROR_NULL);
    assert_untouched();
}

static void an_activation_refuses_an_unknown_function_and_a_missing_pointer(void **state)
{
    (void)state;
    const dropwise_mask *mask = &good_mask;
    for (dropwise_activation a = -1; a <= 5; a += a == 0 ? 5 : 1) {
        assert_int_equal(dropwise_activation_forward(mask, f32, &good, a, ex, eb, ey, NULL),
                         DROPWISE_ERROR_ACTIVATION);
        assert_int_equal(dropwise_activation_backward(mask, f32, &good, a, ex, es, eb, ey, ep, NULL),
                         DROPWISE_ERROR_ACTIVATION);
    }
    assert_int_equal(
        dropwise_activation_backward(mask, f32, &good, DROPWISE_RELU, ex, NULL, eb, ey, ep, NULL),
        DROPWISE_ERROR_NULL);
    assert_untouched();
}

static dropwise_status softmax_by(const dropwise_view *v, const dropwise_softmax *softmax)
{
    return dropwise_softmax_forward(&good_mask, f32, v, softmax, ex, ep, ey, NULL);
}

static void softmax_refuses_a_field_that_is_wrong(void **state)
{
    (void)state;
    dropwise_softmax s;
    assert_int_equal(dropwise_softmax_init(NULL, 1), DROPWISE_ERROR_NULL);
    static const double not_finite[] = {INFINITY, -INFINITY, NAN};
    for (int i = 0; i < 3; i++) {
        s = good_softmax;
        assert_int_equal(dropwise_softmax_init(&s, not_finite[i]), DROPWISE_ERROR_PARAMETER);
        assert_same_bytes(&s, &good_softmax, sizeof s, "softmax after an error");
        s.scale = not_finite[i];
        assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_PARAMETER);
        assert_int_equal(dropwise_softmax_backward(&good_mask, f32, &good, &s, ex, es, ey, NULL),
                         DROPWISE_ERROR_PARAMETER);
    }
    assert_int_equal(softmax_by(&good, NULL), DROPWISE_ERROR_NULL);
    s = good_softmax;
    s.struct_size = 0;
    assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_STRUCT_SIZE);
    s = good_softmax;
    s.reserved[0] = 1;
    assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_RESERVED);
    s = good_softmax;
    s.causal = 2;
    assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_PARAMETER);
    s = good_softmax;
    s.add = es; /* whose stride along a row is 0 */
    assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_SHAPE);
    s = good_softmax;
    s.causal = 1;
    static const uint64_t flat[1] = {64};
    const dropwise_view v = view_of(1, flat, 0);
    assert_int_equal(softmax_by(&v, &s), DROPWISE_ERROR_SHAPE);
    assert_untouched();
}

static void softmax_refuses_pointers_that_are_missing_or_overlap(void **state)
{
    (void)state;
    dropwise_softmax s = good_softmax;
    s.add = ey;
    s.add_stride[1] = 1;
    assert_int_equal(softmax_by(&good, &s), DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_softmax_forward(&good_mask, f32, &good, &good_softmax, ex, ey, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_softmax_forward(&good_mask, f32, &good, &good_softmax, NULL, ep, ey, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_softmax_backward(&good_mask, f32, &good, &good_softmax, ex, NULL, ey, NULL),
                     DROPWISE_ERROR_NULL);
    assert_untouched();
}

static void of_no_rows_nothing_is_made_but_sums_of_nothing(void **state)
{
    (void)state;
    dropwise_view v = good;
    v.size[0] = 0;
    assert_int_equal(dropwise_residual_forward(&good_mask, f32, &v, NULL, NULL, NULL, NULL, NULL),
                     DROPWISE_OK);
    assert_int_equal(dropwise_residual_backward(&good_mask, f32, &v, NULL, NULL, eb, NULL), DROPWISE_OK);
    for (int c = 0; c < 16; c++)
        assert_true(eb[c] == 0.0f);
}

/*
 * On a tier whose functions cannot run here, or in a build without SLEEF, a status says so; but f32 has
 * its own.
 */
static void gelu_and_softmax_in_f64_without_their_functions_are_a_status(void **state)
{
    (void)state;
    static const uint64_t size[1] = {8};
    const dropwise_view v = view_of(1, size, 0);
    const dropwise_mask mask = mask_of(0.5);
    for (int of_f64 = 0; of_f64 < 2; of_f64++) {
        const dropwise_dtype dtype = of_f64 ? DROPWISE_F64 : DROPWISE_F32;
        const dropwise_status status = of_f64 && !has_math() ? DROPWISE_ERROR_MATH : DROPWISE_OK;
        for (dropwise_activation a = DROPWISE_GELU; a <= DROPWISE_SILU; a++) {
            assert_int_equal(dropwise_activation_forward(&mask, dtype, &v, a, ex, NULL, ey, NULL), status);
            assert_int_equal(dropwise_activation_backward(&mask, dtype, &v, a, ex, es, NULL, ey, NULL, NULL),
                             status);
        }
        assert_int_equal(dropwise_softmax_forward(&mask, dtype, &v, &good_softmax, ex, NULL, ey, NULL),
                         status);
        assert_int_equal(dropwise_softmax_backward(&mask, dtype, &v, &good_softmax, ex, es, ey, NULL),
                         status);
    }
    assert_true(has_math() || !is_required("sleef"));
}

#define WITH_GOOD_ONES(test) cmocka_unit_test_setup(test, setup_errors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_residual_and_its_gradients_are_exact_and_of_the_same_bits_on_all_tiers),
        cmocka_unit_test(relu_and_its_gradients_are_exact_and_of_the_same_bits_on_all_tiers),
        cmocka_unit_test(gelu_and_silu_are_near_their_formulas_and_of_the_same_bits_on_all_tiers),
        cmocka_unit_test(softmax_is_near_its_formula_and_of_the_same_bits_on_all_tiers),
        cmocka_unit_test(softmax_drops_of_long_causal_rows_what_a_stored_mask_says),
        cmocka_unit_test(gradients_are_what_central_differences_say),
        cmocka_unit_test(results_over_an_operand_are_those_apart),
        WITH_GOOD_ONES(every_step_refuses_a_bad_mask_dtype_view_or_stored_mask),
        WITH_GOOD_ONES(a_residual_refuses_pointers_that_are_missing_or_overlap),
        WITH_GOOD_ONES(an_activation_refuses_an_unknown_function_and_a_missing_pointer),
        WITH_GOOD_ONES(softmax_refuses_a_field_that_is_wrong),
        WITH_GOOD_ONES(softmax_refuses_pointers_that_are_missing_or_overlap),
        WITH_GOOD_ONES(of_no_rows_nothing_is_made_but_sums_of_nothing),
        WITH_GOOD_ONES(gelu_and_softmax_in_f64_without_their_functions_are_a_status),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
