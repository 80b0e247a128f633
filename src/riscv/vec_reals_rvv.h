/* Reals in RISC-V vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_REALS_RVV_H
#define DROPWISE_VEC_REALS_RVV_H

#include "riscv/vec_bits_rvv.h"

typedef RVV_VECTOR(float, 8) vec_f32;
typedef RVV_VECTOR(double, 4) vec_f64;

static inline vec_f32 set_f32(float x)
{
    return (vec_f32){x, x, x, x, x, x, x, x};
}

static inline vec_f64 set_f64(double x)
{
    return (vec_f64){x, x, x, x};
}

static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return __builtin_elementwise_fma(a, b, c);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return __builtin_elementwise_sqrt(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return __builtin_elementwise_sqrt(v);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return (vec_f32)select_b32(choice, (vec_b32)a, (vec_b32)b);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return (vec_f64)(((vec_b64)a & (vec_b64)choice) | ((vec_b64)b & ~(vec_b64)choice));
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    RVV_VECTOR(float, 4) v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_f64);
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    return __builtin_convertvector(load_b32(p) ^ flip, vec_f32);
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    RVV_VECTOR(uint32_t, 4) v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v ^ flip, vec_f64);
}

#ifdef DROPWISE_HAVE_SLEEF
#include "scalar/sleef_by_lane.h"
#endif

#include "kernels/vec/generic_reals.h"

#endif
