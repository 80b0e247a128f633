#!/usr/bin/env python3
"""Prints what systems draw on a CPU: make_cpu_masks.py SYSTEM > FILE, in a venv that has the system.

    torch      torch==2.13.0 numpy==2.4.6                    torch_cpu_masks.txt
    ort        onnxruntime==1.32.0 onnx==1.23.2 numpy        these and the next: cpu_masks.txt
    tf         tensorflow-cpu==2.21.0
    jax        jax==0.10.2                                   also jax-high
    layers     the same, flax==0.12.8 dm-haiku==0.0.17 keras==3.15.1    jax_layer_masks.txt
    mlx        mlx[cpu]==0.32.4 numpy
    tinygrad   tinygrad==0.14.0 numpy
    mkl        mkl==2026.2.0 numpy
    paddle     paddlepaddle==3.3.1
    mxnet      mxnet==1.9.1 numpy<1.24
    func       torch==2.14.1 numpy
    numpy      numpy==2.4.6

Neither the build nor the tests need any of them: they read the files. Hashes are FNV-1a of 64 bits, over the
bytes that the file names. A row of cpu_masks.txt is a layout, what its constructor is given, and 256 keep
bits; the systems' rows follow each other.
"""
import ctypes
import os
import sys

N = 256


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in bytes(data):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def digits(mask):
    return "".join("01"[int(kept)] for kept in mask)


def row(layout, mask, **numbers):
    assert len(mask) == N
    print(layout, *(f"{name}={value}" for name, value in numbers.items()), digits(mask))


def vendor():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("vendor_id"))


def torch_cpu():
    import numpy as np
    import torch
    print(f"# PyTorch {torch.__version__} on a CPU of {vendor()}")
    print("# mask SEED P DIGITS: what F.dropout keeps of 64 ones after manual_seed(SEED)")
    for seed in 0, 5, 2**40 + 5:
        for p in 0.1, 0.5, 0.9:
            torch.manual_seed(seed)
            print("mask", seed, p, digits(torch.nn.functional.dropout(torch.ones(64), p) != 0))
    print("# dropout SEED WORDS P DTYPE N MASK OUTPUT STATE: hashes, one byte for an element of the mask,")
    print("# of y = F.dropout(x, P) when so many words of the generator are used, and of get_rng_state()")
    print("# after it. x[i] is (37 i mod 255 - 127) / 8, and -0 where i mod 50 = 7")
    dtypes = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}
    sizes = 1, 2, 63, 64, 65, 155, 311, 312, 313, 623, 624, 625, 1000, 1024, 1337, 4096, 70001
    for number, n in enumerate(sizes):
        for k, (name, dtype) in enumerate(dtypes.items()):
            p = (0.1, 0.5, 0.3, 0.9, 1e-6, 0.25, 1 - 2.0**-53, 0.0, 1.0)[(number + 3 * k) % 9]
            seed, words = (number * 977 + k) << 30, (number + k) % 3
            i = torch.arange(n)
            x = (((37 * i) % 255 - 127).double() / 8).to(dtype)
            x[i % 50 == 7] = -0.0
            torch.manual_seed(seed)
            for _ in range(words):
                torch.randperm(2)
            left = int(torch.get_rng_state()[8:12].numpy().view(np.int32)[0])
            assert 625 - left == (words or 624)
            y = torch.nn.functional.dropout(x, p)
            after = torch.get_rng_state()
            torch.manual_seed(seed)
            for _ in range(words):
                torch.randperm(2)
            mask = torch.nn.functional.dropout(torch.ones(n, dtype=torch.float64), p) != 0
            print("dropout", seed, words, p, name, n, fnv(mask.numpy().view(np.uint8).tobytes()),
                  fnv(y.view(torch.uint8).numpy().tobytes()), fnv(after.numpy().tobytes()))
    print("# jump SEED WORDS: 8 words of numpy.random.MT19937, seeded as RandomState(SEED), 2^128 words on")
    for seed in 1, 20250731:
        bits = np.random.MT19937()
        bits.state = np.random.RandomState(seed).get_state(legacy=False)
        print("jump", seed, *(f"{word:08x}" for word in bits.jumped().random_raw(8)))


def onnx_runtime():
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper
    print(f"# ONNX Runtime {onnxruntime.__version__}: Dropout of opset 22, f32; the attribute seed")
    value = helper.make_tensor_value_info
    for seed in 0, 7, 2**31, 2**40 + 3, -7:
        for p in 0.1, 0.5, 0.9:
            node = helper.make_node("Dropout", ["x", "r", "t"], ["y", "m"], seed=seed)
            graph = helper.make_graph(
                [node], "g", [value("x", TensorProto.FLOAT, ["n"]), value("t", TensorProto.BOOL, [])],
                [value("y", TensorProto.FLOAT, ["n"]), value("m", TensorProto.BOOL, ["n"])],
                [helper.make_tensor("r", TensorProto.FLOAT, [], [p])])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=8)
            session = onnxruntime.InferenceSession(model.SerializeToString(),
                                                   providers=["CPUExecutionProvider"])
            for run in range(2):
                mask = session.run(None, {"x": np.ones(N, np.float32), "t": np.array(True)})[1]
                row("onnx-runtime-cpu", mask, seed=seed % 2**64, run=run, p=p)


def tensorflow():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    print(f"# TensorFlow {tf.__version__} on a CPU")
    dtypes = {"f32": tf.float32, "f64": tf.float64, "f16": tf.float16, "bf16": tf.bfloat16}

    def kept(y):
        return tf.cast(y, tf.float64).numpy() != 0

    for name, dtype in dtypes.items():
        x = tf.ones(N, dtype)
        for a, b in ((1, 0), (-5, 7), (2**40 + 3, -2**50)):
            for rate in 0.1, 0.5, 0.9:
                seed = tf.constant([a, b], tf.int64)
                stateless = tf.nn.experimental.stateless_dropout
                given = {"seed": a % 2**64, "stream": b % 2**64, "p": rate, "dtype": name}
                row("tf", kept(stateless(x, rate, seed)), **given)
                compiled = tf.function(lambda rate=rate, seed=seed, x=x: stateless(x, rate, seed),
                                       jit_compile=True)
                row("tf-xla", kept(compiled()), **given)
        for a, b in ((0, 3), (5, 3), (0, 0), (123456, 2**31 - 1)):
            for rate in 0.1, 0.5:
                tf.random.set_seed(a)
                before = 0
                for n in 64, N:
                    y = tf.nn.dropout(tf.ones(n, dtype), rate, seed=b)
                    if n == N:
                        pair = (a % (2**31 - 1), b % (2**31 - 1))
                        pair = pair if pair != (0, 0) else (0, 2**31 - 1)
                        row("tf-stateful", kept(y), seed=pair[0], stream=pair[1], before=before, p=rate,
                            dtype=name)
                    before += n


def jax_rbg():
    import jax
    import numpy as np
    print(f"# JAX {jax.__version__} on a CPU")
    dtypes = {"f32": np.float32, "f16": np.float16, "bf16": jax.numpy.bfloat16}
    for seed in 0, 1, 2**31 + 5:
        for impl in "rbg", "unsafe_rbg":
            for data in None, 9:
                key = jax.random.key(seed, impl=impl)
                key = key if data is None else jax.random.fold_in(key, data)
                words = [int(word) for word in jax.random.key_data(key)]
                for p in 0.1, 0.5:
                    for name, dtype in dtypes.items():
                        keep = jax.numpy.asarray(1.0 - p, dtype)
                        mask = np.asarray(jax.random.bernoulli(key, keep, (N,)))
                        row("jax-rbg", mask, seed=words[0] << 32 | words[1], stream=words[2] << 32 | words[3],
                            p=p, dtype=name)
    jax.config.update("jax_enable_x64", True)
    for p in 0.1, 0.5:
        key = jax.random.key(7, impl="rbg")
        words = [int(word) for word in jax.random.key_data(key)]
        mask = np.asarray(jax.random.bernoulli(key, 1.0 - p, (N,)))
        row("jax-rbg", mask, seed=words[0] << 32 | words[1], stream=words[2] << 32 | words[3], p=p,
            dtype="f64")


def jax_high():
    import jax
    import numpy as np
    print(f"# JAX {jax.__version__} on a CPU, bernoulli with mode='high'; jax-legacy: not partitionable")
    jax.config.update("jax_enable_x64", True)
    dtypes = {"f32": np.float32, "f16": np.float16, "bf16": jax.numpy.bfloat16, "f64": np.float64}
    for layout, impl, partitionable in (("jax", "threefry2x32", True), ("jax-legacy", "threefry2x32", False),
                                        ("jax-rbg", "rbg", True)):
        jax.config.update("jax_threefry_partitionable", partitionable)
        for seed in 1, 2:
            key = jax.random.key(seed, impl=impl)
            words = [int(word) for word in jax.random.key_data(key)]
            for name, dtype in dtypes.items():
                for p in 0.1, 0.7:
                    keep = jax.numpy.asarray(1.0 - p, dtype)
                    mask = np.asarray(jax.random.bernoulli(key, keep, (N,), mode="high"))
                    row(f"{layout}-high", mask, seed=words[0] << 32 | words[1], size=N, p=p,
                        dtype=name, **({"stream": seed} if layout == "jax-rbg" else {}))


def linen_layers():
    import flax
    import flax.linen as nn
    import jax
    import numpy as np

    class Layers(nn.Module):
        """Names of several levels; each layer is called twice."""
        names: tuple[str, ...]

        @nn.compact
        def __call__(self, x):
            if len(self.names) > 1:
                return Layers(self.names[1:], name=self.names[0])(x)
            drop = nn.Dropout(0.5, deterministic=False, name=self.names[0])
            return drop(x), drop(x)

    for separator in 0, 1:
        flax.config.update("flax_fix_rng_separator", bool(separator))
        for seed in 0, 2**32 - 7:
            keys = {"dropout": jax.random.key(seed)}
            both = nn.Dropout(0.5, deterministic=False).apply({}, np.ones(N), rngs=keys)
            row("linen", both != 0, seed=seed, path="", call=0, separator=separator)
            for names in (("Dropout_0",), ("Encoder_0", "Dropout_1"), ("enc", "a" * 49, "x"),
                          ("enc", "a" * 50, "x"), ("enc", "a" * 51, "x"), ("enc", "a" * 120, "drop")):
                both = Layers(names).apply({}, np.ones(N), rngs=keys)
                for call in 0, 1:
                    row("linen", both[call] != 0, seed=seed, path="/".join(names), call=call,
                        separator=separator)
    flax.config.update("flax_fix_rng_separator", False)

    class Often(nn.Module):
        """Takes keys until their number has a second and a third byte."""

        @nn.compact
        def __call__(self, last):
            for _ in range(last):
                self.make_rng("dropout")
            return jax.random.bernoulli(self.make_rng("dropout"), 0.5, (N,))

    for last in 254, 255, 256, 65535:
        mask = Often().apply({}, last, rngs={"dropout": jax.random.key(3)})
        row("linen", mask, seed=3, path="", call=last, separator=0)


def jax_layers():
    os.environ["KERAS_BACKEND"] = "jax"
    import flax
    import haiku
    import jax
    import keras
    import numpy as np
    from flax import nnx
    print(f"# Flax {flax.__version__}, Haiku {haiku.__version__}, Keras {keras.__version__} on JAX "
          f"{jax.__version__} on a CPU; all keep with 0.5")
    linen_layers()
    for seed in 0, 77:
        rngs = nnx.Rngs(dropout=seed)
        layers = [nnx.Dropout(0.5, rngs=rngs, deterministic=False) for _ in range(3)]
        for call in 0, 1, 2:
            for taken, layer in enumerate(layers):
                row("nnx", np.asarray(layer(np.ones(N))) != 0, seed=seed, taken=taken, call=call)
        keys = haiku.transform(lambda: [haiku.next_rng_key() for _ in range(5)])
        for call, key in enumerate(keys.apply({}, jax.random.key(seed))):
            row("haiku", jax.random.bernoulli(key, 0.5, (N,)), seed=seed, call=call)
        layer = keras.layers.Dropout(0.5, seed=seed)
        for call in range(3):
            row("keras", np.asarray(layer(np.ones(N), training=True)) != 0, seed=seed, call=call)


def mlx():
    import mlx.core as mx
    import numpy as np
    print(f"# MLX {mx.__version__} on a CPU")
    mx.set_default_device(mx.cpu)
    for seed in 0, 5, 2**40 + 1:
        for p in 0.1, 0.5, 0.9:
            mask = np.array(mx.random.bernoulli(1 - p, (N,), mx.random.key(seed)))
            row("mlx", mask, seed=seed, size=N, p=p)
    print("# probabilities that are next to what a number of the mask is compared with")
    key = mx.random.key(5)
    for number in np.array(mx.random.uniform(shape=(N,), key=key))[::43]:
        keep = np.float32(number)
        for _ in range(3):
            keep = np.nextafter(keep, np.float32(0))
        for _ in range(5):
            mask = np.array(mx.random.bernoulli(mx.array(keep), (N,), key))
            row("mlx", mask, seed=5, size=N, keep=repr(float(keep)))
            keep = np.nextafter(keep, np.float32(1))


def tinygrad():
    os.environ["DEV"] = "CPU"
    from tinygrad import Context, Tensor
    print("# tinygrad 0.14.0 on a CPU")
    for seed in 0, 5:
        for p in 0.1, 0.5, 0.9:
            Tensor.manual_seed(seed)
            with Context(TRAINING=1):
                for before in 0, N:
                    mask = Tensor.ones(N).dropout(p).numpy() != 0
                    row("tinygrad", mask, seed=seed, before=before, size=N, p=p)


def mkl():
    import numpy as np
    library = ctypes.CDLL(os.path.join(sys.prefix, "lib", "libmkl_rt.so.3"))
    print("# oneMKL 2026.2.0: viRngBernoulli, whose 1s are kept, and vsRngUniform")

    def drawn(function, generator, seed, *parameters):
        stream, out = ctypes.c_void_p(), np.empty(N, np.int32 if function == "viRngBernoulli" else np.float32)
        assert library.vslNewStream(ctypes.byref(stream), generator, ctypes.c_uint(seed)) == 0
        call = getattr(library, function)
        assert call(0, stream, N, out.ctypes.data_as(ctypes.c_void_p), *parameters) == 0
        return out

    for seed in 0, 1, 777, 2**31 - 1, 2**31, 2**32 - 1:
        for keep in 0.1, 0.5, 0.9:
            for layout, generator in ("onemkl-mcg31", 0x100000), ("onemkl-bernoulli", 0x1000000):
                mask = drawn("viRngBernoulli", generator, seed, ctypes.c_double(keep)) == 1
                row(layout, mask, seed=seed, keep=keep)
            u = drawn("vsRngUniform", 0x1000000, seed, ctypes.c_float(0), ctypes.c_float(1))
            row("onemkl", u >= np.float32(keep), seed=seed, p=keep)


def paddle():
    import paddle as system
    print(f"# Paddle {system.__version__} on a CPU")
    dropout = system.nn.functional.dropout
    for seed in 0, 5, 2**32 + 5:
        for name, dtype in ("f32", "float32"), ("f64", "float64"):
            for p in 0.1, 0.5, 0.9:
                system.seed(seed)
                for before, n in (0, 100), (100, N):
                    y = dropout(system.ones([n], dtype), p)
                row("paddle-cpu", y.numpy() != 0, seed=seed, before=before, p=p, dtype=name)


def mxnet():
    import mxnet as system
    print(f"# MXNet {system.__version__} on a CPU; a number of seed 681070 is 0.5")
    dtypes = {"f32": "float32", "f64": "float64", "f16": "float16"}

    def drawn(seed, name, p, size, run):
        system.random.seed(seed)
        for _ in range(run + 1):
            with system.autograd.record(train_mode=True):
                y = system.nd.Dropout(system.nd.ones((size,), dtype=dtypes[name]), p=p)
        row("mxnet-cpu", y.asnumpy()[:N] != 0, seed=seed, size=size, run=run, p=p, dtype=name)

    for seed in 0, 5, 2**32 - 7:
        for name in dtypes:
            for p in 0.1, 0.5:
                for size in N, 1000, 70001:
                    drawn(seed, name, p, size, seed % 2)
    drawn(681070, "f32", 0.5, N, 0)


def torch_func_random():
    import torch
    import torch.func._random as stateless
    print(f"# PyTorch {torch.__version__}: torch.func._random on a CPU")
    dtypes = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}
    for seed, offset in (5, 0), (0x123456789ABCDEF, 7), (2**64 - 1, 2**40):
        key = torch.tensor([seed, offset], dtype=torch.uint64)
        for name, dtype in dtypes.items():
            for p in 0.1, 0.5:
                u = stateless.uniform(key, (N,), dtype=dtype)
                mask = u >= torch.tensor(p, dtype=dtype)
                row("torch-func-random", mask, seed=seed, offset=offset, p=p, dtype=name)


def numpy_pcg64():
    import numpy as np
    print(f"# NumPy {np.__version__}: default_rng(seed)")
    for seed in 0, 5, 2**64 - 1:
        state = np.random.default_rng(seed).bit_generator.state["state"]
        numbers = state["state"], state["inc"]
        words = [number >> shift & 2**64 - 1 for number in numbers for shift in (0, 64)]
        for name, dtype in ("f64", np.float64), ("f32", np.float32):
            for p in 0.1, 0.5, 0.9:
                u = np.random.default_rng(seed).random(N, dtype=dtype)
                row("numpy-pcg64", u >= dtype(p), seed=seed, state0=words[0], state1=words[1], inc0=words[2],
                    inc1=words[3], p=p, dtype=name)


SYSTEMS = {"torch": torch_cpu, "ort": onnx_runtime, "tf": tensorflow, "jax": jax_rbg, "jax-high": jax_high,
           "layers": jax_layers,
           "mlx": mlx, "tinygrad": tinygrad, "mkl": mkl, "paddle": paddle, "mxnet": mxnet,
           "func": torch_func_random, "numpy": numpy_pcg64}
SYSTEMS[sys.argv[1]]()
