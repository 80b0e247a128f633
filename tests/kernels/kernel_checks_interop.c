/* Checks of the kernels of other systems' masks. */
#include "kernels/kernel_checks.h"
#include "oracle/reference_interop.h"

/* What a kernel of that name stores of the block k of n, and how many bytes all of them take. */
static size_t block_words(const char *name, const uint32_t block[4], size_t k, size_t n, uint8_t *out)
{
    const bool threefry = strstr(name, "threefry") != NULL;
    uint32_t stored[4];
    size_t count = threefry ? 2 : 4;
    memcpy(stored, block, sizeof stored);
    if (strstr(name, "_swapped") != NULL || strstr(name, "_joined") != NULL) {
        for (size_t w = 0; w < count; w++)
            stored[w] = block[w ^ 1];
    } else if (strstr(name, "_third") != NULL) {
        for (size_t w = 0; w < 4; w++)
            stored[w] = block[2];
    } else if (strstr(name, "_first") != NULL) {
        count = 1;
    } else if (strstr(name, "_xor") != NULL) {
        stored[0] = block[0] ^ block[1];
        count = 1;
    }
    const bool planes = strstr(name, "_planes") != NULL;
    for (size_t w = 0; w < count; w++) {
        uint8_t *to = out + (planes ? w * n + k : k * count + w) * 4;
        for (int b = 0; b < 4; b++)
            to[b] = (uint8_t)(stored[w] >> 8 * b);
    }
    return n * count * 4;
}

static void words_case(dropwise_words_fn *words, const char *name, const dropwise_counters *c, size_t n)
{
    static uint8_t expected[16 * LARGE_N];
    size_t bytes = 0;
    for (size_t k = 0; k < n; k++) {
        uint32_t counter[4], block[4];
        for (int w = 0; w < 4; w++)
            counter[w] = c->first[w] + (uint32_t)(k / c->group) * c->step[w];
        counter[0] += (uint32_t)(k % c->group);
        if (strstr(name, "threefry") != NULL)
            ref_threefry2x32(counter, c->key, block);
        else
            ref_philox4x32(strstr(name, "_7") != NULL ? 7 : 10, counter, c->key, block);
        bytes = block_words(name, block, k, n, expected);
    }
    for (int at_end = 0; at_end < 2; at_end++) {
        uint8_t *out = guard_place(&output, bytes, at_end, n % 64);
        words(c, n, out);
        assert_same_bytes(out, expected, bytes, "%s: %zu blocks, groups of %u", name, n, c->group);
        assert_true(guard_intact(&output));
    }
}

void check_words(dropwise_words_fn *words, const char *name)
{
    static const uint32_t pi[10] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0};
    const bool threefry = strstr(name, "threefry") != NULL;
    uint64_t state = 5;
    for (size_t n = 0; n <= 140; n++) {
        for (uint32_t group = 1; group <= (threefry ? 1u : 4u); group *= 2) {
            /* Random patterns, and at each place Random123's known answer, by a step of 0. */
            dropwise_counters c = {.group = group};
            fill_noise(c.key, sizeof c.key, noise(&state));
            fill_noise(c.first, sizeof c.first, noise(&state));
            fill_noise(c.step, sizeof c.step, noise(&state));
            words_case(words, name, &c, n);
            /* Patterns in which all words but one are constant have loops of their own. */
            dropwise_counters one = c;
            one.step[1] = one.step[2] = one.step[3] = 0;
            words_case(words, name, &one, n);
            one.step[0] = 0;
            one.step[2] = c.step[2];
            words_case(words, name, &one, n);
            dropwise_counters known = {.group = 1};
            memcpy(known.first, pi, sizeof known.first);
            memcpy(known.key, threefry ? pi + 2 : pi + 4, sizeof known.key);
            words_case(words, name, &known, n);
        }
    }
    const dropwise_counters large = {{1, 2}, {UINT32_MAX - 500, 3, UINT32_MAX, 4}, {4, 4, 1, 0}, 1};
    words_case(words, name, &large, 1000);
}

void check_dwords(dropwise_dwords_fn *dwords, const char *name)
{
    static uint8_t expected[32 * 140];
    uint64_t state = 6;
    for (size_t n = 0; n <= 140; n++) {
        dropwise_counters64 c;
        fill_noise(&c, sizeof c, noise(&state));
        for (size_t k = 0; k < n; k++) {
            const uint64_t counter[4] = {c.first[0] + k, c.first[1], c.first[2], c.first[3]};
            uint64_t block[4];
            ref_philox4x64(counter, c.key, block);
            for (size_t b = 0; b < 32; b++)
                expected[32 * k + b] = (uint8_t)(block[b / 8] >> b % 8 * 8);
        }
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *out = guard_place(&output, 32 * n, at_end, n % 64);
            dwords(&c, n, out);
            assert_same_bytes(out, expected, 32 * n, "%s: %zu blocks", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

/* Number j of n, after the transform that the name tells. */
static uint64_t transformed(const char *name, const uint8_t *p, const dropwise_compare *how)
{
    uint64_t v = 0;
    const size_t bytes = strstr(name, "_u8") != NULL ? 1 : strstr(name, "_u64") != NULL ? 8 : 4;
    for (size_t b = 0; b < bytes; b++)
        v |= (uint64_t)p[b] << 8 * b;
    if (bytes == 1)
        return v;
    if (bytes == 8)
        return v << how->shift;
    if (strstr(name, "folded") != NULL)
        return v >> 31 ? (uint32_t)~v : v;
    return (uint32_t)(v << how->shift) ^ how->flip;
}

static void compare_case(dropwise_compare_fn *compare, const char *name, const dropwise_compare *how,
                         size_t n, bool at_end, size_t offset)
{
    static uint8_t keep[LARGE_N], expected[LARGE_N];
    const size_t bytes = strstr(name, "_u8") != NULL ? 1 : strstr(name, "_u64") != NULL ? 8 : 4;
    uint8_t *in = guard_place(&input, n * bytes, at_end, offset);
    uint8_t *bits = guard_place(&output, (n + 7) / 8, at_end, offset);
    uint64_t state = n + how->last;
    for (size_t j = 0; j < n; j++) {
        /* Noise, and numbers on the threshold and beside it. */
        const uint64_t r = noise(&state);
        const uint64_t near = (how->last >> how->shift) + r % 3 - 1;
        const uint64_t number =
            r >> 32 & 1 ? noise(&state) : near ^ how->flip ^ (r >> 40 & 1 ? how->flip : 0);
        for (size_t b = 0; b < bytes; b++)
            in[j * bytes + b] = (uint8_t)(number >> 8 * b);
        keep[j] = (transformed(name, in + j * bytes, how) <= how->last) != (how->drops != 0);
    }
    ref_pack(keep, n, expected);
    guard_readonly(&input, true);
    compare(in, n, how, bits);
    guard_readonly(&input, false);
    assert_same_bytes(bits, expected, (n + 7) / 8, "%s: last %llx, shift %u, %zu numbers", name,
                      (unsigned long long)how->last, how->shift, n);
    assert_true(guard_intact(&output));
}

void check_compare(dropwise_compare_fn *compare, const char *name)
{
    static const uint64_t lasts[] = {0,          1,          127,        128,        254,        255,
                                     0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF};
    static const uint64_t wide[] = {0,
                                    0xFFFFFFFF,
                                    UINT64_C(0x7FFFFFFFFFFFFFFF),
                                    UINT64_C(0x8000000000000000),
                                    UINT64_C(0x8000000000000001),
                                    UINT64_C(0x123456789ABCDEF0),
                                    UINT64_MAX - 1,
                                    UINT64_MAX};
    const bool is_u8 = strstr(name, "_u8") != NULL, is_u64 = strstr(name, "_u64") != NULL;
    const size_t n_lasts = is_u64 ? 8 : is_u8 ? 6 : 12;
    static const uint32_t shifts[] = {0, 1, 9, 12, 22, 25};
    for (size_t i = 0; i < n_sizes(); i++) {
        for (uint32_t drops = 0; drops < 2; drops++) {
            const bool plain = is_u8 || strstr(name, "folded") != NULL;
            const dropwise_compare how = {is_u64 ? wide[i % n_lasts] : lasts[i % n_lasts],
                                          plain ? 0 : shifts[i / 3 % 6],
                                          i % 2 && !plain && !is_u64 ? UINT32_C(1) << 31 : 0, drops};
            compare_case(compare, name, &how, size_number(i), drops, i % 64);
        }
    }
    for (size_t offset = 0; offset < 64; offset++) {
        const dropwise_compare how = {is_u64 ? wide[offset % 8] : lasts[offset % n_lasts], 0, 0, offset % 2};
        compare_case(compare, name, &how, 200 + offset, false, offset);
    }
}

/* ---- Lehmer's generators ---- */

void check_lehmer(dropwise_lehmer_fn *lehmer, const char *name)
{
    static const uint32_t multipliers[] = {16807, 48271, 1132489760, 2, INT32_MAX - 1, 0};
    static uint8_t expected[4 * 600];
    for (size_t n = 0; n < 600; n = n < 140 ? n + 1 : n + 151) {
        for (size_t m = 0; m < 6; m++) {
            const uint32_t first = n % 7 == 0 ? INT32_MAX - 1 : n % 7 == 1 ? 0 : (uint32_t)(n * 1000003);
            uint64_t x = first;
            for (size_t i = 0; i < n; i++, x = x * multipliers[m] % INT32_MAX)
                put_le32(expected + 4 * i, (uint32_t)x);
            for (int at_end = 0; at_end < 2; at_end++) {
                uint8_t *out = guard_place(&output, 4 * n, at_end, n % 64);
                lehmer(first, multipliers[m], n, out);
                assert_same_bytes(out, expected, 4 * n, "%s: %zu numbers", name, n);
                assert_true(guard_intact(&output));
            }
        }
    }
}

/* ---- mt19937 ---- */

enum { MT_WORDS = 6, MT_ROOM = 312 + 64 * MT_WORDS + 2 }; /* pairs */

/* Words of the recurrence, one after the other, apart by their places. */
static void mt_words(uint32_t seed, size_t n_pairs, uint32_t *even, uint32_t *odd)
{
    static uint32_t words[2 * MT_ROOM];
    ref_mt19937_seed(words, seed);
    for (size_t k = 0; k + 624 < 2 * n_pairs; k++) {
        const uint32_t y = (words[k] & 0x80000000u) | (words[k + 1] & 0x7FFFFFFFu);
        words[k + 624] = words[k + 397] ^ y >> 1 ^ (y % 2 ? 0x9908B0DFu : 0);
    }
    for (size_t i = 0; i < n_pairs; i++) {
        even[i] = words[2 * i];
        odd[i] = words[2 * i + 1];
    }
}

static uint32_t mt_tempered(uint32_t word)
{
    uint32_t state[624] = {word};
    unsigned position = 0;
    return ref_mt19937_word(state, &position);
}

static uint32_t mt_even[MT_ROOM], mt_odd[MT_ROOM];

/* So many pairs between guard pages. */
static uint32_t *mt_place(guard_arena *arena, const uint32_t *words, size_t n)
{
    uint8_t *to = guard_place(arena, 4 * n, true, 0);
    memcpy(to, words, 4 * n);
    return (uint32_t *)(void *)to;
}

void check_twist(dropwise_twist_fn *twist, const char *name)
{
    for (size_t n = 0; n <= MT_WORDS; n++) {
        mt_words(5489 + (uint32_t)n, MT_ROOM, mt_even, mt_odd);
        /* One word is read beyond the pairs that the first ones are made of. */
        const size_t made = 312 + 64 * n;
        uint32_t *even = mt_place(&arenas[0], mt_even, made), *odd = mt_place(&arenas[1], mt_odd, made);
        memset(even + 312, 0x5A, 4 * (made - 312));
        memset(odd + 312, 0x5A, 4 * (made - 312));
        twist(n, even, odd);
        assert_same_bytes(even, mt_even, 4 * made, "%s: %zu words, even places", name, n);
        assert_same_bytes(odd, mt_odd, 4 * made, "%s: %zu words, odd places", name, n);
        assert_all_intact();
    }
}

/* Thresholds: ends, a half, and numbers of pairs and beside them, so that the second words decide. */
static uint64_t mt_threshold(size_t i, uint64_t number)
{
    switch (i) {
    case 0:
        return 1;
    case 1:
        return UINT64_C(1) << 53;
    case 2:
        return UINT64_C(1) << 52;
    case 3:
        return UINT64_C(3) << 51;
    default:
        return number + i - 5 > UINT64_C(1) << 53 || number + i < 6 ? 12345 : number + i - 5;
    }
}

/* A case of pairs, with elements to multiply or without. */
static void pairs_case(dropwise_pairs_fn *pairs, const char *name, size_t n, size_t t, bool is_odd,
                       bool twists, bool multiplies)
{
    static uint8_t keep[64 * MT_WORDS], x[64 * MT_WORDS * 4], expected_y[sizeof x], expected[sizeof keep / 8];
    const size_t n_elements = 64 * n, known = 312 + (twists ? n_elements : 0);
    mt_words(99 + (uint32_t)(n + 10 * t), MT_ROOM, mt_even, mt_odd);
    /* Places that are to be drawn are there in any case. */
    const size_t there = known > n_elements + 1 ? known : n_elements + 1;
    uint32_t *even = mt_place(&arenas[0], mt_even, there), *odd = mt_place(&arenas[1], mt_odd, there);
    const uint32_t *high = is_odd ? odd : even, *low = is_odd ? even + 1 : odd;
    uint64_t number[64 * MT_WORDS];
    for (size_t j = 0; j < n_elements; j++)
        number[j] = (uint64_t)(mt_tempered(high[j]) & 0x1FFFFF) << 32 | mt_tempered(low[j]);
    const uint64_t threshold = mt_threshold(t, n_elements == 0 ? 0 : number[(37 * t + n) % n_elements]);
    for (size_t j = 0; j < n_elements; j++)
        keep[j] = number[j] < threshold;
    ref_pack(keep, n_elements, expected);
    uint8_t *bits = guard_place(&output, n_elements / 8, true, 0),
            *y = guard_place(&arenas[2], 4 * n_elements, true, 0);
    const dropwise_pairs p = {
        high, low, twists ? even : NULL, odd, threshold, multiplies ? x : NULL, y, (float)(1 / 0.7)};
    if (twists && there > 312) {
        memset(even + 312, 0x5A, 4 * (there - 312));
        memset(odd + 312, 0x5A, 4 * (there - 312));
    }
    const bool wants_bits = !multiplies || t % 2 != 0;
    fill_awkward(REF_F32, x, n_elements, t);
    pairs(&p, n, wants_bits ? bits : NULL);
    if (multiplies) {
        ref_multiply(REF_F32, keep, n_elements, x, expected_y, 1 / 0.7);
        one_nan(REF_F32, y, expected_y, n_elements);
        assert_same_bytes(y, expected_y, 4 * n_elements, "%s: %zu words, elements", name, n);
    }
    if (wants_bits)
        assert_same_bytes(bits, expected, n_elements / 8, "%s: %zu words, threshold %zu", name, n, t);
    if (twists) {
        assert_same_bytes(even, mt_even, 4 * known, "%s: %zu words, even places", name, n);
        assert_same_bytes(odd, mt_odd, 4 * known, "%s: %zu words, odd places", name, n);
    }
    assert_true(guard_intact(&output));
    assert_all_intact();
}

/* Without twisting, up to the 312 pairs of a block; with it, the pairs that are twisted on the way too. */
void check_pairs(dropwise_pairs_fn *pairs, const char *name)
{
    for (size_t n = 0; n <= 4; n++)
        for (size_t t = 0; t < 9; t++)
            for (unsigned how = 0; how < 8; how++)
                pairs_case(pairs, name, n, t, how & 1, how & 2, how >= 6); /* multiplies while it twists */
}

void check_temper(dropwise_temper_fn *temper, const char *name)
{
    mt_words(7, MT_ROOM, mt_even, mt_odd);
    for (size_t n = 0; n <= MT_WORDS; n++) {
        static uint8_t expected[64 * MT_WORDS * 8];
        uint32_t *first = mt_place(&arenas[0], mt_even, 64 * n),
                 *other = mt_place(&arenas[1], mt_odd, 64 * n);
        for (size_t i = 0; i < 64 * n; i++) {
            put_le32(expected + 8 * i, mt_tempered(first[i]));
            put_le32(expected + 8 * i + 4, mt_tempered(other[i]));
        }
        uint8_t *out = guard_place(&output, 512 * n, true, 0);
        temper(n, first, other, out);
        assert_same_bytes(out, expected, 512 * n, "%s: %zu words", name, n);
        assert_true(guard_intact(&output));
    }
}

void check_windows(dropwise_windows_fn *windows, const char *name)
{
    enum { N = 300, FURTHEST = 700 };
    static uint32_t words[FURTHEST + DROPWISE_MT_WINDOW], sum[DROPWISE_MT_WINDOW],
        expected[DROPWISE_MT_WINDOW];
    uint16_t at[N];
    uint64_t state = 3;
    fill_noise(words, sizeof words, 1);
    for (size_t n = 0; n <= N; n = n < 10 ? n + 1 : n + 29) {
        uint32_t *from = mt_place(&arenas[0], words, FURTHEST + DROPWISE_MT_WINDOW);
        fill_noise(sum, sizeof sum, n);
        memcpy(expected, sum, sizeof sum);
        for (size_t k = 0; k < n; k++) {
            at[k] = (uint16_t)(k % 3 == 0 ? FURTHEST : noise(&state) % FURTHEST);
            for (size_t j = 0; j < DROPWISE_MT_WINDOW; j++)
                expected[j] ^= words[at[k] + j];
        }
        windows(n, at, from, sum);
        assert_same_bytes(sum, expected, sizeof sum, "%s: %zu windows", name, n);
        assert_all_intact();
    }
}
