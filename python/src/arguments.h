/* Arguments that are no arrays, and exceptions. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "call.h"

/* The argument of an operation that is read, or written, first. */
const char *name_of_role(const operation *o, bool is_output);

/* Raises what a status says of a call, or of a function that has no operation; NULL. */
PyObject *raise_status(dropwise_status status, const operation *o);

/* Likewise, ValueError, where it is known which argument is wrong. */
PyObject *raise_of(dropwise_status status, const char *argument);

/* Each reads an object, or raises an exception that names the argument, and is false then. */
bool read_u64(PyObject *object, const char *name, uint64_t *out);
bool read_i64(PyObject *object, const char *name, int64_t *out);
bool read_u32(PyObject *object, const char *name, uint32_t *out);
bool read_double(PyObject *object, const char *name, double *out);

/* A struct of the library, which is a bytes object in Python. */
bool read_struct(PyObject *object, const char *name, void *out, size_t size);

/* So many whole numbers, of a sequence. */
bool read_sizes(PyObject *sequence, const char *name, uint32_t rank, uint64_t *out);

/* The bytes of a struct, or the exception for a status. */
PyObject *make_struct(dropwise_status status, const void *value, size_t size);

#endif
