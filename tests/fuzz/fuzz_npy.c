/*
 * A harness for libFuzzer over the reader of .npy headers: what it takes makes sense, and what it refuses it
 * says something about. Without libFuzzer (replay.c) it runs inputs that are files.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "npy: %s\n", what);
        abort();
    }
}

static void check(const npy_header *header, const uint8_t *data, size_t size, uint64_t rest)
{
    uint64_t n = 1;
    require(header->n_axes >= 1 && header->n_axes <= NPY_MAX_AXES, "the number of axes");
    for (int a = 0; a < header->n_axes; a++) {
        const uint64_t length = header->axis[a].size;
        require(length == 0 || n <= UINT64_MAX / length, "more elements than can be counted");
        n *= length;
    }
    require(n == header->n, "the number of elements");
    uint64_t last = 0;
    for (int a = 0; n != 0 && a < header->n_axes; a++)
        last += header->axis[a].stride * (header->axis[a].size - 1);
    require(n == 0 || last == n - 1, "strides do not lead to the last element");
    require(header->element_bytes == 1 || header->element_bytes == 2 || header->element_bytes == 4 ||
                header->element_bytes == 8,
            "the size of an element");
    require(header->raw_size <= size && memcmp(header->raw, data, header->raw_size) == 0, "the raw header");
    require(rest == size - header->raw_size, "elements follow the header");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static npy_header header;
    if (size < 2)
        return 0;
    const dropwise_dtype dtype = data[0] % (DROPWISE_F8_E5M2_SAT + 1); /* 0: none was given */
    data++;
    size--;
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "rb");
    require(file != NULL, "no file");
    const char *wrong = npy_read_header(file, dtype, &header);
    if (wrong == NULL)
        check(&header, data, size, size - (uint64_t)ftell(file));
    else
        require(strlen(wrong) != 0, "an error without a word");
    fclose(file);
    return 0;
}
