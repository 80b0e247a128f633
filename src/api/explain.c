/* What is wrong with a call, in a sentence: a status and the arguments that it was given for. */
#include <string.h>

#include "apply/dtype.h"
#include "apply/stored.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "dropwise.h"
#include "dropwise_attention.h"
#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "dropwise_interop.h"
#include "dropwise_variants.h"
#include "view/check_view.h"
#include "view/stored_shape.h"

/* ---- Text ---- */

/* As much of it as there is room for is written, and all of it counted. */
typedef struct text {
    char *at;
    size_t size, length;
} text;

static void put_part(text *t, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++, t->length++)
        if (t->length + 1 < t->size)
            t->at[t->length] = from[i];
}

static void put(text *t, const char *s)
{
    put_part(t, s, strlen(s));
}

static void put_number(text *t, uint64_t u)
{
    char digits[20];
    size_t n = 0;
    do
        digits[sizeof digits - ++n] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    put_part(t, digits + sizeof digits - n, n);
}

static void put_signed(text *t, int64_t v)
{
    if (v < 0)
        put(t, "-");
    put_number(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* ---- Arguments ---- */

enum { MAX_ARGUMENTS = 16 };

typedef struct argument {
    const char *name;
    size_t name_length;
    char kind; /* of calls.inc */
    bool optional;
    const void *p; /* the argument, if it is a pointer, else one to it */
} argument;

typedef struct call {
    const char *function;
    argument of[MAX_ARGUMENTS];
    size_t n;
} call;

/* Of what a function's name is in calls.inc, its arguments; NULL: it is no such function. */
static const char *arguments_of(const char *function)
{
    static const char *const rows[] = {
    /* a string each, as the loader has to relocate pointers to them */
#define DROPWISE_CALL(name, arguments) "dropwise_" #name " " arguments,
#include "api/calls.inc"
    };
    const size_t length = strlen(function);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i]) > length && memcmp(rows[i], function, length) == 0 && rows[i][length] == ' ')
            return rows[i] + length + 1;
    return NULL;
}

static call call_of(const char *function, const void *const *arguments)
{
    call c = {.function = function, .n = 0};
    const char *row = arguments == NULL ? NULL : arguments_of(function);
    while (row != NULL && *row != '\0') {
        argument *a = &c.of[c.n];
        a->name = row;
        a->name_length = (size_t)(strchr(row, ':') - row);
        row += a->name_length + 1;
        a->kind = *row++;
        a->optional = *row == '?';
        a->p = arguments[c.n++];
        row += a->optional;
        row += *row == ' ';
    }
    return c;
}

static bool is_named(const argument *a, const char *name)
{
    return a->name_length == strlen(name) && memcmp(a->name, name, a->name_length) == 0;
}

/* The first argument of a kind, or that has a name, or NULL. */
static const argument *find_kind(const call *c, char kind)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->of[i].kind == kind)
            return &c->of[i];
    return NULL;
}

static const argument *find_name(const call *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (is_named(&c->of[i], name))
            return &c->of[i];
    return NULL;
}

static bool is_pointer(const argument *a)
{
    return strchr("diuzqf", a->kind) == NULL;
}

static bool is_written(const argument *a)
{
    return strchr("YwRP", a->kind) != NULL;
}

static uint64_t number_of(const argument *a)
{
    uint32_t u32;
    uint64_t u64;
    size_t size;
    if (a->kind == 'u')
        return memcpy(&u64, a->p, sizeof u64), u64;
    if (a->kind == 'z')
        return memcpy(&size, a->p, sizeof size), size;
    return memcpy(&u32, a->p, sizeof u32), u32;
}

/* ---- Structs ---- */

typedef struct struct_type {
    char kind;
    size_t size, reserved, reserved_bytes;
} struct_type;

#define STRUCT_TYPE(kind, type) \
    { \
        kind, sizeof(type), offsetof(type, reserved), sizeof(((type *)NULL)->reserved) \
    }

static const struct_type *type_of(const argument *a)
{
    static const struct_type types[] = {
        STRUCT_TYPE('M', dropwise_mask),        STRUCT_TYPE('V', dropwise_view),
        STRUCT_TYPE('S', dropwise_stored),      STRUCT_TYPE('F', dropwise_softmax),
        STRUCT_TYPE('A', dropwise_attention),   STRUCT_TYPE('T', dropwise_attention_tile),
        STRUCT_TYPE('C', dropwise_dropconnect), STRUCT_TYPE('B', dropwise_dropblock),
        STRUCT_TYPE('K', dropwise_concrete),    STRUCT_TYPE('I', dropwise_interop),
        STRUCT_TYPE('E', dropwise_mt19937),     STRUCT_TYPE('J', dropwise_mt19937_jump),
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].kind == a->kind)
            return &types[i];
    return NULL;
}

static uint32_t struct_size_of(const argument *a)
{
    uint32_t size;
    memcpy(&size, a->p, sizeof size);
    return size;
}

/* The struct of a kind, if it is one that has the fields of this library's. */
static const void *struct_of(const call *c, char kind)
{
    const argument *a = find_kind(c, kind);
    return a != NULL && a->p != NULL && struct_size_of(a) == type_of(a)->size ? a->p : NULL;
}

/* ---- Where data lies ---- */

static dropwise_dtype dtype_of(const call *c)
{
    const argument *dtype = find_name(c, "dtype");
    const char *end = strrchr(c->function, '_');
    if (dtype != NULL)
        return (dropwise_dtype)number_of(dtype);
    return strcmp(end, "_f32") == 0   ? DROPWISE_F32
           : strcmp(end, "_f64") == 0 ? DROPWISE_F64
           : strcmp(end, "_f16") == 0 ? DROPWISE_F16
                                      : DROPWISE_BF16;
}

static bool extent_of_stored(const dropwise_stored *s, const dropwise_view *view, size_t element_bytes,
                             dropwise_extent *extent)
{
    if (s->struct_size != sizeof *s)
        return false;
    const stored_shape shape = dropwise_stored_shape_of(view);
    const uint64_t row = s->form == DROPWISE_FORM_BITS    ? bytes_of_bits((size_t)shape.row_length)
                         : s->form == DROPWISE_FORM_BYTES ? shape.row_length
                                                          : shape.row_length * element_bytes;
    const uint64_t stride = s->row_stride != 0 ? s->row_stride : row;
    *extent = dropwise_extent_of(s->data, (size_t)((shape.rows - 1) * stride + row));
    return s->data != NULL;
}

/* The bytes of an argument; false if they are not known. */
static bool extent_of(const call *c, const argument *a, dropwise_extent *extent)
{
    const size_t bytes = dropwise_dtype_bytes(dtype_of(c));
    const dropwise_view *view = struct_of(c, 'V');
    const argument *n = find_name(c, "n");
    bool empty;
    if (a->p == NULL || bytes == 0)
        return false;
    if (view != NULL) {
        if (dropwise_check_view(view, &empty) != DROPWISE_OK || empty)
            return false;
        const uint64_t row = view->size[view->rank - 1];
        switch (a->kind) {
        case 'x':
        case 'y':
        case 'Y':
            return dropwise_check_view_extent(view, a->kind == 'x' ? view->x_stride : view->y_stride, bytes,
                                              a->p, extent) == DROPWISE_OK;
        case 'r':
        case 'R':
            *extent = dropwise_extent_of(
                a->p, (size_t)row * (a->kind == 'r' ? bytes : dropwise_real_bytes(dtype_of(c))));
            return true;
        case 'S':
            return extent_of_stored(a->p, view, bytes, extent);
        default:
            return false;
        }
    }
    if (n == NULL || strchr("xYbw", a->kind) == NULL ||
        dropwise_check_size(number_of(n), bytes) != DROPWISE_OK)
        return false;
    const size_t length = (size_t)number_of(n);
    *extent =
        dropwise_extent_of(a->p, a->kind == 'b' || a->kind == 'w' ? bytes_of_bits(length) : length * bytes);
    return true;
}

/* ---- Sentences ---- */

/* Begins one; the name of the function stands there already. */
static void put_name(text *t, const argument *a)
{
    put_part(t, a->name, a->name_length);
}

static void put_field(text *t, const argument *a, const char *field)
{
    put_name(t, a);
    put(t, "->");
    put(t, field);
}

static bool explain_null(text *t, const call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!is_pointer(&c->of[i]) || c->of[i].p != NULL || c->of[i].optional)
            continue;
        put_name(t, &c->of[i]);
        put(t, " is NULL");
        return true;
    }
    const argument *stored = find_kind(c, 'S');
    if (stored == NULL || stored->p == NULL)
        return false;
    put_field(t, stored, "data is NULL");
    return true;
}

/* Of a double by its bits, as comparisons would set the flags of the floating-point environment. */
static const char *fault_of(const argument *a)
{
    const uint64_t sign = UINT64_C(1) << 63, infinity = UINT64_C(0x7FF0000000000000);
    const uint64_t one = UINT64_C(0x3FF0000000000000);
    uint64_t bits;
    memcpy(&bits, a->p, sizeof bits);
    if ((bits & ~sign) > infinity)
        return " is NaN";
    if ((bits & ~sign) == infinity)
        return " is infinite";
    if (bits > sign)
        return " is below 0";
    if (a->kind == 'q' && bits == one)
        return " is 1, which is forbidden here";
    return a->kind == 'q' && bits > one ? " is above 1" : NULL;
}

static bool explain_double(text *t, const call *c, char kind)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *fault = c->of[i].kind == kind ? fault_of(&c->of[i]) : NULL;
        if (fault == NULL)
            continue;
        put_name(t, &c->of[i]);
        put(t, fault);
        return true;
    }
    return false;
}

static bool explain_struct_size(text *t, const call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct_type *type = type_of(&c->of[i]);
        if (type == NULL || c->of[i].p == NULL || struct_size_of(&c->of[i]) == type->size)
            continue;
        put_field(t, &c->of[i], "struct_size is ");
        put_number(t, struct_size_of(&c->of[i]));
        put(t, ", not ");
        put_number(t, type->size);
        return true;
    }
    return false;
}

static bool explain_reserved(text *t, const call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct_type *type = type_of(&c->of[i]);
        if (type == NULL || c->of[i].p == NULL || struct_size_of(&c->of[i]) != type->size)
            continue;
        const uint8_t *reserved = (const uint8_t *)c->of[i].p + type->reserved;
        bool zero = true;
        for (size_t k = 0; k < type->reserved_bytes; k++)
            zero = zero && reserved[k] == 0;
        if (!zero) {
            put_field(t, &c->of[i], "reserved is not zero");
            return true;
        }
        if (c->of[i].kind == 'M' && ((const dropwise_mask *)c->of[i].p)->flags > DROPWISE_ACCUMULATE) {
            put_field(t, &c->of[i], "flags is ");
            put_number(t, ((const dropwise_mask *)c->of[i].p)->flags);
            put(t, ", of which some are unknown");
            return true;
        }
    }
    return false;
}

/* A field of a struct that has a value which is no good. */
static bool explain_field(text *t, const call *c, char kind, const char *field, uint64_t value,
                          const char *why)
{
    put_field(t, find_kind(c, kind), field);
    put(t, " is ");
    put_number(t, value);
    put(t, why);
    return true;
}

/* An argument that has a value which is no good, if there is one of this name. */
static bool explain_number(text *t, const call *c, const char *name, const char *why)
{
    const argument *a = find_name(c, name);
    if (a == NULL)
        return false;
    put_name(t, a);
    put(t, " is ");
    if (a->kind == 'd' || a->kind == 'i')
        put_signed(t, (int32_t)number_of(a));
    else
        put_number(t, number_of(a));
    put(t, why);
    return true;
}

static bool explain_dtype(text *t, const call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const argument *a = &c->of[i];
        const bool unknown = a->kind == 'd' && dropwise_dtype_bytes((dropwise_dtype)number_of(a)) == 0;
        if (unknown)
            return explain_number(t, c, is_named(a, "draws") ? "draws" : "dtype", ", which is no dtype");
    }
    return explain_number(t, c, find_name(c, "draws") != NULL ? "draws" : "dtype",
                          ", a dtype that is not for this");
}

static bool explain_range(text *t, const call *c)
{
    const argument *n = find_name(c, "n"), *first = find_name(c, "first"), *view = find_kind(c, 'V');
    if (first != NULL && n != NULL) {
        explain_number(t, c, "first", ", and ");
        put_number(t, number_of(n));
        put(t, " elements from there on reach past 2^60, or what the layout numbers");
        return true;
    }
    if (view == NULL)
        return false;
    put(t, "mask indices by first and mask_stride of ");
    put_name(t, view);
    put(t, " reach below 0 or past 2^60");
    return true;
}

/* Two arguments of which one is written, and which share bytes without being one buffer in place. */
static bool explain_overlap(text *t, const call *c)
{
    const dropwise_view *view = struct_of(c, 'V');
    for (size_t i = 0; i < c->n; i++) {
        dropwise_extent out, other;
        const bool stored = c->of[i].kind == 'S';
        if ((!is_written(&c->of[i]) && !stored) || !extent_of(c, &c->of[i], &out))
            continue;
        for (size_t j = 0; j < c->n; j++) {
            const argument *a = &c->of[j];
            if (j == i || !extent_of(c, a, &other) || !dropwise_overlap(out, other))
                continue;
            const bool strided = view != NULL && a->kind == 'x' &&
                                 memcmp(view->x_stride, view->y_stride, sizeof view->x_stride) != 0;
            const bool in_place =
                c->of[i].kind == 'Y' && (a->kind == 'x' || a->kind == 'y') && a->p == c->of[i].p && !strided;
            if (in_place)
                continue;
            const uintptr_t from = out.from > other.from ? out.from : other.from;
            const uintptr_t to = out.to < other.to ? out.to : other.to;
            put_name(t, &c->of[i]);
            put(t, " overlaps ");
            put_name(t, a);
            put(t, " by ");
            put_number(t, to - from);
            put(t, to - from == 1 ? " byte" : " bytes");
            if (a->p == c->of[i].p)
                put(t, ", at other strides");
            return true;
        }
    }
    return false;
}

static bool explain_shape(text *t, const call *c)
{
    const dropwise_view *view = struct_of(c, 'V');
    if (view == NULL || view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return false;
    const uint32_t last = view->rank - 1;
    if (view->size[last] == 0)
        return explain_field(t, c, 'V', "size", 0, " in the last dimension, and rows need elements");
    if (view->size[last] == 1 || (view->x_stride[last] == 1 && view->y_stride[last] == 1))
        return false;
    put_field(t, find_kind(c, 'V'), view->x_stride[last] != 1 ? "x_stride is " : "y_stride is ");
    put_signed(t, view->x_stride[last] != 1 ? view->x_stride[last] : view->y_stride[last]);
    put(t, " in the last dimension, not 1");
    return true;
}

static bool explain_self_overlap(text *t, const call *c)
{
    const argument *out = find_kind(c, 'Y');
    if (out == NULL || struct_of(c, 'V') == NULL)
        return false;
    put(t, "elements of ");
    put_name(t, out);
    put(t, " overlap each other by y_stride of ");
    put_name(t, find_kind(c, 'V'));
    return true;
}

static bool explain_parameter(text *t, const call *c)
{
    const dropwise_softmax *softmax = struct_of(c, 'F');
    const dropwise_attention *attention = struct_of(c, 'A');
    const dropwise_attention_tile *tile = struct_of(c, 'T');
    const dropwise_dropblock *block = struct_of(c, 'B');
    static const char not_a_choice[] = ", not 0 or 1";
    if (softmax != NULL && softmax->causal > 1)
        return explain_field(t, c, 'F', "causal", softmax->causal, not_a_choice);
    if (attention != NULL && attention->causal > 1)
        return explain_field(t, c, 'A', "causal", attention->causal, not_a_choice);
    if (tile != NULL && tile->causal > 1)
        return explain_field(t, c, 'T', "causal", tile->causal, not_a_choice);
    if (block != NULL)
        return explain_field(t, c, 'B', "seeds", block->seeds, ", which is unknown");
    return explain_double(t, c, 'f');
}

static bool explain_rank(text *t, const call *c)
{
    const dropwise_view *view = struct_of(c, 'V');
    if (view != NULL)
        return explain_field(t, c, 'V', "rank", view->rank, ", not 1 to 8");
    return explain_number(t, c, "rank", ", not 1 to 8");
}

/* What the status says of these arguments, as far as it can be seen in them; false: nothing. */
static bool explain(text *t, const call *c, dropwise_status status)
{
    const dropwise_mask *mask = struct_of(c, 'M');
    const dropwise_interop *interop = struct_of(c, 'I');
    const argument *stored = find_kind(c, 'S');
    const dropwise_stored *s = struct_of(c, 'S');
    switch (status) {
    case DROPWISE_ERROR_NULL:
        return explain_null(t, c);
    case DROPWISE_ERROR_PROBABILITY:
        return explain_double(t, c, 'q');
    case DROPWISE_ERROR_STRUCT_SIZE:
        return explain_struct_size(t, c);
    case DROPWISE_ERROR_RESERVED:
        return explain_reserved(t, c);
    case DROPWISE_ERROR_GENERATOR:
        return mask != NULL && explain_field(t, c, 'M', "generator", mask->generator, ", which is unknown");
    case DROPWISE_ERROR_KEEP_THRESHOLD:
        return mask != NULL &&
               explain_field(t, c, 'M', "keep_threshold", mask->keep_threshold, ", above 2^40");
    case DROPWISE_ERROR_SCALING:
        return mask != NULL && explain_field(t, c, 'M', "scaling", mask->scaling, ", which is unknown");
    case DROPWISE_ERROR_DTYPE:
        return explain_dtype(t, c);
    case DROPWISE_ERROR_RANGE:
        return explain_range(t, c);
    case DROPWISE_ERROR_SIZE:
        return explain_number(t, c, "n", ", more elements than memory can have");
    case DROPWISE_ERROR_OVERLAP:
        return explain_overlap(t, c);
    case DROPWISE_ERROR_ISA_UNKNOWN:
        return explain_number(t, c, "isa", ", which is no tier");
    case DROPWISE_ERROR_ISA_NOT_BUILT:
        return explain_number(t, c, "isa", ", a tier that is not part of this build");
    case DROPWISE_ERROR_ISA_NOT_USABLE:
        return explain_number(t, c, "isa", ", a tier that cannot run here");
    case DROPWISE_ERROR_RANK:
        return explain_rank(t, c);
    case DROPWISE_ERROR_SHAPE:
        return explain_shape(t, c);
    case DROPWISE_ERROR_SELF_OVERLAP:
        return explain_self_overlap(t, c);
    case DROPWISE_ERROR_FORM:
        return s != NULL && explain_field(t, c, 'S', "form", s->form, ", which is unknown");
    case DROPWISE_ERROR_STORED_SIZE:
        if (s == NULL || stored == NULL)
            return false;
        explain_field(t, c, 'S', "size", s->size, " bytes and row_stride ");
        put_number(t, s->row_stride);
        put(t, ", of which one is too small");
        return true;
    case DROPWISE_ERROR_ACTIVATION:
        return explain_number(t, c, "activation", ", which is unknown");
    case DROPWISE_ERROR_PARAMETER:
        return explain_parameter(t, c);
    case DROPWISE_ERROR_LAYOUT:
        return interop != NULL && explain_field(t, c, 'I', "layout", interop->layout, ", which is unknown");
    case DROPWISE_ERROR_WORKSPACE:
        return explain_number(t, c, "workspace_bytes", ", which is too small");
    default:
        return false;
    }
}

size_t dropwise_explain(dropwise_status status, const char *function, const void *const *arguments,
                        char *buffer, size_t size)
{
    text t = {buffer, buffer == NULL ? 0 : size, 0};
    if (function != NULL) {
        const call c = call_of(function, arguments);
        put(&t, function);
        put(&t, ": ");
        if (!explain(&t, &c, status))
            put(&t, dropwise_status_string(status));
    } else {
        put(&t, dropwise_status_string(status));
    }
    if (t.size != 0)
        t.at[t.length < t.size ? t.length : t.size - 1] = '\0';
    return t.length;
}
