#!/bin/bash
# What is too large for a float8, rounded to it by five programs:
#                                       float8_e4m3fn, whose largest is 448   float8_e5m2, 57344
#                                       465     480     500     inf           61440   inf
#   NumPy with ml_dtypes 0.7.0          NaN     NaN     NaN     NaN           inf     inf
#   PyTorch 2.13.0                      448     448     448     448           inf     inf
#   Cast of ONNX's reference 1.23.2     448     448     448     448           57344   57344
#     with saturate=0                   NaN     NaN     NaN     NaN           inf     inf
#   ONNX Runtime 1.32.0                 448     448     448     448           57344   57344
#     with saturate=0                   NaN     448     NaN     NaN           NaN     inf
#   OpenVINO 2026.4.1, either           NaN     NaN     NaN     NaN           inf     inf
# So PyTorch hides an overflow of the one type, even an infinity, and shows that of the other: a check for
# gradients that are not finite finds nothing in e4m3fn, where ml_dtypes, which JAX has its types from, has
# NaN. OpenVINO takes no notice of `saturate`, which is 1 where a model does not say. ONNX Runtime without
# it takes what rounds to the next step (480 to 496, 61440 to 65536) for something else: a number between
# NaNs, NaN below inf. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 ml_dtypes==0.7.0 onnx==1.23.2 \
    onnxruntime==1.32.0 openvino==2026.4.1

"$folder/venv/bin/python" - << 'END'
import sys

import ml_dtypes
import numpy as np
import onnxruntime
import openvino
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

VALUES = {
    "float8_e4m3fn": np.array([465, 480, 500, np.inf, -np.inf], np.float32),
    "float8_e5m2": np.array([61440, np.inf, -np.inf], np.float32),
}


def cast_there_and_back(name, saturate):
    x, y = (helper.make_tensor_value_info(end, TensorProto.FLOAT, VALUES[name].shape) for end in "xy")
    kind = getattr(TensorProto, name.upper().replace("FLOAT8_", "FLOAT8"))
    nodes = [
        helper.make_node("Cast", ["x"], ["small"], to=kind, saturate=saturate),
        helper.make_node("Cast", ["small"], ["y"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(nodes, "finding", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def runtime(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def vino(model, x):
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)([x])[0]


def saturated(name):
    largest = float(ml_dtypes.finfo(name).max)
    return [np.sign(value) * largest for value in VALUES[name]]


def not_saturated(name):
    return [np.nan] * 5 if name == "float8_e4m3fn" else [np.inf, np.inf, -np.inf]


changed = False
for name, x in VALUES.items():
    large, small = not_saturated(name), saturated(name)
    mixed = [np.nan, np.inf, -np.inf] if name == "float8_e5m2" else [np.nan, 448, np.nan, np.nan, np.nan]
    torch_has = large if name == "float8_e5m2" else small
    found = {
        "ml_dtypes": (x.astype(getattr(ml_dtypes, name)).astype(np.float32), large),
        "PyTorch": (torch.from_numpy(x).to(getattr(torch, name)).float().numpy(), torch_has),
    }
    for saturate, expected, of_runtime in (1, small, small), (0, large, mixed):
        model = cast_there_and_back(name, saturate)
        found[f"reference, saturate={saturate}"] = ReferenceEvaluator(model).run(None, {"x": x})[0], expected
        found[f"ONNX Runtime, saturate={saturate}"] = runtime(model, x), of_runtime
        found[f"OpenVINO, saturate={saturate}"] = vino(model, x), large
    for program, (values, expected) in found.items():
        print(f"{name} of {x.tolist()} by {program}: {values.tolist()}")
        changed = changed or not np.array_equal(values, expected, equal_nan=True)
sys.exit("the behaviour has changed" if changed else 0)
END
