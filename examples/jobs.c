#include "jobs.h"

#include <pthread.h>

typedef struct jobs {
    pthread_mutex_t lock;
    int next, finished, n;
    job_fn *run;
    FILE *progress;
} jobs;

static void *work(void *argument)
{
    jobs *all = argument;
    for (;;) {
        pthread_mutex_lock(&all->lock);
        const int job = all->next++;
        pthread_mutex_unlock(&all->lock);
        if (job >= all->n)
            return NULL;
        char done[160] = "";
        all->run(job, done, sizeof done);
        pthread_mutex_lock(&all->lock);
        fprintf(all->progress, "[%3d/%d] %s\n", ++all->finished, all->n, done);
        fflush(all->progress);
        pthread_mutex_unlock(&all->lock);
    }
}

void jobs_run(int n_jobs, int n_threads, job_fn *run, FILE *progress)
{
    jobs all = {PTHREAD_MUTEX_INITIALIZER, 0, 0, n_jobs, run, progress};
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
