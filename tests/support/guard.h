/* Memory between two pages that cannot be touched, and canaries where a page is not used up. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct guard_arena {
    uint8_t *start; /* the first byte after the lower guard page   */
    size_t size;    /* whole pages; the upper guard page follows   */
    uint8_t *data;  /* of the last placement                       */
    size_t n;
} guard_arena;

/* Without data, and intact. */
guard_arena guard_new(size_t size);
void guard_free(guard_arena *arena);

/* A buffer of n bytes that begins `offset` bytes after the lower guard page. */
uint8_t *guard_at_start(guard_arena *arena, size_t n, size_t offset);

/* A buffer of n bytes that ends right before the upper guard page. */
uint8_t *guard_at_end(guard_arena *arena, size_t n);

/* Either of the two, for loops over placements. */
uint8_t *guard_place(guard_arena *arena, size_t n, bool at_end, size_t offset);

/* False if a byte near the buffer, but outside of it, was written. */
bool guard_intact(const guard_arena *arena);

void guard_readonly(guard_arena *arena, bool readonly);

#endif
