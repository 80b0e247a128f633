/* What the rows of the benchmark share: buffers, names, and how a row is added. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dropwise.h"

extern "C" {
#include "kernels/kernels.h"
}

constexpr size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr size_t kMaxBytes = 256 * kMiB;
constexpr size_t kSmallBytes = 4 * kKiB;

/* Two buffers of kMaxBytes whose addresses differ modulo 4,096: loads would else wait for other stores. */
struct Buffers {
    float *x, *y;
    unsigned char *bits;

    Buffers();

    /* x is what it was at the beginning: some rows leave their own numbers there. */
    void begin(size_t bytes);
};

Buffers &buffers();

using Work = std::function<void()>;

/*
 * What a row is compared with: samples of the row and of its references are taken in turn, and the counter
 * to_<name> is the ratio of the row's shortest time to that of the fastest alternative: noise only adds.
 */
struct Reference {
    std::string name;
    std::vector<Work> alternatives;
    Work before = [] {}; /* each sample, not counted */
};

/*
 * A row: its work on n elements, and the bytes that it reads and writes. prepare is called once before, and
 * says what is wrong, or nothing.
 */
void add_row(
    const std::string &name, size_t n, size_t bytes_moved, Work work, std::vector<Reference> references = {},
    std::function<std::string()> prepare = [] { return std::string(); });

/* A row that forces a tier, and fails if the call does. begin is called once, before anything else. */
void add_call(
    const std::string &name, dropwise_isa isa, size_t n, size_t bytes_moved,
    std::function<dropwise_status()> call, std::vector<Reference> references = {}, Work begin = [] {});

/* A row that stands for what could not be measured, and says why. */
void add_missing(const std::string &name, const std::string &why);

struct Dtype {
    const char *name;
    dropwise_dtype number;
    size_t bytes;
};

const Dtype kDtypes[] = {{"f32", DROPWISE_F32, 4},         {"f64", DROPWISE_F64, 8},
                         {"f16", DROPWISE_F16, 2},         {"bf16", DROPWISE_BF16, 2},
                         {"f8_e4m3", DROPWISE_F8_E4M3, 1}, {"f8_e5m2_sat", DROPWISE_F8_E5M2_SAT, 1}};

/* All generators but the default one. */
std::vector<uint32_t> other_generators();

constexpr uint64_t kFirst = 12345678;

std::string bytes_suffix(size_t bytes);
std::string probability_suffix(double p);
std::string call_suffix(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
dropwise_mask make_mask(double p, uint32_t generator = DROPWISE_PHILOX4X32_10);
dropwise_view make_view(std::vector<uint64_t> size, uint32_t shared);

/* The scale in the type that kernels of these elements read. */
const void *scale_for(size_t bytes_of_element);

/* ---- Rows ---- */

/* Public operations on tensors of so many bytes. */
void add_operations(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
void add_generators(dropwise_isa isa, double p, size_t bytes);
void add_views(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
void add_fused_steps(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
void add_variants(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
void add_conversions(dropwise_isa isa, size_t bytes);
void add_dropblock(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes);
void add_dropconnect(dropwise_isa isa, double p, size_t bytes);

/* Plain forward of f32 alone, of sizes that no other row has: for the picture over sizes. */
void add_forward(dropwise_isa isa, double p, size_t bytes);

/* Tiles, rows, a residual of bf16: engines.cc. */
void add_engine_calls(dropwise_isa isa, double p);

/*
 * Attention of 12 heads of size 64, its calls on tensors in the buffers: q, k, v, dout, out, dq, dk, dv. A
 * call that goes backward begins with one forward.
 */
using AttentionCall = std::function<dropwise_status()>;
void add_attention(dropwise_isa isa, double p);
extern const Dtype kAttentionDtypes[2];
size_t attention_bytes(const Dtype &dtype, size_t length);
void *attention_tensor(int i, const Dtype &dtype, size_t length);
AttentionCall attention_call(const Dtype &dtype, size_t length, double p, bool backward);
void fill_attention(const Dtype &dtype, size_t length);

/* The same by a library that takes the caches for small ones, beside one that takes them for endless. */
void add_caches(dropwise_isa isa, size_t bytes);

/* A tensor split over threads. */
void add_threads(dropwise_isa isa, size_t bytes);

/* What they are compared with. */
void add_memcpy(size_t bytes);
void add_scale(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes);
void add_inlined(double p, size_t bytes);

/* The same as references of other rows. */
Reference memcpy_reference(size_t bytes);
Reference scale_reference(const dropwise_kernels *kernels, const Dtype &dtype, size_t bytes, bool in_place);
Reference scale_by(const dropwise_kernels *kernels, size_t bytes, bool streams);
Reference inlined_reference(dropwise_isa isa, double p, size_t bytes);

/* Our call on a tile where it lies in its matrix. */
Reference tile_reference(dropwise_isa isa, double p, size_t side);

/* Usual steps, of f32. */
Reference sum_reference(size_t bytes);
Reference choice_reference(double p, size_t bytes);
Reference gaussian_reference(size_t bytes);
Reference concrete_reference(size_t bytes);
Reference dropblock_reference(size_t bytes);

/* Other systems' masks, and Random123's generators. */
void add_interop(dropwise_isa isa);
void add_random123_generators();

/* All kernels of a tier. */
void add_kernels(const dropwise_kernels *kernels);

#endif
