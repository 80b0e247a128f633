#include "support/tensors.h"

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
    } else {
        const uint16_t u16 = (uint16_t)ref_narrow(dtype, f32);
        const uint8_t u8 = (uint8_t)u16;
        memcpy(e, ref_bytes(dtype) == 2 ? (const void *)&u16 : &u8, ref_bytes(dtype));
    }
}

double computed(ref_dtype dtype, double v)
{
    return dtype == REF_F64 ? v : (double)(float)v;
}

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

static uint64_t hashes[4096];
static size_t n_hashes, next_hash;
static bool first_tier;

void begin_tier(dropwise_isa isa)
{
    next_hash = 0;
    first_tier = isa == DROPWISE_ISA_SCALAR;
    if (first_tier)
        n_hashes = 0;
}

void same_on_all_tiers(const void *p, size_t n, const char *what)
{
    const uint64_t hash = ref_hash(REF_HASH_START, p, n);
    if (first_tier) {
        assert_true(n_hashes < sizeof hashes / sizeof hashes[0]);
        hashes[n_hashes++] = hash;
        return;
    }
    assert_true(next_hash < n_hashes);
    if (hashes[next_hash++] != hash)
        fail_msg("%s: other bits than on the scalar tier", what);
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
