/* Checks of the kernels of blocks. */
#include "kernels/kernel_checks.h"

static int bit_of(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

/* n bytes, with the bytes that the kernel may read besides on that side of them where it looks. */
static void erode_case(dropwise_erode_fn *erode, const char *name, size_t n, size_t distance, bool at_end)
{
    static uint8_t before[2 * LARGE_N], expected[2 * LARGE_N];
    const bool up = strstr(name, "up") != NULL;
    const size_t besides = distance / 8 + 1, all = n + besides, own = up ? besides : 0;
    uint8_t *bits = guard_place(&output, all, at_end, n % 64);
    uint8_t *fence = guard_place(&input, n, at_end, (n + distance) % 64);
    fill_noise(bits, all, n + distance);
    fill_noise(fence, n, n * 7 + distance);
    for (size_t i = 0; i < all; i++) /* few are 0, as few are dropped */
        bits[i] |= (uint8_t)(i % 3 == 0 ? 0xFF : i * 37);
    memcpy(before, bits, all);
    memcpy(expected, bits, all);
    for (size_t i = 0; i < 8 * n; i++) {
        const size_t at = 8 * own + i, from = up ? at - distance : at + distance;
        if (!bit_of(before, from) && !bit_of(fence, i))
            expected[at / 8] = (uint8_t)(expected[at / 8] & ~(1u << at % 8));
    }
    guard_readonly(&input, true);
    erode(bits + own, n, distance, fence);
    guard_readonly(&input, false);
    assert_same_bytes(bits, expected, all, "%s: %zu bytes, distance %zu", name, n, distance);
    assert_true(guard_intact(&output));
}

void check_erode(dropwise_erode_fn *erode, const char *name)
{
    static const size_t distances[] = {1, 2, 5, 7, 8, 9, 15, 32, 63, 64, 67, 511, 512, 515, 4100};
    const size_t step = quick() ? 4 : 1;
    for (size_t i = 0; i < n_sizes(); i++)
        for (size_t d = i % step; d < sizeof distances / sizeof distances[0]; d += step)
            erode_case(erode, name, size_number(i), distances[d], (i + d) % 2 != 0);
}

void check_count(dropwise_count_fn *count, const char *name)
{
    for (size_t i = 0; i < n_sizes(); i++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            const size_t n = size_number(i);
            uint8_t *bits = guard_place(&input, n, at_end, n % 64);
            fill_noise(bits, n, n);
            uint64_t expected = 0;
            for (size_t j = 0; j < 8 * n; j++)
                expected += (uint64_t)bit_of(bits, j);
            guard_readonly(&input, true);
            const uint64_t actual = count(n, bits);
            guard_readonly(&input, false);
            if (actual != expected)
                fail_msg("%s: %zu bytes have %llu bits, not %llu", name, n, (unsigned long long)expected,
                         (unsigned long long)actual);
        }
    }
}
