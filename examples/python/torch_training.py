#!/usr/bin/env python3
"""Trains with PyTorch's dropout, with dropwise's, and with dropwise's that draws PyTorch's masks.

usage: torch_training.py FOLDER [--tasks images text] [--steps N]
       torchrun --nproc-per-node 2 torch_training.py FOLDER ...

A perceptron learns Fashion-MNIST (Debian's dataset-fashion-mnist), and a transformer to write licences, byte
by byte (/usr/share/common-licenses). What changes from run to run is one line. The picture, which needs
matplotlib, is FOLDER/torch_training.png: losses, times of steps, peaks of memory. The masks of PyTorch give
PyTorch's losses in every bit, which is checked. With torchrun ranks share a batch, by DDP, and
draw different masks where they are dropwise's own.
"""

import argparse
import ctypes
import gzip
import os
import pathlib
import re
import statistics
import sys
import time

import matplotlib
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dropwise.torch import replace_dropout
from dropwise.torch.distributed import rank_stream

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SEED = 42

#: What a model's dropout becomes, by the names of runs.
RUNS = {
    "PyTorch's": lambda model: None,
    "dropwise": lambda model: replace_dropout(model, stream=rank_stream(), fuse=True),
    'dropwise, masks="torch"': lambda model: replace_dropout(model, masks="torch"),
}


# ---- What is learned ----


class Images:
    """Fashion-MNIST by a perceptron, in batches of 128."""

    name, steps, batch = "perceptron, Fashion-MNIST", 900, 128

    def __init__(self):
        images, labels = self.read("train")
        self.images, self.labels = images[:-10000], labels[:-10000]
        self.held_out = images[-10000:], labels[-10000:]

    @staticmethod
    def read(part):
        folder = pathlib.Path("/usr/share/datasets/fashion-mnist")
        arrays = []
        for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
            path = folder / f"{part}-{kind}-ubyte.gz"
            if not path.exists():
                sys.exit(f"{path} is not there: apt-get install dataset-fashion-mnist, or --tasks text")
            arrays.append(np.frombuffer(gzip.decompress(path.read_bytes())[header:], np.uint8))
        pixels, labels = arrays
        return torch.from_numpy(pixels.reshape(-1, 784) / np.float32(255)), torch.from_numpy(
            labels.astype(int)
        )

    def model(self):
        return nn.Sequential(
            nn.Linear(784, 1024),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(1024, 1024),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(1024, 10),
        )

    def rows(self, generator):
        chosen = torch.randint(len(self.images), (self.batch,), generator=generator)
        return self.images[chosen], self.labels[chosen]


class Writer(nn.Module):
    """A transformer that says of each byte what the next one may be."""

    def __init__(self, context, width=128, heads=4, layers=4, p=0.1):
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, width), nn.Embedding(context, width)
        self.drop = nn.Dropout(p)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, p, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.out = nn.Linear(width, 256)
        mask = nn.Transformer.generate_square_subsequent_mask(context)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x):
        x = self.drop(self.bytes(x) + self.places.weight[: x.shape[1]])
        return self.out(self.layers(x, self.mask, is_causal=True)).transpose(1, 2)


class Text:
    """Licences by a transformer, in batches of 16 times 128 bytes."""

    name, steps, batch, context = "transformer, texts", 250, 16, 128

    def __init__(self):
        files = sorted(
            path for path in pathlib.Path("/usr/share/common-licenses").iterdir() if path.is_file()
        )
        text = b"".join(path.read_bytes() for path in files if not path.is_symlink())
        whole = torch.from_numpy(np.frombuffer(text, np.uint8).astype(int))
        self.text, end = whole[: -len(whole) // 10], whole[-len(whole) // 10 :]
        some = end[: 64 * (self.context + 1)].reshape(64, -1)
        self.held_out = some[:, :-1], some[:, 1:]

    def model(self):
        return Writer(self.context)

    def rows(self, generator):
        first = torch.randint(len(self.text) - self.context - 1, (self.batch, 1), generator=generator)
        chosen = self.text[first + torch.arange(self.context + 1)]
        return chosen[:, :-1], chosen[:, 1:]


TASKS = {"images": Images, "text": Text}


# ---- Memory ----


def release_memory():
    """What the C library keeps for later goes back, and the peak is measured from here on."""
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def memory(which):
    """Of this process, in MiB: VmRSS is now, VmHWM the peak."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) / 1024


# ---- Training ----


class Progress:
    """A bar on the screen of the first rank."""

    def __init__(self, title, steps):
        self.title, self.steps, self.shown = title, steps, 0.0

    def show(self, step, loss):
        if ranks()[0] != 0 or (time.monotonic() - self.shown < 0.2 and step < self.steps):
            return
        self.shown = time.monotonic()
        bar = "#" * (24 * step // self.steps)
        end = "\n" if step == self.steps else ""
        if sys.stderr.isatty() or end:
            start = "\r" if sys.stderr.isatty() else ""
            print(
                f"{start}{self.title:52} [{bar:24}] {step:4}/{self.steps} loss {loss:.3f}",
                end=end,
                file=sys.stderr,
                flush=True,
            )


def ranks():
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def train(task, change, title, steps):
    """Losses, seconds of steps, MiB at the peak over those before, loss of what was held out."""
    rank, world = ranks()
    release_memory()
    before = memory("VmRSS")
    torch.manual_seed(SEED)
    model = task.model()
    change(model)  # the line that differs
    call = DistributedDataParallel(model) if world > 1 else model
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    progress = Progress(title, steps)
    choice = torch.Generator().manual_seed(SEED)
    losses, seconds = [], []
    torch.manual_seed(SEED)  # the same on all ranks
    for step in range(1, steps + 1):
        x, target = (part.chunk(world)[rank] for part in task.rows(choice))
        start = time.perf_counter()
        loss = F.cross_entropy(call(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
        progress.show(step, losses[-1])
    peak = memory("VmHWM") - before
    model.eval()
    with torch.no_grad():
        x, target = task.held_out
        held_out = F.cross_entropy(model(x), target).item()
    return {"losses": losses, "seconds": seconds, "peak": peak, "held out": held_out}


# ---- What is shown ----


def smooth(losses, over):
    return np.convolve(losses, np.ones(over) / over, "valid")


def draw(path, results):
    figure, axes = plt.subplots(
        len(results), 3, figsize=(11, 3.4 * len(results)), layout="constrained", squeeze=False
    )
    colors = dict(zip(RUNS, ("0.45", "tab:blue", "tab:orange"), strict=True))
    for row, (name, runs) in zip(axes, results.items(), strict=True):
        for run, result in runs.items():
            over = max(1, len(result["losses"]) // 30)
            style = "--" if "torch" in run else "-"  # which lies on PyTorch's own
            curve = smooth(result["losses"], over)
            row[0].plot(range(over, over + len(curve)), curve, style, color=colors[run], label=run)
        row[0].set(title=name, xlabel="step", ylabel="loss in training", yscale="log")
        row[0].legend(fontsize=8)
        times = [1000 * statistics.median(result["seconds"]) for result in runs.values()]
        for axis, values, title in (
            (row[1], times, "median of a step, ms"),
            (row[2], [result["peak"] for result in runs.values()], "peak of memory, MiB"),
        ):
            bars = axis.bar(range(len(runs)), values, color=[colors[run] for run in runs])
            axis.bar_label(bars, fmt="%.1f", fontsize=8)
            axis.set(title=title)
            axis.margins(y=0.1)
            axis.set_xticks(range(len(runs)), [run.replace(", ", ",\n") for run in runs], fontsize=8)
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--steps", type=int, metavar="N", help="default: 900 of images, 250 of text")
    options = parser.parse_args()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    results = {}
    for task in (TASKS[name]() for name in options.tasks):
        runs = results[task.name] = {}
        train(task, RUNS["PyTorch's"], f"{task.name}, to warm up", 2)
        for run, change in RUNS.items():
            runs[run] = train(task, change, f"{task.name}, {run}", options.steps or task.steps)
        if ranks()[0] == 0:
            for run, result in runs.items():
                step = 1000 * statistics.median(result["seconds"])
                print(
                    f"{task.name:26} {run:24} {step:7.1f} ms a step  {result['peak']:6.0f} MiB"
                    f"  loss of what was held out {result['held out']:.3f}"
                )
        own, _, same = runs.values()
        if own["losses"] != same["losses"] or own["held out"] != same["held out"]:
            sys.exit(f"{task.name}: masks='torch' does not give PyTorch's losses")
    if ranks()[0] == 0:
        draw(options.folder / "torch_training.png", results)
        print(f"masks of PyTorch gave its losses, bit for bit; picture: {options.folder}/torch_training.png")
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
