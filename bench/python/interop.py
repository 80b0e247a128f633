#!/usr/bin/env python3
"""Other systems' dropout beside this package's drawing of the same masks: a table.

usage: bench/python/interop.py    in an environment that has the package, and any of the systems

Each system runs in a process of its own, on one CPU. Times are the least of many rounds in which all take
turns, f32, p = 0.1, 1 Mi elements. Before, the masks are compared; a system that is not there is said to be
missing.
"""

import os
import subprocess
import sys

import numpy as np
from turns import least

import dropwise
from dropwise import interop

N, P, SEED, ROUNDS = 1 << 20, 0.1, 5, 60


def onnx_runtime():
    import onnxruntime
    from onnx import TensorProto, helper

    value, options = helper.make_tensor_value_info, onnxruntime.SessionOptions()
    node = helper.make_node("Dropout", ["x", "r", "t"], ["y"], seed=SEED)
    graph = helper.make_graph(
        [node],
        "dropout",
        [value("x", TensorProto.FLOAT, ["n"]), value("t", TensorProto.BOOL, [])],
        [value("y", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("r", TensorProto.FLOAT, [], [P])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=8)
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = {"x": np.ones(N, np.float32), "t": np.array(True)}
    first = session.run(None, given)[0] != 0
    name = f"ONNX Runtime {onnxruntime.__version__}, a session's run"
    return name, first, lambda: session.run(None, given), lambda: interop.onnx_runtime_cpu(SEED, 0, P)


def paddle():
    import paddle as system

    system.set_device("cpu")
    system.seed(SEED)
    x, dropout = system.ones([N], "float32"), system.nn.functional.dropout
    first = dropout(x, P).numpy() != 0
    name = f"Paddle {system.__version__}, `functional.dropout`"
    return name, first, lambda: dropout(x, P), lambda: interop.paddle_cpu("f32", SEED, 0, P)


def mlx():
    import importlib.metadata

    import mlx.core as mx
    import mlx.nn as nn

    mx.set_default_device(mx.cpu)
    mx.random.seed(SEED)
    x, layer = mx.ones(N), nn.Dropout(P)
    first = np.array(layer(x)) != 0
    key = interop.jax_split(interop.jax_key(SEED), 1, partitionable=False)
    name = f"MLX {importlib.metadata.version('mlx')}, `nn.Dropout`"
    return name, first, lambda: mx.eval(layer(x)), lambda: interop.mlx(key, N, 1 - P)


def tensorflow():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(SEED)
    x = tf.ones(N)
    first = tf.nn.dropout(x, P, seed=3).numpy() != 0
    name = f"TensorFlow {tf.__version__}, `tf.nn.dropout`"
    theirs = lambda: tf.nn.dropout(x, P, seed=3)  # noqa: E731
    return name, first, theirs, lambda: interop.tensorflow_stateful((SEED, 3), 0, P)


def numpy():
    x, scale, rng = np.ones(N, np.float32), np.float32(1 / (1 - P)), np.random.default_rng(SEED)
    first = rng.random(N, np.float32) >= np.float32(P)
    name = f"NumPy {np.__version__}, `x * (rng.random(n, f32) >= p) * s`"
    theirs = lambda: x * (rng.random(N, np.float32) >= P) * scale  # noqa: E731
    begin = interop.numpy_pcg64_seed(SEED)
    return name, first, theirs, lambda: interop.numpy_pcg64(*begin, P, "f32")


def jax():
    import jax as system
    import jax.numpy as jnp

    x, key = jnp.ones(N), system.random.key(SEED)
    step = system.jit(lambda key, x: jnp.where(system.random.bernoulli(key, 1 - P, x.shape), x / (1 - P), 0))
    first = np.asarray(step(key, x)) != 0
    name = f"JAX {system.__version__}, jitted `where(bernoulli(key, ...), x / keep, 0)`"
    theirs = lambda: step(key, x).block_until_ready()  # noqa: E731
    return name, first, theirs, lambda: interop.jax(interop.jax_key(SEED), 1 - P)


#: Layouts, and how many times as long as the bits are the system's dropout is to take.
SYSTEMS = {
    "onnx-runtime-cpu": (onnx_runtime, 3),
    "paddle-cpu": (paddle, 3),
    "mlx": (mlx, 3),
    "tf-stateful": (tensorflow, 3),
    "numpy-pcg64": (numpy, 3),
    "jax": (jax, 5),
}


def print_row(layout):
    make, wanted = SYSTEMS[layout]
    try:
        name, first, theirs, masks = make()
    except ImportError as error:
        print(f"| `{layout}` | {error.name} is missing | | | {wanted} times |")
        return
    if not np.array_equal(masks().keep(N), first):
        sys.exit(f"{layout}: not what {name} drew")
    x, y, bits = np.ones(N, np.float32), np.empty(N, np.float32), np.empty(N // 8, np.uint8)
    dropout, drawn, applied = least(
        ROUNDS,
        1,
        theirs,
        lambda: masks().bits(N, out=bits, threads=1),
        lambda: masks().forward(x, y, threads=1),
    )
    times = f"{dropout / drawn:.1f} times | {dropout / applied:.1f} times"
    print(f"| `{layout}` | {name} | {times} | {wanted} times |")


def main():
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        print_row(sys.argv[1])
        return
    tier = dropwise._core.info()["tier"]
    print(
        f"| {tier}, 1 Mi float32, p = {P}, one CPU | dropout | beside the bits | beside `forward` | wanted |"
    )
    print("|---|---|---|---|---|", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for layout in SYSTEMS:
        command = [sys.executable, __file__, layout]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{layout}: {done.stderr}")
        print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
