#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"

void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n != 0 ? n : 1, size);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

static images images_new(size_t n, size_t side, int white)
{
    return (images){allocate(n, side * side), allocate(n, 1), n, side, white};
}

void dataset_free(dataset *d)
{
    unsigned char *all[] = {d->pool.pixel, d->pool.label, d->test.pixel, d->test.label};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    *d = (dataset){0};
}

/* ---- Digits ---- */

enum { DIGITS = 10000, DIGIT_SIDE = 8, DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE, DIGIT_WHITE = 16 };

static bool read_row(char *p, unsigned char *pixels, unsigned char *label)
{
    for (int i = 0; i <= DIGIT_PIXELS; i++) {
        char *end;
        const long value = strtol(p, &end, 10);
        const bool last = i == DIGIT_PIXELS;
        if (end == p || value < 0 || value > (last ? CLASSES - 1 : DIGIT_WHITE) ||
            (last ? *end != '\n' && *end != '\0' : *end != ','))
            return false;
        *(last ? label : &pixels[i]) = (unsigned char)value;
        p = end + 1;
    }
    return true;
}

bool digits_read(const char *path, dataset *d)
{
    *d = (dataset){.name = "digits", .pool = images_new(DIGITS, DIGIT_SIDE, DIGIT_WHITE)};
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    size_t n = 0;
    bool good = in != NULL;
    char line[1024];
    while (good && fgets(line, sizeof line, in) != NULL) {
        good = n < DIGITS && read_row(line, d->pool.pixel + n * DIGIT_PIXELS, d->pool.label + n);
        n++;
    }
    if (in != NULL && in != stdin)
        fclose(in);
    d->pool.n = n;
    if (good && n > 0)
        return true;
    fprintf(stderr, "%s cannot be read as rows of 64 pixels, 0 to 16, and a label\n", path);
    dataset_free(d);
    return false;
}

/* ---- IDX: a magic number, as many sizes as its last byte says, all of them four bytes, and the data ---- */

enum { MAX_SIZES = 3 };

/* Bytes of unsigned numbers of this many dimensions; NULL, after a message, if the file holds others. */
static unsigned char *idx_read(const char *folder, const char *name, size_t n_sizes, size_t *size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    unsigned char head[4 * (1 + MAX_SIZES)], *bytes = NULL;
    const char *wrong = NULL;
    size_t n = 1;
    if (in == NULL) {
        wrong = "cannot be opened";
    } else if (fread(head, 4 * (1 + n_sizes), 1, in) != 1) {
        wrong = "is too short for an IDX file";
    } else if (head[0] == 0x1f && head[1] == 0x8b) {
        wrong = "is packed: unpack it with gzip -d first";
    } else if (head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] != n_sizes) {
        wrong = n_sizes == 1 ? "is not an IDX file of labels" : "is not an IDX file of images";
    } else {
        for (size_t i = 0; i < n_sizes; i++) {
            const unsigned char *p = head + 4 * (i + 1);
            size[i] = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
            if (size[i] == 0 || size[i] > (i == 0 ? MAX_IMAGES : MAX_SIDE))
                wrong = "has more images or larger ones than this program reads, or none";
            n *= wrong == NULL ? size[i] : 0;
        }
    }
    if (wrong == NULL) {
        bytes = allocate(n, 1);
        if (fread(bytes, 1, n, in) != n)
            wrong = "ends too early";
        else if (fgetc(in) != EOF)
            wrong = "is longer than its sizes say";
    }
    if (in != NULL)
        fclose(in);
    if (wrong == NULL)
        return bytes;
    fprintf(stderr, "%s %s\n", path, wrong);
    free(bytes);
    return NULL;
}

static bool idx_pair_read(const char *folder, const char *part, images *out)
{
    char name[64];
    size_t size[MAX_SIZES], n_labels = 0;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    out->pixel = idx_read(folder, name, 3, size);
    if (out->pixel == NULL)
        return false;
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", part);
    out->label = idx_read(folder, name, 1, &n_labels);
    if (out->label == NULL)
        return false;
    out->n = size[0];
    out->side = size[1];
    out->white = 255;
    bool good = n_labels == size[0] && size[1] == size[2];
    for (size_t i = 0; good && i < n_labels; i++)
        good = out->label[i] < CLASSES;
    if (!good)
        fprintf(stderr, "%s/%s: not a label from 0 to 9 for each image, or images that are not square\n",
                folder, name);
    return good;
}

bool fashion_read(const char *folder, dataset *d)
{
    *d = (dataset){.name = "Fashion-MNIST"};
    bool good = idx_pair_read(folder, "train", &d->pool) && idx_pair_read(folder, "t10k", &d->test);
    if (good && d->test.side != d->pool.side) {
        fprintf(stderr, "%s: images to test with of another size\n", folder);
        good = false;
    }
    if (!good)
        dataset_free(d);
    return good;
}

/* ---- Parts ---- */

/* The images of these numbers. */
static data chosen(const images *all, const size_t *order, size_t n)
{
    const size_t size = all->side * all->side;
    const data d = {allocate(n * size, sizeof(real)), allocate(n, sizeof(int)), n, all->side};
    for (size_t i = 0; i < n; i++) {
        const unsigned char *from = all->pixel + order[i] * size;
        for (size_t j = 0; j < size; j++)
            d.x[i * size + j] = (real)from[j] / (real)all->white;
        d.label[i] = all->label[order[i]];
    }
    return d;
}

split split_new(const dataset *d, uint64_t seed, size_t n_train, size_t n_held)
{
    const size_t n = d->pool.n > d->test.n ? d->pool.n : d->test.n, others = d->pool.n - n_train;
    size_t *order = allocate(n, sizeof *order);
    split s = {.noise = seed * 1000 + 1};
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    if (d->test.n != 0)
        s.test = chosen(&d->test, order, d->test.n);
    noise_shuffle(order, d->pool.n, &s.noise);
    s.train = chosen(&d->pool, order, n_train);
    s.held = chosen(&d->pool, order + n_train, n_held < others ? n_held : others);
    if (d->test.n == 0)
        s.test = s.held;
    free(order);
    return s;
}

size_t usually_held(const dataset *d)
{
    return d->test.n == 0 ? d->pool.n : 1000;
}

void split_free(split *s)
{
    const data all[] = {s->train, s->held, s->test};
    for (size_t i = 0; i < (s->test.x == s->held.x ? 2u : 3u); i++) {
        free(all[i].x);
        free(all[i].label);
    }
}
