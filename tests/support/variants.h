/* The list of variants as a table, and one call for all of them. */
#ifndef VARIANTS_H
#define VARIANTS_H

#include "dropwise_variants.h"

typedef enum what {
#define DROPWISE_VARIANT(NAME, function, inputs, outputs, nan, traits, arguments) NAME,
#include "support/variants.inc"
    N_OPERATIONS
} what;

/* What becomes of a NaN: it moves with all its bits, some NaN comes of one that is kept, or the quiet one. */
typedef enum nan_rule { NAN_MOVES, NAN_OF_KEPT, NAN_QUIET } nan_rule;

/* May have a stored mask, which it writes, or else READS; needs functions, which in f64 are SLEEF's; refuses
 * p = 1. */
enum { STORES = 1, READS = 2, NEEDS_MATH = 4, NEEDS_VARIANCE = 8 };

typedef struct operation {
    const char *name;
    int inputs, outputs; /* the first input by x_stride, all others by y_stride */
    nan_rule nan;
    int traits;
} operation;

extern const operation operations[N_OPERATIONS];

#define SIGMA 0.3
#define LOGIT (-0.8)
#define TEMPERATURE (2.0 / 3)

/* The gradient of the last call of dropwise_concrete_backward in this thread. */
extern _Thread_local double last_dlogit;

dropwise_status run(what op, const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *v,
                    const void *a, const void *b, void *y, void *y2, const dropwise_stored *stored);

#endif
