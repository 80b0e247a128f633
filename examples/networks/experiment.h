/* What is done for each variant and seed. The seed decides on the split of the images, on the network's first
 * weights, on the order of the images, and on the masks. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "networks.h"

typedef struct settings {
    int train, held; /* so many images are learned from, and held out at most */
    bool validate;   /* judge by what is held out, not by what is to test with */
    int epochs, batch;
    double learning_rate;
    bool constant_rate; /* see trainer */
} settings;

enum { SHIFTS = 2 }; /* layers of batch normalisation in a network, at most */

typedef struct result {
    score train, test;
    double shift[SHIFTS]; /* see batch_norm_shifts */
    size_t n_shifts;
} result;

result try_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed);

/* How a network does after each epoch on what is held out, in the end, and as it was in the best epoch. */
enum { MAX_EPOCHS = 1000 };

typedef struct history {
    score held[MAX_EPOCHS], train, test;
    int best;                        /* the epoch, from 0, in which the loss of what is held out was lowest */
    score best_test;                 /* of the network of that epoch                                        */
    double seconds, dropout_seconds; /* of training */
} history;

/* Looks at the network when it is trained, in the end. */
typedef void look_fn(network *net, const split *s, void *closure);

void watch_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed, history *h,
                   look_fn *look, void *closure);

/* The rates that concrete dropout learns: of the inputs and of two hidden layers, at each of POINTS times. */
enum { RATES = 3, POINTS = 41, STEPS_BETWEEN = 50 };

typedef double rates[POINTS][RATES];

/* Learns from n of the images. */
void watch_rates(const settings *set, const dataset *d, size_t n, uint64_t seed, rates p);

#endif
