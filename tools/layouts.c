#include "layouts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Options of a layout besides --seed and --p. */
typedef struct layout_options {
    uint32_t layout;
    bool seed_has_32_bits;
    const char *needs[3];
    const char *takes[2];
} layout_options;

static const layout_options table[] = {
    {DROPWISE_LAYOUT_JAX, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_JAX_LEGACY, false, {"size"}, {"dtype"}},
    {DROPWISE_LAYOUT_TENSORFLOW, false, {"stream"}, {"dtype"}},
    {DROPWISE_LAYOUT_ONEDNN_3_6, true, {NULL}, {NULL}},
    {DROPWISE_LAYOUT_ONEDNN_3_11, false, {"offset"}, {NULL}},
    {DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET, true, {NULL}, {NULL}},
    {DROPWISE_LAYOUT_TORCH_CUDA, false, {"size", "threads", "vector"}, {"offset", "dtype"}},
    {DROPWISE_LAYOUT_TRITON, false, {NULL}, {NULL}},
    {DROPWISE_LAYOUT_INDUCTOR_GPU, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_12, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_INDUCTOR_CPU, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_INDUCTOR_CPU_2_12, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_CURAND, false, {NULL}, {"stream", "offset"}},
    {DROPWISE_LAYOUT_CURAND_HOST, false, {NULL}, {"offset"}},
    {DROPWISE_LAYOUT_NUMPY, false, {NULL}, {"dtype"}},
    {DROPWISE_LAYOUT_ONEMKL, true, {NULL}, {NULL}},
    {DROPWISE_LAYOUT_FLASH_ATTENTION_2, false, {"rows", "columns"}, {"offset"}},
    {DROPWISE_LAYOUT_TRANSFORMER_ENGINE, false, {NULL}, {"offset"}},
    {DROPWISE_LAYOUT_ONNX_RUNTIME, false, {"size", "threads"}, {"offset"}},
    {DROPWISE_LAYOUT_DEEPSPEED, false, {"size", "threads"}, {"offset"}},
};

/* All options that some layout has. */
static const char *const layout_only[] = {"stream", "dtype",  "size", "threads",
                                          "vector", "offset", "rows", "columns"};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

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
    for (int i = 0; i < COUNT(table); i++) {
        const char *layout_name = dropwise_layout_name(table[i].layout);
        if (strcmp(layout_name, name) == 0)
            return &table[i];
        has_versions = has_versions || is_version_of(layout_name, name);
    }
    fprintf(stderr, "dropwise: --layout takes");
    const char *separator = " ";
    for (int i = 0; i < COUNT(table); i++) {
        const char *layout_name = dropwise_layout_name(table[i].layout);
        if (has_versions && !is_version_of(layout_name, name))
            continue;
        fprintf(stderr, "%s%s", separator, layout_name);
        separator = ", ";
    }
    fprintf(stderr, ", not '%s'%s\n", name, has_versions ? ", whose versions draw different masks" : "");
    return NULL;
}

static bool is_listed(const char *option, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] != NULL && strcmp(list[i], option) == 0)
            return true;
    return false;
}

/* Every option that is given is one of the layout's, and none that it needs is missing. */
static bool check_options(const layout_options *layout, const option_spec *specs, int n_specs,
                          const option_values *given)
{
    const char *name = dropwise_layout_name(layout->layout);
    for (int i = 0; i < COUNT(layout_only); i++) {
        const char *option = layout_only[i];
        const bool needed = is_listed(option, layout->needs, COUNT(layout->needs));
        const bool taken = needed || is_listed(option, layout->takes, COUNT(layout->takes));
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

static uint64_t number(reader *r, const char *name, unsigned bits)
{
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

bool layout_read(const char *name, const option_spec *specs, int n_specs, const option_values *given,
                 dropwise_interop *interop)
{
    const layout_options *layout = find_layout(name);
    if (layout == NULL || !check_options(layout, specs, n_specs, given))
        return false;
    reader r = {specs, n_specs, given, false};
    const uint64_t seed = seed_number(&r, "seed", layout->seed_has_32_bits ? 32 : 64);
    const uint64_t stream = seed_number(&r, "stream", 64), offset = number(&r, "offset", 64);
    const uint64_t size = number(&r, "size", 64);
    const uint64_t rows = number(&r, "rows", 64), columns = number(&r, "columns", 64);
    const uint32_t threads = (uint32_t)number(&r, "threads", 32), vector = (uint32_t)number(&r, "vector", 32);
    const dropwise_dtype dtype =
        dtype_of(&r, layout->layout == DROPWISE_LAYOUT_NUMPY ? DROPWISE_F64 : DROPWISE_F32);
    double p = 0;
    const char *text = options_value(specs, n_specs, given, "p");
    if (!parse_double(text, &p)) {
        fprintf(stderr, "dropwise: --p takes a number, not '%s'\n", text);
        return false;
    }
    if (r.failed)
        return false;

    const uint32_t jax_key[2] = {(uint32_t)(seed >> 32), (uint32_t)seed};
    const int64_t seeds[2] = {(int64_t)seed, (int64_t)stream};
    uint64_t numpy_key[2];
    dropwise_status status = DROPWISE_OK;
    switch (layout->layout) {
    case DROPWISE_LAYOUT_JAX:
        status = dropwise_interop_jax(interop, jax_key, dtype, dtype, 1.0 - p);
        break;
    case DROPWISE_LAYOUT_JAX_LEGACY:
        status = dropwise_interop_jax_legacy(interop, jax_key, size, dtype, dtype, 1.0 - p);
        break;
    case DROPWISE_LAYOUT_TENSORFLOW:
        status = dropwise_interop_tensorflow(interop, seeds, dtype, p);
        break;
    case DROPWISE_LAYOUT_ONEDNN_3_6:
        status = dropwise_interop_onednn_3_6(interop, (uint32_t)seed, p);
        break;
    case DROPWISE_LAYOUT_ONEDNN_3_11:
        status = dropwise_interop_onednn_3_11(interop, seed, offset, p);
        break;
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        status = dropwise_interop_onednn_3_11_no_offset(interop, (uint32_t)seed, p);
        break;
    case DROPWISE_LAYOUT_TORCH_CUDA:
        status = dropwise_interop_torch_cuda(interop, dtype, size, threads, vector, seed, offset, p);
        break;
    case DROPWISE_LAYOUT_TRITON:
        status = dropwise_interop_triton(interop, seed, p);
        break;
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
        status = dropwise_interop_inductor_gpu(interop, dtype, seed, p);
        break;
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
        status = dropwise_interop_inductor_gpu_2_12(interop, dtype, seed, p);
        break;
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
        status = dropwise_interop_inductor_gpu_2_13(interop, dtype, seed, p);
        break;
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
        status = dropwise_interop_inductor_cpu(interop, dtype, seed, p);
        break;
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        status = dropwise_interop_inductor_cpu_2_12(interop, dtype, seed, p);
        break;
    case DROPWISE_LAYOUT_CURAND:
        status = dropwise_interop_curand(interop, seed, stream, offset, p);
        break;
    case DROPWISE_LAYOUT_CURAND_HOST:
        status = dropwise_interop_curand_host(interop, seed, offset, p);
        break;
    case DROPWISE_LAYOUT_NUMPY:
        status = dropwise_numpy_key(seed, numpy_key);
        if (status == DROPWISE_OK)
            status = dropwise_interop_numpy(interop, numpy_key, NULL, dtype, p);
        break;
    case DROPWISE_LAYOUT_ONEMKL:
        status = dropwise_interop_onemkl(interop, (uint32_t)seed, p);
        break;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        status = dropwise_interop_flash_attention_2(interop, rows, columns, seed, offset, p);
        break;
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        status = dropwise_interop_transformer_engine(interop, seed, offset, p);
        break;
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
        status = dropwise_interop_onnx_runtime(interop, size, threads, seed, offset, p);
        break;
    default:
        status = dropwise_interop_deepspeed(interop, size, threads, seed, offset, p);
    }
    if (status != DROPWISE_OK)
        fprintf(stderr, "dropwise: layout %s: %s\n", name, dropwise_status_string(status));
    return status == DROPWISE_OK;
}
