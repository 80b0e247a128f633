#include "npy.h"

#include <errno.h>
#include <string.h>

#include "options.h"

static char problem[256];

static const char *complain(const char *what, const char *detail)
{
    const int length = snprintf(problem, sizeof problem, "%s%.120s", what, detail);
    for (int i = 0; i < length && problem[i] != '\0'; i++)
        if (problem[i] < ' ' || problem[i] > '~')
            problem[i] = '?'; /* the detail is the file's, the terminal is the user's */
    return problem;
}

/* Walks through the dictionary, which is what Python's ast.literal_eval reads, as far as files have it. */
typedef struct scanner {
    const char *p;
} scanner;

static void skip_space(scanner *s)
{
    s->p += strspn(s->p, " \t\n\r\f"); /* Python's blanks */
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* An integer as Python reads it: no leading zeros, but for zero itself. Python 2 wrote 6L for some. */
static bool take_integer(scanner *s, bool python2, uint64_t *out)
{
    skip_space(s);
    const char *begin = s->p;
    uint64_t value = 0;
    for (; is_digit(*s->p); s->p++) {
        const uint64_t digit = (uint64_t)(*s->p - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (s->p == begin || (*begin == '0' && value != 0))
        return false;
    if (python2)
        (void)take(s, 'L');
    *out = value;
    return true;
}

typedef struct npy_shape {
    int rank;
    uint64_t size[NPY_MAX_AXES];
} npy_shape;

/* (), (3,), (3, 4), but not (3), which is no tuple. */
static bool take_shape(scanner *s, bool python2, npy_shape *out)
{
    out->rank = 0;
    if (!take(s, '('))
        return false;
    while (!take(s, ')')) {
        if (out->rank == NPY_MAX_AXES || !take_integer(s, python2, &out->size[out->rank++]))
            return false;
        if (!take(s, ','))
            return out->rank > 1 && take(s, ')');
    }
    return true;
}

/* The product; false if it is beyond what NumPy holds, where an axis of size 0 does not help. */
static bool count_elements(const npy_shape *shape, size_t element_bytes, uint64_t *n)
{
    uint64_t product = 1;
    bool empty = false;
    for (int d = 0; d < shape->rank; d++) {
        const uint64_t size = shape->size[d];
        empty |= size == 0;
        if (size != 0 && product > (uint64_t)INT64_MAX / element_bytes / size)
            return false;
        product *= size != 0 ? size : 1;
    }
    *n = empty ? 0 : product;
    return true;
}

/* How the file's order goes through the tensor. Axes of size 1 do not count. */
static void find_axes(const npy_shape *shape, bool fortran_order, npy_header *header)
{
    header->n_axes = 0;
    uint64_t stride = header->n;
    for (int d = 0; fortran_order && d < shape->rank; d++) {
        const uint64_t size = shape->size[d];
        if (header->n != 0 && size != 1) {
            stride /= size;
            header->axis[header->n_axes++] = (npy_axis){size, stride};
        }
    }
    if (header->n_axes < 2) {
        header->n_axes = 1;
        header->axis[0] = (npy_axis){header->n, 1};
    }
}

/* What a descr says: byte order, kind and size. */
typedef struct element {
    char order; /* <, >, or = for the host's */
    char kind;  /* f, u, i, or V: bytes that say nothing of themselves */
    size_t bytes;
} element;

/* Plain elements of 1, 2, 4 or 8 bytes, by all names of NumPy; false for anything else. */
static bool parse_descr(const char *descr, element *out)
{
    static const struct {
        const char *name, *code;
        bool has_order; /* may have a byte order in front */
    } names[] = {
        {"e", "f2", true},        {"f", "f4", true},       {"d", "f8", true},        {"half", "f2", false},
        {"single", "f4", false},  {"double", "f8", false}, {"float16", "f2", false}, {"float32", "f4", false},
        {"float64", "f8", false}, {"float", "f8", false},
    };
    const bool has_order = descr[0] != '\0' && strchr("<>=|", descr[0]) != NULL;
    const char *code = has_order ? descr + 1 : descr;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(code, names[i].name) == 0 && (names[i].has_order || !has_order)) {
            code = names[i].code;
            break;
        }
    }
    if (strlen(code) != 2 || strchr("fuiV", code[0]) == NULL || strchr("1248", code[1]) == NULL)
        return false;
    out->order = has_order && descr[0] != '|' ? descr[0] : '=';
    out->kind = code[0];
    out->bytes = (size_t)(code[1] - '0');
    /* NumPy forgets the order of V; the files are from little-endian machines. */
    if (out->kind == 'V' && out->order == '=')
        out->order = '<';
    return true;
}

/* The dtype that a descr stands for, together with what the user said. */
static const char *find_dtype(const char *descr, dropwise_dtype said, npy_header *header)
{
    const uint16_t one = 1;
    const char host = *(const uint8_t *)&one == 1 ? '<' : '>';
    element e;
    if (!parse_descr(descr, &e))
        return complain("such elements cannot be read: dtype ", descr);
    /* NumPy has no f1: ml_dtypes writes float8_e5m2 so, and the other 8-bit types as V1. */
    const dropwise_dtype own = e.kind != 'f' || e.bytes == 1 ? 0
                               : e.bytes == 2                ? DROPWISE_F16
                               : e.bytes == 4                ? DROPWISE_F32
                                                             : DROPWISE_F64;
    if (own == 0 && said == 0)
        return complain("only --dtype can say which floating-point numbers these are, the file has dtype ",
                        descr);
    if (said != 0 && dtype_bytes(said) != e.bytes)
        return complain("--dtype names a type of another size than the file, which has dtype ", descr);
    if (said != 0 && own != 0 && said != own)
        return complain("--dtype names another type than the file, which has dtype ", descr);
    header->dtype = said != 0 ? said : own;
    header->element_bytes = e.bytes;
    header->swapped = e.bytes > 1 && e.order != '=' && e.order != host;
    return NULL;
}

static const char *parse_dictionary(const char *text, bool python2, dropwise_dtype dtype, npy_header *header)
{
    const char *malformed = "the header is malformed: ";
    scanner s = {text};
    char descr[32];
    npy_shape shape = {.rank = 0};
    bool have_descr = false, have_order = false, have_shape = false, fortran_order = false;
    s.p += strspn(s.p, " \t"); /* and no line break, after which Python minds blanks */
    if (*s.p++ != '{')
        return complain(malformed, text);
    while (!take(&s, '}')) {
        char key[32];
        if (!take_string(&s, key, sizeof key) || !take(&s, ':'))
            return complain(malformed, text);
        if (strcmp(key, "descr") == 0) {
            if (!take_string(&s, descr, sizeof descr))
                return complain("only plain arrays can be read, not structured ones: ", text);
            have_descr = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            fortran_order = take_word(&s, "True");
            if (!fortran_order && !take_word(&s, "False"))
                return complain(malformed, text);
            have_order = true;
        } else if (strcmp(key, "shape") == 0) {
            if (!take_shape(&s, python2, &shape))
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
    const char *wrong = find_dtype(descr, dtype, header);
    if (wrong == NULL && !count_elements(&shape, header->element_bytes, &header->n))
        wrong = complain("the shape is malformed or too large: ", text);
    if (wrong == NULL)
        find_axes(&shape, fortran_order, header);
    return wrong;
}

/* Reads all of n bytes; else `short_of`, or why reading failed. */
static const char *read_bytes(FILE *in, void *to, size_t n, const char *short_of)
{
    if (fread(to, 1, n, in) == n)
        return NULL;
    return complain(ferror(in) ? strerror(errno) : short_of, "");
}

const char *npy_read_header(FILE *in, dropwise_dtype dtype, npy_header *header)
{
    static const char no_npy[] = "this is no file of NumPy's format (.npy)", cut[] = "the header is cut off";
    uint8_t *raw = header->raw;
    const char *wrong = read_bytes(in, raw, 8, no_npy);
    if (wrong != NULL)
        return wrong;
    if (memcmp(raw, "\x93NUMPY", 6) != 0)
        return complain(no_npy, "");
    if (raw[6] < 1 || raw[6] > 3 || raw[7] != 0) {
        char version[16];
        snprintf(version, sizeof version, "%u.%u", raw[6], raw[7]);
        return complain("unknown version of the format: ", version);
    }
    const size_t length_bytes = raw[6] == 1 ? 2 : 4;
    wrong = read_bytes(in, raw + 8, length_bytes, cut);
    if (wrong != NULL)
        return wrong;
    uint32_t length = 0;
    for (size_t i = length_bytes; i-- > 0;)
        length = length << 8 | raw[8 + i];
    if (length > NPY_MAX_HEADER)
        return complain("the header is too long", "");
    static char text[NPY_MAX_HEADER + 1];
    wrong = read_bytes(in, text, length, cut);
    if (wrong != NULL)
        return wrong;
    text[length] = '\0';
    memcpy(raw + 8 + length_bytes, text, length);
    header->raw_size = 8 + length_bytes + length;
    if (strlen(text) != length)
        return complain("the header holds a NUL byte", "");
    return parse_dictionary(text, raw[6] < 3, dtype, header);
}
