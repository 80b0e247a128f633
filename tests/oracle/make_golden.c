/*
 * Prints data/golden.txt: for each case the hash of its packed keep bits, and that of the generator's bytes
 * of the blocks that they come from. It links the oracle alone. The file was made once and is never made
 * again: stream version 1 is frozen.
 */
#include <inttypes.h>
#include <stdio.h>

#include "oracle/golden_cases.h"
#include "oracle/reference.h"

int main(void)
{
    static uint8_t keep[GOLDEN_MAX_N], bits[GOLDEN_MAX_N];
    for (int i = 0; i < N_GOLDEN; i++) {
        const golden_case *c = &golden_cases[i];
        ref_mask mask = ref_mask_of(c->p, c->seed, c->stream);
        mask.generator = (ref_generator)c->generator;
        ref_keep_range(&mask, c->first, c->n, keep);
        ref_pack(keep, c->n, bits);
        uint64_t bytes_hash = REF_HASH_START;
        for (uint64_t b = c->first / 16; b <= (c->first + c->n - 1) / 16; b++) {
            uint8_t block[16];
            ref_generate(mask.generator, c->seed, c->stream, b, block);
            bytes_hash = ref_hash(bytes_hash, block, sizeof block);
        }
        printf("%d %016" PRIx64 " %016" PRIx64 "\n", i, ref_hash(REF_HASH_START, bits, (c->n + 7) / 8),
               bytes_hash);
    }
    return 0;
}
