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

/* Dropout of what follows the header. *wrong: why it could not be had. */
static outcome apply_elements(apply_job *job, uint64_t first, const char **wrong)
{
    static uint8_t elements[CHUNK * sizeof(double)];
    const npy_header *header = &job->header;
    const size_t bytes = header->element_bytes;
    for (uint64_t done = 0; done < header->n;) {
        const size_t len = header->n - done < CHUNK ? (size_t)(header->n - done) : CHUNK;
        if (fread(elements, bytes, len, job->in) != len) {
            *wrong = ferror(job->in) ? strerror(errno) : "the data is cut off";
            return NOT_READ;
        }
        const dropwise_status status =
            dropwise_forward(job->mask, header->dtype, first + done, len, elements, elements, NULL);
        if (status != DROPWISE_OK) {
            *wrong = dropwise_status_string(status);
            return NOT_READ;
        }
        if (!output_write(&job->out, elements, len * bytes))
            return NOT_WRITTEN;
        done += len;
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

static int apply_stream(apply_job *job, uint64_t first, const char *in_name, const char *out_name)
{
    npy_header *header = &job->header;
    const char *wrong = fstat(fileno(job->in), &job->before) == 0 ? npy_read_header(job->in, header)
                                                                  : strerror(errno);
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

int apply_file(const dropwise_mask *mask, uint64_t first, const char *in_name, const char *out_name)
{
    static apply_job job;
    const bool standard = strcmp(in_name, "-") == 0;
    job.mask = mask;
    job.in = standard ? stdin : fopen(in_name, "rb");
    if (job.in == NULL)
        return fail("%s: %s", in_name, strerror(errno));
    const int status = apply_stream(&job, first, standard ? "standard input" : in_name, out_name);
    if (!standard)
        fclose(job.in);
    return status;
}
