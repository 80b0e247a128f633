/*
 * Kernels of kinds erode and count: packed bits that become 0 because others are, and those that are 1.
 *
 * Included by all_kernels.inc.h; of the vector header it uses vec_b32 as a string of bits.
 *
 * Bits move by whole bytes, which is a matter of where they are loaded from, and by 0 to 7 bits besides. The
 * latter crosses the lanes of a vector: what a lane misses is taken from a load that lies one byte aside.
 * Vectors of one lane are left to the words of 64 bits, whose byte order is that of the bits on any host.
 */

static void erode_up(void *bits, size_t n, size_t distance, const void *fence)
{
    uint8_t *b = bits;
    const uint8_t *spared = fence;
    const size_t back = distance / 8;
    const int shift = (int)(distance % 8);
    size_t left = n; /* downwards: what is below a bit decides on it, and must not have changed before */
    for (; LANES_b32 > 1 && left >= sizeof(vec_b32); left -= sizeof(vec_b32)) {
        uint8_t *at = b + left - sizeof(vec_b32);
        const vec_b32 moved =
            or_b32(shl_b32(load_b32(at - back), shift), shr_b32(load_b32(at - back - 1), 8 - shift));
        const vec_b32 kept = or_b32(moved, load_b32(spared + left - sizeof(vec_b32)));
        store_b32(at, and_b32(load_b32(at), kept));
    }
    for (; left >= 8; left -= 8) {
        uint8_t *at = b + left - 8;
        const uint64_t moved = load_le64(at - back) << shift | load_le64(at - back - 1) >> (8 - shift);
        store_le64(at, load_le64(at) & (moved | load_le64(spared + left - 8)));
    }
    while (left-- > 0) {
        const uint8_t *from = b + left - back;
        b[left] &= (uint8_t)(from[0] << shift | from[-1] >> (8 - shift) | spared[left]);
    }
}

static void erode_down(void *bits, size_t n, size_t distance, const void *fence)
{
    uint8_t *b = bits;
    const uint8_t *spared = fence;
    const size_t offset = distance / 8;
    const int shift = (int)(distance % 8);
    size_t done = 0;
    for (; LANES_b32 > 1 && n - done >= sizeof(vec_b32); done += sizeof(vec_b32)) {
        uint8_t *at = b + done;
        const vec_b32 moved =
            or_b32(shr_b32(load_b32(at + offset), shift), shl_b32(load_b32(at + offset + 1), 8 - shift));
        store_b32(at, and_b32(load_b32(at), or_b32(moved, load_b32(spared + done))));
    }
    for (; n - done >= 8; done += 8) {
        uint8_t *at = b + done;
        const uint64_t moved = load_le64(at + offset) >> shift | load_le64(at + offset + 1) << (8 - shift);
        store_le64(at, load_le64(at) & (moved | load_le64(spared + done)));
    }
    for (; done < n; done++) {
        const uint8_t *from = b + done + offset;
        b[done] &= (uint8_t)(from[0] >> shift | from[1] << (8 - shift) | spared[done]);
    }
}

static uint64_t count_bits(size_t n, const void *bits)
{
    const uint8_t *in = bits;
    uint64_t count = 0;
    size_t done = 0;
    for (; n - done >= 8; done += 8)
        count += (uint64_t)__builtin_popcountll(load_le64(in + done));
    return count + (uint64_t)__builtin_popcountll(load_le64_part(in + done, n - done));
}
