#include "kernels/kernel_checks.h"

#include <math.h>

guard_arena input, output, second, arenas[BUFFERS];

enum { EACH = 36, STEP = 7 }; /* in a quick test all sizes below EACH, then each STEP-th */

static size_t n_small(void)
{
    return quick() ? EACH + (MAX_N - EACH) / STEP + 1 : MAX_N + 1;
}

static const size_t beyond_small[] = {320, 511, 512, 1000, LARGE_N};

size_t n_sizes(void)
{
    return n_small() + sizeof beyond_small / sizeof beyond_small[0];
}

size_t size_number(size_t i)
{
    if (i >= n_small())
        return beyond_small[i - n_small()];
    return quick() && i >= EACH ? EACH + (i - EACH) * STEP : i;
}

int new_buffers(void **state)
{
    (void)state;
    input = guard_new(8 * LARGE_N + MARGIN);
    output = guard_new(8 * LARGE_N + MARGIN);
    second = guard_new(LARGE_N + MARGIN);
    for (int b = 0; b < BUFFERS; b++)
        arenas[b] = guard_new(8 * LARGE_N + MARGIN);
    return 0;
}

int free_buffers(void **state)
{
    (void)state;
    guard_free(&input);
    guard_free(&output);
    guard_free(&second);
    for (int b = 0; b < BUFFERS; b++)
        guard_free(&arenas[b]);
    return 0;
}

bool is_nontemporal(const char *name)
{
    return strstr(name, "_nt") != NULL;
}

ref_dtype dtype_of(const char *name)
{
    static const struct {
        const char *suffix;
        ref_dtype dtype;
    } suffixes[] = {{"_f32", REF_F32},   {"_b32", REF_F32}, {"_f64", REF_F64}, {"_b64", REF_F64},
                    {"_bf16", REF_BF16}, {"_f16", REF_F16}, {"_b16", REF_F16}, {"_b8", REF_F8_E4M3}};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(strrchr(name, '_'), suffixes[i].suffix) == 0)
            return suffixes[i].dtype;
    fail_msg("%s names no dtype", name);
    return REF_F32;
}

any_scale scale_for(ref_dtype dtype, double value)
{
    any_scale scale = {.f64 = value};
    if (dtype != REF_F64)
        scale.f32 = (float)value;
    return scale;
}

ref_dtype real_of(ref_dtype dtype)
{
    return dtype == REF_F64 ? REF_F64 : REF_F32;
}

double rounded(ref_dtype dtype, double v)
{
    return dtype == REF_F64 ? v : (double)(float)v;
}

double get(ref_dtype dtype, const uint8_t *p, size_t i)
{
    uint16_t bits;
    float f32;
    double f64;
    switch (ref_bytes(dtype)) {
    case 2:
        memcpy(&bits, p + 2 * i, 2);
        return (double)ref_widen(dtype, bits);
    case 4:
        memcpy(&f32, p + 4 * i, 4);
        return (double)f32;
    default:
        memcpy(&f64, p + 8 * i, 8);
        return f64;
    }
}

void put(ref_dtype dtype, uint8_t *p, size_t i, double v)
{
    const float f32 = (float)v;
    const uint16_t bits = ref_bytes(dtype) == 2 ? (uint16_t)ref_narrow(dtype, f32) : 0;
    switch (ref_bytes(dtype)) {
    case 2:
        memcpy(p + 2 * i, &bits, 2);
        break;
    case 4:
        memcpy(p + 4 * i, &f32, 4);
        break;
    default:
        memcpy(p + 8 * i, &v, 8);
    }
}

void put_result(ref_dtype dtype, uint8_t *p, size_t i, double v)
{
    put(dtype, p, i, isnan(v) ? (double)NAN : v);
}

fused_case *fused_setup(const char *name, size_t n, bool at_end, bool awkward)
{
    static fused_case c;
    c.dtype = dtype_of(name);
    c.n = n;
    c.bytes = n * ref_bytes(c.dtype);
    c.at_end = at_end;
    c.factor_value = 1 / 0.7;
    c.factor = scale_for(c.dtype, c.factor_value);
    c.factor_value = rounded(c.dtype, c.factor_value);
    uint64_t state = n + at_end;
    c.bits = guard_place(&second, (n + 7) / 8, at_end, n % 64);
    for (size_t i = 0; i < n; i++)
        c.keep[i] = noise(&state) % 3 != 0;
    ref_pack(c.keep, n, c.bits);
    if (n % 8 != 0)
        c.bits[n / 8] |= (uint8_t)(0xFF << n % 8);
    for (int b = 0; b < BUFFERS; b++) {
        c.in[b] = guard_place(&arenas[b], c.bytes, at_end, (n + (size_t)b) % 64);
        if (awkward && b < 3)
            fill_awkward(c.dtype, c.in[b], n, noise(&state));
        else
            for (size_t i = 0; i < n; i++)
                put(c.dtype, c.in[b], i, (double)(int64_t)noise(&state) * 0x1p-61);
    }
    return &c;
}

double dropped(const fused_case *c, size_t i, double v)
{
    return c->keep[i] ? rounded(c->dtype, v * c->factor_value) : 0.0;
}

void assert_all_intact(void)
{
    for (int b = 0; b < BUFFERS; b++)
        assert_true(guard_intact(&arenas[b]));
}
