"""The examples of the documents and docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil
import re

import pytest
from conftest import ROOT, needs

import dropwise

PAGES = ["README.md", "docs/python.md", "docs/distributed.md", "docs/torch.md"]


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_pages(page, monkeypatch, tmp_path, capsys):
    """Blocks of Python, one after the other; a comment `# value` after an expression is what it prints."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / page).read_text())
    assert blocks
    names = {}
    for block in blocks:
        for module in set(re.findall(r"(?m)^(?:import|from) (jax|flax|torch)\b", block)):
            needs(module)
        for statement in re.split(r"\n(?=\S)", block):
            shown = re.match(r"(?s)print\(.*\) +# (.*)", statement)
            exec(compile(statement, page, "exec"), names)
            printed = capsys.readouterr().out.strip()
            assert shown is None or printed == shown[1].strip(), statement


FOLDERS = [
    ("", dropwise.__path__),
    (".jax", [f"{dropwise.__path__[0]}/jax"]),
    (".torch", [f"{dropwise.__path__[0]}/torch"]),
]
MODULES = [
    f"{folder}.{name}"
    for folder, path in FOLDERS
    for _, name, _ in pkgutil.iter_modules(path)
    if not name.startswith(("_c", "__"))
]


@pytest.mark.parametrize("name", ["", *MODULES])
def test_examples_of_docstrings(name):
    for folder, module in ((".jax", "jax"), (".jax", "flax"), (".torch", "torch")):
        if name.startswith(folder):
            needs(module)
    module = importlib.import_module("dropwise" + name)
    assert doctest.testmod(module).failed == 0
