#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "noise.h"

enum { PATIENCE = 20 };

trainer trainer_new(network *net, const split *s, uint64_t seed, size_t batch, double learning_rate)
{
    const size_t size = s->train.side * s->train.side;
    return (trainer){.net = net,
                     .train = s->train,
                     .seed = seed,
                     .noise = s->noise,
                     .batch = batch,
                     .learning_rate = learning_rate,
                     .order = network_allocate(net, s->train.n, sizeof(size_t)),
                     .x = network_allocate(net, batch * size, sizeof(real)),
                     .label = network_allocate(net, batch, sizeof(int))};
}

size_t trainer_epoch(const trainer *t)
{
    return (t->train.n + t->batch - 1) / t->batch;
}

/* What comes from beyond the border is 0. */
static void augment(trainer *t, const real *from, real *to)
{
    const int side = (int)t->train.side, most = side < 28 ? 1 : side / 14, choices = 2 * most + 1;
    const uint64_t random = noise_next(&t->noise);
    const int down = t->augment.shifts ? (int)(random % (uint64_t)choices) - most : 0;
    const int right = t->augment.shifts ? (int)((random >> 16) % (uint64_t)choices) - most : 0;
    const bool flip = t->augment.flips && random >> 63;
    for (int i = 0; i < side * side; i++) {
        const int row = i / side - down, moved = i % side - right, column = flip ? side - 1 - moved : moved;
        const bool inside = row >= 0 && row < side && column >= 0 && column < side;
        to[i] = inside ? from[row * side + column] : 0;
    }
}

/* The next images, a batch at most; how many. Each pass over them has another order. */
static size_t next_batch(trainer *t)
{
    if (t->next == 0) {
        for (size_t i = 0; i < t->train.n; i++)
            t->order[i] = i;
        noise_shuffle(t->order, t->train.n, &t->noise);
    }
    const size_t left = t->train.n - t->next, n = left < t->batch ? left : t->batch;
    const size_t size = t->train.side * t->train.side;
    for (size_t i = 0; i < n; i++) {
        const size_t image = t->order[t->next + i];
        const real *from = t->train.x + image * size;
        real *to = t->x + i * size;
        if (t->augment.shifts || t->augment.flips)
            augment(t, from, to);
        else
            memcpy(to, from, size * sizeof *to);
        t->label[i] = t->train.label[image];
    }
    t->next = n < left ? t->next + n : 0;
    return n;
}

void trainer_steps(trainer *t, size_t steps)
{
    const double start = thread_seconds();
    for (size_t k = 0; k < steps; k++) {
        const size_t n = next_batch(t);
        const double left = t->constant_rate ? 1 : 1 - (double)t->step / (double)t->steps;
        const context training = {TRAINING, t->seed, t->step++};
        network_gradient(t->net, &training, n, t->x, t->label);
        for (size_t i = 0; i < t->net->n_parameters; i++) {
            const parameter *p = &t->net->parameter[i];
            adam(p->value, p->gradient, p->mean, p->square, p->n, p->rate * t->learning_rate * left,
                 (double)t->step);
        }
    }
    t->seconds += thread_seconds() - start;
}

void trainer_run(trainer *t, int epochs, bool early_stopping)
{
    const size_t aside = early_stopping ? (t->train.n + 4) / 5 : 0;
    t->train.n -= aside;
    t->steps = (size_t)epochs * trainer_epoch(t);
    if (!early_stopping) {
        trainer_steps(t, t->steps);
        return;
    }
    const size_t n = t->train.n, size = t->train.side * t->train.side;
    const data validation = {t->train.x + n * size, t->train.label + n, aside, t->train.side};
    double best = INFINITY;
    for (int epoch = 0, best_epoch = 0; epoch < epochs && epoch - best_epoch < PATIENCE; epoch++) {
        trainer_steps(t, trainer_epoch(t));
        const double loss = evaluate(t->net, validation).loss;
        if (loss < best) {
            best = loss;
            best_epoch = epoch;
            network_keep(t->net);
        }
    }
    network_go_back(t->net);
}

void predict(network *net, const context *pass, data d, real *probability)
{
    for (size_t done = 0; done < d.n; done += MAX_BATCH) {
        const size_t n = d.n - done < MAX_BATCH ? d.n - done : MAX_BATCH;
        real *row = network_forward(net, pass, n, d.x + done * d.side * d.side);
        for (size_t i = 0; i < n; i++)
            softmax_loss(row + i * CLASSES, CLASSES, 0);
        memcpy(probability + done * CLASSES, row, n * CLASSES * sizeof *row);
    }
}

score score_of(const real *probability, data d)
{
    score sum = {0, 0};
    for (size_t i = 0; i < d.n; i++) {
        const real *row = probability + i * CLASSES;
        sum.accuracy += largest(row, CLASSES) == (size_t)d.label[i];
        sum.loss -= log(fmax((double)row[d.label[i]], 1e-30));
    }
    return (score){sum.accuracy / (double)d.n, sum.loss / (double)d.n};
}

score evaluate(network *net, data d)
{
    const context inference = {INFERENCE, 0, 0};
    real *probability = allocate(d.n * CLASSES, sizeof *probability);
    predict(net, &inference, d, probability);
    const score s = score_of(probability, d);
    free(probability);
    return s;
}
