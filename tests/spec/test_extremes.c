/*
 * Numbers at the ends of their types in every field of a caller's struct: what cannot be walked is refused
 * before anything is computed with it or written, and what is never walked, such as the stride of a dimension
 * of size 1, changes nothing. CI runs this under UBSan, which knows of an overflow that no result shows.
 */
#include "support/common.h"
#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "support/variants.h"

enum { ROWS = 3, COLUMNS = 20, N = ROWS * COLUMNS };

static float x[N], a[N], y[4 * N], untouched[4 * N];
static uint8_t stored_bits[256];
static dropwise_mask mask;
static dropwise_dropblock block;
static dropwise_softmax softmax;

/* ---- Functions of a view ---- */

static dropwise_status forward(const dropwise_view *v)
{
    return dropwise_forward_view(&mask, DROPWISE_F32, v, x, y, NULL);
}

static dropwise_status backward_stored(const dropwise_view *v)
{
    const dropwise_stored stored = {.struct_size = sizeof stored,
                                    .form = DROPWISE_FORM_BITS,
                                    .data = stored_bits,
                                    .size = sizeof stored_bits};
    return dropwise_backward_view(&mask, DROPWISE_F32, v, x, y, &stored);
}

static dropwise_status residual(const dropwise_view *v)
{
    return dropwise_residual_forward(&mask, DROPWISE_F32, v, x, NULL, a, y, NULL);
}

static dropwise_status residual_grad(const dropwise_view *v)
{
    return dropwise_residual_backward(&mask, DROPWISE_F32, v, x, y, y + N, NULL);
}

static dropwise_status relu(const dropwise_view *v)
{
    return dropwise_activation_forward(&mask, DROPWISE_F32, v, DROPWISE_RELU, x, NULL, y, NULL);
}

static dropwise_status relu_grad(const dropwise_view *v)
{
    return dropwise_activation_backward(&mask, DROPWISE_F32, v, DROPWISE_RELU, x, a, NULL, y, NULL, NULL);
}

static dropwise_status attention(const dropwise_view *v)
{
    return dropwise_softmax_forward(&mask, DROPWISE_F32, v, &softmax, x, NULL, y, NULL);
}

static dropwise_status attention_grad(const dropwise_view *v)
{
    return dropwise_softmax_backward(&mask, DROPWISE_F32, v, &softmax, x, a, y, NULL);
}

static dropwise_status blocks(const dropwise_view *v)
{
    return dropwise_dropblock_forward(&mask, DROPWISE_F32, &block, v, x, y, y + N);
}

static dropwise_status blocks_grad(const dropwise_view *v)
{
    return dropwise_dropblock_backward(&mask, DROPWISE_F32, v, x, y, stored_bits);
}

static dropwise_status blocks_scaled(const dropwise_view *v)
{
    return dropwise_dropblock_apply(DROPWISE_F32, v, 2.0, stored_bits, x, y);
}

typedef struct function {
    const char *name;
    dropwise_status (*call)(const dropwise_view *v); /* NULL: variant number `op` */
    what op;
    bool by_rows, without_x;
} function;

static const function others[] = {
    {"forward", forward, 0, false, false},
    {"backward by stored bits", backward_stored, 0, false, false},
    {"residual", residual, 0, true, false},
    {"gradient of residual", residual_grad, 0, true, false},
    {"relu", relu, 0, true, false},
    {"gradient of relu", relu_grad, 0, true, false},
    {"softmax", attention, 0, true, false},
    {"gradient of softmax", attention_grad, 0, true, false},
    {"dropblock", blocks, 0, false, false},
    {"gradient of dropblock", blocks_grad, 0, false, false},
    {"dropblock by scale", blocks_scaled, 0, false, false},
};

enum { N_OTHERS = sizeof others / sizeof others[0], N_FUNCTIONS = N_OTHERS + N_OPERATIONS };

static function functions[N_FUNCTIONS];

static void list_functions(void)
{
    memcpy(functions, others, sizeof others);
    for (what op = 0; op < N_OPERATIONS; op++)
        functions[N_OTHERS + op] =
            (function){operations[op].name, NULL, op, true, operations[op].inputs == 0};
}

static dropwise_status call(const function *f, const dropwise_view *v)
{
    return f->call != NULL ? f->call(v) : run(f->op, &mask, DROPWISE_F32, v, x, a, y, y + N, NULL);
}

static const int64_t extremes[] = {INT64_MIN,     INT64_MIN + 1, INT64_MAX,     INT64_MAX - 1, INT64_MIN / 2,
                                   INT64_MAX / 2, INT64_MIN / 4, INT64_MAX / 4, INT64_MIN / 8, INT64_MAX / 3};

enum { N_EXTREMES = sizeof extremes / sizeof extremes[0] };

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = (float)i - 7;
        a[i] = 1 / (1 + (float)i);
    }
    for (size_t i = 0; i < sizeof stored_bits; i++)
        stored_bits[i] = (uint8_t)(37 * i);
    for (int i = 0; i < 4 * N; i++)
        untouched[i] = -77;
    list_functions();
    memset(&block, 0, sizeof block);
    block.struct_size = sizeof block;
    block.seeds = DROPWISE_SEEDS_ANYWHERE;
    for (int d = 0; d < DROPWISE_MAX_RANK; d++)
        block.size[d] = 1;
    if (dropwise_softmax_init(&softmax, 0.5) != DROPWISE_OK)
        return 1;
    return dropwise_mask_init(&mask, 0.25, 1, 2);
}

/* ROWS rows of COLUMNS, with a dimension of size 1 before, between and behind. */
static dropwise_view good_view(bool behind)
{
    const uint64_t size[] = {1, ROWS, 1, COLUMNS, 1};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, behind ? 5 : 4, size), DROPWISE_OK);
    return view;
}

static void assert_refused(const function *f, const dropwise_view *view, const char *field, int64_t value)
{
    memcpy(y, untouched, sizeof y);
    if (call(f, view) == DROPWISE_OK)
        fail_msg("%s takes %s = %lld", f->name, field, (long long)value);
    assert_same_bytes(y, untouched, sizeof y, "%s: %s = %lld", f->name, field, (long long)value);
}

/* A stride of a dimension that is walked. */
static void check_walked(const function *f, uint32_t d, int64_t value)
{
    dropwise_view view = good_view(false);
    view.mask_stride[d] = value;
    assert_refused(f, &view, "mask_stride", value);
    if (!f->without_x) {
        view = good_view(false);
        view.x_stride[d] = value;
        assert_refused(f, &view, "x_stride", value);
    }
    view = good_view(false);
    view.y_stride[d] = value;
    assert_refused(f, &view, "y_stride", value);
    view = good_view(false);
    view.mask_stride[d] = view.x_stride[d] = view.y_stride[d] = value;
    assert_refused(f, &view, "all strides", value);
    view = good_view(false);
    view.mask_stride[1] = view.mask_stride[3] = value;
    assert_refused(f, &view, "two strides", value);
    view = good_view(false);
    view.first = (uint64_t)value;
    view.size[d] = (uint64_t)value;
    assert_refused(f, &view, "size", value);
    view = good_view(false);
    view.first = (uint64_t)value;
    if (view.first > DROPWISE_INDEX_LIMIT)
        assert_refused(f, &view, "first", value);
}

/* A stride of a dimension of size 1 has no effect, whatever it is: NumPy and others promise nothing of it. */
static void check_not_walked(const function *f, uint32_t d, int64_t value)
{
    static float expected[4 * N];
    const dropwise_view good = good_view(true);
    memcpy(expected, untouched, sizeof expected);
    memcpy(y, untouched, sizeof y);
    assert_int_equal(call(f, &good), DROPWISE_OK);
    memcpy(expected, y, sizeof y);
    for (int which = 0; which < 3; which++) {
        dropwise_view view = good;
        (which == 0 ? view.x_stride : which == 1 ? view.y_stride : view.mask_stride)[d] = value;
        memcpy(y, untouched, sizeof y);
        assert_int_equal(call(f, &view), DROPWISE_OK);
        assert_same_bytes(y, expected, sizeof y, "%s: stride %lld of dimension %u, which has size 1", f->name,
                          (long long)value, d);
    }
}

static void views_that_cannot_be_walked_are_refused_and_strides_that_are_not_walked_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        for (size_t e = 0; e < N_EXTREMES; e++) {
            check_walked(&functions[i], 1, extremes[e]);
            check_walked(&functions[i], 3, extremes[e]);
            check_not_walked(&functions[i], 0, extremes[e]);
            check_not_walked(&functions[i], 2, extremes[e]);
            check_not_walked(&functions[i], 4, extremes[e]);
        }
}

/*
 * Rows of one element, which functions by rows merge: one x for all of them, as broadcasting gives, results
 * that lie apart, and strides whose products with sizes are beyond all numbers.
 */
static void rows_of_one_element_are_merged_whatever_their_strides(void **state)
{
    (void)state;
    const uint64_t size[] = {6, 1};
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        const function *f = &functions[i];
        const operation *o = &operations[f->op];
        const bool has_more = f->call == NULL ? o->inputs > 1 || o->outputs > 1 : f->call != relu;
        if (has_more) /* than x and y */
            continue;
        static float expected[4 * N];
        dropwise_view view;
        assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
        view.x_stride[0] = 0;
        memcpy(expected, untouched, sizeof expected);
        for (int row = 0; row < 6; row++) { /* one by one */
            dropwise_view one = view;
            one.size[0] = 1;
            one.first += (uint64_t)row;
            memcpy(y, untouched, sizeof y);
            assert_int_equal(call(f, &one), DROPWISE_OK);
            expected[5 * row] = y[0];
        }
        view.y_stride[0] = 5;
        for (int last = 0; last < 6; last += 5) {
            view.x_stride[1] = 0;
            view.y_stride[1] = last;
            memcpy(y, untouched, sizeof y);
            assert_int_equal(call(f, &view), DROPWISE_OK);
            assert_same_bytes(y, expected, sizeof y, "%s: rows of one element, last stride %d", f->name,
                              last);
        }
        const uint64_t deep[] = {2, 8, 1};
        assert_int_equal(dropwise_view_init(&view, 3, deep), DROPWISE_OK);
        for (int d = 0; d < 3; d++)
            view.x_stride[d] = view.y_stride[d] = INT64_C(1) << 62;
        assert_refused(f, &view, "all strides of x and y", view.x_stride[0]);
    }
}

/* Of nothing there are sums all the same, of as many columns as fit into memory. */
static void sums_of_nothing_that_do_not_fit_into_memory_are_refused(void **state)
{
    (void)state;
    const uint64_t size[] = {0, 4};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    view.size[1] = (UINT64_C(1) << 61) + 1;
    memcpy(y, untouched, sizeof y);
    assert_int_equal(dropwise_residual_backward(&mask, DROPWISE_F64, &view, x, y, y + N, NULL),
                     DROPWISE_ERROR_SIZE);
    assert_same_bytes(y, untouched, sizeof y, "sums of nothing");
}

/* ---- The helpers of views ---- */

static void helpers_of_views_refuse_what_overflows(void **state)
{
    (void)state;
    for (size_t e = 0; e < N_EXTREMES; e++) {
        const uint64_t value = (uint64_t)extremes[e];
        const uint64_t sizes[] = {2, value};
        dropwise_view view;
        memset(&view, 0xCA, sizeof view);
        const dropwise_view before = view;
        assert_int_equal(dropwise_view_init(&view, 2, sizes), DROPWISE_ERROR_RANGE);
        assert_same_bytes(&view, &before, sizeof view, "a view after an error");

        view = good_view(false);
        view.size[1] = 2;
        view.mask_stride[1] = view.mask_stride[3] = extremes[e];
        const uint64_t from[] = {0, 1, 0, 1}, length[] = {1, 1, 1, 1};
        const dropwise_view walked = view;
        assert_int_equal(dropwise_view_shard(&view, from, length), DROPWISE_ERROR_RANGE);
        assert_same_bytes(&view, &walked, sizeof view, "a view after an error");

        view = good_view(false);
        view.size[3] = value;
        const dropwise_view wide = view;
        assert_int_equal(dropwise_view_pack(&view), DROPWISE_ERROR_RANGE);
        assert_int_equal(dropwise_view_share(&view, 1), DROPWISE_ERROR_RANGE);
        assert_same_bytes(&view, &wide, sizeof view, "a view after an error");
    }
}

/* ---- Other structs ---- */

static void stored_masks_refuse_what_overflows(void **state)
{
    (void)state;
    for (size_t e = 0; e < N_EXTREMES; e++) {
        const uint64_t value = (uint64_t)extremes[e];
        const dropwise_stored from = {.struct_size = sizeof from,
                                      .form = DROPWISE_FORM_BITS,
                                      .data = stored_bits,
                                      .size = sizeof stored_bits};
        dropwise_stored to = {
            .struct_size = sizeof to, .form = DROPWISE_FORM_BYTES, .data = y, .size = sizeof y};
        memcpy(y, untouched, sizeof y);
        assert_int_not_equal(dropwise_convert_stored(&mask, DROPWISE_F32, value, 8, &from, &to), DROPWISE_OK);
        assert_int_not_equal(dropwise_convert_stored(&mask, DROPWISE_F32, 8, value, &from, &to), DROPWISE_OK);
        assert_int_not_equal(dropwise_convert_stored(&mask, DROPWISE_F32, value, value, &from, &to),
                             DROPWISE_OK);
        to.row_stride = value;
        assert_int_not_equal(dropwise_convert_stored(&mask, DROPWISE_F32, 2, 8, &from, &to), DROPWISE_OK);
        assert_same_bytes(y, untouched, sizeof y, "a stored mask");
        to.size = value; /* of one row, only the row counts */
        assert_int_equal(dropwise_convert_stored(&mask, DROPWISE_F32, 1, 8, &from, &to), DROPWISE_OK);
    }
}

static void dropconnect_refuses_what_overflows(void **state)
{
    (void)state;
    for (size_t e = 0; e < N_EXTREMES; e++)
        for (int field = 0; field < 9; field++) {
            dropwise_dropconnect layer;
            assert_int_equal(dropwise_dropconnect_init(&layer, ROWS, 2, COLUMNS), DROPWISE_OK);
            uint64_t *const fields[] = {&layer.first,
                                        &layer.samples,
                                        &layer.rows,
                                        &layer.columns,
                                        &layer.mask_sample_stride,
                                        &layer.mask_row_stride,
                                        &layer.w_stride,
                                        &layer.x_stride,
                                        &layer.y_stride};
            *fields[field] = (uint64_t)extremes[e];
            if (field == 0 && layer.first < DROPWISE_INDEX_LIMIT)
                continue;
            memcpy(y, untouched, sizeof y);
            assert_int_not_equal(dropwise_dropconnect_forward(&mask, DROPWISE_F32, &layer, x, a, NULL, y),
                                 DROPWISE_OK);
            assert_int_not_equal(
                dropwise_dropconnect_backward(&mask, DROPWISE_F32, &layer, x, a, a, y, y + N, NULL),
                DROPWISE_OK);
            assert_int_not_equal(
                dropwise_dropconnect_moments(&mask, DROPWISE_F32, &layer, x, a, NULL, y, y + N), DROPWISE_OK);
            assert_same_bytes(y, untouched, sizeof y, "field %d of a layer", field);
        }
}

static void softmax_refuses_what_overflows(void **state)
{
    (void)state;
    const uint64_t size[] = {ROWS, COLUMNS};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    for (size_t e = 0; e < N_EXTREMES; e++) {
        dropwise_softmax s = softmax;
        s.add = a;
        s.add_stride[0] = extremes[e];
        s.add_stride[1] = 1;
        memcpy(y, untouched, sizeof y);
        assert_int_not_equal(dropwise_softmax_forward(&mask, DROPWISE_F32, &view, &s, x, NULL, y, NULL),
                             DROPWISE_OK);
        assert_same_bytes(y, untouched, sizeof y, "add_stride %lld", (long long)extremes[e]);
        /* All columns are seen, or none: no offset overflows. */
        s = softmax;
        s.causal = 1;
        s.causal_offset = extremes[e];
        assert_int_equal(dropwise_softmax_forward(&mask, DROPWISE_F32, &view, &s, x, y + N, y, NULL),
                         DROPWISE_OK);
        float sum = 0;
        for (int i = 0; i < COLUMNS; i++)
            sum += y[N + i];
        assert_true(extremes[e] < 0 ? sum == 0 : sum > 0.99f && sum < 1.01f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_that_cannot_be_walked_are_refused_and_strides_that_are_not_walked_ignored),
        cmocka_unit_test(rows_of_one_element_are_merged_whatever_their_strides),
        cmocka_unit_test(sums_of_nothing_that_do_not_fit_into_memory_are_refused),
        cmocka_unit_test(helpers_of_views_refuse_what_overflows),
        cmocka_unit_test(stored_masks_refuse_what_overflows),
        cmocka_unit_test(dropconnect_refuses_what_overflows),
        cmocka_unit_test(softmax_refuses_what_overflows),
    };
    return run_on_each_tier(tests, setup, NULL);
}
