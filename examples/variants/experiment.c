#include "experiment.h"

#include <stdio.h>
#include <stdlib.h>

#include "../noise.h"
#include "layers.h"

/* Digits in an order of the seed's: the first ones are to be learned from. */
typedef struct shuffled {
    real (*x)[PIXELS];
    int *label;
    uint64_t noise; /* the random numbers that follow */
} shuffled;

static shuffled shuffle(data digits, uint64_t seed)
{
    size_t *order = malloc(digits.n * sizeof *order);
    shuffled s = {malloc(digits.n * sizeof *s.x), malloc(digits.n * sizeof *s.label), seed * 1000 + 1};
    if (order == NULL || s.x == NULL || s.label == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    digits_shuffle(digits.x, digits.label, digits.n, order, &s.noise, s.x, s.label);
    free(order);
    return s;
}

static void free_shuffled(shuffled *s)
{
    free(s->x);
    free(s->label);
}

/* n digits, from one on. */
static data part(const shuffled *s, size_t from, size_t n)
{
    return (data){(const real(*)[PIXELS])s->x + from, s->label + from, n};
}

static trainer make_trainer(const settings *set, network *net, const shuffled *s, uint64_t seed)
{
    return (trainer){.net = net, .seed = seed, .noise = s->noise, .batch = (size_t)set->batch,
                     .learning_rate = set->learning_rate,
                     .order = network_allocate(net, MAX_DIGITS, sizeof(size_t))};
}

result try_variant(const settings *set, data digits, const variant *v, uint64_t seed)
{
    shuffled s = shuffle(digits, seed);
    const size_t n = (size_t)set->train;
    const data train = part(&s, 0, n), held = part(&s, n, digits.n - n);
    network net;
    network_build(&net, v, n, seed);
    trainer t = make_trainer(set, &net, &s, seed);
    trainer_run(&t, train, set->epochs, v->early_stopping);
    const result r = {evaluate(&net, train).accuracy, evaluate(&net, held).accuracy};
    network_free(&net);
    free_shuffled(&s);
    return r;
}

void watch_rates(const settings *set, data digits, size_t n, uint64_t seed, rates p)
{
    shuffled s = shuffle(digits, seed);
    network net;
    network_build(&net, concrete_variant(), n, seed);
    trainer t = make_trainer(set, &net, &s, seed);
    t.steps = (POINTS - 1) * STEPS_BETWEEN;
    concrete_probabilities(&net, p[0]);
    for (int point = 1; point < POINTS; point++) {
        trainer_steps(&t, part(&s, 0, n), STEPS_BETWEEN);
        concrete_probabilities(&net, p[point]);
    }
    network_free(&net);
    free_shuffled(&s);
}
