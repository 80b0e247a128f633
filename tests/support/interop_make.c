#include "support/interop_make.h"

#include "interop/constructors.h"
#include "support/common.h"

dropwise_status make_interop(const ref_interop *r, dropwise_interop *out)
{
    layout_call call = {
        .seed = r->seed,
        .stream = r->seed2,
        .offset = r->offset,
        .size = r->size,
        .rows = r->rows,
        .columns = r->columns,
        .threads = (uint32_t)r->threads,
        .vector = (uint32_t)r->vector,
        .before = r->before,
        .run = r->run,
        .draws = dtype_number(r->draws),
        .dtype = dtype_number(r->dtype),
        .p = r->p,
        .keep = 1.0 - r->p,
        .numpy_key = {r->seed, r->seed2},
    };
    memcpy(call.numpy_counter, r->counter, sizeof call.numpy_counter);
    return call_constructor(r->layout, &call, out);
}
