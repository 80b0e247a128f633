/*
 * A multilayer perceptron with ReLU, softmax, cross-entropy and Adam, and dropout on the inputs and on the
 * hidden units. Every mask is drawn by dropwise in the forward pass and drawn again in the backward pass.
 */
#ifndef MLP_H
#define MLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MLP_LAYERS = 3 }; /* of weights: two hidden layers and the output */

typedef struct mlp_layer {
    size_t in, out;
    float *w; /* in x out, row major */
    float *b; /* out */
    float *dw, *db;
    float *w_mean, *w_square, *b_mean, *b_square; /* Adam's moments */
} mlp_layer;

typedef struct mlp {
    mlp_layer layer[MLP_LAYERS];
    size_t max_batch;
    float *activation[MLP_LAYERS + 1]; /* the input and each layer's output, a row a sample */
    float *gradient[MLP_LAYERS + 1];
    double input_p, hidden_p;
    uint64_t seed;
    uint64_t step; /* of training: the masks' stream counts with it */
    double dropout_seconds;
} mlp;

/* Allocates and initialises (He's initialisation from the seed). False if memory runs out. */
bool mlp_init(mlp *net, size_t inputs, size_t hidden, size_t outputs, size_t max_batch,
              double input_p, double hidden_p, uint64_t seed);
void mlp_free(mlp *net);

/* One step of Adam on a batch of rows; the mean loss. */
double mlp_train(mlp *net, const float *x, const int *labels, size_t batch, float learning_rate);

/* Forward and backward without an update: gradients in the layers; the mean loss. */
double mlp_gradient(mlp *net, const float *x, const int *labels, size_t batch);

/* Without dropout: the number of rows whose label is predicted, and the sum of their losses. */
size_t mlp_evaluate(mlp *net, const float *x, const int *labels, size_t n, double *loss);

/*
 * Probabilities of the classes, a row for each input row. network NULL: without dropout, as weights are
 * scaled already in training. Else with one mask for each layer, drawn for this number and shared by all
 * rows: one thinned network of the many that dropout trains.
 */
void mlp_predict(mlp *net, const float *x, size_t n, const uint64_t *network, float *probability);

double mlp_seconds(void);

#endif
