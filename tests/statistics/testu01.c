/*
 * One test of a battery of TestU01 (P. L'Ecuyer, R. Simard, "TestU01: a C library for empirical testing of
 * random number generators", ACM TOMS 33, 2007), which reads the stream in one of several ways. ci/statistics
 * builds it and runs it for each test, so that tests run side by side and there is progress to show.
 *
 * usage: testu01 BATTERY TEST GENERATOR WAY
 *
 * BATTERY is small, crush or big; TEST a number from 1 to 10, 96 or 106; WAY one of the list below. A line
 * for each p-value: WAY GENERATOR BATTERY TEST P NAME.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <testu01/bbattery.h>
#include <testu01/swrite.h>

#include "dropwise.h"

/* Words of 32 bits that are drawn at once. */
enum { WORDS = 16384, SEED = 2026 };

static uint32_t words[WORDS];
static size_t n_words, next;
static uint64_t drawn; /* how often words have been */
static uint32_t generator;

static void check(dropwise_status status)
{
    if (status != DROPWISE_OK) {
        fprintf(stderr, "testu01: %s\n", dropwise_status_string(status));
        exit(1);
    }
}

static dropwise_mask mask_of(double p, uint64_t seed, uint64_t stream)
{
    dropwise_mask mask;
    check(dropwise_mask_init(&mask, p, seed, stream));
    mask.generator = generator;
    return mask;
}

/* ---- Ways of reading ---- */

static void bytes(void)
{
    const dropwise_mask mask = mask_of(0.5, SEED, 0);
    check(dropwise_draw_bytes(&mask, drawn * (sizeof words / 16), sizeof words, words));
    n_words = WORDS;
}

/* TestU01 looks at the upper bits of a word more than at the lower ones. */
static void reversed_bytes(void)
{
    bytes();
    for (size_t i = 0; i < WORDS; i++) {
        uint32_t reversed = 0;
        for (unsigned b = 0; b < 32; b++)
            reversed |= (words[i] >> b & 1) << (31 - b);
        words[i] = reversed;
    }
}

static void half(void)
{
    const dropwise_mask mask = mask_of(0.5, SEED, 0);
    check(dropwise_draw_bits(&mask, drawn * WORDS * 32, WORDS * (size_t)32, words));
    n_words = WORDS;
}

/*
 * Of a biased coin a fair one (J. von Neumann, 1951): of two elements that differ, the first. A bit takes
 * 1 / (p (1 - p)) = 11.1 elements. Parts of words are left out.
 */
static void tenth(void)
{
    static uint32_t pairs[WORDS];
    const dropwise_mask mask = mask_of(0.1, SEED, 0);
    check(dropwise_draw_bits(&mask, drawn * WORDS * 32, WORDS * (size_t)32, pairs));
    uint32_t word = 0;
    unsigned n = 0;
    n_words = 0;
    for (size_t i = 0; i < WORDS; i++) {
        /* In the even places: pairs that differ. */
        for (uint32_t differ = (pairs[i] ^ pairs[i] >> 1) & 0x55555555; differ != 0; differ &= differ - 1) {
            word = word << 1 | (pairs[i] >> __builtin_ctz(differ) & 1);
            if (++n == 32) {
                words[n_words++] = word;
                n = 0;
            }
        }
    }
}

/* As they are: this has to fail, or the tests do not see anything. */
static void biased(void)
{
    const dropwise_mask mask = mask_of(0.1, SEED, 0);
    check(dropwise_draw_bits(&mask, drawn * WORDS * 32, WORDS * (size_t)32, words));
    n_words = WORDS;
}

/* The first elements of masks that follow each other in some way. */
static void firsts(uint64_t seed_step, uint64_t stream_step, uint64_t index_step)
{
    for (uint64_t i = 0; i < WORDS / 2; i++) {
        const uint64_t at = drawn * (WORDS / 2) + i;
        const dropwise_mask mask =
            mask_of(0.5, SEED * (uint64_t)(seed_step == 0) + at * seed_step, at * stream_step);
        check(dropwise_draw_bits(&mask, at * index_step, 64, words + 2 * i));
    }
    n_words = WORDS;
}

static void streams(void)
{
    firsts(0, 1, 0);
}

static void seeds(void)
{
    firsts(1, 0, 0);
}

/* Layers that are told from each other by the upper half of the stream's number. */
static void layers(void)
{
    firsts(0, UINT64_C(1) << 32, 0);
}

/* Of a matrix with 4,096 columns. */
static void rows(void)
{
    firsts(0, 0, 4096);
}

/* The blocks around those at which the lower half of the counter wraps. */
static void wraps(void)
{
    enum { BLOCKS = WORDS / 4 };
    const dropwise_mask mask = mask_of(0.5, SEED, 0);
    const uint64_t wrap = (drawn + 1) % (UINT64_C(1) << 32) << 32;
    check(dropwise_draw_bytes(&mask, wrap - BLOCKS / 2, sizeof words, words));
    n_words = WORDS;
}

static const struct way {
    const char *name;
    void (*draw)(void);
} ways[] = {
    {"bytes", bytes}, {"reversed", reversed_bytes}, {"half", half}, {"tenth", tenth}, {"streams", streams},
    {"seeds", seeds}, {"layers", layers},           {"rows", rows}, {"wraps", wraps}, {"biased", biased}};

static const struct way *way;

static unsigned int next_word(void)
{
    if (next == n_words) {
        next = 0;
        do {
            way->draw();
            drawn++;
        } while (n_words == 0);
    }
    return words[next++];
}

/* ---- Batteries ---- */

static const struct battery {
    const char *name;
    int tests;
    void (*run)(unif01_Gen *, int *);
} batteries[] = {{"small", 10, bbattery_RepeatSmallCrush},
                 {"crush", 96, bbattery_RepeatCrush},
                 {"big", 106, bbattery_RepeatBigCrush}};

int main(int argc, char **argv)
{
    const struct battery *battery = NULL;
    if (argc == 5) {
        for (size_t i = 0; i < sizeof batteries / sizeof batteries[0]; i++)
            if (strcmp(argv[1], batteries[i].name) == 0)
                battery = &batteries[i];
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
            if (strcmp(argv[4], ways[i].name) == 0)
                way = &ways[i];
        for (uint32_t g = 1; dropwise_generator_name(g) != NULL; g++)
            if (strcmp(argv[3], dropwise_generator_name(g)) == 0)
                generator = g;
    }
    const int test = battery != NULL ? atoi(argv[2]) : 0;
    if (battery == NULL || way == NULL || generator == 0 || test < 1 || test > battery->tests) {
        fprintf(stderr, "usage: testu01 small|crush|big TEST GENERATOR WAY\n");
        return 2;
    }
    int repeats[107] = {0}; /* from 1 on */
    repeats[test] = 1;
    static char name[] = "dropwise";
    unif01_Gen *gen = unif01_CreateExternGenBits(name, next_word);
    swrite_Basic = FALSE;
    battery->run(gen, repeats);
    /* The library prints a summary, too: ours are the lines that begin with a tab. */
    for (int i = 0; i < bbattery_NTests; i++)
        if (bbattery_pVal[i] >= 0)
            printf("\t%s %s %s %d %.17g %s\n", way->name, argv[3], battery->name, test, bbattery_pVal[i],
                   bbattery_TestNames[i]);
    unif01_DeleteExternGenBits(gen);
    return 0;
}
