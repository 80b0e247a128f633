/*
 * Statistics of masks and bytes, over fixed seeds: so the outcome is the same at each run, and a bound of
 * five standard deviations is a statement about the stream, not a gamble. All tiers draw the same bits (the
 * other tests say so), hence one tier is enough here.
 */
#include <math.h>

#include "support/common.h"

static size_t n_elements(void)
{
    return quick() ? 1 << 16 : 1 << 22;
}

static uint8_t *draw(double p, uint64_t seed, uint64_t stream, uint64_t first, size_t n)
{
    dropwise_mask mask;
    uint8_t *bits = malloc(n / 8);
    assert_non_null(bits);
    assert_int_equal(dropwise_mask_init(&mask, p, seed, stream), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bits(&mask, first, n, bits), DROPWISE_OK);
    return bits;
}

static int bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static size_t count(const uint8_t *bits, size_t from, size_t to)
{
    size_t ones = 0;
    for (size_t i = from; i < to; i++)
        ones += (size_t)bit(bits, i);
    return ones;
}

/* How far x lies from its mean, in standard deviations. */
static void assert_within(double x, double mean, double variance, const char *what, double detail)
{
    const double z = (x - mean) / sqrt(variance);
    if (!(fabs(z) < 5))
        fail_msg("%s (%g): %g, expected %g, that is %.1f standard deviations", what, detail, x, mean, z);
}

static void as_many_elements_are_kept_as_p_says(void **state)
{
    (void)state;
    /* 1/512 and 1/1024 drop by tie words alone; 0.1 and 1/3 in part. */
    static const double ps[] = {0.5,        0.1,           1.0 / 3,     0.9,   1.0 / 256, 1.0 / 512,
                                1.0 / 1024, 1 - 1.0 / 512, 255.0 / 256, 0.001, 0.999};
    const size_t n = n_elements();
    for (size_t i = 0; i < sizeof ps / sizeof ps[0]; i++) {
        const double q = 1 - ps[i];
        uint8_t *bits = draw(ps[i], 1, 2, 0, n);
        assert_within((double)count(bits, 0, n), (double)n * q, (double)n * q * (1 - q), "rate", ps[i]);
        free(bits);
    }
}

/* The counts of blocks of 1,024 elements have the binomial variance. */
static void counts_of_blocks_have_the_binomial_variance(void **state)
{
    (void)state;
    static const double ps[] = {0.5, 0.1};
    const size_t n = n_elements(), length = 1024, blocks = n / length;
    for (size_t i = 0; i < 2; i++) {
        const double q = 1 - ps[i], mean = (double)length * q, variance = mean * (1 - q);
        uint8_t *bits = draw(ps[i], 3, 4, UINT64_C(1) << 40, n);
        double sum = 0;
        for (size_t b = 0; b < blocks; b++) {
            const double d = (double)count(bits, b * length, (b + 1) * length) - mean;
            sum += d * d / variance;
        }
        /* Chi-square: mean `blocks`, variance 2 * blocks. */
        assert_within(sum, (double)blocks, 2 * (double)blocks, "variance", ps[i]);
        free(bits);
    }
}

/* Pairs of elements that are both kept, for two masks or one mask and itself shifted. */
static void assert_independent(const uint8_t *a, const uint8_t *b, size_t shift, size_t n, double q,
                               const char *what)
{
    size_t both = 0;
    for (size_t i = 0; i + shift < n; i++)
        both += (size_t)(bit(a, i) & bit(b, i + shift));
    /* Of one mask with itself, neighbouring pairs share an element: that adds to the variance. */
    const double pairs = (double)(n - shift), q2 = q * q;
    const double variance = pairs * (q2 * (1 - q2) + (a == b ? 2 * q2 * q * (1 - q) : 0));
    assert_within((double)both, pairs * q2, variance, what, (double)shift);
}

static void elements_of_a_mask_are_independent_of_their_neighbours(void **state)
{
    (void)state;
    static const double ps[] = {0.5, 0.1};
    static const size_t far_lags[] = {128, 256, 1024, 4096, 65536 / 2};
    const size_t n = n_elements() / 4;
    for (size_t i = 0; i < 2; i++) {
        uint8_t *bits = draw(ps[i], 5, 6, 0, n);
        for (size_t lag = 1; lag <= 64; lag++)
            assert_independent(bits, bits, lag, n, 1 - ps[i], "lag");
        for (size_t l = 0; l < 5; l++)
            if (far_lags[l] < n)
                assert_independent(bits, bits, far_lags[l], n, 1 - ps[i], "lag");
        free(bits);
    }
}

static void masks_of_other_seeds_and_streams_are_independent(void **state)
{
    (void)state;
    const size_t n = n_elements() / 4;
    uint8_t *base = draw(0.3, 100, 200, 0, n);
    static const struct {
        uint64_t seed, stream;
        const char *what;
    } others[] = {
        {101, 200, "seed + 1"},
        {99, 200, "seed - 1"},
        {100 + (UINT64_C(1) << 32), 200, "upper seed"},
        {100 | UINT64_C(1) << 63, 200, "top of seed"},
        {100, 201, "stream + 1"},
        {100, 199, "stream - 1"},
        {100, 200 + (UINT64_C(1) << 32), "upper stream"},
        {200, 100, "seed and stream exchanged"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint8_t *other = draw(0.3, others[i].seed, others[i].stream, 0, n);
        assert_independent(base, other, 0, n, 0.7, others[i].what);
        assert_independent(base, other, 1, n, 0.7, others[i].what);
        free(other);
    }
    free(base);
}

/* Each of the 16 byte places in a block takes all values alike: chi-square with 255 degrees. */
static void bytes_at_each_place_of_a_block_take_all_values_alike(void **state)
{
    (void)state;
    const size_t n = n_elements();
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.5, 7, 8), DROPWISE_OK);
    assert_int_equal(dropwise_draw_bytes(&mask, 0, n, bytes), DROPWISE_OK);
    for (size_t place = 0; place < 16; place++) {
        size_t seen[256] = {0};
        for (size_t i = place; i < n; i += 16)
            seen[bytes[i]]++;
        const double expected = (double)(n / 16) / 256;
        double chi = 0;
        for (int v = 0; v < 256; v++)
            chi += ((double)seen[v] - expected) * ((double)seen[v] - expected) / expected;
        assert_within(chi, 255, 2 * 255, "byte place", (double)place);
    }
    free(bytes);
}

/* The rate at each place of a block of 16 elements. */
static void elements_at_each_place_of_a_block_are_kept_alike(void **state)
{
    (void)state;
    const size_t n = n_elements();
    uint8_t *bits = draw(0.1, 9, 10, 0, n);
    for (size_t place = 0; place < 16; place++) {
        size_t kept = 0;
        for (size_t i = place; i < n; i += 16)
            kept += (size_t)bit(bits, i);
        assert_within((double)kept, (double)(n / 16) * 0.9, (double)(n / 16) * 0.09, "place", (double)place);
    }
    free(bits);
}

/*
 * Masks of one seed and stream are nested, not independent: what a higher rate keeps, a lower one keeps. So
 * those of p = 0.1 and 0.5 have the correlation sqrt((0.1 * 0.5) / (0.9 * 0.5)) = 1/3.
 */
static void masks_of_other_rates_are_nested(void **state)
{
    (void)state;
    static const double ps[] = {0, 0.001, 0.1, 1.0 / 3, 0.5, 0.9, 1};
    enum { RATES = sizeof ps / sizeof ps[0] };
    const size_t n = n_elements() / 4;
    uint8_t *bits[RATES];
    for (size_t i = 0; i < RATES; i++)
        bits[i] = draw(ps[i], 11, 12, 0, n);
    for (size_t i = 1; i < RATES; i++)
        for (size_t k = 0; k < n / 8; k++)
            assert_int_equal(bits[i][k] & ~bits[i - 1][k], 0);
    size_t both = 0;
    for (size_t k = 0; k < n; k++)
        both += (size_t)(bit(bits[2], k) & bit(bits[4], k));
    /* Kept with p = 0.5 are half of them, all of which are kept with p = 0.1. */
    assert_within((double)both, (double)n * 0.5, (double)n * 0.25, "kept by both", 0.5);
    for (size_t i = 0; i < RATES; i++)
        free(bits[i]);
}

/*
 * Shards that share a seed and a stream and say where they begin hold parts of one mask, which are
 * independent of each other. Those that forget it hold one mask, each.
 */
static void masks_of_shards_are_independent(void **state)
{
    (void)state;
    enum { SHARDS = 4 };
    const size_t n = n_elements() / 4;
    uint8_t *shards[SHARDS];
    for (size_t i = 0; i < SHARDS; i++)
        shards[i] = draw(0.3, 13, 14, i * n, n);
    for (size_t i = 0; i < SHARDS; i++)
        for (size_t k = 0; k < i; k++)
            assert_independent(shards[k], shards[i], 0, n, 0.7, "shards");
    uint8_t *forgetful = draw(0.3, 13, 14, 0, n);
    assert_memory_equal(forgetful, shards[0], n / 8);
    free(forgetful);
    for (size_t i = 0; i < SHARDS; i++)
        free(shards[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_elements_are_kept_as_p_says),
        cmocka_unit_test(counts_of_blocks_have_the_binomial_variance),
        cmocka_unit_test(elements_of_a_mask_are_independent_of_their_neighbours),
        cmocka_unit_test(masks_of_other_seeds_and_streams_are_independent),
        cmocka_unit_test(bytes_at_each_place_of_a_block_take_all_values_alike),
        cmocka_unit_test(elements_at_each_place_of_a_block_are_kept_alike),
        cmocka_unit_test(masks_of_other_rates_are_nested),
        cmocka_unit_test(masks_of_shards_are_independent),
    };
    return run_once(tests, NULL, NULL);
}
