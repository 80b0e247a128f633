/*
 * Batch normalisation (S. Ioffe, C. Szegedy, ICML 2015), and what dropout before it does to it (X. Li et al.,
 * "Understanding the disharmony between dropout and batch normalization by variance shift", CVPR 2019).
 */
#include <math.h>

#include "layers.h"

typedef struct batch_norm {
    layer base;
    size_t rows, columns;     /* of a sample; each column is normalised over the rows of all samples */
    parameter *gain, *bias;   /* of each column                                                      */
    real *mean, *variance;    /* running, for inference                                              */
    real *normal, *deviation; /* of the last forward pass in training                               */
    double *sum, *squares;    /* of what came in at inference since then, for batch_norm_shifts      */
    size_t seen;              /* so many rows                                                        */
} batch_norm;

static const real small = (real)1e-5, momentum = (real)0.1;

static void train_column(batch_norm *l, size_t rows, const real *x, size_t j)
{
    double sum = 0, squares = 0;
    for (size_t r = 0; r < rows; r++)
        sum += (double)x[r * l->columns + j];
    const double mean = sum / (double)rows;
    for (size_t r = 0; r < rows; r++)
        squares += ((double)x[r * l->columns + j] - mean) * ((double)x[r * l->columns + j] - mean);
    l->mean[j] += momentum * ((real)mean - l->mean[j]);
    if (rows > 1) /* the unbiased estimate, which a single row has none of */
        l->variance[j] += momentum * ((real)(squares / (double)(rows - 1)) - l->variance[j]);
    l->deviation[j] = (real)sqrt(squares / (double)rows + (double)small);
    for (size_t r = 0; r < rows; r++) {
        const size_t i = r * l->columns + j;
        l->normal[i] = (x[i] - (real)mean) / l->deviation[j];
        l->base.y[i] = l->gain->value[j] * l->normal[i] + l->bias->value[j];
    }
    l->sum[j] = l->squares[j] = 0;
}

static void infer_column(batch_norm *l, size_t rows, const real *x, size_t j)
{
    const real scale = l->gain->value[j] / (real)sqrt((double)(l->variance[j] + small));
    for (size_t r = 0; r < rows; r++) {
        const size_t i = r * l->columns + j;
        l->base.y[i] = scale * (x[i] - l->mean[j]) + l->bias->value[j];
        l->sum[j] += (double)x[i];
        l->squares[j] += (double)x[i] * (double)x[i];
    }
}

static void batch_norm_forward(layer *base, const context *pass, size_t n, const real *x)
{
    batch_norm *l = (batch_norm *)base;
    const bool training = pass->kind == TRAINING;
    for (size_t j = 0; j < l->columns; j++)
        (training ? train_column : infer_column)(l, n * l->rows, x, j);
    l->seen = training ? 0 : l->seen + n * l->rows;
}

/* With g = dy gain: dx = (g - mean of g - normal * mean of (g normal)) / deviation, in each column. */
static void batch_norm_backward(layer *base, const context *pass, size_t n, const real *x, const real *dy)
{
    (void)pass;
    (void)x;
    const batch_norm *l = (const batch_norm *)base;
    const size_t rows = n * l->rows;
    for (size_t j = 0; j < l->columns; j++) {
        double sum = 0, along = 0;
        for (size_t i = j; i < rows * l->columns; i += l->columns) {
            sum += (double)dy[i];
            along += (double)(dy[i] * l->normal[i]);
        }
        l->bias->gradient[j] = (real)sum;
        l->gain->gradient[j] = (real)along;
        const real mean = (real)(sum / (double)rows), mean_along = (real)(along / (double)rows);
        for (size_t i = j; i < rows * l->columns; i += l->columns)
            base->dx[i] = l->gain->value[j] / l->deviation[j] * (dy[i] - mean - l->normal[i] * mean_along);
    }
}

layer *batch_norm_layer(network *net, size_t rows, size_t columns)
{
    batch_norm *l = layer_new(net, sizeof *l, rows * columns, rows * columns);
    l->base.forward = batch_norm_forward;
    l->base.backward = batch_norm_backward;
    l->rows = rows;
    l->columns = columns;
    l->gain = parameter_new(net, columns, 0, false);
    l->bias = parameter_new(net, columns, 0, false);
    l->mean = network_allocate(net, columns, sizeof(real));
    l->variance = network_allocate(net, columns, sizeof(real));
    l->deviation = network_allocate(net, columns, sizeof(real));
    l->normal = network_allocate(net, MAX_BATCH * rows * columns, sizeof(real));
    l->sum = network_allocate(net, columns, sizeof(double));
    l->squares = network_allocate(net, columns, sizeof(double));
    for (size_t j = 0; j < columns; j++)
        l->gain->value[j] = l->variance[j] = 1;
    return &l->base;
}

size_t batch_norm_shifts(const network *net, double *shift)
{
    size_t n = 0;
    for (size_t i = 0; i < net->n_made; i++) {
        if (net->made[i]->forward != batch_norm_forward)
            continue;
        const batch_norm *l = (const batch_norm *)net->made[i];
        double inference = 0, training = 0;
        for (size_t j = 0; j < l->columns; j++) {
            const double mean = l->sum[j] / (double)l->seen;
            inference += (l->squares[j] - l->sum[j] * mean) / (double)(l->seen - 1);
            training += (double)l->variance[j];
        }
        shift[n++] = inference / training;
    }
    return n;
}
