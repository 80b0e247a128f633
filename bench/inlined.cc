/*
 * Dropout as an engine's author writes it into a loop: scalar Philox4x32-10 (Salmon et al., SC11) from the
 * counter, a comparison, a product. No call and no set-up, so it is what small calls have to stand beside.
 */
#include "rows.h"

#include <cmath>

namespace {

struct Block {
    uint32_t word[4];
};

inline Block philox(const dropwise_mask &mask, uint64_t block)
{
    auto k0 = static_cast<uint32_t>(mask.seed), k1 = static_cast<uint32_t>(mask.seed >> 32);
    Block c = {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                static_cast<uint32_t>(mask.stream), static_cast<uint32_t>(mask.stream >> 32)}};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = uint64_t{0xD2511F53} * c.word[0], b = uint64_t{0xCD9E8D57} * c.word[2];
        c = {{static_cast<uint32_t>(b >> 32) ^ c.word[1] ^ k0, static_cast<uint32_t>(b),
              static_cast<uint32_t>(a >> 32) ^ c.word[3] ^ k1, static_cast<uint32_t>(a)}};
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c;
}

/* A word an element, as engines do. */
void drop_by_words(const dropwise_mask &mask, uint64_t first, size_t n, const float *x, float *y)
{
    const auto threshold = static_cast<uint32_t>(mask.keep_threshold >> 8);
    const float scale = 0x1p40f / static_cast<float>(mask.keep_threshold);
    for (size_t i = 0; i < n;) {
        const Block block = philox(mask, (first + i) / 4);
        for (size_t j = (first + i) % 4; j < 4 && i < n; j++, i++)
            y[i] = block.word[j] < threshold ? x[i] * scale : 0;
    }
}

/* A byte an element, and another block for ties: our mask, for a quarter of the random numbers. */
void drop_by_bytes(const dropwise_mask &mask, uint64_t first, size_t n, const float *x, float *y)
{
    const auto byte_threshold = static_cast<uint32_t>(mask.keep_threshold >> 32);
    const auto tie_threshold = static_cast<uint32_t>(mask.keep_threshold);
    const float scale = 0x1p40f / static_cast<float>(mask.keep_threshold);
    for (size_t i = 0; i < n;) {
        const Block block = philox(mask, (first + i) / 16);
        for (size_t j = (first + i) % 16; j < 16 && i < n; j++, i++) {
            const uint32_t byte = block.word[j / 4] >> j % 4 * 8 & 0xFF;
            bool keeps = byte < byte_threshold;
            if (byte == byte_threshold && tie_threshold != 0) {
                const uint64_t element = first + i;
                keeps = philox(mask, element / 4 | uint64_t{1} << 60).word[element % 4] < tie_threshold;
            }
            y[i] = keeps ? x[i] * scale : 0;
        }
    }
}

Work work_of(decltype(drop_by_words) *drop, double p, size_t bytes)
{
    const dropwise_mask mask = make_mask(p);
    return [=] { drop(mask, kFirst, bytes / 4, buffers().x, buffers().y); };
}

} // namespace

Reference inlined_reference(double p, size_t bytes)
{
    return {"inlined", {work_of(drop_by_words, p, bytes), work_of(drop_by_bytes, p, bytes)}};
}

void add_inlined(double p, size_t bytes)
{
    const size_t n = bytes / 4;
    const std::string suffix = probability_suffix(p) + bytes_suffix(bytes);
    add_row("forward/f32/inlined-words" + suffix, n, 2 * bytes, work_of(drop_by_words, p, bytes));
    const Work by_bytes = work_of(drop_by_bytes, p, bytes);
    add_row("forward/f32/inlined-bytes" + suffix, n, 2 * bytes, by_bytes, {}, [=] {
        const dropwise_mask mask = make_mask(p);
        std::vector<float> ours(n);
        std::memset(buffers().y, 0xFF, bytes);
        by_bytes();
        dropwise_forward(&mask, DROPWISE_F32, kFirst, n, buffers().x, ours.data(), nullptr);
        return std::string(std::memcmp(ours.data(), buffers().y, bytes) == 0 ? "" : "another result");
    });
}
