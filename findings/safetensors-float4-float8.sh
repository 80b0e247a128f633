#!/bin/bash
# safetensors 0.8.0 with PyTorch 2.13.0, the types of MX formats (float8 scales, packed float4): its own
# functions differ in what they read of a file that save_file wrote.
#                            load_file, get_tensor   load(bytes)   get_slice   NumPy's load_file
#   float8_e4m3fn            as written              as written    as written  AttributeError
#   float8_e8m0fnu           as written              KeyError      as written  AttributeError
#   float4_e2m1fn_x2         as written              KeyError      an error    AttributeError
# So what is read from memory, say from an archive or a socket, has to go through a file first. The header's
# shape of float4 is twice as wide as PyTorch's, which counts pairs; that is what slices go wrong by. Fails
# if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 safetensors==0.8.0 packaging==26.4

FILE=$folder/tensors.safetensors OMP_NUM_THREADS=1 "$folder/venv/bin/python" - << 'END'
import json
import os
import sys

import safetensors.numpy
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save_file

path = os.environ["FILE"]
READERS = {
    "load_file": lambda: load_file(path)["x"],
    "get_tensor": lambda: safe_open(path, "pt").get_tensor("x"),
    "load": lambda: load(open(path, "rb").read())["x"],
    "get_slice": lambda: safe_open(path, "pt").get_slice("x")[:],
    "NumPy's load_file": lambda: safetensors.numpy.load_file(path)["x"],
}
EXPECTED = {
    "float8_e4m3fn": ["as written"] * 4 + ["AttributeError"],
    "float8_e8m0fnu": ["as written", "as written", "KeyError", "as written", "AttributeError"],
    "float4_e2m1fn_x2": ["as written", "as written", "KeyError", "RuntimeError", "AttributeError"],
}
found = {}
for name in EXPECTED:
    x = torch.arange(8, dtype=torch.uint8).reshape(2, 4).view(getattr(torch, name))
    save_file({"x": x}, path)
    found[name] = []
    for reader in READERS.values():
        try:
            y = reader()
            same = y.dtype == x.dtype and torch.equal(y.view(torch.uint8), x.view(torch.uint8))
            found[name].append("as written" if same else "otherwise")
        except (AttributeError, KeyError, RuntimeError) as error:
            found[name].append(type(error).__name__)
    print(name, *[f"{reader}: {result};" for reader, result in zip(READERS, found[name])])
content = open(path, "rb").read()
header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["x"]
print(f"float4 of PyTorch's shape {list(x.shape)} has {header['shape']} in the header")
sys.exit(0 if found == EXPECTED and header["shape"] == [2, 8] else "the behaviour has changed")
END
