/*
 * What dropout averages: a network trained with dropout is many thinned networks in one. This program draws
 * K of them by their masks, each from a stream of its own, and compares the mean of their predictions
 * with the one network without masks that stands for all of them (whose weights are scaled); and it looks at
 * their variance, which says how sure a prediction is.
 *
 * N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014,
 * section 7.5 and figure 11; Y. Gal, Z. Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
 */
#include <dropwise.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/arguments.h"
#include "networks/jobs.h"
#include "networks/networks.h"
#include "networks/summary.h"

enum { NETWORKS = 64, STEPS = 7 };

/* Sizes of the ensembles that are looked at. */
static const int step_size[STEPS] = {1, 2, 4, 8, 16, 32, 64};

static const variant tried = {.network = "perceptron", .kind = STANDARD, .p = 0.5, .input_p = 0.2};
static source from;
static dataset images_of;
static int n_train, epochs, n_seeds = 5, n_threads = 2;

typedef struct result {
    score scaled, mean[STEPS];               /* the network without masks; means of K thinned ones      */
    double deviation_right, deviation_wrong; /* of the predicted class, over the networks               */
    double errors_in_top_tenth;              /* share of the errors among the tenth with the most of it */
} result;

static result results[MAX_SEEDS];

static int falling(const void *a, const void *b)
{
    const double x1 = *(const double *)a, x2 = *(const double *)b;
    return x1 < x2 ? 1 : x1 > x2 ? -1 : 0;
}

/* Deviations of the predicted class's probability, where the mean of all networks is right and wrong. */
static void look_at_deviations(const real *mean, const double *squares, data d, result *r)
{
    double *deviation = allocate(d.n, sizeof *deviation), *sorted = allocate(d.n, sizeof *sorted);
    size_t right = 0, wrong = 0, found = 0;
    for (size_t i = 0; i < d.n; i++) {
        const size_t c = largest(mean + i * CLASSES, CLASSES), at = i * CLASSES + c;
        const bool is_right = c == (size_t)d.label[i];
        deviation[i] = sorted[i] =
            sqrt(fmax(squares[at] / NETWORKS - (double)mean[at] * (double)mean[at], 0));
        *(is_right ? &r->deviation_right : &r->deviation_wrong) += deviation[i];
        *(is_right ? &right : &wrong) += 1;
    }
    qsort(sorted, d.n, sizeof *sorted, falling);
    for (size_t i = 0; i < d.n; i++)
        found +=
            largest(mean + i * CLASSES, CLASSES) != (size_t)d.label[i] && deviation[i] >= sorted[d.n / 10];
    r->deviation_right /= (double)(right != 0 ? right : 1);
    r->deviation_wrong /= (double)(wrong != 0 ? wrong : 1);
    r->errors_in_top_tenth = wrong != 0 ? (double)found / (double)wrong : 1;
    free(deviation);
    free(sorted);
}

/* The predictions of all thinned networks, one after the other. */
static void look_at_networks(network *net, uint64_t seed, data d, result *r)
{
    const size_t n = d.n * CLASSES;
    real *probability = allocate(n, sizeof *probability), *mean = allocate(n, sizeof *mean);
    double *sum = allocate(n, sizeof *sum), *squares = allocate(n, sizeof *squares);
    for (int k = 0, step = 0; k < NETWORKS; k++) {
        const context thinned = {THINNED, seed, (uint64_t)k};
        predict(net, &thinned, d, probability);
        for (size_t i = 0; i < n; i++) {
            sum[i] += (double)probability[i];
            squares[i] += (double)probability[i] * (double)probability[i];
        }
        if (k + 1 == step_size[step]) {
            for (size_t i = 0; i < n; i++)
                mean[i] = (real)(sum[i] / (k + 1));
            r->mean[step++] = score_of(mean, d);
        }
    }
    look_at_deviations(mean, squares, d, r);
    free(probability);
    free(mean);
    free(sum);
    free(squares);
}

/* The seed decides on the split, the weights, the order of the images, and the masks. */
static void run_job(int job, char *done, size_t room)
{
    const uint64_t seed = (uint64_t)job + 1;
    result *r = &results[job];
    split s = split_new(&images_of, seed, (size_t)n_train, usually_held(&images_of));
    network net;
    network_build(&net, &tried, s.train.side, s.train.n, seed);
    trainer t = trainer_new(&net, &s, seed, n_train < 1000 ? 20 : 100, 0.001);
    t.constant_rate = true;
    trainer_run(&t, epochs, false);
    r->scaled = evaluate(&net, s.test);
    look_at_networks(&net, seed, s.test, r);
    network_free(&net);
    split_free(&s);
    snprintf(done, room, "seed %d: scaled weights %.4f, mean of %d thinned networks %.4f", job + 1,
             r->scaled.accuracy, NETWORKS, r->mean[STEPS - 1].accuracy);
}

/* ---- Report ---- */

/* Of the scaled network (step -1) or of the mean of step_size[step] networks, over all seeds. */
static void print_row(const char *name, int step, FILE *curves)
{
    double accuracy[MAX_SEEDS], loss[MAX_SEEDS];
    for (int s = 0; s < n_seeds; s++) {
        const score *of = step < 0 ? &results[s].scaled : &results[s].mean[step];
        accuracy[s] = 100 * of->accuracy;
        loss[s] = of->loss;
    }
    const summary a = summarise(accuracy, n_seeds), l = summarise(loss, n_seeds);
    printf("| %s | %.2f +- %.2f | %.4f +- %.4f |\n", name, a.mean, a.deviation, l.mean, l.deviation);
    if (curves != NULL)
        fprintf(curves, "%d\t%.6f\t%.6f\t%.6f\t%.6f\n", step < 0 ? 0 : step_size[step], a.mean, a.deviation,
                l.mean, l.deviation);
}

static void print_report(FILE *curves)
{
    printf("%s, %d images to learn from; two hidden layers of 256, p = %g, inputs p = %g; %d epochs;\n"
           "mean and standard deviation over %d seeds.\n\n",
           images_of.name, n_train, tried.p, tried.input_p, epochs, n_seeds);
    printf("| | test accuracy, %% | test loss |\n|---|---|---|\n");
    print_row("scaled weights, no masks", -1, curves);
    for (int step = 0; step < STEPS; step++) {
        char name[64];
        snprintf(name, sizeof name, step == 0 ? "%d thinned network" : "mean of %d thinned", step_size[step]);
        print_row(name, step, curves);
    }
    double accuracy[MAX_SEEDS], loss[MAX_SEEDS], right = 0, wrong = 0, found = 0;
    for (int s = 0; s < n_seeds; s++) {
        accuracy[s] = 100 * (results[s].mean[STEPS - 1].accuracy - results[s].scaled.accuracy);
        loss[s] = results[s].mean[STEPS - 1].loss - results[s].scaled.loss;
        right += results[s].deviation_right / n_seeds;
        wrong += results[s].deviation_wrong / n_seeds;
        found += results[s].errors_in_top_tenth / n_seeds;
    }
    const summary a = summarise(accuracy, n_seeds), l = summarise(loss, n_seeds);
    printf("\nThe mean of %d against scaled weights, same seeds: accuracy %+.2f points (standard error\n"
           "%.2f), loss %+.4f (%.4f). Standard deviation of the predicted class's probability over the\n"
           "networks: %.3f where the mean is right, %.3f where it is wrong; the tenth of the images with\n"
           "the most holds %.0f %% of the errors.\n",
           NETWORKS, a.mean, a.deviation / sqrt(n_seeds), l.mean, l.deviation / sqrt(n_seeds), right, wrong,
           100 * found);
}

static const int_option int_options[] = {
    {"--train", &n_train, 1, MAX_IMAGES},
    {"--epochs", &epochs, 1, 10000},
    {"--seeds", &n_seeds, 1, MAX_SEEDS},
    {"--threads", &n_threads, 1, MAX_THREADS},
};

enum { N_INT_OPTIONS = sizeof int_options / sizeof int_options[0] };

int main(int argc, char **argv)
{
    const char *curves_path = NULL;
    for (int i = 1; i < argc; i += 2) {
        bool good = i + 1 < argc;
        if (good && strcmp(argv[i], "--curves") == 0)
            curves_path = argv[i + 1];
        else if (good)
            good = read_source(&from, argv[i], argv[i + 1]) ||
                   read_int(int_options, N_INT_OPTIONS, argv[i], argv[i + 1]);
        if (!good) {
            fprintf(stderr, "mc_dropout: bad option or value: %s\n", argv[i]);
            from.path = NULL;
            break;
        }
    }
    if (from.path == NULL) {
        fprintf(stderr, "usage: mc_dropout --fashion FOLDER | --digits FILE.csv [--train N] [--epochs N]\n"
                        "                  [--seeds N] [--threads N] [--curves FILE]\n");
        return 2;
    }
    if (!source_read(&from, &images_of))
        return 1;
    n_train = n_train != 0 ? n_train : from.fashion ? 5000 : 200;
    epochs = epochs != 0 ? epochs : from.fashion ? 30 : 300;
    if (!enough_images("mc_dropout", n_train, &images_of))
        return 1;
    FILE *curves = curves_path != NULL ? fopen(curves_path, "w") : NULL;
    if (curves_path != NULL && curves == NULL) {
        fprintf(stderr, "mc_dropout: cannot write %s\n", curves_path);
        return 1;
    }
    products_begin();
    jobs_run(n_seeds, n_threads, run_job, stderr);
    print_report(curves);
    dataset_free(&images_of);
    return curves != NULL && fclose(curves) != 0;
}
