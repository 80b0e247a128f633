/* What is done for each variant and seed. The seed decides on the split of the digits, on the network's first
 * weights, on the order of the digits, and on the masks. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "networks.h"
#include "trainer.h"

typedef struct settings {
    int train; /* so many digits are learned from, the others are held out */
    int epochs, batch;
    double learning_rate;
} settings;

typedef struct result {
    double train, held; /* accuracies */
} result;

result try_variant(const settings *set, data digits, const variant *v, uint64_t seed);

/* The rates that concrete dropout learns: of the inputs and of two hidden layers, at each of POINTS times. */
enum { RATES = 3, POINTS = 41, STEPS_BETWEEN = 50 };

typedef double rates[POINTS][RATES];

/* Learns from n of the digits. */
void watch_rates(const settings *set, data digits, size_t n, uint64_t seed, rates p);

#endif
