/* What the module has for dropwise.jax. */
#ifndef JAX_H
#define JAX_H

#include <Python.h>

/* xla_handler(): a capsule with the address of the handler that jax.ffi registers. */
PyObject *xla_handler(PyObject *module, PyObject *unused);

/* The versions of XLA's FFI that it knows: (major, oldest minor, newest minor). */
PyObject *xla_versions(void);

#endif
