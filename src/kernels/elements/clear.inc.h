/* Kernel clear_nt: zeroes past the caches. */

static void clear_nt(size_t n, void *y)
{
    const vec_b64 zero = as_b64(set_f64(0.0));
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= sizeof zero; done += sizeof zero)
        store_nt_b64(out + done, zero);
    if (done < n)
        memset(out + done, 0, n - done);
}
