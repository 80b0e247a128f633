/* Kernel of kind threshold: bytes that are in memory already to answers, as draw makes of its own. */
static void threshold_bytes(const void *bytes, size_t n_words, const dropwise_threshold *threshold)
{
    const dropwise_threshold t = *threshold;
    const uint8_t *p = bytes;
    for (size_t w = 0; w < n_words; w++) {
        if (t.keep != NULL)
            t.keep[w] = bits64_at_most(p + w * 64, t.last);
        if (t.equal != NULL)
            t.equal[w] = bits64_equal(p + w * 64, t.last);
    }
}
