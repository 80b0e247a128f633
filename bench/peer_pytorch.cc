/*
 * PyTorch (https://pytorch.org) on one thread: the three operations that at::dropout consists of, on tensors
 * that exist already. That is faster than at::dropout itself, which allocates them. And its plain functions,
 * which ours stand beside as they are fused with dropout; ATEN_CPU_CAPABILITY in the environment chooses its
 * instructions, and so the tier of ours.
 */
#include "dropwise_fused.h"
#include "peers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <algorithm>

namespace {

constexpr int64_t kColumns = 1024;

struct Tensors {
    at::Tensor x, y, noise, dy, p;
};

Tensors &tensors()
{
    static Tensors t;
    return t;
}

/* Where the second operand of `bytes` lies, behind x. */
float *second(size_t bytes)
{
    return reinterpret_cast<float *>(reinterpret_cast<char *>(buffers().x) + bytes + 192);
}

/* What x and the second operand are: normal numbers; of the latter softmax makes its probabilities. */
void fill(size_t bytes)
{
    const auto n = static_cast<int64_t>(bytes / 4);
    const auto shaped = [=](float *p) { return at::from_blob(p, {n / kColumns, kColumns}); };
    Tensors &t = tensors();
    t = {shaped(buffers().x), shaped(buffers().y), at::Tensor(), shaped(second(bytes)), at::Tensor()};
    t.x.normal_();
    t.dy.normal_();
    t.p = at::softmax(t.x, -1);
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

namespace {

/* What it computes with: avx2, avx512, ...; and our tier of that name, or the scalar one. */
std::string pytorch_isa_name()
{
    std::string name = at::get_cpu_capability(); /* AVX2, AVX512, ... */
    std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    return name;
}

dropwise_isa our_isa(const std::string &name)
{
    for (const Ours &tier : vector_tiers())
        if (name == dropwise_isa_name(tier.isa))
            return tier.isa;
    return DROPWISE_ISA_SCALAR;
}

/* A row of theirs beside a call of ours. */
void add_beside_ours(const std::string &name, double p, size_t bytes, size_t n, size_t moved, Work theirs,
                     std::function<dropwise_status()> ours, Work begin)
{
    const std::string isa_name = pytorch_isa_name();
    const dropwise_isa isa = our_isa(isa_name);
    add_row(name + "/pytorch-" + isa_name + probability_suffix(p) + bytes_suffix(bytes), n, moved, theirs,
            {{"dropwise", {[=] { ours(); }}, [=] { dropwise_isa_select(isa); }}}, [=] {
                begin();
                return std::string(isa == DROPWISE_ISA_SCALAR ? "no tier has these instructions"
                                   : ours() == DROPWISE_OK    ? ""
                                                              : "our call fails");
            });
}

} // namespace

#ifndef DROPWISE_WITHOUT_ATTENTION
void add_pytorch_attention(const Dtype &dtype, size_t length)
{
    at::set_num_threads(1);
    const double p = 0.1;
    const auto n = static_cast<int64_t>(length);
    const size_t bytes = attention_bytes(dtype, length), elements = 12 * length * length;
    const auto type = dtype.number == DROPWISE_F32 ? at::kFloat : at::kBFloat16;
    const auto tensor = [=](int i) {
        return at::from_blob(attention_tensor(i, dtype, length), {1, 12, n, 64}, type);
    };
    const auto forward = [=] {
        return at::_scaled_dot_product_flash_attention_for_cpu(tensor(0), tensor(1), tensor(2));
    };
    const auto row = [=](const char *name) { return std::string(name) + "/" + dtype.name; };
    add_beside_ours(
        row("attention"), p, bytes, elements, 4 * bytes, [=] { forward(); },
        attention_call(dtype, length, p, false), [=] { fill_attention(dtype, length); });
    const auto made = std::make_shared<std::tuple<at::Tensor, at::Tensor>>();
    add_beside_ours(
        row("attention_backward"), p, bytes, elements, 8 * bytes,
        [=] {
            at::_scaled_dot_product_flash_attention_for_cpu_backward(
                tensor(3), tensor(0), tensor(1), tensor(2), std::get<0>(*made), std::get<1>(*made), 0, false);
        },
        attention_call(dtype, length, p, true),
        [=] {
            fill_attention(dtype, length);
            *made = forward();
        });
}
#endif

void add_pytorch_functions(double p, size_t bytes)
{
    at::set_num_threads(1);
    const size_t n = bytes / 4;
    const dropwise_view view = make_view({n / kColumns, kColumns}, 0);
    const dropwise_mask mask = make_mask(p);
    dropwise_softmax softmax;
    if (dropwise_softmax_init(&softmax, 1) != DROPWISE_OK)
        std::abort();
    float *const dy = second(bytes);
    const auto add = [=](const char *name, size_t operands, Work theirs,
                         std::function<dropwise_status()> ours) {
        add_beside_ours(std::string(name) + "/f32", p, bytes, n, operands * bytes, theirs, ours,
                        [=] { fill(bytes); });
    };
    const auto forward = [=](dropwise_activation a) {
        return [=] {
            return dropwise_activation_forward(&mask, DROPWISE_F32, &view, a, buffers().x, nullptr,
                                               buffers().y, nullptr);
        };
    };
    const auto backward = [=](dropwise_activation a) {
        return [=] {
            return dropwise_activation_backward(&mask, DROPWISE_F32, &view, a, dy, buffers().x, nullptr,
                                                buffers().y, nullptr, nullptr);
        };
    };
    for (const bool is_tanh : {false, true}) {
        const char *const how = is_tanh ? "tanh" : "none";
        const dropwise_activation a = is_tanh ? DROPWISE_GELU_TANH : DROPWISE_GELU;
        add(
            is_tanh ? "gelu_tanh" : "gelu", 2, [=] { at::gelu_out(tensors().y, tensors().x, how); },
            forward(a));
        add(
            is_tanh ? "gelu_tanh_backward" : "gelu_backward", 3,
            [=] { at::gelu_backward_out(tensors().y, tensors().dy, tensors().x, how); }, backward(a));
    }
    add(
        "silu", 2, [] { at::silu_out(tensors().y, tensors().x); }, forward(DROPWISE_SILU));
    add(
        "silu_backward", 3, [] { at::silu_backward_out(tensors().y, tensors().dy, tensors().x); },
        backward(DROPWISE_SILU));
    add(
        "softmax", 2, [] { at::_softmax_out(tensors().y, tensors().x, -1, false); },
        [=] {
            return dropwise_softmax_forward(&mask, DROPWISE_F32, &view, &softmax, buffers().x, nullptr,
                                            buffers().y, nullptr);
        });
    add(
        "softmax_backward", 3,
        [] { at::_softmax_backward_data_out(tensors().y, tensors().dy, tensors().p, -1, at::kFloat); },
        [=] {
            return dropwise_softmax_backward(&mask, DROPWISE_F32, &view, &softmax, dy,
                                             tensors().p.data_ptr<float>(), buffers().y, nullptr);
        });
}
