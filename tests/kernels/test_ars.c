/*
 * ARS by every table of kernels that this machine can run, each a target of its own: with 7 rounds, as they
 * ship, against the oracle, and the same code compiled with 10, for which Random123 has known answers.
 */
#include "kernels/kernel_checks.h"
#include "kernels/known_answers.h"

extern const dropwise_ars_kernels dropwise_ars10_software;
extern const dropwise_ars_kernels dropwise_ars10_neon;
extern const dropwise_ars_kernels dropwise_ars10_aesni;
extern const dropwise_ars_kernels dropwise_ars10_vaes256;
extern const dropwise_ars_kernels dropwise_ars10_vaes512;

static const struct ars_table {
    const char *name;
    const dropwise_ars_kernels *rounds_7, *rounds_10; /* NULL where it is not built */
} ars_tables[] = {
    {"software", &dropwise_ars7_software, &dropwise_ars10_software},
#ifdef DROPWISE_HAVE_ARS_NEON
    {"armv8-aes", &dropwise_ars7_neon, &dropwise_ars10_neon},
#else
    {"armv8-aes", NULL, NULL},
#endif
#ifdef DROPWISE_HAVE_ARS_AESNI
    {"aes-ni", &dropwise_ars7_aesni, &dropwise_ars10_aesni},
#else
    {"aes-ni", NULL, NULL},
#endif
#ifdef DROPWISE_HAVE_ARS_VAES256
    {"vaes-256", &dropwise_ars7_vaes256, &dropwise_ars10_vaes256},
#else
    {"vaes-256", NULL, NULL},
#endif
#ifdef DROPWISE_HAVE_ARS_VAES512
    {"vaes-512", &dropwise_ars7_vaes512, &dropwise_ars10_vaes512},
#else
    {"vaes-512", NULL, NULL},
#endif
};

enum { N_TABLES = sizeof ars_tables / sizeof ars_tables[0] };

static const struct ars_table *table;

static void choose_table(size_t i)
{
    table = &ars_tables[i];
}

static void the_table_is_named_by_its_instructions(void **state)
{
    (void)state;
    assert_string_equal(table->rounds_7->name, table->name);
}

static void generate_ars4x32(void **state)
{
    (void)state;
    check_generate(&table->rounds_7->generator, "ars4x32_7");
}

static void generate_at_ars4x32(void **state)
{
    (void)state;
    check_generate_at(&table->rounds_7->generator, "ars4x32_7");
}

static void prepare_ars4x32(void **state)
{
    (void)state;
    check_prepare(&table->rounds_7->generator, "ars4x32_7");
}

static void draw_ars4x32(void **state)
{
    (void)state;
    check_draw(&table->rounds_7->generator, "ars4x32_7");
}

static void forward_ars4x32_f64(void **state)
{
    (void)state;
    check_forward(&table->rounds_7->generator, table->rounds_7->generator.forward_f64, "ars4x32_7",
                  "forward_ars4x32_f64");
}

static void forward_ars4x32_f32(void **state)
{
    (void)state;
    check_forward(&table->rounds_7->generator, table->rounds_7->generator.forward_f32, "ars4x32_7",
                  "forward_ars4x32_f32");
}

static void forward_ars4x32_f16(void **state)
{
    (void)state;
    check_forward(&table->rounds_7->generator, table->rounds_7->generator.forward_f16, "ars4x32_7",
                  "forward_ars4x32_f16");
}

static void forward_ars4x32_bf16(void **state)
{
    (void)state;
    check_forward(&table->rounds_7->generator, table->rounds_7->generator.forward_bf16, "ars4x32_7",
                  "forward_ars4x32_bf16");
}

static void draw_scale_ars4x32_f64(void **state)
{
    (void)state;
    check_draw_scale(&table->rounds_7->generator, table->rounds_7->generator.draw_scale_f64, "ars4x32_7",
                     "draw_scale_ars4x32_f64");
}

static void draw_scale_ars4x32_f32(void **state)
{
    (void)state;
    check_draw_scale(&table->rounds_7->generator, table->rounds_7->generator.draw_scale_f32, "ars4x32_7",
                     "draw_scale_ars4x32_f32");
}

static void draw_scale_ars4x32_f16(void **state)
{
    (void)state;
    check_draw_scale(&table->rounds_7->generator, table->rounds_7->generator.draw_scale_f16, "ars4x32_7",
                     "draw_scale_ars4x32_f16");
}

static void draw_scale_ars4x32_bf16(void **state)
{
    (void)state;
    check_draw_scale(&table->rounds_7->generator, table->rounds_7->generator.draw_scale_bf16, "ars4x32_7",
                     "draw_scale_ars4x32_bf16");
}

static void ars4x32_10_has_random123s_answers_at_every_place(void **state)
{
    (void)state;
    check_known_answers(&table->rounds_10->generator, "ars4x32_10");
}

#define KERNEL_TEST(name) cmocka_unit_test_setup_teardown(name, new_buffers, free_buffers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_named_by_its_instructions),
        KERNEL_TEST(generate_ars4x32),
        KERNEL_TEST(generate_at_ars4x32),
        KERNEL_TEST(prepare_ars4x32),
        KERNEL_TEST(draw_ars4x32),
        KERNEL_TEST(forward_ars4x32_f64),
        KERNEL_TEST(forward_ars4x32_f32),
        KERNEL_TEST(forward_ars4x32_f16),
        KERNEL_TEST(forward_ars4x32_bf16),
        KERNEL_TEST(draw_scale_ars4x32_f64),
        KERNEL_TEST(draw_scale_ars4x32_f32),
        KERNEL_TEST(draw_scale_ars4x32_f16),
        KERNEL_TEST(draw_scale_ars4x32_bf16),
        cmocka_unit_test(ars4x32_10_has_random123s_answers_at_every_place),
    };
    target targets[N_TABLES];
    for (size_t i = 0; i < N_TABLES; i++) {
        const dropwise_ars_kernels *t = ars_tables[i].rounds_7;
        targets[i] =
            (target){ars_tables[i].name, t == NULL                                       ? "not built"
                                         : (t->required & ~dropwise_cpu_features()) != 0 ? "not usable here"
                                                                                         : NULL};
    }
    return run_on_each_target(targets, N_TABLES, choose_table, tests, sizeof tests / sizeof tests[0],
                              read_known_answers, NULL);
}
