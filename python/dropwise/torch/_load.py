"""Hands the C module's kernels over to PyTorch, if its version is one that they can be called by."""

from __future__ import annotations

import ctypes
import operator
import os
import struct
from typing import Any

import torch
import torch._subclasses.functional_tensor

from .. import _core

#: The oldest version of PyTorch that has all functions of its stable C interface that are called.
OLDEST = (2, 10)

#: Of these a version may lack some: what is done then is said in torch_shim.h.
OPTIONAL = {"torch_delete_stable_ivalue"}

#: What this package calls of PyTorch that is not public, and may be gone in another version than 2.13, with
#: which it is tested.
PRIVATE = (
    "_C.DisableTorchFunction",
    "_C.DispatchKey",
    "_C._are_functorch_transforms_active",
    "_C._current_graph_task_id",
    "_C._get_tracing_state",
    "_C._len_torch_dispatch_stack",
    "_subclasses.FakeTensor",
    "_subclasses.functional_tensor.FunctionalTensor",
    "autograd.forward_ad._current_level",
    "ops.aten._safe_softmax",
    "ops.aten._softmax_backward_data",
    "ops.aten.dropout.default._op_dk",
    "ops.aten.dropout.default.decompose",
    "utils._python_dispatch._disable_current_modes",
)


def check_torch(version: str) -> None:
    """ImportError for versions of PyTorch that are too old."""
    numbers = tuple(int(number) for number in version.split(".")[:2])
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ImportError(
            f"dropwise.torch of dropwise {_core.version} needs PyTorch {oldest} or later, and this is "
            f"{version}"
        )


def _lacks(version: str, name: str) -> ImportError:
    return ImportError(
        f"dropwise {_core.version} calls {name}, which PyTorch {version} does not have: another version of "
        "dropwise, or of PyTorch, is needed"
    )


def check_private(root: Any, version: str) -> None:
    """ImportError for versions of PyTorch, whose module is given, that lack what is not public."""
    for name in PRIVATE:
        try:
            operator.attrgetter(name)(root)
        except AttributeError as error:
            raise _lacks(version, f"torch.{name}") from error


def addresses(library: ctypes.CDLL, version: str) -> list[int]:
    """Where the functions are that the C module wants of PyTorch's library; 0 for optional ones."""
    found = []
    for name in _core.torch_functions():
        function = getattr(library, name, None)
        if function is None and name not in OPTIONAL:
            raise _lacks(version, name)
        found.append(ctypes.cast(function, ctypes.c_void_p).value or 0 if function is not None else 0)
    return found


def register() -> None:
    """Registers the kernels, once for a process."""
    check_torch(torch.__version__)
    check_private(torch, torch.__version__)
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
