#!/usr/bin/env python3
"""Prints what it costs to have the library and to load it: loading.py BUILD

Sizes and relocations are read from the shared library in the build folder. Times are medians over fresh
processes, of processor time: dlopen beyond that of an empty library, with what the library depends on loaded
before, and the constructor alone, which detects the CPU and chooses a tier.
"""
import collections
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

PROCESSES = 101


def output(*command):
    return subprocess.run(command, check=True, text=True, capture_output=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def main():
    build = pathlib.Path(sys.argv[1])
    library = build / "src/libdropwise.so"
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped")
        output("strip", "-o", stripped, library)
        size = os.path.getsize(stripped)
    sections = {name: int(length, 16) for name, length in re.findall(
        r"\]\s+(\.[\w.]+)\s+\w+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", output("readelf", "-SW", library))}
    relocations = collections.Counter(
        re.findall(r"\bR_(?:X86_64|AARCH64)_(\w+)", output("readelf", "-rW", library)))
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", library))
    runs = [[float(word) for word in output(build / "bench/loading", build / "bench/libempty.so", library,
                                            *needed).split()] for _ in range(PROCESSES)]
    empty, whole, constructor = (statistics.median(column) for column in zip(*runs))
    kinds = ", ".join(f"{count} {kind}" for kind, count in relocations.most_common())

    print("| the shared library | |")
    print("|---|---|")
    print(f"| file, stripped | {size / 1024:.0f} KiB |")
    print(f"| code | {sections['.text'] / 1024:.0f} KiB |")
    print(f"| constants | {sections['.rodata'] / 1024:.0f} KiB |")
    print(f"| relocations | {sum(relocations.values())} ({kinds}) |")
    print(f"| depends on | {', '.join(needed)} |")
    print(f"| dlopen, beyond {empty:.0f} us for an empty library | {whole - empty:.0f} us |")
    print(f"| of that, the constructor | {constructor:.1f} us |")


main()
