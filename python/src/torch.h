/* What PyTorch calls; dropwise/torch/ has the schemas of its operators. */
#ifndef TORCH_H
#define TORCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* torch_functions(): the names of what torch_register wants the addresses of, in their order. */
PyObject *torch_functions_wanted(PyObject *module, PyObject *unused);

/* torch_register(addresses): gives PyTorch the kernels of all operators; the last address may be 0. */
PyObject *torch_register(PyObject *module, PyObject *addresses);

#endif
