#!/usr/bin/env python3
"""Breaks the kernels of a tier on purpose, one operation at a time, and looks whether the tests notice.

usage: mutants.py BUILD TIER [N [SEED]]

BUILD is a folder that meson has built with tests; TIER one that this machine runs. N mutants are made, as
many of each file as of each other one as far as that goes, chosen by SEED. Each is a copy of one file with
one operation changed by one of the rules below: the tier's unit is compiled with it, without optimization,
and linked into the test programs in place of the library's own.

A mutant is caught if a test fails, crashes, or takes many times the CPU time that it takes else, under ASan
if not without. One that compiles to the same code as before, optimized or not, changes nothing in this tier,
and one that does not compile is none: others are made in their place. Those that survive are printed.
equivalent.txt beside this file lists those that cannot be noticed, and why.

Writes a row of a table to BUILD/mutants-TIER.md.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What an operation becomes. Each matches a whole operator or name, outside of comments and directives.
RULES = [
    (r"(?<=\w )\+(?= [\w(])", "-"),
    (r"(?<=[\w)\]] )-(?= [\w(])", "+"),
    (r"(?<=[\w)\]] )\*(?= [\w(])", "+"),
    (r"(?<=[\w)\]] )/(?= [\w(])", "*"),
    (r"(?<=[\w)\]] )%(?= [\w(])", "/"),
    (r"<<", ">>"),
    (r">>", "<<"),
    (r"(?<=[\w)\]] )&(?= [\w(~])", "|"),
    (r"(?<=[\w)\]] )\|(?= [\w(~])", "&"),
    (r"(?<=[\w)\]] )\^(?= [\w(~])", "&"),
    (r" \^= ", " &= "),
    (r" \|= ", " &= "),
    (r" &= ", " |= "),
    (r" \+= ", " -= "),
    (r"~(?=[\w(])", ""),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )==(?= )", "!="),
    (r"(?<= )!=(?= )", "=="),
    (r"(?<= )&&(?= )", "||"),
    (r"(?<= )\|\|(?= )", "&&"),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    # Constants are one more, but for those of the loops' unrolling.
    (r"(?<![\w.\"])(?:0x[0-9A-Fa-f]+|\d+)(?![\w.])", lambda number: str(int(number, 0) + 1)),
    (r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?(?=f?\b)", lambda number: repr(float(number) * 1.001)),
    # Instructions of x86 and Arm, and the names of this project for them.
    (r"_add_(?=ep|p|s)", "_sub_"),
    (r"_sub_(?=ep|p|s)", "_add_"),
    (r"_mul_(?=p|s)", "_add_"),
    (r"_and_(?=s|p|e)", "_or_"),
    (r"_or_(?=s|p|e)", "_and_"),
    (r"_xor_(?=s|p|e)", "_or_"),
    (r"_andnot_", "_and_"),
    (r"_slli_", "_srli_"),
    (r"_srli_", "_slli_"),
    (r"_srai_", "_srli_"),
    (r"_min_", "_max_"),
    (r"_max_", "_min_"),
    (r"_unpacklo_", "_unpackhi_"),
    (r"_unpackhi_", "_unpacklo_"),
    (r"_cmpeq_", "_cmpgt_"),
    (r"_cmpgt_", "_cmpeq_"),
    (r"_cmple_", "_cmplt_"),
    (r"_fmadd_", "_fmsub_"),
    (r"_fnmadd_", "_fmadd_"),
    (r"_mask_", "_maskz_"),
    (r"\bvadd(?=q?_)", "vsub"),
    (r"\bvsub(?=q?_)", "vadd"),
    (r"\bvand(?=q_)", "vorr"),
    (r"\bvorr(?=q_)", "vand"),
    (r"\bveor(?=q_)", "vorr"),
    (r"\bvmul(?=q_)", "vadd"),
    (r"\bvfma(?=q_)", "vfms"),
    (r"\bvzip1(?=q_)", "vzip2"),
    (r"\bvzip2(?=q_)", "vzip1"),
    (r"\bvuzp1(?=q_)", "vuzp2"),
    (r"\bvuzp2(?=q_)", "vuzp1"),
    (r"\bvcge(?=q_)", "vcgt"),
    (r"\bvcle(?=q_)", "vclt"),
    (r"\bvceq(?=q_)", "vcge"),
    (r"\bvreal_add\b", "vreal_sub"),
    (r"\bvreal_sub\b", "vreal_add"),
    (r"\bvreal_mul\b", "vreal_add"),
    (r"\bvreal_min\b", "vreal_max"),
    (r"\bvreal_max\b", "vreal_min"),
    (r"\bvword_add\b", "vword_xor"),
    (r"\bvword_xor\b", "vword_add"),
    (r"\bmask_and\b", "mask_or"),
    (r"\bmask_or\b", "mask_and"),
]

# Test programs: the kernels' own first, which catch most.
TESTS = ["kernels", "kat", "generators", "golden", "dropout", "view", "fused", "attention", "variants",
         "dropconnect", "dropblock", "interop", "interop_gpu", "torch_cpu"]
ARS_TESTS = ["ars"]

# Units that are not a tier's: by the names that tests have for them.
ARS_UNITS = {"software": "scalar/ars_software.c", "aes-ni": "x86/ars_aesni.c",
             "vaes-256": "x86/ars_vaes256.c", "vaes-512": "x86/ars_vaes512.c", "armv8-aes": "arm/ars_neon.c"}
FOLDERS = {"avx2": "x86", "avx512": "x86", "neon": "arm", "rvv": "riscv"}

NO_OVERLAY = pathlib.Path("/nonexistent")


class Mutant:
    def __init__(self, path, place, old, new, line):
        self.path, self.place, self.old, self.new, self.line = path, place, old, new, line

    def text(self):
        source = self.path.read_text()
        start, end = self.place
        return source[:start] + self.new + source[end:]

    def changed_line(self):
        text = self.text()
        start = text.rfind("\n", 0, self.place[0]) + 1
        return text[start:text.index("\n", start)].strip()

    def name(self):
        """What equivalent.txt has of it: the file and the line, as it is now."""
        return f"{self.path.relative_to(ROOT)}: {self.changed_line()}"


def blank(match):
    return re.sub(r"[^\n]", "\0", match.group())


def blank_sizes(declaration):
    return re.sub(r"\[[^\]]*\]", blank, declaration.group())


def mutants_of(path):
    source = path.read_text()
    # Comments, strings and directives keep their length, and match nothing; macros' bodies are code.
    code = re.sub(r'/\*.*?\*/|//[^\n]*|"[^"\n]*"', blank, source, flags=re.S)
    code = re.sub(r"^[ \t]*#[ \t]*(?!define)(?:[^\n]*\\\n)*[^\n]*", blank, code, flags=re.M)
    code = re.sub(r"^[ \t]*#[ \t]*define[ \t]+\w+(?:\([^)\n]*\))?", blank, code, flags=re.M)
    # Arrays that are longer than they need be are as good.
    code = re.sub(r"^[ \t]+(?:static |const )*[a-z]\w+ \w+\[[^;]*;", blank_sizes, code, flags=re.M)
    code = re.sub(r"_Static_assert\((?:[^;]|\n)*?\);", blank, code)
    found = []
    for pattern, replacement in RULES:
        for match in re.finditer(pattern, code):
            old = source[match.start():match.end()]
            new = replacement(old) if callable(replacement) else replacement
            line = source.count("\n", 0, match.start()) + 1
            found.append(Mutant(path, match.span(), old, new, line))
    return found


ASAN = "-fsanitize=address"
# GCC 12's ASan does not know kernels that randomise more bits of addresses than 28.
FIXED_ADDRESSES = ["setarch", os.uname().machine, "-R"]
if subprocess.run([*FIXED_ADDRESSES, "true"], capture_output=True).returncode != 0:
    FIXED_ADDRESSES = []


class Tier:
    def __init__(self, build, name):
        self.build, self.name = build, name
        unit = ARS_UNITS.get(name) or f"{FOLDERS.get(name, 'scalar')}/kernels_{name}.c"
        self.unit = ROOT / "src" / unit
        self.tests = ARS_TESTS if name in ARS_UNITS else TESTS
        commands = subprocess.run(["ninja", "-C", build, "-t", "compdb"], check=True, capture_output=True,
                                  text=True).stdout
        self.compiling = next(entry["command"] for entry in json.loads(commands)
                              if entry["file"].endswith(unit) and entry["output"].endswith(".o"))
        self.linking = {}
        for test in list(self.tests):
            target = f"tests/test_{test}"
            listed = subprocess.run(["ninja", "-C", build, "-t", "commands", target], capture_output=True,
                                    text=True)
            if listed.returncode == 0:
                self.linking[test] = listed.stdout.splitlines()[-1]
            else:
                self.tests.remove(test)

    def compile(self, overlay, output, *more):
        words = shlex.split(self.compiling)
        words = [word for word in words if not re.fullmatch(r"-O.|-g\d?", word)]
        for option in ("-MF", "-MQ", "-o"):
            if option in words:
                at = words.index(option)
                del words[at:at + 2]
        words = [word for word in words if word != "-MD"]
        # What reads or writes beyond an array is caught, wherever that leads.
        trap = ["-fsanitize=bounds", "-fsanitize-undefined-trap-on-error"]
        # The unit itself is named, and what it includes is looked for in the overlay first.
        copy = overlay / self.unit.relative_to(ROOT / "src")
        if copy.exists():
            words = [str(copy) if word.endswith(str(self.unit.relative_to(ROOT))) else word for word in words]
        command = [words[0], f"-I{overlay}", *words[1:], "-O0", "-w", *trap, *more, "-o", output]
        return subprocess.run(command, cwd=self.build, capture_output=True, text=True)

    def link(self, test, unit, output, *more):
        words = shlex.split(self.linking[test])
        words[words.index("-o") + 1] = output
        words[1:1] = [unit, *more]
        subprocess.run(words, cwd=self.build, check=True, capture_output=True)

    def sources(self):
        """The files of which kernels are made, and the tier's vectors."""
        listed = self.compile(NO_OVERLAY, "-", "-MM").stdout
        paths = {(self.build / word).resolve() for word in listed.replace("\\\n", " ").split()[1:]}
        folders = [ROOT / "src/kernels", ROOT / "src/scalar", self.unit.parent]
        return sorted(path for path in paths if any(folder in path.parents for folder in folders)
                      and path.name not in ("kernels.h", "template.h", "required.inc.h"))

    def run(self, test, unit, folder, seconds, *more):
        """Whether the tests pass; the CPU seconds that they took."""
        program = os.path.join(folder, f"test_{test}")
        self.link(test, unit, program, *more)
        environment = {**os.environ, "DROPWISE_TEST_TIER": self.name, "DROPWISE_TEST_QUICK": "1",
                       "DROPWISE_TEST_NO_EXEC": "1", "ASAN_OPTIONS": "detect_leaks=0"}
        limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        wrapper = shlex.split(os.environ.get("MUTANTS_WRAPPER", "")) or FIXED_ADDRESSES
        child = subprocess.Popen([*wrapper, program], env=environment, preexec_fn=limit,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # The first failure is enough.
        failed = any(b"FAILED" in line for line in child.stderr)
        if failed:
            os.kill(child.pid, signal.SIGKILL)  # child.kill() would wait for it
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        os.unlink(program)
        passed = not failed and os.waitstatus_to_exitcode(status) in (0, 77)  # 77: skipped
        return passed, usage.ru_utime + usage.ru_stime


def equivalents():
    path = pathlib.Path(__file__).with_name("equivalent.txt")
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


def in_turns(sources, seed):
    """All mutants, in turn one of each file."""
    chance = random.Random(seed)
    lists = [mutants_of(path) for path in sources]
    for mutants in lists:
        chance.shuffle(mutants)
    return [mutant for turn in itertools.zip_longest(*lists) for mutant in turn if mutant is not None]


def main():
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__.split("\n\n")[1])
    build = pathlib.Path(sys.argv[1]).resolve()
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    tier = Tier(build, sys.argv[2])
    known = equivalents()
    with tempfile.TemporaryDirectory() as top:
        base = os.path.join(top, "base.o")
        compiled = tier.compile(NO_OVERLAY, base)
        if compiled.returncode != 0:
            sys.exit(compiled.stderr)
        code = pathlib.Path(base).read_bytes()
        optimized = os.path.join(top, "optimized.o")
        tier.compile(NO_OVERLAY, optimized, "-O2")
        best = pathlib.Path(optimized).read_bytes()
        limits = {}
        # A program of another machine has no ASan there.
        sanitizers = () if "MUTANTS_WRAPPER" in os.environ else (ASAN,)
        for options in ((), *((option,) for option in sanitizers)):
            tier.compile(NO_OVERLAY, base, *options)
            for test in tier.tests:
                passed, seconds = tier.run(test, base, top, 36000, *options)
                if not passed:
                    sys.exit(" ".join([f"test_{test} fails without a mutant", *options]))
                limits[test, *options] = int(10 * seconds) + 10
        candidates = iter(in_turns(tier.sources(), int(sys.argv[4]) if len(sys.argv) > 4 else 1))
        lock = threading.Lock()
        counts = {"caught": 0, "equivalent": 0, "survived": 0, "same code": 0, "does not compile": 0}
        by_test = {}
        survivors = []

        def judge(mutant, folder):
            overlay = pathlib.Path(folder)
            copy = overlay / mutant.path.relative_to(ROOT / "src")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(mutant.text())
            unit = os.path.join(folder, "unit.o")
            if tier.compile(overlay, unit).returncode != 0:
                return "does not compile"
            if pathlib.Path(unit).read_bytes() == code:
                return "same code"
            if {mutant.name(), f"{tier.name}: {mutant.name()}"} & known:
                return "equivalent"

            def catches(test, *more):
                if tier.run(test, unit, folder, limits[test, *more], *more)[0]:
                    return False
                with lock:
                    by_test[test] = by_test.get(test, 0) + 1
                return True

            if any(catches(test) for test in tier.tests):
                return "caught"
            # Without optimization code stays that is never reached.
            if tier.compile(overlay, unit, "-O2").returncode == 0 and pathlib.Path(unit).read_bytes() == best:
                return "same code"
            # What goes beyond an array that a function was given: the sanitized builds run all tests, too.
            for option in sanitizers:
                if tier.compile(overlay, unit, option).returncode == 0 and any(
                        catches(test, option) for test in tier.tests):
                    return "caught"
            return "survived"

        def work():
            while True:
                with lock:
                    if counts["caught"] + counts["equivalent"] + counts["survived"] >= n:
                        return
                    mutant = next(candidates, None)
                if mutant is None:
                    return
                with tempfile.TemporaryDirectory(dir=top) as folder:
                    verdict = judge(mutant, folder)
                with lock:
                    counts[verdict] += 1
                    if verdict == "survived":
                        survivors.append(mutant)
                        print(f"\rsurvived: {mutant.path.relative_to(ROOT)}:{mutant.line}: {mutant.old} -> "
                              f"{mutant.new}\n  {mutant.changed_line()}")
                    done = counts["caught"] + counts["equivalent"] + counts["survived"]
                    print(f"\r{tier.name}: {done} of {n}, {counts['caught']} caught", end="", flush=True)

        n_workers = int(os.environ.get("MUTANTS_JOBS", os.cpu_count()))
        with concurrent.futures.ThreadPoolExecutor(n_workers) as workers:
            for worker in [workers.submit(work) for _ in range(n_workers)]:
                worker.result()
    print()
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    print("caught by: " + ", ".join(f"{test} {count}" for test, count in by_test.items()))
    done = counts["caught"] + counts["equivalent"] + counts["survived"]
    (build / f"mutants-{tier.name}.md").write_text(
        f"| {tier.name} | {done} | {counts['caught']} | {counts['equivalent']} | {counts['survived']} |\n")
    sys.exit(len(survivors) != 0)


if __name__ == "__main__":
    main()
