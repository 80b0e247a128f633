/*
 * PyTorch's dropout on a CPU and mt19937: masks, values and states that PyTorch drew, the published
 * generator, jumps against words that are generated, any split into calls, arguments.
 */
#include "dropwise_interop.h"

#include <inttypes.h>
#include <math.h>

#include "interop/mt19937.h"
#include "oracle/reference_interop.h"
#include "support/common.h"
#include "tiers/dispatch.h"
#include "torch_cpu_masks.h" /* the text of data/torch_cpu_masks.txt */

static uint64_t fnv(const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint64_t value = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < n; i++)
        value = (value ^ bytes[i]) * UINT64_C(0x100000001B3);
    return value;
}

static dropwise_mt19937 engine_of(uint32_t seed, uint64_t words)
{
    dropwise_mt19937 engine;
    assert_int_equal(dropwise_mt19937_seed(&engine, seed), DROPWISE_OK);
    assert_int_equal(dropwise_mt19937_skip(&engine, words), DROPWISE_OK);
    return engine;
}

/* ---- What PyTorch and NumPy drew ---- */

static void pytorchs_masks_are_drawn_again(void **state)
{
    (void)state;
    static char text[sizeof torch_cpu_masks];
    memcpy(text, torch_cpu_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        uint64_t seed;
        double p;
        char digits[65];
        if (sscanf(line, "mask %" SCNu64 " %lf %64s", &seed, &p, digits) != 3)
            continue;
        uint8_t bits[8], expected[8], keep[64];
        for (size_t i = 0; i < 64; i++)
            keep[i] = digits[i] == '1';
        ref_pack(keep, 64, expected);
        dropwise_mt19937 engine = engine_of((uint32_t)seed, 0);
        assert_int_equal(dropwise_torch_cpu_bits(&engine, p, 64, bits), DROPWISE_OK);
        assert_same_bytes(bits, expected, 8, "%s", line);
        dropwise_interop interop;
        assert_int_equal(dropwise_interop_torch_cpu(&interop, DROPWISE_F32, seed, 0, p), DROPWISE_OK);
        assert_int_equal(dropwise_interop_bits(&interop, 0, 64, bits), DROPWISE_OK);
        assert_same_bytes(bits, expected, 8, "%s, without an engine", line);
        rows++;
    }
    assert_int_equal(rows, 9);
}

enum { MOST = 70001 };

static void fill_x(ref_dtype dtype, size_t n, uint8_t *x)
{
    for (size_t i = 0; i < n; i++) {
        const double v = i % 50 == 7 ? -0.0 : ((double)(37 * i % 255) - 127) / 8;
        const float f32 = (float)v;
        const uint16_t half = ref_bytes(dtype) == 2 ? (uint16_t)ref_narrow(dtype, f32) : 0;
        if (dtype == REF_F64)
            memcpy(x + 8 * i, &v, 8);
        else if (dtype == REF_F32)
            memcpy(x + 4 * i, &f32, 4);
        else
            memcpy(x + 2 * i, &half, 2);
    }
}

/* What torch.get_rng_state() is after manual_seed. */
static void seeded_state(uint64_t seed, uint8_t *state)
{
    dropwise_mt19937 engine = engine_of((uint32_t)seed, 0);
    memset(state, 0, DROPWISE_TORCH_STATE_BYTES);
    for (size_t b = 0; b < 8; b++)
        state[b] = (uint8_t)(seed >> 8 * b);
    state[8] = state[12] = 1;
    for (size_t i = 0; i < 624; i++)
        put_le32(state + 24 + 8 * i, engine.words[i]);
}

/* Elements in their bytes, little-endian, as PyTorch's were hashed. */
static void little_endian(ref_dtype dtype, uint8_t *y, size_t n)
{
    const uint16_t one = 1;
    const size_t bytes = ref_bytes(dtype);
    for (size_t i = 0; i < n && *(const uint8_t *)&one == 0; i++)
        for (size_t b = 0; b < bytes / 2; b++) {
            const uint8_t other = y[bytes * i + b];
            y[bytes * i + b] = y[bytes * (i + 1) - 1 - b];
            y[bytes * (i + 1) - 1 - b] = other;
        }
}

static void pytorchs_values_and_states_are_those_after_its_calls(void **state)
{
    (void)state;
    static char text[sizeof torch_cpu_masks];
    static uint8_t x[8 * MOST], y[8 * MOST], back[8 * MOST], keep[MOST], bits[MOST / 8 + 1];
    memcpy(text, torch_cpu_masks, sizeof text);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        uint64_t seed, words, n, mask_hash, y_hash, state_hash;
        double p;
        char dtype_text[8];
        if (sscanf(line,
                   "dropout %" SCNu64 " %" SCNu64 " %lf %7s %" SCNu64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
                   &seed, &words, &p, dtype_text, &n, &mask_hash, &y_hash, &state_hash) != 8)
            continue;
        ref_dtype dtype = REF_F32;
        while (strcmp(dtype_name(dtype), dtype_text) != 0)
            dtype++;
        uint8_t torch_state[DROPWISE_TORCH_STATE_BYTES];
        dropwise_mt19937 engine;
        seeded_state(seed, torch_state);
        assert_int_equal(dropwise_mt19937_from_torch(&engine, torch_state, sizeof torch_state), DROPWISE_OK);
        assert_int_equal(dropwise_mt19937_skip(&engine, words), DROPWISE_OK);
        fill_x(dtype, n, x);
        assert_int_equal(dropwise_torch_cpu_forward(&engine, dtype_number(dtype), p, n, x, y, bits),
                         DROPWISE_OK);
        assert_int_equal(dropwise_torch_cpu_apply(dtype_number(dtype), p, n, bits, x, back), DROPWISE_OK);
        assert_same_bytes(back, y, n * ref_bytes(dtype), "%s, applied", line);
        for (size_t i = 0; i < n; i++)
            keep[i] = bits[i / 8] >> i % 8 & 1;
        little_endian(dtype, y, n);
        if (fnv(keep, n) != mask_hash)
            fail_msg("another mask: %s", line);
        if (fnv(y, n * ref_bytes(dtype)) != y_hash)
            fail_msg("other values: %s", line);
        assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, sizeof torch_state), DROPWISE_OK);
        if (fnv(torch_state, sizeof torch_state) != state_hash)
            fail_msg("another state: %s", line);
        rows++;
    }
    assert_int_equal(rows, 68);
}

/* Number 10,000 that std::mt19937 returns by the standard of C++, [rand.predef]. */
static void mt19937_returns_what_the_standard_of_cpp_says(void **state)
{
    (void)state;
    static uint32_t words[10000];
    dropwise_mt19937 engine = engine_of(5489, 0);
    assert_int_equal(dropwise_mt19937_words(&engine, 10000, words), DROPWISE_OK);
    assert_true(words[0] == 3499211612u);
    assert_true(words[9999] == 4123659995u);
}

/* NumPy's jump of 2^128 words, from a polynomial that its authors computed. */
static void a_jump_of_2_to_the_128_is_numpys(void **state)
{
    (void)state;
    static char text[sizeof torch_cpu_masks];
    uint64_t polynomial[MT_JUMP_WORDS];
    memcpy(text, torch_cpu_masks, sizeof text);
    dropwise_mt_power(&mt19937_recurrence, polynomial, 1, 128);
    size_t rows = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        uint32_t seed, words[8], got[8];
        if (sscanf(line,
                   "jump %" SCNu32 " %" SCNx32 " %" SCNx32 " %" SCNx32 " %" SCNx32 " %" SCNx32 " %" SCNx32
                   " %" SCNx32 " %" SCNx32,
                   &seed, &words[0], &words[1], &words[2], &words[3], &words[4], &words[5], &words[6],
                   &words[7]) != 9)
            continue;
        dropwise_mt19937 engine = engine_of(seed, 0);
        dropwise_mt19937_apply(dropwise_active(), engine.words, polynomial);
        /*
         * NumPy jumps from the first word of the block that is used up, of which 31 bits are not of the
         * sequence; so one word that it returns is another one.
         */
        engine.position = 0;
        assert_int_equal(dropwise_mt19937_words(&engine, 8, got), DROPWISE_OK);
        assert_same_bytes(got + 1, words + 1, sizeof words - 4, "%s", line);
        rows++;
    }
    assert_int_equal(rows, 2);
}

/* ---- Against the published generator ---- */

static void words_and_states_are_those_of_the_published_generator(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,   2,   3,   63,  64,  127, 128,  129,  311,
                                   312, 313, 622, 623, 624, 625, 1247, 1248, 5000};
    uint32_t expected_state[624], got[5000], expected[5000];
    unsigned position = 624;
    dropwise_mt19937 engine = engine_of(77, 0);
    ref_mt19937_seed(expected_state, 77);
    for (size_t i = 0; i < 60; i++) {
        const size_t n = sizes[7 * i % 18];
        for (size_t k = 0; k < n; k++)
            expected[k] = ref_mt19937_word(expected_state, &position);
        if (i % 3 == 1) {
            assert_int_equal(dropwise_mt19937_skip(&engine, n), DROPWISE_OK);
        } else {
            assert_int_equal(dropwise_mt19937_words(&engine, n, got), DROPWISE_OK);
            assert_same_bytes(got, expected, 4 * n, "call %zu: %zu words", i, n);
        }
        assert_int_equal(engine.position, position);
        assert_same_bytes(engine.words, expected_state, sizeof expected_state, "the state after call %zu", i);
    }
}

/* NumPy's position may be 0: a block that was made and not begun. */
static void an_engine_may_begin_anywhere(void **state)
{
    (void)state;
    for (uint32_t position = 0; position <= 624; position += 39) {
        uint32_t expected_state[624], got[1000];
        uint8_t keep[1000], expected[125], bits[125];
        dropwise_mt19937 engine = engine_of(3, 0), again;
        engine.position = position;
        again = engine;
        for (int what = 0; what < 2; what++) {
            unsigned at = position;
            ref_mt19937_seed(expected_state, 3);
            for (size_t i = 0; i < 1000; i++) {
                uint64_t number = ref_mt19937_word(expected_state, &at);
                if (what == 0) {
                    if (i == 0)
                        assert_int_equal(dropwise_mt19937_words(&engine, 1000, got), DROPWISE_OK);
                    assert_true(got[i] == number);
                } else {
                    number = number << 32 | ref_mt19937_word(expected_state, &at);
                    keep[i] = ldexp((double)(number & ((UINT64_C(1) << 53) - 1)), -53) < 0.75;
                }
            }
            assert_int_equal((what == 0 ? &engine : &again)->position, what == 0 ? at : position);
        }
        ref_pack(keep, 1000, expected);
        assert_int_equal(dropwise_torch_cpu_bits(&again, 0.25, 1000, bits), DROPWISE_OK);
        assert_same_bytes(bits, expected, 125, "from word %u of a block on", (unsigned)position);
    }
}

/* Elements whose first words are those of the threshold: the second ones decide. */
static void both_words_decide_where_the_first_is_the_thresholds(void **state)
{
    (void)state;
    enum { N = 3000 };
    for (uint32_t seed = 0; seed < 20; seed++) {
        const size_t at = 150 * seed + seed;
        uint32_t words[2 * N];
        static float x[N], y[N];
        dropwise_mt19937 engine = engine_of(seed, seed % 2);
        assert_int_equal(dropwise_mt19937_words(&engine, 2 * N, words), DROPWISE_OK);
        const double u =
            ldexp((double)(words[2 * at] & 0x1FFFFF), -21) + ldexp((double)words[2 * at + 1], -53);
        for (int step = -1; step < 3; step++) {
            const double p = 1 - (u + step * 0x1p-53);
            uint8_t bits[N / 8];
            engine = engine_of(seed, seed % 2);
            assert_int_equal(dropwise_torch_cpu_bits(&engine, p, N, bits), DROPWISE_OK);
            assert_int_equal(bits[at / 8] >> at % 8 & 1, step > 0 && 1 - p > u);
            for (size_t i = 0; i < N; i++)
                x[i] = 1;
            engine = engine_of(seed, seed % 2);
            assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, p, N, x, y, NULL),
                             DROPWISE_OK);
            for (size_t i = 0; i < N; i++)
                assert_int_equal(y[i] != 0, bits[i / 8] >> i % 8 & 1);
        }
    }
}

/* ---- Jumps ---- */

static void a_jump_is_as_many_blocks_generated(void **state)
{
    (void)state;
    /* Of the last two polynomials the first coefficient is 1: the block that a seed filled counts then. */
    static const uint64_t blocks[] = {0, 1, 2, 3, 31, 100, 1000, 1687, 3313};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        for (uint64_t begin = 0; begin < 1250; begin += 417) {
            static dropwise_mt19937_jump jump;
            dropwise_mt19937 engine = engine_of(9, begin), slow = engine;
            assert_int_equal(dropwise_mt19937_jump_init(&jump, blocks[i]), DROPWISE_OK);
            assert_int_equal(dropwise_mt19937_make_jump(&engine, &jump), DROPWISE_OK);
            assert_int_equal(dropwise_mt19937_skip(&slow, 624 * blocks[i]), DROPWISE_OK);
            assert_same_bytes(&engine, &slow, sizeof engine, "%" PRIu64 " blocks from word %" PRIu64,
                              blocks[i], begin);
        }
    }
}

/* Far skips are jumps: those of parts lead where those of the whole do, and near ones are generated. */
static void skips_of_parts_are_the_skip_of_the_whole(void **state)
{
    (void)state;
    static const uint64_t parts[][2] = {{5000000, 1},
                                        {2600000, 2600001},
                                        {1300000, 1300000},
                                        {UINT64_C(1) << 40, 7000000},
                                        {UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i += quick() ? 2 : 1) {
        dropwise_mt19937 whole = engine_of(i % 2 ? 1 : 4000000000u, 10 * i), of_parts = whole;
        assert_int_equal(dropwise_mt19937_skip(&whole, parts[i][0] + parts[i][1]), DROPWISE_OK);
        assert_int_equal(dropwise_mt19937_skip(&of_parts, parts[i][0]), DROPWISE_OK);
        assert_int_equal(dropwise_mt19937_skip(&of_parts, parts[i][1]), DROPWISE_OK);
        assert_same_bytes(&whole, &of_parts, sizeof whole, "skip %zu", i);
    }
    dropwise_mt19937 far = engine_of(6, 0), near = far;
    assert_int_equal(dropwise_mt19937_skip(&far, 3000000), DROPWISE_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(dropwise_mt19937_skip(&near, 1000000), DROPWISE_OK);
    assert_same_bytes(&far, &near, sizeof far, "a jump and what is generated");
}

/* ---- Calls ---- */

static void any_split_into_calls_draws_the_same(void **state)
{
    (void)state;
    enum { N = 20000 };
    static uint8_t x[8 * N], whole[8 * N], parts[8 * N], bits[N / 8], bits_of_part[N / 8];
    uint64_t noise_state = 1;
    for (ref_dtype dtype = REF_F32; dtype <= REF_BF16; dtype++) {
        const dropwise_dtype number = dtype_number(dtype);
        const size_t width = ref_bytes(dtype);
        for (int is_odd = 0; is_odd < 2; is_odd++) {
            const double p = is_odd ? 0.5 : 0.3;
            dropwise_mt19937 engine = engine_of(8, (uint64_t)is_odd), other = engine;
            fill_awkward(dtype, x, N, 3);
            assert_int_equal(dropwise_torch_cpu_forward(&engine, number, p, N, x, whole, bits), DROPWISE_OK);
            memcpy(parts, x, N * width);
            for (size_t done = 0, n; done < N; done += n) {
                n = noise(&noise_state) % 3 == 0 ? noise(&noise_state) % 3000 : noise(&noise_state) % 100;
                n = n < N - done ? n : N - done;
                uint8_t *y = parts + done * width; /* in place */
                assert_int_equal(dropwise_torch_cpu_forward(&other, number, p, n, y, y, bits_of_part),
                                 DROPWISE_OK);
                for (size_t i = 0; i < n; i++)
                    if ((bits_of_part[i / 8] >> i % 8 & 1) != (bits[(done + i) / 8] >> (done + i) % 8 & 1))
                        fail_msg("bit %zu of a part from %zu on", i, done);
            }
            assert_same_bytes(parts, whole, N * width, "%s in parts", dtype_name(dtype));
            assert_same_bytes(&other, &engine, sizeof engine, "the engine after parts");
        }
    }
}

/* ---- Arguments ---- */

static void bad_arguments_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    uint8_t torch_state[DROPWISE_TORCH_STATE_BYTES], before_state[sizeof torch_state];
    float x[8] = {0}, y[8] = {7};
    uint8_t bits[4] = {7};
    uint32_t words[2] = {7};
    static dropwise_mt19937_jump jump, bad_jump;
    dropwise_mt19937 engine = engine_of(1, 5), before = engine;
    seeded_state(1, torch_state);
    memcpy(before_state, torch_state, sizeof torch_state);
    assert_int_equal(dropwise_mt19937_jump_init(&jump, 1), DROPWISE_OK);

    assert_int_equal(dropwise_mt19937_seed(NULL, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_from_torch(NULL, torch_state, 5056), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_from_torch(&engine, NULL, 5056), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_from_torch(&engine, torch_state, 16), DROPWISE_ERROR_SIZE);
    assert_int_equal(dropwise_mt19937_to_torch(&engine, NULL, 5056), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, 5055), DROPWISE_ERROR_SIZE);
    static const size_t places[] = {8, 9, 12, 28};
    for (size_t i = 0; i < 4; i++) {
        const uint8_t was = torch_state[places[i]];
        torch_state[places[i]] = i == 0 ? 0 : 77;
        assert_int_equal(dropwise_mt19937_from_torch(&engine, torch_state, 5056), DROPWISE_ERROR_PARAMETER);
        assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, 5056), DROPWISE_ERROR_PARAMETER);
        torch_state[places[i]] = was;
    }
    assert_int_equal(dropwise_mt19937_words(&engine, 1, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_words(&engine, SIZE_MAX, words), DROPWISE_ERROR_SIZE);
    assert_int_equal(dropwise_mt19937_words(&engine, 0, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_mt19937_jump_init(NULL, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_mt19937_jump_init(&bad_jump, UINT64_MAX / 624), DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_mt19937_make_jump(&engine, NULL), DROPWISE_ERROR_NULL);
    bad_jump = jump;
    bad_jump.struct_size--;
    assert_int_equal(dropwise_mt19937_make_jump(&engine, &bad_jump), DROPWISE_ERROR_STRUCT_SIZE);
    bad_jump = jump;
    bad_jump.reserved = 1;
    assert_int_equal(dropwise_mt19937_make_jump(&engine, &bad_jump), DROPWISE_ERROR_RESERVED);

    static const double bad_p[] = {-1e-9, 1.0000001, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(dropwise_torch_cpu_bits(&engine, bad_p[i], 8, bits), DROPWISE_ERROR_PROBABILITY);
        assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, bad_p[i], 8, x, y, NULL),
                         DROPWISE_ERROR_PROBABILITY);
        assert_int_equal(dropwise_torch_cpu_apply(DROPWISE_F32, bad_p[i], 8, bits, x, y),
                         DROPWISE_ERROR_PROBABILITY);
    }
    assert_int_equal(dropwise_torch_cpu_bits(&engine, 0.5, 8, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_torch_cpu_bits(&engine, 0.5, 0, NULL), DROPWISE_OK);
    assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, 0.5, 0, NULL, NULL, NULL),
                     DROPWISE_OK);
    assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, 0.5, 8, NULL, y, NULL),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F8_E4M3, 0.5, 8, x, y, NULL),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, 0.5, SIZE_MAX, x, y, NULL),
                     DROPWISE_ERROR_SIZE);
    assert_int_equal(dropwise_torch_cpu_forward(&engine, DROPWISE_F32, 0.5, 7, x, x + 1, NULL),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_torch_cpu_apply(DROPWISE_F32, 0.5, 8, NULL, x, y), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_torch_cpu_apply(0, 0.5, 8, bits, x, y), DROPWISE_ERROR_DTYPE);
    assert_memory_equal(&engine, &before, sizeof engine);

    static const dropwise_status expected[] = {DROPWISE_ERROR_STRUCT_SIZE, DROPWISE_ERROR_RESERVED,
                                               DROPWISE_ERROR_RESERVED, DROPWISE_ERROR_PARAMETER,
                                               DROPWISE_ERROR_NULL};
    for (size_t i = 0; i < 5; i++) {
        dropwise_mt19937 bad = engine, *one = i < 4 ? &bad : NULL;
        bad.struct_size -= i == 0;
        bad.reserved[0] = i == 1;
        bad.reserved[1] = i == 2;
        bad.position = i == 3 ? 625 : bad.position;
        assert_int_equal(dropwise_mt19937_to_torch(one, torch_state, 5056), expected[i]);
        assert_int_equal(dropwise_mt19937_words(one, 1, words), expected[i]);
        assert_int_equal(dropwise_mt19937_skip(one, 1), expected[i]);
        assert_int_equal(dropwise_mt19937_make_jump(one, &jump), expected[i]);
        assert_int_equal(dropwise_torch_cpu_bits(one, 0.5, 8, bits), expected[i]);
        assert_int_equal(dropwise_torch_cpu_forward(one, DROPWISE_F32, 0.5, 8, x, y, NULL), expected[i]);
    }
    engine.position = 0;
    assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, 5056), DROPWISE_ERROR_PARAMETER);
    assert_memory_equal(torch_state, before_state, sizeof torch_state);
    assert_true(y[0] == 7 && bits[0] == 7 && words[0] == 7);
}

/* What PyTorch keeps in its bytes besides the generator stays. */
static void the_rest_of_pytorchs_state_stays(void **state)
{
    (void)state;
    uint8_t torch_state[DROPWISE_TORCH_STATE_BYTES], before[sizeof torch_state];
    seeded_state(UINT64_C(0xFEDCBA9876543210), torch_state);
    memset(torch_state + 24 + 8 * 624, 0x5A, sizeof torch_state - 24 - 8 * 624);
    memcpy(before, torch_state, sizeof torch_state);
    dropwise_mt19937 engine;
    assert_int_equal(dropwise_mt19937_from_torch(&engine, torch_state, sizeof torch_state), DROPWISE_OK);
    assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, sizeof torch_state), DROPWISE_OK);
    assert_memory_equal(torch_state, before, sizeof before);
    assert_int_equal(dropwise_mt19937_skip(&engine, 624), DROPWISE_OK);
    assert_int_equal(dropwise_mt19937_to_torch(&engine, torch_state, sizeof torch_state), DROPWISE_OK);
    assert_int_equal(get_le32(torch_state + 8), 1);
    assert_int_equal(get_le32(torch_state + 16), 624);
    assert_memory_equal(torch_state, before, 8);
    assert_memory_equal(torch_state + 24 + 8 * 624, before + 24 + 8 * 624, sizeof before - 24 - 8 * 624);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pytorchs_masks_are_drawn_again),
        cmocka_unit_test(pytorchs_values_and_states_are_those_after_its_calls),
        cmocka_unit_test(mt19937_returns_what_the_standard_of_cpp_says),
        cmocka_unit_test(a_jump_of_2_to_the_128_is_numpys),
        cmocka_unit_test(words_and_states_are_those_of_the_published_generator),
        cmocka_unit_test(an_engine_may_begin_anywhere),
        cmocka_unit_test(both_words_decide_where_the_first_is_the_thresholds),
        cmocka_unit_test(a_jump_is_as_many_blocks_generated),
        cmocka_unit_test(skips_of_parts_are_the_skip_of_the_whole),
        cmocka_unit_test(any_split_into_calls_draws_the_same),
        cmocka_unit_test(bad_arguments_are_refused_and_nothing_is_written),
        cmocka_unit_test(the_rest_of_pytorchs_state_stays),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
