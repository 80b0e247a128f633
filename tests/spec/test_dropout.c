/*
 * The public functions on every tier against the oracle, bit for bit: sizes, alignments, places in the
 * index range, probabilities, awkward data, in place and apart, bits stored and redrawn, ranges split
 * anywhere, several threads, and floating-point environments.
 */
#include <fenv.h>
#include <pthread.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "support/common.h"
#include "tiers/dispatch.h"

enum { SMALL = 4 * 64 + 1, MARGIN = 128 };
#define SEED UINT64_C(0x0123456789ABCDEF)
#define STREAM UINT64_C(0xFEDCBA9876543210)

static const double probabilities[] = {0.0, 0x1p-41,     0x1p-40,       0.1, 1.0 / 3,
                                       0.5, 255.0 / 256, 1.0 - 0x1p-40, 1.0};
enum { N_PROBABILITIES = sizeof probabilities / sizeof probabilities[0] };

static guard_arena x_arena, y_arena, bits_arena;

static dropwise_mask mask_of(double p)
{
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, p, SEED, STREAM), DROPWISE_OK);
    return mask;
}

/* What the oracle says of a case. */
typedef struct expectation {
    double p;
    uint64_t first;
    const uint8_t *keep; /* a byte for each element from first on */
    bool standard;
    ref_dtype dtype;
} expectation;

/* All calls of the library on one range must agree with the oracle. */
static void check_range(const expectation *e, size_t n, bool at_end, size_t offset)
{
    static uint8_t *expected, *expected_bits;
    static size_t capacity;
    if (capacity < n + 1) {
        capacity = n + 1;
        expected = realloc(expected, 8 * capacity);
        expected_bits = realloc(expected_bits, capacity);
    }
    const ref_mask ref = ref_mask_of(e->p, SEED, STREAM);
    dropwise_mask mask = mask_of(e->p);
    assert_true(mask.keep_threshold == ref.threshold);
    mask.scaling = e->standard ? DROPWISE_SCALING_STANDARD : DROPWISE_SCALING_INVERTED;
    const double inverted = ref.threshold != 0 ? ref_inverted_scale(&ref) : 0;
    const dropwise_dtype dtype = dtype_number(e->dtype);
    const size_t size = n * ref_bytes(e->dtype);
    const bool copies = e->standard || ref.threshold == UINT64_C(1) << 40;

    const size_t n_bytes = (n + 7) / 8;
    uint8_t *x = guard_place(&x_arena, size, at_end, offset);
    fill_awkward(e->dtype, x, n, n + offset);
    ref_apply(e->dtype, e->keep, n, x, expected, copies ? NULL : &inverted);
    ref_pack(e->keep, n, expected_bits);

#define WHERE \
    "%s, p %g, first %llu, n %zu, offset %zu", dtype_name(e->dtype), e->p, (unsigned long long)e->first, n, \
        offset
    uint8_t *bits = guard_place(&bits_arena, n_bytes, at_end, offset);
    assert_int_equal(dropwise_draw_bits(&mask, e->first, n, bits), DROPWISE_OK);
    assert_same_bytes(bits, expected_bits, n_bytes, "draw_bits, " WHERE);
    assert_true(guard_intact(&bits_arena));

    /* Forward: apart without and with bits, and in place. */
    guard_readonly(&x_arena, true);
    uint8_t *y = guard_place(&y_arena, size, at_end, offset / 2);
    assert_int_equal(dropwise_forward(&mask, dtype, e->first, n, x, y, NULL), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "forward, " WHERE);
    assert_true(guard_intact(&y_arena));

    y = guard_place(&y_arena, size, at_end, 3 * offset % 64);
    bits = guard_place(&bits_arena, n_bytes, at_end, offset);
    assert_int_equal(dropwise_forward(&mask, dtype, e->first, n, x, y, bits), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "forward with bits, " WHERE);
    assert_same_bytes(bits, expected_bits, n_bytes, "bits of forward, " WHERE);
    assert_true(guard_intact(&y_arena) && guard_intact(&bits_arena));

    y = guard_place(&y_arena, size, at_end, offset);
    if (n != 0)
        memcpy(y, x, size);
    assert_int_equal(dropwise_forward(&mask, dtype, e->first, n, y, y, NULL), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "forward in place, " WHERE);
    assert_true(guard_intact(&y_arena));

    /* Backward: drawn again, and from the stored bits, apart and in place. */
    y = guard_place(&y_arena, size, at_end, offset);
    assert_int_equal(dropwise_backward(&mask, dtype, e->first, n, x, y, NULL), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "backward, " WHERE);

    guard_readonly(&bits_arena, true);
    y = guard_place(&y_arena, size, at_end, offset);
    assert_int_equal(dropwise_backward(&mask, dtype, e->first, n, x, y, bits), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "backward from bits, " WHERE);
    if (n != 0)
        memcpy(y, x, size);
    assert_int_equal(dropwise_backward(&mask, dtype, e->first, n, y, y, bits), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "backward from bits in place, " WHERE);
    guard_readonly(&bits_arena, false);

    /* Inference. */
    static uint8_t *everything;
    static size_t everything_size;
    if (everything_size < n) {
        everything = realloc(everything, n);
        everything_size = n;
    }
    if (n != 0) /* p = 1 and standard scaling: nothing is left, of NaN and infinity neither */
        memset(everything, !(e->standard && ref.threshold == 0), n);
    const double standard = ref_standard_scale(&ref);
    const bool plain = !e->standard || ref.threshold == UINT64_C(1) << 40;
    ref_apply(e->dtype, everything, n, x, expected, plain ? NULL : &standard);
    y = guard_place(&y_arena, size, at_end, offset);
    assert_int_equal(dropwise_infer(&mask, dtype, n, x, y), DROPWISE_OK);
    assert_same_bytes(y, expected, size, "infer, " WHERE);
    assert_true(guard_intact(&y_arena));
    guard_readonly(&x_arena, false);
#undef WHERE
}

static void setup_arenas(size_t n)
{
    x_arena = guard_new(8 * n + MARGIN);
    y_arena = guard_new(8 * n + MARGIN);
    bits_arena = guard_new(n / 8 + 1 + MARGIN);
}

static void free_arenas(void)
{
    guard_free(&x_arena);
    guard_free(&y_arena);
    guard_free(&bits_arena);
}

/* ---- Sizes, alignments, places ---- */

static const uint64_t firsts[] = {
    0,
    1,
    14,
    15,
    16,
    17,
    31,
    (UINT64_C(1) << 31) - 100,
    UINT64_C(1) << 31,
    (UINT64_C(1) << 32) - 129,
    (UINT64_C(1) << 32) - 1,
    UINT64_C(1) << 32,
    (UINT64_C(1) << 34) - 77,
    UINT64_C(1) << 34, /* the tie block's low word wraps  */
    (UINT64_C(1) << 36) - 200,
    (UINT64_C(1) << 36) - 16,
    UINT64_C(1) << 36, /* the mask block's */
    UINT64_C(0x0123456789ABCDE),
    (UINT64_C(1) << 60) - SMALL,
};
enum { N_FIRSTS = sizeof firsts / sizeof firsts[0] };

static void every_call_on_a_range_agrees_with_the_oracle_at_any_size_and_place(void **state)
{
    (void)state;
    static uint8_t keep_of[N_PROBABILITIES][N_FIRSTS][SMALL];
    for (size_t p = 0; p < N_PROBABILITIES; p++) {
        const ref_mask ref = ref_mask_of(probabilities[p], SEED, STREAM);
        for (size_t f = 0; f < N_FIRSTS; f++)
            ref_keep_range(&ref, firsts[f], SMALL, keep_of[p][f]);
    }
    setup_arenas(SMALL);
    for (size_t p = 0; p < N_PROBABILITIES; p++) {
        for (size_t f = 0; f < N_FIRSTS; f++) {
            expectation e = {probabilities[p], firsts[f], keep_of[p][f], (p + f) % 3 == 0, REF_F32};
            /* Every size for a few of the cases, a stride through them for the others. */
            const bool all = !quick() && (f % 2 == 1 || probabilities[p] == 0.1);
            for (size_t n = all ? 0 : (p + f) % 13; n <= SMALL; n += all ? 1 : 17)
                check_range(&e, n, n % 2, 4 * (n % 16));
            check_range(&e, SMALL, true, 0);
            for (e.dtype = REF_F64; e.dtype < REF_DTYPES; e.dtype++)
                for (size_t n = (p + f) % 7; n <= SMALL; n += quick() ? 83 : 11)
                    check_range(&e, n, n % 2, n % 64);
        }
        for (size_t offset = 0; offset < 64; offset++) {
            expectation e = {probabilities[p], firsts[3], keep_of[p][3], offset % 2, REF_F32};
            for (; e.dtype < REF_DTYPES; e.dtype++)
                check_range(&e, 130 + offset, false, offset);
        }
    }
    free_arenas();
}

/* As selection, not by a product: so what was no number, or infinite, is zero all the same, and no -0. */
static void dropped_elements_are_plus_zero_whatever_x_was(void **state)
{
    (void)state;
    enum { N = 1000 };
    const dropwise_mask mask = mask_of(0.5);
    const ref_mask ref = ref_mask_of(0.5, SEED, STREAM);
    for (ref_dtype dtype = REF_F32; dtype < REF_DTYPES; dtype++) {
        static const uint8_t plus_zero[8];
        uint8_t x[8 * N], y[8 * N];
        const size_t bytes = ref_bytes(dtype);
        fill_awkward(dtype, x, N, dtype);
        assert_int_equal(dropwise_forward(&mask, dtype_number(dtype), 0, N, x, y, NULL), DROPWISE_OK);
        for (size_t i = 0; i < N; i++)
            if (!ref_keep(&ref, i))
                assert_same_bytes(y + i * bytes, plus_zero, bytes, "%s, element %zu", dtype_name(dtype), i);
    }
}

/* ---- Large ranges: many chunks, ties, streaming stores ---- */

/* 4 MiB and more are nontemporal, as tests begin with small caches. */
enum { MEDIUM = 100003, LARGE = (1 << 20) + 70001, LARGE_NARROW = (1 << 21) + 70001 };

#define LARGE_FIRST ((UINT64_C(1) << 36) - 50000)

static void large_ranges_agree_with_the_oracle_wherever_y_lies(void **state)
{
    (void)state;
    const ref_mask ref = ref_mask_of(0.1, SEED, STREAM);
    const size_t n = quick() ? LARGE : LARGE_NARROW;
    uint8_t *large_keep = malloc(n);
    assert_non_null(large_keep);
    ref_keep_range(&ref, LARGE_FIRST, n, large_keep);
    setup_arenas(n);
    expectation e = {0.1, LARGE_FIRST, large_keep, false, REF_F32};
    check_range(&e, MEDIUM, true, 0);
    check_range(&e, 4096, true, 0);
    check_range(&e, 4097, false, 4);
    /* Streamed; from a y that is aligned for it, that needs a head, and that cannot be. */
    check_range(&e, LARGE, false, 0);
    /* The sizes of caches change no bit: from the smallest all is far, and nothing goes past endless ones. */
    static const size_t caches[] = {1, SIZE_MAX};
    for (int i = 0; i < 2; i++) {
        atomic_store(&dropwise_known_cached_bytes, caches[i]);
        check_range(&e, MEDIUM, false, 16);
        check_range(&e, LARGE, false, 16);
        check_range(&(expectation){0.1, LARGE_FIRST, large_keep, false, REF_F8_E4M3}, LARGE, false, 1);
    }
    atomic_store(&dropwise_known_cached_bytes, 1 << 20);
    if (!quick()) {
        check_range(&e, LARGE, true, 0);
        check_range(&e, LARGE, false, 40);
        check_range(&e, LARGE, false, 2);
        e.standard = true;
        check_range(&e, LARGE, false, 32);
        check_range(&(expectation){0.1, LARGE_FIRST, large_keep, false, REF_F64}, LARGE / 2, false, 8);
        check_range(&(expectation){0.1, LARGE_FIRST, large_keep, false, REF_F16}, LARGE_NARROW, false, 0);
        check_range(&(expectation){0.1, LARGE_FIRST, large_keep, false, REF_BF16}, LARGE_NARROW, true, 0);
        check_range(&(expectation){0.1, LARGE_FIRST, large_keep, true, REF_BF16}, LARGE_NARROW, false, 2);
    }
    for (e.dtype = REF_F64; e.dtype < REF_DTYPES; e.dtype++) {
        e.standard = false;
        check_range(&e, 8200, false, 16);
    }
    free_arenas();
    free(large_keep);
}

/* A threshold byte that all 256 values take, so that ties of each are met. */
static void ties_of_every_threshold_byte_are_settled_as_by_the_oracle(void **state)
{
    (void)state;
    enum { N = 700 };
    for (unsigned t = 0; t < 256; t += quick() ? 17 : 1) {
        dropwise_mask mask = mask_of(0.5);
        mask.keep_threshold = (uint64_t)t << 32 | 0x80000000u;
        const ref_mask ref = {SEED, STREAM, mask.keep_threshold, REF_PHILOX4X32_10};
        uint8_t keep[N], expected[N], bits[N];
        ref_keep_range(&ref, 1000 * t, N, keep);
        ref_pack(keep, N, expected);
        assert_int_equal(dropwise_draw_bits(&mask, 1000 * t, N, bits), DROPWISE_OK);
        assert_same_bytes(bits, expected, (N + 7) / 8, "threshold byte %u", t);
    }
}

/*
 * The edge of a tie: with the threshold's upper part equal to an element's byte and its lower part equal to
 * the element's tie word, the element is dropped; with one more it is kept. Chance would never meet this.
 */
static void a_threshold_equal_to_an_elements_number_drops_it_and_one_more_keeps_it(void **state)
{
    (void)state;
    for (uint64_t i = UINT64_C(1) << 33; i < (UINT64_C(1) << 33) + 100; i++) {
        uint8_t block[16], tie[16];
        ref_block(SEED, STREAM, i / 16, block);
        ref_block(SEED, STREAM, i / 4 | UINT64_C(1) << 60, tie);
        uint64_t word = 0;
        for (int b = 3; b >= 0; b--)
            word = word << 8 | tie[i % 4 * 4 + (uint64_t)b];
        dropwise_mask mask = mask_of(0.5);
        for (int above = 0; above < 2; above++) {
            uint8_t bits;
            mask.keep_threshold = ((uint64_t)block[i % 16] << 32) + word + (uint64_t)above;
            assert_int_equal(dropwise_draw_bits(&mask, i, 1, &bits), DROPWISE_OK);
            assert_int_equal(bits, above);
        }
    }
}

/* ---- Splitting ---- */

enum { SPLIT_N = 9000 };

static void a_range_cut_anywhere_gives_the_same_bits(void **state)
{
    (void)state;
    const uint64_t first = (UINT64_C(1) << 34) - 4500;
    const dropwise_mask mask = mask_of(0.1);
    static float x[SPLIT_N], whole[SPLIT_N], parts[SPLIT_N];
    static uint8_t whole_bits[SPLIT_N / 8 + 1], parts_bits[SPLIT_N / 8 + 1];
    for (size_t i = 0; i < SPLIT_N; i++)
        x[i] = 1 + (float)i;
    assert_int_equal(dropwise_forward_f32(&mask, first, SPLIT_N, x, whole, whole_bits), DROPWISE_OK);
    for (size_t k = 0; k <= SPLIT_N; k += k < 300 ? 1 : quick() ? 1013 : 101) {
        assert_int_equal(dropwise_forward_f32(&mask, first, k, x, parts, NULL), DROPWISE_OK);
        assert_int_equal(dropwise_forward_f32(&mask, first + k, SPLIT_N - k, x + k, parts + k, NULL),
                         DROPWISE_OK);
        assert_same_bytes(parts, whole, sizeof whole, "split at %zu", k);
        const size_t k8 = k / 8 * 8;
        assert_int_equal(dropwise_draw_bits(&mask, first, k8, parts_bits), DROPWISE_OK);
        assert_int_equal(dropwise_draw_bits(&mask, first + k8, SPLIT_N - k8, parts_bits + k8 / 8),
                         DROPWISE_OK);
        assert_same_bytes(parts_bits, whole_bits, (SPLIT_N + 7) / 8, "bits split at %zu", k8);
    }
}

/* ---- Threads ---- */

enum { THREADS = 4, THREAD_N = 40000 };

typedef struct job {
    size_t from, to;
    const float *x;
    float *y;
} job;

static void *run_job(void *arg)
{
    const job *j = arg;
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, 0.3, SEED, STREAM) != DROPWISE_OK ||
        dropwise_forward_f32(&mask, j->from, j->to - j->from, j->x + j->from, j->y + j->from, NULL) !=
            DROPWISE_OK)
        return arg;
    return NULL;
}

static void threads_that_share_a_range_give_the_same_bits(void **state)
{
    (void)state;
    static float x[THREAD_N], whole[THREAD_N], parts[THREAD_N];
    for (size_t i = 0; i < THREAD_N; i++)
        x[i] = 1 + (float)i;
    const dropwise_mask mask = mask_of(0.3);
    assert_int_equal(dropwise_forward_f32(&mask, 0, THREAD_N, x, whole, NULL), DROPWISE_OK);
    job jobs[THREADS];
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        jobs[t] = (job){t * 10007, t + 1 < THREADS ? (t + 1) * 10007 : THREAD_N, x, parts};
        assert_int_equal(pthread_create(&threads[t], NULL, run_job, &jobs[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        void *failed;
        assert_int_equal(pthread_join(threads[t], &failed), 0);
        assert_null(failed);
    }
    assert_same_bytes(parts, whole, sizeof whole, "threads");
}

/* ---- Floating-point environment ---- */

static void another_rounding_mode_gives_the_same_bits_and_stays(void **state)
{
    (void)state;
    enum { N = 1000 };
    uint8_t expected[N / 8], bits[N / 8];
    for (size_t p = 0; p < N_PROBABILITIES; p++) {
        dropwise_mask mask = mask_of(probabilities[p]);
        assert_int_equal(dropwise_draw_bits(&mask, 77, N, expected), DROPWISE_OK);

        assert_int_equal(fesetround(FE_TOWARDZERO), 0);
#if defined(__x86_64__)
        const unsigned csr = _mm_getcsr() | 0x8040; /* flush results, denormals are zero */
        _mm_setcsr(csr);
#endif
        mask = mask_of(probabilities[p]);
        const dropwise_status status = dropwise_draw_bits(&mask, 77, N, bits);
        const int rounding = fegetround();
#if defined(__x86_64__)
        const unsigned csr_after = _mm_getcsr();
        _mm_setcsr(csr & ~0x8040u);
        /* But for the sticky exception flags, which arithmetic may raise. */
        assert_int_equal(csr_after & ~0x3Fu, csr & ~0x3Fu);
#endif
        assert_int_equal(fesetround(FE_TONEAREST), 0);
        assert_int_equal(status, DROPWISE_OK);
        assert_int_equal(rounding, FE_TOWARDZERO);
        assert_same_bytes(bits, expected, sizeof bits, "p %g in another environment", probabilities[p]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_on_a_range_agrees_with_the_oracle_at_any_size_and_place),
        cmocka_unit_test(dropped_elements_are_plus_zero_whatever_x_was),
        cmocka_unit_test(large_ranges_agree_with_the_oracle_wherever_y_lies),
        cmocka_unit_test(ties_of_every_threshold_byte_are_settled_as_by_the_oracle),
        cmocka_unit_test(a_threshold_equal_to_an_elements_number_drops_it_and_one_more_keeps_it),
        cmocka_unit_test(a_range_cut_anywhere_gives_the_same_bits),
        cmocka_unit_test(threads_that_share_a_range_give_the_same_bits),
        cmocka_unit_test(another_rounding_mode_gives_the_same_bits_and_stays),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
