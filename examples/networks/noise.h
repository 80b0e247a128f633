/* Random numbers of the examples, for all but masks: the first weights, splits and orders of the data. */
#ifndef NOISE_H
#define NOISE_H

#include <stddef.h>
#include <stdint.h>

/* The next number of a stream: splitmix64. */
uint64_t noise_next(uint64_t *state);

/* The next standard normal number, by Box and Muller. */
double noise_normal(uint64_t *state);

/* Puts numbers into a random order. */
void noise_shuffle(size_t *order, size_t n, uint64_t *state);

#endif
