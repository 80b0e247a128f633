/* Random123's known answers, and whether a generator has them, in all of its kernels and at all places. */
#ifndef KNOWN_ANSWERS_H
#define KNOWN_ANSWERS_H

#include "kernels/kernels.h"
#include "support/common.h"

typedef struct known_answer {
    char generator[24]; /* "philox4x32_10" */
    dropwise_key key;
    uint64_t counter;
    uint8_t bytes[16];
} known_answer;

/* A group setup: reads them from data/random123_kat.txt, those of four words of 32 bits. */
int read_known_answers(void **state);

/* The i-th; NULL after the last one. */
const known_answer *known_answer_number(size_t i);

/* At every place of a batch, and so in every lane. */
void check_known_answers(const dropwise_generator *generator, const char *name);

#endif
