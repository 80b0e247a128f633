/* The frozen stream: every tier reproduces the hashes of data/golden.txt. */
#include <inttypes.h>

#include "support/common.h"
#include "golden.h" /* the text of data/golden.txt */
#include "oracle/golden_cases.h"

static uint64_t bits_hash[N_GOLDEN], bytes_hash[N_GOLDEN];

static int read_golden(void **state)
{
    (void)state;
    static char text[sizeof golden];
    memcpy(text, golden, sizeof text);
    int n = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), n++) {
        int number;
        if (n == N_GOLDEN ||
            sscanf(line, "%d %" SCNx64 " %" SCNx64, &number, &bits_hash[n], &bytes_hash[n]) != 3 ||
            number != n)
            return -1;
    }
    return n == N_GOLDEN ? 0 : -1;
}

static dropwise_mask mask_of(const golden_case *c)
{
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, c->p, c->seed, c->stream), DROPWISE_OK);
    mask.generator = (uint32_t)c->generator + 1;
    return mask;
}

static void the_keep_bits_have_not_changed(void **state)
{
    (void)state;
    static uint8_t bits[GOLDEN_MAX_N / 8 + 1];
    for (int i = 0; i < N_GOLDEN; i++) {
        const golden_case *c = &golden_cases[i];
        const dropwise_mask mask = mask_of(c);
        assert_int_equal(dropwise_draw_bits(&mask, c->first, c->n, bits), DROPWISE_OK);
        if (ref_hash(REF_HASH_START, bits, (c->n + 7) / 8) != bits_hash[i])
            fail_msg("the keep bits of golden case %d have changed", i);
    }
}

static void the_bytes_have_not_changed(void **state)
{
    (void)state;
    static uint8_t bytes[GOLDEN_MAX_N + 32];
    for (int i = 0; i < N_GOLDEN; i++) {
        const golden_case *c = &golden_cases[i];
        const dropwise_mask mask = mask_of(c);
        const uint64_t block = c->first / 16, n_blocks = (c->first + c->n - 1) / 16 - block + 1;
        assert_int_equal(dropwise_draw_bytes(&mask, block, (size_t)n_blocks * 16, bytes), DROPWISE_OK);
        if (ref_hash(REF_HASH_START, bytes, (size_t)n_blocks * 16) != bytes_hash[i])
            fail_msg("the bytes of golden case %d have changed", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keep_bits_have_not_changed),
        cmocka_unit_test(the_bytes_have_not_changed),
    };
    return run_on_each_tier(tests, read_golden, NULL);
}
