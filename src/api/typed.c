/* The typed calls. */
#include "dropwise.h"

dropwise_status dropwise_forward_f32(const dropwise_mask *mask, uint64_t first, size_t n, const float *x,
                                     float *y, void *bits)
{
    return dropwise_forward(mask, DROPWISE_F32, first, n, x, y, bits);
}

dropwise_status dropwise_backward_f32(const dropwise_mask *mask, uint64_t first, size_t n, const float *dy,
                                      float *dx, const void *bits)
{
    return dropwise_backward(mask, DROPWISE_F32, first, n, dy, dx, bits);
}

dropwise_status dropwise_infer_f32(const dropwise_mask *mask, size_t n, const float *x, float *y)
{
    return dropwise_infer(mask, DROPWISE_F32, n, x, y);
}

dropwise_status dropwise_forward_f64(const dropwise_mask *mask, uint64_t first, size_t n, const double *x,
                                     double *y, void *bits)
{
    return dropwise_forward(mask, DROPWISE_F64, first, n, x, y, bits);
}

dropwise_status dropwise_backward_f64(const dropwise_mask *mask, uint64_t first, size_t n, const double *dy,
                                      double *dx, const void *bits)
{
    return dropwise_backward(mask, DROPWISE_F64, first, n, dy, dx, bits);
}

dropwise_status dropwise_infer_f64(const dropwise_mask *mask, size_t n, const double *x, double *y)
{
    return dropwise_infer(mask, DROPWISE_F64, n, x, y);
}

dropwise_status dropwise_forward_f16(const dropwise_mask *mask, uint64_t first, size_t n, const uint16_t *x,
                                     uint16_t *y, void *bits)
{
    return dropwise_forward(mask, DROPWISE_F16, first, n, x, y, bits);
}

dropwise_status dropwise_backward_f16(const dropwise_mask *mask, uint64_t first, size_t n, const uint16_t *dy,
                                      uint16_t *dx, const void *bits)
{
    return dropwise_backward(mask, DROPWISE_F16, first, n, dy, dx, bits);
}

dropwise_status dropwise_infer_f16(const dropwise_mask *mask, size_t n, const uint16_t *x, uint16_t *y)
{
    return dropwise_infer(mask, DROPWISE_F16, n, x, y);
}

dropwise_status dropwise_forward_bf16(const dropwise_mask *mask, uint64_t first, size_t n, const uint16_t *x,
                                      uint16_t *y, void *bits)
{
    return dropwise_forward(mask, DROPWISE_BF16, first, n, x, y, bits);
}

dropwise_status dropwise_backward_bf16(const dropwise_mask *mask, uint64_t first, size_t n,
                                       const uint16_t *dy, uint16_t *dx, const void *bits)
{
    return dropwise_backward(mask, DROPWISE_BF16, first, n, dy, dx, bits);
}

dropwise_status dropwise_infer_bf16(const dropwise_mask *mask, size_t n, const uint16_t *x, uint16_t *y)
{
    return dropwise_infer(mask, DROPWISE_BF16, n, x, y);
}
