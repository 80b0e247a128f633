/* Rows of other systems' masks, and the generators of Random123, whose speed they are compared with. */
#include "rows.h"

#include "dropwise_interop.h"

#ifdef BENCH_HAVE_RANDOM123
#include <Random123/philox.h>
#include <Random123/threefry.h>
#endif

namespace {

/* A layout, and how many bytes of random numbers it takes for an element. */
struct Layout {
    std::string name;
    double bytes;
    dropwise_interop interop;
};

void check(dropwise_status status)
{
    if (status != DROPWISE_OK)
        std::abort();
}

std::vector<Layout> make_layouts(uint64_t n, double p)
{
    const uint32_t jax_key[2] = {1, 2};
    const int64_t tf_seed[2] = {1, 2};
    const uint64_t numpy_key[2] = {1, 2};
    const uint32_t threads = 108 * 2048; /* an A100 */
    std::vector<Layout> layouts;
    const auto add = [&](const std::string &name, double bytes) -> dropwise_interop * {
        layouts.push_back({name, bytes, {}});
        return &layouts.back().interop;
    };
    check(dropwise_interop_jax(add("jax", 8), jax_key, DROPWISE_F32, DROPWISE_F32, 1 - p));
    check(dropwise_interop_jax(add("jax-f64", 8), jax_key, DROPWISE_F64, DROPWISE_F64, 1 - p));
    check(dropwise_interop_jax_legacy(add("jax-legacy", 4), jax_key, n, DROPWISE_F32, DROPWISE_F32, 1 - p));
    check(
        dropwise_interop_jax_legacy(add("jax-legacy-f16", 2), jax_key, n, DROPWISE_F16, DROPWISE_F16, 1 - p));
    check(dropwise_interop_jax_legacy(add("jax-legacy-bf16", 1), jax_key, n, DROPWISE_BF16, DROPWISE_BF16,
                                      1 - p));
    check(dropwise_interop_tensorflow(add("tf", 4), tf_seed, DROPWISE_F32, p));
    check(dropwise_interop_tensorflow(add("tf-f64", 8), tf_seed, DROPWISE_F64, p));
    check(dropwise_interop_onednn_3_6(add("onednn-3.6", 4), 1, p));
    check(dropwise_interop_onednn_3_11(add("onednn-3.11", 4), 1, 2, p));
    check(dropwise_interop_onednn_3_11_no_offset(add("onednn-3.11-no-offset", 4), 1, p));
    for (uint32_t vector : {1, 2, 4, 8})
        check(dropwise_interop_torch_cuda(add("torch-cuda-" + std::to_string(vector), vector == 2 ? 8 : 4),
                                          DROPWISE_F32, n, threads, vector, 1, 0, p));
    check(dropwise_interop_triton(add("triton", 16), 1, p));
    check(dropwise_interop_inductor_gpu(add("inductor-gpu-2.11", 16), DROPWISE_F32, 1, p));
    check(dropwise_interop_inductor_gpu_2_13(add("inductor-gpu-2.13", 4), DROPWISE_F32, 1, p));
    check(dropwise_interop_inductor_cpu(add("inductor-cpu-2.11", 16), DROPWISE_F32, 1, p));
    check(dropwise_interop_curand(add("curand", 4), 1, 2, 3, p));
    check(dropwise_interop_curand_host(add("curand-host", 4), 1, 0, p));
    check(dropwise_interop_numpy(add("numpy-f32", 4), numpy_key, nullptr, DROPWISE_F32, p));
    check(dropwise_interop_numpy(add("numpy-f64", 8), numpy_key, nullptr, DROPWISE_F64, p));
    check(dropwise_interop_onemkl(add("onemkl", 4), 1, p));
    check(dropwise_interop_flash_attention_2(add("flash-attention-2", 1), 256, 256, 1, 0, p));
    check(dropwise_interop_transformer_engine(add("transformer-engine", 1), 1, 0, p));
    check(dropwise_interop_onnx_runtime(add("onnx-runtime", 4), n, threads, 1, 0, p));
    check(dropwise_interop_deepspeed(add("deepspeed", 4), n, threads, 1, 0, p));
    check(dropwise_interop_deepspeed(add("deepspeed-shifted", 8), n, threads, 1, 2, p));
    return layouts;
}

#ifdef BENCH_HAVE_RANDOM123
/* A block for each counter in turn, as a user of the header writes it. */
template <class Generator> Work generator_work(size_t bytes)
{
    return [=] {
        Generator generator;
        const typename Generator::key_type key = {{1, 2}};
        typename Generator::ctr_type counter = {{0, 0}};
        char *out = reinterpret_cast<char *>(buffers().y);
        for (size_t at = 0; at < bytes; at += sizeof counter) {
            const typename Generator::ctr_type block = generator(counter, key);
            std::memcpy(out + at, &block, sizeof block);
            counter.incr();
        }
    };
}

/* So many bytes of the generator that a layout has. */
std::vector<Reference> references_of(const std::string &layout, size_t bytes)
{
    const auto begins = [&](const char *with) { return layout.rfind(with, 0) == 0; };
    const Work work = begins("jax")     ? generator_work<r123::Threefry2x32>(bytes)
                      : begins("numpy") ? generator_work<r123::Philox4x64>(bytes)
                      : begins("flash") ? generator_work<r123::Philox4x32_R<7>>(bytes)
                                        : generator_work<r123::Philox4x32>(bytes);
    return {{"random123", {work}}};
}
#else
std::vector<Reference> references_of(const std::string &, size_t)
{
    return {};
}
#endif

} // namespace

void add_interop(dropwise_isa isa)
{
    for (size_t n : {size_t{64} * kKiB, size_t{1} * kMiB}) {
        for (const Layout &layout : make_layouts(n, 0.1)) {
            const dropwise_interop interop = layout.interop;
            const size_t bytes = static_cast<size_t>(static_cast<double>(n) * layout.bytes);
            add_call(
                "interop/" + layout.name + "/" + dropwise_isa_name(isa) + "/n:" + std::to_string(n), isa, n,
                bytes, [=] { return dropwise_interop_bits(&interop, 0, n, buffers().bits); },
                references_of(layout.name, bytes));
        }
    }
}

void add_random123_generators()
{
#ifdef BENCH_HAVE_RANDOM123
    for (size_t bytes : {4 * kKiB, 64 * kKiB}) {
        const std::string suffix = bytes_suffix(bytes);
        add_row("random123/philox4x32-10" + suffix, bytes, bytes, generator_work<r123::Philox4x32>(bytes));
        add_row("random123/philox4x64-10" + suffix, bytes, bytes, generator_work<r123::Philox4x64>(bytes));
        add_row("random123/threefry2x32-20" + suffix, bytes, bytes,
                generator_work<r123::Threefry2x32>(bytes));
    }
#endif
}
