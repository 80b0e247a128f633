/*
 * The keep bits of other systems' masks: which blocks serve a range, and which numbers of them which
 * elements.
 */
#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "base/min.h"
#include "interop/draw.h"

enum {
    CHUNK = 2048,            /* elements drawn at a time: their numbers stay in the first-level cache      */
    CHUNK_BYTES = CHUNK * 8, /* no element takes more than 8 bytes of random numbers                        */
    SLACK_BYTES = 2 * 32,    /* a chunk may begin and end inside of a block                                 */
    ATTENTION_TILE = 32      /* columns of FlashAttention that four blocks serve, for two rows 8 apart      */
};

/* How the bits of the numbers of whole blocks become those of elements. */
typedef enum arrangement {
    IN_ORDER,   /* number j of a block decides on element j                       */
    FIRST_TWO,  /* the last two of four numbers are not used                      */
    SHIFTED,    /* numbers begin inside of a block and end in the next one's      */
    BYTES_OF_16 /* the order of TransformerEngine                                 */
} arrangement;

typedef struct plan {
    const dropwise_interop *interop;
    const dropwise_kernels *kernels;
    dropwise_words_fn *words;
    dropwise_compare_fn *compare;
    dropwise_compare how;
    uint32_t block_bytes;
    uint32_t numbers;  /* of a block */
    uint32_t elements; /* that a block decides on */
    arrangement arranged;
    uint64_t later; /* blocks by which a thread is ahead: 0, or 1 for the second half of shifted numbers */
} plan;

/* ---- Plans ---- */

static bool is_jax(uint32_t layout)
{
    return layout == DROPWISE_LAYOUT_JAX || layout == DROPWISE_LAYOUT_JAX_LEGACY;
}

/* Bits of a number: those of its dtype, but JAX draws 8 for bf16. */
static uint32_t drawn_bits(const dropwise_interop *d)
{
    switch (d->draws) {
    case DROPWISE_F64:
        return 64;
    case DROPWISE_F16:
        return is_jax(d->layout) ? 16 : 32;
    case DROPWISE_BF16:
        return is_jax(d->layout) ? 8 : 32;
    default:
        return 32;
    }
}

/* Where the number that the system makes a float of lies in the word: it is moved to the top. */
static uint32_t shift_of(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
        return drawn_bits(d) < 32 ? 32 - drawn_bits(d) : 0;
    case DROPWISE_LAYOUT_TENSORFLOW:
        return d->draws == DROPWISE_F64   ? 12
               : d->draws == DROPWISE_F32 ? 9
               : d->draws == DROPWISE_F16 ? 22
                                          : 25;
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return 1;
    default:
        return 0;
    }
}

static plan plan_of(const dropwise_kernels *k, const dropwise_interop *d)
{
    const bool dwords = d->draws == DROPWISE_F64;
    plan p = {
        .interop = d,
        .kernels = k,
        .words = k->words_philox4x32_10,
        .compare = dwords ? k->compare_u64 : k->compare_u32,
        .how = {.last = d->last, .shift = shift_of(d), .drops = d->drops},
        .block_bytes = 16,
        .numbers = dwords ? 2 : 4,
        .arranged = IN_ORDER,
    };
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY: /* in order only for f64; the others lie in rows */
        p.words = dwords ? k->words_threefry2x32_20_joined : k->words_threefry2x32_20_xor;
        p.block_bytes = dwords ? 8 : 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_TENSORFLOW:
        p.words = dwords ? k->words_philox4x32_10_swapped : k->words_philox4x32_10;
        break;
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        p.words = k->words_philox4x32_10_third;
        break;
    case DROPWISE_LAYOUT_TRITON:
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
        p.compare = k->compare_folded_u32;
        p.words = k->words_philox4x32_10_first;
        p.block_bytes = 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
        p.compare = k->compare_folded_u32;
        break;
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        p.words = k->words_philox4x32_10_first;
        p.block_bytes = 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_NUMPY:
        p.block_bytes = 32;
        p.numbers = dwords ? 4 : 8;
        break;
    case DROPWISE_LAYOUT_ONEMKL:
        p.how.flip = UINT32_C(1) << 31;
        break;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        p.words = k->words_philox4x32_7;
        p.compare = k->compare_u8;
        p.numbers = 16;
        break;
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        p.compare = k->compare_u8;
        p.numbers = 16;
        p.arranged = BYTES_OF_16;
        break;
    case DROPWISE_LAYOUT_TORCH_CUDA:
        if (d->vector == 2)
            p.arranged = FIRST_TWO;
        break;
    case DROPWISE_LAYOUT_DEEPSPEED:
        if (d->skip != 0)
            p.arranged = SHIFTED;
        break;
    default:
        break;
    }
    p.elements = p.arranged == FIRST_TWO ? 2 : p.numbers;
    return p;
}

/* ---- Counters ---- */

/*
 * Makes words w and w + 1 a 64-bit number that grows by `step` from block to block. Returns for how many
 * blocks its upper half stays as it is.
 */
static uint64_t count_u64(dropwise_counters *c, unsigned w, uint64_t from, uint32_t step)
{
    c->first[w] = (uint32_t)from;
    c->first[w + 1] = (uint32_t)(from >> 32);
    c->step[w] = step;
    return (uint64_t)(UINT32_MAX - (uint32_t)from) / step + 1;
}

static void set_u64(dropwise_counters *c, unsigned w, uint64_t value)
{
    c->first[w] = (uint32_t)value;
    c->first[w + 1] = (uint32_t)(value >> 32);
}

/*
 * Kernels whose threads each have a subsequence of their own. A thread takes `group` blocks at a time, one
 * after the other of its subsequence, for elements in a row; then the next thread's elements follow.
 */
static uint64_t thread_run(const plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
    const uint32_t group = d->vector > 4 ? d->vector / 4 : 1;
    const uint32_t per_thread = d->layout == DROPWISE_LAYOUT_ONNX_RUNTIME ? 4 : 1;
    const uint64_t turn = block / group / d->threads;
    const uint64_t thread = block / group % d->threads;
    const uint32_t in_group = (uint32_t)(block % group);
    const uint64_t q = d->counter[0] + turn * group + p->later;
    if (in_group != 0 || (uint32_t)q > UINT32_MAX - (group - 1)) {
        set_u64(c, 2, thread * per_thread);
        return min_u64(count_u64(c, 0, q + in_group, 1), group - in_group);
    }
    c->group = group;
    set_u64(c, 0, q);
    return min_u64(count_u64(c, 2, thread * per_thread, per_thread), d->threads - thread) * group;
}

/*
 * JAX's legacy order of 32-bit words: as many blocks as half of them, words far apart in both counter
 * words.
 */
static uint64_t legacy_words(const dropwise_interop *d)
{
    const uint64_t per_word = 32 / drawn_bits(d);
    return d->size / per_word + (d->size % per_word != 0);
}

static uint64_t legacy_run(const dropwise_interop *d, uint64_t block, dropwise_counters *c)
{
    if (d->draws == DROPWISE_F64) {
        c->first[0] = (uint32_t)block;
        c->first[1] = (uint32_t)(d->size + block);
        c->step[0] = c->step[1] = 1;
        return d->size - block;
    }
    const uint64_t words = legacy_words(d), odd = words % 2, half = words / 2 + odd;
    c->first[0] = (uint32_t)block;
    c->first[1] = (uint32_t)(half + block);
    c->step[0] = c->step[1] = 1;
    if (odd && block == half - 1) {
        c->first[1] = 0; /* JAX pads its list of counters with one 0 */
        return 1;
    }
    return half - odd - block;
}

/* The counters of a block; returns for how many blocks from it on the pattern holds. */
static uint64_t run_at(const plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
    *c = (dropwise_counters){.key = {(uint32_t)d->key[0], (uint32_t)(d->key[0] >> 32)}, .group = 1};
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
        c->first[0] = (uint32_t)(block >> 32);
        c->first[1] = (uint32_t)block;
        c->step[1] = 1;
        return (UINT64_C(1) << 32) - (uint32_t)block;
    case DROPWISE_LAYOUT_JAX_LEGACY:
        return legacy_run(d, block, c);
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        for (uint32_t w = 0; w < 4; w++) {
            c->first[w] = 4 * (uint32_t)block + w;
            c->step[w] = 4;
        }
        if (d->layout == DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET)
            c->first[2] -= 2;
        return (UINT64_C(1) << 30) - block;
    case DROPWISE_LAYOUT_ONEDNN_3_11:
        set_u64(c, 0, d->counter[0]);
        return count_u64(c, 2, 4 * block, 4);
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        set_u64(c, 0, d->counter[0]);
        return count_u64(c, 2, block, 1);
    case DROPWISE_LAYOUT_TORCH_CUDA:
    case DROPWISE_LAYOUT_CURAND_HOST:
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
    case DROPWISE_LAYOUT_DEEPSPEED:
        return thread_run(p, block, c);
    default:
        set_u64(c, 2, d->counter[1]);
        return count_u64(c, 0, d->counter[0] + block, 1);
    }
}

/* NumPy's counter has 256 bits; the kernel lets the lowest word of it wrap around. */
static uint64_t run64_at(const plan *p, uint64_t block, dropwise_counters64 *c)
{
    const dropwise_interop *d = p->interop;
    *c = (dropwise_counters64){.key = {d->key[0], d->key[1]}};
    uint64_t carry = block;
    for (unsigned w = 0; w < 4; w++) {
        c->first[w] = d->counter[w] + carry;
        carry = c->first[w] < carry;
    }
    return c->first[0] == 0 ? UINT64_MAX : 0 - c->first[0];
}

/* The numbers of n_blocks blocks. */
static void generate(const plan *p, uint64_t block, size_t n_blocks, uint8_t *numbers)
{
    while (n_blocks != 0) {
        dropwise_counters counters;
        dropwise_counters64 counters64;
        const bool is_numpy = p->interop->layout == DROPWISE_LAYOUT_NUMPY;
        const uint64_t run = is_numpy ? run64_at(p, block, &counters64) : run_at(p, block, &counters);
        const size_t n = min_size(n_blocks, run);
        if (is_numpy)
            p->kernels->dwords_philox4x64_10(&counters64, n, numbers);
        else
            p->words(&counters, n, numbers);
        block += n;
        n_blocks -= n;
        numbers += n * p->block_bytes;
    }
}

/* ---- Bits ---- */

/* Swaps bits of a word: those of `mask` with those `by` places above. */
static uint64_t swap_bits(uint64_t word, uint64_t mask, unsigned by)
{
    const uint64_t differ = (word ^ word >> by) & mask;
    return word ^ differ ^ differ << by;
}

/*
 * Exchanges two digits of the number of each bit of a word. The places whose lower digit is 1 and whose upper
 * digit is 0 trade with their opposites.
 */
static uint64_t swap_places(uint64_t word, unsigned lower, unsigned upper)
{
    static const uint64_t digit[6] = {UINT64_C(0xAAAAAAAAAAAAAAAA), UINT64_C(0xCCCCCCCCCCCCCCCC),
                                      UINT64_C(0xF0F0F0F0F0F0F0F0), UINT64_C(0xFF00FF00FF00FF00),
                                      UINT64_C(0xFFFF0000FFFF0000), UINT64_C(0xFFFFFFFF00000000)};
    return swap_bits(word, digit[lower] & ~digit[upper], (1u << upper) - (1u << lower));
}

/* The lower half of each four bits, close together. */
static uint32_t first_two_of_four(uint64_t word)
{
    word &= UINT64_C(0x3333333333333333);
    word = (word | word >> 2) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    word = (word | word >> 4) & UINT64_C(0x00FF00FF00FF00FF);
    word = (word | word >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(word | word >> 16);
}

/*
 * TransformerEngine: element 8h + 2w + l of a block of 16 has byte 2(1 - l) + h of word w. The digits of a
 * byte's place are w w ~l h, those of the element's h w w l.
 */
static uint64_t arrange_bytes(uint64_t word)
{
    word = swap_bits(word, UINT64_C(0x3333333333333333), 2); /* ~l to l         */
    word = swap_places(word, 0, 1);                          /* w1 w0 l h: w1 w0 h l */
    word = swap_places(word, 1, 2);                          /* w1 h w0 l       */
    return swap_places(word, 2, 3);                          /* h w1 w0 l       */
}

/* Each two words of a number and its successor that come from numbers shifted by `skip` of 4. */
static uint64_t shifted_word(uint64_t word, uint64_t later, unsigned skip)
{
    const uint64_t low = UINT64_C(0x1111111111111111) * ((1u << (4 - skip)) - 1);
    return (word >> skip & low) | (later << (4 - skip) & ~low);
}

/*
 * Bits of n numbers become bits of elements, a word of 64 at a time; there is room for whole words, and what
 * follows the n bits is not used.
 */
static void arrange(const plan *p, size_t n, uint8_t *bits, const uint8_t *later)
{
    const unsigned skip = (unsigned)p->interop->skip;
    for (size_t at = 0; at < n; at += 64) {
        const uint64_t word = load_le64(bits + at / 8);
        if (p->arranged == FIRST_TWO)
            store_le32(bits + at / 16, first_two_of_four(word));
        else if (p->arranged == BYTES_OF_16)
            store_le64(bits + at / 8, arrange_bytes(word));
        else
            store_le64(bits + at / 8, shifted_word(word, load_le64(later + at / 8), skip));
    }
}

/* Words of bits are read whole, also where n bits of them are written. */
static void clear_last_word(uint8_t *bits, size_t n)
{
    memset(bits + n / 64 * 8, 0, 8);
}

/* Bits [0, n) of `from` become bits [at, at + n) of `bits`, which are 0 before. */
static void merge_bits(uint8_t *bits, uint64_t at, const uint8_t *from, size_t n)
{
    uint8_t *out = bits + at / 8;
    const unsigned shift = at % 8;
    if (shift == 0) {
        for (size_t i = 0; i < bytes_of_bits(n); i++)
            out[i] |= from[i];
        return;
    }
    for (size_t i = 0; i < bytes_of_bits(n); i++) {
        const unsigned both = (unsigned)from[i] << shift;
        out[i] |= (uint8_t)both;
        if (both >> 8 != 0)
            out[i + 1] |= (uint8_t)(both >> 8);
    }
}

/* ---- Elements in the order of blocks ---- */

static void draw_in_order(const plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    /* SHIFTED numbers are counted in whole blocks, and put right by their arrangement. */
    const uint64_t skip = p->arranged == SHIFTED ? 0 : p->interop->skip;
    for (size_t done = 0; done < n; done += CHUNK) {
        _Alignas(64) uint8_t numbers[CHUNK_BYTES + SLACK_BYTES];
        const size_t len = min_size(CHUNK, n - done);
        const uint64_t at = first + done + skip, block = at / p->elements;
        const size_t before = (size_t)(at % p->elements);
        const size_t n_blocks = (before + len + p->elements - 1) / p->elements;
        generate(p, block, n_blocks, numbers);
        if (p->arranged == IN_ORDER) {
            const size_t number_bytes = p->block_bytes / p->numbers;
            p->compare(numbers + before * number_bytes, len, &p->how, bits + done / 8);
            continue;
        }
        uint8_t of_numbers[(2 * CHUNK + 8 * SLACK_BYTES) / 8], later[sizeof of_numbers];
        clear_last_word(of_numbers, n_blocks * p->numbers);
        p->compare(numbers, n_blocks * p->numbers, &p->how, of_numbers);
        if (p->arranged == SHIFTED) {
            plan second = *p;
            second.later = 1;
            clear_last_word(later, n_blocks * p->numbers);
            generate(&second, block, n_blocks, numbers);
            p->compare(numbers, n_blocks * p->numbers, &p->how, later);
        }
        arrange(p, n_blocks * p->numbers, of_numbers, later);
        copy_bits(of_numbers, before, len, bits + done / 8);
    }
}

/* ---- Elements in rows: word w of a block belongs to row w ---- */

enum { ROW_BLOCKS = 1024 };

/* Elements that lie in rows: number j of row r has word r of block first_block + j. */
typedef struct row_layout {
    uint64_t first; /* element   */
    uint64_t first_block;
    uint64_t length; /* words a row */
    uint64_t end;    /* elements there are, from 0 on */
    unsigned rows;
    unsigned per_word; /* elements a word decides on */
} row_layout;

/* The bits of n words. */
static void compare_row(const plan *p, const row_layout *rows, const uint8_t *words, size_t n, uint8_t *bits)
{
    dropwise_compare how = p->how;
    if (rows->per_word == 1) {
        p->kernels->compare_u32(words, n, &how, bits);
    } else if (rows->per_word == 4) {
        p->kernels->compare_u8(words, 4 * n, &how, bits);
    } else {
        /*
         * Halves of a word, the lower one first: each is moved to the top of a word, and the bits
         * interleaved.
         */
        uint8_t low[ROW_BLOCKS / 8 + 8], high[ROW_BLOCKS / 8 + 8];
        clear_last_word(low, n);
        clear_last_word(high, n);
        how.last = how.last << 16 | 0xFFFF;
        p->kernels->compare_u32(words, n, &how, high);
        how.shift = 16;
        p->kernels->compare_u32(words, n, &how, low);
        for (size_t at = 0; at < n; at += 32) {
            uint64_t word = load_le32(low + at / 8) | (uint64_t)load_le32(high + at / 8) << 32;
            for (unsigned upper = 5; upper != 0; upper--) /* the top digit of a place becomes the lowest */
                word = swap_places(word, upper - 1, upper);
            store_le64(bits + at / 4, word);
        }
    }
}

/* Words [*from, *to) of row r that have elements of [first, end). */
static void words_of_row(const row_layout *rows, unsigned r, uint64_t first, uint64_t end, uint64_t *from,
                         uint64_t *to)
{
    const uint64_t row = rows->first + r * rows->length * rows->per_word;
    const uint64_t row_end = min_u64(row + rows->length * rows->per_word, rows->end);
    const uint64_t a = first > row ? first : row, b = min_u64(end, row_end);
    *from = *to = 0;
    if (a < b) {
        *from = (a - row) / rows->per_word;
        *to = (b - row + rows->per_word - 1) / rows->per_word;
    }
}

/* Draws what the rows have of [first, first + n), whose bits are 0 before. */
static void draw_rows(const plan *p, const row_layout *rows, uint64_t first, size_t n, uint8_t *bits)
{
    uint64_t from[4], to[4], at = 0;
    for (unsigned r = 0; r < rows->rows; r++)
        words_of_row(rows, r, first, first + n, &from[r], &to[r]);
    for (;;) {
        /* The next word that any row wants, and how far one does. */
        uint64_t next = UINT64_MAX, end = 0;
        for (unsigned r = 0; r < rows->rows; r++) {
            if (at < to[r]) {
                next = min_u64(next, from[r] > at ? from[r] : at);
                end = to[r] > end ? to[r] : end;
            }
        }
        if (next == UINT64_MAX)
            return;
        at = next;
        dropwise_counters counters;
        const uint64_t run = run_at(p, rows->first_block + at, &counters);
        const size_t len = min_size(ROW_BLOCKS, min_u64(run, end - at));
        _Alignas(64) uint8_t words[4 * 4 * ROW_BLOCKS];
        p->words(&counters, len, words);
        for (unsigned r = 0; r < rows->rows; r++) {
            const uint64_t a = from[r] > at ? from[r] : at, b = min_u64(to[r], at + len);
            if (a >= b)
                continue;
            /* Its first and last word may have elements that are not wanted. */
            uint8_t row_bits[4 * ROW_BLOCKS / 8], wanted[sizeof row_bits];
            const uint64_t element = rows->first + (r * rows->length + a) * rows->per_word;
            const uint64_t skip = first > element ? first - element : 0;
            const uint64_t element_end =
                min_u64(min_u64(element + (b - a) * rows->per_word, first + n), rows->end);
            compare_row(p, rows, words + (r * len + (a - at)) * 4, (size_t)(b - a), row_bits);
            copy_bits(row_bits, (size_t)skip, (size_t)(element_end - element - skip), wanted);
            merge_bits(bits, element + skip - first, wanted, (size_t)(element_end - element - skip));
        }
        at += len;
    }
}

static void draw_jax_legacy(plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const dropwise_interop *d = p->interop;
    const uint64_t words = legacy_words(d);
    const row_layout rows = {
        .length = words / 2 + words % 2, .end = d->size, .rows = 2, .per_word = 32 / drawn_bits(d)};
    p->words = p->kernels->words_threefry2x32_20_planes;
    memset(bits, 0, bytes_of_bits(n));
    draw_rows(p, &rows, first, n, bits);
}

/*
 * PyTorch's kernel for strided tensors: in each turn, a thread has four elements, as far apart as there are
 * threads.
 */
static void draw_torch_strided(plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const uint64_t threads = p->interop->threads;
    p->words = p->kernels->words_philox4x32_10_planes;
    memset(bits, 0, bytes_of_bits(n));
    for (uint64_t turn = first / (4 * threads); turn <= (first + n - 1) / (4 * threads); turn++) {
        const row_layout rows = {.first = turn * 4 * threads,
                                 .first_block = turn * threads,
                                 .length = threads,
                                 .end = p->interop->size,
                                 .rows = 4,
                                 .per_word = 1};
        draw_rows(p, &rows, first, n, bits);
    }
}

/* ---- FlashAttention ---- */

/*
 * A tile of 16 rows and 32 columns has 32 blocks. Four of them serve the tile's columns of a row and of the
 * one 8 below: block l has, in byte 4j + 2b + s, columns 8j + 2l + s of the upper row (b = 0) and the lower
 * one (1).
 */
static void attention_blocks(const plan *p, uint64_t head, uint64_t row, uint64_t tile, size_t n_tiles,
                             uint8_t *numbers)
{
    const dropwise_interop *d = p->interop;
    const uint64_t from = d->counter[0] + head * 32 + row % 8 * 4;
    dropwise_counters c = {.key = {(uint32_t)d->key[0], (uint32_t)(d->key[0] >> 32)}, .group = 4};
    set_u64(&c, 0, from);
    c.first[2] = (uint32_t)(row / 16);
    c.first[3] = (uint32_t)tile;
    c.step[3] = 1;
    if ((uint32_t)from <= UINT32_MAX - 3) {
        p->words(&c, 4 * n_tiles, numbers);
        return;
    }
    c.group = 1; /* the four blocks of a tile differ in the second word too */
    for (size_t t = 0; t < n_tiles; t++, c.first[3]++) {
        for (uint64_t l = 0; l < 4; l++) {
            set_u64(&c, 0, from + l);
            p->words(&c, 1, numbers + (4 * t + l) * 16);
        }
    }
}

/* The digits of a bit's place are l l j j b s; of its column they are j j l l s, and b chooses the row. */
static uint64_t arrange_tile(uint64_t word)
{
    word = swap_places(word, 1, 5); /* b l0 j1 j0 l1 s */
    word = swap_places(word, 1, 4); /* b l1 j1 j0 l0 s */
    word = swap_places(word, 3, 4); /* b j1 l1 j0 l0 s */
    return swap_places(word, 2, 3); /* b j1 j0 l1 l0 s */
}

/*
 * Columns [from, to) of a row of a head, whose first one's bit is bits[at]; and of the row 8 below, whose bit
 * is bits[at_below], if both is set.
 */
static void draw_attention_row(const plan *p, uint64_t head, uint64_t row, uint64_t from, uint64_t to,
                               uint8_t *bits, uint64_t at, uint64_t at_below, bool both)
{
    enum { TILES = 32 };
    const unsigned below = row / 8 % 2;
    for (uint64_t tile = from / ATTENTION_TILE; tile * ATTENTION_TILE < to; tile += TILES) {
        _Alignas(64) uint8_t numbers[TILES * 64];
        uint8_t of_numbers[TILES * 64 / 8], rows[2][TILES * ATTENTION_TILE / 8], wanted[sizeof rows[0]];
        const uint64_t end = (to + ATTENTION_TILE - 1) / ATTENTION_TILE;
        const size_t n_tiles = min_size(TILES, end - tile);
        attention_blocks(p, head, row, tile, n_tiles, numbers);
        p->compare(numbers, n_tiles * 64, &p->how, of_numbers);
        for (size_t t = 0; t < n_tiles; t++) {
            const uint64_t word = arrange_tile(load_le64(of_numbers + 8 * t));
            store_le32(rows[0] + 4 * t, (uint32_t)word);
            store_le32(rows[1] + 4 * t, (uint32_t)(word >> 32));
        }
        const uint64_t first = tile * ATTENTION_TILE;
        const uint64_t a = from > first ? from : first, b = min_u64(to, first + n_tiles * ATTENTION_TILE);
        copy_bits(rows[below], (size_t)(a - first), (size_t)(b - a), wanted);
        merge_bits(bits, at + (a - from), wanted, (size_t)(b - a));
        if (both) {
            copy_bits(rows[1], (size_t)(a - first), (size_t)(b - a), wanted);
            merge_bits(bits, at_below + (a - from), wanted, (size_t)(b - a));
        }
    }
}

static void draw_attention(const plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const uint64_t rows = p->interop->rows, columns = p->interop->columns, end = first + n;
    memset(bits, 0, bytes_of_bits(n));
    for (uint64_t i = first; i < end;) {
        const uint64_t line = i / columns, head = line / rows, row = line % rows;
        const uint64_t from = i % columns, to = min_u64(columns, from + (end - i));
        /* Two rows that share their blocks are drawn together where the range has all of both. */
        const bool is_below = row / 8 % 2 != 0;
        const uint64_t upper = is_below ? line - 8 : line;
        const bool both =
            row + (is_below ? 0 : 8) < rows && upper * columns >= first && (upper + 9) * columns <= end;
        if (!both || !is_below)
            draw_attention_row(p, head, row, from, to, bits, i - first, i - first + 8 * columns, both);
        i += to - from;
    }
}

/* ---- The draw ---- */

void dropwise_interop_draw(const dropwise_kernels *kernels, const dropwise_interop *interop, uint64_t first,
                           size_t n, uint8_t *bits)
{
    plan p = plan_of(kernels, interop);
    if (interop->layout == DROPWISE_LAYOUT_JAX_LEGACY && interop->draws != DROPWISE_F64)
        draw_jax_legacy(&p, first, n, bits);
    else if (interop->layout == DROPWISE_LAYOUT_TORCH_CUDA && interop->vector == 1)
        draw_torch_strided(&p, first, n, bits);
    else if (interop->layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2)
        draw_attention(&p, first, n, bits);
    else
        draw_in_order(&p, first, n, bits);
}
