/* y = x + dropout(branch(x)), which adds and drops in one pass. */
#include "layers.h"

typedef struct residual {
    layer base;
    sequence branch;
    double p;
    bool whole;      /* one decision a sample: stochastic depth */
    const real *out; /* of the branch                           */
    real *dout;
} residual;

static dropwise_view residual_view(const residual *l, size_t n)
{
    return dense_view(n, l->base.in, 0, 0, l->whole ? 1u << 1 : 0);
}

static void residual_forward(layer *base, const context *pass, size_t n, const real *x)
{
    residual *l = (residual *)base;
    l->out = sequence_forward(&l->branch, pass, n, x);
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = residual_view(l, n);
    must_be_ok(dropwise_residual_forward(&mask, REAL, &view, l->out, NULL, x, base->y, NULL));
}

static void residual_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    residual *l = (residual *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = residual_view(l, n);
    must_be_ok(dropwise_residual_backward(&mask, REAL, &view, dy, l->dout, NULL, NULL));
    const real *through_branch = sequence_backward(&l->branch, pass, n, x, l->dout);
    for (size_t i = 0; i < n * base->in; i++)
        base->dx[i] = dy[i] + through_branch[i];
}

layer *residual_layer(network *net, size_t size, double p, bool whole, sequence **branch)
{
    residual *l = layer_new(net, sizeof *l, size, size);
    l->base.forward = residual_forward;
    l->base.backward = residual_backward;
    l->base.learns = true; /* its branch does */
    l->p = p;
    l->whole = whole;
    l->dout = network_allocate(net, MAX_BATCH * size, sizeof(real));
    *branch = &l->branch;
    return &l->base;
}
