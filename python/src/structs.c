#include "structs.h"

#include <math.h>

#include "interop/constructors.h"
#include "interop/layout_options.h"

/* ---- Masks, places, layers ---- */

/* mask(p, seed, stream, generator, scaling) */
static PyObject *mask(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *p, *seed, *stream;
    dropwise_mask m;
    unsigned generator, scaling;
    double probability;
    uint64_t seed_bits, stream_bits;
    if (!PyArg_ParseTuple(args, "OOOII", &p, &seed, &stream, &generator, &scaling) ||
        !read_double(p, "p", &probability) || !read_u64(seed, "seed", &seed_bits) ||
        !read_u64(stream, "stream", &stream_bits))
        return NULL;
    const dropwise_status status = dropwise_mask_init(&m, probability, seed_bits, stream_bits);
    m.generator = generator;
    m.scaling = scaling;
    return make_struct(status, &m, sizeof m);
}

/* mask_threshold(mask): its keep probability times 2^40. */
static PyObject *mask_threshold(PyObject *module, PyObject *object)
{
    (void)module;
    dropwise_mask m;
    return read_struct(object, "mask", &m, sizeof m) ? PyLong_FromUnsignedLongLong(m.keep_threshold) : NULL;
}

/* keeps(mask, index) */
static PyObject *keeps(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *mask_bytes, *index;
    dropwise_mask m;
    uint64_t i;
    uint32_t kept;
    if (!PyArg_ParseTuple(args, "OO", &mask_bytes, &index) ||
        !read_struct(mask_bytes, "mask", &m, sizeof m) || !read_u64(index, "index", &i))
        return NULL;
    const dropwise_status status = dropwise_keeps(&m, i, &kept);
    if (status == DROPWISE_ERROR_RANGE)
        return raise_of(status, "index");
    return status == DROPWISE_OK ? PyBool_FromLong((long)kept) : raise_status(status, NULL);
}

/*
 * place(shape, first, shared, start, part): of a tensor of this shape, the mask being shared along the
 * dimensions of which the bits are set; of it the part of this shape from `start`, or all for None.
 */
static PyObject *place(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *shape, *first_index, *start, *part;
    unsigned shared;
    dropwise_view view;
    uint64_t size[DROPWISE_MAX_RANK], first, start_at[DROPWISE_MAX_RANK], part_size[DROPWISE_MAX_RANK];
    if (!PyArg_ParseTuple(args, "O!OIOO", &PyTuple_Type, &shape, &first_index, &shared, &start, &part) ||
        !read_u64(first_index, "first", &first))
        return NULL;
    const Py_ssize_t rank = PyTuple_Size(shape);
    if (rank < 1 || rank > DROPWISE_MAX_RANK)
        return raise_status(DROPWISE_ERROR_RANK, NULL);
    if (!read_sizes(shape, "shape", (uint32_t)rank, size))
        return NULL;
    dropwise_status status = dropwise_view_init(&view, (uint32_t)rank, size);
    if (status == DROPWISE_OK)
        status = dropwise_view_share(&view, shared);
    view.first = first;
    if (status == DROPWISE_OK && start != Py_None) {
        if (!read_sizes(start, "shard", (uint32_t)rank, start_at) ||
            !read_sizes(part, "shape", (uint32_t)rank, part_size))
            return NULL;
        status = dropwise_view_shard(&view, start_at, part_size);
        if (status == DROPWISE_ERROR_SHAPE)
            return PyErr_Format(PyExc_ValueError, "shard: does not lie inside of the whole tensor");
    }
    return make_struct(status, &view, sizeof view);
}

/* softmax(scale, causal, causal_offset) */
static PyObject *softmax(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *scale_number, *offset_number;
    dropwise_softmax s;
    double scale;
    int causal;
    int64_t offset;
    if (!PyArg_ParseTuple(args, "OpO", &scale_number, &causal, &offset_number) ||
        !read_double(scale_number, "scale", &scale) || !read_i64(offset_number, "causal_offset", &offset))
        return NULL;
    const dropwise_status status = dropwise_softmax_init(&s, scale);
    s.causal = (uint32_t)causal;
    s.causal_offset = offset;
    if (status == DROPWISE_ERROR_PARAMETER)
        return raise_of(status, "scale");
    return make_struct(status, &s, sizeof s);
}

/* concrete(logit, temperature, weight_regularizer, dropout_regularizer, features) */
static PyObject *concrete(PyObject *module, PyObject *args)
{
    (void)module;
    enum { LOGIT, TEMPERATURE, WEIGHT, DROPOUT, NUMBERS };
    static const char *const names[] = {"logit", "temperature", "weight_regularizer", "dropout_regularizer"};
    dropwise_concrete c;
    double number[NUMBERS];
    PyObject *given[NUMBERS], *features;
    uint64_t n;
    if (!PyArg_ParseTuple(args, "OOOOO", &given[LOGIT], &given[TEMPERATURE], &given[WEIGHT], &given[DROPOUT],
                          &features) ||
        !read_u64(features, "features", &n))
        return NULL;
    for (int i = 0; i < NUMBERS; i++)
        if (!read_double(given[i], names[i], &number[i]))
            return NULL;
    const dropwise_status status = dropwise_concrete_init(&c, number[LOGIT], number[TEMPERATURE]);
    if (status == DROPWISE_ERROR_PARAMETER)
        return raise_of(status, "logit, temperature");
    for (int i = WEIGHT; i <= DROPOUT; i++)
        if (!isfinite(number[i]))
            return raise_of(DROPWISE_ERROR_PARAMETER, names[i]);
    c.weight_regularizer = number[WEIGHT];
    c.dropout_regularizer = number[DROPOUT];
    c.features = n;
    return make_struct(status, &c, sizeof c);
}

/* concrete_probability(concrete) */
static PyObject *concrete_probability(PyObject *module, PyObject *object)
{
    (void)module;
    dropwise_concrete c;
    double p;
    if (!read_struct(object, "concrete", &c, sizeof c))
        return NULL;
    const dropwise_status status = dropwise_concrete_probability(&c, &p);
    return status == DROPWISE_OK ? PyFloat_FromDouble(p) : raise_status(status, NULL);
}

/* dropblock(place, dimensions, size, seeds) */
static PyObject *dropblock(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *view_bytes, *size;
    dropwise_view view;
    dropwise_dropblock block;
    unsigned dimensions, seeds;
    uint64_t n;
    if (!PyArg_ParseTuple(args, "OIOI", &view_bytes, &dimensions, &size, &seeds) ||
        !read_struct(view_bytes, "place", &view, sizeof view) || !read_u64(size, "block_size", &n))
        return NULL;
    const dropwise_status status = dropwise_dropblock_init(&block, &view, dimensions, n);
    block.seeds = seeds;
    if (status == DROPWISE_ERROR_SHAPE)
        return raise_of(status, "block_size");
    return make_struct(status, &block, sizeof block);
}

/* dropblock_gamma(block, place, p) */
static PyObject *dropblock_gamma(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *view_bytes, *block_bytes, *probability;
    dropwise_view view;
    dropwise_dropblock block;
    double p, gamma;
    if (!PyArg_ParseTuple(args, "OOO", &block_bytes, &view_bytes, &probability) ||
        !read_double(probability, "p", &p) || !read_struct(block_bytes, "block", &block, sizeof block) ||
        !read_struct(view_bytes, "place", &view, sizeof view))
        return NULL;
    const dropwise_status status = dropwise_dropblock_gamma(&block, &view, p, &gamma);
    return status == DROPWISE_OK ? PyFloat_FromDouble(gamma) : raise_status(status, NULL);
}

/* dropblock_entries(place) */
static PyObject *dropblock_entries(PyObject *module, PyObject *object)
{
    (void)module;
    dropwise_view view;
    uint64_t entries;
    if (!read_struct(object, "place", &view, sizeof view))
        return NULL;
    const dropwise_status status = dropwise_dropblock_entries(&view, &entries);
    return status == DROPWISE_OK ? PyLong_FromUnsignedLongLong(entries) : raise_status(status, NULL);
}

/* dropconnect(first, samples, rows, columns, x_stride) */
static PyObject *dropconnect(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *first, *shape;
    dropwise_dropconnect layer;
    uint64_t sizes[4], first_index;
    if (!PyArg_ParseTuple(args, "OO", &first, &shape) || !read_u64(first, "first", &first_index) ||
        !read_sizes(shape, "w", 4, sizes))
        return NULL;
    const dropwise_status status = dropwise_dropconnect_init(&layer, sizes[0], sizes[1], sizes[2]);
    layer.first = first_index;
    layer.x_stride = sizes[3];
    if (status == DROPWISE_ERROR_SHAPE)
        return raise_of(status, "w");
    return make_struct(status, &layer, sizeof layer);
}

/* ---- Masks of other systems ---- */

/*
 * interop(layout, p, seed, stream, offset, size, rows, columns, before, run, threads, vector, draws, dtype,
 * key, counter): what the layout has no use for is 0. For layouts that are given what is kept, as JAX's, p is
 * that, and a key of theirs is the seed.
 */
static PyObject *interop(PyObject *module, PyObject *args)
{
    (void)module;
    static const char *const names[] = {"seed", "stream",  "offset", "size",
                                        "rows", "columns", "before", "run"};
    PyObject *p, *words[8], *threads, *vector, *key, *counter;
    unsigned layout;
    layout_call l = {.p = 0};
    uint64_t *const places[] = {&l.seed, &l.stream,  &l.offset, &l.size,
                                &l.rows, &l.columns, &l.before, &l.run};
    dropwise_interop masks;
    if (!PyArg_ParseTuple(args, "IOOOOOOOOOOOiiOO", &layout, &p, &words[0], &words[1], &words[2], &words[3],
                          &words[4], &words[5], &words[6], &words[7], &threads, &vector, &l.draws, &l.dtype,
                          &key, &counter) ||
        !read_double(p, "p", &l.p) || !read_u32(threads, "threads", &l.threads) ||
        !read_u32(vector, "vector", &l.vector) || !read_sizes(key, "key", 2, l.numpy_key) ||
        !read_sizes(counter, "counter", 4, l.numpy_counter))
        return NULL;
    for (int i = 0; i < 8; i++)
        if (!read_u64(words[i], names[i], places[i]))
            return NULL;
    l.keep = l.p;
    const dropwise_status status = call_constructor(layout, &l, &masks);
    if (status == DROPWISE_ERROR_PARAMETER)
        return PyErr_Format(PyExc_ValueError, "%s: a number that this system has no masks for: %s",
                            dropwise_layout_name(layout), dropwise_status_string(status));
    return make_struct(status, &masks, sizeof masks);
}

/* A dictionary of the numbers whose bits are set: how many bits each has. */
static PyObject *numbers_of(unsigned which)
{
    PyObject *numbers = PyDict_New();
    for (int i = 0; numbers != NULL && i < LAYOUT_NUMBERS; i++) {
        if ((which >> i & 1) == 0)
            continue;
        PyObject *bits = PyLong_FromLong((long)layout_numbers[i].bits);
        if (bits == NULL || PyDict_SetItemString(numbers, layout_numbers[i].name, bits) < 0)
            Py_CLEAR(numbers);
        Py_XDECREF(bits);
    }
    return numbers;
}

/* layout_options(layout): (bits of the seed, numbers that it needs, numbers that it takes) */
static PyObject *layout_options_tuple(PyObject *module, PyObject *object)
{
    (void)module;
    uint32_t layout;
    if (!read_u32(object, "layout", &layout))
        return NULL;
    for (int i = 0; i < LAYOUTS; i++) {
        const layout_options *o = &layout_options_of[i];
        if (o->layout == layout)
            return Py_BuildValue("INN", o->seed_bits, numbers_of(o->needs), numbers_of(o->takes));
    }
    return raise_status(DROPWISE_ERROR_LAYOUT, NULL);
}

/* interop_fields(masks): (size, keep, scale) */
static PyObject *interop_fields(PyObject *module, PyObject *object)
{
    (void)module;
    dropwise_interop masks;
    return read_struct(object, "masks", &masks, sizeof masks)
               ? Py_BuildValue("Kdd", (unsigned long long)masks.size, masks.keep, masks.scale)
               : NULL;
}

/* interop_mask(masks): the mask that scales as they do. */
static PyObject *interop_mask(PyObject *module, PyObject *object)
{
    (void)module;
    dropwise_interop masks;
    dropwise_mask m;
    return read_struct(object, "masks", &masks, sizeof masks)
               ? make_struct(dropwise_interop_mask(&masks, &m), &m, sizeof m)
               : NULL;
}

static PyObject *key_of(dropwise_status status, const uint32_t key[2], const char *argument)
{
    return status == DROPWISE_OK ? Py_BuildValue("II", key[0], key[1]) : raise_of(status, argument);
}

/* jax_key(seed) */
static PyObject *jax_key(PyObject *module, PyObject *object)
{
    (void)module;
    uint64_t seed;
    uint32_t key[2];
    return read_u64(object, "seed", &seed) ? key_of(dropwise_jax_key(seed, key), key, "seed") : NULL;
}

/* jax_fold_in(key high, key low, data) */
static PyObject *jax_fold_in(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2];
    PyObject *object;
    uint32_t data;
    return PyArg_ParseTuple(args, "IIO", &key[0], &key[1], &object) && read_u32(object, "data", &data)
               ? key_of(dropwise_jax_fold_in(key, data, key), key, "data")
               : NULL;
}

/* jax_split(key high, key low, child, children): children is 0 for partitionable keys. */
static PyObject *jax_split(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2], n;
    PyObject *child, *children;
    uint64_t i;
    if (!PyArg_ParseTuple(args, "IIOO", &key[0], &key[1], &child, &children) ||
        !read_u64(child, "child", &i) || !read_u32(children, "children", &n))
        return NULL;
    if (n != 0 && i >= n)
        return PyErr_Format(PyExc_ValueError, "child: must be below children");
    return key_of(n == 0 ? dropwise_jax_split(key, i, key)
                         : dropwise_jax_split_legacy(key, n, (uint32_t)i, key),
                  key, "children");
}

/* jax_linen_key(root high, root low, path, call, separator) */
static PyObject *jax_linen_key(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2], n;
    const char *path;
    PyObject *call;
    int separator;
    return PyArg_ParseTuple(args, "IIsOp", &key[0], &key[1], &path, &call, &separator) &&
                   read_u32(call, "call", &n)
               ? key_of(dropwise_jax_linen_key(key, path, n, separator != 0, key), key, "path")
               : NULL;
}

/* jax_nnx_key(root high, root low, taken, call) */
static PyObject *jax_nnx_key(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2], before, n;
    PyObject *taken, *call;
    return PyArg_ParseTuple(args, "IIOO", &key[0], &key[1], &taken, &call) &&
                   read_u32(taken, "taken", &before) && read_u32(call, "call", &n)
               ? key_of(dropwise_jax_nnx_key(key, before, n, key), key, "call")
               : NULL;
}

/* jax_haiku_key(root high, root low, call) */
static PyObject *jax_haiku_key(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2], n;
    PyObject *call;
    return PyArg_ParseTuple(args, "IIO", &key[0], &key[1], &call) && read_u32(call, "call", &n)
               ? key_of(dropwise_jax_haiku_key(key, n, key), key, "call")
               : NULL;
}

/* jax_keras_key(seed, call) */
static PyObject *jax_keras_key(PyObject *module, PyObject *args)
{
    (void)module;
    uint32_t key[2], of_layer, n;
    PyObject *seed, *call;
    return PyArg_ParseTuple(args, "OO", &seed, &call) && read_u32(seed, "seed", &of_layer) &&
                   read_u32(call, "call", &n)
               ? key_of(dropwise_jax_keras_key(of_layer, n, key), key, "call")
               : NULL;
}

/* numpy_key(seed) */
static PyObject *numpy_key(PyObject *module, PyObject *object)
{
    (void)module;
    uint64_t seed, key[2];
    if (!read_u64(object, "seed", &seed))
        return NULL;
    dropwise_numpy_key(seed, key);
    return Py_BuildValue("KK", (unsigned long long)key[0], (unsigned long long)key[1]);
}

/* numpy_pcg64_seed(seed): the words of state and increment, low ones first */
static PyObject *numpy_pcg64_seed(PyObject *module, PyObject *object)
{
    (void)module;
    uint64_t seed, state[2], increment[2];
    if (!read_u64(object, "seed", &seed))
        return NULL;
    dropwise_numpy_pcg64_seed(seed, state, increment);
    return Py_BuildValue("(KK)(KK)", (unsigned long long)state[0], (unsigned long long)state[1],
                         (unsigned long long)increment[0], (unsigned long long)increment[1]);
}

/* launch(layout, dtype, numel, sm_count, threads_per_sm): (threads, vector, step) */
static PyObject *launch(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *words[3];
    unsigned layout;
    int dtype;
    uint64_t numel, step = 0;
    uint32_t sm_count, threads_per_sm, threads = 0, vector = 4;
    if (!PyArg_ParseTuple(args, "IiOOO", &layout, &dtype, &words[0], &words[1], &words[2]) ||
        !read_u64(words[0], "numel", &numel) || !read_u32(words[1], "sm_count", &sm_count) ||
        !read_u32(words[2], "threads_per_sm", &threads_per_sm))
        return NULL;
    const dropwise_status status =
        layout == DROPWISE_LAYOUT_TORCH_CUDA
            ? dropwise_torch_cuda_launch(dtype, numel, sm_count, threads_per_sm, &threads, &vector, &step)
        : layout == DROPWISE_LAYOUT_ONNX_RUNTIME
            ? dropwise_onnx_runtime_launch(numel, sm_count, threads_per_sm, &threads, &step)
            : dropwise_deepspeed_launch(numel, &threads, &step);
    if (status == DROPWISE_ERROR_PARAMETER)
        return raise_of(status, "numel");
    return status == DROPWISE_OK ? Py_BuildValue("IIK", threads, vector, (unsigned long long)step)
                                 : raise_status(status, NULL);
}

PyMethodDef struct_methods[] = {
    {"mask", mask, METH_VARARGS, NULL},
    {"mask_threshold", mask_threshold, METH_O, NULL},
    {"keeps", keeps, METH_VARARGS, NULL},
    {"place", place, METH_VARARGS, NULL},
    {"softmax", softmax, METH_VARARGS, NULL},
    {"concrete", concrete, METH_VARARGS, NULL},
    {"concrete_probability", concrete_probability, METH_O, NULL},
    {"dropblock", dropblock, METH_VARARGS, NULL},
    {"dropblock_gamma", dropblock_gamma, METH_VARARGS, NULL},
    {"dropblock_entries", dropblock_entries, METH_O, NULL},
    {"dropconnect", dropconnect, METH_VARARGS, NULL},
    {"interop", interop, METH_VARARGS, NULL},
    {"layout_options", layout_options_tuple, METH_O, NULL},
    {"interop_fields", interop_fields, METH_O, NULL},
    {"interop_mask", interop_mask, METH_O, NULL},
    {"jax_key", jax_key, METH_O, NULL},
    {"jax_fold_in", jax_fold_in, METH_VARARGS, NULL},
    {"jax_split", jax_split, METH_VARARGS, NULL},
    {"jax_linen_key", jax_linen_key, METH_VARARGS, NULL},
    {"jax_nnx_key", jax_nnx_key, METH_VARARGS, NULL},
    {"jax_haiku_key", jax_haiku_key, METH_VARARGS, NULL},
    {"jax_keras_key", jax_keras_key, METH_VARARGS, NULL},
    {"numpy_key", numpy_key, METH_O, NULL},
    {"numpy_pcg64_seed", numpy_pcg64_seed, METH_O, NULL},
    {"launch", launch, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
