/*
 * Dropout of PyTorch's tensors as Python has them, past PyTorch's dispatcher, which takes longer than a small
 * dropout. dropwise/torch/functional.py says when this may be.
 */
#include "arguments.h"
#include "torch.h"
#include "torch_call.h"

enum { RELEASE_GIL_FROM = 1 << 14 };

/* NULL: this PyTorch has none. */
static const dlpack_exchange *exchange;

/* What is done with tensors. */
static const operation *dropout;

/* Where seeds are drawn, while the GIL lets one thread in at a time; else NULL. */
static torch_tensor *kept_seed;

static torch_tensor *make_seed(void)
{
    static const int64_t one = 1;
    torch_tensor *made = NULL;
    torch.empty_strided(1, &one, &one, torch.dtype_i64(), torch.device_cpu(), 0, &made);
    return made;
}

PyObject *torch_set_exchange(PyObject *module, PyObject *capsule)
{
    (void)module;
    const dlpack_exchange *found = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    PyErr_Clear(); /* of what is no such capsule */
    exchange = found != NULL && found->major == DLPACK_MAJOR && found->look_at != NULL ? found : NULL;
    dropout = find_operation("forward");
#ifndef Py_GIL_DISABLED
    if (kept_seed == NULL)
        kept_seed = make_seed();
#endif
    return PyBool_FromLong(exchange != NULL);
}

static dropwise_dtype dtype_of_dlpack(const dlpack_tensor *t)
{
    if (t->dtype_lanes != 1 || t->device_type != DLPACK_CPU)
        return 0;
    switch (t->dtype_code << 8 | t->dtype_bits) {
    case DLPACK_FLOAT << 8 | 32:
        return DROPWISE_F32;
    case DLPACK_FLOAT << 8 | 64:
        return DROPWISE_F64;
    case DLPACK_FLOAT << 8 | 16:
        return DROPWISE_F16;
    case DLPACK_BFLOAT << 8 | 16:
        return DROPWISE_BF16;
    default:
        return 0;
    }
}

/* The view of both tensors; false if it is none that this is for. */
static bool look_at_both(PyObject *const *objects, call *c)
{
    dlpack_tensor x, y;
    if (exchange == NULL || exchange->look_at(objects[0], &x) != 0 || exchange->look_at(objects[1], &y) != 0)
        return false;
    c->dtype = dtype_of_dlpack(&x);
    if (c->dtype == 0 || dtype_of_dlpack(&y) != c->dtype || x.rank != y.rank || x.rank > MAX_TORCH_RANK ||
        (x.rank > 0 && memcmp(x.size, y.size, (size_t)x.rank * sizeof *x.size) != 0))
        return false;
    c->at[0] = (char *)x.data + x.byte_offset;
    c->at[1] = (char *)y.data + y.byte_offset;
    const layout l = {.rank = x.rank, .size = x.size, .x = x.stride, .y = y.stride};
    return make_view(&l, &c->view) == NULL && count_elements(&c->view) > 0;
}

static bool draw_into(torch_tensor *to, long long *number)
{
    static const int64_t one = 1;
    const void *data;
    int64_t drawn;
    if (torch.randint_into(to, INT64_MIN, INT64_MAX, &one, 1) != 0 || torch.get_const_data(to, &data) != 0)
        return false;
    memcpy(&drawn, data, sizeof drawn);
    *number = drawn;
    return true;
}

/* The number that seed_v1 would draw. */
static bool draw_number(long long *number)
{
    if (kept_seed != NULL)
        return draw_into(kept_seed, number);
    torch_tensor *made = make_seed();
    const bool is_drawn = made != NULL && draw_into(made, number);
    if (made != NULL)
        torch.delete_tensor(made);
    return is_drawn;
}

/* torch_fill(x, y, seed, stream, p): a seed of None is drawn. The seed; None if this is not for them. */
PyObject *torch_fill(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    enum { X, Y, SEED, STREAM, PROBABILITY, ARGUMENTS };
    call c = {.operation = dropout, .is_dense = true};
    if (n_args != ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "torch_fill: wrong number of arguments");
    if (!look_at_both(args, &c)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    const double p = PyFloat_AsDouble(args[PROBABILITY]);
    const long long stream = PyLong_AsLongLong(args[STREAM]);
    long long seed = 0;
    if (args[SEED] != Py_None) {
        seed = PyLong_AsLongLong(args[SEED]);
    } else {
        if (!draw_number(&seed))
            return PyErr_Format(PyExc_RuntimeError, "dropwise.torch: no seed could be drawn");
    }
    if (PyErr_Occurred())
        return NULL;
    dropwise_status status = dropwise_mask_init(&c.mask, p, (uint64_t)seed, (uint64_t)stream);
    bool is_run = true;
    if (status == DROPWISE_OK && count_elements(&c.view) >= RELEASE_GIL_FROM) {
        PyThreadState *state = PyEval_SaveThread();
        is_run = run_on_threads(&c, &status);
        PyEval_RestoreThread(state);
    } else if (status == DROPWISE_OK) {
        status = c.operation->run(&c);
    }
    if (!is_run)
        return PyErr_Format(PyExc_RuntimeError, "dropwise.torch: %s", threads_failed);
    return status == DROPWISE_OK ? PyLong_FromLongLong(seed) : raise_status(status, c.operation);
}

/* torch_fill_own(x, y, bits, state, p): dropout by PyTorch's masks; bits may be None. False: not for this. */
PyObject *torch_fill_own(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    enum { X, Y, BITS, STATE, PROBABILITY, ARGUMENTS };
    call c = {.operation = NULL};
    dlpack_tensor bits = {.data = NULL}, state;
    if (n_args != ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "torch_fill_own: wrong number of arguments");
    const double p = PyFloat_AsDouble(args[PROBABILITY]);
    if (PyErr_Occurred())
        return NULL;
    if (!look_at_both(args, &c) || exchange->look_at(args[STATE], &state) != 0 ||
        (args[BITS] != Py_None && exchange->look_at(args[BITS], &bits) != 0)) {
        PyErr_Clear();
        Py_RETURN_FALSE;
    }
    /* Elements are drawn in the order of memory. */
    const dropwise_view *v = &c.view;
    int64_t dense[DROPWISE_MAX_RANK], size[DROPWISE_MAX_RANK];
    for (uint32_t d = 0; d < v->rank; d++)
        size[d] = (int64_t)v->size[d];
    dense_strides((int)v->rank, size, v->y_stride, dense);
    const uint64_t n = count_elements(v);
    if (!are_same_strides((int)v->rank, size, v->x_stride, v->y_stride) ||
        !are_same_strides((int)v->rank, size, dense, v->y_stride) || state.rank != 1 ||
        state.size[0] != DROPWISE_TORCH_STATE_BYTES ||
        (bits.data != NULL && (bits.rank != 1 || (uint64_t)bits.size[0] != (n + 7) / 8)))
        Py_RETURN_FALSE;
    dropwise_mt19937 engine;
    dropwise_status status = dropwise_mt19937_from_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES);
    PyThreadState *thread = n >= RELEASE_GIL_FROM ? PyEval_SaveThread() : NULL;
    if (status == DROPWISE_OK)
        status = dropwise_torch_cpu_forward(&engine, c.dtype, p, (size_t)n, c.at[0], c.at[1], bits.data);
    if (thread != NULL)
        PyEval_RestoreThread(thread);
    if (status == DROPWISE_OK)
        status = dropwise_mt19937_to_torch(&engine, state.data, DROPWISE_TORCH_STATE_BYTES);
    if (status != DROPWISE_OK)
        return raise_status(status, NULL);
    Py_RETURN_TRUE;
}
