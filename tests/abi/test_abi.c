/*
 * The numbers of the ABI by value: a change of any of them breaks programs that were compiled before. What is
 * published stays; a new number is a new line. ci/check-abi sees that no enumerator and no field is left out.
 */
#include "support/common.h"
#include "dropwise_attention.h"
#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "dropwise_interop.h"
#include "dropwise_variants.h"

#define PIN(number, value) _Static_assert((number) == (value), #number " is " #value);

/* Structs with pointers have this size, and fields lie there, on 64-bit machines. */
#if UINTPTR_MAX > UINT32_MAX
#define PIN_POINTERS(type, size) PIN(sizeof(type), size)
#define PIN_FIELD(type, field, offset, size) \
    PIN(offsetof(type, field), offset) \
    PIN(sizeof(((type *)0)->field), size)
#else
#define PIN_POINTERS(type, size)
#define PIN_FIELD(type, field, offset, size) \
    _Static_assert(sizeof(((type *)0)->field) <= (size), #type " has a smaller " #field);
#endif

/* ---- Numbers ---- */

PIN(DROPWISE_OK, 0)
PIN(DROPWISE_ERROR_NULL, 1)
PIN(DROPWISE_ERROR_PROBABILITY, 2)
PIN(DROPWISE_ERROR_STRUCT_SIZE, 3)
PIN(DROPWISE_ERROR_RESERVED, 4)
PIN(DROPWISE_ERROR_GENERATOR, 5)
PIN(DROPWISE_ERROR_KEEP_THRESHOLD, 6)
PIN(DROPWISE_ERROR_SCALING, 7)
PIN(DROPWISE_ERROR_DTYPE, 8)
PIN(DROPWISE_ERROR_RANGE, 9)
PIN(DROPWISE_ERROR_SIZE, 10)
PIN(DROPWISE_ERROR_OVERLAP, 11)
PIN(DROPWISE_ERROR_ISA_UNKNOWN, 12)
PIN(DROPWISE_ERROR_ISA_NOT_BUILT, 13)
PIN(DROPWISE_ERROR_ISA_NOT_USABLE, 14)
PIN(DROPWISE_ERROR_RANK, 15)
PIN(DROPWISE_ERROR_SHAPE, 16)
PIN(DROPWISE_ERROR_SELF_OVERLAP, 17)
PIN(DROPWISE_ERROR_FORM, 18)
PIN(DROPWISE_ERROR_STORED_SIZE, 19)
PIN(DROPWISE_ERROR_ACTIVATION, 20)
PIN(DROPWISE_ERROR_PARAMETER, 21)
PIN(DROPWISE_ERROR_MATH, 22)
PIN(DROPWISE_ERROR_LAYOUT, 23)
PIN(DROPWISE_ERROR_WORKSPACE, 24)
PIN(DROPWISE_F32, 1)
PIN(DROPWISE_F64, 2)
PIN(DROPWISE_F16, 3)
PIN(DROPWISE_BF16, 4)
PIN(DROPWISE_F8_E4M3, 5)
PIN(DROPWISE_F8_E4M3_SAT, 6)
PIN(DROPWISE_F8_E5M2, 7)
PIN(DROPWISE_F8_E5M2_SAT, 8)
PIN(DROPWISE_PHILOX4X32_10, 1)
PIN(DROPWISE_PHILOX4X32_7, 2)
PIN(DROPWISE_THREEFRY4X32_20, 3)
PIN(DROPWISE_ARS4X32_7, 4)
PIN(DROPWISE_SCALING_INVERTED, 1)
PIN(DROPWISE_SCALING_STANDARD, 2)
PIN(DROPWISE_ACCUMULATE, 1)
PIN(DROPWISE_FORM_BITS, 1)
PIN(DROPWISE_FORM_BYTES, 2)
PIN(DROPWISE_FORM_SCALED, 3)
PIN(DROPWISE_MAX_RANK, 8)
PIN(DROPWISE_ISA_AUTO, 0)
PIN(DROPWISE_ISA_SCALAR, 1)
PIN(DROPWISE_ISA_NEON, 2)
PIN(DROPWISE_ISA_AVX2, 3)
PIN(DROPWISE_ISA_AVX512, 4)
PIN(DROPWISE_ISA_RVV, 5)
PIN(DROPWISE_ISA_COUNT, 6)
PIN(DROPWISE_SEEDS_INSIDE, 1)
PIN(DROPWISE_SEEDS_ANYWHERE, 2)
PIN(DROPWISE_RELU, 1)
PIN(DROPWISE_GELU, 2)
PIN(DROPWISE_GELU_TANH, 3)
PIN(DROPWISE_SILU, 4)
PIN(DROPWISE_LAYOUT_JAX, 1)
PIN(DROPWISE_LAYOUT_JAX_LEGACY, 2)
PIN(DROPWISE_LAYOUT_TENSORFLOW, 3)
PIN(DROPWISE_LAYOUT_ONEDNN_3_6, 4)
PIN(DROPWISE_LAYOUT_ONEDNN_3_11, 5)
PIN(DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET, 6)
PIN(DROPWISE_LAYOUT_TORCH_CUDA, 7)
PIN(DROPWISE_LAYOUT_TRITON, 8)
PIN(DROPWISE_LAYOUT_INDUCTOR_GPU, 9)
PIN(DROPWISE_LAYOUT_INDUCTOR_CPU, 10)
PIN(DROPWISE_LAYOUT_CURAND, 11)
PIN(DROPWISE_LAYOUT_CURAND_HOST, 12)
PIN(DROPWISE_LAYOUT_NUMPY, 13)
PIN(DROPWISE_LAYOUT_ONEMKL, 14)
PIN(DROPWISE_LAYOUT_FLASH_ATTENTION_2, 15)
PIN(DROPWISE_LAYOUT_TRANSFORMER_ENGINE, 16)
PIN(DROPWISE_LAYOUT_ONNX_RUNTIME, 17)
PIN(DROPWISE_LAYOUT_DEEPSPEED, 18)
PIN(DROPWISE_LAYOUT_INDUCTOR_GPU_2_12, 19)
PIN(DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, 20)
PIN(DROPWISE_LAYOUT_INDUCTOR_CPU_2_12, 21)
PIN(DROPWISE_LAYOUT_TORCH_CPU, 22)
PIN(DROPWISE_LAYOUT_ONNX_RUNTIME_CPU, 23)
PIN(DROPWISE_LAYOUT_ONNX_RUNTIME_WEB, 24)
PIN(DROPWISE_LAYOUT_TENSORFLOW_STATEFUL, 25)
PIN(DROPWISE_LAYOUT_TENSORFLOW_XLA, 26)
PIN(DROPWISE_LAYOUT_JAX_RBG, 27)
PIN(DROPWISE_LAYOUT_MLX, 28)
PIN(DROPWISE_LAYOUT_TINYGRAD, 29)
PIN(DROPWISE_LAYOUT_ONEMKL_MCG31, 30)
PIN(DROPWISE_LAYOUT_ONEMKL_BERNOULLI, 31)
PIN(DROPWISE_LAYOUT_NUMPY_PCG64, 32)
PIN(DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, 33)
PIN(DROPWISE_LAYOUT_PADDLE_CPU, 34)
PIN(DROPWISE_LAYOUT_MXNET_CPU, 35)
PIN(DROPWISE_LAYOUT_JAX_HIGH, 36)
PIN(DROPWISE_LAYOUT_JAX_LEGACY_HIGH, 37)
PIN(DROPWISE_LAYOUT_JAX_RBG_HIGH, 38)
PIN(DROPWISE_LAYOUT_COUNT, 39)
PIN(DROPWISE_ABI_VERSION, 0)
PIN(DROPWISE_STREAM_VERSION, 1)
PIN(DROPWISE_INDEX_LIMIT, UINT64_C(0x1000000000000000))
PIN(DROPWISE_KEEP_ONE, UINT64_C(0x10000000000))

PIN(sizeof(dropwise_status), 4)
PIN(sizeof(dropwise_dtype), 4)
PIN(sizeof(dropwise_isa), 4)
PIN(sizeof(dropwise_activation), 4)

/* ---- Structs: sizes, and where fields lie and how large they are ---- */

PIN(sizeof(dropwise_mask), 64)
PIN_FIELD(dropwise_mask, struct_size, 0, 4)
PIN_FIELD(dropwise_mask, generator, 4, 4)
PIN_FIELD(dropwise_mask, seed, 8, 8)
PIN_FIELD(dropwise_mask, stream, 16, 8)
PIN_FIELD(dropwise_mask, keep_threshold, 24, 8)
PIN_FIELD(dropwise_mask, scaling, 32, 4)
PIN_FIELD(dropwise_mask, flags, 36, 4)
PIN_FIELD(dropwise_mask, reserved, 40, 24)

PIN_POINTERS(dropwise_stored, 48)
PIN_FIELD(dropwise_stored, struct_size, 0, 4)
PIN_FIELD(dropwise_stored, form, 4, 4)
PIN_FIELD(dropwise_stored, data, 8, 8)
PIN_FIELD(dropwise_stored, size, 16, 8)
PIN_FIELD(dropwise_stored, row_stride, 24, 8)
PIN_FIELD(dropwise_stored, reserved, 32, 16)

PIN(sizeof(dropwise_view), 288)
PIN_FIELD(dropwise_view, struct_size, 0, 4)
PIN_FIELD(dropwise_view, rank, 4, 4)
PIN_FIELD(dropwise_view, first, 8, 8)
PIN_FIELD(dropwise_view, size, 16, 64)
PIN_FIELD(dropwise_view, x_stride, 80, 64)
PIN_FIELD(dropwise_view, y_stride, 144, 64)
PIN_FIELD(dropwise_view, mask_stride, 208, 64)
PIN_FIELD(dropwise_view, reserved, 272, 16)

PIN(sizeof(dropwise_dropblock), 88)
PIN_FIELD(dropwise_dropblock, struct_size, 0, 4)
PIN_FIELD(dropwise_dropblock, seeds, 4, 4)
PIN_FIELD(dropwise_dropblock, size, 8, 64)
PIN_FIELD(dropwise_dropblock, reserved, 72, 16)

PIN(sizeof(dropwise_dropconnect), 104)
PIN_FIELD(dropwise_dropconnect, struct_size, 0, 4)
PIN_FIELD(dropwise_dropconnect, reserved, 4, 28)
PIN_FIELD(dropwise_dropconnect, first, 32, 8)
PIN_FIELD(dropwise_dropconnect, samples, 40, 8)
PIN_FIELD(dropwise_dropconnect, rows, 48, 8)
PIN_FIELD(dropwise_dropconnect, columns, 56, 8)
PIN_FIELD(dropwise_dropconnect, mask_sample_stride, 64, 8)
PIN_FIELD(dropwise_dropconnect, mask_row_stride, 72, 8)
PIN_FIELD(dropwise_dropconnect, w_stride, 80, 8)
PIN_FIELD(dropwise_dropconnect, x_stride, 88, 8)
PIN_FIELD(dropwise_dropconnect, y_stride, 96, 8)

PIN_POINTERS(dropwise_attention, 432)
PIN_FIELD(dropwise_attention, struct_size, 0, 4)
PIN_FIELD(dropwise_attention, causal, 4, 4)
PIN_FIELD(dropwise_attention, batches, 8, 8)
PIN_FIELD(dropwise_attention, heads, 16, 8)
PIN_FIELD(dropwise_attention, kv_heads, 24, 8)
PIN_FIELD(dropwise_attention, queries, 32, 8)
PIN_FIELD(dropwise_attention, keys, 40, 8)
PIN_FIELD(dropwise_attention, size, 48, 8)
PIN_FIELD(dropwise_attention, value_size, 56, 8)
PIN_FIELD(dropwise_attention, scale, 64, 8)
PIN_FIELD(dropwise_attention, causal_offset, 72, 8)
PIN_FIELD(dropwise_attention, first, 80, 8)
PIN_FIELD(dropwise_attention, mask_stride, 88, 24)
PIN_FIELD(dropwise_attention, first_head, 112, 8)
PIN_FIELD(dropwise_attention, n_heads, 120, 8)
PIN_FIELD(dropwise_attention, first_query, 128, 8)
PIN_FIELD(dropwise_attention, n_queries, 136, 8)
PIN_FIELD(dropwise_attention, q_stride, 144, 24)
PIN_FIELD(dropwise_attention, k_stride, 168, 24)
PIN_FIELD(dropwise_attention, v_stride, 192, 24)
PIN_FIELD(dropwise_attention, out_stride, 216, 24)
PIN_FIELD(dropwise_attention, dout_stride, 240, 24)
PIN_FIELD(dropwise_attention, dq_stride, 264, 24)
PIN_FIELD(dropwise_attention, dk_stride, 288, 24)
PIN_FIELD(dropwise_attention, dv_stride, 312, 24)
PIN_FIELD(dropwise_attention, add, 336, 8)
PIN_FIELD(dropwise_attention, add_stride, 344, 24)
PIN_FIELD(dropwise_attention, allow, 368, 8)
PIN_FIELD(dropwise_attention, allow_stride, 376, 24)
PIN_FIELD(dropwise_attention, reserved, 400, 32)
PIN_POINTERS(dropwise_attention_tile, 104)
PIN_FIELD(dropwise_attention_tile, struct_size, 0, 4)
PIN_FIELD(dropwise_attention_tile, causal, 4, 4)
PIN_FIELD(dropwise_attention_tile, causal_offset, 8, 8)
PIN_FIELD(dropwise_attention_tile, rows, 16, 8)
PIN_FIELD(dropwise_attention_tile, columns, 24, 8)
PIN_FIELD(dropwise_attention_tile, stride, 32, 8)
PIN_FIELD(dropwise_attention_tile, out_stride, 40, 8)
PIN_FIELD(dropwise_attention_tile, bits, 48, 8)
PIN_FIELD(dropwise_attention_tile, bits_stride, 56, 8)
PIN_FIELD(dropwise_attention_tile, add, 64, 8)
PIN_FIELD(dropwise_attention_tile, add_stride, 72, 8)
PIN_FIELD(dropwise_attention_tile, scale, 80, 8)
PIN_FIELD(dropwise_attention_tile, reserved, 88, 16)
PIN_POINTERS(dropwise_softmax, 112)
PIN_FIELD(dropwise_softmax, struct_size, 0, 4)
PIN_FIELD(dropwise_softmax, causal, 4, 4)
PIN_FIELD(dropwise_softmax, scale, 8, 8)
PIN_FIELD(dropwise_softmax, causal_offset, 16, 8)
PIN_FIELD(dropwise_softmax, add, 24, 8)
PIN_FIELD(dropwise_softmax, add_stride, 32, 64)
PIN_FIELD(dropwise_softmax, reserved, 96, 16)

PIN(sizeof(dropwise_interop), 136)
PIN_FIELD(dropwise_interop, struct_size, 0, 4)
PIN_FIELD(dropwise_interop, layout, 4, 4)
PIN_FIELD(dropwise_interop, key, 8, 16)
PIN_FIELD(dropwise_interop, counter, 24, 32)
PIN_FIELD(dropwise_interop, size, 56, 8)
PIN_FIELD(dropwise_interop, last, 64, 8)
PIN_FIELD(dropwise_interop, drops, 72, 4)
PIN_FIELD(dropwise_interop, draws, 76, 4)
PIN_FIELD(dropwise_interop, threads, 80, 4)
PIN_FIELD(dropwise_interop, vector, 84, 4)
PIN_FIELD(dropwise_interop, rows, 88, 8)
PIN_FIELD(dropwise_interop, columns, 96, 8)
PIN_FIELD(dropwise_interop, keep, 104, 8)
PIN_FIELD(dropwise_interop, scale, 112, 8)
PIN_FIELD(dropwise_interop, skip, 120, 8)
PIN_FIELD(dropwise_interop, reserved, 128, 8)

PIN(DROPWISE_TORCH_STATE_BYTES, 5056)
PIN(sizeof(dropwise_mt19937), 2512)
PIN_FIELD(dropwise_mt19937, struct_size, 0, 4)
PIN_FIELD(dropwise_mt19937, position, 4, 4)
PIN_FIELD(dropwise_mt19937, words, 8, 2496)
PIN_FIELD(dropwise_mt19937, reserved, 2504, 8)

PIN(sizeof(dropwise_mt19937_jump), 2512)
PIN_FIELD(dropwise_mt19937_jump, struct_size, 0, 4)
PIN_FIELD(dropwise_mt19937_jump, reserved, 4, 4)
PIN_FIELD(dropwise_mt19937_jump, blocks, 8, 8)
PIN_FIELD(dropwise_mt19937_jump, polynomial, 16, 2496)

PIN(sizeof(dropwise_concrete), 64)
PIN_FIELD(dropwise_concrete, struct_size, 0, 4)
PIN_FIELD(dropwise_concrete, reserved, 4, 20)
PIN_FIELD(dropwise_concrete, logit, 24, 8)
PIN_FIELD(dropwise_concrete, temperature, 32, 8)
PIN_FIELD(dropwise_concrete, weight_regularizer, 40, 8)
PIN_FIELD(dropwise_concrete, dropout_regularizer, 48, 8)
PIN_FIELD(dropwise_concrete, features, 56, 8)

/* ---- What structs are filled with ---- */

static void mask_init_fills_every_byte_of_a_mask(void **state)
{
    (void)state;
    dropwise_mask mask;
    assert_int_equal(dropwise_mask_init(&mask, 0.25, 3, 4), DROPWISE_OK);
    const dropwise_mask expected = {64, 1, 3, 4, UINT64_C(0xC000000000), 1, 0, {0, 0, 0, 0, 0, 0}};
    assert_same_bytes(&mask, &expected, sizeof mask, "a mask");
}

static void view_init_fills_every_byte_of_a_view(void **state)
{
    (void)state;
    const uint64_t size[] = {2, 3};
    dropwise_view view;
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    const dropwise_view expected = {.struct_size = 288,
                                    .rank = 2,
                                    .size = {2, 3},
                                    .x_stride = {3, 1},
                                    .y_stride = {3, 1},
                                    .mask_stride = {3, 1}};
    assert_same_bytes(&view, &expected, sizeof view, "a view");
}

static void dropblock_init_fills_every_byte_of_blocks(void **state)
{
    (void)state;
    const uint64_t size[] = {2, 3};
    dropwise_view view;
    dropwise_dropblock block;
    assert_int_equal(dropwise_view_init(&view, 2, size), DROPWISE_OK);
    assert_int_equal(dropwise_dropblock_init(&block, &view, 2, 7), DROPWISE_OK);
    const dropwise_dropblock blocks = {.struct_size = 88, .seeds = 1, .size = {1, 3, 1, 1, 1, 1, 1, 1}};
    assert_same_bytes(&block, &blocks, sizeof block, "blocks");
}

static void dropconnect_init_fills_every_byte_of_a_layer(void **state)
{
    (void)state;
    dropwise_dropconnect layer;
    assert_int_equal(dropwise_dropconnect_init(&layer, 2, 3, 5), DROPWISE_OK);
    const dropwise_dropconnect connect = {.struct_size = 104,
                                          .samples = 2,
                                          .rows = 3,
                                          .columns = 5,
                                          .mask_sample_stride = 15,
                                          .mask_row_stride = 5,
                                          .w_stride = 5,
                                          .x_stride = 5,
                                          .y_stride = 3};
    assert_same_bytes(&layer, &connect, sizeof layer, "a layer");
}

static void concrete_init_fills_every_byte_of_concrete_dropout(void **state)
{
    (void)state;
    dropwise_concrete concrete;
    assert_int_equal(dropwise_concrete_init(&concrete, -1.5, 0.25), DROPWISE_OK);
    const dropwise_concrete learned = {.struct_size = 64, .logit = -1.5, .temperature = 0.25};
    assert_same_bytes(&concrete, &learned, sizeof concrete, "concrete dropout");
}

static void softmax_init_fills_every_field_of_softmax(void **state)
{
    (void)state;
    dropwise_softmax softmax;
    assert_int_equal(dropwise_softmax_init(&softmax, 0.125), DROPWISE_OK);
    assert_int_equal(softmax.struct_size, sizeof softmax);
    assert_int_equal(softmax.causal, 0);
    assert_true(softmax.scale == 0.125);
    assert_int_equal(softmax.causal_offset, 0);
    assert_null(softmax.add);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask_init_fills_every_byte_of_a_mask),
        cmocka_unit_test(view_init_fills_every_byte_of_a_view),
        cmocka_unit_test(dropblock_init_fills_every_byte_of_blocks),
        cmocka_unit_test(dropconnect_init_fills_every_byte_of_a_layer),
        cmocka_unit_test(concrete_init_fills_every_byte_of_concrete_dropout),
        cmocka_unit_test(softmax_init_fills_every_field_of_softmax),
    };
    return run_once(tests, NULL, NULL);
}
