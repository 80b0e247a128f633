/*
 * Checks the gradients of all networks, in all variants, against central differences, in double precision.
 * Seed and step stay the same, so each pass draws the same masks.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

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
        for (size_t j = 0; j < PIXELS; j++)
            x[i][j] = (real)(noise_next(&noise) >> 40) * (real)0x1p-24;
    }
    double worst = 0;
    for (size_t k = 0; k < net.n_parameters; k++)
        worst = fmax(worst, check_parameter(&net, &net.parameter[k], x[0], labels, &noise));
    const bool good = worst < 1e-5;
    printf("%-16s %-32s %2zu parameters, largest error %.1e%s\n", v->network, v->name, net.n_parameters,
           worst, good ? "" : "  WRONG");
    network_free(&net);
    return good;
}

int main(void)
{
    products_begin();
    int wrong = 0;
    for (size_t i = 0; i < n_variants; i++)
        wrong += variant_available(&variants[i]) && !check(&variants[i]);
    return wrong != 0;
}
