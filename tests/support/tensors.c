#include "support/tensors.h"

#include <math.h>

dropwise_mask mask_of(double p)
{
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, p, SEED, STREAM), DROPWISE_OK);
    return mask;
}

dropwise_view view_of(uint32_t rank, const uint64_t *size, uint32_t shared)
{
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, rank, size), DROPWISE_OK);
    assert_int_equal(dropwise_view_share(&view, shared), DROPWISE_OK);
    return view;
}

double get(ref_dtype dtype, const uint8_t *p, int64_t i)
{
    const uint8_t *e = p + i * (int64_t)ref_bytes(dtype);
    float f32;
    double f64;
    uint16_t u16 = *e;
    if (dtype == REF_F64) {
        memcpy(&f64, e, 8);
        return f64;
    }
    if (dtype == REF_F32) {
        memcpy(&f32, e, 4);
        return (double)f32;
    }
    if (ref_bytes(dtype) == 2)
        memcpy(&u16, e, 2);
    return (double)ref_widen(dtype, u16);
}

void put(ref_dtype dtype, uint8_t *p, int64_t i, double v)
{
    uint8_t *e = p + i * (int64_t)ref_bytes(dtype);
    const float f32 = (float)v;
    if (dtype == REF_F64) {
        memcpy(e, &v, 8);
    } else if (dtype == REF_F32) {
        memcpy(e, &f32, 4);
    } else if (ref_bytes(dtype) == 2) {
        const uint16_t u16 = (uint16_t)ref_narrow(dtype, f32);
        memcpy(e, &u16, 2);
    } else {
        *e = (uint8_t)ref_narrow(dtype, f32);
    }
}

const dtype_precision precision[REF_DTYPES] = {
    [REF_F64] = {.unit = 0x1p-53, .tiny = 0x1p-1000},
    [REF_F32] = {.unit = 0x1p-24, .tiny = 0x1p-126},
#define TINY(exponent) ((exponent) < -63 ? 0x1p-126 : 1.0 / (double)(UINT64_C(1) << (-(exponent)&63)))
#define REF_SMALL_FLOAT(number, name, bytes, fraction_bits, min_exponent, ...) \
    [REF_##number] = {.unit = 0.5 / (1 << (fraction_bits)), .tiny = TINY((min_exponent) - (fraction_bits))},
#include "oracle/dtypes.inc"
};

void fill(ref_dtype dtype, uint8_t *p, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        put(dtype, p, i, (double)(int64_t)noise(&seed) * 0x1p-62);
}

layout where;

void lay_out(const dropwise_view *v, double p)
{
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    where.n = 0;
    where.columns = v->size[v->rank - 1];
    for (bool more = true; more; where.n++) {
        int64_t x = 0, y = 0, m = 0;
        for (uint32_t d = 0; d < v->rank; d++) {
            x += (int64_t)at[d] * v->x_stride[d];
            y += (int64_t)at[d] * v->y_stride[d];
            m += (int64_t)at[d] * v->mask_stride[d];
        }
        assert_true(where.n < MAX_N && x >= 0 && y >= 0 && x < MAX_N && y < MAX_N);
        where.x_at[where.n] = x;
        where.y_at[where.n] = y;
        where.index[where.n] = v->first + (uint64_t)m;
        where.keep[where.n] = (uint8_t)ref_keep(&ref, where.index[where.n]);
        more = false;
        for (uint32_t d = v->rank; d-- > 0 && !more;) {
            more = ++at[d] < v->size[d];
            at[d] = more ? at[d] : 0;
        }
    }
    where.rows = where.n / where.columns;
}

dropwise_view views[N_VIEWS];

void make_views(void)
{
    static const uint64_t dense[2] = {33, 96}, narrow[2] = {70, 5}, wide[2] = {3, 1500},
                          locked[3] = {5, 7, 64};
    static const uint64_t one[1] = {700}, wide_rows[2] = {18, 300};
    size_t n = 0;
    views[n++] = view_of(2, dense, 0);
    views[n++] = view_of(2, narrow, 0);
    views[n++] = view_of(2, wide, 0);
    views[n++] = view_of(3, locked, 1u << 0); /* the mask is shared by time steps  */
    views[n++] = view_of(3, locked, 1u << 2); /* and by features                   */
    views[n++] = view_of(1, one, 0);
    dropwise_view shard = view_of(2, wide_rows, 0); /* columns 37 to 236, in their places */
    static const uint64_t start[2] = {2, 37}, part[2] = {16, 200};
    assert_int_equal(dropwise_view_shard(&shard, start, part), DROPWISE_OK);
    shard.y_stride[0] = 203;
    views[n++] = shard;
    static const uint64_t planes[3] = {4, 20, 33};
    dropwise_view swapped = view_of(3, planes, 0);
    swapped.y_stride[0] = 33;
    swapped.y_stride[1] = 4 * 33;
    views[n++] = swapped;
    assert_int_equal(n, N_VIEWS);
}

enum { MAX_RESULTS = 3 };

/* What stands in results before a call. */
static void clear_results(const result *results, size_t n)
{
    for (size_t k = 0; k < n; k++)
        memset(results[k].data, NOT_WRITTEN, results[k].size);
}

void call_like_scalar(dropwise_status (*call)(const void *arguments), const void *arguments,
                      const result *results, size_t n)
{
    static uint8_t by_scalar[MAX_RESULTS][8 * MAX_N];
    const dropwise_isa tier = dropwise_isa_active();
    assert_true(n <= MAX_RESULTS);
    clear_results(results, n);
    assert_int_equal(dropwise_isa_select(DROPWISE_ISA_SCALAR), DROPWISE_OK);
    assert_int_equal(call(arguments), DROPWISE_OK);
    if (tier == DROPWISE_ISA_SCALAR)
        return;
    for (size_t k = 0; k < n; k++) {
        assert_true(results[k].size <= sizeof by_scalar[k]);
        memcpy(by_scalar[k], results[k].data, results[k].size);
    }
    clear_results(results, n);
    assert_int_equal(dropwise_isa_select(tier), DROPWISE_OK);
    assert_int_equal(call(arguments), DROPWISE_OK);
    for (size_t k = 0; k < n; k++)
        assert_same_bytes(results[k].data, by_scalar[k], results[k].size, "%s, against the scalar tier",
                          results[k].name);
}

void assert_within(double actual, double expected, double bound, const char *number)
{
    if (!(fabs(actual - expected) <= bound))
        fail_msg("%s is %.9g, expected %.9g within %g", number, actual, expected, bound);
}

void assert_common_refusals(assert_refusal *refused, const dropwise_mask *mask, const dropwise_view *good,
                            void *output)
{
    const dropwise_dtype f32 = DROPWISE_F32;
    refused(NULL, f32, good, NULL, DROPWISE_ERROR_NULL);
    refused(mask, 77, good, NULL, DROPWISE_ERROR_DTYPE);
    refused(mask, f32, NULL, NULL, DROPWISE_ERROR_NULL);
    dropwise_mask bad = *mask;
    bad.generator = 9999;
    refused(&bad, f32, good, NULL, DROPWISE_ERROR_GENERATOR);
    bad = *mask;
    bad.keep_threshold = DROPWISE_KEEP_ONE + 1;
    refused(&bad, f32, good, NULL, DROPWISE_ERROR_KEEP_THRESHOLD);

    dropwise_view v = *good;
    v.rank = 9;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_RANK);
    v = *good;
    v.struct_size = 8;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_STRUCT_SIZE);
    v = *good;
    v.reserved[1] = 1;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_RESERVED);
    v = *good;
    v.size[1] = 0; /* rows of length 0 */
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_SHAPE);
    v = *good;
    v.y_stride[1] = 2;
    v.y_stride[0] = 32;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_SHAPE);
    v = *good;
    v.y_stride[0] = 15;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_SELF_OVERLAP);
    v = *good;
    v.first = DROPWISE_INDEX_LIMIT;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_RANGE);
    v = *good;
    v.y_stride[0] = INT64_MAX / 8;
    refused(mask, f32, &v, NULL, DROPWISE_ERROR_SIZE);

    uint8_t bits[8] = {0}; /* of 64 elements */
    dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, bits, 7, 0, {0, 0}};
    refused(mask, f32, good, &stored, DROPWISE_ERROR_STORED_SIZE);
    stored.size = 8;
    stored.form = 9;
    refused(mask, f32, good, &stored, DROPWISE_ERROR_FORM);
    stored.form = DROPWISE_FORM_BITS;
    stored.data = NULL;
    refused(mask, f32, good, &stored, DROPWISE_ERROR_NULL);
    stored.data = output;
    refused(mask, f32, good, &stored, DROPWISE_ERROR_OVERLAP);
}
