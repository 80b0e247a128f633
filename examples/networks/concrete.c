/*
 * Concrete dropout: p is learned (Y. Gal, J. Hron, A. Kendall, NIPS 2017). The mask is relaxed, so that the
 * loss has a gradient by p; and the loss gets a term besides, without which p would go to 0: entropy, which
 * wants p = 0.5, the less the more examples there are, and the size of the weights.
 */
#include <dropwise_variants.h>
#include <math.h>
#include <string.h>

#include "layers.h"

typedef struct concrete {
    layer base;
    parameter *logit;   /* of p: a single number, 0 (p = 0.5) to begin with */
    parameter *weights; /* of the layer behind                              */
    double examples;
} concrete;

static dropwise_concrete settings_of(const concrete *l)
{
    dropwise_concrete settings;
    must_be_ok(dropwise_concrete_init(&settings, (double)*l->logit->value, 0.1));
    settings.weight_regularizer = 0.01 / l->examples; /* prior length scale 0.1 */
    settings.dropout_regularizer = 1 / l->examples;
    settings.features = l->base.in;
    return settings;
}

static void concrete_forward(layer *base, const context *pass, size_t n, const real *x)
{
    if (pass->kind != TRAINING) {
        memcpy(base->y, x, n * base->in * sizeof *x);
        return;
    }
    const dropwise_concrete settings = settings_of((const concrete *)base);
    const dropwise_mask mask = layer_mask(base, pass, 0, 0);
    const dropwise_view view = dense_view(n, base->in, 0, 0, 0);
    must_be_ok(dropwise_concrete_forward(&mask, REAL, &view, &settings, x, base->y));
}

static void concrete_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    const concrete *l = (const concrete *)base;
    const dropwise_concrete settings = settings_of(l);
    const dropwise_mask mask = layer_mask(base, pass, 0, 0);
    const dropwise_view view = dense_view(n, base->in, 0, 0, 0);
    double dlogit;
    must_be_ok(dropwise_concrete_backward(&mask, REAL, &view, &settings, dy, x, base->dx, &dlogit));
    *l->logit->gradient = (real)dlogit;
}

static double concrete_penalty(layer *base)
{
    const concrete *l = (const concrete *)base;
    const dropwise_concrete settings = settings_of(l);
    double value, dlogit, decay;
    must_be_ok(dropwise_concrete_regularizer(&settings, REAL, l->weights->n, l->weights->value, &value,
                                             &dlogit, &decay));
    *l->logit->gradient += (real)dlogit;
    for (size_t i = 0; i < l->weights->n; i++)
        l->weights->gradient[i] += (real)decay * l->weights->value[i];
    return value;
}

layer *concrete_layer(network *net, const layer *behind)
{
    concrete *l = layer_new(net, sizeof *l, behind->in, behind->in);
    l->base.forward = concrete_forward;
    l->base.backward = concrete_backward;
    l->base.penalty = concrete_penalty;
    l->logit = parameter_new(net, 1, 0, false);
    l->logit->rate = 10; /* else it hardly moves in the few steps of a small set; the paper's is 1 */
    l->weights = behind->weights;
    l->examples = (double)net->examples;
    return &l->base;
}

size_t concrete_probabilities(const network *net, double *p)
{
    size_t n = 0;
    for (size_t i = 0; i < net->n_made; i++) {
        if (net->made[i]->penalty != concrete_penalty)
            continue;
        const dropwise_concrete settings = settings_of((const concrete *)net->made[i]);
        must_be_ok(dropwise_concrete_probability(&settings, &p[n++]));
    }
    return n;
}
