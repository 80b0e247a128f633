"""The consumer through cffi, which parses the headers by pycparser, as bindings of other languages do."""
import subprocess
import sys

import cffi

TYPES = """
typedef signed int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t;
typedef unsigned long long uint64_t; typedef unsigned long size_t;
"""
HEADERS = ("", "_attention", "_fused", "_variants", "_dropblock", "_dropconnect", "_interop")


def declarations(folder):
    """What is left of the headers when the preprocessor is done, without the system's."""
    text = ""
    for name in HEADERS:
        with open(f"{folder}/dropwise{name}.h", encoding="utf-8") as header:
            text += "".join(line for line in header if not line.startswith("#include"))
    command = ["cc", "-E", "-P", "-DDROPWISE_STATIC", "-DUINT64_C(x)=x##ULL", "-xc", "-"]
    return subprocess.run(command, input=text, capture_output=True, check=True, text=True).stdout


def main(folder, library):
    ffi = cffi.FFI()
    ffi.cdef(TYPES + declarations(folder))
    lib = ffi.dlopen(library)
    mask = ffi.new("dropwise_mask *")
    x, y = ffi.new("float[32]", [1.0] * 32), ffi.new("float[32]")
    assert lib.dropwise_mask_init(mask, 0.25, 42, 7) == lib.DROPWISE_OK
    assert lib.dropwise_forward_f32(mask, 0, 32, x, y, ffi.NULL) == lib.DROPWISE_OK
    print("".join("1" if value else "0" for value in y))
    print(ffi.string(lib.dropwise_isa_name(lib.dropwise_isa_active())).decode(), file=sys.stderr)


main(*sys.argv[1:])
