/* What PyTorch calls; dropwise/torch/ has the schemas of its operators. */
#ifndef TORCH_H
#define TORCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* torch_functions(): the names of what torch_register wants the addresses of, in their order. */
PyObject *torch_functions_wanted(PyObject *module, PyObject *unused);

/* torch_register(addresses): gives PyTorch the kernels of all operators; the last address may be 0. */
PyObject *torch_register(PyObject *module, PyObject *addresses);

/* torch_set_exchange(capsule): that of torch.Tensor; whether its version is known. */
PyObject *torch_set_exchange(PyObject *module, PyObject *capsule);

/* torch_fill(x, y, seed, stream, p): y = dropout(x), of two tensors of PyTorch. */
PyObject *torch_fill(PyObject *module, PyObject *const *args, Py_ssize_t n_args);

/* torch_fill_own(x, y, bits, state, p): the same by PyTorch's masks. */
PyObject *torch_fill_own(PyObject *module, PyObject *const *args, Py_ssize_t n_args);

#endif
