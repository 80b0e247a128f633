#include "interop/layouts.h"

#include "base/check.h"

static const char *const layout_names[DROPWISE_LAYOUT_COUNT] = {
    [DROPWISE_LAYOUT_JAX] = "jax",
    [DROPWISE_LAYOUT_JAX_LEGACY] = "jax-legacy",
    [DROPWISE_LAYOUT_TENSORFLOW] = "tf",
    [DROPWISE_LAYOUT_ONEDNN_3_6] = "onednn-3.6",
    [DROPWISE_LAYOUT_ONEDNN_3_11] = "onednn-3.11",
    [DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET] = "onednn-3.11-no-offset",
    [DROPWISE_LAYOUT_TORCH_CUDA] = "torch-cuda",
    [DROPWISE_LAYOUT_TRITON] = "triton",
    [DROPWISE_LAYOUT_INDUCTOR_GPU] = "inductor-gpu-2.11",
    [DROPWISE_LAYOUT_INDUCTOR_CPU] = "inductor-cpu-2.11",
    [DROPWISE_LAYOUT_CURAND] = "curand",
    [DROPWISE_LAYOUT_CURAND_HOST] = "curand-host",
    [DROPWISE_LAYOUT_NUMPY] = "numpy",
    [DROPWISE_LAYOUT_ONEMKL] = "onemkl",
    [DROPWISE_LAYOUT_FLASH_ATTENTION_2] = "flash-attention-2",
    [DROPWISE_LAYOUT_TRANSFORMER_ENGINE] = "transformer-engine",
    [DROPWISE_LAYOUT_ONNX_RUNTIME] = "onnx-runtime",
    [DROPWISE_LAYOUT_DEEPSPEED] = "deepspeed",
    [DROPWISE_LAYOUT_INDUCTOR_GPU_2_12] = "inductor-gpu-2.12",
    [DROPWISE_LAYOUT_INDUCTOR_GPU_2_13] = "inductor-gpu-2.13",
    [DROPWISE_LAYOUT_INDUCTOR_CPU_2_12] = "inductor-cpu-2.12",
};

const char *dropwise_layout_name(uint32_t layout)
{
    return layout < DROPWISE_LAYOUT_COUNT ? layout_names[layout] : NULL;
}

/* JAX splits the key from 2^32 - 1 words on. */
uint64_t dropwise_jax_legacy_limit(int32_t draws)
{
    const uint64_t words = UINT32_MAX - 1;
    return draws == DROPWISE_F64    ? words / 2
           : draws == DROPWISE_F16  ? words * 2
           : draws == DROPWISE_BF16 ? words * 4
                                    : words;
}

/* The elements of 2^26 heads: FlashAttention counts heads times 32 in an int. */
uint64_t dropwise_attention_limit(uint64_t rows, uint64_t columns)
{
    const uint64_t head = rows * columns;
    return head < DROPWISE_INDEX_LIMIT >> 26 ? head << 26 : DROPWISE_INDEX_LIMIT;
}

/* Whether the dtype of the draw is one that the layout has. */
static bool draws_are_known(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY:
    case DROPWISE_LAYOUT_TENSORFLOW:
        return is_float_dtype(d->draws);
    case DROPWISE_LAYOUT_NUMPY:
        return d->draws == DROPWISE_F32 || d->draws == DROPWISE_F64;
    default:
        return d->draws == DROPWISE_F32;
    }
}

/* The most elements that the layout can number. */
static uint64_t size_limit(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX_LEGACY:
        return dropwise_jax_legacy_limit(d->draws);
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
    case DROPWISE_LAYOUT_TRITON:
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return UINT64_C(1) << 32;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return dropwise_attention_limit(d->rows, d->columns);
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
    case DROPWISE_LAYOUT_DEEPSPEED:
        return INT32_MAX;
    default:
        return DROPWISE_INDEX_LIMIT;
    }
}

/* The largest number that the layout compares: bytes, halves or wholes of words, or pairs of them. */
static uint64_t number_limit(const dropwise_interop *d)
{
    const bool is_legacy = d->layout == DROPWISE_LAYOUT_JAX_LEGACY;
    if (d->layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2 || d->layout == DROPWISE_LAYOUT_TRANSFORMER_ENGINE ||
        (is_legacy && d->draws == DROPWISE_BF16))
        return UINT8_MAX;
    if (is_legacy && d->draws == DROPWISE_F16)
        return UINT16_MAX;
    return d->draws == DROPWISE_F64 ? UINT64_MAX : UINT32_MAX;
}

/* Numbers of a thread's, or a state's, that may be skipped. */
static uint64_t skip_limit(uint32_t layout)
{
    if (layout == DROPWISE_LAYOUT_CURAND_HOST)
        return DROPWISE_INDEX_LIMIT;
    return layout == DROPWISE_LAYOUT_CURAND || layout == DROPWISE_LAYOUT_DEEPSPEED ? 3 : 0;
}

static bool is_launch(const dropwise_interop *d, uint32_t most_threads)
{
    return d->threads != 0 && d->threads <= most_threads && is_torch_vector(d->vector);
}

/* Whether the fields that say how the system's kernel goes through the tensor are such as it has. */
static bool shape_is_known(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_TORCH_CUDA:
        return is_launch(d, MAX_THREADS) && d->size % d->vector == 0;
    case DROPWISE_LAYOUT_DEEPSPEED:
        return is_launch(d, MAX_THREADS) && d->vector == 4 && d->size % 4 == 0;
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
        return is_launch(d, MAX_THREADS / 2) && d->vector == 4;
    case DROPWISE_LAYOUT_CURAND_HOST:
        return d->threads == CURAND_SUBSEQUENCES && d->vector == 4;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return d->rows != 0 && d->columns != 0 && is_int(d->rows) && is_int(d->columns);
    default:
        return true;
    }
}

/*
 * Kernels may multiply zeros where elements are dropped: a negative scale, also a negative 0, or an infinite
 * one would make -0.0 or NaN of them.
 */
static bool is_scale(double scale)
{
    const bool is_zero = scale == 0.0 && !__builtin_signbit(scale);
    return is_zero || (scale >= 1.0 && dropwise_is_finite(scale));
}

/* The shape is looked at first: the limit of the size is a product of it. */
static bool parameters_are_known(const dropwise_interop *d)
{
    return d->drops <= 1 && draws_are_known(d) && shape_is_known(d) && d->size <= size_limit(d) &&
           d->last <= number_limit(d) && d->skip <= skip_limit(d->layout) && is_scale(d->scale);
}

dropwise_status dropwise_check_interop(const dropwise_interop *interop)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (interop->struct_size != sizeof *interop)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (dropwise_layout_name(interop->layout) == NULL)
        return DROPWISE_ERROR_LAYOUT;
    if (interop->reserved[0] != 0)
        return DROPWISE_ERROR_RESERVED;
    return parameters_are_known(interop) ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}
