/*
 * Benchmarks: public operations, kernels and references, for every tier that runs here, in one process.
 *
 *   forward/<dtype>/<isa>/p:0.1/bytes:N
 *                                     an operation on a tensor of N bytes; also backward, forward_bits (bits
 *                                     written too), backward_bits (from stored bits), forward_inplace,
 *                                     backward_accumulate
 *   forward_<generator>/f32/...       by the other generators
 *   tile_64/f32/<isa>/p:0.1/bytes:N, tile_128/..., tile_64_packed/...
 *                                     a tile of a 4,096 x 4,096 matrix, where it lies or in its own buffers
 *   rows_77/..., row_calls_77/...     128 rows of 77 elements with gaps, by a view and by a call for each;
 *                                     also of 64, 512 and 768
 *   residual_768/bf16/...             residual + dropout(x + bias), 128 rows of 768
 *   attention/<f32, bf16>/<isa>/p:0.1/bytes:N, attention_backward/...
 *                                     attention of 12 heads of size 64, N bytes of queries: 512 or 2,048
 *   small_caches/f32/<isa>/p:0.1/bytes:N, small_caches_read/...
 *                                     forward as on a CPU of the smallest caches, and y read after it
 *   bits/<isa>/p:0.1/bytes:N          keep bits alone, for an f32 tensor of N bytes
 *   spatial_nchw/..., spatial_nhwc/..., locked/..., rows/..., transposed/...
 *                                     views of a tensor of N bytes: feature maps of 32 x 32 in both layouts,
 *                                     a mask shared by 32 time steps, padded rows of 1,000, a transposed x
 *   residual/..., gelu/..., softmax/..., and residual_backward/... and so on
 *                                     fused steps on rows of 1,024
 *   alpha/..., zoneout/..., gaussian/..., concrete/... and alpha_backward/... and so on
 *                                     variants, zoneout_inplace over the value of the step before,
 *                                     zoneout_infer the expectation; uniform/..., normal/... numbers alone
 *   dropconnect/f32/<isa>/p:0.5/samples:64/bytes:N
 *                                     a layer of 1,024 columns with N bytes of weights and a mask for each
 *                                     sample; by other generators; also _dx, _dw, _moments
 *   to_bytes/..., to_bits/...         stored masks converted, N bytes of one byte an entry
 *   dropblock_nchw/..., dropblock_nhwc/...
 *                                     blocks of 7 x 7 on maps of 32 x 32; also dropblock_anywhere (seeds at
 *                                     the edges too), dropblock_shared (by all channels), dropblock_backward
 *                                     (from stored bits)
 *   kernel/<name>/<isa>/bytes:N       a row of kernels.inc, N bytes of elements or of random bytes
 *   threads/f32/<isa>/p:0.1/bytes:N/threads:2
 *                                     a tensor that two threads share, and the same on one
 *   forward/<dtype>/<peer>/..., forward_bits/<dtype>/<peer>/...
 *                                     dropout of other libraries: libxsmm-<isa>, onednn, pytorch; unfused, as
 *                                     with NumPy; inlined-bytes and -words, scalar loops without a call
 *   gelu/f32/pytorch-<isa>/p:0.1/bytes:N and so on
 *                                     plain GELU, SiLU, softmax and attention of PyTorch, forward and
 *                                     backward, beside ours with dropout (the counter to_dropwise)
 *   bits/random123/...                our keep bits by a loop over Random123
 *   peer/<peer>                       a library that was not found
 *   interop/<layout>/<isa>/n:N        keep bits of N elements of another system's mask; bytes_per_second
 *                                     counts the random numbers that the layout takes, used or not
 *   random123/<generator>/bytes:N     N bytes of Random123's scalar generators, where its headers were found
 *   memcpy/bytes:N                    the floor
 *   scale/bytes:N/isa:<isa>/store:S   y = s * x in f32 with the tier's vectors, ordinary and streaming stores
 *   scale_<dtype>/bytes:N/...         the same for other dtypes
 *
 * bytes_per_second counts what is read and written, items_per_second elements. A counter to_<reference> is
 * the row's time over that of a reference, both sampled in turn: memcpy and scale (y = s * x, the better of
 * ordinary and streaming stores) of the same size, inlined (the better scalar loop, compiled for the tier),
 * one_thread; of tiles, rows and residual_768 loop (y = s * x so walked; residual + s * (x + bias)) and
 * contiguous (a call on as many elements that follow each other); in rows of
 * peers, our tiers doing the same; in rows of other systems' masks random123, the same amount of random
 * numbers by Random123. For variants: plain (dropout of the same tensor) and, in f32, steps (the same in
 * usual steps: passes over memory with the functions of the C library; of DropBlock seeds as floats and the
 * largest of each block) or choice (y = keep ? x : before, from stored bits). For fused steps and attention:
 * unmasked (the call with p = 0) and, of residual, sum (residual + (x + bias), a plain loop). For
 * dropconnect: copy (a masked copy of the weights, then a product), floats (a stored mask of floats, drawn by
 * the library, then a product), numpy (likewise, drawn as with NumPy). For small_caches: endless (the same as
 * if they were endless), ordinary and stream (y = s * x by these stores).
 */
#include "peers.h"

namespace {

constexpr double kProbabilities[] = {0.1, 0.5};

/* 1, 16, 64, 256 and 1,024 elements of f32, then 16 KiB to 256 MiB by fours. */
const size_t kSizes[] = {4,          64,   256,      kKiB,      kSmallBytes, 16 * kKiB, 64 * kKiB,
                         256 * kKiB, kMiB, 4 * kMiB, 16 * kMiB, 64 * kMiB,   256 * kMiB};

/* Between them, for the picture that shows cliffs; 2 MiB for the generators in cache, too. */
const size_t kMoreSizes[] = {2 * kKiB, 8 * kKiB, 32 * kKiB, 128 * kKiB, 512 * kKiB,
                             2 * kMiB, 8 * kMiB, 32 * kMiB, 128 * kMiB};

/* All rows of one size stand together, so that what is compared is measured within moments. */
void add_all(size_t bytes)
{
    const bool has_steps = bytes == 256 * kKiB || bytes == 64 * kMiB;
    add_memcpy(bytes);
    for (double p : kProbabilities) {
        add_peers(p, bytes);
        if (bytes <= kMiB)
            add_inlined(p, bytes);
    }
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        if (kernels == nullptr)
            continue;
        if (has_steps)
            add_conversions(isa, bytes);
        if (has_steps || bytes == kMiB)
            add_threads(isa, bytes);
        for (double p : kProbabilities) {
            if (bytes >= 16 * kKiB)
                add_generators(isa, p, bytes);
        }
        for (const Dtype &dtype : kDtypes) {
            if (bytes < dtype.bytes)
                continue;
            if (dtype.bytes != 1) /* 8-bit types have no such loop: they go by way of f32 */
                add_scale(kernels, dtype, bytes);
            for (double p : kProbabilities)
                add_operations(dtype, isa, p, bytes);
            for (double p : kProbabilities) {
                if (!has_steps)
                    continue;
                add_views(dtype, isa, p, bytes);
                add_variants(dtype, isa, p, bytes);
                if (p != 0.1)
                    continue;
                add_dropblock(dtype, isa, p, bytes);
                add_fused_steps(dtype, isa, p, bytes);
            }
        }
        if (bytes == 4 * kKiB || bytes == 4 * kMiB || bytes == 16 * kMiB)
            for (double p : kProbabilities)
                add_dropconnect(isa, p, bytes);
    }
}

void add_forward_alone(size_t bytes)
{
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const bool is_in_tables = bytes == 2 * kMiB;
        if (dropwise_kernels_get(isa) == nullptr || (isa == DROPWISE_ISA_SCALAR && !is_in_tables))
            continue;
        for (double p : kProbabilities) {
            add_forward(isa, p, bytes);
            if (is_in_tables)
                add_generators(isa, p, bytes);
        }
    }
#ifdef BENCH_HAVE_LIBXSMM
    for (double p : kProbabilities)
        if (bytes == 2 * kMiB) {
            add_libxsmm(p, bytes);
            add_libxsmm_tiles(p);
        }
#endif
}

void add_tier(dropwise_isa isa)
{
    const std::string isa_name = dropwise_isa_name(isa);
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    if (kernels == nullptr) {
        if (dropwise_isa_check(isa) == DROPWISE_ERROR_ISA_NOT_BUILT)
            return;
        add_missing("tier/" + isa_name, "not usable on this machine");
        return;
    }
    for (double p : kProbabilities)
        add_engine_calls(isa, p);
#ifndef DROPWISE_WITHOUT_ATTENTION
    if (isa != DROPWISE_ISA_SCALAR)
        add_attention(isa, kProbabilities[0]);
#endif
    add_interop(isa);
    add_kernels(kernels);
    for (size_t bytes = 256 * kKiB; bytes <= 128 * kMiB; bytes *= 2)
        add_caches(isa, bytes);
}

} // namespace

int main(int argc, char **argv)
{
    for (size_t bytes : kSizes)
        add_all(bytes);
    for (size_t bytes : kMoreSizes)
        add_forward_alone(bytes);
    add_random123_generators();
#if defined(BENCH_HAVE_PYTORCH) && !defined(DROPWISE_WITHOUT_ATTENTION)
    for (const Dtype &dtype : kAttentionDtypes)
        for (size_t length : {512, 2048})
            add_pytorch_attention(dtype, length);
#endif
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++)
        add_tier(isa);
    add_missing_peers();
    benchmark::AddCustomContext("dropwise", dropwise_version());
    benchmark::AddCustomContext("compiler", BENCH_COMPILER);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
