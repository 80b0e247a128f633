#!/usr/bin/env python3
"""Tests of the program dropwise: test_cli.py PROGRAM, or test_cli.py EMULATOR... PROGRAM.

The expected masks come from a Philox of this file's own.
"""
import os
import struct
import subprocess
import sys
import tempfile

command = sys.argv[1:]
failures = []
checks = 0


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


def run(*args, stdin=b"", env=None, stdout=subprocess.PIPE):
    return subprocess.run([*command, *map(str, args)], input=stdin, stdout=stdout,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, timeout=60)


def check(what, condition):
    global checks
    checks += 1
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def check_output(what, expected, *args, **kw):
    result = run(*args, **kw)
    check(f"{what}: status {result.returncode}, {result.stderr.decode()!r}", result.returncode == 0)
    check(f"{what}: {result.stdout[:80]!r} instead of {expected[:80]!r}", result.stdout == expected)


def check_usage(what, *args):
    result = run(*args)
    check(f"{what}: status {result.returncode} instead of 2", result.returncode == 2)
    check(f"{what}: prints on stdout", result.stdout == b"")
    check(f"{what}: no message", result.stderr.startswith(b"dropwise: "))


def check_failure(what, message, *args, **kw):
    result = run(*args, **kw)
    check(f"{what}: status {result.returncode} instead of 1", result.returncode == 1)
    check(f"{what}: {result.stderr.decode()!r} lacks {message!r}", message.encode() in result.stderr)


def npy(descr, shape, data, order="False", version=1):
    header = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    length = 2 if version == 1 else 4
    header = header.ljust(119 - length) + "\n"
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data


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
    endless.wait(timeout=60)
    endless.stderr.close()
    check_output("2^60 elements stream", head, *base, "--p", 0.1, "--first", 0, "--n", 800000,
                 "--format", "raw")
    check_failure("past 2^60", "2^60", *base, "--p", 0.5, "--first", 2**60, "--n", 1)
    check_failure("past 2^60 by a wrapped sum", "2^60", *base, "--p", 0.5, "--first", 2**64 - 1,
                  "--n", 2)


def test_layouts():
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")

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

    needs = {"jax": {}, "jax-legacy": {"size": 999}, "tf": {"stream": 2}, "onednn-3.6": {},
             "onednn-3.11": {"offset": 3}, "onednn-3.11-no-offset": {},
             "torch-cuda": {"size": 999, "threads": 256, "vector": 1}, "triton": {},
             "inductor-gpu-2.11": {}, "inductor-gpu-2.12": {}, "inductor-gpu-2.13": {},
             "inductor-cpu-2.11": {}, "inductor-cpu-2.12": {}, "curand": {}, "curand-host": {},
             "numpy": {}, "onemkl": {},
             "flash-attention-2": {"rows": 30, "columns": 30}, "transformer-engine": {},
             "onnx-runtime": {"size": 999, "threads": 256}, "deepspeed": {"size": 1000, "threads": 512}}
    takes = {"jax": ["dtype"], "jax-legacy": ["dtype"], "tf": ["dtype"], "numpy": ["dtype"],
             "inductor-gpu-2.11": ["dtype"], "inductor-gpu-2.12": ["dtype"], "inductor-gpu-2.13": ["dtype"],
             "inductor-cpu-2.11": ["dtype"], "inductor-cpu-2.12": ["dtype"],
             "torch-cuda": ["dtype", "offset"], "curand": ["stream", "offset"], "curand-host": ["offset"],
             "flash-attention-2": ["offset"], "transformer-engine": ["offset"], "onnx-runtime": ["offset"],
             "deepspeed": ["offset"]}
    values = {"stream": 8, "dtype": "f64", "size": 1000, "threads": 256, "vector": 1, "offset": 8, "rows": 30,
              "columns": 30}
    unknown = run(*mask("cudnn", 1, 0.5, 8))
    check("an unknown layout is wrong usage", unknown.returncode == 2)
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
        check(f"an unknown layout lists {layout}", f" {layout}," in unknown.stderr.decode())
        for option, value in values.items():
            given = {**needed, option: value}
            if option in needed:
                del given[option]
                check_usage(f"{layout} without --{option}", *mask(layout, 5, 0.5, 9, **given))
            elif option in takes.get(layout, []):
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
    check_usage("a layout's option without a layout", "mask", "--seed", 1, "--stream", 2, "--p", 0.5,
                "--first", 0, "--n", 8, "--offset", 4)
    check_failure("past 2^32", "4294967296 elements", *mask("triton", 1, 0.5, 2, first=2**32 - 1))
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
    for isa in {"scalar", "neon", "avx2", "avx512"} - set(usable):
        check_failure(f"unusable --isa {isa}", "usable here", *base, "--isa", isa)
    check_usage("unknown --isa", *base, "--isa", "sse9")

    for word in ("CPU features", "tiers built", "tiers usable", "tier chosen"):
        check(f"info says {word}", word in info)


def test_generators():
    # The library's own tests have known answers; here, that each name draws a mask of its own.
    base = ("mask", "--seed", 5, "--stream", 6, "--p", 0.3, "--first", 1000, "--n", 200)
    expected = digits(5, 6, 0.3, 1000, 200) + "\n"
    check_output("the default generator", expected.encode(), *base, "--generator", "philox4x32-10")
    masks = {expected.encode()}
    for name in ("philox4x32-7", "threefry4x32-20", "ars4x32-7"):
        masks.add(run(*base, "--generator", name).stdout)
        block = run("bytes", "--seed", 5, "--stream", 6, "--first-block", 70, "--n", 16, "--generator", name)
        kept = run("mask", "--seed", 5, "--stream", 6, "--p", 0.5, "--first", 70 * 16, "--n", 16,
                   "--generator", name)
        check(f"bytes and mask of {name}",
              kept.stdout == "".join("01"[b < 128] for b in block.stdout).encode() + b"\n")
    check("four generators, four masks", len(masks) == 4)
    result = run(*base, "--generator", "mt19937")
    check("unknown generator", result.returncode == 2 and b"philox4x32-10, philox4x32-7" in result.stderr)


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

    def write(content):
        with open(source, "wb") as f:
            f.write(content)

    def read(name=target):
        with open(name, "rb") as f:
            return f.read()

    def expected(first, scale):
        return struct.pack("<120f", *(v * scale if keep(5, 6, 0.25, first + i) else 0.0
                                      for i, v in enumerate(values)))

    third = struct.unpack("<f", struct.pack("<f", 4 / 3))[0]
    # Products in double, rounded to single by struct: exact, as both factors have 24 bits.
    for shape, order, version in (("(120,)", "False", 1), ("(4, 5, 6)", "True", 2), ("(120, 1)", "False", 3)):
        content = npy("'<f4'", shape, data, order, version)
        write(content)
        check_output(f"apply {shape}", b"", *base, source, target)
        check(f"apply {shape}: header kept", read()[:-480] == content[:-480])
        check(f"apply {shape}: elements", read()[-480:] == expected(0, third))
    check_output("apply --first", b"", *base, "--first", 100, source, target)
    check("apply --first: elements", read()[-480:] == expected(100, third))
    check_output("apply standard", b"", *base, "--scaling", "standard", source, target)
    check("apply standard: elements", read()[-480:] == expected(0, 1.0))
    piped = run(*base, "-", "-", stdin=content)
    check("apply - -", piped.returncode == 0 and piped.stdout[-480:] == expected(0, third))
    check_output("apply in place", b"", *base, source, source)
    check("apply in place: elements", read(source)[-480:] == expected(0, third))
    for shape, payload in (("()", data[:4]), ("(0,)", b""), ("(3, 0, 2)", b"")):
        write(npy("'<f4'", shape, payload))
        check_output(f"apply {shape}", b"", *base, source, target)
        check(f"apply {shape}: size", len(read()) == 128 + len(payload))

    scale = 2**40 / round(0.75 * 2**40)
    single = lambda v: struct.unpack("<f", struct.pack("<f", v))[0]
    for descr, code, factor in (("'<f8'", "d", scale), ("'<f2'", "e", third)):
        write(npy(descr, "(120,)", struct.pack(f"<120{code}", *values)))
        check_output(f"apply {descr}", b"", *base, source, target)
        results = [v * factor if keep(5, 6, 0.25, i) else 0.0 for i, v in enumerate(values)]
        if code == "e":
            results = [single(v) for v in results]  # the product is rounded to float32 first
        check(f"apply {descr}: elements", read()[128:] == struct.pack(f"<120{code}", *results))

    os.remove(target)
    bad = {
        "dtype <i4": npy("'<i4'", "(120,)", data),
        "dtype <f16": npy("'<f16'", "(30,)", data),
        "dtype >f4": npy("'>f4'", "(120,)", data),
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
        write(content)
        check_failure(f"bad file: {message}", message, *base, source, target)
        check(f"bad file: {message}: no output", sorted(os.listdir(folder)) == ["in put.npy"])
    check_failure("no such file", "No such file", *base, os.path.join(folder, "missing"), target)
    write(npy("'<f4'", "(120,)", data))
    check_failure("no such folder", "No such file", *base, source, os.path.join(folder, "a", "b"))


def test_usage():
    full = {"--seed": 1, "--stream": 2, "--p": 0.5, "--first": 0, "--n": 4}
    flat = lambda options: [w for o in options.items() for w in o]
    for name in full:
        check_usage(f"mask without {name}", "mask", *flat({k: v for k, v in full.items() if k != name}))
    for name in ("--seed", "--stream", "--first", "--n"):
        for value in ("", "-1", "+1", " 1", "1 ", "1x", "0x", "0xg", "1.5", "1e3", 2**64, "0x1" + "0" * 16):
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
    with open("/dev/full", "wb") as full_disk:
        result = run("mask", *flat(full), stdout=full_disk)
        check("a full disk is an error", result.returncode == 1)


test_mask()
test_layouts()
test_isa()
test_bytes()
test_generators()
with tempfile.TemporaryDirectory() as temporary:
    test_apply(temporary)
test_usage()
print(f"{checks - len(failures)} checks passed, {len(failures)} failed")
sys.exit(len(failures) != 0)
