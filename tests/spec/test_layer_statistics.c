/*
 * Statistics of layers over fixed seeds, as those of masks are in test_statistics.c: a bound of five standard
 * deviations is a statement about the layer, not a gamble. All tiers give the same bits (the other tests say
 * so), hence one tier is enough here.
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_variants.h"
#include "support/tensors.h"

/* ---- Variants ---- */

enum { SAMPLES = 1 << 20 };
static float sample[SAMPLES];

typedef struct moments {
    double mean, variance, skewness, kurtosis; /* the last two of the standardized values */
} moments;

static moments moments_of(const float *v, size_t n)
{
    moments m = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++)
        m.mean += (double)v[i];
    m.mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)v[i] - m.mean;
        m.variance += d * d;
        m.skewness += d * d * d;
        m.kurtosis += d * d * d * d;
    }
    m.variance /= (double)n;
    m.skewness /= (double)n * pow(m.variance, 1.5);
    m.kurtosis /= (double)n * m.variance * m.variance;
    return m;
}

static dropwise_view line(uint64_t n)
{
    return view_of(1, &n, 0);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static dropwise_concrete concrete_of(double logit, double temperature)
{
    dropwise_concrete concrete;
    assert_int_equal(dropwise_concrete_init(&concrete, logit, temperature), DROPWISE_OK);
    return concrete;
}

static void normal_numbers_are_normally_distributed(void **state)
{
    (void)state;
    const dropwise_view v = line(SAMPLES);
    const double n = SAMPLES;
    const dropwise_mask mask = mask_of(0.5);
    assert_int_equal(dropwise_draw_normal(&mask, DROPWISE_F32, &v, sample), DROPWISE_OK);
    const moments m = moments_of(sample, SAMPLES);
    assert_within(m.mean, 0, 5 / sqrt(n), "the mean of normal numbers");
    assert_within(m.variance, 1, 5 * sqrt(2 / n), "their variance");
    assert_within(m.skewness, 0, 5 * sqrt(6 / n), "their skewness");
    assert_within(m.kurtosis, 3, 5 * sqrt(24 / n), "their kurtosis");

    /* Numbers that share words, and neighbours that do not; their squares too. */
    double products[2] = {0, 0}, squares[2] = {0, 0};
    for (size_t i = 0; i + 1 < SAMPLES; i++) {
        const double a = (double)sample[i], b = (double)sample[i + 1];
        products[i % 2] += a * b;
        squares[i % 2] += (a * a - 1) * (b * b - 1);
    }
    for (int k = 0; k < 2; k++) {
        assert_within(products[k] / (n / 2), 0, 5 / sqrt(n / 2), "a correlation");
        assert_within(squares[k] / (n / 2), 0, 5 * 2 / sqrt(n / 2), "a correlation of squares");
    }

    static const double limits[] = {1, 2, 3, 4};
    for (int k = 0; k < 4; k++) {
        const double p = erfc(limits[k] / sqrt(2.0));
        double beyond = 0;
        for (size_t i = 0; i < SAMPLES; i++)
            beyond += fabs((double)sample[i]) > limits[k];
        assert_within(beyond / n, p, 5 * sqrt(p * (1 - p) / n), "a tail");
    }

    /* Kolmogorov and Smirnov: sqrt(n) D is above 2.2 with a probability of 1.2e-4. */
    double d = 0;
    qsort(sample, SAMPLES, sizeof sample[0], ascending);
    for (size_t i = 0; i < SAMPLES; i++) {
        const double below = 0.5 * erfc(-(double)sample[i] / sqrt(2.0));
        d = fmax(d, fmax(fabs(below - (double)i / n), fabs(below - (double)(i + 1) / n)));
    }
    assert_within(sqrt(n) * d, 0, 2.2, "the distance to the normal distribution");
}

static void uniform_numbers_are_uniformly_distributed(void **state)
{
    (void)state;
    const dropwise_view v = line(SAMPLES);
    const dropwise_mask mask = mask_of(0.5);
    assert_int_equal(dropwise_draw_uniform(&mask, DROPWISE_F32, &v, sample), DROPWISE_OK);
    double counts[256] = {0}, chi_square = 0, largest = 0, smallest = 1;
    for (size_t i = 0; i < SAMPLES; i++) {
        counts[(int)(sample[i] * 256)]++;
        largest = fmax(largest, (double)sample[i]);
        smallest = fmin(smallest, (double)sample[i]);
    }
    for (int k = 0; k < 256; k++)
        chi_square += pow(counts[k] - SAMPLES / 256.0, 2) / (SAMPLES / 256.0);
    assert_within(chi_square, 255, 5 * sqrt(2 * 255.0), "chi-square of uniform numbers");
    assert_true(smallest > 0 && largest < 1 && smallest < 20.0 / SAMPLES && largest > 1 - 20.0 / SAMPLES);
}

static float selu(double x)
{
    const double alpha = 1.6732632423543772, lambda = 1.0507009873554805;
    return (float)(lambda * (x > 0 ? x : alpha * (exp(x) - 1)));
}

/* Normal numbers of the tests' own. */
static double gauss(uint64_t *state)
{
    const double u = ((double)(noise(state) >> 11) + 0.5) * 0x1p-53;
    const double t = (double)(noise(state) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * t);
}

/* Input as SELU makes it of normal numbers, of mean 0 and variance 1, comes out so. */
static void alpha_dropout_keeps_the_mean_and_variance_of_selu(void **state)
{
    (void)state;
    const size_t n = quick() ? SAMPLES / 8 : SAMPLES;
    static float dropped[SAMPLES];
    uint64_t seed = 1;
    for (size_t i = 0; i < n; i++)
        sample[i] = selu(gauss(&seed));
    const moments before = moments_of(sample, n);
    const double root = sqrt((double)n);
    assert_within(before.mean, 0, 5 / root, "the mean of the input");
    assert_within(before.variance, 1, 5 * sqrt(before.kurtosis) / root, "the variance of the input");
    static const double probabilities[] = {0.05, 0.1, 0.3, 0.5, 0.9};
    for (int k = 0; k < 5; k++) {
        const dropwise_view v = line(n);
        const dropwise_mask mask = mask_of(probabilities[k]);
        assert_int_equal(dropwise_alpha_forward(&mask, DROPWISE_F32, &v, sample, dropped, NULL), DROPWISE_OK);
        const moments after = moments_of(dropped, n);
        assert_within(after.mean, 0, 5 / root, "the mean after alpha dropout");
        assert_within(after.variance, 1, 5 * sqrt(after.kurtosis) / root, "the variance after alpha dropout");
    }
}

enum { LAYERS = 20, WIDTH = 128, BATCH = 96 };

/* Activations of a deep SELU network of random weights, whose last layer's moments are wanted. */
static moments deep_network(bool with_alpha)
{
    static float x[BATCH][WIDTH], z[BATCH][WIDTH], w[WIDTH][WIDTH];
    const int batch = quick() ? BATCH / 4 : BATCH;
    const uint64_t size[2] = {(uint64_t)batch, WIDTH};
    const dropwise_view v = view_of(2, size, 0);
    uint64_t seed = 5;
    for (int b = 0; b < batch; b++)
        for (int i = 0; i < WIDTH; i++)
            x[b][i] = (float)gauss(&seed);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int i = 0; i < WIDTH; i++) /* variance 1 / WIDTH, as the paper has it */
            for (int j = 0; j < WIDTH; j++)
                w[i][j] = (float)(gauss(&seed) / sqrt(WIDTH));
        for (int b = 0; b < batch; b++) {
            float sum[WIDTH] = {0};
            for (int i = 0; i < WIDTH; i++)
                for (int j = 0; j < WIDTH; j++)
                    sum[j] += x[b][i] * w[i][j];
            for (int j = 0; j < WIDTH; j++)
                z[b][j] = selu((double)sum[j]);
        }
        dropwise_mask mask = mask_of(0.1);
        mask.stream = (uint64_t)layer;
        assert_int_equal(with_alpha ? dropwise_alpha_forward(&mask, DROPWISE_F32, &v, z, x, NULL)
                                    : dropwise_forward_view(&mask, DROPWISE_F32, &v, z, x, NULL),
                         DROPWISE_OK);
    }
    return moments_of(&x[0][0], (size_t)batch * WIDTH);
}

static void a_deep_selu_network_stays_normalized_by_alpha_dropout_alone(void **state)
{
    (void)state;
    const moments alpha = deep_network(true), ordinary = deep_network(false);
    printf("after %d layers: mean %.3f, variance %.3f with alpha dropout; %.3f, %.3f with ordinary dropout\n",
           LAYERS, alpha.mean, alpha.variance, ordinary.mean, ordinary.variance);
    assert_within(alpha.mean, 0, 0.1, "the mean of deep activations with alpha dropout");
    assert_within(alpha.variance, 1, 0.2, "the variance of deep activations with alpha dropout");
    assert_true(fabs(ordinary.mean) > 0.05 || fabs(ordinary.variance - 1) > 0.3);
}

/* Gaussian dropout has the mean and the variance of dropout, concrete dropout nearly so if it is cold. */
static void gaussian_and_concrete_dropout_have_the_moments_of_dropout(void **state)
{
    (void)state;
    static float ones[SAMPLES];
    const dropwise_view v = line(SAMPLES);
    const double root = sqrt(SAMPLES);
    for (size_t i = 0; i < SAMPLES; i++)
        ones[i] = 1;
    static const double probabilities[] = {0.1, 0.5, 0.8};
    for (int k = 0; k < 3; k++) {
        const double p = probabilities[k], variance = p / (1 - p);
        const dropwise_mask mask = mask_of(p);
        assert_int_equal(dropwise_gaussian_forward(&mask, DROPWISE_F32, &v, ones, sample), DROPWISE_OK);
        moments m = moments_of(sample, SAMPLES);
        assert_within(m.mean, 1, 5 * sqrt(variance) / root, "the mean of Gaussian dropout");
        assert_within(m.variance, variance, 5 * sqrt(2.0) * variance / root, "its variance");
        const dropwise_concrete concrete = concrete_of(log(p / (1 - p)), 0.02);
        assert_int_equal(dropwise_concrete_forward(&mask, DROPWISE_F32, &v, &concrete, ones, sample),
                         DROPWISE_OK);
        m = moments_of(sample, SAMPLES);
        assert_within(m.mean, 1, 0.02, "the mean of concrete dropout");
        assert_within(m.variance, variance, 0.03 * (1 + variance), "its variance");
    }
}

/* At a temperature near 0, concrete dropout is dropout: as many are dropped as p says. */
static void concrete_dropout_at_a_temperature_near_0_is_dropout(void **state)
{
    (void)state;
    const dropwise_view v = line(SAMPLES);
    const dropwise_mask mask = mask_of(0.5);
    static float ones[SAMPLES];
    const dropwise_concrete concrete = concrete_of(-1, 0x1p-20);
    const double p = 1 / (1 + exp(1.0));
    double dropped = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        ones[i] = 1;
    assert_int_equal(dropwise_concrete_forward(&mask, DROPWISE_F32, &v, &concrete, ones, sample),
                     DROPWISE_OK);
    for (size_t i = 0; i < SAMPLES; i++)
        dropped += sample[i] == 0;
    assert_within(dropped / SAMPLES, p, 5 * sqrt(p * (1 - p) / SAMPLES), "the part that is dropped");
}

/* ---- DropBlock ---- */

/*
 * What part of the elements is dropped, over many maps, against its expectation: an element is kept if none
 * of the seeds whose blocks reach it is drawn. And that every dropped element has such a seed.
 */
static void dropblock_drops_as_many_elements_as_expected_and_each_by_a_seed_that_is_drawn(void **state)
{
    (void)state;
    enum { SIDE = 20, MAP = SIDE * SIDE, MAX_MAPS = 4096 };
    static uint8_t bits[MAX_MAPS * MAP / 8], seeds[MAX_MAPS * MAP / 8];
    const int maps = quick() ? MAX_MAPS / 8 : MAX_MAPS;
    const uint64_t size[3] = {(uint64_t)maps, SIDE, SIDE};
    static const uint64_t blocks[] = {1, 2, 3, 5, 7, 20};
    for (size_t i = 0; i < 12; i++) {
        const int64_t k = (int64_t)blocks[i / 2], low = k / 2, high = (k - 1) / 2;
        const dropwise_view view = view_of(3, size, 0);
        dropwise_dropblock block;
        dropwise_mask mask;
        double gamma;
        uint64_t kept;
        assert_int_equal(dropwise_dropblock_init(&block, &view, 1u << 1 | 1u << 2, blocks[i / 2]),
                         DROPWISE_OK);
        assert_int_equal(dropwise_dropblock_gamma(&block, &view, 0.1, &gamma), DROPWISE_OK);
        block.seeds = (uint32_t)(1 + i % 2);
        const bool inside = block.seeds == DROPWISE_SEEDS_INSIDE;
        assert_int_equal(dropwise_mask_init(&mask, gamma, UINT64_C(0x0123456789ABCDEF), i), DROPWISE_OK);
        assert_int_equal(dropwise_dropblock_draw(&mask, &block, &view, bits, &kept), DROPWISE_OK);
        assert_int_equal(dropwise_draw_bits(&mask, 0, (size_t)maps * MAP, seeds), DROPWISE_OK);

        double expected = 0, sum = 0, squares = 0;
        for (int64_t row = 0; row < SIDE; row++)
            for (int64_t column = 0; column < SIDE; column++) {
                int reaching = 0; /* seeds that do */
                for (int64_t r = 0; r < SIDE; r++)
                    for (int64_t s = 0; s < SIDE; s++)
                        reaching += row >= r - low && row <= r + high && column >= s - low &&
                                    column <= s + high &&
                                    (!inside || (r >= low && r + high < SIDE && s >= low && s + high < SIDE));
                expected += 1 - pow(1 - gamma, reaching);
            }
        expected /= MAP;
        for (int m = 0; m < maps; m++) {
            int dropped = 0;
            for (int64_t e = 0; e < MAP; e++) {
                const int64_t at = (int64_t)m * MAP + e, row = e / SIDE, column = e % SIDE;
                if (bits[at / 8] >> at % 8 & 1)
                    continue;
                dropped++;
                bool reached = false;
                for (int64_t r = row - high; r <= row + low; r++)
                    for (int64_t s = column - high; s <= column + low; s++) {
                        const int64_t seed = (int64_t)m * MAP + r * SIDE + s;
                        reached = reached || (r >= 0 && r < SIDE && s >= 0 && s < SIDE &&
                                              !(seeds[seed / 8] >> seed % 8 & 1));
                    }
                assert_true(reached);
            }
            sum += (double)dropped / MAP;
            squares += (double)dropped / MAP * dropped / MAP;
        }
        const double mean = sum / maps, deviation = sqrt((squares / maps - mean * mean) / maps);
        assert_true(fabs(mean - (1 - (double)kept / ((double)maps * MAP))) < 1e-12);
        if (fabs(mean - expected) > 4 * deviation + 1e-5)
            fail_msg("blocks of %lld, seeds %u: %g is dropped, not %g +- %g", (long long)k, block.seeds, mean,
                     expected, deviation);
        /* Inside, a little less than p, as blocks overlap; anywhere, more where blocks are large. */
        if (inside)
            assert_true(mean > 0.085 && mean < 0.115);
    }
}

/* ---- DropConnect ---- */

/*
 * Many masks of one layer: mean and variance of each output. With N masks the mean lies within 6 standard
 * errors, and the variance, whose relative standard error is sqrt(2 / N) for a nearly normal sum, within 6 of
 * those.
 */
static void the_moments_of_dropconnect_are_those_of_many_masks(void **state)
{
    (void)state;
    enum { ROWS = 8, COLUMNS = 200, MASKS = 20000 };
    static double weights[ROWS * COLUMNS], input[COLUMNS], out[MASKS * ROWS];
    const uint64_t masks = quick() ? MASKS / 10 : MASKS;
    fill(REF_F64, (uint8_t *)weights, ROWS * COLUMNS, 1);
    fill(REF_F64, (uint8_t *)input, COLUMNS, 2);
    static const double probabilities[] = {0.5, 0.2};
    for (int t = 0; t < 4; t++) {
        dropwise_mask m = mask_of(probabilities[t / 2]);
        m.scaling = t % 2 ? DROPWISE_SCALING_STANDARD : DROPWISE_SCALING_INVERTED;
        dropwise_dropconnect l;
        assert_int_equal(dropwise_dropconnect_init(&l, masks, ROWS, COLUMNS), DROPWISE_OK);
        l.x_stride = 0;
        double mean[ROWS], variance[ROWS];
        assert_int_equal(dropwise_dropconnect_forward(&m, DROPWISE_F64, &l, weights, input, NULL, out),
                         DROPWISE_OK);
        l.samples = 1;
        assert_int_equal(
            dropwise_dropconnect_moments(&m, DROPWISE_F64, &l, weights, input, NULL, mean, variance),
            DROPWISE_OK);
        for (int o = 0; o < ROWS; o++) {
            double sum = 0, square = 0;
            for (uint64_t b = 0; b < masks; b++) {
                const double d = out[b * ROWS + (uint64_t)o] - mean[o];
                sum += d;
                square += d * d;
            }
            const double n = (double)masks;
            assert_true(variance[o] > 0);
            assert_true(fabs(sum / n) < 6 * sqrt(variance[o] / n));
            assert_true(fabs(square / n / variance[o] - 1) < 6 * sqrt(2 / n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_numbers_are_normally_distributed),
        cmocka_unit_test(uniform_numbers_are_uniformly_distributed),
        cmocka_unit_test(alpha_dropout_keeps_the_mean_and_variance_of_selu),
        cmocka_unit_test(a_deep_selu_network_stays_normalized_by_alpha_dropout_alone),
        cmocka_unit_test(gaussian_and_concrete_dropout_have_the_moments_of_dropout),
        cmocka_unit_test(concrete_dropout_at_a_temperature_near_0_is_dropout),
        cmocka_unit_test(dropblock_drops_as_many_elements_as_expected_and_each_by_a_seed_that_is_drawn),
        cmocka_unit_test(the_moments_of_dropconnect_are_those_of_many_masks),
    };
    return run_once(tests, NULL, NULL);
}
