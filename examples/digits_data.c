#include "digits_data.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"

static bool read_row(char *p, float *pixels, int *label)
{
    for (int i = 0; i <= PIXELS; i++) {
        char *end;
        const long value = strtol(p, &end, 10);
        const bool last = i == PIXELS;
        if (end == p || value < 0 || value > (last ? CLASSES - 1 : 16) ||
            (last ? *end != '\n' && *end != '\0' : *end != ','))
            return false;
        if (last)
            *label = (int)value;
        else
            pixels[i] = (float)value / 16;
        p = end + 1;
    }
    return true;
}

size_t digits_read(const char *path, float (*pixels)[PIXELS], int *labels)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    size_t n = 0;
    bool good = in != NULL;
    char line[1024];
    while (good && fgets(line, sizeof line, in) != NULL) {
        good = n < MAX_DIGITS && read_row(line, pixels[n], &labels[n]);
        n++;
    }
    if (in != NULL && in != stdin)
        fclose(in);
    if (good && n > 0)
        return n;
    fprintf(stderr, "%s cannot be read as rows of 64 pixels and a label\n", path);
    return 0;
}

void digits_shuffle(const float (*pixels)[PIXELS], const int *labels, size_t n, size_t *order,
                    uint64_t *noise, float (*x)[PIXELS], int *y)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    noise_shuffle(order, n, noise);
    for (size_t i = 0; i < n; i++) {
        memcpy(x[i], pixels[order[i]], sizeof x[i]);
        y[i] = labels[order[i]];
    }
}
