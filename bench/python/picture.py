#!/usr/bin/env python3
"""Draws what bench/python/*.py printed: how many times as fast as its peer each row is, and what was wanted.

usage: bench/python/picture.py TABLES.md PICTURE.png
"""

import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def rows(text):
    """What is compared, the ratio, and the ratio that was wanted or None, of rows whose unit is `times`."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        measured = re.fullmatch(r"([0-9.]+) times", cells[1]) if len(cells) == 3 else None
        if measured:
            wanted = re.match(r"([0-9.]+) times", cells[2])
            yield cells[0].replace("`", ""), float(measured[1]), float(wanted[1]) if wanted else None


def main(tables, picture):
    with open(tables) as file:
        names, measured, wanted = zip(*rows(file.read()), strict=True)
    places = range(len(names))
    figure, axes = plt.subplots(figsize=(11, 1.2 + 0.24 * len(names)))
    axes.barh(places, measured, color="tab:blue", height=0.7, label="measured")
    marks = [(want, place) for want, place in zip(wanted, places, strict=True) if want is not None]
    if marks:
        axes.scatter(*zip(*marks, strict=True), marker="|", s=120, color="black", zorder=3, label="wanted")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xlim(0.5, None)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("times as fast as what it is compared with")
    axes.grid(axis="x", color="lightgrey", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
