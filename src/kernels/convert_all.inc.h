/*
 * All kernels of kinds widen and narrow: the loops of convert.inc.h for each dtype narrower than f32.
 * Included by each kernels_<isa>.c after its vector header.
 */
#include "kernels/elements/small_floats.inc.h"

/* Rounded to nearest even by an addition below the cut; a NaN becomes quiet and keeps what fits of it. */
static inline vec_b32 code_of_bf16(vec_f32 v)
{
    const vec_b32 u = as_b32(v);
    const vec_b32 upper = shr_b32(u, 16);
    const vec_b32 rounded = add_b32(add_b32(u, set_b32(0x7FFF)), and_b32(upper, set_b32(1)));
    const vec_b32 size = and_b32(u, set_b32(0x7FFFFFFF));
    return select_b32(above_b32(size, set_b32(0x7F800000)), or_b32(upper, set_b32(0x40)),
                      shr_b32(rounded, 16));
}

#define DTYPE f16
#define BYTES 2
#define LOAD(p) load_half(p)
#define STORE(p, v) store_half(p, v)
#include "kernels/elements/convert.inc.h"

#define DTYPE bf16
#define BYTES 2
#define LOAD(p) as_f32(shl_b32(load_u16(p), 16))
#define STORE(p, v) store_u16(p, code_of_bf16(v))
#include "kernels/elements/convert.inc.h"

#define DTYPE f8_e4m3
#define BYTES 1
#define LOAD(p) widen(format_f8_e4m3, load_u8(p))
#define STORE(p, v) store_u8(p, narrow(format_f8_e4m3, v))
#include "kernels/elements/convert.inc.h"

#define DTYPE f8_e4m3_sat
#define BYTES 1
#define STORE(p, v) store_u8(p, narrow(format_f8_e4m3_sat, v))
#include "kernels/elements/convert.inc.h"

#define DTYPE f8_e5m2
#define BYTES 1
#define LOAD(p) widen(format_f8_e5m2, load_u8(p))
#define STORE(p, v) store_u8(p, narrow(format_f8_e5m2, v))
#include "kernels/elements/convert.inc.h"

#define DTYPE f8_e5m2_sat
#define BYTES 1
#define STORE(p, v) store_u8(p, narrow(format_f8_e5m2_sat, v))
#include "kernels/elements/convert.inc.h"
