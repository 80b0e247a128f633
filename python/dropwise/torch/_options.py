"""The options that all functions have, by keyword."""

from __future__ import annotations

from typing import TypedDict

import torch


class Options(TypedDict, total=False):
    """Where masks come from, by keyword.

    generator : torch.Generator
        Draws the seed in place of PyTorch's default generator. Not under checkpoint, which does not restore
        it: the second forward pass raises RuntimeError; nor in compiled functions.
    seed : int or int64 tensor of one element
        The seed itself, 0 to 2**64 - 1 (a tensor's bits): no generator is asked. Repeated calls with the same
        seed, stream and step have the same mask: so checkpoints need no saved state
        (preserve_rng_state=False).
    stream : int
        0 to 2**32 - 1: a number for each layer, for ranks that shall draw different masks with one seed, for
        workers of a DataLoader.
    step : int
        0 to 2**31 - 1: a number for each step of training. The mask is that of
        ``dropwise.Mask(p, seed, stream=step * 2**32 + stream)``.
    elsewhere : str
        What is done with tensors that are not on the CPU: "torch" (default) calls PyTorch's own functions,
        with PyTorch's masks; "error" raises TypeError.
    """

    generator: torch.Generator | None
    seed: int | torch.Tensor | None
    stream: int
    step: int
    elsewhere: str
