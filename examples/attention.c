/*
 * Attention with dropout in three ways: by whole calls; by a loop over tiles of an engine's own, with
 * products of another library and dropwise between them; and by the plain steps, which write matrices of
 * queries by keys. Each without and with dropout, with the same mask: they have to agree. Prints a table of
 * times and of the memory that each takes beyond its inputs and outputs.
 *
 * usage: attention [BATCHES HEADS LENGTH SIZE]
 */
#include <dropwise_attention.h>
#include <dropwise_fused.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_BLAS
#include <cblas.h>
#endif

/* ---- What an engine has: memory and products ---- */

static size_t used, most_used;

static float *floats(size_t n)
{
    size_t *p = malloc(64 + n * sizeof(float));
    if (p == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    *p = n * sizeof(float);
    used += *p;
    most_used = used > most_used ? used : most_used;
    return (float *)(void *)((char *)p + 64);
}

static void give_back(void *p)
{
    size_t *begin = (size_t *)(void *)((char *)p - 64);
    used -= *begin;
    free(begin);
}

/* c, m x n, = a b, or c += a b; a is m x k, or its transposed, b k x n, or its transposed. */
static void product(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, const float *a,
                    size_t lda, const float *b, size_t ldb, bool adds, float *c, size_t ldc)
{
#ifdef HAVE_BLAS
    cblas_sgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans,
                b_transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb,
                adds ? 1 : 0, c, (int)ldc);
#else
    for (size_t i = 0; i < m; i++) {
        if (!adds)
            memset(c + i * ldc, 0, n * sizeof *c);
        for (size_t l = 0; l < k; l++) {
            const float s = a_transposed ? a[l * lda + i] : a[i * lda + l];
            if (b_transposed)
                for (size_t j = 0; j < n; j++)
                    c[i * ldc + j] += s * b[j * ldb + l];
            else
                for (size_t j = 0; j < n; j++)
                    c[i * ldc + j] += s * b[l * ldb + j];
        }
    }
#endif
}

static void check(dropwise_status status)
{
    if (status != DROPWISE_OK) {
        fprintf(stderr, "%s\n", dropwise_status_string(status));
        exit(1);
    }
}

/* ---- Three ways ---- */

/* Tensors of heads, one after the other, of `length` rows of `size` numbers. */
typedef struct problem {
    size_t heads, length, size;
    dropwise_mask mask;
    const float *q, *k, *v, *dout;
    float *out, *lse, *dq, *dk, *dv;
} problem;

static dropwise_attention whole_of(const problem *p)
{
    dropwise_attention a;
    check(dropwise_attention_init(&a, 1, p->heads, p->heads, p->length, p->length, p->size, p->size));
    return a;
}

static void whole_forward(const problem *p)
{
    const dropwise_attention a = whole_of(p);
    uint64_t bytes;
    check(dropwise_attention_workspace(&a, DROPWISE_F32, 0, &bytes));
    float *const workspace = floats((size_t)bytes / sizeof(float) + 1);
    check(dropwise_attention_forward(&p->mask, DROPWISE_F32, &a, p->q, p->k, p->v, p->out, p->lse, workspace,
                                     bytes));
    give_back(workspace);
}

static void whole_backward(const problem *p)
{
    const dropwise_attention a = whole_of(p);
    uint64_t bytes;
    check(dropwise_attention_workspace(&a, DROPWISE_F32, 1, &bytes));
    float *const workspace = floats((size_t)bytes / sizeof(float) + 1);
    check(dropwise_attention_backward(&p->mask, DROPWISE_F32, &a, p->q, p->k, p->v, p->out, p->lse, p->dout,
                                      p->dq, p->dk, p->dv, workspace, bytes));
    give_back(workspace);
}

enum { STRIP = 128, TILE = 256 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The bits of a strip of queries, which tiles of keys are taken out of; none without dropout. */
static void draw(const problem *p, size_t head, size_t i, size_t rows, void *bits)
{
    if (p->mask.keep_threshold != DROPWISE_KEEP_ONE)
        check(dropwise_draw_bits_rows(&p->mask, (head * p->length + i) * p->length, rows, p->length,
                                      p->length, bits, (p->length + 7) / 8));
}

static dropwise_attention_tile tile_of(const problem *p, size_t rows, size_t j, const unsigned char *bits)
{
    dropwise_attention_tile t;
    memset(&t, 0, sizeof t);
    t.struct_size = sizeof t;
    t.rows = rows;
    t.columns = least(TILE, p->length - j);
    t.stride = t.out_stride = TILE;
    t.bits = p->mask.keep_threshold != DROPWISE_KEEP_ONE ? bits + j / 8 : NULL;
    t.bits_stride = (p->length + 7) / 8;
    t.scale = 1 / sqrt((double)p->size);
    return t;
}

static void tiles_forward(const problem *p)
{
    const size_t n = p->length, d = p->size;
    float *const scores = floats(STRIP * TILE), *const o = floats(STRIP * d), *const rows = floats(3 * STRIP);
    float *const bits = floats(STRIP * ((n + 7) / 8) / sizeof(float) + 1);
    float *const top = rows, *const sum = rows + STRIP, *const shrink = sum + STRIP;
    for (size_t head = 0; head < p->heads; head++)
        for (size_t i = 0; i < n; i += STRIP) {
            const size_t m = least(STRIP, n - i), at = (head * n + i) * d;
            draw(p, head, i, m, bits);
            for (size_t j = 0; j < n; j += TILE) {
                const dropwise_attention_tile t = tile_of(p, m, j, (const unsigned char *)bits);
                const size_t keys = (head * n + j) * d, columns = (size_t)t.columns;
                product(false, true, m, columns, d, p->q + at, d, p->k + keys, d, false, scores, TILE);
                check(dropwise_attention_tile_forward(&t, DROPWISE_F32, j == 0, scores, top, sum, shrink,
                                                      scores));
                for (size_t r = 0; j != 0 && r < m; r++)
                    for (size_t c = 0; c < d; c++)
                        o[r * d + c] *= shrink[r];
                product(false, false, m, d, columns, scores, TILE, p->v + keys, d, j != 0, o, d);
            }
            check(dropwise_attention_rows_end(&p->mask, DROPWISE_F32, m, d, o, d, top, sum, p->out + at, d,
                                              p->lse + head * n + i));
        }
    give_back(scores), give_back(o), give_back(rows), give_back(bits);
}

static void tiles_backward(const problem *p)
{
    const size_t n = p->length, d = p->size;
    float *const scores = floats(STRIP * TILE), *const dp = floats(STRIP * TILE),
                 *const delta = floats(STRIP);
    float *const bits = floats(STRIP * ((n + 7) / 8) / sizeof(float) + 1);
    memset(p->dk, 0, p->heads * n * d * sizeof(float));
    memset(p->dv, 0, p->heads * n * d * sizeof(float));
    for (size_t head = 0; head < p->heads; head++)
        for (size_t i = 0; i < n; i += STRIP) {
            const size_t m = least(STRIP, n - i), at = (head * n + i) * d;
            draw(p, head, i, m, bits);
            check(dropwise_attention_delta(DROPWISE_F32, m, d, p->dout + at, d, p->out + at, d, delta));
            for (size_t j = 0; j < n; j += TILE) {
                const dropwise_attention_tile t = tile_of(p, m, j, (const unsigned char *)bits);
                const size_t keys = (head * n + j) * d, columns = (size_t)t.columns;
                product(false, true, m, columns, d, p->q + at, d, p->k + keys, d, false, scores, TILE);
                product(false, true, m, columns, d, p->dout + at, d, p->v + keys, d, false, dp, TILE);
                check(dropwise_attention_tile_backward(&p->mask, &t, DROPWISE_F32, scores, dp,
                                                       p->lse + head * n + i, delta, scores, dp));
                product(true, false, columns, d, m, scores, TILE, p->dout + at, d, true, p->dv + keys, d);
                product(true, false, columns, d, m, dp, TILE, p->q + at, d, true, p->dk + keys, d);
                product(false, false, m, d, columns, dp, TILE, p->k + keys, d, j != 0, p->dq + at, d);
            }
        }
    give_back(scores), give_back(dp), give_back(delta), give_back(bits);
}

/* Probabilities, and what is kept of them, of all heads. The backward pass needs both. */
static float *probabilities, *kept;

static dropwise_view matrices_of(const problem *p)
{
    const uint64_t size[] = {p->heads, p->length, p->length};
    dropwise_view view;
    check(dropwise_view_init(&view, 3, size));
    return view;
}

static dropwise_softmax softmax_of(const problem *p)
{
    dropwise_softmax softmax;
    check(dropwise_softmax_init(&softmax, 1 / sqrt((double)p->size)));
    return softmax;
}

static void plain_forward(const problem *p)
{
    const size_t n = p->length, d = p->size;
    const dropwise_view view = matrices_of(p);
    const dropwise_softmax softmax = softmax_of(p);
    probabilities = floats(p->heads * n * n);
    kept = floats(p->heads * n * n);
    for (size_t h = 0; h < p->heads; h++)
        product(false, true, n, n, d, p->q + h * n * d, d, p->k + h * n * d, d, false, kept + h * n * n, n);
    check(dropwise_softmax_forward(&p->mask, DROPWISE_F32, &view, &softmax, kept, probabilities, kept, NULL));
    for (size_t h = 0; h < p->heads; h++)
        product(false, false, n, d, n, kept + h * n * n, n, p->v + h * n * d, d, false, p->out + h * n * d,
                d);
}

static void plain_backward(const problem *p)
{
    const size_t n = p->length, d = p->size;
    const dropwise_view view = matrices_of(p);
    const dropwise_softmax softmax = softmax_of(p);
    for (size_t h = 0; h < p->heads; h++) {
        float *const of_head = kept + h * n * n;
        product(true, false, n, d, n, of_head, n, p->dout + h * n * d, d, false, p->dv + h * n * d, d);
        product(false, true, n, n, d, p->dout + h * n * d, d, p->v + h * n * d, d, false, of_head, n);
    }
    check(
        dropwise_softmax_backward(&p->mask, DROPWISE_F32, &view, &softmax, kept, probabilities, kept, NULL));
    for (size_t h = 0; h < p->heads; h++) {
        const float *const of_head = kept + h * n * n;
        product(false, false, n, d, n, of_head, n, p->k + h * n * d, d, false, p->dq + h * n * d, d);
        product(true, false, n, d, n, of_head, n, p->q + h * n * d, d, false, p->dk + h * n * d, d);
    }
    give_back(probabilities), give_back(kept);
}

/* ---- The table ---- */

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The larger one; the second one if it is a NaN. */
static double larger(double a, double b)
{
    return b <= a ? a : b;
}

/* The largest difference of two tensors by the largest number. */
static double difference(const float *a, const float *b, size_t n)
{
    double most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        most = larger(most, fabs((double)a[i] - (double)b[i]));
        largest = larger(largest, fabs((double)a[i]));
    }
    return most / largest;
}

static float *numbers(size_t n)
{
    float *const p = floats(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)rand() / (float)RAND_MAX * 4 - 2;
    return p;
}

static size_t argument(int argc, char **argv, int i, size_t value)
{
    if (i < argc)
        value = strtoul(argv[i], NULL, 10);
    if (value == 0 || value > 100000) {
        fprintf(stderr, "usage: attention [BATCHES HEADS LENGTH SIZE]\n");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*forward)(const problem *), (*backward)(const problem *);
    } ways[] = {{"whole calls", whole_forward, whole_backward},
                {"own loop over tiles", tiles_forward, tiles_backward},
                {"plain steps", plain_forward, plain_backward}};
    problem p = {.heads = argument(argc, argv, 1, 1) * argument(argc, argv, 2, 12),
                 .length = argument(argc, argv, 3, 512),
                 .size = argument(argc, argv, 4, 64)};
    const size_t n = p.heads * p.length * p.size;
    float *results[3][4];
    double worst = 0;
    p.q = numbers(n), p.k = numbers(n), p.v = numbers(n), p.dout = numbers(n);
    p.lse = floats(p.heads * p.length);
    for (int way = 0; way < 3; way++)
        for (int r = 0; r < 4; r++)
            results[way][r] = numbers(n);
#ifdef HAVE_BLAS
    openblas_set_num_threads(1);
    printf("products of the loop and of the steps: OpenBLAS\n");
#else
    printf("products of the loop and of the steps: plain loops\n");
#endif
    printf("%zu heads, %zu x %zu, size %zu, one thread, tier %s\n\n", p.heads, p.length, p.length, p.size,
           dropwise_isa_name(dropwise_isa_active()));
    printf("%-20s  %4s  %11s  %11s  %18s\n", "", "p", "forward, ms", "backward, ms", "memory besides, MiB");
    for (int way = 0; way < 3; way++)
        for (int drops = 0; drops < 2; drops++) {
            double forward = 1e9, backward = 1e9;
            const size_t before = used;
            check(dropwise_mask_init(&p.mask, drops ? 0.1 : 0, 42, 7));
            p.out = results[way][0], p.dq = results[way][1], p.dk = results[way][2], p.dv = results[way][3];
            most_used = used;
            for (int repeat = 0; repeat < 3; repeat++) {
                const double begin = seconds();
                ways[way].forward(&p);
                const double between = seconds();
                ways[way].backward(&p);
                forward = fmin(forward, between - begin);
                backward = fmin(backward, seconds() - between);
            }
            printf("%-20s  %4.1f  %11.2f  %11.2f  %18.2f\n", ways[way].name, drops ? 0.1 : 0.0, 1e3 * forward,
                   1e3 * backward, (double)(most_used - before) / 1048576);
        }
    for (int way = 1; way < 3; way++) /* of the last turn, with dropout */
        for (int r = 0; r < 4; r++)
            worst = larger(worst, difference(results[0][r], results[way][r], n));
    printf("\nlargest difference between the ways, by the largest number: %.2g\n", worst);
    return worst < 2e-5 ? 0 : 1;
}
