/* From the oracle's words to the library's. */
#ifndef INTEROP_MAKE_H
#define INTEROP_MAKE_H

#include "dropwise_interop.h"
#include "oracle/reference_interop.h"

/* The library's masks for what a system was given. */
dropwise_status make_interop(const ref_interop *r, dropwise_interop *out);

#endif
