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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits_data.h"
#include "mlp.h"
#include "noise.h"
#include "summary.h"

enum { TRAIN = 200, HIDDEN = 256, BATCH = 20, EPOCHS = 300, SEEDS = 5, NETWORKS = 64, STEPS = 7 };

/* Sizes of the ensembles that are looked at. */
static const int step_size[STEPS] = {1, 2, 4, 8, 16, 32, 64};

static float pixels[MAX_DIGITS][PIXELS], x[MAX_DIGITS][PIXELS];
static int labels[MAX_DIGITS], y[MAX_DIGITS];

/* Of the held-out digits of one seed. */
typedef struct score {
    double accuracy, loss;
} score;

static int best_class(const double *probability)
{
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        best = probability[c] > probability[best] ? c : best;
    return best;
}

/* Of probabilities that are `scale` times sums. */
static score score_of(const double (*sum)[CLASSES], double scale, const int *label, size_t n)
{
    score s = {0, 0};
    for (size_t i = 0; i < n; i++) {
        s.accuracy += best_class(sum[i]) == label[i];
        s.loss -= log(fmax(sum[i][label[i]] * scale, 1e-30));
    }
    return (score){s.accuracy / (double)n, s.loss / (double)n};
}

typedef struct result {
    score scaled, mean[STEPS];               /* the network without masks; means of K thinned ones       */
    double deviation_right, deviation_wrong; /* of the predicted class, over the networks              */
    double errors_in_top_tenth;              /* share of the errors among the tenth with the most of it */
} result;

static int falling(const void *a, const void *b)
{
    const double x1 = *(const double *)a, x2 = *(const double *)b;
    return x1 < x2 ? 1 : x1 > x2 ? -1 : 0;
}

/* Deviations of the predicted class's probability, where the mean of all networks is right and wrong. */
static void look_at_deviations(const double (*sum)[CLASSES], const double (*squares)[CLASSES], size_t n,
                               const int *label, result *r)
{
    double *deviation = malloc(n * sizeof *deviation), *sorted = malloc(n * sizeof *sorted);
    if (deviation == NULL || sorted == NULL)
        abort();
    size_t right = 0, wrong = 0, found = 0;
    for (size_t i = 0; i < n; i++) {
        const int c = best_class(sum[i]);
        const double mean = sum[i][c] / NETWORKS;
        deviation[i] = sorted[i] = sqrt(fmax(squares[i][c] / NETWORKS - mean * mean, 0));
        *(c == label[i] ? &r->deviation_right : &r->deviation_wrong) += deviation[i];
        right += c == label[i];
        wrong += c != label[i];
    }
    qsort(sorted, n, sizeof *sorted, falling);
    for (size_t i = 0; i < n; i++)
        found += best_class(sum[i]) != label[i] && deviation[i] >= sorted[n / 10];
    r->deviation_right /= (double)right;
    r->deviation_wrong /= (double)(wrong != 0 ? wrong : 1);
    r->errors_in_top_tenth = wrong != 0 ? (double)found / (double)wrong : 1;
    free(deviation);
    free(sorted);
}

static void train(mlp *net, uint64_t *noise)
{
    size_t order[TRAIN];
    for (size_t i = 0; i < TRAIN; i++)
        order[i] = i;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        noise_shuffle(order, TRAIN, noise);
        for (size_t done = 0; done < TRAIN; done += BATCH) {
            float batch[BATCH][PIXELS];
            int label[BATCH];
            for (size_t i = 0; i < BATCH; i++) {
                memcpy(batch[i], x[order[done + i]], sizeof batch[i]);
                label[i] = y[order[done + i]];
            }
            mlp_train(net, batch[0], label, BATCH, 0.001f);
        }
    }
}

/* The seed decides on the split, the weights, the order of the digits, and the masks. */
static bool run(uint64_t seed, size_t n_digits, result *r)
{
    const size_t n = n_digits - TRAIN;
    size_t *order = malloc(n_digits * sizeof *order);
    float *probability = malloc(n * CLASSES * sizeof *probability);
    double(*sum)[CLASSES] = calloc(n, sizeof *sum), (*squares)[CLASSES] = calloc(n, sizeof *squares);
    mlp net;
    const bool ok = order && probability && sum && squares &&
                    mlp_init(&net, PIXELS, HIDDEN, CLASSES, 100, 0.2, 0.5, seed);
    if (ok) {
        uint64_t noise = seed * 1000 + 1;
        digits_shuffle((const float(*)[PIXELS])pixels, labels, n_digits, order, &noise, x, y);
        train(&net, &noise);

        const int *label = y + TRAIN;
        mlp_predict(&net, x[TRAIN], n, NULL, probability);
        for (size_t i = 0; i < n * CLASSES; i++)
            sum[i / CLASSES][i % CLASSES] = (double)probability[i];
        r->scaled = score_of((const double(*)[CLASSES])sum, 1, label, n);
        memset(sum, 0, n * sizeof *sum);
        for (uint64_t k = 0, step = 0; k < NETWORKS; k++) {
            mlp_predict(&net, x[TRAIN], n, &k, probability);
            for (size_t i = 0; i < n * CLASSES; i++) {
                const double p = (double)probability[i];
                sum[i / CLASSES][i % CLASSES] += p;
                squares[i / CLASSES][i % CLASSES] += p * p;
            }
            if ((int)k + 1 == step_size[step])
                r->mean[step++] = score_of((const double(*)[CLASSES])sum, 1 / (double)(k + 1), label, n);
        }
        look_at_deviations((const double(*)[CLASSES])sum, (const double(*)[CLASSES])squares, n, label, r);
        mlp_free(&net);
    }
    free(order);
    free(probability);
    free(sum);
    free(squares);
    return ok;
}

/* ---- Report ---- */

static result results[SEEDS];

/* step -1 is the network with scaled weights. */
static void print_row(const char *name, int step, FILE *curves)
{
    double accuracy[SEEDS], loss[SEEDS];
    for (int s = 0; s < SEEDS; s++) {
        const score *one = step < 0 ? &results[s].scaled : &results[s].mean[step];
        accuracy[s] = one->accuracy;
        loss[s] = one->loss;
    }
    const summary a = summarise(accuracy, SEEDS), l = summarise(loss, SEEDS);
    printf("%-28s %.4f +- %.4f    %.4f +- %.4f\n", name, a.mean, a.deviation, l.mean, l.deviation);
    if (curves != NULL)
        fprintf(curves, "%d\t%.6f\t%.6f\t%.6f\t%.6f\n", step < 0 ? 0 : step_size[step], a.mean, a.deviation,
                l.mean, l.deviation);
}

static void print_report(size_t n_held, FILE *curves)
{
    printf("\n%d training digits, %zu held out; two hidden layers of %d, p = 0.5, inputs p = 0.2; %d\n"
           "epochs; mean and standard deviation over %d seeds\n\n", TRAIN, n_held, HIDDEN, EPOCHS, SEEDS);
    printf("%-28s %-19s %s\n", "", "held-out accuracy", "held-out loss");
    print_row("scaled weights, no masks", -1, curves);
    for (int step = 0; step < STEPS; step++) {
        char name[64];
        snprintf(name, sizeof name, step == 0 ? "%d thinned network" : "mean of %d thinned", step_size[step]);
        print_row(name, step, curves);
    }
    double difference[SEEDS], right = 0, wrong = 0, found = 0;
    for (int s = 0; s < SEEDS; s++) {
        difference[s] = results[s].mean[STEPS - 1].accuracy - results[s].scaled.accuracy;
        right += results[s].deviation_right / SEEDS;
        wrong += results[s].deviation_wrong / SEEDS;
        found += results[s].errors_in_top_tenth / SEEDS;
    }
    const summary d = summarise(difference, SEEDS);
    printf("\nThe mean of %d against scaled weights, same seeds: accuracy %+.4f (standard error %.4f).\n",
           NETWORKS, d.mean, d.deviation / sqrt(SEEDS));
    printf("Standard deviation of the predicted class's probability over the networks: %.3f where the\n"
           "mean is right, %.3f where it is wrong; the tenth of the digits with the most holds %.0f %% of\n"
           "the errors.\n", right, wrong, 100 * found);
}

int main(int argc, char **argv)
{
    const bool good = (argc == 3 || argc == 5) && strcmp(argv[1], "--data") == 0 &&
                      (argc == 3 || strcmp(argv[3], "--curves") == 0);
    if (!good) {
        fprintf(stderr, "usage: mc_dropout --data FILE.csv [--curves FILE]\n");
        return 2;
    }
    const size_t n_digits = digits_read(argv[2], pixels, labels);
    if (n_digits == 0)
        return 1;
    if (n_digits < 2 * TRAIN) {
        fprintf(stderr, "mc_dropout: %zu digits are too few\n", n_digits);
        return 1;
    }
    FILE *curves = argc == 5 ? fopen(argv[4], "w") : NULL;
    if (argc == 5 && curves == NULL) {
        fprintf(stderr, "mc_dropout: cannot write %s\n", argv[4]);
        return 1;
    }
    for (int s = 0; s < SEEDS; s++) {
        const double start = mlp_seconds();
        if (!run((uint64_t)s + 1, n_digits, &results[s])) {
            fprintf(stderr, "mc_dropout: out of memory\n");
            return 1;
        }
        printf("[%d/%d] seed %d: scaled weights %.4f, mean of %d thinned networks %.4f, %.1f s\n", s + 1,
               SEEDS, s + 1, results[s].scaled.accuracy, NETWORKS, results[s].mean[STEPS - 1].accuracy,
               mlp_seconds() - start);
        fflush(stdout);
    }
    print_report(n_digits - TRAIN, curves);
    return curves != NULL && fclose(curves) != 0;
}
