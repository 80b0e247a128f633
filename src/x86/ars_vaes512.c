/* ARS by VAES in AVX-512 registers: four blocks in each vector. */
#include "dropwise.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#include "x86/vec_avx512.h"

#include "kernels/elements/elements.inc.h"

typedef __m512i aes_vec;
enum { AES_LANES = 4, AES_UNROLL = 8, AES_OVERLAPPED = 4 };

static inline aes_vec aes_set1(const uint8_t *p)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline aes_vec aes_counters(uint32_t low, uint32_t vector, uint32_t step)
{
    const int first = (int)block_place(vector * AES_LANES, step);
    const __m512i base = _mm512_maskz_set1_epi32(0x1111, (int)low);
    return _mm512_add_epi32(
        base, _mm512_setr_epi32(first, 0, 0, 0, first + 1, 0, 0, 0, first + 2, 0, 0, 0, first + 3, 0, 0, 0));
}

static inline aes_vec aes_load_counters(const uint64_t *p)
{
    const __m512i spread = _mm512_setr_epi64(0, 0, 1, 0, 2, 0, 3, 0);
    const __m512i four = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_maskz_permutexvar_epi64(0x55, spread, four);
}

static inline aes_vec aes_xor(aes_vec a, aes_vec b)
{
    return _mm512_xor_si512(a, b);
}

static inline aes_vec aes_round(aes_vec v, aes_vec key)
{
    return _mm512_aesenc_epi128(v, key);
}

static inline aes_vec aes_last(aes_vec v, aes_vec key)
{
    return _mm512_aesenclast_epi128(v, key);
}

static inline void aes_store(uint8_t *p, aes_vec v)
{
    _mm512_storeu_si512(p, v);
}

#define INSTRUCTIONS vaes512
#include "kernels/generators/ars4x32.inc.h"

const dropwise_ars_kernels ARS_TABLE = {
    .isa = DROPWISE_ISA_AVX512,
    .name = "vaes-512",
    .generator = ARS_KERNELS,
#include "x86/required.inc.h"
};
#endif
