#include "rows.h"

Buffers::Buffers()
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

Buffers &buffers()
{
    static Buffers b;
    return b;
}

void add_row(const std::string &name, size_t n, size_t bytes_moved, std::function<void()> work,
             std::function<bool()> prepare)
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

void add_call(const std::string &name, dropwise_isa isa, size_t n, size_t bytes_moved,
              std::function<dropwise_status()> call)
{
    add_row(name, n, bytes_moved, [=] { call(); },
            [=] { return dropwise_isa_select(isa) == DROPWISE_OK && call() == DROPWISE_OK; });
}

std::string bytes_suffix(size_t bytes)
{
    return "/bytes:" + std::to_string(bytes);
}

std::string call_suffix(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const char *const probability = p == 0 ? "/p:0" : p == 0.1 ? "/p:0.1" : "/p:0.5";
    return std::string("/") + dtype.name + "/" + dropwise_isa_name(isa) + probability + bytes_suffix(bytes);
}

dropwise_mask make_mask(double p)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, p, 1, 2) != DROPWISE_OK)
        std::abort();
    return mask;
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

const void *scale_for(size_t bytes_of_element)
{
    static const double f64 = 1.1;
    static const float f32 = 1.1f;
    return bytes_of_element == 8 ? static_cast<const void *>(&f64) : &f32;
}
