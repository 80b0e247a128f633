/*
 * Networks as sequences of layers, with gradients written out by hand. Every mask of dropout is drawn in the
 * forward pass and drawn again in the backward pass; no mask is stored.
 *
 * Streams. A run of training has one seed. A mask's stream is made of the step of training, the number of the
 * layer in its network, and the number of the mask in its layer (a recurrent layer may draw one for
 * each row that it reads):
 *
 *     stream = step << 32 | layer << 16 | mask
 *
 * (for thinned networks bit 63 is set, and the number of the network stands for the step)
 * so that each mask is independent of all others, and whoever knows these three can draw it again.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>

#include "matrix.h"

enum { MAX_LAYERS = 40, MAX_PARAMETERS = 64, MAX_BATCH = 100 };

/* What a pass through the network is for. */
typedef enum pass_kind {
    INFERENCE, /* no masks                                                           */
    TRAINING,
    THINNED /* inference in one thinned network: a mask of dropout for all samples */
} pass_kind;

typedef struct context {
    pass_kind kind;
    uint64_t seed, step; /* the step of training, or the number of the thinned network */
} context;

/* Numbers that are learned. */
typedef struct parameter {
    real *value, *gradient; /* a backward pass overwrites the gradient */
    real *mean, *square;    /* Adam's moments                          */
    real *kept;             /* see network_keep                        */
    size_t n;
    bool is_weight; /* L1 and L2 count it: no biases           */
    double rate;    /* times the trainer's learning rate       */
} parameter;

/*
 * The beginning of every kind of layer. Samples follow each other: x has n * in numbers, y n * out. y and dx
 * stay until the next pass.
 */
typedef struct layer {
    size_t in, out;     /* numbers of a sample                       */
    uint64_t index;     /* in the network, for the streams of masks  */
    real *y, *dx;       /* the output, and the gradient of the input */
    parameter *weights; /* NULL, or its weights                      */
    bool learns;        /* it has parameters                         */
    bool dx_unused;     /* nothing is learned before it              */
    bool only_drops;    /* its time counts as time in dropout:       */
    double seconds;     /* so much, in training                      */
    void (*forward)(struct layer *layer, const context *pass, size_t n, const real *x);
    void (*backward)(struct layer *layer, const context *pass, size_t n, const real *x, const real *dy);
    /* NULL, or what the layer adds to the loss, and its gradient to its parameters' gradients. */
    double (*penalty)(struct layer *layer);
} layer;

typedef struct sequence {
    layer *layer[MAX_LAYERS];
    size_t n;
} sequence;

typedef struct network {
    sequence layers;
    parameter parameter[MAX_PARAMETERS];
    size_t n_parameters;
    layer *made[MAX_LAYERS]; /* all layers, those inside of others too */
    size_t n_made;
    uint64_t noise;  /* of the first weights           */
    size_t examples; /* so many are to be learned from */
    double l1, l2;   /* the loss has l1 * sum |w| + l2 / 2 * sum w^2 besides the cross-entropy */
    void *memory;
} network;

/* ---- Passes ---- */

/* The logits, a row a sample, of n <= MAX_BATCH samples. */
real *network_forward(network *net, const context *pass, size_t n, const real *x);

/* Forward, backward and penalties: the gradients of the parameters, and the loss, mean cross-entropy and all
 * penalties. */
double network_gradient(network *net, const context *pass, size_t n, const real *x, const int *labels);

/* Keeps the parameters as they are now, of the best epoch, and goes back to them. */
void network_keep(network *net);
void network_go_back(network *net);

/* Seconds of training that layers which only drop have computed for. */
double network_dropout_seconds(const network *net);

/* A sequence inside of a layer. Forward: the output. Backward: the gradient of x. */
const real *sequence_forward(sequence *s, const context *pass, size_t n, const real *x);
const real *sequence_backward(sequence *s, const context *pass, size_t n, const real *x, const real *dy);

/* ---- For layers ---- */

/* n zeros of `size` bytes that live as long as the network. Ends the program if there is no memory. */
void *network_allocate(network *net, size_t n, size_t size);
void network_free(network *net);

/* A layer of `size` bytes that begins with a `layer`; y and dx are there. */
void *layer_new(network *net, size_t size, size_t in, size_t out);

/* A parameter, of the layer that was made last, of n normal numbers with this deviation; 0 for zeros. */
parameter *parameter_new(network *net, size_t n, double deviation, bool is_weight);

void sequence_add(sequence *s, layer *l);

/* The mask number `number` of a layer in this pass; at inference a mask that keeps everything. */
dropwise_mask layer_mask(const layer *l, const context *pass, double p, uint64_t number);

/* A dense view of up to four dimensions (those that are not 0) with a mask shared along some of them. */
dropwise_view dense_view(size_t a, size_t b, size_t c, size_t d, uint32_t shared);

/* Ends the program, with a message, if a call went wrong. */
void must_be_ok(dropwise_status status);

#endif
