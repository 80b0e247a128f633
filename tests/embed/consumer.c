/* A program of somebody else's that uses the installed library. */
#include <dropwise.h>
#include <stdio.h>

int main(void)
{
    dropwise_mask mask;
    const float x[4] = {1, 1, 1, 1};
    float y[4], dx[4];
    if (dropwise_mask_init(&mask, 0.5, 1, 2) != DROPWISE_OK ||
        dropwise_forward_f32(&mask, 0, 4, x, y, NULL) != DROPWISE_OK ||
        dropwise_backward_f32(&mask, 0, 4, x, dx, NULL) != DROPWISE_OK)
        return 1;
    for (int i = 0; i < 4; i++)
        if (y[i] != dx[i] || (y[i] != 0.0f && y[i] != 2.0f))
            return 1;
    printf("consumer: %d %d ok\n", (int)mask.seed, (int)mask.stream);
    return dropwise_isa_active() == DROPWISE_ISA_AUTO;
}
