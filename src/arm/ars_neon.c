/* ARS by Arm's AES instructions: a block in each vector. */
#include "dropwise.h"
#ifdef __aarch64__ /* not the other half of a universal binary */
#include "arm/vec_neon.h"

#include "kernels/elements/elements.inc.h"

typedef uint8x16_t aes_vec;
enum { AES_LANES = 1, AES_UNROLL = 8, AES_OVERLAPPED = 8 };

static inline aes_vec aes_set1(const uint8_t *p)
{
    return vld1q_u8(p);
}

static inline aes_vec aes_counters(uint32_t low, uint32_t vector, uint32_t step)
{
    return vreinterpretq_u8_u32(vsetq_lane_u32(low + block_place(vector, step), vdupq_n_u32(0), 0));
}

static inline aes_vec aes_load_counters(const uint64_t *p)
{
    return vreinterpretq_u8_u64(vsetq_lane_u64(*p, vdupq_n_u64(0), 0));
}

static inline aes_vec aes_xor(aes_vec a, aes_vec b)
{
    return veorq_u8(a, b);
}

/* Arm's instruction adds its key before SubBytes; with 0 there the key is added where FIPS 197 has it. */
static inline aes_vec aes_last(aes_vec v, aes_vec key)
{
    return veorq_u8(vaeseq_u8(v, vdupq_n_u8(0)), key);
}

static inline aes_vec aes_round(aes_vec v, aes_vec key)
{
    return veorq_u8(vaesmcq_u8(vaeseq_u8(v, vdupq_n_u8(0))), key);
}

static inline void aes_store(uint8_t *p, aes_vec v)
{
    vst1q_u8(p, v);
}

#define INSTRUCTIONS neon
#include "kernels/generators/ars4x32.inc.h"

const dropwise_ars_kernels ARS_TABLE = {
    .isa = DROPWISE_ISA_NEON,
    .name = "armv8-aes",
    .generator = ARS_KERNELS,
    .required = UINT64_C(1) << DROPWISE_CPU_NEON | UINT64_C(1) << DROPWISE_CPU_AES,
};
#endif
