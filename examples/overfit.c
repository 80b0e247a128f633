/*
 * What dropout is for: a perceptron that learns few images by heart, with and without dropout, for several
 * seeds. Images that are held out show how both do while they learn; the part to test with is used once, at
 * the end. The settings were chosen by the former, with the seeds 101 and 102 and --validate.
 */
#include <dropwise.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/arguments.h"
#include "networks/experiment.h"
#include "networks/jobs.h"
#include "networks/summary.h"

enum { VARIANTS = 2 };

/* ---- Runs ---- */

static settings set = {
    .train = 5000, .held = 1000, .epochs = 45, .batch = 100, .learning_rate = 0.001, .constant_rate = true};
static int n_seeds = 3, first_seed = 1, width = 256, n_threads = 2;
static double p = 0.4, input_p = 0.1;

static source from;
static dataset images_of;
static history histories[VARIANTS][MAX_SEEDS]; /* without, with dropout */

static void run_job(int job, char *done, size_t room)
{
    const bool with = job % VARIANTS == 1;
    const int s = job / VARIANTS;
    history *h = &histories[with][s];
    const variant v = {.network = "perceptron",
                       .kind = with ? STANDARD : NONE,
                       .width = (size_t)width,
                       .p = p,
                       .input_p = input_p};
    watch_variant(&set, &images_of, &v, (uint64_t)(first_seed + s), h, NULL, NULL);
    snprintf(done, room, "seed %d, %-16s loss of images not seen %.3f, accuracy %.1f %%", first_seed + s,
             with ? "with dropout:" : "without dropout:", h->test.loss, 100 * h->test.accuracy);
}

/* ---- Report ---- */

typedef double number_fn(const history *h);

static double train_accuracy(const history *h)
{
    return 100 * h->train.accuracy;
}

static double end_accuracy(const history *h)
{
    return 100 * h->test.accuracy;
}

static double end_loss(const history *h)
{
    return h->test.loss;
}

static double end_held_loss(const history *h)
{
    return h->held[set.epochs - 1].loss;
}

static double best_held_loss(const history *h)
{
    return h->held[h->best].loss;
}

static double best_epoch(const history *h)
{
    return h->best + 1;
}

static double best_accuracy(const history *h)
{
    return 100 * h->best_test.accuracy;
}

static double best_loss(const history *h)
{
    return h->best_test.loss;
}

static double dropout_share(const history *h)
{
    return 100 * h->dropout_seconds / h->seconds;
}

static void print_row(const char *name, int digits, number_fn *number)
{
    printf("| %s |", name);
    for (int v = 0; v < VARIANTS; v++) {
        double values[MAX_SEEDS];
        for (int s = 0; s < n_seeds; s++)
            values[s] = number(&histories[v][s]);
        const summary all = summarise(values, n_seeds);
        printf(" %.*f +- %.*f |", digits, all.mean, digits, all.deviation);
    }
    printf("\n");
}

static void print_report(const char *products)
{
    printf("%s, %d images to learn from, two hidden layers of %d, batches of %d, %d epochs of Adam;\n"
           "mean and standard deviation over %d seeds; products of matrices by %s, dropout on %s.\n\n",
           images_of.name, set.train, width, set.batch, set.epochs, n_seeds, products,
           dropwise_isa_name(dropwise_isa_active()));
    const bool tests = images_of.test.n != 0 && !set.validate;
    const char *unseen = tests ? "part to test with" : "held out";
    char name[96];
    printf("| | without dropout | hidden p = %g, inputs p = %g |\n|---|---|---|\n", p, input_p);
    print_row("accuracy on what was learned from, %", 2, train_accuracy);
    snprintf(name, sizeof name, "accuracy, %s, %%", unseen);
    print_row(name, 2, end_accuracy);
    snprintf(name, sizeof name, "loss, %s", unseen);
    print_row(name, 3, end_loss);
    if (tests)
        print_row("held-out loss in the end", 3, end_held_loss);
    print_row("lowest held-out loss on the way", 3, best_held_loss);
    print_row("in epoch", 1, best_epoch);
    snprintf(name, sizeof name, "accuracy in that epoch, %s, %%", unseen);
    print_row(name, 2, best_accuracy);
    snprintf(name, sizeof name, "loss in that epoch, %s", unseen);
    print_row(name, 3, best_loss);
    print_row("training time spent in dropout, %", 1, dropout_share);
    double loss[MAX_SEEDS], accuracy[MAX_SEEDS], least = INFINITY, most = -INFINITY;
    for (int s = 0; s < n_seeds; s++) {
        loss[s] = 100 * (histories[1][s].test.loss / histories[0][s].test.loss - 1);
        accuracy[s] = 100 * (histories[1][s].test.accuracy - histories[0][s].test.accuracy);
        least = fmin(least, loss[s]);
        most = fmax(most, loss[s]);
    }
    const summary a = summarise(accuracy, n_seeds);
    printf("\nWith dropout the loss differs by %+.0f %% (from %+.0f to %+.0f %%, seed by seed), the\n"
           "accuracy by %+.2f points (standard error %.2f).\n",
           summarise(loss, n_seeds).mean, least, most, a.mean, a.deviation / sqrt(n_seeds));
}

/* Epoch, then loss and accuracy, without and with dropout, each as mean, least and most over the seeds. */
static bool write_curves(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return false;
    fprintf(out, "# %s: epoch, then mean, least and most of loss without and with, accuracy likewise\n",
            images_of.name);
    for (int e = 0; e < set.epochs; e++) {
        fprintf(out, "%d", e + 1);
        for (int k = 0; k < 2 * VARIANTS; k++) {
            double sum = 0, least = INFINITY, most = -INFINITY;
            for (int s = 0; s < n_seeds; s++) {
                const score *at = &histories[k % VARIANTS][s].held[e];
                const double value = k < VARIANTS ? at->loss : 100 * at->accuracy;
                sum += value;
                least = fmin(least, value);
                most = fmax(most, value);
            }
            fprintf(out, "\t%.6f\t%.6f\t%.6f", sum / n_seeds, least, most);
        }
        fprintf(out, "\n");
    }
    return fclose(out) == 0;
}

/* ---- Arguments ---- */

static const int_option int_options[] = {
    {"--seeds", &n_seeds, 1, MAX_SEEDS},      {"--first-seed", &first_seed, 1, 1000000},
    {"--epochs", &set.epochs, 1, MAX_EPOCHS}, {"--train", &set.train, 1, MAX_IMAGES},
    {"--held", &set.held, 1, MAX_IMAGES},     {"--width", &width, 1, 4096},
    {"--batch", &set.batch, 1, MAX_BATCH},    {"--threads", &n_threads, 1, MAX_THREADS},
};

enum { N_INT_OPTIONS = sizeof int_options / sizeof int_options[0] };

static int usage(void)
{
    fprintf(stderr, "usage: overfit --fashion FOLDER | --digits FILE.csv\n"
                    "               [--train N] [--held N] [--width N] [--batch N] [--epochs N] [--p P]\n"
                    "               [--input-p P] [--learning-rate X] [--seeds N] [--first-seed N]\n"
                    "               [--threads N] [--curves FILE] [--validate]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *curves_path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--validate") == 0) {
            set.validate = true;
            continue;
        }
        const char *name = argv[i], *value = ++i < argc ? argv[i] : NULL;
        bool good = value != NULL;
        if (good && strcmp(name, "--curves") == 0)
            curves_path = value;
        else if (good && strcmp(name, "--p") == 0)
            good = read_real(0, 0.99, value, &p);
        else if (good && strcmp(name, "--input-p") == 0)
            good = read_real(0, 0.99, value, &input_p);
        else if (good && strcmp(name, "--learning-rate") == 0)
            good = read_real(0, 1, value, &set.learning_rate);
        else if (good)
            good = read_source(&from, name, value) || read_int(int_options, N_INT_OPTIONS, name, value);
        if (!good) {
            fprintf(stderr, "overfit: bad option or value: %s\n", name);
            return usage();
        }
    }
    if (from.path == NULL)
        return usage();
    if (!source_read(&from, &images_of) || !enough_images("overfit", set.train, &images_of))
        return 1;
    const char *products = products_begin();
    jobs_run(VARIANTS * n_seeds, n_threads, run_job, stderr);
    print_report(products);
    if (curves_path != NULL && !write_curves(curves_path)) {
        fprintf(stderr, "overfit: cannot write %s\n", curves_path);
        return 1;
    }
    dataset_free(&images_of);
    return 0;
}
