/* Tensors of tests that go through views: elements of any dtype as doubles, where they lie, what is kept. */
#ifndef TENSORS_H
#define TENSORS_H

#include "support/common.h"

enum { MAX_N = 60000 };

#define SEED UINT64_C(0xABCDEF0123456789)
#define STREAM UINT64_C(42)

/* A mask of this seed and stream. */
dropwise_mask mask_of(double p);

/* A dense view whose mask is shared along a set of dimensions. */
dropwise_view view_of(uint32_t rank, const uint64_t *size, uint32_t shared);

/* Elements as doubles. */
double get(ref_dtype dtype, const uint8_t *p, int64_t i);
void put(ref_dtype dtype, uint8_t *p, int64_t i, double v);

/* Half the distance of numbers near 1, and what numbers next to nothing may be off by. */
typedef struct dtype_precision {
    double unit, tiny;
} dtype_precision;

extern const dtype_precision precision[REF_DTYPES];

/* Rounded as the type that is computed in. */
static inline double computed(ref_dtype dtype, double v)
{
    return dtype == REF_F64 ? v : (double)(float)v;
}

/* Numbers from -2 to 2. */
void fill(ref_dtype dtype, uint8_t *p, int64_t n, uint64_t seed);

/* The elements of a view in row-major order: their places, mask indices and keep bits. */
typedef struct layout {
    uint64_t n, rows, columns;
    int64_t x_at[MAX_N], y_at[MAX_N];
    uint64_t index[MAX_N];
    uint8_t keep[MAX_N];
} layout;

extern layout where;

/* Fills `where`; every place lies in [0, MAX_N). */
void lay_out(const dropwise_view *v, double p);

/* Views of all kinds: dense, short and long rows, shared masks, a shard, padded, dimensions swapped. */
enum { N_VIEWS = 8 };
extern dropwise_view views[N_VIEWS];
void make_views(void);

/*
 * Calls on the scalar tier, and then on the one that is selected, which has to write the same bytes. What a
 * call does not write is NOT_WRITTEN.
 */
enum { NOT_WRITTEN = 0x5C };

typedef struct result {
    const char *name;
    void *data;
    size_t size;
} result;

void call_like_scalar(dropwise_status (*call)(const void *arguments), const void *arguments,
                      const result *results, size_t n);

void assert_within(double actual, double expected, double bound, const char *number);

/* Asserts that functions refuse these arguments with a status, and write nothing. */
typedef void assert_refusal(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *v,
                            const dropwise_stored *stored, dropwise_status status);

/*
 * What all functions on views of dense rows refuse: bad masks, types, views and stored masks. The good view
 * has four rows of 16 f32 elements, which such a function writes to `output`.
 */
void assert_common_refusals(assert_refusal *refused, const dropwise_mask *mask, const dropwise_view *good,
                            void *output);

#endif
