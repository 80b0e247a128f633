/*
 * Views and stored masks: random shapes, layouts and mask shapes on every tier against element by element
 * work of the oracle; the views that have names; the layouts of other systems; every error.
 */
#include "support/common.h"
#include "tiers/dispatch.h"

enum { MAX_RANK = DROPWISE_MAX_RANK, MAX_BYTES = 1 << 20 };

#define SEED UINT64_C(0x1122334455667788)
#define STREAM UINT64_C(0x99AABBCCDDEEFF00)

static guard_arena x_arena, y_arena, stored_arena;

static int new_arenas(void **state)
{
    (void)state;
    x_arena = guard_new(MAX_BYTES * 8);
    y_arena = guard_new(MAX_BYTES * 8);
    stored_arena = guard_new(MAX_BYTES * 8);
    return 0;
}

static int free_arenas(void **state)
{
    (void)state;
    guard_free(&x_arena);
    guard_free(&y_arena);
    guard_free(&stored_arena);
    return 0;
}

/* ---- The oracle of a view ---- */

/* The next coordinates in row-major order; false after the last ones. */
static bool next_coordinates(const dropwise_view *view, uint64_t *at)
{
    for (uint32_t d = view->rank; d-- > 0;) {
        if (++at[d] < view->size[d])
            return true;
        at[d] = 0;
    }
    return false;
}

static int64_t place_of(const dropwise_view *view, const int64_t *stride, const uint64_t *at)
{
    int64_t place = 0;
    for (uint32_t d = 0; d < view->rank; d++)
        place += (int64_t)at[d] * stride[d];
    return place;
}

/* The entry of a stored mask that decides on these coordinates: its row, and its place in it. */
static void entry_of(const dropwise_view *view, const uint64_t *at, uint64_t *row, uint64_t *column,
                     uint64_t *rows, uint64_t *row_length)
{
    *row = *column = 0;
    *rows = *row_length = 1;
    bool is_row = true;
    for (uint32_t d = view->rank; d-- > 0;) {
        if (view->mask_stride[d] == 0)
            continue;
        if (is_row) {
            *column = at[d];
            *row_length = view->size[d];
            is_row = false;
        } else {
            *row += at[d] * *rows;
            *rows *= view->size[d];
        }
    }
}

static size_t entry_bytes(uint32_t form, ref_dtype dtype)
{
    return form == DROPWISE_FORM_SCALED ? ref_bytes(dtype) : 1;
}

static uint64_t row_bytes(uint32_t form, ref_dtype dtype, uint64_t row_length)
{
    return form == DROPWISE_FORM_BITS ? (row_length + 7) / 8 : row_length * entry_bytes(form, dtype);
}

/* What a scaled mask holds where it keeps. */
static void scaled_entry(ref_dtype dtype, double scale, unsigned char *entry)
{
    const uint8_t kept = 1;
    const double one = 1;
    const float one_f32 = 1;
    if (dtype == REF_F64) {
        memcpy(entry, &one, 8);
    } else if (dtype == REF_F32) {
        memcpy(entry, &one_f32, 4);
    } else if (ref_bytes(dtype) == 2) {
        const uint16_t v = (uint16_t)ref_narrow(dtype, one_f32);
        memcpy(entry, &v, 2);
    } else {
        *entry = (unsigned char)ref_narrow(dtype, one_f32);
    }
    ref_apply(dtype, &kept, 1, entry, entry, &scale);
}

static void expect_entry(uint32_t form, ref_dtype dtype, double scale, unsigned char *stored,
                         uint64_t row_stride, uint64_t row, uint64_t column, int keep)
{
    unsigned char *r = stored + row * row_stride;
    if (form == DROPWISE_FORM_BITS) {
        if (column % 8 == 0)
            r[column / 8] = 0;
        r[column / 8] = (unsigned char)(r[column / 8] | keep << column % 8);
        return;
    }
    const size_t bytes = entry_bytes(form, dtype);
    memset(r + column * bytes, 0, bytes);
    if (keep && form == DROPWISE_FORM_BYTES)
        r[column] = 1;
    else if (keep)
        scaled_entry(dtype, scale, r + column * bytes);
}

/* ---- A case: everything that a call on a view can do ---- */

typedef struct view_case {
    dropwise_view view;
    ref_dtype dtype;
    double p;
    bool standard;
    bool in_place;
    uint32_t form;
    uint64_t row_padding;
} view_case;

static void extent(const dropwise_view *view, const int64_t *stride, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        const int64_t end = (int64_t)(view->size[d] - 1) * stride[d];
        *(end < 0 ? low : high) += end;
    }
}

static void run_case(const view_case *c)
{
    const dropwise_view *v = &c->view;
    const dropwise_dtype dtype = dtype_number(c->dtype);
    const size_t bytes = ref_bytes(c->dtype);
    const ref_mask ref = ref_mask_of(c->p, SEED, STREAM);
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, c->p, SEED, STREAM), DROPWISE_OK);
    mask.scaling = c->standard ? DROPWISE_SCALING_STANDARD : DROPWISE_SCALING_INVERTED;
    const bool copies = c->standard || ref.threshold == UINT64_C(1) << 40;
    const double scale = copies || ref.threshold == 0 ? 1.0 : ref_inverted_scale(&ref);

    /* Buffers that the view fills from end to end, between guard pages. */
    int64_t x_low, x_high, y_low, y_high;
    extent(v, v->x_stride, &x_low, &x_high);
    extent(v, v->y_stride, &y_low, &y_high);
    const size_t x_bytes = (size_t)(x_high - x_low + 1) * bytes;
    const size_t y_bytes = (size_t)(y_high - y_low + 1) * bytes;
    assert_true(x_bytes <= MAX_BYTES * 8 && y_bytes <= MAX_BYTES * 8);
    uint8_t *x_buffer = guard_at_end(&x_arena, x_bytes);
    uint8_t *y_buffer = guard_at_start(&y_arena, y_bytes, 0);
    fill_awkward(c->dtype, x_buffer, x_bytes / bytes, v->first + x_bytes);
    static uint8_t *expected, *expected_stored, *again;
    if (expected == NULL) {
        expected = malloc(MAX_BYTES * 8);
        again = malloc(MAX_BYTES * 8);
        expected_stored = malloc(MAX_BYTES * 8);
    }
    memset(y_buffer, 0x5C, y_bytes);
    if (c->in_place)
        memcpy(y_buffer, x_buffer, y_bytes);
    memcpy(expected, y_buffer, y_bytes);
    memcpy(again, y_buffer, y_bytes);

    uint64_t at[MAX_RANK] = {0}, row, column, rows, row_length;
    entry_of(v, at, &row, &column, &rows, &row_length);
    const uint64_t row_stride = row_bytes(c->form, c->dtype, row_length) + c->row_padding;
    const size_t stored_bytes = (size_t)((rows - 1) * row_stride + row_bytes(c->form, c->dtype, row_length));
    uint8_t *stored_buffer = guard_at_end(&stored_arena, stored_bytes);
    memset(stored_buffer, 0xA7, stored_bytes);
    memset(expected_stored, 0xA7, stored_bytes);
    uint64_t cached = UINT64_MAX;
    int keep = 0;
    do {
        const uint64_t index = v->first + (uint64_t)place_of(v, v->mask_stride, at);
        if (index != cached)
            keep = ref_keep(&ref, index);
        cached = index;
        const uint8_t keep_byte = (uint8_t)keep;
        ref_apply(c->dtype, &keep_byte, 1, x_buffer + (size_t)(place_of(v, v->x_stride, at) - x_low) * bytes,
                  expected + (size_t)(place_of(v, v->y_stride, at) - y_low) * bytes, copies ? NULL : &scale);
        entry_of(v, at, &row, &column, &rows, &row_length);
        bool first_time = true; /* of the coordinates that share this entry */
        for (uint32_t d = 0; d < v->rank; d++)
            first_time = first_time && (v->mask_stride[d] != 0 || at[d] == 0);
        if (first_time)
            expect_entry(c->form, c->dtype, scale, expected_stored, row_stride, row, column, keep);
    } while (next_coordinates(v, at));

#define WHERE \
    "%s, p %g, rank %u, sizes %llu %llu %llu, form %u, in place %d", dtype_name(c->dtype), c->p, v->rank, \
        (unsigned long long)v->size[0], (unsigned long long)v->size[1], (unsigned long long)v->size[2], \
        c->form, c->in_place
    const dropwise_stored stored = {
        sizeof stored, c->form, stored_buffer, stored_bytes, c->row_padding != 0 ? row_stride : 0, {0, 0}};
    uint8_t *y = y_buffer - y_low * (int64_t)bytes;
    const uint8_t *x = c->in_place ? y : x_buffer - x_low * (int64_t)bytes;
    if (!c->in_place)
        guard_readonly(&x_arena, true);

    assert_int_equal(dropwise_forward_view(&mask, dtype, v, x, y, NULL), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected, y_bytes, "forward, " WHERE);
    assert_true(guard_intact(&y_arena));

    memcpy(y_buffer, again, y_bytes);
    assert_int_equal(dropwise_forward_view(&mask, dtype, v, x, y, &stored), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected, y_bytes, "forward with a stored mask, " WHERE);
    assert_same_bytes(stored_buffer, expected_stored, stored_bytes, "stored mask, " WHERE);
    assert_true(guard_intact(&y_arena) && guard_intact(&stored_arena));

    memset(stored_buffer, 0xA7, stored_bytes);
    assert_int_equal(dropwise_draw_view(&mask, dtype, v, &stored), DROPWISE_OK);
    assert_same_bytes(stored_buffer, expected_stored, stored_bytes, "draw_view, " WHERE);

    guard_readonly(&stored_arena, true);
    memcpy(y_buffer, again, y_bytes);
    mask.seed ^= 1; /* the stored mask decides */
    assert_int_equal(dropwise_backward_view(&mask, dtype, v, x, y, &stored), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected, y_bytes, "backward from a stored mask, " WHERE);
    mask.seed ^= 1;
    guard_readonly(&stored_arena, false);

    memcpy(y_buffer, again, y_bytes);
    assert_int_equal(dropwise_backward_view(&mask, dtype, v, x, y, NULL), DROPWISE_OK);
    assert_same_bytes(y_buffer, expected, y_bytes, "backward, " WHERE);
    if (!c->in_place)
        guard_readonly(&x_arena, false);

    /* Into each other form and back. */
    for (uint32_t form = DROPWISE_FORM_BITS; form <= DROPWISE_FORM_SCALED; form++) {
        const uint64_t other_stride = row_bytes(form, c->dtype, row_length) + 3;
        const size_t other_bytes = (size_t)(rows * other_stride);
        const dropwise_stored other = {sizeof other, form, expected, other_bytes, other_stride, {0, 0}};
        if (ref.threshold == 0 || other_bytes > MAX_BYTES * 8)
            break;
        assert_int_equal(dropwise_convert_stored(&mask, dtype, rows, row_length, &stored, &other),
                         DROPWISE_OK);
        memset(stored_buffer, 0xA7, stored_bytes);
        assert_int_equal(dropwise_convert_stored(&mask, dtype, rows, row_length, &other, &stored),
                         DROPWISE_OK);
        assert_same_bytes(stored_buffer, expected_stored, stored_bytes, "converted, " WHERE);
        assert_true(guard_intact(&stored_arena));
    }
#undef WHERE
}

/* ---- Random views ---- */

/* Strides of a dense tensor in a random order of dimensions, with gaps and turned round at random. */
static void random_strides(const dropwise_view *v, uint64_t *state, int64_t *stride)
{
    uint32_t order[MAX_RANK];
    for (uint32_t d = 0; d < v->rank; d++)
        order[d] = d;
    const bool shuffled = noise(state) % 2;
    for (uint32_t d = v->rank; shuffled && d-- > 1;) {
        const uint32_t other = (uint32_t)(noise(state) % (d + 1)), t = order[d];
        order[d] = order[other];
        order[other] = t;
    }
    const uint64_t gaps = noise(state) % 3, turns = noise(state) % 3;
    int64_t step = 1;
    for (uint32_t i = v->rank; i-- > 0;) {
        const uint32_t d = order[i];
        if (gaps == 2 && noise(state) % 2)
            step += (int64_t)(noise(state) % 4);
        stride[d] = turns == 2 && noise(state) % 2 ? -step : step;
        step *= (int64_t)v->size[d];
    }
}

static view_case random_case(uint64_t *state)
{
    view_case c;
    memset(&c, 0, sizeof c);
    dropwise_view *v = &c.view;
    uint64_t size[MAX_RANK];
    const uint32_t rank = (uint32_t)(1 + noise(state) % MAX_RANK);
    uint64_t elements = 1;
    for (uint32_t d = 0; d < rank; d++) {
        const uint64_t r = noise(state);
        size[d] = 1 + (r >> 8) % (r % 4 == 0 ? 67 : r % 4 == 1 ? 1 : 5);
        if (r % 61 == 0)
            size[d] += 4500;
        if (elements * size[d] > 12000)
            size[d] = 1;
        elements *= size[d];
    }
    assert_int_equal(dropwise_view_init(v, rank, size), DROPWISE_OK);
    assert_int_equal(dropwise_view_share(v, (uint32_t)(noise(state) & noise(state)) & ((1u << rank) - 1)),
                     DROPWISE_OK);
    static const uint64_t firsts[] = {0, 5, 1000003, (UINT64_C(1) << 36) - 300, UINT64_C(1) << 59};
    v->first = firsts[noise(state) % 5];
    const uint64_t kind = noise(state) % 6;
    if (kind == 0) { /* a mask in another order, turned round or spread: any strides are right */
        random_strides(v, state, v->mask_stride);
        v->first = UINT64_C(1) << 40;
        for (uint32_t d = 0; d < rank; d++)
            v->mask_stride[d] *= noise(state) % 8 == 0 ? 0 : 1 + (int64_t)(noise(state) % 3);
    } else if (kind == 1) { /* a rectangle of something bigger */
        for (uint32_t d = 0; d < rank; d++) {
            const uint64_t start = noise(state) % v->size[d];
            uint64_t starts[MAX_RANK] = {0}, sizes[MAX_RANK];
            memcpy(sizes, v->size, sizeof sizes);
            starts[d] = start;
            sizes[d] = 1 + noise(state) % (v->size[d] - start);
            assert_int_equal(dropwise_view_shard(v, starts, sizes), DROPWISE_OK);
        }
    }
    random_strides(v, state, v->x_stride);
    random_strides(v, state, v->y_stride);
    c.in_place = noise(state) % 4 == 0;
    if (c.in_place)
        memcpy(v->x_stride, v->y_stride, sizeof v->x_stride);
    else if (noise(state) % 8 == 0)
        v->x_stride[noise(state) % rank] = 0; /* an operand that is broadcast */
    static const double probabilities[] = {0.1, 0.5, 0.3, 0.1, 0.9, 0.0, 1.0};
    c.dtype = (ref_dtype)(noise(state) % REF_DTYPES);
    c.p = probabilities[noise(state) % 7];
    c.standard = noise(state) % 4 == 0;
    c.form = (uint32_t)(1 + noise(state) % 3);
    c.row_padding = noise(state) % 2 ? noise(state) % 9 : 0;
    return c;
}

static void random_views_agree_with_the_oracle_element_by_element(void **state)
{
    (void)state;
    uint64_t seed = 2026;
    for (int i = 0; i < (quick() ? 60 : 1500); i++) {
        const view_case c = random_case(&seed);
        run_case(&c);
    }
}

/* ---- Views with names ---- */

static dropwise_view view_of(uint32_t rank, const uint64_t *size, uint32_t shared)
{
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, rank, size), DROPWISE_OK);
    assert_int_equal(dropwise_view_share(&view, shared), DROPWISE_OK);
    return view;
}

static void views_of_usual_shapes_agree_with_the_oracle_element_by_element(void **state)
{
    (void)state;
    static const struct {
        uint32_t rank;
        uint64_t size[5];
        uint32_t shared;
    } named[] = {
        {4, {8, 20, 32, 32}, 1u << 2 | 1u << 3}, /* spatial, NCHW        */
        {4, {3, 5, 7, 7}, 1u << 2 | 1u << 3},
        {4, {4, 32, 32, 20}, 1u << 1 | 1u << 2}, /* spatial, NHWC        */
        {4, {4, 9, 9, 3}, 1u << 1 | 1u << 2},
        {3, {6, 5, 40}, 1u << 2},                          /* spatial 1D           */
        {5, {2, 6, 4, 5, 6}, 1u << 2 | 1u << 3 | 1u << 4}, /* spatial 3D        */
        {3, {11, 4, 96}, 1u << 0},                         /* locked, T B F        */
        {3, {4, 11, 96}, 1u << 1},                         /* locked, B T F        */
        {3, {4, 300, 2}, 1u << 1},
        {2, {17, 5000}, 1u << 1}, /* stochastic depth     */
        {2, {100, 33}, 1u << 1},  /* embedding rows       */
        {2, {100, 33}, 1u << 0},
        {2, {30, 9000}, 0}, /* long rows            */
        {1, {70000}, 0},
        {1, {700}, 1u << 0}, /* one decision for all */
    };
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        view_case c = {.view = view_of(named[i].rank, named[i].size, named[i].shared)};
        for (uint32_t form = 1; form <= 3; form++) {
            c.p = form == 1 ? 0.1 : 0.5;
            c.dtype = (ref_dtype)((i + form) % REF_DTYPES);
            c.form = form;
            c.in_place = form == 2;
            c.row_padding = form == 1 ? 2 : 0;
            run_case(&c);
        }
        if (named[i].rank == 2) { /* rows in a wider buffer */
            c.in_place = false;
            c.dtype = REF_F32;
            c.view.x_stride[0] += 3;
            c.view.y_stride[0] += 16;
            run_case(&c);
        }
    }
    /* More than 4 MiB: nontemporal, from a y that is aligned for it and from one that is not. */
    static const uint64_t big[][4] = {{16, 70, 32, 32}, {16, 32, 32, 70}, {1, 1150, 31, 32}};
    for (size_t i = 0; i < 3 && !quick(); i++) {
        view_case c = {.view = view_of(4, big[i], i == 1 ? 1u << 1 | 1u << 2 : 1u << 2 | 1u << 3),
                       .p = 0.5,
                       .form = DROPWISE_FORM_BITS,
                       .dtype = REF_F32};
        run_case(&c);
        c.dtype = REF_BF16;
        run_case(&c);
    }
    static const uint64_t rows[] = {200, 6000};
    view_case c = {.view = view_of(2, rows, 0), .p = 0.1, .form = DROPWISE_FORM_BITS, .dtype = REF_F32};
    c.view.y_stride[0] += 5;
    run_case(&c);
    atomic_store(&dropwise_known_cached_bytes, SIZE_MAX); /* prefetched, but not streamed */
    run_case(&c);
}

/* Rows that begin with a block of the generator and elsewhere, more of them than are drawn together, at the
 * element whose counter's low half wraps, and with ties in all words. */
static void tiles_of_a_matrix_agree_with_the_oracle_element_by_element(void **state)
{
    (void)state;
    static const uint64_t columns[] = {1, 16, 48, 64, 65, 77, 128, 192, 250, 256, 600};
    static const uint64_t wholes[] = {1024, 1040, 1032, 1001};
    static const uint64_t wrap = UINT64_C(1) << 36;
    for (size_t w = 0; w < sizeof wholes / sizeof wholes[0]; w++) {
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
            const uint64_t size[] = {200, wholes[w]},
                           begin[] = {3, i % 3 == 0   ? 0
                                         : i % 3 == 1 ? 176
                                                      : 185},
                           part[] = {i % 4 == 0 ? 150 : 64, columns[i]};
            view_case c = {.view = view_of(2, size, 0),
                           .p = i % 2 == 0 ? 0.1 : 0.3,
                           .form = DROPWISE_FORM_BITS,
                           .dtype = i % 5 == 4 ? REF_BF16 : REF_F32};
            for (uint32_t at_wrap = 0; at_wrap < 2; at_wrap++) {
                dropwise_view_init(&c.view, 2, size);
                assert_int_equal(dropwise_view_shard(&c.view, begin, part), DROPWISE_OK);
                c.view.first += at_wrap ? wrap - 40 * wholes[w] / 16 * 16 : 0;
                c.view.x_stride[0] = c.view.y_stride[0] = (int64_t)columns[i] + 2;
                c.view.x_stride[1] = c.view.y_stride[1] = 1;
                run_case(&c);
            }
        }
    }
}

static void helpers_make_the_strides_that_their_names_promise(void **state)
{
    (void)state;
    static const uint64_t size[4] = {2, 3, 5, 7};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 4, size), DROPWISE_OK);
    static const int64_t dense[4] = {105, 35, 7, 1};
    assert_memory_equal(view.x_stride, dense, sizeof dense);
    assert_memory_equal(view.y_stride, dense, sizeof dense);
    assert_memory_equal(view.mask_stride, dense, sizeof dense);
    assert_int_equal(view.first, 0);

    static const int64_t spatial[4] = {3, 1, 0, 0};
    assert_int_equal(dropwise_view_share(&view, 1u << 2 | 1u << 3), DROPWISE_OK);
    assert_memory_equal(view.mask_stride, spatial, sizeof spatial);
    assert_memory_equal(view.x_stride, dense, sizeof dense);

    static const uint64_t noise_shape[4] = {2, 1, 1, 7};
    static const int64_t noise_strides[4] = {7, 0, 0, 1};
    assert_int_equal(dropwise_view_noise_shape(&view, noise_shape), DROPWISE_OK);
    assert_memory_equal(view.mask_stride, noise_strides, sizeof noise_strides);

    static const uint64_t start[4] = {1, 0, 2, 3}, part[4] = {1, 3, 2, 4};
    static const int64_t packed[4] = {24, 8, 4, 1};
    assert_int_equal(dropwise_view_shard(&view, start, part), DROPWISE_OK);
    assert_int_equal(view.first, 7 + 3);
    assert_memory_equal(view.size, part, sizeof part);
    assert_memory_equal(view.x_stride, dense, sizeof dense);
    assert_memory_equal(view.mask_stride, noise_strides, sizeof noise_strides);
    assert_int_equal(dropwise_view_pack(&view), DROPWISE_OK);
    assert_memory_equal(view.x_stride, packed, sizeof packed);
    assert_memory_equal(view.y_stride, packed, sizeof packed);
}

/* Shards of a tensor, whoever holds them in whatever layout, together make the whole. */
static void shards_in_any_layout_together_make_the_whole(void **state)
{
    (void)state;
    enum { R = 37, C = 101 };
    static const uint64_t size[2] = {R, C};
    static float x[R * C], whole[R * C], parts[R * C], shard[R * C];
    for (int i = 0; i < R * C; i++)
        x[i] = 1 + (float)i;
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.3, SEED, STREAM), DROPWISE_OK);
    assert_int_equal(dropwise_forward_f32(&mask, 0, R * C, x, whole, NULL), DROPWISE_OK);
    static const uint64_t row_cuts[] = {0, 1, 20, R}, column_cuts[] = {0, 8, 50, 51, C};
    for (int transposed = 0; transposed < 2; transposed++) {
        memset(parts, 0, sizeof parts);
        for (size_t i = 0; i + 1 < 4; i++) {
            for (size_t j = 0; j + 1 < 5; j++) {
                const uint64_t start[2] = {row_cuts[i], column_cuts[j]};
                const uint64_t part[2] = {row_cuts[i + 1] - start[0], column_cuts[j + 1] - start[1]};
                dropwise_view view = view_of(2, size, 0);
                assert_int_equal(dropwise_view_shard(&view, start, part), DROPWISE_OK);
                if (transposed) { /* the shard's own buffer holds columns one after the other */
                    view.y_stride[0] = 1;
                    view.y_stride[1] = (int64_t)part[0];
                } else {
                    view.y_stride[0] = (int64_t)part[1];
                }
                const float *x_part = x + start[0] * C + start[1];
                assert_int_equal(dropwise_forward_view(&mask, DROPWISE_F32, &view, x_part, shard, NULL),
                                 DROPWISE_OK);
                for (uint64_t r = 0; r < part[0]; r++)
                    for (uint64_t k = 0; k < part[1]; k++)
                        parts[(start[0] + r) * C + start[1] + k] =
                            shard[transposed ? k * part[0] + r : r * part[1] + k];
            }
        }
        assert_same_bytes(parts, whole, sizeof whole, "shards, transposed %d", transposed);
    }
}

/* ---- Layouts of other systems, written word by word ---- */

/*
 * Sets bit `bit` of word `word` if the element is kept: words of 8 * word_bytes bits that lie as on the
 * systems' own hosts, which are little-endian.
 */
static void set_bit_of_word(uint8_t *words, size_t word_bytes, size_t word, unsigned bit, int kept)
{
    words[word * word_bytes + bit / 8] |= (uint8_t)(kept << bit % 8);
}

/* A matrix, as rows and as elements one after the other. */
enum { M_ROWS = 5, M_COLUMNS = 77, M_ALL = M_ROWS * M_COLUMNS };

typedef struct layout_case {
    ref_mask ref;
    dropwise_mask mask;
    dropwise_view rows, flat;
} layout_case;

static layout_case case_of_layouts(void)
{
    static const uint64_t matrix[2] = {M_ROWS, M_COLUMNS}, flat[1] = {M_ALL};
    layout_case c = {
        .ref = ref_mask_of(0.25, SEED, STREAM), .rows = view_of(2, matrix, 0), .flat = view_of(1, flat, 0)};
    assert_int_equal(dropwise_mask_init(&c.mask, 0.25, SEED, STREAM), DROPWISE_OK);
    return c;
}

static void bits_are_stored_as_libxsmm_has_them_in_rows_of_16_bit_words(void **state)
{
    (void)state;
    const layout_case c = case_of_layouts();
    uint8_t expected[M_ROWS][(M_COLUMNS + 15) / 16 * 2] = {{0}},
                                                     words[M_ROWS][(M_COLUMNS + 15) / 16 * 2] = {{0}};
    for (unsigned r = 0; r < M_ROWS; r++)
        for (unsigned i = 0; i < M_COLUMNS; i++)
            set_bit_of_word(expected[r], 2, i / 16, i % 16, ref_keep(&c.ref, r * M_COLUMNS + i));
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, words,
                                    sizeof words,  sizeof words[0],    {0, 0}};
    assert_int_equal(dropwise_draw_view(&c.mask, DROPWISE_F32, &c.rows, &stored), DROPWISE_OK);
    assert_same_bytes(words, expected, sizeof words, "rows of 16-bit words");
}

/* The whole tensor in 32-bit words, element i is bit i % 32 of word i / 32. */
static void bits_are_stored_as_onnx_runtime_has_them_in_32_bit_words(void **state)
{
    (void)state;
    const layout_case c = case_of_layouts();
    uint8_t expected[(M_ALL + 31) / 32 * 4] = {0}, words[(M_ALL + 31) / 32 * 4] = {0};
    for (unsigned i = 0; i < M_ALL; i++)
        set_bit_of_word(expected, 4, i / 32, i % 32, ref_keep(&c.ref, i));
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, words,
                                    sizeof words,  sizeof words,       {0, 0}};
    assert_int_equal(dropwise_draw_view(&c.mask, DROPWISE_F32, &c.flat, &stored), DROPWISE_OK);
    assert_same_bytes(words, expected, sizeof words, "32-bit words");
}

/* 16 elements a 16-bit word, the first one in bit 0. */
static void bits_are_stored_as_transformer_engine_has_them_in_16_bit_words(void **state)
{
    (void)state;
    const layout_case c = case_of_layouts();
    uint8_t expected[(M_ALL + 15) / 16 * 2] = {0}, words[(M_ALL + 15) / 16 * 2] = {0};
    for (unsigned i = 0; i < M_ALL; i++)
        set_bit_of_word(expected, 2, i / 16, i % 16, ref_keep(&c.ref, i));
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BITS, words, sizeof words, 0, {0, 0}};
    assert_int_equal(dropwise_draw_view(&c.mask, DROPWISE_F32, &c.flat, &stored), DROPWISE_OK);
    assert_same_bytes(words, expected, sizeof words, "16-bit words");
}

static void bytes_are_stored_as_bools_of_numpy_and_pytorch_and_all_but_0_keeps(void **state)
{
    (void)state;
    const layout_case c = case_of_layouts();
    uint8_t bools[M_ALL], expected[M_ALL];
    for (unsigned i = 0; i < M_ALL; i++)
        expected[i] = (uint8_t)ref_keep(&c.ref, i);
    const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_BYTES, bools, sizeof bools, 0, {0, 0}};
    assert_int_equal(dropwise_draw_view(&c.mask, DROPWISE_F32, &c.flat, &stored), DROPWISE_OK);
    assert_same_bytes(bools, expected, sizeof bools, "bytes");
    memset(bools, 0, sizeof bools);
    bools[3] = 255;
    float x[M_ALL], y[M_ALL];
    for (unsigned i = 0; i < M_ALL; i++)
        x[i] = 3;
    assert_int_equal(dropwise_backward_view(&c.mask, DROPWISE_F32, &c.flat, x, y, &stored), DROPWISE_OK);
    assert_true(y[3] == 4.0f && y[2] == 0.0f && y[4] == 0.0f);
}

/* ---- Errors ---- */

static float ex[200], ey[200], ey_before[200];
static uint8_t es[200], es_before[200];

static void assert_refused(const dropwise_mask *mask, const dropwise_view *view,
                           const dropwise_stored *stored, dropwise_status status)
{
    assert_int_equal(dropwise_forward_view(mask, DROPWISE_F32, view, ex, ey, stored), status);
    assert_int_equal(dropwise_backward_view(mask, DROPWISE_F32, view, ex, ey, stored), status);
    assert_same_bytes(ey, ey_before, sizeof ey, "y after an error");
    assert_same_bytes(es, es_before, sizeof es, "stored mask after an error");
}

/* A good mask, view and stored mask, of which tests change one field. */
static const uint64_t good_size[3] = {4, 5, 6};
static dropwise_mask good_mask;
static dropwise_view good;
static const dropwise_stored good_stored = {sizeof good_stored, DROPWISE_FORM_BITS, es, 4 * 5, 0, {0, 0}};
static const dropwise_stored to = {sizeof to, DROPWISE_FORM_BYTES, es + 50, 120, 0, {0, 0}};

static int setup_errors(void **state)
{
    (void)state;
    memset(ey, 0x33, sizeof ey);
    memcpy(ey_before, ey, sizeof ey);
    memset(es, 0x33, sizeof es);
    memcpy(es_before, es, sizeof es);
    good = view_of(3, good_size, 0);
    return dropwise_mask_init(&good_mask, 0.5, 1, 2);
}

static void helpers_of_views_refuse_bad_arguments_and_leave_the_view(void **state)
{
    (void)state;
    dropwise_view v;
    assert_int_equal(dropwise_view_init(NULL, 3, good_size), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_view_init(&v, 3, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_view_init(&v, 0, good_size), DROPWISE_ERROR_RANK);
    assert_int_equal(dropwise_view_init(&v, 9, good_size), DROPWISE_ERROR_RANK);
    static const uint64_t huge[2] = {UINT64_C(1) << 32, UINT64_C(1) << 33};
    assert_int_equal(dropwise_view_init(&v, 2, huge), DROPWISE_ERROR_RANGE);
    v = good;
    assert_int_equal(dropwise_view_share(&v, 1u << 3), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_view_share(NULL, 1), DROPWISE_ERROR_NULL);
    static const uint64_t not_noise[3] = {4, 2, 1}, outside[3] = {1, 0, 0}, whole[3] = {4, 5, 6};
    assert_int_equal(dropwise_view_noise_shape(&v, not_noise), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_view_noise_shape(&v, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_view_shard(&v, outside, whole), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_view_shard(&v, NULL, whole), DROPWISE_ERROR_NULL);
    assert_same_bytes(&v, &good, sizeof v, "view after an error");
    v.struct_size = 0;
    assert_int_equal(dropwise_view_share(&v, 1), DROPWISE_ERROR_STRUCT_SIZE);
    assert_int_equal(dropwise_view_pack(&v), DROPWISE_ERROR_STRUCT_SIZE);
}

static void a_view_that_cannot_be_walked_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    dropwise_view v = good;
    v.struct_size = 0;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_STRUCT_SIZE);
    assert_refused(&good_mask, NULL, NULL, DROPWISE_ERROR_NULL);
    assert_refused(NULL, &good, NULL, DROPWISE_ERROR_NULL);
    v = good;
    v.reserved[1] = 1;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RESERVED);
    v = good;
    v.rank = 0;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RANK);
    v.rank = 9;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RANK);
    v = good;
    v.size[0] = UINT64_MAX;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SIZE);
    v = good;
    v.y_stride[0] = INT64_MAX / 2;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SIZE);
    v = good;
    v.x_stride[0] = INT64_MIN;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SIZE);
    v = good;
    v.mask_stride[0] = -30;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RANGE);
    v.mask_stride[0] = INT64_MIN;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RANGE);
    v = good;
    v.first = DROPWISE_INDEX_LIMIT - 119;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_RANGE);
    v = good;
    v.y_stride[1] = 0;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SELF_OVERLAP);
    v = good;
    v.y_stride[0] = 29;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SELF_OVERLAP);
    v = good;
    v.y_stride[1] = -5;
    assert_refused(&good_mask, &v, NULL, DROPWISE_ERROR_SELF_OVERLAP);
    assert_int_equal(dropwise_forward_view(&good_mask, 99, &good, ex, ey, NULL), DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &good, NULL, ey, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &good, ex, NULL, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &good, ey + 1, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
    v = good; /* in place, but turned round on the way */
    v.x_stride[2] = -1;
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &v, ey + 5, ey, NULL),
                     DROPWISE_ERROR_OVERLAP);
}

static void a_stored_mask_that_does_not_fit_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    dropwise_stored s = good_stored;
    s.struct_size = 1;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_STRUCT_SIZE);
    s = good_stored;
    s.reserved[0] = 1;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_RESERVED);
    s = good_stored;
    s.form = 0;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_FORM);
    s.form = 4;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_FORM);
    s = good_stored;
    s.size--;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_STORED_SIZE);
    s = good_stored;
    s.row_stride = 2;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_STORED_SIZE);
    s.form = DROPWISE_FORM_BYTES;
    s.row_stride = 5;
    s.size = 200;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_STORED_SIZE);
    s.row_stride = UINT64_MAX / 4;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_SIZE);
    s = good_stored;
    s.data = NULL;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_NULL);
    s = good_stored;
    s.data = ey;
    assert_refused(&good_mask, &good, &s, DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_draw_view(&good_mask, DROPWISE_F32, &good, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_draw_view(&good_mask, DROPWISE_F32, NULL, &good_stored), DROPWISE_ERROR_NULL);
}

static void a_conversion_of_masks_that_do_not_fit_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 0, &good_stored, &to),
                     DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 7, &good_stored, &to),
                     DROPWISE_ERROR_STORED_SIZE);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, UINT64_MAX, &good_stored, &to),
                     DROPWISE_ERROR_SIZE);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 6, NULL, &to),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 6, &good_stored, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_convert_stored(&good_mask, 0, 20, 6, &good_stored, &to), DROPWISE_ERROR_DTYPE);
    dropwise_stored s = to;
    s.data = es + 10;
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 6, &good_stored, &s),
                     DROPWISE_ERROR_OVERLAP);
    assert_same_bytes(es, es_before, sizeof es, "stored mask after an error");
}

static void no_elements_are_no_error(void **state)
{
    (void)state;
    dropwise_view v = good;
    v.size[1] = 0;
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &v, NULL, NULL, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 0, 6, &good_stored, &to), DROPWISE_OK);
}

static void the_last_element_may_be_the_last_index_of_all(void **state)
{
    (void)state;
    dropwise_view v = good;
    v.first = DROPWISE_INDEX_LIMIT - 120;
    assert_int_equal(dropwise_forward_view(&good_mask, DROPWISE_F32, &v, ex, ey, &good_stored), DROPWISE_OK);
    assert_int_equal(dropwise_convert_stored(&good_mask, DROPWISE_F32, 20, 6, &good_stored, &to),
                     DROPWISE_OK);
}

/* ---- Conversions of large masks, which are written past the caches where they are aligned ---- */

static void large_masks_of_bits_become_the_same_bytes_wherever_these_lie(void **state)
{
    (void)state;
    enum { N = (4 << 20) + 77, ROWS = 3 };
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.25, SEED, STREAM), DROPWISE_OK);
    uint64_t seed = 1;
    uint8_t *bits = guard_place(&x_arena, ROWS * ((N / ROWS + 7) / 8), true, 0);
    const uint64_t row_length = N / ROWS, bits_stride = (row_length + 7) / 8;
    for (size_t i = 0; i < ROWS * bits_stride; i++)
        bits[i] = (uint8_t)noise(&seed);
    const dropwise_stored packed = {sizeof packed, DROPWISE_FORM_BITS, bits, ROWS * bits_stride, 0, {0, 0}};
    /* Rows of an odd length are aligned or not; so is the first one. */
    for (size_t offset = 0; offset < 2; offset++) {
        const size_t n = (size_t)(ROWS * row_length);
        uint8_t *bytes = (uint8_t *)guard_at_start(&y_arena, n + offset, 64) + offset;
        const dropwise_stored spread = {sizeof spread, DROPWISE_FORM_BYTES, bytes, n, 0, {0, 0}};
        memset(bytes, 0xA7, n);
        assert_int_equal(dropwise_convert_stored(&mask, DROPWISE_F32, ROWS, row_length, &packed, &spread),
                         DROPWISE_OK);
        size_t wrong = 0;
        for (size_t i = 0; i < n; i++) {
            const size_t column = i % row_length;
            wrong += bytes[i] != (bits[i / row_length * bits_stride + column / 8] >> column % 8 & 1);
        }
        assert_int_equal(wrong, 0);
        assert_true(guard_intact(&y_arena));
    }
}

#define IN_ARENAS(test) cmocka_unit_test_setup_teardown(test, new_arenas, free_arenas)
#define WITH_GOOD_ONES(test) cmocka_unit_test_setup(test, setup_errors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpers_make_the_strides_that_their_names_promise),
        IN_ARENAS(random_views_agree_with_the_oracle_element_by_element),
        IN_ARENAS(views_of_usual_shapes_agree_with_the_oracle_element_by_element),
        IN_ARENAS(tiles_of_a_matrix_agree_with_the_oracle_element_by_element),
        cmocka_unit_test(shards_in_any_layout_together_make_the_whole),
        cmocka_unit_test(bits_are_stored_as_libxsmm_has_them_in_rows_of_16_bit_words),
        cmocka_unit_test(bits_are_stored_as_onnx_runtime_has_them_in_32_bit_words),
        cmocka_unit_test(bits_are_stored_as_transformer_engine_has_them_in_16_bit_words),
        cmocka_unit_test(bytes_are_stored_as_bools_of_numpy_and_pytorch_and_all_but_0_keeps),
        IN_ARENAS(large_masks_of_bits_become_the_same_bytes_wherever_these_lie),
        WITH_GOOD_ONES(helpers_of_views_refuse_bad_arguments_and_leave_the_view),
        WITH_GOOD_ONES(a_view_that_cannot_be_walked_is_refused_and_nothing_is_written),
        WITH_GOOD_ONES(a_stored_mask_that_does_not_fit_is_refused_and_nothing_is_written),
        WITH_GOOD_ONES(a_conversion_of_masks_that_do_not_fit_is_refused_and_nothing_is_written),
        WITH_GOOD_ONES(no_elements_are_no_error),
        WITH_GOOD_ONES(the_last_element_may_be_the_last_index_of_all),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
