#!/bin/bash
# PyTorch 2.13.0: where a function is compiled for training, AOTAutograd merges calls of a custom operator that
# have the same arguments, even if the operator is tagged nondeterministic_seeded: two draws become one, and two
# layers of dropout have one seed. Only PyTorch's own random operators are spared, by a list of their names
# (rand_ops in torch/_functorch/compile_utils.py). So each call needs an argument that no other has, as
# python/dropwise/torch/_operators.py gives it. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy

"$folder/venv/bin/python" - << 'END'
import sys
import torch

library = torch.library.Library("finding", "DEF")
library.define("draw() -> Tensor", tags=(torch.Tag.nondeterministic_seeded, torch.Tag.pt2_compliant_tag))
library.impl("draw", lambda: torch.rand(1), "CompositeExplicitAutograd")
torch.library.register_fake("finding::draw", lambda: torch.empty(1), lib=library)


def twice(x):
    return x * torch.ops.finding.draw(), x * torch.ops.finding.draw()


x = torch.ones(1, requires_grad=True)
merged = {}
for backend in ("eager", "aot_eager"):
    a, b = torch.compile(twice, fullgraph=True, backend=backend)(x)
    merged[backend] = torch.equal(a, b)
    print(f"{backend}: two draws are {'one and the same' if merged[backend] else 'two numbers'}")
sys.exit("the behaviour has changed" if merged != {"eager": False, "aot_eager": True} else 0)
END
