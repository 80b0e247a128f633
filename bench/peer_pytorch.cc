/*
 * PyTorch (https://pytorch.org) on one thread: the three operations that at::dropout consists of, on tensors
 * that exist already. That is faster than at::dropout itself, which allocates them.
 */
#include "peers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

void add_pytorch(double p, size_t bytes)
{
    const auto n = static_cast<int64_t>(bytes / 4);
    at::set_num_threads(1);
    add_peer(peer_row("forward/f32", "pytorch", p, bytes), kDtypes[0], p, bytes, false, [=] {
        static at::Tensor noise;
        if (!noise.defined() || noise.numel() != n)
            noise = at::empty({n});
        const at::Tensor x = at::from_blob(buffers().x, {n}), y = at::from_blob(buffers().y, {n});
        noise.bernoulli_(1 - p);
        noise.div_(1 - p);
        at::mul_out(const_cast<at::Tensor &>(y), x, noise);
    }, vector_tiers());
}
