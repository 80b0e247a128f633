"""Hands the C module's kernels over to PyTorch, if its version is one that they can be called by."""

from __future__ import annotations

import ctypes
import os
import struct

import torch

from .. import _core

#: The oldest version of PyTorch that has all functions of its stable C interface that are called.
OLDEST = (2, 10)

#: Of these a version may lack some: what is done then is said in torch_shim.h.
OPTIONAL = {"torch_delete_stable_ivalue"}


def check_torch(version: str) -> None:
    """ImportError for versions of PyTorch that are too old."""
    numbers = tuple(int(number) for number in version.split(".")[:2])
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ImportError(
            f"dropwise.torch of dropwise {_core.version} needs PyTorch {oldest} or later, and this is "
            f"{version}"
        )


def addresses(library: ctypes.CDLL, version: str) -> list[int]:
    """Where the functions are that the C module wants of PyTorch's library; 0 for optional ones."""
    found = []
    for name in _core.torch_functions():
        function = getattr(library, name, None)
        if function is None and name not in OPTIONAL:
            raise ImportError(
                f"dropwise {_core.version} calls {name}, which PyTorch {version} does not have: another "
                "version of dropwise, or of PyTorch, is needed"
            )
        found.append(ctypes.cast(function, ctypes.c_void_p).value or 0 if function is not None else 0)
    return found


def register() -> None:
    """Registers the kernels, once for a process."""
    check_torch(torch.__version__)
    try:
        # The library is there, under whatever path: this finds it by its name.
        library = ctypes.CDLL("libtorch_cpu.so", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError as error:
        raise ImportError(
            f"dropwise {_core.version} does not find libtorch_cpu.so of PyTorch {torch.__version__}: {error}"
        ) from error
    found = addresses(library, torch.__version__)
    _core.torch_register(struct.pack(f"{len(found)}Q", *found))


def register_exchange() -> bool:
    """Lets the C module read tensors past the dispatcher, if this PyTorch can be asked so."""
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    # It makes a tensor that is written to later, whatever the mode is in which this is imported first.
    with torch.inference_mode(False):
        return capsule is not None and _core.torch_set_exchange(capsule)
