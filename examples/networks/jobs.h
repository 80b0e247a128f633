/* Jobs of the examples in threads, each of which takes the next job until none is left. */
#ifndef JOBS_H
#define JOBS_H

#include <stddef.h>
#include <stdio.h>

enum { MAX_THREADS = 64 };

/* Does job number `job`, and says in `done`, of so much room, what was done. */
typedef void job_fn(int job, char *done, size_t room);

/*
 * Each job that is done is a line of progress, after how many there were of all, and with the time that the
 * others will take if they take as long.
 */
void jobs_run(int n_jobs, int n_threads, job_fn *run, FILE *progress);

/* Seconds that this thread has computed for. */
double thread_seconds(void);

#endif
