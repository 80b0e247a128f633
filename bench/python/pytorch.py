#!/usr/bin/env python3
"""Speed of dropwise.torch beside PyTorch's own dropout: a table. On one thread, but for one row.

usage: bench/python/pytorch.py [quick]    quick: without what is compiled, and without the transformer

Times are the least of several rounds in which all take turns.
"""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn
from turns import least

import dropwise
import dropwise.torch as dw

TIER = dropwise._core.info()["tier"]
SIZES = ((1 << 16, "64 Ki"), (1 << 20, "1 Mi"))


def by_tier(avx2, avx512):
    return {"avx2": f"{avx2} times", "avx512": f"{avx512} times"}.get(TIER, "")


def forward_rows():
    wanted = {
        ("dropwise", "64 Ki", 0.1): (25, 30),
        ("dropwise", "64 Ki", 0.5): (50, 65),
        ("dropwise", "1 Mi", 0.1): (25, 30),
        ("dropwise", "1 Mi", 0.5): (50, 65),
        ("torch", "64 Ki", 0.1): (14, 18),
        ("torch", "64 Ki", 0.5): (35, 40),
        ("torch", "1 Mi", 0.1): (11, 18),
        ("torch", "1 Mi", 0.5): (20, 35),
    }
    for masks in ("dropwise", "torch"):
        for n, name in SIZES:
            for p in (0.1, 0.5):
                x = torch.randn(n)
                theirs, ours = least(
                    25,
                    max(1, (1 << 17) // n),
                    lambda x=x, p=p: F.dropout(x, p),
                    lambda x=x, p=p, masks=masks: dw.dropout(x, p, masks=masks),
                )
                what = f'`dropout(x, {p}, masks="{masks}")` beside `F.dropout`, {name}'
                yield what, f"{theirs / ours:.1f} times", by_tier(*wanted[masks, name, p])


def small_rows():
    x, leaf, dy = torch.randn(16), torch.randn(16, requires_grad=True), torch.ones(16)
    calls = [
        lambda: F.dropout(x, 0.1),
        lambda: dw.dropout(x, 0.1),
        lambda: F.dropout(leaf, 0.1).backward(dy),
        lambda: dw.dropout(leaf, 0.1).backward(dy),
    ]
    theirs, ours, theirs_back, ours_back = least(200, 100, *calls)
    for what, a, b in (("forward", theirs, ours), ("forward and backward", theirs_back, ours_back)):
        row = f"a call on 16 elements, {what}: {b * 1e6:.1f} us, `F.dropout` {a * 1e6:.1f} us"
        yield row, f"{b / a:.2f} of its time", "at most 1"


def train(model, x, target):
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), target).backward()
        optimizer.step()

    return step


def perceptron(dropout):
    layers = [nn.Linear(784, 1024), nn.ReLU(), dropout(), nn.Linear(1024, 1024), nn.ReLU(), dropout()]
    return nn.Sequential(*layers, nn.Linear(1024, 10))


def perceptron_rows(compile_it):
    x, target = torch.randn(128, 784), torch.randint(10, (128,))
    models = [
        perceptron(lambda: nn.Dropout(0.0)),
        perceptron(lambda: nn.Dropout(0.5)),
        perceptron(lambda: dw.Dropout(0.5)),
        perceptron(lambda: dw.Dropout(0.5, masks="torch")),
    ]
    for compiled in (False, True) if compile_it else (False,):
        wrap = (lambda m: torch.compile(m, fullgraph=True)) if compiled else (lambda m: m)
        none, theirs, ours, same = least(15, 3, *(train(wrap(model), x, target) for model in models))
        how = "compiled" if compiled else "eager"
        what = f"a step of training, {how}: MLP 784-1024-1024-10, p = 0.5, batch 128; beside p = 0"
        more = f"`F.dropout` {theirs / none:.2f}, its masks {same / none:.2f}"
        yield (
            f"{what}; {more}",
            f"{ours / none:.2f} of its time",
            "at most 1.1" if compiled else "at most 1.03",
        )


def compiled_rows():
    x, residual = torch.randn(1 << 20), torch.randn(1 << 20)
    pairs = {
        "dropout": (lambda x: F.dropout(x, 0.1), lambda x: dw.dropout(x, 0.1), 30),
        "dropout(GELU)": (lambda x: F.dropout(F.gelu(x), 0.1), lambda x: dw.gelu_dropout(x, 0.1), 12),
        "dropout(SiLU)": (lambda x: F.dropout(F.silu(x), 0.1), lambda x: dw.silu_dropout(x, 0.1), 15),
        "residual + dropout": (
            lambda x: residual + F.dropout(x, 0.1),
            lambda x: dw.dropout_add(x, residual, None, 0.1),
            20,
        ),
    }
    dy = torch.ones_like(x)
    for name, (theirs, ours, wanted) in pairs.items():
        leaf = x.clone().requires_grad_()

        def both(function, leaf=leaf):
            compiled = torch.compile(function, fullgraph=True)
            return lambda: torch.autograd.grad(compiled(leaf), leaf, dy)

        slow, fast = least(9, 2, both(theirs), both(ours))
        what = f"forward and backward of {name}, compiled, 1 Mi, p = 0.1; beside Inductor's"
        yield what, f"{slow / fast:.1f} times", f"{wanted} times"


def saved_bytes(function):
    """Bytes of what is saved for the backward pass, each storage once."""
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()
    del result
    return sum(storages.values())


def transformer(p):
    layer = nn.TransformerEncoderLayer(512, 8, 2048, p, "gelu", batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)


def transformer_rows():
    x = torch.randn(8, 256, 512)
    none, theirs, ours = transformer(0.0), transformer(0.1), transformer(0.1)
    dw.replace_dropout(ours, fuse=True)

    def step(model):
        model.zero_grad(set_to_none=True)
        model(x).square().mean().backward()

    times = least(4, 1, *(lambda model=model: step(model) for model in (none, theirs, ours)))
    what = "a step of training: transformer, 6 layers, d 512, 256 x 8, p = 0.1, fused; beside p = 0"
    more = f"`nn.Dropout` {times[1] / times[0]:.2f}"
    yield f"{what}; {more}", f"{times[2] / times[0]:.2f} of its time", "at most 0.97"
    saved = [saved_bytes(lambda model=model: model(x)) for model in (none, theirs, ours)]
    more = f"`nn.Dropout` {saved[1] / saved[0]:.2f}"
    yield f"bytes saved for its backward pass; {more}", f"{saved[2] / saved[0]:.2f} of its", "at most 1.05"


def attention_rows():
    wanted = {torch.float32: (0.9, 0.85), torch.bfloat16: (0.5, 0.6)}
    for dtype, limits in wanted.items():
        leaves = [torch.randn(8, 12, 512, 64).to(dtype).requires_grad_() for _ in range(3)]
        dout = torch.randn(8, 12, 512, 64).to(dtype)

        def forward(function, p, leaves=leaves):
            with torch.no_grad():
                return function(*leaves, None, p)

        def both(function, p, leaves=leaves, dout=dout):
            torch.autograd.grad(function(*leaves, None, p), leaves, dout)

        for run, limit, how in zip((forward, both), limits, ("forward", "forward and backward")):
            flash, theirs, ours = least(
                4,
                1,
                lambda run=run: run(F.scaled_dot_product_attention, 0.0),
                lambda run=run: run(F.scaled_dot_product_attention, 0.1),
                lambda run=run: run(dw.scaled_dot_product_attention, 0.1),
            )
            name = str(dtype).removeprefix("torch.")
            what = f"attention 8 x 12 x 512 x 64, {name}, {how}, p = 0.1; beside PyTorch's flash with p = 0"
            more = f"PyTorch's with p = 0.1 {theirs / flash:.2f}"
            yield f"{what}; {more}", f"{ours / flash:.2f} of its time", f"at most {limit}"
        saved = [
            saved_bytes(lambda f=f, p=p, leaves=leaves: f(*leaves, None, p))
            for f, p in (
                (F.scaled_dot_product_attention, 0.0),
                (F.scaled_dot_product_attention, 0.1),
                (dw.scaled_dot_product_attention, 0.1),
            )
        ]
        what = f"bytes saved for its backward pass; PyTorch's with p = 0.1 {saved[1] / saved[0]:.2f}"
        yield what, f"{saved[2] / saved[0]:.2f} of its", "at most 1"


def thread_row():
    """Beside what the machine gives to two threads that copy as much."""
    x = torch.randn(1 << 24)
    y = torch.empty_like(x)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(least(9, 1, lambda: dw.dropout(x, 0.1, out=y), lambda: torch.mul(x, 2, out=y)))
    torch.set_num_threads(1)
    (one, one_copy), (two, two_copy) = results
    what = f"two threads beside one, 16 Mi, `out=`; of `torch.mul`: {one_copy / two_copy:.2f} times"
    return what, f"{one / two:.2f} times", "1.8 times"


def main():
    quick = "quick" in sys.argv[1:]
    torch.set_num_threads(1)
    cpus = len(os.sched_getaffinity(0))
    print(f"| PyTorch {torch.__version__}, {TIER}, float32, one thread of {cpus} | measured | wanted |")
    print("|---|---|---|")
    rows = [forward_rows(), small_rows(), perceptron_rows(not quick), attention_rows(), [thread_row()]]
    if not quick:
        rows[2:2] = [compiled_rows()]
        rows[-1:-1] = [transformer_rows()]
    for group in rows:
        for row in group:
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
