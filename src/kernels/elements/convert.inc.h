/*
 * Kernels of kinds widen and narrow for one dtype: its elements to f32 and back.
 *
 * Included by all_kernels.inc.h once for each dtype, with these parameters:
 *   DTYPE   in the kernels' names
 *   BYTES   of an element
 *   NARROWS is defined where the elements are those of another dtype, and only differ in how they are made
 * after load_DTYPE(p), LANES_b32 elements as a vec_f32, and store_DTYPE(p, v).
 */
#include "kernels/template.h"

#ifndef NARROWS
static void OP_D(widen)(size_t n, const void *x, float *out)
{
    const uint8_t *in = x;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        store_b32((uint8_t *)(out + done), as_b32(OP_D(load)(in + done * BYTES)));
    if (done < n) {
        uint8_t last[LANES_b32 * BYTES] = {0}, wide[sizeof(vec_f32)];
        memcpy(last, in + done * BYTES, (n - done) * BYTES);
        store_b32(wide, as_b32(OP_D(load)(last)));
        memcpy(out + done, wide, (n - done) * sizeof *out);
    }
}
#endif

static void OP_D(narrow)(size_t n, const float *in, void *y)
{
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        OP_D(store)(out + done * BYTES, as_f32(load_b32((const uint8_t *)(in + done))));
    if (done < n) {
        uint8_t last[LANES_b32 * BYTES], wide[sizeof(vec_f32)] = {0};
        memcpy(wide, in + done, (n - done) * sizeof *in);
        OP_D(store)(last, as_f32(load_b32(wide)));
        memcpy(out + done * BYTES, last, (n - done) * BYTES);
    }
}

#undef DTYPE
#undef BYTES
#undef NARROWS
