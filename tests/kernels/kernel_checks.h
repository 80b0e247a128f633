/*
 * Checks of kernels against the oracle, one for each kind of kernels.h, and what they share: sizes, buffers
 * between guard pages, numbers of either type that is computed in.
 */
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "support/common.h"
#include "kernels/kernels.h"

enum { MAX_N = 4 * 64 + 1, LARGE_N = 4099, MARGIN = 128 };

/* Sizes that every kernel is tried with: 0 to MAX_N, and some larger ones; under an emulator fewer, by steps
   that meet every remainder of a vector's length. */
size_t n_sizes(void);
size_t size_number(size_t i);

extern guard_arena input, output, second;

/* A test's setup and teardown: a fault in one test leaves nothing to the next. */
int new_buffers(void **state);
int free_buffers(void **state);

/* The streaming kernels want an aligned y; the others are tried at any place. */
bool is_nontemporal(const char *name);

/* A kernel's name ends in its dtype, or, where it only copies, in the width of its elements. */
ref_dtype dtype_of(const char *name);

/* A scale in the type that the kernel reads. */
typedef union any_scale {
    double f64;
    float f32;
} any_scale;

any_scale scale_for(ref_dtype dtype, double value);

/* What a kernel computes in: f64, or f32, as which elements of 16 bits are widened. */
ref_dtype real_of(ref_dtype dtype);

/* That as doubles: rounding to f32 after each operation gives what f32 gives. */
double rounded(ref_dtype dtype, double v);

/* Number i of an array of elements, which what is put there is rounded to. */
double get(ref_dtype dtype, const uint8_t *p, size_t i);
void put(ref_dtype dtype, uint8_t *p, size_t i, double v);

/* The same NaN in both arrays of elements where both have one. */
void one_nan(ref_dtype dtype, uint8_t *actual, uint8_t *expected, size_t n);

/* The one NaN that fused kernels write. */
void put_result(ref_dtype dtype, uint8_t *p, size_t i, double v);

/* Six buffers of a kernel's own, each between guard pages, filled with ordinary and some awkward numbers. */
enum { BUFFERS = 6 };
extern guard_arena arenas[BUFFERS];

typedef struct fused_case {
    ref_dtype dtype;
    size_t n, bytes;
    bool at_end;
    uint8_t keep[LARGE_N], *bits;
    uint8_t *in[BUFFERS];
    any_scale factor;
    double factor_value;
} fused_case;

fused_case *fused_setup(const char *name, size_t n, bool at_end, bool awkward);

/* drop(v) of kernels.h for element i. */
double dropped(const fused_case *c, size_t i, double v);

void assert_all_intact(void);

/* The checks. */
void check_generate(const dropwise_generator *generator, const char *name);
void check_generate_at(const dropwise_generator *generator, const char *name);
void check_prepare(const dropwise_generator *generator, const char *name);
void check_draw(const dropwise_generator *generator, const char *name);
void check_forward(const dropwise_generator *generator, dropwise_forward_fn *forward,
                   const char *generator_name, const char *name);
void check_draw_scale(const dropwise_generator *generator, dropwise_draw_scale_fn *draw_scale,
                      const char *generator_name, const char *name);
void check_apply(dropwise_apply_fn *apply, const char *name);
void check_scale(dropwise_scale_fn *scale, const char *name);
void check_nonzero(dropwise_nonzero_fn *nonzero, const char *name);
void check_clear(dropwise_clear_fn *clear, const char *name);
void check_erode(dropwise_erode_fn *erode, const char *name);
void check_threshold(dropwise_threshold_fn *threshold, const char *name);
void check_count(dropwise_count_fn *count, const char *name);
void check_widen(dropwise_widen_fn *widen, const char *name);
void check_narrow(dropwise_narrow_fn *narrow, const char *name);
void check_residual(dropwise_residual_fn *residual, const char *name);
void check_activate(dropwise_activate_fn *activate, const char *name);
void check_activate_grad(dropwise_activate_grad_fn *grad, const char *name);
void check_softmax(dropwise_softmax_fn *softmax, const char *name);
void check_softmax_grad(dropwise_softmax_grad_fn *grad, const char *name);
void check_row_max(dropwise_row_max_fn *row_max, const char *name);
void check_row_exp(dropwise_row_exp_fn *row_exp, const char *name);
void check_row_drop(dropwise_row_drop_fn *row_drop, const char *name);
void check_row_dot(dropwise_row_dot_fn *row_dot, const char *name);
void check_row_grad(dropwise_row_grad_fn *row_grad, const char *name);
void check_matmul(dropwise_matmul_fn *matmul, const char *name);
void check_transpose(dropwise_transpose_fn *transpose, const char *name);
void check_matmul_bf16(dropwise_matmul_bf16_fn *matmul, const char *name);
void check_pack(dropwise_pack_fn *pack, const char *name);
void check_pair(dropwise_pair_fn *pair, const char *name);
void check_attention(dropwise_attention_fn *attention, const char *name);
void check_attention_grad(dropwise_attention_grad_fn *grad, const char *name);
void check_affine(dropwise_affine_fn *affine, const char *name);
void check_blend(dropwise_blend_fn *blend, const char *name);
void check_split(dropwise_split_fn *split, const char *name);
void check_combine(dropwise_combine_fn *combine, const char *name);
void check_noise(dropwise_noise_fn *make, const char *name);
void check_relaxed_grad(dropwise_relaxed_grad_fn *grad, const char *name);
void check_dot(dropwise_dot_fn *dot, const char *name);
void check_masked_dot(dropwise_masked_dot_fn *masked_dot, const char *name);
void check_masked_axpy(dropwise_masked_axpy_fn *masked_axpy, const char *name);
void check_dot_moments(dropwise_dot_moments_fn *dot_moments, const char *name);
void check_fold_sums(dropwise_fold_sums_fn *fold_sums, const char *name);
void check_sample_normal(dropwise_sample_normal_fn *sample_normal, const char *name);
void check_words(dropwise_words_fn *words, const char *name);
void check_dwords(dropwise_dwords_fn *dwords, const char *name);
void check_compare(dropwise_compare_fn *compare, const char *name);
void check_lehmer(dropwise_lehmer_fn *lehmer, const char *name);
void check_twist(dropwise_twist_fn *twist, const char *name);
void check_pairs(dropwise_pairs_fn *pairs, const char *name);
void check_temper(dropwise_temper_fn *temper, const char *name);
void check_windows(dropwise_windows_fn *windows, const char *name);

#endif
