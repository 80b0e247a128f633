/* What the test programs share: cmocka, the loop over tiers, and awkward data. */
#ifndef COMMON_H
#define COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dropwise.h"
#include "support/guard.h"
#include "oracle/reference.h"

/*
 * A group setup: prints a line for each tier, "tier <name>: tested", "... not usable here" or "... not
 * built", and fails if one that the environment variable DROPWISE_TEST_REQUIRE lists (by commas) is
 * not among the tested ones.
 */
int report_tiers(void **state);

/* Calls test for each usable tier, after selecting it. */
void for_each_tier(void (*test)(dropwise_isa isa));

/* True where DROPWISE_TEST_QUICK asks for small sizes: emulators are slow. */
bool quick(void);

/* Reproducible noise of the tests' own: splitmix64. */
uint64_t noise(uint64_t *state);
void fill_noise(void *p, size_t n, uint64_t seed);

/* Words in little-endian bytes, as kernels read and write them on any host. */
void put_le32(void *p, uint32_t word);
uint32_t get_le32(const void *p);

/* n elements with NaN (quiet and signalling, payloads), infinities, subnormals, zeros, the largest. */
void fill_awkward(ref_dtype dtype, void *p, size_t n, uint64_t seed);

/* The library's number of a dtype, and its name. */
dropwise_dtype dtype_number(ref_dtype dtype);
const char *dtype_name(ref_dtype dtype);

/* Fails with the first differing byte and a description of the case. */
void assert_same_bytes(const void *actual, const void *expected, size_t n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
