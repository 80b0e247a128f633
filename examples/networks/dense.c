/* The layer that most of a network's work is done in, and layers that do less. */
#include <math.h>
#include <string.h>

#include "layers.h"

/* ---- y = x W + b ---- */

typedef struct dense {
    layer base;
    size_t rows, in, out;
    parameter *w, *b; /* in x out, out */
} dense;

static void dense_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const dense *l = (const dense *)base;
    multiply(n * l->rows, l->in, l->out, x, l->w->value, l->b->value, base->y);
}

static void dense_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    const dense *l = (const dense *)base;
    const size_t rows = n * l->rows;
    multiply_transposed_a(rows, l->in, l->out, x, dy, l->w->gradient);
    sum_rows(rows, l->out, dy, l->b->gradient);
    if (!base->dx_unused)
        multiply_transposed_b(rows, l->out, l->in, dy, l->w->value, base->dx);
}

layer *dense_layer(network *net, size_t rows, size_t in, size_t out, double gain)
{
    dense *l = layer_new(net, sizeof *l, rows * in, rows * out);
    l->base.forward = dense_forward;
    l->base.backward = dense_backward;
    l->rows = rows;
    l->in = in;
    l->out = out;
    l->w = l->base.weights = parameter_new(net, in * out, sqrt(gain / (double)in), true);
    l->b = parameter_new(net, out, 0, false);
    return &l->base;
}

/* ---- y = (x - mean) / deviation ---- */

typedef struct standardise {
    layer base;
    real mean, deviation;
} standardise;

static void standardise_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const standardise *l = (const standardise *)base;
    for (size_t i = 0; i < n * base->in; i++)
        base->y[i] = (x[i] - l->mean) / l->deviation;
}

static void standardise_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    const standardise *l = (const standardise *)base;
    for (size_t i = 0; i < n * base->in; i++)
        base->dx[i] = dy[i] / l->deviation;
}

layer *standardise_layer(network *net, size_t size, double mean, double deviation)
{
    standardise *l = layer_new(net, sizeof *l, size, size);
    l->base.forward = standardise_forward;
    l->base.backward = standardise_backward;
    l->mean = (real)mean;
    l->deviation = (real)deviation;
    return &l->base;
}

/* ---- y = x + position ---- */

typedef struct position {
    layer base;
    parameter *position;
} position;

static void position_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const real *place = ((const position *)base)->position->value;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < base->in; j++)
            base->y[i * base->in + j] = x[i * base->in + j] + place[j];
}

static void position_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    sum_rows(n, base->in, dy, ((const position *)base)->position->gradient);
    memcpy(base->dx, dy, n * base->in * sizeof *dy);
}

layer *position_layer(network *net, size_t size)
{
    position *l = layer_new(net, sizeof *l, size, size);
    l->base.forward = position_forward;
    l->base.backward = position_backward;
    l->position = parameter_new(net, size, 0.1, false);
    return &l->base;
}

/* ---- The mean of a sample's rows ---- */

typedef struct mean {
    layer base;
    size_t rows, columns;
} mean;

static void mean_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const mean *l = (const mean *)base;
    for (size_t i = 0; i < n; i++) {
        real *y = base->y + i * l->columns;
        sum_rows(l->rows, l->columns, x + i * base->in, y);
        for (size_t j = 0; j < l->columns; j++)
            y[j] /= (real)l->rows;
    }
}

static void mean_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    const mean *l = (const mean *)base;
    for (size_t i = 0; i < n * l->rows; i++)
        for (size_t j = 0; j < l->columns; j++)
            base->dx[i * l->columns + j] = dy[i / l->rows * l->columns + j] / (real)l->rows;
}

layer *mean_layer(network *net, size_t rows, size_t columns)
{
    mean *l = layer_new(net, sizeof *l, rows * columns, columns);
    l->base.forward = mean_forward;
    l->base.backward = mean_backward;
    l->rows = rows;
    l->columns = columns;
    return &l->base;
}
