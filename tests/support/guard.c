#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include "support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { CANARY = 0xCA, CANARY_BYTES = 256 };

static void require(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

/* ---- The operating system's pages ---- */

enum access { NONE, READ, READ_AND_WRITE };

#ifdef _WIN32

static size_t page_size(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

static uint8_t *map_pages(size_t bytes)
{
    uint8_t *pages = VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    require(pages != NULL, "VirtualAlloc");
    return pages;
}

static void unmap_pages(uint8_t *pages, size_t bytes)
{
    (void)bytes;
    require(VirtualFree(pages, 0, MEM_RELEASE), "VirtualFree");
}

static void protect_pages(uint8_t *pages, size_t bytes, enum access access)
{
    static const DWORD protection[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
    DWORD before;
    require(VirtualProtect(pages, bytes, protection[access], &before), "VirtualProtect");
}

#else

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uint8_t *map_pages(size_t bytes)
{
    uint8_t *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(pages != MAP_FAILED, "mmap");
    return pages;
}

static void unmap_pages(uint8_t *pages, size_t bytes)
{
    require(munmap(pages, bytes) == 0, "munmap");
}

static void protect_pages(uint8_t *pages, size_t bytes, enum access access)
{
    static const int protection[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    require(mprotect(pages, bytes, protection[access]) == 0, "mprotect");
}

#endif

/* ---- Arenas ---- */

void guard_free(guard_arena *arena)
{
    const size_t page = page_size();
    unmap_pages(arena->start - page, arena->size + 2 * page);
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
    uint8_t *map = map_pages((pages + 2) * page);
    protect_pages(map, page, NONE);
    protect_pages(map + (pages + 1) * page, page, NONE);
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
    protect_pages(arena->start, arena->size, readonly ? READ : READ_AND_WRITE);
}
