/*
 * Arrays are read by NumPy's C API, since those of bfloat16 and of 8-bit floats have no buffer. It and
 * Python's limited API make one module do for all versions of both.
 */
#include "arrays.h"

#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#include <numpy/arrayobject.h>

/*
 * What makes an array of an object that is none, or says that it cannot: a function of dropwise/_arrays.py.
 */
static PyObject *converter;

void set_array_converter(PyObject *function)
{
    PyObject *before = converter;
    converter = Py_NewRef(function);
    Py_XDECREF(before);
}

/* A reference to an array, or NULL. */
static PyArrayObject *as_array(PyObject *object, const char *name, bool is_output)
{
    if (PyArray_CheckExact(object))
        return (PyArrayObject *)Py_NewRef(object);
    return (PyArrayObject *)PyObject_CallFunction(converter, "OsO", object, name,
                                                  is_output ? Py_True : Py_False);
}

/*
 * Dtypes of ml_dtypes are numbered as they are registered: what is known of each so far, -1 for unknown
 * ones.
 */
enum { USER_DTYPES = 64 };
static int8_t user_dtypes[USER_DTYPES];

static dropwise_dtype name_user_dtype(PyArray_Descr *descr)
{
    static const struct {
        const char *name;
        dropwise_dtype dtype;
    } known[] = {
        {"bfloat16", DROPWISE_BF16},
        {"float8_e4m3fn", DROPWISE_F8_E4M3},
        {"float8_e5m2", DROPWISE_F8_E5M2},
    };
    dropwise_dtype dtype = -1;
    PyObject *name = PyObject_GetAttrString((PyObject *)descr, "name");
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++)
        if (PyUnicode_CompareWithASCIIString(name, known[i].name) == 0)
            dtype = known[i].dtype;
    Py_XDECREF(name);
    PyErr_Clear();
    return dtype;
}

/* The dtype of an array; -1 if the library has none for it. */
static dropwise_dtype dtype_of(PyArrayObject *array)
{
    PyArray_Descr *descr = PyArray_DESCR(array);
    switch (descr->type_num) {
    case NPY_FLOAT:
        return DROPWISE_F32;
    case NPY_DOUBLE:
        return DROPWISE_F64;
    case NPY_HALF:
        return DROPWISE_F16;
    default:
        break;
    }
    const int user = descr->type_num - NPY_USERDEF;
    if (user < 0)
        return -1;
    if (user >= USER_DTYPES)
        return name_user_dtype(descr);
    if (user_dtypes[user] == 0)
        user_dtypes[user] = (int8_t)name_user_dtype(descr);
    return user_dtypes[user];
}

void release_arrays(arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        if (a->of[i] != NULL)
            PyArray_DiscardWritebackIfCopy(a->of[i]);
        Py_XDECREF((PyObject *)a->of[i]);
    }
    Py_XDECREF((PyObject *)a->stored);
    Py_XDECREF(a->out);
}

static bool is_output(operand_role role)
{
    return role == OUT || role == OUT_OR_NONE || role == OUT_ROW_SUMS || role == OUT_FLAT;
}

static bool has_view(operand_role role)
{
    return role >= IN_X && role <= IN_ADD;
}

/* The NumPy type of what is not of the tensor's dtype. */
static int type_of(dropwise_dtype dtype, operand_elements elements)
{
    return elements == OF_BITS ? NPY_UINT8 : dtype == DROPWISE_F64 ? NPY_DOUBLE : NPY_FLOAT;
}

static bool check_elements(const call *c, const operand *o, PyArrayObject *array, bool is_named)
{
    const bool is_right = o->elements != OF_TENSOR ? PyArray_TYPE(array) == type_of(c->dtype, o->elements)
                          : is_named ? (uint64_t)PyArray_ITEMSIZE(array) == element_bytes(c->dtype, OF_TENSOR)
                                     : dtype_of(array) == c->dtype;
    if (is_right && PyArray_ISNOTSWAPPED(array))
        return true;
    PyErr_Format(PyExc_TypeError, "%s: elements of %R, where %s are wanted", o->name,
                 (PyObject *)PyArray_DESCR(array),
                 !is_right ? o->elements == OF_BITS   ? "uint8"
                             : o->elements == OF_SUMS ? "float64 for float64 and else float32"
                                                      : "those of the first array"
                           : "those in the byte order of this machine");
    return false;
}

/* The call's dtype: that of the first array, or as it was named. */
static bool find_dtype(call *c, const arrays *a, bool is_named)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand *o = &c->operation->operands[i];
        if (a->of[i] == NULL || o->elements == OF_BITS)
            continue;
        if (!is_named)
            c->dtype = dtype_of(a->of[i]);
        if (!is_named && o->elements == OF_SUMS && c->dtype > DROPWISE_F64)
            c->dtype = -1;
        if (c->dtype > 0)
            return true;
        PyErr_Format(PyExc_TypeError,
                     "%s: elements of %R; they may be float64, float32, float16, and ml_dtypes' bfloat16, "
                     "float8_e4m3fn and float8_e5m2, or what dtype= says they are",
                     o->name, (PyObject *)PyArray_DESCR(a->of[i]));
        return false;
    }
    return true;
}

/* Whether an array has the shape of the call's view. */
static bool has_shape(const call *c, PyArrayObject *array)
{
    const int rank = PyArray_NDIM(array);
    bool is_right =
        (uint32_t)rank == c->view.rank || (rank == 0 && c->view.rank == 1 && c->view.size[0] == 1);
    for (int d = 0; is_right && d < rank; d++)
        is_right = (uint64_t)PyArray_DIM(array, d) == c->view.size[d];
    return is_right;
}

/*
 * Strides in elements. False if the library cannot take the array as it lies: with bytes between its
 * elements, or between those of a row that has to be one.
 */
static bool read_strides(const call *c, PyArrayObject *array, int64_t *stride)
{
    const npy_intp bytes = (npy_intp)element_bytes(c->dtype, OF_TENSOR);
    for (uint32_t d = 0; d < c->view.rank; d++) {
        stride[d] = 1; /* whatever NumPy says where there is but one element */
        if (c->view.size[d] <= 1)
            continue;
        if (PyArray_STRIDE(array, (int)d) % bytes != 0)
            return false;
        stride[d] = PyArray_STRIDE(array, (int)d) / bytes;
    }
    return !c->operation->has_rows || stride[c->view.rank - 1] == 1;
}

static bool complain_of_strides(const operand *o)
{
    PyErr_Format(PyExc_ValueError,
                 "%s: elements of a row must lie next to each other, and those of outputs and of what they "
                 "are computed from at the same places; np.ascontiguousarray makes such a copy",
                 o->name);
    return false;
}

/* An input that is not laid out as the output is is copied, which reads its strides again. */
static bool copy_as(const call *c, PyArrayObject **array, PyArrayObject *layout, int64_t *stride)
{
    PyArrayObject *copy = layout == NULL
                              ? (PyArrayObject *)PyArray_NewCopy(*array, NPY_CORDER)
                              : (PyArrayObject *)PyArray_NewLikeArray(layout, NPY_KEEPORDER, NULL, 0);
    if (copy == NULL || (layout != NULL && PyArray_CopyInto(copy, *array) < 0)) {
        Py_XDECREF((PyObject *)copy);
        return false;
    }
    Py_DECREF((PyObject *)*array);
    *array = copy;
    (void)read_strides(c, copy, stride);
    return true;
}

/* The tensor that says what shape the others have: the first that is given. */
static PyArrayObject *first_tensor(const call *c, const arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (a->of[i] != NULL && has_view(c->operation->operands[i].role))
            return a->of[i];
    return NULL;
}

/* Dense arrays, whose elements the mask counts as they lie, are a range. */
static bool are_range(const call *c, const arrays *a, PyArrayObject *tensor)
{
    if (c->operation->has_rows || a->stored != NULL)
        return false;
    for (int i = 0; i < MAX_OPERANDS; i++) {
        PyArrayObject *array = a->of[i];
        if (array != NULL && has_view(c->operation->operands[i].role) &&
            !(PyArray_IS_C_CONTIGUOUS(array) && PyArray_SAMESHAPE(array, tensor)))
            return false;
    }
    return true;
}

/* Dense arrays in place of those that are not. */
static bool make_dense(const call *c, arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        PyArrayObject *array = a->of[i];
        if (array == NULL || PyArray_IS_C_CONTIGUOUS(array))
            continue;
        /* An output is written back when the call was successful. */
        a->of[i] =
            (PyArrayObject *)(is_output(c->operation->operands[i].role)
                                  ? PyArray_FromArray(array, NULL,
                                                      NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_WRITEBACKIFCOPY)
                                  : PyArray_NewCopy(array, NPY_CORDER));
        Py_DECREF((PyObject *)array);
        if (a->of[i] == NULL)
            return false;
    }
    return true;
}

/* The view, but for strides, of `place`: a view of the library, or the mask's index of the first element. */
static bool read_view(call *c, const arrays *a, PyObject *place)
{
    PyArrayObject *tensor = first_tensor(c, a);
    uint64_t size[DROPWISE_MAX_RANK] = {0}, first = 0;
    if (PyBytes_Check(place)) {
        if (!read_struct(place, "place", &c->view, sizeof c->view))
            return false;
    } else if (!read_u64(place, "first", &first)) {
        return false;
    } else {
        uint32_t rank = 1;
        if (tensor != NULL && are_range(c, a, tensor)) {
            size[0] = (uint64_t)PyArray_SIZE(tensor);
        } else if (tensor != NULL && PyArray_NDIM(tensor) == 0) {
            size[0] = 1;
        } else if (tensor != NULL) {
            rank = (uint32_t)PyArray_NDIM(tensor);
            if (rank > DROPWISE_MAX_RANK) {
                raise_status(DROPWISE_ERROR_RANK, c->operation);
                return false;
            }
            for (uint32_t d = 0; d < rank; d++)
                size[d] = (uint64_t)PyArray_DIM(tensor, (int)d);
        }
        const dropwise_status status = dropwise_view_init(&c->view, rank, size);
        if (status != DROPWISE_OK) {
            raise_status(status, c->operation);
            return false;
        }
        c->view.first = first;
        if (tensor != NULL && are_range(c, a, tensor))
            return true;
    }
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand *o = &c->operation->operands[i];
        if (a->of[i] != NULL && has_view(o->role) && !has_shape(c, a->of[i])) {
            PyErr_Format(PyExc_ValueError, "%s: has not the shape of the other arrays or of the mask",
                         o->name);
            return false;
        }
    }
    return true;
}

/* Makes outputs that are wanted and not given: laid out as those that are, or as the input. */
static PyArrayObject *make_outputs(call *c, arrays *a)
{
    PyArrayObject *layout = NULL, *tensor = first_tensor(c, a);
    for (int i = 0; i < MAX_OPERANDS && layout == NULL; i++)
        if (a->of[i] != NULL && is_output(c->operation->operands[i].role) &&
            has_view(c->operation->operands[i].role))
            layout = a->of[i];
    c->is_dense = layout == NULL || PyArray_IS_C_CONTIGUOUS(layout) || PyArray_IS_F_CONTIGUOUS(layout);
    for (int i = 0; i < MAX_OPERANDS; i++) {
        if (a->of[i] != NULL || c->operation->operands[i].role != OUT)
            continue;
        const bool is_like_input = layout == NULL && !c->operation->has_rows;
        a->of[i] = (PyArrayObject *)PyArray_NewLikeArray(
            layout != NULL ? layout : tensor, layout != NULL || is_like_input ? NPY_KEEPORDER : NPY_CORDER,
            NULL, 0);
        if (a->of[i] == NULL)
            return NULL;
        if (layout == NULL)
            layout = a->of[i];
    }
    return layout;
}

/* Strides and addresses of the tensors. */
static bool read_tensors(call *c, arrays *a)
{
    const uint32_t rank = c->view.rank;
    const bool is_range = rank == 1 && first_tensor(c, a) != NULL && are_range(c, a, first_tensor(c, a));
    PyArrayObject *layout = make_outputs(c, a);
    if (layout == NULL && PyErr_Occurred())
        return false;
    if (is_range)
        c->view.x_stride[0] = c->view.y_stride[0] = 1;
    for (int i = 0; i < MAX_OPERANDS && !is_range; i++)
        if (layout != NULL && a->of[i] == layout && !read_strides(c, layout, c->view.y_stride))
            return complain_of_strides(&c->operation->operands[i]);
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand *o = &c->operation->operands[i];
        int64_t stride[DROPWISE_MAX_RANK];
        if (a->of[i] == NULL || !has_view(o->role))
            continue;
        if (!is_range) {
            const bool is_own = o->role == IN_X || o->role == IN_ADD;
            const size_t bytes = rank * sizeof stride[0];
            bool fits =
                read_strides(c, a->of[i], stride) && (is_own || memcmp(stride, c->view.y_stride, bytes) == 0);
            if (!fits && !is_output(o->role)) {
                if (!copy_as(c, &a->of[i], is_own ? NULL : layout, stride))
                    return false;
                fits = is_own || memcmp(stride, c->view.y_stride, bytes) == 0;
            }
            if (!fits)
                return complain_of_strides(o);
            if (o->role == IN_X)
                memcpy(c->view.x_stride, stride, bytes);
            if (o->role == IN_ADD)
                memcpy(c->parameter.softmax.add_stride, stride, bytes);
        }
        c->at[i] = PyArray_DATA(a->of[i]);
        if (o->role == IN_ADD)
            c->parameter.softmax.add = c->at[i];
    }
    return true;
}

/* What has not the shape of the tensor: rows, and what is flat. */
static bool read_others(call *c, arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand *o = &c->operation->operands[i];
        PyArrayObject *array = a->of[i];
        if (array == NULL || has_view(o->role))
            continue;
        const uint64_t row = c->view.size[c->view.rank - 1];
        if ((o->role == IN_ROW || o->role == OUT_ROW_SUMS) &&
            (PyArray_NDIM(array) != 1 || (uint64_t)PyArray_DIM(array, 0) != row)) {
            PyErr_Format(PyExc_ValueError, "%s: must have the shape of a row, (%llu,)", o->name,
                         (unsigned long long)row);
            return false;
        }
        if (!PyArray_IS_C_CONTIGUOUS(array)) {
            int64_t stride[DROPWISE_MAX_RANK];
            if (is_output(o->role)) {
                PyErr_Format(PyExc_ValueError, "%s: must be C-contiguous", o->name);
                return false;
            }
            if (!copy_as(c, &a->of[i], NULL, stride))
                return false;
        }
        c->at[i] = PyArray_DATA(a->of[i]);
        c->bytes[i] = (uint64_t)PyArray_NBYTES(a->of[i]);
    }
    return true;
}

/* A stored mask, whose form its dtype says. */
static bool read_stored(call *c, const arrays *a)
{
    PyArrayObject *array = a->stored;
    if (array == NULL)
        return true;
    const int type = PyArray_TYPE(array), rank = PyArray_NDIM(array);
    c->stored_mask.form = type == NPY_BOOL              ? DROPWISE_FORM_BYTES
                          : type == NPY_UINT8           ? DROPWISE_FORM_BITS
                          : dtype_of(array) == c->dtype ? DROPWISE_FORM_SCALED
                                                        : 0;
    if (c->stored_mask.form == 0 || !PyArray_ISNOTSWAPPED(array)) {
        PyErr_Format(PyExc_TypeError,
                     "stored: elements of %R; they may be bool, uint8 (packed bits), or those of the tensor",
                     (PyObject *)PyArray_DESCR(array));
        return false;
    }
    if (!PyArray_IS_C_CONTIGUOUS(array)) {
        const bool has_rows =
            rank == 2 && PyArray_STRIDE(array, 1) == PyArray_ITEMSIZE(array) && PyArray_STRIDE(array, 0) > 0;
        if (!has_rows) {
            PyErr_SetString(PyExc_ValueError, "stored: must be C-contiguous, or rows with gaps between them");
            return false;
        }
        c->stored_mask.row_stride = (uint64_t)PyArray_STRIDE(array, 0);
    }
    c->stored_mask.struct_size = sizeof c->stored_mask;
    c->stored_mask.data = PyArray_DATA(array);
    c->stored_mask.size = c->stored_mask.row_stride == 0 || PyArray_DIM(array, 0) == 0
                              ? (uint64_t)PyArray_NBYTES(array)
                              : c->stored_mask.row_stride * (uint64_t)(PyArray_DIM(array, 0) - 1) +
                                    (uint64_t)(PyArray_DIM(array, 1) * PyArray_ITEMSIZE(array));
    c->stored = &c->stored_mask;
    return true;
}

/* The output that Python gets: the first one. */
static int find_output(const operation *o)
{
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (o->operands[i].role == OUT || o->operands[i].role == OUT_FLAT)
            return i;
    return -1;
}

/* Inputs that are not optional: None is no array for them. */
static bool is_needed(const operand *o)
{
    return !o->is_optional && (o->role == IN_X || o->role == IN_Y || o->role == IN_FLAT);
}

/* The arrays that are given, and their dtype. */
static bool take_arrays(call *c, arrays *a, PyObject *const *args, int n, PyObject *stored)
{
    const operation *o = c->operation;
    const bool is_named = c->dtype != 0;
    const int main_output = find_output(o);
    for (int i = 0; i < n; i++) {
        if (args[i] == Py_None && !is_needed(&o->operands[i]))
            continue;
        const bool writes = is_output(o->operands[i].role);
        a->of[i] = as_array(args[i], o->operands[i].name, writes);
        if (a->of[i] == NULL)
            return false;
        if (writes && !PyArray_ISWRITEABLE(a->of[i])) {
            PyErr_Format(PyExc_ValueError, "%s: is read-only", o->operands[i].name);
            return false;
        }
        if (i == main_output)
            a->out = Py_NewRef(args[i]);
    }
    if (stored != Py_None) {
        if (o->stored == TAKES_NONE) {
            PyErr_Format(PyExc_TypeError, "stored: %s stores no mask", o->name);
            return false;
        }
        a->stored = as_array(stored, "stored", o->stored == WRITES_MASK);
        if (a->stored == NULL)
            return false;
        if (o->stored == WRITES_MASK && !PyArray_ISWRITEABLE(a->stored)) {
            PyErr_SetString(PyExc_ValueError, "stored: is read-only");
            return false;
        }
    }
    if (!find_dtype(c, a, is_named))
        return false;
    for (int i = 0; i < n; i++)
        if (a->of[i] != NULL && !check_elements(c, &o->operands[i], a->of[i], is_named))
            return false;
    return true;
}

bool read_arrays(call *c, arrays *a, PyObject *const *args, int n, PyObject *place, PyObject *stored)
{
    return take_arrays(c, a, args, n, stored) && (!c->operation->has_range || make_dense(c, a)) &&
           read_view(c, a, place) && read_tensors(c, a) && read_others(c, a) && read_stored(c, a);
}

PyObject *output_of(const call *c, const arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (a->of[i] != NULL && PyArray_ResolveWritebackIfCopy(a->of[i]) < 0)
            return NULL;
    const int i = find_output(c->operation);
    return Py_NewRef(a->out != NULL ? a->out : i >= 0 && a->of[i] != NULL ? (PyObject *)a->of[i] : Py_None);
}

int import_numpy(void)
{
    return PyArray_ImportNumPyAPI();
}
