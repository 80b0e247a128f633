/*
 * Every kernel of kernels.inc on every tier against the oracle: all small sizes, all alignments, counters
 * that wrap, awkward floats, guard pages on both sides of every buffer, read-only inputs.
 */
#include "kernels/ars_tables.h"
#include "tiers/dispatch.h"
#include "kernels/kernel_checks.h"

static void check_kernels(dropwise_isa isa)
{
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    assert_non_null(kernels);
    assert_int_equal(kernels->isa, isa);
    const bool has_math = dropwise_has_math(dropwise_active());
    if (!has_math)
        printf("tier %s: no SLEEF functions here\n", dropwise_isa_name(isa));
#define DROPWISE_GENERATOR(name) check_generator(&kernels->name, #name);
#define DROPWISE_KERNEL(kind, name) check_##kind(kernels->name, #name);
#define DROPWISE_MATH_KERNEL(kind, name) \
    if (has_math) \
        check_##kind(kernels->name, #name);
#include "kernels/kernels.inc"
#undef DROPWISE_GENERATOR
#undef DROPWISE_KERNEL
#undef DROPWISE_MATH_KERNEL
}

static void test_kernels(void **state)
{
    (void)state;
    new_buffers();
    for_each_tier(check_kernels);
    free_buffers();
}

static void test_ars(void **state)
{
    (void)state;
    new_buffers();
    for (size_t t = 0; t < N_ARS_TABLES; t++) {
        const dropwise_ars_kernels *table = ars_tables[t].rounds_7;
        if (ars_usable(table))
            check_generator(&table->generator, "ars4x32_7");
    }
    free_buffers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_ars)};
    return cmocka_run_group_tests_name("kernels", tests, report_tiers, NULL);
}
