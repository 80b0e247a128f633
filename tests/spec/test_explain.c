/*
 * dropwise_explain: what it says of calls that were refused, for every status; that it says something of all
 * functions and statuses; and that it writes no byte too many.
 */
#include "dropwise_attention.h"
#include "dropwise_dropblock.h"
#include "dropwise_fused.h"
#include "dropwise_interop.h"
#include "dropwise_variants.h"
#include "support/common.h"

static char text[400];

static void assert_says(dropwise_status status, dropwise_status expected, const char *function,
                        const void *const *arguments, const char *sentence)
{
    assert_int_equal(status, expected);
    memset(text, 'x', sizeof text);
    assert_int_equal(dropwise_explain(status, function, arguments, text, sizeof text), strlen(sentence));
    assert_string_equal(text, sentence);
}

static float data[400];
static dropwise_mask mask;
static dropwise_view view;
static dropwise_dtype f32 = DROPWISE_F32;
static uint64_t zero;

static int begin(void **state)
{
    (void)state;
    static const uint64_t size[2] = {4, 16};
    assert_int_equal(dropwise_mask_init(&mask, 0.25, 1, 2), DROPWISE_OK);
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    return 0;
}

static void ranges(void **state)
{
    (void)state;
    size_t n = 32;
    uint64_t first = UINT64_MAX;
    dropwise_dtype bad = -3;
    const void *x = data, *y = data + 16;
    const void *const overlap[] = {&mask, &f32, &zero, &n, x, y, NULL};
    assert_says(dropwise_forward(&mask, f32, 0, n, data, data + 16, NULL), DROPWISE_ERROR_OVERLAP,
                "dropwise_forward", overlap, "dropwise_forward: y overlaps x by 64 bytes");
    uint8_t *const bits = (uint8_t *)(data + 100) - 1;
    const void *const by_bits[] = {&mask, &zero, &n, data, data + 100, bits};
    assert_says(dropwise_backward_f32(&mask, 0, n, data, data + 100, bits), DROPWISE_ERROR_OVERLAP,
                "dropwise_backward_f32", by_bits, "dropwise_backward_f32: dx overlaps bits by 3 bytes");
    const void *const null[] = {&mask, &f32, &zero, &n, x, NULL, NULL};
    assert_says(dropwise_forward(&mask, f32, 0, n, data, NULL, NULL), DROPWISE_ERROR_NULL, "dropwise_forward",
                null, "dropwise_forward: y is NULL");
    const void *const dtype[] = {&mask, &bad, &zero, &n, x, y, NULL};
    assert_says(dropwise_forward(&mask, bad, 0, n, data, data, NULL), DROPWISE_ERROR_DTYPE,
                "dropwise_forward", dtype, "dropwise_forward: dtype is -3, which is no dtype");
    const void *const range[] = {&mask, &f32, &first, &n, x, y, NULL};
    assert_says(dropwise_forward(&mask, f32, first, n, data, data, NULL), DROPWISE_ERROR_RANGE,
                "dropwise_forward", range,
                "dropwise_forward: first is 18446744073709551615, and 32 elements from there on reach past "
                "2^60, or what the layout numbers");
    size_t many = SIZE_MAX / 2;
    const void *const size[] = {&mask, &f32, &zero, &many, x, y, NULL};
    assert_says(dropwise_forward(&mask, f32, 0, many, data, data, NULL), DROPWISE_ERROR_SIZE,
                "dropwise_forward", size,
                sizeof many == 8
                    ? "dropwise_forward: n is 9223372036854775807, more elements than memory can have"
                    : "dropwise_forward: n is 2147483647, more elements than memory can have");
}

static void masks(void **state)
{
    (void)state;
    static uint32_t kept;
    const void *const arguments[] = {&mask, &zero, &kept};
    const void *const no_mask[] = {NULL, &zero, &kept};
    assert_says(dropwise_keeps(NULL, 0, &kept), DROPWISE_ERROR_NULL, "dropwise_keeps", no_mask,
                "dropwise_keeps: mask is NULL");
    const dropwise_mask good = mask;
    mask.struct_size = 7;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_STRUCT_SIZE, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->struct_size is 7, not 64");
    mask = good;
    mask.reserved[5] = 1;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_RESERVED, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->reserved is not zero");
    mask = good;
    mask.flags = 4;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_RESERVED, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->flags is 4, of which some are unknown");
    mask = good;
    mask.generator = 99;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_GENERATOR, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->generator is 99, which is unknown");
    mask = good;
    mask.keep_threshold = UINT64_MAX;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_KEEP_THRESHOLD, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->keep_threshold is 18446744073709551615, above 2^40");
    mask = good;
    mask.scaling = 0;
    assert_says(dropwise_keeps(&mask, 0, &kept), DROPWISE_ERROR_SCALING, "dropwise_keeps", arguments,
                "dropwise_keeps: mask->scaling is 0, which is unknown");
    mask = good;
    static const double ps[] = {-0.5, 1.5, -1};
    static const char *const why[] = {" is below 0", " is above 1", " is below 0"};
    for (int i = 0; i < 3; i++) {
        const void *const of[] = {&mask, &ps[i], &zero, &zero};
        char sentence[60];
        snprintf(sentence, sizeof sentence, "dropwise_mask_init: p%s", why[i]);
        assert_says(dropwise_mask_init(&mask, ps[i], 0, 0), DROPWISE_ERROR_PROBABILITY, "dropwise_mask_init",
                    of, sentence);
    }
}

static void views(void **state)
{
    (void)state;
    const dropwise_view good = view;
    const void *const arguments[] = {&mask, &f32, &view, data, data + 10, NULL, NULL};
    assert_says(dropwise_residual_backward(&mask, f32, &view, data, data + 10, NULL, NULL),
                DROPWISE_ERROR_OVERLAP, "dropwise_residual_backward", arguments,
                "dropwise_residual_backward: dx overlaps dy by 216 bytes");
    const void *const sums[] = {&mask, &f32, &view, data, data + 100, data + 60, NULL};
    assert_says(dropwise_residual_backward(&mask, f32, &view, data, data + 100, data + 60, NULL),
                DROPWISE_ERROR_OVERLAP, "dropwise_residual_backward", sums,
                "dropwise_residual_backward: dbias overlaps dy by 16 bytes");
    view.x_stride[0] = 20;
    const void *const strides[] = {&mask, &f32, &view, data, data, NULL};
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data, NULL), DROPWISE_ERROR_OVERLAP,
                "dropwise_forward_view", strides,
                "dropwise_forward_view: y overlaps x by 256 bytes, at other strides");
    view = good;
    view.rank = 9;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data, NULL), DROPWISE_ERROR_RANK,
                "dropwise_forward_view", strides, "dropwise_forward_view: view->rank is 9, not 1 to 8");
    view = good;
    view.y_stride[0] = 8;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data + 100, NULL), DROPWISE_ERROR_SELF_OVERLAP,
                "dropwise_forward_view", strides,
                "dropwise_forward_view: elements of y overlap each other by y_stride of view");
    view = good;
    view.mask_stride[1] = -1;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data, NULL), DROPWISE_ERROR_RANGE,
                "dropwise_forward_view", strides,
                "dropwise_forward_view: mask indices by first and mask_stride of view reach below 0 or past "
                "2^60");
    view = good;
    view.x_stride[1] = 2;
    const void *const rows[] = {&mask, &f32, &view, data, data + 200, NULL};
    assert_says(dropwise_alpha_forward(&mask, f32, &view, data, data + 200, NULL), DROPWISE_ERROR_SHAPE,
                "dropwise_alpha_forward", rows,
                "dropwise_alpha_forward: view->x_stride is 2 in the last dimension, not 1");
    view = good;
    dropwise_activation activation = 9;
    const void *const activations[] = {&mask, &f32, &view, &activation, data, NULL, data + 100, NULL};
    assert_says(dropwise_activation_forward(&mask, f32, &view, activation, data, NULL, data + 100, NULL),
                DROPWISE_ERROR_ACTIVATION, "dropwise_activation_forward", activations,
                "dropwise_activation_forward: activation is 9, which is unknown");
    double sigma = -1;
    const void *const sigmas[] = {&mask, &f32, &view, &sigma, data, data + 100};
    assert_says(dropwise_gaussian_noise(&mask, f32, &view, sigma, data, data + 100), DROPWISE_ERROR_PARAMETER,
                "dropwise_gaussian_noise", sigmas, "dropwise_gaussian_noise: sigma is below 0");
}

static void stored_masks(void **state)
{
    (void)state;
    uint8_t bytes[64];
    dropwise_stored stored = {
        .struct_size = sizeof stored, .form = DROPWISE_FORM_BYTES, .data = bytes, .size = sizeof bytes};
    const void *const arguments[] = {&mask, &f32, &view, data, data + 100, &stored};
    stored.form = 0;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data + 100, &stored), DROPWISE_ERROR_FORM,
                "dropwise_forward_view", arguments,
                "dropwise_forward_view: stored->form is 0, which is unknown");
    stored.form = DROPWISE_FORM_BYTES;
    stored.size = 3;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data + 100, &stored),
                DROPWISE_ERROR_STORED_SIZE, "dropwise_forward_view", arguments,
                "dropwise_forward_view: stored->size is 3 bytes and row_stride 0, of which one is too small");
    stored.size = 400;
    stored.data = data + 60;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data + 100, &stored), DROPWISE_ERROR_OVERLAP,
                "dropwise_forward_view", arguments, "dropwise_forward_view: stored overlaps x by 16 bytes");
    stored.data = NULL;
    assert_says(dropwise_forward_view(&mask, f32, &view, data, data + 100, &stored), DROPWISE_ERROR_NULL,
                "dropwise_forward_view", arguments, "dropwise_forward_view: stored->data is NULL");
}

/* All functions, with arguments of which it can be told nothing, and with none. */
static void something_is_said_of_everything(void **state)
{
    (void)state;
    static const char *const functions[] = {
#define DROPWISE_CALL(name, arguments) "dropwise_" #name,
#include "api/calls.inc"
    };
    static const uint8_t nothing[4096];
    const void *arguments[16];
    for (int i = 0; i < 16; i++)
        arguments[i] = nothing;
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
        for (dropwise_status status = -1; status < 40; status++)
            for (int given = 0; given < 2; given++) {
                const size_t length =
                    dropwise_explain(status, functions[f], given ? arguments : NULL, text, sizeof text);
                assert_true(length < sizeof text && strlen(text) == length);
                assert_memory_equal(text, functions[f], strlen(functions[f]));
                assert_true(length > strlen(functions[f]) + 4);
            }
    assert_true(dropwise_explain(DROPWISE_ERROR_DTYPE, NULL, arguments, text, sizeof text) > 0);
    assert_string_equal(text, dropwise_status_string(DROPWISE_ERROR_DTYPE));
    dropwise_explain(DROPWISE_ERROR_DTYPE, "mine", arguments, text, sizeof text);
    assert_string_equal(text, "mine: the dtype is unknown");
}

static void text_is_cut_short_where_there_is_no_room(void **state)
{
    (void)state;
    static const char whole[] = "mine: the dtype is unknown";
    for (size_t size = 0; size < sizeof whole + 3; size++) {
        memset(text, 'x', sizeof text);
        assert_int_equal(dropwise_explain(DROPWISE_ERROR_DTYPE, "mine", NULL, text, size), sizeof whole - 1);
        const size_t written = size < sizeof whole ? size : sizeof whole;
        if (written != 0) {
            assert_memory_equal(text, whole, written - 1);
            assert_int_equal(text[written - 1], 0);
        }
        assert_int_equal(text[written], 'x');
    }
    assert_int_equal(dropwise_explain(DROPWISE_ERROR_DTYPE, "mine", NULL, NULL, 0), sizeof whole - 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges, begin),
        cmocka_unit_test_setup(masks, begin),
        cmocka_unit_test_setup(views, begin),
        cmocka_unit_test_setup(stored_masks, begin),
        cmocka_unit_test(something_is_said_of_everything),
        cmocka_unit_test(text_is_cut_short_where_there_is_no_room),
    };
    return run_once(tests, NULL, NULL);
}
