#define _XOPEN_SOURCE 700 /* mkstemp, sigaction under -std=c11 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif
#include <unistd.h>

static char problem[512];

/* What errno says; of a temporary file elsewhere, that it is this one. */
static const char *complain(const char *elsewhere, int error)
{
    if (elsewhere == NULL)
        return strerror(error);
    snprintf(problem, sizeof problem, "the temporary file in %.300s: %s", elsewhere, strerror(error));
    return problem;
}

/* ---- Signals ---- */

/* All that end a program, but those from SIGRTMIN on, and SIGPIPE and SIGXFSZ, which main ignores. */
static const int deadly[] = {
    SIGHUP,    SIGINT,  SIGQUIT, SIGTERM, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2,
    SIGILL,    SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,  SIGSEGV,   SIGSYS,  SIGXCPU,
#ifdef __linux__ /* elsewhere SIGIO ends nothing */
    SIGIO,     SIGPWR,
#endif
#ifdef SIGSTKFLT
    SIGSTKFLT,
#endif
};
enum { N_DEADLY = sizeof deadly / sizeof deadly[0] };

/* What the handler removes: changed only while the signals are blocked. */
static const char *volatile unfinished;

static void remove_unfinished(int number)
{
    if (unfinished != NULL)
        unlink(unfinished);
    raise(number); /* waits until this handler has returned, and then has its default action */
}

static void block_signals(sigset_t *before)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, before);
}

static void restore_signals(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void handle_signal(int number)
{
    struct sigaction old, mine = {.sa_handler = remove_unfinished, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&mine.sa_mask);
    /* A signal that nohup, or another starter, has set aside stays so; and so does one of a sanitizer. */
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(number, &mine, NULL);
}

static void handle_signals(void)
{
    for (int i = 0; i < N_DEADLY; i++)
        handle_signal(deadly[i]);
#ifdef SIGRTMIN
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        handle_signal(number);
#endif
}

/* ---- Names ---- */

/* `name` in the folder of `path`, allocated; NULL without memory. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = slash == NULL || name[0] == '/' ? 0 : (size_t)(slash - path) + 1;
    char *result = malloc(folder + strlen(name) + 1);
    if (result != NULL) {
        memcpy(result, path, folder);
        strcpy(result + folder, name);
    }
    return result;
}

/* A link of /proc stands for a file that a process has open, not for the path that it shows. */
static bool is_in_proc(const struct stat *link)
{
    struct stat self;
    return lstat("/proc/self", &self) == 0 && link->st_dev == self.st_dev;
}

/*
 * The path at the end of the links that `name` begins, allocated, whether or not there is something; NULL and
 * errno for an error. *open_file: the path is a link of /proc.
 */
static char *follow_links(const char *name, bool *open_file)
{
    enum { MAX_LINKS = 40 }; /* as Linux */
    *open_file = false;
    char *path = beside("", name);
    for (int i = 0; path != NULL; i++) {
        struct stat link;
        if (lstat(path, &link) != 0) {
            if (errno == ENOENT)
                return path;
            break;
        }
        *open_file = S_ISLNK(link.st_mode) && is_in_proc(&link);
        if (!S_ISLNK(link.st_mode) || *open_file)
            return path;
        char text[PATH_MAX];
        const ssize_t length = readlink(path, text, sizeof text);
        if (length < 0 || length == sizeof text || i == MAX_LINKS) {
            errno = length < 0 ? errno : i == MAX_LINKS ? ELOOP : ENAMETOOLONG;
            break;
        }
        text[length] = '\0';
        char *next = beside(path, text);
        free(path);
        path = next;
    }
    const int error = errno;
    free(path);
    errno = error;
    return NULL;
}

/* ---- Opening ---- */

output output_standard(void)
{
    return (output){.name = "standard output", .file = stdout, .old = -1};
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A regular file that is written to as it is would change while it is read. */
static bool is_input(const struct stat *out, FILE *in)
{
    struct stat there;
    return S_ISREG(out->st_mode) && fstat(fileno(in), &there) == 0 && same_file(out, &there);
}

/* The descriptor with which this process can write to the file that a link of /proc stands for; -1. */
static int own_descriptor(const char *path, const struct stat *file)
{
    const char *slash = strrchr(path, '/');
    const char *digits = slash != NULL ? slash + 1 : path;
    char *end;
    const long fd = strtol(digits, &end, 10);
    struct stat own;
    if (end == digits || *end != '\0' || fd < 0 || fd > INT_MAX || fstat((int)fd, &own) != 0 ||
        !same_file(file, &own) || (fcntl((int)fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return -1;
    return dup((int)fd); /* goes on where the descriptor stands, as a new one would not */
}

/* What is written to as it is; *status is its. */
static const char *open_as_it_is(output *out, const char *path, const struct stat *status, bool open_file,
                                 FILE *in)
{
    if (is_input(status, in))
        return "this is the input too, and is written to while that is read";
    int fd = open_file ? own_descriptor(path, status) : -1;
    if (fd < 0 && S_ISREG(status->st_mode)) /* it would change before the result is complete */
        return "this program does not have this file open for writing";
    if (fd < 0)
        fd = open(path, O_WRONLY | O_NOCTTY);
    out->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (out->file != NULL)
        return NULL;
    const int error = errno;
    if (fd >= 0)
        close(fd);
    return strerror(error);
}

/* For mkstemp. The letters stand apart as three in a row mark unfinished work in this project. */
static const char part_name[] = ".dropwise-"
                                "XX"
                                "XX"
                                "XX";

/* A new file with a name that nobody has: for its owner alone, or, if `open_to_all`, as open() makes one. */
static int make_file(char *template, bool open_to_all)
{
    const int fd = mkstemp(template);
    if (fd < 0 || !open_to_all)
        return fd;
    /* Only open() knows what the umask and an access control list of the folder make of the mode. */
    close(fd);
    unlink(template);
    return open(template, O_RDWR | O_CREAT | O_EXCL, 0666);
}

/* Such a file in out->part; false, with errno. */
static bool make_part(output *out, char *template, bool open_to_all)
{
    sigset_t before;
    if (template == NULL)
        return false;
    block_signals(&before);
    const int fd = make_file(template, open_to_all);
    out->file = fd < 0 ? NULL : fdopen(fd, "wb+");
    const int error = errno;
    if (out->file != NULL) {
        out->part = template;
        unfinished = template;
        handle_signals();
    } else {
        if (fd >= 0) {
            close(fd);
            unlink(template);
        }
        free(template);
    }
    restore_signals(&before);
    errno = error;
    return out->file != NULL;
}

/* The new file is no more or has another name: nothing is to be removed. */
static void forget_part(output *out)
{
    unfinished = NULL;
    free(out->part);
    out->part = NULL;
}

static void remove_part(output *out)
{
    sigset_t before;
    if (out->part == NULL)
        return;
    block_signals(&before);
    unlink(out->part);
    forget_part(out);
    restore_signals(&before);
}

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder != NULL && folder[0] != '\0' ? folder : "/tmp";
}

/* For a file in a folder that takes no other one: the result waits elsewhere, without a name. */
static const char *make_part_elsewhere(output *out)
{
    const char *folder = temporary_folder();
    char *template = malloc(strlen(folder) + 1 + sizeof part_name);
    if (template != NULL) {
        strcpy(template, folder);
        strcat(template, "/");
        strcat(template, part_name);
    }
    if (!make_part(out, template, false))
        return complain(folder, errno);
    remove_part(out);
    return NULL;
}

/* What is or becomes a regular file: out->target. */
static const char *open_beside(output *out, bool exists)
{
    /* As for a file that is written to in place, its own mode says who may. */
    if (exists && (out->old = open(out->target, O_WRONLY | O_NOCTTY)) < 0)
        return strerror(errno);
    if (make_part(out, beside(out->target, part_name), !exists))
        return NULL;
    return exists ? make_part_elsewhere(out) : strerror(errno);
}

const char *output_open(output *out, const char *name, FILE *in)
{
    struct stat status;
    const char *wrong;
    *out = output_standard();
    if (strcmp(name, "-") == 0)
        return fstat(STDOUT_FILENO, &status) == 0 && is_input(&status, in)
                   ? "this is the input too, and is written to while that is read"
                   : NULL;
    *out = (output){.name = name, .old = -1};
    if (name[0] == '\0')
        return "the output needs a name";
    bool open_file;
    char *path = follow_links(name, &open_file);
    const bool exists = path != NULL && stat(path, &status) == 0;
    if (path == NULL || (!exists && errno != ENOENT)) {
        wrong = strerror(errno);
        free(path);
        return wrong;
    }
    if (exists && (open_file || !S_ISREG(status.st_mode))) {
        wrong = open_as_it_is(out, path, &status, open_file, in);
        free(path);
    } else {
        out->target = path;
        wrong = open_beside(out, exists);
    }
    if (wrong != NULL)
        output_discard(out);
    return wrong;
}

/* ---- Writing ---- */

bool output_write(output *out, const void *data, size_t n)
{
    if (fwrite(data, 1, n, out->file) == n)
        return true;
    out->error = errno;
    return false;
}

void output_discard(output *out)
{
    if (out->file != NULL && out->file != stdout)
        fclose(out->file);
    if (out->old >= 0)
        close(out->old);
    remove_part(out);
    free(out->target);
    out->file = NULL;
    out->old = -1;
    out->target = NULL;
}

/* ---- Finishing ---- */

/* Whether there is more to a file than its mode and owner: an access control list, or what users noted. */
static bool has_attributes(int fd)
{
#ifdef __linux__
    char names[4096];
    const ssize_t size = flistxattr(fd, names, sizeof names);
    if (size < 0)
        return errno != ENOTSUP;
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (strncmp(name, "security.", 9) != 0) /* labels that the system itself gives to files */
            return true;
#else
    (void)fd;
#endif
    return false;
}

/*
 * Gives a new file the mode and the owner of the old one; false if they would differ in more, as by a list
 * that the folder gives to new files.
 */
static bool take_over(int fd, int old)
{
    struct stat before, now;
    if (fstat(old, &before) != 0 || fstat(fd, &now) != 0 || before.st_nlink > 1 || has_attributes(old) ||
        has_attributes(fd))
        return false;
    const bool others = before.st_uid != now.st_uid || before.st_gid != now.st_gid;
    if (others && fchown(fd, before.st_uid, before.st_gid) != 0)
        return false;
    return fchmod(fd, before.st_mode & 07777) == 0; /* after fchown, which clears bits */
}

static bool copy_bytes(int from, int to, off_t size)
{
    static char buffer[1 << 16];
    for (off_t done = 0; done < size;) {
        const ssize_t n = pread(from, buffer, sizeof buffer, done);
        if (n <= 0) {
            errno = n < 0 ? errno : EIO;
            return false;
        }
        for (ssize_t written = 0; written < n;) {
            const ssize_t m = pwrite(to, buffer + written, (size_t)(n - written), done + written);
            if (m < 0)
                return false;
            written += m;
        }
        done += n;
    }
    return true;
}

/* Takes the room that the result needs, so that a full disk shows while the file is as it was. */
static bool reserve(int fd, off_t before, off_t size)
{
    int error = posix_fallocate(fd, 0, size); /* from 0 on, as there may be holes */
    /* Where the file system cannot do it, the C library would read what is there, and cannot. */
    if (error == EBADF)
        error = size > before ? posix_fallocate(fd, before, size - before) : 0;
    if (error == 0 || error == EINVAL || error == EOPNOTSUPP)
        return true;
    if (ftruncate(fd, before) != 0)
        return false;
    errno = error;
    return false;
}

/* Writes the result over the old file: not halfway, if a signal comes, nor among another run's. */
static bool write_in_place(int from, int old)
{
    struct stat result, before;
    sigset_t signals;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)fcntl(old, F_SETLKW, &whole); /* where there are no locks, go without */
    block_signals(&signals);            /* not before: another program may hold its lock for ever */
    bool done = fstat(from, &result) == 0 && fstat(old, &before) == 0;
    if (done && before.st_nlink == 0) { /* removed meanwhile: nobody would see it */
        errno = ENOENT;
        done = false;
    }
    done = done && reserve(old, before.st_size, result.st_size) && copy_bytes(from, old, result.st_size) &&
           ftruncate(old, result.st_size) == 0 && fsync(old) == 0;
    const int error = errno;
    restore_signals(&signals);
    errno = error;
    return done;
}

static bool rename_part(output *out)
{
    sigset_t before;
    block_signals(&before);
    const bool renamed = rename(out->part, out->target) == 0;
    const int error = errno;
    if (renamed)
        forget_part(out);
    restore_signals(&before);
    errno = error;
    return renamed;
}

/* `fd` is the result, complete and on the disk. */
static bool put_in_place(output *out, int fd)
{
    if (out->old < 0)
        return rename_part(out);
    if (out->part != NULL && take_over(fd, out->old)) {
        if (rename_part(out))
            return true;
        /* What something is mounted on, and another's file in a folder like /tmp, cannot be replaced. */
        if (errno != EBUSY && errno != EPERM && errno != EACCES)
            return false;
    }
    return write_in_place(fd, out->old);
}

static bool close_file(output *out)
{
    FILE *file = out->file;
    out->file = NULL;
    if (out->error == 0 && ferror(file))
        out->error = EIO; /* of a call of printf */
    if (fclose(file) != 0 && out->error == 0)
        out->error = errno;
    return out->error == 0;
}

const char *output_finish(output *out)
{
    if (out->target == NULL)
        return close_file(out) ? NULL : strerror(out->error);
    const bool elsewhere = out->part == NULL;
    const int fd = dup(fileno(out->file));
    if (fd < 0 || fflush(out->file) != 0 || fsync(fd) != 0)
        out->error = out->error != 0 ? out->error : errno;
    const char *wrong = NULL;
    if (!close_file(out))
        wrong = complain(elsewhere ? temporary_folder() : NULL, out->error);
    else if (!put_in_place(out, fd))
        wrong = strerror(errno);
    if (fd >= 0)
        close(fd);
    output_discard(out);
    return wrong;
}
