#include "networks.h"

#include <stdlib.h>
#include <string.h>

#include <dropwise_variants.h>

#include "images.h"
#include "layers.h"

/*
 * Rates were chosen on the seeds 101 to 108 among a few usual ones. The first variant of each network is the
 * one that its others are compared with.
 */
const variant variants[] = {
    {"perceptron", "no dropout", .kind = NONE},
    {"perceptron", "L2 1e-4", NONE, .l2 = 1e-4},
    {"perceptron", "L1 1e-5", NONE, .l1 = 1e-5},
    {"perceptron", "early stopping", NONE, .early_stopping = true},
    {"perceptron", "dropout 0.5", STANDARD, .p = 0.5},
    {"perceptron", "dropout 0.5, inputs 0.1", STANDARD, .p = 0.5, .input_p = 0.1},
    {"perceptron", "dropout 0.5/0.1, L2 1e-4", STANDARD, .p = 0.5, .input_p = 0.1, .l2 = 1e-4},
    {"perceptron", "dropout 0.5/0.1, early stopping", STANDARD, .p = 0.5, .input_p = 0.1,
     .early_stopping = true},
    {"perceptron", "Gaussian dropout 0.5", GAUSSIAN, .p = 0.5},
    {"perceptron", "DropConnect 0.5", DROPCONNECT, .p = 0.5},
    {"perceptron", "concrete dropout", .kind = CONCRETE},
    {"perceptron", "batch norm", .kind = BATCH_NORM},
    {"perceptron", "batch norm, dropout 0.5 before it", BEFORE_NORM, .p = 0.5},
    {"perceptron", "batch norm, dropout 0.5 after it", AFTER_NORM, .p = 0.5},
    {"perceptron", "batch norm, dropout 0.5 after all", AFTER_ALL_NORM, .p = 0.5},
    {"perceptron", "shifts", NONE, .augment = {.shifts = true}},
    {"perceptron", "shifts, dropout 0.5/0.1", STANDARD, .p = 0.5, .input_p = 0.1,
     .augment = {.shifts = true}},
    {"perceptron", "shifts, flips", NONE, .augment = {true, true}},
    {"perceptron", "shifts, flips, dropout 0.5/0.1", STANDARD, .p = 0.5, .input_p = 0.1,
     .augment = {true, true}},
    {"convolutional", "no dropout", .kind = NONE},
    {"convolutional", "dropout 0.3", STANDARD, .p = 0.3},
    {"convolutional", "spatial dropout 0.2", SPATIAL, .p = 0.2},
    {"convolutional", "DropBlock 0.3, 3 x 3", DROPBLOCK, .p = 0.3},
    {"convolutional", "stochastic depth 0.5", STOCHASTIC_DEPTH, .p = 0.5},
    {"recurrent", "no dropout", .kind = NONE},
    {"recurrent", "dropout 0.5", STANDARD, .p = 0.5},
    {"recurrent", "variational dropout 0.1", VARIATIONAL, .p = 0.1},
    {"recurrent", "without memory loss 0.25", CANDIDATE, .p = 0.25},
    {"recurrent", "zoneout 0.1", ZONEOUT, .p = 0.1},
    {"recurrent", "WeightDrop 0.25", WEIGHT_DROP, .p = 0.25},
    {"deep SELU", "no dropout", .kind = NONE},
    {"deep SELU", "dropout 0.05", STANDARD, .p = 0.05},
    {"deep SELU", "alpha dropout 0.05", ALPHA, .p = 0.05},
    {"transformer", "no dropout", .kind = NONE},
    {"transformer", "attention dropout 0.3", ATTENTION, .p = 0.3},
    {"transformer", "residual dropout 0.3", RESIDUAL, .p = 0.3},
    {"transformer", "attention and residual 0.3", ATTENTION_AND_RESIDUAL, .p = 0.3},
};

const size_t n_variants = sizeof variants / sizeof variants[0];

bool variant_available(const variant *v)
{
    const bool is_transformer = strcmp(v->network, "transformer") == 0; /* which has GELU and softmax */
    const bool is_noisy = v->kind == GAUSSIAN || v->kind == CONCRETE || v->kind == DROPCONNECT;
    /* GELU of a number tells, and a normal number. */
    const context inference = {INFERENCE, 0, 0};
    const layer any = {0};
    const dropwise_mask mask = layer_mask(&any, &inference, 0, 0);
    const dropwise_view view = dense_view(1, 1, 0, 0, 0);
    real x = 1;
    const dropwise_status of_gelu =
        dropwise_activation_forward(&mask, REAL, &view, DROPWISE_GELU, &x, NULL, &x, NULL);
    const dropwise_status of_normal = dropwise_draw_normal(&mask, REAL, &view, &x);
    return (!is_transformer || of_gelu != DROPWISE_ERROR_MATH) &&
           (!is_noisy || of_normal != DROPWISE_ERROR_MATH);
}

const variant *concrete_variant(void)
{
    const variant *v = variants;
    while (v->kind != CONCRETE)
        v++;
    return v;
}

static bool normalises(kind k)
{
    return k == BATCH_NORM || k == BEFORE_NORM || k == AFTER_NORM || k == AFTER_ALL_NORM;
}

/* ---- A perceptron with two hidden layers ---- */

static void build_perceptron(network *net, const variant *v, size_t side)
{
    enum { LAYERS = 3 };
    const size_t hidden = v->width != 0 ? v->width : 256;
    const size_t width[LAYERS + 1] = {side * side, hidden, hidden, CLASSES};
    sequence *s = &net->layers;
    for (size_t l = 0; l < LAYERS; l++) {
        const bool drops =
            v->kind == STANDARD || v->kind == AFTER_NORM || (v->kind == AFTER_ALL_NORM && l == LAYERS - 1);
        const double p = l == 0 ? v->input_p : v->p; /* of what this layer reads */
        if (v->kind == DROPCONNECT && l == 1) {
            sequence_add(s, dropconnect_layer(net, width[l], width[l + 1], p));
            continue;
        }
        const bool last = l == LAYERS - 1;
        layer *dense = dense_layer(net, 1, width[l], width[l + 1], last ? 1 : 2);
        if (drops && (p > 0 || l > 0))
            sequence_add(s, dropout_layer(net, width[l], 1, 1, 0, p));
        if (v->kind == GAUSSIAN && p > 0)
            sequence_add(s, gaussian_dropout_layer(net, width[l], p));
        if (v->kind == CONCRETE)
            sequence_add(s, concrete_layer(net, dense));
        sequence_add(s, dense);
        if (last)
            break;
        if (v->kind == BEFORE_NORM)
            sequence_add(s, dropout_layer(net, width[l + 1], 1, 1, 0, v->p));
        if (normalises(v->kind))
            sequence_add(s, batch_norm_layer(net, 1, width[l + 1]));
        sequence_add(s, activation_layer(net, width[l + 1], DROPWISE_RELU, 0));
    }
}

/* ---- A convolution, and two residual blocks of two convolutions each ---- */

static void build_convolutional(network *net, const variant *v, size_t side)
{
    enum { CHANNELS = 8 };
    const size_t half = side / 2, size = half * half * CHANNELS;
    sequence *s = &net->layers;
    sequence_add(s, convolution_layer(net, side, side, 1, CHANNELS));
    sequence_add(s, activation_layer(net, side * side * CHANNELS, DROPWISE_RELU, 0));
    const uint32_t height_and_width = 1u << 1 | 1u << 2;
    if (v->kind == STANDARD || v->kind == SPATIAL)
        sequence_add(
            s, dropout_layer(net, side, side, CHANNELS, v->kind == SPATIAL ? height_and_width : 0, v->p));
    if (v->kind == DROPBLOCK)
        sequence_add(s, dropblock_layer(net, side, side, CHANNELS, 3, v->p));
    sequence_add(s, max_pool_layer(net, side, side, CHANNELS));
    for (size_t block = 0; block < 2; block++) {
        sequence *branch;
        sequence_add(s, residual_layer(net, size, v->kind == STOCHASTIC_DEPTH ? v->p : 0, true, &branch));
        sequence_add(branch, convolution_layer(net, half, half, CHANNELS, CHANNELS));
        sequence_add(branch, activation_layer(net, size, DROPWISE_RELU, 0));
        sequence_add(branch, convolution_layer(net, half, half, CHANNELS, CHANNELS));
    }
    sequence_add(s, activation_layer(net, size, DROPWISE_RELU, 0));
    if (v->kind == STANDARD || v->kind == SPATIAL)
        sequence_add(
            s, dropout_layer(net, half, half, CHANNELS, v->kind == SPATIAL ? height_and_width : 0, v->p));
    sequence_add(s, dense_layer(net, 1, size, CLASSES, 1));
}

/* ---- A recurrent network that reads the rows of the image from top to bottom ---- */

static void build_recurrent(network *net, const variant *v, size_t side)
{
    enum { HIDDEN = 32 };
    lstm_rates rates = {0};
    if (v->kind == VARIATIONAL)
        rates.input = rates.recurrent = v->p;
    if (v->kind == CANDIDATE)
        rates.candidate = v->p;
    if (v->kind == WEIGHT_DROP)
        rates.weights = v->p;
    if (v->kind == ZONEOUT)
        rates.zoneout_cell = rates.zoneout_hidden = v->p;
    sequence *s = &net->layers;
    sequence_add(s, lstm_layer(net, side, side, HIDDEN, rates));
    if (v->kind == STANDARD)
        sequence_add(s, dropout_layer(net, HIDDEN, 1, 1, 0, v->p));
    sequence_add(s, dense_layer(net, 1, HIDDEN, CLASSES, 1));
}

/* ---- A deep perceptron that normalises itself ---- */

static void build_selu(network *net, const variant *v, size_t side)
{
    enum { HIDDEN = 64, LAYERS = 8 };
    sequence *s = &net->layers;
    /* Mean and deviation of all pixels of the digits; those of Fashion-MNIST are close, 0.286 and 0.353. */
    sequence_add(s, standardise_layer(net, side * side, 0.305, 0.376));
    for (size_t l = 0; l < LAYERS; l++) {
        sequence_add(s, dense_layer(net, 1, l == 0 ? side * side : HIDDEN, HIDDEN, 1));
        sequence_add(s, selu_layer(net, HIDDEN));
        if (v->kind == STANDARD)
            sequence_add(s, dropout_layer(net, HIDDEN, 1, 1, 0, v->p));
        if (v->kind == ALPHA)
            sequence_add(s, alpha_dropout_layer(net, HIDDEN, v->p));
    }
    sequence_add(s, dense_layer(net, 1, HIDDEN, CLASSES, 1));
}

/* ---- One block of a transformer; the rows of the image are its tokens ---- */

static void build_transformer(network *net, const variant *v, size_t side)
{
    enum { COLUMNS = 32, HEADS = 2, WIDE = 64 };
    const size_t size = side * COLUMNS;
    const double attention_p = v->kind == ATTENTION || v->kind == ATTENTION_AND_RESIDUAL ? v->p : 0;
    const double residual_p = v->kind == RESIDUAL || v->kind == ATTENTION_AND_RESIDUAL ? v->p : 0;
    sequence *s = &net->layers, *branch;
    sequence_add(s, dense_layer(net, side, side, COLUMNS, 1));
    sequence_add(s, position_layer(net, size));
    sequence_add(s, residual_layer(net, size, residual_p, false, &branch));
    sequence_add(branch, normalise_layer(net, side, COLUMNS));
    sequence_add(branch, attention_layer(net, side, COLUMNS, HEADS, attention_p));
    sequence_add(s, residual_layer(net, size, residual_p, false, &branch));
    sequence_add(branch, normalise_layer(net, side, COLUMNS));
    sequence_add(branch, dense_layer(net, side, COLUMNS, WIDE, 1));
    sequence_add(branch, activation_layer(net, side * WIDE, DROPWISE_GELU, residual_p));
    sequence_add(branch, dense_layer(net, side, WIDE, COLUMNS, 1));
    sequence_add(s, normalise_layer(net, side, COLUMNS));
    sequence_add(s, mean_layer(net, side, COLUMNS));
    sequence_add(s, dense_layer(net, 1, COLUMNS, CLASSES, 1));
}

/* ---- */

void network_build(network *net, const variant *v, size_t side, size_t examples, uint64_t seed)
{
    static const struct {
        const char *name;
        void (*build)(network *net, const variant *v, size_t side);
    } networks[] = {
        {"perceptron", build_perceptron},   {"convolutional", build_convolutional},
        {"recurrent", build_recurrent},     {"deep SELU", build_selu},
        {"transformer", build_transformer},
    };
    *net = (network){.noise = seed, .examples = examples, .l1 = v->l1, .l2 = v->l2};
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if (strcmp(v->network, networks[i].name) == 0)
            networks[i].build(net, v, side);
}
