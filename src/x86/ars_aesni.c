/* ARS by AES-NI: a block in each vector of 128 bits. */
#include "dropwise.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#include "x86/vec_avx2.h"

#include "kernels/elements/elements.inc.h"

typedef __m128i aes_vec;
enum { AES_LANES = 1, AES_UNROLL = 8, AES_OVERLAPPED = 4 };

static inline aes_vec aes_set1(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline aes_vec aes_counters(uint32_t low, uint32_t vector, uint32_t step)
{
    return _mm_cvtsi32_si128((int)(low + block_place(vector, step)));
}

static inline aes_vec aes_load_counters(const uint64_t *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

static inline aes_vec aes_xor(aes_vec a, aes_vec b)
{
    return _mm_xor_si128(a, b);
}

static inline aes_vec aes_round(aes_vec v, aes_vec key)
{
    return _mm_aesenc_si128(v, key);
}

static inline aes_vec aes_last(aes_vec v, aes_vec key)
{
    return _mm_aesenclast_si128(v, key);
}

static inline void aes_store(uint8_t *p, aes_vec v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

#define INSTRUCTIONS aesni
#include "kernels/generators/ars4x32.inc.h"

const dropwise_ars_kernels ARS_TABLE = {
    .isa = DROPWISE_ISA_AVX2,
    .name = "aes-ni",
    .generator = ARS_KERNELS,
#include "x86/required.inc.h"
};
#endif
