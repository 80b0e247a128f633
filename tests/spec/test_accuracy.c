/*
 * How near GELU, SiLU, their slopes and exp come to the functions, in f32: the tables of dropwise_fused.h,
 * held against the C library's functions in double.
 *
 *     test_accuracy              a sample of all numbers, on each tier
 *     test_accuracy all [NAME]   all 2^32 of them, on the tier that DROPWISE_ISA says: prints the largest
 * errors by
 *                                range. Minutes for each function
 *     test_accuracy bits [NAME]  the same, but whether all tiers have the bits of the scalar one
 */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>
#include <pthread.h>
#include <time.h>

#include "dropwise_fused.h"
#include "apply/dtype.h"
#include "scalar/vec_scalar.h"
#include "support/common.h"
#include "tiers/dispatch.h"

/* ---- The functions ---- */

static double gelu(double z)
{
    return z == -INFINITY ? 0 : 0.5 * z * erfc(-z * M_SQRT1_2);
}

static double gelu_slope(double z)
{
    return fabs(z) > 40 ? z > 0 : 0.5 * erfc(-z * M_SQRT1_2) + z * exp(-z * z / 2) / sqrt(2 * M_PI);
}

static double tanh_power(double z)
{
    return exp(-2 * sqrt(2 / M_PI) * (z + 0.044715 * z * z * z));
}

static double gelu_tanh(double z)
{
    return z < -40 ? 0 : z / (1 + tanh_power(z));
}

static double gelu_tanh_slope(double z)
{
    if (fabs(z) > 40)
        return z > 0;
    const double e = tanh_power(z), g = 1 / (1 + e);
    return g + z * g * (e * g) * 2 * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * z * z);
}

static double silu(double z)
{
    return z < -700 ? 0 : z / (1 + exp(-z));
}

static double silu_slope(double z)
{
    if (fabs(z) > 700)
        return z > 0;
    const double e = exp(-z), g = 1 / (1 + e);
    return g * (1 + z * e * g);
}

/*
 * Errors are given in units in the last place of the result, by ranges of z, and as they are, over all z.
 * Where a slope passes 0 or a function vanishes units mean nothing: 0 here.
 */
enum { RANGES = 8 };
static const double ends[RANGES] = {-5, -3, -1, 0, 1, 4, 6, (double)INFINITY};
static const char *const range_names[RANGES] = {"< -5",   "[-5, -3)", "[-3, -1)", "[-1, 0)",
                                                "[0, 1)", "[1, 4)",   "[4, 6)",   ">= 6"};

typedef struct function {
    const char *name;
    double (*exact)(double z);
    dropwise_activation activation; /* 0: e^z, for z from -87.3 to 88 */
    bool is_slope;
    double log2_error, ulp[RANGES];
} function;

/* As dropwise_fused.h has them. */
static const function functions[] = {
    {"gelu", gelu, DROPWISE_GELU, false, -22.9, {0, 55, 8.1, 2.6, 1.6, 1.1, 0.8, 0.6}},
    {"gelu_tanh", gelu_tanh, DROPWISE_GELU_TANH, false, -22.8, {0, 23, 7.2, 2.4, 1.8, 1.8, 1.1, 0.6}},
    {"silu", silu, DROPWISE_SILU, false, -22.9, {0, 2.2, 2.4, 2.4, 1.8, 1.7, 1.5, 1.5}},
    {"gelu_slope", gelu_slope, DROPWISE_GELU, true, -23, {0, 0, 0, 0, 1.6, 1.1, 0.7, 0.6}},
    {"gelu_tanh_slope", gelu_tanh_slope, DROPWISE_GELU_TANH, true, -22.1, {0, 24, 0, 0, 2.8, 1.9, 1.1, 0.6}},
    {"silu_slope", silu_slope, DROPWISE_SILU, true, -22.1, {0, 4.8, 0, 4.1, 3, 3.1, 1.8, 1.8}},
    {"exp", exp, 0, false, INFINITY, {1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2}},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

static bool is_covered(const function *f, float z)
{
    return !isnan(z) && (f->activation != 0 || (z <= 88 && z >= -87.3f));
}

/* ---- Blocks of numbers ---- */

enum { BLOCK = 4096 };

/* The numbers whose bits are first, first + step, ... */
static void numbers(uint32_t first, uint32_t step, float *z)
{
    for (uint32_t i = 0; i < BLOCK; i++) {
        const uint32_t bits = first + i * step;
        memcpy(&z[i], &bits, sizeof bits);
    }
}

static void compute(const function *f, const dropwise_kernels *tier, const float *z, float *y)
{
    const dropwise_step_kernels steps = dropwise_steps_of(tier, DROPWISE_F32);
    const float one = 1, zero = 0;
    uint8_t bits[BLOCK / 8];
    float dy[BLOCK], sums[16] = {0};
    memset(bits, 0xFF, sizeof bits);
    for (size_t i = 0; i < BLOCK; i++)
        dy[i] = 1;
    if (f->activation == 0)
        tier->row_exp_f32(BLOCK, z, NULL, &one, &zero, y, sums);
    else if (f->is_slope)
        steps.activate_grad[f->activation](bits, BLOCK, dy, z, NULL, y, &one, NULL);
    else
        steps.activate[f->activation](bits, BLOCK, z, NULL, y, &one);
}

typedef struct errors {
    double error, ulp[RANGES];
    float error_at, ulp_at[RANGES];
    uint32_t wrong; /* of finite numbers that became none, or of NaN that became some */
} errors;

/* The unit in the last place of a number as f32. */
static double unit_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = bits << 1 >> 53 << 52; /* 2 to its exponent */
    double power;
    memcpy(&power, &bits, sizeof power);
    return fmax(power, 0x1p-126) * 0x1p-23;
}

static void judge(errors *e, const function *f, const float *z, const float *y)
{
    for (size_t i = 0; i < BLOCK; i++) {
        if (!is_covered(f, z[i])) {
            e->wrong += isnan(z[i]) && !isnan(y[i]);
            continue;
        }
        const double exact = f->exact((double)z[i]);
        if (isinf(z[i])) {
            e->wrong += !((double)y[i] == exact);
            continue;
        }
        e->wrong += !isfinite(y[i]);
        const double error = fabs((double)y[i] - exact);
        int range = 0;
        const double units = error / unit_of(exact);
        while ((double)z[i] >= ends[range])
            range++;
        if (units > e->ulp[range]) {
            e->ulp[range] = units;
            e->ulp_at[range] = z[i];
        }
        const double relative_from_1 = error / fmax(1, fabs(exact));
        if (relative_from_1 > e->error) {
            e->error = relative_from_1;
            e->error_at = z[i];
        }
    }
}

/* ---- A sample, as a test ---- */

static void check(const function *f)
{
    errors e = {0};
    float z[BLOCK], y[BLOCK];
    const uint32_t blocks = quick() ? 16 : 256, step = (uint32_t)((UINT64_C(1) << 32) / (blocks * BLOCK)) - 1;
    for (uint32_t block = 0; block < blocks; block++) {
        numbers(block * BLOCK * step, step, z);
        compute(f, dropwise_active(), z, y);
        judge(&e, f, z, y);
    }
    static const float edges[] = {
        0.0f,    -0.0f,   INFINITY, -INFINITY, NAN,      3.4e38f,  -3.4e38f, 4e19f,   -4e19f, 1e-40f,
        -1e-40f, 87.0f,   -87.0f,   -87.9f,    -88.0f,   -88.1f,   -88.25f,  -88.3f,  88.0f,  88.02f,
        88.1f,   10.0f,   -10.0f,   -10.01f,   -9.9999f, -10.02f,  -13.2f,   -13.27f, -13.3f, 13.2687f,
        -27.6f,  -27.69f, -27.7f,   -27.71f,   -5.6f,    -5.5999f, -5.601f,  5.6f};
    for (size_t i = 0; i < BLOCK; i++)
        z[i] = edges[i % (sizeof edges / sizeof *edges)];
    compute(f, dropwise_active(), z, y);
    judge(&e, f, z, y);
    assert_int_equal(e.wrong, 0);
    for (int r = 0; r < RANGES; r++)
        if (f->ulp[r] != 0 && e.ulp[r] > f->ulp[r])
            fail_msg("%s: %.2f ULP at %.9g", f->name, e.ulp[r], (double)e.ulp_at[r]);
    if (log2(e.error) > f->log2_error)
        fail_msg("%s: an error of %g at %.9g", f->name, e.error, (double)e.error_at);
}

static void results_are_as_near_to_the_functions_as_the_header_says(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_FUNCTIONS; k++)
        check(&functions[k]);
}

/*
 * What lies half-way once it is rounded to double, and does not before: in the range of normal and of
 * other floats.
 */
static void scalar_products_and_sums_are_rounded_once(void **state)
{
    (void)state;
    const float a = 0x1.000002p+0f, b = 0x1.fffffcp-1f; /* a b = 1 - 2^-46 */
    assert_true(fma_f32(a, b, 0x1.000002p+24f) == 0x1.000002p+24f);
    assert_true(fma_f32(-a, b, -0x1.000002p+24f) == -0x1.000002p+24f);
    assert_true(fma_f32(a, a, 0x1p+24f) == 0x1.000002p+24f); /* more than half */
    assert_true(fma_f32(a * 0x1p-75f, b * 0x1p-75f, 0x1.000004p-127f) == 0x1.000004p-127f);
    assert_true(fma_f32(a * 0x1p-75f, a * 0x1p-75f, 0x1p-127f) == 0x1.000004p-127f);
    assert_true(fma_f32(3, 5, -15) == 0 && isnan(fma_f32(INFINITY, 0, 1)) &&
                fma_f32(INFINITY, 1, 1) == INFINITY);
    assert_true(fma_f32(0x1p+127f, 2, -0x1p+127f) == 0x1p+127f);
}

/* ---- All numbers, as a program ---- */

enum { THREADS = 2, BLOCKS = 1 << 20 /* of consecutive numbers */ };

typedef struct part {
    const function *f;
    unsigned thread;
    bool bits;
    errors e;
    uint64_t differ; /* blocks in which a tier does not have the bits of the scalar one */
} part;

static void compare_tiers(part *p, const float *z)
{
    float y[BLOCK], other[BLOCK];
    compute(p->f, dropwise_kernels_get(DROPWISE_ISA_SCALAR), z, y);
    for (dropwise_isa isa = DROPWISE_ISA_SCALAR + 1; dropwise_isa_name(isa) != NULL; isa++) {
        const dropwise_kernels *tier = dropwise_kernels_get(isa);
        if (tier == NULL)
            continue;
        compute(p->f, tier, z, other);
        bool differs = false;
        for (size_t i = 0; i < BLOCK; i++)
            differs = differs || (is_covered(p->f, z[i]) && memcmp(&y[i], &other[i], sizeof *y) != 0);
        p->differ += differs;
    }
}

static void *run_part(void *argument)
{
    part *p = argument;
    const time_t start = time(NULL);
    for (uint32_t block = p->thread; block < BLOCKS; block += THREADS) {
        float z[BLOCK], y[BLOCK];
        numbers(block * BLOCK, 1, z);
        if (p->bits) {
            compare_tiers(p, z);
        } else {
            compute(p->f, dropwise_active(), z, y);
            judge(&p->e, p->f, z, y);
        }
        if (p->thread == 0 && block % (BLOCKS / 64) == 0)
            fprintf(stderr, "\r%s: %u %%, %lld s ", p->f->name, block / (BLOCKS / 100),
                    (long long)(time(NULL) - start));
    }
    return NULL;
}

static void run_all(const function *f, bool bits)
{
    part parts[THREADS];
    pthread_t threads[THREADS];
    memset(parts, 0, sizeof parts);
    for (unsigned t = 0; t < THREADS; t++) {
        parts[t].f = f;
        parts[t].thread = t;
        parts[t].bits = bits;
        if (pthread_create(&threads[t], NULL, run_part, &parts[t]) != 0)
            abort();
    }
    errors e = {0};
    uint64_t differ = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        const errors *of = &parts[t].e;
        differ += parts[t].differ;
        e.wrong += of->wrong;
        e.error = fmax(e.error, of->error);
        for (int r = 0; r < RANGES; r++)
            e.ulp[r] = fmax(e.ulp[r], of->ulp[r]);
    }
    if (bits) {
        printf("\r%-16s %llu blocks of %d differ\n", f->name, (unsigned long long)differ, BLOCKS);
    } else {
        printf("\r%-16s error 2^%.1f; ULP", f->name, log2(e.error));
        for (int r = 0; r < RANGES; r++)
            printf("  %s %.2f", range_names[r], e.ulp[r]);
        printf("; %u wrong\n", e.wrong);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_as_near_to_the_functions_as_the_header_says),
        cmocka_unit_test(scalar_products_and_sums_are_rounded_once),
    };
    if (argc < 2)
        return run_on_each_tier(tests, NULL, NULL);
    for (size_t k = 0; k < N_FUNCTIONS; k++)
        if (argc == 2 || strcmp(argv[2], functions[k].name) == 0)
            run_all(&functions[k], strcmp(argv[1], "bits") == 0);
    return 0;
}
