/* A program of somebody else's that uses the library. Prints a mask, and on the standard error the tier. */
#include <dropwise.h>
#include <stdio.h>

int main(void)
{
    dropwise_mask mask;
    const float x[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                         1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    float y[32], dx[32];
    if (dropwise_mask_init(&mask, 0.25, 42, 7) != DROPWISE_OK ||
        dropwise_forward_f32(&mask, 0, 32, x, y, NULL) != DROPWISE_OK ||
        dropwise_backward_f32(&mask, 0, 32, x, dx, NULL) != DROPWISE_OK)
        return 1;
    for (int i = 0; i < 32; i++) {
        if (y[i] != dx[i])
            return 1;
        putchar(y[i] != 0.0f ? '1' : '0');
    }
    putchar('\n');
    fprintf(stderr, "%s\n", dropwise_isa_name(dropwise_isa_active()));
    return 0;
}
