/* What is done for each variant and seed. The seed decides on the split of the images, on the network's first
 * weights, on the order of the images, and on the masks. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "networks.h"
#include "trainer.h"

typedef struct settings {
    int train, held; /* so many images are learned from, and held out at most */
    bool validate;   /* judge by what is held out, not by what is to test with */
    int epochs, batch;
    double learning_rate;
} settings;

typedef struct result {
    score train, test;
} result;

result try_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed);

/* The rates that concrete dropout learns: of the inputs and of two hidden layers, at each of POINTS times. */
enum { RATES = 3, POINTS = 41, STEPS_BETWEEN = 50 };

typedef double rates[POINTS][RATES];

/* Learns from n of the images. */
void watch_rates(const settings *set, const dataset *d, size_t n, uint64_t seed, rates p);

#endif
