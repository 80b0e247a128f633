/*
 * What people read about dropout, each claim a table: that higher rates need wider layers and more epochs,
 * which rates suit which layers, that small batches are noisy, and that units which were trained with dropout
 * rely less on each other. The images are Fashion-MNIST.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/arguments.h"
#include "networks/experiment.h"
#include "networks/jobs.h"
#include "networks/layers.h"
#include "networks/summary.h"

enum { MAX_ROWS = 16, REMOVALS = 10, THINNED_NETWORKS = 5 };

typedef struct row {
    char name[64];
    variant v;
    settings set;
} row;

static row rows[MAX_ROWS];
static int n_rows, n_seeds = 2, n_threads = 2;
static source from;
static dataset images_of;
static history histories[MAX_ROWS][MAX_SEEDS];
static double removed[MAX_ROWS][MAX_SEEDS][REMOVALS]; /* accuracies, without this many tenths of the units */

static row *add_row(const char *kind_of_network, double p, double input_p)
{
    row *r = &rows[n_rows++];
    *r = (row){.v = {.network = kind_of_network, .kind = STANDARD, .p = p, .input_p = input_p},
               .set = {.train = 2000,
                       .held = 1000,
                       .epochs = 50,
                       .batch = 100,
                       .learning_rate = 0.001,
                       .constant_rate = true}};
    return r;
}

/* ---- Runs ---- */

/* What is left of a network when hidden units are removed: thinned networks, with this rate. */
static void remove_units(network *net, const split *s, void *closure)
{
    double *accuracy = closure;
    real *probability = allocate(s->test.n * CLASSES, sizeof *probability);
    for (int tenths = 0; tenths < REMOVALS; tenths++) {
        dropout_set_rate(net, tenths / 10.0);
        accuracy[tenths] = 0;
        for (uint64_t k = 0; k < THINNED_NETWORKS; k++) {
            const context thinned = {THINNED, 1, k};
            predict(net, &thinned, s->test, probability);
            accuracy[tenths] += 100 * score_of(probability, s->test).accuracy / THINNED_NETWORKS;
        }
    }
    free(probability);
}

static look_fn *look; /* NULL: only training is watched */

static void run_job(int job, char *done, size_t room)
{
    const int r = job % n_rows, s = job / n_rows;
    history *h = &histories[r][s];
    watch_variant(&rows[r].set, &images_of, &rows[r].v, (uint64_t)s + 1, h, look, removed[r][s]);
    snprintf(done, room, "seed %d, %s: loss %.3f, accuracy %.1f %%", s + 1, rows[r].name, h->test.loss,
             100 * h->test.accuracy);
}

/* ---- Numbers of a run ---- */

typedef double number_fn(const row *r, const history *h);

static double test_accuracy(const row *r, const history *h)
{
    (void)r;
    return 100 * h->test.accuracy;
}

static double test_loss(const row *r, const history *h)
{
    (void)r;
    return h->test.loss;
}

static double best_epoch(const row *r, const history *h)
{
    (void)r;
    return h->best + 1;
}

static double best_held_loss(const row *r, const history *h)
{
    (void)r;
    return h->held[h->best].loss;
}

static double end_held_loss(const row *r, const history *h)
{
    return h->held[r->set.epochs - 1].loss;
}

/* How much the held-out loss jumps from one epoch to the next, in the second half. */
static double jumps(const row *r, const history *h)
{
    const int half = r->set.epochs / 2;
    double sum = 0;
    for (int e = half; e < r->set.epochs; e++)
        sum += fabs(h->held[e].loss - h->held[e - 1].loss) / (r->set.epochs - half);
    return sum;
}

/* ---- Tables ---- */

/* A cell: mean and standard error of a value for each seed. */
static void print_mean(int digits, const double *values)
{
    const summary all = summarise(values, n_seeds);
    printf(" %.*f +- %.*f |", digits, all.mean, digits, all.deviation / sqrt(n_seeds));
}

static void print_number(int r, int digits, number_fn *number)
{
    double values[MAX_SEEDS];
    for (int s = 0; s < n_seeds; s++)
        values[s] = number(&rows[r], &histories[r][s]);
    print_mean(digits, values);
}

/* The epoch in which the held-out loss first was that low, if it was for every seed. */
static void print_epoch_of(int r, double loss)
{
    double epoch[MAX_SEEDS];
    int reached = 0;
    for (int s = 0; s < n_seeds; s++) {
        int e = 0;
        while (e < rows[r].set.epochs && histories[r][s].held[e].loss > loss)
            e++;
        reached += e < rows[r].set.epochs;
        epoch[s] = e + 1;
    }
    if (reached == n_seeds)
        print_mean(1, epoch);
    else
        printf(" %s |", reached == 0 ? "never" : "not always");
}

static void print_results(int r)
{
    print_number(r, 3, best_held_loss);
    print_number(r, 1, best_epoch);
    print_number(r, 3, end_held_loss);
    print_number(r, 3, test_loss);
    print_number(r, 2, test_accuracy);
    printf("\n");
}

static const char *const result_columns =
    "lowest held-out loss | in epoch | held-out loss in the end | loss | accuracy, %";

/* ---- Studies ---- */

static void make_width(void)
{
    static const size_t widths[] = {32, 128, 512};
    static const double p[] = {0, 0.25, 0.5, 0.75};
    for (int i = 0; i < 12; i++) {
        row *r = add_row("perceptron", p[i % 4], 0);
        r->v.width = widths[i / 4];
        r->set.epochs = 60;
        snprintf(r->name, sizeof r->name, "%zu | %g", r->v.width, r->v.p);
    }
}

static void report_width(void)
{
    printf("Perceptrons, 2,000 images, 60 epochs; p of the hidden layers. The first epoch whose held-out\n"
           "loss is at most:\n\n"
           "| width | p | 0.7 | 0.6 | 0.5 | %s |\n|---|---|---|---|---|---|---|---|---|---|\n",
           result_columns);
    for (int r = 0; r < n_rows; r++) {
        printf("| %s |", rows[r].name);
        print_epoch_of(r, 0.7);
        print_epoch_of(r, 0.6);
        print_epoch_of(r, 0.5);
        print_results(r);
    }
}

static void make_rates(void)
{
    static const double inputs[] = {0, 0.1, 0.2, 0.4}, hidden[] = {0, 0.2, 0.4, 0.6, 0.8};
    static const double convolutional[] = {0, 0.1, 0.25, 0.5, 0.6, 0.7};
    for (int i = 0; i < 4; i++)
        snprintf(add_row("perceptron", 0.4, inputs[i])->name, sizeof rows->name,
                 "inputs (hidden layers: 0.4) | %g", inputs[i]);
    for (int i = 0; i < 5; i++)
        snprintf(add_row("perceptron", hidden[i], 0)->name, sizeof rows->name, "hidden layers | %g",
                 hidden[i]);
    for (int i = 0; i < 6; i++) {
        row *r = add_row("convolutional", convolutional[i], 0);
        r->set.train = 1000;
        r->set.epochs = 30;
        r->set.batch = 20;
        r->set.learning_rate = 0.003;
        snprintf(r->name, sizeof r->name, "convolutional layers | %g", convolutional[i]);
    }
}

static void report_rates(void)
{
    printf("Perceptrons of width 256, 2,000 images, 50 epochs; and a convolutional network, 1,000\n"
           "images, 30 epochs.\n\n| dropout of | p | %s |\n|---|---|---|---|---|---|---|\n",
           result_columns);
    for (int r = 0; r < n_rows; r++) {
        printf("| %s |", rows[r].name);
        print_results(r);
    }
}

static void make_batches(void)
{
    static const int sizes[] = {10, 30, 100};
    for (int i = 0; i < 6; i++) {
        row *r = add_row("perceptron", i % 2 == 0 ? 0 : 0.5, 0);
        r->set.batch = sizes[i / 2];
        r->set.epochs = 20;
        snprintf(r->name, sizeof r->name, "%d | %g", r->set.batch, r->v.p);
    }
}

static void report_batches(void)
{
    printf("Perceptrons of width 256, 2,000 images, 20 epochs. By how much the held-out loss jumps\n"
           "from epoch to epoch in the second half, and what comes out:\n\n"
           "| batch | p | jumps | %s |\n|---|---|---|---|---|---|---|---|\n",
           result_columns);
    for (int r = 0; r < n_rows; r++) {
        printf("| %s |", rows[r].name);
        print_number(r, 4, jumps);
        print_results(r);
    }
}

static void make_removal(void)
{
    static const double p[] = {0, 0.25, 0.5};
    for (int i = 0; i < 3; i++)
        snprintf(add_row("perceptron", p[i], 0)->name, sizeof rows->name, "%g", p[i]);
    look = remove_units;
}

static void report_removal(void)
{
    printf("Perceptrons of width 256, 2,000 images, 50 epochs. Accuracy, %%, when a share of the hidden\n"
           "units, chosen at random, is removed from the trained network and the others are scaled to make\n"
           "up for it; mean of %d choices:\n\n| trained with p |",
           THINNED_NETWORKS);
    for (int k = 0; k < REMOVALS; k++)
        printf(" %d %% |", 10 * k);
    printf("\n|---");
    for (int k = 0; k < REMOVALS; k++)
        printf("|---");
    printf("|\n");
    for (int r = 0; r < n_rows; r++) {
        printf("| %s |", rows[r].name);
        for (int k = 0; k < REMOVALS; k++) {
            double values[MAX_SEEDS];
            for (int s = 0; s < n_seeds; s++)
                values[s] = removed[r][s][k];
            print_mean(1, values);
        }
        printf("\n");
    }
}

static const struct study {
    const char *name;
    void (*make)(void), (*report)(void);
} studies[] = {
    {"width", make_width, report_width},
    {"rates", make_rates, report_rates},
    {"batches", make_batches, report_batches},
    {"removal", make_removal, report_removal},
};

/* ---- Arguments ---- */

static int epochs; /* of all rows, to try the program; 0: as each says */

static const int_option int_options[] = {
    {"--seeds", &n_seeds, 1, MAX_SEEDS},
    {"--threads", &n_threads, 1, MAX_THREADS},
    {"--epochs", &epochs, 2, MAX_EPOCHS},
};

enum { N_INT_OPTIONS = sizeof int_options / sizeof int_options[0] };

static int usage(void)
{
    fprintf(stderr, "usage: study --fashion FOLDER --study width|rates|batches|removal [--seeds N]\n"
                    "             [--threads N] [--epochs N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const struct study *chosen = NULL;
    for (int i = 1; i < argc; i += 2) {
        bool good = i + 1 < argc;
        if (good && strcmp(argv[i], "--study") == 0) {
            for (size_t k = 0; k < sizeof studies / sizeof studies[0]; k++)
                chosen = strcmp(argv[i + 1], studies[k].name) == 0 ? &studies[k] : chosen;
            good = chosen != NULL;
        } else if (good) {
            good = (strcmp(argv[i], "--digits") != 0 && read_source(&from, argv[i], argv[i + 1])) ||
                   read_int(int_options, N_INT_OPTIONS, argv[i], argv[i + 1]);
        }
        if (!good) {
            fprintf(stderr, "study: bad option or value: %s\n", argv[i]);
            return usage();
        }
    }
    if (chosen == NULL || from.path == NULL)
        return usage();
    if (!source_read(&from, &images_of) || !enough_images("study", 2000, &images_of))
        return 1;
    chosen->make();
    for (int r = 0; r < n_rows; r++)
        rows[r].set.epochs = epochs != 0 ? epochs : rows[r].set.epochs;
    products_begin();
    jobs_run(n_rows * n_seeds, n_threads, run_job, stderr);
    printf("Mean and standard error over %d seeds.\n", n_seeds);
    chosen->report();
    dataset_free(&images_of);
    return 0;
}
