/* Rows that others are compared with. */
#include <algorithm>
#include <cmath>

#include "dropwise_variants.h"
#include "rows.h"

namespace {

/* The loops y = s * x of a dtype, with ordinary and with streaming stores. */
std::pair<dropwise_scale_fn *, dropwise_scale_fn *> scale_kernels(const dropwise_kernels *kernels,
                                                                  const Dtype &dtype)
{
    switch (dtype.number) {
    case DROPWISE_F64:
        return {kernels->scale_f64, kernels->scale_nt_f64};
    case DROPWISE_F16:
        return {kernels->scale_f16, kernels->scale_nt_f16};
    case DROPWISE_BF16:
        return {kernels->scale_bf16, kernels->scale_nt_bf16};
    default:
        return {kernels->scale_f32, kernels->scale_nt_f32};
    }
}

std::pair<Work, Work> scale_works(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes)
{
    const auto both = scale_kernels(kernels, dtype);
    const auto fence = kernels->nt_fence;
    const size_t n = bytes / dtype.bytes;
    const void *factor = scale_for(dtype.bytes);
    return {[=] { both.first(n, buffers().x, buffers().y, factor); },
            [=] {
                both.second(n, buffers().x, buffers().y, factor);
                fence();
            }};
}

} // namespace

void add_memcpy(size_t bytes)
{
    add_row("memcpy" + bytes_suffix(bytes), bytes / 4, 2 * bytes, memcpy_reference(bytes).alternatives[0]);
}

Reference memcpy_reference(size_t bytes)
{
    return {"memcpy", {[=] { std::memcpy(buffers().y, buffers().x, bytes); }}};
}

void add_scale(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes)
{
    const auto works = scale_works(kernels, dtype, bytes);
    const std::string name = (dtype.number == DROPWISE_F32 ? "scale" : std::string("scale_") + dtype.name) +
                             bytes_suffix(bytes) + "/isa:" + dropwise_isa_name(kernels->isa) + "/store:";
    add_row(name + "ordinary", bytes / dtype.bytes, 2 * bytes, works.first);
    add_row(name + "stream", bytes / dtype.bytes, 2 * bytes, works.second);
}

Reference scale_reference(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes, bool in_place)
{
    if (!in_place) {
        const auto works = scale_works(kernels, dtype, bytes);
        return {"scale", {works.first, works.second}};
    }
    /* By 1, so that what is computed in place again and again neither grows nor vanishes. */
    static const double f64 = 1;
    static const float f32 = 1;
    const void *factor = dtype.number == DROPWISE_F64 ? static_cast<const void *>(&f64) : &f32;
    const auto ordinary = scale_kernels(kernels, dtype).first;
    return {"scale", {[=] { ordinary(bytes / dtype.bytes, buffers().y, buffers().y, factor); }}};
}

/* y = s * x in f32 by one kind of stores. */
Reference scale_by(const dropwise_kernels *kernels, size_t bytes, bool streams)
{
    const auto works = scale_works(kernels, kDtypes[0], bytes);
    return {streams ? "stream" : "ordinary", {streams ? works.second : works.first}};
}

/* The sum that the fused residual step contains. */
Reference sum_reference(size_t bytes)
{
    return {"sum", {[=] {
                const float *x = buffers().x, *residual = x + bytes / 4 + 48;
                const float *bias = residual + bytes / 4 + 48;
                float *y = buffers().y;
                for (size_t row = 0; row < bytes / 4; row += 1024)
                    for (size_t i = 0; i < 1024; i++)
                        y[row + i] = residual[row + i] + (x[row + i] + bias[i]);
            }}};
}

/* Zoneout of f32 by packed bits that were stored before, without branches. */
Reference choice_reference(double p, size_t bytes)
{
    const dropwise_mask mask = make_mask(p);
    const auto choose = [=] {
        const float *x = buffers().x, *before = x + bytes / 4 + 48;
        float *y = buffers().y;
        const unsigned char *keep = buffers().bits;
        for (size_t i = 0; i < bytes / 4; i++) {
            uint32_t bits, bits_before;
            std::memcpy(&bits, x + i, 4);
            std::memcpy(&bits_before, before + i, 4);
            const uint32_t chosen = 0U - (keep[i / 8] >> i % 8 & 1U);
            bits = (bits & chosen) | (bits_before & ~chosen);
            std::memcpy(y + i, &bits, 4);
        }
    };
    return {"choice", {choose}, [=] {
                if (dropwise_draw_bits(&mask, kFirst, bytes / 4, buffers().bits) != DROPWISE_OK)
                    std::abort();
            }};
}

namespace {

/* One operation on whole arrays. */
template <class F> void pass(size_t n, const float *in, float *out, F function)
{
    for (size_t i = 0; i < n; i++)
        out[i] = function(in[i]);
    benchmark::ClobberMemory();
}

/* y = x * noise. */
void multiply(size_t n, const float *noise)
{
    const float *x = buffers().x;
    float *y = buffers().y;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * noise[i];
}

} // namespace

/*
 * Noise to memory, drawn by the tier that is active, then one pass an operation, in plain loops with the
 * functions of the C library. Temporary arrays lie behind x and y, as they are no larger than 64 MiB.
 */
Reference gaussian_reference(size_t bytes)
{
    const size_t n = bytes / 4;
    const dropwise_view view = make_view({n}, 0);
    const dropwise_mask mask = make_mask(0.1);
    return {"steps", {[=] {
                float *noise = buffers().y + n + 48;
                if (dropwise_draw_normal(&mask, DROPWISE_F32, &view, noise) != DROPWISE_OK)
                    std::abort();
                pass(n, noise, noise, [](float z) { return z * 0.3333f; });
                pass(n, noise, noise, [](float z) { return z + 1.0f; });
                multiply(n, noise);
            }}};
}

Reference concrete_reference(size_t bytes)
{
    const size_t n = bytes / 4;
    const dropwise_view view = make_view({n}, 0);
    const dropwise_mask mask = make_mask(0.1);
    return {"steps", {[=] {
                float *u = buffers().y + n + 48, *other = u + n + 48;
                if (dropwise_draw_uniform(&mask, DROPWISE_F32, &view, u) != DROPWISE_OK)
                    std::abort();
                pass(n, u, other, [](float v) { return 1.0f - v; });
                pass(n, u, u, [](float v) { return std::log(v); });
                pass(n, other, other, [](float v) { return std::log(v); });
                for (size_t i = 0; i < n; i++)
                    u[i] -= other[i];
                benchmark::ClobberMemory();
                pass(n, u, u, [](float v) { return v - 2.0f; });
                pass(n, u, u, [](float v) { return v / 0.1f; });
                pass(n, u, u, [](float v) { return std::exp(v); });
                pass(n, u, u, [](float v) { return v + 1.0f; });
                pass(n, u, u, [](float v) { return 1.135f / v; });
                multiply(n, u);
            }}};
}

/*
 * DropBlock of f32 in usual steps, on maps of 32 x 32: seeds as floats, the largest of each block of 7 x 7, a
 * sum, a product.
 */
Reference dropblock_reference(size_t bytes)
{
    constexpr size_t kSide = 32, kReach = 3;
    const size_t n = bytes / 4;
    const dropwise_mask mask = make_mask(0.1 / 49 * 1024 / 676);
    return {"steps", {[=] {
                static std::vector<float> all_seeds, all_keep;
                all_seeds.resize(n);
                all_keep.resize(n);
                float *const seeds = all_seeds.data(), *const keep = all_keep.data(), *const y = buffers().y;
                const float *const x = buffers().x;
                unsigned char *const bits = buffers().bits;
                if (dropwise_draw_bits(&mask, kFirst, n, bits) != DROPWISE_OK)
                    std::abort();
                for (size_t i = 0; i < n; i++) {
                    const size_t row = i / kSide % kSide, column = i % kSide;
                    const bool inside =
                        row >= kReach && row < kSide - kReach && column >= kReach && column < kSide - kReach;
                    seeds[i] = inside && !(bits[i / 8] >> i % 8 & 1) ? 1.0f : 0.0f;
                }
                double kept = 0;
                for (size_t map = 0; map < n; map += kSide * kSide)
                    for (size_t row = 0; row < kSide; row++)
                        for (size_t column = 0; column < kSide; column++) {
                            float largest = 0;
                            for (size_t r = row < kReach ? 0 : row - kReach; r <= row + kReach && r < kSide;
                                 r++)
                                for (size_t c = column < kReach ? 0 : column - kReach;
                                     c <= column + kReach && c < kSide; c++)
                                    largest = std::max(largest, seeds[map + r * kSide + c]);
                            keep[map + row * kSide + column] = 1 - largest;
                            kept += 1 - static_cast<double>(largest);
                        }
                const float scale = static_cast<float>(static_cast<double>(n) / kept);
                for (size_t i = 0; i < n; i++)
                    y[i] = x[i] * keep[i] * scale;
            }}};
}
