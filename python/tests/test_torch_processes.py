"""dropwise.torch in a process: threads, forks, loaders, memory, and runs that are PyTorch's in every bit."""

import gc
import os
import subprocess
import sys
import threading

import pytest
from conftest import needs

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import dropwise.torch as dw  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def python(code, *options):
    """What a fresh interpreter prints; it must end well, and print nothing else."""
    result = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return result.stdout


def test_import_compiles_and_starts_nothing():
    code = """
import sys, threading
import dropwise
assert "torch" not in sys.modules
import torch
before = set(sys.modules), torch.get_rng_state(), torch.get_num_threads()
import dropwise.torch
assert not {"torch._dynamo", "torch._inductor"} & (set(sys.modules) - before[0])
assert torch.equal(before[1], torch.get_rng_state()) and torch.get_num_threads() == before[2]
assert threading.active_count() == 1
x = torch.ones(2**20, requires_grad=True)
dropwise.torch.dropout(x, 0.5).sum().backward()
kept = [dropwise.torch.dropout(x, 0.5, masks="torch") for _ in range(5)]
"""
    assert python(code) == ""


def test_import_without_docstrings():
    code = """
import torch, dropwise.torch as dw
print(dw.Dropout(0.5, seed=1)(torch.ones(3)).shape)
"""
    assert python(code, "-OO") == "torch.Size([3])\n"


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_the_first_use_of_pytorchs_masks_within_patched(masks):
    """What is compared with must be PyTorch's own dropout, although `patched` is in its place."""
    code = f"""
import torch, dropwise.torch as dw
x, state = torch.ones(50), torch.get_rng_state()
expected = torch.nn.functional.dropout(x, 0.5)
torch.set_rng_state(state)
with dw.patched(masks={masks!r}):
    y = dw.dropout(x, 0.5, masks="torch")
print(torch.equal(y, expected))
"""
    assert python(code) == "True\n"


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_four_python_threads(masks):
    x = torch.randn(40, 1000)
    generators = [torch.Generator().manual_seed(i) for i in range(40)]
    expected = [
        dw.dropout(x, 0.3, masks=masks, generator=torch.Generator().manual_seed(i)) for i in range(40)
    ]
    results = [None] * 40

    def work(k):
        for i in range(k, 40, 4):
            results[i] = dw.dropout(x, 0.3, masks=masks, generator=generators[i])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(results, expected))


def test_threads_never_draw_one_mask_twice():
    """Of PyTorch's generator, which they share."""
    x, masks, lock = torch.ones(200), [], threading.Lock()

    def work():
        for _ in range(100):
            y = dw.dropout(x, 0.5, masks="torch")
            with lock:
                masks.append(tuple(y.tolist()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(masks)) == 400


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_fork_after_threads():
    code = """
import os, sys, torch
import dropwise.torch as dw
torch.set_num_threads(2)
x = torch.ones(2**20)
a = dw.dropout(x, 0.5, seed=1)
dw.dropout(x, 0.5, masks="torch")
if os.fork() == 0:
    torch.set_num_threads(1)  # PyTorch's own pool does not survive a fork
    dw.dropout(x, 0.5, masks="torch")
    os._exit(0 if torch.equal(dw.dropout(x, 0.5, seed=1), a) else 1)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert python(code).strip() == "0"


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        info = torch.utils.data.get_worker_info()
        drawn = dw.dropout(torch.ones(50), 0.5)
        given = dw.dropout(torch.ones(50), 0.5, seed=1, stream=info.id, step=i)
        return torch.stack([drawn, given])


def test_workers_of_a_loader_draw_their_own():
    rows = torch.cat(list(torch.utils.data.DataLoader(Rows(), batch_size=1, num_workers=2)))
    for k in range(2):
        assert len({tuple(row.tolist()) for row in rows[:, k]}) == 8


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="looks into /proc")
def test_nothing_leaks():
    """Memory stays over 10**5 small calls of each kind."""

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    x, leaf = torch.ones(64), torch.ones(64, requires_grad=True)
    matrix = torch.ones(4, 16)

    def round_of_calls():
        dw.dropout(x, 0.5)
        dw.dropout(leaf, 0.5).sum().backward()
        dw.dropout(x, 0.5, masks="torch")
        dw.dropout(x, 0.5, seed=1)
        dw.dropout_add(matrix, matrix, x[:16], 0.5)
        dw.softmax_dropout(matrix, -1, 0.5)
        dw.drop_block(matrix.view(1, 1, 8, 8), 0.5, 2)
        torch.ops.dropwise.dropout_v1(matrix, torch.tensor([1]), 0, 0.5, 0, [0, 0, 8, 16])
        try:
            torch.ops.dropwise.dropout_v1(matrix, torch.tensor([1]), 0, 2.0, 0, [0, 0, 8, 16])
        except RuntimeError:
            pass

    n = 6250  # of each of nine, twice
    for i in range(2 * n):
        round_of_calls()
        if i == n:
            before = resident()
    assert resident() - before < 2**19


def test_an_import_in_inference_mode():
    """The tensor in which seeds are drawn can be drawn into outside of it, too."""
    code = """
import torch
with torch.inference_mode():
    import dropwise.torch as dw
    dw.dropout(torch.ones(64), 0.5)
x = torch.ones(64, requires_grad=True)
torch.manual_seed(1)
y = dw.dropout(x, 0.5)
torch.manual_seed(1)
assert torch.equal(y, dw.dropout(x, 0.5, stream=0))
y.sum().backward()
"""
    assert python(code) == ""


def test_an_exchange_that_is_none():
    """Where tensors cannot be read past the dispatcher, calls go through it."""
    code = """
import ctypes, torch
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
import dropwise._core as core
import dropwise.torch as dw
x = torch.ones(64)
torch.manual_seed(1)
y = dw.dropout(x, 0.5)
other, none, name = (ctypes.c_uint64 * 9)(9), (ctypes.c_uint64 * 9)(1), b"dlpack_exchange_api"
for capsule in (new(none, name, None), new(other, name, None), new(none, b"another", None), "no capsule"):
    assert core.torch_set_exchange(torch.Tensor.__dlpack_c_exchange_api__)
    assert not core.torch_set_exchange(capsule)
    torch.manual_seed(1)
    assert torch.equal(dw.dropout(x, 0.5), y)
"""
    assert python(code) == ""


def test_threads_that_do_not_run():
    """PyTorch says so, and what they have not written is no result."""
    code = """
import ctypes, struct, torch
import dropwise._core as core
register, own_type = core.torch_register, ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * 5)
fails = own_type(lambda *arguments: 1)

def register_with_failure(addresses):
    numbers = list(struct.unpack(f"{len(addresses) // 8}Q", addresses))
    numbers[core.torch_functions().index("torch_parallel_for")] = ctypes.cast(fails, ctypes.c_void_p).value
    register(struct.pack(f"{len(numbers)}Q", *numbers))

core.torch_register = register_with_failure
import dropwise.torch as dw
torch.set_num_threads(2)
x, heads = torch.ones(2**20), torch.ones(1, 2, 200, 8)
for call in (
    lambda: dw.dropout(x, 0.5),
    lambda: dw.dropout(x, 0.5, seed=1),
    lambda: dw.dropout(x, 0.5, out=torch.empty_like(x)),
    lambda: dw.dropout(x, 0.5, inplace=True),
    lambda: dw.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.5),
):
    try:
        call()
    except RuntimeError as error:
        assert "PyTorch's threads did not run" in str(error), error
    else:
        raise AssertionError("no error")
dw.dropout(x[:100], 0.5)
"""
    assert python(code) == ""


# ---- A seeded run of training ----


class Perceptron(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout, self.layers = (
            dropout,
            nn.ModuleList([nn.Linear(20, 64), nn.Linear(64, 64), nn.Linear(64, 10)]),
        )

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.dropout(layer(x).relu())
        return self.layers[-1](x)


def replaced(model):
    """The encoder's dropouts, which are modules, and that of its attention, which is a function."""
    for name, child in list(model.named_modules()):
        if type(child) is nn.Dropout:
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], dw.Dropout(child.p, child.inplace, masks="torch"))
    return model


def train(model, make_batch, steps=200):
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(steps):
        x, target = make_batch()
        loss = F.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()], torch.get_rng_state()


@pytest.mark.parametrize("kind", ["perceptron", "transformer"])
def test_training_with_pytorchs_masks_is_pytorchs_training(kind):
    """200 steps: all weights, and the generator's state, bit for bit."""

    def perceptron(ours):
        return Perceptron(dw.Dropout(0.3, masks="torch") if ours else nn.Dropout(0.3))

    def transformer(ours):
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True)
        model = nn.Sequential(
            nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), nn.Linear(64, 10)
        )
        return replaced(model) if ours else model

    def batch():
        shape = (8, 20) if kind == "perceptron" else (4, 4, 16)
        return torch.randn(shape), torch.randint(10, shape[:1])

    results = []
    for ours in (False, True):
        torch.manual_seed(3)
        results.append(train((perceptron if kind == "perceptron" else transformer)(ours), batch))
    (weights, after), (weights_of_ours, after_ours) = results
    assert all(torch.equal(a, b) for a, b in zip(weights, weights_of_ours)) and torch.equal(after, after_ours)
