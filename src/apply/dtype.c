#include "apply/dtype.h"

dropwise_dtype_kernels dropwise_dtype_of(const dropwise_kernels *k, dropwise_dtype dtype)
{
    const dropwise_dtype_kernels f8 = {
        .copy_kept = k->copy_kept_b8, .copy_kept_nt = k->copy_kept_nt_b8, .nonzero = k->nonzero_b8};
    dropwise_dtype_kernels t = f8;
    switch (dtype) {
    case DROPWISE_F64:
        return (dropwise_dtype_kernels){.scale_kept = k->scale_kept_f64,
                                        .scale_kept_nt = k->scale_kept_nt_f64,
                                        .scale = k->scale_f64,
                                        .scale_nt = k->scale_nt_f64,
                                        .copy_kept = k->copy_kept_b64,
                                        .copy_kept_nt = k->copy_kept_nt_b64,
                                        .nonzero = k->nonzero_b64};
    case DROPWISE_F16:
        return (dropwise_dtype_kernels){.scale_kept = k->scale_kept_f16,
                                        .scale_kept_nt = k->scale_kept_nt_f16,
                                        .scale = k->scale_f16,
                                        .scale_nt = k->scale_nt_f16,
                                        .copy_kept = k->copy_kept_b16,
                                        .copy_kept_nt = k->copy_kept_nt_b16,
                                        .nonzero = k->nonzero_b16,
                                        .widen = k->widen_f16,
                                        .narrow = k->narrow_f16};
    case DROPWISE_BF16:
        return (dropwise_dtype_kernels){.scale_kept = k->scale_kept_bf16,
                                        .scale_kept_nt = k->scale_kept_nt_bf16,
                                        .scale = k->scale_bf16,
                                        .scale_nt = k->scale_nt_bf16,
                                        .copy_kept = k->copy_kept_b16,
                                        .copy_kept_nt = k->copy_kept_nt_b16,
                                        .nonzero = k->nonzero_b16,
                                        .widen = k->widen_bf16,
                                        .narrow = k->narrow_bf16};
    case DROPWISE_F8_E4M3:
        t.widen = k->widen_f8_e4m3;
        t.narrow = k->narrow_f8_e4m3;
        return t;
    case DROPWISE_F8_E4M3_SAT:
        t.widen = k->widen_f8_e4m3;
        t.narrow = k->narrow_f8_e4m3_sat;
        return t;
    case DROPWISE_F8_E5M2:
        t.widen = k->widen_f8_e5m2;
        t.narrow = k->narrow_f8_e5m2;
        return t;
    case DROPWISE_F8_E5M2_SAT:
        t.widen = k->widen_f8_e5m2;
        t.narrow = k->narrow_f8_e5m2_sat;
        return t;
    default:
        return (dropwise_dtype_kernels){.scale_kept = k->scale_kept_f32,
                                        .scale_kept_nt = k->scale_kept_nt_f32,
                                        .scale = k->scale_f32,
                                        .scale_nt = k->scale_nt_f32,
                                        .copy_kept = k->copy_kept_b32,
                                        .copy_kept_nt = k->copy_kept_nt_b32,
                                        .nonzero = k->nonzero_b32};
    }
}

dropwise_draw_scale_fn *dropwise_draw_scale_of(const dropwise_generator *generator, dropwise_dtype dtype)
{
    switch (dtype) {
    case DROPWISE_F64:
        return generator->draw_scale_f64;
    case DROPWISE_F32:
        return generator->draw_scale_f32;
    case DROPWISE_F16:
        return generator->draw_scale_f16;
    case DROPWISE_BF16:
        return generator->draw_scale_bf16;
    default:
        return NULL;
    }
}
