/*
 * What the operators for PyTorch share: arguments in, tensors made, threads, the end of a call. Python is not
 * known here.
 *
 * An operator that fails throws PyTorch's own exception, which becomes Python's RuntimeError: nothing is held
 * then that has to be released.
 */
#ifndef TORCH_CALL_H
#define TORCH_CALL_H

#include "call.h"
#include "torch_layout.h"
#include "torch_shim.h"

#include <string.h>

/* Once they are registered, what the operators call. */
extern torch_functions torch;

/* A kernel for PyTorch; tables of these end with one that has no name. */
typedef struct torch_operator {
    const char *name, *key; /* of PyTorch's dispatcher */
    torch_kernel *kernel;
} torch_operator;

extern const torch_operator torch_views[], torch_layers[], torch_masks[];

/* ---- Arguments ---- */

/* An operator while it runs: what it owns, and why it failed, if it did. */
typedef struct operator_call {
    const char *name;
    torch_value *stack; /* the next argument */
    torch_tensor *owned[16];
    int n_owned;
    const char *fault; /* NULL: none so far */
} operator_call;

typedef struct tensor {
    torch_tensor *handle; /* NULL: none */
    int rank;
    const int64_t *size, *stride;
    char *data;
    dropwise_dtype dtype; /* 0: another */
} tensor;

/* Says why the operator failed, if nothing did so before; false. */
bool complain(operator_call *o, const char *fault);
bool check_status(operator_call *o, dropwise_status status);

/* The library's dtype, and PyTorch's. */
int32_t torch_dtype_of(dropwise_dtype dtype);

/* What a tensor is. Its data may be NULL if it has no elements. */
tensor look_at(operator_call *o, torch_tensor *handle, bool is_written);
uint64_t numel(const tensor *t);

/* The next argument. Tensors are owned by the call from then on. */
tensor take_tensor(operator_call *o, bool is_written);
tensor take_optional_tensor(operator_call *o);
int64_t take_integer(operator_call *o);
double take_number(operator_call *o);

/* Numbers of a list, which is the next argument, no more than `most`: how many there are. */
int take_list(operator_call *o, int most, int64_t *numbers);

/* What of a mask an operator is told: seed, stream, p, share, part. */
typedef struct mask_arguments {
    tensor seed;
    int64_t stream, share;
    double p;
    int n_part;                       /* 0: no part; else twice the rank of the whole */
    int64_t part[2 * MAX_TORCH_RANK]; /* where it begins, the sizes of the whole       */
} mask_arguments;

/* Those of an operator; short ones have neither share nor part. */
void take_mask(operator_call *o, bool is_short, mask_arguments *m);

/* ---- Results ---- */

/* A new tensor; NULL if PyTorch makes none. */
torch_tensor *make_tensor(operator_call *o, int rank, const int64_t *size, const int64_t *stride,
                          int32_t dtype);

/* Replaces a tensor by a copy with these strides. */
bool copy_as(operator_call *o, tensor *t, const int64_t *stride);

/* A new seed from PyTorch's generator: torch.randint over all of int64 but its largest number. */
torch_tensor *draw_seed(operator_call *o);

/* Ends a kernel: releases what it owns, but for its results, which take the place of the arguments. */
void finish(operator_call *o, torch_value *stack, int n_results, torch_tensor *const *results);

/* ---- Threads ---- */

/* What is wrong if PyTorch's threads do not run: parts of the output may be unwritten then. */
extern const char *const threads_failed;

/* On PyTorch's threads, if they run; within a parallel region of its own this is the only one. */
bool run_on_threads(const call *c, dropwise_status *status);

#endif
