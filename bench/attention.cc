/* Rows of attention: a batch of 12 heads of size 64, forward and backward. */
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "dropwise_attention.h"
#include "rows.h"

#ifndef DROPWISE_WITHOUT_ATTENTION

const Dtype kAttentionDtypes[2] = {kDtypes[0], kDtypes[3]};

size_t attention_bytes(const Dtype &dtype, size_t length)
{
    return 12 * length * 64 * dtype.bytes;
}

void *attention_tensor(int i, const Dtype &dtype, size_t length)
{
    float *const p = i < 4 ? buffers().x : buffers().y;
    return p + static_cast<size_t>(i % 4) * (attention_bytes(dtype, length) / sizeof(float) + 96);
}

AttentionCall attention_call(const Dtype &dtype, size_t length, double p, bool backward)
{
    dropwise_attention a;
    uint64_t bytes;
    const dropwise_dtype number = dtype.number;
    if (dropwise_attention_init(&a, 1, 12, 12, length, length, 64, 64) != DROPWISE_OK ||
        dropwise_attention_workspace(&a, number, 1, &bytes) != DROPWISE_OK)
        std::abort();
    const auto workspace = std::make_shared<std::vector<float>>(bytes / sizeof(float) + 1);
    const auto lse = std::make_shared<std::vector<float>>(12 * length);
    const dropwise_mask mask = make_mask(p);
    const auto at = [=](int i) { return attention_tensor(i, dtype, length); };
    const AttentionCall forward = [=] {
        return dropwise_attention_forward(&mask, number, &a, at(0), at(1), at(2), at(4), lse->data(),
                                          workspace->data(), bytes);
    };
    if (!backward)
        return forward;
    return [=, has_run = std::make_shared<bool>(false)] {
        if (!*has_run && forward() != DROPWISE_OK)
            std::abort();
        *has_run = true;
        return dropwise_attention_backward(&mask, number, &a, at(0), at(1), at(2), at(4), lse->data(), at(3),
                                           at(5), at(6), at(7), workspace->data(), bytes);
    };
}

/* Numbers from -2 to 2. */
void fill_attention(const Dtype &dtype, size_t length)
{
    uint32_t state = 1;
    for (int i = 0; i < 4; i++) {
        auto *to = static_cast<unsigned char *>(attention_tensor(i, dtype, length));
        for (size_t j = 0; j < attention_bytes(dtype, length); j += dtype.bytes) {
            const float f = static_cast<float>((state = state * 1664525 + 1013904223) >> 8) * 0x1p-22f - 2;
            uint32_t bits;
            std::memcpy(&bits, &f, sizeof bits);
            bits >>= 8 * (sizeof bits - dtype.bytes);
            std::memcpy(to + j, &bits, dtype.bytes); /* the lower half is the first one: as on x86 and Arm */
        }
    }
}

/* As PyTorch does itself, and as a program has to for products by AMX. */
static void allow_tiles()
{
#if defined(__linux__) && defined(__x86_64__)
    constexpr int request = 0x1023, tiles = 18; /* ARCH_REQ_XCOMP_PERM, XTILEDATA */
    syscall(SYS_arch_prctl, request, tiles);
#endif
}

/* Beside the same without dropout. */
void add_attention(dropwise_isa isa, double p)
{
    allow_tiles();
    for (const Dtype &dtype : kAttentionDtypes)
        for (size_t length : {512, 2048})
            for (bool backward : {false, true}) {
                const AttentionCall ours = attention_call(dtype, length, p, backward);
                const AttentionCall unmasked = attention_call(dtype, length, 0, backward);
                const size_t bytes = attention_bytes(dtype, length);
                add_call((backward ? "attention_backward" : "attention") + call_suffix(dtype, isa, p, bytes),
                         isa, 12 * length * length, bytes * (backward ? 8 : 4), ours,
                         {{"unmasked", {[=] { unmasked(); }}}}, [=] { fill_attention(dtype, length); });
            }
}

#endif
