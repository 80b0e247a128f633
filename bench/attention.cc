/* Rows of attention: a batch of 12 heads of size 64, forward and backward. */
#include "dropwise_attention.h"
#include "rows.h"

#ifndef DROPWISE_WITHOUT_ATTENTION

size_t attention_bytes(size_t length)
{
    return 12 * length * 64 * sizeof(float);
}

float *attention_tensor(int i, size_t length)
{
    float *const p = i < 4 ? buffers().x : buffers().y;
    return p + static_cast<size_t>(i % 4) * (attention_bytes(length) / sizeof(float) + 96);
}

AttentionCall attention_call(size_t length, double p, bool backward)
{
    dropwise_attention a;
    uint64_t bytes;
    if (dropwise_attention_init(&a, 1, 12, 12, length, length, 64, 64) != DROPWISE_OK ||
        dropwise_attention_workspace(&a, DROPWISE_F32, 1, &bytes) != DROPWISE_OK)
        std::abort();
    const auto workspace = std::make_shared<std::vector<float>>(bytes / sizeof(float) + 1);
    const auto lse = std::make_shared<std::vector<float>>(12 * length);
    const dropwise_mask mask = make_mask(p);
    const auto at = [=](int i) { return attention_tensor(i, length); };
    const AttentionCall forward = [=] {
        return dropwise_attention_forward(&mask, DROPWISE_F32, &a, at(0), at(1), at(2), at(4), lse->data(),
                                          workspace->data(), bytes);
    };
    if (!backward)
        return forward;
    return [=, has_run = std::make_shared<bool>(false)] {
        if (!*has_run && forward() != DROPWISE_OK)
            std::abort();
        *has_run = true;
        return dropwise_attention_backward(&mask, DROPWISE_F32, &a, at(0), at(1), at(2), at(4), lse->data(),
                                           at(3), at(5), at(6), at(7), workspace->data(), bytes);
    };
}

void fill_attention(size_t length)
{
    uint32_t state = 1;
    for (int i = 0; i < 4; i++)
        for (size_t j = 0; j < attention_bytes(length) / sizeof(float); j++)
            attention_tensor(i, length)[j] =
                static_cast<float>((state = state * 1664525 + 1013904223) >> 8) * 0x1p-22f - 2;
}

/* Beside the same without dropout. */
void add_attention(dropwise_isa isa, double p)
{
    for (size_t length : {512, 2048})
        for (bool backward : {false, true}) {
            const AttentionCall ours = attention_call(length, p, backward);
            const AttentionCall unmasked = attention_call(length, 0, backward);
            add_call((backward ? "attention_backward" : "attention") +
                         call_suffix(kDtypes[0], isa, p, attention_bytes(length)),
                     isa, 12 * length * length, attention_bytes(length) * (backward ? 8 : 4), ours,
                     {{"unmasked", {[=] { unmasked(); }}}}, [=] { fill_attention(length); });
        }
}

#endif
