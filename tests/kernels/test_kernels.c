/*
 * Every kernel of kernels.inc on every tier against the oracle, a test each: all small sizes, all alignments,
 * counters that wrap, awkward floats, guard pages on both sides of every buffer, read-only inputs.
 */
#include "kernels/kernel_checks.h"
#include "tiers/dispatch.h"

/* Rows may say more of a kernel than tests ask for. */
#define DROPWISE_GENERATOR(...) GENERATOR_ROW(__VA_ARGS__, )
#define DROPWISE_KERNEL(...) KERNEL_ROW(__VA_ARGS__, )
#define DROPWISE_MATH_KERNEL(...) MATH_KERNEL_ROW(__VA_ARGS__, )

/* ---- The tests ---- */

#define TEST(name, check) \
    static void test_##name(void **state) \
    { \
        (void)state; \
        check; \
    }
#define GENERATOR_ROW(name, ...) \
    TEST(name##_generate, check_generate(dropwise_active()->name.generate, #name)) \
    TEST(name##_generate_at, check_generate_at(dropwise_active()->name.generate_at, #name)) \
    TEST(name##_draw, check_draw(&dropwise_active()->name, #name)) \
    TEST(name##_draw_scale, check_draw_scale(&dropwise_active()->name, #name))
#define KERNEL_ROW(kind, name, ...) TEST(name, check_##kind(dropwise_active()->name, #name))
#define MATH_KERNEL_ROW(kind, name, ...) \
    TEST(name, (needs_math(), check_##kind(dropwise_active()->name, #name)))
#include "kernels/kernels.inc"
#undef GENERATOR_ROW
#undef KERNEL_ROW
#undef MATH_KERNEL_ROW

/* ---- Their names ---- */

#define NAMED(kernel) \
    {.name = #kernel, .test_func = test_##kernel, .setup_func = new_buffers, .teardown_func = free_buffers},
#define GENERATOR_ROW(name, ...) \
    NAMED(name##_generate) \
    NAMED(name##_generate_at) \
    NAMED(name##_draw) \
    NAMED(name##_draw_scale)
#define KERNEL_ROW(kind, name, ...) NAMED(name)
#define MATH_KERNEL_ROW(kind, name, ...) NAMED(name)

int main(void)
{
    static const struct CMUnitTest tests[] = {
#include "kernels/kernels.inc"
    };
    return run_on_each_tier(tests, NULL, NULL);
}
