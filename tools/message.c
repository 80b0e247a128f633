#include "message.h"

#include <stdarg.h>
#include <stdio.h>

int fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("dropwise: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_DATA;
}
