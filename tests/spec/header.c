/* The public headers, alone, in several C and C++ standards. */
#include <dropwise.h>
#include <dropwise_attention.h>
#include <dropwise_dropblock.h>
#include <dropwise_dropconnect.h>
#include <dropwise_fused.h>
#include <dropwise_interop.h>
#include <dropwise_variants.h>

#if defined(__cplusplus)
static_assert(sizeof(dropwise_mask) == 64, "the mask is part of the ABI");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(dropwise_mask) == 64, "the mask is part of the ABI");
_Static_assert(sizeof(dropwise_concrete) == 64, "so is this");
#endif

int main(void)
{
    dropwise_mask mask;
    float x[3] = {1, 2, 3};
    if (dropwise_mask_init(&mask, 0.5, 1, 2) != DROPWISE_OK)
        return 1;
    if (dropwise_forward_f32(&mask, 0, 3, x, x, NULL) != DROPWISE_OK)
        return 1;
    if (dropwise_backward_f32(&mask, 0, 3, x, x, NULL) != DROPWISE_OK)
        return 1;
    double d[2] = {1, 2};
    uint16_t h[2] = {0x3C00, 0x4000};
    if (dropwise_forward_f64(&mask, 0, 2, d, d, NULL) != DROPWISE_OK ||
        dropwise_forward_f16(&mask, 0, 2, h, h, NULL) != DROPWISE_OK ||
        dropwise_forward_bf16(&mask, 0, 2, h, h, NULL) != DROPWISE_OK)
        return 1;
    return dropwise_infer_f32(&mask, 3, x, x) != DROPWISE_OK;
}
