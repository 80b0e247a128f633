/*
 * Kernels of kinds widen and narrow for one dtype: its elements to f32 and back.
 *
 * Included by convert_all.inc.h once for each dtype, with these parameters:
 *   DTYPE        in the kernels' names
 *   BYTES        of an element
 *   LOAD(p)      LANES_b32 elements as a vec_f32; if it is not defined, there is no widen kernel
 *   STORE(p, v)  the reverse
 */
#include "kernels/template.h"

#ifdef LOAD
static void OP_D(widen)(size_t n, const void *x, float *out)
{
    const uint8_t *in = x;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        store_b32((uint8_t *)(out + done), as_b32(LOAD(in + done * BYTES)));
    if (done < n) {
        uint8_t last[LANES_b32 * BYTES] = {0}, wide[sizeof(vec_f32)];
        memcpy(last, in + done * BYTES, (n - done) * BYTES);
        store_b32(wide, as_b32(LOAD(last)));
        memcpy(out + done, wide, (n - done) * sizeof *out);
    }
}
#endif

static void OP_D(narrow)(size_t n, const float *in, void *y)
{
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        STORE(out + done * BYTES, as_f32(load_b32((const uint8_t *)(in + done))));
    if (done < n) {
        uint8_t last[LANES_b32 * BYTES], wide[sizeof(vec_f32)] = {0};
        memcpy(wide, in + done, (n - done) * sizeof *in);
        STORE(last, as_f32(load_b32(wide)));
        memcpy(out + done * BYTES, last, (n - done) * BYTES);
    }
}

#undef DTYPE
#undef BYTES
#undef LOAD
#undef STORE
