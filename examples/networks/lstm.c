/*
 * A recurrent layer that reads the rows of a sample one after the other, with the kinds of dropout that were
 * made for such layers. A rate of 0 keeps everything, so that what is not asked for copies.
 *
 *     i, f, o = sigmoid(d(x_t) Wx + d(h) d(Wh) + b),   g = tanh(the same)    for each its columns of W
 *     c' = f * c + i * d(g)
 *     h' = o * tanh(c')
 *     c_t = zoneout(c', c),   h_t = zoneout(h', h)
 *
 * S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997, with forget gates.
 */
#include <dropwise_variants.h>
#include <string.h>
#include <tgmath.h>

#include "layers.h"

enum { GATES = 4, IN = 0, FORGET = 1, OUT = 2, CANDIDATE = 3 };

/* The masks of the layer: one for all steps, or one for each step t, whose number is added. */
enum {
    MASK_INPUT = 0,
    MASK_RECURRENT = 1,
    MASK_WEIGHTS = 2,
    MASK_CANDIDATE = 0x100,
    MASK_CELL = 0x200,
    MASK_HIDDEN = 0x300
};

typedef struct lstm {
    layer base;
    size_t steps, in, hidden;
    lstm_rates rates;
    parameter *wx, *wh, *b;
    /* Step by step, so that a step's samples are one matrix. c and h begin with those before the first. */
    real *wh_dropped;
    real *x, *h_dropped, *gates, *g_dropped, *c_new, *h_new, *c, *h;
    real *dx, *dgates, *dc, *dh, *dc_new, *dh_new, *dc_before, *dh_before, *dg;
} lstm;

static real sigmoid(real x)
{
    return 1 / (1 + exp(-x));
}

/*
 * Reads samples x steps x numbers, writes steps x samples x numbers, and drops with one mask for all steps;
 * the other way round in the backward pass.
 */
static dropwise_view input_view(const lstm *l, size_t n, bool backward)
{
    dropwise_view view = dense_view(l->steps, n, l->in, 0, 1u << 0);
    int64_t *stride = backward ? view.y_stride : view.x_stride;
    stride[0] = (int64_t)l->in;
    stride[1] = (int64_t)(l->steps * l->in);
    return view;
}

/* ---- Forward ---- */

/* c' and h' of step t, whose gates are activated already. */
static void update(const lstm *l, size_t n, size_t t)
{
    const size_t m = n * l->hidden;
    for (size_t i = 0; i < m; i++) {
        const real *gate = l->gates + (t * n + i / l->hidden) * GATES * l->hidden + i % l->hidden;
        const real in = gate[IN * l->hidden], forget = gate[FORGET * l->hidden];
        const real c = forget * l->c[t * m + i] + in * l->g_dropped[t * m + i];
        l->c_new[t * m + i] = c;
        l->h_new[t * m + i] = gate[OUT * l->hidden] * tanh(c);
    }
}

/* y = zoneout(fresh, before); at inference the expectation. */
static void zone_out(const lstm *l, const context *pass, size_t n, double p, uint64_t number,
                     const real *fresh, const real *before, real *y)
{
    dropwise_mask mask = layer_mask(&l->base, pass, p, number);
    const dropwise_view view = dense_view(n, l->hidden, 0, 0, 0);
    if (pass->kind == TRAINING) {
        must_be_ok(dropwise_zoneout_forward(&mask, REAL, &view, fresh, before, y, NULL));
    } else {
        must_be_ok(dropwise_mask_init(&mask, p, 0, 0));
        must_be_ok(dropwise_zoneout_infer(&mask, REAL, &view, fresh, before, y));
    }
}

static void lstm_forward(layer *base, const context *pass, size_t n, const real *x)
{
    lstm *l = (lstm *)base;
    const size_t hidden = l->hidden, m = n * hidden, columns = GATES * hidden;
    const dropwise_mask input_mask = layer_mask(base, pass, l->rates.input, MASK_INPUT);
    const dropwise_view view = input_view(l, n, false);
    must_be_ok(dropwise_forward_view(&input_mask, REAL, &view, x, l->x, NULL));
    multiply(l->steps * n, l->in, columns, l->x, l->wx->value, l->b->value, l->gates);

    const dropwise_mask weight_mask = layer_mask(base, pass, l->rates.weights, MASK_WEIGHTS);
    must_be_ok(dropwise_forward(&weight_mask, REAL, 0, l->wh->n, l->wh->value, l->wh_dropped, NULL));

    memset(l->c, 0, m * sizeof *l->c);
    memset(l->h, 0, m * sizeof *l->h);
    for (size_t t = 0; t < l->steps; t++) {
        /* Variational: the same mask, so the same stream, in every step. */
        const dropwise_mask h_mask = layer_mask(base, pass, l->rates.recurrent, MASK_RECURRENT);
        must_be_ok(dropwise_forward(&h_mask, REAL, 0, m, l->h + t * m, l->h_dropped + t * m, NULL));

        real *gates = l->gates + t * n * columns, *g = l->g_dropped + t * m;
        multiply(n, hidden, columns, l->h_dropped + t * m, l->wh_dropped, NULL, gates);
        for (size_t i = 0; i < n * columns; i++)
            gates[i] = i % columns < CANDIDATE * hidden ? sigmoid(gates[i]) : tanh(gates[i]);
        for (size_t s = 0; s < n; s++)
            memcpy(g + s * hidden, gates + s * columns + CANDIDATE * hidden, hidden * sizeof *g);
        const dropwise_mask g_mask = layer_mask(base, pass, l->rates.candidate, MASK_CANDIDATE + t);
        must_be_ok(dropwise_forward(&g_mask, REAL, 0, m, g, g, NULL));

        update(l, n, t);
        zone_out(l, pass, n, l->rates.zoneout_cell, MASK_CELL + t, l->c_new + t * m, l->c + t * m,
                 l->c + (t + 1) * m);
        zone_out(l, pass, n, l->rates.zoneout_hidden, MASK_HIDDEN + t, l->h_new + t * m, l->h + t * m,
                 l->h + (t + 1) * m);
    }
    memcpy(base->y, l->h + l->steps * m, m * sizeof *base->y);
}

/* ---- Backward ---- */

/* From dh' and dc' of step t to the gates, before their activation but for dg, and to c. */
static void update_backward(const lstm *l, size_t n, size_t t)
{
    const size_t m = n * l->hidden;
    for (size_t i = 0; i < m; i++) {
        const size_t at = (t * n + i / l->hidden) * GATES * l->hidden + i % l->hidden;
        const real in = l->gates[at + IN * l->hidden], forget = l->gates[at + FORGET * l->hidden];
        const real out = l->gates[at + OUT * l->hidden], th = tanh(l->c_new[t * m + i]);
        const real dc = l->dc_new[i] + l->dh_new[i] * out * (1 - th * th);
        l->dgates[at + IN * l->hidden] = dc * l->g_dropped[t * m + i] * in * (1 - in);
        l->dgates[at + FORGET * l->hidden] = dc * l->c[t * m + i] * forget * (1 - forget);
        l->dgates[at + OUT * l->hidden] = l->dh_new[i] * th * out * (1 - out);
        l->dg[i] = dc * in;
        l->dc[i] = dc * forget + l->dc_before[i];
    }
}

static void lstm_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)x;
    lstm *l = (lstm *)base;
    const size_t hidden = l->hidden, m = n * hidden, columns = GATES * hidden;
    const dropwise_view state = dense_view(n, hidden, 0, 0, 0);
    memcpy(l->dh, dy, m * sizeof *l->dh);
    memset(l->dc, 0, m * sizeof *l->dc);
    for (size_t t = l->steps; t-- > 0;) {
        const dropwise_mask c_mask = layer_mask(base, pass, l->rates.zoneout_cell, MASK_CELL + t);
        const dropwise_mask h_mask = layer_mask(base, pass, l->rates.zoneout_hidden, MASK_HIDDEN + t);
        must_be_ok(dropwise_zoneout_backward(&c_mask, REAL, &state, l->dc, l->dc_new, l->dc_before, NULL));
        must_be_ok(dropwise_zoneout_backward(&h_mask, REAL, &state, l->dh, l->dh_new, l->dh_before, NULL));
        update_backward(l, n, t);

        const dropwise_mask g_mask = layer_mask(base, pass, l->rates.candidate, MASK_CANDIDATE + t);
        must_be_ok(dropwise_backward(&g_mask, REAL, 0, m, l->dg, l->dg, NULL));
        real *dgates = l->dgates + t * n * columns;
        for (size_t i = 0; i < m; i++) {
            const size_t at = i / hidden * columns + CANDIDATE * hidden + i % hidden;
            const real g = l->gates[t * n * columns + at];
            dgates[at] = l->dg[i] * (1 - g * g);
        }

        multiply_transposed_b(n, columns, hidden, dgates, l->wh_dropped, l->dh);
        const dropwise_mask mask = layer_mask(base, pass, l->rates.recurrent, MASK_RECURRENT);
        must_be_ok(dropwise_backward(&mask, REAL, 0, m, l->dh, l->dh, NULL));
        for (size_t i = 0; i < m; i++)
            l->dh[i] += l->dh_before[i];
    }
    /* The weights are the same in all steps. */
    const size_t rows = l->steps * n;
    multiply_transposed_a(rows, l->in, columns, l->x, l->dgates, l->wx->gradient);
    multiply_transposed_a(rows, hidden, columns, l->h_dropped, l->dgates, l->wh->gradient);
    const dropwise_mask weight_mask = layer_mask(base, pass, l->rates.weights, MASK_WEIGHTS);
    must_be_ok(dropwise_backward(&weight_mask, REAL, 0, l->wh->n, l->wh->gradient, l->wh->gradient, NULL));
    sum_rows(rows, columns, l->dgates, l->b->gradient);
    multiply_transposed_b(rows, columns, l->in, l->dgates, l->wx->value, l->dx);
    const dropwise_mask input_mask = layer_mask(base, pass, l->rates.input, MASK_INPUT);
    const dropwise_view view = input_view(l, n, true);
    must_be_ok(dropwise_backward_view(&input_mask, REAL, &view, l->dx, base->dx, NULL));
}

/* ---- */

layer *lstm_layer(network *net, size_t steps, size_t in, size_t hidden, lstm_rates rates)
{
    lstm *l = layer_new(net, sizeof *l, steps * in, hidden);
    const size_t columns = GATES * hidden, m = MAX_BATCH * hidden;
    l->base.forward = lstm_forward;
    l->base.backward = lstm_backward;
    l->steps = steps;
    l->in = in;
    l->hidden = hidden;
    l->rates = rates;
    l->wx = parameter_new(net, in * columns, sqrt(1 / (double)in), true);
    l->wh = parameter_new(net, hidden * columns, sqrt(1 / (double)hidden), true);
    l->b = parameter_new(net, columns, 0, false);
    /* Remember, to begin with. */
    for (size_t j = 0; j < hidden; j++)
        l->b->value[FORGET * hidden + j] = 1;
    struct {
        real **where;
        size_t n;
    } const buffers[] = {
        {&l->wh_dropped, hidden * columns},
        {&l->x, steps * MAX_BATCH * in},
        {&l->dx, steps * MAX_BATCH * in},
        {&l->gates, steps * MAX_BATCH * columns},
        {&l->dgates, steps * MAX_BATCH * columns},
        {&l->h_dropped, steps * m},
        {&l->g_dropped, steps * m},
        {&l->c_new, steps * m},
        {&l->h_new, steps * m},
        {&l->c, (steps + 1) * m},
        {&l->h, (steps + 1) * m},
        {&l->dc, m},
        {&l->dh, m},
        {&l->dc_new, m},
        {&l->dh_new, m},
        {&l->dc_before, m},
        {&l->dh_before, m},
        {&l->dg, m},
    };
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        *buffers[i].where = network_allocate(net, buffers[i].n, sizeof(real));
    return &l->base;
}
