/* The data of the examples, small grey images of ten classes, and what of it is learned from and held out. */
#ifndef IMAGES_H
#define IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matrix.h"

enum { CLASSES = 10, MAX_IMAGES = 1000000, MAX_SIDE = 64 };

/* As they are stored: a byte a pixel, row after row. */
typedef struct images {
    unsigned char *pixel, *label;
    size_t n, side; /* each image is side x side */
    int white;      /* the largest value of a pixel */
} images;

/* Images to choose from, and, apart from them, images to test with: n is 0 if there are none. */
typedef struct dataset {
    const char *name;
    images pool, test;
} dataset;

/*
 * Reads rows of 64 pixels, 0 to 16, and a label, separated by commas; "-" is standard input. False, after a
 * message, if the file is not like that.
 */
bool digits_read(const char *path, dataset *d);

/*
 * Reads Fashion-MNIST or what is stored like it: the four files *-images-idx3-ubyte and *-labels-idx1-ubyte
 * of train and t10k in a folder, unpacked. False, after a message, if one is missing or damaged.
 */
bool fashion_read(const char *folder, dataset *d);

void dataset_free(dataset *d);

/* Images for a network: pixels from 0 to 1, and what they show. */
typedef struct data {
    real *x; /* n * side * side */
    int *label;
    size_t n, side;
} data;

/* What one run learns from, is watched by and is tested with, and the random numbers that follow. */
typedef struct split {
    data train, held, test;
    uint64_t noise;
} split;

/*
 * The seed chooses n_train images of the pool to learn from, and n_held others, or as many as there are, to
 * hold out. To test with is what is set apart for it; where that is nothing, what is held out.
 */
split split_new(const dataset *d, uint64_t seed, size_t n_train, size_t n_held);
void split_free(split *s);

/* So many images are usually held out: all that are left, if there are no others to test with. */
size_t usually_held(const dataset *d);

/* Memory, or the end of the program. */
void *allocate(size_t n, size_t size);

#endif
