#!/usr/bin/env python3
"""What a call of dropout on 64 float32 from Python costs beyond the call in C, by several bindings.

usage: bench/python/bindings.py BUILD    a build folder with the shared library, by the same compiler

Besides the package, which has to be installed, nanobind and cffi have to be (and a C++17 compiler), of which
this makes the smallest bindings that take an array and return one, as their documentation shows them. Times
are the least of many rounds, in which all take turns.
"""

import contextlib
import importlib.util
import pathlib
import subprocess
import sys
import sysconfig
import tempfile
import time

import cffi
import nanobind
import numpy as np

import dropwise

ROOT = pathlib.Path(__file__).resolve().parents[2]
N, CALLS, ROUNDS = 64, 2000, 200

NANOBIND = r"""
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <dropwise.hpp>
#include <memory>
namespace nb = nanobind;
using input = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

NB_MODULE(by_nanobind, m)
{
    nb::class_<dropwise_mask>(m, "Mask").def("__init__", [](dropwise_mask *self, double p, uint64_t seed) {
        if (dropwise_mask_init(self, p, seed, 0) != DROPWISE_OK)
            throw nb::value_error("p");
    });
    m.def("forward", [](const dropwise_mask &mask, input x) {
        std::unique_ptr<float[]> y(new float[x.size()]);
        if (dropwise_forward_f32(&mask, 0, x.size(), x.data(), y.get(), nullptr) != DROPWISE_OK)
            throw nb::value_error("x");
        nb::capsule owner(y.get(), [](void *p) noexcept { delete[] (float *)p; });
        const size_t shape[] = {x.size()};
        return nb::ndarray<nb::numpy, float>(y.release(), 1, shape, owner);
    });
    m.def("forward_out", [](const dropwise_mask &mask, input x, output y) {
        if (x.size() != y.size() ||
            dropwise_forward_f32(&mask, 0, x.size(), x.data(), y.data(), nullptr) != DROPWISE_OK)
            throw nb::value_error("x");
    });
}
"""

CFFI_TYPES = """
typedef struct { ...; } dropwise_mask;
int dropwise_mask_init(dropwise_mask *mask, double p, uint64_t seed, uint64_t stream);
int dropwise_forward(const dropwise_mask *mask, int dtype, uint64_t first, size_t n, const void *x, void *y,
                     void *bits);
void many(const dropwise_mask *mask, size_t n, const float *x, float *y, int calls);
"""

CFFI_SOURCE = """
#include <dropwise.h>
static void many(const dropwise_mask *mask, size_t n, const float *x, float *y, int calls)
{
    for (int i = 0; i < calls; i++)
        dropwise_forward_f32(mask, 0, n, x, y, NULL);
}
"""


def compile_module(folder, name, sources, library, *options):
    """The extension module of these sources, linked to the library."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    path = folder / (name + suffix)
    compiler = "c++" if any(str(source).endswith(".cpp") for source in sources) else "cc"
    includes = [sysconfig.get_path("include"), ROOT / "include"]
    command = [compiler, "-O2", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden", *options]
    command += [f"-I{include}" for include in includes] + list(map(str, sources))
    command += [f"-L{library}", "-ldropwise", f"-Wl,-rpath,{library}", "-o", str(path)]
    subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_nanobind(folder, library):
    home = pathlib.Path(nanobind.include_dir()).parent
    (folder / "by_nanobind.cpp").write_text(NANOBIND)
    return compile_module(
        folder,
        "by_nanobind",
        [folder / "by_nanobind.cpp", home / "src/nb_combined.cpp"],
        library,
        "-std=c++17",
        "-fno-strict-aliasing",
        f"-I{home}/include",
        f"-I{home}/ext/robin_map/include",
    )


def make_cffi(folder, library):
    builder = cffi.FFI()
    builder.cdef(CFFI_TYPES)
    builder.set_source("by_cffi", CFFI_SOURCE)
    with contextlib.redirect_stdout(sys.stderr):
        builder.emit_c_code(str(folder / "by_cffi.c"))
    return compile_module(folder, "by_cffi", [folder / "by_cffi.c"], library)


def main():
    library = pathlib.Path(sys.argv[1]).resolve() / "src"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        by_nanobind, by_cffi = make_nanobind(folder, library), make_cffi(folder, library)
        measure(by_nanobind, by_cffi)


def measure(by_nanobind, by_cffi):
    ffi, lib = by_cffi.ffi, by_cffi.lib
    x, y = np.ones(N, np.float32), np.empty(N, np.float32)
    mask, nanobind_mask = dropwise.Mask(0.1, 1), by_nanobind.Mask(0.1, 1)
    cffi_mask = ffi.new("dropwise_mask *")
    lib.dropwise_mask_init(cffi_mask, 0.1, 1, 0)

    def cffi_forward(x, y=None):
        if y is None:
            y = np.empty_like(x)
        if x.dtype != np.float32 or y.dtype != np.float32 or x.size != y.size or not x.flags.c_contiguous:
            raise ValueError("x")
        source, target = ffi.from_buffer(x), ffi.from_buffer(y, require_writable=True)
        if lib.dropwise_forward(cffi_mask, 1, 0, x.size, source, target, ffi.NULL) != 0:
            raise ValueError("x")
        return y

    pointers = ffi.cast("float *", ffi.from_buffer(x)), ffi.cast("float *", ffi.from_buffer(y))
    calls = {
        "the call in C": None,
        "this package": lambda: mask.forward(x),
        "this package, `out=`": lambda: mask.forward(x, y),
        "nanobind": lambda: by_nanobind.forward(nanobind_mask, x),
        "nanobind, `out=`": lambda: by_nanobind.forward_out(nanobind_mask, x, y),
        "cffi, API mode": lambda: cffi_forward(x),
        "cffi, API mode, `out=`": lambda: cffi_forward(x, y),
        "an empty function of Python's": lambda: None,
    }
    expected = mask.forward(x)
    assert all(np.array_equal(call(), expected) for name, call in calls.items() if name in ("nanobind",))
    assert np.array_equal(cffi_forward(x), expected)
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            if call is None:
                lib.many(cffi_mask, N, *pointers, CALLS)
            else:
                for _ in range(CALLS):
                    call()
            least[name] = min(least[name], (time.perf_counter() - start) / CALLS)
    in_c = least.pop("the call in C")
    print(f"| {N} float32, Python {sys.version.split()[0]}, NumPy {np.__version__} | ns | more than in C |")
    print("|---|---|---|")
    print(f"| the call in C | {in_c * 1e9:.0f} | |")
    loop = least.pop("an empty function of Python's")
    for name, seconds in least.items():
        print(f"| {name} | {(seconds - loop) * 1e9:.0f} | {(seconds - loop - in_c) * 1e9:.0f} |")


if __name__ == "__main__":
    main()
