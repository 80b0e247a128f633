#include "kernels/known_answers.h"

#include "random123_kat.h" /* the text of data/random123_kat.txt */

enum { PLACES = 131, MAX_ANSWERS = 32 };

static known_answer answers[MAX_ANSWERS];
static size_t n_answers;

/* A line: generator, rounds, four words of counter, two or four of key, four of the answer. */
static bool read_answer(const char *line, known_answer *a)
{
    char cipher[16];
    int rounds, at, n_words = 0;
    if (sscanf(line, "%15s %d%n", cipher, &rounds, &at) != 2 || strstr(cipher, "4x32") == NULL)
        return false;
    snprintf(a->generator, sizeof a->generator, "%s_%d", cipher, rounds);
    uint32_t w[12];
    for (int length; n_words < 12 && sscanf(line + at, "%x%n", &w[n_words], &length) == 1; n_words++)
        at += length;
    const int n_key = n_words - 8;
    if (n_key != 2 && n_key != 4)
        return false;
    a->counter = w[0] | (uint64_t)w[1] << 32;
    a->key = (dropwise_key){{w[4], w[5], n_key == 2 ? 0 : w[6], n_key == 2 ? 0 : w[7]}, {w[2], w[3]}};
    for (int i = 0; i < 16; i++)
        a->bytes[i] = (uint8_t)(w[4 + n_key + i / 4] >> (i % 4 * 8));
    return true;
}

int read_known_answers(void **state)
{
    (void)state;
    static char text[sizeof random123_kat];
    memcpy(text, random123_kat, sizeof text);
    size_t others = 0;
    n_answers = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '#')
            continue;
        if (n_answers == MAX_ANSWERS)
            return -1;
        if (read_answer(line, &answers[n_answers]))
            n_answers++;
        else
            others++;
    }
    printf("%zu known answers; %zu rows are of other words\n", n_answers, others);
    return 0;
}

static void answers_by_generate(const dropwise_generator *generator, const known_answer *a)
{
    guard_arena arena = guard_new(PLACES * 16 + 64);
    for (size_t place = 0; place < PLACES; place++) {
        uint8_t *out = guard_place(&arena, PLACES * 16, place % 2, place % 64);
        generator->generate(&a->key, a->counter - place, PLACES, out);
        assert_same_bytes(out + place * 16, a->bytes, 16, "%s, place %zu", a->generator, place);
        assert_true(guard_intact(&arena));
        /* The shortest batch that still has this place. */
        out = guard_at_end(&arena, (place + 1) * 16);
        generator->generate(&a->key, a->counter - place, place + 1, out);
        assert_same_bytes(out + place * 16, a->bytes, 16, "%s, last place %zu", a->generator, place);
        assert_true(guard_intact(&arena));
    }
    guard_free(&arena);
}

static void answers_by_generate_at(const dropwise_generator *generator, const known_answer *a)
{
    guard_arena arena = guard_new(PLACES * 16 + 64);
    uint64_t counters[PLACES];
    fill_noise(counters, sizeof counters, 1);
    for (size_t place = 0; place < PLACES; place++) {
        const uint64_t other = counters[place];
        counters[place] = a->counter;
        uint8_t *out = guard_place(&arena, PLACES * 16, place % 2, place % 64);
        generator->generate_at(&a->key, counters, PLACES, out);
        assert_same_bytes(out + place * 16, a->bytes, 16, "%s, listed at place %zu", a->generator, place);
        assert_true(guard_intact(&arena));
        counters[place] = other;
    }
    guard_free(&arena);
}

/* The bits of the answer's bytes: all thresholds, in the word that its block lies in. */
static void answers_by_draw(const dropwise_generator *generator, const known_answer *a)
{
    for (size_t word = 0; word < PLACES / 4; word++) {
        const uint64_t start = a->counter - a->counter % 4 - 4 * word;
        const unsigned shift = (unsigned)(a->counter % 4 * 16);
        if ((uint32_t)start > (uint32_t)a->counter)
            continue; /* the low half would wrap between the two */
        dropwise_schedule schedule;
        generator->prepare(&a->key, (uint32_t)(start >> 32), &schedule);
        for (unsigned t = 0; t < 256; t += 5) {
            uint64_t keep[PLACES / 4 + 1], equal[PLACES / 4 + 1];
            const dropwise_threshold threshold = {(uint8_t)t, keep, equal};
            generator->draw(&schedule, (uint32_t)start, DROPWISE_WORD_BLOCKS, word + 1, &threshold);
            for (unsigned j = 0; j < 16; j++) {
                assert_int_equal(keep[word] >> (shift + j) & 1, a->bytes[j] <= t);
                assert_int_equal(equal[word] >> (shift + j) & 1, a->bytes[j] == t);
            }
        }
    }
}

void check_known_answers(const dropwise_generator *generator, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < n_answers; i++) {
        if (strcmp(answers[i].generator, name) != 0)
            continue;
        answers_by_generate(generator, &answers[i]);
        answers_by_generate_at(generator, &answers[i]);
        answers_by_draw(generator, &answers[i]);
        found++;
    }
    assert_int_equal(found, 3);
}

const known_answer *known_answer_number(size_t i)
{
    return i < n_answers ? &answers[i] : NULL;
}
