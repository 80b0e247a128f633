/* The networks, and the variants of dropout that are compared in each of them. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include "images.h"
#include "network.h"
#include "trainer.h"

/* What is dropped, and how. */
typedef enum kind {
    NONE,
    STANDARD,         /* each unit by itself                         */
    GAUSSIAN,         /* times normal noise                          */
    CONCRETE,         /* by degrees, with rates that are learned     */
    DROPCONNECT,      /* weights, others for each sample             */
    SPATIAL,          /* whole feature maps                          */
    DROPBLOCK,        /* blocks of feature maps                      */
    STOCHASTIC_DEPTH, /* whole branches                              */
    VARIATIONAL,      /* the same units in every step                */
    WEIGHT_DROP,      /* recurrent weights                           */
    CANDIDATE,        /* recurrent dropout without memory loss       */
    ZONEOUT,          /* units keep their value of the step before   */
    BATCH_NORM,       /* nothing: batch normalisation alone          */
    BEFORE_NORM,      /* units, before they are normalised           */
    AFTER_NORM,       /* units, after normalisation and ReLU         */
    AFTER_ALL_NORM,   /* likewise, but in the last hidden layer only */
    ALPHA,            /* to the value that SELU goes to at -infinity */
    ATTENTION,        /* probabilities of attention                  */
    RESIDUAL,         /* what branches add                           */
    ATTENTION_AND_RESIDUAL
} kind;

typedef struct variant {
    const char *network, *name;
    kind kind;
    double p;
    double input_p; /* of the perceptron's inputs */
    size_t width;   /* of the perceptron; 0: 256  */
    double l1, l2;
    bool early_stopping;
    augmentation augment;
} variant;

extern const variant variants[];
extern const size_t n_variants;

/* False if it needs functions of SLEEF that this build of the library, or this CPU, lacks. */
bool variant_available(const variant *v);

/* The one with concrete dropout. */
const variant *concrete_variant(void);

/*
 * The network for a variant and images of side x side pixels, with weights that the seed decides on.
 * examples: how many are learned from. To be freed with network_free.
 */
void network_build(network *net, const variant *v, size_t side, size_t examples, uint64_t seed);

#endif
