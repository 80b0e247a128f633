/* Rows of kernels: each row of kernels.inc calls the overload of add_kernel for its kind. */
#include "rows.h"

namespace {

const dropwise_key kKey = {{1, 2}, {3, 4}};

/* A kernel's name ends in its dtype, or in the width of its elements. */
size_t element_bytes(const std::string &kernel)
{
    const std::string type = kernel.substr(kernel.rfind('_') + 1);
    const std::string width = type.substr(type.size() - 2);
    return width == "64" ? 8 : width == "32" ? 4 : width == "16" ? 2 : 1;
}

void add_kernel(const std::string &name, dropwise_generate_fn *generate)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes,
                [=] { generate(&kKey, 1000, bytes / 16, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_generate_at_fn *generate_at)
{
    static const std::vector<uint64_t> counters = [] {
        std::vector<uint64_t> c;
        for (uint64_t i = 0; i < 256; i++)
            c.push_back(i * 1000003);
        return c;
    }();
    const size_t bytes = counters.size() * 16;
    add_row(name + bytes_suffix(bytes), bytes, bytes,
            [=] { generate_at(&kKey, counters.data(), counters.size(), buffers().y); });
}

void add_kernel(const std::string &name, dropwise_prepare_fn *prepare, dropwise_draw_fn *draw)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes / 4, [=] {
            uint64_t *words = reinterpret_cast<uint64_t *>(buffers().y);
            dropwise_schedule schedule;
            prepare(&kKey, 0, &schedule);
            const dropwise_threshold threshold = {230, words, words + bytes / 64};
            draw(&schedule, 1000, DROPWISE_WORD_BLOCKS, bytes / 64, &threshold);
        });
}

void add_kernel(const std::string &name, dropwise_apply_fn *apply)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, 2 * bytes + bytes / element / 8, [=] {
            apply(buffers().bits, bytes / element, buffers().x, buffers().y, scale_for(element));
        });
}

void add_kernel(const std::string &name, dropwise_scale_fn *scale)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, 2 * bytes,
                [=] { scale(bytes / element, buffers().x, buffers().y, scale_for(element)); });
}

void add_kernel(const std::string &name, dropwise_nonzero_fn *nonzero)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes / element, bytes + bytes / element / 8,
                [=] { nonzero(bytes / element, buffers().x, buffers().bits); });
}

void add_kernel(const std::string &name, dropwise_clear_fn *clear)
{
    for (size_t bytes : {4 * kKiB, 256 * kKiB, 64 * kMiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes, [=] { clear(bytes, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_erode_fn *erode)
{
    for (size_t bytes : {kKiB, 16 * kKiB})
        add_row(name + bytes_suffix(bytes), 8 * bytes, 3 * bytes, [=] {
            erode(buffers().bits + kKiB, bytes, 67, reinterpret_cast<unsigned char *>(buffers().y));
        });
}

void add_kernel(const std::string &name, dropwise_threshold_fn *threshold)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes, bytes + bytes / 4, [=] {
            uint64_t *words = reinterpret_cast<uint64_t *>(buffers().y);
            const dropwise_threshold t = {230, words, words + bytes / 64};
            threshold(buffers().x, bytes / 64, &t);
        });
}

void add_kernel(const std::string &name, dropwise_count_fn *count)
{
    for (size_t bytes : {kKiB, 16 * kKiB})
        add_row(name + bytes_suffix(bytes), 8 * bytes, bytes,
                [=] { benchmark::DoNotOptimize(count(bytes, buffers().bits)); });
}

/* Conversions: bytes:N counts the f32 side. */
void add_kernel(const std::string &name, dropwise_widen_fn *widen)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, bytes + bytes / 4 * element,
                [=] { widen(bytes / 4, buffers().x, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_narrow_fn *narrow)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, bytes + bytes / 4 * element,
                [=] { narrow(bytes / 4, buffers().x, buffers().y); });
}

/* Kernels of the fused steps: bytes:N counts one operand, in L1 and L2. */
void add_fused(const std::string &name, int operands,
               std::function<void(size_t n, const void *factor, char *p, size_t step)> run)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / element, operands * bytes, [=] {
            run(bytes / element, scale_for(element), reinterpret_cast<char *>(buffers().x), bytes + 64);
        });
}

void add_kernel(const std::string &name, dropwise_residual_fn *residual)
{
    add_fused(name, 4, [=](size_t n, const void *factor, char *p, size_t step) {
        residual(buffers().bits, n, p, p + step, p + 2 * step, buffers().y, factor);
    });
}

void add_kernel(const std::string &name, dropwise_activate_fn *activate)
{
    add_fused(name, 3, [=](size_t n, const void *factor, char *p, size_t step) {
        activate(buffers().bits, n, p, p + step, buffers().y, factor);
    });
}

void add_kernel(const std::string &name, dropwise_activate_grad_fn *grad)
{
    add_fused(name, 4, [=](size_t n, const void *factor, char *p, size_t step) {
        grad(buffers().bits, n, p, p + step, p + 2 * step, buffers().y, factor, nullptr);
    });
}

void add_kernel(const std::string &name, dropwise_row_max_fn *row_max)
{
    add_fused(name, 1, [=](size_t n, const void *factor, char *p, size_t) {
        double max = 0;
        row_max(n, p, nullptr, factor, &max);
    });
}

/* Forward or backward, rows of up to 1,024 elements. */
void add_kernel(const std::string &name, dropwise_softmax_fn *softmax)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t step) {
        dropwise_softmax_rows rows = {};
        rows.n = std::min<size_t>(n, 1024);
        rows.rows = n / rows.n;
        rows.x = reinterpret_cast<const uint8_t *>(p);
        rows.probabilities = reinterpret_cast<uint8_t *>(p + step);
        rows.y = reinterpret_cast<uint8_t *>(buffers().y);
        rows.bits = buffers().bits;
        rows.bits_step = rows.n / 8;
        rows.x_step = rows.y_step = static_cast<ptrdiff_t>(step / rows.rows);
        rows.visible = static_cast<int64_t>(rows.n);
        rows.scale = rows.factor = factor;
        softmax(&rows);
    });
}

void add_kernel(const std::string &name, dropwise_row_exp_fn *row_exp)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t) {
        double sums[16] = {0};
        row_exp(n, p, nullptr, factor, factor, buffers().y, sums);
    });
}

void add_kernel(const std::string &name, dropwise_row_drop_fn *row_drop)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t) {
        row_drop(buffers().bits, n, p, factor, factor, nullptr, buffers().y);
    });
}

void add_kernel(const std::string &name, dropwise_row_dot_fn *row_dot)
{
    add_fused(name, 2, [=](size_t n, const void *factor, char *p, size_t step) {
        double sums[16] = {0};
        row_dot(buffers().bits, n, p, p + step, factor, sums);
    });
}

void add_kernel(const std::string &name, dropwise_row_grad_fn *row_grad)
{
    add_fused(name, 3, [=](size_t n, const void *factor, char *p, size_t step) {
        row_grad(buffers().bits, n, p, p + step, factor, factor, factor, buffers().y);
    });
}

/* Products of 96 queries, 64 numbers each, with bytes:N of keys: operations are counted as elements. */
void add_kernel(const std::string &name, dropwise_matmul_fn *matmul)
{
    for (size_t bytes : {16 * kKiB, 128 * kKiB}) {
        const size_t keys = bytes / 256;
        add_row(name + bytes_suffix(bytes), 96 * 64 * keys, bytes, [=] {
            dropwise_matmul m = {};
            m.rows = 96;
            m.depth = 64;
            m.columns = keys;
            m.x = reinterpret_cast<const uint8_t *>(buffers().x);
            m.x_row = 256;
            m.x_step = 4;
            m.y = m.x + kMiB;
            m.y_row = 256;
            m.y_block = 64 * 256;
            m.c = reinterpret_cast<uint8_t *>(buffers().y);
            m.c_row = 4 * keys + 64;
            matmul(&m);
        });
    }
}

void add_kernel(const std::string &name, dropwise_transpose_fn *transpose)
{
    add_row(name + bytes_suffix(16 * kKiB), 64 * 64, 32 * kKiB, [=] {
        transpose(64, 64, reinterpret_cast<const uint8_t *>(buffers().x), 256,
                  reinterpret_cast<uint8_t *>(buffers().y));
    });
}

/* Elements of bf16 on their way to products. */
void add_kernel(const std::string &name, dropwise_pack_fn *pack)
{
    add_row(name + bytes_suffix(16 * kKiB), 8 * kKiB, 32 * kKiB,
            [=] { pack(8 * kKiB, 0x2B80, buffers().x, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_pair_fn *pair)
{
    add_row(name + bytes_suffix(16 * kKiB), 8 * kKiB, 32 * kKiB,
            [=] { pair(4 * kKiB, buffers().x, buffers().x + kMiB / 4, buffers().y); });
}

/* Forward or backward, rows of up to 512 scores, which soon are all 1 and 0. */
void add_kernel(const std::string &name, dropwise_attention_fn *attention)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB}) {
        const size_t n = std::min<size_t>(bytes / 4, 512);
        add_row(name + bytes_suffix(bytes), bytes / 4, 3 * bytes, [=] {
            static float of_rows[3][64];
            dropwise_attention_rows rows = {};
            rows.rows = bytes / 4 / n;
            rows.n = n;
            rows.x = reinterpret_cast<uint8_t *>(buffers().y);
            rows.d = rows.x + kMiB;
            rows.step = 4 * n + 64;
            rows.bits = buffers().bits;
            rows.bits_step = n / 8;
            rows.factor = 1;
            rows.first = true;
            rows.lse = rows.top = of_rows[0];
            rows.delta = rows.sum = of_rows[1];
            rows.shrink = of_rows[2];
            attention(&rows);
        });
    }
}

/* 1, 0, ... in the type that a kernel computes in. */
const dropwise_params *params_for(const std::string &name)
{
    static const dropwise_params f64 = {{1, 0.5, 0}};
    static const dropwise_params f32 = [] {
        dropwise_params p = {};
        p.f32[0] = 1;
        p.f32[1] = 0.5;
        return p;
    }();
    return element_bytes(name.substr(0, name.rfind('/'))) == 8 ? &f64 : &f32;
}

void add_kernel(const std::string &name, dropwise_affine_fn *affine)
{
    add_fused(name, 2, [=](size_t n, const void *, char *p, size_t) {
        affine(buffers().bits, n, p, params_for(name), buffers().y);
    });
}

/* Kernels that move elements as bytes. */
uint8_t *bytes_at(void *p)
{
    return static_cast<uint8_t *>(p);
}

void add_kernel(const std::string &name, dropwise_blend_fn *blend)
{
    add_fused(name, 3, [=](size_t n, const void *, char *p, size_t step) {
        blend(buffers().bits, n, bytes_at(p), bytes_at(p + step), bytes_at(buffers().y));
    });
}

void add_kernel(const std::string &name, dropwise_split_fn *split)
{
    add_fused(name, 3, [=](size_t n, const void *, char *p, size_t) {
        split(buffers().bits, n, bytes_at(p), bytes_at(buffers().y), bytes_at(buffers().y) + kMiB);
    });
}

void add_kernel(const std::string &name, dropwise_combine_fn *combine)
{
    add_fused(name, 3, [=](size_t n, const void *, char *p, size_t step) {
        combine(n, p, p + step, params_for(name), buffers().y);
    });
}

void add_kernel(const std::string &name, dropwise_noise_fn *noise)
{
    add_fused(name, 2,
              [=](size_t n, const void *, char *p, size_t) { noise(n, p, params_for(name), buffers().y); });
}

void add_kernel(const std::string &name, dropwise_relaxed_grad_fn *grad)
{
    add_fused(name, 4, [=](size_t n, const void *, char *p, size_t step) {
        double sums[16] = {0};
        grad(n, p, p + step, p + 2 * step, params_for(name), buffers().y, sums);
    });
}

void add_kernel(const std::string &name, dropwise_dot_fn *dot)
{
    add_fused(name, 2, [=](size_t n, const void *, char *p, size_t step) {
        double sums[16] = {0};
        dot(n, p, p + step, sums);
    });
}

/* Other systems' masks: bytes:N is what is written, or compared. */
void add_kernel(const std::string &name, dropwise_words_fn *words)
{
    const dropwise_counters counters = {{1, 2}, {3, 4, 5, 6}, {1, 0, 0, 0}, 1};
    const auto has = [&](const char *part) { return name.find(part) != std::string::npos; };
    const size_t block = has("_first") || has("_xor") ? 4 : has("threefry") ? 8 : 16;
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / block, bytes,
                [=] { words(&counters, bytes / block, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_dwords_fn *dwords)
{
    const dropwise_counters64 counters = {{1, 2}, {3, 4, 5, 6}};
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 32, bytes,
                [=] { dwords(&counters, bytes / 32, buffers().y); });
}

void add_kernel(const std::string &name, dropwise_compare_fn *compare)
{
    const std::string type = name.substr(0, name.rfind('/'));
    const bool is_u8 = type.find("_u8") != std::string::npos, is_u64 = type.find("_u64") != std::string::npos;
    const size_t number = is_u64 ? 8 : is_u8 ? 1 : 4;
    const dropwise_compare how = {uint64_t{1} << (number * 8 - 1), 0, 0, 0};
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / number, bytes + bytes / number / 8,
                [=] { compare(buffers().x, bytes / number, &how, buffers().bits); });
}

/* DropConnect: 16 rows of a matrix, of which bytes:N counts all. */
void add_matrix(const std::string &name, std::function<void(size_t n, size_t step, char *sums)> run)
{
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {16 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / element, bytes,
                [=] { run(bytes / element / 16, bytes / 16, reinterpret_cast<char *>(buffers().y)); });
}

void add_kernel(const std::string &name, dropwise_masked_dot_fn *masked_dot)
{
    add_matrix(name, [=](size_t n, size_t step, char *sums) {
        masked_dot(buffers().bits, n / 8, 16, n, buffers().x, step, buffers().x + 64 * kKiB, sums, 128);
    });
}

void add_kernel(const std::string &name, dropwise_masked_axpy_fn *masked_axpy)
{
    add_matrix(name, [=](size_t n, size_t step, char *sums) {
        masked_axpy(buffers().bits, n / 8, 16, n, buffers().x, buffers().x, step, sums, step);
    });
}

void add_kernel(const std::string &name, dropwise_dot_moments_fn *dot_moments)
{
    add_fused(name, 2, [=](size_t n, const void *, char *p, size_t step) {
        double sums[16] = {0}, squares[16] = {0};
        dot_moments(n, p, p + step, sums, squares, sizeof sums[0]);
    });
}

void add_kernel(const std::string &name, dropwise_fold_sums_fn *fold_sums)
{
    const void *scale = scale_for(element_bytes(name.substr(0, name.rfind('/'))));
    add_matrix(name, [=](size_t n, size_t step, char *y) {
        fold_sums(16, n, buffers().x, step, scale, nullptr, y);
    });
}

void add_kernel(const std::string &name, dropwise_sample_normal_fn *sample_normal)
{
    add_fused(name, 4, [=](size_t n, const void *, char *p, size_t step) {
        sample_normal(p, p + step, n, p + 2 * step, buffers().y);
    });
}

/* Beside draw_ and scale_kept_ of as many elements: what it takes to do both at once. */
void add_draw_scale(const std::string &name, const dropwise_generator &generator,
                    dropwise_draw_scale_fn *draw_scale)
{
    if (draw_scale == nullptr)
        return;
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB}) {
        const size_t n = bytes / element;
        add_row(name + bytes_suffix(bytes), n, 2 * bytes + n / 8, [=] {
            static std::vector<uint64_t> words(2 * (256 * kKiB / 2 / 64));
            const dropwise_threshold threshold = {230, words.data(), words.data() + n / 64};
            const dropwise_elements elements = {buffers().x, buffers().y, scale_for(element)};
            dropwise_schedule schedule;
            generator.prepare(&kKey, 0, &schedule);
            draw_scale(&schedule, 1000, n / 64, &threshold, buffers().bits, &elements);
        });
    }
}

void add_kernel(const std::string &name, dropwise_lehmer_fn *lehmer)
{
    for (size_t bytes : {4 * kKiB, 64 * kKiB})
        add_row(name + bytes_suffix(bytes), bytes / 4, bytes,
                [=] { lehmer(12345, 16807, bytes / 4, buffers().y); });
}

/* Words of mt19937: even and odd ones, and room for what is made of them. */
uint32_t *words_of_mt19937(size_t part)
{
    return reinterpret_cast<uint32_t *>(reinterpret_cast<char *>(buffers().y) + part * 512 * kKiB);
}

void add_kernel(const std::string &name, dropwise_twist_fn *twist)
{
    for (size_t n_words : {16, 256})
        add_row(name + bytes_suffix(512 * n_words), 128 * n_words, 512 * n_words,
                [=] { twist(n_words, words_of_mt19937(0), words_of_mt19937(1)); });
}

void add_kernel(const std::string &name, dropwise_pairs_fn *pairs)
{
    for (size_t n_words : {16, 256})
        add_row(name + bytes_suffix(256 * n_words), 64 * n_words, 512 * n_words, [=] {
            const uint32_t *high = words_of_mt19937(0), *low = words_of_mt19937(1);
            const dropwise_pairs job = {high,
                                        low,
                                        words_of_mt19937(0),
                                        words_of_mt19937(1),
                                        UINT64_C(9) << 49,
                                        buffers().x,
                                        words_of_mt19937(2),
                                        1.25F};
            pairs(&job, n_words, words_of_mt19937(3));
        });
}

void add_kernel(const std::string &name, dropwise_temper_fn *temper)
{
    for (size_t n_words : {16, 256})
        add_row(name + bytes_suffix(512 * n_words), 128 * n_words, 512 * n_words,
                [=] { temper(n_words, words_of_mt19937(0), words_of_mt19937(1), words_of_mt19937(2)); });
}

void add_kernel(const std::string &name, dropwise_windows_fn *windows)
{
    add_row(name, DROPWISE_MT_WINDOW * size_t{64}, DROPWISE_MT_WINDOW * size_t{64} * 4, [=] {
        static const uint16_t at[64] = {};
        windows(64, at, words_of_mt19937(0), words_of_mt19937(1));
    });
}

void add_forward(const std::string &name, const dropwise_generator &generator, dropwise_forward_fn *forward)
{
    if (forward == nullptr)
        return;
    const size_t element = element_bytes(name.substr(0, name.rfind('/')));
    for (size_t bytes : {4 * kKiB, 256 * kKiB}) {
        const size_t n = bytes / element;
        add_row(name + bytes_suffix(bytes), n, 2 * bytes, [=] {
            static std::vector<uint64_t> equal(256 * kKiB / 2 / 64);
            const dropwise_threshold threshold = {230, nullptr, equal.data()};
            const dropwise_elements elements = {buffers().x, buffers().y, scale_for(element)};
            dropwise_schedule schedule;
            generator.prepare(&kKey, 0, &schedule);
            forward(&schedule, 1000, n / 64, &threshold, &elements);
        });
    }
}

void add_generator(const std::string &name, const std::string &isa_name, const dropwise_generator &generator)
{
    const std::string end = name + "/" + isa_name, merged = "kernel/draw_scale_" + name;
    add_kernel("kernel/generate_" + end, generator.generate);
    add_kernel("kernel/generate_at_" + end, generator.generate_at);
    add_kernel("kernel/draw_" + end, generator.prepare, generator.draw);
    add_forward("kernel/forward_" + name + "_f64/" + isa_name, generator, generator.forward_f64);
    add_forward("kernel/forward_" + name + "_f32/" + isa_name, generator, generator.forward_f32);
    add_forward("kernel/forward_" + name + "_f16/" + isa_name, generator, generator.forward_f16);
    add_forward("kernel/forward_" + name + "_bf16/" + isa_name, generator, generator.forward_bf16);
    add_draw_scale(merged + "_f64/" + isa_name, generator, generator.draw_scale_f64);
    add_draw_scale(merged + "_f32/" + isa_name, generator, generator.draw_scale_f32);
    add_draw_scale(merged + "_f16/" + isa_name, generator, generator.draw_scale_f16);
    add_draw_scale(merged + "_bf16/" + isa_name, generator, generator.draw_scale_bf16);
}

} // namespace

void add_kernels(const dropwise_kernels *kernels)
{
    const std::string isa_name = dropwise_isa_name(kernels->isa);
#define DROPWISE_GENERATOR(number, name, user_name, template) add_generator(#name, isa_name, kernels->name);
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) \
    add_generator(#name, isa_name, dropwise_ars_of(kernels)->generator);
#define DROPWISE_KERNEL(kind, name, template) \
    if (kernels->name != nullptr) \
        add_kernel("kernel/" #name "/" + isa_name, kernels->name);
#include "kernels/kernels.inc"
}
