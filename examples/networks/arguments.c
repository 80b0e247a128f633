#include "arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool read_int(const int_option *options, size_t n, const char *name, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        const int_option *o = &options[i];
        if (strcmp(name, o->name) != 0)
            continue;
        char *end;
        const long value = strtol(text, &end, 10);
        if (end == text || *end != '\0' || value < o->min || value > o->max)
            return false;
        *o->value = (int)value;
        return true;
    }
    return false;
}

bool read_real(double min, double max, const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= min && *out <= max;
}

bool read_source(source *from, const char *name, const char *text)
{
    const bool fashion = strcmp(name, "--fashion") == 0;
    if (from->path != NULL || (!fashion && strcmp(name, "--digits") != 0))
        return false;
    *from = (source){text, fashion};
    return true;
}

bool source_read(const source *from, dataset *d)
{
    return from->fashion ? fashion_read(from->path, d) : digits_read(from->path, d);
}

bool enough_images(const char *program, int n_train, const dataset *d)
{
    if ((size_t)n_train < d->pool.n)
        return true;
    fprintf(stderr, "%s: --train %d leaves none of %zu images to hold out\n", program, n_train, d->pool.n);
    return false;
}
