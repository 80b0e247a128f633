/* Dropout of other makers, measured in the same process. Each is built in where it was found. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "rows.h"

/* Beyond this a call of a slow peer takes a second; its time per element no longer changes. */
constexpr size_t kSlowPeerBytes = 16 * kMiB;

/* Rows of all peers, of tensors of so many bytes; where one is missing, a row that says so. */
void add_peers(double p, size_t bytes);
void add_missing_peers();

void add_libxsmm(double p, size_t bytes);
void add_libxsmm_tiles(double p);
void add_onednn(double p, size_t bytes);
void add_pytorch(double p, size_t bytes);

/* Its GELU, SiLU and softmax without dropout, beside ours with it, and what goes backward. */
void add_pytorch_functions(double p, size_t bytes);

/* Its attention without dropout, likewise. */
void add_pytorch_attention(const Dtype &dtype, size_t length);
void add_random123(double p, size_t bytes);

/* Dropout as it is written with NumPy: a pass for the uniforms, one to compare them, one to multiply. */
void add_numpy_like(double p, size_t bytes);

/* <operation>/<dtype>/<peer>/p:<p>/bytes:<bytes>, as the rows of tiers. */
std::string peer_row(const std::string &operation, const std::string &peer, double p, size_t bytes);

/* What of ours a peer stands beside. */
struct Ours {
    dropwise_isa isa;
    uint32_t generator;
};

/*
 * A peer's row: beside memcpy, and beside dropwise_forward as listed, which writes its bits too if
 * the peer does. The work computes buffers().y from buffers().x; once before, its mask is checked.
 */
void add_peer(
    const std::string &name, const Dtype &dtype, double p, size_t bytes, bool bits, Work work,
    std::vector<Ours> ours, std::function<std::string()> prepare = [] { return std::string(); });

/* What is wrong where the first n elements of y are not dropout of x: as many kept as p says, all scaled. */
std::string check_dropout(const Dtype &dtype, double p, size_t n);

/* The default generator on all vector tiers that this machine can run; all generators on one of them. */
std::vector<Ours> vector_tiers();
std::vector<Ours> all_generators(dropwise_isa isa);

/* avx2, or avx2_ars4x32-7 for another generator than the default one. */
std::string name_of(const Ours &ours);

#endif
