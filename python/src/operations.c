/* The functions of the library that take tensors, and what their arguments are. */
#include "call.h"

#include <stddef.h>
#include <string.h>

/* ---- dropwise.h ---- */

static bool is_range(const dropwise_view *view)
{
    return view->rank == 1 && view->x_stride[0] == 1 && view->y_stride[0] == 1 && view->mask_stride[0] == 1;
}

/* Ranges go by the function for them, as a view costs a small call more. */
static dropwise_status forward(const call *c)
{
    if (is_range(&c->view) && c->stored == NULL)
        return dropwise_forward(&c->mask, c->dtype, c->view.first, (size_t)c->view.size[0], c->at[0],
                                c->at[1], NULL);
    return dropwise_forward_view(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->stored);
}

static dropwise_status backward(const call *c)
{
    if (is_range(&c->view) && c->stored == NULL)
        return dropwise_backward(&c->mask, c->dtype, c->view.first, (size_t)c->view.size[0], c->at[0],
                                 c->at[1], NULL);
    return dropwise_backward_view(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->stored);
}

static dropwise_status infer(const call *c)
{
    return dropwise_infer(&c->mask, c->dtype, (size_t)c->view.size[0], c->at[0], c->at[1]);
}

static dropwise_status bits(const call *c)
{
    const uint64_t n = count_elements(&c->view);
    if (c->bytes[0] < (n + 7) / 8)
        return DROPWISE_ERROR_STORED_SIZE;
    return dropwise_draw_bits(&c->mask, c->view.first, (size_t)n, c->at[0]);
}

static dropwise_status bytes(const call *c)
{
    return dropwise_draw_bytes(&c->mask, c->view.first, (size_t)c->bytes[0], c->at[0]);
}

static dropwise_status keep(const call *c)
{
    return dropwise_draw_view(&c->mask, c->dtype, &c->view, c->stored);
}

/* ---- dropwise_fused.h ---- */

static dropwise_activation activation_of(const call *c)
{
    const double number = c->parameter.number;
    return number >= 0.0 && number <= INT32_MAX ? (dropwise_activation)number : 0; /* which is none */
}

static dropwise_status residual_forward(const call *c)
{
    return dropwise_residual_forward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2], c->at[3],
                                     c->stored);
}

static dropwise_status residual_backward(const call *c)
{
    return dropwise_residual_backward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2], c->stored);
}

static dropwise_status activation_forward(const call *c)
{
    return dropwise_activation_forward(&c->mask, c->dtype, &c->view, activation_of(c), c->at[0], c->at[1],
                                       c->at[2], c->stored);
}

static dropwise_status activation_backward(const call *c)
{
    return dropwise_activation_backward(&c->mask, c->dtype, &c->view, activation_of(c), c->at[0], c->at[1],
                                        c->at[2], c->at[3], c->at[4], c->stored);
}

static dropwise_status softmax_forward(const call *c)
{
    return dropwise_softmax_forward(&c->mask, c->dtype, &c->view, &c->parameter.softmax, c->at[0], c->at[2],
                                    c->at[3], c->stored);
}

static dropwise_status softmax_backward(const call *c)
{
    return dropwise_softmax_backward(&c->mask, c->dtype, &c->view, &c->parameter.softmax, c->at[0], c->at[1],
                                     c->at[2], c->stored);
}

/* ---- dropwise_variants.h ---- */

static dropwise_status alpha_forward(const call *c)
{
    return dropwise_alpha_forward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->stored);
}

static dropwise_status alpha_backward(const call *c)
{
    return dropwise_alpha_backward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->stored);
}

static dropwise_status zoneout_forward(const call *c)
{
    return dropwise_zoneout_forward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2], c->stored);
}

static dropwise_status zoneout_backward(const call *c)
{
    return dropwise_zoneout_backward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2], c->stored);
}

static dropwise_status zoneout_infer(const call *c)
{
    return dropwise_zoneout_infer(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2]);
}

static dropwise_status uniform(const call *c)
{
    return dropwise_draw_uniform(&c->mask, c->dtype, &c->view, c->at[0]);
}

static dropwise_status normal(const call *c)
{
    return dropwise_draw_normal(&c->mask, c->dtype, &c->view, c->at[0]);
}

static dropwise_status gaussian_forward(const call *c)
{
    return dropwise_gaussian_forward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1]);
}

static dropwise_status gaussian_backward(const call *c)
{
    return dropwise_gaussian_backward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1]);
}

static dropwise_status gaussian_noise(const call *c)
{
    return dropwise_gaussian_noise(&c->mask, c->dtype, &c->view, c->parameter.number, c->at[0], c->at[1]);
}

static dropwise_status concrete_forward(const call *c)
{
    return dropwise_concrete_forward(&c->mask, c->dtype, &c->view, &c->parameter.concrete, c->at[0],
                                     c->at[1]);
}

static dropwise_status concrete_backward(const call *c)
{
    return dropwise_concrete_backward(&c->mask, c->dtype, &c->view, &c->parameter.concrete, c->at[0],
                                      c->at[1], c->at[2], &c->results[0]);
}

static dropwise_status concrete_regularizer(const call *c)
{
    return dropwise_concrete_regularizer(&c->parameter.concrete, c->dtype,
                                         c->bytes[0] / element_bytes(c->dtype, OF_TENSOR), c->at[0],
                                         &c->results[0], &c->results[1], &c->results[2]);
}

/* ---- dropwise_dropblock.h ---- */

/* The library is not told how large the buffer of the bits is. */
static dropwise_status check_bits(const call *c, int i)
{
    uint64_t entries;
    const dropwise_status status = dropwise_dropblock_entries(&c->view, &entries);
    return status == DROPWISE_OK && c->bytes[i] < (entries + 7) / 8 ? DROPWISE_ERROR_STORED_SIZE : status;
}

static dropwise_status dropblock_draw(const call *c)
{
    uint64_t kept = 0;
    dropwise_status status = check_bits(c, 0);
    if (status == DROPWISE_OK)
        status = dropwise_dropblock_draw(&c->mask, &c->parameter.block, &c->view, c->at[0], &kept);
    c->results[0] = (double)kept;
    return status;
}

static dropwise_status dropblock_apply(const call *c)
{
    const dropwise_status status = check_bits(c, 2);
    return status != DROPWISE_OK ? status
                                 : dropwise_dropblock_apply(c->dtype, &c->view, c->parameter.number, c->at[2],
                                                            c->at[0], c->at[1]);
}

static dropwise_status dropblock_forward(const call *c)
{
    const dropwise_status status = check_bits(c, 2);
    return status != DROPWISE_OK ? status
                                 : dropwise_dropblock_forward(&c->mask, c->dtype, &c->parameter.block,
                                                              &c->view, c->at[0], c->at[1], c->at[2]);
}

static dropwise_status dropblock_backward(const call *c)
{
    const dropwise_status status = check_bits(c, 2);
    return status != DROPWISE_OK
               ? status
               : dropwise_dropblock_backward(&c->mask, c->dtype, &c->view, c->at[0], c->at[1], c->at[2]);
}

/* ---- dropwise_dropconnect.h ---- */

static dropwise_status dropconnect_forward(const call *c)
{
    return dropwise_dropconnect_forward(&c->mask, c->dtype, &c->parameter.layer, c->at[0], c->at[1], c->at[2],
                                        c->at[3]);
}

/* One gradient at a time, dx, or dw and db: there are more arguments than operands otherwise. */
static dropwise_status dropconnect_backward_input(const call *c)
{
    return dropwise_dropconnect_backward(&c->mask, c->dtype, &c->parameter.layer, c->at[0], NULL, c->at[1],
                                         c->at[2], NULL, NULL);
}

static dropwise_status dropconnect_backward_weights(const call *c)
{
    return dropwise_dropconnect_backward(&c->mask, c->dtype, &c->parameter.layer, NULL, c->at[0], c->at[1],
                                         NULL, c->at[2], c->at[3]);
}

static dropwise_status dropconnect_moments(const call *c)
{
    return dropwise_dropconnect_moments(&c->mask, c->dtype, &c->parameter.layer, c->at[0], c->at[1], c->at[2],
                                        c->at[3], c->at[4]);
}

static dropwise_status dropconnect_sample(const call *c)
{
    return dropwise_dropconnect_sample(&c->mask, c->dtype, c->view.first,
                                       (size_t)(c->bytes[0] / element_bytes(c->dtype, OF_SUMS)), c->at[0],
                                       c->at[1], c->at[2]);
}

/* ---- dropwise_interop.h ---- */

static dropwise_status interop_forward(const call *c)
{
    return dropwise_interop_forward(&c->interop, c->dtype, c->view.first, (size_t)c->view.size[0], c->at[0],
                                    c->at[1], NULL);
}

static dropwise_status interop_bits(const call *c)
{
    const uint64_t n = count_elements(&c->view);
    if (c->bytes[0] < (n + 7) / 8)
        return DROPWISE_ERROR_STORED_SIZE;
    return dropwise_interop_bits(&c->interop, c->view.first, (size_t)n, c->at[0]);
}

/* ---- All of them ---- */

#define OPERATION(function) .name = #function, .run = function

const operation operations[] = {
    {OPERATION(forward), {{"x", IN_X}, {"out", OUT}}, .is_split = true, .stored = WRITES_MASK},
    {OPERATION(backward), {{"dy", IN_X}, {"out", OUT}}, .is_split = true, .stored = READS_MASK},
    {OPERATION(infer), {{"x", IN_X}, {"out", OUT}}, .has_range = true, .is_split = true},
    {OPERATION(bits), {{"out", OUT_FLAT, OF_BITS}}, .is_split = true},
    {OPERATION(bytes), {{"out", OUT_FLAT, OF_BITS}}},
    {OPERATION(keep), .stored = WRITES_MASK, .stored_name = "out"},

    {OPERATION(residual_forward),
     {{"x", IN_X}, {"bias", IN_ROW}, {"residual", IN_Y, .is_optional = true}, {"out", OUT}},
     .has_rows = true,
     .is_split = true,
     .stored = WRITES_MASK},
    {OPERATION(residual_backward),
     {{"dy", IN_X}, {"out", OUT}, {"dbias", OUT_ROW_SUMS, OF_SUMS}},
     .has_rows = true,
     .stored = READS_MASK},
    {OPERATION(activation_forward),
     {{"x", IN_X}, {"bias", IN_ROW}, {"out", OUT}},
     .parameter = NUMBER,
     .parameter_name = "activation",
     .has_rows = true,
     .is_split = true,
     .stored = WRITES_MASK},
    {OPERATION(activation_backward),
     {{"dy", IN_X}, {"x", IN_Y}, {"bias", IN_ROW}, {"out", OUT}, {"dbias", OUT_ROW_SUMS, OF_SUMS}},
     .parameter = NUMBER,
     .parameter_name = "activation",
     .has_rows = true,
     .stored = READS_MASK},
    {OPERATION(softmax_forward),
     {{"x", IN_X}, {"add", IN_ADD}, {"probabilities", OUT_OR_NONE}, {"out", OUT}},
     .parameter = SOFTMAX,
     .parameter_name = "scale",
     .has_rows = true,
     .stored = WRITES_MASK},
    {OPERATION(softmax_backward),
     {{"dy", IN_X}, {"probabilities", IN_Y}, {"out", OUT}},
     .parameter = SOFTMAX,
     .parameter_name = "scale",
     .has_rows = true,
     .stored = READS_MASK},

    {OPERATION(alpha_forward),
     {{"x", IN_X}, {"out", OUT}},
     .has_rows = true,
     .is_split = true,
     .stored = WRITES_MASK},
    {OPERATION(alpha_backward),
     {{"dy", IN_X}, {"out", OUT}},
     .has_rows = true,
     .is_split = true,
     .stored = READS_MASK},
    {OPERATION(zoneout_forward),
     {{"h", IN_X}, {"before", IN_Y}, {"out", OUT}},
     .has_rows = true,
     .is_split = true,
     .stored = WRITES_MASK},
    {OPERATION(zoneout_backward),
     {{"dy", IN_X}, {"out", OUT}, {"dbefore", OUT}},
     .has_rows = true,
     .is_split = true,
     .stored = READS_MASK},
    {OPERATION(zoneout_infer),
     {{"h", IN_X}, {"before", IN_Y}, {"out", OUT}},
     .has_rows = true,
     .is_split = true},
    {OPERATION(uniform), {{"out", OUT}}, .has_rows = true, .is_split = true},
    {OPERATION(normal), {{"out", OUT}}, .has_rows = true, .is_split = true},
    {OPERATION(gaussian_forward),
     {{"x", IN_X}, {"out", OUT}},
     .parameter_name = "p",
     .has_rows = true,
     .is_split = true},
    {OPERATION(gaussian_backward),
     {{"dy", IN_X}, {"out", OUT}},
     .parameter_name = "p",
     .has_rows = true,
     .is_split = true},
    {OPERATION(gaussian_noise),
     {{"x", IN_X}, {"out", OUT}},
     .parameter = NUMBER,
     .parameter_name = "sigma",
     .has_rows = true,
     .is_split = true},
    {OPERATION(concrete_forward),
     {{"x", IN_X}, {"out", OUT}},
     .parameter = CONCRETE,
     .parameter_name = "concrete",
     .has_rows = true,
     .is_split = true},
    {OPERATION(concrete_backward),
     {{"dy", IN_X}, {"x", IN_Y}, {"out", OUT}},
     .parameter = CONCRETE,
     .parameter_name = "concrete",
     .n_results = 1,
     .has_rows = true},
    {OPERATION(concrete_regularizer),
     {{"weights", IN_FLAT}},
     .parameter = CONCRETE,
     .parameter_name = "concrete",
     .n_results = 3},

    {OPERATION(dropblock_draw),
     {{"out", OUT_FLAT, OF_BITS}},
     .parameter = DROPBLOCK,
     .parameter_name = "block",
     .n_results = 1},
    {OPERATION(dropblock_apply),
     {{"x", IN_X}, {"out", OUT}, {"bits", IN_FLAT, OF_BITS}},
     .parameter = NUMBER,
     .parameter_name = "scale"},
    {OPERATION(dropblock_forward),
     {{"x", IN_X}, {"out", OUT}, {"bits", OUT_FLAT, OF_BITS}},
     .parameter = DROPBLOCK,
     .parameter_name = "block"},
    {OPERATION(dropblock_backward), {{"dy", IN_X}, {"out", OUT}, {"bits", IN_FLAT, OF_BITS}}},

    {OPERATION(dropconnect_forward),
     {{"w", IN_FLAT}, {"x", IN_FLAT}, {"bias", IN_FLAT, .is_optional = true}, {"out", OUT_FLAT}},
     .parameter = DROPCONNECT,
     .parameter_name = "w"},
    {OPERATION(dropconnect_backward_input),
     {{"w", IN_FLAT}, {"dy", IN_FLAT}, {"dx", OUT_FLAT}},
     .parameter = DROPCONNECT,
     .parameter_name = "w"},
    {OPERATION(dropconnect_backward_weights),
     {{"x", IN_FLAT}, {"dy", IN_FLAT}, {"dw", OUT_FLAT, OF_SUMS}, {"db", OUT_FLAT, OF_SUMS}},
     .parameter = DROPCONNECT,
     .parameter_name = "w"},
    {OPERATION(dropconnect_moments),
     {{"w", IN_FLAT},
      {"x", IN_FLAT},
      {"bias", IN_FLAT, .is_optional = true},
      {"mean", OUT_FLAT, OF_SUMS},
      {"variance", OUT_FLAT, OF_SUMS}},
     .parameter = DROPCONNECT,
     .parameter_name = "w"},
    {OPERATION(dropconnect_sample),
     {{"mean", IN_FLAT, OF_SUMS}, {"variance", IN_FLAT, OF_SUMS}, {"out", OUT_FLAT}}},

    {OPERATION(interop_forward),
     {{"x", IN_X}, {"out", OUT}},
     .has_range = true,
     .is_interop = true,
     .is_split = true},
    {OPERATION(interop_bits), {{"out", OUT_FLAT, OF_BITS}}, .is_interop = true, .is_split = true},
};

const int n_operations = sizeof operations / sizeof operations[0];

const operation *find_operation(const char *name)
{
    for (int i = 0; i < n_operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

const char *name_of_stored(const operation *o)
{
    return o->stored_name != NULL ? o->stored_name : "stored";
}

uint64_t element_bytes(dropwise_dtype dtype, operand_elements elements)
{
    static const uint8_t bits_of[] = {
#define DROPWISE_DTYPE(number, name, bits) [DROPWISE_##number] = bits,
#include "kernels/dtypes.inc"
    };
    switch (elements) {
    case OF_BITS:
        return 1;
    case OF_SUMS:
        return dtype == DROPWISE_F64 ? 8 : 4;
    default:
        return bits_of[dtype] / 8;
    }
}
