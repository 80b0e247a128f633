/*
 * Kernel of kind threshold: random bytes to keep bits.
 *
 * Included by each kernels_<isa>.c after its vector header, of which it uses bits64_below and
 * bits64_equal: 64 bytes compared, bit j the answer for byte j.
 */

static void threshold_u8(const void *bytes, size_t n, uint8_t threshold, void *below, void *equal)
{
    const uint8_t *in = bytes;
    uint8_t *lt = below;
    uint8_t *eq = equal;
    size_t done = 0;
    if (eq == NULL) {
        for (; n - done >= 64; done += 64)
            store_le64(lt + done / 8, bits64_below(in + done, threshold));
    } else {
        for (; n - done >= 64; done += 64) {
            store_le64(lt + done / 8, bits64_below(in + done, threshold));
            store_le64(eq + done / 8, bits64_equal(in + done, threshold));
        }
    }
    if (done < n) {
        const size_t rest = n - done;
        const uint64_t valid = (UINT64_C(1) << rest) - 1;
        uint8_t last[64] = {0};
        memcpy(last, in + done, rest);
        store_le64_part(lt + done / 8, bits64_below(last, threshold) & valid, bytes_of_bits(rest));
        if (eq != NULL)
            store_le64_part(eq + done / 8, bits64_equal(last, threshold) & valid,
                            bytes_of_bits(rest));
    }
}
