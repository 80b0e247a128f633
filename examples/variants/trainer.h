/* Trains a network on digits: batches in random order, Adam, and early stopping. */
#ifndef TRAINER_H
#define TRAINER_H

#include "../digits_data.h"
#include "network.h"

/* Digits and what they show. */
typedef struct data {
    const real (*x)[PIXELS];
    const int *label;
    size_t n;
} data;

typedef struct score {
    double accuracy, loss; /* loss: mean cross-entropy */
} score;

typedef struct trainer {
    network *net;
    uint64_t seed;        /* of the masks                                           */
    uint64_t step, steps; /* how many steps are done, and are to be done            */
    uint64_t noise;       /* decides on the order of the digits                     */
    size_t batch;
    double learning_rate; /* at the beginning: it falls to 0 in a straight line     */
    size_t *order, next;  /* of the digits in this pass over them: room for all     */
} trainer;

/* So many of the steps, each on a batch. */
void trainer_steps(trainer *t, data train, size_t steps);

/*
 * All steps: so many epochs, each a pass over the digits. Early stopping sets a fifth of the digits aside,
 * does not learn from them, and ends when the loss there has not fallen for 20 epochs; the network is then
 * the one of the best epoch.
 */
void trainer_run(trainer *t, data train, int epochs, bool early_stopping);

/* Without masks. */
score evaluate(network *net, data d);

#endif
