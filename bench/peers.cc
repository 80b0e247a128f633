/* What the rows of all peers share: their references, and the check of their masks. */
#include "peers.h"

#include <cmath>

namespace {

float as_float(const Dtype &dtype, const float *x, size_t i)
{
    if (dtype.number == DROPWISE_F32)
        return x[i];
    uint16_t high; /* bf16 */
    std::memcpy(&high, reinterpret_cast<const char *>(x) + 2 * i, sizeof high);
    const uint32_t bits = static_cast<uint32_t>(high) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace

std::string check_dropout(const Dtype &dtype, double p, size_t n)
{
    const double rounding = dtype.number == DROPWISE_F32 ? 1e-6 : 1.0 / 256;
    size_t seen = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = as_float(dtype, buffers().x, i), y = as_float(dtype, buffers().y, i);
        if (!(std::fabs(x) < 1e30 && x != 0))
            continue;
        seen++;
        kept += y != 0;
        if (y != 0 && !(std::fabs(y * (1 - p) / x - 1) <= rounding))
            return "kept elements are not scaled by 1 / (1 - p)";
    }
    const double expected = static_cast<double>(seen) * (1 - p);
    if (std::fabs(static_cast<double>(kept) - expected) > 6 * std::sqrt(expected * p) + 1)
        return "kept " + std::to_string(kept) + " of " + std::to_string(seen);
    return "";
}

namespace {

Reference our_reference(const Ours &ours, const Dtype &dtype, double p, size_t bytes, bool bits)
{
    const dropwise_isa isa = ours.isa;
    const dropwise_mask mask = make_mask(p, ours.generator);
    const auto number = dtype.number;
    const size_t n = bytes / dtype.bytes;
    const Work forward = [=] {
        dropwise_forward(&mask, number, kFirst, n, buffers().x, buffers().y, bits ? buffers().bits : nullptr);
    };
    return {name_of(ours), {forward}, [=] { dropwise_isa_select(isa); }};
}

} // namespace

std::vector<Ours> vector_tiers()
{
    std::vector<Ours> tiers;
    for (dropwise_isa isa = DROPWISE_ISA_SCALAR + 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (dropwise_isa_check(isa) == DROPWISE_OK)
            tiers.push_back({isa, DROPWISE_PHILOX4X32_10});
    }
    return tiers;
}

std::vector<Ours> all_generators(dropwise_isa isa)
{
    std::vector<Ours> generators = {{isa, DROPWISE_PHILOX4X32_10}};
    for (uint32_t generator : other_generators())
        generators.push_back({isa, generator});
    return generators;
}

std::string name_of(const Ours &ours)
{
    const std::string isa = dropwise_isa_name(ours.isa);
    if (ours.generator == DROPWISE_PHILOX4X32_10)
        return isa;
    return isa + "_" + dropwise_generator_name(ours.generator);
}

std::string peer_row(const std::string &operation, const std::string &peer, double p, size_t bytes)
{
    return operation + "/" + peer + probability_suffix(p) + bytes_suffix(bytes);
}

void add_peer(const std::string &name, const Dtype &dtype, double p, size_t bytes, bool bits, Work work,
              std::vector<Ours> ours, std::function<std::string()> prepare)
{
    std::vector<Reference> references = {memcpy_reference(bytes)};
    for (const Ours &one : ours)
        references.push_back(our_reference(one, dtype, p, bytes, bits));
    add_row(name, bytes / dtype.bytes, 2 * bytes, work, references, [=] {
        const std::string wrong = prepare();
        if (!wrong.empty())
            return wrong;
        buffers().begin(bytes);
        std::memset(buffers().y, 0xFF, bytes); /* NaN: nothing may be left of another row */
        work();
        return check_dropout(dtype, p, bytes / dtype.bytes);
    });
}

void add_peers(double p, size_t bytes)
{
    if (bytes <= kSlowPeerBytes)
        add_numpy_like(p, bytes);
#ifdef BENCH_HAVE_LIBXSMM
    add_libxsmm(p, bytes);
#endif
#ifdef BENCH_HAVE_ONEDNN
    if (bytes <= kSlowPeerBytes)
        add_onednn(p, bytes);
#endif
#ifdef BENCH_HAVE_PYTORCH
    if (bytes <= kSlowPeerBytes)
        add_pytorch(p, bytes);
    if (p == 0.1 && (bytes == 256 * kKiB || bytes == 4 * kMiB))
        add_pytorch_functions(p, bytes);
#endif
#ifdef BENCH_HAVE_RANDOM123
    if (bytes <= kSlowPeerBytes)
        add_random123(p, bytes);
#endif
}

void add_missing_peers()
{
    [[maybe_unused]] const char *const why = "missing: not found when this was configured";
#ifndef BENCH_HAVE_LIBXSMM
    add_missing("peer/libxsmm", why);
#endif
#ifndef BENCH_HAVE_ONEDNN
    add_missing("peer/onednn", why);
#endif
#ifndef BENCH_HAVE_PYTORCH
    add_missing("peer/pytorch", why);
#endif
#ifndef BENCH_HAVE_RANDOM123
    add_missing("peer/random123", why);
#endif
}
