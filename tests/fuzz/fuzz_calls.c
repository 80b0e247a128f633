/*
 * One harness for libFuzzer over the public C API (calls.h): every usable tier makes the calls of an input,
 * and has to return the same statuses and write the same bytes as the scalar tier. Without libFuzzer
 * (replay.c) it runs inputs that are files.
 */
#include <stdlib.h>

#include "fuzz/calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static outcome of_scalar, of_other;
    for (dropwise_isa isa = DROPWISE_ISA_SCALAR; dropwise_isa_name(isa) != NULL; isa++) {
        if (dropwise_isa_select(isa) != DROPWISE_OK)
            continue;
        make_calls(data, size, isa == DROPWISE_ISA_SCALAR ? &of_scalar : &of_other);
        if (isa != DROPWISE_ISA_SCALAR && !same_outcome(&of_other, &of_scalar))
            abort();
    }
    return 0;
}
