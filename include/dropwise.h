/*
 * dropwise: dropout masks from counter-based random numbers, fused with scale-and-mask.
 *
 *   (seed, stream, index) --generator--> random bytes --threshold--> keep bits --apply--> elements
 *
 * A mask is a plain value. It is never stored: every call draws the part of it that it needs, so
 * forward and backward, this thread and that one, this machine and another one see the same mask.
 *
 *     dropwise_mask mask;
 *     dropwise_mask_init(&mask, 0.1, seed, stream);             // a stream for each layer and step
 *     dropwise_forward_f32(&mask, first, n, x, y, NULL);        // y = dropout(x)
 *     dropwise_backward_f32(&mask, first, n, dy, dx, NULL);     // the same mask, drawn again
 *
 * What holds for every function here
 *
 *   Reproducible  A result is a function of (generator, seed, stream, p, index) and of the data.
 *                 It does not depend on the instruction set, on how a range is split into calls,
 *                 on threads, on alignment or on byte order. The stream is version 1, frozen:
 *                 docs/stream.md defines it bit by bit.
 *   Stateless     Nothing is remembered between calls, so all functions may run at the same time
 *                 on any threads, as long as no two of them write the same bytes.
 *   Memory        The caller owns all of it. Nothing is allocated, locked or printed. No byte
 *                 outside the arguments is read or written. Elements, bits and bytes need no
 *                 alignment; structs, and what a pointer has a type for, need theirs.
 *                 Buffers are on the stack, of which calls use up to 32 KiB, those that draw noise,
 *                 fused steps, gradients and other systems' masks 64 KiB, and DropConnect 96 KiB.
 *   Environment   Results do not depend on the caller's floating-point environment: rounding mode,
 *                 flushing of subnormals, enabled traps. No call traps, and each leaves control bits
 *                 and exception flags as it found them, also where what it keeps overflows.
 *   Errors        A call returns DROPWISE_OK, or a status that says what is wrong with its
 *                 arguments, and then nothing was written. With n = 0 nothing is read or written
 *                 and the data pointers may be NULL.
 *   Range         Elements [first, first + n) of the tensor that the mask covers; pointers point at
 *                 element `first`. first + n is at most DROPWISE_INDEX_LIMIT = 2^60.
 *   Aliasing      Input and output are the same buffer (in place) or do not overlap; keep bits
 *                 overlap neither.
 */
#ifndef DROPWISE_H
#define DROPWISE_H

#include <stddef.h>
#include <stdint.h>

/* Of a library whose build puts a prefix before its names. What uses it defines DROPWISE_PREFIX, too. */
#ifdef DROPWISE_PREFIX
#include "dropwise_prefix.h"
#endif

#define DROPWISE_VERSION_MAJOR 0
#define DROPWISE_VERSION_MINOR 2
#define DROPWISE_VERSION_PATCH 0

/* Changes when a program built against an older header must be rebuilt; it is the soname. */
#define DROPWISE_ABI_VERSION 0

/* The definition of the random stream. A change to what a seed draws would be a new version beside
 * this one, chosen through the generator field, and never a change to this one. */
#define DROPWISE_STREAM_VERSION 1

/*
 * DROPWISE_STATIC is defined for a library that is only linked statically, and for programs that do so. With
 * -fvisibility=hidden for the library, a plug-in that contains it does not offer its copy to others then.
 * DROPWISE_DLL is defined where a DLL is built. Programs need neither: all that is exported is functions.
 */
#if defined(DROPWISE_STATIC) || !defined(__GNUC__)
#define DROPWISE_API
#elif !defined(_WIN32)
#define DROPWISE_API __attribute__((visibility("default")))
#elif defined(DROPWISE_DLL)
#define DROPWISE_API __attribute__((dllexport))
#else
#define DROPWISE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------- */

typedef int32_t dropwise_status;

enum dropwise_statuses {
    DROPWISE_OK = 0,
    DROPWISE_ERROR_NULL = 1,            /* a pointer is NULL while n > 0, or the mask is NULL     */
    DROPWISE_ERROR_PROBABILITY = 2,     /* p is NaN or outside [0, 1]                             */
    DROPWISE_ERROR_STRUCT_SIZE = 3,     /* struct_size is not the size of the struct              */
    DROPWISE_ERROR_RESERVED = 4,        /* a reserved field is not zero                           */
    DROPWISE_ERROR_GENERATOR = 5,       /* unknown generator                                      */
    DROPWISE_ERROR_KEEP_THRESHOLD = 6,  /* keep_threshold is above 2^40                           */
    DROPWISE_ERROR_SCALING = 7,         /* unknown scaling                                        */
    DROPWISE_ERROR_DTYPE = 8,           /* unknown dtype                                          */
    DROPWISE_ERROR_RANGE = 9,           /* first + n is past 2^60; bytes past the last block      */
    DROPWISE_ERROR_SIZE = 10,           /* n elements are more bytes than an object can have      */
    DROPWISE_ERROR_OVERLAP = 11,        /* buffers overlap without being equal                    */
    DROPWISE_ERROR_ISA_UNKNOWN = 12,    /* no tier has this number                                */
    DROPWISE_ERROR_ISA_NOT_BUILT = 13,  /* the tier is not part of this build of the library      */
    DROPWISE_ERROR_ISA_NOT_USABLE = 14, /* this CPU or operating system cannot run the tier       */
    DROPWISE_ERROR_RANK = 15,           /* a view's rank is not 1 to 8                            */
    DROPWISE_ERROR_SHAPE = 16,          /* sizes that do not fit each other; a row of length 0    */
    DROPWISE_ERROR_SELF_OVERLAP = 17,   /* two elements of an output lie at the same place        */
    DROPWISE_ERROR_FORM = 18,           /* a stored mask's form is unknown                        */
    DROPWISE_ERROR_STORED_SIZE = 19,    /* a stored mask's buffer or row stride is too small      */
    DROPWISE_ERROR_ACTIVATION = 20,     /* unknown activation                                     */
    DROPWISE_ERROR_PARAMETER = 21,      /* a number is not finite or out of its range             */
    DROPWISE_ERROR_MATH = 22,           /* f64 needs SLEEF, which this build lacks, or FMA on x86 */
    DROPWISE_ERROR_LAYOUT = 23,         /* no system's mask layout has this number                */
    DROPWISE_ERROR_WORKSPACE = 24       /* the caller's workspace is too small                    */
};

/* One English sentence for a status, never NULL; a static string. */
DROPWISE_API const char *dropwise_status_string(dropwise_status status);

/*
 * A sentence that says which argument of a call the status is about, as far as the arguments show it; else
 * what the status says of itself. The library keeps nothing of a call that it refused, so it is given again:
 *
 *     status = dropwise_forward(&mask, dtype, first, n, x, y, NULL);
 *     if (status != DROPWISE_OK) {
 *         const void *arguments[] = {&mask, &dtype, &first, &n, x, y, NULL};
 *         char text[160];
 *         dropwise_explain(status, "dropwise_forward", arguments, text, sizeof text);
 *         // "dropwise_forward: y overlaps x by 64 bytes"
 *
 * function   the name of any function that returns a status; with NULL or another name, only the status
 *            counts
 * arguments  those of the call, in their order: a pointer as it is, a number by a pointer to it, of the type
 *            that the function has it. NULL: only the status counts
 * text       size bytes, of which as many as needed are written, with a NUL at the end; may be NULL if size
 *            is 0
 *
 * The result is the length of the whole sentence, which was cut short if that is size or more. Structs are
 * read, data is not.
 */
DROPWISE_API size_t dropwise_explain(dropwise_status status, const char *function,
                                     const void *const *arguments, char *text, size_t size);

/* The library's version, e.g. "0.2.0": of the library that runs, not of the header. */
DROPWISE_API const char *dropwise_version(void);

/*
 * The parts that this build has beside what this header declares, by number k from 0 on: "fused"
 * (dropwise_fused.h), "attention" (dropwise_attention.h), "variants" (dropwise_variants.h,
 * dropwise_dropblock.h, dropwise_dropconnect.h), "interop" (dropwise_interop.h); NULL from the last one on.
 * Functions of a part that a build leaves out are not there to be linked with.
 */
DROPWISE_API const char *dropwise_part_name(uint32_t k);

/* ---- Mask --------------------------------------------------------------------------------- */

typedef int32_t dropwise_dtype;

/*
 * Element types, in the host's byte order. Types narrower than f32 are computed in f32 and rounded to the
 * nearest, ties to even; subnormals are kept, overflow gives infinity, NaN stays NaN.
 *
 * The 8-bit types are those of "OCP 8-bit Floating Point Specification (OFP8)", revision 1.0, in C a
 * uint8_t. E4M3 has no infinity: overflow gives NaN. The saturating types are the same in memory; overflow,
 * and infinity times anything but 0, give the largest finite number of that sign: 448 and 57344.
 */
enum dropwise_dtypes {
    DROPWISE_F32 = 1,         /* IEEE binary32                                           */
    DROPWISE_F64 = 2,         /* IEEE binary64                                           */
    DROPWISE_F16 = 3,         /* IEEE binary16, in C a uint16_t                          */
    DROPWISE_BF16 = 4,        /* bfloat16: the upper half of a binary32, in C a uint16_t */
    DROPWISE_F8_E4M3 = 5,     /* 4 exponent bits, 3 fraction bits                        */
    DROPWISE_F8_E4M3_SAT = 6, /* the same, saturating                                    */
    DROPWISE_F8_E5M2 = 7,     /* 5 exponent bits, 2 fraction bits                        */
    DROPWISE_F8_E5M2_SAT = 8  /* the same, saturating                                    */
};

/*
 * Counter-based generators: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers:
 * as easy as 1, 2, 3", SC11, doi:10.1145/2063384.2063405. All passed BigCrush there. None is meant to
 * keep a secret.
 */
enum dropwise_generators {
    DROPWISE_PHILOX4X32_10 = 1,   /* multiplications; its authors' choice, with a margin of three rounds */
    DROPWISE_PHILOX4X32_7 = 2,    /* the fewest rounds that pass their tests                             */
    DROPWISE_THREEFRY4X32_20 = 3, /* additions, rotations, exclusive ors                                 */
    DROPWISE_ARS4X32_7 = 4        /* rounds of AES: the fastest where the CPU has instructions for them, the
                                   * same in software (by a table, not in constant time) where it has not */
};

enum dropwise_scalings {
    /* Inverted dropout, what today's frameworks do: training multiplies what is kept by 1 / (1 - p),
     * inference changes nothing. */
    DROPWISE_SCALING_INVERTED = 1,
    /* Standard dropout, as published (N. Srivastava et al., "Dropout: a simple way to prevent neural
     * networks from overfitting", JMLR 15, 2014): training leaves what is kept as it is, inference
     * multiplies everything by 1 - p. */
    DROPWISE_SCALING_STANDARD = 2
};

enum dropwise_flags {
    /*
     * Functions whose name ends in _backward add to their outputs, which they else overwrite: to dx, dbias,
     * dq and all others. Not the tiles of attention, whose outputs are no gradients of tensors yet. All other
     * functions pass the flag over, so that one mask serves both directions.
     *
     * An element v becomes v + g, computed in f32 (f64 for f64) and rounded once to its dtype; g is the
     * gradient before it would be rounded to a narrower dtype. NaN that come out are the quiet NaN. An
     * element whose gradient the mask drops, or a causal mask leaves out, stays as it is, bit for bit.
     * Aliasing is as without the flag.
     */
    DROPWISE_ACCUMULATE = 1
};

#define DROPWISE_INDEX_LIMIT (UINT64_C(1) << 60)

/* A keep probability q is held as the integer q * 2^40. */
#define DROPWISE_KEEP_ONE (UINT64_C(1) << 40)

/*
 * The whole description of a mask. Fill it with dropwise_mask_init, then change fields at will:
 * a new step of training may simply count `stream` up. Copy it, store it, send it: 64 bytes without
 * padding or pointers.
 *
 * Where a function lists the errors "of the mask", these are NULL, STRUCT_SIZE, RESERVED, GENERATOR,
 * KEEP_THRESHOLD and SCALING. Unknown flags are RESERVED.
 */
typedef struct dropwise_mask {
    uint32_t struct_size;    /* sizeof(dropwise_mask)                                    */
    uint32_t generator;      /* DROPWISE_PHILOX4X32_10 or another one                    */
    uint64_t seed;           /* any value                                                */
    uint64_t stream;         /* any value; masks of different streams are independent    */
    uint64_t keep_threshold; /* keep probability * 2^40, 0 (drop all) to 2^40 (keep all) */
    uint32_t scaling;        /* DROPWISE_SCALING_INVERTED or DROPWISE_SCALING_STANDARD   */
    uint32_t flags;          /* 0 or DROPWISE_ACCUMULATE                                 */
    uint32_t reserved[6];    /* zero                                                     */
} dropwise_mask;

/*
 * Fills *mask for dropout with probability p of being dropped: Philox4x32-10, inverted scaling.
 *
 * keep_threshold = (1.0 - p) * 2^40, rounded to the nearest integer, half to even: p is realised
 * to 2^-41. p = 0 keeps everything, p = 1 drops everything; both are exact.
 * Errors: NULL, PROBABILITY.
 */
DROPWISE_API dropwise_status dropwise_mask_init(dropwise_mask *mask, double p, uint64_t seed,
                                                uint64_t stream);

/* "philox4x32-10" and so on; NULL for a number that is no generator. */
DROPWISE_API const char *dropwise_generator_name(uint32_t generator);

/* ---- Drawing ------------------------------------------------------------------------------ */

/*
 * Writes the keep bits of elements [first, first + n): 1 is kept, 0 is dropped.
 *
 * Bit j of the result is element first + j; bit j is bit j % 8 (least significant first) of byte
 * j / 8, whatever the byte order of the host. ceil(n / 8) bytes are written; unused bits of the
 * last byte are 0. Threads that share one bit buffer split it at multiples of 8 elements.
 * Errors: of the mask, RANGE, NULL.
 */
DROPWISE_API dropwise_status dropwise_draw_bits(const dropwise_mask *mask, uint64_t first, size_t n,
                                                void *bits);

/*
 * One decision: *kept is 1 if element `index` is kept, else 0. For what is dropped as a whole, by anybody who
 * knows seed and stream: layers (LayerDrop: A. Fan, E. Grave, A. Joulin, "Reducing transformer depth on
 * demand with structured dropout", ICLR 2020), samples or branches (stochastic depth), so that all ranks
 * agree.
 * Errors: of the mask, RANGE, NULL.
 */
DROPWISE_API dropwise_status dropwise_keeps(const dropwise_mask *mask, uint64_t index, uint32_t *kept);

/*
 * Writes n raw bytes of the mask's generator, beginning with block first_block. For tests of the
 * generator and for other uses of its numbers; seed, stream and generator count, p does not.
 *
 * A block has 16 bytes: four 32-bit words, little-endian, of the counter words (first_block low,
 * first_block high, stream low, stream high). Blocks below 2^56 are the bytes that masks are drawn
 * from: byte i % 16 of block i / 16 belongs to element i. The four top bits of a block's number
 * select other domains of the stream (docs/stream.md).
 * Errors: of the mask, SIZE, RANGE (the last byte lies past block 2^64 - 1), NULL.
 */
DROPWISE_API dropwise_status dropwise_draw_bytes(const dropwise_mask *mask, uint64_t first_block, size_t n,
                                                 void *bytes);

/* ---- Dropout ------------------------------------------------------------------------------ */

/*
 * Training, forward: y[j] = x[j] * s where element first + j is kept, +0.0 where it is dropped.
 *
 *   s = 2^40 / keep_threshold, as double, rounded to f32 but for f64   with inverted scaling
 *   y[j] = x[j], the same bits                                         with standard scaling, or p = 0
 *
 * Dropped elements are selected away, not multiplied: NaN, infinity and -0.0 become +0.0 too. Kept
 * NaN stay NaN, with their payloads; but RISC-V CPUs, whose arithmetic has one NaN, make that of those that
 * are scaled.
 *
 * bits  NULL, or where to write the keep bits as dropwise_draw_bits does.
 * Errors: of the mask, DTYPE, SIZE, RANGE, NULL, OVERLAP.
 *
 * Large results that are not computed in place are written past the caches where the CPU has such
 * stores; they are visible to other threads as ordinary stores are.
 */
DROPWISE_API dropwise_status dropwise_forward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                              size_t n, const void *x, void *y, void *bits);

/*
 * Training, backward: dx[j] = dy[j] * s where element first + j was kept, +0.0 where it was dropped,
 * with the s of dropwise_forward.
 *
 * bits  NULL to draw the mask again, or keep bits in the layout of dropwise_draw_bits, whoever made
 *       them: bit j decides on element j of the buffers. With p = 1 the result is zero whatever
 *       the bits say, as no finite scale exists.
 * As forward and backward are the same map, this is also the forward pass for stored bits. If the mask has
 * the flag DROPWISE_ACCUMULATE, the product is added to dx[j], and dx[j] stays where it was dropped; with
 * p = 0 or standard scaling s is 1.
 * Errors: of the mask, DTYPE, SIZE, RANGE, NULL, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                               uint64_t first, size_t n, const void *dy, void *dx,
                                               const void *bits);

/*
 * Inference: y[j] = x[j] with inverted scaling, y[j] = x[j] * q with standard scaling, where
 * q = keep_threshold / 2^40, as double, rounded to f32 but for f64; with q = 0, +0.0 whatever x is. No mask
 * is drawn.
 * Errors: of the mask, DTYPE, SIZE, NULL, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_infer(const dropwise_mask *mask, dropwise_dtype dtype, size_t n,
                                            const void *x, void *y);

/* ---- Stored masks ------------------------------------------------------------------------- */

/*
 * A mask need not be stored: a seed draws it again. Where it is stored all the same, for an engine that has
 * masks of its own or takes them from elsewhere, it has one of these forms.
 */
enum dropwise_forms {
    DROPWISE_FORM_BITS = 1,  /* packed keep bits, least significant first, 1 is kept                     */
    DROPWISE_FORM_BYTES = 2, /* a byte an entry: written as 1 (kept) and 0; all but 0 is read as kept    */
    DROPWISE_FORM_SCALED = 3 /* an element an entry, in the dtype of the tensor: the scale s (1 with
                              * standard scaling) or +0.0; all but +0.0 is read as kept, by s exactly,
                              * however the type rounds it                                               */
};

/*
 * A buffer with a stored mask. It holds rows of entries; row r begins row_stride * r bytes after data. Bytes
 * between rows are neither read nor written; neither are unused bits of a row's last byte read; they are
 * written as 0.
 *
 * Layouts of other systems are row strides: libxsmm pads a row of n bits to (n + 15) / 16 * 2 bytes, ONNX
 * Runtime's bit masks are one row of little-endian 32-bit words, (n + 31) / 32 * 4 bytes,
 * TransformerEngine's are 16-bit words. Clear the padding once, if somebody reads it.
 */
typedef struct dropwise_stored {
    uint32_t struct_size; /* sizeof(dropwise_stored)                                                   */
    uint32_t form;        /* DROPWISE_FORM_...                                                         */
    void *data;           /* calls that read a stored mask do not write to it                          */
    uint64_t size;        /* bytes at data: at least the last row's end                                */
    uint64_t row_stride;  /* bytes from row to row, at least a row's; 0: rows follow each other closely */
    uint64_t reserved[2]; /* zero                                                                      */
} dropwise_stored;

/*
 * Converts a stored mask of `rows` rows of row_length entries into another form, layout or both. Of the mask
 * its scale counts, and of the dtype its representation, if *to is scaled.
 * Errors: of the mask, DTYPE, STRUCT_SIZE, RESERVED, FORM, SHAPE (row_length 0), SIZE, STORED_SIZE, NULL,
 * OVERLAP (buffers may not even be equal).
 */
DROPWISE_API dropwise_status dropwise_convert_stored(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     uint64_t rows, uint64_t row_length,
                                                     const dropwise_stored *from, const dropwise_stored *to);

/* ---- Views: tensors of any shape and layout, masks of any shape --------------------------- */

enum dropwise_limits { DROPWISE_MAX_RANK = 8 };

/*
 * Where the elements of a tensor lie, and which element of the mask decides on each of them. The element at
 * coordinates c lies
 *     sum(c[d] * x_stride[d]) elements from x, sum(c[d] * y_stride[d]) elements from y,
 * and has the mask index
 *     first + sum(c[d] * mask_stride[d]).
 * Strides may be negative, and 0 for x and the mask. A mask stride of 0 means that the elements along that
 * dimension share their mask: they are kept or dropped together.
 *
 * What the literature has many names for is one view:
 *
 *   name                            sizes           mask is shared along
 *   dropout                         any             nothing
 *   spatial, feature map (NCHW)     N, C, H, W      H, W
 *   spatial, feature map (NHWC)     N, H, W, C      H, W      (likewise in one and three dimensions)
 *   variational, locked             T, B, F         T         (or B, T, F)
 *   stochastic depth                N, ...          all but N
 *   embedding rows, weight rows     V, F            F
 *   DropConnect, WeightDrop         rows, columns   nothing   (weights; see dropwise_dropconnect.h)
 *   Keras' noise_shape              any             where the noise shape is 1
 *   Flax's broadcast_dims           any             these dimensions
 *
 * J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015 (spatial);
 * Y. Gal, Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks",
 * NIPS 2016 (variational, embedding); G. Huang et al., "Deep networks with stochastic depth", ECCV 2016.
 */
typedef struct dropwise_view {
    uint32_t struct_size; /* sizeof(dropwise_view)                   */
    uint32_t rank;        /* dimensions, 1 to DROPWISE_MAX_RANK      */
    uint64_t first;       /* mask index of the element at 0, 0, ...  */
    uint64_t size[DROPWISE_MAX_RANK];
    int64_t x_stride[DROPWISE_MAX_RANK]; /* in elements: of x and dy   */
    int64_t y_stride[DROPWISE_MAX_RANK]; /* in elements: of y and dx   */
    int64_t mask_stride[DROPWISE_MAX_RANK];
    uint64_t reserved[2]; /* zero                                    */
} dropwise_view;

/*
 * A dense tensor, the last dimension contiguous, whose elements have the mask indices 0, 1, 2, ...: the view
 * of the call dropwise_forward(mask, dtype, 0, n, ...). Change strides for other layouts.
 * Errors: NULL, RANK, RANGE (more than 2^60 elements).
 */
DROPWISE_API dropwise_status dropwise_view_init(dropwise_view *view, uint32_t rank, const uint64_t *size);

/*
 * Shares the mask along all dimensions d whose bit 1 << d is set in `dimensions`, as Flax's broadcast_dims
 * does. Mask indices become those of a dense mask without these dimensions; view->first stays.
 * Errors: NULL, STRUCT_SIZE, RANK, SHAPE (a dimension beyond the rank), RANGE.
 */
DROPWISE_API dropwise_status dropwise_view_share(dropwise_view *view, uint32_t dimensions);

/*
 * The same from Keras' noise_shape: 1 where the mask is shared, else the size of the tensor there.
 * Errors: NULL, STRUCT_SIZE, RANK, SHAPE (neither), RANGE.
 */
DROPWISE_API dropwise_status dropwise_view_noise_shape(dropwise_view *view, const uint64_t *noise_shape);

/*
 * Restricts the view to the rectangle that begins at coordinates `start`, so that whoever holds a shard
 * draws what the whole tensor draws there. The strides stay: they fit a rectangle inside of a bigger buffer,
 * with x and y pointing at its first element. For a shard in a buffer of its own, call dropwise_view_pack
 * after that.
 * Errors: NULL, STRUCT_SIZE, RANK, SHAPE (the rectangle is not inside), RANGE.
 */
DROPWISE_API dropwise_status dropwise_view_shard(dropwise_view *view, const uint64_t *start,
                                                 const uint64_t *size);

/* Makes x_stride and y_stride those of a dense tensor. Errors: NULL, STRUCT_SIZE, RANK, RANGE. */
DROPWISE_API dropwise_status dropwise_view_pack(dropwise_view *view);

/*
 * Forward and backward as above, for the elements of a view. A view with a size of 0 is empty: nothing is
 * done.
 *
 * stored  Forward: NULL, or where to write the mask. Backward: NULL to draw it again, or the stored mask. It
 *         has an entry for each combination of coordinates in the dimensions whose mask stride is not 0, in
 *         row-major order; the last of these dimensions makes the rows. If the whole view shares one
 *         decision, it is one row of one entry.
 *
 * Aliasing: y == x with equal strides is in place. Else the bytes between the first and the last byte of x,
 * of y and of the stored mask must not overlap. Elements of y must not overlap each other: ordered by
 * magnitude, each stride of y has to reach past all elements of the dimensions with smaller ones.
 *
 * Errors: of the mask, DTYPE, STRUCT_SIZE, RESERVED, RANK, SIZE (more bytes than an object can have),
 * SELF_OVERLAP, RANGE (mask indices below 0, or 2^60 and more), FORM, STORED_SIZE, NULL, OVERLAP.
 *
 * Runs that are contiguous in x and y go at full speed, and fastest if they are so in the mask too or share
 * it. A dropped run that shares its mask, as a feature map does, is cleared without being read. Where neither
 * data nor mask is contiguous, elements are gathered and scattered one by one.
 */
DROPWISE_API dropwise_status dropwise_forward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                                   const dropwise_view *view, const void *x, void *y,
                                                   const dropwise_stored *stored);
DROPWISE_API dropwise_status dropwise_backward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *dy, void *dx,
                                                    const dropwise_stored *stored);

/*
 * Writes the mask of a view alone, as forward does. Strides of x and y do not count.
 * Errors: of the mask, DTYPE, STRUCT_SIZE, RESERVED, RANK, SIZE, RANGE, FORM, STORED_SIZE, NULL.
 */
DROPWISE_API dropwise_status dropwise_draw_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                                const dropwise_view *view, const dropwise_stored *stored);

/* ---- Typed calls -------------------------------------------------------------------------- */

/* The calls above for one dtype; f16 and bf16 are the bits of their elements. */

DROPWISE_API dropwise_status dropwise_forward_f32(const dropwise_mask *mask, uint64_t first, size_t n,
                                                  const float *x, float *y, void *bits);
DROPWISE_API dropwise_status dropwise_backward_f32(const dropwise_mask *mask, uint64_t first, size_t n,
                                                   const float *dy, float *dx, const void *bits);
DROPWISE_API dropwise_status dropwise_infer_f32(const dropwise_mask *mask, size_t n, const float *x,
                                                float *y);
DROPWISE_API dropwise_status dropwise_forward_f64(const dropwise_mask *mask, uint64_t first, size_t n,
                                                  const double *x, double *y, void *bits);
DROPWISE_API dropwise_status dropwise_backward_f64(const dropwise_mask *mask, uint64_t first, size_t n,
                                                   const double *dy, double *dx, const void *bits);
DROPWISE_API dropwise_status dropwise_infer_f64(const dropwise_mask *mask, size_t n, const double *x,
                                                double *y);
DROPWISE_API dropwise_status dropwise_forward_f16(const dropwise_mask *mask, uint64_t first, size_t n,
                                                  const uint16_t *x, uint16_t *y, void *bits);
DROPWISE_API dropwise_status dropwise_backward_f16(const dropwise_mask *mask, uint64_t first, size_t n,
                                                   const uint16_t *dy, uint16_t *dx, const void *bits);
DROPWISE_API dropwise_status dropwise_infer_f16(const dropwise_mask *mask, size_t n, const uint16_t *x,
                                                uint16_t *y);
DROPWISE_API dropwise_status dropwise_forward_bf16(const dropwise_mask *mask, uint64_t first, size_t n,
                                                   const uint16_t *x, uint16_t *y, void *bits);
DROPWISE_API dropwise_status dropwise_backward_bf16(const dropwise_mask *mask, uint64_t first, size_t n,
                                                    const uint16_t *dy, uint16_t *dx, const void *bits);
DROPWISE_API dropwise_status dropwise_infer_bf16(const dropwise_mask *mask, size_t n, const uint16_t *x,
                                                 uint16_t *y);

/* ---- Tiers -------------------------------------------------------------------------------- */

/*
 * A tier is the set of kernels for one instruction set. All tiers give the same bits. The best one
 * that the CPU and the operating system can run is chosen when the library is loaded. The environment
 * variable DROPWISE_ISA=scalar|avx2|avx512|neon|rvv can lower the choice; a value that names no usable
 * tier is ignored, and dropwise_isa_reason says so. Set-user-ID programs do not read it.
 */
typedef int32_t dropwise_isa;

enum dropwise_isas {
    DROPWISE_ISA_AUTO = 0,   /* for dropwise_isa_select: choose as at load time */
    DROPWISE_ISA_SCALAR = 1, /* portable C11                                    */
    DROPWISE_ISA_NEON = 2,   /* AArch64 Advanced SIMD, little-endian            */
    DROPWISE_ISA_AVX2 = 3,   /* x86-64 AVX2                                     */
    DROPWISE_ISA_AVX512 = 4, /* x86-64 AVX-512 F, BW, DQ, VL                    */
    DROPWISE_ISA_RVV = 5,    /* RISC-V Vector 1.0                               */
    DROPWISE_ISA_COUNT = 6   /* tiers are numbered from 1 to below this         */
};

/* "scalar", "neon", "avx2", "avx512", "rvv"; NULL for a number that is no tier. */
DROPWISE_API const char *dropwise_isa_name(dropwise_isa isa);

/* DROPWISE_OK, or why the tier cannot run here: ISA_UNKNOWN, ISA_NOT_BUILT, ISA_NOT_USABLE. */
DROPWISE_API dropwise_status dropwise_isa_check(dropwise_isa isa);

/*
 * Makes the whole process use a tier from now on: for tests, benchmarks and support. Calls on other
 * threads that are under way finish on the tier they began with; no result changes either way.
 * Errors: ISA_UNKNOWN, ISA_NOT_BUILT, ISA_NOT_USABLE; the choice then stays as it was.
 */
DROPWISE_API dropwise_status dropwise_isa_select(dropwise_isa isa);

/* The tier in use. */
DROPWISE_API dropwise_isa dropwise_isa_active(void);

/* One English phrase that says why this tier is in use; a static string. */
DROPWISE_API const char *dropwise_isa_reason(void);

/*
 * What ars4x32-7 is computed with: "software", "aes-ni", "vaes-256", "vaes-512", "armv8-aes". The best that
 * the CPU has and that gives a known answer, with vectors no wider than the tier's; looked for when it is
 * first needed.
 */
DROPWISE_API const char *dropwise_aes_name(void);

/*
 * One English phrase that says why it is computed with that; a static string.
 */
DROPWISE_API const char *dropwise_aes_reason(void);

/*
 * Whether what is computed by SLEEF can be, on the tier in use: normal noise, concrete dropout, GELU, SiLU
 * and softmax of f64. OK, or the error that these return, MATH.
 */
DROPWISE_API dropwise_status dropwise_math_check(void);

/* One English phrase that says why, or why not; a static string. */
DROPWISE_API const char *dropwise_math_reason(void);

/*
 * The CPU features that the library looks for and that both CPU and operating system offer: a mask in
 * which bit k stands for dropwise_cpu_feature_name(k), which is NULL from the first unknown k on.
 */
DROPWISE_API uint64_t dropwise_cpu_features(void);
DROPWISE_API const char *dropwise_cpu_feature_name(uint32_t k);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_H */
