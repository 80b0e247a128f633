#!/usr/bin/env python3
"""What it costs that the C library gives memory back: page faults and time of dropout in PyTorch.

usage: bench/python/memory.py

Each row is three processes with other settings of glibc. Prints the table of docs/torch.md.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

CALLS = 200
ENVIRONMENTS = {
    "as it is": {},
    "both thresholds": {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "33554432"},
    "`MALLOC_TOP_PAD_` alone": {"MALLOC_TOP_PAD_": "67108864"},
}


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def measure():
    """Prints the median of page faults, and of milliseconds, of forward and backward."""
    import torch

    import dropwise.torch as dw

    torch.set_num_threads(1)
    x, dy = torch.randn(1 << 21, requires_grad=True), torch.ones(1 << 21)
    taken = []
    for _ in range(CALLS):
        before, start = faults(), time.perf_counter()
        torch.autograd.grad(dw.dropout(x, 0.1), x, dy)
        taken.append((faults() - before, 1e3 * (time.perf_counter() - start)))
    print(*(statistics.median(column) for column in zip(*taken)))


def main():
    print("| environment | page faults a call | median, ms |")
    print("|---|---|---|")
    for name, settings in ENVIRONMENTS.items():
        rows = []
        for _ in range(3):
            words = subprocess.run(
                [sys.executable, __file__, "measure"],
                env={**os.environ, **settings},
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            rows.append([float(word) for word in words])
        counts, times = zip(*rows)
        values = " ".join(f"`{key}={value}`" for key, value in settings.items())
        row = [f"{name} {values}".strip(), f"{min(counts):.0f} to {max(counts):.0f}"]
        print(f"| {' | '.join(row)} | {min(times):.1f} to {max(times):.1f} |", flush=True)


if __name__ == "__main__":
    measure() if "measure" in sys.argv[1:] else main()
