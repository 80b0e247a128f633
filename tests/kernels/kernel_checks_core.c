/* Checks of the kernels of counter, bytes, bits and elements. */
#include "kernels/kernel_checks.h"

#include <math.h>

/* The oracle's generator of the same name. */
static ref_generator generator_of(const char *name)
{
    static const char *const names[REF_GENERATORS] = {
#define REF_GENERATOR(number, name, user_name, cipher, rounds) [REF_##number] = #name,
#include "oracle/generators.inc"
    };
    for (ref_generator g = 0; g < REF_GENERATORS; g++)
        if (strcmp(name, names[g]) == 0)
            return g;
    fail_msg("%s is no generator", name);
    return REF_PHILOX4X32_10;
}

enum { BLOCKS = 150 };
static const dropwise_key test_key = {{0x01234567, 0x89ABCDEF, 0, 0}, {0xFEDCBA98, 0x76543210}};
#define TEST_SEED UINT64_C(0x89ABCDEF01234567)
#define TEST_STREAM UINT64_C(0x76543210FEDCBA98)

void check_generate(const dropwise_generator *generator, const char *name)
{
    static const uint64_t starts[] = {0,
                                      1,
                                      UINT64_C(0xFFFFFFFF),
                                      UINT64_C(0x100000000) - 37,
                                      UINT64_C(0x1000000000000000) - 5,
                                      UINT64_C(0x123456789ABCDEF0),
                                      UINT64_MAX - 20};
    uint8_t expected[16 * BLOCKS];
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        for (uint64_t b = 0; b < BLOCKS; b++)
            ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, starts[s] + b, expected + 16 * b);
        for (size_t n = 0; n <= BLOCKS; n++) {
            for (int at_end = 0; at_end < 2; at_end++) {
                uint8_t *out = guard_place(&output, 16 * n, at_end, n % 64);
                generator->generate(&test_key, starts[s], n, out);
                assert_same_bytes(out, expected, 16 * n, "%s: start %zu, %zu blocks", name, s, n);
                assert_true(guard_intact(&output));
            }
        }
    }
}

void check_generate_at(const dropwise_generator *generator, const char *name)
{
    uint8_t expected[16 * BLOCKS];
    for (size_t n = 0; n <= BLOCKS; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *out = guard_place(&output, 16 * n, at_end, n % 64);
            uint8_t *counters = guard_place(&input, 8 * n, at_end, n % 8 * 8);
            fill_noise(counters, 8 * n, n);
            for (size_t b = 0; b < n; b++) {
                uint64_t counter;
                memcpy(&counter, counters + 8 * b, 8);
                ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, counter, expected + 16 * b);
            }
            guard_readonly(&input, true);
            generator->generate_at(&test_key, (const uint64_t *)(const void *)counters, n, out);
            guard_readonly(&input, false);
            assert_same_bytes(out, expected, 16 * n, "%s: %zu blocks", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

/* Words of bits, in the host's order: what is kept, ties among it, and the ties. */
static void expect_draw(const uint8_t *bytes, size_t n_words, uint8_t last, uint64_t *keep, uint64_t *equal)
{
    for (size_t w = 0; w < n_words; w++) {
        keep[w] = equal[w] = 0;
        for (size_t j = 0; j < 64; j++) {
            keep[w] |= (uint64_t)(bytes[64 * w + j] <= last) << j;
            equal[w] |= (uint64_t)(bytes[64 * w + j] == last) << j;
        }
    }
}

/* Answers that somebody asks for, or nobody, in guarded places. */
static dropwise_threshold guarded_threshold(uint8_t last, size_t n, bool at_end, bool keeps, bool has_ties)
{
    uint64_t *keep = (uint64_t *)(void *)guard_place(&arenas[0], 8 * n, at_end, n % 8 * 8);
    uint64_t *equal = (uint64_t *)(void *)guard_place(&arenas[1], 8 * n, at_end, n % 4 * 16);
    return (dropwise_threshold){last, keeps ? keep : NULL, has_ties ? equal : NULL};
}

static void assert_answers(const dropwise_threshold *t, const uint8_t *bytes, size_t n, const char *name)
{
    uint64_t keep[BLOCKS], equal[BLOCKS];
    expect_draw(bytes, n, t->last, keep, equal);
    if (t->keep != NULL)
        assert_same_bytes(t->keep, keep, 8 * n, "%s: at most %u, %zu words", name, t->last, n);
    if (t->equal != NULL)
        assert_same_bytes(t->equal, equal, 8 * n, "%s: equal %u, %zu words", name, t->last, n);
    assert_true(guard_intact(&arenas[0]) && guard_intact(&arenas[1]));
}

void check_threshold(dropwise_threshold_fn *threshold, const char *name)
{
    uint8_t bytes[64 * 20];
    for (unsigned last = 0; last < 256; last++) {
        const size_t n = last % 20;
        fill_noise(bytes, sizeof bytes, last);
        uint8_t *in = guard_place(&input, 64 * n, last % 2 != 0, last % 64);
        memcpy(in, bytes, 64 * n);
        guard_readonly(&input, true);
        for (int asked = 1; asked < 4; asked++) {
            const dropwise_threshold t =
                guarded_threshold((uint8_t)last, n, last % 2 != 0, (asked & 1) != 0, (asked & 2) != 0);
            threshold(in, n, &t);
            assert_answers(&t, bytes, n, name);
        }
        guard_readonly(&input, false);
    }
}

static void draw_case(const dropwise_generator *generator, const char *name, uint64_t start, uint32_t step,
                      size_t n, uint8_t last, const uint8_t *bytes, bool at_end)
{
    dropwise_schedule schedule;
    memset(&schedule, (int)n, sizeof schedule);
    generator->prepare(&test_key, (uint32_t)(start >> 32), &schedule);
    for (int asked = 1; asked < 4; asked++) {
        const dropwise_threshold t = guarded_threshold(last, n, at_end, (asked & 1) != 0, (asked & 2) != 0);
        generator->draw(&schedule, (uint32_t)start, step, n, &t);
        assert_answers(&t, bytes, n, name);
    }
}

void check_draw(const dropwise_generator *generator, const char *name)
{
    enum { WORDS = 70 };
    static const uint64_t starts[] = {0, 4, UINT64_C(0x123456789ABCDEF0), UINT64_C(0x100000000) - 4 * WORDS,
                                      UINT64_C(0x1000000000000000) - 4 * WORDS};
    static const uint8_t thresholds[] = {0, 1, 127, 128, 129, 230, 254, 255};
    static uint8_t bytes[64 * WORDS];
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        for (uint64_t b = 0; b < 4 * WORDS; b++)
            ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, starts[s] + b, bytes + 16 * b);
        for (size_t n = 0; n <= WORDS; n++)
            for (int at_end = 0; at_end < 2; at_end++)
                draw_case(generator, name, starts[s], DROPWISE_WORD_BLOCKS, n, thresholds[(n + s) % 8], bytes,
                          at_end);
    }
    for (unsigned t = 0; t < 256; t++)
        draw_case(generator, name, starts[4], DROPWISE_WORD_BLOCKS, WORDS, (uint8_t)t, bytes, true);
    static const uint32_t steps[] = {1, 5, 256, 12345677, (UINT32_MAX - 4) / WORDS};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        const uint64_t start = UINT64_C(0x123456700000000) + s;
        for (uint64_t b = 0; b < 4 * WORDS; b++)
            ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, start + b / 4 * steps[s] + b % 4,
                         bytes + 16 * b);
        for (size_t n = 0; n <= WORDS; n++)
            draw_case(generator, name, start, steps[s], n, thresholds[n % 8], bytes, n % 2 != 0);
    }
}

/* What it prepares shows in what is drawn: at upper halves of all kinds. */
void check_prepare(const dropwise_generator *generator, const char *name)
{
    static const uint64_t highs[] = {0, 1, 2, 0x12345678, 0x7FFFFFFF, 0x80000000, UINT32_MAX};
    enum { WORDS = 3 };
    uint8_t bytes[64 * WORDS];
    for (size_t h = 0; h < sizeof highs / sizeof highs[0]; h++) {
        const uint64_t start = highs[h] << 32 | 0x9ABCDEF0;
        for (uint64_t b = 0; b < 4 * WORDS; b++)
            ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, start + b, bytes + 16 * b);
        draw_case(generator, name, start, DROPWISE_WORD_BLOCKS, WORDS, 100, bytes, h % 2 != 0);
    }
}

/* The same NaN in both where both have one: of products, the sign and the payload are the processor's. */
void one_nan(ref_dtype dtype, uint8_t *actual, uint8_t *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(get(dtype, actual, i)) && isnan(get(dtype, expected, i))) {
            put(dtype, actual, i, (double)NAN);
            put(dtype, expected, i, (double)NAN);
        }
}

static void apply_case(dropwise_apply_fn *apply, const char *name, size_t n, bool at_end, size_t offset,
                       bool in_place)
{
    const double value = 1.0 / 0.9;
    const ref_dtype dtype = dtype_of(name);
    const any_scale scale = scale_for(dtype, value);
    const bool scaled = strstr(name, "scale_kept") != NULL;
    const size_t n_bytes = n * ref_bytes(dtype);
    uint8_t keep[LARGE_N];
    static uint8_t expected[8 * LARGE_N];
    uint8_t *bits = guard_place(&second, (n + 7) / 8, at_end, offset);
    uint64_t state = n + offset;
    for (size_t j = 0; j < n; j++)
        keep[j] = noise(&state) % 3 != 0;
    ref_pack(keep, n, bits);
    if (n % 8 != 0)
        bits[n / 8] |= (uint8_t)(0xFF << n % 8); /* unused bits may hold anything */

    uint8_t *x = guard_place(&input, n_bytes, at_end, offset);
    const size_t last_aligned = (output.size - n_bytes) / 64 * 64;
    uint8_t *y = is_nontemporal(name) ? guard_at_start(&output, n_bytes, at_end ? last_aligned : 0)
                                      : guard_place(&output, n_bytes, at_end, 3 * offset % 64);
    fill_awkward(dtype, x, n, n + offset);
    const bool adds = strstr(name, "add_kept") != NULL;
    if (adds) {
        fill_awkward(dtype, y, n, n + offset + 1);
        if (offset % 3 == 1) { /* bits may be left out */
            memset(keep, 1, n);
            bits = NULL;
        }
        memcpy(expected, in_place ? x : y, n_bytes);
        ref_add(dtype, keep, n, x, expected, value);
    } else if (strstr(name, "product_kept") != NULL) {
        ref_multiply(dtype, keep, n, x, expected, value);
    } else {
        ref_apply(dtype, keep, n, x, expected, scaled ? &value : NULL);
    }
    if (in_place) {
        memcpy(y, x, n_bytes);
        apply(bits, n, y, y, &scale);
    } else {
        guard_readonly(&input, true);
        apply(bits, n, x, y, &scale);
        guard_readonly(&input, false);
    }
    if (strstr(name, "product_kept") != NULL)
        one_nan(dtype, y, expected, n);
    assert_same_bytes(y, expected, n_bytes, "%s: n %zu, offset %zu, %s", name, n, offset,
                      in_place ? "in place" : "apart");
    assert_true(guard_intact(&output));
}

void check_apply(dropwise_apply_fn *apply, const char *name)
{
    for (size_t i = 0; i < n_sizes(); i++)
        for (int at_end = 0; at_end < 2; at_end++)
            for (int in_place = 0; in_place < 2; in_place++)
                apply_case(apply, name, size_number(i), at_end, 0, in_place);
    for (size_t offset = 0; offset < 64; offset++)
        apply_case(apply, name, 150 + offset, false, offset, offset % 2);
}

enum { WORDS = 29 };

static void draw_bytes(const char *name, uint64_t start, size_t n, uint8_t *bytes)
{
    for (uint64_t b = 0; b < 4 * n; b++)
        ref_generate(generator_of(name), TEST_SEED, TEST_STREAM, start + b, bytes + 16 * b);
}

/* Elements of a case of forward or draw_scale, and what they are to become. */
typedef struct elements_case {
    ref_dtype dtype;
    any_scale scale;
    size_t element_bytes;
    uint8_t *x, *y;
    uint8_t expected[64 * WORDS * 8];
} elements_case;

static void begin_elements(elements_case *c, const char *name, size_t n, const uint8_t *keep, bool at_end,
                           bool nontemporal, bool in_place)
{
    const double value = 1.0 / 0.9;
    c->dtype = dtype_of(name);
    c->scale = scale_for(c->dtype, value);
    c->element_bytes = ref_bytes(c->dtype);
    const size_t n_bytes = n * c->element_bytes;
    c->x = guard_place(&input, n_bytes, at_end, 5);
    fill_awkward(c->dtype, c->x, n, n);
    ref_apply(c->dtype, keep, n, c->x, c->expected, &value);
    c->y = nontemporal ? guard_at_start(&output, n_bytes, 64) : guard_place(&output, n_bytes, at_end, 9);
    if (in_place) {
        memcpy(c->y, c->x, n_bytes);
        c->x = c->y;
    }
    guard_readonly(&input, true);
}

static void end_elements(const elements_case *c, const char *name, size_t n)
{
    guard_readonly(&input, false);
    assert_same_bytes(c->y, c->expected, n * c->element_bytes, "%s: %s, %zu elements%s", name,
                      dtype_name(c->dtype), n, c->x == c->y ? ", in place" : "");
    assert_true(guard_intact(&output));
}

static void forward_case(const dropwise_generator *generator, dropwise_forward_fn *forward,
                         const char *generator_name, const char *name, size_t n, unsigned way)
{
    static uint8_t bytes[64 * WORDS], keep[64 * WORDS];
    static elements_case c;
    const uint64_t start = UINT64_C(0x123456789ABCDEF0) - 4 * n;
    const uint8_t last = (uint8_t)(200 + n);
    const bool at_end = (way & 1) != 0;
    draw_bytes(generator_name, start, n, bytes);
    for (size_t j = 0; j < 64 * n; j++)
        keep[j] = bytes[j] <= last;
    begin_elements(&c, name, 64 * n, keep, at_end, false, (way & 2) != 0);
    dropwise_schedule schedule;
    generator->prepare(&test_key, (uint32_t)(start >> 32), &schedule);
    const dropwise_threshold t = guarded_threshold(last, n, at_end, (way & 4) != 0, (way & 8) != 0);
    const dropwise_elements elements = {c.x, c.y, &c.scale};
    const size_t done = forward(&schedule, (uint32_t)start, n, &t, &elements);
    assert_true(done <= n && n - done < DROPWISE_BATCH_WORDS);
    end_elements(&c, name, 64 * done);
    assert_answers(&t, bytes, done, name);
}

void check_forward(const dropwise_generator *generator, dropwise_forward_fn *forward,
                   const char *generator_name, const char *name)
{
    if (forward == NULL) /* a tier may go without */
        skip();
    for (size_t n = 0; n <= WORDS; n++)
        for (unsigned way = 0; way < 16; way++)
            forward_case(generator, forward, generator_name, name, n, way);
}

/* n words are drawn while as many words' elements are scaled, as by draw and scale_kept. */
static void draw_scale_case(const dropwise_generator *generator, dropwise_draw_scale_fn *draw_scale,
                            const char *generator_name, const char *name, size_t n, bool at_end)
{
    static uint8_t bytes[64 * WORDS], keep[64 * WORDS];
    static elements_case c;
    const uint64_t start = UINT64_C(0x123456789ABCDEF0) - 4 * n;
    uint64_t state = n;
    draw_bytes(generator_name, start, n, bytes);
    for (size_t j = 0; j < 64 * n; j++)
        keep[j] = noise(&state) % 3 != 0;
    uint8_t *bits = guard_place(&second, 8 * n, at_end, 3);
    ref_pack(keep, 64 * n, bits);
    begin_elements(&c, name, 64 * n, keep, at_end, true, false);
    dropwise_schedule schedule;
    generator->prepare(&test_key, (uint32_t)(start >> 32), &schedule);
    const dropwise_threshold t = guarded_threshold((uint8_t)(200 + n), n, at_end, true, true);
    const dropwise_elements elements = {c.x, c.y, &c.scale};
    const size_t done = draw_scale(&schedule, (uint32_t)start, n, &t, bits, &elements);
    assert_true(done <= n && n - done < DROPWISE_BATCH_WORDS);
    end_elements(&c, name, 64 * done);
    assert_answers(&t, bytes, done, name);
}

void check_draw_scale(const dropwise_generator *generator, dropwise_draw_scale_fn *draw_scale,
                      const char *generator_name, const char *name)
{
    if (draw_scale == NULL) /* a tier may go without */
        skip();
    for (size_t n = 0; n <= WORDS; n++)
        for (int at_end = 0; at_end < 2; at_end++)
            draw_scale_case(generator, draw_scale, generator_name, name, n, at_end != 0);
}

static void scale_case(dropwise_scale_fn *scale, const char *name, size_t n, bool at_end, size_t offset)
{
    const double value = 0.9;
    const ref_dtype dtype = dtype_of(name);
    const any_scale factor = scale_for(dtype, value);
    const size_t n_bytes = n * ref_bytes(dtype);
    static uint8_t keep[LARGE_N], expected[8 * LARGE_N];
    memset(keep, 1, n);
    uint8_t *x = guard_place(&input, n_bytes, at_end, offset);
    uint8_t *y = is_nontemporal(name) ? guard_at_start(&output, n_bytes, 0)
                                      : guard_place(&output, n_bytes, at_end, 3 * offset % 64);
    fill_awkward(dtype, x, n, n + offset);
    ref_apply(dtype, keep, n, x, expected, &value);
    guard_readonly(&input, true);
    scale(n, x, y, &factor);
    guard_readonly(&input, false);
    assert_same_bytes(y, expected, n_bytes, "%s: n %zu, offset %zu", name, n, offset);
    assert_true(guard_intact(&output));
}

/* All 65,536 values of a 16-bit type, by factors that meet ties, overflow and every kind of subnormal. */
static void scale_all_narrow(dropwise_scale_fn *scale, const char *name)
{
    enum { ALL = 65536 };
    static const double factors[] = {1.0,       0.5,          2.0,    1.0 / 0.9,      1.0 / 3,
                                     0.0003662, 1.0009765625, 1000.1, 1099511627776.0};
    static uint16_t x[ALL], expected[ALL];
    static _Alignas(DROPWISE_NT_ALIGN) uint16_t y[ALL];
    static uint8_t keep[ALL];
    const ref_dtype dtype = dtype_of(name);
    memset(keep, 1, sizeof keep);
    for (unsigned i = 0; i < ALL; i++)
        x[i] = (uint16_t)i;
    for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++) {
        const any_scale factor = scale_for(dtype, factors[f]);
        ref_apply(dtype, keep, ALL, x, expected, &factors[f]);
        scale(ALL, x, y, &factor);
        assert_same_bytes(y, expected, sizeof y, "%s: every value times %g", name, factors[f]);
    }
}

void check_scale(dropwise_scale_fn *scale, const char *name)
{
    for (size_t i = 0; i < n_sizes(); i++)
        for (int at_end = 0; at_end < 2; at_end++)
            scale_case(scale, name, size_number(i), at_end, 0);
    for (size_t offset = 0; offset < 64; offset++)
        scale_case(scale, name, 150 + offset, false, offset);
    if (ref_bytes(dtype_of(name)) == 2 && !is_nontemporal(name))
        scale_all_narrow(scale, name);
}

void check_nonzero(dropwise_nonzero_fn *nonzero, const char *name)
{
    const size_t bytes = ref_bytes(dtype_of(name));
    for (size_t i = 0; i < n_sizes(); i++) {
        const size_t n = size_number(i);
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t keep[LARGE_N], expected[LARGE_N];
            uint8_t *x = guard_place(&input, n * bytes, at_end, i % 64);
            uint8_t *bits = guard_place(&output, (n + 7) / 8, at_end, i % 64);
            uint64_t state = i;
            memset(x, 0, n * bytes);
            for (size_t j = 0; j < n; j++) {
                const uint64_t r = noise(&state); /* a single bit, anywhere, is enough */
                keep[j] = r % 2 != 0;
                if (keep[j])
                    x[j * bytes + (r >> 8) % bytes] = (uint8_t)(1u << (r >> 16) % 8);
            }
            ref_pack(keep, n, expected);
            guard_readonly(&input, true);
            nonzero(n, x, bits);
            guard_readonly(&input, false);
            assert_same_bytes(bits, expected, (n + 7) / 8, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

void check_clear(dropwise_clear_fn *clear, const char *name)
{
    static const uint8_t zeros[LARGE_N];
    for (size_t i = 0; i < n_sizes(); i++) {
        const size_t n = size_number(i);
        uint8_t *y = guard_at_start(&output, n, i % 4 * DROPWISE_NT_ALIGN);
        clear(n, y);
        assert_same_bytes(y, zeros, n, "%s: n %zu", name, n);
        assert_true(guard_intact(&output));
    }
}

/* The dtype that a name ends in, for the narrow ones: widen_f8_e4m3, narrow_f8_e4m3_sat. */
static ref_dtype narrow_dtype_of(const char *name)
{
    for (ref_dtype dtype = REF_F16; dtype < REF_DTYPES; dtype++)
        if (strcmp(strchr(name, '_') + 1, dtype_name(dtype)) == 0)
            return dtype;
    fail_msg("%s names no dtype", name);
    return REF_F16;
}

/* Element i of an array of elements of one or two bytes. */
static void store_code(uint8_t *array, size_t i, size_t bytes, unsigned code)
{
    const uint16_t two = (uint16_t)code;
    const uint8_t one = (uint8_t)code;
    memcpy(array + i * bytes, bytes == 2 ? (const void *)&two : &one, bytes);
}

/* Every value of the type, then every size and alignment. */
void check_widen(dropwise_widen_fn *widen, const char *name)
{
    const ref_dtype dtype = narrow_dtype_of(name);
    const size_t bytes = ref_bytes(dtype);
    static float expected[65536], wide[65536];
    static uint8_t all[2 * 65536];
    const size_t n_all = bytes == 2 ? 65536 : 256;
    for (unsigned i = 0; i < n_all; i++) {
        store_code(all, i, bytes, i);
        expected[i] = ref_widen(dtype, i);
        /* What a quiet NaN is made of may wait until it is used. */
        if (dtype == REF_BF16)
            memcpy(&expected[i], &(uint32_t){(uint32_t)i << 16}, 4);
    }
    widen(n_all, all, wide);
    assert_same_bytes(wide, expected, n_all * 4, "%s: every value", name);
    for (size_t n = 0; n <= 70; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *x = guard_place(&input, n * bytes, at_end, n % 64);
            float *out = (float *)(void *)guard_place(&output, n * 4, at_end, n % 16 * 4);
            memcpy(x, all + 37 * bytes, n * bytes);
            guard_readonly(&input, true);
            widen(n, x, out);
            guard_readonly(&input, false);
            assert_same_bytes(out, expected + 37, n * 4, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
        }
    }
}

/* Every value of the type, halfway between each and its neighbours and a bit off that, and noise. */
void check_narrow(dropwise_narrow_fn *narrow, const char *name)
{
    const ref_dtype dtype = narrow_dtype_of(name);
    const size_t bytes = ref_bytes(dtype);
    enum { N = 40000 };
    static float in[N];
    static uint8_t expected[2 * N], out[2 * N];
    uint64_t state = 7;
    for (size_t i = 0; i < N; i++) {
        const uint64_t r = noise(&state);
        const unsigned code = (unsigned)(r & (bytes == 2 ? 0xFFFF : 0xFF));
        const float value = ref_widen(dtype, code), above = ref_widen(dtype, code + 1);
        uint32_t u = (uint32_t)(r >> 16);
        if (i % 4 != 3) {
            const float middle = value + (above - value) / 2;
            memcpy(&u, i % 4 == 0 ? &value : &middle, 4);
            u += i % 4 == 2 ? (uint32_t)(r >> 48) % 3 - 1 : 0;
        }
        memcpy(&in[i], &u, 4);
        store_code(expected, i, bytes, ref_narrow(dtype, in[i]));
    }
    narrow(N, in, out);
    assert_same_bytes(out, expected, N * bytes, "%s", name);
    for (size_t n = 0; n <= 70; n++) {
        for (int at_end = 0; at_end < 2; at_end++) {
            float *x = (float *)(void *)guard_place(&input, n * 4, at_end, n % 16 * 4);
            uint8_t *y = guard_place(&output, n * bytes, at_end, n % 64);
            memcpy(x, in + 100, n * 4);
            guard_readonly(&input, true);
            narrow(n, x, y);
            guard_readonly(&input, false);
            assert_same_bytes(y, expected + 100 * bytes, n * bytes, "%s: n %zu", name, n);
            assert_true(guard_intact(&output));
            narrow(n, x, x);
            assert_same_bytes((uint8_t *)x, expected + 100 * bytes, n * bytes, "%s: n %zu, in place", name,
                              n);
        }
    }
}
