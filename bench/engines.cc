/*
 * Rows of the calls that engines make: tiles of a larger matrix, rows that do not follow each other, a call
 * for each row, a residual of bf16. In cache; each beside a plain loop and a contiguous call on as much.
 */
#include "dropwise_fused.h"
#include "loops.h"
#include "rows.h"

namespace {

constexpr size_t kMatrix = 4096, kRows = 128;

/* As many elements that follow each other. */
Reference contiguous_reference(double p, size_t n)
{
    const dropwise_mask mask = make_mask(p);
    return {"contiguous",
            {[=] { dropwise_forward_f32(&mask, kFirst, n, buffers().x, buffers().y, nullptr); }}};
}

Reference loop_reference(dropwise_isa isa, size_t rows, size_t width, size_t stride)
{
    const auto scale = bench_loops_of(isa)->scale_rows;
    return {"loop", {[=] { scale(rows, width, stride, 1.1f, buffers().x, buffers().y); }}};
}

dropwise_view tile_view(size_t side, bool packed)
{
    const uint64_t start[] = {128, 320}, size[] = {side, side};
    dropwise_view view = make_view({kMatrix, kMatrix}, 0);
    if (dropwise_view_shard(&view, start, size) != DROPWISE_OK ||
        (packed && dropwise_view_pack(&view) != DROPWISE_OK))
        std::abort();
    return view;
}

/* A tile where it lies in the matrix, or in buffers of its own, as in attention by tiles. */
void add_tile(dropwise_isa isa, double p, size_t side, bool packed)
{
    const dropwise_view view = tile_view(side, packed);
    const dropwise_mask mask = make_mask(p);
    const size_t n = side * side;
    add_call(
        "tile_" + std::to_string(side) + (packed ? "_packed" : "") + call_suffix(kDtypes[0], isa, p, 4 * n),
        isa, n, 8 * n,
        [=] { return dropwise_forward_view(&mask, DROPWISE_F32, &view, buffers().x, buffers().y, nullptr); },
        {loop_reference(isa, side, side, packed ? side : kMatrix), contiguous_reference(p, n)});
}

/* Rows with a gap behind each: by a view, and by a call for each. */
void add_rows_of(dropwise_isa isa, double p, size_t width)
{
    const size_t stride = width + 16, n = kRows * width;
    dropwise_view view = make_view({kRows, width}, 0);
    view.x_stride[0] = view.y_stride[0] = static_cast<int64_t>(stride);
    const dropwise_mask mask = make_mask(p);
    const std::string suffix = call_suffix(kDtypes[0], isa, p, 4 * n);
    const std::vector<Reference> references = {loop_reference(isa, kRows, width, stride),
                                               contiguous_reference(p, n)};
    add_call(
        "rows_" + std::to_string(width) + suffix, isa, n, 8 * n,
        [=] { return dropwise_forward_view(&mask, DROPWISE_F32, &view, buffers().x, buffers().y, nullptr); },
        references);
    add_call(
        "row_calls_" + std::to_string(width) + suffix, isa, n, 8 * n,
        [=] {
            dropwise_status status = DROPWISE_OK;
            for (size_t r = 0; r < kRows && status == DROPWISE_OK; r++)
                status = dropwise_forward_f32(&mask, kFirst + r * width, width, buffers().x + r * stride,
                                              buffers().y + r * stride, nullptr);
            return status;
        },
        references);
}

/* residual + dropout(x + bias) of bf16, rows of 768. Residual and bias lie behind x. */
void add_residual(dropwise_isa isa, double p)
{
    constexpr size_t kWidth = 768;
    const Dtype *bf16 = kDtypes;
    while (bf16->number != DROPWISE_BF16)
        bf16++;
    const size_t n = kRows * kWidth, bytes = 2 * n;
    const dropwise_view view = make_view({kRows, kWidth}, 0);
    const dropwise_mask mask = make_mask(p);
    const auto x = [] { return reinterpret_cast<uint16_t *>(buffers().x); };
    const auto y = [] { return reinterpret_cast<uint16_t *>(buffers().y); };
    const auto residual = [=] { return x() + n + 96; };
    const auto bias = [=] { return residual() + n + 96; };
    const auto loop = bench_loops_of(isa)->residual_bf16;
    add_call("residual_768" + call_suffix(*bf16, isa, p, bytes), isa, n, 3 * bytes,
             [=] {
                 return dropwise_residual_forward(&mask, DROPWISE_BF16, &view, x(), bias(), residual(), y(),
                                                  nullptr);
             },
             {{"loop", {[=] { loop(kRows, kWidth, 1.1f, x(), bias(), residual(), y()); }}}});
}

} // namespace

Reference tile_reference(dropwise_isa isa, double p, size_t side)
{
    const dropwise_view view = tile_view(side, false);
    const dropwise_mask mask = make_mask(p);
    return {dropwise_isa_name(isa),
            {[=] { dropwise_forward_view(&mask, DROPWISE_F32, &view, buffers().x, buffers().y, nullptr); }},
            [=] { dropwise_isa_select(isa); }};
}

void add_engine_calls(dropwise_isa isa, double p)
{
    for (size_t side : {64, 128})
        for (bool packed : {false, true})
            add_tile(isa, p, side, packed);
    for (size_t width : {64, 77, 512, 768})
        add_rows_of(isa, p, width);
    add_residual(isa, p);
}
