"""What is installed: files, symbols, version, types. For a wheel; a build in place has no list of files."""

import importlib.metadata
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, lacks, needs

import dropwise

FILES = """
__init__.py __main__.py _arrays.py _core.abi3.so _core.pyi dropblock.py dropconnect.py fused.py interop.py
jax/__init__.py jax/_load.py jax/_primitive.py jax/keys.py jax/linen.py jax/nnx.py mask.py py.typed
torch/__init__.py torch/_arguments.py torch/_inductor.py torch/_load.py torch/_operators.py
torch/_options.py torch/_torch_masks.py torch/distributed.py torch/functional.py torch/modules.py
torch/patched.py torch/replace.py variants.py
""".split()


def readelf(*options):
    if shutil.which("readelf") is None:
        lacks("readelf", "there is no readelf")
    command = ["readelf", "-W", *options, dropwise._core.__file__]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def wheel():
    try:
        return importlib.metadata.distribution("dropwise")
    except importlib.metadata.PackageNotFoundError:
        lacks("wheel", "dropwise is not installed")


def test_the_files_of_the_wheel(wheel):
    files = {str(file) for file in wheel.files if "__pycache__" not in str(file)}
    if not sys._is_gil_enabled() if hasattr(sys, "_is_gil_enabled") else False:
        pytest.skip("the module of free-threaded builds is called otherwise")
    ours = {file for file in files if not file.startswith("dropwise-")}
    assert ours == {f"dropwise/{name}" for name in FILES}
    info = {file.rsplit("/", 1)[-1] for file in files - ours}
    assert info - {"INSTALLER", "REQUESTED", "direct_url.json"} == {"LICENSE", "METADATA", "RECORD", "WHEEL"}


def test_the_version_is_that_of_the_library(wheel):
    assert wheel.version == dropwise.__version__
    text = (ROOT / "include/dropwise.h").read_text()
    numbers = re.findall(r"#define DROPWISE_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text)
    assert ".".join(numbers) == wheel.version


def test_numpy_is_the_only_dependency(wheel):
    assert [re.split(r"\W", name)[0] for name in wheel.requires if "extra ==" not in name] == ["numpy"]


def test_the_module_exports_nothing_of_the_library():
    symbols = [line.split() for line in readelf("--dyn-syms").splitlines() if line.strip()[:1].isdigit()]
    exported = [words[7] for words in symbols if len(words) > 7 and words[4] != "LOCAL" and words[6] != "UND"]
    assert exported == ["PyInit__core"]


def test_the_module_has_no_tls_and_needs_the_c_library_only():
    assert " TLS " not in readelf("-l")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d"))
    assert all(re.match(r"lib(c|m|sleef)\.so|ld-linux", name) for name in needed)


def test_the_stub_is_that_of_the_module(wheel):
    needs("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "dropwise._core"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_every_function_has_a_docstring():
    modules = (dropwise.dropblock, dropwise.dropconnect, dropwise.fused, dropwise.interop, dropwise.variants)
    for place in (*modules, dropwise.Mask, dropwise.interop.Masks, dropwise.dropblock.Block):
        for name, value in vars(place).items():
            if callable(value) and not name.startswith("_") and value.__module__.startswith("dropwise"):
                assert value.__doc__, f"{place.__name__}.{name}"


def test_every_function_of_the_library_is_reached():
    """What the headers declare is called by python/src, but for what the package has no use for."""
    unused = {"status_string", "explain", "convert_stored", "view_noise_shape", "view_pack", "isa_select"}
    unused |= {f"mt19937_{name}" for name in ("seed", "words", "skip", "jump_init", "make_jump")}
    tiles = {"tile_forward", "tile_backward", "rows_end", "delta"}  # of attention, for engines' own loops
    unused |= {"jax_unsafe_rbg_split", "jax_unsafe_rbg_fold_in"}  # JAX itself has them in Python
    unused |= {"draw_bits_rows"} | {f"attention_{name}" for name in tiles}
    unused |= {
        f"{call}_{dtype}"
        for call in ("forward", "backward", "infer")
        for dtype in ("f32", "f64", "f16", "bf16")
    }  # the typed calls
    sources = "".join(path.read_text() for path in (ROOT / "python/src").glob("*.[ch]"))
    sources += (ROOT / "src/interop/layouts.inc").read_text()
    declared = set()
    for header in (ROOT / "include").glob("*.h"):
        declared |= set(re.findall(r"(?m)^DROPWISE_API.*?\bdropwise_(\w+)\(", header.read_text()))
    called = set(re.findall(r"\bdropwise_(\w+)\b", sources))
    called |= {f"interop_{name}" for name in re.findall(r"DROPWISE_LAYOUT\(\d+, \w+, (\w+),", sources)}
    assert len(declared) > 80 and declared - called - unused == set()
