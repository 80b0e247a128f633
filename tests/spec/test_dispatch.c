/*
 * The choice of a tier: by the CPU, by DROPWISE_ISA in processes of its own, by the API, and by threads
 * that come before anything was chosen.
 */
#define _GNU_SOURCE /* setenv under -std=c11 */

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/common.h"
#include "tiers/cpu.h"
#include "tiers/dispatch.h"

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

static void the_best_usable_tier_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("DROPWISE_ISA"), 0);
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
    if (wanted != NULL)
        assert_int_equal(setenv("DROPWISE_ISA", wanted, 1), 0);
    else
        assert_int_equal(unsetenv("DROPWISE_ISA"), 0);
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        close(fd[1]);
        execl(program, program, "report", (char *)NULL);
        _exit(127);
    }
    close(fd[1]);
    size_t got = 0;
    for (ssize_t n; got < size - 1 && (n = read(fd[0], answer + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    answer[got] = '\0';
    close(fd[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(unsetenv("DROPWISE_ISA"), 0);
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
        cmocka_unit_test(the_known_answer_of_ars_is_the_oracles),
        cmocka_unit_test(ars_is_computed_with_what_this_machine_is_said_to_have),
        cmocka_unit_test(the_environment_variable_chooses_a_usable_tier_and_else_the_best_one),
        cmocka_unit_test(threads_whose_first_calls_come_together_choose_the_best_tier),
    };
    return run_once(tests, NULL, NULL);
}
