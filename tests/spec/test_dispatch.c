/*
 * The choice of a tier: by the CPU, by DROPWISE_ISA in processes of its own, by the API, and by threads
 * that come before anything was chosen. What caches a CPU says to have.
 */
#define _GNU_SOURCE /* setenv, popen under -std=c11 */

#include <pthread.h>

#include "apply/apply.h"
#include "support/common.h"
#include "tiers/cpu.h"
#include "tiers/dispatch.h"
#include "x86/caches.h"

/* Tiers from the best on: an order that their numbers in the ABI do not give. */
static dropwise_isa best_tier(void)
{
    static const char *const from_best[] = {"avx512", "avx2", "rvv", "neon", "scalar"};
    assert_int_equal(sizeof from_best / sizeof from_best[0], DROPWISE_ISA_COUNT - 1);
    for (size_t i = 0; i < sizeof from_best / sizeof from_best[0]; i++)
        for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++)
            if (strcmp(dropwise_isa_name(isa), from_best[i]) == 0 && dropwise_isa_check(isa) == DROPWISE_OK)
                return isa;
    fail(); /* the scalar tier is usable everywhere */
    return DROPWISE_ISA_AUTO;
}

static void tiers_that_are_required_here_are_usable(void **state)
{
    (void)state;
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const char *name = dropwise_isa_name(isa);
        if (is_required(name) && dropwise_isa_check(isa) != DROPWISE_OK)
            fail_msg("DROPWISE_TEST_REQUIRE lists %s: %s", name,
                     dropwise_status_string(dropwise_isa_check(isa)));
    }
}

/* NULL or "" is as if it were not set, as far as systems tell these apart. */
static void set_variable(const char *wanted)
{
#ifdef _WIN32
    char assignment[64];
    snprintf(assignment, sizeof assignment, "DROPWISE_ISA=%s", wanted != NULL ? wanted : "");
    assert_int_equal(putenv(assignment), 0);
#else
    assert_int_equal(wanted != NULL ? setenv("DROPWISE_ISA", wanted, 1) : unsetenv("DROPWISE_ISA"), 0);
#endif
}

static void the_best_usable_tier_is_chosen(void **state)
{
    (void)state;
    set_variable(NULL);
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_AUTO), DROPWISE_OK);
    assert_int_equal(dropwise_isa_active(), best_tier());
    assert_non_null(strstr(dropwise_isa_reason(), "best tier"));

    /* What CI knows of the machine that this runs on. */
    const char *expected = getenv("DROPWISE_TEST_EXPECT");
    printf("tier chosen: %s\n", dropwise_isa_name(dropwise_isa_active()));
    if (expected != NULL)
        assert_string_equal(dropwise_isa_name(dropwise_isa_active()), expected);
}

static void a_tier_that_is_selected_is_active_and_says_why(void **state)
{
    (void)state;
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (dropwise_isa_select(isa) != DROPWISE_OK)
            continue;
        assert_int_equal(dropwise_isa_active(), isa);
        assert_string_equal(dropwise_isa_reason(), "asked for by dropwise_isa_select");
    }
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_AUTO), DROPWISE_OK);
}

static void a_usable_tier_needs_features_of_its_own_that_the_cpu_has(void **state)
{
    (void)state;
    const uint64_t avx2 = UINT64_C(1) << DROPWISE_CPU_AVX2;
    const uint64_t avx512 = UINT64_C(1) << DROPWISE_CPU_AVX512F | UINT64_C(1) << DROPWISE_CPU_AVX512BW |
                            UINT64_C(1) << DROPWISE_CPU_AVX512DQ | UINT64_C(1) << DROPWISE_CPU_AVX512VL;
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        if (kernels == NULL)
            continue;
        assert_int_equal(kernels->isa, isa);
        assert_true((kernels->required & ~dropwise_cpu_features()) == 0);
        if (isa == DROPWISE_ISA_AVX2)
            assert_true((kernels->required & avx2) == avx2);
        if (isa == DROPWISE_ISA_AVX512)
            assert_true((kernels->required & avx512) == avx512);
    }
}

/*
 * What CPUs answer to leaf 4, or 0x8000001D, cache by cache, and what their cores then have in KiB, worked
 * out by hand of what makers say. All but the last are from the tests of libcpuid, which are named here
 * (https://github.com/anrieff/libcpuid: tests/amd, tests/intel/x86-64). The last is a virtual machine's, of
 * two threads on a Xeon of the same kind as the one before it.
 */
static const struct {
    const char *cpu;
    uint64_t kib;
    cache_leaf leaves[4];
} recorded[] = {
    {"zen4/amd-ryzen-7-7700x-8-core-processor: 1 MiB, and 32 MiB of 8 cores",
     1024 + 4096,
     {{0x00004121, 0x01C0003F, 0x0000003F, 0},
      {0x00004122, 0x01C0003F, 0x0000003F, 0},
      {0x00004143, 0x01C0003F, 0x000007FF, 2},
      {0x0003C163, 0x03C0003F, 0x00007FFF, 1}}},
    {"zen4/amd-ryzen-7-7800x3d-8-core-processor: 1 MiB, and 96 MiB of 8 cores",
     1024 + 12288,
     {{0x00004121, 0x01C0003F, 0x0000003F, 0},
      {0x00004122, 0x01C0003F, 0x0000003F, 0},
      {0x00004143, 0x01C0003F, 0x000007FF, 2},
      {0x0003C163, 0x03C0003F, 0x00017FFF, 1}}},
    {"zen5/amd-epyc-9655-96-core-processor, a thread a core: 1 MiB, and 32 MiB of 8 cores",
     1024 + 4096,
     {{0x00000121, 0x02C0003F, 0x0000003F, 0},
      {0x00000122, 0x01C0003F, 0x0000003F, 0},
      {0x00000143, 0x03C0003F, 0x000003FF, 2},
      {0x0001C163, 0x03C0003F, 0x00007FFF, 1}}},
    {"bulldozer/amd-fx-8350-eight-core-processor: 2 MiB, and 8 MiB of 8 cores",
     2048 + 1024,
     {{0x00000121, 0x00C0003F, 0x0000003F, 0},
      {0x00004122, 0x0040003F, 0x000001FF, 0},
      {0x00004143, 0x03C0003F, 0x000007FF, 1},
      {0x0001C163, 0x0FC0003F, 0x000007FF, 1}}},
    {"skylake/intel-xeon-platinum-8180-cpu: 1 MiB, and 38.5 MiB of what may be 32 cores",
     1024 + 1232,
     {{0x7C004121, 0x01C0003F, 0x0000003F, 0},
      {0x7C004122, 0x01C0003F, 0x0000003F, 0},
      {0x7C004143, 0x03C0003F, 0x000003FF, 0},
      {0x7C0FC163, 0x0280003F, 0x0000DFFF, 4}}},
    {"sunny-cove/intel-core-i7-1065g7-cpu: 8 MiB of what may be 8 cores, which hold their 512 KiB too",
     1024,
     {{0x1C004121, 0x02C0003F, 0x0000003F, 0},
      {0x1C004122, 0x01C0003F, 0x0000003F, 0},
      {0x1C004143, 0x01C0003F, 0x000003FF, 0},
      {0x1C03C163, 0x03C0003F, 0x00001FFF, 6}}},
    {"golden-cove/12th-gen-intel-core-i9-12900k, a large core: 1.25 MiB, and 30 MiB of what may be 64 cores",
     1280 + 480,
     {{0xFC004121, 0x02C0003F, 0x0000003F, 0},
      {0xFC004122, 0x01C0003F, 0x0000003F, 0},
      {0xFC01C143, 0x0240003F, 0x000007FF, 0},
      {0xFC1FC163, 0x02C0003F, 0x00009FFF, 4}}},
    {"raptor-cove/intel-xeon-platinum-8570, Emerald Rapids: 2 MiB, and 300 MiB of what may be 64 cores",
     2048 + 4800,
     {{0xFC004121, 0x02C0003F, 0x0000003F, 0},
      {0xFC004122, 0x01C0003F, 0x0000003F, 0},
      {0xFC004143, 0x03C0003F, 0x000007FF, 0},
      {0xFC1FC163, 0x04C0003F, 0x0003BFFF, 4}}},
    {"a virtual machine on Emerald Rapids: 2 MiB, and 300 MiB of 2 cores, which is not credible",
     2048 + 2048,
     {{0x04000121, 0x02C0003F, 0x0000003F, 0},
      {0x04000122, 0x01C0003F, 0x0000003F, 0},
      {0x04000143, 0x03C0003F, 0x000007FF, 0},
      {0x04004163, 0x04C0003F, 0x0003BFFF, 4}}},
};

static void caches_are_those_that_cpus_are_known_to_have(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        const uint64_t bytes = caches_of_core(recorded[i].leaves, 4);
        if (bytes != recorded[i].kib << 10)
            fail_msg("%s: %llu bytes", recorded[i].cpu, (unsigned long long)bytes);
    }
    /* What no CPU says, but a hypervisor may: nothing is too large, and no core has more than there is. */
    const cache_leaf all_ones = {UINT32_MAX & ~0xE0U, UINT32_MAX, UINT32_MAX, 0};
    cache_leaf odd[8];
    for (uint32_t level = 0; level < 8; level++) {
        odd[level] = all_ones;
        odd[level].eax |= level << 5;
    }
    assert_true(caches_of_core(odd, 8) <= UINT64_C(8) * (16 << 20));
    odd[0] = (cache_leaf){0x00004121, 0x01C0003F, 0x0000003F, 0}; /* two threads share the first level */
    odd[1] = (cache_leaf){0x00000163, 0x03C0003F, 0x00001FFF, 0}; /* and one the third                 */
    assert_true(caches_of_core(odd, 2) == 8 << 20);
    assert_true(caches_of_core(odd, 1) == 0 && caches_of_core(odd, 0) == 0);
}

static void the_caches_of_this_cpu_are_asked_for_once(void **state)
{
    (void)state;
    atomic_store(&dropwise_known_cached_bytes, 0);
    assert_true(dropwise_is_near(256 << 10) && !dropwise_is_large((4 << 20) - 1));
    assert_true(atomic_load(&dropwise_known_cached_bytes) == 0); /* what is small enough does not ask */
    const size_t cached = dropwise_cached_bytes();
    printf("a tensor beside another one in cache: up to %zu KiB\n", cached >> 10);
    assert_true(cached != 0 && cached == atomic_load(&dropwise_known_cached_bytes));
    atomic_store(&dropwise_known_cached_bytes, 12345);
    assert_true(dropwise_cached_bytes() == 12345);
    atomic_store(&dropwise_known_cached_bytes, 0);
}

static void caches_decide_within_bounds(void **state)
{
    (void)state;
    enum { KIB = 1 << 10, MIB = 1 << 20 };
    static const struct {
        size_t cached, near, large; /* the last that is near, the first that is large */
    } of[] = {{1, 256 * KIB, 4 * MIB},
              {300 * KIB, 300 * KIB, 4 * MIB},
              {2560 * KIB, 2560 * KIB, 4 * MIB},
              {4 * MIB, 4 * MIB, 4 * MIB + 1},
              {6 * MIB, 4 * MIB, 6 * MIB + 1}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        atomic_store(&dropwise_known_cached_bytes, of[i].cached);
        assert_true(dropwise_is_near(of[i].near) && !dropwise_is_near(of[i].near + 1));
        assert_true(dropwise_is_large(of[i].large) && !dropwise_is_large(of[i].large - 1));
        assert_true(dropwise_is_large(UINT64_MAX) && dropwise_is_near(0) && !dropwise_is_near(UINT64_MAX));
    }
    atomic_store(&dropwise_known_cached_bytes, 0);
}

static uint64_t load_le64_of(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

/* The oracle's blocks for the key and the counters that dispatch.c tries a table of ARS with. */
static void the_known_answer_of_ars_is_the_oracles(void **state)
{
    (void)state;
    uint64_t digest = 0;
    for (uint64_t counter = 0; counter < DROPWISE_ARS_ANSWER_BLOCKS; counter++) {
        uint8_t block[16];
        ref_generate(REF_ARS4X32_7, UINT64_C(0x85A308D3243F6A88), UINT64_C(0x0370734413198A2E), counter,
                     block);
        digest = digest * DROPWISE_ARS_ANSWER_FACTOR + load_le64_of(block);
        digest = digest * DROPWISE_ARS_ANSWER_FACTOR + load_le64_of(block + 8);
    }
    if (digest != DROPWISE_ARS_ANSWER)
        fail_msg("DROPWISE_ARS_ANSWER has to be UINT64_C(0x%016llX)", (unsigned long long)digest);
}

/* What CI knows of the machine, and that the choice has its reason. */
static void ars_is_computed_with_what_this_machine_is_said_to_have(void **state)
{
    (void)state;
    const char *expected = getenv("DROPWISE_TEST_EXPECT_AES");
    printf("ars4x32 by %s: %s\n", dropwise_aes_name(), dropwise_aes_reason());
    if (expected == NULL)
        skip();
    assert_string_equal(dropwise_aes_name(), expected);
    if (getenv("DROPWISE_TEST_EXPECT_AES_FAULT") != NULL)
        assert_non_null(strstr(dropwise_aes_reason(), "failed their known answer"));
}

/* This program, started again, prints its tier and why. */
static void ask_child(const char *program, const char *wanted, char *answer, size_t size)
{
    char command[4096];
    assert_true(snprintf(command, sizeof command, "\"%s\" report", program) < (int)sizeof command);
    set_variable(wanted);
    FILE *child = popen(command, "r");
    assert_non_null(child);
    answer[fread(answer, 1, size - 1, child)] = '\0';
    assert_int_equal(pclose(child), 0);
    set_variable(NULL);
}

static const char *program;

/* Under qemu-user a program cannot be started again without the emulator before its name. */
static bool can_start_again(void)
{
    return getenv("DROPWISE_TEST_NO_EXEC") == NULL;
}

static void the_environment_variable_chooses_a_usable_tier_and_else_the_best_one(void **state)
{
    (void)state;
    if (!can_start_again())
        skip();
    char answer[256], expected[256];
    const char *best = dropwise_isa_name(best_tier());
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const bool usable = dropwise_isa_check(isa) == DROPWISE_OK;
        ask_child(program, dropwise_isa_name(isa), answer, sizeof answer);
        snprintf(expected, sizeof expected, "%s: %s\n", usable ? dropwise_isa_name(isa) : best,
                 usable ? "asked for by the environment variable DROPWISE_ISA"
                        : "the best usable tier; DROPWISE_ISA names one that is not usable here");
        assert_string_equal(answer, expected);
    }
    static const char *const no_tier[] = {"AVX2", "sse9", "avx2 ", "auto"};
    for (size_t i = 0; i < sizeof no_tier / sizeof no_tier[0]; i++) {
        ask_child(program, no_tier[i], answer, sizeof answer);
        snprintf(expected, sizeof expected, "%s: the best usable tier; DROPWISE_ISA names no tier\n", best);
        assert_string_equal(answer, expected);
    }
    static const char *const not_set[] = {NULL, ""};
    for (size_t i = 0; i < sizeof not_set / sizeof not_set[0]; i++) {
        ask_child(program, not_set[i], answer, sizeof answer);
        snprintf(expected, sizeof expected, "%s: the best tier that this CPU and operating system can run\n",
                 best);
        assert_string_equal(answer, expected);
    }
}

enum { THREADS = 8 };

static void *first_call(void *arg)
{
    dropwise_mask mask;
    dropwise_mask_init(&mask, 0.5, 1, 2);
    dropwise_draw_bits(&mask, 0, 64, arg);
    return dropwise_isa_reason() != NULL ? NULL : arg;
}

static void threads_whose_first_calls_come_together_choose_the_best_tier(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        uint8_t bits[THREADS][8];
        pthread_t threads[THREADS];
        atomic_store(&dropwise_active_kernels, NULL); /* as if no constructor had run */
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, first_call, bits[t]), 0);
        for (int t = 0; t < THREADS; t++) {
            void *failed;
            assert_int_equal(pthread_join(threads[t], &failed), 0);
            assert_null(failed);
            assert_same_bytes(bits[t], bits[0], 8, "thread %d", t);
        }
        assert_int_equal(dropwise_isa_active(), best_tier());
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "report") == 0) {
        printf("%s: %s\n", dropwise_isa_name(dropwise_isa_active()), dropwise_isa_reason());
        return 0;
    }
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiers_that_are_required_here_are_usable),
        cmocka_unit_test(the_best_usable_tier_is_chosen),
        cmocka_unit_test(a_tier_that_is_selected_is_active_and_says_why),
        cmocka_unit_test(a_usable_tier_needs_features_of_its_own_that_the_cpu_has),
        cmocka_unit_test(caches_are_those_that_cpus_are_known_to_have),
        cmocka_unit_test(the_caches_of_this_cpu_are_asked_for_once),
        cmocka_unit_test(caches_decide_within_bounds),
        cmocka_unit_test(the_known_answer_of_ars_is_the_oracles),
        cmocka_unit_test(ars_is_computed_with_what_this_machine_is_said_to_have),
        cmocka_unit_test(the_environment_variable_chooses_a_usable_tier_and_else_the_best_one),
        cmocka_unit_test(threads_whose_first_calls_come_together_choose_the_best_tier),
    };
    return run_once(tests, NULL, NULL);
}
