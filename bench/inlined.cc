/* Rows and references of the loops that need no call: loops.c. */
#include "loops.h"
#include "rows.h"

namespace {

Work work_of(bench_drop *drop, double p, size_t bytes)
{
    const dropwise_mask mask = make_mask(p);
    return [=] { drop(&mask, kFirst, bytes / 4, buffers().x, buffers().y); };
}

} // namespace

Reference inlined_reference(dropwise_isa isa, double p, size_t bytes)
{
    const bench_loops &loops = *bench_loops_of(isa);
    return {"inlined", {work_of(loops.drop_by_words, p, bytes), work_of(loops.drop_by_bytes, p, bytes)}};
}

void add_inlined(double p, size_t bytes)
{
    const bench_loops &loops = *bench_loops_of(DROPWISE_ISA_SCALAR);
    const size_t n = bytes / 4;
    const std::string suffix = probability_suffix(p) + bytes_suffix(bytes);
    add_row("forward/f32/inlined-words" + suffix, n, 2 * bytes, work_of(loops.drop_by_words, p, bytes));
    const Work by_bytes = work_of(loops.drop_by_bytes, p, bytes);
    add_row("forward/f32/inlined-bytes" + suffix, n, 2 * bytes, by_bytes, {}, [=] {
        const dropwise_mask mask = make_mask(p);
        std::vector<float> ours(n);
        std::memset(buffers().y, 0xFF, bytes);
        by_bytes();
        dropwise_forward(&mask, DROPWISE_F32, kFirst, n, buffers().x, ours.data(), nullptr);
        return std::string(std::memcmp(ours.data(), buffers().y, bytes) == 0 ? "" : "another result");
    });
}
