/*
 * Checks what reads the data: good files give what is in them, and each way in which a file can be wrong a
 * message that says so. Writes files into the folder that it is given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks/images.h"

enum { TRAIN, TEST, PARTS, SIDE = 3, PIXELS = SIDE * SIDE, IMAGES = 4 };

static const char *const part_name[PARTS] = {"train", "t10k"};

/* A file of the data as its bytes. */
typedef struct file {
    unsigned char byte[256];
    size_t n;
} file;

typedef struct files {
    file images[PARTS], labels[PARTS];
} files;

static int failures;

static void expect(bool condition, const char *what)
{
    if (!condition) {
        printf("WRONG: %s\n", what);
        failures++;
    }
}

/* ---- Files ---- */

static void put(file *f, unsigned char byte)
{
    f->byte[f->n++] = byte;
}

static void put_head(file *f, unsigned char n_sizes, const unsigned char *size)
{
    f->n = 0;
    put(f, 0);
    put(f, 0);
    put(f, 8);
    put(f, n_sizes);
    for (unsigned char i = 0; i < n_sizes; i++) {
        put(f, 0);
        put(f, 0);
        put(f, 0);
        put(f, size[i]);
    }
}

/* Pixel number i of a part is 10 part + i, label number i is i. */
static files good_files(void)
{
    static const unsigned char size[] = {IMAGES, SIDE, SIDE};
    files f;
    for (int part = 0; part < PARTS; part++) {
        put_head(&f.images[part], 3, size);
        for (int i = 0; i < IMAGES * PIXELS; i++)
            put(&f.images[part], (unsigned char)(10 * part + i));
        put_head(&f.labels[part], 1, size);
        for (int i = 0; i < IMAGES; i++)
            put(&f.labels[part], (unsigned char)i);
    }
    return f;
}

static void write_file(const char *folder, const char *part, const char *kind, const file *f)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%s-ubyte", folder, part, kind);
    FILE *out = fopen(path, "wb");
    if (out == NULL || fwrite(f->byte, 1, f->n, out) != f->n || fclose(out) != 0) {
        printf("cannot write %s\n", path);
        exit(1);
    }
}

static bool read_files(const char *folder, const files *f, dataset *d)
{
    for (int part = 0; part < PARTS; part++) {
        write_file(folder, part_name[part], "images-idx3", &f->images[part]);
        write_file(folder, part_name[part], "labels-idx1", &f->labels[part]);
    }
    return fashion_read(folder, d);
}

/* ---- Messages: standard error goes to a file while something is refused ---- */

static void redirect(const char *folder, char *path, size_t room)
{
    snprintf(path, room, "%s/messages", folder);
    if (freopen(path, "w", stderr) == NULL)
        exit(1);
}

static void expect_message(const char *path, bool refused, const char *message)
{
    char text[4096] = "";
    fflush(stderr);
    FILE *in = fopen(path, "r");
    if (in != NULL) {
        text[fread(text, 1, sizeof text - 1, in)] = '\0';
        fclose(in);
    }
    expect(refused, message);
    if (strstr(text, message) == NULL) {
        printf("WRONG: the message is \"%s\", without: %s\n", text, message);
        failures++;
    }
}

static void expect_refused(const char *folder, const files *f, const char *message)
{
    char path[4096];
    dataset d;
    redirect(folder, path, sizeof path);
    expect_message(path, !read_files(folder, f, &d), message);
}

static void expect_digits_refused(const char *folder, const char *rows)
{
    char path[4096], csv[4096];
    snprintf(csv, sizeof csv, "%s/rows.csv", folder);
    FILE *out = fopen(csv, "w");
    if (out == NULL || fputs(rows, out) < 0 || fclose(out) != 0)
        exit(1);
    dataset d;
    redirect(folder, path, sizeof path);
    expect_message(path, !digits_read(csv, &d), "cannot be read as rows of 64 pixels, 0 to 16, and a label");
}

/* ---- */

static void check_good(const char *folder)
{
    const files f = good_files();
    dataset d;
    expect(read_files(folder, &f, &d), "good files are read");
    expect(d.pool.n == IMAGES && d.pool.side == SIDE && d.test.n == IMAGES, "sizes");
    expect(d.pool.pixel[PIXELS + 1] == PIXELS + 1 && d.test.pixel[2] == 12 && d.test.label[3] == 3, "values");
    split s = split_new(&d, 7, 3, 10);
    expect(s.train.n == 3 && s.held.n == 1 && s.test.n == IMAGES, "sizes of parts");
    const dataset without_test = {.pool = d.pool};
    expect(usually_held(&d) == 1000 && usually_held(&without_test) == IMAGES, "how many are held out");
    unsigned seen = 0; /* labels, which are all different */
    for (size_t i = 0; i < 3; i++)
        seen |= 1u << s.train.label[i];
    seen |= 1u << s.held.label[0];
    expect(seen == 15, "what is held out is not learned from");
    const real first = s.train.x[1] * 255 - (real)(s.train.label[0] * PIXELS + 1);
    expect(first < (real)1e-3 && first > (real)-1e-3, "pixels from 0 to 1, of the image of the label");
    split_free(&s);
    dataset_free(&d);
}

static void check_damaged(const char *folder)
{
    files f = good_files();
    f.images[TRAIN].byte[0] = 0x1f;
    f.images[TRAIN].byte[1] = 0x8b;
    expect_refused(folder, &f, "train-images-idx3-ubyte is packed: unpack it with gzip -d first");
    f = good_files();
    f.images[TEST] = f.labels[TEST];
    expect_refused(folder, &f, "t10k-images-idx3-ubyte is too short for an IDX file");
    f = good_files();
    f.labels[TRAIN] = f.images[TRAIN];
    expect_refused(folder, &f, "train-labels-idx1-ubyte is not an IDX file of labels");
    f = good_files();
    f.images[TRAIN].byte[2] = 9; /* signed bytes */
    expect_refused(folder, &f, "is not an IDX file of images");
    f = good_files();
    f.images[TRAIN].n--;
    expect_refused(folder, &f, "ends too early");
    f = good_files();
    put(&f.labels[TEST], 0);
    expect_refused(folder, &f, "is longer than its sizes say");
    f = good_files();
    f.images[TRAIN].byte[7] = 0;
    expect_refused(folder, &f, "has more images or larger ones than this program reads, or none");
    f = good_files();
    f.images[TRAIN].byte[8] = 1; /* 2^24 rows and 3 */
    expect_refused(folder, &f, "has more images or larger ones than this program reads, or none");
    f = good_files();
    f.labels[TRAIN].byte[7]--;
    f.labels[TRAIN].n--;
    expect_refused(folder, &f, "not a label from 0 to 9 for each image");
    f = good_files();
    f.labels[TRAIN].byte[8] = CLASSES;
    expect_refused(folder, &f, "not a label from 0 to 9 for each image");
    f = good_files();
    f.images[TRAIN].byte[11] = 1;
    f.images[TRAIN].byte[15] = PIXELS; /* as many pixels, in one row */
    expect_refused(folder, &f, "images that are not square");
    f = good_files();
    f.images[TEST].byte[11] = f.images[TEST].byte[15] = 2;
    f.images[TEST].n = 16 + IMAGES * 4;
    expect_refused(folder, &f, "images to test with of another size");
    char nowhere[4096];
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", folder);
    dataset d;
    char path[4096];
    redirect(folder, path, sizeof path);
    expect_message(path, !fashion_read(nowhere, &d), "nowhere/train-images-idx3-ubyte cannot be opened");
}

static void check_digits(const char *folder)
{
    char zeros[256] = "";
    for (int i = 0; i < 63; i++)
        strcat(zeros, "0,");
    static const char *const ends[] = {"17,1", "-1,1", "1,10", "1", "1,1,1", "x,1"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char rows[1024];
        snprintf(rows, sizeof rows, "%s16,9\n%s%s\n", zeros, zeros, ends[i]); /* the first one is good */
        expect_digits_refused(folder, rows);
    }
    expect_digits_refused(folder, "");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: check_images FOLDER\n");
        return 2;
    }
    check_good(argv[1]);
    check_damaged(argv[1]);
    check_digits(argv[1]);
    printf("%d checks failed\n", failures);
    return failures != 0;
}
