#define _XOPEN_SOURCE 700 /* st_mtim under -std=c11 */
#include "apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "message.h"
#include "npy.h"
#include "output.h"

/* Elements that go through memory at a time. */
enum { CHUNK = 1 << 18 };

typedef struct apply_job {
    const dropwise_mask *mask;
    FILE *in;
    struct stat before; /* of in, to see whether it changes */
    npy_header header;
    output out;
} apply_job;

/* What became of the input, or of the library's call; errors of the output it keeps itself. */
typedef enum { DONE, NOT_WRITTEN, NOT_READ } outcome;

static void swap_bytes(uint8_t *elements, size_t n, size_t bytes)
{
    for (uint8_t *e = elements; e < elements + n * bytes; e += bytes) {
        for (size_t i = 0; i < bytes / 2; i++) {
            const uint8_t byte = e[i];
            e[i] = e[bytes - 1 - i];
            e[bytes - 1 - i] = byte;
        }
    }
}

/* The next elements of the file, which are those of the view. *wrong: why they could not be had. */
static outcome apply_slab(apply_job *job, const dropwise_view *view, size_t n, const char **wrong)
{
    static uint8_t elements[CHUNK * sizeof(double)];
    const npy_header *header = &job->header;
    const size_t bytes = header->element_bytes;
    if (fread(elements, bytes, n, job->in) != n) {
        *wrong = ferror(job->in) ? strerror(errno) : "the data is cut off";
        return NOT_READ;
    }
    if (header->swapped)
        swap_bytes(elements, n, bytes);
    const dropwise_status status =
        dropwise_forward_view(job->mask, header->dtype, view, elements, elements, NULL);
    if (status != DROPWISE_OK) {
        *wrong = dropwise_status_string(status);
        return NOT_READ;
    }
    if (header->swapped)
        swap_bytes(elements, n, bytes);
    return output_write(&job->out, elements, n * bytes) ? DONE : NOT_WRITTEN;
}

/*
 * Dropout of what follows the header, in the order of the file. A slab is as many of the fastest axes as fit,
 * and a part of the next one; the others are counted as on an odometer.
 */
static outcome apply_elements(apply_job *job, uint64_t first, const char **wrong)
{
    const npy_header *header = &job->header;
    const npy_axis *axis = header->axis;
    int whole = 0;
    uint64_t inner = 1;
    while (whole + 1 < header->n_axes && whole + 1 < DROPWISE_MAX_RANK && axis[whole].size <= CHUNK / inner)
        inner *= axis[whole++].size;
    const npy_axis *cut = &axis[whole];
    const uint64_t most = CHUNK / inner;

    uint64_t size[DROPWISE_MAX_RANK];
    for (int i = 0; i <= whole; i++)
        size[whole - i] = i < whole ? axis[i].size : 1;
    dropwise_view view;
    const dropwise_status status = dropwise_view_init(&view, (uint32_t)whole + 1, size);
    if (status != DROPWISE_OK) {
        *wrong = dropwise_status_string(status);
        return NOT_READ;
    }
    for (int i = 0; i <= whole; i++)
        view.mask_stride[whole - i] = (int64_t)axis[i].stride;

    uint64_t at[NPY_MAX_AXES] = {0};
    for (int a = whole; header->n != 0 && a < header->n_axes;) {
        for (uint64_t done = 0; done < cut->size; done += view.size[0]) {
            view.size[0] = cut->size - done < most ? cut->size - done : most;
            view.first = first + done * cut->stride;
            const outcome slab = apply_slab(job, &view, (size_t)(inner * view.size[0]), wrong);
            if (slab != DONE)
                return slab;
        }
        for (a = whole + 1; a < header->n_axes; a++) {
            first += axis[a].stride;
            if (++at[a] < axis[a].size)
                break;
            first -= axis[a].size * axis[a].stride;
            at[a] = 0;
        }
    }
    return DONE;
}

/* NULL if the input ends here and is what it was when it was opened. */
static const char *check_end(const apply_job *job)
{
    struct stat now;
    if (fgetc(job->in) != EOF)
        return "there is more data than the shape says";
    if (ferror(job->in) || fstat(fileno(job->in), &now) != 0)
        return strerror(errno);
    const struct stat *before = &job->before;
    if (S_ISREG(now.st_mode) &&
        (now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != before->st_mtim.tv_nsec))
        return "it was changed while it was read";
    return NULL;
}

static int apply_stream(apply_job *job, uint64_t first, dropwise_dtype dtype, const char *in_name,
                        const char *out_name)
{
    npy_header *header = &job->header;
    const char *wrong =
        fstat(fileno(job->in), &job->before) == 0 ? npy_read_header(job->in, dtype, header) : strerror(errno);
    if (wrong != NULL)
        return fail("%s: %s", in_name, wrong);
    if (header->n > DROPWISE_INDEX_LIMIT || first > DROPWISE_INDEX_LIMIT - header->n)
        return fail("%s: elements are counted to 2^60, and %" PRIu64 " from %" PRIu64 " on go past it",
                    in_name, header->n, first);
    wrong = output_open(&job->out, out_name, job->in);
    if (wrong != NULL)
        return fail("%s: %s", out_name, wrong);
    outcome end = NOT_WRITTEN;
    if (output_write(&job->out, header->raw, header->raw_size))
        end = apply_elements(job, first, &wrong);
    if (end == DONE && (wrong = check_end(job)) != NULL)
        end = NOT_READ;
    if (end == NOT_READ) {
        output_discard(&job->out);
        return fail("%s: %s", in_name, wrong);
    }
    wrong = output_finish(&job->out);
    return wrong == NULL ? 0 : fail("%s: %s", job->out.name, wrong);
}

int apply_file(const dropwise_mask *mask, uint64_t first, dropwise_dtype dtype, const char *in_name,
               const char *out_name)
{
    static apply_job job;
    const bool standard = strcmp(in_name, "-") == 0;
    job.mask = mask;
    job.in = standard ? stdin : fopen(in_name, "rb");
    if (job.in == NULL)
        return fail("%s: %s", in_name, strerror(errno));
    const int status = apply_stream(&job, first, dtype, standard ? "standard input" : in_name, out_name);
    if (!standard)
        fclose(job.in);
    return status;
}
