/*
 * Masks and outputs that other systems drew on a GPU, and torch.compile on a CPU too: the library on every
 * tier, and the oracle, against the files that make_gpu_masks.py and make_interpreted_masks.py write.
 */
#include "dropwise_interop.h"

#include <inttypes.h>
#include <math.h>

#include "support/common.h"
#include "curand_numbers.h" /* the text of data/curand_numbers.txt, and so on */
#include "flash_attention_masks.h"
#include "inductor_cpu_2_12_masks.h"
#include "inductor_cpu_masks.h"
#include "inductor_gpu_masks.h"
#include "inductor_interpreted_masks.h"
#include "support/interop_make.h"
#include "jax_masks.h"
#include "torch_cuda_masks.h"
#include "triton_masks.h"

/* ---- Rows ---- */

enum { MAX_FIELDS = 48, MAX_LINE = 2048, VALUES = 32, WINDOW = 64 };

typedef struct row {
    const char *line;
    const char *fields[MAX_FIELDS];
    size_t n;
} row;

/* Whose masks are held against the file. */
static enum { LIBRARY, ORACLE } subject;

static const char *field(const row *r, size_t i)
{
    if (i >= r->n)
        fail_msg("too short: %s", r->line);
    return r->fields[i];
}

static bool is(const row *r, size_t i, const char *word)
{
    return strcmp(field(r, i), word) == 0;
}

static uint64_t whole(const row *r, size_t i)
{
    char *end;
    const uint64_t value = strtoull(field(r, i), &end, 10);
    if (*end != 0)
        fail_msg("%s is not a whole number: %s", field(r, i), r->line);
    return value;
}

static uint64_t hexadecimal(const row *r, size_t i)
{
    return strtoull(field(r, i), NULL, 16);
}

static double real(const row *r, size_t i)
{
    return strtod(field(r, i), NULL);
}

static ref_dtype dtype(const row *r, size_t i)
{
    for (ref_dtype d = REF_F32; d <= REF_BF16; d++)
        if (is(r, i, dtype_name(d)))
            return d;
    fail_msg("no dtype: %s", r->line);
    return REF_F32;
}

/* Calls test for each row of a file; comments are none. Returns how many there were. */
static size_t for_each_row(const char *text, void (*test)(const row *r))
{
    size_t rows = 0;
    for (size_t length; *text != 0; text += length + (text[length] != 0)) {
        char line[MAX_LINE], words[MAX_LINE];
        length = strcspn(text, "\n");
        assert_true(length < MAX_LINE);
        if (*text == '#')
            continue;
        memcpy(line, text, length);
        line[length] = 0;
        memcpy(words, line, length + 1);
        row r = {.line = line};
        for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
            assert_true(r.n < MAX_FIELDS);
            r.fields[r.n++] = word;
        }
        test(&r);
        rows++;
    }
    return rows;
}

static void check_file(const char *text, void (*test)(const row *r), size_t rows)
{
    if (dropwise_isa_active() == DROPWISE_ISA_SCALAR) { /* once: no tier makes a difference to the oracle */
        subject = ORACLE;
        assert_int_equal(for_each_row(text, test), rows);
    }
    subject = LIBRARY;
    assert_int_equal(for_each_row(text, test), rows);
}

/* ---- Masks ---- */

/* Whether a causal mask hides what lies above the diagonal; it is 0 in the file. */
static bool is_causal;

static void draw(const row *r, const ref_interop *given, uint64_t first, size_t n, uint8_t *bits)
{
    if (subject == LIBRARY) {
        dropwise_interop interop;
        if (make_interop(given, &interop) != DROPWISE_OK ||
            dropwise_interop_bits(&interop, first, n, bits) != DROPWISE_OK)
            fail_msg("not drawn: %s", r->line);
    } else {
        memset(bits, 0, (n + 7) / 8);
        for (size_t i = 0; i < n; i++)
            bits[i / 8] = (uint8_t)(bits[i / 8] | ref_interop_keep(given, first + i) << i % 8);
    }
    for (size_t i = 0; is_causal && i < n; i++)
        if ((first + i) % given->columns > (first + i) / given->columns % given->rows)
            bits[i / 8] = (uint8_t)(bits[i / 8] & ~(1u << i % 8));
}

static void check_digits(const row *r, const ref_interop *given, uint64_t first, const char *digits)
{
    const size_t n = strlen(digits);
    uint8_t keep[WINDOW], expected[WINDOW / 8], bits[WINDOW / 8];
    assert_true(n <= WINDOW);
    for (size_t i = 0; i < n; i++)
        keep[i] = digits[i] == '1';
    ref_pack(keep, n, expected);
    draw(r, given, first, n, bits);
    assert_same_bytes(bits, expected, (n + 7) / 8, "elements from %" PRIu64 ": %s", first, r->line);
}

/*
 * A mask's five fields, from field `at` on: elements, hash, and three windows. The oracle draws long masks in
 * windows only, and emulated tiers do.
 */
static void check_mask(const row *r, const ref_interop *given, uint64_t first, size_t at)
{
    const uint64_t n = whole(r, at);
    const size_t most = subject == LIBRARY ? (quick() ? 300000 : SIZE_MAX) : (quick() ? 2000 : 70000);
    if (n <= most) {
        uint8_t *bits = malloc((n + 7) / 8);
        assert_non_null(bits);
        draw(r, given, first, n, bits);
        const uint64_t hash = ref_hash(REF_HASH_START, bits, (n + 7) / 8);
        free(bits);
        if (hash != hexadecimal(r, at + 1))
            fail_msg("another mask: %s", r->line);
    }
    check_digits(r, given, first, field(r, at + 2));
    check_digits(r, given, first + n / 2, field(r, at + 3));
    check_digits(r, given, first + n - strlen(field(r, at + 4)), field(r, at + 4));
}

/* ---- Outputs ---- */

/* The values of each dtype that the file lists; results are made of these. */
static unsigned char values[REF_DTYPES][8 * VALUES];

/* VALUES numbers, from field `at` on, as their bits. */
static void read_values(const row *r, ref_dtype d, size_t at, unsigned char *out)
{
    assert_int_equal(r->n, at + VALUES);
    for (size_t i = 0; i < VALUES; i++) {
        const uint64_t u64 = hexadecimal(r, at + i);
        const uint32_t u32 = (uint32_t)u64;
        const uint16_t u16 = (uint16_t)u64;
        const size_t bytes = ref_bytes(d);
        memcpy(out + bytes * i, bytes == 8 ? (void *)&u64 : bytes == 4 ? (void *)&u32 : (void *)&u16, bytes);
    }
}

/* What becomes of the values: by the library, or by the oracle with a scale, or with its own if 0. */
static void check_output(const row *r, const ref_interop *given, size_t at, double scale)
{
    const ref_dtype d = given->dtype;
    unsigned char expected[8 * VALUES], y[8 * VALUES];
    read_values(r, d, at, expected);
    if (subject == LIBRARY) {
        dropwise_interop interop;
        assert_int_equal(make_interop(given, &interop), DROPWISE_OK);
        assert_int_equal(dropwise_interop_forward(&interop, dtype_number(d), 0, VALUES, values[d], y, NULL),
                         DROPWISE_OK);
    } else {
        uint8_t keep[VALUES];
        for (size_t i = 0; i < VALUES; i++)
            keep[i] = (uint8_t)ref_interop_keep(given, i);
        if (scale == 0)
            scale = ref_interop_scale(given);
        ref_apply(d, keep, VALUES, values[d], y, &scale);
    }
    assert_same_bytes(y, expected, VALUES * ref_bytes(d), "%s", r->line);
}

/* ---- PyTorch ---- */

static uint32_t sm_count, threads_per_sm;

/* What a call on n elements draws with; vector as for dense data that is aligned to 16 bytes. */
static ref_interop torch_cuda(ref_dtype d, uint64_t n, double p, uint64_t seed, uint64_t offset,
                              uint64_t wanted_step)
{
    uint32_t threads, vector;
    uint64_t step;
    assert_int_equal(
        dropwise_torch_cuda_launch(dtype_number(d), n, sm_count, threads_per_sm, &threads, &vector, &step),
        DROPWISE_OK);
    assert_int_equal(p == 0 || p == 1 ? 0 : step, wanted_step);
    return (ref_interop){
        DROPWISE_LAYOUT_TORCH_CUDA, .dtype = d,      .p = p, .seed = seed, .offset = offset, .size = n,
        .threads = threads,         .vector = vector};
}

static void torch_cuda_row(const row *r)
{
    if (is(r, 0, "device")) {
        sm_count = (uint32_t)whole(r, 1);
        threads_per_sm = (uint32_t)whole(r, 2);
    } else if (is(r, 0, "x")) {
        read_values(r, dtype(r, 1), 2, values[dtype(r, 1)]);
    } else if (is(r, 0, "mask")) {
        const uint64_t n = whole(r, 8), alignment = whole(r, 3);
        ref_interop given = torch_cuda(dtype(r, 2), n, real(r, 4), whole(r, 5), whole(r, 6), whole(r, 7));
        if (!is(r, 1, "dense"))
            given.vector = 1;
        while (given.vector > 1 && given.vector * ref_bytes(given.dtype) > alignment)
            given.vector /= 2;
        check_mask(r, &given, 0, 8);
    } else if (is(r, 0, "window")) {
        const ref_interop given =
            torch_cuda(dtype(r, 1), whole(r, 2), real(r, 3), whole(r, 4), whole(r, 5), whole(r, 6));
        check_digits(r, &given, whole(r, 7), field(r, 8));
    } else {
        ref_interop given = torch_cuda(dtype(r, 1), VALUES, real(r, 2), whole(r, 3), whole(r, 4), 4);
        if (is(r, 0, "in-place"))
            given.vector = 1;
        if (is(r, 0, "forward"))
            check_output(r, &given, 5, 0);
        else if (subject == ORACLE) /* these may multiply by the float beside the scale */
            check_output(r, &given, 5, 1.0 / (1.0 - given.p));
    }
}

static void pytorchs_masks_outputs_and_gradients_on_a_gpu_are_drawn_again(void **state)
{
    (void)state;
    check_file(torch_cuda_masks, torch_cuda_row, 249);
}

static void flash_attention_row(const row *r)
{
    const uint64_t heads = whole(r, 4) * whole(r, 5);
    const ref_interop given = {DROPWISE_LAYOUT_FLASH_ATTENTION_2,
                               .p = real(r, 8),
                               .seed = whole(r, 9),
                               .offset = whole(r, 10),
                               .rows = whole(r, 6),
                               .columns = whole(r, 7)};
    assert_int_equal(whole(r, 11), 32 * heads);
    assert_int_equal(whole(r, 12), heads * given.rows * given.columns);
    is_causal = whole(r, 3) != 0;
    check_mask(r, &given, 0, 12);
    is_causal = false;
}

static void flash_attentions_masks_are_drawn_again(void **state)
{
    (void)state;
    check_file(flash_attention_masks, flash_attention_row, 10);
}

static uint32_t inductor;

static void inductor_row(const row *r)
{
    const ref_dtype d = dtype(r, 1);
    if (is(r, 0, "x")) {
        read_values(r, d, 2, values[d]);
        return;
    }
    const ref_interop given = {inductor, .dtype = d, .p = real(r, 2), .seed = whole(r, 4)};
    if (is(r, 0, "mask"))
        check_mask(r, &given, 0, 5);
    else /* forward and backward */
        check_output(r, &given, 5, 0);
}

static void interpreted_row(const row *r)
{
    const bool is_triton = is(r, 3, "triton");
    const ref_interop given = {is_triton               ? DROPWISE_LAYOUT_TRITON
                               : is(r, 3, "pointwise") ? DROPWISE_LAYOUT_INDUCTOR_GPU_2_13
                                                       : DROPWISE_LAYOUT_INDUCTOR_GPU_2_12,
                               .dtype = dtype(r, 1), .p = real(r, 2), .seed = whole(r, 4)};
    check_mask(r, &given, is_triton ? whole(r, 10) : 0, 5);
}

static void torch_compiles_masks_on_a_gpu_are_drawn_again(void **state)
{
    (void)state;
    inductor = DROPWISE_LAYOUT_INDUCTOR_GPU;
    check_file(inductor_gpu_masks, inductor_row, 49);
}

static void torch_compiles_masks_on_a_cpu_are_drawn_again(void **state)
{
    (void)state;
    inductor = DROPWISE_LAYOUT_INDUCTOR_CPU;
    check_file(inductor_cpu_masks, inductor_row, 49);
}

static void torch_compiles_masks_on_a_cpu_since_2_12_are_drawn_again(void **state)
{
    (void)state;
    inductor = DROPWISE_LAYOUT_INDUCTOR_CPU_2_12;
    check_file(inductor_cpu_2_12_masks, inductor_row, 61);
}

static void masks_of_tritons_interpreter_are_drawn_again(void **state)
{
    (void)state;
    check_file(inductor_interpreted_masks, interpreted_row, 36);
}

/* ---- Triton ---- */

/* How many floats lie between two that are not negative. */
static uint64_t floats_between(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* The kernel's own division is off by two floats at most, and the library has its product instead. */
static void check_divided(const row *r, const ref_interop *given)
{
    dropwise_interop interop;
    float y[VALUES];
    assert_int_equal(make_interop(given, &interop), DROPWISE_OK);
    assert_int_equal(dropwise_interop_forward(&interop, DROPWISE_F32, 0, VALUES, values[REF_F32], y, NULL),
                     DROPWISE_OK);
    for (size_t i = 0; i < VALUES; i++) {
        uint32_t bits;
        memcpy(&bits, &y[i], 4);
        if ((bits == 0) != (hexadecimal(r, 3 + i) == 0) || floats_between(bits, hexadecimal(r, 3 + i)) > 2)
            fail_msg("value %zu is %08" PRIx32 ": %s", i, bits, r->line);
    }
}

static void triton_row(const row *r)
{
    if (is(r, 0, "x")) {
        read_values(r, REF_F32, 2, values[REF_F32]);
        return;
    }
    ref_interop given = {DROPWISE_LAYOUT_TRITON, .dtype = REF_F32};
    if (is(r, 0, "mask")) {
        given.seed = whole(r, 2);
        given.p = real(r, 4);
        check_mask(r, &given, whole(r, 3), 5);
    } else if (is(r, 0, "words")) {
        given.seed = whole(r, 2);
        for (uint64_t i = 0; i < 8; i++)
            assert_int_equal(ref_interop_number(&given, whole(r, 3) + i), hexadecimal(r, 4 + i));
    } else {
        given.p = real(r, 1);
        given.seed = whole(r, 2);
        if (is(r, 0, "multiplied"))
            check_output(r, &given, 3, 0);
        else if (subject == LIBRARY)
            check_divided(r, &given);
    }
}

static void tritons_masks_words_and_outputs_are_drawn_again(void **state)
{
    (void)state;
    check_file(triton_masks, triton_row, 47);
}

/* ---- JAX ---- */

static void jax_key_row(const row *r)
{
    uint32_t key[2] = {(uint32_t)whole(r, 2), (uint32_t)whole(r, 3)}, out[2];
    const bool is_legacy = is(r, 1, "jax-legacy");
    if (is(r, 0, "key")) /* without x64, JAX takes the lower half of a seed */
        assert_int_equal(dropwise_jax_key(is(r, 1, "jax-x64") ? whole(r, 2) : (uint32_t)whole(r, 2), out),
                         DROPWISE_OK);
    else if (is(r, 0, "fold_in"))
        assert_int_equal(dropwise_jax_fold_in(key, (uint32_t)whole(r, 4), out), DROPWISE_OK);
    else if (is_legacy)
        assert_int_equal(dropwise_jax_split_legacy(key, (uint32_t)whole(r, 4), (uint32_t)whole(r, 5), out),
                         DROPWISE_OK);
    else
        assert_int_equal(dropwise_jax_split(key, whole(r, 5), out), DROPWISE_OK);
    if (out[0] != whole(r, r->n - 2) || out[1] != whole(r, r->n - 1))
        fail_msg("%" PRIu32 " %" PRIu32 ": %s", out[0], out[1], r->line);
}

static void jax_row(const row *r)
{
    if (is(r, 0, "x")) {
        read_values(r, dtype(r, 1), 2, values[dtype(r, 1)]);
        return;
    }
    ref_interop given = {is(r, 1, "jax-legacy") ? DROPWISE_LAYOUT_JAX_LEGACY : DROPWISE_LAYOUT_JAX,
                         .dtype = REF_F32};
    if (is(r, 0, "mask")) {
        given.seed = whole(r, 2) << 32 | whole(r, 3);
        given.draws = dtype(r, 4);
        given.p = 1.0 - real(r, 5);
        given.size = whole(r, 6);
        check_mask(r, &given, 0, 6);
    } else if (is(r, 0, "forward")) {
        given.dtype = dtype(r, 2);
        given.draws = given.dtype == REF_F64 ? REF_F64 : REF_F32;
        given.p = real(r, 3);
        given.seed = whole(r, 4) << 32 | whole(r, 5);
        check_output(r, &given, 6, 0);
    } else if (subject == LIBRARY) {
        jax_key_row(r);
    }
}

static void jaxs_keys_masks_and_outputs_are_drawn_again(void **state)
{
    (void)state;
    check_file(jax_masks, jax_row, 430);
}

/* ---- cuRAND ---- */

static void curand_row(const row *r)
{
    if (is(r, 0, "device")) {
        ref_interop given = {DROPWISE_LAYOUT_CURAND, .seed = whole(r, 1), .seed2 = whole(r, 2),
                             .offset = whole(r, 3)};
        for (uint64_t i = 0; i < 8; i++) {
            const uint32_t bits = (uint32_t)hexadecimal(r, 12 + i);
            float u;
            memcpy(&u, &bits, 4);
            assert_int_equal(ref_interop_number(&given, i), hexadecimal(r, 4 + i));
            given.p = (double)u;
            check_digits(r, &given, i, "0");
            given.p = (double)nextafterf(u, 0);
            check_digits(r, &given, i, "1");
        }
        return;
    }
    ref_interop given = {DROPWISE_LAYOUT_CURAND_HOST, .seed = whole(r, 2), .offset = whole(r, 3)};
    if (is(r, 0, "mask")) {
        given.p = real(r, 4);
        check_mask(r, &given, 0, 5);
    } else {
        for (uint64_t i = 0; i < 16; i++)
            assert_int_equal(ref_interop_number(&given, i), hexadecimal(r, 4 + i));
    }
}

static void curands_numbers_and_masks_are_drawn_again(void **state)
{
    (void)state;
    check_file(curand_numbers, curand_row, 105);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pytorchs_masks_outputs_and_gradients_on_a_gpu_are_drawn_again),
        cmocka_unit_test(flash_attentions_masks_are_drawn_again),
        cmocka_unit_test(torch_compiles_masks_on_a_gpu_are_drawn_again),
        cmocka_unit_test(torch_compiles_masks_on_a_cpu_are_drawn_again),
        cmocka_unit_test(torch_compiles_masks_on_a_cpu_since_2_12_are_drawn_again),
        cmocka_unit_test(masks_of_tritons_interpreter_are_drawn_again),
        cmocka_unit_test(tritons_masks_words_and_outputs_are_drawn_again),
        cmocka_unit_test(jaxs_keys_masks_and_outputs_are_drawn_again),
        cmocka_unit_test(curands_numbers_and_masks_are_drawn_again),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
