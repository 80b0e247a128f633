/* Words of one block, in portable C. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_WORDS_SCALAR_H
#define DROPWISE_VEC_WORDS_SCALAR_H

#include "kernels/vec/vec.h"

typedef uint32_t vword;
enum { VWORD_LANES = 1, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 4 };

static inline vword vword_set1(uint32_t u)
{
    return u;
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    const uint64_t product = (uint64_t)a * b;
    *hi = (uint32_t)(product >> 32);
    *lo = (uint32_t)product;
}

#define vword_store vword_store /* on any machine */
static inline void vword_store(uint8_t *p, vword v)
{
    store_le32(p, v);
}

#include "kernels/vec/generic_words.h"

#endif
