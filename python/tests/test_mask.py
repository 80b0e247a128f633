"""Masks on NumPy arrays: shapes, strides, dtypes, parts, threads. Results are compared bit for bit."""

import itertools
import pickle

import numpy as np
import pytest
import reference
from conftest import needs

import dropwise

P, SEED, STREAM = 0.3, 2026, 11
SCALE = np.float32(2**40 / round(0.7 * 2**40))


@pytest.fixture
def mask():
    return dropwise.Mask(P, SEED, STREAM)


def same(a, b):
    """The same shape, dtype and bits."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def tensor(shape, dtype=np.float32):
    return (np.random.default_rng(1).standard_normal(shape) * 3).astype(dtype)


def dropout(x, keep):
    """What forward has to be, for float32."""
    return np.where(keep, x * SCALE, np.float32(0))


def keep_of(shape, first=0):
    return reference.keep_of(P, SEED, STREAM, shape, first)


def layouts(x):
    """The same tensor laid out in several ways."""
    yield "dense", x.copy()
    yield "Fortran", np.asfortranarray(x)
    wide = np.zeros([2 * n + 1 for n in x.shape], x.dtype)
    steps = wide[tuple(slice(0, 2 * n, 2) for n in x.shape)]
    steps[...] = x
    yield "steps", steps
    backwards = np.ascontiguousarray(x[::-1, ..., ::-1])[::-1, ..., ::-1]
    yield "backwards", backwards
    raw = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    yield "unaligned", unaligned
    yield "channels last", np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


# ---- Shapes and strides ----


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 0, 2), (5, 4), (2, 3, 4, 5), (1, 2) * 4])
def test_any_shape(mask, shape):
    x = tensor(shape)
    assert same(mask.forward(x), dropout(x, keep_of(shape)))
    assert same(mask.keep(shape), keep_of(shape))


def test_more_dimensions_than_views_have_are_a_range_if_dense(mask):
    x = tensor((2,) * 10)
    assert same(mask.forward(x), dropout(x, keep_of(x.shape)))
    with pytest.raises(ValueError, match="x: "):
        mask.forward(x.T)


@pytest.mark.parametrize("method", ["forward", "backward", "infer"])
def test_any_strides_of_input_and_output(mask, method):
    x = tensor((4, 6, 5))
    expected = x if method == "infer" else dropout(x, keep_of(x.shape))
    for (source_name, source), (target_name, target) in itertools.product(layouts(x), layouts(x * 0)):
        out = getattr(mask, method)(source, target)
        assert out is target and np.array_equal(out, expected), (source_name, target_name)
        assert np.array_equal(source, x)
    for name, source in layouts(x):
        assert np.array_equal(getattr(mask, method)(source), expected), name
        assert getattr(mask, method)(source, out=source) is source
        assert np.array_equal(source, expected), name


def test_an_output_is_laid_out_as_its_input(mask):
    for name, x in layouts(tensor((4, 6, 5))):
        order = np.argsort(np.abs(mask.forward(x).strides))
        assert np.array_equal(order, np.argsort(np.abs(x.strides))), name


def test_a_broadcast_input(mask):
    x = np.broadcast_to(np.float32(3), (10, 20))
    assert same(mask.forward(x), dropout(x, keep_of(x.shape)))


def test_standard_scaling(mask):
    x = tensor((100, 3))
    standard = mask.replace(scaling="standard")
    assert same(standard.forward(x), np.where(keep_of(x.shape), x, np.float32(0)))
    assert same(standard.infer(x), x * np.float32(standard.keep_probability))
    assert same(standard.infer(x.T), x.T * np.float32(standard.keep_probability))


# ---- Dtypes ----


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_dtypes(mask, dtype):
    x = tensor((50, 3), dtype)
    scale = np.float64(2**40 / round(0.7 * 2**40)) if dtype is np.float64 else SCALE
    expected = np.where(keep_of(x.shape), (x.astype(scale.dtype) * scale).astype(dtype), dtype(0))
    assert same(mask.forward(x), expected)


@pytest.mark.parametrize(
    "name, short",
    [
        ("bfloat16", "bf16"),
        ("float8_e4m3fn", "f8_e4m3"),
        ("float8_e5m2", "f8_e5m2"),
    ],
)
def test_dtypes_of_ml_dtypes(mask, name, short):
    dtype = np.dtype(getattr(needs("ml_dtypes"), name))
    x = tensor((50, 3)).astype(dtype)
    expected = np.where(keep_of(x.shape), (x.astype(np.float32) * SCALE).astype(dtype), dtype.type(0))
    assert same(mask.forward(x), expected)
    words = x.view(f"u{dtype.itemsize}")
    assert same(mask.forward(words, dtype=short), expected.view(words.dtype))


def test_overflow_saturates_if_asked_to(mask):
    dtype = needs("ml_dtypes").float8_e4m3fn
    x = np.full(64, 448, dtype)
    kept = keep_of(x.shape)
    assert np.isnan(mask.forward(x).astype(np.float32)[kept]).all()
    assert (mask.forward(x, dtype="f8_e4m3_sat").astype(np.float32)[kept] == 448).all()


def words_of(x, dtype):
    """Its elements as what has no dtype of NumPy's own may come."""
    size = dtype.itemsize
    return [x.view(dtype), x.view(f"u{size}"), x.view(f"i{size}"), x.view(f"V{size}")]


@pytest.mark.parametrize("name, short", [("bfloat16", "bf16"), ("float8_e4m3fn", "f8_e4m3")])
def test_words_of_any_kind_are_copied_bit_for_bit(mask, name, short):
    dtype = np.dtype(getattr(needs("ml_dtypes"), name))
    x, residual = tensor((6, 5)).astype(dtype), tensor((6, 5))[::-1].astype(dtype)
    expected = dropwise.fused.residual_forward(mask, x, None, residual)
    kinds = words_of(x, dtype)
    for a, b in itertools.product(kinds, words_of(residual, dtype)):
        for laid_out in (b, np.asfortranarray(b), np.repeat(b, 2, axis=1)[:, ::2]):
            got = dropwise.fused.residual_forward(mask, a, None, laid_out, dtype=short)
            assert got.dtype == a.dtype and got.tobytes() == expected.tobytes()
        stored = np.zeros_like(b)
        mask.forward(a, dtype=short, stored=stored if stored.dtype != np.uint8 else stored.view(np.int8))
        if stored.dtype != np.uint8:
            assert np.array_equal(stored.view(dtype) != 0, keep_of(x.shape))
            assert mask.backward(a, dtype=short, stored=stored).tobytes() == mask.forward(x).tobytes()


def test_other_systems_tensors(mask):
    torch = needs("torch")
    x = tensor((6, 5))
    expected = dropout(x, keep_of(x.shape))
    t = torch.from_numpy(x.copy())
    assert same(mask.forward(t), expected)
    assert mask.forward(t, out=t) is t and same(t.numpy(), expected)
    assert same(mask.forward(torch.from_numpy(x).t()), mask.forward(x.T))
    assert mask.forward(t, out=torch.zeros(6, 5)).sum() == torch.from_numpy(mask.forward(t.numpy())).sum()
    half = torch.from_numpy(x).to(torch.bfloat16)
    needs_gradient = torch.ones(5, requires_grad=True)
    for given in (needs_gradient, needs_gradient.to(torch.bfloat16)):
        with pytest.raises(TypeError, match="x: .*grad"):
            mask.forward(given)
        with pytest.raises(TypeError, match="out: .*grad"):
            mask.forward(x, out=given)
    got = mask.forward(half).astype(np.float32)
    assert same(
        got, mask.forward(half.float().numpy().astype(needs("ml_dtypes").bfloat16)).astype(np.float32)
    )


def test_a_read_only_input(mask):
    x = tensor(100)
    x.flags.writeable = False
    assert same(mask.forward(x), dropout(x, keep_of(x.shape)))


def test_subclasses_are_arrays(mask):
    class Subclass(np.ndarray):
        pass

    x = tensor((4, 5))
    got = mask.forward(x.view(Subclass))
    assert type(got) is np.ndarray and same(got, mask.forward(x))


# ---- Parts ----


def test_first_cuts_a_range(mask):
    x = tensor(1000)
    whole = mask.forward(x)
    parts = [mask.forward(x[a:b], first=a) for a, b in [(0, 1), (1, 300), (300, 1000)]]
    assert same(np.concatenate(parts), whole)
    assert same(mask.keep(100, first=2**60 - 100), keep_of((100,), 2**60 - 100))


@pytest.mark.parametrize(
    "options, shared",
    [
        ({"share": (2, 3)}, (2, 3)),
        ({"share": (-1,)}, (3,)),
        ({"broadcast_dims": (1,)}, (1,)),
        ({"noise_shape": (3, 4, 1, 1)}, (2, 3)),
        ({"noise_shape": (None, 1, None, 5)}, (1,)),
        ({"share": (0, 1, 2, 3)}, (0, 1, 2, 3)),
        ({"share": ()}, ()),
    ],
)
def test_shared_decisions(mask, options, shared):
    x = tensor((3, 4, 2, 5))
    noise = tuple(1 if d in shared else n for d, n in enumerate(x.shape))
    keep = keep_of(noise)
    assert same(mask.forward(x, **options), dropout(x, keep))
    assert same(mask.keep(x.shape, **options), keep)
    for name, source in layouts(x):
        assert np.array_equal(mask.forward(source, **options), dropout(x, keep)), name


def test_scalars_have_options_too(mask):
    x = np.array(3, np.float32)
    for options in ({"noise_shape": ()}, {"share": ()}, {"shard": ((), ())}, {"noise_shape": (), "first": 5}):
        expected = dropout(x, keep_of((1,), options.get("first", 0))[0])
        assert same(mask.forward(x, **options), expected)
        assert same(mask.keep((), **options), keep_of((1,), options.get("first", 0)).reshape(()))


@pytest.mark.parametrize("share", [(), (1,), (2, 3)])
def test_shards_get_what_the_whole_gets(mask, share):
    x = tensor((4, 6, 5, 3))
    whole = mask.forward(x, share=share)
    result = np.empty_like(x)
    for i, j in itertools.product(range(0, 4, 2), range(0, 6, 3)):
        part = np.s_[i : i + 2, j : j + 3]
        result[part] = mask.forward(x[part].copy(), share=share, shard=((i, j, 0, 0), x.shape))
    assert same(result, whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.float32])
def test_stored_masks(mask, dtype):
    x = tensor((5, 21))
    keep = keep_of(x.shape)
    stored = np.zeros((5, 3 if dtype is np.uint8 else 21), dtype)
    assert same(mask.forward(x, stored=stored), dropout(x, keep))
    if dtype is np.uint8:
        assert np.array_equal(np.unpackbits(stored, axis=1, count=21, bitorder="little"), keep)
    else:
        assert np.array_equal(stored != 0, keep)
    stored.flags.writeable = False
    other = dropwise.Mask(P, 1)
    assert same(other.backward(x, stored=stored), dropout(x, keep))
    padded = np.zeros((5, 40), dtype)[:, : stored.shape[1]]
    mask.forward(x, stored=padded)
    assert np.array_equal(padded, stored)


def test_an_array_whose_copy_is_to_be_written_back_is_left_so(mask):
    x = tensor((4, 3))
    with np.nditer(x, [], [["readwrite", "updateifcopy"]], op_dtypes=["f8"], casting="same_kind") as i:
        copy = i.operands[0]
        mask.forward(np.zeros((4, 3)), copy)
        with pytest.raises(ValueError, match="first: "):
            mask.forward(copy, copy, first=2**60)
        copy[...] = 5
    assert (x == 5).all()


# ---- Bits, decisions, values ----


@pytest.mark.parametrize("n, first", [(0, 0), (1, 0), (8, 3), (1001, 12345), (64, 2**60 - 64)])
def test_bits(mask, n, first):
    bits = mask.bits(n, first)
    assert np.array_equal(np.unpackbits(bits, count=n, bitorder="little"), keep_of((n,), first))
    out = np.full(len(bits), 255, np.uint8)
    assert mask.bits(n, first, out) is out and same(out, bits)
    if n < 128:
        assert same(mask.bits(np.int8(n), np.uint64(first)), bits)


def test_numbers_of_narrow_types_do_not_wrap(mask):
    assert (
        same(mask.bits(np.uint8(250)), mask.bits(250)) and len(mask.bytes(np.uint8(250), np.uint8(3))) == 250
    )


def test_single_decisions(mask):
    assert [mask.keeps(i) for i in range(50)] == keep_of((50,)).tolist()


def test_masks_are_values(mask):
    assert mask == dropwise.Mask(P, SEED, STREAM) != mask.replace(stream=STREAM + 1)
    assert pickle.loads(pickle.dumps(mask)) == mask and len({mask, mask.replace()}) == 1
    assert eval(repr(mask), {"Mask": dropwise.Mask}) == mask
    with pytest.raises(AttributeError, match="stream: "):
        mask.stream = 8


@pytest.mark.parametrize("generator", list(dropwise._core.generators))
@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_the_rate(p, generator):
    n = 1 << 22
    dropped = n - int(dropwise.Mask(p, 9, 9, generator).keep(n).sum())
    assert abs(dropped - n * p) < 5 * (n * p * (1 - p)) ** 0.5


# ---- Threads of a call ----


@pytest.mark.parametrize("shape", [(3 * 2**20 + 77,), (1024, 2049), (2, 3, 700, 501), (2**21, 1), (1, 2**21)])
def test_results_do_not_depend_on_threads(mask, shape):
    x = tensor(shape)
    whole = mask.forward(x, threads=1)
    assert same(whole, dropout(x, mask.keep(shape)))
    for threads in (2, 3, 64, None):
        assert same(mask.forward(x, threads=threads), whole)
        assert np.array_equal(mask.forward(x.T.copy().T, threads=threads), whole)
        n = x.size
        assert same(mask.bits(n, threads=threads), mask.bits(n, threads=1))
    assert np.array_equal(mask.forward(x.T, threads=5), mask.forward(x.T, threads=1))
    y = x.copy()
    mask.forward(y, y, threads=4)
    assert same(y, whole)


def test_a_call_that_is_refused_writes_nothing_with_threads_either(mask):
    buffer = tensor(2**23)
    before = buffer.copy()
    with pytest.raises(ValueError, match="out: "):
        mask.forward(buffer[:-4], out=buffer[4:], threads=4)
    with pytest.raises(ValueError, match="first: "):
        mask.forward(buffer, out=buffer, first=2**60 - 2**21, threads=4)
    half = 2**21  # so that each part on its own would do
    with pytest.raises(ValueError, match="out: "):
        mask.forward(buffer[: 2 * half - 4], out=buffer[half : 3 * half - 4], threads=2)
    on_itself = np.lib.stride_tricks.as_strided(buffer, (2, half), (2 * half, 4))
    with pytest.raises(ValueError, match="out: "):
        mask.forward(np.ones((2, half), np.float32), out=on_itself, threads=2)
    assert same(buffer, before)
