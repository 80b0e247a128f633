/*
 * A call on several threads: each gets a part of the tensor, cut along one dimension, and draws the mask of
 * that part. Threads live as long as the call: so there is no pool that a fork would leave without its
 * threads, and a start costs little beside the calls that are worth it. They are Python's, which has them on
 * all systems and for all versions of the C library.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "call.h"

#ifdef __linux__
#include <sched.h>
#endif

/* Below so many elements for each, another thread costs more than it saves. */
enum { PART_AT_LEAST = 1 << 18, MAX_THREADS = 64 };

/*
 * Parts of a row begin at multiples of this: of whole bytes of keep bits, and of what the library draws at
 * once.
 */
enum { CUT = 1 << 14 };

typedef struct part {
    call call;
    dropwise_status status;
    PyThread_type_lock done;
} part;

uint64_t count_elements(const dropwise_view *view)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        n *= view->size[d];
    return n;
}

unsigned affinity(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
#endif
    return 1;
}

static uint64_t magnitude(int64_t stride)
{
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

/* The outermost dimension that is long enough for all parts; else the longest. */
static uint32_t dimension_to_cut(const dropwise_view *view, uint64_t parts)
{
    uint32_t best = 0;
    for (uint32_t d = 1; d < view->rank; d++) {
        const bool enough = view->size[d] >= parts, enough_yet = view->size[best] >= parts;
        if (enough != enough_yet ? enough
            : enough             ? magnitude(view->y_stride[d]) > magnitude(view->y_stride[best])
                                 : view->size[d] > view->size[best])
            best = d;
    }
    return best;
}

/* Restricts a call to elements [start, start + size) along dimension d. */
static void restrict_call(call *c, uint32_t d, uint64_t start, uint64_t size)
{
    const bool along_row = d + 1 == c->view.rank;
    c->view.size[d] = size;
    c->view.first += start * (uint64_t)c->view.mask_stride[d];
    for (int i = 0; i < MAX_OPERANDS; i++) {
        const operand *o = &c->operation->operands[i];
        const int64_t bytes = (int64_t)element_bytes(c->dtype, o->elements), elements = (int64_t)start;
        if (c->at[i] == NULL)
            continue;
        switch (o->role) {
        case IN_X:
            c->at[i] += elements * c->view.x_stride[d] * bytes;
            break;
        case IN_Y:
        case OUT:
            c->at[i] += elements * c->view.y_stride[d] * bytes;
            break;
        case IN_ROW:
            c->at[i] += along_row ? elements * bytes : 0;
            break;
        case OUT_FLAT: /* keep bits of a range */
            c->at[i] += elements / 8;
            c->bytes[i] -= (uint64_t)elements / 8;
            break;
        default: /* operations that are split have no other ones */
            break;
        }
    }
}

static void run_part(void *argument)
{
    part *p = argument;
    p->status = p->call.operation->run(&p->call);
    PyThread_release_lock(p->done);
}

/* Starts it on a thread of its own, or says that this was not possible. */
static bool start_part(part *p)
{
    p->done = PyThread_allocate_lock();
    if (p->done == NULL)
        return false;
    PyThread_acquire_lock(p->done, WAIT_LOCK);
    if (PyThread_start_new_thread(run_part, p) != (unsigned long)-1) /* a name that the limited API lacks */
        return true;
    PyThread_release_lock(p->done);
    PyThread_free_lock(p->done);
    return false;
}

/* The bytes between an operand's first and last one. */
typedef struct extent {
    uintptr_t begin, end;
} extent;

static extent extent_of(const call *c, int i, const int64_t *stride)
{
    const operand *o = &c->operation->operands[i];
    const uint64_t bytes = element_bytes(c->dtype, o->elements);
    extent e = {(uintptr_t)c->at[i], (uintptr_t)c->at[i] + bytes};
    for (uint32_t d = 0; d < c->view.rank; d++) {
        const uint64_t reach = (c->view.size[d] - 1) * magnitude(stride[d]) * bytes;
        e.begin -= stride[d] < 0 ? reach : 0;
        e.end += stride[d] < 0 ? 0 : reach;
    }
    return e;
}

/*
 * Whether what the library would say of the whole is what it says of each part: it must not refuse one when
 * another is written already. Of an output that is dense, and of inputs that it is or does not touch, that
 * is so.
 */
static bool is_separable(const call *c)
{
    int64_t row_stride[DROPWISE_MAX_RANK] = {0};
    row_stride[c->view.rank - 1] = 1;
    uint64_t last = c->view.first;
    for (uint32_t d = 0; d < c->view.rank; d++) {
        const uint64_t stride = (uint64_t)c->view.mask_stride[d];
        if (stride != 0 && c->view.size[d] - 1 > (DROPWISE_INDEX_LIMIT - 1) / stride)
            return false;
        last += (c->view.size[d] - 1) * stride;
        if (last >= DROPWISE_INDEX_LIMIT)
            return false;
    }
    if (c->operation->is_interop && last >= c->interop.size)
        return false;
    for (int i = 0; i < MAX_OPERANDS; i++) {
        if (c->operation->operands[i].role != OUT)
            continue;
        const extent out = extent_of(c, i, c->view.y_stride);
        for (int j = 0; j < MAX_OPERANDS; j++) {
            const operand_role role = c->operation->operands[j].role;
            const int64_t *stride = role == IN_X     ? c->view.x_stride
                                    : role == IN_ROW ? row_stride
                                                     : c->view.y_stride;
            if (j == i || c->at[j] == NULL)
                continue;
            const bool is_same = c->at[j] == c->at[i] && role != OUT &&
                                 memcmp(stride, c->view.y_stride, sizeof c->view.y_stride) == 0;
            const extent other = extent_of(c, j, stride);
            if (!is_same && other.begin < out.end && out.begin < other.end)
                return false;
        }
    }
    return c->is_dense;
}

bool find_cuts(const call *c, uint64_t at_least, uint64_t threads, cuts *by)
{
    uint64_t parts = count_elements(&c->view) / at_least;
    if (!c->operation->is_split || c->stored != NULL || parts < 2 || threads < 2 || !is_separable(c))
        return false;
    parts = parts < threads ? parts : threads;
    by->dimension = dimension_to_cut(&c->view, parts);
    const uint64_t size = c->view.size[by->dimension];
    by->length = (size + parts - 1) / parts;
    if (by->dimension + 1 == c->view.rank)
        by->length = (by->length + CUT - 1) / CUT * CUT;
    by->parts = (size + by->length - 1) / by->length;
    return true;
}

call cut_call(const call *c, const cuts *by, uint64_t k)
{
    const uint64_t start = k * by->length, size = c->view.size[by->dimension];
    call cut = *c;
    restrict_call(&cut, by->dimension, start, k + 1 < by->parts ? by->length : size - start);
    return cut;
}

dropwise_status run_call(const call *c, unsigned threads)
{
    cuts by;
    if (threads == 0 && count_elements(&c->view) >= 2 * PART_AT_LEAST)
        threads = affinity();
    if (!find_cuts(c, PART_AT_LEAST, threads < MAX_THREADS ? threads : MAX_THREADS, &by))
        return c->operation->run(c);

    part part_of[MAX_THREADS];
    bool is_started[MAX_THREADS] = {false};
    for (uint64_t k = 0; k < by.parts; k++) {
        part_of[k].call = cut_call(c, &by, k);
        is_started[k] = k > 0 && start_part(&part_of[k]);
    }
    dropwise_status status = DROPWISE_OK;
    for (uint64_t k = 0; k < by.parts; k++)
        if (!is_started[k])
            part_of[k].status = c->operation->run(&part_of[k].call);
    for (uint64_t k = 0; k < by.parts; k++) {
        if (is_started[k]) {
            PyThread_acquire_lock(part_of[k].done, WAIT_LOCK);
            PyThread_release_lock(part_of[k].done);
            PyThread_free_lock(part_of[k].done);
        }
        status = status == DROPWISE_OK ? part_of[k].status : status;
    }
    return status;
}
