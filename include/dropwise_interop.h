/*
 * dropwise: the dropout masks of other systems, bit for bit.
 *
 *     dropwise_interop masks;
 *     dropwise_interop_torch_cuda(&masks, DROPWISE_F32, numel, threads, 4, seed, offset, 0.1);
 *     dropwise_interop_bits(&masks, 0, numel, bits);                          // what the GPU drew
 *     dropwise_interop_forward(&masks, DROPWISE_F32, 0, numel, x, y, NULL);   // and computed
 *
 * A system's layout says which random number, of which generator, decides on element i, and how it is
 * compared. A function for each layout fills a dropwise_interop from what the system was given (seed, offset,
 * launch parameters); others draw from it. Keep bits have the packed form of dropwise.h, so stored masks,
 * views, dtypes and fused steps work with them; dropwise_interop_mask gives the mask to use there, with the
 * system's scale.
 *
 * docs/interop.md has the steps for each system, the versions that the layouts were read from, and how each
 * was verified: some against masks that the system drew, some from its source only.
 *
 * What dropwise.h says of every function holds here too: reproducible, stateless, caller's memory, statuses,
 * the same bits on every tier. Besides that:
 *
 *   Probability  p is the probability of being dropped, rounded as the system rounds it. Errors: PROBABILITY
 *                where p is NaN or outside [0, 1], or where it is 1 and the system forbids that.
 *   Index        Element i of the mask is element i of the system's tensor, in the order in which the
 *                system's kernel counts it: for contiguous tensors, row-major. Elements beyond what a layout
 *                can number are an error (RANGE), where the system might wrap around.
 */
#ifndef DROPWISE_INTEROP_H
#define DROPWISE_INTEROP_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dropwise_interop_layouts {
    DROPWISE_LAYOUT_JAX = 1,
    DROPWISE_LAYOUT_JAX_LEGACY = 2,
    DROPWISE_LAYOUT_TENSORFLOW = 3,
    DROPWISE_LAYOUT_ONEDNN_3_6 = 4,
    DROPWISE_LAYOUT_ONEDNN_3_11 = 5,
    DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET = 6,
    DROPWISE_LAYOUT_TORCH_CUDA = 7,
    DROPWISE_LAYOUT_TRITON = 8,
    DROPWISE_LAYOUT_INDUCTOR_GPU = 9,  /* up to PyTorch 2.11 */
    DROPWISE_LAYOUT_INDUCTOR_CPU = 10, /* up to PyTorch 2.11 */
    DROPWISE_LAYOUT_CURAND = 11,
    DROPWISE_LAYOUT_CURAND_HOST = 12,
    DROPWISE_LAYOUT_NUMPY = 13,
    DROPWISE_LAYOUT_ONEMKL = 14,
    DROPWISE_LAYOUT_FLASH_ATTENTION_2 = 15,
    DROPWISE_LAYOUT_TRANSFORMER_ENGINE = 16,
    DROPWISE_LAYOUT_ONNX_RUNTIME = 17,
    DROPWISE_LAYOUT_DEEPSPEED = 18,
    DROPWISE_LAYOUT_INDUCTOR_GPU_2_12 = 19,
    DROPWISE_LAYOUT_INDUCTOR_GPU_2_13 = 20,
    DROPWISE_LAYOUT_INDUCTOR_CPU_2_12 = 21,
    DROPWISE_LAYOUT_TORCH_CPU = 22,
    DROPWISE_LAYOUT_ONNX_RUNTIME_CPU = 23,
    DROPWISE_LAYOUT_ONNX_RUNTIME_WEB = 24,
    DROPWISE_LAYOUT_TENSORFLOW_STATEFUL = 25,
    DROPWISE_LAYOUT_TENSORFLOW_XLA = 26,
    DROPWISE_LAYOUT_JAX_RBG = 27,
    DROPWISE_LAYOUT_MLX = 28,
    DROPWISE_LAYOUT_TINYGRAD = 29,
    DROPWISE_LAYOUT_ONEMKL_MCG31 = 30,
    DROPWISE_LAYOUT_ONEMKL_BERNOULLI = 31,
    DROPWISE_LAYOUT_NUMPY_PCG64 = 32,
    DROPWISE_LAYOUT_TORCH_FUNC_RANDOM = 33,
    DROPWISE_LAYOUT_PADDLE_CPU = 34,
    DROPWISE_LAYOUT_MXNET_CPU = 35,
    DROPWISE_LAYOUT_JAX_HIGH = 36,
    DROPWISE_LAYOUT_JAX_LEGACY_HIGH = 37,
    DROPWISE_LAYOUT_JAX_RBG_HIGH = 38,
    DROPWISE_LAYOUT_COUNT = 39 /* layouts are numbered from 1 to below this; grows with new ones */
};

/* "jax", "jax-legacy", "tf", ...: the names that the program dropwise knows; NULL for others. */
DROPWISE_API const char *dropwise_layout_name(uint32_t layout);

/*
 * All that a mask of another system depends on. One of the functions below fills it; a new step of training
 * means to call it again, which takes less than a microsecond. Fields are to be read, not to be changed.
 */
typedef struct dropwise_interop {
    uint32_t struct_size; /* sizeof(dropwise_interop)                                                       */
    uint32_t layout;      /* DROPWISE_LAYOUT_...                                                            */
    uint64_t key[2];      /* of the generator; for one of 32-bit words both are in key[0], low word first   */
    uint64_t counter[4];  /* where counting begins; for 32-bit words, two in each of the first two          */
    uint64_t size;        /* elements that the layout numbers: indices are below                            */
    uint64_t last;        /* an element is on one side if its number, transformed, is at most this          */
    uint32_t drops;       /* 1: that side is dropped; 0: it is kept                                         */
    int32_t draws;        /* dtype of the numbers that are compared with the probability                    */
    uint32_t threads;     /* of the system's kernel                                                         */
    uint32_t vector;      /* elements that a thread of it treats at a time                                  */
    uint64_t rows;        /* of attention: queries                                                          */
    uint64_t columns;     /* keys                                                                           */
    double keep;          /* probability that an element is really kept: numbers that are kept, of all      */
    double scale;         /* what the system multiplies kept elements by, in its own rounding; 0 for p = 1  */
    uint64_t skip;        /* random numbers before that of element 0                                        */
    uint64_t reserved[1]; /* zero                                                                           */
} dropwise_interop;

/* ---- Drawing ------------------------------------------------------------------------------ */

/*
 * Where functions list the errors "of the layout", these are NULL, STRUCT_SIZE, LAYOUT (unknown), RESERVED
 * and PARAMETER (fields that no function below leaves), and RANGE (first + n is past `size`). A struct that
 * was filled or changed by hand is safe to pass. What its fields may be:
 *
 *   key, counter   anything, but in counter[2] of layouts with mode="high" a number that `last` may be: there
 *                  numbers in the same step as `last` are decided by second ones, as by a `last` of their own
 *   size           at most what the layout numbers, 2^60 where nothing is said
 *   last           at most the largest number of as many bits as are compared: 8, 16, 32 or 64
 *   drops          0 or 1
 *   draws          a dtype that the layout draws
 *   threads        1 to 2^30; 1 to 2^29 of onnx_runtime; 65,536 of curand_host
 *   vector         of torch_cuda 1, 2, 4, 8 or 16; 4 of others that have threads; divides size of torch_cuda
 *                  and deepspeed
 *   rows, columns  1 to 2^31 - 1
 *   scale          0 (not -0.0), or a finite number from 1 on
 *   skip           0 to 3 of curand and deepspeed; to 2^60 of curand_host; 0 of others
 *
 * Fields that a layout has no use for are not looked at, and nothing reads `keep`.
 */

/*
 * Writes the keep bits of elements [first, first + n) as dropwise_draw_bits does: bit j is element first + j.
 *
 * Where a block of random numbers serves elements that lie far apart (JAX legacy, PyTorch's path for strided
 * tensors, rows of FlashAttention), a range that has all of them is drawn at one block for all, and parts of
 * it cost up to 2, 4 or 2 times as much.
 * Errors: of the layout, NULL.
 */
DROPWISE_API dropwise_status dropwise_interop_bits(const dropwise_interop *interop, uint64_t first, size_t n,
                                                   void *bits);

/*
 * Training, forward: y[j] = x[j] * scale where element first + j is kept, +0.0 where it is dropped. Narrow
 * types are computed in f32 and rounded once. The backward pass is the same map, but for torch_cuda, whose
 * own multiplies by 1 / (1 - p) in double, rounded to f32 once, which may be the float beside `scale`.
 * Dropped elements are +0.0 whatever x is, where systems that multiply by a mask give -0.0 or NaN.
 *
 * `scale` may be any that the struct may have for F64; for the others, at most the largest f32 (PARAMETER).
 *
 * bits  NULL, or where to write the keep bits. With NULL they are drawn in parts of 4,096; ask for them where
 *       a block of random numbers serves elements far apart, as above.
 * Errors: of the layout, DTYPE, SIZE, NULL, OVERLAP (as dropwise_forward).
 */
DROPWISE_API dropwise_status dropwise_interop_forward(const dropwise_interop *interop, dropwise_dtype dtype,
                                                      uint64_t first, size_t n, const void *x, void *y,
                                                      void *bits);

/*
 * Fills *mask so that all functions of the library that take stored bits (dropwise_backward,
 * dropwise_backward_view, dropwise_convert_stored, ...) scale as the system does. Do not draw from it: the
 * bits come from dropwise_interop_bits. Its keep_threshold is 2^40 / scale, rounded. Where the scale is a
 * float, as it is unless the mask was made for f64, all dtypes but f64 get the system's scale bit for bit;
 * else they get it to one part in 2^40 * keep.
 * Errors: of the layout but for RANGE; NULL; PARAMETER (a scale above 2^15, where 40 bits are too few).
 */
DROPWISE_API dropwise_status dropwise_interop_mask(const dropwise_interop *interop, dropwise_mask *mask);

/* ---- JAX ---------------------------------------------------------------------------------- */

/*
 * Keys of the default PRNG, threefry2x32. Without jax_enable_x64, JAX takes the lower 32 bits of a seed.
 *
 *   jax.random.key(seed)                       dropwise_jax_key(seed, key)
 *   jax.random.fold_in(key, data)              dropwise_jax_fold_in(key, data, out)
 *   jax.random.split(key, children)[child]     dropwise_jax_split(key, child, out), and
 *                                              dropwise_jax_split_legacy(key, children, child, out) where
 *                                              jax_threefry_partitionable is off
 *
 * out may be key. Errors: NULL; PARAMETER (legacy: child >= children, or more than 2^31 - 1 children).
 */
DROPWISE_API dropwise_status dropwise_jax_key(uint64_t seed, uint32_t key[2]);
DROPWISE_API dropwise_status dropwise_jax_fold_in(const uint32_t key[2], uint32_t data, uint32_t out[2]);
DROPWISE_API dropwise_status dropwise_jax_split(const uint32_t key[2], uint64_t child, uint32_t out[2]);
DROPWISE_API dropwise_status dropwise_jax_split_legacy(const uint32_t key[2], uint32_t children,
                                                       uint32_t child, uint32_t out[2]);

/*
 * jax.random.bernoulli(key, keep, shape), which Flax's Dropout draws: kept where uniform(key, shape) < keep.
 * With jax_threefry_partitionable, the default since JAX 0.5.0; for a Flax layer, keep is 1.0 - rate.
 *
 * draws  dtype of the uniform numbers, which is keep's own: F32 for a Python float, F64 with jax_enable_x64,
 *        F16, BF16
 * dtype  of the tensor, F32, F64, F16 or BF16, in which Flax divides by keep. The scale is 1 / keep in it, as
 *        XLA compiles a division by a constant; op by op, without jit, JAX divides, and the last bit may
 *        differ.
 * Errors: NULL, PROBABILITY, DTYPE, PARAMETER (the scale is beyond dtype).
 */
DROPWISE_API dropwise_status dropwise_interop_jax(dropwise_interop *interop, const uint32_t key[2],
                                                  dropwise_dtype draws, dropwise_dtype dtype, double keep);

/*
 * The same without jax_threefry_partitionable, the default before. Each element's number depends on how many
 * elements are drawn: `size`. Errors besides: PARAMETER (a size that takes 2^32 - 1 words or more,
 * for which JAX splits the key).
 */
DROPWISE_API dropwise_status dropwise_interop_jax_legacy(dropwise_interop *interop, const uint32_t key[2],
                                                         uint64_t size, dropwise_dtype draws,
                                                         dropwise_dtype dtype, double keep);

/*
 * jax.random.bernoulli(key, keep, shape) of a key of the implementations rbg and unsafe_rbg, on CPUs. The
 * four words of jax.random.key(seed, impl="rbg") are those of dropwise_jax_key twice; rbg's fold_in and
 * split are those of threefry2x32 on either half of a key; unsafe_rbg's are below. Arguments and errors as of
 * dropwise_interop_jax.
 */
DROPWISE_API dropwise_status dropwise_interop_jax_rbg(dropwise_interop *interop, const uint32_t key[4],
                                                      dropwise_dtype draws, dropwise_dtype dtype,
                                                      double keep);

/*
 * The three of jax.random.bernoulli(key, keep, shape, mode="high"), which draws a second number for each
 * element: it decides where the first one is in the same step as keep. Each element's numbers depend on how
 * many elements are drawn: `size`. Errors besides: PARAMETER (a size above 2^59; of jax_legacy_high one that
 * takes 2^32 - 1 words or more).
 */
DROPWISE_API dropwise_status dropwise_interop_jax_high(dropwise_interop *interop, const uint32_t key[2],
                                                       uint64_t size, dropwise_dtype draws,
                                                       dropwise_dtype dtype, double keep);
DROPWISE_API dropwise_status dropwise_interop_jax_legacy_high(dropwise_interop *interop,
                                                              const uint32_t key[2], uint64_t size,
                                                              dropwise_dtype draws, dropwise_dtype dtype,
                                                              double keep);
DROPWISE_API dropwise_status dropwise_interop_jax_rbg_high(dropwise_interop *interop, const uint32_t key[4],
                                                           uint64_t size, dropwise_dtype draws,
                                                           dropwise_dtype dtype, double keep);

/*
 * jax.random.split(key, children)[child] and jax.random.fold_in(key, data) of a key of unsafe_rbg, on CPUs.
 * out may be key. Errors: NULL.
 */
DROPWISE_API dropwise_status dropwise_jax_unsafe_rbg_split(const uint32_t key[4], uint32_t child,
                                                           uint32_t out[4]);
DROPWISE_API dropwise_status dropwise_jax_unsafe_rbg_fold_in(const uint32_t key[4], uint32_t data,
                                                             uint32_t out[4]);

/*
 * What a layer of a library on JAX draws from, with threefry2x32 and jax_threefry_partitionable. Calls are
 * counted from 0.
 *
 *   linen  what make_rng gives a module of flax.linen, of rngs={"dropout": root}. path: the names of the
 *          modules from the root to the layer (module.path), in UTF-8, as "enc/Dropout_0". call: how many
 *          keys of this collection the module took before in this apply. separator: 1 with the flag
 *          flax_fix_rng_separator, else 0
 *   nnx    what a layer of flax.nnx draws from that made a stream of its own, as Dropout does since Flax
 *          0.11, of nnx.Rngs(dropout=root). taken: how many keys were taken of the stream before the layer
 *          was made
 *   haiku  what hk.next_rng_key gives; root is apply's. call: how many keys all modules took before in this
 *          apply, each of which is a block of the generator
 *   keras  a layer of Keras 3 that has a seed
 *
 * out may be root. Errors: NULL; PARAMETER (separator is neither 0 nor 1).
 */
DROPWISE_API dropwise_status dropwise_jax_linen_key(const uint32_t root[2], const char *path, uint32_t call,
                                                    uint32_t separator, uint32_t out[2]);
DROPWISE_API dropwise_status dropwise_jax_nnx_key(const uint32_t root[2], uint32_t taken, uint32_t call,
                                                  uint32_t out[2]);
DROPWISE_API dropwise_status dropwise_jax_haiku_key(const uint32_t root[2], uint32_t call, uint32_t out[2]);
DROPWISE_API dropwise_status dropwise_jax_keras_key(uint32_t seed, uint32_t call, uint32_t out[2]);

/* ---- MLX and tinygrad ---------------------------------------------------------------------- */

/*
 * mx.random.bernoulli(keep, shape, key) on CPUs, and so nn.Dropout: kept where a word is below keep times
 * 2^32 + 512, both in f32. Keys are JAX's, and mx.random.split(key, n) is dropwise_jax_split_legacy.
 *
 * size  all elements of the draw, as for jax_legacy
 * Errors: NULL, PROBABILITY, PARAMETER (a size of 2^32 - 1 or more; the scale, 1 / keep, is beyond f32).
 */
DROPWISE_API dropwise_status dropwise_interop_mlx(dropwise_interop *interop, const uint32_t key[2],
                                                  uint64_t size, double keep);

/*
 * tinygrad's Tensor.dropout(p) of a tensor of f32 on CPUs, after Tensor.manual_seed(seed) and so many words,
 * of 32 bits, that were drawn before. Errors: NULL, PROBABILITY, PARAMETER (as of mlx).
 */
DROPWISE_API dropwise_status dropwise_interop_tinygrad(dropwise_interop *interop, uint64_t seed,
                                                       uint64_t before, uint64_t size, double p);

/* ---- TensorFlow and Keras ----------------------------------------------------------------- */

/*
 * tf.nn.experimental.stateless_dropout(x, rate, seed) with Philox, which is what CPU and GPU select, and so
 * Keras' Dropout on TensorFlow with its seed pair. With a noise_shape, elements are those of the noise shape.
 *
 * dtype  of x and so of the draw: F32, F64, F16 or BF16
 * Errors: NULL, PROBABILITY (TensorFlow forbids rate = 1), DTYPE, PARAMETER (the scale is beyond the dtype).
 */
DROPWISE_API dropwise_status dropwise_interop_tensorflow(dropwise_interop *interop, const int64_t seed[2],
                                                         dropwise_dtype dtype, double rate);

/*
 * The same compiled by XLA for CPUs (jit_compile=True), which takes other bits of the same words, and of
 * each seed the lower 32 bits only.
 */
DROPWISE_API dropwise_status dropwise_interop_tensorflow_xla(dropwise_interop *interop, const int64_t seed[2],
                                                             dropwise_dtype dtype, double rate);

/*
 * tf.nn.dropout(x, rate) on CPUs, which has a state: both seeds of the operation, which follow from those of
 * tf.random.set_seed and of the call as docs/interop.md says, and how many elements it has drawn before.
 * Errors: as of tensorflow; PARAMETER too (before is above 2^55).
 */
DROPWISE_API dropwise_status dropwise_interop_tensorflow_stateful(dropwise_interop *interop,
                                                                  const int64_t seed[2], uint64_t before,
                                                                  dropwise_dtype dtype, double rate);

/* ---- Paddle ------------------------------------------------------------------------------- */

/*
 * paddle.nn.functional.dropout on CPUs, after paddle.seed(seed), which takes 32 bits, and so many elements
 * drawn before; p = 0 and p = 1 draw nothing. The numbers are f32 for both dtypes. Each call seeds the
 * generator and skips to its range, as of torch_cpu.
 *
 * dtype  of the tensor, F32 or F64; the scale is 1 / (1 - p) of p in f32, in it
 * Errors: NULL, PROBABILITY, DTYPE, PARAMETER (before is above 2^60).
 */
DROPWISE_API dropwise_status dropwise_interop_paddle_cpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                         uint64_t seed, uint64_t before, double p);

/* ---- MXNet -------------------------------------------------------------------------------- */

/*
 * mx.nd.Dropout(x, p) on cpu(0), as training does it, after mx.random.seed(seed) and `run` such calls of as
 * many elements. A call of n elements has min(1024, ceil(n / 64)) parts, each with a generator of its own, so
 * elements depend on the size. Each call seeds the generators of its range, up to 1,024, and with `run` above
 * 0 skips in each of them: where that is more than some million words, by a jump of torch_cpu, which is made
 * once for all but the last one.
 *
 * dtype  of the tensor, F32, F64 or F16, whose masks are others; the scale is 1 / (1 - p) in f32, rounded to
 *        it
 * size   elements of the tensor; with axes, of the mask
 * Errors: NULL, PROBABILITY (a p that is 1 in f32 too, which makes NaN of all), DTYPE, PARAMETER (a size
 * above 2^31 - 1; a run of 2^32 or more; the scale is beyond the dtype).
 */
DROPWISE_API dropwise_status dropwise_interop_mxnet_cpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                        uint32_t seed, uint64_t size, uint64_t run, double p);

/* ---- oneDNN ------------------------------------------------------------------------------- */

/*
 * The dropout attribute; element i is at the physical offset i of dst. Indices are below 2^32 but for
 * dropwise_interop_onednn_3_11.
 *
 *   onednn_3_6             versions 3.6 to 3.10
 *   onednn_3_11            versions from 3.11 on, with an offset, which is not 0 (PARAMETER)
 *   onednn_3_11_no_offset  versions from 3.11 on without an offset, or with 0. Each aligned group of four
 *                          elements shares one random number, so that it is kept or dropped as one: a defect
 *                          of oneDNN, reproduced here. Masks of elements are not independent; set an offset
 *                          to avoid it.
 *
 * p is rounded to f32. Errors: NULL, PROBABILITY, PARAMETER.
 */
DROPWISE_API dropwise_status dropwise_interop_onednn_3_6(dropwise_interop *interop, uint32_t seed, double p);
DROPWISE_API dropwise_status dropwise_interop_onednn_3_11(dropwise_interop *interop, uint64_t seed,
                                                          uint64_t offset, double p);
DROPWISE_API dropwise_status dropwise_interop_onednn_3_11_no_offset(dropwise_interop *interop, uint32_t seed,
                                                                    double p);

/* ---- PyTorch ------------------------------------------------------------------------------ */

/*
 * Launch parameters of torch.native_dropout on a CUDA device, from its number of multiprocessors and the
 * threads that one holds (torch.cuda.get_device_properties: multi_processor_count,
 * max_threads_per_multi_processor).
 *
 * threads  all threads of the kernel, 256 * min(ceil(numel / 256), sm_count * (threads_per_sm / 256))
 * vector   elements a thread treats at a time, for a dense tensor whose data is aligned to 16 bytes: 16 bytes
 *          of them, halved until it divides numel. Where the data is aligned to fewer bytes, take no more
 *          elements than these hold. Older versions have at most 4, and 4 for F64 too.
 * step     by how much the call moves the generator's offset on; with p = 0 or p = 1 it does not
 * Errors: NULL, DTYPE (not F32, F64, F16, BF16), PARAMETER (numel 0, or no thread).
 */
DROPWISE_API dropwise_status dropwise_torch_cuda_launch(dropwise_dtype dtype, uint64_t numel,
                                                        uint32_t sm_count, uint32_t threads_per_sm,
                                                        uint32_t *threads, uint32_t *vector, uint64_t *step);

/*
 * torch.nn.functional.dropout on a CUDA device, not compiled.
 *
 * vector  2, 4, 8 or 16 for the vectorised path, on which elements are numbered as they lie in memory; 1 for
 *         the other one, which tensors take that are not dense, or have an odd number of elements, and on
 *         which the order is that of indices, row-major. Dropout in place, and dropout1d, 2d and 3d of numel
 *         channels, draw as with 1 in all dtypes but F64; they scale as the backward pass, by a factor that
 *         is rounded to the dtype.
 * seed, offset   of the generator before the call, both in torch.cuda.get_rng_state()
 * Errors: NULL, PROBABILITY, DTYPE, PARAMETER (threads is 0 or above 2^30, vector is none of these or does
 * not divide numel, offset is not a multiple of 4).
 */
DROPWISE_API dropwise_status dropwise_interop_torch_cuda(dropwise_interop *interop, dropwise_dtype dtype,
                                                         uint64_t numel, uint32_t threads, uint32_t vector,
                                                         uint64_t seed, uint64_t offset, double p);

/*
 * The state of mt19937: PyTorch's generator on CPUs, NumPy's MT19937 and std::mt19937 have this one. It is
 * the caller's, who may copy it, and fill it from theirs: words and position are NumPy's key and pos. The
 * functions below draw from it and move it on, each as far as the system does. Of one engine, one call at a
 * time.
 */
typedef struct dropwise_mt19937 {
    uint32_t struct_size; /* sizeof(dropwise_mt19937)                             */
    uint32_t position;    /* words of the block that are used, 0 to 624           */
    uint32_t words[624];  /* the block, as it is before tempering                 */
    uint32_t reserved[2]; /* zero                                                 */
} dropwise_mt19937;

enum dropwise_torch_limits { DROPWISE_TORCH_STATE_BYTES = 5056 };

/*
 * Where the functions of an engine list the errors "of the engine", these are NULL, STRUCT_SIZE, RESERVED and
 * PARAMETER (a position above 624).
 *
 *   seed        as torch.manual_seed, numpy.random.RandomState(seed) and std::mt19937 do with 32 bits; of a
 *               larger seed PyTorch takes the lower 32
 *   from_torch  from the bytes of torch.get_rng_state()
 *   to_torch    into such bytes, which torch.set_rng_state takes: what is not mt19937's own, as the seed and
 *               a normal number that waits, stays as it is. Bytes that say the same already stay untouched,
 *               so that they are PyTorch's own after any calls of the functions below
 *
 * Errors: of the engine (seed and from_torch: NULL only); SIZE (bytes is not DROPWISE_TORCH_STATE_BYTES);
 * PARAMETER (not a state of a generator on a CPU that was seeded; to_torch: a position of 0, which NumPy's
 * may have and PyTorch's not).
 */
DROPWISE_API dropwise_status dropwise_mt19937_seed(dropwise_mt19937 *engine, uint32_t seed);
DROPWISE_API dropwise_status dropwise_mt19937_from_torch(dropwise_mt19937 *engine, const void *state,
                                                         size_t bytes);
DROPWISE_API dropwise_status dropwise_mt19937_to_torch(const dropwise_mt19937 *engine, void *state,
                                                       size_t bytes);

/*
 * The next n words, which are RandomState.randint(0, 2**32, n, dtype=uint32) and what std::mt19937 returns.
 * Errors: of the engine, SIZE, NULL.
 */
DROPWISE_API dropwise_status dropwise_mt19937_words(dropwise_mt19937 *engine, size_t n, uint32_t *words);

/*
 * Moves the engine on by n words, as if they were drawn. Up to some millions of words are generated; more
 * cost a jump, whose time hardly depends on the distance: docs/interop.md has it. Errors: of the engine.
 */
DROPWISE_API dropwise_status dropwise_mt19937_skip(dropwise_mt19937 *engine, uint64_t n);

/*
 * A jump by 624 * blocks words, to be made more than once: of its cost, most is here. Threads that share a
 * mask each take an engine that jumped to about their part and skips the rest.
 */
typedef struct dropwise_mt19937_jump {
    uint32_t struct_size;     /* sizeof(dropwise_mt19937_jump)                                      */
    uint32_t reserved;        /* zero                                                               */
    uint64_t blocks;          /* for people                                                         */
    uint64_t polynomial[312]; /* t^(624 blocks) modulo the characteristic polynomial of mt19937     */
} dropwise_mt19937_jump;

/*
 * Errors: NULL; jump_init: PARAMETER (more than 2^61 words); make_jump: of the engine, and of the jump
 * STRUCT_SIZE and RESERVED.
 */
DROPWISE_API dropwise_status dropwise_mt19937_jump_init(dropwise_mt19937_jump *jump, uint64_t blocks);
DROPWISE_API dropwise_status dropwise_mt19937_make_jump(dropwise_mt19937 *engine,
                                                        const dropwise_mt19937_jump *jump);

/*
 * torch.nn.functional.dropout on a CPU, not compiled: draws n elements from the engine, which is then where
 * PyTorch's is; with p = 0 and p = 1 it draws nothing. The mask is the same for all dtypes. Elements are in
 * the order of memory where the tensor is dense, also if it is transposed or channels-last, and in that of
 * indices where it is expanded or flipped.
 *
 *   bits      the keep bits, as dropwise_interop_bits writes them
 *   forward   y = x * (kept ? scale : 0) as PyTorch computes it, bit for bit: a dropped element is a zero
 *             with the sign of x, or NaN where x is infinite or NaN. Of a NaN in BF16, only that it is one
 *             is promised; of one that an infinity gives, the sign is the processor's. bits may be NULL
 *   apply     the same product from stored bits: y of x, or dx of dy in the backward pass
 *
 * dtype  F32, F64, F16 or BF16. The scale is 1 / (1 - p) in f64 for F64; else 1 / float(1 - p) in f32,
 *        rounded to the dtype
 * Errors: of the engine, PROBABILITY, DTYPE, SIZE, NULL, OVERLAP (as dropwise_forward).
 */
DROPWISE_API dropwise_status dropwise_torch_cpu_bits(dropwise_mt19937 *engine, double p, size_t n,
                                                     void *bits);
DROPWISE_API dropwise_status dropwise_torch_cpu_forward(dropwise_mt19937 *engine, dropwise_dtype dtype,
                                                        double p, size_t n, const void *x, void *y,
                                                        void *bits);
DROPWISE_API dropwise_status dropwise_torch_cpu_apply(dropwise_dtype dtype, double p, size_t n,
                                                      const void *bits, const void *x, void *y);

/*
 * The same masks without an engine, so that any range can be drawn: of torch.manual_seed(seed), after so
 * many words of the generator; a dropout takes two for each element, docs/interop.md says what other calls
 * take. Each call seeds the generator and skips to its range. As of all layouts, what
 * dropwise_interop_forward drops is +0.0. Errors: NULL, PROBABILITY, DTYPE, PARAMETER (words above 2^61; the
 * scale is beyond the dtype).
 */
DROPWISE_API dropwise_status dropwise_interop_torch_cpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                        uint64_t seed, uint64_t words, double p);

/*
 * torch.func._random.uniform(key, (n,), dtype=draws) >= p: PyTorch's functions without a state, on CPUs from
 * 2.14 on. key is (seed, offset). The scale is 1 / (1 - p) as of torch_cpu. Errors: NULL, PROBABILITY, DTYPE
 * (draws is not F32, F64, F16 or BF16), PARAMETER (the scale is beyond the dtype).
 */
DROPWISE_API dropwise_status dropwise_interop_torch_func_random(dropwise_interop *interop,
                                                                const uint64_t key[2], dropwise_dtype draws,
                                                                double p);

/*
 * torch.compile: kept where the number, an f32, is above p, the scale 1 / (1 - p) in double; p and the scale
 * are rounded to f32 unless the tensor is of F64. Index i is the offset that Inductor gives to its rand: in a
 * dense tensor, how many elements lie before it in memory. Indices are below 2^32. By the version of PyTorch:
 *
 *   inductor_gpu       up to 2.11: Triton's numbers, one of each block of the generator
 *   inductor_gpu_2_12  2.12: for F16 and BF16, numbers are compared with p rounded from f32 to the dtype. And
 *                      from 2.13 on in kernels that inductor_gpu_2_13 is not for
 *   inductor_gpu_2_13  from 2.13 on: four numbers of each block, in kernels of one dimension (their code
 *                      calls rand4x) whose elements, three or more, are in the order of the offsets
 *   inductor_cpu       up to 2.11: of the same random words as Triton's, without their top bit; of the seed,
 *                      the lower 32 bits
 *   inductor_cpu_2_12  from 2.12 on: with p rounded as by inductor_gpu_2_12
 *
 * dtype  of the tensor: F32, F64, F16 or BF16
 * seed   what the compiled code draws: 64 bits, of a signed number
 * Errors: NULL, PROBABILITY, DTYPE.
 */
DROPWISE_API dropwise_status dropwise_interop_inductor_gpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                           uint64_t seed, double p);
DROPWISE_API dropwise_status dropwise_interop_inductor_gpu_2_12(dropwise_interop *interop,
                                                                dropwise_dtype dtype, uint64_t seed,
                                                                double p);
DROPWISE_API dropwise_status dropwise_interop_inductor_gpu_2_13(dropwise_interop *interop,
                                                                dropwise_dtype dtype, uint64_t seed,
                                                                double p);
DROPWISE_API dropwise_status dropwise_interop_inductor_cpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                           uint64_t seed, double p);
DROPWISE_API dropwise_status dropwise_interop_inductor_cpu_2_12(dropwise_interop *interop,
                                                                dropwise_dtype dtype, uint64_t seed,
                                                                double p);

/* ---- Triton ------------------------------------------------------------------------------- */

/*
 * tl.rand(seed, offset) > p for the offsets i, as in Triton's tutorial on dropout: a block of the generator
 * for each element. A negative seed is sign-extended to 64 bits. From 2^32 on offsets are i64; those of i32
 * wrap there. The scale is 1 / (1 - p) in f32. Errors: NULL, PROBABILITY.
 */
DROPWISE_API dropwise_status dropwise_interop_triton(dropwise_interop *interop, uint64_t seed, double p);

/* ---- cuRAND ------------------------------------------------------------------------------- */

/*
 * curand_uniform, which is above 0 and at most 1, of Philox4_32_10: kept where it is above p, in f32. The
 * scale is 1 / (1 - p) in f32.
 *
 *   curand       the numbers of one state, curand_init(seed, subsequence, offset, &state), drawn one by one
 *                or by curand_uniform4
 *   curand_host  curandGenerateUniform with any ordering (the default, BEST, LEGACY) but DYNAMIC
 *
 * Errors: NULL, PROBABILITY, PARAMETER (curand_host: an offset above 2^60).
 */
DROPWISE_API dropwise_status dropwise_interop_curand(dropwise_interop *interop, uint64_t seed,
                                                     uint64_t subsequence, uint64_t offset, double p);
DROPWISE_API dropwise_status dropwise_interop_curand_host(dropwise_interop *interop, uint64_t seed,
                                                          uint64_t offset, double p);

/* ---- NumPy -------------------------------------------------------------------------------- */

/* The key of numpy.random.Philox(seed): SeedSequence(seed).generate_state(2, uint64). Errors: NULL. */
DROPWISE_API dropwise_status dropwise_numpy_key(uint64_t seed, uint64_t key[2]);

/*
 * Generator(Philox(key=key, counter=counter)).random(n, dtype) >= p, of a fresh generator.
 *
 * counter  four words, low ones first, or NULL for 0
 * draws    F64 or F32; p is compared, and the scale 1 / (1 - p) computed, in it
 * Errors: NULL, PROBABILITY, DTYPE.
 */
DROPWISE_API dropwise_status dropwise_interop_numpy(dropwise_interop *interop, const uint64_t key[2],
                                                    const uint64_t counter[4], dropwise_dtype draws,
                                                    double p);

/*
 * The same of numpy.random.default_rng, PCG64: state and increment are those of bit_generator.state, 128
 * bits each, low words first, with has_uint32 = 0. pcg64_seed gives those of default_rng(seed), a seed of at
 * most 64 bits. Errors: NULL, PROBABILITY, DTYPE.
 */
DROPWISE_API dropwise_status dropwise_numpy_pcg64_seed(uint64_t seed, uint64_t state[2],
                                                       uint64_t increment[2]);
DROPWISE_API dropwise_status dropwise_interop_numpy_pcg64(dropwise_interop *interop, const uint64_t state[2],
                                                          const uint64_t increment[2], dropwise_dtype draws,
                                                          double p);

/* ---- oneMKL ------------------------------------------------------------------------------- */

/*
 * vsRngUniform on [0, 1) with VSL_BRNG_PHILOX4X32X10: kept where it is at least p, in f32. The scale is 1 /
 * (1 - p) in f32. Errors: NULL, PROBABILITY.
 */
DROPWISE_API dropwise_status dropwise_interop_onemkl(dropwise_interop *interop, uint32_t seed, double p);

/*
 * viRngBernoulli with the probability keep: kept is 1. Of VSL_BRNG_PHILOX4X32X10 and of VSL_BRNG_MCG31. The
 * scale is 1 / keep in f32. Errors: NULL, PROBABILITY, PARAMETER (the scale is beyond f32).
 */
DROPWISE_API dropwise_status dropwise_interop_onemkl_bernoulli(dropwise_interop *interop, uint32_t seed,
                                                               double keep);
DROPWISE_API dropwise_status dropwise_interop_onemkl_mcg31(dropwise_interop *interop, uint32_t seed,
                                                           double keep);

/* ---- Attention and transformers ----------------------------------------------------------- */

/*
 * The attention matrix in FlashAttention 2: element ((batch * heads + head) * rows + row) * columns + column,
 * where rows are the queries (seqlen_q) and columns the keys (seqlen_k) of one head; batch * heads + head is
 * below 2^26. seed and offset are those of the returned rng_state, which are the generator's before the call;
 * it moves the offset on by batches * heads * 32. PyTorch's scaled_dot_product_attention with the backend
 * FLASH_ATTENTION is the same.
 *
 * The system compares bytes, so it keeps `keep`, not 1 - p, yet scales by 1 / (1 - p): its outputs are biased
 * by keep * scale.
 * Errors: NULL, PROBABILITY (p = 1 too), PARAMETER (rows or columns is 0 or above 2^31 - 1).
 */
DROPWISE_API dropwise_status dropwise_interop_flash_attention_2(dropwise_interop *interop, uint64_t rows,
                                                                uint64_t columns, uint64_t seed,
                                                                uint64_t offset, double p);

/*
 * TransformerEngine's own dropout kernel. The bits, as dropwise_interop_bits writes them, are its mask. It
 * compares bytes too, with the bias keep * scale; a call moves the offset on by 4.
 * Errors: NULL, PROBABILITY (p = 1 too), PARAMETER (offset is not a multiple of 4).
 */
DROPWISE_API dropwise_status dropwise_interop_transformer_engine(dropwise_interop *interop, uint64_t seed,
                                                                 uint64_t offset, double p);

/*
 * ONNX Runtime's Dropout and BitmaskDropout on CUDA. Launch parameters as for PyTorch, in fours: threads =
 * 256 * min(ceil(numel / 1024), sm_count * (threads_per_sm / 256)).
 * Errors: NULL, PROBABILITY, PARAMETER (numel is 0 in the launch; it is above 2^31 - 1; threads is 0 or above
 * 2^29; offset is not a multiple of 4).
 */
DROPWISE_API dropwise_status dropwise_onnx_runtime_launch(uint64_t numel, uint32_t sm_count,
                                                          uint32_t threads_per_sm, uint32_t *threads,
                                                          uint64_t *step);
DROPWISE_API dropwise_status dropwise_interop_onnx_runtime(dropwise_interop *interop, uint64_t numel,
                                                           uint32_t threads, uint64_t seed, uint64_t offset,
                                                           double p);

/*
 * ONNX Runtime's Dropout on CPUs: run `run`, from 0, of a session whose node has the attribute seed; without
 * it, seed + run is that of the process, onnxruntime.set_seed and how many such nodes ran since. A negative
 * seed is given in 64 bits. onnx_runtime_web is the build for browsers, of another C++ library. Errors:
 * NULL, PROBABILITY (p = 1 too).
 */
DROPWISE_API dropwise_status dropwise_interop_onnx_runtime_cpu(dropwise_interop *interop, uint64_t seed,
                                                               uint64_t run, double p);
DROPWISE_API dropwise_status dropwise_interop_onnx_runtime_web(dropwise_interop *interop, uint64_t seed,
                                                               uint64_t run, double p);

/*
 * DeepSpeed's transformer kernels: threads = 512 * min(max(ceil(numel / 2048), 1), 262144). numel is a
 * multiple of 4, as the kernel has a race in what is left over otherwise. An offset that is no multiple of 4
 * costs twice. Errors: NULL, PROBABILITY, PARAMETER (numel is 0 in the launch, not a multiple of 4 or above
 * 2^31 - 1; threads is 0 or above 2^30).
 */
DROPWISE_API dropwise_status dropwise_deepspeed_launch(uint64_t numel, uint32_t *threads, uint64_t *step);
DROPWISE_API dropwise_status dropwise_interop_deepspeed(dropwise_interop *interop, uint64_t numel,
                                                        uint32_t threads, uint64_t seed, uint64_t offset,
                                                        double p);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_INTEROP_H */
