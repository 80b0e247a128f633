/* Functions that make and read structs of the library. */
#ifndef STRUCTS_H
#define STRUCTS_H

#include "arguments.h"

extern PyMethodDef struct_methods[]; /* ends with a row of NULL */

#endif
