#include "network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "noise.h"

/* ---- Memory ---- */

/* Blocks are linked so that the network can be freed as a whole. */
typedef union block {
    union block *next;
    max_align_t alignment;
} block;

void *network_allocate(network *net, size_t n, size_t size)
{
    block *b = calloc(1, sizeof *b + n * size);
    if (b == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    b->next = net->memory;
    net->memory = b;
    return b + 1;
}

void network_free(network *net)
{
    for (block *b = net->memory, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    net->memory = NULL;
}

/* ---- Layers ---- */

void *layer_new(network *net, size_t size, size_t in, size_t out)
{
    layer *l = network_allocate(net, 1, size);
    *l = (layer){.in = in, .out = out, .index = net->n_made};
    l->y = network_allocate(net, MAX_BATCH * out, sizeof(real));
    l->dx = network_allocate(net, MAX_BATCH * in, sizeof(real));
    if (net->n_made == MAX_LAYERS)
        abort();
    net->made[net->n_made++] = l;
    return l;
}

parameter *parameter_new(network *net, size_t n, double deviation, bool is_weight)
{
    if (net->n_parameters == MAX_PARAMETERS)
        abort();
    net->made[net->n_made - 1]->learns = true;
    parameter *p = &net->parameter[net->n_parameters++];
    real *all = network_allocate(net, 5 * n, sizeof *all);
    *p = (parameter){all, all + n, all + 2 * n, all + 3 * n, all + 4 * n, n, is_weight, 1};
    for (size_t i = 0; i < n && deviation != 0; i++)
        p->value[i] = (real)(deviation * noise_normal(&net->noise));
    return p;
}

void sequence_add(sequence *s, layer *l)
{
    if (s->n == MAX_LAYERS)
        abort();
    s->layer[s->n++] = l;
}

/* Layers that only drop are timed, by the clock of the thread: others on the machine do not count. */
static double start_of(const layer *l)
{
    return l->only_drops ? thread_seconds() : 0;
}

static void stop(layer *l, const context *pass, double start)
{
    if (l->only_drops && pass->kind == TRAINING)
        l->seconds += thread_seconds() - start;
}

const real *sequence_forward(sequence *s, const context *pass, size_t n, const real *x)
{
    for (size_t i = 0; i < s->n; i++) {
        layer *l = s->layer[i];
        const double start = start_of(l);
        l->forward(l, pass, n, x);
        stop(l, pass, start);
        x = l->y;
    }
    return x;
}

const real *sequence_backward(sequence *s, const context *pass, size_t n, const real *x, const real *dy)
{
    for (size_t i = s->n; i-- > 0;) {
        layer *l = s->layer[i];
        if (l->dx_unused && !l->learns)
            break; /* nor is any that comes before it needed */
        const double start = start_of(l);
        l->backward(l, pass, n, i > 0 ? s->layer[i - 1]->y : x, dy);
        stop(l, pass, start);
        dy = l->dx;
    }
    return dy;
}

/* ---- Masks ---- */

dropwise_mask layer_mask(const layer *l, const context *pass, double p, uint64_t number)
{
    dropwise_mask mask;
    const uint64_t thinned = pass->kind == THINNED;
    const uint64_t stream = thinned << 63 | pass->step << 32 | l->index << 16 | number;
    must_be_ok(dropwise_mask_init(&mask, pass->kind == INFERENCE ? 0 : p, pass->seed, stream));
    return mask;
}

dropwise_view dense_view(size_t a, size_t b, size_t c, size_t d, uint32_t shared)
{
    const uint64_t size[] = {a, b, c, d};
    dropwise_view view;
    must_be_ok(dropwise_view_init(&view, d != 0 ? 4 : c != 0 ? 3 : b != 0 ? 2 : 1, size));
    must_be_ok(dropwise_view_share(&view, shared));
    return view;
}

void must_be_ok(dropwise_status status)
{
    if (status != DROPWISE_OK) {
        fprintf(stderr, "dropwise: %s\n", dropwise_status_string(status));
        exit(1);
    }
}

/* ---- The whole network ---- */

real *network_forward(network *net, const context *pass, size_t n, const real *x)
{
    sequence_forward(&net->layers, pass, n, x);
    return net->layers.layer[net->layers.n - 1]->y;
}

void network_keep(network *net)
{
    for (size_t i = 0; i < net->n_parameters; i++)
        memcpy(net->parameter[i].kept, net->parameter[i].value, net->parameter[i].n * sizeof(real));
}

void network_go_back(network *net)
{
    for (size_t i = 0; i < net->n_parameters; i++)
        memcpy(net->parameter[i].value, net->parameter[i].kept, net->parameter[i].n * sizeof(real));
}

double network_dropout_seconds(const network *net)
{
    double sum = 0;
    for (size_t i = 0; i < net->n_made; i++)
        sum += net->made[i]->seconds;
    return sum;
}

/* L1 and L2: their part of the loss, and of the gradients. */
static double shrink(const network *net, parameter *p)
{
    double loss = 0;
    for (size_t i = 0; i < p->n; i++) {
        const double w = (double)p->value[i], sign = (w > 0) - (w < 0);
        loss += net->l1 * fabs(w) + net->l2 / 2 * w * w;
        p->gradient[i] += (real)(net->l1 * sign + net->l2 * w);
    }
    return loss;
}

double network_gradient(network *net, const context *pass, size_t n, const real *x, const int *labels)
{
    layer *last = net->layers.layer[net->layers.n - 1];
    const size_t classes = last->out;
    real *row = network_forward(net, pass, n, x);
    double loss = 0;
    for (size_t i = 0; i < n; i++, row += classes) {
        loss += softmax_loss(row, classes, labels[i]) / (double)n;
        /* The gradient of the logits: probabilities less the label's 1. */
        for (size_t j = 0; j < classes; j++)
            row[j] = (row[j] - (j == (size_t)labels[i])) / (real)n;
    }
    for (size_t i = 0; i < net->layers.n; i++) {
        net->layers.layer[i]->dx_unused = true;
        if (net->layers.layer[i]->learns)
            break;
    }
    sequence_backward(&net->layers, pass, n, x, last->y);
    for (size_t i = 0; i < net->n_made; i++)
        if (net->made[i]->penalty != NULL)
            loss += net->made[i]->penalty(net->made[i]);
    for (size_t i = 0; i < net->n_parameters; i++)
        if (net->parameter[i].is_weight && (net->l1 != 0 || net->l2 != 0))
            loss += shrink(net, &net->parameter[i]);
    return loss;
}
