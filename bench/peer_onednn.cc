/*
 * oneDNN (https://github.com/uxlfoundation/oneDNN, 3.11 and later): an identity with the dropout attribute.
 * On CPUs it has a reference implementation only: a call of Philox4x32-10 for every element.
 */
#include "peers.h"

#include <oneapi/dnnl/dnnl.hpp>

namespace {

struct Identity {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    dnnl::eltwise_forward primitive;
    std::unordered_map<int, dnnl::memory> arguments;
    std::vector<uint8_t> keep;
    float p_drop = 0;
    int32_t seed = 1;

    void make(double p, size_t n)
    {
        using Type = dnnl::memory::data_type;
        using Tag = dnnl::memory::format_tag;
        const auto length = static_cast<dnnl::memory::dim>(n);
        const dnnl::memory::desc elements({1, length}, Type::f32, Tag::ab),
            bytes({1, length}, Type::u8, Tag::ab), one_f32({1}, Type::f32, Tag::a),
            one_s32({1}, Type::s32, Tag::a);
        dnnl::primitive_attr attributes;
        attributes.set_dropout(bytes);
        primitive = dnnl::eltwise_forward(dnnl::eltwise_forward::primitive_desc(
            engine, dnnl::prop_kind::forward_training, dnnl::algorithm::eltwise_linear, elements, elements,
            1.f, 0.f, attributes));
        p_drop = static_cast<float>(p);
        keep.resize(n);
        arguments = {
            {DNNL_ARG_SRC, dnnl::memory(elements, engine, buffers().x)},
            {DNNL_ARG_DST, dnnl::memory(elements, engine, buffers().y)},
            {DNNL_ARG_ATTR_DROPOUT_MASK, dnnl::memory(bytes, engine, keep.data())},
            {DNNL_ARG_ATTR_DROPOUT_PROBABILITY, dnnl::memory(one_f32, engine, &p_drop)},
            {DNNL_ARG_ATTR_DROPOUT_SEED, dnnl::memory(one_s32, engine, &seed)},
        };
    }

    void run()
    {
        primitive.execute(stream, arguments);
        stream.wait();
    }
};

Identity &identity()
{
    static Identity i;
    return i;
}

} // namespace

void add_onednn(double p, size_t bytes)
{
    const auto prepare = [=] {
        try {
            identity().make(p, bytes / 4);
        } catch (const dnnl::error &error) {
            return std::string("oneDNN: ") + error.what();
        }
        return std::string();
    };
    add_peer(
        peer_row("forward/f32", "onednn", p, bytes), kDtypes[0], p, bytes, true, [] { identity().run(); },
        vector_tiers(), prepare);
}
