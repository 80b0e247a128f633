/*
 * Benchmarks: public operations, kernels and references, for every tier that runs here, in one process.
 *
 *   forward/<dtype>/<isa>/p:0.1/bytes:N
 *                                     an operation on a tensor of N bytes; also backward, forward_bits (bits
 *                                     written too), backward_bits (from stored bits), forward_inplace
 *   bits/<isa>/p:0.1/bytes:N          keep bits alone, for an f32 tensor of N bytes
 *   spatial_nchw/..., spatial_nhwc/..., locked/..., rows/..., transposed/...
 *                                     views of a tensor of N bytes: feature maps of 32 x 32 in both layouts,
 *                                     a mask shared by 32 time steps, padded rows of 1,000, a transposed x
 *   residual/..., gelu/..., softmax/..., and residual_backward/... and so on
 *                                     fused steps on rows of 1,024, also with p:0, that is, without a mask
 *   to_bytes/..., to_bits/...         stored masks converted, N bytes of one byte an entry
 *   sum/bytes:N                       y = residual + (x + bias), a plain loop
 *   kernel/<name>/<isa>/bytes:N       a row of kernels.inc, N bytes of elements or of random bytes
 *   memcpy/bytes:N                    the floor
 *   scale/bytes:N/isa:<isa>/store:S   y = s * x in f32 with the tier's vectors, ordinary and streaming stores
 *   scale_<dtype>/bytes:N/...         the same for other dtypes
 *
 * bytes_per_second counts what is read and written, items_per_second elements.
 */
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "dropwise.h"
#include "dropwise_fused.h"

extern "C" {
#include "kernels.h"
}

namespace {

constexpr size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr size_t kMaxBytes = 256 * kMiB;
constexpr double kProbabilities[] = {0.1, 0.5};

/* 4 KiB to 256 MiB by fours, and small calls of 1, 16, 64 and 256 elements. */
const size_t kSizes[] = {4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, kMiB,
                         4 * kMiB, 16 * kMiB, 64 * kMiB, 256 * kMiB};
const size_t kSmallSizes[] = {4, 64, 256, 1024};

/* Two buffers whose addresses differ modulo 4,096: loads would else wait for unrelated stores. */
struct Buffers {
    float *x, *y;
    unsigned char *bits;

    Buffers()
    {
        constexpr size_t kPage = 4096;
        char *memory = static_cast<char *>(
            std::aligned_alloc(kPage, 2 * kMaxBytes + kMaxBytes / 32 + 4 * kPage));
        x = reinterpret_cast<float *>(memory);
        y = reinterpret_cast<float *>(memory + kMaxBytes + kPage / 2 + 64);
        bits = reinterpret_cast<unsigned char *>(memory + 2 * kMaxBytes + 2 * kPage);
        for (size_t i = 0; i < kMaxBytes / sizeof(float); i++)
            x[i] = y[i] = static_cast<float>(i % 1024) - 512;
        std::memset(bits, 0x5A, kMaxBytes / 32);
    }
};

Buffers &buffers()
{
    static Buffers b;
    return b;
}

/* A row: its work on n elements, and the bytes that it reads and writes. */
void add_row(const std::string &name, size_t n, size_t bytes_moved, std::function<void()> work,
             std::function<bool()> prepare = [] { return true; })
{
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
        buffers();
        if (!prepare()) {
            state.SkipWithError("the call failed");
            return;
        }
        work();
        for (auto _ : state) {
            work();
            benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes_moved));
        state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * n));
    });
}

std::string bytes_suffix(size_t bytes)
{
    return "/bytes:" + std::to_string(bytes);
}

/* ---- Public operations ---- */

struct Dtype {
    const char *name;
    dropwise_dtype number;
    size_t bytes;
};

const Dtype kDtypes[] = {{"f32", DROPWISE_F32, 4},
                         {"f64", DROPWISE_F64, 8},
                         {"f16", DROPWISE_F16, 2},
                         {"bf16", DROPWISE_BF16, 2},
                         {"f8_e4m3", DROPWISE_F8_E4M3, 1},
                         {"f8_e5m2_sat", DROPWISE_F8_E5M2_SAT, 1}};

struct Operation {
    const char *name;
    bool moves_bits;
    dropwise_status (*run)(const dropwise_mask &mask, dropwise_dtype dtype, size_t n);
};

constexpr uint64_t kFirst = 12345678;

const Operation kOperations[] = {
    {"forward", false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"forward_bits", true,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
    {"forward_inplace", false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().y, buffers().y, nullptr);
     }},
    {"backward", false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_backward(&mask, dtype, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"backward_bits", true,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_backward(&mask, dtype, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
};

/* A row that forces a tier, and fails if the call does. */
void add_call(const std::string &name, dropwise_isa isa, size_t n, size_t bytes_moved,
              std::function<dropwise_status()> call)
{
    add_row(name, n, bytes_moved, [=] { call(); },
            [=] { return dropwise_isa_select(isa) == DROPWISE_OK && call() == DROPWISE_OK; });
}

void add_operations(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, p, 1, 2) != DROPWISE_OK)
        std::abort();
    const std::string suffix = std::string("/") + dropwise_isa_name(isa) +
                               (p == 0.1 ? "/p:0.1" : "/p:0.5") + bytes_suffix(bytes);
    const size_t n = bytes / dtype.bytes;
    for (const Operation &operation : kOperations) {
        /* So that an activation computed in place again and again neither grows nor vanishes. */
        mask.scaling = std::strcmp(operation.name, "forward_inplace") == 0 ? DROPWISE_SCALING_STANDARD
                                                                          : DROPWISE_SCALING_INVERTED;
        const auto run = operation.run;
        const auto number = dtype.number;
        add_call(std::string(operation.name) + "/" + dtype.name + suffix, isa, n,
                 2 * bytes + (operation.moves_bits ? n / 8 : 0), [=] { return run(mask, number, n); });
    }
    if (dtype.number == DROPWISE_F32)
        add_call("bits" + suffix, isa, n, n / 8,
                 [=] { return dropwise_draw_bits(&mask, kFirst, n, buffers().bits); });
}

/* ---- Views and fused steps ---- */

std::string call_suffix(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const char *const probability = p == 0 ? "/p:0" : p == 0.1 ? "/p:0.1" : "/p:0.5";
    return std::string("/") + dtype.name + "/" + dropwise_isa_name(isa) + probability + bytes_suffix(bytes);
}

dropwise_view make_view(std::vector<uint64_t> size, uint32_t shared)
{
    dropwise_view view;
    if (dropwise_view_init(&view, static_cast<uint32_t>(size.size()), size.data()) != DROPWISE_OK ||
        dropwise_view_share(&view, shared) != DROPWISE_OK)
        std::abort();
    view.first = kFirst;
    return view;
}

dropwise_mask make_mask(double p)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, p, 1, 2) != DROPWISE_OK)
        std::abort();
    return mask;
}

void add_views(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const uint64_t n = bytes / dtype.bytes;
    dropwise_view padded = make_view({n / 1024, 1000}, 0);
    padded.x_stride[0] = padded.y_stride[0] = 1024;
    dropwise_view transposed = make_view({1024, n / 1024}, 0);
    transposed.x_stride[0] = 1;
    transposed.x_stride[1] = 1024;
    const std::pair<const char *, dropwise_view> views[] = {
        {"spatial_nchw", make_view({n / 1024 / 16, 16, 32, 32}, 1u << 2 | 1u << 3)},
        {"spatial_nhwc", make_view({n / 1024 / 16, 32, 32, 16}, 1u << 1 | 1u << 2)},
        {"locked", make_view({32, n / 1024, 32}, 1u << 0)},
        {"rows", padded},
        {"transposed", transposed}};
    const dropwise_mask mask = make_mask(p);
    const auto number = dtype.number;
    for (const auto &named : views) {
        const dropwise_view view = named.second;
        add_call(named.first + call_suffix(dtype, isa, p, bytes), isa, n, 2 * bytes, [=] {
            return dropwise_forward_view(&mask, number, &view, buffers().x, buffers().y, nullptr);
        });
    }
}

void add_fused_steps(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const uint64_t n = bytes / dtype.bytes;
    const dropwise_view view = make_view({n / 1024, 1024}, 0);
    const dropwise_mask mask = make_mask(p);
    dropwise_softmax softmax;
    if (dropwise_softmax_init(&softmax, 0.01) != DROPWISE_OK)
        std::abort();
    const auto number = dtype.number;
    const std::string suffix = call_suffix(dtype, isa, p, bytes);
    /* The buffers have room for two operands of the largest size here, and a row of bias behind them. */
    const auto second = [=] { return reinterpret_cast<char *>(buffers().x) + bytes + 192; };
    const auto row = [=] { return second() + bytes + 192; };
    add_call("residual" + suffix, isa, n, 3 * bytes, [=] {
        return dropwise_residual_forward(&mask, number, &view, buffers().x, row(), second(), buffers().y,
                                         nullptr);
    });
    add_call("residual_backward" + suffix, isa, n, 2 * bytes, [=] {
        return dropwise_residual_backward(&mask, number, &view, buffers().x, buffers().y, second(), nullptr);
    });
    const std::pair<const char *, dropwise_activation> activations[] = {
        {"relu", DROPWISE_RELU}, {"gelu", DROPWISE_GELU}, {"gelu_tanh", DROPWISE_GELU_TANH},
        {"silu", DROPWISE_SILU}};
    for (const auto &named : activations) {
        const dropwise_activation activation = named.second;
        add_call(named.first + suffix, isa, n, 2 * bytes, [=] {
            return dropwise_activation_forward(&mask, number, &view, activation, buffers().x, row(),
                                               buffers().y, nullptr);
        });
        add_call(named.first + std::string("_backward") + suffix, isa, n, 3 * bytes, [=] {
            return dropwise_activation_backward(&mask, number, &view, activation, buffers().x, second(),
                                                row(), buffers().y, nullptr, nullptr);
        });
    }
    add_call("softmax" + suffix, isa, n, 2 * bytes, [=] {
        return dropwise_softmax_forward(&mask, number, &view, &softmax, buffers().x, nullptr, buffers().y,
                                        nullptr);
    });
    add_call("softmax_backward" + suffix, isa, n, 3 * bytes, [=] {
        return dropwise_softmax_backward(&mask, number, &view, &softmax, buffers().x, second(), buffers().y,
                                         nullptr);
    });
}

void add_conversions(dropwise_isa isa, size_t bytes)
{
    const dropwise_mask mask = make_mask(0.1);
    const std::string suffix = std::string("/") + dropwise_isa_name(isa) + bytes_suffix(bytes);
    const auto convert = [=](bool to_bits) {
        const dropwise_stored bits = {sizeof bits, DROPWISE_FORM_BITS, buffers().bits, bytes / 8, 0, {0, 0}};
        const dropwise_stored all = {sizeof all, DROPWISE_FORM_BYTES, buffers().y, bytes, 0, {0, 0}};
        return dropwise_convert_stored(&mask, DROPWISE_F32, 1, bytes, to_bits ? &all : &bits,
                                       to_bits ? &bits : &all);
    };
    add_call("to_bytes" + suffix, isa, bytes, bytes + bytes / 8, [=] { return convert(false); });
    add_call("to_bits" + suffix, isa, bytes, bytes + bytes / 8, [=] { return convert(true); });
}

/* ---- Kernels: a row of kernels.inc calls the overload for its kind ---- */

const dropwise_key kKey = {{1, 2}, {3, 4}};

void add_kernel(const std::string &name, dropwise_generate_fn *generate)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes,
                [=] { generate(&kKey, 1000, bytes / 16, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_generate_at_fn *generate_at)
{
    static const std::vector<uint64_t> counters = [] {
        std::vector<uint64_t> c;
        for (uint64_t i = 0; i < 256; i++)
            c.push_back(i * 1000003);
        return c;
    }();
    const size_t bytes = counters.size() * 16;
    add_row(name + bytes_suffix(bytes), bytes, bytes,
            [=] { generate_at(&kKey, counters.data(), counters.size(), buffers().y); });
}

void add_kernel(const std::string &name, dropwise_threshold_fn *threshold)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes + bytes / 4, [=] {
            threshold(buffers().x, bytes, 230, buffers().bits, buffers().bits + bytes / 8);
        });
}

/* A kernel's name ends in its dtype, or in the width of its elements. */
size_t element_bytes(const std::string &kernel)
{
    const std::string type = kernel.substr(kernel.rfind('_') + 1);
    const std::string width = type.substr(type.size() - 2);
    return width == "64" ? 8 : width == "32" ? 4 : width == "16" ? 2 : 1;
}

/* The scale in the type that kernels of these elements read. */
const void *scale_for(size_t bytes_of_element)
{
    static const double f64 = 1.1;
    static const float f32 = 1.1f;
    return bytes_of_element == 8 ? static_cast<const void *>(&f64) : &f32;
}

void add_kernel(const std::string &name, dropwise_apply_fn *apply)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, 2 * bytes + bytes / element / 8, [=] {
            apply(buffers().bits, bytes / element, buffers().x, buffers().y, scale_for(element));
        });
}

void add_kernel(const std::string &name, dropwise_scale_fn *scale)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, 2 * bytes, [=] {
            scale(bytes / element, buffers().x, buffers().y, scale_for(element));
        });
}

void add_kernel(const std::string &name, dropwise_nonzero_fn *nonzero)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, bytes + bytes / element / 8,
                [=] { nonzero(bytes / element, buffers().x, buffers().bits); });
}

void add_kernel(const std::string &name, dropwise_clear_fn *clear)
{
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes, [=] { clear(bytes, buffers().y); });
}

/* Conversions: bytes:N counts the f32 side. */
void add_kernel(const std::string &name, dropwise_widen_fn *widen)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, bytes + bytes / 4 * element,
                [=] { widen(bytes / 4, buffers().x, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_narrow_fn *narrow)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, bytes + bytes / 4 * element,
                [=] { narrow(bytes / 4, buffers().x, buffers().y); });
}

/* Kernels of the fused steps: bytes:N counts one operand, in L1 and L2. */
void add_fused(const std::string &name, int operands,
               std::function<void(size_t n, const void *factor, char *p, size_t step)> run)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / element, operands * bytes, [=] {
            run(bytes / element, scale_for(element), reinterpret_cast<char *>(buffers().x), bytes + 64);
        });
}

void add_kernel(const std::string &name, dropwise_residual_fn *residual)
{
    add_fused(name, 4, [=](size_t n, const void *factor, char *p, size_t step) {
        residual(buffers().bits, n, p, p + step, p + 2 * step, buffers().y, factor);
    });
}

void add_kernel(const std::string &name, dropwise_activate_fn *activate)
{
    add_fused(name, 3, [=](size_t n, const void *factor, char *p, size_t step) {
        activate(buffers().bits, n, p, p + step, buffers().y, factor);
    });
}

void add_kernel(const std::string &name, dropwise_activate_grad_fn *grad)
{
    add_fused(name, 4, [=](size_t n, const void *factor, char *p, size_t step) {
        grad(buffers().bits, n, p, p + step, p + 2 * step, buffers().y, factor, nullptr);
    });
}

void add_kernel(const std::string &name, dropwise_row_max_fn *row_max)
{
    add_fused(name, 1, [=](size_t n, const void *factor, char *p, size_t) {
        double max = 0;
        row_max(n, p, nullptr, factor, &max);
    });
}

void add_kernel(const std::string &name, dropwise_row_exp_fn *row_exp)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t) {
        double sums[16] = {0};
        row_exp(n, p, nullptr, factor, factor, buffers().y, sums);
    });
}

void add_kernel(const std::string &name, dropwise_row_drop_fn *row_drop)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t) {
        row_drop(buffers().bits, n, p, factor, factor, nullptr, buffers().y);
    });
}

void add_kernel(const std::string &name, dropwise_row_dot_fn *row_dot)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t step) {
        double sums[16] = {0};
        row_dot(buffers().bits, n, p, p + step, factor, sums);
    });
}

void add_kernel(const std::string &name, dropwise_row_grad_fn *row_grad)
{
    add_fused(name, 3, [=](size_t n, const void *factor, char *p, size_t step) {
        row_grad(buffers().bits, n, p, p + step, factor, factor, factor, buffers().y);
    });
}

/* ---- References ---- */

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

/* All rows of one size stand together, so that what is compared is measured within moments. */
void add_all(size_t bytes)
{
    add_memcpy(bytes);
    if (bytes == 256 * kKiB || bytes == 64 * kMiB)
        add_sum(bytes);
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        if (kernels == nullptr)
            continue;
        if (bytes == 256 * kKiB || bytes == 64 * kMiB)
            add_conversions(isa, bytes);
        for (const Dtype &dtype : kDtypes) {
            if (bytes < dtype.bytes)
                continue;
            if (dtype.bytes != 1) /* 8-bit types have no such loop: they go by way of f32 */
                add_scale(kernels, dtype, bytes);
            for (double p : kProbabilities)
                add_operations(dtype, isa, p, bytes);
            const bool has_rows = bytes == 256 * kKiB || bytes == 64 * kMiB;
            for (double p : {0.0, 0.1, 0.5}) {
                if (has_rows && p != 0)
                    add_views(dtype, isa, p, bytes);
                if (has_rows && p != 0.5)
                    add_fused_steps(dtype, isa, p, bytes);
            }
        }
    }
}

void add_tier(dropwise_isa isa)
{
    const std::string isa_name = dropwise_isa_name(isa);
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    if (kernels == nullptr) {
        if (dropwise_isa_check(isa) == DROPWISE_ERROR_ISA_NOT_BUILT)
            return;
        benchmark::RegisterBenchmark(("tier/" + isa_name).c_str(), [](benchmark::State &state) {
            state.SkipWithError("not usable on this machine");
        });
        return;
    }
#define DROPWISE_KERNEL(kind, name) \
    if (kernels->name != nullptr)   \
        add_kernel("kernel/" #name "/" + isa_name, kernels->name);
#define DROPWISE_MATH_KERNEL DROPWISE_KERNEL
#include "kernels.inc"
#undef DROPWISE_KERNEL
#undef DROPWISE_MATH_KERNEL
}

} // namespace

int main(int argc, char **argv)
{
    for (size_t bytes : kSmallSizes)
        add_all(bytes);
    for (size_t bytes : kSizes)
        add_all(bytes);
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++)
        add_tier(isa);
    benchmark::AddCustomContext("dropwise", dropwise_version());
    benchmark::AddCustomContext("compiler", BENCH_COMPILER);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
