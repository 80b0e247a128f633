/*
 * GELU, GELU by tanh, SiLU and their slopes in f32, by polynomials of our own: nothing is called, so that
 * several vectors are worked on at a time, and nothing cancels, so that what is small keeps its digits.
 * tools/fit_functions.py makes the numbers, dropwise_fused.h says how near the results come.
 *
 * Arguments are held within limits before anything is made of them. Where a function of numbers far below 0
 * is said to be 0, the true one is smaller in size than 2^-119.
 */

/* log2 of the normal distribution at m <= 0 is -1 + m (LOG_TAIL[0] + LOG_TAIL[1] m + ...). */
static const float LOG_TAIL[] = {0x1.26aedp+0f,    -0x1.d63c52p-2f,  0x1.adbcdep-5f,   0x1.c88208p-8f,
                                 0x1.1c6086p-17f,  -0x1.255934p-12f, -0x1.46cf42p-14f, -0x1.81d6d2p-17f,
                                 -0x1.f77c8cp-21f, -0x1.1d1bd8p-25f};
/* (Phi(m) + m phi(m)) e^(m^2 / 2) for m <= 0, with the density of the standard normal. */
static const float SLOPE[] = {0x1p-1f,         0x1.98842ep-1f,  0x1.fff45p-3f,   0x1.100744p-3f,
                              0x1.fba536p-5f,  0x1.a24526p-6f,  0x1.288f2ap-7f,  0x1.56a586p-9f,
                              0x1.2bb3f8p-11f, 0x1.6a6292p-14f, 0x1.08e3fep-17f, 0x1.5c7f86p-22f};
enum { LOG_TAIL_DEGREE = 9, SLOPE_DEGREE = 11 };
static const float LOG_TAIL_END = -5.2f, SLOPE_END = -5.6f; /* where they are held */

/* What makes the powers in GELU, and in its slope, 2^-127, which powers_of_2_f32 takes for 0. */
static const float LEAST_GELU = -29.4358f, LEAST_SLOPE = -13.2687f;
static const float HALF_LOG2_E = 0x1.715476p-1f;

/*
 * (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 = 1 / (1 + 2^(z (TANH[0] + TANH[1] z^2))), and what
 * the slope has besides: sqrt(2 / pi) (2 + 6 * 0.044715 z^2).
 */
static const float TANH[] = {-0x1.26aec2p+1f, -0x1.a5a7dp-4f};
static const float TANH_SLOPE[] = {0x1.988454p+0f, 0x1.b6676cp-3f};

/* LOG_TAIL, even and odd powers apart: two chains of half the length, for one multiplication more. */
VEC_INLINE void log_tail_f32(const vec_f32 *x, vec_f32 *r)
{
    vec_f32 square[VECTORS_f32], other[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        square[k] = mul_f32(x[k], x[k]);
        r[k] = set_f32(LOG_TAIL[LOG_TAIL_DEGREE]);
        other[k] = set_f32(LOG_TAIL[LOG_TAIL_DEGREE - 1]);
    }
    VEC_UNROLL
    for (unsigned power = LOG_TAIL_DEGREE - 1; power > 1; power -= 2) {
        VEC_UNROLL
        for (unsigned k = 0; k < VECTORS_f32; k++)
            r[k] = fma_f32(r[k], square[k], set_f32(LOG_TAIL[power - 1]));
        VEC_UNROLL
        for (unsigned k = 0; k < VECTORS_f32; k++)
            other[k] = fma_f32(other[k], square[k], set_f32(LOG_TAIL[power - 2]));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        r[k] = fma_f32(r[k], x[k], other[k]);
}

/* SLOPE, power by power: it is small where its terms are not, and would lose digits by the way above. */
VEC_INLINE void slope_f32(const vec_f32 *x, vec_f32 *r)
{
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        r[k] = set_f32(SLOPE[SLOPE_DEGREE]);
    VEC_UNROLL
    for (unsigned down = 1; down <= SLOPE_DEGREE; down++) {
        VEC_UNROLL
        for (unsigned k = 0; k < VECTORS_f32; k++)
            r[k] = fma_f32(r[k], x[k], set_f32(SLOPE[SLOPE_DEGREE - down]));
    }
}

/* -|z|, but not less than a limit. */
VEC_INLINE vec_f32 minus_size_f32(vec_f32 z, float limit)
{
    return max_f32(set_f32(limit), as_f32(or_b32(as_b32(z), set_b32(0x80000000))));
}

/* max(z, 0) + m Phi(m), with m = -|z|. */
VEC_INLINE void gelu_f32(vec_f32 *z)
{
    vec_f32 m[VECTORS_f32], r[VECTORS_f32], t[VECTORS_f32], f[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        m[k] = minus_size_f32(z[k], LEAST_GELU);
        f[k] = max_f32(set_f32(LOG_TAIL_END), m[k]);
    }
    log_tail_f32(f, r);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        t[k] = fma_f32(m[k], r[k], set_f32(ROUND_TO_EIGHTHS - 1));
        f[k] = fma_f32(m[k], r[k], sub_f32(set_f32(ROUND_TO_EIGHTHS - 1), t[k]));
    }
    powers_of_2_f32(t, f);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        z[k] = fma_f32(m[k], t[k], max_f32(set_f32(0), z[k]));
}

/* g = Phi(m) + m phi(m) for z < 0, 1 - g for others. */
VEC_INLINE void gelu_slope_f32(vec_f32 *z)
{
    vec_f32 m[VECTORS_f32], h[VECTORS_f32], t[VECTORS_f32], f[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        m[k] = minus_size_f32(z[k], LEAST_SLOPE);
        f[k] = max_f32(set_f32(SLOPE_END), m[k]);
    }
    slope_f32(f, h);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        m[k] = mul_f32(m[k], m[k]);
        t[k] = fnma_f32(m[k], set_f32(HALF_LOG2_E), set_f32(ROUND_TO_EIGHTHS));
        f[k] = fnma_f32(m[k], set_f32(HALF_LOG2_E), sub_f32(set_f32(ROUND_TO_EIGHTHS), t[k]));
    }
    powers_of_2_f32(t, f);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        h[k] = mul_f32(h[k], t[k]);
        z[k] = select_f32(above_f32(set_f32(0), z[k]), h[k], sub_f32(set_f32(1), h[k]));
    }
}

/* x, and 2^(x (TANH[0] + TANH[1] x^2)) in its place. */
VEC_INLINE void tanh_powers_f32(vec_f32 *x)
{
    vec_f32 t[VECTORS_f32], f[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 w = fma_f32(mul_f32(x[k], x[k]), set_f32(TANH[1]), set_f32(TANH[0]));
        t[k] = fma_f32(x[k], w, set_f32(ROUND_TO_EIGHTHS));
        f[k] = fma_f32(x[k], w, sub_f32(set_f32(ROUND_TO_EIGHTHS), t[k]));
    }
    powers_of_2_f32(t, f);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        x[k] = t[k];
}

VEC_INLINE void gelu_tanh_f32(vec_f32 *z)
{
    vec_f32 t[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        z[k] = max_f32(set_f32(-10.01f), z[k]);
        t[k] = min_f32(set_f32(10), z[k]);
    }
    tanh_powers_f32(t);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        z[k] = zero_below_f32(div_f32(z[k], add_f32(set_f32(1), t[k])), z[k], set_f32(-10));
}

/* g + z g (1 - g) (TANH_SLOPE[0] + TANH_SLOPE[1] z^2), with g = 1 / (1 + t) and 1 - g = t g. */
VEC_INLINE void gelu_tanh_slope_f32(vec_f32 *z)
{
    vec_f32 t[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        z[k] = min_f32(set_f32(10), max_f32(set_f32(-10.01f), z[k]));
        t[k] = z[k];
    }
    tanh_powers_f32(t);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 g = div_f32(set_f32(1), add_f32(set_f32(1), t[k]));
        const vec_f32 w = fma_f32(mul_f32(z[k], z[k]), set_f32(TANH_SLOPE[1]), set_f32(TANH_SLOPE[0]));
        t[k] = mul_f32(mul_f32(t[k], g), mul_f32(z[k], w));
        z[k] = zero_below_f32(fma_f32(t[k], g, g), z[k], set_f32(-10));
    }
}

/* z, held within the limits of powers, and e^-z. */
VEC_INLINE void hold_and_power_f32(vec_f32 *z, vec_f32 *e)
{
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        z[k] = min_f32(set_f32(MOST_EXPONENT), max_f32(set_f32(-88.25f), z[k]));
        e[k] = z[k];
    }
    powers_of_e_f32(e);
}

/* 1 / (1 + e^-z) */
VEC_INLINE void logistic_f32(vec_f32 *z)
{
    vec_f32 e[VECTORS_f32];
    hold_and_power_f32(z, e);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        z[k] = zero_below_f32(div_f32(set_f32(1), add_f32(set_f32(1), e[k])), z[k], set_f32(-88));
}

/* z / (1 + e^-z) */
VEC_INLINE void silu_f32(vec_f32 *z)
{
    vec_f32 e[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        z[k] = max_f32(set_f32(-88.25f), z[k]);
        e[k] = min_f32(set_f32(MOST_EXPONENT), z[k]);
    }
    powers_of_e_f32(e);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        z[k] = zero_below_f32(div_f32(z[k], add_f32(set_f32(1), e[k])), z[k], set_f32(-88));
}

/* g (1 + z (1 - g)), with g = 1 / (1 + e^-z) and 1 - g = e^-z g. */
VEC_INLINE void silu_slope_f32(vec_f32 *z)
{
    vec_f32 e[VECTORS_f32];
    hold_and_power_f32(z, e);
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        const vec_f32 g = div_f32(set_f32(1), add_f32(set_f32(1), e[k]));
        const vec_f32 slope = mul_f32(g, fma_f32(z[k], mul_f32(e[k], g), set_f32(1)));
        z[k] = zero_below_f32(slope, z[k], set_f32(-88));
    }
}
