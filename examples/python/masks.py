#!/usr/bin/env python3
"""Pictures of masks: an image as dropout sees it, rates over p, shards of one mask. Needs matplotlib.

usage: masks.py FOLDER    writes masks.png, rates.png and shards.png there
"""

import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import dropwise

SEED, SIDE = 42, 64


def image():
    """Three feature maps of a picture: rings, a slope, a wave."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    return np.stack([np.cos(12 * np.hypot(x, y)), x + y + 0.01, np.sin(9 * x) * np.cos(6 * y)])[None]


def draw_masks(path):
    """What is dropped, by the options that say who shares a decision."""
    x, mask = image(), dropwise.Mask(0.3, SEED)
    block = dropwise.dropblock.Block(x.shape, (2, 3), 9)
    rows = {
        "x": x,
        "dropout": mask.forward(x),
        "share=(1,): all maps alike": mask.forward(x, share=(1,)),
        "share=(3,): whole rows": mask.forward(x, share=(3,)),
        "share=(2, 3): whole maps": dropwise.Mask(0.3, SEED, 6).forward(x, share=(2, 3)),
        "DropBlock": block.forward(dropwise.Mask(block.gamma(0.3), SEED), x)[0],
    }
    figure, axes = plt.subplots(3, len(rows), figsize=(2 * len(rows), 6.4), layout="constrained")
    for column, (title, y) in zip(axes.T, rows.items(), strict=True):
        column[0].set_title(title, fontsize=9)
        for axis, map_of_y in zip(column, y[0], strict=True):
            axis.imshow(np.where(map_of_y == 0, np.nan, map_of_y), cmap="viridis", vmin=-2, vmax=2)
            axis.set(xticks=[], yticks=[], facecolor="white")
    figure.savefig(path, dpi=100)


def draw_rates(path):
    """How far the part that is dropped is from p, over n elements, in standard deviations."""
    p = np.linspace(0.01, 0.99, 99)
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for generator in ("philox4x32-10", "philox4x32-7", "threefry4x32-20", "ars4x32-7"):
        n = 1 << 20
        dropped = [n - dropwise.Mask(q, SEED, 1, generator).keep(n).sum() for q in p]
        axis.plot(p, (dropped - n * p) / np.sqrt(n * p * (1 - p)), label=generator, linewidth=1)
    axis.axhspan(-2, 2, color="0.92")
    axis.set(xlabel="p", ylabel="dropped - n p, in standard deviations", ylim=(-5, 5))
    axis.legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=100)


def draw_shards(path):
    """Four processes, each with a quarter of a tensor, draw what one with all of it draws."""
    mask, shape, half = dropwise.Mask(0.5, SEED), (32, 32), 16
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained")
    axes[0].imshow(mask.keep(shape), cmap="gray")
    axes[0].set_title("the whole")
    together = np.zeros((*shape, 3))
    for rank, (i, j) in enumerate(np.ndindex(2, 2)):
        start = i * half, j * half
        part = mask.keep((half, half), shard=(start, shape))
        color = matplotlib.colormaps["Set2"].colors[rank]
        together[start[0] :, start[1] :][:half, :half] = part[..., None] * np.array(color)
    axes[1].imshow(together)
    axes[1].set_title("four shards")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=100)
    assert np.array_equal(together.any(axis=-1), mask.keep(shape))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    draw_masks(folder / "masks.png")
    draw_rates(folder / "rates.png")
    draw_shards(folder / "shards.png")


if __name__ == "__main__":
    main()
