/*
 * What noise in f32 is made of: logarithms, sines and cosines, of VECTORS_f32 vectors at a time, as in
 * exp_f32.inc.h. tools/fit_functions.py makes the numbers.
 *
 * A number is 2^e m, with m from 23/32 to 23/16 in one of eight intervals of 2^20 floats. Each has a number
 * c, about the reciprocal of its middle: ln(2^e m) = e ln 2 - ln c + ln(1 + r), with r = m c - 1 and |r| <=
 * 1/16. That of the interval in which 1 lies is 1, so that logarithms near 0 have all of their digits; those
 * of the others are such that ln c is a float, but for a thousandth of its last digit.
 */

static const uint32_t LOG_START = 0x3F380000; /* the bits of 23/32 */
static const uint32_t RECIPROCALS[] = {0x3FAAB27D, 0x3F9D8E35, 0x3F924AD2, 0x3F88945B,
                                       0x3F800000, 0x3F639388, 0x3F4CD4B4, 0x3F3A3636};
static const uint32_t LOGS[] = {0xBE936287, 0xBE54BBC2, 0xBE08C832, 0xBD84DE13,
                                0x00000000, 0x3DF10874, 0x3E64583B, 0x3EA2F74A};
/* ln(1 + r) = r + r^2 (LOG[0] + LOG[1] r + ...) */
static const float LOG[] = {-0x1.ffffdap-2f, 0x1.5556aap-2f, -0x1.00b4cp-2f, 0x1.95a3fp-3f};

static const float QUARTER_TURN = 0x1.921fb6p+0f;
/* sin(pi / 2 f) is f times QUARTER_TURN plus this polynomial in f^2, */
static const float SINE[] = {-0x1.a32c36p-25f, -0x1.4abbbap-1f, 0x1.465eeap-4f, -0x1.2da156p-8f};
/* and cos(pi / 2 f) is 1 + f^2 times this one. */
static const float COSINE[] = {-0x1.3bd3ccp+0f, 0x1.03c1aep-2f, -0x1.55b146p-6f, 0x1.d47d3ep-11f};
static const float ROUND_TO_INTEGERS = 0x1.8p+23f;

/* e ln 2 - ln c in the place of numbers, which are normal and from 2^-63 to 2^63, and ln(1 + r). */
VEC_INLINE void log_parts_f32(vec_f32 *u, vec_f32 *rest)
{
    vec_f32 r[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        /* As if 2^63 times as large, so that the exponent is not negative. */
        const vec_b32 bits = sub_b32(as_b32(u[k]), set_b32(LOG_START - (63u << 23)));
        const vec_b32 place = shr_b32(bits, 20), e = or_b32(shr_b32(bits, 23), set_b32(0x4B000000));
        const vec_f32 m = as_f32(add_b32(and_b32(bits, set_b32(0x7FFFFF)), set_b32(LOG_START)));
        u[k] = fma_f32(sub_f32(as_f32(e), set_f32(0x1p+23f + 63)), set_f32(LN_2),
                       as_f32(lookup_b32(LOGS, place)));
        r[k] = fma_f32(m, as_f32(lookup_b32(RECIPROCALS, place)), set_f32(-1));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        rest[k] = fma_f32(set_f32(LOG[3]), r[k], set_f32(LOG[2]));
    VEC_UNROLL
    for (unsigned power = 2; power > 0; power--) {
        VEC_UNROLL
        for (unsigned k = 0; k < VECTORS_f32; k++)
            rest[k] = fma_f32(rest[k], r[k], set_f32(LOG[power - 1]));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        rest[k] = fma_f32(mul_f32(r[k], r[k]), rest[k], r[k]);
}

VEC_INLINE void log_f32(vec_f32 *u)
{
    vec_f32 rest[VECTORS_f32];
    log_parts_f32(u, rest);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        u[k] = add_f32(u[k], rest[k]);
}

/*
 * ln(u / v) in the place of u, of numbers whose sum is about 1. With q the quotient, rounded, ln(u / v) is
 * ln q + (u - q v) / u, but for squares of it. What the rounding took away counts where the logarithm is
 * near 0, and there 1 / u is 2.
 */
VEC_INLINE void log_ratio_f32(vec_f32 *u, const vec_f32 *v)
{
    vec_f32 lost[VECTORS_f32], rest[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 q = div_f32(u[k], v[k]);
        lost[k] = fnma_f32(q, v[k], u[k]);
        u[k] = q;
    }
    log_parts_f32(u, rest);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        u[k] = add_f32(u[k], fma_f32(lost[k], set_f32(2), rest[k]));
}

/*
 * Sines and cosines of angles in quarter turns, from 0 to 4, of which the nearest number k is taken away:
 * odd ones make a cosine of a sine. The former have the sign of bit 1 of k, the latter that of k + 1.
 */
VEC_INLINE void sincos_f32(const vec_f32 *quarters, vec_f32 *sine, vec_f32 *cosine)
{
    vec_f32 f[VECTORS_f32], square[VECTORS_f32];
    vec_b32 turned[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 sum = add_f32(quarters[k], set_f32(ROUND_TO_INTEGERS));
        turned[k] = as_b32(sum);
        f[k] = sub_f32(quarters[k], sub_f32(sum, set_f32(ROUND_TO_INTEGERS)));
        square[k] = mul_f32(f[k], f[k]);
        sine[k] = set_f32(SINE[3]);
        cosine[k] = set_f32(COSINE[3]);
    }
    VEC_UNROLL
    for (unsigned power = 3; power > 0; power--) {
        VEC_UNROLL
        for (unsigned k = 0; k < VECTORS_f32; k++) {
            sine[k] = fma_f32(sine[k], square[k], set_f32(SINE[power - 1]));
            cosine[k] = fma_f32(cosine[k], square[k], set_f32(COSINE[power - 1]));
        }
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 s = fma_f32(f[k], set_f32(QUARTER_TURN), mul_f32(f[k], sine[k]));
        const vec_f32 c = fma_f32(cosine[k], square[k], set_f32(1));
        const choose32 odd = above_b32(set_b32(0), shl_b32(turned[k], 31));
        const vec_b32 sign = shl_b32(turned[k], 30), next = shl_b32(add_b32(turned[k], set_b32(1)), 30);
        const vec_b32 highest = set_b32(0x80000000);
        sine[k] = as_f32(xor_and_b32(as_b32(select_f32(odd, c, s)), sign, highest));
        cosine[k] = as_f32(xor_and_b32(as_b32(select_f32(odd, s, c)), next, highest));
    }
}
