/*
 * What is called of PyTorch: its stable C interface, as libtorch_cpu has it from 2.10 on. It is declared here
 * since PyTorch's headers are C++, and so that one module does for all versions: the functions are looked up
 * by name when dropwise.torch is imported (dropwise/torch/_load.py).
 */
#ifndef TORCH_SHIM_H
#define TORCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version whose conventions are followed: 2.10. */
#define TORCH_SHIM_VERSION (UINT64_C(2) << 56 | UINT64_C(10) << 48)

typedef struct torch_tensor torch_tensor;
typedef struct torch_list torch_list;
typedef struct torch_library torch_library;

/*
 * What operators get and return, an argument each: a number, the bytes of a double, an owned tensor, an owned
 * list; of what is optional NULL, or the address of an owned one of these.
 */
typedef uint64_t torch_value;

typedef int32_t torch_error; /* 0: none */
typedef void torch_kernel(torch_value *stack, uint64_t n_arguments, uint64_t n_results);

/* In the order of the names in torch.c. */
typedef struct torch_functions {
    /* Throws an exception of C++ with this text where ok is false; it passes through frames of C. */
    void (*check)(bool ok, const char *function, const char *file, uint32_t line, const char *text);

    torch_error (*delete_tensor)(torch_tensor *tensor);
    torch_error (*empty_strided)(int64_t rank, const int64_t *sizes, const int64_t *strides, int32_t dtype,
                                 int32_t device, int32_t device_index, torch_tensor **result);
    torch_error (*copy)(torch_tensor *to, torch_tensor *from, int32_t non_blocking);
    torch_error (*get_rank)(torch_tensor *tensor, int64_t *result);
    torch_error (*get_sizes)(torch_tensor *tensor, int64_t **result);
    torch_error (*get_strides)(torch_tensor *tensor, int64_t **result);
    torch_error (*get_dtype)(torch_tensor *tensor, int32_t *result);
    torch_error (*get_const_data)(torch_tensor *tensor, const void **result);
    torch_error (*get_data)(torch_tensor *tensor, void **result);

    torch_error (*list_size)(torch_list *list, size_t *result);
    torch_error (*list_item)(torch_list *list, size_t index, torch_value *result);
    torch_error (*delete_list)(torch_list *list);

    torch_error (*randint)(int64_t low, int64_t high, const int64_t *size, int64_t rank, int32_t *dtype,
                           int32_t *layout, int32_t *device, int32_t device_index, int32_t *pin_memory,
                           torch_tensor **result);
    torch_error (*randint_into)(torch_tensor *to, int64_t low, int64_t high, const int64_t *size,
                                int64_t rank);
    torch_error (*begin_library)(const char *name, const char *key, const char *file, uint32_t line,
                                 torch_library **result);
    torch_error (*implement)(torch_library *library, const char *name, torch_kernel *kernel,
                             uint64_t version);

    torch_error (*parallel_for)(int64_t begin, int64_t end, int64_t grain,
                                void (*function)(int64_t begin, int64_t end, void *data), void *data);
    torch_error (*get_threads)(uint32_t *result);

    int32_t (*device_cpu)(void);
    int32_t (*dtype_f64)(void);
    int32_t (*dtype_f32)(void);
    int32_t (*dtype_f16)(void);
    int32_t (*dtype_bf16)(void);
    int32_t (*dtype_i64)(void);
    int32_t (*dtype_u8)(void);
    int32_t (*dtype_bool)(void);

    torch_error (*delete_value)(torch_value *value); /* NULL before 2.13 */
} torch_functions;

enum { TORCH_FUNCTIONS = sizeof(torch_functions) / sizeof(void (*)(void)) };

/*
 * What PyTorch gives besides to those who hold a tensor as a Python object: how it lies in memory, without
 * a call through its dispatcher. It is DLPack's exchange interface, version 1, of which the capsule
 * torch.Tensor.__dlpack_c_exchange_api__ has the address.
 */
enum { DLPACK_MAJOR = 1, DLPACK_CPU = 1, DLPACK_FLOAT = 2, DLPACK_BFLOAT = 4 };

typedef struct dlpack_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t rank;
    uint8_t dtype_code, dtype_bits;
    uint16_t dtype_lanes;
    int64_t *size, *stride;
    uint64_t byte_offset;
} dlpack_tensor;

typedef struct dlpack_exchange {
    uint32_t major, minor;
    struct dlpack_exchange *older;
    void *of_others[3]; /* allocation, and tensors that are owned, from Python and to it */
    int (*look_at)(void *object, dlpack_tensor *result); /* 0, or an exception was raised */
    void *stream;
} dlpack_exchange;

#endif
