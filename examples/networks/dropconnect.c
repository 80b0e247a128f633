/*
 * y = ReLU((m * W) x + b) with a mask of its own on the weights for each sample: DropConnect (L. Wan et al.,
 * ICML 2013). The masks are as many as weights times samples; the library draws them while it multiplies.
 */
#include <dropwise_dropconnect.h>
#include <math.h>
#include <string.h>

#include "layers.h"

enum { DRAWS = 20 }; /* at inference */

typedef struct dropconnect {
    layer base;
    double p;
    parameter *w, *b;      /* out x in, out                           */
    real *sum, *dsum;      /* before ReLU                             */
    real *mean, *variance; /* of the sum over all masks, at inference */
} dropconnect;

static dropwise_dropconnect sizes(const layer *base, size_t n)
{
    dropwise_dropconnect sizes;
    must_be_ok(dropwise_dropconnect_init(&sizes, n, base->out, base->in));
    return sizes;
}

/*
 * As the paper infers: over all masks a sum is about normal. Its mean and variance are worked out, some such
 * sums are drawn, and what ReLU makes of them is averaged.
 */
static void infer(const dropconnect *l, const context *pass, size_t n, const real *x)
{
    const layer *base = &l->base;
    const dropwise_dropconnect size = sizes(base, n);
    const size_t m = n * base->out;
    dropwise_mask mask;
    must_be_ok(dropwise_mask_init(&mask, l->p, pass->seed, base->index << 16));
    must_be_ok(
        dropwise_dropconnect_moments(&mask, REAL, &size, l->w->value, x, l->b->value, l->mean, l->variance));
    memset(base->y, 0, m * sizeof *base->y);
    for (size_t k = 0; k < DRAWS; k++) {
        must_be_ok(dropwise_dropconnect_sample(&mask, REAL, k * m, m, l->mean, l->variance, l->sum));
        for (size_t i = 0; i < m; i++)
            base->y[i] += (l->sum[i] > 0 ? l->sum[i] : 0) / DRAWS;
    }
}

static void dropconnect_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const dropconnect *l = (const dropconnect *)base;
    if (pass->kind != TRAINING) {
        infer(l, pass, n, x);
        return;
    }
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_dropconnect size = sizes(base, n);
    must_be_ok(dropwise_dropconnect_forward(&mask, REAL, &size, l->w->value, x, l->b->value, l->sum));
    for (size_t i = 0; i < n * base->out; i++)
        base->y[i] = l->sum[i] > 0 ? l->sum[i] : 0;
}

static void dropconnect_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    const dropconnect *l = (const dropconnect *)base;
    for (size_t i = 0; i < n * base->out; i++)
        l->dsum[i] = l->sum[i] > 0 ? dy[i] : 0;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_dropconnect size = sizes(base, n);
    /* The gradients of the weights and biases are added to what is there. */
    memset(l->w->gradient, 0, l->w->n * sizeof(real));
    memset(l->b->gradient, 0, l->b->n * sizeof(real));
    must_be_ok(dropwise_dropconnect_backward(&mask, REAL, &size, l->w->value, x, l->dsum, base->dx,
                                             l->w->gradient, l->b->gradient));
}

layer *dropconnect_layer(network *net, size_t in, size_t out, double p)
{
    dropconnect *l = layer_new(net, sizeof *l, in, out);
    l->base.forward = dropconnect_forward;
    l->base.backward = dropconnect_backward;
    l->p = p;
    l->w = parameter_new(net, in * out, sqrt(2 / (double)in), true);
    l->b = parameter_new(net, out, 0, false);
    real **const buffers[] = {&l->sum, &l->dsum, &l->mean, &l->variance};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        *buffers[i] = network_allocate(net, MAX_BATCH * out, sizeof(real));
    return &l->base;
}
