#!/bin/bash
# PyTorch 2.13.0: who puts another function in the place of dropout for a while gets, with checkpoint, gradients
# of another mask, mostly without an error. Of 1,000 gradients so many are wrong:
#                               reentrant   reentrant   not reentrant   not reentrant
#   backward pass               within      after       within          after
#   assigning F.dropout         0           about 500   0               CheckpointError
#   a TorchFunctionMode         about 500   about 500   CheckpointError CheckpointError
# as a second forward pass calls what holds then; and modes do not hold in `backward`, which they are asked
# about, too. dropwise.torch.patched ties the choice to the random state that a checkpoint saves. Fails if that
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy

"$folder/venv/bin/python" - << 'END'
import contextlib
import sys

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import CheckpointError, checkpoint

OWN = F.dropout


class Other(torch.autograd.Function):
    """Dropout that keeps a seed for its backward pass, and no mask."""

    @staticmethod
    def forward(ctx, x):
        seed = torch.randint(2**60, (1,))
        ctx.save_for_backward(seed)
        return x * Other.mask(x, seed)

    @staticmethod
    def mask(x, seed):
        return 2 * torch.empty_like(x).bernoulli_(generator=torch.Generator().manual_seed(seed.item()))

    @staticmethod
    def backward(ctx, dy):
        return dy * Other.mask(dy, *ctx.saved_tensors)


@contextlib.contextmanager
def assigned():
    F.dropout = lambda x, p: Other.apply(x)
    yield
    F.dropout = OWN


class Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return Other.apply(args[0]) if function is OWN else function(*args, **(kwargs or {}))


def wrong(patch, reentrant, within):
    x = torch.ones(1000, requires_grad=True)
    torch.manual_seed(1)
    try:
        with patch():
            y = checkpoint(lambda x: F.dropout(x, 0.5) * 1.0, x, use_reentrant=reentrant)
            if within:
                y.sum().backward()
        if not within:
            y.sum().backward()
    except CheckpointError:
        return "CheckpointError"
    return int((x.grad != y).sum())


def form(count):
    return count if isinstance(count, str) else "none" if count == 0 else "half" if 400 < count < 600 else count


cases = [(reentrant, within) for reentrant in (True, False) for within in (True, False)]
found = {}
for patch in (assigned, Mode):
    counts = [wrong(patch, *case) for case in cases]
    print(f"{patch.__name__:10}", *[f"{count!s:>16}" for count in counts])
    found[patch.__name__] = [form(count) for count in counts]
error = "CheckpointError"
expected = {"assigned": ["none", "half", "none", error], "Mode": ["half", "half", error, error]}
sys.exit("the behaviour has changed" if found != expected else 0)
END
