#!/usr/bin/env python3
"""Makes Markdown of the benchmark's JSON, a section for each table, and the data of its pictures:
report.py FILE.json... [FOLDER]

Each figure is the median over the repetitions of one run; each ratio that of the shortest of times that were
sampled in turn (the counters to_<reference>). With FOLDER, sizes.tsv, relative.tsv and generators.tsv for
plot.gnuplot are written there.
"""
import collections
import json
import os
import pathlib
import re
import sys

KIB, MIB = 1 << 10, 1 << 20
SIZES = [16 * KIB, 256 * KIB, MIB, 2 * MIB, 64 * MIB, 256 * MIB]
IN_CACHE = [16 * KIB, 256 * KIB, MIB, 2 * MIB]
TIERS = ["scalar", "neon", "rvv", "avx2", "avx512"]
WIDTHS = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2}


def median(values):
    return sorted(values)[len(values) // 2]


class Run:
    """Medians by the name of the row: nanoseconds a call, and counters."""

    def __init__(self, paths):
        runs = [json.loads(pathlib.Path(path).read_text()) for path in paths]
        self.context = runs[0]["context"]
        rows = collections.defaultdict(list)
        self.errors = {}
        for row in (row for run in runs for row in run["benchmarks"]):
            name = re.sub(r"/repeats:\d+$", "", row["run_name"])
            if row.get("error_occurred"):
                self.errors[name] = row["error_message"]
            elif row.get("run_type") == "iteration":
                rows[name].append(row)
        scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
        # Processor time: others on the machine take less from it than from the wall clock.
        self.times = {name: median([row["cpu_time"] * scale[row["time_unit"]] for row in of_name])
                      for name, of_name in rows.items()}
        self.counters = {name: {key: median([row[key] for row in of_name])
                                for key in of_name[0] if key.startswith("to_")}
                         for name, of_name in rows.items()}
        self.tiers = [tier for tier in TIERS if f"forward/f32/{tier}/p:0.1/bytes:{256 * KIB}" in self.times]
        self.vector_tiers = [tier for tier in self.tiers if tier != "scalar"]

    def time(self, name):
        return self.times.get(name)

    def ratio(self, name, reference):
        return self.counters.get(name, {}).get("to_" + reference)


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return re.search(r"model name\s*: (.*)", f.read()).group(1)
    except (OSError, AttributeError):
        return "unknown CPU"


def size_name(size):
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(heading, text, columns, rows):
    """A section with a table; cells that are not known stay empty, rows without any figure are left out."""
    rows = [row for row in rows if any(isinstance(cell, float) for cell in row)]
    print(f"\n### {heading}\n\n{text}\n")
    if not rows:
        print("Nothing of this was measured.")
        return
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        cells = [figure(cell) if isinstance(cell, float) else cell or "" for cell in row]
        print("| " + " | ".join(cells) + " |")


def per_element(time, elements):
    return None if time is None else time / elements


def inverse(ratio):
    return None if ratio is None else 1 / ratio


def print_tiers(run):
    rows = []
    for tier in run.tiers:
        for size in SIZES:
            one, five = (f"forward/f32/{tier}/p:{p}/bytes:{size}" for p in ("0.1", "0.5"))
            rate = None if run.time(one) is None else 2 * size / run.time(one)
            rows.append([tier, size_name(size), per_element(run.time(one), size / 4),
                         per_element(run.time(five), size / 4), rate, run.ratio(one, "scale"),
                         run.ratio(five, "scale"), run.ratio(one, "memcpy"), run.ratio(five, "memcpy")])
    table("Tiers", "f32 forward from the seed alone; x and y apart.",
          ["tier", "tensor", "ns/element, p = 0.1", "p = 0.5", "GB/s, p = 0.1", "to `y = s*x`, p = 0.1",
           "p = 0.5", "to memcpy, p = 0.1", "p = 0.5"], rows)


PEERS = [
    ("libxsmm, AVX2 code", "forward/f32/libxsmm-avx2"),
    ("libxsmm, AVX2 code, bits stored", "forward_bits/f32/libxsmm-avx2"),
    ("libxsmm, AVX2 code, bf16", "forward/bf16/libxsmm-avx2"),
    ("libxsmm, AVX-512 code", "forward/f32/libxsmm-avx512"),
    ("libxsmm, AVX-512 code, bits stored", "forward_bits/f32/libxsmm-avx512"),
    ("libxsmm, AVX-512 code, bf16", "forward/bf16/libxsmm-avx512"),
    ("libxsmm, NEON code", "forward/f32/libxsmm-neon"),
    ("oneDNN", "forward/f32/onednn"),
    ("PyTorch", "forward/f32/pytorch"),
    ("as with NumPy, unfused", "forward/f32/unfused"),
    ("Random123, our bits", "bits/random123"),
]


def print_peers(run):
    rows = []
    for title, row in PEERS:
        for size in (256 * KIB, 16 * MIB, 64 * MIB):
            name = f"{row}/p:0.1/bytes:{size}"
            elements = size / WIDTHS.get(row.split("/")[1], 4)
            rows.append([title, size_name(size), per_element(run.time(name), elements),
                         run.ratio(name, "memcpy")] + [run.ratio(name, tier) for tier in run.vector_tiers])
    table("Other libraries", "They do the same, p = 0.1; f32 where nothing is said. The last columns: their "
          "time over that of dropwise.", ["peer", "tensor", "ns/element", "to memcpy"]
          + [f"dropwise {tier} is faster by" for tier in run.vector_tiers], rows)
    for name, error in run.errors.items():
        if name.startswith("peer/"):
            print(f"\n{name.split('/')[1]}: {error}.")


LIST_OF_GENERATORS = pathlib.Path(__file__).resolve().parent.parent / "src/kernels/generators.inc"
GENERATORS = re.findall(r'^DROPWISE_GENERATOR\w*\(.*"(.*)"', LIST_OF_GENERATORS.read_text(), re.M)


def print_generators_beside_libxsmm(run):
    rows = []
    for tier in run.tiers:
        for p in ("0.1", "0.5"):
            for size in IN_CACHE:
                name = f"forward/f32/libxsmm-{tier}/p:{p}/bytes:{size}"
                rows.append([tier, p, size_name(size), per_element(run.time(name), size / 4)]
                            + [inverse(run.ratio(name, tier if i == 0 else f"{tier}_{generator}"))
                               for i, generator in enumerate(GENERATORS)])
    table("Generators beside libxsmm", "f32 dropout in cache by each generator, as parts of the time that "
          "libxsmm takes with the same instructions:",
          ["tier", "p", "tensor", "libxsmm, ns/element"] + GENERATORS, rows)


def print_in_cache(run):
    rows = []
    for tier in run.vector_tiers:
        for p in ("0.1", "0.5"):
            for size in IN_CACHE:
                row = [tier, p, size_name(size)]
                for generator in ("", "_philox4x32-7", "_ars4x32-7"):
                    name = f"forward{generator}/f32/{tier}/p:{p}/bytes:{size}"
                    row += [per_element(run.time(name), size / 4), run.ratio(name, "scale")]
                rows.append(row)
    table("Generators in cache", "f32 dropout by three generators, and how much longer it takes than "
          "`y = s*x`:",
          ["tier", "p", "tensor"] + [cell for generator in ("philox4x32-10", "philox4x32-7", "ars4x32-7")
                                     for cell in (f"{generator}, ns/element", "to `y = s*x`")], rows)


WALKS = [
    ("tile of 64 x 64 in a matrix of 4,096 x 4,096", "tile_64/f32", 64 * 64),
    ("the same in buffers of its own", "tile_64_packed/f32", 64 * 64),
    ("tile of 128 x 128", "tile_128/f32", 128 * 128),
    ("the same in buffers of its own", "tile_128_packed/f32", 128 * 128),
] + [(f"128 rows of {width}, {how}", f"{row}_{width}/f32", 128 * width) for width in (64, 77, 512, 768)
     for how, row in (("a view", "rows"), ("a call each", "row_calls"))]


def print_walks(run):
    rows = []
    for title, row, elements in WALKS:
        for tier in run.vector_tiers:
            end = f"p:0.1/bytes:{4 * elements}"
            name = f"{row}/{tier}/{end}"
            rows.append([title, tier, per_element(run.time(name), elements), run.ratio(name, "loop"),
                         run.ratio(name, "contiguous"),
                         inverse(run.ratio(f"{row}/libxsmm-{tier}/{end}", tier))])
    for tier in run.vector_tiers:
        name = f"spatial_nhwc/f32/{tier}/p:0.1/bytes:{256 * KIB}"
        rows.append(["feature maps of 32 x 32, NHWC, 256 KiB", tier, per_element(run.time(name), 64 * KIB),
                     run.ratio(name, "scale"), None, None])
    table("Tiles and rows", "f32, p = 0.1, in cache: beside a loop `y = s*x` over the same elements, beside "
          "a call on as many that follow each other, and beside libxsmm, whose masks know nothing of the "
          "matrix:",
          ["", "tier", "ns/element", "to `y = s*x`", "to a contiguous call", "to libxsmm"], rows)


def print_sixteen_bits(run):
    rows = []
    for dtype in ("bf16", "f16"):
        for tier in run.vector_tiers:
            for size in (16 * KIB, 256 * KIB):
                name = f"forward/{dtype}/{tier}/p:0.1/bytes:{size}"
                rows.append([f"{dtype} forward", tier, size_name(size), per_element(run.time(name), size / 2),
                             "y = s*x", run.ratio(name, "scale"),
                             inverse(run.ratio(f"forward/{dtype}/libxsmm-{tier}/p:0.1/bytes:{size}", tier))])
    for tier in run.vector_tiers:
        name = f"residual_768/bf16/{tier}/p:0.1/bytes:{2 * 128 * 768}"
        rows.append(["bf16 residual + dropout(x + bias), rows of 768", tier, "192 KiB",
                     per_element(run.time(name), 128 * 768), "a loop for residual + s * (x + bias)",
                     run.ratio(name, "loop"), None])
    table("16 bits in cache", "p = 0.1:",
          ["", "tier", "tensor", "ns/element", "compared with", "ratio", "to libxsmm"], rows)


# What is measured on tensors of 64 MiB, and the reference that it is compared with.
STEPS = [
    ("f64 forward", "forward/f64", "y = s*x in f64", "scale"),
    ("f16 forward", "forward/f16", "y = s*x in f16", "scale"),
    ("bf16 forward", "forward/bf16", "y = s*x in bf16", "scale"),
    ("f32 forward, in place", "forward_inplace/f32", "y = 1*y", "scale"),
    ("f32 forward, bits stored", "forward_bits/f32", "y = s*x", "scale"),
    ("feature maps of 32 x 32, NCHW", "spatial_nchw/f32", "y = s*x", "scale"),
    ("feature maps of 32 x 32, NHWC", "spatial_nhwc/f32", "y = s*x", "scale"),
    ("mask shared by 32 time steps", "locked/f32", "y = s*x", "scale"),
    ("residual + dropout(x + bias)", "residual/f32", "a loop for residual + (x + bias)", "sum"),
    ("dropout(ReLU(x + bias))", "relu/f32", "the same call with p = 0", "unmasked"),
    ("dropout(GELU(x + bias))", "gelu/f32", "the same call with p = 0", "unmasked"),
    ("dropout(softmax(scale * x)), rows of 1,024", "softmax/f32", "the same call with p = 0", "unmasked"),
]


def print_steps(run):
    size, rows = 64 * MIB, []
    for title, row, reference, counter in STEPS:
        for tier in run.vector_tiers:
            name = f"{row}/{tier}/p:0.1/bytes:{size}"
            elements = size / WIDTHS[row.split("/")[1]]
            rows.append([title, tier, per_element(run.time(name), elements), reference,
                         run.ratio(name, counter)])
    table("Element types, layouts, fused steps", "64 MiB, p = 0.1:",
          ["", "tier", "ns/element", "compared with", "ratio"], rows)


FUNCTIONS = [("GELU", "gelu"), ("GELU by tanh", "gelu_tanh"), ("SiLU", "silu"),
             ("softmax, rows of 1,024", "softmax")]


def print_functions(run):
    rows = []
    for title, name in FUNCTIONS + [(f"{title}, backward", f"{name}_backward") for title, name in FUNCTIONS]:
        for tier in run.vector_tiers:
            row = [title, tier]
            for size in (256 * KIB, 4 * MIB):
                at = f"{name}/f32/pytorch-{tier}/p:0.1/bytes:{size}"
                ratio = run.ratio(at, "dropwise")
                row += [per_element(run.time(at), size / 4), 1 / ratio if ratio else None]
            rows.append(row)
    table("Functions and softmax", "PyTorch's plain ones, with the same instructions, and the time of ours "
          "with dropout, p = 0.1, over theirs without; f32. Our softmax backward draws its mask besides:",
          ["", "tier", "PyTorch, 256 KiB, ns/element", "ours to it", "PyTorch, 4 MiB, ns/element",
           "ours to it"], rows)


def print_attention(run):
    rows = []
    for dtype, element in (("f32", 4), ("bf16", 2)):
        for name, title in (("attention", "forward"), ("attention_backward", "backward")):
            for length in (512, 2048):
                for tier in run.vector_tiers:
                    suffix = f"p:0.1/bytes:{12 * length * 64 * element}"
                    ours, theirs = (f"{name}/{dtype}/{of}/{suffix}" for of in (tier, f"pytorch-{tier}"))
                    ratio, time = run.ratio(theirs, "dropwise"), run.time(theirs)
                    rows.append([f"{dtype}, {title}, {length:,} queries and keys", tier,
                                 per_element(time, 1e6), 1 / ratio if ratio else None,
                                 run.ratio(ours, "unmasked")])
    table("Attention", "12 heads of size 64: PyTorch's scaled-dot-product attention without dropout, "
          "with the same instructions, and the time of ours with dropout, p = 0.1, over it and over ours "
          "without; bf16 by AMX where the CPU has it:",
          ["", "tier", "PyTorch, ms", "ours to it", "dropout on to off"], rows)


VARIANTS = [
    ("alpha dropout", "alpha", None, None),
    ("zoneout, which reads two tensors", "zoneout", "a loop that chooses by a stored mask", "choice"),
    ("DropBlock, 7 x 7 in maps of 32 x 32, NCHW", "dropblock_nchw",
     "seeds, the largest of each block, a product", "steps"),
    ("DropBlock, NHWC", "dropblock_nhwc", None, None),
    ("DropBlock, one mask for all channels", "dropblock_shared", None, None),
    ("DropBlock, backward", "dropblock_backward", None, None),
    ("Gaussian dropout", "gaussian", "one pass an operation, functions of the C library", "steps"),
    ("concrete dropout", "concrete", "one pass an operation, functions of the C library", "steps"),
]


def print_variants(run):
    size, rows = 64 * MIB, []
    for title, row, steps, counter in VARIANTS:
        for tier in run.vector_tiers:
            name = f"{row}/f32/{tier}/p:0.1/bytes:{size}"
            rows.append([title, tier, per_element(run.time(name), size / 4), run.ratio(name, "plain"), steps,
                         inverse(run.ratio(name, counter)) if counter else None])
    table("Variants", "f32, 64 MiB, p = 0.1, to plain dropout, and how much longer the same takes in usual "
          "steps:",
          ["", "tier", "ns/element", "to plain dropout", "usual steps", "take longer by"], rows)


DROPCONNECT = [
    ("a mask drawn with NumPy's generator, stored, multiplied", "numpy"),
    ("a mask drawn by this library, stored, multiplied", "floats"),
    ("a masked copy of the weights, multiplied", "copy"),
]


def print_dropconnect(run):
    rows = []
    for tier in run.vector_tiers:
        for size in (4 * MIB, 16 * MIB):
            name = f"dropconnect/f32/{tier}/p:0.5/samples:1/bytes:{size}"
            rows.append([tier, f"{size // 4096:,} x 1,024", per_element(run.time(name), size / 4)]
                        + [inverse(run.ratio(name, reference)) for _, reference in DROPCONNECT])
    table("DropConnect", "f32, p = 0.5: a product of a matrix and a vector whose mask is drawn on the way, "
          "and how much longer the same takes in steps:",
          ["tier", "weights", "ns/weight"] + [title for title, _ in DROPCONNECT], rows)


def print_small(run):
    rows = []
    for n in (1, 16, 64, 256, 1024):
        end = f"p:0.1/bytes:{4 * n}"
        inlined = [run.time(f"forward/f32/inlined-{kind}/{end}") for kind in ("bytes", "words")]
        row = [str(n), min([time for time in inlined if time is not None], default=None)]
        for tier in run.tiers:
            name = f"forward/f32/{tier}/{end}"
            row += [run.time(name), run.ratio(name, "inlined")]
            if tier in run.vector_tiers:
                libxsmm = run.ratio(f"forward/f32/libxsmm-{tier}/{end}", tier)
                row += [run.ratio(name, "scale"), inverse(libxsmm)]
        rows.append(row)
    table("Small calls", "f32, p = 0.1, beside the better of two scalar loops without a call, compiled for "
          "the tier, beside `y = s*x`, and beside libxsmm, which makes a kernel for each number of elements "
          "before:",
          ["elements", "loop, ns"]
          + [cell for tier in run.tiers for cell in [f"{tier}, ns", "to the loop"]
             + (["to `y = s*x`", "to libxsmm"] if tier in run.vector_tiers else [])], rows)


def print_masks(run):
    rows = []
    for tier in run.vector_tiers:
        for title, row, element in (("keep bits", f"bits/{tier}/p:0.1", 4),
                                    ("bits to bytes", f"to_bytes/{tier}", 1),
                                    ("bytes to bits", f"to_bits/{tier}", 1)):
            for size in (256 * KIB, 64 * MIB):
                name, n = f"{row}/bytes:{size}", size // element
                loop = run.ratio(f"bits/random123/p:0.1/bytes:{size}", tier) if element == 4 else None
                rows.append([title, tier, f"{n:,}", per_element(run.time(name), n),
                             run.ratio(name, "memcpy"), loop])
    table("Masks alone", "p = 0.1:",
          ["", "tier", "elements", "ns/element", "to memcpy of as many bytes",
           "a loop over Random123 takes longer by"], rows)


def print_threads(run):
    rows = []
    for tier in run.tiers:
        for size in (256 * KIB, MIB, 64 * MIB):
            name = f"threads/f32/{tier}/p:0.1/bytes:{size}/threads:"
            rows.append([tier, size_name(size)]
                        + [per_element(run.time(name + threads), size / 4) for threads in ("1", "2")]
                        + [inverse(run.ratio(name + "2", "one_thread"))])
    table("Two threads", "They share one f32 tensor, p = 0.1:",
          ["tier", "tensor", "ns/element, one thread", "two", "faster by"], rows)


def generators_of(run):
    """{generator: {tier: nanoseconds a byte}}: one byte serves one element."""
    found = collections.defaultdict(dict)
    for name, time in run.times.items():
        row = re.match(r"kernel/generate_((?!at_)\w+)/(\w+)/bytes:4096$", name)
        if row:
            found[row.group(1).replace("_", "-")][row.group(2)] = time / 4096
    order = GENERATORS + sorted(found.keys() - set(GENERATORS))
    return {name: found[name] for name in order if name in found}


def print_generators(run):
    rows = [[name] + [times.get(tier) for tier in run.tiers] for name, times in generators_of(run).items()]
    table("Generators alone", "ns per element (one byte each), in L1:", ["generator"] + run.tiers, rows)


def curves_of(run):
    """What the picture over sizes shows: (title, {size: nanoseconds per element}); memcpy, tiers, others."""
    rows = [("memcpy", "memcpy")]
    rows += [(f"dropwise {tier}", f"forward/f32/{tier}/p:0.1") for tier in TIERS]
    rows += [(title, row + "/p:0.1") for title, row in PEERS if row.startswith("forward/f32/")]
    rows += [("scalar loop, Philox inlined", "forward/f32/inlined-bytes/p:0.1")]
    curves = []
    for title, row in rows:
        points = {int(name.rsplit(":", 1)[1]): time for name, time in run.times.items()
                  if name.startswith(row + "/bytes:")}
        if points:
            curves.append((title, {size: 4 * time / size for size, time in points.items()}))
    return curves


def write_tsv(path, header, rows):
    with open(path, "w") as f:
        for row in [header] + rows:
            f.write("\t".join(str(cell) for cell in row) + "\n")


def write_data(run, folder):
    curves = curves_of(run)
    write_tsv(os.path.join(folder, "sizes.tsv"), ["bytes"] + [title for title, _ in curves],
              [[size] + [points.get(size, "?") for _, points in curves] for size in sorted(curves[0][1])])
    relative = [(tier, p) for tier in run.vector_tiers for p in ("0.1", "0.5")]
    sizes = sorted({int(name.rsplit(":", 1)[1]) for name in run.times if name.startswith("forward/f32/")})
    write_tsv(os.path.join(folder, "relative.tsv"), ["bytes"] + [f"{tier}, p = {p}" for tier, p in relative],
              [[size] + [run.ratio(f"forward/f32/{tier}/p:{p}/bytes:{size}", "scale") or "?"
                         for tier, p in relative] for size in sizes if KIB <= size <= 128 * MIB])
    tiers = run.vector_tiers or run.tiers
    write_tsv(os.path.join(folder, "generators.tsv"), ["generator"] + tiers,
              [[name] + [times.get(tier, "?") for tier in tiers]
               for name, times in generators_of(run).items()])


def main():
    run = Run([path for path in sys.argv[1:] if path.endswith(".json")])
    print(f"{cpu_name()}, one thread, {run.context['compiler']}, {run.context['date'][:10]}")
    for print_table in (print_tiers, print_peers, print_in_cache, print_generators_beside_libxsmm,
                        print_small, print_walks, print_sixteen_bits, print_steps, print_functions,
                        print_attention, print_variants, print_dropconnect, print_masks, print_threads,
                        print_generators):
        print_table(run)
    if not sys.argv[-1].endswith(".json"):
        write_data(run, sys.argv[-1])


main()
