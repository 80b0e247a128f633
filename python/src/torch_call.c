#include "torch_call.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

torch_functions torch;

/* ---- Arguments ---- */

bool complain(operator_call *o, const char *fault)
{
    if (o->fault == NULL)
        o->fault = fault;
    return false;
}

bool check_status(operator_call *o, dropwise_status status)
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

int32_t torch_dtype_of(dropwise_dtype dtype)
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

tensor look_at(operator_call *o, torch_tensor *handle, bool is_written)
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

tensor take_tensor(operator_call *o, bool is_written)
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

tensor take_optional_tensor(operator_call *o)
{
    torch_value value;
    if (!take_optional(o, &value))
        return (tensor){.handle = NULL};
    return look_at(o, own(o, (torch_tensor *)(uintptr_t)value), false);
}

int64_t take_integer(operator_call *o)
{
    return (int64_t)*o->stack++;
}

double take_number(operator_call *o)
{
    double number;
    memcpy(&number, o->stack++, sizeof number);
    return number;
}

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

int take_list(operator_call *o, int most, int64_t *numbers)
{
    return read_list(o, (torch_list *)(uintptr_t)*o->stack++, most, numbers);
}

uint64_t numel(const tensor *t)
{
    uint64_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= (uint64_t)t->size[d];
    return n;
}

void take_mask(operator_call *o, bool is_short, mask_arguments *m)
{
    m->seed = take_tensor(o, false);
    int32_t dtype = 0;
    if (torch.get_dtype(m->seed.handle, &dtype) != 0 || dtype != torch.dtype_i64() || m->seed.rank < 1 ||
        m->seed.size[m->seed.rank - 1] != 1)
        complain(o, "the seed must be int64, and its last dimension 1");
    m->stream = take_integer(o);
    m->p = take_number(o);
    m->share = is_short ? 0 : take_integer(o);
    m->n_part = 0;
    torch_value list;
    if (!is_short && take_optional(o, &list))
        m->n_part = read_list(o, (torch_list *)(uintptr_t)list, sizeof m->part / sizeof m->part[0], m->part);
}

/* ---- Results ---- */

torch_tensor *make_tensor(operator_call *o, int rank, const int64_t *size, const int64_t *stride,
                          int32_t dtype)
{
    torch_tensor *made = NULL;
    if (torch.empty_strided(rank, size, stride, dtype, torch.device_cpu(), 0, &made) != 0) {
        complain(o, "a tensor could not be made");
        return NULL;
    }
    return own(o, made);
}

bool copy_as(operator_call *o, tensor *t, const int64_t *stride)
{
    torch_tensor *copy = make_tensor(o, t->rank, t->size, stride, torch_dtype_of(t->dtype));
    if (copy == NULL)
        return false;
    if (torch.copy(copy, t->handle, 0) != 0)
        return complain(o, "a tensor could not be copied");
    *t = look_at(o, copy, false);
    return true;
}

torch_tensor *draw_seed(operator_call *o)
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

void finish(operator_call *o, torch_value *stack, int n_results, torch_tensor *const *results)
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

/* Below so many elements for each, another thread of PyTorch's costs more than it saves. */
enum { PART_AT_LEAST = 1 << 15 };

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

const char *const threads_failed = "PyTorch's threads did not run";

bool run_on_threads(const call *c, dropwise_status *status)
{
    uint32_t threads = 1;
    cuts by;
    if (count_elements(&c->view) < 2 * PART_AT_LEAST || torch.get_threads(&threads) != 0 ||
        !find_cuts(c, PART_AT_LEAST, threads, &by)) {
        *status = c->operation->run(c);
        return true;
    }
    work w = {.whole = c, .by = &by};
    atomic_init(&w.status, DROPWISE_OK);
    const bool is_run = torch.parallel_for(0, (int64_t)by.parts, 1, run_parts, &w) == 0;
    *status = atomic_load(&w.status);
    return is_run;
}
