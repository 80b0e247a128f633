#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_option(const char *name, size_t length, const option_spec *specs, int n_specs)
{
    for (int i = 0; i < n_specs; i++)
        if (strlen(specs[i].name) == length && memcmp(specs[i].name, name, length) == 0)
            return i;
    return -1;
}

bool options_read(int argc, char **argv, const option_spec *specs, int n_specs, int n_operands,
                  option_values *values)
{
    *values = (option_values){.n_operands = 0};
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0) {
            if (arg[0] == '-' && arg[1] != '\0') {
                fprintf(stderr, "dropwise: unknown option %s\n", arg);
                return false;
            }
            if (values->n_operands == n_operands) {
                fprintf(stderr, "dropwise: unexpected argument '%s'\n", arg);
                return false;
            }
            values->operand[values->n_operands++] = arg;
            continue;
        }
        const char *name = arg + 2;
        const size_t length = strcspn(name, "=");
        const int o = find_option(name, length, specs, n_specs);
        if (o < 0) {
            fprintf(stderr, "dropwise: unknown option --%.*s\n", (int)length, name);
            return false;
        }
        if (values->value[o] != NULL) {
            fprintf(stderr, "dropwise: option --%s is given twice\n", specs[o].name);
            return false;
        }
        if (specs[o].value == NULL) {
            if (name[length] == '=') {
                fprintf(stderr, "dropwise: option --%s takes no value\n", specs[o].name);
                return false;
            }
            values->value[o] = "";
        } else if (name[length] == '=') {
            values->value[o] = name + length + 1;
        } else if (i + 1 < argc) {
            values->value[o] = argv[++i];
        } else {
            fprintf(stderr, "dropwise: option --%s needs a value\n", specs[o].name);
            return false;
        }
    }
    for (int o = 0; o < n_specs; o++) {
        if (specs[o].required && values->value[o] == NULL) {
            fprintf(stderr, "dropwise: option --%s is missing\n", specs[o].name);
            return false;
        }
    }
    if (values->n_operands != n_operands) {
        fprintf(stderr, "dropwise: %d file names are needed, %d given\n", n_operands, values->n_operands);
        return false;
    }
    return true;
}

const char *options_value(const option_spec *specs, int n_specs, const option_values *values,
                          const char *name)
{
    const int o = find_option(name, strlen(name), specs, n_specs);
    return o < 0 ? NULL : values->value[o];
}

bool parse_u64(const char *text, uint64_t *out)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    /* strtoull would take a sign or spaces, and a 0x without digits for 0. */
    if (!(hex ? isxdigit((unsigned char)text[2]) : isdigit((unsigned char)text[0])))
        return false;
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, hex ? 16 : 10);
    if (errno != 0 || *end != '\0' || value > UINT64_MAX)
        return false;
    *out = value;
    return true;
}

bool parse_seed(const char *text, unsigned bits, uint64_t *out)
{
    const bool negative = text[0] == '-';
    const uint64_t most = UINT64_MAX >> (64 - bits), half = most / 2 + 1;
    uint64_t value;
    if (!parse_u64(text + negative, &value) || value > (negative ? half : most))
        return false;
    *out = negative ? (0 - value) & most : value;
    return true;
}

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
#define DROPWISE_DTYPE(number, name, bits) [DROPWISE_##number] = {#name, (bits) / 8},
#include "kernels/dtypes.inc"
};

enum { DTYPES_END = sizeof dtypes / sizeof dtypes[0] };

bool parse_dtype(const char *text, dropwise_dtype *out)
{
    for (dropwise_dtype d = 1; d < DTYPES_END; d++) {
        if (strcmp(dtypes[d].name, text) == 0) {
            *out = d;
            return true;
        }
    }
    return false;
}

void print_dtypes(FILE *out)
{
    for (dropwise_dtype d = 1; d < DTYPES_END; d++)
        fprintf(out, "%s%s", d == 1 ? "" : ", ", dtypes[d].name);
}

size_t dtype_bytes(dropwise_dtype dtype)
{
    return dtypes[dtype].bytes;
}

bool parse_double(const char *text, double *out)
{
    if (text[0] == '\0' || isspace((unsigned char)text[0]))
        return false;
    char *end;
    const double value = strtod(text, &end);
    if (*end != '\0')
        return false;
    *out = value;
    return true;
}
