"""python -m dropwise prints what the C library's program prints."""

import json
import os
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
        "--layout onemkl-mcg31 --seed -12 --keep 1e-20 --first 5 --n 100",
        "--layout torch-cpu --seed 12 --p 0.5 --first 5 --n 100 --before 1152921504606846975 --offset 2",
    ],
)
def test_masks(program, options):
    assert python("mask", *options.split()) == program("mask", *options.split())


@pytest.mark.parametrize(
    "options, what",
    [
        ("--seed 1 --stream 2 --p 1.5 --first 0 --n 1", "p"),
        ("--seed 1 --p 0.5 --first 0 --n 1", "stream"),
        ("--seed 1 --stream 2 --p 0.5 --first 0 --n 1 --rows 3", "rows"),
        ("--seed 18446744073709551616 --stream 2 --p 0.5 --first 0 --n 1", "seed"),
        ("--seed=-9223372036854775809 --stream 2 --p 0.5 --first 0 --n 1", "seed"),
        ("--seed 1_0 --stream 2 --p 0.5 --first 0 --n 1", "seed"),
        ("--seed 0x0x10 --stream 2 --p 0.5 --first 0 --n 1", "seed"),
        ("--seed 1 --stream 2 --p 0.5 --first -1 --n 1", "first"),
        ("--seed 1 --stream 2 --p 0.5 --first 0 --n -1", "n"),
        ("--seed 1 --strea 2 --p 0.5 --first 0 --n 1", "strea"),
        ("--layout nobody --seed 1 --p 0.5 --first 0 --n 1", "layout"),
        ("--layout tf --seed 1 --p 0.5 --first 0 --n 1", "stream"),
        ("--layout triton --seed 1 --p 0.5 --first 0 --n 1 --size 3", "size"),
        ("--layout triton --seed 1 --p 0.5 --first 0 --n 1 --keep 0.5", "keep"),
        ("--layout triton --seed 1 --keep 0.5 --first 0 --n 1", "keep"),
        ("--layout triton --seed 1 --first 0 --n 1", "p"),
        ("--layout triton --seed 1 --p 0.5 --first 0 --n 1 --generator philox4x32-7", "generator"),
        ("--layout onemkl --seed 4294967296 --p 0.5 --first 0 --n 1", "seed"),
        ("--layout torch-cpu --seed 1 --p 0.5 --first 0 --n 1 --before 1152921504606846976", "before"),
        (
            "--layout torch-cuda --seed 1 --p 0.5 --first 0 --n 1 --size 8 --threads 4294967296 --vector 4",
            "threads",
        ),
    ],
)
def test_bad_options(options, what, program):
    result = failing(sys.executable, "-m", "dropwise", "mask", *options.split())
    assert result.returncode == 2 and what in result.stderr
    assert failing(os.environ["DROPWISE_PROGRAM"], "mask", *options.split()).returncode == 2


@pytest.mark.parametrize(
    "options, size",
    [
        ("--seed 1 --stream 2 --p 0.5 --first 1152921504606846976 --n 1", 2**60),
        ("--seed 1 --stream 2 --p 0.5 --first 0 --n 18446744073709551615", 2**60),
        ("--layout inductor-gpu-2.11 --seed 1 --p 0.5 --first 4294000000 --n 1000000", 2**32),
    ],
)
def test_elements_past_the_end(options, size, program):
    result = failing(sys.executable, "-m", "dropwise", "mask", *options.split())
    assert result.returncode == 1 and str(size) in result.stderr
    assert failing(os.environ["DROPWISE_PROGRAM"], "mask", *options.split()).returncode == 1


def failing(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == "" and "Traceback" not in result.stderr
    return result


def test_a_command_is_needed():
    result = failing(sys.executable, "-m", "dropwise")
    assert result.returncode == 2 and "COMMAND" in result.stderr
