/*
 * Where results go: standard output, a device or pipe as it is, or a file, which changes only when its result
 * is complete. Functions that can fail return NULL, or what went wrong, in a static buffer.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

typedef struct output {
    const char *name; /* for messages */
    FILE *file;
    int error;    /* errno of the first write that failed; 0 */
    char *target; /* the file that is to change, at the end of all links; NULL: `file` is the output itself */
    char *part;   /* the name of `file`, which takes the place of the target; NULL: it has none */
    int old;      /* the target, open for writing, if there is one already; -1 */
} output;

/* Standard output. */
output output_standard(void);

/*
 * Opens what `name` stands for. Links are followed. What is no regular file, and a file that this process has
 * open for writing already (/dev/stdout), is written to as it is. A regular file is left alone until
 * output_finish; what it is to hold goes into another one, which is gone after output_discard and after
 * signals that end the program (but SIGKILL). `in` is what the result is made from: it may be the same file
 * where that does no harm, and is an error where it does.
 */
const char *output_open(output *out, const char *name, FILE *in);

/* False after an error, which output_finish will tell. */
bool output_write(output *out, const void *data, size_t n);

/*
 * Makes sure that all is written and closes. A regular file is replaced by the new one, which gets its mode
 * and owner, in one step. Where that cannot be, or there is more to a file than these, it is written to in
 * place. On an error nothing has changed, but for data that pipes and devices took already, and for errors of
 * a disk, or one that cannot reserve room, while writing in place.
 */
const char *output_finish(output *out);

/* Gives up. */
void output_discard(output *out);

#endif
