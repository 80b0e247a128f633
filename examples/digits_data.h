/* The data of the examples: hand-written digits, 8 x 8 pixels each. */
#ifndef DIGITS_DATA_H
#define DIGITS_DATA_H

#include <stddef.h>
#include <stdint.h>

enum { PIXELS = 64, CLASSES = 10, MAX_DIGITS = 10000 };

/*
 * Reads up to MAX_DIGITS rows of 64 pixels, 0 to 16, and a label, separated by commas; "-" is standard input.
 * Pixels become 0 to 1. The number of digits; 0, after a message, if the file is not like that.
 */
size_t digits_read(const char *path, float (*pixels)[PIXELS], int *labels);

/* x and y become the digits and their labels in a random order; `order` is room for n numbers. */
void digits_shuffle(const float (*pixels)[PIXELS], const int *labels, size_t n, size_t *order,
                    uint64_t *noise, float (*x)[PIXELS], int *y);

#endif
