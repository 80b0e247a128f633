#!/usr/bin/env python3
"""Makes a Markdown table of ratios from the benchmark's JSON: report.py FILE.json

Each figure is the median over the repetitions of one run. Ratios are to rows of the same run: to the better
one of the two loops y = s * x of the same tier (ordinary and streaming stores), and to memcpy.
"""
import collections
import json
import re
import sys

SIZES = [(16 << 10, "16 KiB"), (256 << 10, "256 KiB"), (1 << 20, "1 MiB"), (64 << 20, "64 MiB"),
         (256 << 20, "256 MiB")]


def read_medians(path):
    with open(path) as f:
        run = json.load(f)
    times = collections.defaultdict(list)
    for row in run["benchmarks"]:
        if row.get("run_type") == "iteration" and not row.get("error_occurred"):
            scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[row["time_unit"]]
            # Processor time: others on the machine take less from it than from the wall clock.
            times[re.sub(r"/repeats:\d+$", "", row["run_name"])].append(row["cpu_time"] * scale)
    return run["context"], {name: sorted(t)[len(t) // 2] for name, t in times.items()}


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return re.search(r"model name\s*: (.*)", f.read()).group(1)
    except (OSError, AttributeError):
        return "unknown CPU"


# What is measured on tensors of 64 MiB, and what it is compared with: the benchmark's rows of the same run.
STEPS = [
    ("f64 forward", "forward/f64", "y = s*x in f64", ["scale_f64"]),
    ("f16 forward", "forward/f16", "y = s*x in f16", ["scale_f16"]),
    ("bf16 forward", "forward/bf16", "y = s*x in bf16", ["scale_bf16"]),
    ("feature maps of 32 x 32, NCHW", "spatial_nchw/f32", "y = s*x", ["scale"]),
    ("feature maps of 32 x 32, NHWC", "spatial_nhwc/f32", "y = s*x", ["scale"]),
    ("mask shared by 32 time steps", "locked/f32", "y = s*x", ["scale"]),
    ("residual + dropout(x + bias)", "residual/f32", "a loop for residual + (x + bias)", None),
    ("dropout(ReLU(x + bias))", "relu/f32", "the same call with p = 0", None),
    ("dropout(GELU(x + bias))", "gelu/f32", "the same call with p = 0", None),
    ("dropout(softmax(scale * x)), rows of 1,024", "softmax/f32", "the same call with p = 0", None),
]


def print_steps(medians, isas):
    size = 64 << 20
    print("\n| 64 MiB, p = 0.1 | tier | ns/element | compared with | ratio |")
    print("|---|---|---|---|---|")
    for title, row, reference, loops in STEPS:
        for isa in isas:
            time = medians.get(f"{row}/{isa}/p:0.1/bytes:{size}")
            if isa == "scalar" or time is None:
                continue
            if loops:
                names = [f"{loop}/bytes:{size}/isa:{isa}/store:{s}" for loop in loops
                         for s in ("ordinary", "stream")]
            elif "loop" in reference:
                names = [f"sum/bytes:{size}"]
            else:
                names = [f"{row}/{isa}/p:0/bytes:{size}"]
            known = [medians[name] for name in names if name in medians]
            if known:
                element = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2}[row.split("/")[1]]
                print(f"| {title} | {isa} | {time / size * element:.3f} | {reference} | "
                      f"{time / min(known):.2f} |")


def main():
    context, medians = read_medians(sys.argv[1])
    isas = [isa for isa in ("scalar", "neon", "avx2", "avx512")
            if f"forward/f32/{isa}/p:0.1/bytes:262144" in medians]
    print(f"{cpu_name()}, one thread, {context['compiler']}, {context['date'][:10]}; "
          "f32 forward from the seed alone; x and y apart.\n")
    print("| tier | tensor | ns/element, p = 0.1 | p = 0.5 | GB/s, p = 0.1 | to `y = s*x`, p = 0.1 | p = 0.5 "
          "| to memcpy, p = 0.1 |")
    print("|---|---|---|---|---|---|---|---|")
    for isa in isas:
        for size, label in SIZES:
            try:
                one, five = (medians[f"forward/f32/{isa}/p:{p}/bytes:{size}"] for p in ("0.1", "0.5"))
                scale = min(medians[f"scale/bytes:{size}/isa:{isa}/store:{s}"]
                            for s in ("ordinary", "stream"))
                copy = medians[f"memcpy/bytes:{size}"]
            except KeyError:
                continue
            n = size / 4
            print(f"| {isa} | {label} | {one / n:.3f} | {five / n:.3f} | {2 * size / one:.1f} | "
                  f"{one / scale:.2f} | {five / scale:.2f} | {one / copy:.2f} |")
    print_steps(medians, isas)
    small = [f"{isa} {medians[f'forward/f32/{isa}/p:0.1/bytes:256']:.0f} ns" for isa in isas
             if f"forward/f32/{isa}/p:0.1/bytes:256" in medians]
    if small:
        print(f"\nA call on 64 elements, p = 0.1: {', '.join(small)}.")


main()
