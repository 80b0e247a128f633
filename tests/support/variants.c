#include "support/variants.h"

const operation operations[N_OPERATIONS] = {
#define DROPWISE_VARIANT(NAME, function, inputs, outputs, nan, traits, arguments) \
    [NAME] = {#function, inputs, outputs, nan, traits},
#include "support/variants.inc"
};

_Thread_local double last_dlogit;

dropwise_status run(what op, const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *v,
                    const void *a, const void *b, void *y, void *y2, const dropwise_stored *stored)
{
    dropwise_concrete of_concrete;
    const dropwise_status status = dropwise_concrete_init(&of_concrete, LOGIT, TEMPERATURE);
    const dropwise_concrete *const concrete = &of_concrete;
    double *const dlogit = &last_dlogit;
    if (status != DROPWISE_OK)
        return status;
    switch (op) {
#define DROPWISE_VARIANT(NAME, function, inputs, outputs, nan, traits, arguments) \
    case NAME: \
        return dropwise_##function arguments;
#include "support/variants.inc"
    default:
        return DROPWISE_ERROR_PARAMETER;
    }
}
