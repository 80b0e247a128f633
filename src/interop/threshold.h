/*
 * From a system's comparison of floats to an integer threshold and a scale, in the system's own rounding: the
 * numbers of a generator are then compared as integers, by compare.inc.h.
 */
#ifndef DROPWISE_THRESHOLD_H
#define DROPWISE_THRESHOLD_H

#include <stdbool.h>

#include "dropwise_interop.h"

/* What a system makes of a random number v that was transformed as compare.inc.h says. */
typedef enum reading {
    FRACTION,      /* the upper `bits` of it, as a fraction: exact                     */
    ABOVE_ZERO,    /* float(v) 2^-32 + 2^-33 in f32, as cuRAND                         */
    FOLDED,        /* float(v) 4.6566127342e-10 in f32, as Triton                      */
    MASKED,        /* the same of v / 2, as Inductor on a CPU                          */
    CENTRED,       /* float(v - 2^31) 2^-32 + 0.5 in f32, as oneMKL                    */
    LESS_ONE,      /* float(v - 1) / float(2^31 - 2) in f32, as ONNX Runtime on a CPU   */
    OF_MERSENNE31, /* v times the reciprocal of 2^31 - 1 in f64, as oneMKL            */
    ROUNDED,       /* float(v), as MLX                                                */
    OF_ALL_ONES,   /* float(v) / float(2^32 - 1) in f32, below 1, as MXNet            */
    OF_64_BITS,    /* float(v) 2^-64 in f32, below 1, as Paddle                       */
    OF_TWO_WORDS,  /* float(v 2^-64 in f64), as MXNet                                 */
    AS_IT_IS       /* v                                                               */
} reading;

typedef enum relation { BELOW, ABOVE, AT_LEAST, AT_MOST } relation;

typedef struct rule {
    reading read;
    unsigned width; /* bits of v               */
    unsigned bits;  /* of a fraction           */
    relation kept;  /* elements whose number is ... */
    double limit;   /* ... this                */
} rule;

/* Fills last, drops and keep: what an integer compare has to do to keep what the rule keeps. */
void dropwise_set_threshold(dropwise_interop *interop, const rule *r);

/* Without a random number: all kept, or none. */
void dropwise_set_constant(dropwise_interop *interop, bool kept);

/* x >= 0 as a number of the dtype, or infinity beyond the largest. */
double dropwise_rounded_to(dropwise_dtype dtype, double x);

/* 1 / (1 - p) in f32, both operations rounded. */
static inline double scale_in_f32(float p)
{
    const float keep = 1.0f - p;
    return p < 1.0f ? (double)(1.0f / keep) : 0.0;
}

/* 1 / keep in f32, infinite where it is beyond; 0 for keep = 0. */
static inline double scale_of_kept(double keep)
{
    return keep > 0.0 ? (double)(1.0f / (float)keep) : 0.0;
}

static inline bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0;
}

#endif
