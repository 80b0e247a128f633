/* Command-line options from a table: --name VALUE, --name=VALUE, or --name alone, each at most once. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dropwise.h"

typedef struct option_spec {
    const char *name;  /* without the dashes */
    const char *value; /* its placeholder in the help; NULL: it takes none */
    bool required;
    const char *help;
} option_spec;

enum { MAX_OPTIONS = 20, MAX_OPERANDS = 4 };

/* What was given, in the order of the table; NULL where an option was not, "" where it takes no value. */
typedef struct option_values {
    const char *value[MAX_OPTIONS];
    const char *operand[MAX_OPERANDS];
    int n_operands;
} option_values;

/*
 * Reads the arguments after a command. On an error writes it to stderr and returns false: an unknown,
 * repeated or missing option, an option without its value or with one that it does not take, or another
 * number of operands.
 */
bool options_read(int argc, char **argv, const option_spec *specs, int n_specs, int n_operands,
                  option_values *values);

/* The value of an option by name; NULL if it was not given. */
const char *options_value(const option_spec *specs, int n_specs, const option_values *values,
                          const char *name);

/* Strict numbers: decimal or 0x; no sign, space or rest. False, with *out untouched, for anything else. */
bool parse_u64(const char *text, uint64_t *out);

/*
 * A seed or stream of 32 or 64 bits: as parse_u64, or a minus sign and a number up to 2^(bits - 1), which
 * stands for 2^bits less that number, as in a signed integer.
 */
bool parse_seed(const char *text, unsigned bits, uint64_t *out);

/* The name of a dtype, as f32, bf16 or f8_e4m3. */
bool parse_dtype(const char *text, dropwise_dtype *out);

/* All of these names, with commas between them. */
void print_dtypes(FILE *out);

/* Bytes of an element. */
size_t dtype_bytes(dropwise_dtype dtype);

/* A decimal or hexadecimal floating-point number and nothing else; NaN and infinity are read too. */
bool parse_double(const char *text, double *out);

#endif
