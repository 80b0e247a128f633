/*
 * The handler that XLA calls for dropwise.jax, on CPUs: masks, and dropout by them, of a batch of tensors or
 * of this device's part of each. Python is not entered here. What the operands are, and how parts and batches
 * are told, is said in dropwise/jax/_primitive.py, which is the only caller.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "call.h"
#include "jax.h"
#include "xla_ffi.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below so many elements for each, another thread of XLA's costs more than it saves. */
enum { PART_AT_LEAST = 1 << 16, MAX_PARTS = 256 };

/* Parts begin at multiples of this, which the library draws at once. */
enum { CUT = 1 << 14 };

/*
 * The operand of numbers: what masks are; the sizes of a whole tensor, of which a batch may have many, each
 * as its upper and lower word; along each dimension the number of the part that this is. It is no attribute,
 * as jaxlib before 0.8 aborts in a pass that takes attributes for JSON.
 */
enum { LAYOUT, GENERATOR_OR_DRAWS, WHOLE };

enum { MAX_RANK = 64 }; /* as NumPy's */

typedef struct job {
    int64_t layout; /* of the library's interop; 0: its own stream */
    int32_t generator_or_draws;
    dropwise_dtype dtype; /* of x, or of scaled entries   */
    bool has_bytes;       /* the output is a mask as bool */
    const xla_buffer *key, *p, *x, *y;
    const int32_t *block; /* numbers of the part */
    int64_t whole[MAX_RANK];
    const int64_t *local; /* sizes: of the part */
    int64_t rank, batch_rank;
    uint64_t n, item;    /* elements: all, of a tensor of the batch */
    int64_t cut;         /* the last dimension along which the part is not the whole: a run ... */
    uint64_t inner, run; /* ... is so long, of so many elements for each step of that dimension */
} job;

/* What draws the mask of one tensor of the batch. */
typedef struct source {
    dropwise_mask mask;
    dropwise_interop interop;
} source;

static uint64_t product(const int64_t *sizes, int64_t from, int64_t to)
{
    uint64_t n = 1;
    for (int64_t d = from; d < to; d++)
        n *= (uint64_t)sizes[d];
    return n;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- One tensor of the batch ---- */

/* Where an operand's entry for a tensor of the batch is, if it has one for each, or one for all. */
static uint64_t entry_of(const job *j, const xla_buffer *of, uint64_t item)
{
    uint64_t entry = 0, stride = 1;
    for (int64_t d = j->batch_rank - 1; d >= 0; d--) {
        const uint64_t size = (uint64_t)j->y->sizes[d];
        entry += of->sizes[d] == 1 ? 0 : item % size * stride;
        stride *= (uint64_t)of->sizes[d];
        item /= size;
    }
    return entry;
}

static double probability_of(const job *j, uint64_t item)
{
    const uint64_t entry = entry_of(j, j->p, item);
    return j->p->dtype == XLA_F64 ? ((const double *)j->p->data)[entry]
                                  : (double)((const float *)j->p->data)[entry];
}

/*
 * XLA on CPUs computes a division of bfloat16 in float32, so that its reciprocal is rounded to that, where
 * others round it to the tensor's dtype.
 */
static double scale_of_bfloat16(double keep)
{
    float rounded = (float)keep;
    uint32_t word;
    memcpy(&word, &rounded, sizeof word);
    word = (word + 0x7fff + (word >> 16 & 1)) & 0xffff0000;
    memcpy(&rounded, &word, sizeof word);
    return (double)(1.0f / rounded);
}

static dropwise_status begin_item(const job *j, uint64_t item, source *s)
{
    const uint32_t *key = (const uint32_t *)j->key->data + 2 * entry_of(j, j->key, item);
    const double p = probability_of(j, item);
    if (j->layout == 0) {
        dropwise_status status = dropwise_mask_init(&s->mask, p, (uint64_t)key[0] << 32 | key[1], 0);
        s->mask.generator = (uint32_t)j->generator_or_draws;
        return status;
    }
    const dropwise_status status =
        j->layout == DROPWISE_LAYOUT_JAX
            ? dropwise_interop_jax(&s->interop, key, j->generator_or_draws, j->dtype, p)
            : dropwise_interop_jax_legacy(&s->interop, key, product(j->whole, 0, j->rank),
                                          j->generator_or_draws, j->dtype, p);
    if (status == DROPWISE_OK && j->dtype == DROPWISE_BF16 && p > 0.0)
        s->interop.scale = scale_of_bfloat16(p);
    return status != DROPWISE_OK ? status : dropwise_mask_init(&s->mask, 0.0, 0, 0);
}

/* Writes the mask of elements [first, first + n), as bool or scaled. */
static dropwise_status draw_mask(const job *j, const source *s, uint64_t first, uint64_t n, uint8_t *y)
{
    enum { CHUNK = 4096 };
    const uint64_t bytes = j->has_bytes ? 1 : element_bytes(j->dtype, OF_TENSOR);
    dropwise_status status = DROPWISE_OK;
    for (uint64_t done = 0; status == DROPWISE_OK && done < n; done += CHUNK) {
        uint8_t bits[CHUNK / 8];
        const size_t len = (size_t)smaller(CHUNK, n - done);
        status = j->layout == 0 ? dropwise_draw_bits(&s->mask, first + done, len, bits)
                                : dropwise_interop_bits(&s->interop, first + done, len, bits);
        const dropwise_stored from = {
            .struct_size = sizeof from, .form = DROPWISE_FORM_BITS, .data = bits, .size = sizeof bits};
        const dropwise_stored to = {.struct_size = sizeof to,
                                    .form = j->has_bytes ? DROPWISE_FORM_BYTES : DROPWISE_FORM_SCALED,
                                    .data = y + done * bytes,
                                    .size = len * bytes};
        if (status == DROPWISE_OK)
            status = dropwise_convert_stored(&s->mask, j->dtype, 1, len, &from, &to);
    }
    return status;
}

static dropwise_status draw(const job *j, const source *s, uint64_t first, uint64_t n, const uint8_t *x,
                            uint8_t *y)
{
    if (n == 0)
        return DROPWISE_OK;
    if (x == NULL)
        return draw_mask(j, s, first, n, y);
    return j->layout == 0 ? dropwise_forward(&s->mask, j->dtype, first, (size_t)n, x, y, NULL)
                          : dropwise_interop_forward(&s->interop, j->dtype, first, (size_t)n, x, y, NULL);
}

/*
 * The index in the whole tensor of a run's first element, and how many of its elements the whole has: where
 * sizes do not divide, the last devices have elements beyond it, which are nobody's.
 */
static uint64_t place_of_run(const job *j, uint64_t run, uint64_t *within)
{
    const uint64_t start = (uint64_t)j->block[j->cut] * (uint64_t)j->local[j->cut];
    const uint64_t size = (uint64_t)j->whole[j->cut];
    *within = start < size ? smaller((uint64_t)j->local[j->cut], size - start) * j->inner : 0;
    uint64_t first = start * j->inner, stride = size * j->inner;
    for (int64_t d = j->cut - 1; d >= 0; d--) {
        const uint64_t length = (uint64_t)j->local[d];
        const uint64_t at = (uint64_t)j->block[d] * length + run % length;
        if (at >= (uint64_t)j->whole[d])
            *within = 0;
        first += at * stride;
        stride *= (uint64_t)j->whole[d];
        run /= length;
    }
    return first;
}

/* Elements [begin, end) of all that the output has. */
static dropwise_status run_elements(const job *j, uint64_t begin, uint64_t end)
{
    const uint64_t bytes = j->has_bytes ? 1 : element_bytes(j->dtype, OF_TENSOR);
    uint8_t *y = (uint8_t *)j->y->data + begin * bytes;
    source s;
    for (uint64_t at = begin, next; at < end; at = next) {
        const uint64_t item = at / j->item, in_item = at % j->item, in_run = in_item % j->run;
        next = smaller(end, at - in_run + j->run);
        if (at == begin || in_item == 0) {
            const dropwise_status status = begin_item(j, item, &s);
            if (status != DROPWISE_OK)
                return status;
        }
        const uint8_t *x = NULL;
        if (j->x != NULL)
            x = (const uint8_t *)j->x->data + (entry_of(j, j->x, item) * j->item + in_item) * bytes;
        uint64_t within;
        const uint64_t first = place_of_run(j, in_item / j->run, &within) + in_run;
        const uint64_t drawn = in_run < within ? smaller(next - at, within - in_run) : 0;
        const dropwise_status status = draw(j, &s, first, drawn, x, y);
        if (status != DROPWISE_OK)
            return status;
        memset(y + drawn * bytes, 0, (next - at - drawn) * bytes);
        y += (next - at) * bytes;
    }
    return DROPWISE_OK;
}

/* ---- On XLA's threads ---- */

/*
 * Parts are taken by whoever comes: the caller never waits for a thread that has not begun, of which XLA may
 * have none to spare. Threads that come too late find no part, but still this, which the last one frees.
 */
typedef struct work {
    job job;
    uint64_t length, parts;
    atomic_uint_fast64_t next, unfinished;
    atomic_int references, status;
    PyThread_type_lock done;
} work;

static void take_parts(work *w)
{
    for (uint64_t k; (k = atomic_fetch_add(&w->next, 1)) < w->parts;) {
        const dropwise_status status =
            run_elements(&w->job, k * w->length, smaller(w->job.n, (k + 1) * w->length));
        if (status != DROPWISE_OK)
            atomic_store(&w->status, status);
        if (atomic_fetch_sub(&w->unfinished, 1) == 1)
            PyThread_release_lock(w->done);
    }
}

static void release_work(work *w)
{
    if (atomic_fetch_sub(&w->references, 1) != 1)
        return;
    PyThread_free_lock(w->done);
    free(w);
}

static void help(void *data)
{
    take_parts(data);
    release_work(data);
}

static bool succeeded(const xla_call *c, xla_error *error)
{
    if (error == NULL)
        return true;
    xla_error_destroy arguments = {.struct_size = sizeof arguments, .error = error};
    c->api->destroy_error(&arguments);
    return false;
}

static uint64_t threads_of(const xla_call *c)
{
    int64_t threads = 1;
    xla_count_threads arguments = {
        .struct_size = sizeof arguments, .context = c->context, .threads = &threads};
    return succeeded(c, c->api->count_threads(&arguments)) && threads > 1 ? (uint64_t)threads : 1;
}

static dropwise_status run_job(const xla_call *c, const job *j)
{
    uint64_t parts = j->n / PART_AT_LEAST;
    if (parts > 1)
        parts = smaller(smaller(parts, MAX_PARTS), threads_of(c));
    work *w = parts > 1 ? malloc(sizeof *w) : NULL;
    if (w == NULL)
        return run_elements(j, 0, j->n);
    const uint64_t length = ((j->n + parts - 1) / parts + CUT - 1) / CUT * CUT;
    parts = (j->n + length - 1) / length;
    *w = (work){.job = *j, .length = length, .parts = parts, .done = PyThread_allocate_lock()};
    if (w->done == NULL) {
        free(w);
        return run_elements(j, 0, j->n);
    }
    atomic_init(&w->next, 0);
    atomic_init(&w->unfinished, parts);
    atomic_init(&w->references, 1);
    atomic_init(&w->status, DROPWISE_OK);
    PyThread_acquire_lock(w->done, WAIT_LOCK);
    xla_schedule arguments = {
        .struct_size = sizeof arguments, .context = c->context, .task = help, .data = w};
    for (uint64_t k = 1; k < parts; k++) {
        atomic_fetch_add(&w->references, 1);
        if (!succeeded(c, c->api->schedule(&arguments))) {
            release_work(w);
            break;
        }
    }
    take_parts(w);
    PyThread_acquire_lock(w->done, WAIT_LOCK); /* once all parts are finished */
    PyThread_release_lock(w->done);
    const dropwise_status status = atomic_load(&w->status);
    release_work(w);
    return status;
}

/* ---- The call ---- */

static dropwise_dtype dtype_of(int32_t dtype)
{
    switch (dtype) {
    case XLA_F32:
        return DROPWISE_F32;
    case XLA_PRED: /* a mask alone, whose scale nobody asks for: the dtype with the largest one */
    case XLA_F64:
        return DROPWISE_F64;
    case XLA_F16:
        return DROPWISE_F16;
    case XLA_BF16:
        return DROPWISE_BF16;
    case XLA_F8_E4M3:
        return DROPWISE_F8_E4M3;
    case XLA_F8_E5M2:
        return DROPWISE_F8_E5M2;
    default:
        return 0;
    }
}

/* Whether an operand has an entry for each tensor of the batch, or one for all, along each of its axes. */
static bool is_of_batch(const job *j, const xla_buffer *of)
{
    for (int64_t d = 0; d < j->batch_rank; d++)
        if (of->sizes[d] != 1 && of->sizes[d] != j->y->sizes[d])
            return false;
    return true;
}

/* What is wrong with a call that dropwise/jax/_primitive.py would not make; or NULL. */
static const char *read_job(const xla_call *c, job *j)
{
    const xla_buffers *in = &c->arguments, *out = &c->results;
    if ((in->size != 3 && in->size != 4) || out->size != 1)
        return "takes three operands or four, and has one result";
    const xla_buffer *numbers = in->of[2];
    if (numbers->dtype != XLA_S32 || numbers->rank != 1 || numbers->sizes[0] < WHOLE + 3 ||
        (numbers->sizes[0] - WHOLE) % 3 != 0 || (numbers->sizes[0] - WHOLE) / 3 > MAX_RANK)
        return "its numbers are two, and three for each dimension";
    const int32_t *number = numbers->data;
    *j = (job){.layout = number[LAYOUT],
               .generator_or_draws = number[GENERATOR_OR_DRAWS],
               .key = in->of[0],
               .p = in->of[1],
               .x = in->size == 4 ? in->of[3] : NULL,
               .y = out->of[0],
               .rank = (numbers->sizes[0] - WHOLE) / 3};
    j->block = number + WHOLE + 2 * j->rank;
    for (int64_t d = 0; d < j->rank; d++)
        j->whole[d] =
            (int64_t)((uint64_t)(uint32_t)number[WHOLE + 2 * d] << 32 | (uint32_t)number[WHOLE + 2 * d + 1]);
    j->dtype = dtype_of(j->y->dtype);
    j->has_bytes = j->y->dtype == XLA_PRED;
    j->batch_rank = j->y->rank - j->rank;
    if (j->batch_rank < 0 || j->key->rank != j->batch_rank + 1 || j->p->rank != j->batch_rank ||
        (j->x != NULL && j->x->rank != j->y->rank))
        return "its operands have other numbers of dimensions";
    if (j->dtype == 0 || (j->x != NULL && (j->has_bytes || j->x->dtype != j->y->dtype)) ||
        j->key->dtype != XLA_U32 || (j->p->dtype != XLA_F32 && j->p->dtype != XLA_F64) ||
        (j->layout != 0 && j->layout != DROPWISE_LAYOUT_JAX && j->layout != DROPWISE_LAYOUT_JAX_LEGACY))
        return "its operands have other dtypes";
    j->local = j->y->sizes + j->batch_rank;
    if (j->key->sizes[j->batch_rank] != 2 || !is_of_batch(j, j->key) || !is_of_batch(j, j->p) ||
        (j->x != NULL && (!is_of_batch(j, j->x) || memcmp(j->x->sizes + j->batch_rank, j->local,
                                                          (size_t)j->rank * sizeof *j->local) != 0)))
        return "its operands have other shapes";
    for (int64_t d = 0; d < j->rank; d++)
        if (j->block[d] < 0)
            return "its part is of no whole";
    j->item = product(j->local, 0, j->rank);
    j->n = product(j->y->sizes, 0, j->batch_rank) * j->item;
    for (j->cut = j->rank - 1; j->cut > 0 && j->local[j->cut] == j->whole[j->cut];)
        j->cut--;
    j->inner = product(j->whole, j->cut + 1, j->rank);
    j->run = (uint64_t)j->local[j->cut] * j->inner;
    return NULL;
}

static xla_error *fail(const xla_call *c, const char *message)
{
    xla_error_create arguments = {
        .struct_size = sizeof arguments, .message = message, .code = XLA_INVALID_ARGUMENT};
    return c->api->create_error(&arguments);
}

/*
 * The version of its own that this XLA has, if the layout of that is known. Those that do not say so here
 * had 0.1, and take no other.
 */
static void answer_version(const xla_call *c, xla_metadata *metadata)
{
    const int32_t minor = c->api != NULL ? c->api->version.minor : XLA_FFI_OLDEST_MINOR;
    metadata->version.major = XLA_FFI_MAJOR;
    metadata->version.minor = minor < XLA_FFI_NEWEST_MINOR ? minor : XLA_FFI_NEWEST_MINOR;
    metadata->traits = 0;
}

static xla_error *handle(xla_call *c)
{
    for (const xla_extension *e = c->extensions; e != NULL; e = e->next) {
        if (e->type == XLA_METADATA) {
            answer_version(c, ((const xla_metadata_extension *)e)->metadata);
            return NULL;
        }
    }
    job j;
    char message[160];
    const char *fault = read_job(c, &j);
    if (fault != NULL) {
        snprintf(message, sizeof message, "dropwise: %s", fault);
        return fail(c, message);
    }
    const dropwise_status status = j.n == 0 ? DROPWISE_OK : run_job(c, &j);
    if (status == DROPWISE_OK)
        return NULL;
    snprintf(message, sizeof message, "dropwise: %s%s",
             status == DROPWISE_ERROR_PROBABILITY ? "rate, or p: " : "", dropwise_status_string(status));
    return fail(c, message);
}

PyObject *xla_handler(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyCapsule_New((void *)handle, NULL, NULL);
}

PyObject *xla_versions(void)
{
    return Py_BuildValue("(iii)", XLA_FFI_MAJOR, XLA_FFI_OLDEST_MINOR, XLA_FFI_NEWEST_MINOR);
}
