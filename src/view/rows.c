#include "view/rows.h"

#include "base/bits.h"
#include "view/check_view.h"
#include "view/stored_shape.h"

/* ---- Checks ---- */

static bool same_place(const dropwise_view *view, const operand *a, const operand *b)
{
    if (a->p != b->p || a->element_bytes != b->element_bytes)
        return false;
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->size[d] != 1 && a->stride[d] != b->stride[d])
            return false;
    return true;
}

/* Operands with a NULL pointer are left out: who needs them has checked that. */
static dropwise_status check_operands(const dropwise_view *view, const operand *operands, size_t n,
                                      dropwise_extent *extents)
{
    for (size_t i = 0; i < n; i++) {
        if (operands[i].p == NULL)
            continue;
        const dropwise_status status = dropwise_check_view_extent(
            view, operands[i].stride, operands[i].element_bytes, operands[i].p, &extents[i]);
        if (status != DROPWISE_OK)
            return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (operands[i].use == READ || operands[i].p == NULL)
            continue;
        if (operands[i].stride == view->y_stride && !dropwise_is_free_of_overlap(view, view->y_stride))
            return DROPWISE_ERROR_SELF_OVERLAP;
        for (size_t j = 0; j < n; j++) {
            if (j == i || operands[j].p == NULL || !dropwise_overlap(extents[i], extents[j]))
                continue;
            const bool is_tensor = operands[i].stride == view->y_stride; /* sums and the like are not */
            if (operands[j].use != READ || !is_tensor || !same_place(view, &operands[i], &operands[j]))
                return DROPWISE_ERROR_OVERLAP;
        }
    }
    return DROPWISE_OK;
}

/* Rows are contiguous and have elements. */
static dropwise_status check_rows(const dropwise_view *view)
{
    const uint32_t last = view->rank - 1;
    if (view->size[last] == 0)
        return DROPWISE_ERROR_SHAPE;
    if (view->size[last] != 1 && (view->x_stride[last] != 1 || view->y_stride[last] != 1))
        return DROPWISE_ERROR_SHAPE;
    return DROPWISE_OK;
}

dropwise_status dropwise_check_rows(const dropwise_mask *mask, dropwise_dtype dtype,
                                    const dropwise_view *view, const dropwise_stored *stored, bool *empty)
{
    const dropwise_status status = dropwise_check_view_call(mask, dtype, view, stored, empty);
    return status == DROPWISE_OK ? check_rows(view) : status;
}

/* Bytes of the largest output: of its elements, as a tile of a larger matrix extends over more, or of its
 * extent, where its rows are one. */
static uint64_t largest_output(const dropwise_view *view, const operand *operands,
                               const dropwise_extent *extents, size_t n)
{
    const uint64_t elements = dropwise_view_elements(view);
    uint64_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (operands[i].use == READ || operands[i].p == NULL)
            continue;
        const uint64_t extent = extents[i].to - extents[i].from;
        const uint64_t bytes = min_u64(extent, elements * operands[i].element_bytes);
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Whether no output is an input too. */
static bool outputs_are_apart(const operand *operands, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (operands[i].use != READ && operands[i].p != NULL && operands[j].p == operands[i].p && j != i)
                return false;
    return true;
}

dropwise_status dropwise_begin_rows(row_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                                    dropwise_dtype dtype, const dropwise_view *view, const operand *operands,
                                    size_t n_operands, const dropwise_stored *stored, bool draws)
{
    dropwise_extent extents[MAX_OPERANDS];
    dropwise_status status = check_operands(view, operands, n_operands, extents);
    if (status != DROPWISE_OK)
        return status;
    const stored_shape shape = dropwise_stored_shape_of(view);
    if (stored != NULL) {
        dropwise_extent of_stored;
        status = dropwise_begin_stored(stored, mask, dtype, shape.rows, shape.row_length, kernels, &c->stored,
                                       &of_stored);
        for (size_t i = 0; i < n_operands && status == DROPWISE_OK; i++)
            if (operands[i].p != NULL && dropwise_overlap(extents[i], of_stored))
                status = DROPWISE_ERROR_OVERLAP;
        if (status != DROPWISE_OK)
            return status;
    }
    c->view = view;
    c->is_f64 = dtype == DROPWISE_F64;
    c->element_bytes = dropwise_dtype_bytes(dtype);
    c->real_bytes = c->is_f64 ? sizeof(double) : sizeof(float);
    c->dtype = dropwise_dtype_of(kernels, dtype);
    c->kernels = kernels;
    c->factor = dropwise_kept_factor(mask, dtype);
    c->draw = dropwise_draw_plan(kernels, mask);
    bit_source_init(&c->source, &c->draw);
    c->row_length = view->size[view->rank - 1];
    c->n_rows = 1;
    c->strip_row = c->strip_end = 0;
    c->run_length = c->row_length;
    for (uint32_t d = view->rank - 1; d-- > 0;) {
        if (c->run_length == c->row_length * c->n_rows && (uint64_t)view->mask_stride[d] == c->run_length)
            c->run_length *= view->size[d];
        c->n_rows *= view->size[d];
    }
    if (stored != NULL && draws)
        dropwise_draw_stored_by(&c->source, view, &shape, &c->stored);
    c->reads_stored = stored != NULL && mask->keep_threshold != 0;
    const uint64_t largest = largest_output(view, operands, extents, n_operands);
    c->far = !dropwise_is_near(largest);
    if (!c->far) /* nothing to wait for meanwhile */
        c->source.step = DRAW_CHUNK;
    c->adds = false;
    for (size_t i = 0; i < n_operands; i++)
        c->adds = c->adds || operands[i].use == ADDED;
    c->nontemporal = !c->adds && dropwise_is_large(largest) && outputs_are_apart(operands, n_operands);
    return DROPWISE_OK;
}

/* ---- Rows and pieces ---- */

/* Whether dimension d and the last one, which come one after the other, are one. */
static bool follows(const int64_t *stride, uint64_t size, uint32_t d)
{
    return stride[d] == (int64_t)size * stride[d + 1];
}

void dropwise_merge_rows(dropwise_view *view, uint64_t multiple)
{
    if (view->size[view->rank - 1] == 1) /* its stride means nothing, but merged rows are contiguous */
        view->x_stride[view->rank - 1] = view->y_stride[view->rank - 1] = 1;
    while (view->rank > 1) {
        const uint32_t d = view->rank - 2;
        const uint64_t size = view->size[d + 1];
        if (size % multiple != 0 || !follows(view->x_stride, size, d) || !follows(view->y_stride, size, d) ||
            !follows(view->mask_stride, size, d))
            return;
        view->size[d] *= size;
        view->x_stride[d] = view->x_stride[d + 1];
        view->y_stride[d] = view->y_stride[d + 1];
        view->mask_stride[d] = view->mask_stride[d + 1];
        view->rank--;
    }
}

dropwise_status dropwise_check_merged_rows(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const dropwise_stored *stored,
                                           dropwise_view *merged, bool *empty)
{
    const dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, empty);
    if (status != DROPWISE_OK)
        return status;
    *merged = *view;
    if (stored == NULL && !*empty)
        dropwise_merge_rows(merged, 1);
    return DROPWISE_OK;
}

bool dropwise_next_row(const row_call *c, row *r)
{
    const dropwise_view *view = c->view;
    r->number++;
    r->into_run = r->into_run + c->row_length == c->run_length ? 0 : r->into_run + c->row_length;
    for (uint32_t d = view->rank - 1; d-- > 0;) {
        r->index += (uint64_t)view->mask_stride[d];
        if (++r->at[d] < view->size[d]) {
            r->stored = 0;
            for (uint32_t e = 0; e + 1 < view->rank; e++)
                if (view->mask_stride[e] != 0)
                    r->stored = r->stored * view->size[e] + r->at[e];
            return true;
        }
        r->index -= (uint64_t)((int64_t)view->size[d] * view->mask_stride[d]);
        r->at[d] = 0;
    }
    return false;
}

/* Bits of a short row that no other one follows in the mask, by a strip of it and of rows after it. */
static const uint8_t *strip_bits(row_call *c, const row *r, uint64_t column, size_t n, uint8_t *buffer)
{
    const uint32_t across = c->view->rank - 2;
    const size_t length = (size_t)c->row_length;
    if (r->number < c->strip_row || r->number >= c->strip_end) {
        const size_t rows = min_size(dropwise_strip_rows(length), c->view->size[across] - r->at[across]);
        dropwise_draw_strip(&c->draw, &c->strip, r->index, c->view->mask_stride[across], rows, length,
                            c->strip_bits);
        c->strip_row = r->number;
        c->strip_end = r->number + rows;
    }
    const uint8_t *bits = c->strip_bits + (size_t)(r->number - c->strip_row) * dropwise_strip_step(length);
    if (column % 8 == 0)
        return bits + column / 8;
    copy_bits(bits, (size_t)column, n, buffer);
    return buffer;
}

const uint8_t *dropwise_piece_bits(row_call *c, const row *r, uint64_t column, size_t n, bool whole,
                                   uint8_t *buffer)
{
    const dropwise_view *view = c->view;
    const int64_t step = view->mask_stride[view->rank - 1];
    const uint64_t index = r->index + (uint64_t)((int64_t)column * step);
    if (c->reads_stored) {
        const stored_shape shape = dropwise_stored_shape_of(view);
        const int64_t entry = stored_entry_step(&c->stored), row_step = stored_row_step(&c->stored);
        if (step != 0) {
            dropwise_read_stored(&c->stored, (int64_t)r->stored * row_step + (int64_t)column * entry, entry,
                                 n, buffer);
        } else { /* the mask's own rows are shorter than the view has dimensions */
            const uint64_t own_row = r->stored / shape.row_length, own_column = r->stored % shape.row_length;
            uint8_t bit;
            dropwise_read_stored(&c->stored, (int64_t)own_row * row_step + (int64_t)own_column * entry, entry,
                                 1, &bit);
            fill_bits(buffer, n, bit & 1);
        }
        return buffer;
    }
    if (step == 0) {
        const bool bit = *dropwise_bits_get(&c->source, index, 1, 1, 1, buffer) & 1;
        fill_bits(buffer, n, bit);
        return buffer;
    }
    if (step == 1 && c->run_length == c->row_length && c->row_length <= STRIP_ROW && view->rank > 1)
        return strip_bits(c, r, column, n, buffer);
    const uint64_t run_left = c->run_length - (r->into_run + column);
    return dropwise_bits_get(&c->source, index, step, n, whole && step == 1 ? run_left : n, buffer);
}

/* ---- Sums ---- */

void dropwise_put_sums(const dropwise_kernels *kernels, bool is_f64, operand_use use, size_t n,
                       const void *sums, void *out)
{
    const real one = real_of(is_f64, 1);
    if (use == ADDED)
        (is_f64 ? kernels->add_kept_f64 : kernels->add_kept_f32)(NULL, n, sums, out, &one);
    else
        memcpy(out, sums, n * (is_f64 ? sizeof(double) : sizeof(float)));
}

real dropwise_sum_tree(bool is_f64, const void *sums, size_t step)
{
    real total;
    if (is_f64) {
        double s[16];
        for (size_t k = 0; k < 16; k++)
            memcpy(&s[k], (const uint8_t *)sums + k * step * sizeof *s, sizeof *s);
        for (size_t half = 8; half != 0; half /= 2)
            for (size_t k = 0; k < half; k++)
                s[k] += s[k + half];
        total.f64 = s[0] == s[0] ? s[0] : (double)__builtin_nan("");
    } else {
        float s[16];
        for (size_t k = 0; k < 16; k++)
            memcpy(&s[k], (const uint8_t *)sums + k * step * sizeof *s, sizeof *s);
        for (size_t half = 8; half != 0; half /= 2)
            for (size_t k = 0; k < half; k++)
                s[k] += s[k + half];
        total.f32 = s[0] == s[0] ? s[0] : __builtin_nanf("");
    }
    return total;
}
