/* ARS by VAES in AVX2 registers: two blocks in each vector. */
#include "dropwise.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#include "x86/vec_avx2.h"

#include "kernels/elements/elements.inc.h"

typedef __m256i aes_vec;
enum { AES_LANES = 2, AES_UNROLL = 8, AES_OVERLAPPED = 6 };

static inline aes_vec aes_set1(const uint8_t *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline aes_vec aes_counters(uint32_t low, uint32_t vector, uint32_t step)
{
    const int first = (int)block_place(vector * AES_LANES, step);
    const __m256i base = _mm256_broadcastsi128_si256(_mm_cvtsi32_si128((int)low));
    return _mm256_add_epi32(base, _mm256_setr_epi32(first, 0, 0, 0, first + 1, 0, 0, 0));
}

static inline aes_vec aes_load_counters(const uint64_t *p)
{
    const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_move_epi64(both)), _mm_srli_si128(both, 8), 1);
}

static inline aes_vec aes_xor(aes_vec a, aes_vec b)
{
    return _mm256_xor_si256(a, b);
}

static inline aes_vec aes_round(aes_vec v, aes_vec key)
{
    return _mm256_aesenc_epi128(v, key);
}

static inline aes_vec aes_last(aes_vec v, aes_vec key)
{
    return _mm256_aesenclast_epi128(v, key);
}

static inline void aes_store(uint8_t *p, aes_vec v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

#define INSTRUCTIONS vaes256
#include "kernels/generators/ars4x32.inc.h"

const dropwise_ars_kernels ARS_TABLE = {
    .isa = DROPWISE_ISA_AVX2,
    .name = "vaes-256",
    .generator = ARS_KERNELS,
#include "x86/required.inc.h"
};
#endif
