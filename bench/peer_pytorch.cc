/*
 * PyTorch (https://pytorch.org) on one thread: the three operations that at::dropout consists of, on tensors
 * that exist already. That is faster than at::dropout itself, which allocates them.
 */
#include "peers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace {

struct Tensors {
    at::Tensor x, y, noise;
};

Tensors &tensors()
{
    static Tensors t;
    return t;
}

} // namespace

void add_pytorch(double p, size_t bytes)
{
    const auto n = static_cast<int64_t>(bytes / 4);
    at::set_num_threads(1);
    const auto prepare = [=] {
        tensors() = {at::from_blob(buffers().x, {n}), at::from_blob(buffers().y, {n}), at::empty({n})};
        return std::string();
    };
    const auto drop = [=] {
        tensors().noise.bernoulli_(1 - p).div_(1 - p);
        at::mul_out(tensors().y, tensors().x, tensors().noise);
    };
    add_peer(peer_row("forward/f32", "pytorch", p, bytes), kDtypes[0], p, bytes, false, drop, vector_tiers(),
             prepare);
}
