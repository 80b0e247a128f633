#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "mlp.h"

#include <dropwise.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "matrix.h"
#include "noise.h"

double mlp_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Memory ---- */

static float *zeros(size_t n)
{
    return calloc(n, sizeof(float));
}

bool mlp_init(mlp *net, size_t inputs, size_t hidden, size_t outputs, size_t max_batch,
              double input_p, double hidden_p, uint64_t seed)
{
    const size_t width[MLP_LAYERS + 1] = {inputs, hidden, hidden, outputs};
    *net = (mlp){.max_batch = max_batch, .input_p = input_p, .hidden_p = hidden_p, .seed = seed};
    bool ok = true;
    for (int l = 0; l <= MLP_LAYERS; l++) {
        net->activation[l] = zeros(max_batch * width[l]);
        net->gradient[l] = zeros(max_batch * width[l]);
        ok = ok && net->activation[l] != NULL && net->gradient[l] != NULL;
    }
    uint64_t state = seed;
    for (int l = 0; l < MLP_LAYERS; l++) {
        const size_t in = width[l], out = width[l + 1], n = in * out;
        mlp_layer *layer = &net->layer[l];
        *layer = (mlp_layer){in,       out,      zeros(n), zeros(out), zeros(n),  zeros(out),
                             zeros(n), zeros(n), zeros(out), zeros(out)};
        ok = ok && layer->w && layer->b && layer->dw && layer->db && layer->w_mean &&
             layer->w_square && layer->b_mean && layer->b_square;
        if (!ok)
            break;
        for (size_t i = 0; i < n; i++)
            layer->w[i] = (float)(noise_normal(&state) * sqrt(2.0 / (double)in));
    }
    if (!ok)
        mlp_free(net);
    return ok;
}

void mlp_free(mlp *net)
{
    for (int l = 0; l <= MLP_LAYERS; l++) {
        free(net->activation[l]);
        free(net->gradient[l]);
    }
    for (int l = 0; l < MLP_LAYERS; l++) {
        mlp_layer *layer = &net->layer[l];
        float *all[] = {layer->w,      layer->b,        layer->dw,     layer->db,
                        layer->w_mean, layer->w_square, layer->b_mean, layer->b_square};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            free(all[i]);
    }
    *net = (mlp){0};
}

/* ---- Dropout ---- */

/*
 * The mask of a layer in this step: the seed of the run, a stream for each step and layer. Element
 * sample * width + unit of the mask belongs to a unit of a sample.
 */
static dropwise_mask layer_mask(const mlp *net, int l)
{
    dropwise_mask mask;
    const double p = l == 0 ? net->input_p : net->hidden_p;
    if (dropwise_mask_init(&mask, p, net->seed, net->step * MLP_LAYERS + (uint64_t)l) != DROPWISE_OK)
        abort(); /* p was checked where it was read */
    return mask;
}

static bool has_dropout(const mlp *net, int l)
{
    return (l == 0 ? net->input_p : net->hidden_p) > 0;
}

static void must_be_ok(dropwise_status status)
{
    if (status != DROPWISE_OK) {
        fprintf(stderr, "dropout: %s\n", dropwise_status_string(status));
        abort();
    }
}

/* In place, on the activations that layer l reads; forward and backward draw the same mask. */
static void drop(mlp *net, int l, size_t batch, bool backward)
{
    if (!has_dropout(net, l))
        return;
    const double start = mlp_seconds();
    const dropwise_mask mask = layer_mask(net, l);
    const size_t n = batch * net->layer[l].in;
    float *values = backward ? net->gradient[l] : net->activation[l];
    const dropwise_status status = backward
                                       ? dropwise_backward_f32(&mask, 0, n, values, values, NULL)
                                       : dropwise_forward_f32(&mask, 0, n, values, values, NULL);
    must_be_ok(status);
    net->dropout_seconds += mlp_seconds() - start;
}

/* A mask that all rows share: a view of (rows, units) whose mask has no dimension of rows. */
static void thin(mlp *net, int l, size_t batch, uint64_t network)
{
    if (!has_dropout(net, l))
        return;
    const uint64_t size[2] = {batch, net->layer[l].in};
    dropwise_mask mask = layer_mask(net, l);
    /* Apart from the streams of training, which count steps from 0. */
    mask.stream = (UINT64_C(1) << 63) + network * MLP_LAYERS + (uint64_t)l;
    dropwise_view view;
    must_be_ok(dropwise_view_init(&view, 2, size));
    must_be_ok(dropwise_view_share(&view, 1u << 0));
    float *values = net->activation[l];
    must_be_ok(dropwise_forward_view(&mask, DROPWISE_F32, &view, values, values, NULL));
}

/* ---- Passes ---- */

/* training: with this step's masks. network: with those of a thinned network, see mlp_predict. */
static void forward(mlp *net, const float *x, size_t batch, bool training, const uint64_t *network)
{
    memcpy(net->activation[0], x, batch * net->layer[0].in * sizeof *x);
    for (int l = 0; l < MLP_LAYERS; l++) {
        const mlp_layer *layer = &net->layer[l];
        float *out = net->activation[l + 1];
        if (network != NULL)
            thin(net, l, batch, *network);
        else if (training)
            drop(net, l, batch, false);
        multiply(batch, layer->in, layer->out, net->activation[l], layer->w, layer->b, out);
        if (l + 1 < MLP_LAYERS)
            for (size_t i = 0; i < batch * layer->out; i++)
                out[i] = out[i] > 0 ? out[i] : 0;
    }
}

double mlp_gradient(mlp *net, const float *x, const int *labels, size_t batch)
{
    forward(net, x, batch, true, NULL);
    const size_t outputs = net->layer[MLP_LAYERS - 1].out;
    float *probability = net->activation[MLP_LAYERS];
    float *gradient = net->gradient[MLP_LAYERS];
    double loss = 0;
    for (size_t i = 0; i < batch; i++) {
        loss += softmax_loss(probability + i * outputs, outputs, labels[i]);
        for (size_t j = 0; j < outputs; j++)
            gradient[i * outputs + j] =
                (probability[i * outputs + j] - (j == (size_t)labels[i])) / (float)batch;
    }
    for (int l = MLP_LAYERS - 1; l >= 0; l--) {
        mlp_layer *layer = &net->layer[l];
        const float *out_gradient = net->gradient[l + 1];
        multiply_transposed_a(batch, layer->in, layer->out, net->activation[l], out_gradient,
                              layer->dw);
        sum_rows(batch, layer->out, out_gradient, layer->db);
        if (l == 0)
            break;
        multiply_transposed_b(batch, layer->out, layer->in, out_gradient, layer->w, net->gradient[l]);
        drop(net, l, batch, true);
        /* ReLU: what was dropped has no gradient any more, so a positive output decides. */
        for (size_t i = 0; i < batch * layer->in; i++)
            net->gradient[l][i] = net->activation[l][i] > 0 ? net->gradient[l][i] : 0;
    }
    return loss / (double)batch;
}

double mlp_train(mlp *net, const float *x, const int *labels, size_t batch, float learning_rate)
{
    const double loss = mlp_gradient(net, x, labels, batch);
    net->step++;
    for (int l = 0; l < MLP_LAYERS; l++) {
        mlp_layer *layer = &net->layer[l];
        adam(layer->w, layer->dw, layer->w_mean, layer->w_square, layer->in * layer->out,
             (double)learning_rate, (double)net->step);
        adam(layer->b, layer->db, layer->b_mean, layer->b_square, layer->out, (double)learning_rate,
             (double)net->step);
    }
    return loss;
}

size_t mlp_evaluate(mlp *net, const float *x, const int *labels, size_t n, double *loss)
{
    const size_t inputs = net->layer[0].in, outputs = net->layer[MLP_LAYERS - 1].out;
    size_t right = 0;
    *loss = 0;
    for (size_t done = 0; done < n; done += net->max_batch) {
        const size_t batch = n - done < net->max_batch ? n - done : net->max_batch;
        forward(net, x + done * inputs, batch, false, NULL);
        for (size_t i = 0; i < batch; i++) {
            float *row = net->activation[MLP_LAYERS] + i * outputs;
            right += largest(row, outputs) == (size_t)labels[done + i];
            *loss += softmax_loss(row, outputs, labels[done + i]);
        }
    }
    return right;
}

void mlp_predict(mlp *net, const float *x, size_t n, const uint64_t *network, float *probability)
{
    const size_t inputs = net->layer[0].in, outputs = net->layer[MLP_LAYERS - 1].out;
    for (size_t done = 0; done < n; done += net->max_batch) {
        const size_t batch = n - done < net->max_batch ? n - done : net->max_batch;
        forward(net, x + done * inputs, batch, false, network);
        for (size_t i = 0; i < batch; i++)
            softmax_loss(net->activation[MLP_LAYERS] + i * outputs, outputs, 0);
        memcpy(probability + done * outputs, net->activation[MLP_LAYERS],
               batch * outputs * sizeof *probability);
    }
}
