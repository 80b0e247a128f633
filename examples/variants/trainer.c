#include "trainer.h"

#include <math.h>
#include <string.h>

#include "../noise.h"

enum { PATIENCE = 20 };

/* The next digits, MAX_BATCH at most; how many. Each pass over them has another order. */
static size_t next_batch(trainer *t, data train, real (*x)[PIXELS], int *label)
{
    if (t->next == 0) {
        for (size_t i = 0; i < train.n; i++)
            t->order[i] = i;
        noise_shuffle(t->order, train.n, &t->noise);
    }
    const size_t left = train.n - t->next, n = left < t->batch ? left : t->batch;
    for (size_t i = 0; i < n; i++) {
        const size_t digit = t->order[t->next + i];
        memcpy(x[i], train.x[digit], sizeof x[i]);
        label[i] = train.label[digit];
    }
    t->next = n < left ? t->next + n : 0;
    return n;
}

void trainer_steps(trainer *t, data train, size_t steps)
{
    for (size_t k = 0; k < steps; k++) {
        real x[MAX_BATCH][PIXELS];
        int label[MAX_BATCH];
        const size_t n = next_batch(t, train, x, label);
        const double rate = t->learning_rate * (1 - (double)t->step / (double)t->steps);
        const context training = {true, t->seed, t->step++};
        network_gradient(t->net, &training, n, x[0], label);
        for (size_t i = 0; i < t->net->n_parameters; i++) {
            const parameter *p = &t->net->parameter[i];
            adam(p->value, p->gradient, p->mean, p->square, p->n, p->rate * rate, (double)t->step);
        }
    }
}

/* What early stopping goes back to. */
static void keep(network *net)
{
    for (size_t i = 0; i < net->n_parameters; i++)
        memcpy(net->parameter[i].best, net->parameter[i].value, net->parameter[i].n * sizeof(real));
}

static void go_back(network *net)
{
    for (size_t i = 0; i < net->n_parameters; i++)
        memcpy(net->parameter[i].value, net->parameter[i].best, net->parameter[i].n * sizeof(real));
}

void trainer_run(trainer *t, data train, int epochs, bool early_stopping)
{
    const size_t aside = early_stopping ? (train.n + 4) / 5 : 0;
    train.n -= aside;
    const size_t steps = (train.n + t->batch - 1) / t->batch; /* of an epoch */
    t->steps = (size_t)epochs * steps;
    if (!early_stopping) {
        trainer_steps(t, train, t->steps);
        return;
    }
    const data validation = {train.x + train.n, train.label + train.n, aside};
    double best = INFINITY;
    for (int epoch = 0, best_epoch = 0; epoch < epochs && epoch - best_epoch < PATIENCE; epoch++) {
        trainer_steps(t, train, steps);
        const double loss = evaluate(t->net, validation).loss;
        if (loss < best) {
            best = loss;
            best_epoch = epoch;
            keep(t->net);
        }
    }
    go_back(t->net);
}

score evaluate(network *net, data d)
{
    const context inference = {false, 0, 0};
    score sum = {0, 0};
    for (size_t done = 0; done < d.n; done += MAX_BATCH) {
        const size_t n = d.n - done < MAX_BATCH ? d.n - done : MAX_BATCH;
        real *row = network_forward(net, &inference, n, d.x[done]);
        for (size_t i = 0; i < n; i++, row += CLASSES) {
            sum.accuracy += largest(row, CLASSES) == (size_t)d.label[done + i];
            sum.loss += softmax_loss(row, CLASSES, d.label[done + i]);
        }
    }
    return (score){sum.accuracy / (double)d.n, sum.loss / (double)d.n};
}
