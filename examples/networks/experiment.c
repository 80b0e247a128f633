#include "experiment.h"

#include "layers.h"

result try_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed)
{
    split s = split_new(d, seed, (size_t)set->train, (size_t)set->held);
    network net;
    network_build(&net, v, s.train.side, s.train.n, seed);
    trainer t = trainer_new(&net, &s, seed, (size_t)set->batch, set->learning_rate);
    t.augment = v->augment;
    trainer_run(&t, set->epochs, v->early_stopping);
    const result r = {evaluate(&net, s.train), evaluate(&net, set->validate ? s.held : s.test)};
    network_free(&net);
    split_free(&s);
    return r;
}

void watch_rates(const settings *set, const dataset *d, size_t n, uint64_t seed, rates p)
{
    split s = split_new(d, seed, n, 0);
    network net;
    network_build(&net, concrete_variant(), s.train.side, n, seed);
    trainer t = trainer_new(&net, &s, seed, (size_t)set->batch, set->learning_rate);
    t.steps = (POINTS - 1) * STEPS_BETWEEN;
    concrete_probabilities(&net, p[0]);
    for (int point = 1; point < POINTS; point++) {
        trainer_steps(&t, STEPS_BETWEEN);
        concrete_probabilities(&net, p[point]);
    }
    network_free(&net);
    split_free(&s);
}
