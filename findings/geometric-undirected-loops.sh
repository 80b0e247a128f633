#!/bin/bash
# PyTorch Geometric 2.8.1, dropout_edge(edges, p, force_undirected=True): it keeps or drops the edges from a
# lower node to a higher one or to itself, and appends what it keeps once more the other way round. So an
# edge of a node to itself, where it is kept, is there twice. Of 10,000 such edges there are
#   p = 0       10,000
#   p = 1e-9    20,000
#   p = 0.5     about 10,000, each twice
# So where messages are added up along edges, a graph with loops gives each node its own features twice in
# training, once without. Add loops after the dropout. Edges from a higher node to a lower one, in a list
# that has not both ways, are all dropped with the least p. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 torch_geometric==2.8.1

OMP_NUM_THREADS=1 "$folder/venv/bin/python" - << 'END'
import sys

import torch
from torch_geometric.utils import dropout_edge

NODES = 10000
node = torch.arange(NODES)
loops, down = torch.stack([node, node]), torch.stack([node + 1, node])


def kept(edges, p):
    torch.manual_seed(1)
    return dropout_edge(edges, p=p, force_undirected=True)[0]


counts = [kept(loops, p).size(1) for p in (0.0, 1e-9, 0.5)]
each = kept(loops, 0.5).unique(dim=1, return_counts=True)[1].unique().tolist()
print("loops, with p = 0, 1e-9 and 0.5:", *counts, "of which each is there", *each, "times")
lost = [kept(down, p).size(1) for p in (0.0, 1e-9)]
print("edges from high to low, with p = 0 and 1e-9:", *lost)
same = counts[:2] == [NODES, 2 * NODES] and abs(counts[2] - NODES) < 600
same = same and each == [2] and lost == [NODES, 0]
sys.exit(0 if same else "the behaviour has changed")
END
