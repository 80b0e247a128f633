/* NumPy's SeedSequence, of a seed of at most 64 bits. */
#ifndef DROPWISE_SEED_SEQUENCE_H
#define DROPWISE_SEED_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* The first n words of generate_state. */
void dropwise_seed_sequence(uint64_t seed, size_t n, uint32_t *words);

#endif
