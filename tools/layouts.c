#include "layouts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "interop/constructors.h"
#include "interop/layout_options.h"

/* Whether a layout's name is another one and a version, as inductor-gpu-2.13 is inductor-gpu and 2.13. */
static bool is_version_of(const char *layout_name, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(layout_name, name, length) == 0 && layout_name[length] == '-' &&
           layout_name[length + 1] >= '0' && layout_name[length + 1] <= '9';
}

/* A name without its version is an error: either choice would be another mask for somebody. */
static const layout_options *find_layout(const char *name)
{
    bool has_versions = false;
    for (int i = 0; i < LAYOUTS; i++) {
        const char *layout_name = dropwise_layout_name(layout_options_of[i].layout);
        if (strcmp(layout_name, name) == 0)
            return &layout_options_of[i];
        has_versions = has_versions || is_version_of(layout_name, name);
    }
    fprintf(stderr, "dropwise: --layout takes");
    const char *separator = " ";
    for (int i = 0; i < LAYOUTS; i++) {
        const char *layout_name = dropwise_layout_name(layout_options_of[i].layout);
        if (has_versions && !is_version_of(layout_name, name))
            continue;
        fprintf(stderr, "%s%s", separator, layout_name);
        separator = ", ";
    }
    fprintf(stderr, ", not '%s'%s\n", name, has_versions ? ", whose versions draw different masks" : "");
    return NULL;
}

/* Every option that is given is one of the layout's, and none that it needs is missing. */
static bool check_options(const layout_options *layout, const option_spec *specs, int n_specs,
                          const option_values *given)
{
    const char *name = dropwise_layout_name(layout->layout);
    for (int i = 0; i < LAYOUT_NUMBERS; i++) {
        const char *option = layout_numbers[i].name;
        const bool needed = (layout->needs >> i & 1) != 0;
        const bool taken = needed || (layout->takes >> i & 1) != 0;
        const bool is_given = options_value(specs, n_specs, given, option) != NULL;
        if (needed && !is_given) {
            fprintf(stderr, "dropwise: layout %s needs --%s\n", name, option);
            return false;
        }
        if (is_given && !taken) {
            fprintf(stderr, "dropwise: layout %s takes no --%s\n", name, option);
            return false;
        }
    }
    return true;
}

/* Numbers of the options, 0 where one was not given. */
typedef struct reader {
    const option_spec *specs;
    int n_specs;
    const option_values *given;
    bool failed;
} reader;

static uint64_t number(reader *r, const char *name)
{
    const unsigned bits = bits_of_layout_number(name);
    uint64_t value = 0;
    const char *text = options_value(r->specs, r->n_specs, r->given, name);
    if (text != NULL && (!parse_u64(text, &value) || value > UINT64_MAX >> (64 - bits))) {
        fprintf(stderr, "dropwise: --%s takes a whole number below 2^%u here, decimal or 0x, not '%s'\n",
                name, bits, text);
        r->failed = true;
    }
    return value;
}

/* A seed of `bits` bits, which may be negative. */
static uint64_t seed_number(reader *r, const char *name, unsigned bits)
{
    uint64_t value = 0;
    const char *text = options_value(r->specs, r->n_specs, r->given, name);
    if (text != NULL && !parse_seed(text, bits, &value)) {
        fprintf(stderr,
                "dropwise: --%s takes a whole number from -2^%u to 2^%u - 1 here, decimal or 0x, "
                "not '%s'\n",
                name, bits - 1, bits, text);
        r->failed = true;
    }
    return value;
}

static dropwise_dtype dtype_of(reader *r, dropwise_dtype otherwise)
{
    const char *text = options_value(r->specs, r->n_specs, r->given, "dtype");
    if (text == NULL)
        return otherwise;
    dropwise_dtype dtype;
    if (parse_dtype(text, &dtype) && dtype <= DROPWISE_BF16)
        return dtype;
    fprintf(stderr, "dropwise: --dtype takes f32, f64, f16 or bf16, not '%s'\n", text);
    r->failed = true;
    return otherwise;
}

/* With a path, the seed becomes the key of that layer of flax.linen, and the run is its call. */
static bool read_path(const layout_options *layout, const option_spec *specs, int n_specs,
                      const option_values *given, layout_call *call)
{
    const char *path = options_value(specs, n_specs, given, "path");
    const bool has_run = options_value(specs, n_specs, given, "run") != NULL;
    if (path == NULL && has_run && (layout->takes & PATH) != 0) {
        fprintf(stderr, "dropwise: layout %s takes --run with --path only\n",
                dropwise_layout_name(layout->layout));
        return false;
    }
    if (path != NULL && call->run > UINT32_MAX) {
        fprintf(stderr, "dropwise: --run takes a whole number below 2^32 here\n");
        return false;
    }
    if (path != NULL) {
        uint32_t key[2];
        dropwise_jax_key(call->seed, key);
        dropwise_jax_linen_key(key, path, (uint32_t)call->run, 0, key);
        call->seed = (uint64_t)key[0] << 32 | key[1];
    }
    return true;
}

/* The probability of being dropped, or that of being kept, which some systems are given. */
static bool read_probabilities(const option_spec *specs, int n_specs, const option_values *given,
                               layout_call *call)
{
    const char *p = options_value(specs, n_specs, given, "p");
    const char *keep = options_value(specs, n_specs, given, "keep");
    if (p == NULL && keep == NULL) {
        fprintf(stderr, "dropwise: option --p is missing\n");
        return false;
    }
    if (p != NULL && keep != NULL) {
        fprintf(stderr, "dropwise: --keep is given instead of --p, not with it\n");
        return false;
    }
    double value;
    if (!parse_double(p != NULL ? p : keep, &value)) {
        fprintf(stderr, "dropwise: --%s takes a number, not '%s'\n", p != NULL ? "p" : "keep",
                p != NULL ? p : keep);
        return false;
    }
    call->p = p != NULL ? value : 1.0 - value;
    call->keep = p != NULL ? 1.0 - value : value;
    return true;
}

bool layout_read(const char *name, const option_spec *specs, int n_specs, const option_values *given,
                 dropwise_interop *interop)
{
    const layout_options *layout = find_layout(name);
    if (layout == NULL || !check_options(layout, specs, n_specs, given))
        return false;
    reader r = {specs, n_specs, given, false};
    layout_call call = {
        .seed = seed_number(&r, "seed", layout->seed_bits),
        .stream = seed_number(&r, "stream", 64),
        .offset = number(&r, "offset"),
        .size = number(&r, "size"),
        .rows = number(&r, "rows"),
        .columns = number(&r, "columns"),
        .threads = (uint32_t)number(&r, "threads"),
        .vector = (uint32_t)number(&r, "vector"),
        .before = number(&r, "before"),
        .run = number(&r, "run"),
    };
    const bool is_pcg64 = layout->layout == DROPWISE_LAYOUT_NUMPY_PCG64;
    const bool is_numpy = is_pcg64 || layout->layout == DROPWISE_LAYOUT_NUMPY;
    call.draws = call.dtype = dtype_of(&r, is_numpy ? DROPWISE_F64 : DROPWISE_F32);
    if (is_pcg64)
        dropwise_numpy_pcg64_seed(call.seed, call.numpy_key, call.numpy_counter);
    else
        dropwise_numpy_key(call.seed, call.numpy_key);
    /* jax.random.key(seed) has the same words twice. */
    const bool is_rbg =
        layout->layout == DROPWISE_LAYOUT_JAX_RBG || layout->layout == DROPWISE_LAYOUT_JAX_RBG_HIGH;
    if (is_rbg && options_value(specs, n_specs, given, "stream") == NULL)
        call.stream = call.seed;
    if (!read_path(layout, specs, n_specs, given, &call) ||
        !read_probabilities(specs, n_specs, given, &call) || r.failed)
        return false;

    const dropwise_status status = call_constructor(layout->layout, &call, interop);
    if (status != DROPWISE_OK)
        fprintf(stderr, "dropwise: layout %s: %s\n", name, dropwise_status_string(status));
    return status == DROPWISE_OK;
}
