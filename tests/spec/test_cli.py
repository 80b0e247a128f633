#!/usr/bin/env python3
"""Tests of the program dropwise: test_cli.py PROGRAM, or test_cli.py EMULATOR... PROGRAM.

The expected masks come from a Philox of this file's own.
"""
import fcntl
import io
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import warnings

# Names of files with their folders, as some runs are in folders of their own.
command = [os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[1:]]
failures = []
checks = 0
# How words are understood and files are read is the same on every machine: an emulated one is given some of
# the faulty words, and large files once.
emulated = len(command) > 1 and "DROPWISE_TEST_QUICK" in os.environ
usage_step = 5 if emulated else 1
dtype_step = 3 if emulated else 1
usages = 0


def philox(seed, stream, counter):
    c = [counter & 0xFFFFFFFF, counter >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return struct.pack("<4I", *c)


def keep(seed, stream, p, i):
    threshold = round((1.0 - p) * 2**40)  # half to even
    byte = philox(seed, stream, i // 16)[i % 16]
    if byte != threshold >> 32:
        return byte < threshold >> 32
    tie = struct.unpack("<4I", philox(seed, stream, i // 4 | 1 << 60))[i % 4]
    return tie < threshold & 0xFFFFFFFF


def digits(seed, stream, p, first, n):
    return "".join("01"[keep(seed, stream, p, i)] for i in range(first, first + n))


def oracle(file, macro):
    """Rows of one of the oracle's lists: their columns but the first."""
    text = read(os.path.join(os.path.dirname(__file__), "..", "oracle", file)).decode()
    return [row.split(", ")[1:] for row in re.findall(rf"^{macro}\((.*)\)$", text, re.M)]


def run(*args, stdin=b"", env=None, stdout=subprocess.PIPE, **kw):
    """Without a limit of time: who runs the tests sets one."""
    return subprocess.run([*command, *map(str, args)], input=stdin, stdout=stdout,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, **kw)


def check(what, condition):
    global checks
    checks += 1
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def skip(what, why):
    print(f"SKIPPED: {what}: {why}")


def check_output(what, expected, *args, **kw):
    result = run(*args, **kw)
    check(f"{what}: status {result.returncode}, {result.stderr.decode()!r}", result.returncode == 0)
    check(f"{what}: {result.stdout[:80]!r} instead of {expected[:80]!r}", result.stdout == expected)


def check_usage(what, *args):
    global usages
    usages += 1
    if usages % usage_step != 0:
        return
    result = run(*args)
    check(f"{what}: status {result.returncode} instead of 2", result.returncode == 2)
    check(f"{what}: prints on stdout", result.stdout == b"")
    check(f"{what}: no message", result.stderr.startswith(b"dropwise: "))


def check_failure(what, message, *args, **kw):
    result = run(*args, **kw)
    check(f"{what}: status {result.returncode} instead of 1", result.returncode == 1)
    check(f"{what}: {result.stderr.decode()!r} lacks {message!r}", message.encode() in result.stderr)


def npy_file(header, data, version=1):
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode("latin1") + data


def npy(descr, shape, data, order="False", version=1):
    header = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    return npy_file(header.ljust(119 - (2 if version == 1 else 4)) + "\n", data, version)


def write(name, content):
    with open(name, "wb") as f:
        f.write(content)


def read(name):
    with open(name, "rb") as f:
        return f.read()


def test_mask():
    base = ["mask", "--seed", 42, "--stream", 7]
    for p in (0, 0.1, 1 / 3, 0.5, 1 / 512, 1):
        for first in (0, 15, 2**32 - 100, 2**36 - 50, 2**60 - 300):
            expected = digits(42, 7, p, first, 300) + "\n"
            check_output(f"mask p {p} first {first}", expected.encode(), *base, "--p", repr(p),
                         "--first", first, "--n", 300)
    line = digits(2**64 - 1, 2**63, 0.1, 5, 77)
    check_output("hexadecimal", (line + "\n").encode(), "mask", "--seed=0xFFFFFFFFFFFFFFFF",
                 "--stream", "0X8000000000000000", "--p=0.1", "--first=0x5", "--n", "0x4d")
    packed = bytes(int(line[i:i + 8][::-1], 2) for i in range(0, 77, 8))
    check_output("raw", packed, "mask", "--seed", 2**64 - 1, "--stream", 2**63, "--p", "0.1",
                 "--first", 5, "--n", 77, "--format", "raw")
    check_output("no elements", b"\n", *base, "--p", 0.5, "--first", 0, "--n", 0)
    check_output("no bits", b"", *base, "--p", 0.5, "--first", 2**60, "--n", 0, "--format", "raw")
    long = run(*base, "--p", 0.1, "--first", 3, "--n", 1000000).stdout
    raw = run(*base, "--p", 0.1, "--first", 3, "--n", 1000000, "--format", "raw").stdout
    expanded = "".join(f"{b:08b}"[::-1] for b in raw)
    check("ascii and raw agree over many chunks", long.decode() == expanded + "\n")
    check("long mask begins right", long[:200].decode() == digits(42, 7, 0.1, 3, 200))
    check("long mask ends right", long[-101:-1].decode() == digits(42, 7, 0.1, 3 + 999900, 100))

    # A mask of 2^60 elements begins at once and stops when nobody reads on.
    endless = subprocess.Popen([*command, *map(str, base), "--p", "0.1", "--first", "0", "--n",
                                str(2**60), "--format", "raw"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    head = endless.stdout.read(100000)
    endless.stdout.close()
    endless.wait()
    endless.stderr.close()
    check_output("2^60 elements stream", head, *base, "--p", 0.1, "--first", 0, "--n", 800000,
                 "--format", "raw")
    check_failure("past 2^60", "2^60", *base, "--p", 0.5, "--first", 2**60, "--n", 1)
    check_failure("past 2^60 by a wrapped sum", "2^60", *base, "--p", 0.5, "--first", 2**64 - 1,
                  "--n", 2)


def test_layouts():
    data = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")

    def mask(layout, seed, p, n, first=0, **options):
        flat = [w for name, value in options.items() for w in ("--" + name, value)]
        return ["mask", "--layout", layout, "--seed", seed, "--p", p, "--first", first, "--n", n, *flat]

    # TensorFlow's documentation; transcriptions of the others' sources; masks that oneDNN, torch.compile and
    # NumPy drew.
    check_output("tf", b"101000010100001\n", *mask("tf", 1, 0.5, 15, stream=0))
    check_output("torch-cuda", b"011111101010\n",
                 *mask("torch-cuda", 42, 0.5, 12, size=4096, threads=1024, vector=4))
    check_output("triton", b"0100010011\n", *mask("triton", 123, 0.5, 10))
    for version in ("2.11", "2.12"):
        check_output("inductor-cpu", b"0001011100\n", *mask("inductor-cpu-" + version, 512, 0.5, 10))
    check_output("flash-attention-2", b"0101011110111001010100000100101101011010\n",
                 *mask("flash-attention-2", 0, 0.5, 40, first=40, rows=32, columns=40))
    check_output("transformer-engine, raw", bytes([0xBE, 0xFF, 0xEF, 0xED]),
                 *mask("transformer-engine", 0, 0.25, 32, format="raw"))
    with open(os.path.join(data, "onednn_masks.txt")) as rows:
        row = [line.split() for line in rows if line.startswith("v2")][-1]
    check_output("onednn-3.11", (row[4] + "\n").encode(),
                 *mask("onednn-3.11", row[1], row[3], 256, offset=row[2]))
    with open(os.path.join(data, "inductor_gpu_masks.txt")) as rows:
        row = [line.split() for line in rows if line.startswith("mask f64 ")][-1]
    for version in ("2.11", "2.12"):
        check_output("inductor-gpu", (row[7] + "\n").encode(),
                     *mask("inductor-gpu-" + version, row[4], row[2], len(row[7]), dtype="f64"))
    with open(os.path.join(data, "inductor_interpreted_masks.txt")) as rows:
        row = [line.split() for line in rows if line.startswith("mask bf16 ") and "pointwise" in line][-1]
    check_output("inductor-gpu-2.13", (row[7] + "\n").encode(),
                 *mask("inductor-gpu-2.13", row[4], row[2], len(row[7]), dtype="bf16"))
    with open(os.path.join(data, "numpy_masks.txt")) as rows:
        row = [line.split() for line in rows if not line.startswith("#")][-1]
    check_output("numpy", (row[5] + "\n").encode(), *mask("numpy", row[0], row[4], 256, dtype="f32"))

    # Drawn by PyTorch 2.13 after a dropout of 1,000 elements, ONNX Runtime 1.32 in its third run, oneMKL.
    check_output("torch-cpu", b"0010001000010101010100110110000011010010011011010111010011111110\n",
                 *mask("torch-cpu", 5, 0.5, 64, before=1000))
    check_output("onnx-runtime-cpu", b"0100110111111001101011011111110010000011110011001000111000000110\n",
                 *mask("onnx-runtime-cpu", 5, 0.5, 64, run=2))
    with open(os.path.join(data, "jax_layer_masks.txt")) as rows:
        linen = [line.split() for line in rows if line.startswith("linen ") and "separator=0" in line]
    for _, *numbers, digits in linen[:20]:
        row = dict(number.split("=") for number in numbers)
        check_output("a layer of flax.linen", (digits + "\n").encode(),
                     *mask("jax", row["seed"], 0.5, 256, path=row["path"], run=row["call"]))
    check_usage("--run of 33 bits with --path", *mask("jax", 1, 0.5, 8, path="a", run=2**32))
    kept = ["mask", "--layout", "onemkl-mcg31", "--seed", 1, "--first", 0, "--n", 64]
    check_output("onemkl-mcg31", b"1011100001101011000001111100011111000101111000100111111011000100\n",
                 *kept, "--keep", 0.5)
    check_output("onemkl-mcg31 by p", b"1000000000000000000000001000000000000000000000000000100010000000\n",
                 *kept, "--p", 0.9)
    check_usage("neither --p nor --keep", *kept)
    check_usage("both --p and --keep", *kept, "--p", 0.5, "--keep", 0.5)
    check_usage("--keep that is no number", *kept, "--keep", "half")
    check_usage("--keep of a layout that is given p", *mask("triton", 1, 0.5, 8, keep=0.5))
    check_usage("--keep without a layout", "mask", "--seed", 1, "--stream", 2, "--keep", 0.5, "--first", 0,
                "--n", 8)

    # The list in the manual, which the program has to keep to: a name, options, and [options] that it takes.
    values = {"stream": 8, "dtype": "f64", "size": 1000, "threads": 256, "vector": 1, "offset": 8, "rows": 30,
              "columns": 30, "before": 7, "run": 3, "path": "enc/Dropout_0"}
    with open(os.path.join(data, "..", "..", "tools", "dropwise.1")) as manual:
        listed = manual.read().replace("\\-", "-").split("Layouts, and the options")[1]
    needs, takes = {}, {}
    for line in listed.split(".nf\n")[1].split(".fi\n")[0].splitlines():
        layout = line.split()[0]
        takes[layout] = re.findall(r"\[--([a-z]+)", line)
        needs[layout] = {option: values[option] for option in re.findall(r"(?<!\[)--([a-z]+)", line)}
    check(f"the manual lists {len(needs)} layouts", len(needs) > 20)
    unknown = run(*mask("cudnn", 1, 0.5, 8))
    known = unknown.stderr.decode().split("--layout takes ")[1].split(", not ")[0].split(", ")
    check(f"the program knows {known}", sorted(known) == sorted(needs) and unknown.returncode == 2)
    for layout, versions in (("inductor-gpu", ("2.11", "2.12", "2.13")), ("inductor-cpu", ("2.11", "2.12")),
                             ("onednn", ("3.6", "3.11"))):
        result = run(*mask(layout, 1, 0.5, 8))
        message = result.stderr.decode()
        check(f"{layout} without a version: {message!r}", result.returncode == 2 and result.stdout == b"" and
              all(f" {layout}-{v}," in message for v in versions) and "triton" not in message)
    for layout, needed in needs.items():
        result = run(*mask(layout, 5, 0.5, 900, **needed))
        check(f"{layout}: {result.stderr.decode()!r}", result.returncode == 0)
        ones = result.stdout.count(b"1")
        check(f"{layout}: {ones} of 900 are kept", len(result.stdout) == 901 and 350 < ones < 550)
        for option, value in values.items():
            given = {**needed, option: value}
            if option in needed:
                del given[option]
                check_usage(f"{layout} without --{option}", *mask(layout, 5, 0.5, 9, **given))
            elif option in takes[layout]:
                check(f"{layout} with --{option}", run(*mask(layout, 5, 0.5, 9, **given)).returncode == 0)
            else:
                check_usage(f"{layout} with --{option}", *mask(layout, 5, 0.5, 9, **given))
        check_usage(f"{layout}, p 1.5", *mask(layout, 5, 1.5, 9, **needed))
    for layout in ("onednn-3.6", "onednn-3.11-no-offset", "onemkl"):
        check_usage(f"{layout}, a seed of 33 bits", *mask(layout, 2**32, 0.5, 8))
    check_usage("dtype", *mask("tf", 1, 0.5, 8, stream=0, dtype="f8"))
    check_usage("offset 0", *mask("onednn-3.11", 1, 0.5, 8, offset=0))
    check_usage("threads", *mask("torch-cuda", 1, 0.5, 8, size=8, threads=2**32, vector=4))
    check_usage("size and vector", *mask("torch-cuda", 1, 0.5, 8, size=10, threads=256, vector=4))
    check_usage("words that wrap", *mask("torch-cpu", 1, 0.5, 8, before=2**59, offset=2**64 - 2**60))
    check_usage("a generator and a layout", *mask("triton", 1, 0.5, 8, generator="philox4x32-7"))
    check_usage("a layout's option without a layout", "mask", "--seed", 1, "--stream", 2, "--p", 0.5,
                "--first", 0, "--n", 8, "--offset", 4)
    check_failure("past 2^32", "4294967296 elements",
                  *mask("inductor-gpu-2.11", 1, 0.5, 2, first=2**32 - 1))
    check_failure("past the size", "999 elements", *mask("jax-legacy", 1, 0.5, 1000, size=999))
    whole = run(*mask("curand-host", 7, 0.1, 1000000)).stdout
    check("a part of a mask", run(*mask("curand-host", 7, 0.1, 1000, first=999000)).stdout == whole[999000:])
    for isa in ("scalar", "avx2"):
        result = run(*mask("curand-host", 7, 0.1, 1000000, isa=isa))
        check(f"curand-host --isa {isa}", result.returncode == 1 or result.stdout == whole)


def test_isa():
    base = ["mask", "--seed", 1, "--stream", 2, "--p", 0.1, "--first", 9, "--n", 5000]
    info = run("info").stdout.decode()
    usable = [l for l in info.splitlines() if l.startswith("tiers usable")][0].split()[2:]
    expected = run(*base).stdout
    for isa in usable:
        check_output(f"--isa {isa}", expected, *base, "--isa", isa)
        chosen = run("info", env={"DROPWISE_ISA": isa}).stdout.decode()
        check(f"info with DROPWISE_ISA={isa}", f"tier chosen   {isa}: asked for" in chosen)
    for isa in {"scalar", "neon", "rvv", "avx2", "avx512"} - set(usable):
        check_failure(f"unusable --isa {isa}", "usable here", *base, "--isa", isa)
    check_usage("unknown --isa", *base, "--isa", "sse9")
    of_json = json.loads(run("info", "--json").stdout)
    check("info --json has the tiers", of_json["tiers_usable"] == usable)
    check("info --json has the parts", f"parts         {' '.join(of_json['parts'])}\n" in info)
    for name in ("tier", "aes", "math"):
        word = {True: "yes", False: "no"}.get(of_json[name], of_json[name])
        check(f"info --json has {name}", f"{word}" in info and of_json[f"{name}_reason"] in info)
    check_usage("info --json=1", "info", "--json=1")
    check_usage("info --json twice", "info", "--json", "--json")

    for word in ("interop", "CPU features", "tiers built", "tiers usable", "tier chosen"):
        check(f"info says {word}", word in info)


def test_generators():
    # The library's own tests have known answers; here, that each name draws a mask of its own.
    base = ("mask", "--seed", 5, "--stream", 6, "--p", 0.3, "--first", 1000, "--n", 200)
    expected = digits(5, 6, 0.3, 1000, 200) + "\n"
    check_output("the default generator", expected.encode(), *base, "--generator", "philox4x32-10")
    masks = {expected.encode()}
    names = [row[1].strip('"') for row in oracle("generators.inc", "REF_GENERATOR")]
    for name in names[1:]:
        masks.add(run(*base, "--generator", name).stdout)
        block = run("bytes", "--seed", 5, "--stream", 6, "--first-block", 70, "--n", 16, "--generator", name)
        kept = run("mask", "--seed", 5, "--stream", 6, "--p", 0.5, "--first", 70 * 16, "--n", 16,
                   "--generator", name)
        check(f"bytes and mask of {name}",
              kept.stdout == "".join("01"[b < 128] for b in block.stdout).encode() + b"\n")
    check("each generator has a mask of its own", len(masks) == len(names) > 3)
    result = run(*base, "--generator", "mt19937")
    check("unknown generator", result.returncode == 2 and ", ".join(names).encode() in result.stderr)


def test_bytes():
    blocks = b"".join(philox(3, 4, b) for b in range(2**32 - 2, 2**32 + 3))
    for n in (0, 1, 15, 16, 17, 80):
        check_output(f"{n} bytes", blocks[:n], "bytes", "--seed", 3, "--stream", 4, "--first-block",
                     2**32 - 2, "--n", n)
    # Random123's known answer with the digits of pi.
    check_output("known answer", struct.pack("<4I", 0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
                 "bytes", "--seed", "0x299f31d0a4093822", "--stream", "0x0370734413198a2e",
                 "--first-block", "0x85a308d3243f6a88", "--n", 16)
    check_output("last block", philox(3, 4, 2**64 - 1), "bytes", "--seed", 3, "--stream", 4,
                 "--first-block", 2**64 - 1, "--n", 16)
    check_failure("past the last block", "2^64", "bytes", "--seed", 3, "--stream", 4,
                  "--first-block", 2**64 - 1, "--n", 17)


def test_apply(folder):
    source, target = os.path.join(folder, "in put.npy"), os.path.join(folder, "out.npy")
    values = [float(i) - 50 for i in range(120)]
    data = struct.pack("<120f", *values)
    base = ["apply", "--seed", 5, "--stream", 6, "--p", 0.25]

    def expected(first, scale):
        return struct.pack("<120f", *(v * scale if keep(5, 6, 0.25, first + i) else 0.0
                                      for i, v in enumerate(values)))

    third = struct.unpack("<f", struct.pack("<f", 4 / 3))[0]
    # Products in double, rounded to single by struct: exact, as both factors have 24 bits.
    for shape, order, version in (("(120,)", "False", 1), ("(4, 5, 6)", "False", 2), ("(120, 1)", "True", 3)):
        content = npy("'<f4'", shape, data, order, version)
        write(source, content)
        check_output(f"apply {shape}", b"", *base, source, target)
        check(f"apply {shape}: header kept", read(target)[:-480] == content[:-480])
        check(f"apply {shape}: elements", read(target)[-480:] == expected(0, third))
    check_output("apply --first", b"", *base, "--first", 100, source, target)
    check("apply --first: elements", read(target)[-480:] == expected(100, third))
    check_output("apply standard", b"", *base, "--scaling", "standard", source, target)
    check("apply standard: elements", read(target)[-480:] == expected(0, 1.0))
    piped = run(*base, "-", "-", stdin=content)
    check("apply - -", piped.returncode == 0 and piped.stdout[-480:] == expected(0, third))
    check_output("apply in place", b"", *base, source, source)
    check("apply in place: elements", read(source)[-480:] == expected(0, third))
    for shape, payload in (("()", data[:4]), ("(0,)", b""), ("(3, 0, 2)", b"")):
        write(source, npy("'<f4'", shape, payload))
        check_output(f"apply {shape}", b"", *base, source, target)
        check(f"apply {shape}: size", len(read(target)) == 128 + len(payload))

    scale = 2**40 / round(0.75 * 2**40)
    single = lambda v: struct.unpack("<f", struct.pack("<f", v))[0]
    for descr, code, factor in (("'<f8'", "d", scale), ("'<f2'", "e", third)):
        write(source, npy(descr, "(120,)", struct.pack(f"<120{code}", *values)))
        check_output(f"apply {descr}", b"", *base, source, target)
        results = [v * factor if keep(5, 6, 0.25, i) else 0.0 for i, v in enumerate(values)]
        if code == "e":
            results = [single(v) for v in results]  # the product is rounded to float32 first
        check(f"apply {descr}: elements", read(target)[128:] == struct.pack(f"<120{code}", *results))

    os.remove(target)
    bad = {
        "dtype <i4": npy("'<i4'", "(120,)", data),
        "dtype <f16": npy("'<f16'", "(30,)", data),
        "dtype |b1": npy("'|b1'", "(480,)", data),
        "dtype <c8": npy("'<c8'", "(60,)", data),
        "dtype |O": npy("'|O'", "(120,)", data),
        "structured": npy("[('a', '<f4')]", "(120,)", data),
        "cut off": npy("'<f4'", "(121,)", data),
        "more data": npy("'<f4'", "(119,)", data),
        "no file of NumPy's format": b"PK\x03\x04" + data,
        "unknown version": npy("'<f4'", "(120,)", data, version=4),
        "too long": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + data,
        "header is cut off": npy("'<f4'", "(120,)", data)[:40],
        "malformed": npy("'<f4'", "(120,)", data).replace(b"{", b"[", 1),
        "malformed or too large": npy("'<f4'", "(4294967296, 4294967296)", data),
        "2^60": npy("'<f4'", "(1152921504606846977,)", data),
        "lacks a key": npy("'<f4'", "(120,)", data).replace(b"'shape': (120,), ", b" " * 17),
        "unknown key": npy("'<f4'", "(120,)", data).replace(b"'descr'", b"'DESCR'"),
        "NUL": npy("'<f4'", "(120,)", data).replace(b"}", b"\0", 1),
    }
    for message, content in bad.items():
        write(source, content)
        check_failure(f"bad file: {message}", message, *base, source, target)
        check(f"bad file: {message}: its name", f"{source}: ".encode() in run(*base, source, target).stderr)
        check(f"bad file: {message}: no output", sorted(os.listdir(folder)) == ["in put.npy"])
    check_failure("no such file", "No such file", *base, os.path.join(folder, "missing"), target)
    write(source, npy("'<f4'", "(120,)", data))
    check_failure("no such folder", "No such file", *base, source, os.path.join(folder, "a", "b"))


def test_seeds():
    """Negative ones are those of signed integers: half of the seeds that torch.compile draws."""
    base = ["--p", 0.5, "--first", 3, "--n", 100]
    for seed in (-7, -1, -2**63, "-0x7", "-0"):
        value = int(str(seed), 0) % 2**64
        line = digits(value, 5, 0.5, 3, 100) + "\n"
        check_output(f"--seed {seed}", line.encode(), "mask", f"--seed={seed}", "--stream", 5, *base)
        check_output(f"--stream {seed}", (digits(5, value, 0.5, 3, 100) + "\n").encode(), "mask", "--seed", 5,
                     "--stream", seed, *base)
        check_output(f"bytes --seed {seed}", philox(value, value, 9), "bytes", "--seed", seed, "--stream",
                     seed, "--first-block", 9, "--n", 16)
    for layout, bits in (("triton", 64), ("inductor-cpu-2.12", 64), ("onednn-3.6", 32), ("onemkl", 32)):
        mask = lambda seed: run("mask", "--layout", layout, "--seed", seed, *base)
        for seed in (-7, -2**(bits - 1)):
            check(f"{layout} --seed {seed}", len(mask(seed).stdout) == 101 and
                  mask(seed).stdout == mask(seed % 2**bits).stdout)
        for seed in (-2**(bits - 1) - 1, 2**bits):
            check(f"{layout} --seed {seed}", mask(seed).returncode == 2 and
                  f"-2^{bits - 1} to 2^{bits} - 1".encode() in mask(seed).stderr)
    tf = lambda seed: run("mask", "--layout", "tf", "--seed", 1, "--stream", seed, *base).stdout
    check("tf --stream -3", len(tf(-3)) == 101 and tf(-3) == tf(2**64 - 3))


# ---- Headers ----

PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"

# What NumPy reads, with the elements: (header, versions).
GOOD_HEADERS = [
    *((PLAIN % shape, (1, 2, 3), n) for shape, n in (
        ("()", 1), ("(60,)", 60), ("(6, 10)", 60), ("(6,10,)", 60), ("( 6\n,\t10 )", 60), ("(0, 3)", 0),
        ("(00, 3)", 0), ("(0, 2305843009213693951)", 0), ("(2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10)", 60))),
    # Long integers of Python 2, which newer versions of the format do not know.
    *((PLAIN % shape, (1, 2), n) for shape, n in (
        ("(6L, 10L)", 60), ("(60L,)", 60), ("(6L, 10)", 60), ("(0L,)", 0), ("(6 L, 10 L,)", 60))),
    ("{\"shape\": (60,), \"fortran_order\": True, \"descr\": \"<f4\"}", (1, 2, 3), 60),
    ("{'descr':'<f4','fortran_order':False,'shape':(60,)}", (1, 2, 3), 60),
    (" \t" + PLAIN % "(60,)" + " \f\n\n", (1, 2, 3), 60),
    ((PLAIN % "(60,)").ljust(10000), (1, 2, 3), 60),
    ("{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (9,), 'shape': (60,)}", (1, 2), 60),
    *(("{'descr': '%s', 'fortran_order': False, 'shape': (60,)}" % descr, (1, 2, 3), 60)
      for descr in ("=f4", "|f4", "f4", "f", "<f", ">f4", "float32", "single")),
]

# What NumPy refuses.
BAD_HEADERS = [
    *((PLAIN % shape, (1, 2, 3)) for shape in (
        "(60)", "((60))", "60", "[60]", "(,)", "(60,,)", "(6 10)", "(06, 10)", "(6, 010)", "(006L,)",
        "(60.,)", "(6e1,)", "(60j,)", "(-60,)", "(-1,)", "(6l, 10l)", "(6LL, 10)", "(6L0,)", "(60L)",
        "(60,)L", "(60,", "60,)", "('60',)", "(6\v, 10)", "(6_,)", "(0, 2305843009213693952)",
        "(0, 9223372036854775808)", "(18446744073709551676,)", "(4294967296, 4294967296)", "None", "")),
    *((PLAIN % shape, (3,)) for shape in ("(6L, 10L)", "(60L,)")),
    ("{'descr': '<f4', 'fortran_order': 0, 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': false, 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': 'False', 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (60,), 'x': 1}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (60,),,}", (1, 2, 3)),
    ("{'descr': '<f4' 'fortran_order': False, 'shape': (60,)}", (1, 2, 3)),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (60,)", (1, 2, 3)),
    ("{'descr': <f4, 'fortran_order': False, 'shape': (60,)}", (1, 2, 3)),
    ("{}", (1, 2, 3)),
    ("{,}", (1, 2, 3)),
    ("", (1, 2, 3)),
    (PLAIN % "(60,)" + "}", (1, 2, 3)),
    (PLAIN % "(60,)" + "\v", (1, 2, 3)),
    (PLAIN % "(60,)" + "\0", (1, 2, 3)),
    ("\n " + PLAIN % "(60,)", (1, 2, 3)),
    ((PLAIN % "(60,)").ljust(10001), (1, 2, 3)),
    *(("{'descr': '%s', 'fortran_order': False, 'shape': (60,)}" % descr, (1, 2, 3))
      for descr in ("<float32", "F4", "f4 ", " f4", "<f3", "<<f4", "")),
]

# What NumPy reads as Python's expressions, and nobody writes: refused.
UNUSUAL_HEADERS = [PLAIN % shape for shape in ("((60,))", "(+60,)", "(0x3c,)", "(6_0,)")] + [
    "\n" + PLAIN % "(60,)", "(" + PLAIN % "(60,)" + ")", PLAIN % "(60,)" + "# comment",
    "{u'descr': '<f4', 'fortran_order': False, 'shape': (60,)}",
    "{'des' 'cr': '<f4', 'fortran_order': False, 'shape': (60,)}",
]


def test_headers():
    apply = lambda header, n, version: run("apply", "--seed", 1, "--stream", 2, "--p", 1, "-", "-",
                                           stdin=npy_file(header, b"\1" * 4 * n, version))
    for header, versions, n in GOOD_HEADERS:
        for version in versions:
            result = apply(header, n, version)
            check(f"good header {header[:80]!r}, version {version}: {result.stderr.decode()!r}",
                  result.returncode == 0 and result.stdout == npy_file(header, bytes(4 * n), version))
    for header, versions in BAD_HEADERS + [(header, (1, 2, 3)) for header in UNUSUAL_HEADERS]:
        for version in versions[::2 if emulated else 1]:
            result = apply(header, 60, version)
            check(f"bad header {header[:80]!r}, version {version}: status {result.returncode}",
                  result.returncode == 1 and result.stdout == b"" and
                  result.stderr.startswith(b"dropwise: standard input: "))
    for rank, status in ((64, 0), (65, 1)):  # as NumPy 2 holds; NumPy 1 held 32
        check(f"rank {rank}", apply(PLAIN % ("(" + "1," * rank + ")"), 1, 1).returncode == status)

    # The tables are right about NumPy: 2.4.6 and 1.24.2 were tried.
    try:
        import numpy.lib.format
    except ImportError as e:
        return skip("headers held against numpy.lib.format", e)

    def numpy_reads(header, n, version):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                file = io.BytesIO(npy_file(header, b"\1" * 4 * n, version))
                array = numpy.lib.format.read_array(file)
            return array.size == n and array.dtype.itemsize == 4
        except Exception:  # of the tokenizer's, too
            return False
    for header, versions, n in GOOD_HEADERS:
        for version in versions:
            check(f"NumPy reads {header[:80]!r}, version {version}", numpy_reads(header, n, version))
    for header, versions in BAD_HEADERS:
        for version in versions:
            check(f"NumPy refuses {header[:80]!r}, version {version}", not numpy_reads(header, 60, version))
    for header in UNUSUAL_HEADERS:
        check(f"NumPy reads {header[:80]!r}", numpy_reads(header, 60, 1))


# ---- Elements ----

def test_dtypes():
    """With p = 0.5 the scale is 2: one is added to the exponent."""
    def apply(descr, dtype, data, order="False"):
        n = len(data) // int(descr[-1])
        words = ["--dtype", dtype] if dtype else []
        return run("apply", "--seed", 5, "--stream", 6, "--p", 0.5, *words, "-", "-",
                   stdin=npy(f"'{descr}'", f"({n},)", data, order))

    # name: bytes, the bits of 1.0, of 2.0, of the largest number, and of its double
    types = {
        "f64": (8, 0x3FF << 52, 1 << 62, (0x7FF << 52) - 1, 0x7FF << 52),
        "f32": (4, 0x3F800000, 0x40000000, 0x7F7FFFFF, 0x7F800000),
    }
    for name, *numbers in oracle("dtypes.inc", "REF_SMALL_FLOAT"):
        size, fraction_bits, min_exponent, largest, beyond = (int(n, 0) for n in numbers[:5])
        one = 1 - min_exponent << fraction_bits
        types[name] = (size, one, one + (1 << fraction_bits), largest, beyond)
    own = {"f64": "f8", "f32": "f4", "f16": "f2"}
    host = "<" if read(command[-1])[5] == 1 else ">"  # as ELF says, of a program of another machine too
    kept = [keep(5, 6, 0.5, i) for i in range(200)]
    for name, (size, one, two, most, double) in types.items():
        for order in "<>":
            pack = lambda values: b"".join(v.to_bytes(size, "little" if order == "<" else "big")
                                           for v in values)
            source = pack([one, most] * 100)
            expected = pack([v if k else 0 for v, k in zip([two, double] * 100, kept)])
            descrs = [f"{order}{kind}{size}" for kind in "uiV"]
            if size == 1:
                descrs = ["|V1", "<V1", "<f1", "|u1", "|i1", "u1", "=u1", ">f1"]
            if order == "<" and size > 1:
                descrs += [f"|V{size}", f"V{size}"]  # from little-endian machines
            if order == host and size > 1:
                descrs += [f"=u{size}", f"u{size}"]
            if name in own:
                descrs.append(order + own[name])
                result = apply(order + own[name], None, source)
                check(f"{order + own[name]} without --dtype", result.stdout[128:] == expected)
            for descr in descrs[::dtype_step]:
                result = apply(descr, name, source)
                check(f"{descr} --dtype {name}: {result.stderr.decode()!r}", result.stdout ==
                      npy(f"'{descr}'", "(200,)", expected))
    for descr in ("<V2", "|V2", "|V1", "<u2", "<i2", "|u1", "|i1", "<f1", "<i4", "<u8"):
        result = apply(descr, None, bytes(64))
        check(f"{descr} without --dtype: {result.stderr.decode()!r}", result.returncode == 1 and
              b"--dtype" in result.stderr and f"dtype {descr}\n".encode() in result.stderr)
    for descr, dtype in (("<V2", "f32"), ("|V1", "bf16"), ("<u4", "bf16"), ("<f4", "bf16"), ("<f2", "bf16"),
                         ("<f4", "f64"), ("<f8", "f32"), ("<u8", "f8_e5m2"), ("<f2", "f8_e4m3")):
        result = apply(descr, dtype, bytes(64))
        check(f"{descr} --dtype {dtype}: {result.stderr.decode()!r}", result.returncode == 1 and
              result.stdout == b"" and b"--dtype names" in result.stderr)
    for descr in ("|b1", "|S1", "|S2", "<U1", "<c8", "<M8", "<m8", "<V3", "|V0", "|O8", "<f16"):
        for dtype in ("bf16", "f8_e4m3", "f32", "f64")[::dtype_step]:
            result = apply(descr, dtype, bytes(64)) if descr[-1] != "0" else run(
                "apply", "--seed", 5, "--stream", 6, "--p", 0.5, "--dtype", dtype, "-", "-",
                stdin=npy(f"'{descr}'", "(1,)", b""))
            check(f"{descr} --dtype {dtype}", result.returncode == 1 and b"cannot be read" in result.stderr)
    result = run("apply", "--seed", 5, "--stream", 6, "--p", 0.5, "--dtype", "float", "-", "-")
    check("an unknown --dtype lists all", sorted(types) == sorted(
        result.stderr.decode().split(" takes ")[1].split(", not 'float'")[0].split(", ")))
    for dtype in ("", "f8", "float32", "F32", "bfloat16", "f32 "):
        check_usage(f"--dtype {dtype!r}", "apply", "--seed", 5, "--stream", 6, "--p", 0.5, "--dtype", dtype,
                    "-", "-")

    # ml_dtypes 0.6.0 writes bfloat16 as <V2, float8_e4m3fn as <V1 and float8_e5m2 as <f1.
    try:
        import ml_dtypes
        import numpy
    except ImportError as e:
        return skip("files of ml_dtypes", e)
    for name, dtype in (("bfloat16", "bf16"), ("float8_e4m3fn", "f8_e4m3"), ("float8_e5m2", "f8_e5m2")):
        for order in "<>":
            array = numpy.ones((10, 20)).astype(numpy.dtype(getattr(ml_dtypes, name)).newbyteorder(order))
            file = io.BytesIO()
            numpy.save(file, array)
            result = run("apply", "--seed", 5, "--stream", 6, "--p", 0.5, "--dtype", dtype, "-", "-",
                         stdin=file.getvalue())
            data = numpy.frombuffer(result.stdout[128:], array.dtype)
            check(f"{name} of ml_dtypes, {order}: {result.stderr.decode()!r}", result.returncode == 0 and
                  data.astype(numpy.float32).tolist() == [2.0 if k else 0.0 for k in kept])


def test_orders(folder):
    """One array, saved in both orders, has one mask: elements are counted in C order."""
    source, target = os.path.join(folder, "in.npy"), os.path.join(folder, "out.npy")
    shapes = [(1,), (7,), (3, 5), (1, 7, 1), (5, 1, 4), (2, 3, 4, 5), (4, 3, 2, 1, 2, 3, 4), (0, 3),
              (3, 0, 2), (1,) * 12, (2, 3) * 5, (2,) * 16, (600, 700), (2, 200001), (300001, 2), (1, 300001),
              # more axes and elements than a view, or memory, takes at a time
              (2,) * 19, (3,) * 10 + (5,), (7, 2, 2, 2, 2, 2, 2, 2, 2, 999)]
    for shape in shapes:
        strides, n = [], 1
        for size in reversed(shape):
            strides.insert(0, n)
            n *= size
        places = [0]  # in C order, of the elements as they lie in Fortran order
        for size, stride in zip(reversed(shape), reversed(strides)):
            places = [p + c * stride for p in places for c in range(size)]
        values = [float(i % 65521 + 1) for i in range(n)]
        if emulated and n > 500000:
            continue
        for first in (12345,) if emulated and n > 70000 else (0, 12345):
            for descr, code in (("<f4", "<%df"), (">f4", ">%df"), ("<f8", "<%dd")):
                if descr != "<f4" and n > 70000:
                    continue
                write(source, npy(f"'{descr}'", str(shape), struct.pack(code % n, *values)))
                base = ["apply", "--seed", 5, "--stream", 6, "--p", 0.25, "--first", first]
                run(*base, source, target)
                in_c = struct.unpack(code % n, read(target)[128:])
                check(f"{descr} {shape}: C order", [x != 0 for x in in_c[:50]] ==
                      [keep(5, 6, 0.25, first + i) for i in range(min(n, 50))])
                data = struct.pack(code % n, *(values[p] for p in places))
                write(source, npy(f"'{descr}'", str(shape), data, "True"))
                check_output(f"{descr} {shape}: Fortran order", b"", *base, source, target)
                result = read(target)
                check(f"{descr} {shape}: header", b"'fortran_order': True" in result[:128])
                check(f"{descr} {shape}: Fortran order, elements",
                      struct.unpack(code % n, result[128:]) == tuple(in_c[p] for p in places))


# ---- Where results go ----

APPLY = ["apply", "--seed", 5, "--stream", 6, "--p", 0.25]
N = 120
SOURCE = npy("'<f4'", f"({N},)", struct.pack(f"<{N}f", *range(1, N + 1)))
SCALE = struct.unpack("<f", struct.pack("<f", 4 / 3))[0]
RESULT = SOURCE[:128] + struct.pack(f"<{N}f", *((i + 1) * SCALE * keep(5, 6, 0.25, i) for i in range(N)))
ROOT = os.geteuid() == 0
UMASK = os.umask(0o022)
os.umask(UMASK)
OTHER = 65534


class Folder:
    """A new folder with in.npy, to be looked at after a run."""

    def __init__(self):
        self.path = tempfile.mkdtemp()
        self.source = self.file("in.npy", SOURCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def __call__(self, *names):
        return os.path.join(self.path, *names)

    def file(self, name, content, mode=0o644):
        write(self(name), content)
        os.chmod(self(name), mode)
        return self(name)

    def holds(self, what, *names):
        found = sorted(os.listdir(self.path))
        check(f"{what}: the folder holds {found}", found == sorted(["in.npy", *names]))


def check_result(what, name):
    check(f"{what}: the result", read(name) == RESULT)


def test_files():
    with Folder() as f:
        out = f("out.npy")
        check_output("a new file", b"", *APPLY, f.source, out, umask=0o027)
        check_result("a new file", out)
        check("a new file: mode", stat.S_IMODE(os.stat(out).st_mode) == 0o640)
        for mode in (0o600, 0o644, 0o751, 0o2660):
            f.file("out.npy", b"old", mode)
            with open(out, "rb") as reader:
                check_output(f"mode {mode:o}", b"", *APPLY, f.source, out, umask=0o022)
                check(f"mode {mode:o} is kept", stat.S_IMODE(os.stat(out).st_mode) == mode)
                check_result(f"mode {mode:o}", out)
                check("who reads the old file keeps it", reader.read() == b"old")
        f.holds("files", "out.npy")

        # Names of the user's are the user's.
        f.file("out.npy.dropwise-part", b"mine")
        check_output("beside a part", b"", *APPLY, f.source, out)
        f.file("bad", SOURCE[:-1])
        check_failure("beside a part", f"{f('bad')}: the data is cut off", *APPLY, f("bad"), out)
        check("another's part stays", read(f("out.npy.dropwise-part")) == b"mine")
        check_result("a failed run", out)
        os.remove(f("out.npy.dropwise-part"))
        os.remove(f("bad"))
        os.remove(out)

        long = "x" * 255
        check_output("a long name", b"", *APPLY, f.source, f(long))
        check_result("a long name", f(long))
        os.remove(f(long))
        check_output("a relative name", b"", *APPLY, "in.npy", "out.npy", cwd=f.path)
        check_result("a relative name", out)

        # One file with two names stays one.
        f.file("out.npy", b"old", 0o640)
        os.link(out, f("other.npy"))
        check_output("hard links", b"", *APPLY, f.source, out)
        check_result("hard links", f("other.npy"))
        check("hard links: one file, its mode", os.path.samefile(out, f("other.npy")) and
              stat.S_IMODE(os.stat(out).st_mode) == 0o640)
        f.file("out.npy", b"a longer file" * 999, 0o640)
        check_output("hard links, shorter", b"", *APPLY, f.source, out)
        check_result("hard links, shorter", f("other.npy"))
        os.remove(f("other.npy"))

        for what, name in (("one file", f.source), ("another name", f("link.npy"))):
            write(f.source, SOURCE)
            os.link(f.source, f("link.npy"))
            check_output(f"in place, {what}", b"", *APPLY, f.source, name)
            check_result(f"in place, {what}", f.source)
            os.remove(f("link.npy"))
        write(f.source, SOURCE)
        check_failure("a folder", f"{f.path}: Is a directory", *APPLY, f.source, f.path)
        check_failure("no folder", "No such file", *APPLY, f.source, f("a", "out.npy"))
        check_failure("a file as a folder", "Not a directory", *APPLY, f.source, f("in.npy", "out.npy"))
        f.holds("files", "out.npy")

        check_failure("no name", "the output needs a name", *APPLY, f.source, "", cwd=f.path)
        f.holds("no name", "out.npy")


def test_attributes():
    # User 1 may read and write, the group may read, others may do nothing.
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, bits, who) for tag, bits, who in (
            (1, 6, 2**32 - 1), (2, 6, 1), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1)))
    attributes = lambda name: {a: os.getxattr(name, a) for a in os.listxattr(name)
                               if not a.startswith("security.")}
    for what, name, value in (("access control list", "system.posix_acl_access", acl),
                              ("attribute", "user.k", b"v")):
        with Folder() as f:
            out = f.file("out.npy", b"old")
            try:
                os.setxattr(out, name, value)
            except (AttributeError, OSError) as e:
                skip(what, e)
                continue
            check_output(what, b"", *APPLY, f.source, out)
            check_result(what, out)
            check(f"{what}: it stays", attributes(out) == {name: value})
            f.holds(what, "out.npy")

    with Folder() as f:
        out = f.file("out.npy", b"old", 0o660)
        try:
            os.setxattr(f.path, "system.posix_acl_default", acl)
        except (AttributeError, OSError) as e:
            return skip("a folder's access control list", e)
        check_output("a folder's list, an old file", b"", *APPLY, f.source, out)
        check_result("a folder's list, an old file", out)
        check(f"a folder's list, an old file: nobody else may read it, {attributes(out)}",
              attributes(out) == {} and stat.S_IMODE(os.stat(out).st_mode) == 0o660)
        check_output("a folder's list, a new file", b"", *APPLY, f.source, f("new.npy"), umask=0o022)
        check_result("a folder's list, a new file", f("new.npy"))
        open(f("like"), "wb").close()
        modes = [stat.S_IMODE(os.stat(f(name)).st_mode) for name in ("new.npy", "like")]
        check(f"a folder's list, a new file: as others, {modes}",
              modes[0] == modes[1] and attributes(f("new.npy")) == attributes(f("like")) != {})
        f.holds("a folder's list", "out.npy", "new.npy", "like")


def test_links():
    with Folder() as f:
        os.mkdir(f("a"))
        os.mkdir(f("b"))
        out = f("b", "out.npy")
        write(out, b"old")
        os.chmod(out, 0o600)
        os.symlink("../b/out.npy", f("a", "link"))
        os.symlink(f("a", "link"), f("link"))
        for what, name in (("link", f("a", "link")), ("link to a link", f("link"))):
            check_output(what, b"", *APPLY, f.source, name)
            check_result(what, out)
            check(f"{what}: links stay", all(map(os.path.islink, (f("link"), f("a", "link")))))
            check(f"{what}: mode", stat.S_IMODE(os.lstat(out).st_mode) == 0o600)
            os.remove(out)
            check_output(f"dangling {what}", b"", *APPLY, f.source, name)
            check_result(f"dangling {what}", out)
            check(f"dangling {what}: links stay", all(map(os.path.islink, (f("link"), f("a", "link")))))
            write(out, b"old")
            os.chmod(out, 0o600)
        check_output("relative link", b"", *APPLY, "../in.npy", "link", cwd=f("a"))
        check_result("relative link", out)
        write(out, SOURCE)
        check_output("in place by a link", b"", *APPLY, f("link"), f("a", "link"))
        check_result("in place by a link", out)
        check("nothing else is there", os.listdir(f("a")) == ["link"] and os.listdir(f("b")) == ["out.npy"])

        os.symlink("loop2", f("loop"))
        os.symlink("loop", f("loop2"))
        check_failure("a loop of links", f"{f('loop')}: Too many levels", *APPLY, f.source, f("loop"))
        os.symlink("missing/out.npy", f("nowhere"))
        check_failure("a link to nowhere", f"{f('nowhere')}: No such file", *APPLY, f.source, f("nowhere"))
        check("links stay", os.path.islink(f("loop")) and os.path.islink(f("nowhere")))
        f.holds("links", "a", "b", "link", "loop", "loop2", "nowhere")


def start(*args, **kw):
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *map(str, args)], **{**streams, **kw})


def finish(what, process, status, message=""):
    out, err = process.communicate()
    check(f"{what}: status {process.returncode} instead of {status}, {err.decode()!r}",
          process.returncode == status and message.encode() in err)
    return out


def test_pipes():
    with Folder() as f:
        fifo = f("fifo")
        os.mkfifo(fifo)
        os.symlink("fifo", f("link"))
        for name in (fifo, f("link")):
            # Both ends, so that a program that makes a file instead leaves nobody waiting.
            ends = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
            finish("a FIFO", start(*APPLY, f.source, name), 0)
            try:
                got = os.read(ends, 1 << 16)
            except BlockingIOError:
                got = b""
            os.close(ends)
            check("a FIFO's reader gets the result", got == RESULT)
            check("a FIFO stays one", stat.S_ISFIFO(os.lstat(fifo).st_mode) and os.path.islink(f("link")))
        server = socket.socket(socket.AF_UNIX)
        server.bind(f("socket"))
        check_failure("a socket", f"{f('socket')}: No such device", *APPLY, f.source, f("socket"))
        check("a socket stays one", stat.S_ISSOCK(os.lstat(f("socket")).st_mode))
        server.close()

        # Links to standard output and to other open files, as /dev/stdout is one.
        os.symlink("/proc/self/fd/1", f("stdout"))
        os.symlink("stdout", f("link to stdout"))
        names = [f("stdout"), f("link to stdout"), "-"]
        if not ROOT:  # who might remove them, if the program is wrong
            names += ["/dev/stdout", "/dev/fd/1"]
        for name in names:
            check_output(f"{name}, a pipe", RESULT, *APPLY, f.source, name)
            with open(f("file"), "wb") as file:
                file.write(b"before")
                file.flush()
                finish(f"{name}, a file", start(*APPLY, f.source, name, stdout=file), 0)
                file.seek(0, os.SEEK_END)
                file.write(b"after")
            check(f"{name}, a file: the result", read(f("file")) == b"before" + RESULT + b"after")
            write(f("file"), SOURCE)
            with open(f("file"), "ab") as file:
                result = run(*APPLY, f("file"), name, stdout=file)
            check(f"{name}, the input: {result.stderr!r}", result.returncode == 1 and
                  b"the input too" in result.stderr and read(f("file")) == SOURCE)
        with open(f("file"), "wb") as file:
            os.symlink(f"/proc/self/fd/{file.fileno()}", f("open"))
            file.write(b"before")
            file.flush()
            check_output("an open file", b"", *APPLY, f.source, f("open"), pass_fds=[file.fileno()])
        check("an open file: the result", read(f("file")) == b"before" + RESULT)
        # A file that is open for reading is not to be written to: least of all before the input is checked.
        write(f("bad"), SOURCE[:-1])
        os.symlink("/proc/self/fd/0", f("stdin"))
        for source in (f("bad"), f.source):
            with open(f("file"), "rb") as file:
                check_failure("a file on standard input", "not have this file open for writing", *APPLY,
                              source, f("stdin"), stdin=None, preexec_fn=lambda: os.dup2(file.fileno(), 0))
            check("a file on standard input stays", read(f("file")) == b"before" + RESULT)
        os.remove(f("bad"))
        os.remove(f("stdin"))
        check("links stay", all(os.path.islink(f(name)) for name in ("stdout", "link to stdout", "open")))
        f.holds("pipes", "fifo", "link", "socket", "stdout", "link to stdout", "file", "open")


def test_devices():
    if ROOT:
        with Folder() as f:
            for what, minor in (("null", 3), ("full", 7)):
                try:
                    os.mknod(f(what), 0o666 | stat.S_IFCHR, os.makedev(1, minor))
                    open(f(what), "wb").close()
                except OSError as e:
                    return skip("devices as root", e)
            check_output("a device", b"", *APPLY, f.source, f("null"))
            check_failure("a full device", f"{f('full')}: No space left", *APPLY, f.source, f("full"))
            check("devices stay", all(stat.S_ISCHR(os.lstat(f(name)).st_mode) for name in ("null", "full")))
            f.holds("devices", "null", "full")
    else:
        with Folder() as f:
            check_output("/dev/null", b"", *APPLY, f.source, "/dev/null")
            check_failure("/dev/full", "/dev/full: No space left", *APPLY, f.source, "/dev/full")


def test_owners():
    if not ROOT:
        skip("owners", "not root")
    else:
        with Folder() as f:
            f.file("out.npy", b"old", 0o640)
            os.chown(f("out.npy"), OTHER, OTHER)
            check_output("another's file", b"", *APPLY, f.source, f("out.npy"))
            status = os.stat(f("out.npy"))
            check("another's file: owner", (status.st_uid, status.st_gid) == (OTHER, OTHER))
            check("another's file: mode", stat.S_IMODE(status.st_mode) == 0o640)
            check_result("another's file", f("out.npy"))
    # Someone who is not root, whom modes mean something to.
    other = {"user": OTHER, "group": OTHER, "extra_groups": []} if ROOT else {}
    with Folder() as f:
        os.chmod(f.path, 0o755)
        try:
            info = run("info", **other)
        except OSError as e:
            return skip("folders that cannot be written to", e)
        if info.returncode != 0:
            return skip("folders that cannot be written to", info.stderr)
        os.mkdir(f("folder"))
        out = f("folder", "out.npy")
        write(out, b"old")
        os.chmod(out, 0o666)
        os.chmod(f("folder"), 0o555)
        number = os.stat(out).st_ino
        check_output("a closed folder", b"", *APPLY, f.source, out, **other)
        check_result("a closed folder", out)
        check("a closed folder: the same file", os.stat(out).st_ino == number)
        check_failure("a closed folder, a new file", "Permission denied", *APPLY, f.source,
                      f("folder", "new"), **other)
        check_failure("no place to wait", f"the temporary file in {f('none')}: No such file", *APPLY,
                      f.source, out, env={"TMPDIR": f("none")}, **other)
        check_result("no place to wait", out)
        check("a closed folder: nothing else", os.listdir(f("folder")) == ["out.npy"])
        os.chmod(out, 0o444)
        os.chmod(f("folder"), 0o777)
        check_failure("a file that cannot be written to", f"{out}: Permission denied", *APPLY, f.source, out,
                      **other)
        if ROOT:
            os.chmod(out, 0o646)
            write(out, b"old")
            check_output("root's file", b"", *APPLY, f.source, out, **other)
            status = os.stat(out)
            check_result("root's file", out)
            check("root's file: owner and mode", (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o646))
        check("an open folder: nothing else", os.listdir(f("folder")) == ["out.npy"])
        os.chmod(f("folder"), 0o755)


def test_mounts():
    """In a namespace of mounts of its own, which ends with it."""
    with Folder() as f:
        os.mkdir(f("disk"))
        inside = lambda script, *args: subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", *map(str, args)], cwd=f.path, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        mount = "mount -t tmpfs -o size=64k none disk && cp in.npy disk/out.npy && "
        try:
            probe = inside(mount + "true")
        except OSError as e:
            return skip("full disks", e)
        if probe.returncode != 0:
            return skip("full disks", probe.stderr.decode().strip())
        program = [*command, *APPLY]
        state = "; echo $?; ls -A disk; cmp disk/out.npy in.npy && echo same"
        write(f("big.npy"), npy("'<f4'", "(50000,)", bytes(200000)))
        result = inside(mount + '"$@"' + state, *program, f("big.npy"), f("disk", "out.npy"))
        check(f"a full disk: {result.stdout}", result.stdout == b"1\nout.npy\nsame\n")
        check(f"a full disk: {result.stderr}",
              f"{f('disk', 'out.npy')}: No space left".encode() in result.stderr)
        # A file with two names is written to in place: its room is taken before its data go.
        write(f("big.npy"), npy("'<f4'", "(10000,)", bytes(40000)))
        result = inside(mount + 'ln disk/out.npy disk/too; "$@"' + state, *program, f("big.npy"),
                        f("disk", "out.npy"))
        check(f"a full disk in place: {result.stdout}", result.stdout == b"1\nout.npy\ntoo\nsame\n")
        check(f"a full disk in place: {result.stderr}", b"out.npy: No space left" in result.stderr)
        # A file of holes has its size already, but no room.
        result = inside(mount + 'truncate -s 50000 disk/out.npy; ln disk/out.npy disk/too; '
                        'cp disk/out.npy old; "$@"; echo $?; cmp disk/out.npy old && echo same', *program,
                        f("big.npy"), f("disk", "out.npy"))
        check(f"a full disk, holes: {result.stdout}", result.stdout == b"1\nsame\n")
        check(f"a full disk, holes: {result.stderr}", b"out.npy: No space left" in result.stderr)
        # ramfs cannot take room for a file. The result is as its input, which is all zeros.
        for size in (300, 20000, 50000):
            write(f("old"), b"x" * size)
            result = inside('mount -t ramfs none disk && cp old disk/out.npy && ln disk/out.npy disk/too && '
                            '"$@" && cmp disk/too disk/out.npy && cat disk/out.npy', *program, f("big.npy"),
                            f("disk", "out.npy"))
            check(f"no room is taken, {size} bytes: {result.stderr}", result.stdout == read(f("big.npy")))
        # What is mounted on a file cannot be replaced.
        write(f("out.npy"), b"old")
        write(f("below"), b"below")
        result = inside('mount --bind out.npy below && "$@"', *program, f.source, f("below"))
        check(f"a file that is mounted: {result.stderr}", result.returncode == 0)
        check_result("a file that is mounted", f("out.npy"))
        check("a file that is mounted on", read(f("below")) == b"below")


def parts(folder):
    return [name for name in os.listdir(folder.path) if ".dropwise-" in name]


def has_part(folder, mode):
    """Whether an unfinished output gets this mode; at first it is a file for its owner alone in any case."""
    for _ in range(6000):
        try:
            if [stat.S_IMODE(os.stat(folder(part)).st_mode) for part in parts(folder)] == [mode]:
                return True
        except FileNotFoundError:  # replaced between the two calls
            pass
        time.sleep(0.01)
    return False


def start_half(folder, number=0, **actions):
    """A run that has begun its output and waits for its input: the process, and where the rest is to go."""
    fifo, before = folder(f"fifo{number}"), len(parts(folder))
    os.mkfifo(fifo)
    # Both ends, so that opening does not wait; closed in the child, it is ours alone.
    ends = os.open(fifo, os.O_RDWR)
    def prepare():  # whatever nohup or a shell's & left
        for name in ("SIGHUP", "SIGINT", "SIGQUIT"):
            signal.signal(getattr(signal, name), actions.get(name, signal.SIG_DFL))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    process = start(*APPLY, fifo, folder("out.npy"), preexec_fn=prepare)
    os.write(ends, SOURCE[:200])
    while process.poll() is None and len(parts(folder)) == before:
        time.sleep(0.01)
    return process, ends


def deadly_signals():
    """Those that end a program if it does nothing about them, and can be caught."""
    if len(command) > 1:
        skip("all signals", "qemu-user has some for itself")
        return [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    others = {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN",
              "SIGTTOU", "SIGPIPE", "SIGXFSZ"}  # the last two are ignored
    if b"__asan_" in read(command[0]):
        others |= {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"}  # reported as errors
    numbers = [n for n in signal.valid_signals() if not signal.SIGRTMIN < n < signal.SIGRTMAX]
    return [n for n in numbers if n not in {getattr(signal, name) for name in others}]


def test_signals():
    for number in deadly_signals():
        for old in (None, b"old"):
            with Folder() as f:
                if old is not None:
                    f.file("out.npy", old)
                process, ends = start_half(f)
                check(f"{number!r}: a file is begun", len(parts(f)) == 1)
                # For nobody who may not read the result.
                check(f"{number!r}: mode", has_part(f, 0o600 if old else 0o666 & ~UMASK))
                process.send_signal(number)
                finish(f"{number!r}", process, -number)
                os.close(ends)
                f.holds(f"{number!r}", "fifo0", *(["out.npy"] if old else []))
                check(f"{number!r}: the old file", old is None or read(f("out.npy")) == old)
    if len(command) > 1:
        skip("an ignored signal", "it interrupts calls under qemu-user")
    else:
        with Folder() as f:  # as nohup does it
            process, ends = start_half(f, SIGHUP=signal.SIG_IGN)
            process.send_signal(signal.SIGHUP)
            os.write(ends, SOURCE[200:])
            os.close(ends)
            finish("an ignored signal", process, 0)
            check_result("an ignored signal", f("out.npy"))
    # What is written to in place waits while another program has it locked, and can be ended meanwhile.
    with Folder() as f:
        f.file("out.npy", b"old")
        os.link(f("out.npy"), f("too"))
        with open(f("out.npy"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            killed, ends = start_half(f)
            waiting, others = start_half(f, 1)
            for fd in (ends, others):
                os.write(fd, SOURCE[200:])
                os.close(fd)
            time.sleep(0.5)
            killed.send_signal(signal.SIGTERM)
            try:
                killed.wait(60)
            except subprocess.TimeoutExpired:
                killed.kill()
            finish("a locked file", killed, -signal.SIGTERM)
            check("a locked file is waited for", waiting.poll() is None and read(f("too")) == b"old")
        finish("a locked file", waiting, 0)
        check_result("a locked file", f("too"))
        f.holds("a locked file", "fifo0", "fifo1", "out.npy", "too")
    with Folder() as f:
        f.file("out.npy", b"old", 0o600)
        runs = [start_half(f, i) for i in range(3)]
        check("two runs have a file each", len(parts(f)) == 3)
        os.write(runs[0][1], SOURCE[200:-1])
        os.write(runs[1][1], SOURCE[200:])
        os.write(runs[2][1], SOURCE[200:])
        for status, (process, ends) in zip((1, 0, 0), runs):
            os.close(ends)
            finish("runs at once", process, status)
        check_result("runs at once", f("out.npy"))
        f.holds("runs at once", "fifo0", "fifo1", "fifo2", "out.npy")


def test_errors():
    with Folder() as f:
        out = f.file("out.npy", b"old")
        # A disk that takes 4,096 bytes of a file.
        big = f.file("big.npy", npy("'<f4'", "(5000,)", bytes(20000)))
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        check_failure("a limit", f"{out}: File too large", *APPLY, big, out, preexec_fn=limit)
        check("a limit: the old file", read(out) == b"old")
        f.holds("a limit", "big.npy", "out.npy")

        check_failure("a folder is read", f"{f.path}: Is a directory", *APPLY, f.path, out)
        check_failure("what cannot be read", "/proc/self/mem: Input/output error", *APPLY, "/proc/self/mem",
                      out)
        check_failure("a folder on standard input", "standard input: Is a directory", *APPLY, "-", out,
                      stdin=None, preexec_fn=lambda: os.dup2(os.open(f.path, os.O_RDONLY), 0))
        check("what cannot be read: the old file", read(out) == b"old")

        # While the pipe is full, the input changes.
        big = f.file("big.npy", npy("'<f4'", "(1000000,)", bytes(4000000)))
        os.utime(big, (1, 1))
        os.mkfifo(f("fifo"))
        ends = os.open(f("fifo"), os.O_RDWR)
        process = start(*APPLY, big, f("fifo"))
        while process.poll() is None and not select.select([ends], [], [], 0.01)[0]:
            pass
        reader = os.open(f("fifo"), os.O_RDONLY)
        os.close(ends)
        with open(big, "r+b") as file:
            file.seek(3000000)
            file.write(b"x")
        while os.read(reader, 1 << 20):
            pass
        finish("a changed input", process, 1, f"{big}: it was changed")
        os.close(reader)


COMMANDS = [["--help"], ["--version"], ["info"], ["mask", "--help"],
            ["mask", "--seed", 1, "--stream", 2, "--p", 0.5, "--first", 0, "--n", 10],
            ["mask", "--seed", 1, "--stream", 2, "--p", 0.5, "--first", 0, "--n", 9999999],
            ["mask", "--seed", 1, "--stream", 2, "--p", 0.5, "--first", 0, "--n", 99, "--format", "raw"],
            ["bytes", "--seed", 1, "--stream", 2, "--first-block", 0, "--n", 10],
            ["bytes", "--seed", 1, "--stream", 2, "--first-block", 0, "--n", 9999999],
            ["apply", "--seed", 1, "--stream", 2, "--p", 0.5, "-", "-"]]


def test_standard_output():
    for args in COMMANDS:
        what = " ".join(map(str, args))
        with open("/dev/full", "wb") as full:
            check_failure(f"{what} > /dev/full", "standard output: No space left", *args, stdin=SOURCE,
                          stdout=full)
        reading, writing = os.pipe()
        os.close(reading)
        check_failure(f"{what} into a closed pipe", "standard output: Broken pipe", *args, stdin=SOURCE,
                      stdout=writing)
        os.close(writing)
        check_failure(f"{what} >&-", "standard output: Bad file descriptor", *args, stdin=SOURCE, stdout=None,
                      preexec_fn=lambda: os.close(1))
    with Folder() as f:
        result = run(*APPLY, f.source, f("out.npy"), preexec_fn=lambda: [os.close(fd) for fd in range(3)])
        check("without standard streams", result.returncode == 0)
        check_result("without standard streams", f("out.npy"))
        if len(command) == 1:  # an emulator might take the number for a file of its own
            os.symlink("/proc/self/fd/1", f("stdout"))
            result = run(*APPLY, f.source, f("stdout"), preexec_fn=lambda: os.close(1))
            check(f"a link to nothing: {result.stderr}", result.returncode == 1 and read(f.source) == SOURCE)
        result = run(*APPLY, "-", f("out.npy"), preexec_fn=lambda: os.close(0))
        check(f"without standard input: {result.stderr}", result.returncode == 1 and
              b"standard input: Bad file" in result.stderr)


def test_usage():
    full = {"--seed": 1, "--stream": 2, "--p": 0.5, "--first": 0, "--n": 4}
    flat = lambda options: [w for o in options.items() for w in o]
    for name in full:
        check_usage(f"mask without {name}", "mask", *flat({k: v for k, v in full.items() if k != name}))
    for name in ("--seed", "--stream", "--first", "--n"):
        if name not in ("--seed", "--stream"):
            check_usage(f"mask {name} -1", "mask", *flat({**full, name: -1}))
        for value in ("", "+1", "-", "--1", "-+1", "- 1", "-1x", "-0x", -2**63 - 1, "-0x8000000000000001",
                      " 1", "1 ", "1x", "0x", "0xg", "0x0x10", "0x 1", "0x-1", "1.5", "1e3", 2**64,
                      "0x1" + "0" * 16):
            check_usage(f"mask {name} {value!r}", "mask", *flat({**full, name: value}))
    for value in ("", "nan", "-0.1", "1.1", "inf", "0.5x", " 0.5", "half"):
        check_usage(f"mask --p {value!r}", "mask", *flat({**full, "--p": value}))
    check_usage("no command")
    check_usage("unknown command", "frobnicate")
    check_usage("unknown option", "mask", *flat(full), "--frob", 1)
    check_usage("unknown short option", "mask", *flat(full), "-x")
    check_usage("option without value", "mask", "--seed")
    check_usage("option twice", "mask", *flat(full), "--n", 4)
    check_usage("operand too many", "mask", *flat(full), "extra")
    check_usage("unknown format", "mask", *flat(full), "--format", "hex")
    check_usage("apply without files", "apply", "--seed", 1, "--stream", 2, "--p", 0.5)
    check_usage("apply with one file", "apply", "--seed", 1, "--stream", 2, "--p", 0.5, "a")
    check_usage("unknown scaling", "apply", "--seed", 1, "--stream", 2, "--p", 0.5, "--scaling", "x",
                "a", "b")
    for words in (["--help"], ["--version"], *([c, "--help"] for c in ("info", "mask", "bytes", "apply"))):
        result = run(*words)
        check(f"{words}: status", result.returncode == 0 and result.stderr == b"")
        check(f"{words}: text", b"dropwise" in result.stdout)


test_mask()
test_seeds()
test_layouts()
test_isa()
test_bytes()
test_generators()
with tempfile.TemporaryDirectory() as temporary:
    test_apply(temporary)
    test_orders(temporary)
test_headers()
test_dtypes()
test_files()
test_attributes()
test_links()
test_pipes()
test_devices()
test_owners()
test_mounts()
test_signals()
test_errors()
test_standard_output()
test_usage()
print(f"{checks - len(failures)} checks passed, {len(failures)} failed")
sys.exit(len(failures) != 0)
