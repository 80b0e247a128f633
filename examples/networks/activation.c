/* Activations: ReLU and GELU with dropout in the same pass, and SELU. */
#include <tgmath.h>

#include "layers.h"

/* ---- y = dropout(activation(x)) ---- */

typedef struct activation {
    layer base;
    dropwise_activation function;
    double p;
} activation;

static void activation_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const activation *l = (const activation *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = dense_view(n, base->in, 0, 0, 0);
    must_be_ok(dropwise_activation_forward(&mask, REAL, &view, l->function, x, NULL, base->y, NULL));
}

static void activation_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    const activation *l = (const activation *)base;
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = dense_view(n, base->in, 0, 0, 0);
    must_be_ok(
        dropwise_activation_backward(&mask, REAL, &view, l->function, dy, x, NULL, base->dx, NULL, NULL));
}

layer *activation_layer(network *net, size_t size, dropwise_activation function, double p)
{
    activation *l = layer_new(net, sizeof *l, size, size);
    l->base.forward = activation_forward;
    l->base.backward = activation_backward;
    l->function = function;
    l->p = p;
    return &l->base;
}

/* ---- SELU: G. Klambauer et al., "Self-normalizing neural networks", NIPS 2017 ---- */

static const real selu_alpha = (real)1.6732632423543772, selu_lambda = (real)1.0507009873554805;

static void selu_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    for (size_t i = 0; i < n * base->in; i++)
        base->y[i] = selu_lambda * (x[i] > 0 ? x[i] : selu_alpha * expm1(x[i]));
}

static void selu_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    for (size_t i = 0; i < n * base->in; i++)
        base->dx[i] = dy[i] * selu_lambda * (x[i] > 0 ? 1 : selu_alpha * exp(x[i]));
}

layer *selu_layer(network *net, size_t size)
{
    layer *l = layer_new(net, sizeof *l, size, size);
    l->forward = selu_forward;
    l->backward = selu_backward;
    return l;
}
