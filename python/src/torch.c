/*
 * The operators that PyTorch calls for dropwise.torch, on CPUs. Python is not entered here: each gets tensors
 * and numbers, makes its results, and shares the work out among PyTorch's own threads. What the arguments are
 * is said in dropwise/torch/_operators.py, which defines the operators, and whose functions check what users
 * give; what is checked here protects memory.
 *
 * An operator that fails throws PyTorch's own exception, which becomes Python's RuntimeError: nothing is held
 * then that has to be released.
 */
#include "torch.h"
#include "arguments.h"
#include "torch_layout.h"
#include "torch_shim.h"

#include <dropwise_attention.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below so many elements for each, another thread of PyTorch's costs more than it saves. */
enum { PART_AT_LEAST = 1 << 15 };

/* Once they are registered, what they call. */
static torch_functions torch;

/* ---- Arguments ---- */

/* An operator while it runs: what it owns, and why it failed, if it did. */
typedef struct operator_call {
    const char *name;
    torch_value *stack; /* the next argument */
    torch_tensor *owned[16];
    int n_owned;
    const char *fault; /* NULL: none so far */
} operator_call;

typedef struct tensor {
    torch_tensor *handle; /* NULL: none */
    int rank;
    const int64_t *size, *stride;
    char *data;
    dropwise_dtype dtype; /* 0: another */
} tensor;

static bool complain(operator_call *o, const char *fault)
{
    if (o->fault == NULL)
        o->fault = fault;
    return false;
}

static bool check_status(operator_call *o, dropwise_status status)
{
    return status == DROPWISE_OK || complain(o, dropwise_status_string(status));
}

static torch_tensor *own(operator_call *o, torch_tensor *handle)
{
    return o->owned[o->n_owned++] = handle;
}

static dropwise_dtype dtype_of(int32_t dtype)
{
    return dtype == torch.dtype_f32()    ? DROPWISE_F32
           : dtype == torch.dtype_f64()  ? DROPWISE_F64
           : dtype == torch.dtype_bf16() ? DROPWISE_BF16
           : dtype == torch.dtype_f16()  ? DROPWISE_F16
                                         : 0;
}

static int32_t torch_dtype_of(dropwise_dtype dtype)
{
    switch (dtype) {
    case DROPWISE_F64:
        return torch.dtype_f64();
    case DROPWISE_F16:
        return torch.dtype_f16();
    case DROPWISE_BF16:
        return torch.dtype_bf16();
    default:
        return torch.dtype_f32();
    }
}

/* What a tensor is. Its data may be NULL if it has no elements. */
static tensor look_at(operator_call *o, torch_tensor *handle, bool is_written)
{
    tensor t = {.handle = handle};
    int64_t rank = 0, *size = NULL, *stride = NULL;
    int32_t dtype = 0;
    const void *data = NULL;
    void *written = NULL;
    if (torch.get_rank(handle, &rank) != 0 || rank > MAX_TORCH_RANK || torch.get_sizes(handle, &size) != 0 ||
        torch.get_strides(handle, &stride) != 0 || torch.get_dtype(handle, &dtype) != 0 ||
        (is_written ? torch.get_data(handle, &written) : torch.get_const_data(handle, &data)) != 0) {
        complain(o, "a tensor without strides, or with too many dimensions");
        return t;
    }
    t.rank = (int)rank;
    t.size = size;
    t.stride = stride;
    t.data = (char *)(is_written ? written : (void *)(uintptr_t)data);
    t.dtype = dtype_of(dtype);
    return t;
}

static tensor take_tensor(operator_call *o, bool is_written)
{
    return look_at(o, own(o, (torch_tensor *)(uintptr_t)*o->stack++), is_written);
}

/* The value of an optional argument, if it has one. */
static bool take_optional(operator_call *o, torch_value *value)
{
    torch_value *at = (torch_value *)(uintptr_t)*o->stack++;
    if (at == NULL)
        return false;
    *value = *at;
    if (torch.delete_value != NULL)
        torch.delete_value(at);
    else
        free(at); /* as C++ allocates it by malloc, where nobody replaces both */
    return true;
}

static tensor take_optional_tensor(operator_call *o)
{
    torch_value value;
    if (!take_optional(o, &value))
        return (tensor){.handle = NULL};
    return look_at(o, own(o, (torch_tensor *)(uintptr_t)value), false);
}

static int64_t take_integer(operator_call *o)
{
    return (int64_t)*o->stack++;
}

static double take_number(operator_call *o)
{
    double number;
    memcpy(&number, o->stack++, sizeof number);
    return number;
}

/* Numbers of a list, as many as there are, but no more than `most`. */
static int read_list(operator_call *o, torch_list *list, int most, int64_t *numbers)
{
    size_t n = 0;
    torch.list_size(list, &n);
    if (n > (size_t)most)
        complain(o, "a list is too long");
    for (size_t i = 0; i < n && i < (size_t)most; i++) {
        torch_value value = 0;
        torch.list_item(list, i, &value);
        numbers[i] = (int64_t)value;
    }
    torch.delete_list(list);
    return (int)n;
}

static torch_tensor *make_tensor(operator_call *o, int rank, const int64_t *size, const int64_t *stride,
                                 int32_t dtype)
{
    torch_tensor *made = NULL;
    if (torch.empty_strided(rank, size, stride, dtype, torch.device_cpu(), 0, &made) != 0) {
        complain(o, "not enough memory");
        return NULL;
    }
    return own(o, made);
}

/* Ends a kernel: releases what it owns, but for its results, which take the place of the arguments. */
static void finish(operator_call *o, torch_value *stack, int n_results, torch_tensor *const *results)
{
    for (int i = 0; i < o->n_owned; i++) {
        bool is_result = false;
        for (int k = 0; k < n_results && o->fault == NULL; k++)
            is_result = is_result || o->owned[i] == results[k];
        if (!is_result && o->owned[i] != NULL)
            torch.delete_tensor(o->owned[i]);
    }
    if (o->fault != NULL) {
        char text[200];
        snprintf(text, sizeof text, "dropwise::%s: %s", o->name, o->fault);
        torch.check(false, __func__, __FILE__, __LINE__, text);
    }
    for (int k = 0; k < n_results; k++)
        stack[k] = (torch_value)(uintptr_t)results[k];
}

/* ---- Threads ---- */

typedef struct work {
    const call *whole;
    const cuts *by;
    atomic_int status;
} work;

static void run_parts(int64_t begin, int64_t end, void *data)
{
    work *w = data;
    for (int64_t k = begin; k < end; k++) {
        const call part = cut_call(w->whole, w->by, (uint64_t)k);
        const dropwise_status status = part.operation->run(&part);
        if (status != DROPWISE_OK)
            atomic_store(&w->status, status);
    }
}

/* On PyTorch's threads; within a parallel region of its own this is the only one. */
static dropwise_status run_on_threads(const call *c)
{
    uint32_t threads = 1;
    cuts by;
    if (count_elements(&c->view) < 2 * PART_AT_LEAST || torch.get_threads(&threads) != 0 ||
        !find_cuts(c, PART_AT_LEAST, threads, &by))
        return c->operation->run(c);
    work w = {.whole = c, .by = &by};
    atomic_init(&w.status, DROPWISE_OK);
    torch.parallel_for(0, (int64_t)by.parts, 1, run_parts, &w);
    return atomic_load(&w.status);
}

/* ---- Operators on views: a row of the table below for each ---- */

typedef struct view_operator {
    const char *name, *operation;
    uint32_t scaling; /* of the mask; 0: inverted                                         */
    bool has_out;     /* the output is the last argument, and there is no result          */
    bool is_short;    /* has neither share nor part                                       */
} view_operator;

/* What of a mask an operator is told: seed, stream, p, share, part. */
typedef struct mask_arguments {
    tensor seed;
    int64_t stream, share;
    double p;
    int n_part;                       /* 0: no part; else twice the rank of the whole */
    int64_t part[2 * MAX_TORCH_RANK]; /* where it begins, the sizes of the whole       */
} mask_arguments;

/* A new seed from PyTorch's generator: torch.randint over all of int64 but its largest number. */
static torch_tensor *draw_seed(operator_call *o)
{
    static const int64_t one = 1;
    torch_tensor *seed = NULL;
    int32_t dtype = torch.dtype_i64();
    if (torch.randint(INT64_MIN, INT64_MAX, &one, 1, &dtype, NULL, NULL, 0, NULL, &seed) != 0) {
        complain(o, "no seed could be drawn");
        return NULL;
    }
    return own(o, seed);
}

static void take_mask(operator_call *o, const view_operator *row, mask_arguments *m)
{
    m->seed = take_tensor(o, false);
    int32_t dtype = 0;
    if (torch.get_dtype(m->seed.handle, &dtype) != 0 || dtype != torch.dtype_i64() || m->seed.rank < 1 ||
        m->seed.size[m->seed.rank - 1] != 1)
        complain(o, "the seed must be int64, and its last dimension 1");
    m->stream = take_integer(o);
    m->p = take_number(o);
    m->share = row->is_short ? 0 : take_integer(o);
    m->n_part = 0;
    torch_value list;
    if (!row->is_short && take_optional(o, &list))
        m->n_part = read_list(o, (torch_list *)(uintptr_t)list, sizeof m->part / sizeof m->part[0], m->part);
}

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

/* Replaces a tensor by a copy with these strides. */
static bool copy_as(operator_call *o, tensor *t, const int64_t *stride)
{
    torch_tensor *copy = make_tensor(o, t->rank, t->size, stride, torch_dtype_of(t->dtype));
    if (copy == NULL)
        return false;
    if (torch.copy(copy, t->handle, 0) != 0)
        return complain(o, "a tensor could not be copied");
    *t = look_at(o, copy, false);
    return true;
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
    take_mask(&r->o, r->row, &r->m);
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
            c->parameter.softmax.add = t->data;
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
        for (int i = 0; i < MAX_OPERANDS; i++)
            if (c.at[i] != NULL)
                c.at[i] = r->c.at[i] + offset[i] * (int64_t)element_bytes(c.dtype, OF_TENSOR);
        check_status(&r->o, run_on_threads(&c));
    }
}

static void run_view(const view_operator *row, torch_value *stack)
{
    const operation *op = find_operation(row->operation);
    run r = {.o = {.name = row->name, .stack = stack}, .row = row, .c = {.operation = op}};
    r.c.is_dense = !row->has_out;
    take_arguments(&r);
    if (check_arguments(&r) && lay_out(&r) && make_call(&r) && count_elements(&r.c.view) > 0)
        run_batch(&r);
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

static torch_kernel *const view_kernels[VIEW_OPERATORS] = {
    [DROPOUT] = dropout,
    [DROPOUT_OUT] = dropout_out,
    [DROPOUT_PLAIN] = dropout_plain,
    [KEPT] = kept,
    [ALPHA] = alpha,
    [ALPHA_BACKWARD] = alpha_backward,
    [GAUSSIAN] = gaussian,
    [UNIFORM] = uniform,
    [ZONEOUT] = zoneout,
    [ZONEOUT_BACKWARD] = zoneout_backward,
    [RESIDUAL] = residual,
    [ACTIVATION] = activation,
    [ACTIVATION_BACKWARD] = activation_backward,
    [SOFTMAX_FORWARD] = softmax,
    [SOFTMAX_BACKWARD] = softmax_backward,
    [BLOCKS] = blocks,
};

/* ---- Seeds ---- */

static void seed(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "seed_v1", .stack = stack};
    torch_tensor *result = draw_seed(&o);
    finish(&o, stack, 1, &result);
}

/* ---- Products with dropped weights ---- */

static bool check_matrix(operator_call *o, const tensor *t, dropwise_dtype dtype, int64_t rows,
                         int64_t columns)
{
    const int64_t wanted[2] = {columns, 1};
    return (t->rank == 2 && t->dtype == dtype && dtype != 0 && t->size[0] == rows && t->size[1] == columns &&
            are_same_strides(2, t->size, t->stride, wanted)) ||
           complain(o, "matrices must be dense, of one dtype, and their sizes must fit");
}

/* The layer of these weights and samples; its mask gets the seed. */
static bool begin_connect(operator_call *o, const tensor *w, const tensor *x, dropwise_dropconnect *layer,
                          dropwise_mask *mask)
{
    static const view_operator row = {.name = "connect"};
    mask_arguments m;
    take_mask(o, &row, &m);
    if (o->fault != NULL || w->rank != 2 || x->rank != 2 || m.seed.rank != 1)
        return complain(o, "weights and inputs must be matrices, and the seed one number");
    if (!check_matrix(o, w, w->dtype, w->size[0], w->size[1]) ||
        !check_matrix(o, x, w->dtype, x->size[0], w->size[1]))
        return false;
    uint64_t number;
    memcpy(&number, m.seed.data, sizeof number);
    return check_status(o, dropwise_mask_init(mask, m.p, number, (uint64_t)m.stream)) &&
           check_status(o, dropwise_dropconnect_init(layer, (uint64_t)x->size[0], (uint64_t)w->size[0],
                                                     (uint64_t)w->size[1]));
}

static torch_tensor *make_dense(operator_call *o, int64_t rows, int64_t columns, int32_t dtype, char **data)
{
    const int64_t size[2] = {rows, columns}, stride[2] = {columns, 1};
    torch_tensor *made = make_tensor(o, 2, size, stride, dtype);
    if (made != NULL)
        *data = look_at(o, made, true).data;
    return made;
}

static void connect(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "connect_v1", .stack = stack};
    const tensor x = take_tensor(&o, false), w = take_tensor(&o, false), bias = take_optional_tensor(&o);
    dropwise_dropconnect layer;
    dropwise_mask mask;
    torch_tensor *y = NULL;
    char *at = NULL;
    if (begin_connect(&o, &w, &x, &layer, &mask) &&
        (bias.handle == NULL ||
         (bias.rank == 1 && bias.dtype == w.dtype && bias.size[0] == w.size[0] &&
          (bias.stride[0] == 1 || bias.size[0] == 1)) ||
         complain(&o, "a bias must be a dense row, as long as the weights have rows")) &&
        (y = make_dense(&o, x.size[0], w.size[0], torch_dtype_of(w.dtype), &at)) != NULL)
        check_status(&o, dropwise_dropconnect_forward(&mask, w.dtype, &layer, w.data, x.data,
                                                      bias.handle != NULL ? bias.data : NULL, at));
    finish(&o, stack, 1, &y);
}

static void connect_backward(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "connect_backward_v1", .stack = stack};
    const tensor dy = take_tensor(&o, false), x = take_tensor(&o, false), w = take_tensor(&o, false);
    dropwise_dropconnect layer;
    dropwise_mask mask;
    torch_tensor *results[2] = {NULL, NULL};
    char *dx = NULL, *dw = NULL;
    if (begin_connect(&o, &w, &x, &layer, &mask) && check_matrix(&o, &dy, w.dtype, x.size[0], w.size[0])) {
        const int32_t sums = w.dtype == DROPWISE_F64 ? torch.dtype_f64() : torch.dtype_f32();
        results[0] = make_dense(&o, x.size[0], x.size[1], torch_dtype_of(w.dtype), &dx);
        results[1] = make_dense(&o, w.size[0], w.size[1], sums, &dw);
        if (o.fault == NULL) {
            memset(dw, 0, (size_t)(w.size[0] * w.size[1]) * element_bytes(w.dtype, OF_SUMS));
            check_status(&o, dropwise_dropconnect_backward(&mask, w.dtype, &layer, w.data, x.data, dy.data,
                                                           dx, dw, NULL));
        }
    }
    finish(&o, stack, 2, results);
}

/* ---- Attention ---- */

/* Queries, keys and values of 4 dimensions, masks, and where the results lie. */
typedef struct attention_call {
    operator_call o;
    tensor q, k, v, add, allow, out, dout, dq, dk, dv;
    const float *lse;
    float *new_lse; /* forward */
    dropwise_attention a;
    dropwise_mask mask;
    dropwise_dtype dtype;
    uint64_t heads, at_a_time, query_parts; /* heads in all; those of a part; parts of the queries */
    uint64_t workspace;
    atomic_int status; /* -1: not enough memory */
} attention_call;

static void take_attention(attention_call *c)
{
    static const view_operator row = {.name = "attention"};
    mask_arguments m;
    c->q = take_tensor(&c->o, false);
    c->k = take_tensor(&c->o, false);
    c->v = take_tensor(&c->o, false);
    c->add = take_optional_tensor(&c->o);
    c->allow = take_optional_tensor(&c->o);
    take_mask(&c->o, &row, &m);
    const double scale = take_number(&c->o);
    const int64_t causal = take_integer(&c->o);
    if (c->o.fault == NULL && (c->q.rank != 4 || c->k.rank != 4 || c->v.rank != 4 || m.seed.rank != 1))
        complain(&c->o, "queries, keys and values must have 4 dimensions, and the seed one");
    if (c->o.fault != NULL)
        return;
    const int64_t *q = c->q.size, *k = c->k.size, *v = c->v.size;
    if (k[0] != q[0] || v[0] != q[0] || v[1] != k[1] || k[2] != v[2] || k[3] != q[3] ||
        c->k.dtype != c->q.dtype || c->v.dtype != c->q.dtype || c->q.dtype == 0)
        complain(&c->o, "sizes or dtypes of queries, keys and values do not fit");
    c->dtype = c->q.dtype;
    uint64_t seed;
    memcpy(&seed, m.seed.data, sizeof seed);
    if (c->o.fault != NULL ||
        !check_status(&c->o, dropwise_mask_init(&c->mask, m.p, seed, (uint64_t)m.stream)) ||
        !check_status(&c->o, dropwise_attention_init(&c->a, (uint64_t)q[0], (uint64_t)q[1], (uint64_t)k[1],
                                                     (uint64_t)q[2], (uint64_t)k[2], (uint64_t)q[3],
                                                     (uint64_t)v[3])))
        return;
    c->a.scale = scale;
    c->a.causal = causal != 0;
    c->heads = c->a.batches * c->a.heads;
}

/* The strides of a tensor, but for the last dimension, in which elements follow each other. */
static void read_attention_strides(attention_call *c, const tensor *t, int64_t *stride)
{
    if (t->size[3] > 1 && t->stride[3] != 1)
        complain(&c->o, "elements of rows must lie next to each other");
    memcpy(stride, t->stride, 3 * sizeof *stride);
}

static void read_attention_mask(attention_call *c, const tensor *t, const void **at, int64_t *stride,
                                int32_t dtype)
{
    int32_t found = 0;
    if (t->handle == NULL)
        return;
    const int64_t wanted[4] = {c->q.size[0], c->q.size[1], c->q.size[2], c->k.size[2]};
    if (torch.get_dtype(t->handle, &found) != 0 || found != dtype || t->rank != 4 ||
        memcmp(t->size, wanted, sizeof wanted) != 0) {
        complain(&c->o, "a mask must be of shape (batch, head, query, key), and bool or of the dtype of q");
        return;
    }
    *at = t->data;
    read_attention_strides(c, t, stride);
}

static bool read_attention(attention_call *c)
{
    if (c->o.fault != NULL)
        return false;
    dropwise_attention *a = &c->a;
    read_attention_strides(c, &c->q, a->q_stride);
    read_attention_strides(c, &c->k, a->k_stride);
    read_attention_strides(c, &c->v, a->v_stride);
    read_attention_mask(c, &c->add, &a->add, a->add_stride, torch_dtype_of(c->dtype));
    read_attention_mask(c, &c->allow, &a->allow, a->allow_stride, torch.dtype_bool());
    return c->o.fault == NULL;
}

/*
 * A tensor that lies in memory as this one, as PyTorch's attention lays its results out, so that what becomes
 * of them is no copy; where rows have another length, heads lie between the rows.
 */
static tensor make_heads(attention_call *c, const tensor *like, int64_t last)
{
    const int64_t *size = like->size, sizes[4] = {size[0], size[1], size[2], last};
    int64_t stride[4] = {0, 0, 0, 0};
    if (last == size[3])
        dense_strides(4, size, like->stride, stride);
    if (stride[3] != 1) {
        stride[0] = size[2] * size[1] * last;
        stride[1] = last;
        stride[2] = size[1] * last;
        stride[3] = 1;
    }
    torch_tensor *made = make_tensor(&c->o, 4, sizes, stride, torch_dtype_of(c->dtype));
    return made != NULL ? look_at(&c->o, made, true) : (tensor){.handle = NULL};
}

/* Parts are cut by heads, and where there are fewer of these than threads, by queries too. */
static int64_t cut_attention(attention_call *c, uint64_t together, bool backward)
{
    uint32_t threads = 1;
    torch.get_threads(&threads);
    const uint64_t groups = c->heads / together;
    c->at_a_time = (groups + threads - 1) / threads * together;
    c->query_parts = 1;
    if (!backward && groups < threads && c->a.queries >= 128)
        c->query_parts = (threads + groups - 1) / groups;
    if (!check_status(&c->o, dropwise_attention_workspace(&c->a, c->dtype, backward, &c->workspace)))
        return 0;
    return (int64_t)((c->heads + c->at_a_time - 1) / c->at_a_time * c->query_parts);
}

static void run_attention_parts(int64_t begin, int64_t end, void *data)
{
    attention_call *c = data;
    void *workspace = malloc(c->workspace);
    if (workspace == NULL) {
        atomic_store(&c->status, -1);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        dropwise_attention a = c->a;
        const uint64_t part = (uint64_t)i / c->query_parts, query_part = (uint64_t)i % c->query_parts;
        const uint64_t rows = (a.queries + c->query_parts - 1) / c->query_parts;
        a.first_head = part * c->at_a_time;
        a.n_heads = a.first_head + c->at_a_time < c->heads ? c->at_a_time : c->heads - a.first_head;
        a.first_query = query_part * rows < a.queries ? query_part * rows : a.queries;
        a.n_queries = a.first_query + rows < a.queries ? rows : a.queries - a.first_query;
        const dropwise_status status =
            c->new_lse != NULL
                ? dropwise_attention_forward(&c->mask, c->dtype, &a, c->q.data, c->k.data, c->v.data,
                                             c->out.data, c->new_lse, workspace, c->workspace)
                : dropwise_attention_backward(&c->mask, c->dtype, &a, c->q.data, c->k.data, c->v.data,
                                              c->out.data, c->lse, c->dout.data, c->dq.data, c->dk.data,
                                              c->dv.data, workspace, c->workspace);
        if (status != DROPWISE_OK)
            atomic_store(&c->status, status);
    }
    free(workspace);
}

static void run_attention(attention_call *c, uint64_t together, bool backward)
{
    const int64_t parts = c->o.fault == NULL && c->heads > 0 ? cut_attention(c, together, backward) : 0;
    atomic_init(&c->status, DROPWISE_OK);
    if (c->o.fault != NULL || parts == 0)
        return;
    torch.parallel_for(0, parts, 1, run_attention_parts, c);
    const int status = atomic_load(&c->status);
    if (status < 0)
        complain(&c->o, "not enough memory");
    else
        check_status(&c->o, status);
}

static void attention(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    attention_call c = {.o = {.name = "attention_v1", .stack = stack}};
    torch_tensor *lse = NULL;
    take_attention(&c);
    if (read_attention(&c)) {
        const int64_t *q = c.q.size, stride[3] = {q[1] * q[2], q[2], 1};
        c.out = make_heads(&c, &c.q, c.v.size[3]);
        lse = make_tensor(&c.o, 3, q, stride, torch.dtype_f32());
        if (c.o.fault == NULL) {
            c.new_lse = (float *)(void *)look_at(&c.o, lse, true).data;
            read_attention_strides(&c, &c.out, c.a.out_stride);
            if (c.new_lse != NULL) /* else there are no queries */
                run_attention(&c, 1, false);
        }
    }
    finish(&c.o, stack, 2, (torch_tensor *const[]){c.out.handle, lse});
}

static void attention_backward(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    attention_call c = {.o = {.name = "attention_backward_v1", .stack = stack}};
    c.dout = take_tensor(&c.o, false);
    c.out = take_tensor(&c.o, false);
    const tensor lse = take_tensor(&c.o, false);
    take_attention(&c);
    if (read_attention(&c)) {
        const int64_t wanted[4] = {c.q.size[0], c.q.size[1], c.q.size[2], c.v.size[3]};
        const int64_t dense[3] = {wanted[1] * wanted[2], wanted[2], 1};
        if (c.out.rank != 4 || c.dout.rank != 4 || lse.rank != 3 || c.out.dtype != c.dtype ||
            c.dout.dtype != c.dtype || lse.dtype != DROPWISE_F32 ||
            memcmp(c.out.size, wanted, sizeof wanted) != 0 ||
            memcmp(c.dout.size, wanted, sizeof wanted) != 0 ||
            memcmp(lse.size, wanted, 3 * sizeof *wanted) != 0 ||
            !are_same_strides(3, lse.size, lse.stride, dense))
            complain(&c.o, "results must be those of the forward pass, and gradients like them");
        c.dq = make_heads(&c, &c.q, c.q.size[3]);
        c.dk = make_heads(&c, &c.k, c.k.size[3]);
        c.dv = make_heads(&c, &c.v, c.v.size[3]);
        if (c.o.fault == NULL) {
            read_attention_strides(&c, &c.out, c.a.out_stride);
            read_attention_strides(&c, &c.dout, c.a.dout_stride);
            read_attention_strides(&c, &c.dq, c.a.dq_stride);
            read_attention_strides(&c, &c.dk, c.a.dk_stride);
            read_attention_strides(&c, &c.dv, c.a.dv_stride);
            c.lse = (const float *)(const void *)lse.data;
            run_attention(&c, c.a.heads / c.a.kv_heads, true);
        }
    }
    finish(&c.o, stack, 3, (torch_tensor *const[]){c.dq.handle, c.dk.handle, c.dv.handle});
}

/* ---- PyTorch's own masks ---- */

static uint64_t numel(const tensor *t)
{
    uint64_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= (uint64_t)t->size[d];
    return n;
}

/* The generator's state, which is what torch.Generator.get_state returns. */
static tensor take_state(operator_call *o, dropwise_mt19937 *engine)
{
    const tensor state = take_tensor(o, true);
    if (state.rank != 1 || state.size[0] != DROPWISE_TORCH_STATE_BYTES || state.stride[0] != 1)
        complain(o, "the state must be that of a generator on a CPU");
    else
        check_status(o, dropwise_mt19937_from_torch(engine, state.data, DROPWISE_TORCH_STATE_BYTES));
    return state;
}

/* Elements of y, which is dense, in the order of memory; y is filled with x if it lies otherwise. */
static tensor make_like(operator_call *o, const tensor *x, const int64_t *stride, const char **from)
{
    torch_tensor *made = make_tensor(o, x->rank, x->size, stride, torch_dtype_of(x->dtype));
    const tensor y = made != NULL ? look_at(o, made, true) : (tensor){.handle = NULL};
    *from = x->data;
    if (made != NULL && !are_same_strides(x->rank, x->size, x->stride, stride)) {
        if (torch.copy(made, x->handle, 0) != 0)
            complain(o, "a tensor could not be copied");
        *from = y.data;
    }
    return y;
}

static void torch_dropout(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "torch_dropout_v1", .stack = stack};
    const tensor x = take_tensor(&o, false);
    const double p = take_number(&o);
    dropwise_mt19937 engine;
    const tensor state = take_state(&o, &engine);
    torch_tensor *results[2] = {NULL, NULL};
    if (o.fault == NULL && (x.dtype != 0 || complain(&o, "the tensor must be of a floating-point dtype"))) {
        static const int64_t one = 1;
        const int64_t bytes = (int64_t)((numel(&x) + 7) / 8);
        int64_t stride[MAX_TORCH_RANK];
        const char *from;
        dense_strides(x.rank, x.size, x.stride, stride);
        const tensor y = make_like(&o, &x, stride, &from);
        results[0] = y.handle;
        results[1] = make_tensor(&o, 1, &bytes, &one, torch.dtype_u8());
        if (o.fault == NULL && numel(&x) > 0) {
            char *bits = look_at(&o, results[1], true).data;
            if (check_status(&o, dropwise_torch_cpu_forward(&engine, x.dtype, p, (size_t)numel(&x), from,
                                                            y.data, bits)))
                check_status(&o, dropwise_mt19937_to_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES));
        }
    }
    finish(&o, stack, 2, results);
}

/* The same product from stored bits, of a tensor whose elements lie in memory by these strides. */
static void torch_apply(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "torch_apply_v1", .stack = stack};
    const tensor dy = take_tensor(&o, false), bits = take_tensor(&o, false);
    const double p = take_number(&o);
    int64_t stride[MAX_TORCH_RANK], wanted[MAX_TORCH_RANK];
    const int n = read_list(&o, (torch_list *)(uintptr_t)*o.stack++, MAX_TORCH_RANK, stride);
    torch_tensor *result = NULL;
    if (o.fault == NULL && n == dy.rank)
        dense_strides(n, dy.size, stride, wanted);
    if (o.fault == NULL && ((n == dy.rank && dy.dtype != 0 && are_same_strides(n, dy.size, stride, wanted) &&
                             bits.rank == 1 && (uint64_t)bits.size[0] == (numel(&dy) + 7) / 8) ||
                            complain(&o, "bits and strides must be those of the forward pass"))) {
        const char *from;
        const tensor dx = make_like(&o, &dy, stride, &from);
        result = dx.handle;
        if (o.fault == NULL && numel(&dy) > 0)
            check_status(&o,
                         dropwise_torch_cpu_apply(dy.dtype, p, (size_t)numel(&dy), bits.data, from, dx.data));
    }
    finish(&o, stack, 1, &result);
}

/* Fills a dense tensor, in the order of memory, with what Tensor.bernoulli_(1 - p) does in a dropout. */
static void torch_bernoulli(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    enum { CHUNK = 4096 };
    operator_call o = {.name = "torch_bernoulli_v1", .stack = stack};
    torch_tensor *handle = own(&o, (torch_tensor *)(uintptr_t)*o.stack++);
    tensor out = look_at(&o, handle, true);
    const double p = take_number(&o);
    dropwise_mt19937 engine;
    const tensor state = take_state(&o, &engine);
    int64_t stride[MAX_TORCH_RANK];
    int32_t dtype = 0;
    torch.get_dtype(handle, &dtype);
    const bool is_bool = dtype == torch.dtype_bool();
    dropwise_mask mask;
    if (o.fault == NULL)
        dense_strides(out.rank, out.size, out.stride, stride);
    if (o.fault == NULL &&
        !((out.dtype != 0 || is_bool) && are_same_strides(out.rank, out.size, out.stride, stride)))
        complain(&o, "the tensor must be dense, and bool or of a floating-point dtype");
    if (o.fault == NULL && check_status(&o, dropwise_mask_init(&mask, p, 0, 0))) {
        const uint64_t n = numel(&out), bytes = is_bool ? 1 : element_bytes(out.dtype, OF_TENSOR);
        mask.scaling = DROPWISE_SCALING_STANDARD;
        for (uint64_t done = 0; done < n && o.fault == NULL; done += CHUNK) {
            uint8_t bits[CHUNK / 8];
            const uint64_t length = n - done < CHUNK ? n - done : CHUNK;
            const dropwise_stored from = {
                .struct_size = sizeof from, .form = DROPWISE_FORM_BITS, .data = bits, .size = sizeof bits};
            const dropwise_stored to = {.struct_size = sizeof to,
                                        .form = is_bool ? DROPWISE_FORM_BYTES : DROPWISE_FORM_SCALED,
                                        .data = out.data + done * bytes,
                                        .size = length * bytes};
            if (check_status(&o, dropwise_torch_cpu_bits(&engine, p, (size_t)length, bits)))
                check_status(&o, dropwise_convert_stored(&mask, is_bool ? DROPWISE_F32 : out.dtype, 1, length,
                                                         &from, &to));
        }
        if (o.fault == NULL)
            check_status(&o, dropwise_mt19937_to_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES));
    }
    finish(&o, stack, 0, NULL);
}

/* ---- Small calls: from Python objects, past PyTorch's dispatcher ---- */

enum { RELEASE_GIL_FROM = 1 << 14 };

/* NULL: this PyTorch has none. */
static const dlpack_exchange *exchange;

/* Where seeds are drawn, while the GIL lets one thread in at a time; else NULL. */
static torch_tensor *kept_seed;

PyObject *torch_set_exchange(PyObject *module, PyObject *capsule)
{
    (void)module;
    const dlpack_exchange *found = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    if (found == NULL)
        return NULL;
    exchange = found->major == DLPACK_MAJOR ? found : NULL;
#ifndef Py_GIL_DISABLED
    static const int64_t one = 1;
    if (kept_seed == NULL)
        torch.empty_strided(1, &one, &one, torch.dtype_i64(), torch.device_cpu(), 0, &kept_seed);
#endif
    return PyBool_FromLong(exchange != NULL);
}

static dropwise_dtype dtype_of_dlpack(const dlpack_tensor *t)
{
    if (t->dtype_lanes != 1 || t->device_type != DLPACK_CPU)
        return 0;
    switch (t->dtype_code << 8 | t->dtype_bits) {
    case DLPACK_FLOAT << 8 | 32:
        return DROPWISE_F32;
    case DLPACK_FLOAT << 8 | 64:
        return DROPWISE_F64;
    case DLPACK_FLOAT << 8 | 16:
        return DROPWISE_F16;
    case DLPACK_BFLOAT << 8 | 16:
        return DROPWISE_BF16;
    default:
        return 0;
    }
}

/* The view of both tensors; false if it is none that this is for. */
static bool look_at_both(PyObject *const *objects, call *c)
{
    dlpack_tensor x, y;
    if (exchange == NULL || exchange->look_at(objects[0], &x) != 0 || exchange->look_at(objects[1], &y) != 0)
        return false;
    c->dtype = dtype_of_dlpack(&x);
    if (c->dtype == 0 || dtype_of_dlpack(&y) != c->dtype || x.rank != y.rank || x.rank > MAX_TORCH_RANK ||
        (x.rank > 0 && memcmp(x.size, y.size, (size_t)x.rank * sizeof *x.size) != 0))
        return false;
    c->at[0] = (char *)x.data + x.byte_offset;
    c->at[1] = (char *)y.data + y.byte_offset;
    const layout l = {.rank = x.rank, .size = x.size, .x = x.stride, .y = y.stride};
    return make_view(&l, &c->view) == NULL && count_elements(&c->view) > 0;
}

/* The number that seed_v1 would draw. */
static bool draw_number(long long *number)
{
    static const int64_t one = 1;
    torch_tensor *to = kept_seed;
    const void *data;
    if (to == NULL && torch.empty_strided(1, &one, &one, torch.dtype_i64(), torch.device_cpu(), 0, &to) != 0)
        return false;
    int64_t drawn = 0;
    const bool is_drawn =
        torch.randint_into(to, INT64_MIN, INT64_MAX, &one, 1) == 0 && torch.get_const_data(to, &data) == 0;
    if (is_drawn)
        memcpy(&drawn, data, sizeof drawn);
    if (to != kept_seed)
        torch.delete_tensor(to);
    *number = drawn;
    return is_drawn;
}

/* torch_fill(x, y, seed, stream, p): a seed of None is drawn. The seed; None if the operators have to do it. */
PyObject *torch_fill(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    enum { X, Y, SEED, STREAM, PROBABILITY, ARGUMENTS };
    static const operation *op;
    if (op == NULL)
        op = find_operation("forward");
    call c = {.operation = op, .is_dense = true};
    if (n_args != ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "torch_fill: wrong number of arguments");
    if (!look_at_both(args, &c)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    const double p = PyFloat_AsDouble(args[PROBABILITY]);
    const long long stream = PyLong_AsLongLong(args[STREAM]);
    long long seed = 0;
    if (args[SEED] != Py_None) {
        seed = PyLong_AsLongLong(args[SEED]);
    } else {
        if (!draw_number(&seed))
            return PyErr_Format(PyExc_RuntimeError, "dropwise.torch: no seed could be drawn");
    }
    if (PyErr_Occurred())
        return NULL;
    dropwise_status status = dropwise_mask_init(&c.mask, p, (uint64_t)seed, (uint64_t)stream);
    if (status == DROPWISE_OK && count_elements(&c.view) >= RELEASE_GIL_FROM) {
        PyThreadState *state = PyEval_SaveThread();
        status = run_on_threads(&c);
        PyEval_RestoreThread(state);
    } else if (status == DROPWISE_OK) {
        status = c.operation->run(&c);
    }
    return status == DROPWISE_OK ? PyLong_FromLongLong(seed) : raise_status(status, c.operation);
}

/* torch_fill_own(x, y, bits, state, p): dropout by PyTorch's masks; bits may be None. False: not for this. */
PyObject *torch_fill_own(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    enum { X, Y, BITS, STATE, PROBABILITY, ARGUMENTS };
    call c = {.operation = NULL};
    dlpack_tensor bits = {.data = NULL}, state;
    if (n_args != ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "torch_fill_own: wrong number of arguments");
    const double p = PyFloat_AsDouble(args[PROBABILITY]);
    if (PyErr_Occurred())
        return NULL;
    if (!look_at_both(args, &c) || exchange->look_at(args[STATE], &state) != 0 ||
        (args[BITS] != Py_None && exchange->look_at(args[BITS], &bits) != 0)) {
        PyErr_Clear();
        Py_RETURN_FALSE;
    }
    /* Elements are drawn in the order of memory. */
    const dropwise_view *v = &c.view;
    int64_t dense[DROPWISE_MAX_RANK], size[DROPWISE_MAX_RANK];
    for (uint32_t d = 0; d < v->rank; d++)
        size[d] = (int64_t)v->size[d];
    dense_strides((int)v->rank, size, v->y_stride, dense);
    const uint64_t n = count_elements(v);
    if (!are_same_strides((int)v->rank, size, v->x_stride, v->y_stride) ||
        !are_same_strides((int)v->rank, size, dense, v->y_stride) || state.rank != 1 ||
        state.size[0] != DROPWISE_TORCH_STATE_BYTES ||
        (bits.data != NULL && (bits.rank != 1 || (uint64_t)bits.size[0] != (n + 7) / 8)))
        Py_RETURN_FALSE;
    dropwise_mt19937 engine;
    dropwise_status status = dropwise_mt19937_from_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES);
    PyThreadState *thread = n >= RELEASE_GIL_FROM ? PyEval_SaveThread() : NULL;
    if (status == DROPWISE_OK)
        status = dropwise_torch_cpu_forward(&engine, c.dtype, p, (size_t)n, c.at[0], c.at[1], bits.data);
    if (thread != NULL)
        PyEval_RestoreThread(thread);
    if (status == DROPWISE_OK)
        status = dropwise_mt19937_to_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES);
    if (status != DROPWISE_OK)
        return raise_status(status, NULL);
    Py_RETURN_TRUE;
}

/* ---- Registration ---- */

PyObject *torch_functions_wanted(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    _Static_assert(sizeof torch_function_names / sizeof torch_function_names[0] == TORCH_FUNCTIONS,
                   "a name for each function");
    PyObject *names = PyList_New(0);
    for (int i = 0; names != NULL && i < TORCH_FUNCTIONS; i++) {
        PyObject *name = PyUnicode_FromString(torch_function_names[i]);
        if (name == NULL || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static bool implement(const char *key, const char *name, torch_kernel *kernel)
{
    torch_library *library;
    /* The library is never deleted, as that would take the kernel away. */
    return torch.begin_library("dropwise", key, __FILE__, __LINE__, &library) == 0 &&
           torch.implement(library, name, kernel, TORCH_SHIM_VERSION) == 0;
}

PyObject *torch_register(PyObject *module, PyObject *addresses)
{
    (void)module;
    uint64_t of[TORCH_FUNCTIONS];
    if (!read_struct(addresses, "addresses", of, sizeof of))
        return NULL;
    static const struct {
        const char *key, *name;
        torch_kernel *kernel;
    } others[] = {
        {"CompositeExplicitAutograd", "seed_v1", seed},
        {"CPU", "connect_v1", connect},
        {"CPU", "connect_backward_v1", connect_backward},
        {"CPU", "attention_v1", attention},
        {"CPU", "attention_backward_v1", attention_backward},
        {"CPU", "torch_dropout_v1", torch_dropout},
        {"CPU", "torch_apply_v1", torch_apply},
        {"CPU", "torch_bernoulli_v1", torch_bernoulli},
    };
    _Static_assert(sizeof of == sizeof torch, "functions are numbers");
    memcpy(&torch, of, sizeof torch);
    bool is_done = true;
    for (int i = 0; i < VIEW_OPERATORS && is_done; i++)
        is_done = implement("CPU", view_operators[i].name, view_kernels[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0] && is_done; i++)
        is_done = implement(others[i].key, others[i].name, others[i].kernel);
    if (!is_done) {
        PyErr_SetString(PyExc_ImportError, "PyTorch did not take the operators");
        return NULL;
    }
    Py_RETURN_NONE;
}
