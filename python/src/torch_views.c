/*
 * Operators of PyTorch on tensors of any layout: a row of a table for each, as what they do is said by the
 * table of operations.
 */
#include "torch_call.h"

#include <stdlib.h>

typedef struct view_operator {
    const char *name, *operation;
    uint32_t scaling; /* of the mask; 0: inverted                                         */
    bool has_out;     /* the output is the last argument, and there is no result          */
    bool is_short;    /* has neither share nor part                                       */
} view_operator;

static bool check_operand(operator_call *o, const tensor *t, const tensor *first, bool is_row)
{
    if (t->handle == NULL)
        return true;
    if (t->dtype == 0 || t->dtype != first->dtype)
        return complain(o, "tensors must be of float32, float64, float16 or bfloat16, and all of one dtype");
    if (is_row)
        return (t->rank == 1 && first->rank > 0 && t->size[0] == first->size[first->rank - 1] &&
                (t->stride[0] == 1 || t->size[0] == 1)) ||
               complain(o, "a bias must be a dense row, as long as the last dimension");
    return (t->rank == first->rank && memcmp(t->size, first->size, (size_t)t->rank * sizeof *t->size) == 0) ||
           complain(o, "tensors must have the same shape");
}

static bool read_parameter(operator_call *o, call *c)
{
    switch (c->operation->parameter) {
    case NUMBER:
        c->parameter.number = (double)take_integer(o);
        return true;
    case DROPBLOCK:
        c->parameter.block.size[0] = (uint64_t)take_integer(o); /* until there is a view */
        c->parameter.block.size[1] = (uint64_t)take_integer(o);
        return true;
    case SOFTMAX: {
        const double scale = take_number(o);
        const int64_t causal = take_integer(o), offset = take_integer(o);
        const bool is_right = check_status(o, dropwise_softmax_init(&c->parameter.softmax, scale));
        c->parameter.softmax.causal = causal != 0;
        c->parameter.softmax.causal_offset = offset;
        return is_right;
    }
    default:
        return true;
    }
}

/* Everything about one run of such an operator. */
typedef struct run {
    operator_call o;
    const view_operator *row;
    tensor of[MAX_OPERANDS], out;
    tensor x; /* what says the shape: the first operand, or what the result shall be like */
    mask_arguments m;
    int batch; /* so many dimensions of a batch, before those of a tensor of it */
    bool has_own_row;
    call c;
    void *bits; /* of blocks */
} run;

static void take_arguments(run *r)
{
    const operation *op = r->c.operation;
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand_role role = op->operands[i].role;
        switch (role) {
        case IN_X:
            r->of[i] = take_tensor(&r->o, false);
            break;
        case IN_Y:
            r->of[i] = op->operands[i].is_optional ? take_optional_tensor(&r->o) : take_tensor(&r->o, false);
            break;
        case IN_ROW:
        case IN_ADD:
            r->of[i] = take_optional_tensor(&r->o);
            break;
        default:
            break;
        }
        r->has_own_row = r->has_own_row || (role == IN_ROW && r->of[i].handle != NULL);
    }
    r->has_own_row = r->has_own_row || op->parameter == SOFTMAX;
    r->x = r->of[0].handle != NULL ? r->of[0] : take_tensor(&r->o, false);
    take_mask(&r->o, r->row->is_short, &r->m);
    read_parameter(&r->o, &r->c);
    if (r->row->has_out)
        r->out = take_tensor(&r->o, true);
}

static bool check_arguments(run *r)
{
    if (r->o.fault != NULL)
        return false;
    if (r->x.dtype == 0)
        return complain(&r->o, "tensors must be of float32, float64, float16 or bfloat16");
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (!check_operand(&r->o, &r->of[i], &r->x, r->c.operation->operands[i].role == IN_ROW))
            return false;
    if (!check_operand(&r->o, &r->out, &r->x, false))
        return false;
    r->batch = r->m.seed.rank - 1;
    if (r->batch > r->x.rank || (r->has_own_row && r->batch == r->x.rank))
        return complain(&r->o, "the seed has too many dimensions");
    if (r->m.n_part != 0 && r->m.n_part != 2 * (r->x.rank - r->batch))
        return complain(&r->o, "the part has another number of dimensions");
    for (int d = 0; d < r->batch; d++)
        if (r->m.seed.size[d] != 1 && r->m.seed.size[d] != r->x.size[d])
            return complain(&r->o, "the seed has another shape");
    return true;
}

/* Makes outputs that are not given, and copies inputs that do not lie as the library wants them. */
static bool lay_out(run *r)
{
    const operation *op = r->c.operation;
    const tensor *x = &r->x;
    int64_t stride[MAX_TORCH_RANK];
    const bool is_row_major = r->has_own_row || r->batch > 0;
    if (r->out.handle != NULL)
        memcpy(stride, r->out.stride, (size_t)x->rank * sizeof *stride);
    else if (is_row_major)
        contiguous_strides(x->rank, x->size, stride);
    else
        dense_strides(x->rank, x->size, x->stride, stride);
    const int row = is_row_major ? x->rank - 1 : row_dimension(x->rank, x->size, stride);
    const bool has_rows = op->has_rows && row >= 0 && x->size[row] > 1;
    if (has_rows && stride[row] != 1)
        return complain(&r->o, "elements of a row of the output must lie next to each other");
    for (int i = 0; i < MAX_OPERANDS; i++) {
        tensor *t = &r->of[i];
        switch (op->operands[i].role) {
        case OUT:
        case OUT_OR_NONE: {
            if (r->out.handle != NULL) {
                *t = r->out;
                break;
            }
            torch_tensor *made = make_tensor(&r->o, x->rank, x->size, stride, torch_dtype_of(x->dtype));
            if (made == NULL)
                return false;
            *t = look_at(&r->o, made, true);
            break;
        }
        case IN_X:
            if (has_rows && t->stride[row] != 1 && !copy_as(&r->o, t, stride))
                return false;
            break;
        case IN_Y:
            if (t->handle != NULL && !are_same_strides(t->rank, t->size, t->stride, stride) &&
                !copy_as(&r->o, t, stride))
                return false;
            break;
        default:
            break;
        }
    }
    return true;
}

/* Blocks of which some size was given, along some dimensions, and a buffer for their bits. */
static bool make_blocks(run *r)
{
    call *c = &r->c;
    const uint64_t dimensions = c->parameter.block.size[0], size = c->parameter.block.size[1];
    uint64_t entries = 0;
    double gamma = 0.0;
    if (dimensions > UINT32_MAX)
        return complain(&r->o, "the tensor does not have the dimensions of blocks");
    if (!check_status(&r->o,
                      dropwise_dropblock_init(&c->parameter.block, &c->view, (uint32_t)dimensions, size)) ||
        count_elements(&c->view) == 0 ||
        !check_status(&r->o, dropwise_dropblock_gamma(&c->parameter.block, &c->view, r->m.p, &gamma)) ||
        !check_status(&r->o, dropwise_mask_init(&c->mask, gamma, 0, (uint64_t)r->m.stream)) ||
        !check_status(&r->o, dropwise_dropblock_entries(&c->view, &entries)))
        return r->o.fault == NULL;
    c->bytes[2] = (entries + 7) / 8;
    c->at[2] = r->bits = malloc(c->bytes[2]);
    return r->bits != NULL || complain(&r->o, "not enough memory");
}

/* The call, but for seeds, for a tensor of the batch. */
static bool make_call(run *r)
{
    call *c = &r->c;
    const operation *op = c->operation;
    const tensor *input = &r->x, *output = NULL;
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const tensor *t = &r->of[i];
        c->at[i] = t->handle != NULL ? t->data : NULL;
        if (op->operands[i].role == IN_X)
            input = t;
        if (op->operands[i].role == OUT)
            output = output == NULL ? t : output;
        if (op->operands[i].role == IN_ADD && t->handle != NULL) {
            if (t->rank - r->batch > DROPWISE_MAX_RANK)
                return complain(&r->o, "the tensor has more than 8 dimensions");
            memcpy(c->parameter.softmax.add_stride, t->stride + r->batch,
                   (size_t)(t->rank - r->batch) * sizeof *t->stride);
        }
    }
    const layout l = {
        .rank = input->rank - r->batch,
        .size = input->size + r->batch,
        .x = op->operands[0].role == IN_X ? input->stride + r->batch : output->stride + r->batch,
        .y = output->stride + r->batch,
        .share = (uint64_t)r->m.share,
        .part = r->m.n_part != 0 ? r->m.part : NULL,
        .has_rows = op->has_rows,
        .has_own_row = r->has_own_row,
        .is_plain = op->parameter == SOFTMAX || op->parameter == DROPBLOCK,
    };
    const char *fault = make_view(&l, &c->view);
    if (fault != NULL)
        return complain(&r->o, fault);
    c->dtype = input->dtype;
    if (!check_status(&r->o, dropwise_mask_init(&c->mask, r->m.p, 0, (uint64_t)r->m.stream)))
        return false;
    if (r->row->scaling != 0)
        c->mask.scaling = r->row->scaling;
    return op->parameter != DROPBLOCK || make_blocks(r);
}

/* Runs the call for each tensor of the batch, which has a seed of its own, or one for all. */
static void run_batch(run *r)
{
    call c = r->c;
    int64_t items = 1;
    for (int d = 0; d < r->batch; d++)
        items *= r->x.size[d];
    for (int64_t item = 0; item < items && r->o.fault == NULL; item++) {
        int64_t rest = item, seed_at = 0, offset[MAX_OPERANDS] = {0};
        for (int d = r->batch - 1; d >= 0; d--) {
            const int64_t k = rest % r->x.size[d];
            rest /= r->x.size[d];
            seed_at += r->m.seed.size[d] == 1 ? 0 : k * r->m.seed.stride[d];
            for (int i = 0; i < MAX_OPERANDS; i++)
                if (r->of[i].handle != NULL && c.operation->operands[i].role != IN_ROW)
                    offset[i] += k * r->of[i].stride[d];
        }
        memcpy(&c.mask.seed, r->m.seed.data + seed_at * (int64_t)sizeof c.mask.seed, sizeof c.mask.seed);
        for (int i = 0; i < MAX_OPERANDS; i++) {
            if (c.at[i] != NULL)
                c.at[i] = r->c.at[i] + offset[i] * (int64_t)element_bytes(c.dtype, OF_TENSOR);
            if (c.operation->operands[i].role == IN_ADD)
                c.parameter.softmax.add = c.at[i];
        }
        dropwise_status status;
        if (run_on_threads(&c, &status))
            check_status(&r->o, status);
        else
            complain(&r->o, threads_failed);
    }
}

/* Tensors that are made here are dense; those that are given may be. */
static bool has_dense_outputs(const run *r)
{
    for (int i = 0; i < MAX_OPERANDS && r->row->has_out; i++) {
        const tensor *t = &r->of[i];
        int64_t dense[MAX_TORCH_RANK];
        if (r->c.operation->operands[i].role != OUT)
            continue;
        dense_strides(t->rank, t->size, t->stride, dense);
        if (!are_same_strides(t->rank, t->size, dense, t->stride))
            return false;
    }
    return true;
}

static void run_view(const view_operator *row, torch_value *stack)
{
    const operation *op = find_operation(row->operation);
    run r = {.o = {.name = row->name, .stack = stack}, .row = row, .c = {.operation = op}};
    take_arguments(&r);
    if (check_arguments(&r) && lay_out(&r) && make_call(&r) && count_elements(&r.c.view) > 0) {
        r.c.is_dense = has_dense_outputs(&r);
        run_batch(&r);
    }
    free(r.bits);

    torch_tensor *results[MAX_OPERANDS + 1];
    int n_results = 0;
    for (int i = 0; i < MAX_OPERANDS && !row->has_out; i++)
        if (op->operands[i].role == OUT || op->operands[i].role == OUT_OR_NONE)
            results[n_results++] = r.of[i].handle;
    finish(&r.o, stack, n_results, results);
}

enum {
    DROPOUT,
    DROPOUT_OUT,
    DROPOUT_PLAIN,
    KEPT,
    ALPHA,
    ALPHA_BACKWARD,
    GAUSSIAN,
    UNIFORM,
    ZONEOUT,
    ZONEOUT_BACKWARD,
    RESIDUAL,
    ACTIVATION,
    ACTIVATION_BACKWARD,
    SOFTMAX_FORWARD,
    SOFTMAX_BACKWARD,
    BLOCKS,
    VIEW_OPERATORS
};

static const view_operator view_operators[VIEW_OPERATORS] = {
    [DROPOUT] = {"dropout_v1", "forward"},
    [DROPOUT_OUT] = {"dropout_out_v1", "forward", .has_out = true},
    [DROPOUT_PLAIN] = {"dropout_plain_v1", "forward", .is_short = true},
    [KEPT] = {"kept_v1", "forward", DROPWISE_SCALING_STANDARD},
    [ALPHA] = {"alpha_v1", "alpha_forward"},
    [ALPHA_BACKWARD] = {"alpha_backward_v1", "alpha_backward"},
    [GAUSSIAN] = {"gaussian_v1", "gaussian_forward"},
    [UNIFORM] = {"uniform_v1", "uniform"},
    [ZONEOUT] = {"zoneout_v1", "zoneout_forward"},
    [ZONEOUT_BACKWARD] = {"zoneout_backward_v1", "zoneout_backward"},
    [RESIDUAL] = {"residual_v1", "residual_forward"},
    [ACTIVATION] = {"activation_v1", "activation_forward"},
    [ACTIVATION_BACKWARD] = {"activation_backward_v1", "activation_backward"},
    [SOFTMAX_FORWARD] = {"softmax_v1", "softmax_forward"},
    [SOFTMAX_BACKWARD] = {"softmax_backward_v1", "softmax_backward"},
    [BLOCKS] = {"blocks_v1", "dropblock_forward"},
};

/* A kernel is told nothing but its arguments, so there is one for each. */
#define KERNEL(kernel, row) \
    static void kernel(torch_value *stack, uint64_t n_arguments, uint64_t n_results) \
    { \
        (void)n_arguments; \
        (void)n_results; \
        run_view(&view_operators[row], stack); \
    }

KERNEL(dropout, DROPOUT)
KERNEL(dropout_out, DROPOUT_OUT)
KERNEL(dropout_plain, DROPOUT_PLAIN)
KERNEL(kept, KEPT)
KERNEL(alpha, ALPHA)
KERNEL(alpha_backward, ALPHA_BACKWARD)
KERNEL(gaussian, GAUSSIAN)
KERNEL(uniform, UNIFORM)
KERNEL(zoneout, ZONEOUT)
KERNEL(zoneout_backward, ZONEOUT_BACKWARD)
KERNEL(residual, RESIDUAL)
KERNEL(activation, ACTIVATION)
KERNEL(activation_backward, ACTIVATION_BACKWARD)
KERNEL(softmax, SOFTMAX_FORWARD)
KERNEL(softmax_backward, SOFTMAX_BACKWARD)
KERNEL(blocks, BLOCKS)

const torch_operator torch_views[] = {
    {"dropout_v1", "CPU", dropout},
    {"dropout_out_v1", "CPU", dropout_out},
    {"dropout_plain_v1", "CPU", dropout_plain},
    {"kept_v1", "CPU", kept},
    {"alpha_v1", "CPU", alpha},
    {"alpha_backward_v1", "CPU", alpha_backward},
    {"gaussian_v1", "CPU", gaussian},
    {"uniform_v1", "CPU", uniform},
    {"zoneout_v1", "CPU", zoneout},
    {"zoneout_backward_v1", "CPU", zoneout_backward},
    {"residual_v1", "CPU", residual},
    {"activation_v1", "CPU", activation},
    {"activation_backward_v1", "CPU", activation_backward},
    {"softmax_v1", "CPU", softmax},
    {"softmax_backward_v1", "CPU", softmax_backward},
    {"blocks_v1", "CPU", blocks},
    {NULL, NULL, NULL},
};
