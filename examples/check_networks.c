/*
 * Checks the networks, in double precision: the gradients of all variants against central differences (seed
 * and step stay the same, so each pass draws the same masks); thinned networks; batch normalisation at
 * inference; what is told of the best epoch; and data augmentation.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/experiment.h"
#include "networks/layers.h"
#include "networks/networks.h"
#include "networks/noise.h"

enum { SAMPLES = 6, SIDE = 8, PIXELS = SIDE * SIDE };

/*
 * Moves all numbers of a parameter together, by h, up or down at random: the loss has to change by as much as
 * the gradient says. The relative error.
 */
static double check_parameter(network *net, parameter *p, const real *x, const int *labels, uint64_t *noise)
{
    const context pass = {TRAINING, 7, 3};
    const double h = 1e-6;
    real *before = network_allocate(net, p->n, sizeof *before);
    real *direction = network_allocate(net, p->n, sizeof *direction);
    network_gradient(net, &pass, SAMPLES, x, labels);
    double analytic = 0, loss[2];
    for (size_t i = 0; i < p->n; i++) {
        before[i] = p->value[i];
        direction[i] = noise_next(noise) % 2 == 0 ? 1 : -1;
        analytic += (double)(p->gradient[i] * direction[i]);
    }
    for (int up = 0; up < 2; up++) {
        for (size_t i = 0; i < p->n; i++)
            p->value[i] = before[i] + (real)(up ? h : -h) * direction[i];
        loss[up] = network_gradient(net, &pass, SAMPLES, x, labels);
    }
    memcpy(p->value, before, p->n * sizeof *before);
    return analytic == 0 ? 1 : fabs((loss[1] - loss[0]) / (2 * h) - analytic) / (1e-2 + fabs(analytic));
}

static void fill(real *x, size_t n, uint64_t *noise)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (real)(noise_next(noise) >> 40) * (real)0x1p-24;
}

/* True if all is well. */
static bool check(const variant *v)
{
    network net;
    network_build(&net, v, SIDE, 100, 1);
    uint64_t noise = 2;
    real x[SAMPLES][PIXELS];
    int labels[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int)(noise_next(&noise) % CLASSES);
        fill(x[i], PIXELS, &noise);
    }
    /* Where all that a unit reads is dropped, it is its bias: which, if it is 0, is the kink of a ReLU. */
    for (size_t k = 0; k < net.n_parameters; k++)
        for (size_t i = 0; i < net.parameter[k].n; i++)
            net.parameter[k].value[i] += (real)(0.01 * noise_normal(&noise));
    double worst = 0;
    for (size_t k = 0; k < net.n_parameters; k++)
        worst = fmax(worst, check_parameter(&net, &net.parameter[k], x[0], labels, &noise));
    const bool good = worst < 1e-5;
    printf("%-16s %-34s %2zu parameters, largest error %.1e%s\n", v->network, v->name, net.n_parameters,
           worst, good ? "" : "  WRONG");
    network_free(&net);
    return good;
}

static bool report(const char *what, bool good)
{
    printf("%-51s%s\n", what, good ? "" : "  WRONG");
    return good;
}

/* Two copies of a sample: a thinned network treats them alike, another one differently; training draws masks
 * for each of them. */
static bool check_thinned(void)
{
    const variant v = {.network = "perceptron", .kind = STANDARD, .p = 0.5, .input_p = 0.2};
    const context passes[] = {{THINNED, 7, 0}, {THINNED, 7, 1}, {TRAINING, 7, 0}};
    real x[2][PIXELS], y[3][2][CLASSES];
    network net;
    network_build(&net, &v, SIDE, 100, 1);
    uint64_t noise = 2;
    fill(x[0], PIXELS, &noise);
    memcpy(x[1], x[0], sizeof x[1]);
    for (size_t k = 0; k < 3; k++)
        memcpy(y[k], network_forward(&net, &passes[k], 2, x[0]), sizeof y[k]);
    network_free(&net);
    const size_t row = sizeof y[0][0];
    return report("thinned networks",
                  memcmp(y[0][0], y[0][1], row) == 0 && memcmp(y[1][0], y[1][1], row) == 0 &&
                      memcmp(y[0], y[1], sizeof y[0]) != 0 && memcmp(y[2][0], y[2][1], row) != 0);
}

/*
 * At inference it is the running mean and the unbiased variance that count: when the batch {1, 3} has come
 * often, 2 and 2, which a batch of one leaves so. What comes then, 0 and 4, has a variance of 8.
 */
static bool check_batch_norm(void)
{
    const context training = {TRAINING, 7, 0}, inference = {INFERENCE, 0, 0};
    const real batch[] = {1, 3}, middle[] = {2}, wide[] = {0, 4};
    network net = {.memory = NULL};
    sequence_add(&net.layers, batch_norm_layer(&net, 1, 1));
    for (int k = 0; k < 400; k++)
        network_forward(&net, &training, 2, batch);
    network_forward(&net, &training, 1, middle);
    const real *y = network_forward(&net, &inference, 2, wide);
    const double far = 2 / sqrt(2 + 1e-5), wrong = fabs((double)y[0] + far) + fabs((double)y[1] - far);
    double shift = 0;
    const size_t n = batch_norm_shifts(&net, &shift);
    network_free(&net);
    return report("batch norm at inference", n == 1 && wrong < 1e-8 && fabs(shift - 4) < 1e-8);
}

/* Labels by chance are learned by heart, and the loss of others soon rises: the best epoch is early. */
static bool check_best_epoch(void)
{
    enum { IMAGES = 60, EPOCHS = 20 };
    unsigned char pixel[IMAGES * PIXELS], label[IMAGES];
    uint64_t noise = 2;
    for (size_t i = 0; i < sizeof pixel; i++)
        pixel[i] = (unsigned char)(noise_next(&noise) >> 56);
    for (size_t i = 0; i < IMAGES; i++)
        label[i] = (unsigned char)(noise_next(&noise) % CLASSES);
    const dataset d = {.pool = {pixel, label, IMAGES, SIDE, 255}};
    const variant v = {.network = "perceptron", .kind = NONE, .width = 32};
    const settings set = {.train = 40, .held = IMAGES, .epochs = EPOCHS, .batch = 10, .learning_rate = 0.01};
    static history h;
    watch_variant(&set, &d, &v, 1, &h, NULL, NULL);
    bool good = h.best < EPOCHS - 1 && h.best_test.loss == h.held[h.best].loss &&
                h.best_test.accuracy == h.held[h.best].accuracy && h.test.loss == h.held[EPOCHS - 1].loss;
    for (int e = 0; e < EPOCHS; e++)
        good = good && h.held[e].loss >= h.best_test.loss;
    return report("the best epoch", good);
}

/* Images with one pixel, one right of the middle, become images with one pixel up to one away from it. */
static bool check_augmentation(bool shifts, bool flips)
{
    enum { IMAGES = MAX_BATCH, ROW = 3, COLUMN = 4 }; /* the mirror image has it in column 3 */
    static real x[IMAGES][PIXELS];
    static int label[IMAGES];
    const variant v = {.network = "perceptron", .kind = NONE};
    for (size_t i = 0; i < IMAGES; i++)
        x[i][ROW * SIDE + COLUMN] = 1;
    const split parts = {.train = {x[0], label, IMAGES, SIDE}, .noise = 3};
    network net;
    network_build(&net, &v, SIDE, IMAGES, 1);
    trainer t = trainer_new(&net, &parts, 1, IMAGES, 0);
    t.steps = 1;
    t.augment = (augmentation){shifts, flips};
    trainer_steps(&t, 1);
    bool found[SIDE][SIDE] = {{false}}, good = true;
    for (size_t i = 0; i < IMAGES; i++) {
        real sum = 0;
        for (size_t j = 0; j < PIXELS; j++) {
            sum += t.x[i * PIXELS + j];
            found[j / SIDE][j % SIDE] |= t.x[i * PIXELS + j] != 0;
        }
        good = good && sum == 1;
    }
    network_free(&net);
    for (int r = 0; r < SIDE; r++) {
        for (int c = 0; c < SIDE; c++) {
            const int most = shifts ? 1 : 0, left = flips ? COLUMN - 1 : COLUMN;
            good = good && found[r][c] == (abs(r - ROW) <= most && c >= left - most && c <= COLUMN + most);
        }
    }
    return report(shifts ? flips ? "shifts and flips" : "shifts" : "flips", good);
}

int main(void)
{
    products_begin();
    int wrong = !check_thinned() + !check_batch_norm() + !check_best_epoch();
    for (int k = 1; k < 4; k++)
        wrong += !check_augmentation(k & 1, k & 2);
    for (size_t i = 0; i < n_variants; i++)
        wrong += variant_available(&variants[i]) && !check(&variants[i]);
    return wrong != 0;
}
