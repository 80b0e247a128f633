/*
 * Random123's known answers on every tier, through the kernels, and those of Philox through the public API
 * too. Those of ARS are in test_ars.c.
 */
#include "kernels/known_answers.h"
#include "tiers/dispatch.h"

static void philox4x32_10_has_random123s_answers_at_every_place(void **state)
{
    (void)state;
    check_known_answers(&dropwise_active()->philox4x32_10, "philox4x32", 10);
}

static void philox4x32_7_has_random123s_answers_at_every_place(void **state)
{
    (void)state;
    check_known_answers(&dropwise_active()->philox4x32_7, "philox4x32", 7);
}

static void threefry4x32_20_has_random123s_answers_at_every_place(void **state)
{
    (void)state;
    check_known_answers(&dropwise_active()->threefry4x32_20, "threefry4x32", 20);
}

static void any_number_of_bytes_is_drawn_as_random123_has_them(void **state)
{
    (void)state;
    const known_answer *answer;
    for (size_t a = 0; (answer = known_answer_number(a)) != NULL; a++) {
        if (strcmp(answer->generator, "philox4x32") != 0)
            continue;
        const dropwise_key key = answer->key;
        dropwise_mask mask;
        assert_int_equal(dropwise_mask_init(&mask, 0.5, key.key[0] | (uint64_t)key.key[1] << 32,
                                            key.stream[0] | (uint64_t)key.stream[1] << 32),
                         DROPWISE_OK);
        mask.generator = answer->rounds == 7 ? DROPWISE_PHILOX4X32_7 : DROPWISE_PHILOX4X32_10;
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
        cmocka_unit_test(philox4x32_10_has_random123s_answers_at_every_place),
        cmocka_unit_test(philox4x32_7_has_random123s_answers_at_every_place),
        cmocka_unit_test(threefry4x32_20_has_random123s_answers_at_every_place),
        cmocka_unit_test(any_number_of_bytes_is_drawn_as_random123_has_them),
    };
    return run_on_each_tier(tests, read_known_answers, NULL);
}
