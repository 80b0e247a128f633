/*
 * SLEEF's functions of vectors, lane by lane, for a tier that SLEEF has none for: its vec_reals_<isa>.h
 * includes this before kernels/vec/generic_reals.h.
 */
#ifndef DROPWISE_SLEEF_BY_LANE_H
#define DROPWISE_SLEEF_BY_LANE_H

#include "scalar/sleef_scalar.h"

#define exp_f64 exp_f64 /* and all others */

enum { SLEEF_EXP, SLEEF_ERF, SLEEF_TANH, SLEEF_LOG };

static inline double sleef_one_f64(unsigned function, double x)
{
    switch (function) {
    case SLEEF_EXP:
        return SLEEF_SCALAR_F64(exp, u10)(x);
    case SLEEF_ERF:
        return SLEEF_SCALAR_F64(erf, u10)(x);
    case SLEEF_TANH:
        return SLEEF_SCALAR_F64(tanh, u10)(x);
    default:
        return SLEEF_SCALAR_F64(log, u35)(x);
    }
}

static inline vec_f64 sleef_each_f64(unsigned function, vec_f64 v)
{
    double lanes[LANES_b64];
    memcpy(lanes, &v, sizeof lanes);
    for (unsigned lane = 0; lane < LANES_b64; lane++)
        lanes[lane] = sleef_one_f64(function, lanes[lane]);
    memcpy(&v, lanes, sizeof lanes);
    return v;
}

static inline vec_f64 exp_f64(vec_f64 v)
{
    return sleef_each_f64(SLEEF_EXP, v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return sleef_each_f64(SLEEF_ERF, v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return sleef_each_f64(SLEEF_TANH, v);
}

static inline vec_f64 log_of_f64(vec_f64 v)
{
    return sleef_each_f64(SLEEF_LOG, v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    double lanes[LANES_b64], sines[LANES_b64], cosines[LANES_b64];
    memcpy(lanes, &v, sizeof lanes);
    for (unsigned lane = 0; lane < LANES_b64; lane++) {
        const Sleef_double_2 both = SLEEF_SCALAR_F64(sincospi, u35)(lanes[lane]);
        sines[lane] = both.x;
        cosines[lane] = both.y;
    }
    memcpy(sine, sines, sizeof sines);
    memcpy(cosine, cosines, sizeof cosines);
}

#endif
