"""Bad input: each an exception that names the argument, and nothing is written."""

import numpy as np
import pytest

import dropwise
from dropwise import dropblock, dropconnect, fused, interop, variants

X = np.ones(100, np.float32)


def mask(p=0.5):
    return dropwise.Mask(p, 1)


def read_only(shape=100):
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


BUFFER = np.zeros(200, np.float32)
ROWS = BUFFER.reshape(10, 20)


class Stubborn:
    """Whose own exceptions are not hidden."""

    def __index__(self):
        raise KeyboardInterrupt("n: is asked for while Ctrl-C is pressed")

    __float__ = __index__


CASES = {
    # of masks
    "p below 0": (ValueError, "p", lambda: dropwise.Mask(-0.1, 1)),
    "p above 1": (ValueError, "p", lambda: dropwise.Mask(1.5, 1)),
    "p NaN": (ValueError, "p", lambda: dropwise.Mask(float("nan"), 1)),
    "p too large": (ValueError, "p", lambda: dropwise.Mask(10**400, 1)),
    "p's own exception": (KeyboardInterrupt, "n", lambda: dropwise.Mask(Stubborn(), 1)),
    "seed's own exception": (KeyboardInterrupt, "n", lambda: dropwise.Mask(0.5, Stubborn())),
    "a seed that is too long to print": (ValueError, "seed", lambda: dropwise.Mask(0.5, 10**5000)),
    "p no number": (TypeError, "p", lambda: dropwise.Mask("0.5", 1)),
    "seed of 65 bits": (ValueError, "seed", lambda: dropwise.Mask(0.5, 2**64)),
    "seed below 0": (ValueError, "seed", lambda: dropwise.Mask(0.5, -1)),
    "seed no integer": (TypeError, "seed", lambda: dropwise.Mask(0.5, 1.5)),
    "stream of 65 bits": (ValueError, "stream", lambda: dropwise.Mask(0.5, 1, 2**64)),
    "generator": (ValueError, "generator", lambda: dropwise.Mask(0.5, 1, generator="mt19937")),
    "scaling": (ValueError, "scaling", lambda: dropwise.Mask(0.5, 1, scaling="none")),
    # of arrays
    "int32": (TypeError, "x", lambda: mask().forward(X.astype(np.int32))),
    "complex": (TypeError, "x", lambda: mask().forward(X.astype(complex))),
    "longdouble": (TypeError, "x", lambda: mask().forward(X.astype(np.longdouble))),
    "byte order of x": (TypeError, "x", lambda: mask().forward(X.astype(">f4"))),
    "byte order of out": (TypeError, "out", lambda: mask().forward(X, X.astype(">f4"))),
    "a list": (TypeError, "x", lambda: mask().forward([1.0, 2.0])),
    "None": (TypeError, "x", lambda: mask().forward(None)),
    "a masked array": (TypeError, "x", lambda: mask().forward(np.ma.masked_equal(X, 0))),
    "out masked": (TypeError, "out", lambda: mask().forward(X, np.ma.masked_equal(X * 2, 0))),
    "out of another dtype": (TypeError, "out", lambda: mask().forward(X, np.zeros(100))),
    "out of another shape": (ValueError, "out", lambda: mask().forward(X, np.zeros(99, np.float32))),
    "out of another rank": (ValueError, "out", lambda: mask().forward(X, np.zeros((10, 10), np.float32))),
    "out read-only": (ValueError, "out", lambda: mask().forward(X, read_only())),
    "out broadcast": (ValueError, "out", lambda: mask().forward(X, np.broadcast_to(np.float32(0), 100))),
    "out on itself": (
        ValueError,
        "out",
        lambda: mask().forward(X, np.lib.stride_tricks.as_strided(BUFFER, (100,), (0,))),
    ),
    "stored over x": (ValueError, "stored", lambda: mask().forward(BUFFER[:100], stored=BUFFER[:100])),
    "stored over out": (ValueError, "stored", lambda: mask().forward(X, BUFFER[:100], stored=BUFFER[:100])),
    "dbias over x": (ValueError, "dbias", lambda: fused.residual_backward(mask(), ROWS, dbias=ROWS[0])),
    "probabilities over x": (
        ValueError,
        "probabilities",
        lambda: fused.softmax_forward(mask(), ROWS[:5], probabilities=ROWS[1:6]),
    ),
    "dbefore over dy": (
        ValueError,
        "dbefore",
        lambda: variants.zoneout_backward(mask(), ROWS[:5], dbefore=ROWS[1:6]),
    ),
    "dbefore is out": (
        ValueError,
        "dbefore",
        lambda: variants.zoneout_backward(mask(), X, BUFFER[:100], BUFFER[:100]),
    ),
    "out over x": (ValueError, "out", lambda: mask().forward(BUFFER[:100], BUFFER[50:150])),
    "out over x, reversed": (ValueError, "out", lambda: mask().forward(BUFFER[:100], BUFFER[:100][::-1])),
    "infer over x": (ValueError, "out", lambda: mask().infer(BUFFER[:100], BUFFER[50:150])),
    "rank 9": (ValueError, "x", lambda: mask().forward(np.zeros((2,) * 9, np.float32).T)),
    "bytes between elements": (
        ValueError,
        "out",
        lambda: mask().forward(X, np.zeros(100, [("a", "f4"), ("b", "i1")])["a"]),
    ),
    "int32 as f32": (TypeError, "x", lambda: mask().forward(X.view(np.int32), dtype="f32")),
    "objects as f64": (TypeError, "x", lambda: mask().forward(np.array([None] * 3), dtype="f64")),
    "structs of objects as f64": (
        TypeError,
        "x",
        lambda: mask().forward(np.zeros(3, [("a", "O")]), dtype="f64"),
    ),
    "structs as bf16": (TypeError, "x", lambda: mask().forward(np.zeros(3, [("a", "i2")]), dtype="bf16")),
    "complex64 as f64": (TypeError, "x", lambda: mask().forward(X.astype(np.complex64), dtype="f64")),
    "times as f64": (TypeError, "x", lambda: mask().forward(X.astype("M8[s]"), dtype="f64")),
    "text as f32": (TypeError, "x", lambda: mask().forward(np.array(["a", "b"]), dtype="f32")),
    "float16 as bf16": (TypeError, "x", lambda: mask().forward(X.astype(np.float16), dtype="bf16")),
    "bool as f8_e4m3": (TypeError, "x", lambda: mask().forward(X > 0, dtype="f8_e4m3")),
    "out of objects": (
        TypeError,
        "out",
        lambda: mask().forward(np.zeros(3), np.array([None] * 3), dtype="f64"),
    ),
    "stored of words where none are": (
        TypeError,
        "stored",
        lambda: mask().forward(X, stored=np.zeros(100, np.uint32), dtype="f32"),
    ),
    # of options
    "unknown option": (TypeError, "shared", lambda: mask().forward(X, shared=(0,))),
    "first": (ValueError, "first", lambda: mask().forward(X, first=2**60 - 99)),
    "first below 0": (ValueError, "first", lambda: mask().forward(X, first=-1)),
    "first no integer": (TypeError, "first", lambda: mask().forward(X, first=0.5)),
    "a list, share=": (TypeError, "x", lambda: mask().forward([1.0, 2.0], share=(0,))),
    "a list, shard=": (TypeError, "dy", lambda: mask().backward([1.0, 2.0], shard=((0,), (2,)))),
    "share": (ValueError, "share", lambda: mask().forward(X, share=(1,))),
    "broadcast_dims": (ValueError, "broadcast_dims", lambda: mask().forward(X, broadcast_dims=(-2,))),
    "noise_shape": (ValueError, "noise_shape", lambda: mask().forward(X, noise_shape=(50,))),
    "noise_shape's rank": (ValueError, "noise_shape", lambda: mask().forward(X, noise_shape=(1, 1))),
    "share twice": (ValueError, "broadcast_dims", lambda: mask().forward(X, share=(0,), broadcast_dims=(0,))),
    "shard outside": (ValueError, "shard", lambda: mask().forward(X, shard=((1,), (100,)))),
    "shard's rank": (ValueError, "shard", lambda: mask().forward(X, shard=((1, 1), (200, 200)))),
    "shard's form": (ValueError, "shard", lambda: mask().forward(X, shard=(1, 2, 3))),
    "threads": (ValueError, "threads", lambda: mask().forward(X, threads=0)),
    "dtype": (TypeError, "dtype", lambda: mask().forward(X, dtype="f128")),
    "dtype of other size": (TypeError, "x", lambda: mask().forward(X, dtype="bf16")),
    "stored too small": (ValueError, "stored", lambda: mask().forward(X, stored=np.zeros(12, np.uint8))),
    "stored of a dtype": (TypeError, "stored", lambda: mask().forward(X, stored=np.zeros(100, np.int32))),
    "stored read-only": (ValueError, "stored", lambda: mask().forward(X, stored=read_only())),
    "stored where none is": (TypeError, "stored", lambda: variants.zoneout_infer(mask(), X, X, stored=X * 1)),
    "bits too small": (ValueError, "out", lambda: mask().bits(100, out=np.zeros(12, np.uint8))),
    "bits of a dtype": (TypeError, "out", lambda: mask().bits(100, out=np.zeros(13, np.int8))),
    "bits with gaps": (ValueError, "out", lambda: mask().bits(100, out=np.zeros(26, np.uint8)[::2])),
    "bits too far": (ValueError, "first", lambda: mask().bits(100, 2**60)),
    "n below 0": (ValueError, "n", lambda: mask().bits(-20)),
    "n no integer": (TypeError, "n", lambda: mask().bits(10.5)),
    "n too large": (ValueError, "n", lambda: mask().bits(2**60 + 1)),
    "bytes below 0": (ValueError, "n", lambda: mask().bytes(-1)),
    "first block below 0": (ValueError, "first_block", lambda: mask().bytes(16, -1)),
    "keep's out read-only": (ValueError, "out", lambda: mask().keep(100, read_only())),
    "keep's out of a dtype": (TypeError, "out", lambda: mask().keep(100, np.zeros(100, np.int32))),
    "keep's out too small": (ValueError, "out", lambda: mask().keep(100, np.zeros(99, bool))),
    "a size below 0": (ValueError, "shape", lambda: mask().keep((3, -1))),
    "index": (ValueError, "index", lambda: mask().keeps(2**60)),
    # of layers
    "bias": (ValueError, "bias", lambda: fused.residual_forward(mask(), X, np.zeros(99, np.float32))),
    "residual": (ValueError, "residual", lambda: fused.residual_forward(mask(), X, None, np.zeros(99, "f4"))),
    "residual's dtype": (
        TypeError,
        "residual",
        lambda: fused.residual_forward(mask(), X, None, np.zeros(100)),
    ),
    "activation": (ValueError, "activation", lambda: fused.activation_forward(mask(), "tanh", X)),
    "a list, add=": (TypeError, "x", lambda: fused.softmax_forward(mask(), [1.0], add=X)),
    "add is a list": (TypeError, "add", lambda: fused.softmax_forward(mask(), X, add=[1.0])),
    "add masked": (
        TypeError,
        "add",
        lambda: fused.softmax_forward(mask(), X, add=np.ma.masked_equal(X, 0)),
    ),
    "add's shape": (ValueError, "add", lambda: fused.softmax_forward(mask(), ROWS, add=X)),
    "add's rank": (ValueError, "add", lambda: fused.softmax_forward(mask(), X, add=X[None])),
    "add's dtype": (TypeError, "add", lambda: fused.softmax_forward(mask(), X, add=X.astype(float))),
    "scale no number": (TypeError, "scale", lambda: fused.softmax_forward(mask(), X, "1")),
    "causal_offset": (
        ValueError,
        "causal_offset",
        lambda: fused.softmax_forward(mask(), ROWS, causal=True, causal_offset=2**63),
    ),
    "causal_offset no integer": (
        TypeError,
        "causal_offset",
        lambda: fused.softmax_forward(mask(), ROWS, causal=True, causal_offset=0.5),
    ),
    "scale": (ValueError, "scale", lambda: fused.softmax_forward(mask(), X, float("inf"))),
    "sigma": (ValueError, "sigma", lambda: variants.gaussian_noise(mask(), -1.0, X)),
    "sigma no number": (TypeError, "sigma", lambda: variants.gaussian_noise(mask(), "1", X)),
    "logit no number": (TypeError, "logit", lambda: variants.Concrete("1")),
    "weight_regularizer": (
        ValueError,
        "weight_regularizer",
        lambda: variants.Concrete(0.0, weight_regularizer=float("nan")),
    ),
    "dropout_regularizer": (
        ValueError,
        "dropout_regularizer",
        lambda: variants.Concrete(0.0, dropout_regularizer=float("inf")),
    ),
    "logit": (ValueError, "logit", lambda: variants.Concrete(65.0)),
    "features": (ValueError, "features", lambda: variants.Concrete(0.0, features=-1)),
    "p of a block no number": (TypeError, "p", lambda: dropblock.Block((4, 4), (0, 1), 3).gamma("1")),
    "samples below 0": (
        ValueError,
        "samples",
        lambda: dropconnect.forward(mask(), ROWS, X[:20], samples=-1),
    ),
    "samples no integer": (
        TypeError,
        "samples",
        lambda: dropconnect.forward(mask(), ROWS, X[:20], samples=1.5),
    ),
    "x of another dtype than w": (
        TypeError,
        "x",
        lambda: dropconnect.backward(mask(), ROWS.astype(float), ROWS, ROWS[:, :10]),
    ),
    "dy of another dtype than w": (
        TypeError,
        "dy",
        lambda: dropconnect.backward(mask(), ROWS, ROWS, ROWS[:, :10].astype(float)),
    ),
    "moments of float16": (
        TypeError,
        "mean",
        lambda: dropconnect.sample(mask(), X.astype(np.float16), X.astype(np.float16)),
    ),
    "dimensions": (ValueError, "dimensions", lambda: dropblock.Block((4, 4), (2,), 3)),
    "block_size": (ValueError, "block_size", lambda: dropblock.Block((4, 4), (0, 1), 0)),
    "seeds": (ValueError, "seeds", lambda: dropblock.Block((4, 4), (0, 1), 3, seeds="outside")),
    "shape of a block's tensor": (
        ValueError,
        "x",
        lambda: dropblock.Block((4, 4), (0, 1), 3).forward(mask(), X),
    ),
    "bits of a block too small": (
        ValueError,
        "bits",
        lambda: dropblock.Block((10, 10), (0, 1), 3).apply(1.0, np.zeros(12, np.uint8), X.reshape(10, 10)),
    ),
    # of other systems' masks
    "a key of four words": (TypeError, "key", lambda: interop.jax(np.zeros(4, np.uint32), 0.5)),
    "a key of floats": (TypeError, "key", lambda: interop.jax((0.5, 1.0), 0.5)),
    "a word of 33 bits": (ValueError, "key", lambda: interop.jax((0, 2**32), 0.5)),
    "keep above 1": (ValueError, "keep", lambda: interop.jax((0, 1), 1.5)),
    "keep no number": (TypeError, "keep", lambda: interop.onemkl_bernoulli(1, "0.5")),
    "draws": (TypeError, "draws", lambda: interop.jax((0, 1), 0.5, "float32")),
    "p of another system": (ValueError, "p", lambda: interop.triton(0, 1.5)),
    "a subsequence": (ValueError, "subsequence", lambda: interop.curand(1, -1, 0, 0.5)),
    "words": (TypeError, "words", lambda: interop.torch_cpu("f32", 1, 0.5, 0.5)),
    "numel": (ValueError, "numel", lambda: interop.torch_cuda("f32", -1, 256, 4, 1, 0, 0.5)),
    "seeds of another number": (ValueError, "seed", lambda: interop.tensorflow((1, 2, 3), 0.5)),
    "one seed of two": (TypeError, "seed", lambda: interop.tensorflow(1, 0.5)),
    "a seed of floats": (TypeError, "seed", lambda: interop.tensorflow((1.0, 2), 0.5)),
    "words of another number": (ValueError, "key", lambda: interop.numpy((1, 2, 3), 0.5)),
    "no words": (TypeError, "key", lambda: interop.numpy(1, 0.5)),
    "a seed by name of 33 bits": (ValueError, "seed", lambda: interop.by_name("onemkl", 0.5, 2**32 + 1)),
    "a seed by name of 65 bits": (ValueError, "seed", lambda: interop.by_name("triton", 0.5, 2**64)),
    "a stream by name": (ValueError, "stream", lambda: interop.by_name("tf", 0.5, 1, stream=2**64)),
    "elements before": (ValueError, "before", lambda: interop.by_name("torch-cpu", 0.5, 1, before=2**63)),
    "words that wrap": (
        ValueError,
        "torch-cpu",
        lambda: interop.by_name("torch-cpu", 0.5, 1, before=2**59, offset=2**64 - 2**60),
    ),
    "an option that is missing": (TypeError, "stream", lambda: interop.by_name("tf", 0.5, 1)),
    "an option of others": (TypeError, "size", lambda: interop.by_name("triton", 0.5, 1, size=5)),
    "an option of nobody": (TypeError, "elements", lambda: interop.by_name("triton", 0.5, 1, elements=5)),
    "keep of others": (TypeError, "keep", lambda: interop.by_name("triton", None, 1, keep=0.5)),
    "a run without a path": (TypeError, "run", lambda: interop.by_name("jax", 0.5, 1, run=5)),
    "a path of others": (TypeError, "path", lambda: interop.by_name("triton", 0.5, 1, path="a")),
    "a call of 33 bits": (ValueError, "call", lambda: interop.jax_linen_key((0, 1), "a", 2**32)),
    "p and keep": (TypeError, "p", lambda: interop.by_name("onemkl-mcg31", 0.5, 1, keep=0.5)),
    "neither p nor keep": (TypeError, "p", lambda: interop.by_name("triton", None, 1)),
    "beyond the size": (ValueError, "first", lambda: interop.jax_legacy((0, 1), 99, 0.5).forward(X)),
    "bits beyond the size": (ValueError, "first", lambda: interop.inductor_cpu("f32", 0, 0.5).bits(1, 2**32)),
    "a forbidden p": (ValueError, "rate", lambda: interop.tensorflow((1, 2), 1.0)),
    "a dtype that a system lacks": (TypeError, "dtype", lambda: interop.tensorflow((1, 2), 0.5, "f8_e4m3")),
    "a seed of 33 bits": (ValueError, "seed", lambda: interop.onednn_3_6(2**32, 0.5)),
    "an offset": (ValueError, "torch-cuda", lambda: interop.torch_cuda("f32", 100, 256, 4, 1, 2, 0.5)),
    "children": (ValueError, "child", lambda: interop.jax_split((0, 1), 2, 2, partitionable=False)),
    "data": (ValueError, "data", lambda: interop.jax_fold_in((0, 1), 2**32)),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    kind, argument, call = CASES[name]
    before = BUFFER.copy()
    try:
        with pytest.raises(kind, match=rf"^{argument}\b.*: ") as caught:
            call()
    except NotImplementedError as error:
        pytest.skip(str(error))
    assert caught.type is kind and len(str(caught.value)) > len(argument) + 10
    assert np.array_equal(BUFFER, before)


def test_the_message_says_which_dtypes_there_are():
    with pytest.raises(TypeError, match="mean: .* float64 and float32$"):
        dropconnect.sample(mask(), X.astype(np.float16), X.astype(np.float16))


def test_what_needs_sleef_says_so():
    try:
        variants.normal(mask(), 10, np.float64)
    except NotImplementedError as error:
        assert "SLEEF" in str(error)
