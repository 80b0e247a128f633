/* Attention and layer normalisation. A sample is rows, which are tokens, x columns. */
#include <math.h>
#include <tgmath.h>

#include "layers.h"

/*
 * ---- Attention ----
 *
 * A. Vaswani et al., "Attention is all you need", NIPS 2017. Queries, keys and values of all heads stand
 * beside each other in a row of `qkv`: for each token 3 x heads x size numbers. Dropout is applied to the
 * probabilities, as all frameworks do.
 */
typedef struct attention {
    layer base;
    size_t rows, columns, heads, size; /* size: columns of a head */
    double p;
    parameter *w_qkv, *b_qkv, *w_out, *b_out;
    real *qkv, *dqkv;       /* samples x rows, 3 x columns      */
    real *scores, *dscores; /* samples x heads, rows x rows     */
    real *probabilities, *dropped;
    real *mixed, *dmixed; /* samples x rows, columns          */
} attention;

static dropwise_softmax scaled_softmax(const attention *l)
{
    dropwise_softmax softmax;
    must_be_ok(dropwise_softmax_init(&softmax, 1 / sqrt((double)l->size)));
    return softmax;
}

/* Where the number `i` of a head's query, key or value (part 0, 1 or 2) of a token lies in qkv. */
static size_t place(const attention *l, size_t sample, size_t token, size_t part, size_t head, size_t i)
{
    return ((sample * l->rows + token) * 3 + part) * l->columns + head * l->size + i;
}

static void attention_forward(layer *base, const context *pass, size_t n, const real *x)
{
    const attention *l = (const attention *)base;
    const size_t rows = l->rows, size = l->size;
    multiply(n * rows, l->columns, 3 * l->columns, x, l->w_qkv->value, l->b_qkv->value, l->qkv);

    real *score = l->scores;
    for (size_t s = 0; s < n; s++)
        for (size_t h = 0; h < l->heads; h++)
            for (size_t q = 0; q < rows; q++)
                for (size_t k = 0; k < rows; k++, score++) {
                    *score = 0;
                    for (size_t i = 0; i < size; i++)
                        *score += l->qkv[place(l, s, q, 0, h, i)] * l->qkv[place(l, s, k, 1, h, i)];
                }

    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = dense_view(n, l->heads, rows, rows, 0);
    const dropwise_softmax softmax = scaled_softmax(l);
    must_be_ok(dropwise_softmax_forward(&mask, REAL, &view, &softmax, l->scores, l->probabilities, l->dropped,
                                        NULL));

    const real *weight = l->dropped;
    for (size_t i = 0; i < n * rows * l->columns; i++)
        l->mixed[i] = 0;
    for (size_t s = 0; s < n; s++)
        for (size_t h = 0; h < l->heads; h++)
            for (size_t q = 0; q < rows; q++) {
                real *mixed = l->mixed + (s * rows + q) * l->columns + h * size;
                for (size_t k = 0; k < rows; k++, weight++)
                    for (size_t i = 0; i < size; i++)
                        mixed[i] += *weight * l->qkv[place(l, s, k, 2, h, i)];
            }
    multiply(n * rows, l->columns, l->columns, l->mixed, l->w_out->value, l->b_out->value, base->y);
}

static void attention_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    const attention *l = (const attention *)base;
    const size_t rows = l->rows, size = l->size;
    multiply_transposed_a(n * rows, l->columns, l->columns, l->mixed, dy, l->w_out->gradient);
    sum_rows(n * rows, l->columns, dy, l->b_out->gradient);
    multiply_transposed_b(n * rows, l->columns, l->columns, dy, l->w_out->value, l->dmixed);

    /* To the values, and to the dropped probabilities. */
    const real *weight = l->dropped;
    real *dscore = l->dscores;
    for (size_t i = 0; i < n * rows * 3 * l->columns; i++)
        l->dqkv[i] = 0;
    for (size_t s = 0; s < n; s++)
        for (size_t h = 0; h < l->heads; h++)
            for (size_t q = 0; q < rows; q++) {
                const real *dmixed = l->dmixed + (s * rows + q) * l->columns + h * size;
                for (size_t k = 0; k < rows; k++, weight++, dscore++) {
                    *dscore = 0;
                    for (size_t i = 0; i < size; i++) {
                        const size_t value = place(l, s, k, 2, h, i);
                        l->dqkv[value] += *weight * dmixed[i];
                        *dscore += dmixed[i] * l->qkv[value];
                    }
                }
            }

    /* Through dropout, softmax and scale, in place. */
    const dropwise_mask mask = layer_mask(base, pass, l->p, 0);
    const dropwise_view view = dense_view(n, l->heads, rows, rows, 0);
    const dropwise_softmax softmax = scaled_softmax(l);
    must_be_ok(dropwise_softmax_backward(&mask, REAL, &view, &softmax, l->dscores, l->probabilities,
                                         l->dscores, NULL));

    /* To queries and keys. */
    dscore = l->dscores;
    for (size_t s = 0; s < n; s++)
        for (size_t h = 0; h < l->heads; h++)
            for (size_t q = 0; q < rows; q++)
                for (size_t k = 0; k < rows; k++, dscore++)
                    for (size_t i = 0; i < size; i++) {
                        const size_t query = place(l, s, q, 0, h, i), key = place(l, s, k, 1, h, i);
                        l->dqkv[query] += *dscore * l->qkv[key];
                        l->dqkv[key] += *dscore * l->qkv[query];
                    }
    multiply_transposed_a(n * rows, l->columns, 3 * l->columns, x, l->dqkv, l->w_qkv->gradient);
    sum_rows(n * rows, 3 * l->columns, l->dqkv, l->b_qkv->gradient);
    multiply_transposed_b(n * rows, 3 * l->columns, l->columns, l->dqkv, l->w_qkv->value, base->dx);
}

layer *attention_layer(network *net, size_t rows, size_t columns, size_t heads, double p)
{
    attention *l = layer_new(net, sizeof *l, rows * columns, rows * columns);
    const size_t tokens = MAX_BATCH * rows, pairs = MAX_BATCH * heads * rows * rows;
    l->base.forward = attention_forward;
    l->base.backward = attention_backward;
    l->rows = rows;
    l->columns = columns;
    l->heads = heads;
    l->size = columns / heads;
    l->p = p;
    l->w_qkv = parameter_new(net, columns * 3 * columns, sqrt(1 / (double)columns), true);
    l->b_qkv = parameter_new(net, 3 * columns, 0, false);
    l->w_out = parameter_new(net, columns * columns, sqrt(1 / (double)columns), true);
    l->b_out = parameter_new(net, columns, 0, false);
    l->qkv = network_allocate(net, tokens * 3 * columns, sizeof(real));
    l->dqkv = network_allocate(net, tokens * 3 * columns, sizeof(real));
    l->scores = network_allocate(net, pairs, sizeof(real));
    l->dscores = network_allocate(net, pairs, sizeof(real));
    l->probabilities = network_allocate(net, pairs, sizeof(real));
    l->dropped = network_allocate(net, pairs, sizeof(real));
    l->mixed = network_allocate(net, tokens * columns, sizeof(real));
    l->dmixed = network_allocate(net, tokens * columns, sizeof(real));
    return &l->base;
}

/* ---- Layer normalisation: J. L. Ba, J. R. Kiros, G. E. Hinton, arXiv 1607.06450, 2016 ---- */

typedef struct normalise {
    layer base;
    size_t rows, columns;
    parameter *gain, *bias;
    real *normal;    /* (x - mean) / deviation */
    real *deviation; /* of each row            */
} normalise;

static void normalise_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const normalise *l = (const normalise *)base;
    const size_t columns = l->columns;
    for (size_t r = 0; r < n * l->rows; r++) {
        const real *row = x + r * columns;
        real *normal = l->normal + r * columns, *y = base->y + r * columns;
        real mean = 0, variance = 0;
        for (size_t j = 0; j < columns; j++)
            mean += row[j] / (real)columns;
        for (size_t j = 0; j < columns; j++)
            variance += (row[j] - mean) * (row[j] - mean) / (real)columns;
        l->deviation[r] = sqrt(variance + (real)1e-5);
        for (size_t j = 0; j < columns; j++) {
            normal[j] = (row[j] - mean) / l->deviation[r];
            y[j] = normal[j] * l->gain->value[j] + l->bias->value[j];
        }
    }
}

/* With g = dy gain: dx = (g - mean of g - normal * mean of (g normal)) / deviation. */
static void normalise_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    const normalise *l = (const normalise *)base;
    const size_t columns = l->columns;
    sum_rows(n * l->rows, columns, dy, l->bias->gradient);
    for (size_t j = 0; j < columns; j++)
        l->gain->gradient[j] = 0;
    for (size_t r = 0; r < n * l->rows; r++) {
        const real *normal = l->normal + r * columns, *row = dy + r * columns;
        real *dx = base->dx + r * columns;
        real mean = 0, along = 0;
        for (size_t j = 0; j < columns; j++) {
            const real g = row[j] * l->gain->value[j];
            l->gain->gradient[j] += row[j] * normal[j];
            mean += g / (real)columns;
            along += g * normal[j] / (real)columns;
        }
        for (size_t j = 0; j < columns; j++)
            dx[j] = (row[j] * l->gain->value[j] - mean - normal[j] * along) / l->deviation[r];
    }
}

layer *normalise_layer(network *net, size_t rows, size_t columns)
{
    normalise *l = layer_new(net, sizeof *l, rows * columns, rows * columns);
    l->base.forward = normalise_forward;
    l->base.backward = normalise_backward;
    l->rows = rows;
    l->columns = columns;
    l->gain = parameter_new(net, columns, 0, false);
    l->bias = parameter_new(net, columns, 0, false);
    for (size_t j = 0; j < columns; j++)
        l->gain->value[j] = 1;
    l->normal = network_allocate(net, MAX_BATCH * rows * columns, sizeof(real));
    l->deviation = network_allocate(net, MAX_BATCH * rows, sizeof(real));
    return &l->base;
}
