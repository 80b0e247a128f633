#include <dropwise.h>

__attribute__((visibility("default"))) int plug_in(const float *x, float *y);

int plug_in(const float *x, float *y)
{
    dropwise_mask mask;
    return dropwise_mask_init(&mask, 0.25, 42, 7) == DROPWISE_OK &&
           dropwise_forward_f32(&mask, 0, 4, x, y, NULL) == DROPWISE_OK;
}
