/*
 * Hands the operators that PyTorch calls over to it, on CPUs. They are in torch_views.c, torch_layers.c and
 * torch_masks.c, and do not enter Python. What their arguments are is said in dropwise/torch/_operators.py,
 * which defines them, and whose callers check what users give; what is checked in C protects memory.
 */
#include "torch.h"
#include "arguments.h"
#include "torch_call.h"

static const char *const function_names[] = {
    "aoti_torch_check",

    "aoti_torch_delete_tensor_object",
    "aoti_torch_empty_strided",
    "aoti_torch_copy_",
    "aoti_torch_get_dim",
    "aoti_torch_get_sizes",
    "aoti_torch_get_strides",
    "aoti_torch_get_dtype",
    "torch_get_const_data_ptr",
    "torch_get_mutable_data_ptr",

    "torch_list_size",
    "torch_list_get_item",
    "torch_delete_list",

    "aoti_torch_cpu_randint_low",
    "aoti_torch_cpu_randint_low_out",
    "aoti_torch_library_init_impl",
    "torch_library_impl",

    "torch_parallel_for",
    "torch_get_num_threads",

    "aoti_torch_device_type_cpu",
    "aoti_torch_dtype_float64",
    "aoti_torch_dtype_float32",
    "aoti_torch_dtype_float16",
    "aoti_torch_dtype_bfloat16",
    "aoti_torch_dtype_int64",
    "aoti_torch_dtype_uint8",
    "aoti_torch_dtype_bool",

    "torch_delete_stable_ivalue",
};

PyObject *torch_functions_wanted(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    _Static_assert(sizeof function_names / sizeof function_names[0] == TORCH_FUNCTIONS,
                   "a name for each function");
    PyObject *names = PyList_New(0);
    for (int i = 0; names != NULL && i < TORCH_FUNCTIONS; i++) {
        PyObject *name = PyUnicode_FromString(function_names[i]);
        if (name == NULL || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static bool implement(const torch_operator *row)
{
    torch_library *library;
    /* The library is never deleted, as that would take the kernel away. */
    return torch.begin_library("dropwise", row->key, __FILE__, __LINE__, &library) == 0 &&
           torch.implement(library, row->name, row->kernel, TORCH_SHIM_VERSION) == 0;
}

PyObject *torch_register(PyObject *module, PyObject *addresses)
{
    (void)module;
    uint64_t of[TORCH_FUNCTIONS];
    if (!read_struct(addresses, "addresses", of, sizeof of))
        return NULL;
    _Static_assert(sizeof of == sizeof torch, "functions are numbers");
    memcpy(&torch, of, sizeof torch);
    const torch_operator *const tables[] = {torch_views, torch_layers, torch_masks};
    bool is_done = true;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const torch_operator *row = tables[i]; row->name != NULL && is_done; row++)
            is_done = implement(row);
    if (!is_done) {
        PyErr_SetString(PyExc_ImportError, "PyTorch did not take the operators");
        return NULL;
    }
    Py_RETURN_NONE;
}
