#!/usr/bin/env python3
"""Speed of the Python package beside NumPy's steps, the call in C, itself on one thread, and JAX: a table.

usage: bench/python/speed.py BUILD    a build folder with the shared library, for the call in C

Times are the least of several rounds in which all take turns; of imports, medians over fresh processes.
"""

import ctypes
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading

import numpy as np
from turns import least

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
        lambda: [mask.forward(x) is None for _ in range(calls)],  # results are not kept
        lambda: [x is None for _ in range(calls)],
    )
    more = (call - nothing - in_c) / calls
    return "a call on 64 float32 beyond the call in C", f"{more * 1e6:.2f} us", "at most 1.5 us"


def thread_row(mask):
    """Beside what the machine gives to two threads that copy as much: memory and cores may be shared."""
    x = np.ones(1 << 26, np.float32)
    y = np.ones_like(x)
    half = len(x) // 2

    def copy_on_two():
        other = threading.Thread(target=lambda: np.copyto(y[half:], x[half:]))
        other.start()
        np.copyto(y[:half], x[:half])
        other.join()

    one, two, copy, copy_two = least(
        9,
        1,
        lambda: mask.forward(x, y, threads=1),
        lambda: mask.forward(x, y, threads=2),
        lambda: np.copyto(y, x),
        copy_on_two,
    )
    what = f"two threads beside one, 64 Mi float32; of NumPy's copy: {copy / copy_two:.2f} times"
    return what, f"{one / two:.2f} times", "1.8 times"


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


def jax_rows():
    """On one CPU, which XLA sees when it starts; keys and arrays are arguments of what is compiled."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    try:
        import jax
        import jax.numpy as jnp
    except ModuleNotFoundError:
        return
    from dropwise.jax import bernoulli, dropout

    key = jax.random.key_data(jax.random.key(1))
    keep = 1.0 - P
    functions = [
        lambda key, x: jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0),
        lambda key, x: dropout(key, P, x),
        lambda key, x: dropout(key, P, x, generator="philox4x32-10"),
        lambda key, x: dropout(key, P, x, generator="philox4x32-7"),
        lambda key, x: jax.random.bernoulli(key, keep, x.shape),
        lambda key, x: bernoulli(key, keep, x.shape),
    ]
    compiled = [jax.jit(function) for function in functions]
    for n, name in ((1 << 16, "64 Ki"), (1 << 20, "1 Mi"), (1 << 24, "16 Mi")):
        x = jnp.ones(n)
        theirs, same, own, seven, their_mask, our_mask = least(
            9,
            max(1, (1 << 19) // n),
            *(lambda f=f, x=x: f(key, x).block_until_ready() for f in compiled),
        )
        what = f"JAX {jax.__version__}: `where(bernoulli(key, ...), x / keep, 0)` beside `dropout`, {name}"
        yield what, f"{theirs / same:.1f} times", "4 times"
        yield f"beside own masks: philox4x32-10, {name}", f"{theirs / own:.1f} times", "12 times"
        yield f"beside own masks: philox4x32-7, {name}", f"{theirs / seven:.1f} times", ""
        yield (
            f"`jax.random.bernoulli` beside `bernoulli`, {name}",
            f"{their_mask / our_mask:.1f} times",
            "4 times",
        )


def main():
    mask, library = dropwise.Mask(P, 1), pathlib.Path(sys.argv[1]).resolve() / "src"
    versions = f"Python {sys.version.split()[0]}, NumPy {np.__version__}, {dropwise._core.info()['tier']}"
    print(f"| {versions}, p = {P}, one thread | measured | wanted |")
    print("|---|---|---|")
    for row in (*numpy_rows(mask), small_row(mask, library), thread_row(mask), import_row(), *jax_rows()):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
