/*
 * One call of the library on tensors, as data: what Python handed over, before the function is called. So
 * one routine reads the arguments of all functions (core.c), and one shares the work out among threads
 * (threads.c). Nothing here knows Python.
 */
#ifndef CALL_H
#define CALL_H

#include <dropwise.h>
#include <dropwise_dropblock.h>
#include <dropwise_dropconnect.h>
#include <dropwise_fused.h>
#include <dropwise_interop.h>
#include <dropwise_variants.h>

#include <stdbool.h>

enum { MAX_OPERANDS = 5, MAX_RESULTS = 3 };

/* What an array is to a function. All but the last four have the shape of the tensor. */
typedef enum operand_role {
    NO_OPERAND,
    IN_X,         /* read by x_stride                                                  */
    IN_Y,         /* read by y_stride: is copied where its strides are not the output's */
    OUT,          /* written by y_stride; made, if it is not given                     */
    OUT_OR_NONE,  /* the same, NULL if it is not given                                 */
    IN_ADD,       /* read by strides of its own, those of softmax.add                  */
    IN_ROW,       /* a row of the dtype, or NULL                                       */
    OUT_ROW_SUMS, /* a row of the dtype that sums have, or NULL                        */
    IN_FLAT,      /* dense, of a shape that the caller has checked                     */
    OUT_FLAT,
} operand_role;

/* What elements are, if not of the tensor's dtype. */
typedef enum operand_elements {
    OF_TENSOR,
    OF_SUMS, /* f64 for f64, else f32 */
    OF_BITS, /* bytes with keep bits  */
} operand_elements;

typedef struct operand {
    const char *name; /* as the argument in Python is called */
    operand_role role;
    operand_elements elements;
    bool is_optional; /* IN_Y, IN_FLAT: may be NULL */
} operand;

/* What the parameter of an operation is. */
typedef enum parameter_kind {
    NO_PARAMETER,
    NUMBER,
    SOFTMAX,
    CONCRETE,
    DROPBLOCK,
    DROPCONNECT,
} parameter_kind;

/* What a stored mask is to an operation. */
typedef enum stored_use { TAKES_NONE, WRITES_MASK, READS_MASK } stored_use;

struct call;

typedef struct operation {
    const char *name;
    dropwise_status (*run)(const struct call *c);
    operand operands[MAX_OPERANDS];
    parameter_kind parameter;
    const char *parameter_name;
    int n_results;
    stored_use stored;
    const char *stored_name; /* if that is not "stored" */
    bool has_rows;           /* the last dimension is a row: its elements lie next to each other */
    bool has_range;          /* takes dense arrays: others are copied                            */
    bool is_interop;         /* by the mask of another system                                    */
    bool is_split;           /* among threads: has no sums, and each element is on its own       */
} operation;

typedef struct call {
    const operation *operation;
    dropwise_mask mask;
    dropwise_interop interop;
    dropwise_dtype dtype;
    bool is_named; /* the dtype, by dtype=: it is not read of the arrays */
    dropwise_view view;
    bool is_dense; /* outputs of the view are: no element lies on another */
    char *at[MAX_OPERANDS];
    uint64_t bytes[MAX_OPERANDS]; /* of what is flat */
    dropwise_stored stored_mask;
    const dropwise_stored *stored; /* NULL, or &stored_mask */
    double *results;
    union {
        double number;
        dropwise_softmax softmax;
        dropwise_concrete concrete;
        dropwise_dropblock block;
        dropwise_dropconnect layer;
    } parameter;
} call;

/* Numbered from 0 to below n_operations; core.c gives their numbers to Python under their names. */
extern const operation operations[];
extern const int n_operations;

/* That of this name. */
const operation *find_operation(const char *name);

/* The argument that is its stored mask. */
const char *name_of_stored(const operation *o);

/* Bytes of an element of an operand. */
uint64_t element_bytes(dropwise_dtype dtype, operand_elements elements);

/* Elements of the call's view. */
uint64_t count_elements(const dropwise_view *view);

/* Parts of a call along one dimension, which threads may run: all but the last are of this length. */
typedef struct cuts {
    uint32_t dimension;
    uint64_t length, parts;
} cuts;

/*
 * Cuts a call into as many parts as there are threads, of about so many elements at least; or says that it is
 * better not cut.
 */
bool find_cuts(const call *c, uint64_t at_least, uint64_t threads, cuts *by);

call cut_call(const call *c, const cuts *by, uint64_t k);

/* Calls the function on so many threads at most, of which this one is the first. Without the GIL, or with. */
dropwise_status run_call(const call *c, unsigned threads);

/* As many threads as the system lets this process run on at a time. */
unsigned affinity(void);

#endif
