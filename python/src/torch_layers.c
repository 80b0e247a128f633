/* Operators of PyTorch that multiply: attention, and products with dropped weights. */
#include "torch_call.h"

#include <dropwise_attention.h>

#include <stdatomic.h>
#include <stdlib.h>

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
    mask_arguments m;
    take_mask(o, false, &m);
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

/* A part of a whole one, whose batches, heads, queries and keys begin elsewhere. */
static void place_attention(attention_call *c, const mask_arguments *m)
{
    if (m->n_part != 8) {
        complain(&c->o, "the part has another number of dimensions");
        return;
    }
    const int64_t *begin = m->part, *whole = m->part + 4;
    c->a.mask_stride[2] = (uint64_t)whole[3];
    c->a.mask_stride[1] = (uint64_t)whole[2] * c->a.mask_stride[2];
    c->a.mask_stride[0] = (uint64_t)whole[1] * c->a.mask_stride[1];
    c->a.first = (uint64_t)begin[3];
    for (int d = 0; d < 3; d++)
        c->a.first += (uint64_t)begin[d] * c->a.mask_stride[d];
    c->a.causal_offset = begin[2] - begin[3];
}

static void take_attention(attention_call *c)
{
    mask_arguments m;
    c->q = take_tensor(&c->o, false);
    c->k = take_tensor(&c->o, false);
    c->v = take_tensor(&c->o, false);
    c->add = take_optional_tensor(&c->o);
    c->allow = take_optional_tensor(&c->o);
    take_mask(&c->o, false, &m);
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
    if (m.n_part != 0)
        place_attention(c, &m);
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
    if (torch.parallel_for(0, parts, 1, run_attention_parts, c) != 0)
        complain(&c->o, threads_failed);
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

const torch_operator torch_layers[] = {
    {"connect_v1", "CPU", connect},
    {"connect_backward_v1", "CPU", connect_backward},
    {"attention_v1", "CPU", attention},
    {"attention_backward_v1", "CPU", attention_backward},
    {NULL, NULL, NULL},
};
