/*
 * Attention through the public functions: against formulas in double with the oracle's mask, the same bits on
 * every tier and however the work is split, by tiles as by whole calls, and every error.
 */
#include <math.h>

#include "dropwise_attention.h"
#include "support/tensors.h"

/* ---- A case, and its tensors ---- */

enum { Q, K, V, OUT, LSE, DOUT, DQ, DK, DV, ADD, ALLOW, TENSORS };

/* How tensors lie: batch, head, row; or batch, row, head, and of q, k and v slices of one row. */
typedef enum order { DENSE, BY_ROWS, PACKED } order;

typedef struct attention_case {
    uint64_t batches, heads, kv_heads, queries, keys, size, value_size;
    double p;
    bool causal;
    int64_t offset;
    bool add, allow;
    order order;
    ref_dtype dtype;
} attention_case;

typedef struct attention {
    dropwise_attention a;
    dropwise_mask mask;
    ref_dtype dtype;
    uint8_t *tensor[TENSORS], *buffer[TENSORS]; /* where elements begin, and what was allocated */
    size_t bytes[TENSORS];
    void *workspace;
    uint64_t workspace_bytes[2];
} attention;

static const int64_t *stride_of(const attention *t, int tensor)
{
    static int64_t lse[3];
    lse[0] = (int64_t)(t->a.heads * t->a.queries);
    lse[1] = (int64_t)t->a.queries;
    lse[2] = 1;
    const int64_t *const strides[TENSORS] = {
        t->a.q_stride,    t->a.k_stride,  t->a.v_stride,  t->a.out_stride, lse,
        t->a.dout_stride, t->a.dq_stride, t->a.dk_stride, t->a.dv_stride,  t->a.add_stride,
        t->a.allow_stride};
    return strides[tensor];
}

static bool of_keys(int tensor)
{
    return tensor == K || tensor == V || tensor == DK || tensor == DV;
}

static uint64_t columns_of(const dropwise_attention *a, int tensor)
{
    return tensor == LSE                                                    ? 1
           : tensor == ADD || tensor == ALLOW                               ? a->keys
           : tensor == V || tensor == DV || tensor == OUT || tensor == DOUT ? a->value_size
                                                                            : a->size;
}

static size_t element_bytes(const attention *t, int tensor)
{
    return tensor == LSE ? sizeof(float) : tensor == ALLOW ? 1 : ref_bytes(t->dtype);
}

static int64_t place(const attention *t, int tensor, uint64_t b, uint64_t h, uint64_t row)
{
    const int64_t *s = stride_of(t, tensor);
    return (int64_t)b * s[0] + (int64_t)h * s[1] + (int64_t)row * s[2];
}

static double element(const attention *t, int tensor, uint64_t b, uint64_t h, uint64_t row, uint64_t column)
{
    return get(tensor == LSE ? REF_F32 : t->dtype, t->tensor[tensor],
               place(t, tensor, b, h, row) + (int64_t)column);
}

/* Rows of all heads side by side; `gap` elements behind each. */
static void by_rows(int64_t *stride, uint64_t heads, uint64_t rows, uint64_t columns, uint64_t gap)
{
    stride[2] = (int64_t)(heads * columns + gap);
    stride[1] = (int64_t)columns;
    stride[0] = (int64_t)rows * stride[2];
}

static void new_tensors(attention *t, const attention_case *c)
{
    dropwise_attention *a = &t->a;
    memset(t, 0, sizeof *t);
    t->dtype = c->dtype;
    t->mask = mask_of(c->p);
    assert_int_equal(dropwise_attention_init(a, c->batches, c->heads, c->kv_heads, c->queries, c->keys,
                                             c->size, c->value_size),
                     DROPWISE_OK);
    a->causal = c->causal;
    a->causal_offset = c->offset;
    a->first = 1000003;
    if (c->order != DENSE) {
        const uint64_t gap = 3;
        by_rows(a->q_stride, c->heads, c->queries, c->size, gap);
        by_rows(a->dq_stride, c->heads, c->queries, c->size, gap);
        by_rows(a->k_stride, c->kv_heads, c->keys, c->size, gap);
        by_rows(a->dk_stride, c->kv_heads, c->keys, c->size, gap);
        by_rows(a->v_stride, c->kv_heads, c->keys, c->value_size, gap);
        by_rows(a->dv_stride, c->kv_heads, c->keys, c->value_size, gap);
        by_rows(a->out_stride, c->heads, c->queries, c->value_size, gap);
        by_rows(a->dout_stride, c->heads, c->queries, c->value_size, gap);
    }
    a->add_stride[1] = (int64_t)(c->queries * c->keys); /* for each head, shared by all batches */
    a->add_stride[2] = (int64_t)c->keys;
    a->allow_stride[0] = (int64_t)c->keys; /* for each batch, shared by all of its rows */
    uint64_t state = c->keys * 7 + c->size;
    for (int i = 0; i < TENSORS; i++) {
        const uint64_t heads = of_keys(i) ? c->kv_heads : c->heads, rows = of_keys(i) ? c->keys : c->queries;
        const int64_t *s = stride_of(t, i);
        int64_t last = (int64_t)columns_of(a, i);
        last += (int64_t)(c->batches - 1) * s[0] + (int64_t)(heads - 1) * s[1] + (int64_t)(rows - 1) * s[2];
        t->bytes[i] = (size_t)last * element_bytes(t, i);
        t->tensor[i] = t->buffer[i] = malloc(t->bytes[i] + 1);
        assert_non_null(t->buffer[i]);
        for (int64_t e = 0; e < last; e++)
            if (i == ALLOW)
                t->tensor[i][e] = noise(&state) % 4 != 0 ? (uint8_t)noise(&state) : 0;
            else if (i != LSE)
                put(t->dtype, t->tensor[i], e, (double)(int64_t)noise(&state) * 0x1p-62);
    }
    a->add = c->add ? t->tensor[ADD] : NULL;
    a->allow = c->allow ? t->tensor[ALLOW] : NULL;
    if (c->order == PACKED) { /* the gradients are slices of one buffer */
        assert_true(c->heads == c->kv_heads && c->queries == c->keys && c->size == c->value_size);
        by_rows(a->dq_stride, 3 * c->heads, c->queries, c->size, 0);
        memcpy(a->dk_stride, a->dq_stride, sizeof a->dk_stride);
        memcpy(a->dv_stride, a->dq_stride, sizeof a->dv_stride);
        t->bytes[DQ] *= 3;
        t->tensor[DQ] = t->buffer[DQ] = realloc(t->buffer[DQ], t->bytes[DQ]);
        assert_non_null(t->buffer[DQ]);
        t->tensor[DK] = t->tensor[DQ] + c->heads * c->size * ref_bytes(t->dtype);
        t->tensor[DV] = t->tensor[DK] + c->heads * c->size * ref_bytes(t->dtype);
        t->bytes[DK] = t->bytes[DV] = 0;
    }
    uint64_t most = 0;
    for (uint32_t backward = 0; backward < 2; backward++) {
        assert_int_equal(
            dropwise_attention_workspace(a, dtype_number(t->dtype), backward, &t->workspace_bytes[backward]),
            DROPWISE_OK);
        most = t->workspace_bytes[backward] > most ? t->workspace_bytes[backward] : most;
    }
    t->workspace = malloc((size_t)most);
    assert_non_null(t->workspace);
    memset(t->workspace, 0xFF, (size_t)most); /* NaN */
}

static void free_tensors(attention *t)
{
    for (int i = 0; i < TENSORS; i++)
        free(t->buffer[i]);
    free(t->workspace);
}

static dropwise_status forward(const void *arguments)
{
    const attention *t = arguments;
    return dropwise_attention_forward(&t->mask, dtype_number(t->dtype), &t->a, t->tensor[Q], t->tensor[K],
                                      t->tensor[V], t->tensor[OUT], (float *)(void *)t->tensor[LSE],
                                      t->workspace, t->workspace_bytes[0]);
}

static dropwise_status backward(const void *arguments)
{
    const attention *t = arguments;
    return dropwise_attention_backward(
        &t->mask, dtype_number(t->dtype), &t->a, t->tensor[Q], t->tensor[K], t->tensor[V], t->tensor[OUT],
        (const float *)(const void *)t->tensor[LSE], t->tensor[DOUT], t->tensor[DQ], t->tensor[DK],
        t->tensor[DV], t->workspace, t->workspace_bytes[1]);
}

static const char *const names[TENSORS] = {"q",  "k",  "v",  "out", "log-sum-exp", "dout",
                                           "dq", "dk", "dv", "add", "allow"};

/* ---- The oracle ---- */

/* A tensor of doubles, dense: row (b, h, i). */
typedef struct doubles {
    double *p;
    uint64_t heads, rows, columns;
} doubles;

static double *row_at(const doubles *d, uint64_t b, uint64_t h, uint64_t i)
{
    return d->p + ((b * d->heads + h) * d->rows + i) * d->columns;
}

static doubles new_doubles(const attention *t, int tensor)
{
    const bool keys = of_keys(tensor);
    doubles d = {NULL, keys ? t->a.kv_heads : t->a.heads, keys ? t->a.keys : t->a.queries,
                 columns_of(&t->a, tensor)};
    d.p = calloc((size_t)(t->a.batches * d.heads * d.rows * d.columns) + 1, sizeof *d.p);
    assert_non_null(d.p);
    return d;
}

static double dot(const attention *t, int x, int y, uint64_t b, uint64_t hx, uint64_t i, uint64_t hy,
                  uint64_t j, uint64_t n)
{
    double sum = 0;
    for (uint64_t d = 0; d < n; d++)
        sum += element(t, x, b, hx, i, d) * element(t, y, b, hy, j, d);
    return sum;
}

/* Logits of a query. */
static void logits_of(const attention *t, uint64_t b, uint64_t h, uint64_t i, double *logits)
{
    const dropwise_attention *a = &t->a;
    for (uint64_t j = 0; j < a->keys; j++) {
        double z = a->scale * dot(t, Q, K, b, h, i, h / (a->heads / a->kv_heads), j, a->size);
        if (a->add != NULL)
            z += element(t, ADD, b, h, i, j);
        if ((a->causal && (int64_t)j > (int64_t)i + a->causal_offset) ||
            (a->allow != NULL && t->tensor[ALLOW][place(t, ALLOW, b, h, i) + (int64_t)j] == 0))
            z = -INFINITY;
        logits[j] = z;
    }
}

static void keep_of(const attention *t, double p, uint64_t b, uint64_t h, uint64_t i, uint8_t *keep)
{
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const uint64_t *s = t->a.mask_stride;
    ref_keep_range(&ref, t->a.first + b * s[0] + h * s[1] + i * s[2], (size_t)t->a.keys, keep);
}

/* Errors are measured by the largest number of the tensor, or that of what it is made of. */
static void assert_near(const attention *t, int tensor, const doubles *expected, double error)
{
    double most = 0.1;
    const uint64_t n = t->a.batches * expected->heads * expected->rows;
    for (uint64_t e = 0; e < n * expected->columns; e++)
        if (isfinite(expected->p[e]) && fabs(expected->p[e]) > most)
            most = fabs(expected->p[e]);
    for (uint64_t r = 0; r < n; r++) {
        const uint64_t b = r / expected->rows / expected->heads, h = r / expected->rows % expected->heads;
        for (uint64_t c = 0; c < expected->columns; c++) {
            const double e = expected->p[r * expected->columns + c];
            const double actual = element(t, tensor, b, h, r % expected->rows, c);
            const double unit = tensor == LSE ? 0 : precision[t->dtype].unit;
            if (actual != e && !(fabs(actual - e) <= error * most + unit * 1.01 * fabs(e)))
                fail_msg("%s: row %llu, column %llu is %.9g, expected %.9g; the largest is %g", names[tensor],
                         (unsigned long long)r, (unsigned long long)c, actual, e, most);
        }
    }
}

/* Of bf16, probabilities and gradients of scores are rounded before they are multiplied. */
static double error_of(const attention *t, double error)
{
    return error + (t->dtype == REF_BF16 ? 2 * precision[REF_BF16].unit : 0);
}

static void check_forward(const attention *t, double p)
{
    const dropwise_attention *a = &t->a;
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    doubles out = new_doubles(t, OUT), lse = new_doubles(t, LSE);
    double *logits = calloc((size_t)a->keys, sizeof *logits);
    uint8_t *keep = malloc((size_t)a->keys);
    for (uint64_t b = 0; b < a->batches; b++)
        for (uint64_t h = 0; h < a->heads; h++)
            for (uint64_t i = 0; i < a->queries; i++) {
                double most = -INFINITY, sum = 0;
                logits_of(t, b, h, i, logits);
                keep_of(t, p, b, h, i, keep);
                for (uint64_t j = 0; j < a->keys; j++)
                    most = fmax(most, logits[j]);
                for (uint64_t j = 0; j < a->keys; j++)
                    sum += isinf(most) ? 0 : exp(logits[j] - most);
                *row_at(&lse, b, h, i) = sum == 0 ? INFINITY : most + log(sum);
                for (uint64_t j = 0; sum != 0 && j < a->keys; j++)
                    for (uint64_t d = 0; keep[j] && d < a->value_size; d++)
                        row_at(&out, b, h, i)[d] += exp(logits[j] - most) / sum *
                                                    (p == 0 ? 1 : ref_inverted_scale(&ref)) *
                                                    element(t, V, b, h / (a->heads / a->kv_heads), j, d);
            }
    assert_near(t, OUT, &out, error_of(t, 4e-6));
    assert_near(t, LSE, &lse, 1e-6);
    free(out.p), free(lse.p), free(logits), free(keep);
}

static void check_backward(const attention *t, double p)
{
    const dropwise_attention *a = &t->a;
    const ref_mask ref = ref_mask_of(p, SEED, STREAM);
    const double scale = p == 0 || p == 1 ? 1 : ref_inverted_scale(&ref);
    doubles dq = new_doubles(t, DQ), dk = new_doubles(t, DK), dv = new_doubles(t, DV);
    double *logits = calloc((size_t)a->keys, sizeof *logits);
    uint8_t *keep = malloc((size_t)a->keys);
    for (uint64_t b = 0; b < a->batches; b++)
        for (uint64_t h = 0; h < a->heads; h++)
            for (uint64_t i = 0; i < a->queries; i++) {
                const uint64_t of_keys_head = h / (a->heads / a->kv_heads);
                const double lse = element(t, LSE, b, h, i, 0);
                const double delta = dot(t, DOUT, OUT, b, h, i, h, i, a->value_size);
                logits_of(t, b, h, i, logits);
                keep_of(t, p, b, h, i, keep);
                for (uint64_t j = 0; j < a->keys; j++) {
                    const double probability = exp(logits[j] - lse), s = keep[j] ? scale : 0;
                    const double dp = dot(t, DOUT, V, b, h, i, of_keys_head, j, a->value_size);
                    const double ds = a->scale * probability * (dp * s - delta);
                    for (uint64_t d = 0; d < a->size; d++) {
                        row_at(&dq, b, h, i)[d] += ds * element(t, K, b, of_keys_head, j, d);
                        row_at(&dk, b, of_keys_head, j)[d] += ds * element(t, Q, b, h, i, d);
                    }
                    for (uint64_t d = 0; d < a->value_size; d++)
                        row_at(&dv, b, of_keys_head, j)[d] += probability * s * element(t, DOUT, b, h, i, d);
                }
            }
    assert_near(t, DQ, &dq, error_of(t, 1e-5));
    assert_near(t, DK, &dk, error_of(t, 1e-5));
    assert_near(t, DV, &dv, error_of(t, 1e-5));
    free(dq.p), free(dk.p), free(dv.p), free(logits), free(keep);
}

/* ---- Values ---- */

static const attention_case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 0.1, false, 0, false, false, DENSE, REF_F32},
    {2, 3, 3, 7, 13, 16, 16, 0.1, false, 0, false, false, DENSE, REF_F32},
    {1, 2, 2, 97, 200, 64, 64, 0.1, false, 0, false, false, BY_ROWS, REF_F32},
    {1, 2, 2, 130, 130, 32, 32, 0.3, true, 0, false, false, PACKED, REF_F32},
    {1, 1, 1, 20, 1100, 24, 40, 0.1, false, 0, true, false, DENSE, REF_F32},
    {1, 4, 2, 33, 70, 80, 80, 0.5, true, 37, false, true, BY_ROWS, REF_F32},
    {2, 4, 1, 11, 31, 17, 9, 0.0, true, -3, true, true, DENSE, REF_F32},
    {1, 1, 1, 100, 64, 128, 256, 0.1, false, 0, false, false, DENSE, REF_F32},
    {1, 2, 2, 6, 40, 48, 48, 1.0, false, 0, false, false, DENSE, REF_F32},
    {1, 2, 1, 40, 90, 64, 64, 0.1, true, 50, true, true, BY_ROWS, REF_BF16},
    {1, 2, 2, 50, 50, 33, 33, 0.2, true, 0, false, false, PACKED, REF_F16},
    {1, 1, 1, 200, 600, 64, 64, 0.1, true, 400, false, false, DENSE, REF_F32},
    {1, 1, 1, 5, 3000, 8, 8, 0.1, true, 1400, false, false, DENSE, REF_F32},
    {1, 1, 1, 1, 1, 1, 1, 0.1, false, 0, false, false, DENSE, REF_BF16},
    {2, 3, 3, 65, 65, 64, 64, 0.1, false, 0, false, false, PACKED, REF_BF16},
    {1, 4, 2, 131, 70, 80, 40, 0.5, true, 37, false, false, BY_ROWS, REF_BF16},
    {1, 1, 1, 20, 1100, 24, 100, 0.1, true, 900, true, false, DENSE, REF_BF16},
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

static bool is_large(const attention_case *c)
{
    return c->batches * c->heads * c->queries * c->keys * (c->size + c->value_size) > 1000000;
}

static void results_and_gradients_are_near_their_formulas_and_of_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        if (quick() && is_large(&cases[i]))
            continue;
        attention t;
        new_tensors(&t, &cases[i]);
        const result out[] = {{"out", t.tensor[OUT], t.bytes[OUT]}, {"lse", t.tensor[LSE], t.bytes[LSE]}};
        call_like_scalar(forward, &t, out, 2);
        check_forward(&t, cases[i].p);
        const result gradients[] = {{"dq", t.tensor[DQ], t.bytes[DQ]},
                                    {"dk", t.tensor[DK], t.bytes[DK]},
                                    {"dv", t.tensor[DV], t.bytes[DV]}};
        call_like_scalar(backward, &t, gradients, 3);
        check_backward(&t, cases[i].p);
        free_tensors(&t);
    }
}

/* Numbers of bf16 from subnormal to large, and gradients that the least ones of q, k and v leave. */
static void bf16_of_all_sizes_has_the_same_bits_on_all_tiers(void **state)
{
    (void)state;
    static const attention_case all = {1,   2,    1,   70,    700,   40,      33,
                                       0.2, true, 640, false, false, BY_ROWS, REF_BF16};
    /* Two strips of queries and two tiles of keys, still. */
    static const attention_case few = {1,   1,    1,   66,    520,   20,      17,
                                       0.2, true, 460, false, false, BY_ROWS, REF_BF16};
    const attention_case c = quick() ? few : all;
    static const int inputs[] = {Q, K, V, DOUT};
    for (int large = 0; large < 2; large++) {
        attention t;
        new_tensors(&t, &c);
        for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
            uint64_t s = i;
            for (size_t e = 0; e < t.bytes[inputs[i]] / 2; e++) {
                const uint64_t u = noise(&s);
                const uint16_t exponent = (uint16_t)(u >> 32) % (inputs[i] == V && large ? 160 : 128);
                const uint16_t bits = (uint16_t)((u & 0x807F) | (u >> 16) % 2 * exponent << 7);
                memcpy(t.tensor[inputs[i]] + 2 * e, &bits, sizeof bits);
            }
        }
        const result out[] = {{"out", t.tensor[OUT], t.bytes[OUT]}, {"lse", t.tensor[LSE], t.bytes[LSE]}};
        call_like_scalar(forward, &t, out, 2);
        const result gradients[] = {{"dq", t.tensor[DQ], t.bytes[DQ]},
                                    {"dk", t.tensor[DK], t.bytes[DK]},
                                    {"dv", t.tensor[DV], t.bytes[DV]}};
        call_like_scalar(backward, &t, gradients, 3);
        if (!large) {
            check_forward(&t, c.p);
            check_backward(&t, c.p);
        }
        free_tensors(&t);
    }
}

static void fill_tensor(const attention *t, int tensor, double value)
{
    for (size_t e = 0; e < t->bytes[tensor] / element_bytes(t, tensor); e++)
        put(t->dtype, t->tensor[tensor], (int64_t)e, value);
}

/* Values in the first 512 keys, all of one size, or in the others; gradients, and what comes of them. */
static void bf16_below_the_limits_counts_as_zero(void **state)
{
    (void)state;
    static const attention_case c = {1, 1, 1, 1, 600, 16, 16, 0, false, 0, false, false, DENSE, REF_BF16};
    static const struct limit {
        double value, logit, dout; /* of values, of keys from 512 on, of dout */
        bool out, dv;              /* whether these are not 0                  */
    } limits[] = {
        {0x1p-40, 0, 0x1p-60, true, true},
        {0x0.FFp-40, 0, 0x1p-60, false, true},
        {0x1p-126, 0, 0x1p-60, false, true},
        {0x1p-133, 0, 0x1p-62, false, true},
        {0x1p-20, 80, 0x1p-60, false, false},
        {1, 50, 0x1p-60, true, false},
        {1, 0, 0x1p-72, true, true},
        {1, 0, 0x0.FFp-72, true, false},
        {0x0.FFp-40, 0, 0x1p-133, false, false},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        attention t;
        new_tensors(&t, &c);
        t.a.scale = 1;
        fill_tensor(&t, Q, 0);
        fill_tensor(&t, K, 0);
        fill_tensor(&t, V, limits[i].logit == 0 ? limits[i].value : 0);
        fill_tensor(&t, DOUT, limits[i].dout);
        put(REF_BF16, t.tensor[Q], 0, 1);
        for (int64_t j = 0; j < 600; j++) {
            put(REF_BF16, t.tensor[K], 16 * j, j < 512 ? 0 : limits[i].logit);
            if (j < 512)
                put(REF_BF16, t.tensor[V], 16 * j, limits[i].value);
        }
        const result out[] = {{"out", t.tensor[OUT], t.bytes[OUT]}, {"lse", t.tensor[LSE], t.bytes[LSE]}};
        call_like_scalar(forward, &t, out, 2);
        assert_int_equal(element(&t, OUT, 0, 0, 0, 0) != 0, limits[i].out);
        const result gradients[] = {{"dq", t.tensor[DQ], t.bytes[DQ]},
                                    {"dk", t.tensor[DK], t.bytes[DK]},
                                    {"dv", t.tensor[DV], t.bytes[DV]}};
        call_like_scalar(backward, &t, gradients, 3);
        assert_int_equal(element(&t, DV, 0, 0, 0, 0) != 0, limits[i].dv);
        free_tensors(&t);
    }
}

static void nan_of_bf16_stay_in_their_row(void **state)
{
    (void)state;
    static const attention_case c = {1, 1, 1, 40, 90, 32, 32, 0.2, false, 0, false, false, DENSE, REF_BF16};
    static const uint16_t nan[] = {0x7FC0, 0xFFC0, 0x7FFF, 0xFFFF, 0x7F81, 0xFFAA};
    enum { N = sizeof nan / sizeof nan[0] };
    attention t;
    new_tensors(&t, &c);
    for (uint64_t i = 0; i < N; i++)
        memcpy(t.tensor[Q] + 2 * (place(&t, Q, 0, 0, 5 * i) + 3), &nan[i], sizeof nan[i]);
    assert_int_equal(forward(&t), DROPWISE_OK);
    for (uint64_t i = 0; i < c.queries; i++) {
        const bool is_nan = i % 5 == 0 && i / 5 < N;
        assert_true((isnan(element(&t, LSE, 0, 0, i, 0)) != 0) == is_nan);
        for (uint64_t d = 0; d < c.value_size; d++)
            assert_true((isnan(element(&t, OUT, 0, 0, i, d)) != 0) == is_nan);
    }
    free_tensors(&t);
}

/* Queries that are 0 make equal probabilities, and values that are a row of the unit matrix the mask. */
static void the_mask_is_that_of_all_probabilities(void **state)
{
    (void)state;
    const attention_case c = {2, 2, 2, 101, 90, 16, 90, 0.3, false, 0, false, false, DENSE, REF_F32};
    attention t;
    new_tensors(&t, &c);
    memset(t.tensor[Q], 0, t.bytes[Q]);
    for (uint64_t r = 0; r < 2 * 2 * c.keys; r++)
        for (uint64_t j = 0; j < c.keys; j++)
            put(REF_F32, t.tensor[V], (int64_t)(r * c.keys + j), r % c.keys == j);
    assert_int_equal(forward(&t), DROPWISE_OK);
    const uint64_t n = 2 * 2 * c.queries * c.keys;
    const ref_mask ref = ref_mask_of(c.p, SEED, STREAM);
    uint8_t *keep = malloc((size_t)n);
    ref_keep_range(&ref, t.a.first, (size_t)n, keep);
    for (uint64_t e = 0; e < n; e++)
        if ((get(REF_F32, t.tensor[OUT], (int64_t)e) != 0) != keep[e])
            fail_msg("element %llu of the mask is not %d", (unsigned long long)e, keep[e]);
    free(keep);
    free_tensors(&t);
}

/* ---- Parts ---- */

static uint8_t *copy_of(const void *p, size_t n)
{
    uint8_t *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    return copy;
}

static void parts_make_the_bits_of_the_whole(void **state)
{
    (void)state;
    static const attention_case some[] = {
        {2, 4, 2, 230, 90, 12, 9, 0.2, true, -70, false, false, BY_ROWS, REF_F32},
        {1, 3, 3, 200, 600, 16, 16, 0.2, true, 400, true, false, DENSE, REF_BF16},
    };
    for (size_t i = 0; i < 2; i++) {
        attention t;
        new_tensors(&t, &some[i]);
        if (i == 1) /* which reaches queries that do not see it, or not, by what is looked at together */
            put(t.dtype, t.tensor[V], place(&t, V, 0, 1, 530), (double)INFINITY);
        memset(t.tensor[OUT], NOT_WRITTEN, t.bytes[OUT]);
        assert_int_equal(forward(&t), DROPWISE_OK);
        uint8_t *const out = copy_of(t.tensor[OUT], t.bytes[OUT]),
                       *lse = copy_of(t.tensor[LSE], t.bytes[LSE]);
        memset(t.tensor[OUT], NOT_WRITTEN, t.bytes[OUT]);
        memset(t.tensor[LSE], NOT_WRITTEN, t.bytes[LSE]);
        const uint64_t heads = t.a.n_heads, queries = t.a.n_queries, group = t.a.heads / t.a.kv_heads;
        for (uint64_t h = 0; h < heads; h += t.a.n_heads)
            for (uint64_t q = 0; q < queries; q += t.a.n_queries) {
                t.a.first_head = h;
                t.a.n_heads = h == 1 ? 2 : 1;
                t.a.first_query = q;
                t.a.n_queries = q == 0 ? 50 : q == 50 ? 1 : queries - q < 97 ? queries - q : 97;
                assert_int_equal(forward(&t), DROPWISE_OK);
            }
        assert_same_bytes(t.tensor[OUT], out, t.bytes[OUT], "out in parts");
        assert_same_bytes(t.tensor[LSE], lse, t.bytes[LSE], "log-sum-exp in parts");
        t.a.first_query = t.a.first_head = 0;
        t.a.n_queries = queries;
        t.a.n_heads = heads;
        uint8_t *gradients[TENSORS] = {NULL};
        for (int g = DQ; g <= DV; g++)
            memset(t.tensor[g], NOT_WRITTEN, t.bytes[g]);
        assert_int_equal(backward(&t), DROPWISE_OK);
        for (int g = DQ; g <= DV; g++) {
            gradients[g] = copy_of(t.tensor[g], t.bytes[g]);
            memset(t.tensor[g], NOT_WRITTEN, t.bytes[g]);
        }
        t.a.n_heads = group;
        for (; t.a.first_head < heads; t.a.first_head += group)
            assert_int_equal(backward(&t), DROPWISE_OK);
        for (int g = DQ; g <= DV; g++) {
            assert_same_bytes(t.tensor[g], gradients[g], t.bytes[g], "%s in parts", names[g]);
            free(gradients[g]);
        }
        free(out), free(lse);
        free_tensors(&t);
    }
}

/* ---- Numbers that are none, and nothing that counts ---- */

static bool is_quiet_nan(const uint8_t *p)
{
    static const uint32_t nan = 0x7FC00000;
    return memcmp(p, &nan, sizeof nan) == 0;
}

static void nan_stay_in_their_row_and_what_sees_nothing_is_zero(void **state)
{
    (void)state;
    const attention_case c = {1, 2, 2, 30, 50, 16, 16, 0.2, true, -5, false, false, DENSE, REF_F32};
    attention t;
    new_tensors(&t, &c);
    put(REF_F32, t.tensor[Q], place(&t, Q, 0, 1, 20) + 3, (double)NAN);
    put(REF_F32, t.tensor[Q], place(&t, Q, 0, 1, 21) + 3, (double)INFINITY);
    assert_int_equal(forward(&t), DROPWISE_OK);
    for (uint64_t h = 0; h < 2; h++)
        for (uint64_t i = 0; i < c.queries; i++)
            for (uint64_t d = 0; d < c.value_size; d++) {
                const bool is_nan = h == 1 && (i == 20 || i == 21);
                const double out = element(&t, OUT, 0, h, i, d), lse = element(&t, LSE, 0, h, i, 0);
                if (is_nan)
                    assert_true(is_quiet_nan(t.tensor[OUT] + 4 * (place(&t, OUT, 0, h, i) + (int64_t)d)) &&
                                is_quiet_nan(t.tensor[LSE] + 4 * place(&t, LSE, 0, h, i)));
                else if (i < 5)
                    assert_true(out == 0 && !signbit(out) && lse == (double)INFINITY);
                else
                    assert_true(isfinite(out) && isfinite(lse));
            }
    put(REF_F32, t.tensor[Q], place(&t, Q, 0, 1, 20) + 3, 1);
    put(REF_F32, t.tensor[Q], place(&t, Q, 0, 1, 21) + 3, 1);
    assert_int_equal(forward(&t), DROPWISE_OK);
    assert_int_equal(backward(&t), DROPWISE_OK);
    for (uint64_t d = 0; d < c.size; d++) {
        assert_true(element(&t, DQ, 0, 0, 4, d) == 0 && element(&t, DQ, 0, 0, 5, d) != 0 * d);
        assert_true(element(&t, DK, 0, 1, 25, d) == 0 && element(&t, DV, 0, 1, 25, d) == 0);
    }
    free_tensors(&t);

    /* Strides of what there is one of do not count. */
    const attention_case one = {1, 1, 1, 1, 1, 4, 4, 0, false, 0, true, true, DENSE, REF_F32};
    new_tensors(&t, &one);
    t.tensor[ALLOW][0] = 1;
    for (int i = 0; i < TENSORS; i++)
        for (int d = 0; i != LSE && d < 3; d++)
            ((int64_t *)(uintptr_t)stride_of(&t, i))[d] = INT64_MIN + d;
    assert_int_equal(forward(&t), DROPWISE_OK);
    assert_same_bytes(t.tensor[OUT], t.tensor[V], t.bytes[OUT], "one key");
    assert_int_equal(backward(&t), DROPWISE_OK);
    assert_same_bytes(t.tensor[DV], t.tensor[DOUT], t.bytes[DV], "one query");
    free_tensors(&t);

    /* Nothing at all. */
    const attention_case none = {1, 1, 1, 5, 8, 4, 4, 0.5, false, 0, false, false, DENSE, REF_F32};
    new_tensors(&t, &none);
    t.a.keys = 0;
    assert_int_equal(forward(&t), DROPWISE_OK);
    for (int e = 0; e < 20; e++)
        assert_true(get(REF_F32, t.tensor[OUT], e) == 0);
    assert_int_equal(backward(&t), DROPWISE_OK);
    t.a.keys = 8;
    t.a.queries = t.a.n_queries = 0;
    memset(t.tensor[DV], NOT_WRITTEN, t.bytes[DV]);
    assert_int_equal(backward(&t), DROPWISE_OK);
    for (int e = 0; e < 32; e++)
        assert_true(get(REF_F32, t.tensor[DV], e) == 0);
    free_tensors(&t);
}

/* ---- Tiles ---- */

static void bits_of_rows_are_those_of_the_mask(void **state)
{
    (void)state;
    static const struct {
        uint64_t rows, columns, row_stride, bits_stride;
    } shapes[] = {
        {1, 77, 5, 10},        {7, 64, 64, 8},       {9, 64, 64, 11},         {40, 13, 13, 2},
        {5, 100, 1000, 13},    {3, 1500, 1600, 200}, {2, 20000, 20000, 2500}, {2, 20001, 30000, 2503},
        {60, 1000, 1001, 125}, {3, 9, 0, 2}};
    const dropwise_mask mask = mask_of(0.4);
    const ref_mask ref = ref_mask_of(0.4, SEED, STREAM);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const size_t columns = (size_t)shapes[s].columns, step = (size_t)shapes[s].bits_stride;
        const size_t n = (size_t)(shapes[s].rows - 1) * step + (columns + 7) / 8;
        guard_arena arena = guard_new(n);
        uint8_t *keep = malloc(columns), *row = malloc(columns / 8 + 1);
        uint8_t *bits = guard_place(&arena, n, s % 2, s);
        memset(bits, NOT_WRITTEN, n);
        assert_int_equal(
            dropwise_draw_bits_rows(&mask, 12345, shapes[s].rows, columns, shapes[s].row_stride, bits, step),
            DROPWISE_OK);
        for (size_t r = 0; r < shapes[s].rows; r++) {
            ref_keep_range(&ref, 12345 + r * shapes[s].row_stride, columns, keep);
            ref_pack(keep, columns, row);
            assert_same_bytes(bits + r * step, row, (columns + 7) / 8, "row %zu of shape %zu", r, s);
            for (size_t i = (columns + 7) / 8; r + 1 < shapes[s].rows && i < step; i++)
                assert_int_equal(bits[r * step + i], NOT_WRITTEN);
        }
        assert_true(guard_intact(&arena));
        free(keep), free(row);
        guard_free(&arena);
    }
    uint8_t one = NOT_WRITTEN;
    assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 2, 9, 9, &one, 1), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_draw_bits_rows(&mask, DROPWISE_INDEX_LIMIT - 9, 2, 8, 2, &one, 1),
                     DROPWISE_ERROR_RANGE);
    assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 2, 8, 8, NULL, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 2, 8, 8, &one, UINT64_MAX), DROPWISE_ERROR_SIZE);
    if (SIZE_MAX == UINT32_MAX) { /* 2^33 bits fit there, but their number does not */
        assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 1 << 10, 1 << 23, 1 << 23, &one, 1 << 20),
                         DROPWISE_ERROR_SIZE);
        assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 1, UINT64_C(1) << 33, 0, &one, 1 << 30),
                         DROPWISE_ERROR_SIZE);
    }
    assert_int_equal(dropwise_draw_bits_rows(NULL, 0, 0, 8, 8, &one, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_draw_bits_rows(&mask, 0, 0, 8, 8, NULL, 0), DROPWISE_OK);
    assert_int_equal(one, NOT_WRITTEN);
}

enum { SIZE = 8, QUERIES = 101, KEYS = 83, WIDE = KEYS + 5 };

/* An engine's loop over one head, with products of its own, and tiles of a width that is given. */
typedef struct engine {
    float q[QUERIES * SIZE], k[KEYS * SIZE], v[KEYS * SIZE], dout[QUERIES * SIZE];
    float add[QUERIES * KEYS];
    dropwise_mask mask;
    dropwise_dtype dtype;
    ref_dtype of_products;
    uint64_t tile, first;
    bool causal, adds;
    struct {
        float out[QUERIES * SIZE], lse[QUERIES], dq[QUERIES * SIZE], dk[KEYS * SIZE], dv[KEYS * SIZE];
    } made;
} engine;

static void product(const float *x, const float *y, uint64_t columns, float *to)
{
    for (uint64_t i = 0; i < QUERIES; i++)
        for (uint64_t j = 0; j < columns; j++) {
            float sum = 0;
            for (uint64_t d = 0; d < SIZE; d++)
                sum += x[i * SIZE + d] * y[j * SIZE + d];
            to[i * WIDE + j] = sum;
        }
}

static dropwise_attention_tile tile_at(const engine *e, uint64_t j, const uint8_t *bits)
{
    return (dropwise_attention_tile){.struct_size = sizeof(dropwise_attention_tile),
                                     .causal = e->causal,
                                     .causal_offset = KEYS - QUERIES - (int64_t)j,
                                     .rows = QUERIES,
                                     .columns = KEYS - j < e->tile ? KEYS - j : e->tile,
                                     .stride = WIDE,
                                     .out_stride = WIDE,
                                     .bits = bits + j / 8,
                                     .bits_stride = (KEYS + 7) / 8,
                                     .add = e->adds ? e->add + j : NULL,
                                     .add_stride = KEYS,
                                     .scale = 0.35};
}

static dropwise_status engine_run(const void *arguments)
{
    engine *e = (engine *)(uintptr_t)arguments;
    uint8_t bits[QUERIES * ((KEYS + 7) / 8)], p[QUERIES * WIDE * 4], g[QUERIES * WIDE * 4];
    float scores[QUERIES * WIDE], dp[QUERIES * WIDE], o[QUERIES * SIZE], top[QUERIES], sum[QUERIES];
    float shrink[QUERIES], delta[QUERIES];
    memset(&e->made, 0, sizeof e->made);
    dropwise_status status =
        dropwise_draw_bits_rows(&e->mask, e->first, QUERIES, KEYS, KEYS, bits, (KEYS + 7) / 8);
    for (uint64_t j = 0; j < KEYS && status == DROPWISE_OK; j += e->tile) {
        const dropwise_attention_tile t = tile_at(e, j, bits);
        uint8_t *to = e->of_products == REF_F32 ? (uint8_t *)scores : p;
        product(e->q, e->k + j * SIZE, t.columns, scores);
        status = dropwise_attention_tile_forward(&t, e->dtype, j == 0, scores, top, sum, shrink, to);
        for (uint64_t i = 0; i < QUERIES; i++)
            for (uint64_t d = 0; d < SIZE; d++) {
                float *of = &o[i * SIZE + d];
                *of = j == 0 ? 0 : *of * shrink[i];
                for (uint64_t c = 0; c < t.columns; c++)
                    *of += (float)get(e->of_products, to, (int64_t)(i * WIDE + c)) * e->v[(j + c) * SIZE + d];
            }
    }
    if (status == DROPWISE_OK)
        status = dropwise_attention_rows_end(&e->mask, DROPWISE_F32, QUERIES, SIZE, o, SIZE, top, sum,
                                             e->made.out, SIZE, e->made.lse);
    if (status == DROPWISE_OK)
        status =
            dropwise_attention_delta(DROPWISE_F32, QUERIES, SIZE, e->dout, SIZE, e->made.out, SIZE, delta);
    for (uint64_t j = 0; j < KEYS && status == DROPWISE_OK; j += e->tile) {
        const dropwise_attention_tile t = tile_at(e, j, bits);
        uint8_t *of_p = e->of_products == REF_F32 ? (uint8_t *)scores : p;
        uint8_t *of_g = e->of_products == REF_F32 ? (uint8_t *)dp : g;
        product(e->q, e->k + j * SIZE, t.columns, scores);
        product(e->dout, e->v + j * SIZE, t.columns, dp);
        status = dropwise_attention_tile_backward(&e->mask, &t, e->dtype, scores, dp, e->made.lse, delta,
                                                  of_p, of_g);
        for (uint64_t i = 0; i < QUERIES; i++)
            for (uint64_t c = 0; c < t.columns; c++)
                for (uint64_t d = 0; d < SIZE; d++) {
                    const float prob = (float)get(e->of_products, of_p, (int64_t)(i * WIDE + c));
                    const float grad = (float)get(e->of_products, of_g, (int64_t)(i * WIDE + c));
                    e->made.dv[(j + c) * SIZE + d] += prob * e->dout[i * SIZE + d];
                    e->made.dk[(j + c) * SIZE + d] += grad * e->q[i * SIZE + d];
                    e->made.dq[i * SIZE + d] += grad * e->k[(j + c) * SIZE + d];
                }
    }
    return status;
}

static void assert_close(const char *name, const float *actual, const uint8_t *expected, size_t n,
                         double error)
{
    for (size_t i = 0; i < n; i++) {
        const double e = get(REF_F32, expected, (int64_t)i);
        if ((double)actual[i] != e && !(fabs((double)actual[i] - e) <= error))
            fail_msg("%s by tiles: number %zu is %.9g, expected %.9g", name, i, (double)actual[i], e);
    }
}

/* The whole, with the same tensors, is what the oracle was compared with. */
static void a_loop_over_tiles_of_any_width_makes_the_attention_of_the_whole(void **state)
{
    (void)state;
    static engine e;
    for (int variant = 0; variant < 8; variant++) {
        const attention_case c = {1,
                                  1,
                                  1,
                                  QUERIES,
                                  KEYS,
                                  SIZE,
                                  SIZE,
                                  0.25,
                                  variant % 2,
                                  KEYS - QUERIES,
                                  variant / 2 % 2,
                                  false,
                                  DENSE,
                                  REF_F32};
        attention t;
        new_tensors(&t, &c);
        t.a.scale = 0.35;
        assert_int_equal(forward(&t), DROPWISE_OK);
        assert_int_equal(backward(&t), DROPWISE_OK);
        memcpy(e.q, t.tensor[Q], sizeof e.q);
        memcpy(e.k, t.tensor[K], sizeof e.k);
        memcpy(e.v, t.tensor[V], sizeof e.v);
        memcpy(e.dout, t.tensor[DOUT], sizeof e.dout);
        memcpy(e.add, t.tensor[ADD], sizeof e.add);
        e.mask = t.mask;
        e.first = t.a.first;
        e.causal = c.causal;
        e.adds = c.add;
        e.of_products = variant < 4 ? REF_F32 : variant % 2 ? REF_BF16 : REF_F16;
        e.dtype = dtype_number(e.of_products);
        const double error = 4e-6 + 4 * (variant < 4 ? 0 : precision[e.of_products].unit);
        for (e.tile = 8; e.tile <= 88; e.tile += 40) {
            call_like_scalar(engine_run, &e, &(result){"a loop over tiles", &e.made, sizeof e.made}, 1);
            assert_close("out", e.made.out, t.tensor[OUT], QUERIES * SIZE, error);
            assert_close("log-sum-exp", e.made.lse, t.tensor[LSE], QUERIES, 1e-5);
            assert_close("dq", e.made.dq, t.tensor[DQ], QUERIES * SIZE, error);
            assert_close("dk", e.made.dk, t.tensor[DK], KEYS * SIZE, error);
            assert_close("dv", e.made.dv, t.tensor[DV], KEYS * SIZE, error);
        }
        free_tensors(&t);
    }
}

/* ---- Guards ---- */

static void no_byte_outside_of_the_arguments_is_touched(void **state)
{
    (void)state;
    static const attention_case some[] = {
        {1, 2, 1, 13, 75, 20, 12, 0.2, true, 62, true, true, DENSE, REF_F32},
        {1, 1, 1, 7, 33, 16, 16, 0.2, false, 0, true, false, DENSE, REF_BF16},
    };
    for (int variant = 0; variant < 4; variant++) {
        attention t;
        new_tensors(&t, &some[variant / 2]);
        guard_arena arenas[TENSORS + 1];
        for (int i = 0; i < TENSORS; i++) {
            arenas[i] = guard_new(t.bytes[i] + 64);
            t.tensor[i] = guard_place(&arenas[i], t.bytes[i], variant % 2, 4);
            memcpy(t.tensor[i], t.buffer[i], t.bytes[i]);
        }
        t.a.add = t.a.add != NULL ? t.tensor[ADD] : NULL;
        t.a.allow = t.a.allow != NULL ? t.tensor[ALLOW] : NULL;
        void *const workspace = t.workspace;
        for (int back = 0; back < 2; back++) {
            const size_t n = (size_t)t.workspace_bytes[back];
            arenas[TENSORS] = guard_new(n + 64);
            t.workspace = guard_place(&arenas[TENSORS], n, variant % 2, 12);
            assert_int_equal(back ? backward(&t) : forward(&t), DROPWISE_OK);
            for (int i = 0; i <= TENSORS; i++)
                assert_true(guard_intact(&arenas[i]));
            guard_free(&arenas[TENSORS]);
        }
        for (int i = 0; i < TENSORS; i++)
            guard_free(&arenas[i]);
        t.workspace = workspace;
        free_tensors(&t);
    }
}

/* ---- Errors ---- */

static attention good;

static void assert_untouched(void)
{
    static const int outputs[] = {OUT, LSE, DQ, DK, DV};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++)
        for (size_t b = 0; b < good.bytes[outputs[i]]; b++)
            assert_int_equal(good.buffer[outputs[i]][b], NOT_WRITTEN);
}

static void refuses(const attention *t, dropwise_status on_forward, dropwise_status on_backward)
{
    assert_int_equal(forward(t), on_forward);
    assert_int_equal(backward(t), on_backward);
    assert_untouched();
}

static void refuses_field(size_t offset, uint64_t value, dropwise_status status)
{
    attention t = good;
    memcpy((uint8_t *)&t.a + offset, &value, sizeof value);
    refuses(&t, status, status);
}

#define FIELD(field) offsetof(dropwise_attention, field)

static void whole_calls_refuse_what_is_wrong_and_write_nothing(void **state)
{
    (void)state;
    const attention_case c = {2, 4, 2, 10, 12, 8, 8, 0.2, false, 0, true, true, DENSE, REF_F32};
    new_tensors(&good, &c);
    for (int i = 0; i < TENSORS; i++)
        if (i == OUT || i == LSE || (i >= DQ && i <= DV))
            memset(good.tensor[i], NOT_WRITTEN, good.bytes[i]);

    static const int64_t extreme = INT64_MAX / 2;
    refuses_field(FIELD(kv_heads), 0, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(kv_heads), 3, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(size), 0, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(value_size), 0, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(first_head), 1, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(n_heads), 9, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(first_query), 11, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(n_queries), UINT64_MAX, DROPWISE_ERROR_SHAPE);
    refuses_field(FIELD(batches), UINT64_MAX, DROPWISE_ERROR_RANGE);
    refuses_field(FIELD(keys), UINT64_C(1) << 58, DROPWISE_ERROR_RANGE);
    refuses_field(FIELD(size), UINT64_C(1) << 59, DROPWISE_ERROR_RANGE);
    refuses_field(FIELD(first), DROPWISE_INDEX_LIMIT - 900, DROPWISE_ERROR_RANGE);
    refuses_field(FIELD(mask_stride[0]), UINT64_MAX, DROPWISE_ERROR_RANGE);
    refuses_field(FIELD(q_stride[1]), (uint64_t)extreme, DROPWISE_ERROR_SIZE);
    refuses_field(FIELD(k_stride[2]), (uint64_t)INT64_MIN, DROPWISE_ERROR_SIZE);
    refuses_field(FIELD(add_stride[0]), (uint64_t)extreme, DROPWISE_ERROR_SIZE);
    refuses_field(FIELD(reserved[3]), 1, DROPWISE_ERROR_RESERVED);
    static const double scales[] = {0, -1, INFINITY, NAN, 0x1p-101, 0x1p101};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        uint64_t bits;
        memcpy(&bits, &scales[i], sizeof bits);
        refuses_field(FIELD(scale), bits, DROPWISE_ERROR_PARAMETER);
    }
    attention t = good;
    t.a.struct_size--;
    refuses(&t, DROPWISE_ERROR_STRUCT_SIZE, DROPWISE_ERROR_STRUCT_SIZE);
    t = good;
    t.a.causal = 2;
    refuses(&t, DROPWISE_ERROR_PARAMETER, DROPWISE_ERROR_PARAMETER);
    t = good;
    t.a.out_stride[2] = t.a.dq_stride[2] = 7;
    refuses(&t, DROPWISE_ERROR_SELF_OVERLAP, DROPWISE_ERROR_SELF_OVERLAP);
    t = good;
    t.workspace_bytes[0]--;
    t.workspace_bytes[1]--;
    refuses(&t, DROPWISE_ERROR_WORKSPACE, DROPWISE_ERROR_WORKSPACE);
    t = good;
    t.workspace = NULL;
    refuses(&t, DROPWISE_ERROR_NULL, DROPWISE_ERROR_NULL);
    t = good;
    t.dtype = REF_F64;
    refuses(&t, DROPWISE_ERROR_DTYPE, DROPWISE_ERROR_DTYPE);
    t = good;
    t.mask.scaling = 0;
    refuses(&t, DROPWISE_ERROR_SCALING, DROPWISE_ERROR_SCALING);
    for (int i = 0; i <= DV; i++) {
        t = good;
        t.tensor[i] = NULL;
        if (i <= OUT)
            assert_int_equal(forward(&t), DROPWISE_ERROR_NULL);
        assert_int_equal(backward(&t), DROPWISE_ERROR_NULL);
        assert_untouched();
    }
    /* Outputs on inputs, on each other, on the workspace. */
    t = good;
    t.tensor[Q] = t.tensor[OUT] + 4;
    t.tensor[DOUT] = t.tensor[DV];
    refuses(&t, DROPWISE_ERROR_OVERLAP, DROPWISE_ERROR_OVERLAP);
    t = good;
    t.tensor[LSE] = t.tensor[OUT];
    t.tensor[DK] = t.tensor[DV];
    refuses(&t, DROPWISE_ERROR_OVERLAP, DROPWISE_ERROR_OVERLAP);
    t = good;
    t.tensor[K] = (uint8_t *)t.workspace + 8;
    refuses(&t, DROPWISE_ERROR_OVERLAP, DROPWISE_ERROR_OVERLAP);
    /* Parts of the backward pass. */
    t = good;
    t.a.n_heads = 3;
    assert_int_equal(backward(&t), DROPWISE_ERROR_SHAPE);
    t = good;
    t.a.n_queries = 9;
    assert_int_equal(backward(&t), DROPWISE_ERROR_SHAPE);
    assert_untouched();
    assert_int_equal(
        dropwise_attention_forward(&good.mask, DROPWISE_F32, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0),
        DROPWISE_ERROR_NULL);

    uint64_t bytes = 5;
    dropwise_attention a;
    memset(&a, NOT_WRITTEN, sizeof a);
    const dropwise_attention before = a;
    assert_int_equal(dropwise_attention_workspace(NULL, DROPWISE_F32, 0, &bytes), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_workspace(&good.a, DROPWISE_F32, 0, NULL), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_workspace(&good.a, DROPWISE_F32, 2, &bytes),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_attention_workspace(&good.a, DROPWISE_F64, 0, &bytes), DROPWISE_ERROR_DTYPE);
    assert_int_equal(bytes, 5);
    assert_int_equal(dropwise_attention_init(NULL, 1, 1, 1, 1, 1, 1, 1), DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_init(&a, 1, 3, 2, 1, 1, 1, 1), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_attention_init(&a, 1 << 20, 1 << 20, 1, 1 << 20, 2, 1, 1),
                     DROPWISE_ERROR_RANGE);
    assert_same_bytes(&a, &before, sizeof a, "init");
    free_tensors(&good);
}

static void calls_on_tiles_refuse_what_is_wrong_and_write_nothing(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 10, N = ROWS * COLUMNS };
    static float x[N], d[N], out[N], grads[N], rows[5][ROWS];
    static uint8_t bits[ROWS * 2];
    const dropwise_mask mask = mask_of(0.5);
    const dropwise_attention_tile fine = {.struct_size = sizeof fine,
                                          .rows = ROWS,
                                          .columns = COLUMNS,
                                          .stride = COLUMNS,
                                          .out_stride = COLUMNS,
                                          .bits = bits,
                                          .bits_stride = 2,
                                          .scale = 1};
#define REFUSES(status, change) \
    do { \
        dropwise_attention_tile t = fine; \
        change; \
        memset(x, NOT_WRITTEN, sizeof x); \
        memset(rows, NOT_WRITTEN, sizeof rows); \
        assert_int_equal( \
            dropwise_attention_tile_forward(&t, DROPWISE_F32, 1, x, rows[0], rows[1], rows[2], x), status); \
        assert_int_equal( \
            dropwise_attention_tile_backward(&mask, &t, DROPWISE_F32, x, d, rows[0], rows[1], x, d), \
            status); \
        for (size_t i = 0; i < sizeof x; i++) \
            assert_int_equal(((uint8_t *)x)[i], NOT_WRITTEN); \
    } while (0)
    REFUSES(DROPWISE_ERROR_STRUCT_SIZE, t.struct_size++);
    REFUSES(DROPWISE_ERROR_RESERVED, t.reserved[1] = 1);
    REFUSES(DROPWISE_ERROR_PARAMETER, t.causal = 2);
    REFUSES(DROPWISE_ERROR_PARAMETER, t.scale = 0);
    REFUSES(DROPWISE_ERROR_SHAPE, t.stride = 9);
    REFUSES(DROPWISE_ERROR_SHAPE, t.out_stride = 9);
    REFUSES(DROPWISE_ERROR_SHAPE, t.bits_stride = 1);
    REFUSES(DROPWISE_ERROR_SHAPE, (t.add = out, t.add_stride = 9));
    REFUSES(DROPWISE_ERROR_SIZE, t.stride = UINT64_MAX / 2);
    REFUSES(DROPWISE_ERROR_SIZE, t.rows = UINT64_MAX);
    REFUSES(DROPWISE_ERROR_OVERLAP, t.out_stride = 11);
    REFUSES(DROPWISE_ERROR_OVERLAP, (t.add = x + 1, t.add_stride = 10));
    REFUSES(DROPWISE_ERROR_OVERLAP, t.bits = x);
    float *const top = rows[0], *const sum = rows[1], *const shrink = rows[2];
    assert_int_equal(dropwise_attention_tile_forward(&fine, DROPWISE_F64, 1, x, top, sum, shrink, x),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_attention_tile_forward(&fine, DROPWISE_F32, 2, x, top, sum, shrink, x),
                     DROPWISE_ERROR_PARAMETER);
    assert_int_equal(dropwise_attention_tile_forward(NULL, DROPWISE_F32, 1, x, top, sum, shrink, x),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_tile_forward(&fine, DROPWISE_F32, 1, x, top, NULL, shrink, x),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_tile_forward(&fine, DROPWISE_BF16, 1, x, top, sum, shrink, x),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_attention_tile_forward(&fine, DROPWISE_F32, 1, x, top, top, shrink, out),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_attention_tile_backward(&mask, &fine, DROPWISE_F32, x, x, top, sum, out, grads),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_attention_tile_backward(&mask, &fine, DROPWISE_F32, x, d, top, sum, d, x),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_attention_tile_backward(NULL, &fine, DROPWISE_F32, x, d, top, sum, x, d),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_tile_backward(&mask, &fine, DROPWISE_F32, x, d, NULL, sum, x, d),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_rows_end(&mask, DROPWISE_F32, 3, 10, x, 9, top, sum, out, 10, shrink),
                     DROPWISE_ERROR_SHAPE);
    assert_int_equal(
        dropwise_attention_rows_end(&mask, DROPWISE_F64, 3, 10, x, 10, top, sum, out, 10, shrink),
        DROPWISE_ERROR_DTYPE);
    assert_int_equal(
        dropwise_attention_rows_end(&mask, DROPWISE_F32, 3, 10, x, 10, NULL, sum, out, 10, shrink),
        DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_rows_end(&mask, DROPWISE_F16, 3, 10, x, 10, top, sum, x, 10, shrink),
                     DROPWISE_ERROR_OVERLAP);
    assert_int_equal(dropwise_attention_delta(DROPWISE_F32, 3, 10, x, 9, out, 10, top), DROPWISE_ERROR_SHAPE);
    assert_int_equal(dropwise_attention_delta(DROPWISE_F8_E4M3, 3, 10, x, 10, out, 10, top),
                     DROPWISE_ERROR_DTYPE);
    assert_int_equal(dropwise_attention_delta(DROPWISE_F32, 3, 10, x, 10, NULL, 10, top),
                     DROPWISE_ERROR_NULL);
    assert_int_equal(dropwise_attention_delta(DROPWISE_F32, 3, 10, x, 10, out, 10, x + 29),
                     DROPWISE_ERROR_OVERLAP);
}

int main(void)
{
    allow_tiles(); /* the tests of kernels look at what is used without them */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_gradients_are_near_their_formulas_and_of_the_same_bits_on_all_tiers),
        cmocka_unit_test(bf16_of_all_sizes_has_the_same_bits_on_all_tiers),
        cmocka_unit_test(bf16_below_the_limits_counts_as_zero),
        cmocka_unit_test(nan_of_bf16_stay_in_their_row),
        cmocka_unit_test(the_mask_is_that_of_all_probabilities),
        cmocka_unit_test(parts_make_the_bits_of_the_whole),
        cmocka_unit_test(nan_stay_in_their_row_and_what_sees_nothing_is_zero),
        cmocka_unit_test(bits_of_rows_are_those_of_the_mask),
        cmocka_unit_test(a_loop_over_tiles_of_any_width_makes_the_attention_of_the_whole),
        cmocka_unit_test(no_byte_outside_of_the_arguments_is_touched),
        cmocka_unit_test(whole_calls_refuse_what_is_wrong_and_write_nothing),
        cmocka_unit_test(calls_on_tiles_refuse_what_is_wrong_and_write_nothing),
    };
    return run_on_each_tier(tests, NULL, NULL);
}
