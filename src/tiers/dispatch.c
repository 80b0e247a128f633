/*
 * Choosing a tier: once at load time, in a constructor; lazily, should something call the library
 * before that. No locks: the choice is one atomic pointer to a constant table.
 */
#define _GNU_SOURCE /* secure_getenv */

#include "tiers/dispatch.h"

#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#include <unistd.h>
#elif defined(__ANDROID__)
#include <sys/auxv.h>
#endif

#include "base/bytes.h"
#include "tiers/cpu.h"
#include "dropwise.h"

/* A build for two architectures at once defines what either has. */
#ifndef __x86_64__
#undef DROPWISE_HAVE_AVX2
#undef DROPWISE_HAVE_AVX512
#undef DROPWISE_HAVE_ARS_AESNI
#undef DROPWISE_HAVE_ARS_VAES256
#undef DROPWISE_HAVE_ARS_VAES512
#endif
#ifndef __aarch64__
#undef DROPWISE_HAVE_NEON
#undef DROPWISE_HAVE_ARS_NEON
#endif

_Atomic(const dropwise_kernels *) dropwise_active_kernels;

/* What dropwise_cpu_detect answered, and a bit beyond the features' that says that it did. Of 32 bits, as not
 * every CPU has atomic numbers of 64. */
static _Atomic uint32_t known_features;

_Static_assert(DROPWISE_CPU_COUNT < 31, "features and a bit more");

static const char *const feature_names[DROPWISE_CPU_COUNT] = {
    [DROPWISE_CPU_AVX] = "avx",           [DROPWISE_CPU_AVX2] = "avx2",
    [DROPWISE_CPU_FMA] = "fma",           [DROPWISE_CPU_F16C] = "f16c",
    [DROPWISE_CPU_BMI1] = "bmi1",         [DROPWISE_CPU_BMI2] = "bmi2",
    [DROPWISE_CPU_LZCNT] = "lzcnt",       [DROPWISE_CPU_MOVBE] = "movbe",
    [DROPWISE_CPU_POPCNT] = "popcnt",     [DROPWISE_CPU_SSE3] = "sse3",
    [DROPWISE_CPU_SSSE3] = "ssse3",       [DROPWISE_CPU_SSE4_1] = "sse4.1",
    [DROPWISE_CPU_SSE4_2] = "sse4.2",     [DROPWISE_CPU_AVX512F] = "avx512f",
    [DROPWISE_CPU_AVX512BW] = "avx512bw", [DROPWISE_CPU_AVX512DQ] = "avx512dq",
    [DROPWISE_CPU_AVX512VL] = "avx512vl", [DROPWISE_CPU_AVX512CD] = "avx512cd",
    [DROPWISE_CPU_NEON] = "neon",         [DROPWISE_CPU_AES] = "aes",
    [DROPWISE_CPU_VAES] = "vaes",         [DROPWISE_CPU_RVV] = "rvv",
    [DROPWISE_CPU_AMX_BF16] = "amx-bf16",
};

typedef struct tier {
    dropwise_isa isa;
    const char *name;
    const dropwise_kernels *kernels; /* NULL: not built; DROPWISE_HAVE_... is not defined */
} tier;

/* Each better than those before it, whatever its number in the ABI, which cannot change. */
static const tier tiers[] = {
    {DROPWISE_ISA_SCALAR, "scalar", &dropwise_kernels_scalar},
    {DROPWISE_ISA_NEON, "neon",
#ifdef DROPWISE_HAVE_NEON
     &dropwise_kernels_neon
#else
     NULL
#endif
    },
    {DROPWISE_ISA_RVV, "rvv",
#ifdef DROPWISE_HAVE_RVV
     &dropwise_kernels_rvv
#else
     NULL
#endif
    },
    {DROPWISE_ISA_AVX2, "avx2",
#ifdef DROPWISE_HAVE_AVX2
     &dropwise_kernels_avx2
#else
     NULL
#endif
    },
    {DROPWISE_ISA_AVX512, "avx512",
#ifdef DROPWISE_HAVE_AVX512
     &dropwise_kernels_avx512
#else
     NULL
#endif
    },
};

enum { N_TIERS = sizeof tiers / sizeof tiers[0] };

_Static_assert(N_TIERS == DROPWISE_ISA_COUNT - 1, "each number of the ABI has a row");

/* The tables of ARS, each better than those before it. */
static const dropwise_ars_kernels *const built_ars[] = {
    &dropwise_ars7_software,
#ifdef DROPWISE_HAVE_ARS_NEON
    &dropwise_ars7_neon,
#endif
#ifdef DROPWISE_HAVE_ARS_AESNI
    &dropwise_ars7_aesni,
#endif
#ifdef DROPWISE_HAVE_ARS_VAES256
    &dropwise_ars7_vaes256,
#endif
#ifdef DROPWISE_HAVE_ARS_VAES512
    &dropwise_ars7_vaes512,
#endif
};

enum { N_ARS = sizeof built_ars / sizeof built_ars[0] };

/* The table of ARS that each tier uses, once it was looked for. */
static _Atomic(const dropwise_ars_kernels *) ars_of_tier[N_TIERS];

uint64_t dropwise_cpu_features(void)
{
    const uint32_t known = UINT32_C(1) << 31;
    uint32_t features = atomic_load_explicit(&known_features, memory_order_relaxed);
    if (features == 0) {
        features = (uint32_t)dropwise_cpu_detect() | known;
        atomic_store_explicit(&known_features, features, memory_order_relaxed);
    }
    return features & ~known;
}

static bool cpu_has(uint64_t required)
{
    return (required & ~dropwise_cpu_features()) == 0;
}

/* The place of a tier among the others; N_TIERS for a number that is none. */
static size_t rank_of(dropwise_isa isa)
{
    size_t rank = 0;
    while (rank < N_TIERS && tiers[rank].isa != isa)
        rank++;
    return rank;
}

static dropwise_status check_rank(size_t rank)
{
    if (rank == N_TIERS)
        return DROPWISE_ERROR_ISA_UNKNOWN;
    if (tiers[rank].kernels == NULL)
        return DROPWISE_ERROR_ISA_NOT_BUILT;
    return cpu_has(tiers[rank].kernels->required) ? DROPWISE_OK : DROPWISE_ERROR_ISA_NOT_USABLE;
}

dropwise_status dropwise_isa_check(dropwise_isa isa)
{
    return check_rank(rank_of(isa));
}

const dropwise_kernels *dropwise_kernels_get(int32_t isa)
{
    const size_t rank = rank_of(isa);
    return check_rank(rank) == DROPWISE_OK ? tiers[rank].kernels : NULL;
}

/* ---- Caches ---- */

_Atomic size_t dropwise_known_cached_bytes;

size_t dropwise_ask_cached_bytes(void)
{
    /* Of CPUs that do not tell: what a core of a server has at least, with its share of what is shared. */
    enum { UNTOLD = 2 << 20 };
    const uint64_t told = dropwise_cpu_caches();
    const size_t each = (size_t)(told != 0 ? told : UNTOLD) / 2;
    atomic_store_explicit(&dropwise_known_cached_bytes, each, memory_order_relaxed);
    return each;
}

/* ---- ARS ---- */

/*
 * Whether a table's instructions compute AES in every lane. Not all that a CPU says to have does what it
 * should: QEMU 7.2 makes the upper half of a 256-bit VAESENC from the lower one (target/i386/ops_sse.h).
 */
static bool knows_its_answer(const dropwise_ars_kernels *ars)
{
    uint8_t blocks[DROPWISE_ARS_ANSWER_BLOCKS * 16];
    const dropwise_key key = {{0x243F6A88, 0x85A308D3, 0, 0}, {0x13198A2E, 0x03707344}}; /* digits of pi */
    ars->generator.generate(&key, 0, DROPWISE_ARS_ANSWER_BLOCKS, blocks);
    uint64_t digest = 0;
    for (size_t at = 0; at < sizeof blocks; at += 8)
        digest = digest * DROPWISE_ARS_ANSWER_FACTOR + load_le64(blocks + at);
    return digest == DROPWISE_ARS_ANSWER;
}

static bool is_usable_by(const dropwise_ars_kernels *ars, size_t rank)
{
    return rank_of(ars->isa) <= rank && cpu_has(ars->required);
}

const dropwise_ars_kernels *dropwise_ars_of(const dropwise_kernels *kernels)
{
    const size_t rank = rank_of(kernels->isa);
    const dropwise_ars_kernels *ars = atomic_load_explicit(&ars_of_tier[rank], memory_order_relaxed);
    if (ars != NULL)
        return ars;
    size_t best = N_ARS - 1;
    while (best > 0 && !(is_usable_by(built_ars[best], rank) && knows_its_answer(built_ars[best])))
        best--;
    atomic_store_explicit(&ars_of_tier[rank], built_ars[best], memory_order_relaxed);
    return built_ars[best];
}

/* ---- Tiles ---- */

dropwise_matmul_bf16_fn *dropwise_matmul_bf16_of(const dropwise_kernels *kernels)
{
    const bool has = kernels->matmul_tiles != NULL && cpu_has(UINT64_C(1) << DROPWISE_CPU_AMX_BF16);
    return has && kernels->may_use_tiles() ? kernels->matmul_tiles : kernels->matmul_bf16;
}

/* ---- The choice ---- */

/* NULL where the variable is not set, or where the process has more rights than who started it. */
static const char *wanted_isa(void)
{
#if defined(__ANDROID__) /* whose C library has no secure_getenv */
    return getauxval(AT_SECURE) != 0 ? NULL : getenv("DROPWISE_ISA");
#elif defined(__linux__)
    return secure_getenv("DROPWISE_ISA");
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    return issetugid() ? NULL : getenv("DROPWISE_ISA");
#else
    return getenv("DROPWISE_ISA");
#endif
}

/* Why each tier was chosen, when it last was: so the reason is that of the tier that is active, whoever
 * chooses another one meanwhile. */
static _Atomic(const char *) reasons[N_TIERS];

static const dropwise_kernels *publish(size_t rank, const char *reason)
{
    atomic_store_explicit(&reasons[rank], reason, memory_order_relaxed);
    atomic_store_explicit(&dropwise_active_kernels, tiers[rank].kernels, memory_order_release);
    return tiers[rank].kernels;
}

const dropwise_kernels *dropwise_resolve(void)
{
    /* The scalar tier stands even where the whole library was compiled for a later CPU. */
    size_t best = N_TIERS - 1;
    while (best > 0 && check_rank(best) != DROPWISE_OK)
        best--;

    const char *wanted = wanted_isa();
    if (wanted == NULL || wanted[0] == '\0')
        return publish(best, "the best tier that this CPU and operating system can run");
    size_t rank = 0;
    while (rank < N_TIERS && strcmp(wanted, tiers[rank].name) != 0)
        rank++;
    if (check_rank(rank) == DROPWISE_OK)
        return publish(rank, "asked for by the environment variable DROPWISE_ISA");
    return publish(best, rank < N_TIERS
                             ? "the best usable tier; DROPWISE_ISA names one that is not usable here"
                             : "the best usable tier; DROPWISE_ISA names no tier");
}

/* In this file, as an archive member with nothing but a constructor would not be linked. */
__attribute__((constructor, used)) static void choose_at_load(void)
{
    dropwise_resolve();
}

dropwise_status dropwise_isa_select(dropwise_isa isa)
{
    if (isa == DROPWISE_ISA_AUTO) {
        dropwise_resolve();
        return DROPWISE_OK;
    }
    const size_t rank = rank_of(isa);
    const dropwise_status status = check_rank(rank);
    if (status == DROPWISE_OK)
        publish(rank, "asked for by dropwise_isa_select");
    return status;
}

dropwise_isa dropwise_isa_active(void)
{
    return dropwise_active()->isa;
}

const char *dropwise_isa_reason(void)
{
    return atomic_load_explicit(&reasons[rank_of(dropwise_active()->isa)], memory_order_relaxed);
}

bool dropwise_has_math(const dropwise_kernels *kernels)
{
    return kernels->has_math && cpu_has(kernels->math_required);
}

dropwise_status dropwise_math_check(void)
{
    return dropwise_has_math(dropwise_active()) ? DROPWISE_OK : DROPWISE_ERROR_MATH;
}

const char *dropwise_math_reason(void)
{
    const dropwise_kernels *kernels = dropwise_active();
    if (!kernels->has_math)
        return "the library was built without SLEEF, whose functions in f64 are used";
    return dropwise_has_math(kernels)
               ? "the library was built with SLEEF, whose functions in f64 are used"
               : "this CPU has no fused multiply-add, which SLEEF's functions in f64 need for the tier";
}

const char *dropwise_aes_name(void)
{
    return dropwise_ars_of(dropwise_active())->name;
}

const char *dropwise_aes_reason(void)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_ars_kernels *used = dropwise_ars_of(kernels);
    const size_t rank = rank_of(kernels->isa);
    size_t best = N_ARS - 1;
    while (best > 0 && !is_usable_by(built_ars[best], rank))
        best--;
    return built_ars[best] == used ? "the best that this CPU has for the tier"
                                   : "better ones that this CPU reports failed their known answer";
}

const char *dropwise_isa_name(dropwise_isa isa)
{
    const size_t rank = rank_of(isa);
    return rank < N_TIERS ? tiers[rank].name : NULL;
}

const char *dropwise_cpu_feature_name(uint32_t k)
{
    return k < DROPWISE_CPU_COUNT ? feature_names[k] : NULL;
}
