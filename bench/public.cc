/* Rows of public operations. */
#include "rows.h"

#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "dropwise_variants.h"
#include "pcg64.h"

namespace {

struct Operation {
    const char *name;
    size_t tensors; /* that are moved */
    bool moves_bits;
    dropwise_status (*run)(const dropwise_mask &mask, dropwise_dtype dtype, size_t n);
};

const Operation kOperations[] = {
    {"forward", 2, false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"forward_bits", 2, true,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
    {"forward_inplace", 2, false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_forward(&mask, dtype, kFirst, n, buffers().y, buffers().y, nullptr);
     }},
    {"backward", 2, false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_backward(&mask, dtype, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
    {"backward_bits", 2, true,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         return dropwise_backward(&mask, dtype, kFirst, n, buffers().x, buffers().y, buffers().bits);
     }},
    {"backward_accumulate", 3, false,
     [](const dropwise_mask &mask, dropwise_dtype dtype, size_t n) {
         dropwise_mask adding = mask;
         adding.flags = DROPWISE_ACCUMULATE;
         return dropwise_backward(&adding, dtype, kFirst, n, buffers().x, buffers().y, nullptr);
     }},
};

/* What memory costs. */
std::vector<Reference> memory_references(const Dtype &dtype, dropwise_isa isa, size_t bytes, bool in_place)
{
    std::vector<Reference> references = {memcpy_reference(bytes)};
    if (dtype.bytes != 1) /* 8-bit types have no loop y = s * x: they go by way of f32 */
        references.push_back(scale_reference(dropwise_kernels_get(isa), dtype, bytes, in_place));
    return references;
}

/* Small tensors are compared with a loop without a call, too. */
std::vector<Reference> references_of(const Operation &operation, const Dtype &dtype, dropwise_isa isa,
                                     double p, size_t bytes)
{
    if (bytes > kSmallBytes)
        return memory_references(dtype, isa, bytes, std::strcmp(operation.name, "forward_inplace") == 0);
    if (std::strcmp(operation.name, "forward") == 0 && dtype.number == DROPWISE_F32)
        return {inlined_reference(isa, p, bytes),
                scale_reference(dropwise_kernels_get(isa), dtype, bytes, false)};
    return {};
}

void add_operation(const Operation &operation, const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const dropwise_mask mask = make_mask(p, DROPWISE_PHILOX4X32_10);
    const size_t n = bytes / dtype.bytes;
    /* What is computed in place again and again becomes 0 and infinity, which take no longer. */
    const bool in_place = std::strcmp(operation.name, "forward_inplace") == 0;
    const Work begin = [=] {
        if (in_place)
            std::memcpy(buffers().y, buffers().x, bytes);
    };
    const auto run = operation.run;
    const auto number = dtype.number;
    add_call(
        operation.name + call_suffix(dtype, isa, p, bytes), isa, n,
        operation.tensors * bytes + (operation.moves_bits ? n / 8 : 0), [=] { return run(mask, number, n); },
        references_of(operation, dtype, isa, p, bytes), begin);
}

} // namespace

void add_operations(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const dropwise_mask mask = make_mask(p, DROPWISE_PHILOX4X32_10);
    const size_t n = bytes / dtype.bytes;
    for (const Operation &operation : kOperations)
        add_operation(operation, dtype, isa, p, bytes);
    if (dtype.number == DROPWISE_F32)
        add_call(std::string("bits/") + dropwise_isa_name(isa) + probability_suffix(p) + bytes_suffix(bytes),
                 isa, n, n / 8, [=] { return dropwise_draw_bits(&mask, kFirst, n, buffers().bits); });
}

void add_forward(dropwise_isa isa, double p, size_t bytes)
{
    add_operation(kOperations[0], kDtypes[0], isa, p, bytes);
}

extern "C" {
void bench_take_caches_for(size_t bytes);
void bench_ask_for_caches(void);
}

/*
 * Where prefetches and stores past the caches begin to pay: forward as if the caches were small (prefetches
 * from 256 KiB on, stores past the caches from 4 MiB on) beside endless ones (prefetches from 4 MiB on) and
 * y = s * x; by itself, and with a loop behind it that reads y, as the next layer does.
 */
void add_caches(dropwise_isa isa, size_t bytes)
{
    const size_t n = bytes / 4;
    const dropwise_mask mask = make_mask(0.1);
    const dropwise_kernels *kernels = dropwise_kernels_get(isa);
    const auto read = [=] {
        typedef uint64_t Vector __attribute__((vector_size(64)));
        Vector seen = {0};
        for (size_t i = 0; i + 16 <= n; i += 16) {
            Vector line;
            std::memcpy(&line, buffers().y + i, sizeof line);
            seen ^= line;
        }
        benchmark::DoNotOptimize(seen);
    };
    for (const bool reads : {false, true}) {
        const auto then = [=](const Work &work) -> Work {
            return [=] {
                work();
                if (reads)
                    read();
            };
        };
        const auto taken_for = [=](size_t cached) {
            return then([=] {
                bench_take_caches_for(cached);
                dropwise_forward_f32(&mask, kFirst, n, buffers().x, buffers().y, nullptr);
                bench_ask_for_caches();
            });
        };
        std::vector<Reference> references = {{"endless", {taken_for(SIZE_MAX)}}};
        for (const bool streams : {false, true}) {
            const Reference scale = scale_by(kernels, bytes, streams);
            references.push_back({scale.name, {then(scale.alternatives[0])}});
        }
        const Work small = taken_for(1);
        add_call((reads ? "small_caches_read" : "small_caches") + call_suffix(kDtypes[0], isa, 0.1, bytes),
                 isa, n, 2 * bytes,
                 [=] {
                     small();
                     return DROPWISE_OK;
                 },
                 references);
    }
}

void add_generators(dropwise_isa isa, double p, size_t bytes)
{
    const Dtype &dtype = kDtypes[0];
    const size_t n = bytes / dtype.bytes;
    for (uint32_t generator : other_generators()) {
        const dropwise_mask mask = make_mask(p, generator);
        const std::string operation = std::string("forward_") + dropwise_generator_name(generator);
        add_call(
            operation + call_suffix(dtype, isa, p, bytes), isa, n, 2 * bytes,
            [=] { return dropwise_forward_f32(&mask, kFirst, n, buffers().x, buffers().y, nullptr); },
            memory_references(dtype, isa, bytes, false));
    }
}

void add_views(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const uint64_t n = bytes / dtype.bytes;
    dropwise_view padded = make_view({n / 1024, 1000}, 0);
    padded.x_stride[0] = padded.y_stride[0] = 1024;
    dropwise_view transposed = make_view({1024, n / 1024}, 0);
    transposed.x_stride[0] = 1;
    transposed.x_stride[1] = 1024;
    const std::pair<const char *, dropwise_view> views[] = {
        {"spatial_nchw", make_view({n / 1024 / 16, 16, 32, 32}, 1u << 2 | 1u << 3)},
        {"spatial_nhwc", make_view({n / 1024 / 16, 32, 32, 16}, 1u << 1 | 1u << 2)},
        {"locked", make_view({32, n / 1024, 32}, 1u << 0)},
        {"rows", padded},
        {"transposed", transposed}};
    const dropwise_mask mask = make_mask(p);
    const auto number = dtype.number;
    for (const auto &named : views) {
        const dropwise_view view = named.second;
        add_call(
            named.first + call_suffix(dtype, isa, p, bytes), isa, n, 2 * bytes,
            [=] { return dropwise_forward_view(&mask, number, &view, buffers().x, buffers().y, nullptr); },
            memory_references(dtype, isa, bytes, false));
    }
}

void add_fused_steps(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const uint64_t n = bytes / dtype.bytes;
    const dropwise_view view = make_view({n / 1024, 1024}, 0);
    const dropwise_mask mask = make_mask(p), none = make_mask(0);
    dropwise_softmax softmax;
    if (dropwise_softmax_init(&softmax, 0.01) != DROPWISE_OK)
        std::abort();
    const auto number = dtype.number;
    /* The buffers have room for two operands of the largest size here, and a row of bias behind them. */
    const auto second = [=] { return reinterpret_cast<char *>(buffers().x) + bytes + 192; };
    const auto row = [=] { return second() + bytes + 192; };
    /* Each beside the same call with p = 0: what it costs without a mask. */
    const auto add = [&](const std::string &name, size_t bytes_moved,
                         std::function<dropwise_status(const dropwise_mask &)> call,
                         std::vector<Reference> references = {}) {
        references.push_back({"unmasked", {[=] { call(none); }}});
        add_call(
            name + call_suffix(dtype, isa, p, bytes), isa, n, bytes_moved, [=] { return call(mask); },
            references);
    };
    add(
        "residual", 3 * bytes,
        [=](const dropwise_mask &m) {
            return dropwise_residual_forward(&m, number, &view, buffers().x, row(), second(), buffers().y,
                                             nullptr);
        },
        number == DROPWISE_F32 ? std::vector<Reference>{sum_reference(bytes)} : std::vector<Reference>());
    add("residual_backward", 2 * bytes, [=](const dropwise_mask &m) {
        return dropwise_residual_backward(&m, number, &view, buffers().x, buffers().y, second(), nullptr);
    });
    const std::pair<const char *, dropwise_activation> activations[] = {{"relu", DROPWISE_RELU},
                                                                        {"gelu", DROPWISE_GELU},
                                                                        {"gelu_tanh", DROPWISE_GELU_TANH},
                                                                        {"silu", DROPWISE_SILU}};
    for (const auto &named : activations) {
        const dropwise_activation activation = named.second;
        add(named.first, 2 * bytes, [=](const dropwise_mask &m) {
            return dropwise_activation_forward(&m, number, &view, activation, buffers().x, row(), buffers().y,
                                               nullptr);
        });
        add(named.first + std::string("_backward"), 3 * bytes, [=](const dropwise_mask &m) {
            return dropwise_activation_backward(&m, number, &view, activation, buffers().x, second(), row(),
                                                buffers().y, nullptr, nullptr);
        });
    }
    add("softmax", 2 * bytes, [=](const dropwise_mask &m) {
        return dropwise_softmax_forward(&m, number, &view, &softmax, buffers().x, nullptr, buffers().y,
                                        nullptr);
    });
    add("softmax_backward", 3 * bytes, [=](const dropwise_mask &m) {
        return dropwise_softmax_backward(&m, number, &view, &softmax, buffers().x, second(), buffers().y,
                                         nullptr);
    });
}

namespace {

/* What a variant is called with. */
struct VariantCall {
    const dropwise_mask *mask;
    dropwise_dtype dtype;
    const dropwise_view *v;
    const void *a, *b;
    void *y, *y2;
    const dropwise_concrete *concrete;
};

struct Variant {
    std::string name;
    size_t tensors;
    dropwise_status (*run)(const VariantCall &call);
};

constexpr double SIGMA = 0.1;

const Variant kVariants[] = {
#define DROPWISE_VARIANT(NAME, function, inputs, outputs, nan, traits, arguments) \
    {#function, (inputs) + (outputs), [](const VariantCall &call) { \
         const auto [mask, dtype, v, a, b, y, y2, concrete] = call; \
         const dropwise_stored *const stored = nullptr; \
         double gradient, *const dlogit = &gradient; \
         (void)a, (void)b, (void)y2, (void)concrete, (void)stored, (void)dlogit; \
         return dropwise_##function arguments; \
     }},
#include "../tests/support/variants.inc"
};

/* Rows are named without what is common: alpha and alpha_backward, uniform. */
std::string short_name(const std::string &name)
{
    const size_t forward = name.rfind("_forward");
    return name.rfind("draw_", 0) == 0 ? name.substr(5) : name.substr(0, forward);
}

/* Plain dropout, and the usual steps, which are written for f32. */
std::vector<Reference> variant_references(const std::string &name, const dropwise_mask &mask,
                                          const Dtype &dtype, double p, size_t bytes)
{
    const auto number = dtype.number;
    const size_t n = bytes / dtype.bytes;
    const Reference plain = {
        "plain", {[=] { dropwise_forward(&mask, number, 0, n, buffers().x, buffers().y, nullptr); }}};
    if (name == "alpha")
        return {plain};
    if (name != "zoneout" && name != "gaussian" && name != "concrete")
        return {};
    if (number != DROPWISE_F32)
        return {plain};
    return {plain, name == "zoneout"    ? choice_reference(p, bytes)
                   : name == "gaussian" ? gaussian_reference(bytes)
                                        : concrete_reference(bytes)};
}

} // namespace

void add_variants(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    const uint64_t n = bytes / dtype.bytes;
    const dropwise_view view = make_view({n / 1024, 1024}, 0);
    const dropwise_mask mask = make_mask(p);
    dropwise_concrete concrete;
    if (dropwise_concrete_init(&concrete, -2.0, 0.1) != DROPWISE_OK)
        std::abort();
    const auto number = dtype.number;
    const std::string suffix = call_suffix(dtype, isa, p, bytes);
    /* Second operands and results lie behind the first ones. */
    const auto behind = [=](float *buffer) { return reinterpret_cast<char *>(buffer) + bytes + 192; };
    for (const Variant &variant : kVariants) {
        const std::string name = short_name(variant.name);
        const auto run = variant.run;
        add_call(
            name + suffix, isa, n, variant.tensors * bytes,
            [=] {
                return run({&mask, number, &view, buffers().x, behind(buffers().x), buffers().y,
                            behind(buffers().y), &concrete});
            },
            variant_references(name, mask, dtype, p, bytes));
    }
    add_call("zoneout_inplace" + suffix, isa, n, 3 * bytes, [=] {
        return dropwise_zoneout_forward(&mask, number, &view, buffers().x, buffers().y, buffers().y, nullptr);
    });
}

void add_conversions(dropwise_isa isa, size_t bytes)
{
    const dropwise_mask mask = make_mask(0.1);
    const std::string suffix = std::string("/") + dropwise_isa_name(isa) + bytes_suffix(bytes);
    const auto convert = [=](bool to_bits) {
        const dropwise_stored bits = {sizeof bits, DROPWISE_FORM_BITS, buffers().bits, bytes / 8, 0, {0, 0}};
        const dropwise_stored all = {sizeof all, DROPWISE_FORM_BYTES, buffers().y, bytes, 0, {0, 0}};
        return dropwise_convert_stored(&mask, DROPWISE_F32, 1, bytes, to_bits ? &all : &bits,
                                       to_bits ? &bits : &all);
    };
    add_call("to_bytes" + suffix, isa, bytes, bytes + bytes / 8, [=] { return convert(false); },
             {memcpy_reference((bytes + bytes / 8) / 2)});
    add_call("to_bits" + suffix, isa, bytes, bytes + bytes / 8, [=] { return convert(true); },
             {memcpy_reference((bytes + bytes / 8) / 2)});
}

void add_dropblock(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    struct Layout {
        const char *name;
        dropwise_view view;
        uint32_t dimensions, seeds;
    };
    const uint64_t n = bytes / dtype.bytes, maps = n / 1024;
    const Layout layouts[] = {
        {"nchw", make_view({maps / 16, 16, 32, 32}, 0), 1u << 2 | 1u << 3, DROPWISE_SEEDS_INSIDE},
        {"nhwc", make_view({maps / 16, 32, 32, 16}, 0), 1u << 1 | 1u << 2, DROPWISE_SEEDS_INSIDE},
        {"anywhere", make_view({maps / 16, 16, 32, 32}, 0), 1u << 2 | 1u << 3, DROPWISE_SEEDS_ANYWHERE},
        {"shared", make_view({maps / 16, 16, 32, 32}, 1u << 1), 1u << 2 | 1u << 3, DROPWISE_SEEDS_INSIDE}};
    const auto number = dtype.number;
    const dropwise_mask plain = make_mask(p);
    const auto forward = [=] {
        dropwise_forward(&plain, number, kFirst, n, buffers().x, buffers().y, nullptr);
    };
    const auto backward = [=] {
        dropwise_backward(&plain, number, kFirst, n, buffers().x, buffers().y, buffers().bits);
    };
    for (const Layout &layout : layouts) {
        const dropwise_view view = layout.view;
        dropwise_dropblock block;
        double gamma;
        if (dropwise_dropblock_init(&block, &view, layout.dimensions, 7) != DROPWISE_OK ||
            dropwise_dropblock_gamma(&block, &view, p, &gamma) != DROPWISE_OK)
            std::abort();
        block.seeds = layout.seeds;
        const dropwise_mask mask = make_mask(gamma);
        const std::string name = std::string("dropblock_") + layout.name;
        std::vector<Reference> references = {{"plain", {forward}}};
        if (&layout == layouts && number == DROPWISE_F32)
            references.push_back(dropblock_reference(bytes));
        add_call(
            name + call_suffix(dtype, isa, p, bytes), isa, n, 2 * bytes,
            [=] {
                return dropwise_dropblock_forward(&mask, number, &block, &view, buffers().x, buffers().y,
                                                  buffers().bits);
            },
            references);
    }
    const dropwise_view view = layouts[0].view;
    add_call("dropblock_backward" + call_suffix(dtype, isa, p, bytes), isa, n, 2 * bytes + n / 8,
             [=] {
                 return dropwise_dropblock_backward(&plain, number, &view, buffers().x, buffers().y,
                                                    buffers().bits);
             },
             {{"plain", {backward}}});
}

namespace {

/* A layer of 1,024 columns in f32. Matrices lie in the two buffers. */
struct Connect {
    static constexpr size_t kColumns = 1024, kMaxSamples = 64;
    size_t rows, samples;
    dropwise_mask mask;
    dropwise_dropconnect layer;

    Connect(const dropwise_mask &of_mask, size_t of_rows, size_t of_samples)
        : rows(of_rows), samples(of_samples), mask(of_mask)
    {
        if (dropwise_dropconnect_init(&layer, samples, rows, kColumns) != DROPWISE_OK)
            std::abort();
    }

    float *w() const
    {
        return buffers().x;
    }
    float *x() const
    {
        return w() + rows * kColumns + 48;
    }
    float *dy() const
    {
        return x() + kMaxSamples * kColumns + 48;
    }
    float *y() const
    {
        return buffers().y;
    }
    float *dx() const
    {
        return y() + kMaxSamples * rows + 48;
    } /* or the variance, or masks, or dw */

    /* The same in steps, sample by sample: a masked copy of the weights, which is multiplied. */
    void copy() const
    {
        const Connect none(make_mask(0), rows, 1);
        for (size_t b = 0; b < samples; b++)
            if (dropwise_forward_f32(&mask, b * rows * kColumns, rows * kColumns, w(), dx(), nullptr) !=
                    DROPWISE_OK ||
                dropwise_dropconnect_forward(&none.mask, DROPWISE_F32, &none.layer, dx(), x() + b * kColumns,
                                             nullptr, y() + b * rows) != DROPWISE_OK)
                std::abort();
    }

    /* The mask as floats, drawn by the library, and a product of three that compilers make vectors of. */
    void floats() const
    {
        dropwise_view view = make_view({rows, kColumns}, 0);
        const uint64_t bytes = 4 * rows * kColumns;
        const dropwise_stored stored = {sizeof stored, DROPWISE_FORM_SCALED, dx(), bytes, 0, {0, 0}};
        for (size_t b = 0; b < samples; b++) {
            view.first = b * rows * kColumns;
            if (dropwise_draw_view(&mask, DROPWISE_F32, &view, &stored) != DROPWISE_OK)
                std::abort();
            multiply(b);
        }
    }

    /* The weights times the mask that lies in dx, times sample b. */
    void multiply(size_t b) const
    {
        const float *const in = x() + b * kColumns;
        for (size_t o = 0; o < rows; o++) {
            const float *row = w() + o * kColumns, *m = dx() + o * kColumns;
            float sums[16] = {0}, total = 0;
            for (size_t i = 0; i < kColumns; i += 16)
                for (size_t k = 0; k < 16; k++)
                    sums[k] += row[i + k] * m[i + k] * in[i + k];
            for (float sum : sums)
                total += sum;
            y()[b * rows + o] = total;
        }
    }

    /* The same product, with a mask made as with NumPy: rng.random(w.shape) >= p, times the scale. */
    void numpy() const
    {
        static Pcg64 generator;
        Pcg64 g = generator; /* a copy, which no store can change */
        const float q = static_cast<float>(mask.keep_threshold) / DROPWISE_KEEP_ONE, scale = 1 / q;
        float *const m = dx();
        for (size_t i = 0; i < rows * kColumns; i++)
            m[i] = g.uniform();
        for (size_t i = 0; i < rows * kColumns; i++)
            m[i] = m[i] < q ? scale : 0;
        multiply(0);
        generator = g;
    }
};

} // namespace

void add_dropconnect(dropwise_isa isa, double p, size_t bytes)
{
    for (size_t samples : {size_t(1), Connect::kMaxSamples}) {
        const size_t rows = bytes / 4 / Connect::kColumns, n = samples * rows * Connect::kColumns;
        const std::string suffix = std::string("/f32/") + dropwise_isa_name(isa) + probability_suffix(p) +
                                   "/samples:" + std::to_string(samples) + bytes_suffix(bytes);
        const auto add_forward = [=](const std::string &name, const Connect &c) {
            std::vector<Reference> steps = {{"copy", {[=] { c.copy(); }}}, {"floats", {[=] { c.floats(); }}}};
            if (samples == 1)
                steps.push_back({"numpy", {[=] { c.numpy(); }}});
            add_call(
                name + suffix, isa, n, samples * bytes,
                [=] {
                    return dropwise_dropconnect_forward(&c.mask, DROPWISE_F32, &c.layer, c.w(), c.x(),
                                                        nullptr, c.y());
                },
                steps);
        };
        const Connect c(make_mask(p), rows, samples);
        add_forward("dropconnect", c);
        for (uint32_t generator : other_generators())
            add_forward(std::string("dropconnect_") + dropwise_generator_name(generator),
                        Connect(make_mask(p, generator), rows, samples));
        add_call("dropconnect_dx" + suffix, isa, n, samples * bytes, [=] {
            return dropwise_dropconnect_backward(&c.mask, DROPWISE_F32, &c.layer, c.w(), nullptr, c.dy(),
                                                 c.dx(), nullptr, nullptr);
        });
        add_call("dropconnect_dw" + suffix, isa, n, samples * bytes, [=] {
            return dropwise_dropconnect_backward(&c.mask, DROPWISE_F32, &c.layer, nullptr, c.x(), c.dy(),
                                                 nullptr, c.dx(), nullptr);
        });
        add_call("dropconnect_moments" + suffix, isa, n, samples * bytes, [=] {
            return dropwise_dropconnect_moments(&c.mask, DROPWISE_F32, &c.layer, c.w(), c.x(), nullptr, c.y(),
                                                c.dx());
        });
    }
}
