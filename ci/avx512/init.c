/*
 * The first process of the emulated machine: runs the lines of /cmds, sends their output through the first
 * parallel port, which Bochs writes to a file without the delay of a serial line, and then leaves Bochs
 * through its port 0x8900. Linked statically.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARALLEL_DATA = 0x378, PARALLEL_CONTROL = 0x37a, BOCHS_SHUTDOWN = 0x8900 };

static void put(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        outb((unsigned char)p[i], PARALLEL_DATA);
        outb(0x09, PARALLEL_CONTROL); /* select and strobe */
        outb(0x08, PARALLEL_CONTROL);
    }
}

static void put_text(const char *s)
{
    put(s, strlen(s));
}

/* Words of a line are separated by tabs; leading NAME=VALUE words go to the environment. */
static int split(char *line, char **words, int max)
{
    int n = 0;
    for (char *p = strtok(line, "\t"); p != NULL && n < max - 1; p = strtok(NULL, "\t"))
        words[n++] = p;
    words[n] = NULL;
    return n;
}

/* The exit status of the program, 128 + N where signal N ended it. */
static int run(char **words)
{
    char **program = words;
    while (strchr(*program, '=') != NULL && (*program)[0] != '/')
        program++;
    int fd[2];
    if (pipe(fd) != 0)
        return 126;
    const pid_t pid = fork();
    if (pid == 0) {
        for (char **w = words; w < program; w++)
            putenv(*w);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(fd[1], 1);
        dup2(fd[1], 2);
        close(fd[0]);
        close(fd[1]);
        iopl(0);
        execv(program[0], program);
        perror(program[0]);
        _exit(127);
    }
    close(fd[1]);
    char buffer[4096];
    ssize_t n;
    while ((n = read(fd[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            put(buffer, (size_t)n);
    close(fd[0]);
    int status;
    waitpid(pid, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char message[4200];
    snprintf(message, sizeof message, "@@EXIT %d %s\n", code, program[0]);
    put_text(message);
    return code;
}

int main(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sys", "/sys", "sysfs", 0, 0);
    mount("dev", "/dev", "devtmpfs", 0, 0);
    if (iopl(3) != 0)
        return 1;
    outb(0x08, PARALLEL_CONTROL);
    setenv("PATH", "/", 1);
    setenv("HOME", "/", 1);
    setenv("TMPDIR", "/tmp", 1);

    FILE *commands = fopen("/cmds", "r");
    char line[8192], *words[256];
    int worst = 0;
    while (commands != NULL && fgets(line, sizeof line, commands) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (split(line, words, 256) == 0)
            continue;
        const int code = run(words);
        if (worst == 0)
            worst = code;
    }
    char message[64];
    snprintf(message, sizeof message, "@@DONE %d\n", worst);
    put_text(message);
    for (const char *s = "Shutdown"; *s != '\0'; s++)
        outb((unsigned char)*s, BOCHS_SHUTDOWN);
    for (;;)
        pause();
}
