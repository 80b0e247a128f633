#include "common.h"

int report_tiers(void **state)
{
    (void)state;
    const char *required = getenv("DROPWISE_TEST_REQUIRE");
    int missing = 0;
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const char *name = dropwise_isa_name(isa);
        const dropwise_status status = dropwise_isa_check(isa);
        const bool wanted = required != NULL && strstr(required, name) != NULL;
        printf("tier %s: %s\n", name,
               status == DROPWISE_OK                     ? "tested"
               : status == DROPWISE_ERROR_ISA_NOT_BUILT ? "not built"
                                                         : "not usable here");
        if (wanted && status != DROPWISE_OK) {
            printf("tier %s is required here\n", name);
            missing++;
        }
    }
    fflush(stdout);
    return missing;
}

void for_each_tier(void (*test)(dropwise_isa isa))
{
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (dropwise_isa_check(isa) != DROPWISE_OK)
            continue;
        assert_int_equal(dropwise_isa_select(isa), DROPWISE_OK);
        test(isa);
    }
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_AUTO), DROPWISE_OK);
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

void fill_awkward_f32(void *p, size_t n, uint64_t seed)
{
    static const uint32_t awkward[] = {
        0x00000000, 0x80000000,             /* zeros               */
        0x7F800000, 0xFF800000,             /* infinities          */
        0x7FC00000, 0xFFC12345, 0x7FFFFFFF, /* quiet NaN           */
        0x7F800001, 0xFFBFFFFF,             /* signalling NaN      */
        0x00000001, 0x80000001, 0x007FFFFF, /* subnormals          */
        0x00800000, 0x80800000,             /* the smallest normal */
        0x7F7FFFFF, 0xFF7FFFFF,             /* the largest         */
        0x3F800000, 0xBF800000,             /* one                 */
    };
    unsigned char *out = p;
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = noise(&seed);
        const uint32_t u = r % 3 == 0 ? awkward[(r >> 32) % (sizeof awkward / sizeof awkward[0])]
                                      : (uint32_t)(r >> 32);
        memcpy(out + 4 * i, &u, 4);
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
