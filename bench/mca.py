#!/usr/bin/env python3
"""Prints how fast the hot loops can run on CPUs that one may not have, by the models of llvm-mca.

usage: mca.py BUILD [REGEX]

BUILD is a build folder, of this machine or a cross build. For every tier in it and every kernel of
src/kernels/kernels.inc (by default those that dropout in cache consists of; REGEX picks others) the inner
loop is cut out of the compiled object and given to llvm-mca for the CPUs below. The columns:

    cycles/element   of the loop alone, once it runs, with all loads answered by the first-level cache
    limit            the same by the busiest port or the width of dispatch alone, with the instructions spread
                     over the ports as well as can be: what no order of them could beat
    ratio            of the two
    bottleneck       the busiest port, or what else holds the loop up

The inner loop is, of the loops without another one inside, the one that makes most elements an iteration,
which are known by what it stores. Models have no front end and no caches; some CPUs share the model of an
older one (LLVM 19: znver5 has znver4's, apple-m1 has that of an early 64-bit Apple core).
"""
import pathlib
import re
import shutil
import subprocess
import sys

ARM = ["neoverse-n1", "neoverse-v2", "apple-m1"]
CPUS = {
    "avx2": ["haswell", "sapphirerapids", "znver3", "znver4", "znver5"],
    "avx512": ["sapphirerapids", "znver4", "znver5"],
    "neon": ARM,
    "ars_aesni": ["haswell", "sapphirerapids", "znver4"],
    "ars_vaes256": ["sapphirerapids", "znver3", "znver4", "znver5"],
    "ars_vaes512": ["sapphirerapids", "znver4", "znver5"],
    "ars_neon": ARM,
}

# What dropout in cache spends its time in.
HOT_KINDS = {"generate", "draw"}
FUSED = ("forward", "draw_scale")
HOT_NAMES = re.compile(r"(scale_kept|forward_\w+|draw_scale_\w+)_(f32|bf16)$")

ITERATIONS = 200


def find_tools():
    for suffix in [f"-{n}" for n in range(30, 13, -1)] + [""]:
        tools = [shutil.which(name + suffix) for name in ("llvm-mca", "llvm-objdump")]
        if all(tools):
            return tools
    sys.exit("mca.py: needs llvm-mca and llvm-objdump (Debian: llvm-19)")


def read_kernels(regex):
    text, of_generators, of_dtypes = ((ROOT / "src/kernels" / f"{name}.inc").read_text()
                                      for name in ("kernels", "generators", "dtypes"))
    generators = re.findall(r"^DROPWISE_GENERATOR\w*\(\w+, (\w+),", of_generators, re.M)
    kinds = ("generate", "generate_at", "prepare", "draw")
    rows = [(kind, f"{kind}_{name}") for name in generators for kind in kinds]
    rows += re.findall(r"^DROPWISE_FUSED\((\w+), \w+, \w+, (\w+),", of_generators, re.M)
    rows += [(kind, f"{kind}_ars4x32_{dtype}")
             for kind in FUSED for dtype in ("f64", "f32", "f16", "bf16")]
    rows += re.findall(r"^DROPWISE_(?:MATH_)?KERNEL\((\w+), (\w+),", text, re.M)
    rows += sorted({(kind, f"{kind}_{name}")
                    for kind, name in re.findall(r"\b(widen|narrow)_(\w+)[,)]", of_dtypes)})
    if regex:
        return [(kind, name) for kind, name in rows if re.search(regex, name)]
    return [(kind, name) for kind, name in rows if kind in HOT_KINDS or HOT_NAMES.match(name)]


def disassemble(objdump, object_file):
    """Functions by name: lists of (address, mnemonic, operands)."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", str(object_file)], check=True, text=True,
                          capture_output=True).stdout
    functions, body = {}, []
    for line in text.splitlines():
        header = re.match(r"[0-9a-f]+ <(.+)>:", line)
        instruction = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line)
        if header:
            body = functions.setdefault(header.group(1), [])
        elif instruction:
            operands = re.sub(r"\s*(<.*>|//.*|# 0x.*)$", "", instruction.group(3))
            body.append((int(instruction.group(1), 16), instruction.group(2), operands.strip()))
    return functions


def is_branch(mnemonic):
    return re.match(r"(j[a-z]+|b|b\.[a-z]+|cbn?z|tbn?z)$", mnemonic) is not None


def is_call(mnemonic):
    return re.match(r"(callq?|bl|blr)$", mnemonic) is not None


def target_of(operands):
    address = re.search(r"0x([0-9a-f]+)$", operands)
    return int(address.group(1), 16) if address else None


def find_loops(body):
    """Of the backward branches, those without another one inside: lists of instructions."""
    places = {address: i for i, (address, _, _) in enumerate(body)}
    spans = []
    for i, (_, mnemonic, operands) in enumerate(body):
        first = places.get(target_of(operands)) if is_branch(mnemonic) else None
        if first is not None and first <= i:
            spans.append((first, i))
    inner = [(a, b) for a, b in spans
             if not any((c, d) != (a, b) and a <= c and d <= b for c, d in spans)]
    return [body[a:b + 1] for a, b in inner]


def inner_loops(functions, name):
    """The inner loops of a kernel and, where something was not inlined, of what the kernel calls."""
    loops, seen, names = [], set(), [name]
    while names:
        current = names.pop()
        if current in seen or current not in functions:
            continue
        seen.add(current)
        loops += find_loops(functions[current])
        starts = {body[0][0]: other for other, body in functions.items() if body}
        names += [starts[target_of(operands)] for _, mnemonic, operands in functions[current]
                  if (is_call(mnemonic) or mnemonic in ("jmp", "b")) and target_of(operands) in starts]
    return [loop for loop in loops if not any(is_call(mnemonic) for _, mnemonic, _ in loop)]


X86_WIDTHS = {"zmm": 64, "ymm": 32, "xmm": 16}


def x86_store(mnemonic, operands):
    """(base register, bytes) of a store, or None."""
    memory = re.match(r"(.*), (-?(?:0x)?[0-9a-f]*\((%\w+)[^)]*\))(?: \{%k\d\})?$", operands)
    if memory is None or re.match(r"(v?p?u?comi|v?pcmp|v?cmp|cmp|test|bt|prefetch)", mnemonic):
        return None
    source, base = memory.group(1), memory.group(3)
    register = re.search(r"%([xyz]mm)\d+$", source)
    if register:
        width = X86_WIDTHS[register.group(1)]
    else:
        width = {"q": 8, "l": 4, "w": 2, "b": 1}.get(mnemonic[-1], 8)
    if mnemonic in ("vmovq", "vmovlps", "vmovhps", "vmovlpd", "vmovhpd", "vmovsd", "vpextrq", "kmovq"):
        width = 8
    elif mnemonic in ("vmovd", "vmovss", "vpextrd", "kmovd", "vextractps"):
        width = 4
    elif mnemonic in ("vpmovdw", "vcvtps2ph", "vpmovqd", "vpmovwb"):
        width //= 2
    elif mnemonic == "vpmovdb":
        width //= 4
    elif mnemonic.startswith(("vextracti128", "vextractf128", "vextracti32x4", "vextracti64x2")):
        width = 16
    elif mnemonic.startswith(("vextracti64x4", "vextractf64x4", "vextracti32x8")):
        width = 32
    return base, width


ARM_WIDTHS = {"q": 16, "d": 8, "s": 4, "h": 2, "b": 1, "x": 8, "w": 4}


def arm_store(mnemonic, operands):
    memory = re.search(r"\[(\w+)[^\]]*\]", operands)
    if memory is None or not re.match(r"(str|stp|stur|stnp|st[1-4])[bh]?$", mnemonic):
        return None
    if mnemonic.startswith("st") and mnemonic[2:3].isdigit():
        lanes = re.findall(r"v\d+\.(\d+)([bhsd])", operands.split("}")[0])
        return memory.group(1), sum(int(n) * ARM_WIDTHS[width] for n, width in lanes)
    registers = re.findall(r"\b([qdshbxw])(?:\d+|zr)\b", operands[:memory.start()])
    width = {"strb": 1, "strh": 2}.get(mnemonic) or sum(ARM_WIDTHS[r] for r in registers)
    return memory.group(1), width


def stores_of(loop, is_arm):
    """Bytes that one iteration stores by base register, those on the stack apart."""
    streams, spilled = {}, 0
    for _, mnemonic, operands in loop:
        store = arm_store(mnemonic, operands) if is_arm else x86_store(mnemonic, operands)
        if store is None:
            continue
        base, width = store
        if base in ("%rsp", "%rbp", "sp", "x29"):
            spilled += 1
        else:
            streams[base] = streams.get(base, 0) + width
    return streams, spilled


def elements_of(kind, name, loop, is_arm):
    """Elements that one iteration makes, and stores of its registers to the stack."""
    streams, spilled = stores_of(loop, is_arm)
    stored = max(streams.values(), default=0)
    if kind.startswith("generate"):
        return sum(streams.values()), spilled # pieces of one stream, addressed by several registers
    if kind == "draw":
        return sum(streams.values()) * 8 // 2, spilled # two bits of each
    if kind == "widen":
        return stored // 4, spilled
    width = re.search(r"_b?f?(64|32|16|8)(_e\dm\d(_sat)?)?$", name)
    if width:
        return stored // (int(width.group(1)) // 8), spilled
    return stored * 8, spilled # bits


def run_mca(mca, triple, cpu, loop):
    code = "\n".join(f"{mnemonic} {operands}" for _, mnemonic, operands in loop)

    def run(iterations):
        # Cryptographic instructions of ARM are an option that these CPUs have, and their models leave out.
        done = subprocess.run([mca, f"-mtriple={triple}", f"-mcpu={cpu}", "-mattr=+aes",
                               f"-iterations={iterations}", "-bottleneck-analysis", "-"],
                              input=code, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[0])
        return done.stdout

    def total(text):
        return int(re.search(r"Total Cycles:\s+(\d+)", text).group(1))

    short, long = run(ITERATIONS), run(2 * ITERATIONS)
    cycles = (total(long) - total(short)) / ITERATIONS # the first iterations are not those of a running loop
    return cycles, float(re.search(r"Block RThroughput:\s+([\d.]+)", long).group(1)), bottleneck_of(long)


def bottleneck_of(text):
    """The busiest unit and, where llvm-mca sees them, dependencies."""
    units = dict(re.findall(r"^\[([\d.]+)\]\s+- (\S+)$", text, re.M))
    pressure = re.search(r"Resource pressure per iteration:\n(.*)\n(.*)\n", text)
    names = re.findall(r"\[([\d.]+)\]", pressure.group(1))
    loads = re.findall(r"-|[\d.]+", pressure.group(2))
    busiest = max(zip(loads, names), key=lambda pair: 0 if pair[0] == "-" else float(pair[0]))
    found = f"{units[busiest[1]]} {busiest[0]}"
    increase = re.search(r"Cycles with backend pressure increase \[ ([\d.]+)% \]", text)
    depends = re.search(r"Data Dependencies:\s+\[ ([\d.]+)% \]", text)
    ports = re.search(r"Resource Pressure\s+\[ ([\d.]+)% \]", text)
    if increase is None or float(increase.group(1)) < 10:
        return f"dispatch; {found}"
    if depends and float(depends.group(1)) > float(ports.group(1) if ports else 0):
        return f"dependencies; {found}"
    return found


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__.split("\n\n")[1])
    mca, objdump = find_tools()
    version = subprocess.run([mca, "--version"], text=True, capture_output=True).stdout
    kernels = read_kernels(sys.argv[2] if len(sys.argv) == 3 else None)
    print(f"llvm-mca, {re.search(r'LLVM version (.*)', version).group(0)}\n")
    print("| kernel | tier | CPU | instructions | elements | cycles/element | limit | ratio | bottleneck |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = 0
    for tier, cpus in CPUS.items():
        for object_file in pathlib.Path(sys.argv[1]).glob(f"src/libdropwise_{tier}.a.p/*{tier}.c.o"):
            functions = disassemble(objdump, object_file)
            is_arm = cpus == ARM
            for kind, name in kernels:
                if tier.startswith("ars") != ("_ars4x32" in name):
                    continue
                if kind in FUSED and name not in functions: # not every tier has them
                    continue
                loops = [(*elements_of(kind, name, loop, is_arm), loop)
                         for loop in inner_loops(functions, name)]
                elements, spilled, loop = max(loops, key=lambda l: (l[0], len(l[2])), default=(0, 0, None))
                if elements == 0:
                    print(f"| {name} | {tier} | no loop that stores elements was found |||||||")
                    continue
                size = f"{len(loop)}, {spilled} spilled" if spilled else str(len(loop))
                for cpu in cpus:
                    try:
                        cycles, limit, bottleneck = run_mca(mca, "aarch64" if is_arm else "x86_64", cpu, loop)
                    except RuntimeError as error:
                        print(f"| {name} | {tier} | {cpu} | {size} | {elements} | {error} ||||")
                        continue
                    rows += 1
                    print(f"| {name} | {tier} | {cpu} | {size} | {elements} | {cycles / elements:.3f} | "
                          f"{limit / elements:.3f} | {cycles / limit:.2f} | {bottleneck} |")
    if rows == 0:
        sys.exit("mca.py: no objects of a vector tier in " + sys.argv[1])


ROOT = pathlib.Path(__file__).resolve().parent.parent
main()
