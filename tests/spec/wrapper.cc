/* The C++ wrapper against the C functions. Exit status 0 if all is right. */
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

#include <dropwise.hpp>

namespace {

int failures;

void expect(bool condition, const char *what)
{
    if (!condition) {
        std::printf("failed: %s\n", what);
        failures++;
    }
}

template <class F> void expect_error(dropwise_status status, F call, const char *what)
{
    try {
        call();
        expect(false, what);
    } catch (const dropwise::error &e) {
        expect(e.status() == status && std::strlen(e.what()) > 10, what);
    }
}

template <class F> void expect_sentence(const char *sentence, F call)
{
    try {
        call();
        expect(false, sentence);
    } catch (const dropwise::error &e) {
        expect(std::strcmp(e.what(), sentence) == 0, e.what());
    }
}

} // namespace

int main()
{
    dropwise_mask c_mask;
    dropwise::check(dropwise_mask_init(&c_mask, 0.25, 7, 9));
    const dropwise::mask mask(0.25, 7, 9);
    expect(std::memcmp(mask.get(), &c_mask, sizeof c_mask) == 0, "mask");

    std::vector<float> x(1000), y(1000), expected(1000);
    for (std::size_t i = 0; i < x.size(); i++)
        x[i] = 1.0f + static_cast<float>(i);
    dropwise::check(dropwise_forward_f32(&c_mask, 5, x.size(), x.data(), expected.data(), nullptr));
    mask.forward(x, y, 5);
    expect(y == expected, "forward of vectors");
    mask.backward(x, y, 5);
    expect(y == expected, "backward of vectors");
    y = x;
    mask.forward(y, y, 5);
    expect(y == expected, "forward in place");

    std::array<double, 3> a = {{1, 2, 3}}, b;
    double from[3] = {1, 2, 3}, to[3];
    mask.forward(a, b);
    mask.forward(from, to);
    expect(b[0] == to[0] && b[1] == to[1] && b[2] == to[2], "arrays");
    const std::vector<dropwise::bf16> half(4, dropwise::bf16{0x3F80});
    std::vector<dropwise::bf16> dropped(4);
    mask.forward(half, dropped);
    const std::vector<std::uint8_t> bits = mask.bits(4);
    for (unsigned i = 0; i < 4; i++)
        expect((dropped[i].bits != 0) == ((bits[0] >> i & 1) != 0), "bf16");

    dropwise::view view({5, 10, 20});
    view.share({2});
    mask.forward(view, x.data(), y.data());
    dropwise_view c_view;
    const std::uint64_t size[3] = {5, 10, 20};
    dropwise::check(dropwise_view_init(&c_view, 3, size));
    dropwise::check(dropwise_view_share(&c_view, 1u << 2));
    dropwise::check(
        dropwise_forward_view(&c_mask, DROPWISE_F32, &c_view, x.data(), expected.data(), nullptr));
    expect(y == expected, "view");
    mask.backward(dropwise::view({5, 10, 20}).noise_shape({5, 10, 1}), x.data(), y.data());
    expect(y == expected, "noise shape");
    mask.forward(dropwise::view({5, 10, 20}).share({2}).shard({1, 2, 3}, {2, 3, 4}).pack(), x.data(),
                 y.data());

    expect_error(
        DROPWISE_ERROR_PROBABILITY, [] { dropwise::mask(1.5, 1, 2); }, "probability");
    std::vector<float> shorter(999);
    expect_error(
        DROPWISE_ERROR_SHAPE, [&] { mask.forward(x, shorter); }, "sizes");
    expect_error(
        DROPWISE_ERROR_SHAPE, [&] { view.share({3}); }, "dimension beyond the rank");
    expect_error(
        DROPWISE_ERROR_RANK,
        [] {
            dropwise::view({1, 1, 1, 1, 1, 1, 1, 1, 1});
        },
        "rank 9");

    mask.infer(x, y);
    expect(y == x, "inference");
    dropwise::mask adding = mask;
    adding.accumulate().backward(x, y, 5);
    mask.backward(x, expected, 5);
    for (std::size_t i = 0; i < x.size(); i++)
        expected[i] += x[i];
    expect(y == expected, "accumulation");
#if __cplusplus >= 202002L
    mask.forward(std::span<const float>(x), std::span<float>(y), 5);
    mask.forward(x, expected, 5);
    expect(y == expected, "std::span");
#endif
    std::vector<float> bias(20, 1.0f), sums(20);
    dropwise::view rows({50, 20});
    dropwise::residual_forward(mask, rows, x.data(), bias.data(), nullptr, y.data());
    dropwise::check(dropwise_residual_forward(&c_mask, DROPWISE_F32, rows.get(), x.data(), bias.data(),
                                              nullptr, expected.data(), nullptr));
    expect(y == expected, "residual");
    dropwise::residual_backward(mask, rows, x.data(), y.data(), sums.data());
    expect(sums[0] != 0, "bias");

    expect_sentence("dropwise_forward: y overlaps x by 64 bytes",
                    [&] { mask.forward(x.data(), x.data() + 16, 32); });
    expect_sentence("dropwise_residual_forward: x is NULL", [&] {
        dropwise::residual_forward(mask, rows, static_cast<const float *>(nullptr), nullptr, nullptr,
                                   y.data());
    });
    expect_sentence("dropwise_interop_triton: p is above 1", [] {
        dropwise_interop interop;
        dropwise::interop_triton(interop, 1, 1.5);
    });
    expect_sentence("dropwise_isa_check: isa is 99, which is no tier", [] { dropwise::isa_check(99); });
    return failures != 0;
}
