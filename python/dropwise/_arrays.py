"""What the modules share: options of calls, and what makes arrays of what is given."""

from __future__ import annotations

import functools
import operator
import sys
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Union

import numpy as np

from . import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]


class SupportsDLPack(Protocol):
    """A tensor in memory of the CPU that another library owns: PyTorch's, JAX's, ..."""

    def __dlpack__(self) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, Any]: ...
    @property
    def shape(self) -> Any: ...


ArrayLike = Union["Array", SupportsDLPack]


class Place(TypedDict, total=False):
    """Where a tensor lies in its mask, by keyword. Without options its elements have the indices 0, 1, 2, ...
    in row-major order.

    first : int
        The mask's index of the first element, below 2**60: where the array begins in a larger range.
    share : sequence of int
        Dimensions along which elements share their decision: they are kept or dropped together. Negative ones
        count from the end.
    broadcast_dims : sequence of int
        The same, as Flax calls it.
    noise_shape : sequence of int or None
        The same, as Keras has it: 1 where the mask is shared, else the size of the tensor there, or None.
    shard : (start, shape)
        The array is a part of a tensor of this shape, and begins there at these coordinates. It gets the mask
        that the whole tensor has there; dimensions to share, and noise_shape, are those of the whole.
    """

    first: int
    share: Sequence[int]
    broadcast_dims: Sequence[int]
    noise_shape: Sequence[int | None]
    shard: tuple[Sequence[int], Sequence[int]]


class Options(Place, total=False):
    """Options of calls on tensors, by keyword: those of `Place`, and

    stored : array
        Forward: is filled with the mask. Backward: the mask to use, in place of drawing it again. uint8:
        packed bits, least significant first, each row by itself; bool: an entry each; the dtype of the
        tensor: scaled entries. It has an entry for each decision; the last dimension that is not shared makes
        the rows.
    threads : int
        At most so many threads, and 64. Default: as many as the process may run on (its affinity; on systems
        other than Linux one). Results do not depend on it. Small calls, and those that sum or store a mask,
        take one.
    dtype : str
        What the elements are, if NumPy's dtype does not say it: "bf16" of uint16, "f8_e4m3", "f8_e5m2" and,
        with overflow to the largest number, "f8_e4m3_sat" and "f8_e5m2_sat" of uint8 or of ml_dtypes' 8-bit
        floats of this format. Signed integers and V2 or V1, as which files are read, do as well. Of bytes,
        ``stored`` of uint8 are packed bits, and scaled entries are int8 or ml_dtypes' floats.
    """

    stored: ArrayLike
    threads: int | None
    dtype: str


_SHARES = ("share", "broadcast_dims", "noise_shape")


def shared_dimensions(shape: tuple[int, ...], options: Place) -> int:
    """A bit for each dimension of the tensor along which its mask is shared."""
    given = [name for name in _SHARES if options.get(name) is not None]
    if not given:
        return 0
    if len(given) > 1:
        raise ValueError(f"{given[1]}: says what {given[0]} says, too")
    rank = len(shape)
    if given[0] == "noise_shape":
        noise = options["noise_shape"]
        if len(noise) != rank or any(n not in (None, 1, size) for n, size in zip(noise, shape)):
            raise ValueError(f"noise_shape: must have {rank} numbers, each 1 or that of {shape}, not {noise}")
        return sum(1 << d for d in range(rank) if noise[d] == 1 and shape[d] != 1)
    bits = 0
    for d in options["share"] if given[0] == "share" else options["broadcast_dims"]:
        if not -rank <= d < rank:
            raise ValueError(f"{given[0]}: {d} is no dimension of {shape}")
        bits |= 1 << d % rank
    return bits


def check_names(options: Place, known: Any) -> None:
    """TypeError for an option that is none of a TypedDict's."""
    for name in options:
        if name not in known.__optional_keys__:
            raise TypeError(f"{name}: is no option; there are {', '.join(sorted(known.__optional_keys__))}")


def place(shape: tuple[int, ...], options: Place) -> bytes:
    """Where a tensor of this shape lies in its mask."""
    whole, start = shape, None
    if options.get("shard") is not None:
        shard = options["shard"]
        if len(shard) != 2:
            raise ValueError("shard: must be (start, shape): where the array begins in a whole of this shape")
        start, whole = tuple(shard[0]), tuple(shard[1])
        if not len(start) == len(whole) == len(shape):
            raise ValueError(f"shard: must have {len(shape)} coordinates and {len(shape)} sizes, not {shard}")
    shared = shared_dimensions(whole, options)
    if not shape:  # a scalar lies as an array of one element
        whole, start, shape = (1,), None, (1,)
    return _core.place(whole, options.get("first", 0), shared, start, shape)


def dtype_number(name: str | None, argument: str = "dtype") -> int:
    """The library's number of a dtype by name; 0 for None."""
    if name is None:
        return 0
    if name not in _core.dtypes:
        raise TypeError(f"{argument}: takes {', '.join(_core.dtypes)}, not {name!r}")
    return _core.dtypes[name]


def thread_number(threads: int | None) -> int:
    """At most so many threads; 0 for what the affinity allows."""
    return 0 if threads is None else integer("threads", threads, 1, 2**32)


def integer(name: str, value: Any, least: int, end: int) -> int:
    """A whole number from `least` to below `end`, whatever type of integer it was."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: must be an integer, not {type(value).__name__}") from None
    if not least <= number < end:
        raise ValueError(f"{name}: must be from {_power(least)} to {_power(end - 1)}")
    return number


def integers(name: str, value: Any, count: int, least: int, end: int) -> list[int]:
    """So many whole numbers, of a sequence."""
    try:
        words = list(value)
    except TypeError:
        raise TypeError(f"{name}: must be {count} integers, not {type(value).__name__}") from None
    if len(words) != count:
        raise ValueError(f"{name}: must be {count} integers, not {len(words)}")
    return [integer(name, word, least, end) for word in words]


def _power(number: int) -> str:
    """A limit as people write it."""
    size = abs(number)
    for rest, text in ((0, ""), (1, " - 1")):
        power = size + rest
        if power > 2**16 and power & (power - 1) == 0:
            return f"{'-' if number < 0 else ''}2**{power.bit_length() - 1}{text}"
    return str(number)


def draw_bits(
    operation: int, struct: bytes, n: int, first: int, out: Array | None, threads: int | None
) -> npt.NDArray[np.uint8]:
    """Packed keep bits of n elements."""
    n = integer("n", n, 0, 2**60 + 1)
    where = _core.place((n,), first, 0, None, None)
    if out is None:
        out = np.empty((n + 7) // 8, np.uint8)
    result: npt.NDArray[np.uint8] = _core.run(
        operation, struct, where, None, None, thread_number(threads), 0, out
    )
    return result


def call(
    operation: int,
    struct: bytes,
    options: Options,
    parameter: bytes | float | None,
    *arrays: Any,
) -> Any:
    """Calls the library on arrays."""
    if not options:
        return _core.run(operation, struct, 0, parameter, None, 0, 0, *arrays)
    check_names(options, Options)
    where: int | Callable[[tuple[int, ...]], bytes] = options.get("first", 0)
    if options.get("shard") is not None or any(options.get(name) is not None for name in _SHARES):
        where = functools.partial(place, options=options)
    return _core.run(
        operation,
        struct,
        where,
        parameter,
        options.get("stored"),
        thread_number(options.get("threads")),
        dtype_number(options.get("dtype")),
        *arrays,
    )


def _is_bfloat16(given: Any) -> bool:
    """Whether it is a tensor of PyTorch's, of bfloat16."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor) and given.dtype == torch.bfloat16


def convert(given: Any, name: str, is_output: bool) -> Array:
    """An array of what is no plain array, over the same memory; _core calls it."""
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"{name}: is a masked array, whose mask would be lost; take its .data or .filled()")
    if isinstance(given, np.ndarray):
        return given.view(np.ndarray)
    if isinstance(given, np.generic) and not is_output:
        return np.asarray(given)
    if not hasattr(given, "__dlpack__"):
        kind = type(given).__name__
        raise TypeError(f"{name}: must be a NumPy array or a tensor with __dlpack__, not {kind}")
    try:
        if _is_bfloat16(given) and not given.requires_grad:
            import ml_dtypes  # NumPy has no bfloat16 of its own, and its from_dlpack refuses it

            torch = sys.modules["torch"]
            words: Array = np.from_dlpack(given.view(torch.uint16))
            return words.view(ml_dtypes.bfloat16)
        return np.from_dlpack(given)
    except (BufferError, RuntimeError, TypeError) as error:
        try:
            if not is_output and hasattr(given, "__array__"):
                array: Array = np.asarray(given)  # JAX's bfloat16
                return array
        except (RuntimeError, TypeError):  # PyTorch's, of tensors that need a gradient
            pass
        raise TypeError(f"{name}: {error}") from error


def flat(given: Any, name: str) -> Array:
    """A dense array of what is given: itself, if it is one."""
    return np.asarray(given if type(given) is np.ndarray else convert(given, name, False), order="C")


def shape_of(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape that may be given by one number."""
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)


_core.set_converter(convert)
