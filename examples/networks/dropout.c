/*
 * Layers that do nothing but drop. At inference their masks keep everything, and they copy.
 */
#include <dropwise_dropblock.h>
#include <dropwise_variants.h>

#include "layers.h"

typedef struct dropout {
    layer base;
    size_t a, b, c;  /* numbers of a sample                         */
    uint32_t shared; /* the dimensions of (n, a, b, c) that share   */
    double p;
    size_t block; /* side of DropBlock's blocks                 */
    void *bits;   /* room for DropBlock's mask                  */
} dropout;

/* A thinned network is the same for all samples: its masks are shared along their dimension. */
static dropwise_view view_of(const dropout *l, const context *pass, size_t n)
{
    return dense_view(n, l->a, l->b, l->c, l->shared | (pass->kind == THINNED ? 1u << 0 : 0));
}

/* ---- Standard dropout, and spatial: the same with a shared mask ---- */

static void dropout_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_forward_view(&mask, REAL, &view, x, base->y, NULL));
}

static void dropout_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)x;
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_backward_view(&mask, REAL, &view, dy, base->dx, NULL));
}

/* ---- Gaussian dropout ---- */

static void gaussian_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_gaussian_forward(&mask, REAL, &view, x, base->y));
}

static void gaussian_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)x;
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_gaussian_backward(&mask, REAL, &view, dy, base->dx));
}

/* ---- Alpha dropout ---- */

static void alpha_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_alpha_forward(&mask, REAL, &view, x, base->y, NULL));
}

static void alpha_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)x;
    const dropout *l = (const dropout *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = view_of(l, pass, n);
    must_be_ok(dropwise_alpha_backward(&mask, REAL, &view, dy, base->dx, NULL));
}

/* ---- DropBlock: forward and backward are one function, which draws the blocks each time ---- */

static void drop_blocks(const dropout *l, const context *pass, size_t n, const real *from, real *to)
{
    const dropwise_view view = view_of(l, pass, n);
    dropwise_dropblock block;
    double gamma;
    must_be_ok(dropwise_dropblock_init(&block, &view, 1u << 1 | 1u << 2, l->block));
    must_be_ok(dropwise_dropblock_gamma(&block, &view, l->p, &gamma));
    const dropwise_mask mask = layer_mask(&l->base, pass, gamma, 0);
    must_be_ok(dropwise_dropblock_forward(&mask, REAL, &block, &view, from, to, l->bits));
}

static void dropblock_forward(layer *base, const context *pass, size_t n, const real *x)
{
    drop_blocks((const dropout *)base, pass, n, x, base->y);
}

static void dropblock_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)x;
    drop_blocks((const dropout *)base, pass, n, dy, base->dx);
}

/* ---- */

static dropout *make(network *net, size_t a, size_t b, size_t c, uint32_t shared, double p)
{
    dropout *l = layer_new(net, sizeof *l, a * b * c, a * b * c);
    l->base.only_drops = true;
    l->a = a;
    l->b = b;
    l->c = c;
    l->shared = shared;
    l->p = p;
    return l;
}

layer *dropout_layer(network *net, size_t a, size_t b, size_t c, uint32_t shared, double p)
{
    dropout *l = make(net, a, b, c, shared, p);
    l->base.forward = dropout_forward;
    l->base.backward = dropout_backward;
    return &l->base;
}

void dropout_set_rate(network *net, double p)
{
    for (size_t i = 0; i < net->n_made; i++)
        if (net->made[i]->forward == dropout_forward)
            ((dropout *)net->made[i])->p = p;
}

layer *gaussian_dropout_layer(network *net, size_t size, double p)
{
    dropout *l = make(net, size, 1, 1, 0, p);
    l->base.forward = gaussian_forward;
    l->base.backward = gaussian_backward;
    return &l->base;
}

layer *alpha_dropout_layer(network *net, size_t size, double p)
{
    dropout *l = make(net, size, 1, 1, 0, p);
    l->base.forward = alpha_forward;
    l->base.backward = alpha_backward;
    return &l->base;
}

layer *dropblock_layer(network *net, size_t height, size_t width, size_t channels, size_t block, double p)
{
    dropout *l = make(net, height, width, channels, 0, p);
    l->base.forward = dropblock_forward;
    l->base.backward = dropblock_backward;
    l->block = block;
    l->bits = network_allocate(net, (MAX_BATCH * l->base.in + 7) / 8, 1);
    return &l->base;
}
