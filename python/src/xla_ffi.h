/*
 * What of XLA's FFI a handler for CPUs needs, in the layout that jaxlib publishes (xla/ffi/api/c_api.h in
 * jax.ffi.include_dir()). Declared here, so that the module is built without jaxlib, and is one for all
 * versions: the layout of these structs is the same in versions 0.1 to 0.3 of the API, of which
 * dropwise/jax/_load.py lets no other through. Structs of arguments begin with their size, by which XLA knows
 * what its caller knows.
 */
#ifndef XLA_FFI_H
#define XLA_FFI_H

#include <stddef.h>
#include <stdint.h>

enum { XLA_FFI_MAJOR = 0, XLA_FFI_OLDEST_MINOR = 1, XLA_FFI_NEWEST_MINOR = 3 };

typedef struct xla_error xla_error;     /* XLA's; NULL is none */
typedef struct xla_context xla_context; /* XLA's, of one call  */

typedef struct xla_extension {
    size_t struct_size;
    int32_t type;
    struct xla_extension *next;
} xla_extension;

typedef struct xla_version {
    size_t struct_size;
    xla_extension *extensions;
    int32_t major, minor;
} xla_version;

/* ---- What a handler is given ---- */

/* Of xla::PrimitiveType, those that are looked at. */
typedef enum xla_dtype {
    XLA_PRED = 1,
    XLA_S32 = 4,
    XLA_U32 = 8,
    XLA_F16 = 10,
    XLA_F32 = 11,
    XLA_F64 = 12,
    XLA_BF16 = 16,
    XLA_F8_E5M2 = 19,
    XLA_F8_E4M3 = 20, /* that without infinities, "FN" */
} xla_dtype;

typedef struct xla_buffer {
    size_t struct_size;
    xla_extension *extensions;
    int32_t dtype;
    void *data;
    int64_t rank;
    int64_t *sizes;
} xla_buffer;

/* Arguments, and results; all kinds of these are buffers. */
typedef struct xla_buffers {
    size_t struct_size;
    xla_extension *extensions;
    int64_t size;
    int32_t *kinds;
    xla_buffer **of;
} xla_buffers;

typedef struct xla_api xla_api;

typedef struct xla_call {
    size_t struct_size;
    xla_extension *extensions;
    const xla_api *api;
    xla_context *context;
    int32_t stage;
    xla_buffers arguments, results; /* and attributes, of which there are none, and more */
} xla_call;

/* XLA asks for a handler's version by a call with this extension. */
enum { XLA_METADATA = 1 };

typedef struct xla_metadata {
    size_t struct_size;
    xla_version version;
    uint32_t traits;
} xla_metadata;

typedef struct xla_metadata_extension {
    xla_extension base;
    xla_metadata *metadata;
} xla_metadata_extension;

/* ---- What a handler may call ---- */

enum { XLA_INVALID_ARGUMENT = 3 };

typedef struct xla_error_create {
    size_t struct_size;
    xla_extension *extensions;
    const char *message; /* is copied */
    int32_t code;
} xla_error_create;

typedef struct xla_error_destroy {
    size_t struct_size;
    xla_extension *extensions;
    xla_error *error;
} xla_error_destroy;

typedef struct xla_schedule {
    size_t struct_size;
    xla_extension *extensions;
    xla_context *context;
    void (*task)(void *data);
    void *data;
} xla_schedule;

typedef struct xla_count_threads {
    size_t struct_size;
    xla_extension *extensions;
    xla_context *context;
    int64_t *threads;
} xla_count_threads;

struct xla_api {
    size_t struct_size;
    xla_extension *extensions;
    xla_version version;
    void *internal;
    xla_error *(*create_error)(xla_error_create *arguments);
    void *get_message;
    void (*destroy_error)(xla_error_destroy *arguments);
    void *of_others[8]; /* registration, streams, types, contexts, state (2), memory (2) */
    xla_error *(*schedule)(xla_schedule *arguments);
    xla_error *(*count_threads)(xla_count_threads *arguments);
};

#endif
