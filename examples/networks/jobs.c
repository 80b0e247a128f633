#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "jobs.h"

#include <pthread.h>
#include <time.h>

static double clock_seconds(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double thread_seconds(void)
{
    return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

typedef struct jobs {
    pthread_mutex_t lock;
    int next, finished, n;
    double start;
    job_fn *run;
    FILE *progress;
} jobs;

/* Jobs that others are at count as half done. */
static const char *time_left(const jobs *all, char *text, size_t room)
{
    const int begun = all->next < all->n ? all->next : all->n;
    const double done = (all->finished + begun) / 2.0;
    if (all->finished == all->n)
        return "";
    const double rest = (clock_seconds(CLOCK_MONOTONIC) - all->start) / done * (all->n - done);
    snprintf(text, room, "; about %.0f s left", rest);
    return text;
}

static void *work(void *argument)
{
    jobs *all = argument;
    for (;;) {
        pthread_mutex_lock(&all->lock);
        const int job = all->next++;
        pthread_mutex_unlock(&all->lock);
        if (job >= all->n)
            return NULL;
        char done[160] = "", left[32];
        all->run(job, done, sizeof done);
        pthread_mutex_lock(&all->lock);
        all->finished++;
        fprintf(all->progress, "[%3d/%d] %s%s\n", all->finished, all->n, done,
                time_left(all, left, sizeof left));
        fflush(all->progress);
        pthread_mutex_unlock(&all->lock);
    }
}

void jobs_run(int n_jobs, int n_threads, job_fn *run, FILE *progress)
{
    jobs all = {PTHREAD_MUTEX_INITIALIZER, 0, 0, n_jobs, clock_seconds(CLOCK_MONOTONIC), run, progress};
    pthread_t threads[MAX_THREADS];
    int started = 0;
    while (started < n_threads && started < MAX_THREADS &&
           pthread_create(&threads[started], NULL, work, &all) == 0)
        started++;
    if (started == 0)
        work(&all);
    for (int t = 0; t < started; t++)
        pthread_join(threads[t], NULL);
}
