/*
 * Benchmarks: public operations, kernels and references, for every tier that runs here, in one process.
 *
 *   forward/f32/<isa>/p:0.1/bytes:N   an operation on a tensor of N bytes; also backward, forward_bits (bits
 *                                     written too), backward_bits (from stored bits), forward_inplace
 *   bits/<isa>/p:0.1/bytes:N          keep bits alone, for such a tensor
 *   kernel/<name>/<isa>/bytes:N       a row of kernels.inc, N bytes of elements or of random bytes
 *   memcpy/bytes:N                    the floor
 *   scale/bytes:N/isa:<isa>/store:S   y = s * x with the tier's vectors, ordinary and streaming stores
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

extern "C" {
#include "kernels.h"
}

namespace {

constexpr size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr size_t kMaxBytes = 256 * kMiB;
constexpr double kProbabilities[] = {0.1, 0.5};
constexpr float kScale = 1.1f;

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
void add_row(const std::string &name, size_t n, size_t bytes_moved, std::function<void()> work)
{
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
        buffers();
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

struct Operation {
    const char *name;
    bool sized_by_dtype;                  /* f32 is part of the name */
    size_t (*bytes_moved)(size_t n);
    dropwise_status (*run)(const dropwise_mask &mask, size_t n);
};

constexpr uint64_t kFirst = 12345678;

const Operation kOperations[] = {
    {"forward", true, [](size_t n) { return 8 * n; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_forward_f32(&mask, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"forward_bits", true, [](size_t n) { return 8 * n + n / 8; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_forward_f32(&mask, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
    {"forward_inplace", true, [](size_t n) { return 8 * n; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_forward_f32(&mask, kFirst, n, buffers().y, buffers().y, nullptr);
     }},
    {"backward", true, [](size_t n) { return 8 * n; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_backward_f32(&mask, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"backward_bits", true, [](size_t n) { return 8 * n + n / 8; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_backward_f32(&mask, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
    {"bits", false, [](size_t n) { return n / 8; },
     [](const dropwise_mask &mask, size_t n) {
         return dropwise_draw_bits(&mask, kFirst, n, buffers().bits);
     }},
};

void add_operation(const Operation &operation, dropwise_isa isa, double p, size_t bytes)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, p, 1, 2) != DROPWISE_OK)
        std::abort();
    /* So that an activation computed in place again and again neither grows nor vanishes. */
    mask.scaling = std::strcmp(operation.name, "forward_inplace") == 0 ? DROPWISE_SCALING_STANDARD
                                                                      : DROPWISE_SCALING_INVERTED;
    const size_t n = bytes / sizeof(float);
    const std::string name = std::string(operation.name) + (operation.sized_by_dtype ? "/f32/" : "/") +
                             dropwise_isa_name(isa) + (p == 0.1 ? "/p:0.1" : "/p:0.5") +
                             bytes_suffix(bytes);
    const auto run = operation.run;
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
        buffers();
        if (dropwise_isa_select(isa) != DROPWISE_OK || run(mask, n) != DROPWISE_OK) {
            state.SkipWithError("the call failed");
            return;
        }
        for (auto _ : state) {
            run(mask, n);
            benchmark::ClobberMemory();
        }
        state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * operation.bytes_moved(n)));
        state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * n));
    });
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

void add_kernel(const std::string &name, dropwise_apply_fn *apply)
{
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, 2 * bytes + bytes / 32,
                [=] { apply(buffers().bits, bytes / 4, buffers().x, buffers().y, &kScale); });
}

void add_kernel(const std::string &name, dropwise_scale_fn *scale)
{
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, 2 * bytes,
                [=] { scale(bytes / 4, buffers().x, buffers().y, &kScale); });
}

/* ---- References ---- */

void add_memcpy(size_t bytes)
{
    add_row("memcpy" + bytes_suffix(bytes), bytes / 4, 2 * bytes,
            [=] { std::memcpy(buffers().y, buffers().x, bytes); });
}

void add_scale(const dropwise_kernels *kernels, const char *isa, size_t bytes)
{
    const auto ordinary = kernels->scale_f32;
    const auto stream = kernels->scale_stream_f32;
    const auto fence = kernels->stream_fence;
    const std::string name = "scale" + bytes_suffix(bytes) + "/isa:" + isa + "/store:";
    add_row(name + "ordinary", bytes / 4, 2 * bytes,
            [=] { ordinary(bytes / 4, buffers().x, buffers().y, &kScale); });
    add_row(name + "stream", bytes / 4, 2 * bytes, [=] {
        stream(bytes / 4, buffers().x, buffers().y, &kScale);
        fence();
    });
}

/* All rows of one size stand together, so that what is compared is measured within moments. */
void add_all(size_t bytes)
{
    add_memcpy(bytes);
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        if (kernels == nullptr)
            continue;
        add_scale(kernels, dropwise_isa_name(isa), bytes);
        for (double p : kProbabilities)
            for (const Operation &operation : kOperations)
                add_operation(operation, isa, p, bytes);
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
    add_kernel("kernel/" #name "/" + isa_name, kernels->name);
#include "kernels.inc"
#undef DROPWISE_KERNEL
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
