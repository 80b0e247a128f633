#!/usr/bin/env python3
"""Speed of the Python package beside NumPy's steps, the call in C, and itself on one thread: a table.

usage: bench/python/speed.py BUILD    a build folder with the shared library, for the call in C

Times are the least of several rounds in which all take turns; of imports, medians over fresh processes.
"""

import ctypes
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import dropwise

ROOT = pathlib.Path(__file__).resolve().parents[2]
P, SCALE = 0.1, np.float32(1 / 0.9)

LOOP = """
#include <dropwise.h>
void many(const dropwise_mask *mask, size_t n, const float *x, float *y, int calls)
{
    for (int i = 0; i < calls; i++)
        dropwise_forward_f32(mask, 0, n, x, y, NULL);
}
"""


def least(rounds, calls, *functions):
    """The least time of each function, in turns."""
    times = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            times[i] = min(times[i], (time.perf_counter() - start) / calls)
    return times


def c_loop(library):
    """A function that calls the library so many times."""
    with tempfile.TemporaryDirectory() as folder:
        source, module = pathlib.Path(folder, "loop.c"), pathlib.Path(folder, "loop.so")
        source.write_text(LOOP)
        command = ["cc", "-O2", "-shared", "-fPIC", f"-I{ROOT}/include", source, "-o", module]
        subprocess.run([*command, f"-L{library}", "-ldropwise", f"-Wl,-rpath,{library}"], check=True)
        return ctypes.CDLL(str(module)).many


def numpy_rows(mask):
    for n, name in ((1 << 16, "64 Ki"), (1 << 20, "1 Mi"), (1 << 24, "16 Mi")):
        x, y, rng = np.ones(n, np.float32), np.ones(n, np.float32), np.random.default_rng(1)
        theirs, new, copy, ours = least(
            15,
            max(1, (1 << 20) // n),
            lambda x=x, n=n, rng=rng: x * (rng.random(n, np.float32) >= P) * SCALE,
            lambda x=x: mask.forward(x, threads=1),
            lambda x=x: x.copy(),
            lambda x=x, y=y: mask.forward(x, y, threads=1),
        )
        what = f"NumPy's `x * (rng.random(n, f32) >= p) * s` beside `m.forward(x, y)`, {name} float32"
        yield what, f"{theirs / ours:.1f} times", "13 times"
        what = f"beside `m.forward(x)`, which takes {new / copy:.1f} times as long as `x.copy()`, {name}"
        yield what, f"{theirs / new:.1f} times", ""


def small_row(mask, library):
    x, y, calls = np.ones(64, np.float32), np.empty(64, np.float32), 2000
    many, struct = c_loop(library), ctypes.create_string_buffer(mask._struct, 64)
    arguments = struct, ctypes.c_size_t(64), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data)
    in_c, call, nothing = least(
        200,
        1,
        lambda: many(*arguments, calls),
        lambda: [mask.forward(x) for _ in range(calls)],
        lambda: [None for _ in range(calls)],
    )
    more = (call - nothing - in_c) / calls
    return "a call on 64 float32 beyond the call in C", f"{more * 1e6:.2f} us", "at most 1.5 us"


def thread_row(mask):
    x = np.ones(1 << 26, np.float32)
    y = np.empty_like(x)
    one, two = least(7, 1, lambda: mask.forward(x, y, threads=1), lambda: mask.forward(x, y, threads=2))
    return "two threads beside one, 64 Mi float32", f"{one / two:.2f} times", "1.8 times"


def import_row():
    def seconds(module):
        """Of processor time."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    runs = [(seconds("numpy"), seconds("dropwise")) for _ in range(21)]
    numpy_time, ours = (statistics.median(column) for column in zip(*runs))
    more = (ours - numpy_time) * 1e3
    return "`import dropwise` beyond `import numpy`", f"{more:.0f} ms", "at most 60 ms"


def main():
    mask, library = dropwise.Mask(P, 1), pathlib.Path(sys.argv[1]).resolve() / "src"
    versions = f"Python {sys.version.split()[0]}, NumPy {np.__version__}, {dropwise._core.info()['tier']}"
    print(f"| {versions}, p = {P}, one thread | measured | wanted |")
    print("|---|---|---|")
    for row in (*numpy_rows(mask), small_row(mask, library), thread_row(mask), import_row()):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
