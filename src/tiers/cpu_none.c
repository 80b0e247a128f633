/* CPU detection where no tier but the scalar one exists: nothing to look for. */
#include "tiers/cpu.h"

uint64_t dropwise_cpu_detect(void)
{
    return 0;
}

uint64_t dropwise_cpu_caches(void)
{
    return 0;
}
