/*
 * The module dropwise._core: Python's arguments in, calls of the library, results or exceptions out. It
 * decides nothing; dropwise/ has what users see. Structs of the library are bytes objects in Python: plain
 * values that are compared, hashed, copied and pickled as such, and which the library checks itself.
 */
#include "arrays.h"
#include "jax.h"
#include "structs.h"
#include "torch.h"

/* Calls on fewer elements are over before another thread would have run. */
enum { RELEASE_GIL_FROM = 1 << 14 };

/* ---- The call ---- */

static bool is_long(const call *c)
{
    uint64_t work = count_elements(&c->view);
    for (int i = 0; i < MAX_OPERANDS; i++)
        work += c->bytes[i];
    return work >= RELEASE_GIL_FROM;
}

static bool read_parameter(call *c, PyObject *object)
{
    static const size_t size_of[] = {
        [SOFTMAX] = sizeof(dropwise_softmax),
        [CONCRETE] = sizeof(dropwise_concrete),
        [DROPBLOCK] = sizeof(dropwise_dropblock),
        [DROPCONNECT] = sizeof(dropwise_dropconnect),
    };
    const operation *o = c->operation;
    switch (o->parameter) {
    case NO_PARAMETER:
        return true;
    case NUMBER:
        return read_double(object, o->parameter_name, &c->parameter.number);
    default:
        return read_struct(object, o->parameter_name, &c->parameter, size_of[o->parameter]);
    }
}

/* What Python gets: the output, and numbers beside it. */
static PyObject *results_of(const call *c, const arrays *a)
{
    PyObject *out = outputs_of(c, a);
    if (out == NULL)
        return NULL;
    switch (c->operation->n_results) {
    case 0:
        return out;
    case 1:
        return Py_BuildValue("Nd", out, c->results[0]);
    default:
        return Py_BuildValue("Nddd", out, c->results[0], c->results[1], c->results[2]);
    }
}

/* run(operation, mask, place, parameter, stored, threads, dtype, *arrays) */
static PyObject *run(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    enum { OPERATION, MASK, PLACE, PARAMETER, STORED, THREADS, DTYPE, ARRAYS };
    const int n_arrays = (int)n_args - ARRAYS;
    if (n_arrays < 0 || n_arrays > MAX_OPERANDS) {
        PyErr_SetString(PyExc_TypeError, "run: wrong number of arguments");
        return NULL;
    }
    const long number = PyLong_AsLong(args[OPERATION]);
    if (number < 0 || number >= n_operations) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "operation: is none");
        return NULL;
    }
    double results[MAX_RESULTS] = {0};
    call c = {.operation = &operations[number], .results = results};
    arrays a = {.stored = NULL};
    PyObject *result = NULL;
    uint32_t threads, dtype;
    const bool has_mask = c.operation->is_interop
                              ? read_struct(args[MASK], "mask", &c.interop, sizeof c.interop)
                              : read_struct(args[MASK], "mask", &c.mask, sizeof c.mask);
    if (has_mask && read_u32(args[THREADS], "threads", &threads) && read_u32(args[DTYPE], "dtype", &dtype)) {
        c.dtype = (dropwise_dtype)dtype;
        if (read_parameter(&c, args[PARAMETER]) &&
            read_arrays(&c, &a, args + ARRAYS, n_arrays, args[PLACE], args[STORED])) {
            dropwise_status status;
            if (is_long(&c)) {
                PyThreadState *state = PyEval_SaveThread();
                status = run_call(&c, threads);
                PyEval_RestoreThread(state);
            } else {
                status = c.operation->run(&c);
            }
            const char *overlaps = status == DROPWISE_ERROR_OVERLAP ? find_overlap(&c, &a) : NULL;
            result = status == DROPWISE_OK ? results_of(&c, &a)
                     : overlaps != NULL    ? raise_of(status, overlaps)
                                           : raise_status(status, c.operation);
        }
    }
    release_arrays(&a);
    return result;
}

/* ---- The library ---- */

static PyObject *set_converter(PyObject *module, PyObject *function)
{
    (void)module;
    set_array_converter(function);
    Py_RETURN_NONE;
}

/* Names of the tiers that are built, or of those that are usable, in a row. */
static PyObject *tiers(bool usable_only)
{
    PyObject *names = PyList_New(0);
    for (dropwise_isa isa = 1; names != NULL && isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_status status = dropwise_isa_check(isa);
        if (status != DROPWISE_OK && (usable_only || status == DROPWISE_ERROR_ISA_NOT_BUILT))
            continue;
        PyObject *name = PyUnicode_FromString(dropwise_isa_name(isa));
        if (name == NULL || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyObject *cpu_features(void)
{
    PyObject *names = PyList_New(0);
    for (uint32_t k = 0; names != NULL && dropwise_cpu_feature_name(k) != NULL; k++) {
        if ((dropwise_cpu_features() >> k & 1) == 0)
            continue;
        PyObject *name = PyUnicode_FromString(dropwise_cpu_feature_name(k));
        if (name == NULL || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyObject *parts(void)
{
    PyObject *names = PyList_New(0);
    for (uint32_t k = 0; names != NULL && dropwise_part_name(k) != NULL; k++) {
        PyObject *name = PyUnicode_FromString(dropwise_part_name(k));
        if (name == NULL || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

/* info(): what the library sees and chooses. */
static PyObject *info(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue(
        "{s:i,s:i,s:s,s:N,s:N,s:N,s:N,s:s,s:s,s:s,s:s,s:N,s:s}", "abi_version", DROPWISE_ABI_VERSION,
        "stream_version", DROPWISE_STREAM_VERSION, "version", dropwise_version(), "parts", parts(),
        "cpu_features", cpu_features(), "tiers_built", tiers(false), "tiers_usable", tiers(true), "tier",
        dropwise_isa_name(dropwise_isa_active()), "tier_reason", dropwise_isa_reason(), "aes",
        dropwise_aes_name(), "aes_reason", dropwise_aes_reason(), "math",
        PyBool_FromLong(dropwise_math_check() == DROPWISE_OK), "math_reason", dropwise_math_reason());
}

/* ---- The module ---- */

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL, NULL},
    {"set_converter", set_converter, METH_O, NULL},
    {"info", info, METH_NOARGS, NULL},
    {"xla_handler", xla_handler, METH_NOARGS, NULL},
    {"torch_functions", torch_functions_wanted, METH_NOARGS, NULL},
    {"torch_register", torch_register, METH_O, NULL},
    {"torch_set_exchange", torch_set_exchange, METH_O, NULL},
    {"torch_fill", (PyCFunction)(void (*)(void))torch_fill, METH_FASTCALL, NULL},
    {"torch_fill_own", (PyCFunction)(void (*)(void))torch_fill_own, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* An object as an attribute; takes the reference, which is NULL after an exception. */
static int add_object(PyObject *module, const char *attribute, PyObject *object)
{
    const int status = object == NULL ? -1 : PyModule_AddObjectRef(module, attribute, object);
    Py_XDECREF(object);
    return status;
}

/* A dictionary of names and numbers, as an attribute. */
static int add_numbers(PyObject *module, const char *attribute, const char *(*name_of)(uint32_t),
                       uint32_t from, uint32_t to)
{
    PyObject *numbers = PyDict_New();
    for (uint32_t i = from; numbers != NULL && i < to; i++) {
        const char *name = name_of(i);
        if (name == NULL)
            continue;
        PyObject *number = PyLong_FromUnsignedLong(i);
        if (number == NULL || PyDict_SetItemString(numbers, name, number) < 0)
            Py_CLEAR(numbers);
        Py_XDECREF(number);
    }
    return add_object(module, attribute, numbers);
}

static const char *operation_name(uint32_t i)
{
    return operations[i].name;
}

static const char *dtype_name(uint32_t i)
{
    switch (i) {
#define DROPWISE_DTYPE(number, name, bits) \
    case DROPWISE_##number: \
        return #name;
#include "kernels/dtypes.inc"
    default:
        return NULL;
    }
}

/* As NumPy's module, this one has but one state for a process. */
static bool is_main_interpreter(void)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0)
        return true;
    PyErr_SetString(PyExc_ImportError, "dropwise: is for a process's main interpreter, and this is another");
    return false;
}

static int execute(PyObject *module)
{
    enum { NUMBERS_END = 64 }; /* far beyond those of dtypes and generators */
    if (!is_main_interpreter() || import_numpy() < 0 || PyModule_AddFunctions(module, struct_methods) < 0 ||
        PyModule_AddStringConstant(module, "version", dropwise_version()) < 0 ||
        add_numbers(module, "operations", operation_name, 0, (uint32_t)n_operations) < 0 ||
        add_numbers(module, "dtypes", dtype_name, 1, NUMBERS_END) < 0 ||
        add_numbers(module, "generators", dropwise_generator_name, 1, NUMBERS_END) < 0 ||
        add_object(module, "xla_versions", xla_versions()) < 0 ||
        add_numbers(module, "layouts", dropwise_layout_name, 1, DROPWISE_LAYOUT_COUNT) < 0)
        return -1;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* shared is what imports set, and caches of one atomic byte each */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_core",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
