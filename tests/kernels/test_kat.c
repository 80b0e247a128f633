/*
 * Random123's known answers on every tier, through the kernels, and those that a seed can be the key of
 * through the public API too. Those of ARS are in test_ars.c.
 */
#include "kernels/known_answers.h"
#include "tiers/dispatch.h"

#define DROPWISE_GENERATOR(number, name, user_name, template) \
    static void name##_has_random123s_answers_at_every_place(void **state) \
    { \
        (void)state; \
        check_known_answers(&dropwise_active()->name, #name); \
    }
#include "kernels/generators.inc"

/* The number of a generator, by its name in the library's tables; 0 if it has none of that name. */
static uint32_t number_of(const char *generator)
{
#define DROPWISE_GENERATOR(number, name, user_name, template) \
    if (strcmp(generator, #name) == 0) \
        return DROPWISE_##number;
#include "kernels/generators.inc"
    return 0;
}

static void any_number_of_bytes_is_drawn_as_random123_has_them(void **state)
{
    (void)state;
    const known_answer *answer;
    for (size_t a = 0; (answer = known_answer_number(a)) != NULL; a++) {
        const dropwise_key key = answer->key;
        const uint32_t generator = number_of(answer->generator);
        if (generator == 0 || key.key[2] != 0 || key.key[3] != 0) /* a seed fills half of a key */
            continue;
        dropwise_mask mask;
        assert_int_equal(dropwise_mask_init(&mask, 0.5, key.key[0] | (uint64_t)key.key[1] << 32,
                                            key.stream[0] | (uint64_t)key.stream[1] << 32),
                         DROPWISE_OK);
        mask.generator = generator;
        for (size_t n = 0; n <= 16; n++) {
            uint8_t bytes[17];
            memset(bytes, 0xCA, sizeof bytes);
            assert_int_equal(dropwise_draw_bytes(&mask, answer->counter, n, bytes), DROPWISE_OK);
            assert_same_bytes(bytes, answer->bytes, n, "answer %zu, %zu bytes", a, n);
            assert_int_equal(bytes[n], 0xCA);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define DROPWISE_GENERATOR(number, name, user_name, template) \
    cmocka_unit_test(name##_has_random123s_answers_at_every_place),
#include "kernels/generators.inc"
        cmocka_unit_test(any_number_of_bytes_is_drawn_as_random123_has_them),
    };
    return run_on_each_tier(tests, read_known_answers, NULL);
}
