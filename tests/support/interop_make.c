#include "support/interop_make.h"

#include "support/common.h"

dropwise_status make_interop(const ref_interop *r, dropwise_interop *out)
{
    const dropwise_dtype draws = dtype_number(r->draws), dtype = dtype_number(r->dtype);
    const uint32_t jax_key[2] = {(uint32_t)(r->seed >> 32), (uint32_t)r->seed};
    const int64_t seeds[2] = {(int64_t)r->seed, (int64_t)r->seed2};
    const uint64_t numpy_key[2] = {r->seed, r->seed2};
    const uint32_t threads = (uint32_t)r->threads, vector = (uint32_t)r->vector, seed32 = (uint32_t)r->seed;
    switch (r->system) {
    case REF_JAX:
        return dropwise_interop_jax(out, jax_key, draws, dtype, 1.0 - r->p);
    case REF_JAX_LEGACY:
        return dropwise_interop_jax_legacy(out, jax_key, r->size, draws, dtype, 1.0 - r->p);
    case REF_TENSORFLOW:
        return dropwise_interop_tensorflow(out, seeds, dtype, r->p);
    case REF_ONEDNN_3_6:
        return dropwise_interop_onednn_3_6(out, seed32, r->p);
    case REF_ONEDNN_3_11:
        return dropwise_interop_onednn_3_11(out, r->seed, r->offset, r->p);
    case REF_ONEDNN_3_11_NO_OFFSET:
        return dropwise_interop_onednn_3_11_no_offset(out, seed32, r->p);
    case REF_TORCH_CUDA:
        return dropwise_interop_torch_cuda(out, dtype, r->size, threads, vector, r->seed, r->offset, r->p);
    case REF_TRITON:
        return dropwise_interop_triton(out, r->seed, r->p);
    case REF_INDUCTOR_GPU:
        return dropwise_interop_inductor_gpu(out, dtype, r->seed, r->p);
    case REF_INDUCTOR_GPU_2_12:
        return dropwise_interop_inductor_gpu_2_12(out, dtype, r->seed, r->p);
    case REF_INDUCTOR_GPU_2_13:
        return dropwise_interop_inductor_gpu_2_13(out, dtype, r->seed, r->p);
    case REF_INDUCTOR_CPU:
        return dropwise_interop_inductor_cpu(out, dtype, r->seed, r->p);
    case REF_INDUCTOR_CPU_2_12:
        return dropwise_interop_inductor_cpu_2_12(out, dtype, r->seed, r->p);
    case REF_CURAND:
        return dropwise_interop_curand(out, r->seed, r->seed2, r->offset, r->p);
    case REF_CURAND_HOST:
        return dropwise_interop_curand_host(out, r->seed, r->offset, r->p);
    case REF_NUMPY:
        return dropwise_interop_numpy(out, numpy_key, r->counter, draws, r->p);
    case REF_ONEMKL:
        return dropwise_interop_onemkl(out, seed32, r->p);
    case REF_FLASH_ATTENTION_2:
        return dropwise_interop_flash_attention_2(out, r->rows, r->columns, r->seed, r->offset, r->p);
    case REF_TRANSFORMER_ENGINE:
        return dropwise_interop_transformer_engine(out, r->seed, r->offset, r->p);
    case REF_ONNX_RUNTIME:
        return dropwise_interop_onnx_runtime(out, r->size, threads, r->seed, r->offset, r->p);
    default:
        return dropwise_interop_deepspeed(out, r->size, threads, r->seed, r->offset, r->p);
    }
}
