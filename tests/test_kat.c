/*
 * Random123's known answers: on every tier, at every place of a batch and so in every lane, through the
 * kernels and through the public API.
 */
#include "common.h"
#include "kernels.h"
#include "random123_kat.h" /* the text of data/random123_kat.txt */

enum { PLACES = 131, MAX_ANSWERS = 16 };

typedef struct answer {
    dropwise_key key;
    uint64_t counter;
    uint8_t bytes[16];
} answer;

static answer answers[MAX_ANSWERS];
static size_t n_answers;

static int read_answers(void **state)
{
    static char text[sizeof random123_kat];
    memcpy(text, random123_kat, sizeof text);
    size_t others = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        uint32_t w[10];
        if (line[0] == '#')
            continue;
        if (strncmp(line, "philox4x32 10 ", 14) != 0) {
            others++;
            continue;
        }
        const int got = sscanf(line + 14, "%x %x %x %x %x %x %x %x %x %x", w, w + 1, w + 2, w + 3,
                               w + 4, w + 5, w + 6, w + 7, w + 8, w + 9);
        if (got != 10 || n_answers == MAX_ANSWERS)
            return -1;
        answer *a = &answers[n_answers++];
        a->counter = w[0] | (uint64_t)w[1] << 32;
        a->key = (dropwise_key){{w[4], w[5]}, {w[2], w[3]}};
        for (int i = 0; i < 16; i++)
            a->bytes[i] = (uint8_t)(w[6 + i / 4] >> (i % 4 * 8));
    }
    printf("%zu known answers of philox4x32-10; %zu rows are of generators not in this library\n",
           n_answers, others);
    return n_answers == 3 ? report_tiers(state) : -1;
}

static void generate_everywhere(dropwise_isa isa)
{
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    guard_arena arena = guard_new(PLACES * 16 + 64);
    for (size_t a = 0; a < n_answers; a++) {
        for (size_t place = 0; place < PLACES; place++) {
            uint8_t *out = guard_place(&arena, PLACES * 16, place % 2, place % 64);
            kernels->generate_philox4x32_10(&answers[a].key, answers[a].counter - place, PLACES, out);
            assert_same_bytes(out + place * 16, answers[a].bytes, 16, "answer %zu, place %zu", a,
                              place);
            assert_true(guard_intact(&arena));
            /* The shortest batch that still has this place. */
            out = guard_at_end(&arena, (place + 1) * 16);
            kernels->generate_philox4x32_10(&answers[a].key, answers[a].counter - place, place + 1,
                                            out);
            assert_same_bytes(out + place * 16, answers[a].bytes, 16, "answer %zu, last place %zu", a,
                              place);
            assert_true(guard_intact(&arena));
        }
    }
    guard_free(&arena);
}

static void generate_at_everywhere(dropwise_isa isa)
{
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    guard_arena arena = guard_new(PLACES * 16 + 64);
    uint64_t counters[PLACES];
    fill_noise(counters, sizeof counters, 1);
    for (size_t a = 0; a < n_answers; a++) {
        for (size_t place = 0; place < PLACES; place++) {
            const uint64_t other = counters[place];
            counters[place] = answers[a].counter;
            uint8_t *out = guard_place(&arena, PLACES * 16, place % 2, place % 64);
            kernels->generate_at_philox4x32_10(&answers[a].key, counters, PLACES, out);
            assert_same_bytes(out + place * 16, answers[a].bytes, 16, "answer %zu, place %zu", a,
                              place);
            assert_true(guard_intact(&arena));
            counters[place] = other;
        }
    }
    guard_free(&arena);
}

static void public_bytes(dropwise_isa isa)
{
    (void)isa;
    for (size_t a = 0; a < n_answers; a++) {
        const dropwise_key key = answers[a].key;
        dropwise_mask mask;
        assert_int_equal(dropwise_mask_init(&mask, 0.5, key.key[0] | (uint64_t)key.key[1] << 32,
                                            key.stream[0] | (uint64_t)key.stream[1] << 32),
                         DROPWISE_OK);
        for (size_t n = 0; n <= 16; n++) {
            uint8_t bytes[17];
            memset(bytes, 0xCA, sizeof bytes);
            assert_int_equal(dropwise_draw_bytes(&mask, answers[a].counter, n, bytes), DROPWISE_OK);
            assert_same_bytes(bytes, answers[a].bytes, n, "answer %zu, %zu bytes", a, n);
            assert_int_equal(bytes[n], 0xCA);
        }
    }
}

static void test_generate(void **state)
{
    (void)state;
    for_each_tier(generate_everywhere);
}

static void test_generate_at(void **state)
{
    (void)state;
    for_each_tier(generate_at_everywhere);
}

static void test_public_bytes(void **state)
{
    (void)state;
    for_each_tier(public_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_generate_at),
        cmocka_unit_test(test_public_bytes),
    };
    return cmocka_run_group_tests_name("known answers", tests, read_answers, NULL);
}
