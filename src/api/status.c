/* What a status means, and the version, in words. */
#include "dropwise.h"

const char *dropwise_status_string(dropwise_status status)
{
    switch (status) {
    case DROPWISE_OK:
        return "success";
    case DROPWISE_ERROR_NULL:
        return "a pointer is NULL";
    case DROPWISE_ERROR_PROBABILITY:
        return "the drop probability is NaN or outside [0, 1]";
    case DROPWISE_ERROR_STRUCT_SIZE:
        return "struct_size is not the size of the struct in this library";
    case DROPWISE_ERROR_RESERVED:
        return "a reserved field is not zero";
    case DROPWISE_ERROR_GENERATOR:
        return "the mask's generator is unknown";
    case DROPWISE_ERROR_KEEP_THRESHOLD:
        return "the mask's keep_threshold is above 2^40";
    case DROPWISE_ERROR_SCALING:
        return "the mask's scaling is unknown";
    case DROPWISE_ERROR_DTYPE:
        return "the dtype is unknown";
    case DROPWISE_ERROR_RANGE:
        return "the index range reaches past the end of the stream";
    case DROPWISE_ERROR_SIZE:
        return "the number of elements is more bytes than memory can have";
    case DROPWISE_ERROR_OVERLAP:
        return "buffers overlap without being equal";
    case DROPWISE_ERROR_ISA_UNKNOWN:
        return "the tier is unknown";
    case DROPWISE_ERROR_ISA_NOT_BUILT:
        return "the tier is not part of this build";
    case DROPWISE_ERROR_ISA_NOT_USABLE:
        return "this CPU or operating system cannot run the tier";
    case DROPWISE_ERROR_RANK:
        return "the rank of the view is not 1 to 8";
    case DROPWISE_ERROR_SHAPE:
        return "sizes do not fit each other, or a row has no elements";
    case DROPWISE_ERROR_SELF_OVERLAP:
        return "elements of the output overlap each other";
    case DROPWISE_ERROR_FORM:
        return "the form of the stored mask is unknown";
    case DROPWISE_ERROR_STORED_SIZE:
        return "the buffer or the row stride of the stored mask is too small";
    case DROPWISE_ERROR_ACTIVATION:
        return "the activation is unknown";
    case DROPWISE_ERROR_PARAMETER:
        return "a parameter is not finite or out of its range";
    case DROPWISE_ERROR_MATH:
        return "this needs functions in f64 that the build or the CPU does not have";
    case DROPWISE_ERROR_LAYOUT:
        return "the mask layout is unknown";
    case DROPWISE_ERROR_WORKSPACE:
        return "the workspace is too small";
    default:
        return "unknown status";
    }
}

const char *dropwise_part_name(uint32_t k)
{
    static const char *const built[] = {
#ifndef DROPWISE_WITHOUT_FUSED
        "fused",
#endif
#ifndef DROPWISE_WITHOUT_ATTENTION
        "attention",
#endif
#ifndef DROPWISE_WITHOUT_VARIANTS
        "variants",
#endif
#ifndef DROPWISE_WITHOUT_INTEROP
        "interop",
#endif
        NULL,
    };
    const uint32_t n = sizeof built / sizeof built[0] - 1;
    return built[k < n ? k : n];
}

/* Two steps, as arguments of # are not expanded. */
#define QUOTE(x) #x
#define VERSION(major, minor, patch) QUOTE(major) "." QUOTE(minor) "." QUOTE(patch)

const char *dropwise_version(void)
{
    return VERSION(DROPWISE_VERSION_MAJOR, DROPWISE_VERSION_MINOR, DROPWISE_VERSION_PATCH);
}
