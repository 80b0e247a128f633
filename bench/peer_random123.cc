/* Random123 (https://github.com/DEShawResearch/random123): a loop over its Philox that draws our bits. */
#include "peers.h"

#include <Random123/philox.h>

namespace {

/* As one would write it: four blocks a word of 64 bits, the same comparison, and ties when they come. */
void draw_bits(const dropwise_mask &mask, uint64_t first_block, size_t n, unsigned char *bits)
{
    const r123::Philox4x32::key_type key = {
        {static_cast<uint32_t>(mask.seed), static_cast<uint32_t>(mask.seed >> 32)}};
    const auto block = [&](uint64_t b) {
        const r123::Philox4x32::ctr_type counter = {{static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32),
                                                     static_cast<uint32_t>(mask.stream),
                                                     static_cast<uint32_t>(mask.stream >> 32)}};
        return r123::Philox4x32()(counter, key);
    };
    const auto byte_threshold = static_cast<uint32_t>(mask.keep_threshold >> 32);
    const auto tie_threshold = static_cast<uint32_t>(mask.keep_threshold);
    for (size_t i = 0; i < n; i += 64) {
        uint64_t kept = 0;
        for (unsigned j = 0; j < 64; j += 16) {
            const auto words = block(first_block + (i + j) / 16);
            unsigned char bytes[16];
            std::memcpy(bytes, &words, sizeof bytes);
            for (unsigned k = 0; k < 16; k++) {
                const uint64_t element = first_block * 16 + i + j + k;
                bool keeps = bytes[k] < byte_threshold;
                if (bytes[k] == byte_threshold && tie_threshold != 0)
                    keeps = block(element / 4 | uint64_t{1} << 60).v[element % 4] < tie_threshold;
                kept |= static_cast<uint64_t>(keeps) << (j + k);
            }
        }
        std::memcpy(bits + i / 8, &kept, sizeof kept);
    }
}

} // namespace

void add_random123(double p, size_t bytes)
{
    const size_t n = bytes / 4;
    if (n % 64 != 0)
        return;
    const uint64_t first_block = kFirst / 16;
    const dropwise_mask mask = make_mask(p);
    const Work ours = [=] { dropwise_draw_bits(&mask, first_block * 16, n, buffers().bits); };
    std::vector<Reference> references;
    for (const Ours &tier : vector_tiers())
        references.push_back({name_of(tier), {ours}, [=] { dropwise_isa_select(tier.isa); }});
    const auto prepare = [=] {
        std::vector<unsigned char> theirs(n / 8);
        draw_bits(mask, first_block, n, theirs.data());
        ours();
        return std::string(std::memcmp(theirs.data(), buffers().bits, n / 8) == 0 ? "" : "other bits");
    };
    add_row(
        peer_row("bits", "random123", p, bytes), n, n / 8,
        [=] { draw_bits(mask, first_block, n, buffers().bits); }, references, prepare);
}
