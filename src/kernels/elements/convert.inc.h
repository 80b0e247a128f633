/*
 * Kernels of kinds widen and narrow for each dtype that dtypes.inc names such for: its elements to f32 and
 * back, by load_<dtype>(p), which makes a vec_f32 of LANES_b32 elements, and store_<dtype>(p, v).
 */
VEC_INLINE void widen_all(vec_f32 (*load)(const uint8_t *p), size_t bytes, size_t n, const void *x,
                          float *out)
{
    const uint8_t *in = x;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        store_b32((uint8_t *)(out + done), as_b32(load(in + done * bytes)));
    if (done < n) {
        uint8_t last[LANES_b32 * 2] = {0}, wide[sizeof(vec_f32)];
        memcpy(last, in + done * bytes, (n - done) * bytes);
        store_b32(wide, as_b32(load(last)));
        memcpy(out + done, wide, (n - done) * sizeof *out);
    }
}

VEC_INLINE void narrow_all(void (*store)(uint8_t *p, vec_f32 v), size_t bytes, size_t n, const float *in,
                           void *y)
{
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= LANES_b32; done += LANES_b32)
        store(out + done * bytes, as_f32(load_b32((const uint8_t *)(in + done))));
    if (done < n) {
        uint8_t last[LANES_b32 * 2], wide[sizeof(vec_f32)] = {0};
        memcpy(wide, in + done, (n - done) * sizeof *in);
        store(last, as_f32(load_b32(wide)));
        memcpy(out + done * bytes, last, (n - done) * bytes);
    }
}

#define DROPWISE_SATURATING(number, name, bits, widens, narrows, ...) \
    static void narrows(size_t n, const float *in, void *y) \
    { \
        narrow_all(store_##name, (bits) / 8, n, in, y); \
    }
#define DROPWISE_HALF(number, name, bits, widens, narrows) \
    static void widens(size_t n, const void *x, float *out) \
    { \
        widen_all(load_##name, (bits) / 8, n, x, out); \
    } \
    DROPWISE_SATURATING(number, name, bits, widens, narrows, )
#include "kernels/dtypes.inc"
