/*
 * Dropout as it is written with NumPy: keep = rng.random(x.shape, np.float32) >= p, y = x * keep * scale.
 * Three loops.
 */
#include "pcg64.h"
#include "peers.h"

void add_numpy_like(double p, size_t bytes)
{
    const size_t n = bytes / 4;
    static Pcg64 generator;
    static std::vector<float> all_uniforms(kSlowPeerBytes / 4);
    static std::vector<unsigned char> all_keep(kSlowPeerBytes / 4);
    const auto p_drop = static_cast<float>(p);
    const float scale = 1 / (1 - p_drop);
    const auto passes = [=] {
        /* Copies, which no store can change: compilers make vectors of the last two loops. */
        Pcg64 g = generator;
        float *const uniforms = all_uniforms.data(), *const y = buffers().y;
        unsigned char *const keep = all_keep.data();
        const float *const x = buffers().x;
        for (size_t i = 0; i < n; i++)
            uniforms[i] = g.uniform();
        for (size_t i = 0; i < n; i++)
            keep[i] = uniforms[i] >= p_drop;
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * keep[i] * scale;
        generator = g;
    };
    add_peer(peer_row("forward/f32", "unfused", p, bytes), kDtypes[0], p, bytes, false, passes,
             vector_tiers());
}
