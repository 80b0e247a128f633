#!/usr/bin/env python3
"""Times dropout as PyTorch draws it on a CPU beside PyTorch itself: torch_cpu.py LIBRARY, a libdropwise.so.

In a venv with PyTorch. Both draw from the same state and have to give the same bytes; on one thread, in turn,
minima of many runs.
"""
import ctypes
import sys
import time

import torch

TIERS = {"scalar": 1, "neon": 2, "avx2": 3, "avx512": 4, "rvv": 5}
DTYPES = {"f32": (1, torch.float32), "bf16": (4, torch.bfloat16)}
STATE_BYTES, ENGINE_BYTES = 5056, 2512


def load(path):
    library = ctypes.CDLL(path)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.dropwise_mt19937_from_torch.argtypes = pointer, pointer, size
    library.dropwise_mt19937_to_torch.argtypes = pointer, pointer, size
    library.dropwise_torch_cpu_forward.argtypes = (
        pointer, ctypes.c_int32, ctypes.c_double, size, pointer, pointer, pointer)
    return library


def main():
    library, engine = load(sys.argv[1]), ctypes.create_string_buffer(ENGINE_BYTES)
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}; ns an element, the state handed over and back, PyTorch's over it")
    for tier, number in TIERS.items():
        if library.dropwise_isa_select(number) != 0:
            continue
        for name, (dtype, torch_dtype) in DTYPES.items():
            for n in 1 << 16, 1 << 20:
                x = torch.randn(n).to(torch_dtype)
                y = torch.empty_like(x)
                for p in 0.1, 0.5:
                    state = torch.get_rng_state()

                    def ours(state=state, dtype=dtype, p=p, n=n, x=x, y=y):
                        at = state.data_ptr()
                        library.dropwise_mt19937_from_torch(engine, at, STATE_BYTES)
                        library.dropwise_torch_cpu_forward(
                            engine, dtype, p, n, x.data_ptr(), y.data_ptr(), None)
                        library.dropwise_mt19937_to_torch(engine, at, STATE_BYTES)

                    def theirs(x=x, p=p):
                        return torch.nn.functional.dropout(x, p)

                    ours()
                    wanted = theirs()
                    if not torch.equal(y, wanted) or not torch.equal(state, torch.get_rng_state()):
                        sys.exit(f"{tier} {name} {n} {p}: not what PyTorch drew")
                    best = {}
                    for _ in range(60):
                        for call in ours, theirs:
                            begin = time.thread_time_ns()
                            call()
                            taken = (time.thread_time_ns() - begin) / n
                            best[call] = min(taken, best.get(call, taken))
                    times = best[theirs] / best[ours]
                    print(f"{tier:7} {name:5} {n:8} p {p}: {best[ours]:6.3f}, {times:5.1f} times")


main()
