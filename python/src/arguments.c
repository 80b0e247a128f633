#include "arguments.h"

/* ---- Errors ---- */

const char *name_of_role(const operation *o, bool is_output)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand_role role = o->operands[i].role;
        if (is_output ? role == OUT || role == OUT_FLAT : role == IN_X || role == IN_FLAT)
            return o->operands[i].name;
    }
    return is_output ? "out" : "shape";
}

/* The argument with keep bits. */
static const char *name_of_bits(const operation *o)
{
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (o->operands[i].elements == OF_BITS)
            return o->operands[i].name;
    return name_of_stored(o);
}

PyObject *raise_status(dropwise_status status, const operation *o)
{
    PyObject *type = PyExc_ValueError;
    const char *argument = "mask";
    switch (status) {
    case DROPWISE_ERROR_PROBABILITY:
        argument = "p";
        break;
    case DROPWISE_ERROR_GENERATOR:
        argument = "generator";
        break;
    case DROPWISE_ERROR_SCALING:
        argument = "scaling";
        break;
    case DROPWISE_ERROR_DTYPE:
        type = PyExc_TypeError;
        argument = o != NULL ? name_of_role(o, false) : "dtype";
        break;
    case DROPWISE_ERROR_RANGE:
        argument = "first";
        break;
    case DROPWISE_ERROR_SIZE:
    case DROPWISE_ERROR_RANK:
    case DROPWISE_ERROR_SHAPE:
        argument = o != NULL ? name_of_role(o, false) : "shape";
        break;
    case DROPWISE_ERROR_OVERLAP:
    case DROPWISE_ERROR_SELF_OVERLAP:
        argument = o != NULL ? name_of_role(o, true) : "out";
        break;
    case DROPWISE_ERROR_FORM:
    case DROPWISE_ERROR_STORED_SIZE:
        argument = o != NULL ? name_of_bits(o) : "stored";
        break;
    case DROPWISE_ERROR_ACTIVATION:
        argument = "activation";
        break;
    case DROPWISE_ERROR_PARAMETER:
        argument = o != NULL && o->parameter_name != NULL ? o->parameter_name : "parameter";
        break;
    case DROPWISE_ERROR_MATH:
        type = PyExc_NotImplementedError;
        argument = o != NULL ? o->name : "this";
        break;
    case DROPWISE_ERROR_LAYOUT:
        argument = "layout";
        break;
    default:
        break;
    }
    PyErr_Format(type, "%s: %s%s", argument, dropwise_status_string(status),
                 status == DROPWISE_ERROR_MATH ? ": those of SLEEF" : "");
    return NULL;
}

PyObject *raise_of(dropwise_status status, const char *argument)
{
    return PyErr_Format(PyExc_ValueError, "%s: %s", argument, dropwise_status_string(status));
}

/* ---- Plain arguments ---- */

/* Python's TypeError names no argument; whatever else an object's own methods raise is left. */
static bool complain_of_type(PyObject *object, const char *name, const char *wanted)
{
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s: must be %s, not %R", name, wanted, (PyObject *)Py_TYPE(object));
    return false;
}

static bool complain_of_range(const char *name, const char *range)
{
    PyErr_Format(PyExc_ValueError, "%s: must be %s", name, range);
    return false;
}

bool read_u64(PyObject *object, const char *name, uint64_t *out)
{
    PyObject *index = PyNumber_Index(object);
    if (index == NULL)
        return complain_of_type(object, name, "an integer");
    *out = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (*out != UINT64_MAX || !PyErr_Occurred())
        return true;
    return complain_of_range(name, "from 0 to 2**64 - 1");
}

bool read_i64(PyObject *object, const char *name, int64_t *out)
{
    PyObject *index = PyNumber_Index(object);
    if (index == NULL)
        return complain_of_type(object, name, "an integer");
    *out = PyLong_AsLongLong(index);
    Py_DECREF(index);
    if (*out != -1 || !PyErr_Occurred())
        return true;
    return complain_of_range(name, "from -2**63 to 2**63 - 1");
}

bool read_u32(PyObject *object, const char *name, uint32_t *out)
{
    uint64_t value;
    if (!read_u64(object, name, &value))
        return false;
    *out = (uint32_t)value;
    return value <= UINT32_MAX || complain_of_range(name, "from 0 to 2**32 - 1");
}

bool read_double(PyObject *object, const char *name, double *out)
{
    *out = PyFloat_AsDouble(object);
    if (*out != -1.0 || !PyErr_Occurred())
        return true;
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        return complain_of_range(name, "a number that a float64 holds");
    return complain_of_type(object, name, "a number");
}

bool read_struct(PyObject *object, const char *name, void *out, size_t size)
{
    char *bytes;
    Py_ssize_t length;
    if (!PyBytes_Check(object) || PyBytes_AsStringAndSize(object, &bytes, &length) < 0 ||
        (size_t)length != size) {
        PyErr_Format(PyExc_TypeError, "%s: is none", name);
        return false;
    }
    memcpy(out, bytes, size);
    return true;
}

PyObject *make_struct(dropwise_status status, const void *value, size_t size)
{
    return status == DROPWISE_OK ? PyBytes_FromStringAndSize(value, (Py_ssize_t)size)
                                 : raise_status(status, NULL);
}

bool read_sizes(PyObject *sequence, const char *name, uint32_t rank, uint64_t *out)
{
    PyObject *tuple = PySequence_Tuple(sequence);
    if (tuple == NULL)
        return complain_of_type(sequence, name, "a sequence of integers");
    bool is_read = PyTuple_Size(tuple) == (Py_ssize_t)rank;
    if (!is_read)
        PyErr_Format(PyExc_ValueError, "%s: must have %u numbers, not %R", name, rank, tuple);
    for (uint32_t d = 0; is_read && d < rank; d++)
        is_read = read_u64(PyTuple_GetItem(tuple, (Py_ssize_t)d), name, &out[d]);
    Py_DECREF(tuple);
    return is_read;
}
