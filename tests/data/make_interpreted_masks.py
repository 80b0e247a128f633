#!/usr/bin/env python3
"""
Prints masks of the code that torch.compile makes for a CUDA device, without one, from PyTorch 2.13 on:
make_interpreted_masks.py > inductor_interpreted_masks.txt

Inductor lowers dropout of tensors without data; the kernels that it writes run in Triton's interpreter, on
the CPU. Needs PyTorch (a build for CPUs does), Triton and NumPy; neither the build nor the tests need any.
"""
import importlib.util
import os
import re
import sys
import tempfile
import types

os.environ["TRITON_INTERPRET"] = "1"

import torch
import torch._dynamo.device_interface
import torch._inductor.config
import torch._inductor.runtime.triton_helpers
import torch.nn.functional as F
import torch.utils._triton
import triton
import triton.language as tl
from torch._inductor.debug import DebugContext
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.fx_passes.replace_random import replace_random_passes
from torch._inductor.graph import GraphLowering
from torch._inductor.virtualized import V
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from make_gpu_masks import header, mask_fields, say, torch_dtype, torch_kept


def pretend_a_device():
    """What Inductor asks before it writes code for an H100."""
    properties = types.SimpleNamespace(
        name="NVIDIA H100", major=9, minor=0, multi_processor_count=132, max_threads_per_multi_processor=2048,
        max_threads_per_block=1024, warp_size=32, regs_per_multiprocessor=65536, total_memory=80 << 30,
        gcnArchName="", shared_memory_per_block_optin=232448, L2_cache_size=50 << 20)
    cuda = torch._dynamo.device_interface.CudaInterface
    torch.cuda.is_available = torch.cuda.is_initialized = lambda: True
    torch.cuda._lazy_init = torch.cuda.synchronize = lambda *_: None
    torch.cuda.device_count = lambda: 1
    torch.cuda.current_device = lambda: 0
    torch.cuda.get_device_properties = lambda *_: properties
    torch.cuda.get_device_capability = lambda *_: (9, 0)
    cuda.Worker.get_device_properties = cuda.get_device_properties = staticmethod(lambda *_: properties)
    cuda.is_available = staticmethod(lambda: True)
    cuda.get_compute_capability = staticmethod(lambda *_: 90)
    torch.utils._triton.triton_hash_with_backend = lambda: "none"
    torch._inductor.runtime.triton_helpers.set_driver_to_gpu = lambda: None


def code_of(function, shape, dtype):
    """What Inductor writes for a function of one tensor: a Triton kernel and what launches it."""
    mode = FakeTensorMode()
    with mode:
        x = torch.empty(shape, dtype=torch_dtype(dtype), device="cuda")
        graph = make_fx(function, decomposition_table=select_decomp_table())(x)
    with V.set_fake_mode(mode):
        replace_random_passes(graph)
        lowering = GraphLowering(graph)
        with V.set_graph_handler(lowering), V.set_debug_handler(DebugContext()):
            lowering.run(x)
            return lowering.codegen()[0].value


def kernel_of(code, folder):
    """The kernel as Python that the interpreter takes, and the names of its arguments."""
    source = code[code.index("@triton.jit") : code.index("''', device_str=")]
    name, arguments = re.search(r"def (\w+)\(([^)]*)\)", source).groups()
    path = os.path.join(folder, name + ".py")
    with open(path, "w") as file:
        file.write("import triton\nimport triton.language as tl\n"
                   "from torch._inductor.runtime import triton_helpers\n"
                   "from torch._inductor.runtime.triton_helpers import libdevice, math as tl_math\n" + source)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name), [a.split(":")[0].strip() for a in arguments.split(",")], source


def run(function, dtype, x, seed, block):
    """Its output, by blocks of so many elements or rows, and the kernel's source."""
    code = code_of(function, tuple(x.shape), dtype)
    seeds = re.search(r"randint\.low_out\(.*out=(\w+)\)", code).group(1)
    given = re.search(r"triton_\w+\.run\((.*), stream=", code).group(1).split(", ")
    y = torch.zeros_like(x)
    tensors = {seeds: torch.tensor([seed]), "x_1": x}
    values = [int(word) if word.isdigit() else tensors.get(word, y) for word in given]
    with tempfile.TemporaryDirectory() as folder:
        kernel, names, source = kernel_of(code, folder)
        n = values[names.index("xnumel")]
        kernel[(triton.cdiv(n, block),)](*values, XBLOCK=block)
    return y, source


def pointwise_mask(dtype, n, p, seed, block):
    x = torch.ones(n, dtype=torch_dtype(dtype))
    y, source = run(lambda x: F.dropout(x, p, True), dtype, x, seed, block)
    assert "rand4x" in source
    say("mask", dtype, repr(p), "pointwise", seed & 0xFFFFFFFFFFFFFFFF, mask_fields(torch_kept(y)))


def reduction_mask(dtype, shape, p, seed):
    """Of rows that are divided by their sums, by which the kernel has two dimensions."""
    x = torch.ones(shape, dtype=torch_dtype(dtype))
    y, source = run(lambda x: F.dropout(x / x.sum(-1, keepdim=True), p, True), dtype, x, seed, 1)
    assert "rand4x" not in source and "tl.rand(" in source
    say("mask", dtype, repr(p), "reduction", seed & 0xFFFFFFFFFFFFFFFF, mask_fields(torch_kept(y)))


@triton.jit
def draw_far(kept, seed, base, p, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    offsets = tl.load(base) + i  # of 64 bits, as those of i64 are
    tl.store(kept + i, (tl.rand(seed, offsets) > p).to(tl.int8), mask=i < n)


def far_mask(seed, base, p, n):
    kept = torch.zeros(n, dtype=torch.int8)
    draw_far[(triton.cdiv(n, 1024),)](kept, seed, torch.tensor([base]), p, n, BLOCK=1024)
    say("mask", "f32", repr(p), "triton", seed, mask_fields(torch_kept(kept)), base)


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit("usage: make_interpreted_masks.py")
    pretend_a_device()
    header(
        f"PyTorch {torch.__version__}, Triton {triton.__version__}: kernels that Inductor writes for a CUDA "
        "device, run by Triton's interpreter on a CPU (see make_interpreted_masks.py). mask: dtype, p, "
        "kernel, seed, the mask (see make_gpu_masks.py). pointwise: torch.nn.functional.dropout, a kernel "
        "of one dimension; reduction: the same of rows divided by their sums, of two dimensions; triton: "
        "tl.rand(seed, offsets) > p, a kernel of its own with offsets of 64 bits, the first of which is last."
    )
    between = 0.5 + 2**-12 + 2**-40  # two numbers of f16; f32 has their middle
    for dtype in ("f32", "f64", "f16", "bf16"):
        pointwise_mask(dtype, 1000, 0.5, 900450186894289455, 128)
        pointwise_mask(dtype, 3, 0.5, 42, 4)
        pointwise_mask(dtype, 30001, 0.1, -5, 1024)
        pointwise_mask(dtype, 30002, 0.37, 2**63 - 1, 256)
        pointwise_mask(dtype, 30000, between, 7, 512)
        pointwise_mask(dtype, 3000, 0.999, 2**40 + 7, 256)
        reduction_mask(dtype, (20, 256), 0.1, 16132417674283728307 - 2**64)
        reduction_mask(dtype, (64, 512), 0.37, 99)
    far_mask(42, 0, 0.1, 3000)
    far_mask(42, 2**32 - 1500, 0.1, 3000)
    far_mask(2**40 + 5, 2**32, 1 / 3, 5000)
    far_mask(99, 2**59 + 77, 0.7, 3000)
