/* Dropout of a tensor, forward and backward: the same mask, drawn twice and stored never. */
#include <dropwise.h>
#include <stdio.h>

int main(void)
{
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8], dy[8] = {1, 1, 1, 1, 1, 1, 1, 1}, dx[8];

    dropwise_mask mask;
    dropwise_status status = dropwise_mask_init(&mask, 0.25, 42, 7); /* p, seed, stream */
    if (status == DROPWISE_OK)
        status = dropwise_forward_f32(&mask, 0, 8, x, y, NULL); /* elements 0 to 7 */
    if (status == DROPWISE_OK)
        status = dropwise_backward_f32(&mask, 0, 4, dy, dx, NULL); /* in two calls, as two */
    if (status == DROPWISE_OK)
        status = dropwise_backward_f32(&mask, 4, 4, dy + 4, dx + 4, NULL); /* threads would */
    if (status != DROPWISE_OK) {
        fprintf(stderr, "%s\n", dropwise_status_string(status));
        return 1;
    }
    for (int i = 0; i < 8; i++)
        printf("%g -> %g, gradient %g\n", (double)x[i], (double)y[i], (double)dx[i]);
    return 0;
}
