/*
 * Compares the variants of dropout, and what else is done against overfitting, where they belong: trains
 * small networks of five kinds on few images, for several seeds, and prints a table.
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

enum { MAX_VARIANTS = 64 };

static settings set = {.train = 200, .epochs = 100, .batch = 20, .learning_rate = 0.003};
static int n_seeds = 10, first_seed = 1, n_threads = 2;

static source from;
static dataset images_of;

/* The variants that are tried, and what comes out. */
static variant chosen[MAX_VARIANTS];
static int n_chosen;
static result results[MAX_VARIANTS][MAX_SEEDS];

/* Switches for all variants, besides their own. */
static double more_l1, more_l2;
static bool stop_early;

/* The rates of concrete dropout are watched for a small set, that of --train, and for a large one. */
enum { SETS = 2, LARGE = 1500 };

static const char *rates_path; /* NULL: they are not watched */
static rates learned[SETS][MAX_SEEDS];

static size_t set_size(int which)
{
    return which == 0 ? (size_t)set.train : images_of.pool.n < LARGE ? images_of.pool.n : LARGE;
}

/* Tries of variants first, then, if they are watched, rates. */
static void run_job(int job, char *done, size_t room)
{
    const int n_tries = n_chosen * n_seeds;
    if (job < n_tries) {
        const int v = job % n_chosen, s = job / n_chosen;
        results[v][s] = try_variant(&set, &images_of, &chosen[v], (uint64_t)(first_seed + s));
        snprintf(done, room, "seed %d, %s, %s: accuracy %.4f", first_seed + s, chosen[v].network,
                 chosen[v].name, results[v][s].test.accuracy);
    } else {
        const int which = (job - n_tries) % SETS, s = (job - n_tries) / SETS;
        watch_rates(&set, &images_of, set_size(which), (uint64_t)(first_seed + s), learned[which][s]);
        snprintf(done, room, "seed %d, rates learned from %zu images", first_seed + s, set_size(which));
    }
}

/* ---- Report ---- */

/* The variant that this one is compared with: the first of its network. */
static int baseline_of(int v)
{
    int b = v;
    while (b > 0 && strcmp(chosen[b - 1].network, chosen[v].network) == 0)
        b--;
    return b;
}

static void print_table(FILE *table)
{
    printf("%s, %d images to learn from; %d epochs of Adam, batches of %d; judged by %s;\n"
           "mean and standard deviation over %d seeds. Difference: against the first variant of the network\n"
           "with the same seed (images, first weights), with its standard error. Early stopping: a fifth of\n"
           "the images is only watched, and the learning rate, which falls to 0, is still high.\n\n",
           images_of.name, set.train, set.epochs, set.batch,
           set.validate || images_of.test.n == 0 ? "images held out" : "the part to test with", n_seeds);
    if (more_l1 > 0 || more_l2 > 0 || stop_early)
        printf("In all rows, besides: L1 %g, L2 %g%s.\n\n", more_l1, more_l2,
               stop_early ? ", early stopping" : "");
    printf("| network | variant | train accuracy, %% | accuracy, %% | loss | difference, points | better |\n"
           "|---|---|---|---|---|---|---|\n");
    int n_networks = 0;
    for (int v = 0; v < n_chosen; v++) {
        const int b = baseline_of(v);
        n_networks += v == b;
        double train[MAX_SEEDS], test[MAX_SEEDS], loss[MAX_SEEDS], difference[MAX_SEEDS];
        int better = 0;
        for (int s = 0; s < n_seeds; s++) {
            train[s] = 100 * results[v][s].train.accuracy;
            test[s] = 100 * results[v][s].test.accuracy;
            loss[s] = results[v][s].test.loss;
            difference[s] = test[s] - 100 * results[b][s].test.accuracy;
            better += difference[s] > 0;
        }
        const summary t = summarise(train, n_seeds), a = summarise(test, n_seeds);
        const summary l = summarise(loss, n_seeds), d = summarise(difference, n_seeds);
        const double error = d.deviation / sqrt(n_seeds);
        printf("| %s | %s | %.2f +- %.2f | %.2f +- %.2f | %.3f +- %.3f |", chosen[v].network, chosen[v].name,
               t.mean, t.deviation, a.mean, a.deviation, l.mean, l.deviation);
        if (v != b)
            printf(" %+.2f +- %.2f | %d of %d |\n", d.mean, error, better, n_seeds);
        else
            printf(" | |\n");
        if (table != NULL)
            fprintf(table, "%d\t%s: %s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", n_networks, chosen[v].network,
                    chosen[v].name, t.mean, t.deviation, a.mean, a.deviation, d.mean, error);
    }
}

/* What dropout does to the variance that batch normalisation relies on. */
static void print_shifts(void)
{
    bool first = true;
    for (int v = 0; v < n_chosen; v++) {
        const size_t n = results[v][0].n_shifts;
        if (n == 0)
            continue;
        if (first)
            printf("\nVariance of what each layer of batch normalisation is given at inference, to the one\n"
                   "that it found in training, over the images that were learned from:\n\n"
                   "| network | variant | first layer | second |\n|---|---|---|---|\n");
        first = false;
        printf("| %s | %s |", chosen[v].network, chosen[v].name);
        for (size_t k = 0; k < n; k++) {
            double shift[MAX_SEEDS];
            for (int s = 0; s < n_seeds; s++)
                shift[s] = results[v][s].shift[k];
            const summary all = summarise(shift, n_seeds);
            printf(" %.3f +- %.3f |", all.mean, all.deviation);
        }
        printf("\n");
    }
}

static summary rate(int which, int point, int r)
{
    double p[MAX_SEEDS];
    for (int s = 0; s < n_seeds; s++)
        p[s] = learned[which][s][point][r];
    return summarise(p, n_seeds);
}

/* The rates at the end, on the screen, and all of them, for a plot. */
static void print_rates(FILE *out)
{
    static const char *const names[RATES] = {"inputs", "first hidden layer", "second hidden layer"};
    printf("\nConcrete dropout in the perceptron: p after %d steps from p = 0.5, mean and standard\n"
           "deviation over %d seeds.\n\n",
           (POINTS - 1) * STEPS_BETWEEN, n_seeds);
    printf("| p of | %zu images | %zu images |\n|---|---|---|\n", set_size(0), set_size(1));
    for (int r = 0; r < RATES; r++) {
        const summary few = rate(0, POINTS - 1, r), many = rate(1, POINTS - 1, r);
        printf("| %s | %.3f +- %.3f | %.3f +- %.3f |\n", names[r], few.mean, few.deviation, many.mean,
               many.deviation);
    }
    fprintf(out, "# step, then mean and deviation of p of inputs and hidden layers, for %zu and %zu images\n",
            set_size(0), set_size(1));
    for (int point = 0; point < POINTS; point++) {
        fprintf(out, "%d", point * STEPS_BETWEEN);
        for (int i = 0; i < SETS * RATES; i++) {
            const summary p = rate(i / RATES, point, i % RATES);
            fprintf(out, "\t%.5f\t%.5f", p.mean, p.deviation);
        }
        fprintf(out, "\n");
    }
}

/* ---- Arguments ---- */

/* Those of a network; NULL: all. */
static void choose_variants(const char *only)
{
    for (size_t i = 0; i < n_variants && n_chosen < MAX_VARIANTS; i++) {
        if (only != NULL && strcmp(only, variants[i].network) != 0)
            continue;
        if (variants[i].augment.flips && !from.fashion)
            continue; /* the mirror image of a digit is none */
        if (!variant_available(&variants[i])) {
            fprintf(stderr, "left out, as it needs functions of SLEEF: %s, %s\n", variants[i].network,
                    variants[i].name);
            continue;
        }
        variant *v = &chosen[n_chosen++];
        *v = variants[i];
        v->l1 += more_l1;
        v->l2 += more_l2;
        v->early_stopping |= stop_early;
    }
}

static const int_option int_options[] = {
    {"--seeds", &n_seeds, 1, MAX_SEEDS},   {"--first-seed", &first_seed, 1, 1000000},
    {"--epochs", &set.epochs, 1, 100000},  {"--train", &set.train, 5, MAX_IMAGES},
    {"--batch", &set.batch, 1, MAX_BATCH}, {"--threads", &n_threads, 1, MAX_THREADS},
};

enum { N_INT_OPTIONS = sizeof int_options / sizeof int_options[0] };

static int usage(void)
{
    fprintf(stderr, "usage: variants --digits FILE.csv | --fashion FOLDER [--network NAME] [--seeds N]\n"
                    "                [--first-seed N] [--validate] [--epochs N] [--train N] [--batch N]\n"
                    "                [--threads N] [--table FILE] [--rates FILE]\n"
                    "       for all variants, besides their own: [--l1 X] [--l2 X] [--early-stopping]\n");
    return 2;
}

/* Nothing if path is NULL. */
static bool open_for_writing(const char *path, FILE **out)
{
    if (path != NULL && (*out = fopen(path, "w")) == NULL) {
        fprintf(stderr, "variants: cannot write %s\n", path);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *table_path = NULL, *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--early-stopping") == 0 || strcmp(argv[i], "--validate") == 0) {
            *(argv[i][2] == 'e' ? &stop_early : &set.validate) = true;
            continue;
        }
        const char *name = argv[i], *value = ++i < argc ? argv[i] : NULL;
        bool good = value != NULL;
        if (good && strcmp(name, "--table") == 0)
            table_path = value;
        else if (good && strcmp(name, "--rates") == 0)
            rates_path = value;
        else if (good && strcmp(name, "--network") == 0)
            only = value;
        else if (good && strcmp(name, "--l1") == 0)
            good = read_real(0, 1e6, value, &more_l1);
        else if (good && strcmp(name, "--l2") == 0)
            good = read_real(0, 1e6, value, &more_l2);
        else if (good)
            good = read_source(&from, name, value) || read_int(int_options, N_INT_OPTIONS, name, value);
        if (!good) {
            fprintf(stderr, "variants: bad option or value: %s\n", name);
            return usage();
        }
    }
    if (from.path == NULL)
        return usage();
    if (!source_read(&from, &images_of) || !enough_images("variants", set.train, &images_of))
        return 1;
    if (rates_path != NULL && !variant_available(concrete_variant())) {
        fprintf(stderr, "left out, as it needs functions of SLEEF: the rates of concrete dropout\n");
        rates_path = NULL;
    }
    set.held = (int)usually_held(&images_of);
    choose_variants(only);
    if (n_chosen == 0) {
        fprintf(stderr, "variants: no network is called %s, or none of its variants can be run\n", only);
        return usage();
    }
    FILE *table = NULL, *rates_out = NULL;
    if (!open_for_writing(table_path, &table) || !open_for_writing(rates_path, &rates_out))
        return 1;
    products_begin();
    jobs_run((n_chosen + (rates_path != NULL ? SETS : 0)) * n_seeds, n_threads, run_job, stderr);
    print_table(table);
    print_shifts();
    if (rates_path != NULL)
        print_rates(rates_out);
    if ((table != NULL && fclose(table) != 0) || (rates_out != NULL && fclose(rates_out) != 0)) {
        fprintf(stderr, "variants: cannot write what is for plots\n");
        return 1;
    }
    dataset_free(&images_of);
    return 0;
}
