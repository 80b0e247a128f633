/* What the test programs share: cmocka, groups of tests for each tier, and awkward data. */
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
 * A program's tests run once for each target, most often for each tier, which is selected then; their names
 * begin with the target's. Those of a target that cannot be tested here are one test that is skipped, or
 * that fails where the environment variable DROPWISE_TEST_REQUIRE lists the target, by commas.
 * DROPWISE_TEST_TIER names the only target to run for. The results are exit statuses of programs.
 */
enum { STATUS_SKIPPED = 77 }; /* as meson has it */

typedef struct target {
    const char *name;
    const char *missing; /* why it cannot be tested here, or NULL */
} target;

int run_on_each_target(const target *targets, size_t n_targets, void (*choose)(size_t i),
                       const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                       CMFixtureFunction teardown);
int run_group_on_each_tier(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                           CMFixtureFunction teardown);

/* For tests that no tier makes a difference to. */
int run_group_once(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                   CMFixtureFunction teardown);

#define run_on_each_tier(tests, setup, teardown) \
    run_group_on_each_tier(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define run_once(tests, setup, teardown) \
    run_group_once(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

/* Whether DROPWISE_TEST_REQUIRE lists a name. */
bool is_required(const char *name);

/* Whether the tier that is selected has SLEEF's functions, and those of a dtype: of all but f64 they are the
 * library's own. A test that is nothing without SLEEF is skipped. */
bool has_math(void);
bool has_functions(ref_dtype dtype);
void needs_math(void);

/* True where DROPWISE_TEST_QUICK asks for small sizes: emulators are slow. */
bool quick(void);

/* Asks the operating system for the tiles of the CPU, if it has such: the library never does. */
void allow_tiles(void);

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
