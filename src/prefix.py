#!/usr/bin/env python3
"""Writes a header that puts a prefix before all names of the library, so that a program may contain two
copies of it. CMakeLists.txt does the same without Python.

usage: prefix.py PREFIX HEADER FOLDER...    of the names in the sources below the folders
"""
import pathlib
import re
import sys

prefix, header, *folders = sys.argv[1:]
files = [path for folder in folders for path in pathlib.Path(folder).rglob("*.*")]
files = [path for path in files if path.suffix in {".c", ".h", ".inc"}]
names = {name for path in files for name in re.findall(r"\bdropwise_\w+", path.read_text())}
lines = ["/* Made by the build. */", "#ifndef DROPWISE_PREFIX_H", "#define DROPWISE_PREFIX_H"]
lines += [f"#define {name} {prefix}{name}" for name in sorted(names)]
lines += ["#ifdef __cplusplus", f"#define dropwise {prefix}dropwise /* the namespace */", "#endif", "#endif"]
pathlib.Path(header).write_text("\n".join(lines) + "\n")
