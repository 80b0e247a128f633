#!/bin/bash
# A float64 that is just above the middle between two numbers of 16 bits is rounded down by most programs:
# they round to float32 first, which makes it the middle, and then to even.
#                             to float16             to bfloat16            to float8_e4m3fn
#                             1 + 2^-11 + 2^-40      1 + 2^-8 + 2^-40       1 + 2^-4 + 2^-40
#   NumPy, ml_dtypes 0.7.0    up                     up                     up
#   the same, 0.6.0           up                     down                   down
#   PyTorch 2.13.0            down                   down                   down
#   JAX 0.10.2                down                   down                   up
#   ONNX's reference          up                     up                     up
#   ONNX Runtime 1.32.0       down                   down                   down
# The reference is as the ml_dtypes that it finds. Integers go the same way: 2^25 + 2^17 + 1 is 33816576 in
# bfloat16 by ml_dtypes 0.7.0, 33554432 by the others. So what is made in float64 and kept in 16 bits, as
# rates and scales are, is another number by who rounded it; and two files of one converter differ by the
# ml_dtypes that was installed. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 jax==0.10.2 onnx==1.23.2 onnxruntime==1.32.0

cat > "$folder/middles.py" << 'END'
import sys
import warnings

import jax
import ml_dtypes
import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")
jax.config.update("jax_enable_x64", True)
INTEGER = 2**25 + 2**17 + 1
CASES = { # a value just above the middle, and ONNX's name of the type
    "float16": (1 + 2**-11 + 2**-40, TensorProto.FLOAT16),
    "bfloat16": (1 + 2**-8 + 2**-40, TensorProto.BFLOAT16),
    "float8_e4m3fn": (1 + 2**-4 + 2**-40, TensorProto.FLOAT8E4M3FN),
}


def cast(kind):
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    nodes = [
        helper.make_node("Cast", ["x"], ["small"], to=kind),
        helper.make_node("Cast", ["small"], ["y"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(nodes, "finding", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def runtime(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


found = {}
for name, (value, kind) in CASES.items():
    kept = np.dtype(getattr(np, name, None) or getattr(ml_dtypes, name))
    x, model = np.array([value]), cast(kind)
    rounded = {
        "NumPy": x.astype(kept),
        "PyTorch": torch.from_numpy(x).to(getattr(torch, name)).double().numpy(),
        "JAX": np.asarray(jax.numpy.asarray(x).astype(kept)),
        "JAX compiled": np.asarray(jax.jit(lambda x: x.astype(kept))(x)),
        "reference": ReferenceEvaluator(model).run(None, {"x": x})[0],
        "ONNX Runtime": runtime(model, x),
    }
    for program, y in rounded.items():
        found.setdefault(program, []).append("up" if float(y[0]) > 1 else "down")
for program, ways in found.items():
    print(f"{program}: {', '.join(f'{name} {way}' for name, way in zip(CASES, ways))}")
integer = np.array([INTEGER])
integers = [
    float(integer.astype(ml_dtypes.bfloat16)[0]),
    torch.from_numpy(integer).to(torch.bfloat16).item(),
    float(jax.numpy.asarray(integer).astype(ml_dtypes.bfloat16)[0]),
]
print(f"{INTEGER} in bfloat16 by NumPy, PyTorch and JAX:", *integers)
new = ml_dtypes.__version__ == "0.7.0"
of_numpy = "up up up" if new else "up down down"
twice = "down down down"
expected = {"NumPy": of_numpy, "PyTorch": twice, "JAX": "down down up", "JAX compiled": "down down up",
            "reference": of_numpy, "ONNX Runtime": twice}
same = {program: " ".join(ways) for program, ways in found.items()} == expected
numbers = [33816576 if new else 33554432, 33554432, 33554432]
sys.exit(0 if same and integers == numbers else "the behaviour has changed")
END
for version in 0.6.0 0.7.0; do
    "$folder/venv/bin/pip" install -q ml_dtypes==$version
    echo "ml_dtypes $version"
    JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/middles.py"
done
