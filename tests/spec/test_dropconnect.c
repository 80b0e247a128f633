/*
 * DropConnect through the public functions: against sums in the order that the header promises, bit by bit on
 * every tier, and against plain sums in double; shards, gradients, samples of moments, every error.
 */
#include <math.h>

#include "dropwise_dropconnect.h"
#include "dropwise_variants.h"
#include "support/tensors.h"

static dropwise_mask scaled_mask(double p, uint32_t scaling)
{
    dropwise_mask mask = mask_of(p);
    mask.scaling = scaling;
    return mask;
}

static dropwise_dropconnect layer_of(uint64_t samples, uint64_t rows, uint64_t columns)
{
    dropwise_dropconnect layer;
    assert_int_equal(dropwise_dropconnect_init(&layer, samples, rows, columns), DROPWISE_OK);
    return layer;
}

/* The type that is computed in. */
static ref_dtype number_of(ref_dtype dtype)
{
    return dtype == REF_F64 ? REF_F64 : REF_F32;
}

/* ---- Sums ---- */

/* 16 partial sums and a tree; beside them the plain sum in double, and the sum of magnitudes. */
typedef struct ordered_sum {
    ref_dtype dtype;
    uint64_t count;
    double partial[16], plain, size;
} ordered_sum;

static void add(ordered_sum *sum, bool keep, double a, double b)
{
    double *partial = &sum->partial[sum->count++ % 16];
    if (!keep)
        return;
    *partial = computed(sum->dtype, *partial + computed(sum->dtype, a * b));
    sum->plain += a * b;
    sum->size += fabs(a * b);
}

/* total * factor, and then + start. */
static double finish(ordered_sum *sum, double factor, double start)
{
    for (int half = 8; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            sum->partial[k] = computed(sum->dtype, sum->partial[k] + sum->partial[k + half]);
    const double f = computed(sum->dtype, factor);
    const double v = computed(sum->dtype, computed(sum->dtype, sum->partial[0] * f) + start);
    const double unit = sum->dtype == REF_F64 ? 0x1p-53 : 0x1p-24;
    const double bound = unit * (double)(sum->count / 16 + 8) * (sum->size * f + fabs(start));
    assert_true(fabs(v - (sum->plain * f + start)) <= bound + 1e-300);
    return v;
}

/* ---- A case: a layer, its matrices, and what the oracle makes of them ---- */

enum { MAX_WEIGHTS = 150000, MAX_ELEMENTS = 70000 };

typedef struct shape {
    uint64_t samples, rows, columns;
    double p;
    uint32_t scaling;
    uint64_t gap; /* between rows of all matrices, and of mask indices */
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0.5, DROPWISE_SCALING_INVERTED, 0},    {3, 5, 7, 0.5, DROPWISE_SCALING_INVERTED, 0},
    {2, 70, 3, 0.3, DROPWISE_SCALING_STANDARD, 1},   {20, 9, 100, 0.5, DROPWISE_SCALING_INVERTED, 0},
    {35, 6, 65, 0.1, DROPWISE_SCALING_STANDARD, 3},  {2, 67, 784, 0.5, DROPWISE_SCALING_INVERTED, 0},
    {2, 6, 1030, 0.5, DROPWISE_SCALING_INVERTED, 5}, {1, 7, 4097, 0.9, DROPWISE_SCALING_INVERTED, 0},
    {3, 2, 5003, 0.2, DROPWISE_SCALING_STANDARD, 0}, {70, 3, 513, 0.5, DROPWISE_SCALING_INVERTED, 0},
    {4, 33, 256, 0.0, DROPWISE_SCALING_INVERTED, 0}, {4, 33, 256, 1.0, DROPWISE_SCALING_INVERTED, 2},
    {4, 17, 64, 1.0, DROPWISE_SCALING_STANDARD, 0},  {1, 130, 520, 0.5, DROPWISE_SCALING_INVERTED, 0},
};

static dropwise_dropconnect layer;
static dropwise_mask mask;
static ref_dtype dtype;
static uint8_t keep[MAX_WEIGHTS]; /* without gaps: (b * rows + o) * columns + i */

enum { W, X, DY, BIAS, N_INPUTS };
enum { Y, DX, DW, DB, MEAN, VARIANCE, N_OUTPUTS };
static uint8_t in[N_INPUTS][8 * MAX_ELEMENTS], expected[N_OUTPUTS][8 * MAX_ELEMENTS];
static double numbers[N_INPUTS][MAX_ELEMENTS];                 /* those of `in` */
static uint64_t elements[N_OUTPUTS], input_elements[N_INPUTS]; /* with gaps     */

static ref_dtype output_dtype(int output)
{
    return output == Y || output == DX ? dtype : number_of(dtype);
}

static bool kept(uint64_t b, uint64_t o, uint64_t i)
{
    return keep[(b * layer.rows + o) * layer.columns + i];
}

static double w_at(uint64_t o, uint64_t i)
{
    return numbers[W][o * layer.w_stride + i];
}

static double x_at(uint64_t b, uint64_t i)
{
    return numbers[X][b * layer.x_stride + i];
}

static double dy_at(uint64_t b, uint64_t o)
{
    return numbers[DY][b * layer.y_stride + o];
}

static void set_shape(const shape *s)
{
    layer = layer_of(s->samples, s->rows, s->columns);
    mask = scaled_mask(s->p, s->scaling);
    layer.first = s->gap == 0 ? 0 : UINT64_C(0x123456789);
    layer.mask_row_stride += s->gap;
    layer.mask_sample_stride = layer.mask_row_stride * s->rows + s->gap;
    layer.w_stride += s->gap;
    layer.x_stride += 2 * s->gap;
    layer.y_stride += 3 * s->gap;
    assert_true(s->samples * s->rows * s->columns <= MAX_WEIGHTS);
    const ref_mask ref = ref_mask_of(s->p, SEED, STREAM);
    for (uint64_t b = 0; b < s->samples; b++)
        for (uint64_t o = 0; o < s->rows; o++)
            ref_keep_range(&ref, layer.first + b * layer.mask_sample_stride + o * layer.mask_row_stride,
                           s->columns, keep + (b * s->rows + o) * s->columns);
    elements[Y] = elements[MEAN] = elements[VARIANCE] = (s->samples - 1) * layer.y_stride + s->rows;
    elements[DX] = (s->samples - 1) * layer.x_stride + s->columns;
    elements[DW] = (s->rows - 1) * layer.w_stride + s->columns;
    elements[DB] = s->rows;
    input_elements[W] = elements[DW];
    input_elements[X] = elements[DX];
    input_elements[DY] = elements[Y];
    input_elements[BIAS] = elements[DB];
    for (int output = 0; output < N_OUTPUTS; output++)
        assert_true(elements[output] <= MAX_ELEMENTS);
}

/* What outputs hold before a call: dw and db are added to, gaps stay. */
static void fill_output(int output, uint8_t *p)
{
    fill(output_dtype(output), p, elements[output], 100 + (uint64_t)output);
}

static void expect(double p, uint32_t scaling)
{
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const ref_dtype number = number_of(dtype);
    const double q = ref_standard_scale(&ref);
    const bool inverted = scaling == DROPWISE_SCALING_INVERTED;
    const double s = inverted && q > 0 ? ref_inverted_scale(&ref) : 1;
    for (int input = 0; input < N_INPUTS; input++) {
        fill(dtype, in[input], (int64_t)input_elements[input], 1 + (uint64_t)input);
        for (uint64_t i = 0; i < input_elements[input]; i++)
            numbers[input][i] = get(dtype, in[input], (int64_t)i);
    }
    for (int output = 0; output < N_OUTPUTS; output++)
        fill_output(output, expected[output]);
    for (uint64_t b = 0; b < layer.samples; b++)
        for (uint64_t o = 0; o < layer.rows; o++) {
            ordered_sum y = {.dtype = number}, mean = y, variance = y;
            for (uint64_t i = 0; i < layer.columns; i++) {
                const double product = computed(number, w_at(o, i) * x_at(b, i));
                add(&y, kept(b, o, i), w_at(o, i), x_at(b, i));
                add(&mean, true, w_at(o, i), x_at(b, i));
                add(&variance, true, product, product);
            }
            const double bias = numbers[BIAS][o];
            const uint64_t at = b * layer.y_stride + o;
            put(dtype, expected[Y], at, finish(&y, s, bias));
            put(number, expected[MEAN], at, finish(&mean, inverted ? q > 0 : q, bias));
            put(number, expected[VARIANCE], at,
                finish(&variance,
                       !inverted ? (1 - q) * q
                       : q > 0   ? (1 - q) / q
                                 : 0,
                       0));
        }
    for (uint64_t b = 0; b < layer.samples; b++)
        for (uint64_t i = 0; i < layer.columns; i++) {
            ordered_sum dx = {.dtype = number};
            for (uint64_t o = 0; o < layer.rows; o++)
                add(&dx, kept(b, o, i), w_at(o, i), dy_at(b, o));
            put(dtype, expected[DX], b * layer.x_stride + i, finish(&dx, s, 0));
        }
    for (uint64_t o = 0; o < layer.rows; o++) {
        ordered_sum db = {.dtype = number};
        for (uint64_t b = 0; b < layer.samples; b++)
            add(&db, true, dy_at(b, o), 1);
        put(number, expected[DB], o, finish(&db, 1, get(number, expected[DB], o)));
        for (uint64_t i = 0; i < layer.columns; i++) {
            const uint64_t at = o * layer.w_stride + i;
            ordered_sum dw = {.dtype = number};
            for (uint64_t b = 0; b < layer.samples; b++)
                add(&dw, kept(b, o, i), x_at(b, i), dy_at(b, o));
            put(number, expected[DW], at, finish(&dw, s, get(number, expected[DW], at)));
        }
    }
}

/* Every matrix ends right before a page that cannot be touched, or begins right after one, at odd places. */
static guard_arena of_inputs[N_INPUTS], of_outputs[N_OUTPUTS];

static void check_case(void)
{
    const dropwise_isa isa = dropwise_isa_active();
    const bool at_end = isa % 2;
    uint8_t *p[N_INPUTS], *out[N_OUTPUTS];
    for (int input = 0; input < N_INPUTS; input++) {
        p[input] = guard_place(&of_inputs[input], input_elements[input] * ref_bytes(dtype), at_end,
                               (size_t)input + 1);
        memcpy(p[input], in[input], input_elements[input] * ref_bytes(dtype));
        guard_readonly(&of_inputs[input], true);
    }
    for (int output = 0; output < N_OUTPUTS; output++) {
        out[output] = guard_place(&of_outputs[output], elements[output] * ref_bytes(output_dtype(output)),
                                  at_end, (size_t)output + 1);
        fill_output(output, out[output]);
    }
    const dropwise_dtype number = dtype_number(dtype);
    assert_int_equal(dropwise_dropconnect_forward(&mask, number, &layer, p[W], p[X], p[BIAS], out[Y]),
                     DROPWISE_OK);
    assert_int_equal(
        dropwise_dropconnect_backward(&mask, number, &layer, p[W], p[X], p[DY], out[DX], out[DW], out[DB]),
        DROPWISE_OK);
    assert_int_equal(
        dropwise_dropconnect_moments(&mask, number, &layer, p[W], p[X], p[BIAS], out[MEAN], out[VARIANCE]),
        DROPWISE_OK);
    static const char *const names[N_OUTPUTS] = {"y", "dx", "dw", "db", "mean", "variance"};
    for (int output = 0; output < N_OUTPUTS; output++) {
        assert_same_bytes(out[output], expected[output], elements[output] * ref_bytes(output_dtype(output)),
                          "%s, %s, %s, %llu x %llu x %llu", names[output], dtype_name(dtype),
                          dropwise_isa_name(isa), (unsigned long long)layer.samples,
                          (unsigned long long)layer.rows, (unsigned long long)layer.columns);
        assert_true(guard_intact(&of_outputs[output]));
    }
    for (int input = 0; input < N_INPUTS; input++)
        guard_readonly(&of_inputs[input], false);
}

static void outputs_gradients_and_moments_are_sums_in_the_promised_order(void **state)
{
    (void)state;
    for (int input = 0; input < N_INPUTS; input++)
        of_inputs[input] = guard_new(sizeof in[0]);
    for (int output = 0; output < N_OUTPUTS; output++)
        of_outputs[output] = guard_new(sizeof expected[0]);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        set_shape(&shapes[s]);
        for (dtype = 0; dtype < REF_DTYPES; dtype++) {
            if (quick() ? (s + dtype) % 4 != 0 : dtype >= REF_F8_E4M3 && (s + dtype) % 4 != 0)
                continue;
            expect(shapes[s].p, shapes[s].scaling);
            check_case();
        }
    }
    for (int input = 0; input < N_INPUTS; input++)
        guard_free(&of_inputs[input]);
    for (int output = 0; output < N_OUTPUTS; output++)
        guard_free(&of_outputs[output]);
}

/* ---- Shards, shared operands ---- */

enum { B = 23, R = 37, C = 300 };

static float w[R * C], x[B * C], dy[B * R], bias[R], y[B * R], dx[B * C], dw[R * C], db[R];

static void fill_layer(void)
{
    fill(REF_F32, (uint8_t *)w, R * C, 1);
    fill(REF_F32, (uint8_t *)x, B * C, 2);
    fill(REF_F32, (uint8_t *)dy, B * R, 3);
    fill(REF_F32, (uint8_t *)bias, R, 4);
}

#define F32 DROPWISE_F32
#define assert_ok(call) assert_int_equal(call, DROPWISE_OK)

static void shards_of_samples_or_rows_together_make_the_whole(void **state)
{
    (void)state;
    fill_layer();
    const dropwise_mask m = scaled_mask(0.3, DROPWISE_SCALING_INVERTED);
    dropwise_dropconnect whole = layer_of(B, R, C);
    whole.first = 1001;
    memset(dw, 0, sizeof dw);
    memset(db, 0, sizeof db);
    assert_ok(dropwise_dropconnect_forward(&m, F32, &whole, w, x, bias, y));
    assert_ok(dropwise_dropconnect_backward(&m, F32, &whole, w, x, dy, dx, dw, db));
    for (uint64_t cut = 1; cut < 20; cut += 6) {
        static float part_y[B * R], part_dx[B * C], part_dw[R * C], part_db[R];
        memset(part_dw, 0, sizeof part_dw);
        memset(part_db, 0, sizeof part_db);
        for (uint64_t from = 0; from < B; from += cut) { /* samples */
            dropwise_dropconnect shard = whole;
            shard.first += from * whole.mask_sample_stride;
            shard.samples = from + cut < B ? cut : B - from;
            assert_ok(
                dropwise_dropconnect_forward(&m, F32, &shard, w, x + from * C, bias, part_y + from * R));
            assert_ok(dropwise_dropconnect_backward(&m, F32, &shard, w, x + from * C, dy + from * R,
                                                    part_dx + from * C, part_dw, part_db));
        }
        assert_same_bytes(part_y, y, sizeof y, "y of %llu samples", (unsigned long long)cut);
        assert_same_bytes(part_dx, dx, sizeof dx, "dx of %llu samples", (unsigned long long)cut);
        for (int i = 0; i < R * C; i++)
            assert_true(fabsf(part_dw[i] - dw[i]) < 1e-4f);
        for (int o = 0; o < R; o++)
            assert_true(fabsf(part_db[o] - db[o]) < 1e-4f);

        memset(part_dw, 0, sizeof part_dw);
        memset(part_db, 0, sizeof part_db);
        for (uint64_t from = 0; from < R; from += cut) { /* rows */
            dropwise_dropconnect shard = whole;
            shard.first += from * whole.mask_row_stride;
            shard.rows = from + cut < R ? cut : R - from;
            assert_ok(
                dropwise_dropconnect_forward(&m, F32, &shard, w + from * C, x, bias + from, part_y + from));
            assert_ok(dropwise_dropconnect_backward(&m, F32, &shard, NULL, x, dy + from, NULL,
                                                    part_dw + from * C, part_db + from));
        }
        assert_same_bytes(part_y, y, sizeof y, "y of %llu rows", (unsigned long long)cut);
        assert_same_bytes(part_dw, dw, sizeof dw, "dw of %llu rows", (unsigned long long)cut);
        assert_same_bytes(part_db, db, sizeof db, "db of %llu rows", (unsigned long long)cut);
    }
}

static void one_x_for_all_samples_is_as_a_copy_for_each(void **state)
{
    (void)state;
    static float copies[B * C], again[B * R];
    fill_layer();
    const dropwise_mask m = scaled_mask(0.3, DROPWISE_SCALING_INVERTED);
    const dropwise_dropconnect whole = layer_of(B, R, C);
    for (int b = 0; b < B; b++)
        memcpy(copies + b * C, x, C * sizeof *x);
    dropwise_dropconnect shared = whole;
    shared.x_stride = 0;
    assert_ok(dropwise_dropconnect_forward(&m, F32, &whole, w, copies, NULL, y));
    assert_ok(dropwise_dropconnect_forward(&m, F32, &shared, w, x, NULL, again));
    assert_same_bytes(again, y, sizeof y, "one x for all samples");
}

static void one_mask_for_all_samples_is_as_dropout_of_the_weights(void **state)
{
    (void)state;
    static float again[B * R], masked[R * C];
    fill_layer();
    dropwise_dropconnect whole = layer_of(B, R, C), shared;
    whole.first = 1001;
    const dropwise_mask standard = scaled_mask(0.3, DROPWISE_SCALING_STANDARD);
    const dropwise_mask none = scaled_mask(0, DROPWISE_SCALING_STANDARD);
    static const uint64_t size[2] = {R, C};
    dropwise_view view;
    for (uint32_t shared_rows = 0; shared_rows < 2; shared_rows++) { /* then inputs are dropped */
        assert_ok(dropwise_view_init(&view, 2, size));
        assert_ok(dropwise_view_share(&view, shared_rows));
        view.first = whole.first;
        assert_ok(dropwise_forward_view(&standard, F32, &view, w, masked, NULL));
        shared = whole;
        shared.mask_sample_stride = 0;
        shared.mask_row_stride = (uint64_t)view.mask_stride[0];
        assert_ok(dropwise_dropconnect_forward(&none, F32, &whole, masked, x, bias, y));
        assert_ok(dropwise_dropconnect_forward(&standard, F32, &shared, w, x, bias, again));
        assert_same_bytes(again, y, sizeof y, "one mask for all samples");
    }
}

/* ---- Awkward numbers ---- */

static void nan_and_infinity_do_not_count_where_they_are_dropped(void **state)
{
    (void)state;
    const dropwise_mask m = scaled_mask(0.5, DROPWISE_SCALING_INVERTED);
    const ref_mask ref = ref_mask_of(0.5, SEED, STREAM);
    const dropwise_dropconnect l = layer_of(1, R, C);
    static float clean[R], dirty[R], clean_dx[C], dirty_dx[C], awkward[R * C];
    fill_layer();
    for (int i = 0; i < R * C; i++)
        awkward[i] = ref_keep(&ref, (uint64_t)i) ? w[i] : i % 2 ? NAN : INFINITY;
    assert_ok(dropwise_dropconnect_forward(&m, F32, &l, w, x, bias, clean));
    assert_ok(dropwise_dropconnect_forward(&m, F32, &l, awkward, x, bias, dirty));
    assert_same_bytes(dirty, clean, sizeof clean, "NaN and infinity in dropped weights");
    assert_ok(dropwise_dropconnect_backward(&m, F32, &l, w, NULL, dy, clean_dx, NULL, NULL));
    assert_ok(dropwise_dropconnect_backward(&m, F32, &l, awkward, NULL, dy, dirty_dx, NULL, NULL));
    assert_same_bytes(dirty_dx, clean_dx, sizeof clean_dx, "NaN and infinity in dropped weights, backward");
}

static void an_infinite_or_nan_input_reaches_the_rows_that_keep_its_weight(void **state)
{
    (void)state;
    const dropwise_mask m = scaled_mask(0.5, DROPWISE_SCALING_INVERTED);
    const ref_mask ref = ref_mask_of(0.5, SEED, STREAM);
    const dropwise_dropconnect l = layer_of(1, R, C);
    static float clean[R], dirty[R], one_x[C];
    fill_layer();
    assert_ok(dropwise_dropconnect_forward(&m, F32, &l, w, x, bias, clean));
    memcpy(one_x, x, sizeof one_x);
    one_x[11] = INFINITY;
    assert_ok(dropwise_dropconnect_forward(&m, F32, &l, w, one_x, bias, dirty));
    for (uint64_t o = 0; o < R; o++)
        assert_true(ref_keep(&ref, o * C + 11) ? isinf(dirty[o]) : dirty[o] == clean[o]);
    static const uint32_t quiet = 0x7FC00000;
    const uint32_t negative = 0xFFF12345;
    memcpy(&one_x[11], &negative, sizeof negative);
    static float mean[R], variance[R];
    assert_ok(dropwise_dropconnect_forward(&m, F32, &l, w, one_x, bias, dirty));
    assert_ok(dropwise_dropconnect_moments(&m, F32, &l, w, one_x, bias, mean, variance));
    for (uint64_t o = 0; o < R; o++) {
        assert_true(ref_keep(&ref, o * C + 11) ? memcmp(&dirty[o], &quiet, 4) == 0 : dirty[o] == clean[o]);
        assert_true(memcmp(&mean[o], &quiet, 4) == 0 && memcmp(&variance[o], &quiet, 4) == 0);
    }
}

/* ---- Gradients against central differences, in f64 ---- */

enum { GRAD_B = 3, GRAD_R = 5, GRAD_C = 19 };

typedef struct grad_layer {
    double w[GRAD_R * GRAD_C], x[GRAD_B * GRAD_C], bias[GRAD_R];
} grad_layer;

static double loss(const dropwise_mask *m, const dropwise_dropconnect *l, const grad_layer *at,
                   const double *weights)
{
    double out[GRAD_B * GRAD_R], sum = 0;
    assert_ok(dropwise_dropconnect_forward(m, DROPWISE_F64, l, at->w, at->x, at->bias, out));
    for (int i = 0; i < GRAD_B * GRAD_R; i++)
        sum += weights[i] * out[i];
    return sum;
}

static void gradients_are_what_central_differences_say(void **state)
{
    (void)state;
    enum { N = sizeof(grad_layer) / sizeof(double) };
    const dropwise_mask m = scaled_mask(0.4, DROPWISE_SCALING_INVERTED);
    const dropwise_dropconnect l = layer_of(GRAD_B, GRAD_R, GRAD_C);
    union {
        grad_layer of;
        double all[N];
    } at, grad = {.all = {0}};
    double weights[GRAD_B * GRAD_R];
    fill(REF_F64, (uint8_t *)&at, N, 1);
    fill(REF_F64, (uint8_t *)weights, GRAD_B * GRAD_R, 2);
    assert_ok(dropwise_dropconnect_backward(&m, DROPWISE_F64, &l, at.of.w, at.of.x, weights, grad.of.x,
                                            grad.of.w, grad.of.bias));
    for (int i = 0; i < N; i++) {
        const double h = 1e-4, before = at.all[i]; /* the loss is linear in each of them */
        at.all[i] = before + h;
        const double above = loss(&m, &l, &at.of, weights);
        at.all[i] = before - h;
        const double below = loss(&m, &l, &at.of, weights);
        at.all[i] = before;
        const double difference = (above - below) / (2 * h);
        if (!(fabs(difference - grad.all[i]) <= 1e-9))
            fail_msg("input %d: gradient %.12g, difference %.12g", i, grad.all[i], difference);
    }
}

/* ---- Samples ---- */

static void samples_are_the_mean_and_normal_numbers_times_the_deviation(void **state)
{
    (void)state;
    enum { N = 1300 };
    static uint8_t mean[8 * N], variance[8 * N], z[8 * N], out[8 * N], wanted[8 * N];
    const dropwise_mask m = mask_of(0.5);
    const uint64_t first = 12345, n = N;
    for (dtype = 0; dtype < REF_DTYPES; dtype++) {
        if (!has_functions(dtype))
            continue;
        const ref_dtype number = number_of(dtype);
        dropwise_view view = view_of(1, &n, 0);
        view.first = first;
        assert_ok(dropwise_draw_normal(&m, dtype_number(number), &view, z));
        fill(number, mean, N, 1);
        for (int64_t i = 0; i < N; i++) {
            put(number, variance, i, (double)(i * i) / 1000);
            const double deviation = computed(number, sqrt(get(number, variance, i)));
            put(dtype, wanted, i,
                computed(number, get(number, mean, i) + computed(number, deviation * get(number, z, i))));
        }
        const size_t bytes = ref_bytes(dtype);
        assert_ok(dropwise_dropconnect_sample(&m, dtype_number(dtype), first, N, mean, variance, out));
        assert_same_bytes(out, wanted, N * bytes, "samples, %s", dtype_name(dtype));
        memset(out, 0, sizeof out);
        for (uint64_t from = 0; from < N; from += 333) { /* in parts */
            const size_t part = from + 333 < N ? 333 : N - from, at = from * ref_bytes(number);
            assert_ok(dropwise_dropconnect_sample(&m, dtype_number(dtype), first + from, part, mean + at,
                                                  variance + at, out + from * bytes));
        }
        assert_same_bytes(out, wanted, N * bytes, "parts of samples, %s", dtype_name(dtype));
        if (dtype == number) {
            assert_ok(
                dropwise_dropconnect_sample(&m, dtype_number(dtype), first, N, mean, variance, variance));
            assert_same_bytes(variance, wanted, N * bytes, "samples in place of the variance");
        }
    }
}

/* ---- Errors ---- */

static float before[B * R];

static void assert_untouched(void)
{
    assert_same_bytes(y, before, sizeof y, "y after an error");
    assert_same_bytes(dx, before, sizeof y, "dx after an error");
    assert_same_bytes(dw, before, sizeof y, "dw after an error");
    assert_same_bytes(db, before, sizeof db, "db after an error");
}

/* All functions of a layer refuse these arguments alike. */
static void assert_refused(const dropwise_mask *m, dropwise_dtype number, const dropwise_dropconnect *l,
                           dropwise_status status)
{
    assert_int_equal(dropwise_dropconnect_forward(m, number, l, w, x, bias, y), status);
    assert_int_equal(dropwise_dropconnect_backward(m, number, l, w, x, dy, dx, dw, db), status);
    assert_int_equal(dropwise_dropconnect_moments(m, number, l, w, x, bias, y, dx), status);
    assert_untouched();
}

/* What is good, of which tests change one field. */
static dropwise_mask good_mask;
static dropwise_dropconnect good;

static int setup_errors(void **state)
{
    (void)state;
    memset(before, 0x35, sizeof before);
    memcpy(y, before, sizeof y);
    memset(dx, 0x35, sizeof dx);
    memset(dw, 0x35, sizeof dw);
    memset(db, 0x35, sizeof db);
    good_mask = scaled_mask(0.5, DROPWISE_SCALING_INVERTED);
    good = layer_of(2, 5, 20);
    return 0;
}

static void a_layer_mask_or_dtype_that_is_wrong_is_refused(void **state)
{
    (void)state;
    dropwise_dropconnect l;
    assert_refused(NULL, F32, &good, DROPWISE_ERROR_NULL);
    dropwise_mask bad = good_mask;
    bad.scaling = 3;
    assert_refused(&bad, F32, &good, DROPWISE_ERROR_SCALING);
    assert_refused(&good_mask, 0, &good, DROPWISE_ERROR_DTYPE);
    assert_refused(&good_mask, F32, NULL, DROPWISE_ERROR_NULL);
    l = good;
    l.struct_size = 4;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_STRUCT_SIZE);
    l = good;
    l.reserved[6] = 1;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_RESERVED);
    l = good;
    l.rows = 0;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_SHAPE);
    l = good;
    l.columns = 0;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_SHAPE);
    l = good;
    l.first = DROPWISE_INDEX_LIMIT - 199;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_RANGE);
    l = good;
    l.mask_row_stride = UINT64_MAX / 2;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_RANGE);
    l = good;
    l.mask_sample_stride = UINT64_MAX;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_RANGE);
    l = good;
    l.w_stride = UINT64_MAX;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_SIZE);
    l = good;
    l.x_stride = PTRDIFF_MAX / 4;
    assert_refused(&good_mask, F32, &l, DROPWISE_ERROR_SIZE);
    l = good;
    l.y_stride = 4;
    assert_int_equal(dropwise_dropconnect_forward(&good_mask, F32, &l, w, x, bias, y),
                     DROPWISE_ERROR_SELF_OVERLAP);
    assert_int_equal(dropwise_dropconnect_moments(&good_mask, F32, &l, w, x, bias, y, dx),
                     DROPWISE_ERROR_SELF_OVERLAP);
    l = good;
    l.x_stride = 0;
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &l, w, x, dy, dx, dw, db),
                     DROPWISE_ERROR_SELF_OVERLAP);
    l = good;
    l.w_stride = 19;
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &l, w, x, dy, dx, dw, db),
                     DROPWISE_ERROR_SELF_OVERLAP);
    assert_untouched();
}

static void matrices_that_are_missing_are_refused(void **state)
{
    (void)state;
    static const struct {
        const float *w, *x;
        float *y;
    } missing[] = {{NULL, x, y}, {w, NULL, y}, {w, x, NULL}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dropwise_dropconnect_forward(&good_mask, F32, &good, missing[i].w, missing[i].x,
                                                      bias, missing[i].y),
                         DROPWISE_ERROR_NULL);
        assert_int_equal(dropwise_dropconnect_moments(&good_mask, F32, &good, missing[i].w, missing[i].x,
                                                      bias, missing[i].y, dx),
                         DROPWISE_ERROR_NULL);
    }
    assert_int_equal(dropwise_dropconnect_moments(&good_mask, F32, &good, w, x, bias, y, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, x, NULL, dx, dw, db),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, NULL, x, dy, dx, NULL, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, NULL, dy, NULL, dw, NULL),
                     DROPWISE_ERROR_NULL);
    assert_untouched();
}

static void matrices_that_overlap_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dropwise_dropconnect_forward(&good_mask, F32, &good, y + 9, x, bias, y),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_forward(&good_mask, F32, &good, w, y, bias, y),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_forward(&good_mask, F32, &good, w, x, y, y),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_moments(&good_mask, F32, &good, w, x, bias, y, y),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, dx, dy, dx, dw, db),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, dw, x, dy, dx, dw, db),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, x, dx, dx, dw, db),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, x, dy, dx, dx + 39, db),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_backward(&good_mask, F32, &good, w, x, dy, dx, dw, dw + 99),
                     DROPWISE_ERROR_OVERLAP);
    assert_untouched();
}

static void samples_refuse_bad_arguments(void **state)
{
    (void)state;
    assert_int_equal(dropwise_dropconnect_sample(NULL, F32, 0, 5, w, x, y), DROPWISE_ERROR_NULL);
    dropwise_mask bad = good_mask;
    bad.generator = 99;
    assert_int_equal(dropwise_dropconnect_sample(&bad, F32, 0, 5, w, x, y), DROPWISE_ERROR_GENERATOR);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, 99, 0, 5, w, x, y), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, 0, SIZE_MAX, w, x, y), DROPWISE_ERROR_SIZE);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, DROPWISE_INDEX_LIMIT - 4, 5, w, x, y),
                     DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, 0, 5, NULL, x, y), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, 0, 5, w, NULL, y), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, 0, 5, w, x, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, F32, 0, 5, y + 1, x, y), DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_dropconnect_sample(&good_mask, DROPWISE_BF16, 0, 5, w, y, y),
                     DROPWISE_ERROR_OVERLAP);
    assert_untouched();
}

static void dropconnect_init_refuses_bad_sizes_and_leaves_the_layer(void **state)
{
    (void)state;
    dropwise_dropconnect l = good;
    assert_int_equal(dropwise_dropconnect_init(NULL, 1, 1, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropconnect_init(&l, 1, 0, 1), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_dropconnect_init(&l, 1, 1, 0), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_dropconnect_init(&l, 1, UINT64_C(1) << 40, UINT64_C(1) << 40),
                     DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_dropconnect_init(&l, 3, UINT64_C(1) << 30, UINT64_C(1) << 29),
                     DROPWISE_ERROR_RANGE);
    assert_same_bytes(&l, &good, sizeof l, "a layer after an error");
}

static void of_no_samples_nothing_is_made(void **state)
{
    (void)state;
    dropwise_dropconnect l = layer_of(0, 5, 20);
    assert_ok(dropwise_dropconnect_forward(&good_mask, F32, &l, NULL, NULL, NULL, NULL));
    assert_ok(dropwise_dropconnect_backward(&good_mask, F32, &l, NULL, NULL, NULL, dx, dw, db));
    assert_ok(dropwise_dropconnect_moments(&good_mask, F32, &l, NULL, NULL, NULL, NULL, NULL));
    assert_ok(dropwise_dropconnect_sample(&good_mask, F32, 0, 0, NULL, NULL, NULL));
    assert_untouched();
}

static void the_last_weight_may_have_the_last_index_of_all(void **state)
{
    (void)state;
    dropwise_dropconnect l = good;
    l.first = DROPWISE_INDEX_LIMIT - 200;
    assert_ok(dropwise_dropconnect_forward(&good_mask, F32, &l, w, x, bias, y));
}

#define WITH_GOOD_ONES(test) cmocka_unit_test_setup(test, setup_errors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_gradients_and_moments_are_sums_in_the_promised_order),
        cmocka_unit_test(shards_of_samples_or_rows_together_make_the_whole),
        cmocka_unit_test(one_x_for_all_samples_is_as_a_copy_for_each),
        cmocka_unit_test(one_mask_for_all_samples_is_as_dropout_of_the_weights),
        cmocka_unit_test(nan_and_infinity_do_not_count_where_they_are_dropped),
        cmocka_unit_test(an_infinite_or_nan_input_reaches_the_rows_that_keep_its_weight),
        cmocka_unit_test(gradients_are_what_central_differences_say),
        cmocka_unit_test(samples_are_the_mean_and_normal_numbers_times_the_deviation),
        WITH_GOOD_ONES(a_layer_mask_or_dtype_that_is_wrong_is_refused),
        WITH_GOOD_ONES(matrices_that_are_missing_are_refused),
        WITH_GOOD_ONES(matrices_that_overlap_are_refused),
        WITH_GOOD_ONES(samples_refuse_bad_arguments),
        WITH_GOOD_ONES(dropconnect_init_refuses_bad_sizes_and_leaves_the_layer),
        WITH_GOOD_ONES(of_no_samples_nothing_is_made),
        WITH_GOOD_ONES(the_last_weight_may_have_the_last_index_of_all),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
