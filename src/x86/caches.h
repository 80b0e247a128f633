/* Sizes of caches as CPUID tells them: leaf 4, and AMD's leaf 0x8000001D, whose registers mean the same. */
#ifndef DROPWISE_X86_CACHES_H
#define DROPWISE_X86_CACHES_H

#include <stddef.h>
#include <stdint.h>

/* What the leaf answers for one cache. */
typedef struct cache_leaf {
    uint32_t eax, ebx, ecx, edx;
} cache_leaf;

/* The type of one that ends the list. */
enum { NO_CACHE = 0, INSTRUCTION_CACHE = 2 };

static inline unsigned cache_type(const cache_leaf *leaf)
{
    return leaf->eax & 0x1F;
}

static inline uint64_t cache_bytes(const cache_leaf *leaf)
{
    const uint64_t line = (leaf->ebx & 0xFFF) + 1, partitions = (leaf->ebx >> 12 & 0x3FF) + 1;
    const uint64_t ways = (leaf->ebx >> 22) + 1, sets = (uint64_t)leaf->ecx + 1;
    return line * partitions * ways * sets;
}

/*
 * Bytes that a core's own caches and its share of the others hold. The threads that share the first level
 * are those of a core. The second level counts as the core's own: Alder Lake says of one that is that eight
 * threads might share it. A level that holds what the ones below it hold does not add to them.
 *
 * A small virtual machine may be told of a large CPU's whole cache, which it has with machines that it knows
 * nothing of. So a share that hardly any core has counts as one that most cores have.
 */
static inline uint64_t caches_of_core(const cache_leaf *leaves, size_t n)
{
    const uint64_t credible = 16 << 20, usual = 2 << 20;
    uint64_t all = 0;
    uint32_t threads = 1;
    for (size_t i = 0; i < n; i++) {
        const uint32_t level = leaves[i].eax >> 5 & 7, sharing = (leaves[i].eax >> 14 & 0xFFF) + 1;
        if (cache_type(&leaves[i]) == INSTRUCTION_CACHE)
            continue;
        if (level == 1) {
            threads = sharing;
            continue;
        }
        const uint64_t cores = level == 2 || sharing < threads ? 1 : sharing / threads;
        const uint64_t told = cache_bytes(&leaves[i]) / cores, share = told <= credible ? told : usual;
        const int is_inclusive = leaves[i].edx >> 1 & 1;
        all = !is_inclusive ? all + share : share > all ? share : all;
    }
    return all;
}

#endif
