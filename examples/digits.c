/*
 * Learns hand-written digits from few examples, with and without dropout, for several seeds: does dropout
 * help a network that overfits? Prints a table, and the curves of training for a plot.
 */
#include <dropwise.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "digits_data.h"
#include "jobs.h"
#include "mlp.h"
#include "noise.h"
#include "summary.h"

enum { MAX_SEEDS = 64, MAX_EPOCHS = 2000, VARIANTS = 3 };

/* ---- Data ---- */

static float pixels[MAX_DIGITS][PIXELS];
static int labels[MAX_DIGITS];
static size_t n_digits;

/* ---- Runs ---- */

typedef struct settings {
    int seeds, epochs, train, hidden, batch, threads;
    double p, input_p;
} settings;

static settings set = {.seeds = 10, .epochs = 60, .train = 200, .hidden = 512, .batch = 20,
                       .threads = 2, .p = 0.5, .input_p = 0.2};

typedef struct variant {
    char name[64];
    double hidden_p, input_p;
} variant;

static variant variants[VARIANTS];

/* Accuracies and losses after each epoch. */
typedef struct curve {
    double train[MAX_EPOCHS], held[MAX_EPOCHS], train_loss[MAX_EPOCHS], held_loss[MAX_EPOCHS];
    double train_seconds, dropout_seconds;
    bool failed;
} curve;

static curve curves[VARIANTS][MAX_SEEDS];

/* The seed decides on the split, the weights, the order of the digits, and the masks. */
static void run(const variant *v, uint64_t seed, curve *result)
{
    const size_t n_train = (size_t)set.train, n_held = n_digits - n_train;
    const size_t batch = (size_t)set.batch;
    size_t *order = malloc(n_digits * sizeof *order);
    float(*x)[PIXELS] = malloc(n_digits * sizeof *x);
    float(*batch_x)[PIXELS] = malloc(batch * sizeof *batch_x);
    int *y = malloc(n_digits * sizeof *y), *batch_y = malloc(batch * sizeof *batch_y);
    mlp net;
    const bool ok = order && x && batch_x && y && batch_y &&
                    mlp_init(&net, PIXELS, (size_t)set.hidden, CLASSES, 100 > batch ? 100 : batch,
                             v->input_p, v->hidden_p, seed);
    result->failed = !ok;
    if (ok) {
        uint64_t noise = seed * 1000 + 1;
        digits_shuffle((const float(*)[PIXELS])pixels, labels, n_digits, order, &noise, x, y);
        for (size_t i = 0; i < n_train; i++)
            order[i] = i;
        for (int epoch = 0; epoch < set.epochs; epoch++) {
            const double start = mlp_seconds();
            noise_shuffle(order, n_train, &noise);
            for (size_t done = 0; done < n_train; done += batch) {
                const size_t n = n_train - done < batch ? n_train - done : batch;
                for (size_t i = 0; i < n; i++) {
                    memcpy(batch_x[i], x[order[done + i]], sizeof batch_x[i]);
                    batch_y[i] = y[order[done + i]];
                }
                mlp_train(&net, batch_x[0], batch_y, n, 0.001f);
            }
            result->train_seconds += mlp_seconds() - start;
            double loss;
            result->train[epoch] = (double)mlp_evaluate(&net, x[0], y, n_train, &loss) / (double)n_train;
            result->train_loss[epoch] = loss / (double)n_train;
            result->held[epoch] =
                (double)mlp_evaluate(&net, x[n_train], y + n_train, n_held, &loss) / (double)n_held;
            result->held_loss[epoch] = loss / (double)n_held;
        }
        result->dropout_seconds = net.dropout_seconds;
        mlp_free(&net);
    }
    free(order);
    free(x);
    free(batch_x);
    free(y);
    free(batch_y);
}

static void run_job(int job, char *done, size_t room)
{
    const int v = job % VARIANTS, s = job / VARIANTS;
    curve *c = &curves[v][s];
    run(&variants[v], (uint64_t)s + 1, c);
    snprintf(done, room, "seed %d, %-34s held-out accuracy %.4f, %4.1f s", s + 1, variants[v].name,
             c->held[set.epochs - 1], c->train_seconds);
}

/* ---- Report ---- */

static void print_table(void)
{
    printf("\n%d training digits, %zu held out; two hidden layers of %d; %d epochs of Adam; mean and "
           "standard\ndeviation over %d seeds, after the last epoch; tier %s\n\n",
           set.train, n_digits - (size_t)set.train, set.hidden, set.epochs, set.seeds,
           dropwise_isa_name(dropwise_isa_active()));
    printf("%-34s %-15s %-15s %-15s %s\n", "", "train accuracy", "held-out", "gap",
           "time in dropout");
    for (int v = 0; v < VARIANTS; v++) {
        double train[MAX_SEEDS], held[MAX_SEEDS], gap[MAX_SEEDS], in_dropout = 0, in_training = 0;
        for (int s = 0; s < set.seeds; s++) {
            train[s] = curves[v][s].train[set.epochs - 1];
            held[s] = curves[v][s].held[set.epochs - 1];
            gap[s] = train[s] - held[s];
            in_dropout += curves[v][s].dropout_seconds;
            in_training += curves[v][s].train_seconds;
        }
        const summary t = summarise(train, set.seeds), h = summarise(held, set.seeds);
        const summary g = summarise(gap, set.seeds);
        printf("%-34s %.4f +- %.4f %.4f +- %.4f %.4f +- %.4f %5.2f %%\n", variants[v].name, t.mean,
               t.deviation, h.mean, h.deviation, g.mean, g.deviation, 100 * in_dropout / in_training);
    }
    printf("\n");
    for (int v = 1; v < VARIANTS; v++) {
        /* Same seed, same split and weights: the differences are paired. */
        double difference[MAX_SEEDS];
        int better = 0;
        for (int s = 0; s < set.seeds; s++) {
            difference[s] = curves[v][s].held[set.epochs - 1] - curves[0][s].held[set.epochs - 1];
            better += difference[s] > 0;
        }
        const summary d = summarise(difference, set.seeds);
        printf("%s: held-out accuracy %+.4f against no dropout (standard error %.4f), better for %d of "
               "%d seeds\n", variants[v].name, d.mean, d.deviation / sqrt(set.seeds), better, set.seeds);
    }
}

/* Epoch, then for each variant the means over seeds: train and held-out accuracy, train and held-out loss. */
static bool write_curves(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return false;
    fprintf(out, "# epoch");
    for (int v = 0; v < VARIANTS; v++)
        fprintf(out, "\t%s: train accuracy\theld-out accuracy\ttrain loss\theld-out loss",
                variants[v].name);
    for (int e = 0; e < set.epochs; e++) {
        fprintf(out, "\n%d", e + 1);
        for (int v = 0; v < VARIANTS; v++) {
            double sum[4] = {0};
            for (int s = 0; s < set.seeds; s++) {
                const curve *c = &curves[v][s];
                sum[0] += c->train[e];
                sum[1] += c->held[e];
                sum[2] += c->train_loss[e];
                sum[3] += c->held_loss[e];
            }
            for (int k = 0; k < 4; k++)
                fprintf(out, "\t%.6f", sum[k] / set.seeds);
        }
    }
    fprintf(out, "\n");
    return fclose(out) == 0;
}

/* ---- Gradients ---- */

/* Analytic gradients against central differences, with dropout: the same step draws the same masks. */
static int check_gradients(void)
{
    enum { IN = 12, HIDDEN = 16, BATCH = 8, SAMPLES = 200 };
    mlp net;
    if (!mlp_init(&net, IN, HIDDEN, CLASSES, BATCH, 0.2, 0.5, 7))
        return 1;
    uint64_t noise = 1;
    float x[BATCH][IN];
    int y[BATCH];
    for (int i = 0; i < BATCH; i++) {
        y[i] = (int)(noise_next(&noise) % CLASSES);
        for (int j = 0; j < IN; j++)
            x[i][j] = (float)(noise_next(&noise) >> 40) * 0x1p-24f;
    }
    int wrong = 0, nonzero = 0;
    for (int k = 0; k < SAMPLES; k++) {
        const int l = k % MLP_LAYERS;
        mlp_layer *layer = &net.layer[l];
        const bool bias = k % 5 == 0;
        const size_t i = noise_next(&noise) % (bias ? layer->out : layer->in * layer->out);
        float *w = bias ? &layer->b[i] : &layer->w[i];
        const float before = *w, h = 1e-2f;
        mlp_gradient(&net, x[0], y, BATCH);
        const double analytic = (double)(bias ? layer->db[i] : layer->dw[i]);
        *w = before + h;
        const double up = mlp_gradient(&net, x[0], y, BATCH);
        *w = before - h;
        const double down = mlp_gradient(&net, x[0], y, BATCH);
        *w = before;
        const double numeric = (up - down) / (2 * (double)h);
        nonzero += fabs(analytic) > 1e-3;
        /* A ReLU that switches between the two ends is a kink: a few outliers are allowed below. */
        if (fabs(analytic - numeric) > 1e-3 + 0.02 * fabs(analytic))
            wrong++;
    }
    mlp_free(&net);
    printf("%d gradients, %d of them not small, %d differ from central differences\n", SAMPLES, nonzero,
           wrong);
    return nonzero < SAMPLES / 4 || wrong > SAMPLES / 20;
}

/* ---- Arguments ---- */

static const int_option int_options[] = {
    {"--seeds", &set.seeds, 1, MAX_SEEDS},    {"--epochs", &set.epochs, 1, MAX_EPOCHS},
    {"--train", &set.train, 1, MAX_DIGITS},   {"--hidden", &set.hidden, 1, 4096},
    {"--batch", &set.batch, 1, MAX_DIGITS},   {"--threads", &set.threads, 1, MAX_THREADS},
};

enum { N_INT_OPTIONS = sizeof int_options / sizeof int_options[0] };

static bool read_probability(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    dropwise_mask mask;
    return end != text && *end == '\0' && *out < 1 &&
           dropwise_mask_init(&mask, *out, 0, 0) == DROPWISE_OK;
}

static int usage(void)
{
    fprintf(stderr, "usage: digits --data FILE.csv [--seeds N] [--epochs N] [--train N] [--hidden N]\n"
                    "              [--batch N] [--p P] [--input-p P] [--threads N] [--curves FILE]\n"
                    "       digits --check-gradients\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *data = NULL, *curves_path = NULL;
    if (argc == 2 && strcmp(argv[1], "--check-gradients") == 0)
        return check_gradients();
    for (int i = 1; i < argc; i += 2) {
        bool good = i + 1 < argc;
        if (good && strcmp(argv[i], "--data") == 0)
            data = argv[i + 1];
        else if (good && strcmp(argv[i], "--curves") == 0)
            curves_path = argv[i + 1];
        else if (good && strcmp(argv[i], "--p") == 0)
            good = read_probability(argv[i + 1], &set.p);
        else if (good && strcmp(argv[i], "--input-p") == 0)
            good = read_probability(argv[i + 1], &set.input_p);
        else if (good)
            good = read_int(int_options, N_INT_OPTIONS, argv[i], argv[i + 1]);
        if (!good) {
            fprintf(stderr, "digits: bad option or value: %s\n", argv[i]);
            return usage();
        }
    }
    if (data == NULL)
        return usage();
    n_digits = digits_read(data, pixels, labels);
    if (n_digits == 0)
        return 1;
    if ((size_t)set.train >= n_digits) {
        fprintf(stderr, "digits: --train %d leaves none of %zu digits to test with\n", set.train,
                n_digits);
        return 1;
    }

    snprintf(variants[0].name, sizeof variants[0].name, "no dropout");
    variants[1].hidden_p = variants[2].hidden_p = set.p;
    snprintf(variants[1].name, sizeof variants[1].name, "hidden units p = %g", set.p);
    variants[2].input_p = set.input_p;
    snprintf(variants[2].name, sizeof variants[2].name, "hidden p = %g, inputs p = %g", set.p,
             set.input_p);

    jobs_run(VARIANTS * set.seeds, set.threads, run_job, stdout);
    for (int v = 0; v < VARIANTS; v++) {
        for (int s = 0; s < set.seeds; s++) {
            if (curves[v][s].failed) {
                fprintf(stderr, "digits: out of memory\n");
                return 1;
            }
        }
    }
    print_table();
    if (curves_path != NULL && !write_curves(curves_path)) {
        fprintf(stderr, "digits: cannot write %s\n", curves_path);
        return 1;
    }
    return 0;
}
