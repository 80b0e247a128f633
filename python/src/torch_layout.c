#include "torch_layout.h"

void contiguous_strides(int rank, const int64_t *size, int64_t *stride)
{
    int64_t n = 1;
    for (int d = rank - 1; d >= 0; d--) {
        stride[d] = n;
        n *= size[d] > 1 ? size[d] : 1;
    }
}

bool are_same_strides(int rank, const int64_t *size, const int64_t *a, const int64_t *b)
{
    for (int d = 0; d < rank; d++)
        if (size[d] > 1 && a[d] != b[d])
            return false;
    return true;
}

/* Below 0 if dimension a is an inner one of b, 0 if either may be: PyTorch's own order. */
static int compare_dimensions(const int64_t *size, const int64_t *stride, int a, int b)
{
    if (stride[a] == 0 || stride[b] == 0)
        return 0;
    if (stride[a] != stride[b])
        return stride[a] < stride[b] ? -1 : 1;
    return size[a] > size[b] ? 1 : 0;
}

void dense_strides(int rank, const int64_t *size, const int64_t *stride, int64_t *result)
{
    contiguous_strides(rank, size, result);
    if (are_same_strides(rank, size, stride, result))
        return;
    int order[MAX_TORCH_RANK];
    for (int k = 0; k < rank; k++)
        order[k] = rank - 1 - k;
    for (int i = 1; i < rank; i++) {
        int at = i;
        for (int j = i - 1; j >= 0; j--) {
            const int compared = compare_dimensions(size, stride, order[j], order[at]);
            if (compared < 0)
                break;
            if (compared > 0) {
                const int d = order[j];
                order[j] = order[at];
                order[at] = d;
                at = j;
            }
        }
    }
    int64_t n = 1;
    for (int k = 0; k < rank; k++) {
        const int d = order[k];
        result[d] = n;
        n *= size[d] > 1 ? size[d] : 1;
    }
}

int row_dimension(int rank, const int64_t *size, const int64_t *stride)
{
    for (int d = rank - 1; d >= 0; d--)
        if (size[d] > 1 && stride[d] == 1)
            return d;
    return -1;
}

typedef struct dimension {
    uint64_t size;
    int64_t x, y, mask;
} dimension;

/* The dimensions with their strides in the mask, and the mask's index of the first element. */
static const char *read_dimensions(const layout *l, dimension *of, uint64_t *first)
{
    uint64_t stride = 1;
    *first = 0;
    for (int d = l->rank - 1; d >= 0; d--) {
        const bool is_shared = l->share >> d & 1;
        int64_t start = 0, whole = l->size[d];
        if (l->part != NULL) {
            start = l->part[d];
            whole = l->part[l->rank + d];
            if (start < 0 || whole < l->size[d] || start > whole - l->size[d])
                return "the part does not lie inside of the whole tensor";
        }
        of[d] = (dimension){(uint64_t)l->size[d], l->x[d], l->y[d], is_shared ? 0 : (int64_t)stride};
        if (is_shared)
            continue;
        *first += (uint64_t)start * stride;
        if (whole > 0 && stride > DROPWISE_INDEX_LIMIT / (uint64_t)whole)
            return "the tensor has more than 2^60 elements";
        stride *= whole > 0 ? (uint64_t)whole : 1;
    }
    return NULL;
}

/* Outer ones first, by how they lie in the output: so the last one is a row, if the output has one. */
static void sort_dimensions(int n, dimension *of)
{
    for (int i = 1; i < n; i++) {
        for (int j = i; j > 0 && of[j].y > of[j - 1].y; j--) {
            const dimension d = of[j];
            of[j] = of[j - 1];
            of[j - 1] = d;
        }
    }
}

/* Merges neighbours that are one in memory and in the mask; `last` ones stay as they are. */
static int merge_dimensions(int n, int last, dimension *of)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        dimension *outer = kept > 0 ? &of[kept - 1] : NULL;
        const int64_t size = (int64_t)of[i].size;
        if (outer != NULL && i < n - last && outer->x == of[i].x * size && outer->y == of[i].y * size &&
            outer->mask == of[i].mask * size) {
            of[i].size *= outer->size;
            *outer = of[i];
        } else {
            of[kept++] = of[i];
        }
    }
    return kept;
}

const char *make_view(const layout *l, dropwise_view *view)
{
    dimension of[MAX_TORCH_RANK + 1];
    uint64_t first, size[DROPWISE_MAX_RANK] = {1};
    const char *fault = read_dimensions(l, of, &first);
    if (fault != NULL)
        return fault;
    int n = l->rank;
    if (!l->is_plain) {
        n = 0;
        for (int d = 0; d < l->rank; d++)
            if (of[d].size != 1 || (l->has_own_row && d == l->rank - 1))
                of[n++] = of[d];
        if (l->has_rows && !l->has_own_row)
            sort_dimensions(n, of);
        n = merge_dimensions(n, l->has_own_row, of);
    }
    if (n == 0)
        of[n++] = (dimension){1, 1, 1, 1};
    if (n > DROPWISE_MAX_RANK)
        return "the tensor has more than 8 dimensions";
    for (int d = 0; d < n; d++)
        size[d] = of[d].size;
    const dropwise_status status = dropwise_view_init(view, (uint32_t)n, size);
    view->first = first;
    for (int d = 0; d < n; d++) {
        view->x_stride[d] = of[d].size == 1 ? 1 : of[d].x;
        view->y_stride[d] = of[d].size == 1 ? 1 : of[d].y;
        view->mask_stride[d] = of[d].mask;
    }
    return status == DROPWISE_OK ? NULL : dropwise_status_string(status);
}
