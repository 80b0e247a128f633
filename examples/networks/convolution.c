/* Images of height x width x channels: convolution as a product of matrices, and pooling. */
#include <math.h>
#include <string.h>

#include "layers.h"

/* ---- 3 x 3 convolution ---- */

enum { SIDE = 3 };

/*
 * Each pixel's neighbourhood, 3 x 3 x channels, becomes a row of a matrix `patches`; the convolution is then
 * patches times weights.
 */
typedef struct convolution {
    layer base;
    size_t height, width, in, out;
    real *patches, *dpatches; /* samples x height x width, SIDE x SIDE x in */
    parameter *w, *b;
} convolution;

/* The pixel that stands at place (i, j) of the patch around pixel number r; NULL beyond the border. */
static const real *pixel_at(const convolution *l, const real *image, size_t r, size_t i, size_t j)
{
    const size_t row = r / l->width + i, column = r % l->width + j; /* one more than in the image */
    const bool inside = row >= 1 && row <= l->height && column >= 1 && column <= l->width;
    return inside ? image + ((row - 1) * l->width + column - 1) * l->in : NULL;
}

static void convolution_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const convolution *l = (const convolution *)base;
    const size_t pixels = l->height * l->width;
    real *to = l->patches;
    for (size_t s = 0; s < n; s++) {
        for (size_t r = 0; r < pixels; r++) {
            for (size_t i = 0; i < SIDE * SIDE; i++, to += l->in) {
                const real *from = pixel_at(l, x + s * base->in, r, i / SIDE, i % SIDE);
                if (from != NULL)
                    memcpy(to, from, l->in * sizeof *to);
                else
                    memset(to, 0, l->in * sizeof *to);
            }
        }
    }
    multiply(n * pixels, SIDE * SIDE * l->in, l->out, l->patches, l->w->value, l->b->value, base->y);
}

static void convolution_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    const convolution *l = (const convolution *)base;
    const size_t pixels = l->height * l->width, patch = SIDE * SIDE * l->in;
    multiply_transposed_a(n * pixels, patch, l->out, l->patches, dy, l->w->gradient);
    sum_rows(n * pixels, l->out, dy, l->b->gradient);
    if (base->dx_unused)
        return;
    multiply_transposed_b(n * pixels, l->out, patch, dy, l->w->value, l->dpatches);
    /* A pixel is in up to nine patches: its gradient is their sum. */
    memset(base->dx, 0, n * base->in * sizeof *base->dx);
    const real *from = l->dpatches;
    for (size_t s = 0; s < n; s++) {
        for (size_t r = 0; r < pixels; r++) {
            for (size_t i = 0; i < SIDE * SIDE; i++, from += l->in) {
                real *to = (real *)pixel_at(l, base->dx + s * base->in, r, i / SIDE, i % SIDE);
                for (size_t c = 0; to != NULL && c < l->in; c++)
                    to[c] += from[c];
            }
        }
    }
}

layer *convolution_layer(network *net, size_t height, size_t width, size_t in, size_t out)
{
    const size_t pixels = height * width, patch = SIDE * SIDE * in;
    convolution *l = layer_new(net, sizeof *l, pixels * in, pixels * out);
    l->base.forward = convolution_forward;
    l->base.backward = convolution_backward;
    l->height = height;
    l->width = width;
    l->in = in;
    l->out = out;
    l->patches = network_allocate(net, MAX_BATCH * pixels * patch, sizeof(real));
    l->dpatches = network_allocate(net, MAX_BATCH * pixels * patch, sizeof(real));
    l->w = parameter_new(net, patch * out, sqrt(2.0 / (double)patch), true);
    l->b = parameter_new(net, out, 0, false);
    return &l->base;
}

/* ---- The largest of 2 x 2 pixels ---- */

typedef struct max_pool {
    layer base;
    size_t width, channels;
    size_t *from; /* for each output, where in x it came from */
} max_pool;

static void max_pool_forward(layer *base, const context *pass, size_t n, const real *x)
{
    (void)pass;
    const max_pool *l = (const max_pool *)base;
    const size_t row = l->width * l->channels, half = l->width / 2;
    for (size_t i = 0; i < n * base->out; i++) {
        const size_t channel = i % l->channels, column = i / l->channels % half;
        const size_t pair = i / l->channels / half; /* of rows, over all samples */
        size_t best = 2 * pair * row + 2 * column * l->channels + channel;
        const size_t others[] = {best + l->channels, best + row, best + row + l->channels};
        for (size_t k = 0; k < 3; k++)
            best = x[others[k]] > x[best] ? others[k] : best;
        l->from[i] = best;
        base->y[i] = x[best];
    }
}

static void max_pool_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    memset(base->dx, 0, n * base->in * sizeof *base->dx);
    for (size_t i = 0; i < n * base->out; i++)
        base->dx[((const max_pool *)base)->from[i]] = dy[i];
}

layer *max_pool_layer(network *net, size_t height, size_t width, size_t channels)
{
    const size_t size = height * width * channels;
    max_pool *l = layer_new(net, sizeof *l, size, size / 4);
    l->base.forward = max_pool_forward;
    l->base.backward = max_pool_backward;
    l->width = width;
    l->channels = channels;
    l->from = network_allocate(net, MAX_BATCH * size / 4, sizeof *l->from);
    return &l->base;
}
