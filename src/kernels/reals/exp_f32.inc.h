/*
 * Powers of e and of 2 in f32, of VECTORS_f32 vectors at a time, step by step, so that their chains of
 * operations hide each other. Every step is one that all ISAs have and round alike.
 *
 * 2^t is 2^(k / 8) 2^f with |f| <= 1/16. Adding 1.5 * 2^20 to t rounds it to eighths, and leaves k in the
 * low bits of the sum. Entry j of a table is 2^(j / 8) less j in the bits that a shift by 20 puts k to, so
 * that one shift and one addition of integers make 2^(k / 8), from 2^-126 to the largest number; for k =
 * -1016 they make 0. A polynomial does the rest. tools/fit_functions.py makes the numbers.
 */

static const float ROUND_TO_EIGHTHS = 0x1.8p+20f;
static const float LOG2_E = 0x1.715476p+0f;
static const float LN_2 = 0x1.62e43p-1f;
static const float LN_2_REST = -0x1.05c61p-29f;
static const float EXP[] = {0x1.000876p-1f, 0x1.555656p-3f};
static const float EXP2[] = {0x1.62e432p-1f, 0x1.ec0c32p-3f, 0x1.c69ffep-5f};
static const uint32_t EIGHTHS[] = {0x3F800000, 0x3F7B95C2, 0x3F7837F0, 0x3F75FED7,
                                   0x3F7504F3, 0x3F75672A, 0x3F7744FD, 0x3F7AC0C7};

/* 127 ln 2: e^-d is 0 from here on, and from 87.3 to here something between 0 and 2^-126. */
static const float MOST_EXPONENT = 88.0297f;

/* 2^(k / 8), of numbers that were rounded to eighths. */
VEC_INLINE vec_f32 power_of_eighths_f32(vec_f32 t)
{
    const vec_b32 k = as_b32(t);
    return as_f32(add_b32(lookup_b32(EIGHTHS, k), shl_b32(k, 20)));
}

/* 2^(t + f), of t that were rounded to eighths. */
VEC_INLINE void powers_of_2_f32(vec_f32 *t, const vec_f32 *f)
{
    vec_f32 p[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        p[k] = fma_f32(set_f32(EXP2[2]), f[k], set_f32(EXP2[1]));
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        p[k] = fma_f32(p[k], f[k], set_f32(EXP2[0]));
        t[k] = power_of_eighths_f32(t[k]);
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        t[k] = fma_f32(mul_f32(t[k], f[k]), p[k], t[k]);
}

/* e^-d, of numbers from -88.3 to MOST_EXPONENT and of NaN. */
VEC_INLINE void powers_of_e_f32(vec_f32 *d)
{
    vec_f32 t[VECTORS_f32], q[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        t[k] = fnma_f32(d[k], set_f32(LOG2_E), set_f32(ROUND_TO_EIGHTHS));
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 eighths = sub_f32(t[k], set_f32(ROUND_TO_EIGHTHS));
        d[k] = fma_f32(eighths, set_f32(LN_2), d[k]);
        d[k] = fma_f32(eighths, set_f32(LN_2_REST), d[k]);
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        t[k] = power_of_eighths_f32(t[k]);
        q[k] = fnma_f32(set_f32(EXP[1]), d[k], set_f32(EXP[0]));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        q[k] = fnma_f32(q[k], mul_f32(d[k], d[k]), d[k]);
        d[k] = fnma_f32(t[k], q[k], t[k]);
    }
}

/* e^-d, of numbers from -88.3 on and of NaN; +0 from MOST_EXPONENT on. */
VEC_INLINE void exp_minus_f32(vec_f32 *d)
{
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        d[k] = min_f32(set_f32(MOST_EXPONENT), d[k]);
    powers_of_e_f32(d);
}
