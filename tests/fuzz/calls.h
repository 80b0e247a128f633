/*
 * Calls of the public C API with arguments that bytes choose, right and wrong ones; their results lie next to
 * pages that cannot be touched. What is asked of each call:
 *
 *   one that fails writes nothing;
 *   nothing outside of the results is written, and inputs are not (they are read-only then).
 *
 * A call that does otherwise ends the program. What calls did is said, to compare tiers or threads by.
 */
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dropwise.h"

/* Of one input: the calls, buffers that they write, and the bytes of each buffer. */
enum { CALLS_OF_INPUT = 4, CALL_OUTPUTS = 3, CALL_ROOM = 16384 };

typedef struct result_of_call {
    size_t n;
    uint8_t bytes[CALL_ROOM];
} result_of_call;

typedef struct outcome {
    size_t n_statuses;
    dropwise_status statuses[CALLS_OF_INPUT];
    bool in_place; /* an output was written before the call */
    result_of_call written[CALL_OUTPUTS];
} outcome;

/* By the tier that is active. Any number of threads may, each with a result of its own. */
void make_calls(const uint8_t *data, size_t size, outcome *result);

/* Whether statuses and all bytes are the same; false after a line that says what is not. */
bool same_outcome(const outcome *a, const outcome *b);

#endif
