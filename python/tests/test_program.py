"""python -m dropwise prints what the C library's program prints."""

import json
import subprocess
import sys

import pytest


def python(*arguments):
    command = [sys.executable, "-m", "dropwise", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def test_info(program):
    theirs, mine = program("info"), python("info")
    # Of what the package is built without, and a tier may be: the rest is the same.
    assert [line.split()[0] for line in mine.splitlines()] == [
        line.split()[0] for line in theirs.splitlines()
    ]
    assert mine.splitlines()[:3] == theirs.splitlines()[:3]


def test_info_as_json(program):
    theirs, mine = json.loads(program("info", "--json")), json.loads(python("info", "--json"))
    assert set(mine) == set(theirs)
    assert mine["parts"] == theirs["parts"]
    assert mine["cpu_features"] == theirs["cpu_features"]


@pytest.mark.parametrize(
    "options",
    [
        "--seed 1 --stream 7 --p 0.3 --first 0 --n 784",
        "--seed -1 --stream 0x10 --p 0.5 --first 1000000007 --n 300001 --generator ars4x32-7",
        "--seed 0xffffffffffffffff --stream 1 --p 0.25 --first 3 --n 1001 --format raw",
        "--seed 1 --stream 2 --p 0.3 --first 0 --n 0",
        "--layout tf --seed 1 --stream 0 --p 0.5 --first 0 --n 15",
        "--layout jax --seed 0xdeadbeef00000007 --p 0.9 --first 5 --n 100 --dtype bf16",
        "--layout numpy --seed 12 --p 0.9 --first 5 --n 100",
        "--layout torch-cpu --seed 12 --p 0.5 --first 5 --n 100 --before 7",
        "--layout onnx-runtime-cpu --seed 12 --p 0.5 --first 5 --n 100 --run 3",
        "--layout onemkl-mcg31 --seed 12 --keep 0.75 --first 5 --n 100",
    ],
)
def test_masks(program, options):
    assert python("mask", *options.split()) == program("mask", *options.split())


@pytest.mark.parametrize(
    "options, what",
    [
        ("mask --seed 1 --stream 2 --p 1.5 --first 0 --n 1", "p: "),
        ("mask --seed 1 --p 0.5 --first 0 --n 1", "--stream"),
        ("mask --seed 1 --stream 2 --p 0.5 --first 0 --n 1 --rows 3", "--rows"),
        ("mask --seed 18446744073709551616 --stream 2 --p 0.5 --first 0 --n 1", "--seed"),
        ("mask --layout nobody --seed 1 --p 0.5 --first 0 --n 1", "--layout"),
        ("", "COMMAND"),
    ],
)
def test_bad_options(options, what):
    command = [sys.executable, "-m", "dropwise", *options.split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and result.stdout == "" and what in result.stderr
    assert "Traceback" not in result.stderr
