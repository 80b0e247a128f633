#include "experiment.h"

#include "layers.h"

typedef struct run {
    split parts;
    network net;
    trainer trainer;
} run;

static void begin(run *r, const settings *set, const dataset *d, const variant *v, size_t n, uint64_t seed)
{
    r->parts = split_new(d, seed, n, (size_t)set->held);
    network_build(&r->net, v, r->parts.train.side, n, seed);
    r->trainer = trainer_new(&r->net, &r->parts, seed, (size_t)set->batch, set->learning_rate);
    r->trainer.constant_rate = set->constant_rate;
    r->trainer.augment = v->augment;
}

static void end(run *r)
{
    network_free(&r->net);
    split_free(&r->parts);
}

static score judge(run *r, const settings *set)
{
    return evaluate(&r->net, set->validate ? r->parts.held : r->parts.test);
}

result try_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed)
{
    run r;
    begin(&r, set, d, v, (size_t)set->train, seed);
    trainer_run(&r.trainer, set->epochs, v->early_stopping);
    result out = {.train = evaluate(&r.net, r.parts.train)};
    out.n_shifts = batch_norm_shifts(&r.net, out.shift); /* of what was learned from */
    out.test = judge(&r, set);
    end(&r);
    return out;
}

void watch_variant(const settings *set, const dataset *d, const variant *v, uint64_t seed, history *h,
                   look_fn *look, void *closure)
{
    run r;
    begin(&r, set, d, v, (size_t)set->train, seed);
    r.trainer.steps = (size_t)set->epochs * trainer_epoch(&r.trainer);
    for (int e = 0; e < set->epochs; e++) {
        trainer_steps(&r.trainer, trainer_epoch(&r.trainer));
        h->held[e] = evaluate(&r.net, r.parts.held);
        if (e == 0 || h->held[e].loss < h->held[h->best].loss) {
            h->best = e;
            network_keep(&r.net);
        }
    }
    h->seconds = r.trainer.seconds;
    h->dropout_seconds = network_dropout_seconds(&r.net);
    h->train = evaluate(&r.net, r.parts.train);
    h->test = judge(&r, set);
    if (look != NULL)
        look(&r.net, &r.parts, closure);
    network_go_back(&r.net);
    h->best_test = judge(&r, set);
    end(&r);
}

void watch_rates(const settings *set, const dataset *d, size_t n, uint64_t seed, rates p)
{
    run r;
    begin(&r, set, d, concrete_variant(), n, seed);
    r.trainer.steps = (POINTS - 1) * STEPS_BETWEEN;
    concrete_probabilities(&r.net, p[0]);
    for (int point = 1; point < POINTS; point++) {
        trainer_steps(&r.trainer, STEPS_BETWEEN);
        concrete_probabilities(&r.net, p[point]);
    }
    end(&r);
}
