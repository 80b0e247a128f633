#define _GNU_SOURCE /* syscall */

#include "support/common.h"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "tiers/dispatch.h"

/* ---- Groups of tests ---- */

bool is_required(const char *name)
{
    const char *at = getenv("DROPWISE_TEST_REQUIRE");
    const size_t length = strlen(name);
    for (; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static void is_skipped(void **state)
{
    (void)state;
    skip();
}

static void is_missing(void **state)
{
    (void)state;
    fail_msg("DROPWISE_TEST_REQUIRE lists it");
}

/* The target that the tests are running for. */
static void (*choose_target)(size_t i);
static size_t chosen;

/* Before each test, as one that failed may have left another tier. The caches are taken for small ones, so
 * that results of 4 MiB are stored past them on every machine. */
static int begin_test(void **state)
{
    const struct CMUnitTest *test = *state;
    atomic_store(&dropwise_known_cached_bytes, 1 << 20);
    choose_target(chosen);
    *state = test->initial_state;
    return test->setup_func != NULL ? test->setup_func(state) : 0;
}

enum { MAX_NAME = 160 };

static bool all_pass(const char *name, const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                     CMFixtureFunction teardown)
{
    struct CMUnitTest *named = calloc(n, sizeof *named);
    char(*names)[MAX_NAME] = calloc(n, sizeof *names);
    assert_true(named != NULL && names != NULL);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%s: %s", name, tests[i].name);
        named[i] = tests[i];
        named[i].name = names[i];
        named[i].setup_func = begin_test;
        named[i].initial_state = (void *)&tests[i];
    }
    const bool pass = _cmocka_run_group_tests(name, named, n, setup, teardown) == 0;
    free(names);
    free(named);
    return pass;
}

int run_on_each_target(const target *targets, size_t n_targets, void (*choose)(size_t i),
                       const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                       CMFixtureFunction teardown)
{
    const char *only = getenv("DROPWISE_TEST_TIER");
    bool found = false, ran = false, failed = false;
    choose_target = choose;
    for (chosen = 0; chosen < n_targets; chosen++) {
        const target *t = &targets[chosen];
        if (only != NULL && strcmp(only, t->name) != 0)
            continue;
        found = true;
        if (t->missing == NULL) {
            ran = true;
            failed |= !all_pass(t->name, tests, n, setup, teardown);
        } else {
            char name[MAX_NAME];
            snprintf(name, sizeof name, "%s: %s", t->name, t->missing);
            const struct CMUnitTest missing = {.name = name,
                                               .test_func = is_required(t->name) ? is_missing : is_skipped};
            failed |= _cmocka_run_group_tests(name, &missing, 1, NULL, NULL) != 0;
        }
    }
    if (!found)
        fprintf(stderr, "DROPWISE_TEST_TIER names nothing that this program has tests for: %s\n", only);
    /* Not cmocka's number of failures: 77 would be taken for skipped, 256 for none. */
    return !found || failed ? 1 : ran ? 0 : STATUS_SKIPPED;
}

int run_group_once(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                   CMFixtureFunction teardown)
{
    return _cmocka_run_group_tests("once", tests, n, setup, teardown) == 0 ? 0 : 1;
}

static void choose_tier(size_t i)
{
    assert_int_equal(dropwise_isa_select((dropwise_isa)i + 1), DROPWISE_OK);
}

int run_group_on_each_tier(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                           CMFixtureFunction teardown)
{
    target tiers[DROPWISE_ISA_COUNT - 1];
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_status status = dropwise_isa_check(isa);
        tiers[isa - 1] =
            (target){dropwise_isa_name(isa), status == DROPWISE_OK                    ? NULL
                                             : status == DROPWISE_ERROR_ISA_NOT_BUILT ? "not built"
                                                                                      : "not usable here"};
    }
    return run_on_each_target(tiers, DROPWISE_ISA_COUNT - 1, choose_tier, tests, n, setup, teardown);
}

bool has_math(void)
{
    return dropwise_has_math(dropwise_active());
}

bool has_functions(ref_dtype dtype)
{
    return dtype != REF_F64 || has_math();
}

void needs_math(void)
{
    if (!has_math())
        skip();
}

/* ---- Sizes, data ---- */

void allow_tiles(void)
{
#if defined(__linux__) && defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA);
#endif
}

bool quick(void)
{
    return getenv("DROPWISE_TEST_QUICK") != NULL;
}

uint64_t noise(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void fill_noise(void *p, size_t n, uint64_t seed)
{
    unsigned char *out = p;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)noise(&seed);
}

void put_le32(void *p, uint32_t word)
{
    unsigned char *out = p;
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(word >> 8 * i);
}

uint32_t get_le32(const void *p)
{
    const unsigned char *in = p;
    return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

enum {
#define DROPWISE_DTYPE(number, name, bits) IS_LISTED_##number,
#include "kernels/dtypes.inc"
    LISTED_DTYPES
};
_Static_assert(LISTED_DTYPES == (int)REF_DTYPES, "the library has the oracle's dtypes");

dropwise_dtype dtype_number(ref_dtype dtype)
{
    static const dropwise_dtype numbers[REF_DTYPES] = {
#define REF_DTYPE(number, name, bytes) [REF_##number] = DROPWISE_##number,
#include "oracle/dtypes.inc"
    };
    return numbers[dtype];
}

const char *dtype_name(ref_dtype dtype)
{
    static const char *const names[REF_DTYPES] = {
#define REF_DTYPE(number, name, bytes) [REF_##number] = #name,
#include "oracle/dtypes.inc"
    };
    return names[dtype];
}

void fill_awkward(ref_dtype dtype, void *p, size_t n, uint64_t seed)
{
    /* Magnitudes: zero, infinity, NaN (quiet, signalling), subnormals, smallest normal, largest, one. */
    static const uint64_t awkward[REF_DTYPES][10] = {
        [REF_F32] = {0, 0x7F800000, 0x7FC00000, 0x7FC12345, 0x7F800001, 0x7FBFFFFF, 1, 0x007FFFFF, 0x00800000,
                     0x7F7FFFFF},
        [REF_F64] = {0, UINT64_C(0x7FF0000000000000), UINT64_C(0x7FF8000000000000),
                     UINT64_C(0x7FF8000012345678), UINT64_C(0x7FF0000000000001), UINT64_C(0x7FF7FFFFFFFFFFFF),
                     1, UINT64_C(0x000FFFFFFFFFFFFF), UINT64_C(0x0010000000000000),
                     UINT64_C(0x7FEFFFFFFFFFFFFF)},
        [REF_F16] = {0, 0x7C00, 0x7E00, 0x7E55, 0x7C01, 0x7DFF, 1, 0x03FF, 0x0400, 0x7BFF},
        [REF_BF16] = {0, 0x7F80, 0x7FC0, 0x7FD5, 0x7F81, 0x7FBF, 1, 0x007F, 0x0080, 0x7F7F},
    };
    const size_t bytes = ref_bytes(dtype);
    unsigned char *out = p;
    if (bytes == 1) { /* few enough that noise meets all of them */
        fill_noise(p, n, seed);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = noise(&seed);
        uint64_t u = noise(&seed) >> (64 - 8 * bytes);
        if (r % 3 == 0)
            u = awkward[dtype][(r >> 32) % 10] | (r >> 8 & 1) << (8 * bytes - 1);
        const uint32_t u32 = (uint32_t)u;
        const uint16_t u16 = (uint16_t)u;
        memcpy(out + bytes * i, bytes == 8 ? (void *)&u : bytes == 4 ? (void *)&u32 : (void *)&u16, bytes);
    }
}

void assert_same_bytes(const void *actual, const void *expected, size_t n, const char *format, ...)
{
    if (n == 0 || memcmp(actual, expected, n) == 0)
        return;
    const unsigned char *a = actual, *e = expected;
    size_t at = 0;
    while (a[at] == e[at])
        at++;
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fail_msg("%s: byte %zu of %zu is %02x, expected %02x", what, at, n, a[at], e[at]);
}
