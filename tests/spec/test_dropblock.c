/*
 * DropBlock on every tier: random views, blocks and masks against the plain definition, a loop over the
 * blocks of all seeds; maps of usual shapes; shards; gamma; every error.
 */
#include "support/common.h"

#include <math.h>

#include "dropwise_dropblock.h"

enum { MAX_RANK = DROPWISE_MAX_RANK, MAX_ELEMENTS = 1 << 21 };

#define SEED UINT64_C(0x0123456789ABCDEF)
#define STREAM UINT64_C(0xFEDCBA9876543210)

static guard_arena x_arena, y_arena, bits_arena;

static int new_arenas(void **state)
{
    (void)state;
    x_arena = guard_new(MAX_ELEMENTS * 8);
    y_arena = guard_new(MAX_ELEMENTS * 8);
    bits_arena = guard_new(MAX_ELEMENTS / 8);
    return 0;
}

static int free_arenas(void **state)
{
    (void)state;
    guard_free(&x_arena);
    guard_free(&y_arena);
    guard_free(&bits_arena);
    return 0;
}

/* ---- The oracle ---- */

/* The mask of a view: the dimensions that have one, and what is kept, a byte an entry. */
typedef struct ref_blocks {
    uint32_t n;
    uint64_t size[MAX_RANK], block[MAX_RANK];
    int64_t stride[MAX_RANK];
    uint64_t entries, kept;
    uint8_t *keep;
} ref_blocks;

static bool next(const uint64_t *size, uint32_t n, uint64_t *at)
{
    for (uint32_t d = n; d-- > 0;) {
        if (++at[d] < size[d])
            return true;
        at[d] = 0;
    }
    return false;
}

/* Drops the block of a seed, element by element, as far as it is on the map. */
static void drop_block(ref_blocks *r, const uint64_t *seed)
{
    uint64_t offset[MAX_RANK] = {0};
    do {
        uint64_t entry = 0;
        bool on_map = true;
        for (uint32_t d = 0; d < r->n; d++) {
            const uint64_t c = seed[d] + offset[d] - r->block[d] / 2; /* wraps below 0, and is large then */
            on_map = on_map && c < r->size[d];
            entry = entry * r->size[d] + c;
        }
        if (on_map)
            r->keep[entry] = 0;
    } while (next(r->block, r->n, offset));
}

static bool is_inside(const ref_blocks *r, const uint64_t *seed)
{
    for (uint32_t d = 0; d < r->n; d++)
        if (seed[d] < r->block[d] / 2 || seed[d] - r->block[d] / 2 + r->block[d] > r->size[d])
            return false;
    return true;
}

static void ref_draw(ref_blocks *r, const dropwise_view *view, const dropwise_dropblock *block,
                     const ref_mask *mask)
{
    static uint8_t keep[MAX_ELEMENTS];
    r->n = 0;
    r->entries = 1;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (view->mask_stride[d] == 0)
            continue;
        r->size[r->n] = view->size[d];
        r->block[r->n] = block->size[d];
        r->stride[r->n++] = view->mask_stride[d];
        r->entries *= view->size[d];
    }
    assert_true(r->entries <= MAX_ELEMENTS);
    r->keep = keep;
    memset(keep, 1, r->entries);
    uint64_t at[MAX_RANK] = {0};
    uint8_t seeds[64];
    uint64_t index = 0, n_seeds = 0;
    do {
        uint64_t i = view->first;
        for (uint32_t d = 0; d < r->n; d++)
            i += (uint64_t)((int64_t)at[d] * r->stride[d]);
        if (i < index || i >= index + n_seeds) { /* some more, as most indices follow each other */
            index = i;
            n_seeds = DROPWISE_INDEX_LIMIT - i < sizeof seeds ? DROPWISE_INDEX_LIMIT - i : sizeof seeds;
            ref_keep_range(mask, index, n_seeds, seeds);
        }
        if (!seeds[i - index] && (block->seeds == DROPWISE_SEEDS_ANYWHERE || is_inside(r, at)))
            drop_block(r, at);
    } while (next(r->size, r->n, at));
    r->kept = 0;
    for (uint64_t e = 0; e < r->entries; e++)
        r->kept += keep[e];
}

/* ---- A case: everything that a call can do ---- */

typedef struct block_case {
    dropwise_view view;
    dropwise_dropblock block;
    ref_dtype dtype;
    double gamma;
    bool standard, in_place;
    size_t y_offset; /* bytes from an aligned place */
} block_case;

static int64_t place_of(const int64_t *stride, const uint64_t *at, uint32_t rank)
{
    int64_t place = 0;
    for (uint32_t d = 0; d < rank; d++)
        place += (int64_t)at[d] * stride[d];
    return place;
}

/* Elements from the first to the last one, and where the one at 0, 0, ... is among them. */
static size_t span_of(const dropwise_view *v, const int64_t *stride, int64_t *origin)
{
    int64_t low = 0, high = 0;
    for (uint32_t d = 0; d < v->rank; d++) {
        const int64_t end = (int64_t)(v->size[d] - 1) * stride[d];
        *(end < 0 ? &low : &high) += end;
    }
    *origin = -low;
    return (size_t)(high - low + 1);
}

/* What is expected of elements that lie at x and y. */
static void expect(const dropwise_view *v, const ref_blocks *r, ref_dtype dtype, const double *scale,
                   const uint8_t *x, uint8_t *y)
{
    const size_t bytes = ref_bytes(dtype);
    uint64_t at[MAX_RANK] = {0};
    do {
        uint64_t entry = 0;
        for (uint32_t d = 0; d < v->rank; d++)
            if (v->mask_stride[d] != 0)
                entry = entry * v->size[d] + at[d];
        ref_apply(dtype, r->keep + entry, 1, x + place_of(v->x_stride, at, v->rank) * (int64_t)bytes,
                  y + place_of(v->y_stride, at, v->rank) * (int64_t)bytes, scale);
    } while (next(v->size, v->rank, at));
}

static void run_case(const block_case *c)
{
    const dropwise_view *v = &c->view;
    const dropwise_dtype dtype = dtype_number(c->dtype);
    const size_t bytes = ref_bytes(c->dtype);
    const ref_mask ref = ref_mask_of(c->gamma, SEED, STREAM);
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, c->gamma, SEED, STREAM), DROPWISE_OK);
    mask.scaling = c->standard ? DROPWISE_SCALING_STANDARD : DROPWISE_SCALING_INVERTED;
    ref_blocks r;
    ref_draw(&r, v, &c->block, &ref);
    const double scale = r.kept != 0 ? (double)r.entries / (double)r.kept : 1;
    const bool copies = c->standard || r.kept == r.entries || r.kept == 0;

    static uint8_t *expected_y, *expected_bits, *before;
    if (expected_y == NULL) {
        expected_y = malloc(MAX_ELEMENTS * 8);
        before = malloc(MAX_ELEMENTS * 8);
        expected_bits = malloc(MAX_ELEMENTS / 8 + 1);
    }
    int64_t x_origin, y_origin;
    const size_t x_bytes = span_of(v, v->x_stride, &x_origin) * bytes;
    const size_t y_bytes = span_of(v, v->y_stride, &y_origin) * bytes;
    const size_t bits_bytes = (size_t)(r.entries + 7) / 8;
    assert_true(x_bytes <= MAX_ELEMENTS * 8 && y_bytes <= MAX_ELEMENTS * 8);
    uint8_t *y_buffer = guard_at_start(&y_arena, y_bytes, c->y_offset);
    uint8_t *x_buffer = c->in_place ? y_buffer : guard_at_end(&x_arena, x_bytes);
    uint8_t *bits = guard_at_end(&bits_arena, bits_bytes);
    memset(y_buffer, 0x5C, y_bytes);
    fill_awkward(c->dtype, x_buffer, x_bytes / bytes, r.entries + v->first);
    memcpy(before, y_buffer, y_bytes);
    uint8_t *y = y_buffer + (size_t)y_origin * bytes;
    const uint8_t *x = x_buffer + (size_t)x_origin * bytes;
    ref_pack(r.keep, r.entries, expected_bits);
    memcpy(expected_y, y_buffer, y_bytes);
    expect(v, &r, c->dtype, copies ? NULL : &scale, x, expected_y + (size_t)y_origin * bytes);

#define WHERE \
    "%s, gamma %g, seeds %u, rank %u, sizes %llu %llu %llu %llu, blocks %llu %llu %llu %llu", \
        dtype_name(c->dtype), c->gamma, c->block.seeds, v->rank, (unsigned long long)v->size[0], \
        (unsigned long long)v->size[1], (unsigned long long)v->size[2], (unsigned long long)v->size[3], \
        (unsigned long long)c->block.size[0], (unsigned long long)c->block.size[1], \
        (unsigned long long)c->block.size[2], (unsigned long long)c->block.size[3]
    if (!c->in_place)
        guard_readonly(&x_arena, true);

    uint64_t entries = 1, kept = UINT64_MAX;
    assert_int_equal(dropwise_dropblock_entries(v, &entries), DROPWISE_OK);
    assert_int_equal(entries, r.entries);
    assert_int_equal(dropwise_dropblock_draw(&mask, &c->block, v, bits, &kept), DROPWISE_OK);
    assert_same_bytes(bits, expected_bits, bits_bytes, "draw, " WHERE);
    assert_int_equal(kept, r.kept);
    assert_true(guard_intact(&bits_arena));

    memset(bits, 0xA7, bits_bytes);
    assert_int_equal(dropwise_dropblock_forward(&mask, dtype, &c->block, v, x, y, bits), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected_y, y_bytes, "forward, " WHERE);
    assert_same_bytes(bits, expected_bits, bits_bytes, "bits of forward, " WHERE);
    assert_true(guard_intact(&y_arena) && guard_intact(&bits_arena));

    /* From stored bits: neither the mask nor unused bits matter. */
    if (r.entries % 8 != 0)
        bits[bits_bytes - 1] |= (uint8_t)(0xFF << r.entries % 8);
    guard_readonly(&bits_arena, true);
    memcpy(y_buffer, before, y_bytes);
    mask.seed++;
    mask.keep_threshold /= 2;
    assert_int_equal(dropwise_dropblock_backward(&mask, dtype, v, x, y, bits), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected_y, y_bytes, "backward, " WHERE);
    assert_true(guard_intact(&y_arena));

    const double other = c->standard ? 1 : 1.75;
    memcpy(y_buffer, before, y_bytes);
    memcpy(expected_y, before, y_bytes);
    expect(v, &r, c->dtype, c->standard ? NULL : &other, c->in_place ? before + (size_t)x_origin * bytes : x,
           expected_y + (size_t)y_origin * bytes);
    assert_int_equal(dropwise_dropblock_apply(dtype, v, other, bits, x, y), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected_y, y_bytes, "apply, " WHERE);
    assert_true(guard_intact(&y_arena));
    guard_readonly(&bits_arena, false);
    if (!c->in_place)
        guard_readonly(&x_arena, false);
#undef WHERE
}

/* ---- Random views ---- */

/* Strides of a dense tensor, in another order of dimensions, with gaps or turned round at random. */
static void random_strides(const dropwise_view *v, uint64_t *state, int64_t *stride)
{
    uint32_t order[MAX_RANK];
    for (uint32_t d = 0; d < v->rank; d++)
        order[d] = d;
    const uint64_t kind = noise(state) % 6;
    for (uint32_t d = v->rank; kind == 1 && d-- > 1;) {
        const uint32_t other = (uint32_t)(noise(state) % (d + 1)), t = order[d];
        order[d] = order[other];
        order[other] = t;
    }
    int64_t step = 1;
    for (uint32_t i = v->rank; i-- > 0;) {
        const uint32_t d = order[i];
        if (kind == 2)
            step += (int64_t)(noise(state) % 3);
        stride[d] = kind == 3 && noise(state) % 2 ? -step : step;
        step *= (int64_t)v->size[d];
    }
}

static block_case random_case(uint64_t *state)
{
    block_case c;
    memset(&c, 0, sizeof c);
    dropwise_view *v = &c.view;
    uint64_t size[MAX_RANK];
    const uint32_t rank = (uint32_t)(1 + noise(state) % 5);
    uint64_t elements = 1;
    for (uint32_t d = 0; d < rank; d++) {
        const uint64_t r = noise(state);
        size[d] = 1 + (r >> 8) % (r % 4 == 0 ? 40 : r % 4 == 1 ? 2 : 9);
        if (r % 53 == 0)
            size[d] += 3000;
        if (elements * size[d] > 20000)
            size[d] = 1;
        elements *= size[d];
    }
    assert_int_equal(dropwise_view_init(v, rank, size), DROPWISE_OK);
    const uint32_t shared = (uint32_t)(noise(state) & noise(state) & noise(state)) & ((1u << rank) - 1);
    assert_int_equal(dropwise_view_share(v, shared), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_init(&c.block, v, 0, 1), DROPWISE_OK);
    c.block.seeds = (uint32_t)(1 + noise(state) % 2);
    double volume = 1;
    for (uint32_t d = 0; d < rank; d++) {
        if (shared >> d & 1 || noise(state) % 3 == 0)
            continue;
        const uint64_t largest = noise(state) % 8 == 0 ? size[d] : size[d] < 9 ? size[d] : 9;
        c.block.size[d] = 1 + noise(state) % largest;
        volume *= (double)c.block.size[d];
    }
    static const uint64_t firsts[] = {0, 5, 1000003, (UINT64_C(1) << 36) - 300, UINT64_C(1) << 59};
    v->first = firsts[noise(state) % 5];
    const uint64_t kind = noise(state) % 5;
    if (kind == 0) { /* a mask in another order, turned round or spread */
        int64_t strides[MAX_RANK];
        random_strides(v, state, strides);
        v->first = UINT64_C(1) << 40;
        for (uint32_t d = 0; d < rank; d++)
            v->mask_stride[d] = shared >> d & 1 ? 0 : strides[d] * (1 + (int64_t)(noise(state) % 2));
    } else if (kind == 1) { /* a part of something bigger */
        for (uint32_t d = 0; d < rank; d++) {
            uint64_t start[MAX_RANK] = {0}, part[MAX_RANK];
            memcpy(part, v->size, sizeof part);
            start[d] = noise(state) % v->size[d];
            part[d] = 1 + noise(state) % (v->size[d] - start[d]);
            if (c.block.size[d] == 1)
                assert_int_equal(dropwise_view_shard(v, start, part), DROPWISE_OK);
        }
    }
    random_strides(v, state, v->x_stride);
    random_strides(v, state, v->y_stride);
    c.in_place = noise(state) % 4 == 0;
    if (c.in_place)
        memcpy(v->x_stride, v->y_stride, sizeof v->x_stride);
    static const double rates[] = {0.1, 0.1, 0.5, 0.3, 0.0, 1.0};
    c.gamma = rates[noise(state) % 6];
    c.gamma = c.gamma == 1 ? 1 : c.gamma / volume;
    c.dtype = (ref_dtype)(noise(state) % REF_DTYPES);
    c.standard = noise(state) % 4 == 0;
    c.y_offset = noise(state) % 3 * ref_bytes(c.dtype);
    return c;
}

static void random_views_and_blocks_agree_with_the_plain_definition(void **state)
{
    (void)state;
    uint64_t seed = 1810;
    for (int i = 0; i < (quick() ? 60 : 1500); i++) {
        const block_case c = random_case(&seed);
        run_case(&c);
    }
}

/* ---- Maps as networks have them ---- */

static block_case case_of(uint32_t rank, const uint64_t *size, uint32_t shared, uint32_t dimensions,
                          uint64_t block, double p)
{
    block_case c;
    memset(&c, 0, sizeof c);
    assert_int_equal(dropwise_view_init(&c.view, rank, size), DROPWISE_OK);
    assert_int_equal(dropwise_view_share(&c.view, shared), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_init(&c.block, &c.view, dimensions, block), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_gamma(&c.block, &c.view, p, &c.gamma), DROPWISE_OK);
    return c;
}

static void maps_of_usual_shapes_agree_with_the_plain_definition(void **state)
{
    (void)state;
    static const struct {
        uint32_t rank;
        uint64_t size[5];
        uint32_t shared, dimensions;
        uint64_t block;
        bool large;
    } maps[] = {
        {4, {3, 20, 32, 32}, 0, 1u << 2 | 1u << 3, 7, false}, /* NCHW                              */
        {4, {5, 67, 7, 7}, 0, 1u << 2 | 1u << 3, 7, false},   /* blocks as large as maps           */
        {4, {2, 50, 14, 14}, 0, 1u << 2 | 1u << 3, 5, false},
        {4, {2, 9, 56, 57}, 0, 1u << 2 | 1u << 3, 4, false},    /* even blocks                       */
        {4, {1, 3, 113, 113}, 0, 1u << 2 | 1u << 3, 31, false}, /* 8 maps make whole bytes: 12.5 KiB */
        {4, {4, 32, 32, 20}, 0, 1u << 1 | 1u << 2, 7, false},   /* NHWC                              */
        {4, {1, 7, 7, 2048}, 0, 1u << 1 | 1u << 2, 3, false},
        {4, {2, 9, 9, 1031}, 0, 1u << 1 | 1u << 2, 4, true},        /* 8 rows make whole bytes: 9 KiB    */
        {4, {6, 10, 28, 28}, 1u << 1, 1u << 2 | 1u << 3, 7, false}, /* all channels share, NCHW          */
        {4, {6, 28, 28, 10}, 1u << 3, 1u << 1 | 1u << 2, 7, false}, /* the same, NHWC                    */
        {4, {6, 10, 13, 13}, 1u << 0, 1u << 2 | 1u << 3, 3, false}, /* all samples share                 */
        {3, {4, 30, 500}, 0, 1u << 2, 16, false},                   /* 1D                                */
        {3, {4, 500, 30}, 0, 1u << 1, 9, false},
        {5, {2, 6, 9, 10, 11}, 0, 7u << 2, 4, false}, /* 3D                                */
        {5, {2, 9, 10, 11, 6}, 0, 7u << 1, 3, false},
        {2, {300, 700}, 0, 1u << 0 | 1u << 1, 150, false}, /* one map                           */
        {1, {90000}, 0, 1u << 0, 2000, false},
        {2, {40, 77}, 0, 0, 1, false},                         /* no blocks at all                  */
        {4, {1, 1100, 31, 32}, 0, 1u << 2 | 1u << 3, 7, true}, /* beyond 4 MiB: nontemporal            */
        {4, {8, 160, 30, 29}, 1u << 1, 1u << 2 | 1u << 3, 6, true},
    };
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        if (maps[i].large && quick())
            continue;
        for (uint32_t seeds = 1; seeds <= 2; seeds++) {
            block_case c = case_of(maps[i].rank, maps[i].size, maps[i].shared, maps[i].dimensions,
                                   maps[i].block, seeds == 1 ? 0.1 : 0.25);
            c.block.seeds = seeds;
            c.dtype = maps[i].large ? REF_F32 : (ref_dtype)((i + seeds) % REF_DTYPES);
            c.y_offset = seeds == 1 ? 32 : 4; /* that can be led up to an aligned place, and that cannot */
            run_case(&c);
        }
    }
}

/* ---- Shards ---- */

/* Samples and channels held by several: the same blocks, and, with kept entries summed, the same results. */
static void shards_whose_counts_are_summed_make_the_whole(void **state)
{
    (void)state;
    enum { N = 5, C = 12, H = 9, W = 11, ALL = N * C * H * W };
    static float x[ALL], whole[ALL], parts[ALL];
    static uint8_t bits[ALL / 8 + 1], of_part[4][ALL / 8 + 1];
    for (int i = 0; i < ALL; i++)
        x[i] = (float)i - 1000;
    for (int last = 0; last < 2; last++) {
        const uint64_t nchw[4] = {N, C, H, W}, nhwc[4] = {N, H, W, C};
        const uint32_t channels = last ? 3 : 1;
        const block_case c = case_of(4, last ? nhwc : nchw, 0, last ? 3u << 1 : 3u << 2, 3, 0.2);
        dropwise_mask mask;
        assert_int_equal(dropwise_mask_init(&mask, c.gamma, SEED, STREAM), DROPWISE_OK);
        assert_int_equal(dropwise_dropblock_forward(&mask, DROPWISE_F32, &c.block, &c.view, x, whole, bits),
                         DROPWISE_OK);

        dropwise_view shard[4];
        size_t offset[4];
        uint64_t entries = 0, kept = 0;
        for (int s = 0; s < 4; s++) {
            uint64_t start[4] = {0}, part[4];
            memcpy(part, c.view.size, sizeof part);
            start[0] = s / 2 ? 2 : 0;
            part[0] = s / 2 ? N - 2 : 2;
            start[channels] = s % 2 ? 7 : 0;
            part[channels] = s % 2 ? C - 7 : 7;
            shard[s] = c.view;
            assert_int_equal(dropwise_view_shard(&shard[s], start, part), DROPWISE_OK);
            offset[s] = (size_t)shard[s].first;
            uint64_t here, kept_here;
            assert_int_equal(dropwise_dropblock_entries(&shard[s], &here), DROPWISE_OK);
            assert_int_equal(dropwise_dropblock_draw(&mask, &c.block, &shard[s], of_part[s], &kept_here),
                             DROPWISE_OK);
            entries += here;
            kept += kept_here;
        }
        assert_int_equal(entries, ALL);
        for (int s = 0; s < 4; s++)
            assert_int_equal(dropwise_dropblock_apply(DROPWISE_F32, &shard[s], (double)entries / (double)kept,
                                                      of_part[s], x + offset[s], parts + offset[s]),
                             DROPWISE_OK);
        assert_same_bytes(parts, whole, sizeof whole, "shards, channels last %d", last);
    }
}

/* ---- Gamma, gradients ---- */

static void gamma_is_p_over_the_blocks_size_times_the_maps_share_of_seeds(void **state)
{
    (void)state;
    static const uint64_t resnet[4] = {2, 3, 32, 32};
    const block_case c = case_of(4, resnet, 0, 1u << 2 | 1u << 3, 7, 0.1);
    assert_true(fabs(c.gamma - 0.1 / 49 * 1024 / 676) < 1e-18);
    static const uint64_t video[5] = {2, 5, 8, 30, 20};
    const block_case v = case_of(5, video, 0, 1u << 2 | 1u << 3 | 1u << 4, 5, 0.2);
    assert_true(fabs(v.gamma - 0.2 / 125 * 4800 / (4.0 * 26 * 16)) < 1e-17);
    const block_case sound = case_of(2, resnet, 0, 1u << 1, 2, 0.5);
    assert_true(fabs(sound.gamma - 0.5 / 2 * 3 / 2) < 1e-16);

    /* One place for a block, whose quotient would be rounded up. */
    const uint64_t line[] = {3};
    const block_case whole = case_of(1, line, 0, 1, 3, 0.1);
    assert_true(whole.gamma == 0.1);
}

static void a_block_is_clipped_to_its_map_side_by_side(void **state)
{
    (void)state;
    static const uint64_t flat[4] = {2, 3, 4, 32};
    const block_case f = case_of(4, flat, 0, 1u << 2 | 1u << 3, 7, 0.1);
    assert_int_equal(f.block.size[2], 4);
    assert_int_equal(f.block.size[3], 7);
    assert_true(fabs(f.gamma - 0.1 / 28 * 128 / 26) < 1e-17);
}

static void gamma_is_p_for_blocks_of_a_whole_map_and_without_blocks(void **state)
{
    (void)state;
    static const uint64_t flat[4] = {2, 3, 4, 32};
    assert_true(case_of(4, flat, 0, 1u << 2 | 1u << 3, 99, 0.7).gamma == 0.7);
    assert_true(case_of(4, flat, 0, 0, 99, 0.7).gamma == 0.7);
    assert_true(case_of(4, flat, 0, 0, 1, 0.0).gamma == 0.0);
}

static void gamma_is_at_most_1(void **state)
{
    (void)state;
    for (uint64_t size = 1; size < 40; size++)
        for (uint64_t block = 1; block <= size; block++) {
            const uint64_t sizes[2] = {size, 17};
            assert_true(case_of(2, sizes, 0, 3, block, 1.0).gamma <= 1.0);
        }
}

/* dx is the slope of the sum of w * y along x. */
static void the_gradient_is_what_central_differences_say(void **state)
{
    (void)state;
    enum { ALL = 2 * 3 * 8 * 8 };
    static const uint64_t size[4] = {2, 3, 8, 8};
    const block_case c = case_of(4, size, 0, 1u << 2 | 1u << 3, 3, 0.3);
    dropwise_mask mask;
    double x[ALL], w[ALL], y[ALL], dx[ALL];
    uint8_t bits[ALL / 8], again[ALL / 8];
    uint64_t noise_state = 5;
    assert_int_equal(dropwise_mask_init(&mask, c.gamma, SEED, STREAM), DROPWISE_OK);
    for (int i = 0; i < ALL; i++) {
        x[i] = (double)(int64_t)noise(&noise_state) * 0x1p-63;
        w[i] = (double)(int64_t)noise(&noise_state) * 0x1p-63;
    }
    assert_int_equal(dropwise_dropblock_forward(&mask, DROPWISE_F64, &c.block, &c.view, x, y, bits),
                     DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_backward(&mask, DROPWISE_F64, &c.view, w, dx, bits), DROPWISE_OK);
    for (int i = 0; i < ALL; i++) {
        double sums[2];
        const double h = 0x1p-10, kept = x[i];
        for (int side = 0; side < 2; side++) {
            x[i] = side ? kept + h : kept - h;
            assert_int_equal(dropwise_dropblock_forward(&mask, DROPWISE_F64, &c.block, &c.view, x, y, again),
                             DROPWISE_OK);
            sums[side] = 0;
            for (int j = 0; j < ALL; j++)
                sums[side] += w[j] * y[j];
        }
        x[i] = kept;
        assert_true(fabs((sums[1] - sums[0]) / (2 * h) - dx[i]) < 1e-9);
    }
}

/* ---- Errors ---- */

static uint8_t ex[480], ey[480], es[16];
static uint64_t ek;

/* Both calls that draw refuse, and nothing is written. */
static void assert_refused(const dropwise_mask *mask, const dropwise_dropblock *block,
                           const dropwise_view *view, dropwise_status status)
{
    assert_int_equal(dropwise_dropblock_draw(mask, block, view, es, &ek), status);
    assert_int_equal(dropwise_dropblock_forward(mask, DROPWISE_F32, block, view, ex, ey, es), status);
}

/* All calls that have a view do. */
static void assert_view_refused(const dropwise_mask *mask, const dropwise_dropblock *block,
                                const dropwise_view *view, dropwise_status status)
{
    double gamma = 5;
    uint64_t entries = 5;
    assert_refused(mask, block, view, status);
    assert_int_equal(dropwise_dropblock_backward(mask, DROPWISE_F32, view, ex, ey, es), status);
    assert_int_equal(dropwise_dropblock_apply(DROPWISE_F32, view, 2, es, ex, ey), status);
    assert_int_equal(dropwise_dropblock_gamma(block, view, 0.1, &gamma), status);
    assert_int_equal(dropwise_dropblock_entries(view, &entries), status);
    assert_true(gamma == 5 && entries == 5);
}

/* What is good, of which tests change one field, and a result that stays. */
static block_case good;
static dropwise_mask good_mask;
static double good_gamma;

static int setup_errors(void **state)
{
    (void)state;
    static const uint64_t size[3] = {4, 5, 6};
    good = case_of(3, size, 0, 1u << 1 | 1u << 2, 3, 0.1);
    memset(ey, 0x5C, sizeof ey);
    memset(es, 0xA7, sizeof es);
    ek = 77;
    good_gamma = 5;
    return dropwise_mask_init(&good_mask, good.gamma, SEED, STREAM);
}

static void assert_untouched(void)
{
    for (size_t i = 0; i < sizeof ey; i++)
        assert_int_equal(ey[i], 0x5C);
    for (size_t i = 0; i < sizeof es; i++)
        assert_int_equal(es[i], 0xA7);
    assert_true(ek == 77 && good_gamma == 5);
}

static void a_mask_with_a_field_that_is_wrong_is_refused(void **state)
{
    (void)state;
    dropwise_mask mask;
    assert_refused(NULL, &good.block, &good.view, DROPWISE_ERROR_NULL);
    mask = good_mask;
    mask.generator = 99;
    assert_refused(&mask, &good.block, &good.view, DROPWISE_ERROR_GENERATOR);
    assert_int_equal(dropwise_dropblock_backward(&mask, DROPWISE_F32, &good.view, ex, ey, es),
                     DROPWISE_ERROR_GENERATOR);
    mask = good_mask;
    mask.scaling = 3;
    assert_refused(&mask, &good.block, &good.view, DROPWISE_ERROR_SCALING);
    assert_untouched();
}

static void blocks_that_do_not_fit_their_map_are_refused(void **state)
{
    (void)state;
    dropwise_dropblock b;
    dropwise_view v;
    assert_refused(&good_mask, NULL, &good.view, DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_gamma(NULL, &good.view, 0.1, &good_gamma), DROPWISE_ERROR_NULL);
    b = good.block;
    b.struct_size--;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_STRUCT_SIZE);
    assert_int_equal(dropwise_dropblock_gamma(&b, &good.view, 0.1, &good_gamma), DROPWISE_ERROR_STRUCT_SIZE);
    b = good.block;
    b.reserved[1] = 1;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_RESERVED);
    assert_int_equal(dropwise_dropblock_gamma(&b, &good.view, 0.1, &good_gamma), DROPWISE_ERROR_RESERVED);
    b = good.block;
    b.seeds = 0;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_PARAMETER);
    b.seeds = 3;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_dropblock_gamma(&b, &good.view, 0.1, &good_gamma), DROPWISE_ERROR_PARAMETER);
    b = good.block;
    b.size[0] = 0;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_SHAPE);
    b = good.block;
    b.size[2] = 7;
    assert_refused(&good_mask, &b, &good.view, DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_dropblock_gamma(&b, &good.view, 0.1, &good_gamma), DROPWISE_ERROR_SHAPE);
    v = good.view;
    assert_int_equal(dropwise_view_share(&v, 1u << 1), DROPWISE_OK);
    assert_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_SHAPE);
    assert_untouched();
}

static void a_view_that_cannot_be_walked_is_refused(void **state)
{
    (void)state;
    dropwise_view v;
    assert_view_refused(&good_mask, &good.block, NULL, DROPWISE_ERROR_NULL);
    v = good.view;
    v.struct_size = 0;
    assert_view_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_STRUCT_SIZE);
    v = good.view;
    v.reserved[0] = 1;
    assert_view_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_RESERVED);
    v = good.view;
    v.rank = 9;
    assert_view_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_RANK);
    v = good.view;
    v.size[0] = UINT64_MAX;
    assert_view_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_SIZE);
    v = good.view;
    v.first = DROPWISE_INDEX_LIMIT - 119;
    assert_view_refused(&good_mask, &good.block, &v, DROPWISE_ERROR_RANGE);
    assert_untouched();
}

static void numbers_out_of_range_and_results_that_are_missing_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dropwise_dropblock_gamma(&good.block, &good.view, 1.1, &good_gamma),
                     DROPWISE_ERROR_PROBABILITY);
    assert_int_equal(dropwise_dropblock_gamma(&good.block, &good.view, NAN, &good_gamma),
                     DROPWISE_ERROR_PROBABILITY);
    assert_int_equal(dropwise_dropblock_gamma(&good.block, &good.view, 0.1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_entries(&good.view, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_apply(DROPWISE_F32, &good.view, INFINITY, es, ex, ey),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_dropblock_apply(DROPWISE_F32, &good.view, NAN, es, ex, ey),
                     DROPWISE_ERROR_PARAMETER);
    assert_untouched();
}

static void data_that_is_missing_or_overlaps_is_refused(void **state)
{
    (void)state;
    dropwise_view v;
    v = good.view;
    v.y_stride[1] = 0;
    assert_int_equal(dropwise_dropblock_forward(&good_mask, DROPWISE_F32, &good.block, &v, ex, ey, es),
                     DROPWISE_ERROR_SELF_OVERLAP);
    for (int call = 0; call < 3; call++) {
#define CALL(dtype, x, y, bits) \
    (call == 0   ? dropwise_dropblock_forward(&good_mask, dtype, &good.block, &good.view, x, y, bits) \
     : call == 1 ? dropwise_dropblock_backward(&good_mask, dtype, &good.view, x, y, bits) \
                 : dropwise_dropblock_apply(dtype, &good.view, 2, bits, x, y))
        assert_int_equal(CALL(99, ex, ey, es), DROPWISE_ERROR_DTYPE);
        assert_int_equal(CALL(DROPWISE_F32, NULL, ey, es), DROPWISE_ERROR_NULL);
        assert_int_equal(CALL(DROPWISE_F32, ex, NULL, es), DROPWISE_ERROR_NULL);
        assert_int_equal(CALL(DROPWISE_F32, ex, ey, NULL), DROPWISE_ERROR_NULL);
        assert_int_equal(CALL(DROPWISE_F32, ey + 4, ey, es), DROPWISE_ERROR_OVERLAP);
        assert_int_equal(CALL(DROPWISE_F32, ex, ey, ey + 479), DROPWISE_ERROR_OVERLAP);
        assert_int_equal(CALL(DROPWISE_F32, ex, ey, ex + 470), DROPWISE_ERROR_OVERLAP);
#undef CALL
    }
    assert_int_equal(dropwise_dropblock_draw(&good_mask, &good.block, &good.view, NULL, &ek),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_draw(&good_mask, &good.block, &good.view, es, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_draw(&good_mask, &good.block, &good.view, &ek, &ek),
                     DROPWISE_ERROR_OVERLAP);
    assert_untouched();
}

static void dropblock_init_refuses_bad_arguments_and_leaves_the_blocks(void **state)
{
    (void)state;
    dropwise_dropblock b;
    dropwise_view v;
    b = good.block;
    assert_int_equal(dropwise_dropblock_init(NULL, &good.view, 1, 3), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_init(&b, NULL, 1, 3), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_dropblock_init(&b, &good.view, 1u << 3, 3), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_dropblock_init(&b, &good.view, 1, 0), DROPWISE_ERROR_SHAPE);
    v = good.view;
    v.rank = 0;
    assert_int_equal(dropwise_dropblock_init(&b, &v, 0, 3), DROPWISE_ERROR_RANK);
    v = good.view;
    v.struct_size = 1;
    assert_int_equal(dropwise_dropblock_init(&b, &v, 1, 3), DROPWISE_ERROR_STRUCT_SIZE);
    assert_same_bytes(&b, &good.block, sizeof b, "blocks after an error");
}

static void no_elements_need_no_pointers_and_have_no_gamma(void **state)
{
    (void)state;
    dropwise_dropblock b;
    dropwise_view v;
    uint64_t entries = 5;
    v = good.view;
    v.size[0] = 0;
    assert_int_equal(dropwise_dropblock_forward(&good_mask, DROPWISE_F32, &good.block, &v, NULL, NULL, NULL),
                     DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_backward(&good_mask, DROPWISE_F32, &v, NULL, NULL, NULL),
                     DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_apply(DROPWISE_F32, &v, 2, NULL, NULL, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_draw(&good_mask, &good.block, &v, NULL, &ek), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_entries(&v, &entries), DROPWISE_OK);
    assert_true(ek == 0 && entries == 0);
    assert_int_equal(dropwise_dropblock_gamma(&good.block, &v, 0.1, &good_gamma), DROPWISE_ERROR_SHAPE);
    v.size[1] = 0;
    assert_int_equal(dropwise_dropblock_init(&b, &v, 3, 3), DROPWISE_OK);
    assert_true(b.size[0] == 1 && b.size[1] == 1);
}

#define IN_ARENAS(test) cmocka_unit_test_setup_teardown(test, new_arenas, free_arenas)
#define WITH_GOOD_ONES(test) cmocka_unit_test_setup(test, setup_errors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ARENAS(random_views_and_blocks_agree_with_the_plain_definition),
        IN_ARENAS(maps_of_usual_shapes_agree_with_the_plain_definition),
        cmocka_unit_test(shards_whose_counts_are_summed_make_the_whole),
        cmocka_unit_test(gamma_is_p_over_the_blocks_size_times_the_maps_share_of_seeds),
        cmocka_unit_test(a_block_is_clipped_to_its_map_side_by_side),
        cmocka_unit_test(gamma_is_p_for_blocks_of_a_whole_map_and_without_blocks),
        cmocka_unit_test(gamma_is_at_most_1),
        cmocka_unit_test(the_gradient_is_what_central_differences_say),
        WITH_GOOD_ONES(a_mask_with_a_field_that_is_wrong_is_refused),
        WITH_GOOD_ONES(blocks_that_do_not_fit_their_map_are_refused),
        WITH_GOOD_ONES(a_view_that_cannot_be_walked_is_refused),
        WITH_GOOD_ONES(numbers_out_of_range_and_results_that_are_missing_are_refused),
        WITH_GOOD_ONES(data_that_is_missing_or_overlaps_is_refused),
        WITH_GOOD_ONES(dropblock_init_refuses_bad_arguments_and_leaves_the_blocks),
        WITH_GOOD_ONES(no_elements_need_no_pointers_and_have_no_gamma),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
