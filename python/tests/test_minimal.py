"""What suffices where one file can be run, as under an emulator: the stream is that of the C library."""

import re

import numpy as np
import pytest
import reference
from conftest import ROOT

import dropwise


def golden_cases() -> list[tuple[int, int, float, int, int, int, int, int]]:
    """Cases of the C library's own test, with hashes of their bits and bytes."""
    text = (ROOT / "tests/oracle/golden_cases.h").read_text()
    text = re.sub(r"UINT64_C\((\w+)\)", r"\1", text).replace("0x1p-40", "2**-40")
    names = {"UINT64_MAX": 2**64 - 1, "GOLDEN_LIMIT": 1 << 60}
    rows = re.findall(r"^    \{(.*)\},$", text, re.M)
    hashes = (ROOT / "tests/data/golden.txt").read_text().split("\n")
    return [
        (*eval(row, names), int(line.split()[1], 16), int(line.split()[2], 16))
        for row, line in zip(rows, hashes)
    ]


def hash_of(data: np.ndarray) -> int:
    value = int(re.search(r"REF_HASH_START UINT64_C\((\w+)\)", REFERENCE_H)[1], 16)
    for byte in data.tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


REFERENCE_H = (ROOT / "tests/oracle/reference.h").read_text()


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: f"{case[0]:x}-{case[1]:x}-{case[2]:g}")
def test_the_keep_bits_are_those_of_the_c_library(case):
    seed, stream, p, first, n, generator, bits_hash, _ = case
    mask = dropwise.Mask(p, seed, stream, list(dropwise._core.generators)[generator])
    assert hash_of(mask.bits(n, first)) == bits_hash


def test_the_bytes_are_those_of_the_c_library():
    seed, stream, p, first, n, generator, _, bytes_hash = golden_cases()[-1]
    mask = dropwise.Mask(p, seed, stream, list(dropwise._core.generators)[generator])
    block = first // 16
    assert hash_of(mask.bytes(((first + n - 1) // 16 - block + 1) * 16, block)) == bytes_hash


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_forward_keeps_what_the_stream_says(p):
    x = np.linspace(-1, 1, 5000, dtype=np.float32)
    scale = np.float32(2**40 / max(1, round((1 - p) * 2**40)))
    expected = np.where(reference.keep_of(p, 42, 7, x.shape), x * scale, np.float32(0))
    got = dropwise.Mask(p, 42, 7).forward(x)
    assert np.array_equal(got.view(np.uint32), expected.view(np.uint32))
    assert np.array_equal(dropwise.Mask(p, 42, 7).backward(x), got)


def test_the_version_is_one():
    text = (ROOT / "meson.build").read_text()
    assert dropwise.__version__ == re.search(r"version: '([\d.]+)'", text)[1]
