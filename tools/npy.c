#include "npy.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static char problem[256];

static const char *complain(const char *what, const char *detail)
{
    snprintf(problem, sizeof problem, "%s%.120s", what, detail);
    return problem;
}

/* Walks through the dictionary. */
typedef struct scanner {
    const char *p;
} scanner;

static void skip_space(scanner *s)
{
    while (isspace((unsigned char)*s->p))
        s->p++;
}

static bool take(scanner *s, char c)
{
    skip_space(s);
    if (*s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_word(scanner *s, const char *word)
{
    skip_space(s);
    if (strncmp(s->p, word, strlen(word)) != 0)
        return false;
    s->p += strlen(word);
    return true;
}

/* A string in single or double quotes, without escapes: NumPy writes none. */
static bool take_string(scanner *s, char *out, size_t size)
{
    skip_space(s);
    const char quote = *s->p;
    if (quote != '\'' && quote != '"')
        return false;
    const char *end = strchr(s->p + 1, quote);
    if (end == NULL || (size_t)(end - s->p) > size)
        return false;
    const size_t length = (size_t)(end - s->p - 1);
    memcpy(out, s->p + 1, length);
    out[length] = '\0';
    s->p = end + 1;
    return true;
}

/* (), (3,), (3, 4): *n becomes the product. */
static bool take_shape(scanner *s, uint64_t *n)
{
    *n = 1;
    if (!take(s, '('))
        return false;
    bool empty_dimension = false, overflow = false;
    while (!take(s, ')')) {
        skip_space(s);
        if (!isdigit((unsigned char)*s->p))
            return false;
        uint64_t size = 0;
        for (; isdigit((unsigned char)*s->p); s->p++) {
            const uint64_t digit = (uint64_t)(*s->p - '0');
            if (size > (UINT64_MAX - digit) / 10)
                return false;
            size = size * 10 + digit;
        }
        empty_dimension |= size == 0;
        overflow |= size != 0 && *n > UINT64_MAX / size;
        *n *= size != 0 && !overflow ? size : 1;
        if (!take(s, ',')) {
            if (!take(s, ')'))
                return false;
            break;
        }
    }
    if (empty_dimension)
        *n = 0;
    return empty_dimension || !overflow;
}

static bool parse_dtype(const char *descr, npy_header *header)
{
    static const struct {
        const char *name;
        dropwise_dtype dtype;
        size_t bytes;
    } dtypes[] = {{"f2", DROPWISE_F16, 2}, {"f4", DROPWISE_F32, 4}, {"f8", DROPWISE_F64, 8}};
    const uint16_t one = 1;
    const bool little = *(const uint8_t *)&one == 1;
    if (descr[0] != '=' && descr[0] != (little ? '<' : '>'))
        return false;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(descr + 1, dtypes[i].name) == 0) {
            header->dtype = dtypes[i].dtype;
            header->element_bytes = dtypes[i].bytes;
            return true;
        }
    }
    return false;
}

static const char *parse_dictionary(const char *text, npy_header *header)
{
    const char *malformed = "the header is malformed: ";
    scanner s = {text};
    bool have_descr = false, have_order = false, have_shape = false;
    if (!take(&s, '{'))
        return complain(malformed, text);
    while (!take(&s, '}')) {
        char key[32];
        if (!take_string(&s, key, sizeof key) || !take(&s, ':'))
            return complain(malformed, text);
        if (strcmp(key, "descr") == 0) {
            char descr[32];
            if (!take_string(&s, descr, sizeof descr))
                return complain("only plain arrays can be read, not structured ones: ", text);
            if (!parse_dtype(descr, header))
                return complain("only float16, float32 and float64 in this machine's byte order can be "
                                "read, not dtype ", descr);
            have_descr = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            if (!take_word(&s, "True") && !take_word(&s, "False"))
                return complain(malformed, text);
            have_order = true;
        } else if (strcmp(key, "shape") == 0) {
            if (!take_shape(&s, &header->n))
                return complain("the shape is malformed or too large: ", text);
            have_shape = true;
        } else {
            return complain("the header has an unknown key: ", key);
        }
        if (!take(&s, ',')) {
            if (!take(&s, '}'))
                return complain(malformed, text);
            break;
        }
    }
    skip_space(&s);
    if (*s.p != '\0')
        return complain(malformed, text);
    if (!have_descr || !have_order || !have_shape)
        return complain("the header lacks a key: ", text);
    return NULL;
}

const char *npy_read_header(FILE *in, npy_header *header)
{
    uint8_t *raw = header->raw;
    const size_t begin = fread(raw, 1, 8, in);
    if (ferror(in))
        return complain(strerror(errno), "");
    if (begin != 8 || memcmp(raw, "\x93NUMPY", 6) != 0)
        return complain("this is no file of NumPy's format (.npy)", "");
    if (raw[6] < 1 || raw[6] > 3 || raw[7] != 0) {
        char version[16];
        snprintf(version, sizeof version, "%u.%u", raw[6], raw[7]);
        return complain("unknown version of the format: ", version);
    }
    const size_t length_bytes = raw[6] == 1 ? 2 : 4;
    if (fread(raw + 8, 1, length_bytes, in) != length_bytes)
        return complain("the header is cut off", "");
    uint32_t length = 0;
    for (size_t i = length_bytes; i-- > 0;)
        length = length << 8 | raw[8 + i];
    if (length > NPY_MAX_HEADER)
        return complain("the header is too long", "");
    static char text[NPY_MAX_HEADER + 1];
    if (fread(text, 1, length, in) != length)
        return complain("the header is cut off", "");
    text[length] = '\0';
    memcpy(raw + 8 + length_bytes, text, length);
    header->raw_size = 8 + length_bytes + length;
    if (strlen(text) != length)
        return complain("the header holds a NUL byte", "");
    return parse_dictionary(text, header);
}
