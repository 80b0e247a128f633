/*
 * Runs the inputs of a fuzzer that are named, or lie in folders that are: for compilers without libFuzzer.
 * Names those that take more than SLOW times the mean: half of it by input, half by byte.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOW = 100, MAX_INPUTS = 1 << 16 };

static struct input {
    char *name;
    size_t size;
    double seconds;
} inputs[MAX_INPUTS];

static unsigned long count;

/* Processor time: what others on the machine do is not the input's fault. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_file(const char *name)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        perror(name);
        exit(1);
    }
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    uint8_t *copy = malloc(size + 1); /* of its very size, for sanitizers */
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    const double start = seconds();
    LLVMFuzzerTestOneInput(copy, size);
    if (count < MAX_INPUTS)
        inputs[count] = (struct input){strdup(name), size, seconds() - start};
    free(copy);
    count++;
}

static void name_slow_ones(void)
{
    const unsigned long n = count < MAX_INPUTS ? count : MAX_INPUTS;
    double bytes = 0, all = 0;
    for (unsigned long i = 0; i < n; i++) {
        bytes += (double)inputs[i].size;
        all += inputs[i].seconds;
    }
    for (unsigned long i = 0; i < n; i++) {
        const double mean = (all / (double)n + all / bytes * (double)inputs[i].size) / 2;
        if (inputs[i].seconds > SLOW * mean && mean > 0)
            printf("slow: %s: %.3g ms, %.0f times the mean\n", inputs[i].name, 1e3 * inputs[i].seconds,
                   inputs[i].seconds / mean);
    }
}

static void run_folder(const char *name, DIR *folder)
{
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        run_file(path);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder != NULL)
            run_folder(argv[i], folder);
        else
            run_file(argv[i]);
    }
    name_slow_ones();
    printf("%lu inputs\n", count);
    return count == 0;
}
