/* What C++ cannot include, as it knows no _Atomic: how large the library takes the caches to be. */
#include "tiers/dispatch.h"

void bench_take_caches_for(size_t bytes);
void bench_ask_for_caches(void);

void bench_take_caches_for(size_t bytes)
{
    atomic_store_explicit(&dropwise_known_cached_bytes, bytes, memory_order_relaxed);
}

void bench_ask_for_caches(void)
{
    static size_t asked;
    if (asked == 0)
        asked = dropwise_ask_cached_bytes();
    bench_take_caches_for(asked);
}
