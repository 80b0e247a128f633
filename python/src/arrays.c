/*
 * Arrays are read by NumPy's C API, since those of bfloat16 and of 8-bit floats have no buffer. It and
 * Python's limited API make one module do for all versions of both.
 */
#include "arrays.h"

#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#include <numpy/arrayobject.h>

#include <stdatomic.h>

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
 * ones. Threads without a GIL may find out the same at once.
 */
enum { USER_DTYPES = 64 };
static _Atomic int8_t user_dtypes[USER_DTYPES];

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

/* What a dtype of NumPy's is to the library; -1 if it has none for it. */
static dropwise_dtype dtype_of_descr(PyArray_Descr *descr)
{
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
    dropwise_dtype dtype = atomic_load_explicit(&user_dtypes[user], memory_order_relaxed);
    if (dtype == 0) {
        dtype = name_user_dtype(descr);
        atomic_store_explicit(&user_dtypes[user], (int8_t)dtype, memory_order_relaxed);
    }
    return dtype;
}

static dropwise_dtype dtype_of(PyArrayObject *array)
{
    return dtype_of_descr(PyArray_DESCR(array));
}

/* The dtype that is the same in memory, and that arrays may have: the saturating ones are none of NumPy's. */
static dropwise_dtype format_of(dropwise_dtype dtype)
{
    return dtype == DROPWISE_F8_E4M3_SAT   ? DROPWISE_F8_E4M3
           : dtype == DROPWISE_F8_E5M2_SAT ? DROPWISE_F8_E5M2
                                           : dtype;
}

/* Words without a meaning of their own, for dtypes that NumPy has not: integers, and V2 of files. */
static bool are_words(dropwise_dtype dtype, PyArrayObject *array)
{
    const int type = PyArray_TYPE(array);
    const bool is_plain = PyTypeNum_ISINTEGER(type) || (type == NPY_VOID && !PyArray_HASFIELDS(array));
    return dtype >= DROPWISE_BF16 && is_plain &&
           (uint64_t)PyArray_ITEMSIZE(array) == element_bytes(dtype, OF_TENSOR);
}

/* Whether elements are of the call's dtype: NumPy says so, or the call does, and NumPy nothing else. */
static bool is_of_dtype(const call *c, PyArrayObject *array)
{
    return dtype_of(array) == format_of(c->dtype) || (c->is_named && are_words(c->dtype, array));
}

void release_arrays(arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS; i++) {
        if (a->is_copy[i])
            PyArray_DiscardWritebackIfCopy(a->of[i]);
        Py_XDECREF((PyObject *)a->of[i]);
    }
    Py_XDECREF((PyObject *)a->stored);
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

static bool check_elements(const call *c, const operand *o, PyArrayObject *array)
{
    const bool is_right = o->elements == OF_TENSOR ? is_of_dtype(c, array)
                                                   : PyArray_TYPE(array) == type_of(c->dtype, o->elements);
    if (is_right && PyArray_ISNOTSWAPPED(array))
        return true;
    PyErr_Format(PyExc_TypeError, "%s: elements of %R, where %s are wanted", o->name,
                 (PyObject *)PyArray_DESCR(array),
                 is_right                 ? "those in the byte order of this machine"
                 : o->elements == OF_BITS ? "uint8"
                 : o->elements == OF_SUMS ? "float64 for float64 and else float32"
                 : c->is_named            ? "those that dtype= names, or words of their size"
                                          : "those of the first array");
    return false;
}

/* The call's dtype: that of the first array, or as it was named. */
static bool find_dtype(call *c, const arrays *a)
{
    for (int i = 0; i < MAX_OPERANDS && !c->is_named; i++) {
        const operand *o = &c->operation->operands[i];
        if (a->of[i] == NULL || o->elements == OF_BITS)
            continue;
        const bool are_sums = o->elements == OF_SUMS;
        c->dtype = dtype_of(a->of[i]);
        if (c->dtype > 0 && (!are_sums || c->dtype <= DROPWISE_F64))
            return true;
        PyErr_Format(PyExc_TypeError, "%s: elements of %R; they may be %s", o->name,
                     (PyObject *)PyArray_DESCR(a->of[i]),
                     are_sums ? "float64 and float32"
                              : "float64, float32, float16, and ml_dtypes' bfloat16, float8_e4m3fn and "
                                "float8_e5m2, or what dtype= says they are");
        return false;
    }
    return true;
}

/* Dimensions of the call's view before those that an array has. */
static uint32_t missing_dimensions(const call *c, PyArrayObject *array)
{
    return c->view.rank - (uint32_t)PyArray_NDIM(array);
}

/* Whether an array has the shape of the call's view, or one that broadcasts to it. */
static bool has_shape(const call *c, PyArrayObject *array, bool may_broadcast)
{
    const uint32_t rank = (uint32_t)PyArray_NDIM(array);
    const bool is_scalar = rank == 0 && c->view.rank == 1 && c->view.size[0] == 1;
    bool is_right = rank == c->view.rank || is_scalar || (may_broadcast && rank < c->view.rank);
    for (uint32_t d = 0; is_right && d < rank; d++) {
        const uint64_t n = (uint64_t)PyArray_DIM(array, (int)d);
        is_right = n == c->view.size[missing_dimensions(c, array) + d] || (may_broadcast && n == 1);
    }
    return is_right;
}

/*
 * Strides in elements, 0 where an array broadcasts. False if the library cannot take it as it lies: with
 * bytes between its elements, or between those of a row that has to be one.
 */
static bool read_strides(const call *c, PyArrayObject *array, int64_t *stride)
{
    const npy_intp bytes = (npy_intp)element_bytes(c->dtype, OF_TENSOR);
    const uint32_t missing = missing_dimensions(c, array);
    const bool is_empty = count_elements(&c->view) == 0;
    for (uint32_t d = 0; d < c->view.rank; d++) {
        stride[d] = 1; /* whatever NumPy says where there is but one element, or none */
        if (c->view.size[d] <= 1 || is_empty)
            continue;
        const bool is_one = d < missing || PyArray_DIM(array, (int)(d - missing)) == 1;
        const npy_intp step = is_one ? 0 : PyArray_STRIDE(array, (int)(d - missing));
        if (step % bytes != 0)
            return false;
        stride[d] = step / bytes;
    }
    return !c->operation->has_rows || stride[c->view.rank - 1] == 1;
}

static bool complain_of_strides(const operand *o)
{
    PyErr_Format(PyExc_ValueError,
                 "%s: elements of a row must lie next to each other, and those of all outputs at the same "
                 "places",
                 o->name);
    return false;
}

static PyArray_Descr *new_descr_of(PyArrayObject *array)
{
    return (PyArray_Descr *)Py_NewRef((PyObject *)PyArray_DESCR(array));
}

/* Whether elements lie at the same places, relative to the first one. */
static bool are_laid_out_alike(PyArrayObject *a, PyArrayObject *b)
{
    for (int d = 0; d < PyArray_NDIM(a); d++)
        if (PyArray_DIM(a, d) > 1 && PyArray_STRIDE(a, d) != PyArray_STRIDE(b, d))
            return false;
    return true;
}

/* A new array, of the dtype of `like`, whose elements lie as those of `layout`, with gaps between them. */
static PyArrayObject *make_alike(PyArrayObject *layout, PyArrayObject *like)
{
    PyArrayObject *dense =
        (PyArrayObject *)PyArray_NewLikeArray(layout, NPY_KEEPORDER, new_descr_of(like), 0);
    if (dense == NULL || PyArray_SIZE(dense) == 0 || are_laid_out_alike(dense, layout))
        return dense;
    Py_DECREF((PyObject *)dense);
    const int rank = PyArray_NDIM(layout);
    npy_intp before = 0, extent = PyArray_ITEMSIZE(layout), stride[DROPWISE_MAX_RANK];
    for (int d = 0; d < rank; d++) {
        stride[d] = PyArray_STRIDE(layout, d);
        const npy_intp reach = (PyArray_DIM(layout, d) - 1) * stride[d];
        before -= reach < 0 ? reach : 0;
        extent += reach < 0 ? -reach : reach;
    }
    PyObject *memory = PyArray_SimpleNew(1, &extent, NPY_UINT8);
    if (memory == NULL)
        return NULL;
    PyArrayObject *array = (PyArrayObject *)PyArray_NewFromDescr(
        &PyArray_Type, new_descr_of(like), rank, PyArray_DIMS(layout), stride,
        PyArray_BYTES((PyArrayObject *)memory) + before, NPY_ARRAY_WRITEABLE, NULL);
    if (array == NULL)
        Py_DECREF(memory);
    else if (PyArray_SetBaseObject(array, memory) < 0) /* takes the reference */
        Py_CLEAR(array);
    return array;
}

/* An array that broadcasts, of the same shape but for rows of the view's length. */
static PyArrayObject *make_whole_rows(const call *c, PyArrayObject *array)
{
    npy_intp size[DROPWISE_MAX_RANK];
    int rank = PyArray_NDIM(array);
    for (int d = 0; d < rank; d++)
        size[d] = PyArray_DIM(array, d);
    rank += rank == 0;
    size[rank - 1] = (npy_intp)c->view.size[c->view.rank - 1];
    return (PyArrayObject *)PyArray_NewFromDescr(&PyArray_Type, new_descr_of(array), rank, size, NULL, NULL,
                                                 0, NULL);
}

/*
 * Puts a copy in place of an input that is not laid out as its role wants it. Elements keep their dtype, so
 * that bits are copied, whatever the call takes them for.
 */
static bool copy_as(const call *c, operand_role role, PyArrayObject **array, PyArrayObject *layout)
{
    PyArrayObject *copy = role == IN_Y ? make_alike(layout, *array)
                          : role == IN_ADD
                              ? make_whole_rows(c, *array)
                              : (PyArrayObject *)PyArray_NewLikeArray(*array, NPY_CORDER, NULL, 0);
    if (copy == NULL || PyArray_CopyInto(copy, *array) < 0) {
        Py_XDECREF((PyObject *)copy);
        return false;
    }
    Py_DECREF((PyObject *)*array);
    *array = copy;
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
        a->is_copy[i] = true;
    }
    return true;
}

/* What a function says of the place of a tensor of this shape. */
static bool call_place(call *c, PyArrayObject *tensor, PyObject *function)
{
    PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(tensor), PyArray_DIMS(tensor));
    PyObject *place = shape == NULL ? NULL : PyObject_CallFunctionObjArgs(function, shape, NULL);
    const bool is_read = place != NULL && read_struct(place, "place", &c->view, sizeof c->view);
    Py_XDECREF(shape);
    Py_XDECREF(place);
    return is_read;
}

/*
 * The view, but for strides, of `place`: a view of the library, a function of the shape that makes one, or
 * the mask's index of the first element.
 */
static bool read_view(call *c, const arrays *a, PyObject *place)
{
    PyArrayObject *tensor = first_tensor(c, a);
    uint64_t size[DROPWISE_MAX_RANK] = {0}, first = 0;
    if (PyBytes_Check(place)) {
        if (!read_struct(place, "place", &c->view, sizeof c->view))
            return false;
    } else if (tensor != NULL && PyCallable_Check(place)) {
        if (!call_place(c, tensor, place))
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
        const bool may_broadcast = o->role == IN_ADD;
        if (a->of[i] != NULL && has_view(o->role) && !has_shape(c, a->of[i], may_broadcast)) {
            PyErr_Format(PyExc_ValueError, "%s: %s the shape of the other arrays or of the mask", o->name,
                         may_broadcast ? "does not broadcast to" : "has not");
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
        a->of[i] = layout != NULL ? make_alike(layout, layout)
                                  : (PyArrayObject *)PyArray_NewLikeArray(
                                        tensor, c->operation->has_rows ? NPY_CORDER : NPY_KEEPORDER, NULL, 0);
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
                if (!copy_as(c, o->role, &a->of[i], layout))
                    return false;
                fits = read_strides(c, a->of[i], stride);
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
            if (is_output(o->role)) {
                PyErr_Format(PyExc_ValueError, "%s: must be C-contiguous", o->name);
                return false;
            }
            if (!copy_as(c, o->role, &a->of[i], NULL))
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
    const char *name = name_of_stored(c->operation);
    c->stored_mask.form = type == NPY_BOOL        ? DROPWISE_FORM_BYTES
                          : type == NPY_UINT8     ? DROPWISE_FORM_BITS
                          : is_of_dtype(c, array) ? DROPWISE_FORM_SCALED
                                                  : 0;
    if (c->stored_mask.form == 0 || !PyArray_ISNOTSWAPPED(array)) {
        PyErr_Format(PyExc_TypeError,
                     "%s: elements of %R; they may be bool, uint8 (packed bits), or those of the tensor",
                     name, (PyObject *)PyArray_DESCR(array));
        return false;
    }
    if (!PyArray_IS_C_CONTIGUOUS(array)) {
        const bool has_rows =
            rank == 2 && PyArray_STRIDE(array, 1) == PyArray_ITEMSIZE(array) && PyArray_STRIDE(array, 0) > 0;
        if (!has_rows) {
            PyErr_Format(PyExc_ValueError, "%s: must be C-contiguous, or rows with gaps between them", name);
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

/* The outputs that Python gets. */
static bool is_result(operand_role role)
{
    return role == OUT || role == OUT_FLAT;
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
        a->given[i] = args[i];
    }
    if (stored != Py_None) {
        if (o->stored == TAKES_NONE) {
            PyErr_Format(PyExc_TypeError, "stored: %s stores no mask", o->name);
            return false;
        }
        a->stored = as_array(stored, name_of_stored(o), o->stored == WRITES_MASK);
        if (a->stored == NULL)
            return false;
        if (o->stored == WRITES_MASK && !PyArray_ISWRITEABLE(a->stored)) {
            PyErr_Format(PyExc_ValueError, "%s: is read-only", name_of_stored(o));
            return false;
        }
    }
    c->is_named = c->dtype != 0;
    if (!find_dtype(c, a))
        return false;
    for (int i = 0; i < n; i++)
        if (a->of[i] != NULL && !check_elements(c, &o->operands[i], a->of[i]))
            return false;
    return true;
}

/* Rows have elements to the library: of those that have none there are none. */
static void leave_out_empty_rows(call *c)
{
    if (!c->operation->has_rows || c->view.size[c->view.rank - 1] != 0)
        return;
    static const uint64_t none[2] = {0, 1};
    const uint64_t first = c->view.first;
    (void)dropwise_view_init(&c->view, 2, none);
    c->view.first = first;
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (c->operation->operands[i].role == OUT_ROW_SUMS)
            c->at[i] = NULL; /* as its row has no elements either */
}

bool read_arrays(call *c, arrays *a, PyObject *const *args, int n, PyObject *place, PyObject *stored)
{
    if (!take_arrays(c, a, args, n, stored) || (c->operation->has_range && !make_dense(c, a)) ||
        !read_view(c, a, place) || !read_tensors(c, a) || !read_others(c, a) || !read_stored(c, a))
        return false;
    leave_out_empty_rows(c);
    return true;
}

PyObject *outputs_of(const call *c, const arrays *a)
{
    PyObject *result[MAX_OPERANDS];
    int n = 0;
    for (int i = 0; i < MAX_OPERANDS; i++) {
        if (a->is_copy[i] && PyArray_ResolveWritebackIfCopy(a->of[i]) < 0)
            return NULL;
        if (a->of[i] != NULL && is_result(c->operation->operands[i].role))
            result[n++] = a->given[i] != NULL ? a->given[i] : (PyObject *)a->of[i];
    }
    return n == 0   ? Py_NewRef(Py_None)
           : n == 1 ? Py_NewRef(result[0])
                    : PyTuple_Pack(2, result[0], result[1]);
}

/* The bytes from the first to the last of an array. */
static void find_extent(PyArrayObject *array, uintptr_t *begin, uintptr_t *end)
{
    *begin = (uintptr_t)PyArray_DATA(array);
    *end = *begin + (uintptr_t)PyArray_ITEMSIZE(array);
    for (int d = 0; d < PyArray_NDIM(array); d++) {
        const npy_intp reach = (PyArray_DIM(array, d) - 1) * PyArray_STRIDE(array, d);
        *begin -= reach < 0 ? (uintptr_t)-reach : 0;
        *end += reach < 0 ? 0 : (uintptr_t)reach;
    }
}

/* An output may be an input of its shape. */
static bool may_be_one(const operation *o, int i, int j, PyArrayObject *a, PyArrayObject *b)
{
    return i < MAX_OPERANDS && j < MAX_OPERANDS && has_view(o->operands[i].role) &&
           has_view(o->operands[j].role) && !is_output(o->operands[j].role) &&
           PyArray_DATA(a) == PyArray_DATA(b) && PyArray_SAMESHAPE(a, b) && are_laid_out_alike(a, b);
}

const char *find_overlap(const call *c, const arrays *a)
{
    enum { STORED = MAX_OPERANDS, ALL };
    const operation *o = c->operation;
    const char *name = NULL, *first = name_of_role(o, true);
    PyArrayObject *of[ALL];
    memcpy(of, a->of, sizeof a->of);
    of[STORED] = a->stored;
    for (int i = 0; i < ALL; i++) {
        const bool writes = i == STORED ? o->stored == WRITES_MASK : is_output(o->operands[i].role);
        /* Of two outputs it is the other one than "out". */
        if (of[i] == NULL || !writes || (name != NULL && i != STORED && o->operands[i].name == first))
            continue;
        uintptr_t begin, end;
        find_extent(of[i], &begin, &end);
        for (int j = 0; j < ALL; j++) {
            uintptr_t other_begin, other_end;
            if (j == i || of[j] == NULL || may_be_one(o, i, j, of[i], of[j]))
                continue;
            find_extent(of[j], &other_begin, &other_end);
            if (begin < other_end && other_begin < end)
                name = i == STORED ? name_of_stored(o) : o->operands[i].name;
        }
    }
    return name;
}

int import_numpy(void)
{
    return PyArray_ImportNumPyAPI();
}
