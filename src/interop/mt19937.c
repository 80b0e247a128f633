#include "interop/mt19937.h"

#include <string.h>

#include "base/bits.h"
#include "base/min.h"

enum {
    STEP = 64, /* pairs that kernels go over at a time                                        */
    SLACK = 2 * STEP,
    ALIGNED = 16,
    ROOM = ALIGNED + MT_BLOCK_PAIRS + MT_MOST_PAIRS + MT_BLOCK_PAIRS + SLACK
};

/*
 * The words of even and odd places, apart. Those of a block are copied into them, what follows is twisted
 * behind them, and the last 312 pairs move to the front when there is no more room.
 */
typedef struct halves {
    _Alignas(64) uint32_t even[ROOM];
    _Alignas(64) uint32_t odd[ROOM];
} halves;

static void load_pairs(halves *h, size_t place, const uint32_t *words, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        h->even[place + i] = words[2 * i];
        h->odd[place + i] = words[2 * i + 1];
    }
}

static void store_pairs(const halves *h, size_t place, uint32_t *words)
{
    for (size_t i = 0; i < MT_BLOCK_PAIRS; i++) {
        words[2 * i] = h->even[place + i];
        words[2 * i + 1] = h->odd[place + i];
    }
}

static void move_pairs(halves *h, size_t from, size_t to)
{
    memmove(h->even + to, h->even + from, MT_BLOCK_PAIRS * sizeof *h->even);
    memmove(h->odd + to, h->odd + from, MT_BLOCK_PAIRS * sizeof *h->odd);
}

/* Kernels read whole steps, also of what is not there and has no use. */
static void clear_pairs(halves *h, size_t from)
{
    memset(h->even + from, 0, SLACK * sizeof *h->even);
    memset(h->odd + from, 0, SLACK * sizeof *h->odd);
}

/* The pairs from a place on, which may begin with an odd word. */
static mt_part part_at(halves *h, size_t at, bool is_odd, bool twists, size_t n)
{
    return (mt_part){.first = (is_odd ? h->odd : h->even) + at,
                     .second = is_odd ? h->even + at + 1 : h->odd + at,
                     .even = twists ? h->even + at : NULL,
                     .odd = h->odd + at,
                     .n = n};
}

void dropwise_mt19937_walk(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t n,
                           mt_taker *to)
{
    halves h;
    /* The block in which the last word lies is the one that stays. */
    const uint32_t position = engine->position;
    const uint64_t last = position + (n - 1) % MT_BLOCK_WORDS;
    const uint64_t blocks = (n - 1) / MT_BLOCK_WORDS + last / MT_BLOCK_WORDS;
    const bool is_odd = position % 2 != 0;
    const size_t begin = position / 2;
    const uint64_t n_pairs = n / 2 + n % 2;
    /* The first pair that is twisted while others are taken is aligned. */
    const size_t base = (ALIGNED - (begin + MT_BLOCK_PAIRS) % ALIGNED) % ALIGNED;
    size_t at = base + begin;
    uint64_t taken = 0, to_twist = 0;
    if (blocks == 0) {
        const size_t end = min_size(MT_BLOCK_PAIRS, begin + (size_t)n_pairs + 1);
        load_pairs(&h, base, engine->words, begin, end);
        clear_pairs(&h, base + end);
    } else {
        load_pairs(&h, base, engine->words, 0, MT_BLOCK_PAIRS);
        kernels->twist_mt19937((begin + STEP - 1) / STEP, h.even + base, h.odd + base);
        to_twist = blocks * MT_BLOCK_PAIRS - begin;
    }
    while (to_twist >= STEP) {
        const size_t most = ROOM - MT_BLOCK_PAIRS - SLACK;
        if (at + STEP > most) {
            move_pairs(&h, at, at % ALIGNED);
            at %= ALIGNED;
        }
        const size_t len = min_size(min_size(MT_MOST_PAIRS, most - at), to_twist) / STEP * STEP;
        const mt_part part = part_at(&h, at, is_odd, true, len);
        to->take(to, kernels, &part);
        at += len;
        taken += len;
        to_twist -= len;
    }
    if (blocks != 0) {
        clear_pairs(&h, at + MT_BLOCK_PAIRS);
        if (to_twist != 0)
            kernels->twist_mt19937(1, h.even + at, h.odd + at);
        store_pairs(&h, at + (size_t)to_twist, engine->words);
    }
    if (taken < n_pairs) {
        const mt_part part = part_at(&h, at, is_odd, false, (size_t)(n_pairs - taken));
        to->take(to, kernels, &part);
    }
    engine->position = (uint32_t)(last % MT_BLOCK_WORDS) + 1;
}

/* ---- Moving on ---- */

static void take_none(mt_taker *to, const dropwise_kernels *kernels, const mt_part *part)
{
    (void)to;
    if (part->even != NULL)
        kernels->twist_mt19937(part->n / STEP, part->even, part->odd);
}

void dropwise_mt19937_move(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t n,
                           mt_jump *latest)
{
    /* A jump takes as long as some millions of words, wherever it leads. */
    enum { BLOCKS_AT_MOST = 4096 };
    const uint64_t blocks = n / MT_BLOCK_WORDS;
    mt_taker none = {take_none};
    if (blocks > BLOCKS_AT_MOST) {
        if (latest->blocks != blocks)
            dropwise_mt_power(&mt19937_recurrence, latest->polynomial, blocks * (MT_BLOCK_WORDS / 16), 4);
        latest->blocks = blocks;
        dropwise_mt19937_apply(kernels, engine->words, latest->polynomial);
        n %= MT_BLOCK_WORDS;
    }
    if (n != 0)
        dropwise_mt19937_walk(kernels, engine, n, &none);
}

/* ---- Words ---- */

typedef struct words_taker {
    mt_taker taker; /* first */
    uint8_t *to;
    size_t left;
} words_taker;

static void take_words(mt_taker *to, const dropwise_kernels *kernels, const mt_part *part)
{
    words_taker *t = (words_taker *)to;
    for (size_t at = 0; at < part->n; at += STEP) {
        uint8_t numbers[8 * STEP];
        const size_t n = min_size(2 * STEP, t->left);
        kernels->temper_mt19937(1, part->first + at, part->second + at, numbers);
        if (part->even != NULL)
            kernels->twist_mt19937(1, part->even + at, part->odd + at);
        memcpy(t->to, numbers, 4 * n);
        t->to += 4 * n;
        t->left -= n;
    }
}

void dropwise_mt19937_numbers(const dropwise_kernels *kernels, dropwise_mt19937 *engine, size_t n,
                              void *numbers)
{
    words_taker taker = {{take_words}, numbers, n};
    dropwise_mt19937_walk(kernels, engine, n, &taker.taker);
}

/* ---- Drawing ---- */

void dropwise_mt19937_part_bits(const dropwise_kernels *kernels, const mt_part *part, uint64_t threshold,
                                uint8_t bits[MT_MOST_PAIRS / 8])
{
    const dropwise_pairs pairs = {.high = part->first,
                                  .low = part->second,
                                  .even = part->even,
                                  .odd = part->odd,
                                  .threshold = threshold};
    kernels->draw_mt19937(&pairs, (part->n + STEP - 1) / STEP, bits);
    clear_unused_bits(bits, part->n);
}

typedef struct drawing {
    mt_taker taker; /* first */
    uint64_t threshold;
    uint32_t drops;
    piece_fn *use;
    void *arg;
} drawing;

static void take_elements(mt_taker *to, const dropwise_kernels *kernels, const mt_part *part)
{
    const drawing *d = (const drawing *)to;
    uint8_t bits[MT_MOST_PAIRS / 8];
    dropwise_mt19937_part_bits(kernels, part, d->threshold, bits);
    if (d->drops != 0) {
        for (size_t i = 0; i < bytes_of_bits(part->n); i++)
            bits[i] = (uint8_t)~bits[i];
        clear_unused_bits(bits, part->n);
    }
    d->use(d->arg, bits, part->n);
}

void dropwise_mt19937_draw(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t threshold,
                           uint32_t drops, size_t n, piece_fn *use, void *arg)
{
    drawing d = {{take_elements}, threshold, drops, use, arg};
    if (n != 0)
        dropwise_mt19937_walk(kernels, engine, 2 * (uint64_t)n, &d.taker);
}

/* ---- Seeds ---- */

void dropwise_mt19937_from_seed(dropwise_mt19937 *engine, uint32_t seed)
{
    *engine = (dropwise_mt19937){.struct_size = sizeof *engine, .position = MT_BLOCK_WORDS, .words = {seed}};
    for (uint32_t i = 1; i < MT_BLOCK_WORDS; i++) {
        const uint32_t before = engine->words[i - 1];
        engine->words[i] = UINT32_C(1812433253) * (before ^ before >> 30) + i;
    }
}
