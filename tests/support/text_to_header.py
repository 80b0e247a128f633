#!/usr/bin/env python3
"""Turns a text file into a C header with a string of that name: text_to_header.py IN OUT NAME.

Tests carry their data with them, as they also run where there is no file system. An array, as string
literals have a limit in standard C.
"""
import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as text, open(target, "w") as header:
    header.write(f"static const char {name}[] = {{\n")
    for line in text:
        header.write("    " + ", ".join(str(byte) for byte in line) + ",\n")
    header.write("    0};\n")
