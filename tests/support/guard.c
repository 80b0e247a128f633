#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include "support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY = 0xCA, CANARY_BYTES = 256 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void require(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

void guard_free(guard_arena *arena)
{
    const size_t page = page_size();
    require(munmap(arena->start - page, arena->size + 2 * page) == 0, "munmap");
}

static size_t at_most_canary(size_t n)
{
    return n < CANARY_BYTES ? n : CANARY_BYTES;
}

static size_t canary_before(const guard_arena *arena)
{
    return at_most_canary((size_t)(arena->data - arena->start));
}

static size_t canary_after(const guard_arena *arena)
{
    return at_most_canary((size_t)(arena->start + arena->size - (arena->data + arena->n)));
}

static uint8_t *place(guard_arena *arena, uint8_t *data, size_t n)
{
    arena->data = data;
    arena->n = n;
    memset(data - canary_before(arena), CANARY, canary_before(arena));
    memset(data, CANARY, n);
    memset(data + n, CANARY, canary_after(arena));
    return data;
}

guard_arena guard_new(size_t size)
{
    const size_t page = page_size();
    const size_t pages = (size + page - 1) / page + 1;
    uint8_t *map = mmap(NULL, (pages + 2) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(map != MAP_FAILED, "mmap");
    require(mprotect(map, page, PROT_NONE) == 0, "mprotect");
    require(mprotect(map + (pages + 1) * page, page, PROT_NONE) == 0, "mprotect");
    guard_arena arena = {.start = map + page, .size = pages * page};
    place(&arena, arena.start, 0); /* nobody writes to one that has no data yet */
    return arena;
}

uint8_t *guard_at_start(guard_arena *arena, size_t n, size_t offset)
{
    return place(arena, arena->start + offset, n);
}

uint8_t *guard_at_end(guard_arena *arena, size_t n)
{
    return place(arena, arena->start + arena->size - n, n);
}

uint8_t *guard_place(guard_arena *arena, size_t n, bool at_end, size_t offset)
{
    return at_end ? guard_at_end(arena, n) : guard_at_start(arena, n, offset);
}

static bool all_canary(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != CANARY)
            return false;
    return true;
}

bool guard_intact(const guard_arena *arena)
{
    const size_t before = canary_before(arena);
    return all_canary(arena->data - before, before) &&
           all_canary(arena->data + arena->n, canary_after(arena));
}

void guard_readonly(guard_arena *arena, bool readonly)
{
    const int protection = readonly ? PROT_READ : PROT_READ | PROT_WRITE;
    require(mprotect(arena->start, arena->size, protection) == 0, "mprotect");
}
