#!/bin/bash
# safetensors 0.8.0 writes other values than it is given, without an error, where a NumPy array is not
# contiguous: it takes the bytes that follow the first element, and the shape of the view. Its documentation
# asks for arrays that are contiguous; 0.7.0 wrote others as they are, too:
#                                  0.7.0               0.8.0
#   a transposed matrix            as given            the elements in the order of memory
#   every second of a mask's bits  1 0 1 0             1 0 0 1, which are the first four
# So a program whose masks and weights were right has wrong ones in its files after the update, and nobody
# says so. np.ascontiguousarray helps. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/views.py" << 'END'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load, save

matrix = np.arange(6, dtype=np.float32).reshape(2, 3).T
mask = np.array([1, 0, 0, 1, 1, 0, 0, 1], bool)[::2]
read = load(save({"matrix": matrix, "mask": mask}))
print(safetensors.__version__, "transposed", matrix.tolist(), "comes back as", read["matrix"].tolist())
print(safetensors.__version__, "mask", mask.astype(int), "comes back as", read["mask"].astype(int))
right = np.array_equal(read["matrix"], matrix) and np.array_equal(read["mask"], mask)
memory = np.array_equal(read["matrix"].ravel(), np.arange(6)) and np.array_equal(read["mask"], [1, 0, 0, 1])
sys.exit(0 if (right if safetensors.__version__ == "0.7.0" else memory) else "the behaviour has changed")
END

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6
for version in 0.7.0 0.8.0; do
    "$folder/venv/bin/pip" install -q safetensors==$version
    "$folder/venv/bin/python" "$folder/views.py"
done
