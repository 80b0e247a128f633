"""Hands the C module's handler over to XLA, if both know the same version of XLA's FFI."""

from __future__ import annotations

import pathlib
import re

import jax

from .. import _core

#: The oldest version of JAX whose functions are those that are called here.
OLDEST = (0, 6, 0)

#: The handler's name. Compiled programs keep it: it gets a new number when its operands mean something else.
TARGET = "dropwise_mask_1"


def check_jax(version: tuple[int, ...]) -> None:
    """ImportError for versions of JAX that are too old."""
    if version[:3] < OLDEST:
        found, oldest = (".".join(map(str, numbers[:3])) for numbers in (version, OLDEST))
        raise ImportError(f"dropwise.jax needs JAX {oldest} or later, and this is {found}")


def check_ffi(header: str) -> None:
    """ImportError for versions of XLA's FFI that the handler is not made for.

    jaxlib would take the handler, and then fail in whatever is computed next.

    Parameters
    ----------
    header : str
        The text of xla/ffi/api/c_api.h.
    """
    numbers = [re.search(rf"#define XLA_FFI_API_{name} (\d+)", header) for name in ("MAJOR", "MINOR")]
    found = tuple(int(number[1]) for number in numbers if number)
    major, oldest, newest = _core.xla_versions
    if not (major, oldest) <= found <= (major, newest):
        version = ".".join(map(str, found)) or "unknown"
        raise ImportError(
            f"dropwise {_core.version} knows versions {major}.{oldest} to {major}.{newest} of XLA's FFI, and "
            f"that of this jaxlib is {version}: another version of dropwise, or of jaxlib, is needed"
        )


def register() -> None:
    """Registers the handler, once for a process."""
    check_jax(jax.__version_info__)
    check_ffi(pathlib.Path(jax.ffi.include_dir(), "xla/ffi/api/c_api.h").read_text())
    jax.ffi.register_ffi_target(TARGET, _core.xla_handler(), platform="cpu")
