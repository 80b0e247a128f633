/* What goes wrong, on standard error, and the exit status for it. */
#ifndef MESSAGE_H
#define MESSAGE_H

/* 1 for data that cannot be read or written, or a value that cannot be served; 2 for wrong usage. */
enum { EXIT_DATA = 1, EXIT_USAGE = 2 };

/* Writes a line with the program's name and returns EXIT_DATA. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
