/*
 * The layers that the networks are made of; each function makes one for a network. Sizes are those of one
 * sample. Images are height x width x channels.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include <dropwise_fused.h>

#include "network.h"

/* ---- Without dropout ---- */

/* y = x W + b for each of `rows` rows of a sample. The weights begin normal, with variance gain / in. */
layer *dense_layer(network *net, size_t rows, size_t in, size_t out, double gain);

/* 3 x 3 convolution, with zeros around the image. */
layer *convolution_layer(network *net, size_t height, size_t width, size_t in, size_t out);

/* The largest of each 2 x 2 pixels. */
layer *max_pool_layer(network *net, size_t height, size_t width, size_t channels);

/* y = (x - mean) / deviation, the same for all numbers. */
layer *standardise_layer(network *net, size_t size, double mean, double deviation);

/* Self-normalising activation: lambda x, and lambda alpha (exp x - 1) below 0. */
layer *selu_layer(network *net, size_t size);

/* Layer normalisation of each of `rows` rows, with a gain and a bias for each column. */
layer *normalise_layer(network *net, size_t rows, size_t columns);

/*
 * Batch normalisation: of each column over the rows of all samples. At inference by running means of the
 * mean and of the unbiased variance.
 */
layer *batch_norm_layer(network *net, size_t rows, size_t columns);

/*
 * For each layer of batch normalisation, in the order in which they were made: the variance of what came in
 * at inference since the last step of training (two rows at least), to the one that training found, both
 * unbiased. How many there are.
 */
size_t batch_norm_shifts(const network *net, double *shift);

/* Adds learned numbers, one for each number of a sample: tells a transformer where its tokens are. */
layer *position_layer(network *net, size_t size);

/* The mean of the rows. */
layer *mean_layer(network *net, size_t rows, size_t columns);

/* ---- With dropout in the middle ---- */

/* y = dropout(activation(x)). */
layer *activation_layer(network *net, size_t size, dropwise_activation activation, double p);

/*
 * y = x + dropout(branch(x)): residual dropout. With `whole`, a sample's branch is kept or dropped as a
 * whole: stochastic depth. The branch is filled by the caller.
 */
layer *residual_layer(network *net, size_t size, double p, bool whole, sequence **branch);

/* Attention of `rows` tokens to each other, with dropout of the probabilities. */
layer *attention_layer(network *net, size_t rows, size_t columns, size_t heads, double p);

/* y = ReLU(W x + b) with DropConnect: a mask on the weights, of its own for each sample. */
layer *dropconnect_layer(network *net, size_t in, size_t out, double p);

/* How likely a recurrent layer drops what. */
typedef struct lstm_rates {
    /* One mask for all steps: variational dropout (Y. Gal, Z. Ghahramani, NIPS 2016) of the input and of the
     * state that is fed back, and WeightDrop (S. Merity et al., ICLR 2018) of the recurrent weights. */
    double input, recurrent, weights;
    /* A mask for each step: recurrent dropout without memory loss (S. Semeniuta et al., COLING 2016), and
     * zoneout (D. Krueger et al., ICLR 2017) of the cell and of the state. */
    double candidate, zoneout_cell, zoneout_hidden;
} lstm_rates;

/* Reads `steps` rows of `in` numbers; its output is the last state. */
layer *lstm_layer(network *net, size_t steps, size_t in, size_t hidden, lstm_rates rates);

/* ---- Dropout alone ---- */

/*
 * Dropout of a sample of a x b x c numbers, with a mask shared along the dimensions whose bit is set in
 * `shared`: bit 0 is the sample, bit 1 is a, and so on. Spatial dropout shares along height and width.
 */
layer *dropout_layer(network *net, size_t a, size_t b, size_t c, uint32_t shared, double p);

/* From now on all of these drop with this p; only what is made by dropout_layer. */
void dropout_set_rate(network *net, double p);

layer *gaussian_dropout_layer(network *net, size_t size, double p);
layer *alpha_dropout_layer(network *net, size_t size, double p);

/* Concrete dropout of the inputs of the layer `behind`, made before, whose weights count in the loss. */
layer *concrete_layer(network *net, const layer *behind);

/* The probabilities of all concrete dropout layers, in the order in which they were made; how many. */
size_t concrete_probabilities(const network *net, double *p);

/* Drops blocks of block x block pixels of a channel. */
layer *dropblock_layer(network *net, size_t height, size_t width, size_t channels, size_t block, double p);

#endif
