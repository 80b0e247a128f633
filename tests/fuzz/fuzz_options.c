/*
 * A harness for libFuzzer over the program's reader of options and numbers: the lines of an input are words
 * of a command line. Without libFuzzer (replay.c) it runs inputs that are files. Errors go to stderr, which
 * libFuzzer's -close_fd_mask=2 throws away.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 4096, WORDS = 64 };

static const option_spec specs[] = {
    {"p", "P", true, "a number"},
    {"seed", "SEED", false, "a number"},
    {"dtype", "DTYPE", false, "a name"},
    {"json", NULL, false, "nothing"},
};
enum { SPECS = sizeof specs / sizeof specs[0] };

static void require(bool holds, const char *what)
{
    if (!holds) {
        printf("options: %s\n", what);
        fflush(stdout);
        abort();
    }
}

/* What is refused leaves the number as it was; what is taken says so when it is printed again. */
static void check_numbers(const char *word)
{
    const uint64_t untouched = UINT64_C(0x123456789ABCDEF);
    uint64_t u = untouched;
    if (parse_u64(word, &u)) {
        char again[32];
        uint64_t v = 0;
        snprintf(again, sizeof again, "%llu", (unsigned long long)u);
        require(parse_u64(again, &v) && v == u, "a number that is read changes");
        require(strpbrk(word, "+- \t\n") == NULL, "a sign or a space is taken");
    } else {
        require(u == untouched, "a number that is refused is written");
    }
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        u = untouched;
        if (!parse_seed(word, bits, &u))
            require(u == untouched, "a seed that is refused is written");
        else
            require(bits == 64 || u <= UINT32_MAX, "a seed has too many bits");
    }
    double d = 77;
    if (!parse_double(word, &d))
        require(d == 77, "a double that is refused is written");
    dropwise_dtype dtype = 0;
    if (parse_dtype(word, &dtype))
        require(dtype_bytes(dtype) != 0 && dtype_bytes(dtype) <= 8, "a dtype without bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[MOST + 1];
    char *words[WORDS + 1];
    int n = 0;
    option_values values;
    if (size == 0 || size > MOST)
        return 0;
    const int n_operands = data[0] % (MAX_OPERANDS + 1);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    for (char *word = text; word != NULL && n < WORDS; n++) {
        char *end = strchr(word, '\n');
        if (end != NULL)
            *end++ = '\0';
        words[n] = word;
        check_numbers(word);
        word = end;
    }
    words[n] = NULL;
    if (options_read(n, words, specs, SPECS, n_operands, &values)) {
        require(values.n_operands == n_operands, "the number of operands");
        require(options_value(specs, SPECS, &values, "p") != NULL, "an option that is required is missing");
        for (int i = 0; i < values.n_operands; i++)
            require(values.operand[i] != NULL, "an operand is missing");
    }
    return 0;
}
