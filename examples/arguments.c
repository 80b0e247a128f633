#include "arguments.h"

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
