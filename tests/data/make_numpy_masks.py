#!/usr/bin/env python3
"""Prints masks that NumPy itself draws: make_numpy_masks.py > numpy_masks.txt

Needs NumPy, which neither the build nor the tests do.
"""
import numpy as np

print(f"# NumPy {np.__version__}: seed, the two key words of Philox(seed) (hex), dtype, p, then 256")
print("# elements of Generator(Philox(seed)).random(256, dtype) >= p (1 = kept)")
for seed in (0, 1, 42, 0xDEADBEAF, 2**32, 2**64 - 1):
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    for dtype in (np.float64, np.float32):
        for p in (0.1, 0.5, 0.9):
            u = np.random.Generator(np.random.Philox(seed)).random(256, dtype=dtype)
            kept = "".join("01"[int(k)] for k in u >= dtype(p))
            print(seed, f"{key[0]:016x} {key[1]:016x}", np.dtype(dtype).name, p, kept)
