/* Rows that others are compared with. */
#include "rows.h"

void add_memcpy(size_t bytes)
{
    add_row("memcpy" + bytes_suffix(bytes), bytes / 4, 2 * bytes,
            [=] { std::memcpy(buffers().y, buffers().x, bytes); });
}

void add_scale(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes)
{
    dropwise_scale_fn *ordinary = kernels->scale_f32, *stream = kernels->scale_stream_f32;
    if (dtype.number == DROPWISE_F64)
        ordinary = kernels->scale_f64, stream = kernels->scale_stream_f64;
    if (dtype.number == DROPWISE_F16)
        ordinary = kernels->scale_f16, stream = kernels->scale_stream_f16;
    if (dtype.number == DROPWISE_BF16)
        ordinary = kernels->scale_bf16, stream = kernels->scale_stream_bf16;
    const auto fence = kernels->stream_fence;
    const size_t n = bytes / dtype.bytes;
    const void *factor = scale_for(dtype.bytes);
    const std::string name = (dtype.number == DROPWISE_F32 ? "scale" : std::string("scale_") + dtype.name) +
                             bytes_suffix(bytes) + "/isa:" + dropwise_isa_name(kernels->isa) + "/store:";
    add_row(name + "ordinary", n, 2 * bytes,
            [=] { ordinary(n, buffers().x, buffers().y, factor); });
    add_row(name + "stream", n, 2 * bytes, [=] {
        stream(n, buffers().x, buffers().y, factor);
        fence();
    });
}

/* The sum that the fused residual step contains. */
void add_sum(size_t bytes)
{
    add_row("sum" + bytes_suffix(bytes), bytes / 4, 3 * bytes, [=] {
        const float *x = buffers().x, *residual = x + bytes / 4 + 48, *bias = residual + bytes / 4 + 48;
        float *y = buffers().y;
        for (size_t row = 0; row < bytes / 4; row += 1024)
            for (size_t i = 0; i < 1024; i++)
                y[row + i] = residual[row + i] + (x[row + i] + bias[i]);
    });
}
