"""Masks of other systems: against what these drew, and against the C library's program."""

import pickle

import numpy as np
import pytest
from conftest import ROOT, needs

import dropwise
from dropwise import interop


def rows(file):
    for line in (ROOT / "tests/data" / file).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def digits(keep):
    return "".join("01"[bit] for bit in keep.reshape(-1).tolist())


def test_numpy_drew_the_same():
    for seed, low, high, dtype, p, mask in rows("numpy_masks.txt"):
        key = interop.numpy_key(int(seed))
        assert key == (int(low, 16), int(high, 16))
        draws = {"float64": "f64", "float32": "f32"}[dtype]
        assert digits(interop.numpy(key, float(p), draws).keep(len(mask))) == mask
        generator = np.random.Generator(np.random.Philox(int(seed)))
        assert digits(generator.random(len(mask), dtype) >= np.dtype(dtype).type(p)) == mask


def test_onednn_drew_the_same():
    for api, seed, offset, p, mask in rows("onednn_masks.txt"):
        seed, offset, p = int(seed) % 2**64, int(offset) % 2**64, float(p)
        if api == "v1":
            masks = interop.onednn_3_11_no_offset(seed % 2**32, p)
        elif offset == 0:
            continue
        else:
            masks = interop.onednn_3_11(seed, offset, p)
        assert digits(masks.keep(len(mask))) == mask


# By the program's name: the function, and the program's options for the same masks.
SAME = {
    "jax": (lambda: interop.jax((0, 42), 0.75), "--seed 42"),
    "jax-rbg": (lambda: interop.jax_rbg((0, 42, 0, 42), 0.75), "--seed 42"),
    "jax-high": (
        lambda: interop.jax_high((0, 42), 1000, 1 - 0.3, "bf16", "bf16"),
        "--seed 42 --size 1000 --p 0.3 --dtype bf16",
    ),
    "jax-legacy-high": (lambda: interop.jax_legacy_high((0, 42), 1000, 0.75), "--seed 42 --size 1000"),
    "jax-rbg-high": (lambda: interop.jax_rbg_high((0, 42, 0, 42), 1000, 0.75), "--seed 42 --size 1000"),
    "mlx": (lambda: interop.mlx((0, 42), 1000, 0.75), "--seed 42 --size 1000"),
    "tinygrad": (lambda: interop.tinygrad(5, 7, 1000, 0.25), "--seed 5 --before 7 --size 1000"),
    "tf-xla": (lambda: interop.tensorflow_xla((-1, 7), 0.25), "--seed -1 --stream 7"),
    "tf-stateful": (
        lambda: interop.tensorflow_stateful((3, 7), 64, 0.25),
        "--seed 3 --stream 7 --before 64",
    ),
    "onemkl-bernoulli": (lambda: interop.onemkl_bernoulli(5, 0.75), "--seed 5 --keep 0.75"),
    "onemkl-mcg31": (lambda: interop.onemkl_mcg31(5, 0.75), "--seed 5 --keep 0.75"),
    "numpy-pcg64": (lambda: interop.numpy_pcg64(*interop.numpy_pcg64_seed(5), 0.25), "--seed 5"),
    "torch-cpu": (
        lambda: interop.torch_cpu("f16", 5, 2001, 0.25),
        "--seed 5 --before 1000 --offset 1 --dtype f16",
    ),
    "paddle-cpu": (lambda: interop.paddle_cpu("f64", 5, 7, 0.25), "--seed 5 --before 7 --dtype f64"),
    "mxnet-cpu": (
        lambda: interop.mxnet_cpu("f16", -5, 1000, 2, 0.25),
        "--seed -5 --size 1000 --run 2 --dtype f16",
    ),
    "torch-func-random": (
        lambda: interop.torch_func_random((5, 6), 0.25, "bf16"),
        "--seed 5 --offset 6 --dtype bf16",
    ),
    "onnx-runtime-cpu": (lambda: interop.onnx_runtime_cpu(-7, 3, 0.25), "--seed -7 --run 3"),
    "onnx-runtime-web": (lambda: interop.onnx_runtime_web(-7, 3, 0.25), "--seed -7 --run 3"),
    "jax-legacy": (lambda: interop.jax_legacy((0, 42), 1000, 0.75), "--seed 42 --size 1000"),
    "tf": (lambda: interop.tensorflow((-1, 7), 0.25), "--seed -1 --stream 7"),
    "onednn-3.6": (lambda: interop.onednn_3_6(5, 0.25), "--seed 5"),
    "onednn-3.11": (lambda: interop.onednn_3_11(5, 6, 0.25), "--seed 5 --offset 6"),
    "onednn-3.11-no-offset": (lambda: interop.onednn_3_11_no_offset(5, 0.25), "--seed 5"),
    "torch-cuda": (
        lambda: interop.torch_cuda("f16", 1000, 256, 4, 5, 8, 0.25),
        "--seed 5 --offset 8 --size 1000 --threads 256 --vector 4 --dtype f16",
    ),
    "triton": (lambda: interop.triton(-5, 0.25), "--seed -5"),
    "inductor-gpu-2.11": (lambda: interop.inductor_gpu("f32", 5, 0.25), "--seed 5"),
    "inductor-gpu-2.12": (lambda: interop.inductor_gpu_2_12("bf16", 5, 0.3), "--seed 5 --dtype bf16 --p 0.3"),
    "inductor-gpu-2.13": (lambda: interop.inductor_gpu_2_13("f32", -5, 0.25), "--seed -5"),
    "inductor-cpu-2.11": (lambda: interop.inductor_cpu("f32", 5, 0.25), "--seed 5"),
    "inductor-cpu-2.12": (lambda: interop.inductor_cpu_2_12("f32", 5, 0.25), "--seed 5"),
    "curand": (lambda: interop.curand(5, 6, 7, 0.25), "--seed 5 --stream 6 --offset 7"),
    "curand-host": (lambda: interop.curand_host(5, 7, 0.25), "--seed 5 --offset 7"),
    "numpy": (lambda: interop.numpy(interop.numpy_key(5), 0.25), "--seed 5"),
    "onemkl": (lambda: interop.onemkl(5, 0.25), "--seed 5"),
    "flash-attention-2": (
        lambda: interop.flash_attention_2(10, 100, 5, 6, 0.25),
        "--seed 5 --offset 6 --rows 10 --columns 100",
    ),
    "transformer-engine": (lambda: interop.transformer_engine(5, 8, 0.25), "--seed 5 --offset 8"),
    "onnx-runtime": (
        lambda: interop.onnx_runtime(1000, 256, 5, 8, 0.25),
        "--seed 5 --offset 8 --size 1000 --threads 256",
    ),
    "deepspeed": (
        lambda: interop.deepspeed(1000, 512, 5, 8, 0.25),
        "--seed 5 --offset 8 --size 1000 --threads 512",
    ),
}


def test_there_is_a_function_for_each_layout():
    assert sorted(SAME) == sorted(dropwise._core.layouts)


@pytest.mark.parametrize("layout", SAME)
def test_the_program_draws_the_same(layout, program):
    function, options = SAME[layout]
    options = options if "--p " in options or "--keep " in options else options + " --p 0.25"
    expected = program("mask", "--layout", layout, "--first", 3, "--n", 700, *options.split())
    masks = function()
    assert masks.layout == layout
    assert digits(masks.keep(700, first=3)) == expected.decode().strip()
    assert pickle.loads(pickle.dumps(masks)) == masks


@pytest.mark.parametrize("layout", SAME)
def test_forward_multiplies_by_the_systems_scale(layout):
    masks = SAME[layout][0]()
    x = np.linspace(-2, 2, 1000, dtype=np.float32).reshape(10, 100)
    expected = np.where(masks.keep(x.shape), x * np.float32(masks.scale), np.float32(0))
    assert np.array_equal(masks.forward(x), expected)
    assert np.array_equal(masks.backward(np.asfortranarray(x)), expected)
    out = np.zeros((100, 10), np.float32).T
    assert masks.forward(x, out) is out and np.array_equal(out, expected)
    assert np.array_equal(masks.forward(x[4:], first=400), expected[4:])
    assert 0.6 < masks.keep_probability < 0.9


def test_keys_of_jax():
    assert interop.jax_key(42) == (0, 42) and interop.jax_key(-1) == (2**32 - 1, 2**32 - 1)
    for kind, *fields in rows("jax_masks.txt"):
        if kind == "fold_in":
            _, high, low, data, *words = fields
            assert interop.jax_fold_in((int(high), int(low)), int(data)) == tuple(map(int, words))
        elif kind == "split":
            layout, high, low, children, child, *words = fields
            key, legacy = (int(high), int(low)), layout == "jax-legacy"
            got = interop.jax_split(key, int(child), int(children), partitionable=not legacy)
            assert got == tuple(map(int, words))


def test_keys_of_layers_on_jax(program):
    for layout, *numbers, mask in rows("jax_layer_masks.txt"):
        row = dict(number.split("=") for number in numbers)
        path, seed, call = row.pop("path", ""), int(row.pop("seed")), int(row.pop("call"))
        root, others = interop.jax_key(seed), {name: int(number) for name, number in row.items()}
        if layout == "keras":
            key = interop.jax_keras_key(seed, call)
        elif layout == "linen":
            key = interop.jax_linen_key(root, path, call, **others)
            names = [name for name in path.split("/") if name]
            assert interop.jax_linen_key(root, names, call, **others) == key
            if not others["separator"]:
                assert interop.by_name("jax", 0.5, seed, path=path, run=call) == interop.jax(key, 0.5)
        elif layout == "nnx":
            key = interop.jax_nnx_key(root, others["taken"], call)
        else:
            key = interop.jax_haiku_key(root, call)
        assert digits(interop.jax(key, 0.5).keep(len(mask))) == mask
    options = "--layout jax --seed 5 --p 0.5 --first 0 --n 99 --path a/b --run 3".split()
    key = interop.jax_linen_key((0, 5), ("a", "b"), 3)
    assert program("mask", *options).decode().strip() == digits(interop.jax(key, 0.5).keep(99))


def test_what_jax_keeps_is_taken_as_it_is_given():
    """1 - (1 - 0.3) is not 0.3."""
    assert interop.jax((0, 1), 0.3, "f64", "f64").scale == 1 / 0.3
    assert interop.by_name("jax", 0.7, 1, dtype="f64").scale == 1 / (1.0 - 0.7)


def test_seeds_may_be_negative_and_words_of_any_sequence():
    assert interop.by_name("onemkl", 0.5, -7) == interop.onemkl(2**32 - 7, 0.5)
    assert interop.by_name("tf", 0.5, -1, stream=-2) == interop.tensorflow((-1, -2), 0.5)
    assert interop.tensorflow(np.array([-1, -2]), 0.5) == interop.tensorflow((2**64 - 1, 2**64 - 2), 0.5)
    key = interop.numpy_key(5)
    for words in (list(key), np.array(key, np.uint64)):
        assert interop.numpy(words, 0.25) == interop.numpy(key, 0.25)
    assert interop.by_name("onemkl-mcg31", None, 1, keep=2.0**-60) == interop.onemkl_mcg31(1, 2.0**-60)
    words = {"before": 2**59, "offset": 2**60}
    assert interop.by_name("torch-cpu", 0.5, 1, **words) == interop.torch_cpu("f32", 1, 2**61, 0.5)


def test_jax_draws_the_same():
    jax = needs("jax")
    key = jax.random.fold_in(jax.random.key(42), 7)
    drawn = np.asarray(jax.random.bernoulli(key, 0.9, (13, 57)))
    assert np.array_equal(interop.jax(key, 0.9).keep((13, 57)), drawn)
    assert np.array_equal(interop.jax(jax.random.key_data(key), 0.9).keep((13, 57)), drawn)
    with pytest.raises(TypeError, match="key: .*rbg"):
        interop.jax(jax.random.key(1, impl="rbg"), 0.9)


def test_launches():
    assert interop.torch_cuda_launch("f32", 2**20, 132, 2048) == (132 * 2048, 4, 4)
    assert interop.deepspeed_launch(4096).threads == 1024
    assert interop.onnx_runtime_launch(4096, 132, 2048).threads == 1024
    with pytest.raises(ValueError, match="numel: "):
        interop.torch_cuda_launch("f32", 0, 132, 2048)
