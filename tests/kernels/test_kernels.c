/*
 * Every kernel of kernels.inc on every tier against the oracle, a test each: all small sizes, all alignments,
 * counters that wrap, awkward floats, guard pages on both sides of every buffer, read-only inputs.
 */
#include "kernels/kernel_checks.h"
#include "tiers/dispatch.h"

/* ---- The tests ---- */

/* A build may be without parts. */
static void needs(bool built)
{
    if (!built)
        skip();
}

#define TEST(kernel, check) \
    static void test_##kernel(void **state) \
    { \
        (void)state; \
        check; \
    }
#define DROPWISE_KERNEL(kind, name, template) \
    TEST(name, (needs(dropwise_active()->name != NULL), check_##kind(dropwise_active()->name, #name)))
#define DROPWISE_MATH_KERNEL(kind, name, template) \
    TEST(name, (needs_math(), needs(dropwise_active()->name != NULL), \
                check_##kind(dropwise_active()->name, #name)))
#define DROPWISE_KERNEL_OF(generator, kind, name, template) \
    TEST(name, check_##kind(&dropwise_active()->generator, #generator))
#define DROPWISE_FUSED(kind, generator, element, name, template) \
    TEST(name, check_##kind(&dropwise_active()->generator, dropwise_active()->generator.kind##_##element, \
                            #generator, #name))
#include "kernels/kernels.inc"

/* Products by tiles, where there are such: the tier's table alone is no tier of its own. */
static void test_matmul_tiles(void **state)
{
    (void)state;
    allow_tiles();
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_matmul_bf16_fn *const matmul = dropwise_matmul_bf16_of(kernels);
    needs(matmul != kernels->matmul_bf16);
    check_matmul_bf16(matmul, "matmul_tiles");
}

/* ---- Their names ---- */

#define NAMED(kernel) \
    {.name = #kernel, .test_func = test_##kernel, .setup_func = new_buffers, .teardown_func = free_buffers},
#define DROPWISE_KERNEL(kind, name, template) NAMED(name)
#define DROPWISE_KERNEL_OF(generator, kind, name, template) NAMED(name)
#define DROPWISE_FUSED(kind, generator, element, name, template) NAMED(name)

int main(void)
{
    static const struct CMUnitTest tests[] = {
#include "kernels/kernels.inc"
        NAMED(matmul_tiles)};
    return run_on_each_tier(tests, NULL, NULL);
}
