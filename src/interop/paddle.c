/* Paddle on CPUs: mt19937_64, seeded as C++ seeds it by a std::seed_seq of one word; a number an element. */
#include <string.h>

#include "base/bytes.h"
#include "base/fp_env.h"
#include "interop/mt19937.h"
#include "interop/system.h"

enum { WORDS = MT64_BLOCK_WORDS, FAR = 156, SEEDS = 2 * WORDS };

/* ---- std::seed_seq, [rand.util.seedseq] ---- */

static uint32_t folded(uint32_t x)
{
    return x ^ x >> 27;
}

/* What generate() makes of one word. */
static void generate_seeds(uint32_t word, uint32_t b[SEEDS])
{
    enum { T = 11, P = (SEEDS - T) / 2, Q = P + T };
    for (unsigned i = 0; i < SEEDS; i++)
        b[i] = UINT32_C(0x8B8B8B8B);
    for (uint32_t k = 0; k < SEEDS; k++) {
        const uint32_t before = b[(k + SEEDS - 1) % SEEDS];
        const uint32_t r1 = UINT32_C(1664525) * folded(b[k] ^ b[(k + P) % SEEDS] ^ before);
        const uint32_t r2 = r1 + (k == 0 ? 1 : k == 1 ? k + word : k);
        b[(k + P) % SEEDS] += r1;
        b[(k + Q) % SEEDS] += r2;
        b[k] = r2;
    }
    for (uint32_t k = 0; k < SEEDS; k++) {
        const uint32_t before = b[(k + SEEDS - 1) % SEEDS];
        const uint32_t r3 = UINT32_C(1566083941) * folded(b[k] + b[(k + P) % SEEDS] + before);
        const uint32_t r4 = r3 - k;
        b[(k + P) % SEEDS] ^= r3;
        b[(k + Q) % SEEDS] ^= r4;
        b[k] = r4;
    }
}

/* ---- The engine ---- */

static void next_block(uint64_t *w)
{
    for (unsigned i = 0; i < WORDS - FAR; i++)
        w[i] = mt19937_64_twisted(w[i + FAR], w[i], w[i + 1]);
    for (unsigned i = WORDS - FAR; i < WORDS - 1; i++)
        w[i] = mt19937_64_twisted(w[i + FAR - WORDS], w[i], w[i + 1]);
    w[WORDS - 1] = mt19937_64_twisted(w[FAR - 1], w[WORDS - 1], w[0]);
}

static uint64_t tempered(uint64_t w)
{
    w ^= w >> 29 & UINT64_C(0x5555555555555555);
    w ^= w << 17 & UINT64_C(0x71D67FFFEDA60000);
    w ^= w << 37 & UINT64_C(0xFFF7EEE000000000);
    return w ^ w >> 43;
}

/* The block that a seed fills is not drawn; the next one is block 0. */
static void block_of(const layout_plan *p, uint64_t block, uint64_t w[WORDS])
{
    enum { GENERATED = 8192 }; /* takes as long as a jump */
    uint32_t seeds[SEEDS];
    generate_seeds((uint32_t)p->interop->key[0], seeds);
    for (unsigned i = 0; i < WORDS; i++)
        w[i] = pair(seeds[2 * i], seeds[2 * i + 1]);
    if (block > GENERATED) {
        uint64_t polynomial[MT_JUMP_WORDS];
        dropwise_mt_power(&mt19937_64_recurrence, polynomial, block * (WORDS / 8), 3);
        dropwise_mt19937_64_apply(p->kernels, w, polynomial);
        block = 0;
    }
    for (uint64_t b = 0; b <= block; b++)
        next_block(w);
}

static void draw_paddle(const layout_plan *p, uint64_t first, size_t n, piece_fn *use, void *arg)
{
    enum { PIECE = 1024 };
    uint64_t w[WORDS];
    const uint64_t begin = p->interop->counter[0] + first;
    size_t at = (size_t)(begin % WORDS);
    block_of(p, begin / WORDS, w);
    for (size_t done = 0; done < n; done += PIECE) {
        uint8_t numbers[8 * PIECE], bits[PIECE / 8];
        const size_t len = n - done < PIECE ? n - done : PIECE;
        for (size_t i = 0; i < len; i++, at++) {
            if (at == WORDS) {
                next_block(w);
                at = 0;
            }
            store_le64(numbers + 8 * i, tempered(w[at]));
        }
        p->compare(numbers, len, &p->how, bits);
        use(arg, bits, len);
    }
}

/* ---- The layout ---- */

void dropwise_plan_paddle_cpu(layout_plan *p)
{
    p->arranged = IN_SEQUENCE;
    p->draw = draw_paddle;
}

/* What is multiplied in f64 is still a reciprocal of the f32. */
static FP_ENV_BODY dropwise_status paddle_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint64_t seed,
                                              uint64_t before, double p)
{
    const dropwise_status status = check_dropout(interop, dtype, p);
    if (status != DROPWISE_OK)
        return status;
    if (dtype != DROPWISE_F32 && dtype != DROPWISE_F64)
        return DROPWISE_ERROR_DTYPE;
    if (before > DROPWISE_INDEX_LIMIT)
        return DROPWISE_ERROR_PARAMETER;
    const float keep = 1.0f - (float)p;
    *interop = new_interop(DROPWISE_LAYOUT_PADDLE_CPU, (uint32_t)seed);
    interop->counter[0] = before;
    interop->draws = DROPWISE_F64;
    interop->scale = keep == 0.0f ? 0.0 : dtype == DROPWISE_F64 ? 1.0 / (double)keep : (double)(1.0f / keep);
    const rule r = {OF_64_BITS, 64, 0, AT_LEAST, (double)(float)p};
    if (p == 0.0) /* nothing is drawn then */
        dropwise_set_threshold(interop, &(rule){FRACTION, 64, 53, BELOW, 2.0});
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_paddle_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint64_t seed,
                                            uint64_t before, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, paddle_cpu(interop, dtype, seed, before, p));
}
