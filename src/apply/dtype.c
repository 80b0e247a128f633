#include "apply/dtype.h"

/* The list of dtypes is dropwise.h's: from 1 on, in the order of the numbers. */
enum {
    NO_DTYPE,
#define DROPWISE_DTYPE(number, name, bits) ROW_##number,
#include "kernels/dtypes.inc"
};
#define DROPWISE_DTYPE(number, name, bits) \
    _Static_assert(DROPWISE_##number == (int)ROW_##number, "a dtype is listed at the place of its number");
#include "kernels/dtypes.inc"

/* The members of dropwise_dtype_kernels: elements moved by their width, scaled, and by way of f32. */
#define MOVED(bits) \
    .copy_kept = k->copy_kept_b##bits, .copy_kept_nt = k->copy_kept_nt_b##bits, .blend = k->blend_b##bits, \
    .nonzero = k->nonzero_b##bits
#define SCALED(name) \
    .scale_kept = k->scale_kept_##name, .scale_kept_nt = k->scale_kept_nt_##name, \
    .add_kept = k->add_kept_##name, .scale = k->scale_##name, .scale_nt = k->scale_nt_##name
#define CONVERTED(widens, narrows) .widen = k->widens, .narrow = k->narrows

dropwise_dtype_kernels dropwise_dtype_of(const dropwise_kernels *k, dropwise_dtype dtype)
{
    switch (dtype) {
#define DROPWISE_DTYPE(number, name, bits) \
    case DROPWISE_##number: \
        return (dropwise_dtype_kernels){SCALED(name), MOVED(bits)};
#define DROPWISE_HALF(number, name, bits, widens, narrows) \
    case DROPWISE_##number: \
        return (dropwise_dtype_kernels){SCALED(name), MOVED(bits), CONVERTED(widens, narrows)};
#define DROPWISE_SMALL_FLOAT(number, name, bits, widens, narrows, ...) \
    case DROPWISE_##number: \
        return (dropwise_dtype_kernels){MOVED(bits), CONVERTED(widens, narrows)};
#include "kernels/dtypes.inc"
    default:
        return (dropwise_dtype_kernels){.scale = NULL};
    }
}

dropwise_step_kernels dropwise_steps_of(const dropwise_kernels *k, dropwise_dtype dtype)
{
    switch (dtype) {
#define DROPWISE_DTYPE(number, name, bits) \
    case DROPWISE_##number: \
        return (dropwise_step_kernels){ \
            .residual = k->residual_##name, \
            .residual_nt = k->residual_nt_##name, \
            .activate = {NULL, k->activate_relu_##name, k->activate_gelu_##name, \
                         k->activate_gelu_tanh_##name, k->activate_silu_##name}, \
            .activate_grad = {k->activate_grad_identity_##name, k->activate_grad_relu_##name, \
                              k->activate_grad_gelu_##name, k->activate_grad_gelu_tanh_##name, \
                              k->activate_grad_silu_##name}, \
            .softmax = k->softmax_##name, \
            .softmax_grad = k->softmax_grad_##name, \
            .affine_kept = k->affine_kept_##name, \
            .affine_kept_nt = k->affine_kept_nt_##name, \
            .mix = k->mix_##name, \
            .mix_nt = k->mix_nt_##name, \
        };
#define DROPWISE_SMALL_FLOAT(number, name, bits, widens, narrows, ...)
#include "kernels/dtypes.inc"
    default:
        return dropwise_steps_of(k, DROPWISE_F32);
    }
}
