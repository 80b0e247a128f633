/*
 * A network that is trained on 1, 2 or 4 MPI ranks, and ends with the same weights, bit for bit:
 *
 *     y = W2 dropout(relu(W1 x))
 *
 * Ranks are a grid. Its rows of ranks share the batch (data parallelism): each has some rows of every
 * activation. Its columns share the hidden units (tensor parallelism): each has some rows of W1 and some
 * columns of W2. No rank holds more than its part of the dropped activation, and each draws its part of the
 * one mask from the seed, the step and where its part lies; nothing about masks is sent.
 *
 * What is sent are sums, over hidden units going forward and over the batch going back. Rounded sums depend
 * on their order, so parts are cut into BLOCKS blocks whatever the number of ranks, and those of all ranks
 * are added as a fixed tree.
 *
 *     mpirun -n 4 distributed
 */
#include <dropwise_variants.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, IN = 24, HIDDEN = 256, OUT = 8, BLOCKS = 4, STEPS = 50 };
enum { ROW_BLOCK = BATCH / BLOCKS, UNIT_BLOCK = HIDDEN / BLOCKS };

static const uint64_t SEED = 42;
static const double P = 0.2;
static const float RATE = 0.2f / BATCH;

/* What streams of the seed are for. */
enum { STREAM_W1 = 1, STREAM_W2, STREAM_TEACHER, STREAM_X = 1 << 20, STREAM_MASK = 1 << 21 };

static float w1[HIDDEN][IN], w2[OUT][HIDDEN], teacher[OUT][IN]; /* of w1 and w2 a rank uses its part */
static float x[BATCH][IN], hidden[BATCH][HIDDEN], dropped[BATCH][HIDDEN], slope[BATCH][HIDDEN];
static float error[BATCH][OUT];

/* This rank's part: rows of the batch and hidden units, and who has the same. */
typedef struct part {
    int first_row, rows, first_unit, units;
    MPI_Comm same_rows, same_units;
} part;

static void check(dropwise_status status, const char *what)
{
    if (status != DROPWISE_OK) {
        fprintf(stderr, "%s: %s\n", what, dropwise_status_string(status));
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

static part make_part(int rank, int ranks)
{
    const int row_parts = ranks == 4 ? 2 : 1, unit_parts = ranks / row_parts;
    part p = {.rows = BATCH / row_parts, .units = HIDDEN / unit_parts};
    p.first_row = rank / unit_parts * p.rows;
    p.first_unit = rank % unit_parts * p.units;
    MPI_Comm_split(MPI_COMM_WORLD, p.first_row, rank, &p.same_rows);
    MPI_Comm_split(MPI_COMM_WORLD, p.first_unit, rank, &p.same_units);
    return p;
}

/* n numbers between -size and size. */
static void draw(uint64_t stream, float size, size_t n, float *numbers)
{
    dropwise_mask mask;
    dropwise_view view;
    const uint64_t shape = n;
    check(dropwise_mask_init(&mask, 0, SEED, stream), "mask");
    check(dropwise_view_init(&view, 1, &shape), "view");
    check(dropwise_draw_uniform(&mask, DROPWISE_F32, &view, numbers), "numbers");
    for (size_t i = 0; i < n; i++)
        numbers[i] = size * (2 * numbers[i] - 1);
}

/* The mask of a step, and this rank's part of it: strides stay those of the whole activation. */
static void mask_of_step(const part *p, int step, dropwise_mask *mask, dropwise_view *view)
{
    const uint64_t whole[] = {BATCH, HIDDEN};
    const uint64_t start[] = {(uint64_t)p->first_row, (uint64_t)p->first_unit};
    const uint64_t size[] = {(uint64_t)p->rows, (uint64_t)p->units};
    check(dropwise_mask_init(mask, P, SEED, STREAM_MASK + (uint64_t)step), "mask");
    check(dropwise_view_init(view, 2, whole), "view");
    check(dropwise_view_shard(view, start, size), "shard");
}

/*
 * The sum of n numbers over BLOCKS blocks, of which each rank of a communicator has filled some, the others
 * being zeros: sums with zeros are exact, so that any order gives all blocks to all; these are added as a
 * tree.
 */
static void add_blocks(MPI_Comm ranks, size_t n, float *blocks, float *sum)
{
    MPI_Allreduce(MPI_IN_PLACE, blocks, (int)(BLOCKS * n), MPI_FLOAT, MPI_SUM, ranks);
    for (size_t i = 0; i < n; i++)
        sum[i] = (blocks[i] + blocks[n + i]) + (blocks[2 * n + i] + blocks[3 * n + i]);
}

/* Activations of this rank's rows and units, and the errors of its rows; the loss of the whole batch. */
static float forward(const part *p, int step)
{
    static float blocks[BLOCKS][BATCH][OUT], losses[BLOCKS];
    draw(STREAM_X + (uint64_t)step, 1, sizeof x / sizeof(float), &x[0][0]);
    for (int r = p->first_row; r < p->first_row + p->rows; r++)
        for (int u = p->first_unit; u < p->first_unit + p->units; u++) {
            float z = 0;
            for (int i = 0; i < IN; i++)
                z += w1[u][i] * x[r][i];
            hidden[r][u] = z > 0 ? z : 0;
        }
    dropwise_mask mask;
    dropwise_view view;
    mask_of_step(p, step, &mask, &view);
    check(dropwise_forward_view(&mask, DROPWISE_F32, &view, &hidden[p->first_row][p->first_unit],
                                &dropped[p->first_row][p->first_unit], NULL),
          "forward");
    memset(blocks, 0, sizeof blocks);
    for (int r = p->first_row; r < p->first_row + p->rows; r++)
        for (int o = 0; o < OUT; o++)
            for (int u = p->first_unit; u < p->first_unit + p->units; u++)
                blocks[u / UNIT_BLOCK][r][o] += w2[o][u] * dropped[r][u];
    add_blocks(p->same_rows, BATCH * OUT, &blocks[0][0][0], &error[0][0]);
    memset(losses, 0, sizeof losses);
    for (int r = p->first_row; r < p->first_row + p->rows; r++)
        for (int o = 0; o < OUT; o++) {
            for (int i = 0; i < IN; i++)
                error[r][o] -= teacher[o][i] * x[r][i];
            losses[r / ROW_BLOCK] += error[r][o] * error[r][o] / (BATCH * OUT);
        }
    float loss;
    add_blocks(p->same_units, 1, losses, &loss);
    return loss;
}

/* A step down the gradient, of this rank's weights. */
static void backward(const part *p, int step)
{
    static float of_w1[BLOCKS][HIDDEN][IN], of_w2[BLOCKS][OUT][HIDDEN], sum1[HIDDEN][IN], sum2[OUT][HIDDEN];
    memset(of_w1, 0, sizeof of_w1);
    memset(of_w2, 0, sizeof of_w2);
    for (int r = p->first_row; r < p->first_row + p->rows; r++)
        for (int u = p->first_unit; u < p->first_unit + p->units; u++) {
            slope[r][u] = 0;
            for (int o = 0; o < OUT; o++) {
                slope[r][u] += error[r][o] * w2[o][u];
                of_w2[r / ROW_BLOCK][o][u] += error[r][o] * dropped[r][u];
            }
        }
    dropwise_mask mask;
    dropwise_view view;
    mask_of_step(p, step, &mask, &view);
    check(dropwise_backward_view(&mask, DROPWISE_F32, &view, &slope[p->first_row][p->first_unit],
                                 &slope[p->first_row][p->first_unit], NULL),
          "backward");
    for (int r = p->first_row; r < p->first_row + p->rows; r++)
        for (int u = p->first_unit; u < p->first_unit + p->units; u++)
            for (int i = 0; i < IN && hidden[r][u] > 0; i++)
                of_w1[r / ROW_BLOCK][u][i] += slope[r][u] * x[r][i];
    add_blocks(p->same_units, HIDDEN * IN, &of_w1[0][0][0], &sum1[0][0]);
    add_blocks(p->same_units, OUT * HIDDEN, &of_w2[0][0][0], &sum2[0][0]);
    for (int u = p->first_unit; u < p->first_unit + p->units; u++) {
        for (int i = 0; i < IN; i++)
            w1[u][i] -= RATE * sum1[u][i];
        for (int o = 0; o < OUT; o++)
            w2[o][u] -= RATE * sum2[o][u];
    }
}

/* A hash of the bits of n numbers: FNV-1a, of 64 bits. */
static unsigned long long hash(unsigned long long h, const float *numbers, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)numbers;
    for (size_t i = 0; i < n * sizeof *numbers; i++)
        h = (h ^ bytes[i]) * 0x100000001B3ULL;
    return h;
}

/* The weights of all ranks: what a rank does not use becomes 0 first. */
static unsigned long long hash_of_weights(const part *p)
{
    for (int u = 0; u < HIDDEN; u++) {
        if (u >= p->first_unit && u < p->first_unit + p->units)
            continue;
        memset(w1[u], 0, sizeof w1[u]);
        for (int o = 0; o < OUT; o++)
            w2[o][u] = 0;
    }
    MPI_Allreduce(MPI_IN_PLACE, w1, HIDDEN * IN, MPI_FLOAT, MPI_SUM, p->same_rows);
    MPI_Allreduce(MPI_IN_PLACE, w2, OUT * HIDDEN, MPI_FLOAT, MPI_SUM, p->same_rows);
    return hash(hash(0xCBF29CE484222325ULL, &w1[0][0], sizeof w1 / sizeof(float)), &w2[0][0],
                sizeof w2 / sizeof(float));
}

int main(int argc, char **argv)
{
    int rank, ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks != 1 && ranks != 2 && ranks != 4) {
        if (rank == 0)
            fprintf(stderr, "distributed: runs on 1, 2 or 4 ranks, not on %d\n", ranks);
        MPI_Finalize();
        return 1;
    }
    part p = make_part(rank, ranks);
    draw(STREAM_W1, 0.3f, sizeof w1 / sizeof(float), &w1[0][0]);
    draw(STREAM_W2, 0.1f, sizeof w2 / sizeof(float), &w2[0][0]);
    draw(STREAM_TEACHER, 1, sizeof teacher / sizeof(float), &teacher[0][0]);
    for (int step = 0; step < STEPS; step++) {
        const float loss = forward(&p, step);
        backward(&p, step);
        if (rank == 0 && (step % 10 == 0 || step == STEPS - 1))
            printf("step %2d, loss %.6f\n", step, (double)loss);
    }
    const unsigned long long weights = hash_of_weights(&p);
    if (rank == 0)
        printf("weights %016llx\n", weights);
    MPI_Comm_free(&p.same_rows);
    MPI_Comm_free(&p.same_units);
    MPI_Finalize();
    return 0;
}
