#!/bin/bash
# PyTorch 2.13.0, DTensors on a mesh of CPUs: dropout draws on each rank from the generator that it has there.
#   Shard, one seed on all ranks     both parts get one mask: the beginning of that of the whole, twice
#   Replicate, seeds by rank         copies differ, and are still called replicated
# So no choice of seeds is right for a tensor-parallel block, where both kinds follow each other: on GPUs PyTorch
# keeps ranks apart itself, on CPUs it warns once. dropwise.torch.dropout draws the parts of one mask. Fails if
# that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy

cat > "$folder/ranks.py" << 'END'
import sys
import warnings

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

warnings.simplefilter("ignore")
dist.init_process_group("gloo")
rank, mesh, ones = dist.get_rank(), init_device_mesh("cpu", (2,)), torch.ones(2000)


def parts(placement, seed):
    x = distribute_tensor(ones, mesh, [placement])
    torch.manual_seed(seed)
    found = [None, None]
    dist.all_gather_object(found, F.dropout(x).to_local())
    return found


one, other = parts(Shard(0), seed=1)
torch.manual_seed(1)
begins = torch.equal(one, F.dropout(ones)[:1000])
copy, second = parts(Replicate(), seed=rank)
facts = [torch.equal(one, other), begins, not torch.equal(copy, second)]
if rank == 0:
    print("Shard, one seed: the parts have", "one mask" if facts[0] else "different masks")
    print("which", "is" if begins else "is not", "the beginning of the mask of the whole")
    print("Replicate, seeds by rank: the copies", "differ" if facts[2] else "are equal")
dist.destroy_process_group()
sys.exit("the behaviour has changed" if not all(facts) else 0)
END
OMP_NUM_THREADS=1 "$folder/venv/bin/torchrun" --nproc-per-node 2 "$folder/ranks.py"
