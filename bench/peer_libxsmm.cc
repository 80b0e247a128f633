/*
 * libxsmm (https://github.com/libxsmm/libxsmm, 2.0): its element-wise kernel for dropout, compiled at run
 * time. It draws from xoshiro128+, one generator a lane: its mask differs with the width of the vectors.
 */
#include "peers.h"

#include <libxsmm.h>

namespace {

struct Target {
    const char *name; /* of rows */
    const char *arch; /* for libxsmm; NULL: what it takes the CPU for */
    dropwise_isa isa;
};

/* The code for a CPU with the instructions of each of our vector tiers. */
const Target kTargets[] = {{"libxsmm-avx2", "hsw", DROPWISE_ISA_AVX2},
                           {"libxsmm-avx512", nullptr, DROPWISE_ISA_AVX512},
                           {"libxsmm-neon", nullptr, DROPWISE_ISA_NEON}};

/* One kernel at a time: its registry knows kernels by their shape, not by their instructions. */
struct Kernel {
    libxsmm_meltwfunction_unary run = nullptr;
    float p = 0;
    unsigned *state = nullptr;

    /* m rows of so many elements that follow each other, `stride` elements apart. */
    std::string compile(const Target &target, libxsmm_datatype datatype, double p_drop, size_t row, size_t m,
                        size_t stride, bool bits)
    {
        if (state != nullptr)
            libxsmm_rng_destroy_extstate(state);
        libxsmm_finalize();
        libxsmm_init();
        if (target.arch != nullptr)
            libxsmm_set_target_arch(target.arch);
        state = libxsmm_rng_create_extstate(555);
        p = static_cast<float>(p_drop);
        const auto length = static_cast<libxsmm_blasint>(row), apart = static_cast<libxsmm_blasint>(stride);
        const libxsmm_meltw_unary_shape shape = libxsmm_create_meltw_unary_shape(
            length, static_cast<libxsmm_blasint>(m), apart, apart, datatype, datatype, LIBXSMM_DATATYPE_F32);
        run = libxsmm_dispatch_meltw_unary(LIBXSMM_MELTW_TYPE_UNARY_DROPOUT, shape,
                                           bits ? LIBXSMM_MELTW_FLAG_UNARY_BITMASK_2BYTEMULT
                                                : LIBXSMM_MELTW_FLAG_UNARY_NONE);
        libxsmm_kernel_info info = {};
        if (run != nullptr)
            libxsmm_get_kernel_info(reinterpret_cast<const void *>(run), &info);
        return run == nullptr || info.is_reference_kernel ? "libxsmm compiles no such kernel" : "";
    }
};

Kernel &kernel()
{
    static Kernel k;
    return k;
}

/* Of buffers().x, to buffers().y and, if bits, buffers().bits. */
void forward(bool bits)
{
    libxsmm_meltw_unary_param param = {};
    param.op.primary = &kernel().p;
    param.op.secondary = kernel().state;
    param.in.primary = buffers().x;
    param.out.primary = buffers().y;
    param.out.secondary = bits ? buffers().bits : nullptr;
    kernel().run(&param);
}

} // namespace

void add_libxsmm(double p, size_t bytes)
{
    for (const Target &target : kTargets) {
        if (dropwise_isa_check(target.isa) != DROPWISE_OK)
            continue;
        for (const Dtype &dtype : kDtypes) {
            if ((dtype.number != DROPWISE_F32 && dtype.number != DROPWISE_BF16) || bytes < 64)
                continue;
            const libxsmm_datatype datatype =
                dtype.number == DROPWISE_F32 ? LIBXSMM_DATATYPE_F32 : LIBXSMM_DATATYPE_BF16;
            const size_t n = bytes / dtype.bytes;
            for (bool bits : {false, true}) {
                const std::string operation = std::string(bits ? "forward_bits/" : "forward/") + dtype.name;
                add_peer(
                    peer_row(operation, target.name, p, bytes), dtype, p, bytes, bits, [=] { forward(bits); },
                    all_generators(target.isa),
                    [=] { return kernel().compile(target, datatype, p, n, 1, n, bits); });
            }
        }
    }
}

void add_libxsmm_tiles(double p)
{
    constexpr size_t kMatrix = 4096;
    for (const Target &target : kTargets) {
        if (dropwise_isa_check(target.isa) != DROPWISE_OK)
            continue;
        for (size_t side : {64, 128}) {
            const auto prepare = [=] {
                const std::string wrong =
                    kernel().compile(target, LIBXSMM_DATATYPE_F32, p, side, side, kMatrix, false);
                if (!wrong.empty())
                    return wrong;
                std::memset(buffers().y, 0xFF, side * sizeof(float));
                forward(false);
                return check_dropout(kDtypes[0], p, side); /* of one row: the next one lies apart */
            };
            add_row(
                peer_row("tile_" + std::to_string(side) + "/f32", target.name, p, 4 * side * side),
                side * side, 8 * side * side, [] { forward(false); }, {tile_reference(target.isa, p, side)},
                prepare);
        }
    }
}
