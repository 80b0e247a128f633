#!/bin/bash
# NumPy 2.4.6 saves the element types of ml_dtypes 0.6.0 (those of JAX and TensorFlow) in .npy files that do
# not say which type it was, and one of them in a file that NumPy itself cannot read:
#   bfloat16                               "<V2", and comes back as 2-byte void
#   float8_e4m3fn, float8_e8m0fnu, int4    "<V1" all three, and come back as 1-byte void
#   float8_e5m2                            "<f1": saved without an error, refused when it is loaded
# So who reads such a file has to be told the type: `dropwise apply --dtype`. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 ml_dtypes==0.6.0

"$folder/venv/bin/python" - << 'END'
import ast, io, sys
import ml_dtypes
import numpy as np

EXPECTED = {
    "bfloat16": ("<V2", "|V2"),
    "float8_e4m3fn": ("<V1", "|V1"),
    "float8_e8m0fnu": ("<V1", "|V1"),
    "int4": ("<V1", "|V1"),
    "float8_e5m2": ("<f1", "ValueError"),
}
changed = False
for name, expected in EXPECTED.items():
    file = io.BytesIO()
    np.save(file, np.ones(3, dtype=getattr(ml_dtypes, name)))
    content = file.getvalue()
    length = int.from_bytes(content[8:10], "little")
    written = ast.literal_eval(content[10:10 + length].decode("latin1"))["descr"]
    file.seek(0)
    try:
        read = np.load(file).dtype.str
    except ValueError as error:
        read = type(error).__name__
    print(f"{name}: saved as {written!r}, loaded as {read}")
    changed = changed or (written, read) != expected
sys.exit("the behaviour has changed" if changed else 0)
END
