/* Operators of PyTorch that draw: a seed, and PyTorch's own masks, by the state of a generator. */
#include "torch_call.h"

static void seed(torch_value *stack, uint64_t n_arguments, uint64_t n_results)
{
    (void)n_arguments;
    (void)n_results;
    operator_call o = {.name = "seed_v1", .stack = stack};
    torch_tensor *result = draw_seed(&o);
    finish(&o, stack, 1, &result);
}

/* Whether these are so many bytes, one after the other. */
static bool is_bytes(const tensor *t, uint64_t n)
{
    int32_t dtype = 0;
    return t->rank == 1 && (uint64_t)t->size[0] == n && (n <= 1 || t->stride[0] == 1) &&
           torch.get_dtype(t->handle, &dtype) == 0 && dtype == torch.dtype_u8();
}

/* The generator's state, which is what torch.Generator.get_state returns. */
static tensor take_state(operator_call *o, dropwise_mt19937 *engine)
{
    const tensor state = take_tensor(o, true);
    if (!is_bytes(&state, DROPWISE_TORCH_STATE_BYTES))
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
    const int n = take_list(&o, MAX_TORCH_RANK, stride);
    torch_tensor *result = NULL;
    if (o.fault == NULL && n == dy.rank)
        dense_strides(n, dy.size, stride, wanted);
    if (o.fault == NULL && ((n == dy.rank && dy.dtype != 0 && are_same_strides(n, dy.size, stride, wanted) &&
                             is_bytes(&bits, (numel(&dy) + 7) / 8)) ||
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
    const tensor out = take_tensor(&o, true);
    const double p = take_number(&o);
    dropwise_mt19937 engine;
    const tensor state = take_state(&o, &engine);
    int64_t stride[MAX_TORCH_RANK];
    int32_t dtype = 0;
    torch.get_dtype(out.handle, &dtype);
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

const torch_operator torch_masks[] = {
    {"seed_v1", "CompositeExplicitAutograd", seed},
    {"torch_dropout_v1", "CPU", torch_dropout},
    {"torch_apply_v1", "CPU", torch_apply},
    {"torch_bernoulli_v1", "CPU", torch_bernoulli},
    {NULL, NULL, NULL},
};
