/*
 * How near the kernels of noise in f32 come to the formulas, held against the oracle's, which are in double
 * by the C library: what dropwise_variants.h says of them. And the exponential and logarithm of
 * base/exp_log.h.
 *
 *     test_noise_accuracy              a sample of all words, on each tier
 *     test_noise_accuracy all [NAME]   all 2^32 words, on the tier that DROPWISE_ISA says: prints the largest
 *                                      errors. Minutes for each kernel
 *     test_noise_accuracy bits [NAME]  the same, but whether all tiers have the bits of the scalar one
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <time.h>

#include "base/exp_log.h"
#include "oracle/reference.h"
#include "support/common.h"
#include "tiers/dispatch.h"

enum { BLOCK = 4096 };

/*
 * Normal numbers of all words w as the one that makes the radius and as the one that makes the angle, each
 * with another one; of an angle that is hardly one, so that the radius comes out; and kept parts of relaxed
 * masks. Errors are in units in the last place of the exact result, but those of kept parts k in half units
 * of it times 1 + (1 - k) s / t, where s is |logit| + |ln(u / (1 - u))|.
 */
typedef struct function {
    const char *name;
    bool is_normal;
    uint32_t of_angle; /* times the word */
    double logit, temperature;
    double most;   /* the largest error                            */
    uint64_t hash; /* of the numbers of some words, on any machine */
} function;

static const function functions[] = {
    {"radius", true, 0, 0, 0, 1.3, UINT64_C(0x00D2999CC4D2D197)},
    {"normal", true, UINT32_C(0x9E3779B1), 0, 0, 3.5, UINT64_C(0xD960954DA5FD2EE5)},
    {"relaxed", false, 0, 0, 1, 5, UINT64_C(0x735B8E1C8E4A35C9)},
    {"relaxed_cool", false, 0, 0, 0.125, 5, UINT64_C(0x8C73676D7EBAAFB6)},
    {"relaxed_rare", false, 0, -2.25, 0.1, 5, UINT64_C(0x66F6256D06B122EE)},
    {"relaxed_cold", false, 0, 0, 0x1p-20, 5, UINT64_C(0xC7CD8ABB3D4F90BE)},
    {"relaxed_warm", false, 0, 3, 7, 5, UINT64_C(0x3E5111BCED9340FA)},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

/* Two words for each number: of the others only the first one counts. */
static void compute(const function *f, const dropwise_kernels *tier, const uint32_t *words, float *numbers)
{
    uint8_t bytes[2 * BLOCK][4];
    dropwise_params p = {{0, 0, 0}};
    if (!f->is_normal) {
        p.f32[0] = (float)f->logit;
        p.f32[1] = (float)(1 / f->temperature);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        put_le32(bytes[f->is_normal ? 2 * i : i], words[i]);
        if (f->is_normal)
            put_le32(bytes[2 * i + 1], words[i] * f->of_angle);
    }
    if (f->is_normal)
        tier->noise_normal_f32(2 * BLOCK, bytes, &p, numbers);
    else
        tier->noise_relaxed_f32(BLOCK, bytes, &p, numbers);
}

typedef struct errors {
    double most;
    uint32_t at;
} errors;

/* The unit in the last place of a number as f32. */
static double unit_of(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static void note(errors *e, double error, uint32_t word)
{
    if (!(error <= e->most)) {
        e->most = error;
        e->at = word;
    }
}

static void judge(errors *e, const function *f, const uint32_t *words, const float *numbers)
{
    const double logit = (double)(float)f->logit, inverse = (double)(float)(1 / f->temperature);
    for (size_t i = 0; i < BLOCK; i++) {
        if (f->is_normal) {
            for (int odd = 0; odd < (f->of_angle == 0 ? 1 : 2); odd++) {
                const double z = ref_normal(REF_F32, words[i], words[i] * f->of_angle, odd);
                note(e, fabs((double)numbers[2 * i + (size_t)odd] - z) / unit_of(z), words[i]);
            }
            continue;
        }
        const double kept = ref_relaxed(REF_F32, words[i], logit, 1 / inverse);
        const double ratio = ref_uniform(REF_F32, words[i]) / ref_uniform(REF_F32, ~words[i]);
        const double scale = 1 + (1 - kept) * (fabs(logit) + fabs(log(ratio))) * inverse;
        /* Below 2^-126 it may be 0. */
        const double error = fmax(0, fabs((double)numbers[i] - kept) - 0x1p-126);
        note(e, kept == 0 ? error : error / (unit_of(kept) / 2 * scale), words[i]);
    }
}

/* ---- A sample, as a test ---- */

/*
 * Blocks that are the same however many there are: where numbers change their exponents, or are the last
 * ones, and one of words that lie far apart.
 */
static const uint32_t starts[] = {0, 0x007FFC00, 0x00FFF800, 0x7FFFF800, 0xFFFFF000, 0};
enum { STARTS = sizeof starts / sizeof *starts, FAR = 1048573 };

static uint32_t fixed_word(uint32_t block, uint32_t i)
{
    return starts[block] + (block == STARTS - 1 ? FAR : 1) * i;
}

static uint64_t hash_words(uint64_t hash, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        uint8_t bytes[4];
        memcpy(&word, (const uint8_t *)p + 4 * i, 4);
        put_le32(bytes, word);
        hash = ref_hash(hash, bytes, 4);
    }
    return hash;
}

static void results_are_as_near_to_the_formulas_as_the_header_says(void **state)
{
    (void)state;
    const uint32_t blocks = quick() ? 8 : 256, step = (uint32_t)((UINT64_C(1) << 32) / (blocks * BLOCK)) - 1;
    for (const function *f = functions; f < functions + N_FUNCTIONS; f++) {
        errors e = {0, 0};
        uint64_t hash = REF_HASH_START;
        for (uint32_t block = 0; block < blocks + STARTS; block++) {
            uint32_t words[BLOCK];
            float numbers[2 * BLOCK];
            for (uint32_t i = 0; i < BLOCK; i++)
                words[i] = block < STARTS ? fixed_word(block, i) : ((block - STARTS) * BLOCK + i) * step;
            compute(f, dropwise_active(), words, numbers);
            judge(&e, f, words, numbers);
            if (block < STARTS)
                hash = hash_words(hash, numbers, f->is_normal ? 2 * BLOCK : BLOCK);
        }
        if (!(e.most <= f->most))
            fail_msg("%s: an error of %.3f at word %u", f->name, e.most, e.at);
        if (hash != f->hash)
            fail_msg("%s: other bits than on other machines, 0x%016" PRIX64, f->name, hash);
    }
}

/* By the C library's, which are not exact themselves. */
static void assert_near(double actual, double expected, const char *name, double x)
{
    if (!(fabs(actual - expected) <= 0x1.8p-52 * fabs(expected)))
        fail_msg("%s of %.17g is %.17g, expected %.17g", name, x, actual, expected);
}

static void functions_in_double_have_their_values_and_the_same_bits_everywhere(void **state)
{
    (void)state;
    uint64_t hash = REF_HASH_START;
    for (int i = -64 * 256; i <= 64 * 256; i++) {
        const double x = i / 256.0, e = exp_of(x), kept = 1 + e;
        assert_near(e, exp(x), "e^x", x);
        assert_near(log_of(kept), log(kept), "ln", kept);
        assert_near(log_of(e), log(e), "ln", e);
        const double values[] = {e, log_of(kept), log_of(e)};
        for (size_t k = 0; k < 3; k++) {
            uint64_t bits;
            memcpy(&bits, &values[k], sizeof bits);
            const uint32_t halves[2] = {(uint32_t)bits, (uint32_t)(bits >> 32)};
            hash = hash_words(hash, halves, 2);
        }
    }
    assert_true(exp_of(0) == 1 && log_of(1) == 0 && log_of(2) == 0x1.62e42fefa39efp-1);
    assert_true(hash == UINT64_C(0x70B5DB86B977E964));
}

/* ---- All words, as a program ---- */

enum { THREADS = 2, BLOCKS = 1 << 20 };

typedef struct part {
    const function *f;
    unsigned thread;
    bool bits;
    errors e;
    uint64_t differ; /* blocks in which a tier does not have the bits of the scalar one */
} part;

static void compare_tiers(part *p, const uint32_t *words)
{
    float numbers[2 * BLOCK], other[2 * BLOCK];
    const size_t bytes = (p->f->is_normal ? 2 : 1) * BLOCK * sizeof(float);
    compute(p->f, dropwise_kernels_get(DROPWISE_ISA_SCALAR), words, numbers);
    for (dropwise_isa isa = DROPWISE_ISA_SCALAR + 1; dropwise_isa_name(isa) != NULL; isa++) {
        const dropwise_kernels *tier = dropwise_kernels_get(isa);
        if (tier == NULL)
            continue;
        compute(p->f, tier, words, other);
        p->differ += memcmp(numbers, other, bytes) != 0;
    }
}

static void *run_part(void *argument)
{
    part *p = argument;
    const time_t start = time(NULL);
    for (uint32_t block = p->thread; block < BLOCKS; block += THREADS) {
        uint32_t words[BLOCK];
        float numbers[2 * BLOCK];
        for (uint32_t i = 0; i < BLOCK; i++)
            words[i] = block * BLOCK + i;
        if (p->bits) {
            compare_tiers(p, words);
        } else {
            compute(p->f, dropwise_active(), words, numbers);
            judge(&p->e, p->f, words, numbers);
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
    errors e = {0, 0};
    uint64_t differ = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        differ += parts[t].differ;
        note(&e, parts[t].e.most, parts[t].e.at);
    }
    if (bits)
        printf("\r%-16s %llu blocks of %d differ\n", f->name, (unsigned long long)differ, BLOCKS);
    else
        printf("\r%-16s an error of %.3f at word %u\n", f->name, e.most, e.at);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_as_near_to_the_formulas_as_the_header_says),
        cmocka_unit_test(functions_in_double_have_their_values_and_the_same_bits_everywhere),
    };
    if (argc < 2)
        return run_on_each_tier(tests, NULL, NULL);
    for (size_t k = 0; k < N_FUNCTIONS; k++)
        if (argc == 2 || strcmp(argv[2], functions[k].name) == 0)
            run_all(&functions[k], strcmp(argv[1], "bits") == 0);
    return 0;
}
