#!/usr/bin/env python3
"""Trains a small network on any number of ranks, by mpi4py: stops, saves, resumes, and never keeps a mask.

usage: mpiexec -n RANKS python distributed.py [--steps N] [--resume FILE] [--save FILE] [--expect FILE]

The weights are the same, bit for bit, however many ranks there are, and wherever the run was stopped: a mask
is that of the whole batch, of which each rank draws the rows that it has, and what the run has to save of its
random numbers is its seed and the number of the step. --expect compares the weights with saved ones.
"""

import argparse
import sys

import numpy as np
from mpi4py import MPI

import dropwise

SEED, RATE, SPEED = 42, 0.25, np.float32(0.05)
BATCH, FEATURES, WIDTH = 64, 16, 96

#: Gradients are summed over so many parts of the batch, in the same order on any number of ranks.
PARTS = 4


def first_weights():
    """Of two layers with dropout before each, in a row."""
    rng = np.random.default_rng(SEED)
    return [
        (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        for shape in ((FEATURES, WIDTH), (WIDTH, 1))
    ]


def batch_of(step):
    """Of a stream of random inputs, the rows of a step and what is to be learned of them."""
    x = np.random.default_rng((SEED, step)).standard_normal((BATCH, FEATURES)).astype(np.float32)
    return x, np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]


def mask_of(step, layer, layers=2):
    """A mask for each layer and step: no rank is in it, as ranks have parts of the same batch."""
    return dropwise.Mask(RATE, SEED, stream=step * layers + layer)


def gradients(weights, x, target, step, first):
    """Of the rows from `first` on of a step's batch."""

    def place(width):
        return {"shard": ((first, 0), (BATCH, width))}

    masks = mask_of(step, 0), mask_of(step, 1)
    x = masks[0].forward(x, **place(FEATURES))
    hidden = np.maximum(x @ weights[0], 0)
    dropped = masks[1].forward(hidden, **place(WIDTH))
    d_out = (dropped @ weights[1] - target) / np.float32(BATCH)
    d_hidden = masks[1].backward(d_out @ weights[1].T, **place(WIDTH)) * (hidden > 0)
    return x.T @ d_hidden, dropped.T @ d_out


def train(communicator, weights, first_step, steps):
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    if PARTS % ranks != 0:
        sys.exit(f"the batch has {PARTS} parts, which {ranks} ranks cannot share evenly")
    rows = BATCH // PARTS
    for step in range(first_step, first_step + steps):
        x, target = batch_of(step)
        own = []
        for part in range(rank * PARTS // ranks, (rank + 1) * PARTS // ranks):
            here = slice(part * rows, (part + 1) * rows)
            own.append(gradients(weights, x[here], target[here], step, part * rows))
        for of_part in (part for of_rank in communicator.allgather(own) for part in of_rank):
            for weight, gradient in zip(weights, of_part, strict=True):
                weight -= SPEED * gradient


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--resume", metavar="FILE")
    parser.add_argument("--save", metavar="FILE")
    parser.add_argument("--expect", metavar="FILE")
    options = parser.parse_args()
    communicator = MPI.COMM_WORLD
    weights, step = first_weights(), 0
    if options.resume:
        with np.load(options.resume) as saved:
            weights, step = [saved["first"], saved["second"]], int(saved["step"])
    train(communicator, weights, step, options.steps)
    step += options.steps
    if communicator.Get_rank() == 0:
        x, target = batch_of(10**6)
        loss = float(np.mean((np.maximum(x @ weights[0], 0) @ weights[1] - target) ** 2))
        print(f"{communicator.Get_size()} ranks, {step} steps, loss {loss:.4f}")
        if options.save:
            np.savez(options.save, first=weights[0], second=weights[1], step=step)
        if options.expect:
            with np.load(options.expect) as expected:
                same = [
                    np.array_equal(w, expected[n]) for w, n in zip(weights, ("first", "second"), strict=True)
                ]
                if not (all(same) and step == int(expected["step"])):
                    sys.exit(f"the weights are not those of {options.expect}")


if __name__ == "__main__":
    main()
