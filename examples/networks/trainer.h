/* Trains a network on images: batches in random order, Adam, and early stopping. */
#ifndef TRAINER_H
#define TRAINER_H

#include "images.h"
#include "network.h"

typedef struct score {
    double accuracy, loss; /* loss: mean cross-entropy */
} score;

/* What data augmentation does to each image, anew each time: moves it by up to a fourteenth of its side (a
 * pixel at least), and turns half of the images around. */
typedef struct augmentation {
    bool shifts, flips;
} augmentation;

typedef struct trainer {
    network *net;
    data train;
    uint64_t seed;        /* of the masks                                       */
    uint64_t step, steps; /* how many steps are done, and are to be done        */
    uint64_t noise;       /* decides on the order of the images                 */
    size_t batch;
    double learning_rate; /* at the beginning: it falls to 0 in a straight line */
    bool constant_rate;   /* it does not                                        */
    augmentation augment;
    double seconds;      /* so long the thread has computed for steps          */
    size_t *order, next; /* of the images in this pass over them               */
    real *x;             /* a batch                                            */
    int *label;
} trainer;

/* The caller sets what is not usual. Freed with the network. */
trainer trainer_new(network *net, const split *s, uint64_t seed, size_t batch, double learning_rate);

/* So many steps make an epoch, a pass over the images. */
size_t trainer_epoch(const trainer *t);

/* So many of the steps, each on a batch. */
void trainer_steps(trainer *t, size_t steps);

/*
 * All steps: so many epochs. Early stopping sets a fifth of the images aside, does not learn from them, and
 * ends when the loss there has not fallen for 20 epochs; the network is then the one of the best epoch.
 */
void trainer_run(trainer *t, int epochs, bool early_stopping);

/* The probabilities of the classes, a row an image: without masks, or in a thinned network. */
void predict(network *net, const context *pass, data d, real *probability);

/* Of such probabilities. */
score score_of(const real *probability, data d);

/* Without masks. */
score evaluate(network *net, data d);

#endif
