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
    for (size_t i = 0; i < N_SIZES; i++) {
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
