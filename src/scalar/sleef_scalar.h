/* SLEEF's deterministic functions of one number. */
#ifndef DROPWISE_SLEEF_SCALAR_H
#define DROPWISE_SLEEF_SCALAR_H

/* The header hides them where the compiler may not use FMA itself; who calls them checks the CPU. */
#ifndef FP_FAST_FMA
#define FP_FAST_FMA 1
#endif
#ifndef FP_FAST_FMAF
#define FP_FAST_FMAF 1
#endif
#include <sleef.h>

#define SLEEF_SCALAR_F64(function, ulp) Sleef_finz_##function##d1_##ulp##purecfma

#endif
