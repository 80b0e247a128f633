/* The C++ wrapper without exceptions. Exit status 0 if all is right. */
#define DROPWISE_STATUSES
#include <cstdio>
#include <cstring>
#include <vector>

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

} // namespace

int main()
{
    const dropwise::mask mask(0.25, 7, 9), bad(2.0, 7);
    std::vector<float> x(100, 1.0f), y(100), expected(100), few(10);
    expect(mask.status() == DROPWISE_OK && bad.status() == DROPWISE_ERROR_PROBABILITY, "status of masks");
    expect(dropwise_forward_f32(mask.get(), 0, 100, x.data(), expected.data(), nullptr) == DROPWISE_OK, "C");
    expect(mask.forward(x, y) == DROPWISE_OK && y == expected, "forward");
    expect(bad.forward(x, y) == DROPWISE_ERROR_STRUCT_SIZE && y == expected, "a mask that was not made");
    expect(mask.forward(x, few) == DROPWISE_ERROR_SHAPE, "sizes");
    expect(mask.forward(x.data(), x.data() + 1, 50) == DROPWISE_ERROR_OVERLAP, "overlap");
    dropwise::view view({4, 25});
    expect(dropwise::alpha_forward(mask, view, x.data(), y.data()) == DROPWISE_OK, "alpha");
    view.share({7});
    expect(view.status() == DROPWISE_ERROR_SHAPE, "status of views");
    expect(mask.forward(view, x.data(), y.data()) == DROPWISE_ERROR_STRUCT_SIZE, "a view that was not made");
    expect(bad.bits(9).empty() && mask.bits(9).size() == 2, "bits");
    return failures == 0 ? 0 : 1;
}
