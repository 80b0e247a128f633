/* Dropout as it is written with NumPy: keep = rng.random(x.shape) >= p, y = x * keep * scale. Three loops. */
#include "pcg64.h"
#include "peers.h"

void add_unfused(double p, size_t bytes)
{
    const size_t n = bytes / 4;
    static Pcg64 generator;
    static std::vector<float> uniforms(kSlowPeerBytes / 4);
    static std::vector<unsigned char> keep(kSlowPeerBytes / 4);
    const auto p_drop = static_cast<float>(p);
    const float scale = 1 / (1 - p_drop);
    const auto passes = [=] {
        const float *const x = buffers().x;
        float *const y = buffers().y;
        for (size_t i = 0; i < n; i++)
            uniforms[i] = generator.uniform();
        for (size_t i = 0; i < n; i++)
            keep[i] = uniforms[i] >= p_drop;
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * keep[i] * scale;
    };
    add_peer(peer_row("forward/f32", "unfused", p, bytes), kDtypes[0], p, bytes, false, passes,
             vector_tiers());
}
