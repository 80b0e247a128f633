"""What the tests share. DROPWISE_REQUIRE=torch,program,... turns a skip for want of one into a failure."""

from __future__ import annotations

import importlib
import os
import pathlib
import subprocess
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import dropwise

# JAX reads this when it is used for the first time: so many devices on one CPU, and half the time to compile.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true",
)

#: The tree of the C library, whose data and documents are tested with, too.
ROOT = pathlib.Path(__file__).resolve().parents[2]


def lacks(what: str, why: str) -> None:
    """Skips a test for want of something, if it may be skipped."""
    if what in os.environ.get("DROPWISE_REQUIRE", "").split(","):
        pytest.fail(f"{what} is required, but {why}")
    pytest.skip(why, allow_module_level=True)


def needs(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        lacks(module, str(error))
        raise


@pytest.fixture
def program() -> Callable[..., bytes]:
    """The C library's program: a function of its arguments, with what it prints."""
    path = os.environ.get("DROPWISE_PROGRAM")
    if path is None:
        lacks("program", "DROPWISE_PROGRAM names no program dropwise")

    def run(*arguments: Any) -> bytes:
        return subprocess.run([str(path), *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout

    return run


@pytest.fixture
def math() -> None:
    """For tests of what needs SLEEF."""
    try:
        dropwise.variants.normal(dropwise.Mask(0, 1), 1, "float64")
    except NotImplementedError as error:
        lacks("sleef", str(error))
