#!/usr/bin/env python3
"""Prints masks that other systems draw on a GPU: make_gpu_masks.py NAME > NAME.txt

NAME is torch_cuda_masks, flash_attention_masks, inductor_gpu_masks, inductor_cpu_masks, triton_masks,
jax_masks or curand_numbers. Each needs its system, and all but inductor_cpu_masks and jax_masks a CUDA
device; neither the build nor the tests need any. A system that is missing is named.

make_gpu_masks.py --compare NAME prints the rows of NAME.txt, or of the file that is for the PyTorch that
runs, which are not drawn here. The status is 0 if there are none.

A mask is printed as its number of elements, the FNV-1a hash (64 bits) of its packed bits, and the elements
from 0, from n / 2 and from n - 64 on, 64 of each at most (1 = kept). Floats are printed as their bits.
"""
import os
import sys
import textwrap
import traceback

import numpy as np

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None


# ---- What is printed ----


rows_drawn = None  # or a set that rows go to instead of being printed


def say(*fields):
    row = " ".join(map(str, fields))
    if rows_drawn is None:
        print(row, flush=True)
    else:
        rows_drawn.add(row)


def header(text):
    for line in textwrap.wrap(text, 108):
        say("#", line)


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def mask_fields(kept):
    """The last five fields of a mask's row."""
    kept = np.asarray(kept).reshape(-1) != 0
    n = kept.size
    h = fnv1a(np.packbits(kept, bitorder="little").tobytes())
    windows = (kept[:64], kept[n // 2 : n // 2 + 64], kept[max(n - 64, 0) :])
    return f"{n} {h:016x} " + " ".join("".join("01"[int(k)] for k in w) for w in windows)


def attempt(what, function, *arguments):
    """One failure does not lose the rest."""
    try:
        function(*arguments)
    except Exception:
        print(f"{what} failed", file=sys.stderr)
        traceback.print_exc()


# ---- Values ----

# Of each dtype: bits of the significand, bits of the exponent.
FORMATS = {"f32": (23, 8), "f64": (52, 11), "f16": (10, 5), "bf16": (7, 8)}


def value_bits(dtype, n=32):
    """Positive values: one that is not normal, the largest one, and others of several magnitudes."""
    significand, exponent = FORMATS[dtype]
    bias = (1 << exponent - 1) - 1
    bits = [3, (((1 << exponent) - 1) << significand) - 1]
    for i in range(2, n):
        digits = (i * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 64 - significand
        bits.append((bias + i % 7 - 3) << significand | digits)
    return bits


def hexadecimal(dtype, bits):
    width = 1 + sum(FORMATS[dtype])
    return " ".join(f"{b & ((1 << width) - 1):0{width // 4}x}" for b in bits)


# ---- PyTorch ----


def torch_dtype(dtype):
    import torch

    return {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]


def torch_integer(dtype):
    import torch

    return {"f32": torch.int32, "f64": torch.int64, "f16": torch.int16, "bf16": torch.int16}[dtype]


def torch_values(dtype, device):
    """The values of a dtype; none has its sign bit set, so all are positive integers too."""
    import torch

    return torch.tensor(value_bits(dtype), dtype=torch_integer(dtype), device=device).view(torch_dtype(dtype))


def torch_bits(dtype, tensor):
    return hexadecimal(dtype, tensor.detach().view(torch_integer(dtype)).tolist())


def torch_kept(tensor):
    return (tensor != 0).flatten().cpu().numpy()


def set_cuda_state(seed, offset):
    import torch

    state = seed.to_bytes(8, "little") + offset.to_bytes(8, "little")
    torch.cuda.set_rng_state(torch.tensor(list(state), dtype=torch.uint8))


def cuda_state():
    """Seed and offset of the generator."""
    import torch

    state = bytes(torch.cuda.get_rng_state().tolist())
    return int.from_bytes(state[:8], "little"), int.from_bytes(state[8:16], "little")


def cuda_versions():
    import torch

    if not torch.cuda.is_available():
        sys.exit("missing: a CUDA device")
    name = f"PyTorch {torch.__version__}"
    if triton is not None:
        name += f", Triton {triton.__version__}"
    return f"{name}, {torch.cuda.get_device_name()}"


def torch_row(kind, dtype, x, p, call=None, by_memory=False):
    """A call on x, of ones, from the state that is; its mask, in the order of indices or of memory."""
    import torch
    import torch.nn.functional as F

    address = x.data_ptr()
    seed, offset = cuda_state()
    y = call(x, p) if call is not None else F.dropout(x, p, True)
    step = cuda_state()[1] - offset
    kept = torch_kept(y.t() if by_memory else y)
    say("mask", kind, dtype, min(address & -address, 16), repr(p), seed, offset, step, mask_fields(kept))


def in_place(x, p):
    import torch.nn.functional as F

    return F.dropout(x.clone(), p, True, inplace=True)


def channels(x, p):
    """Of x, with a channel for each element."""
    import torch.nn.functional as F

    return F.dropout2d(x.reshape(1, -1, 1, 1).expand(1, -1, 2, 3).contiguous(), p, True)[0, :, 0, 0]


def torch_sizes():
    import torch

    sizes = {
        "f32": (1, 3, 6, 12, 300, 1000, 1002, 1003, 4100, 1081344, 3000004, 3000002, 3000001),
        "f16": (1, 6, 12, 24, 1000, 1004, 1006, 1007, 2162688, 5000000, 3000004, 3000002),
        "bf16": (7, 16, 12, 1000, 4999, 4600000, 3000001),
        "f64": (1, 10, 1000, 1001, 540672, 3000002, 3000001),
    }
    ps = (0.5, 0.1, 0.9, 1 / 3, 0.123456789, 0.001, 0.999)
    seeds = (0, 42, 0x0123456789ABCDEF, 2**64 - 1, 2**32)
    number = 0
    for dtype, numels in sizes.items():
        for numel in numels:
            x = torch.ones(numel, dtype=torch_dtype(dtype), device="cuda")
            set_cuda_state(seeds[number % len(seeds)], 0)
            attempt("row", torch_row, "dense", dtype, x, ps[number % len(ps)])
            attempt("row", torch_row, "dense", dtype, x, ps[(number + 3) % len(ps)])  # from where that ended
            number += 1


def torch_states():
    """Offsets at which the counter's lower half ends, and a step of several calls."""
    import torch

    for dtype, numel in (("f32", 4096), ("f16", 5000000), ("f64", 3000002), ("f32", 1003), ("bf16", 8000)):
        x = torch.ones(numel, dtype=torch_dtype(dtype), device="cuda")
        for offset in (2**34 - 8, 2**34 + 4, 2**40):
            set_cuda_state(7, offset)
            attempt("row", torch_row, "dense", dtype, x, 0.3)
    torch.manual_seed(1234)
    for dtype, numel, p in (("f32", 77, 0.5), ("f16", 3000000, 0.2), ("f64", 3000000, 0.7), ("f32", 8, 0.0),
                            ("f32", 8, 1.0), ("bf16", 1000, 0.5), ("f16", 9, 0.0), ("f64", 9, 1.0)):
        x = torch.ones(numel, dtype=torch_dtype(dtype), device="cuda")
        attempt("row", torch_row, "dense", dtype, x, p)


def torch_huge():
    """More elements than 31 bits number, of which a few are looked at."""
    import torch
    import torch.nn.functional as F

    for numel in (2**31 + 8, 2**31 + 1):
        x = torch.ones(numel, dtype=torch.float16, device="cuda")
        set_cuda_state(8, 12)
        y = F.dropout(x, 0.35, True)
        for first in (0, 2**30 + 5, 2**31 - 32, numel - 64):
            shown = "".join("01"[int(k)] for k in torch_kept(y[first : first + 64]))
            say("window", "f16", numel, 0.35, 8, 12, cuda_state()[1] - 12, first, shown)
        del x, y


def torch_layouts(dtype):
    """Data that is not aligned, not dense, or not in the order of its indices."""
    import torch

    set_cuda_state(99, 400)
    base = torch.ones(8200, dtype=torch_dtype(dtype), device="cuda")
    for shift in (1, 2, 4):
        torch_row("dense", dtype, base[shift : shift + 8000], 0.4)
    torch_row("strided", dtype, base[::2], 0.4)
    square = torch.ones(100, 90, dtype=torch_dtype(dtype), device="cuda")
    torch_row("strided", dtype, square[:, :50], 0.4)
    torch_row("strided", dtype, square[:, :50].t(), 0.4)
    # Dense, but turned: numbered by memory where vectors are loaded, by indices where not.
    even = torch.ones(40, 90, dtype=torch_dtype(dtype), device="cuda").t()
    torch_row("dense", dtype, even, 0.4, None, True)
    torch_row("dense", dtype, torch.ones(41, 91, dtype=torch_dtype(dtype), device="cuda").t(), 0.4)


def torch_others(dtype):
    """Dropout in place, and of channels, which draw by another kernel; not for f64."""
    import torch

    for numel in (1, 1000, 1003, 3000004):
        set_cuda_state(11, 0)
        x = torch.ones(numel, dtype=torch_dtype(dtype), device="cuda")
        torch_row("in-place", dtype, x, 0.25, in_place)
        torch_row("in-place", dtype, x, 0.9, in_place)
        if numel < 2000:
            torch_row("channels", dtype, x, 0.25, channels)


def torch_edges():
    """Probabilities at which one number decides: kept where it is below 1 - p, in the dtype of the sum."""
    import torch

    set_cuda_state(5, 0)
    numbers = torch.rand(1003, device="cuda")
    for dtype in ("f32", "f64"):
        x = torch.ones(1003, dtype=torch_dtype(dtype), device="cuda")
        for i in (3, 500):
            u = float(numbers[i])
            above = float(np.nextafter(np.float32(u), np.float32(1)))
            for keep in (u, above, u * (1 + 1e-12), u * (1 - 1e-12)):
                set_cuda_state(5, 0)
                torch_row("dense", dtype, x, 1 - keep)


def torch_outputs(dtype):
    import torch.nn.functional as F

    x = torch_values(dtype, "cuda")
    say("x", dtype, torch_bits(dtype, x))
    for p in (0.1, 0.5, 0.9, 1 / 3, 0.15, 0.48):  # the last two have two scales in f32
        set_cuda_state(3, 8)
        leaf = x.clone().requires_grad_(True)
        y = F.dropout(leaf, p, True)
        y.backward(x)
        say("forward", dtype, repr(p), 3, 8, torch_bits(dtype, y))
        say("backward", dtype, repr(p), 3, 8, torch_bits(dtype, leaf.grad))
        if dtype == "f32":
            set_cuda_state(3, 8)
            say("in-place", dtype, repr(p), 3, 8, torch_bits(dtype, in_place(x, p)))


def torch_cuda_masks():
    import torch

    header(
        f"{cuda_versions()}: torch.nn.functional.dropout, not compiled. device: multiprocessors, threads "
        "that one holds. mask: dense or not, or another function; dtype; by how many bytes the data is "
        "aligned, 16 at most; p; seed and offset before the call; by how much it moved the offset; the "
        "mask (see make_gpu_masks.py). window: dtype, elements, p, seed, offset, by how much it moved, and "
        "the mask from an element on. x: values; forward, backward, in-place: dtype, p, seed, offset, what "
        "became of x."
    )
    properties = torch.cuda.get_device_properties(0)
    say("device", properties.multi_processor_count, properties.max_threads_per_multi_processor)
    for part in (torch_sizes, torch_states, torch_edges, torch_huge):
        attempt(part.__name__, part)
    for dtype in FORMATS:
        attempt("layouts", torch_layouts, dtype)
        attempt("outputs", torch_outputs, dtype)
        if dtype != "f64":
            attempt("others", torch_others, dtype)


# ---- FlashAttention, as PyTorch has it ----


def unit_rows(size, first, width, like):
    """A matrix for each head, whose rows from `first` on are unit vectors."""
    import torch

    rows = torch.zeros(like[0], like[1], size, width, dtype=like[2], device="cuda")
    n = min(width, size - first)
    rows[:, :, list(range(first, first + n)), list(range(n))] = 1
    return rows, n


def attention_row(dtype, width, causal, batches, heads, rows, columns, p, seed, offset):
    """
    Scores are equal, and values unit vectors: so the output is the matrix after dropout, `width` columns of
    it at a time. Gradients that are unit vectors show its rows in what the values' gradient becomes.
    """
    import torch
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel

    like = (batches, heads, torch_dtype(dtype))
    q, _ = unit_rows(rows, rows, width, like)
    k, _ = unit_rows(columns, columns, width, like)
    kept = np.zeros((batches, heads, rows, columns), dtype=bool)
    backward = kept.copy()
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        for first in range(0, columns, width):
            v, n = unit_rows(columns, first, width, like)
            set_cuda_state(seed, offset)
            out = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=causal)
            step = cuda_state()[1] - offset
            kept[..., first : first + n] = (out != 0).cpu().numpy()[..., :n]
        for first in range(0, rows, width):
            v, _ = unit_rows(columns, columns, width, like)
            g, n = unit_rows(rows, first, width, like)
            v.requires_grad_(True)
            set_cuda_state(seed, offset)
            F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=causal).backward(g)
            transposed = (v.grad != 0).cpu().numpy()[..., :n]
            backward[:, :, first : first + n, :] = np.swapaxes(transposed, -1, -2)
    if (kept != backward).any():
        raise RuntimeError("the backward pass has another mask")
    say("mask", dtype, width, int(causal), batches, heads, rows, columns, repr(p), seed, offset, step,
        mask_fields(kept))


def flash_attention_masks():
    header(
        f"{cuda_versions()}: scaled_dot_product_attention, backend FLASH_ATTENTION. dtype, width of a "
        "head, whether causal (what is hidden is 0 then), batches, heads, rows (queries), columns "
        "(keys), p, seed and offset before the call, by how much it moved the offset, the mask of "
        "(batches, heads, rows, columns) (see make_gpu_masks.py)."
    )
    for case in (("f16", 64, False, 1, 2, 128, 128, 0.5, 0, 0),
                 ("f16", 64, False, 2, 3, 200, 136, 0.1, 42, 4),
                 ("bf16", 128, False, 1, 2, 100, 333, 0.17, 0x0123456789ABCDEF, 1000),
                 ("f16", 32, False, 3, 1, 257, 65, 0.9, 2**64 - 1, 0),
                 ("bf16", 256, False, 1, 1, 300, 520, 0.3, 7, 2**32 - 40),
                 ("f16", 64, True, 2, 2, 160, 160, 0.2, 123, 64),
                 ("f16", 96, False, 2, 2, 1, 70, 0.5, 5, 12),
                 ("f16", 64, False, 1, 1, 70, 1, 0.5, 5, 12),
                 ("f16", 128, False, 1, 1, 130, 1100, 0.02, 99, 8),
                 ("bf16", 64, True, 1, 3, 333, 333, 0.6, 99, 2**40)):
        attempt("attention", attention_row, *case)


# ---- torch.compile ----


def drawn_seeds(device, manual, n):
    """The seeds that compiled code with n random calls draws after manual_seed(manual)."""
    import torch

    torch.manual_seed(manual)
    seeds = torch.randint(-(2**63), 2**63 - 1, [n], dtype=torch.int64, device=device).tolist()
    return [s & 0xFFFFFFFFFFFFFFFF for s in seeds]


def compiled(function):
    import torch
    import torch._dynamo

    torch._dynamo.reset()
    return torch.compile(function, dynamic=False)


def run_seeded(function, device, manual, *arguments):
    """Outputs of compiled code, which has run before, and the first seed that it drew."""
    import torch

    seed = drawn_seeds(device, manual, 1)[0]
    torch.manual_seed(manual)
    return function(*arguments), seed


def inductor_mask(device, dtype, shape, p, manuals, turn=False):
    """The mask in the order of memory, which is that of indices but for a turned tensor."""
    import torch
    import torch.nn.functional as F

    x = torch.ones(shape, dtype=torch_dtype(dtype), device=device)
    if turn:
        x = x.t()
    function = compiled(lambda x: F.dropout(x, p, True))
    function(x)
    for manual in manuals:
        y, seed = run_seeded(function, device, manual, x)
        say("mask", dtype, repr(p), manual, seed, mask_fields(torch_kept(y.t() if turn else y)))


def inductor_pair(device):
    """Two calls in one function: a seed for each, which are drawn together."""
    import torch
    import torch.nn.functional as F

    x = torch.ones(1000, device=device)
    function = compiled(lambda x: (F.dropout(x, 0.5, True), F.dropout(x, 0.25, True)))
    function(x)
    (y, z), _ = run_seeded(function, device, 17, x)
    seeds = drawn_seeds(device, 17, 2)
    say("mask", "f32", 0.5, 17, seeds[0], mask_fields(torch_kept(y)))
    say("mask", "f32", 0.25, 17, seeds[1], mask_fields(torch_kept(z)))


def inductor_edges(device, dtypes):
    """Probabilities at which one number decides: kept where it is above p."""
    import torch

    function = compiled(lambda x: torch.rand_like(x))
    x = torch.ones(1000, device=device)
    function(x)
    numbers, _ = run_seeded(function, device, 5, x)
    u = float(numbers[500])
    for dtype in dtypes:
        for p in (u, u * (1 - 1e-12), float(np.nextafter(np.float32(u), np.float32(0)))):
            attempt("edge", inductor_mask, device, dtype, 1000, p, (5,))


def inductor_outputs(device, dtype, p):
    import torch
    import torch.nn.functional as F

    x = torch_values(dtype, device)
    function = compiled(lambda x: F.dropout(x, p, True))
    function(x.clone().requires_grad_(True)).backward(x)
    leaf = x.clone().requires_grad_(True)
    y, seed = run_seeded(function, device, 3, leaf)
    y.backward(x)
    say("forward", dtype, repr(p), 3, seed, torch_bits(dtype, y))
    say("backward", dtype, repr(p), 3, seed, torch_bits(dtype, leaf.grad))


def inductor_rounded(device, dtype):
    """Rates that narrow dtypes round: one becomes 1, one is halfway between two numbers of f16 in f32."""
    for p in (0.37, 0.999, 0.5 + 2**-12 + 2**-40):
        attempt("rounded", inductor_mask, device, dtype, 200000, p, (0, 42))


def inductor_masks(device, versions):
    header(
        f"{versions}: torch.nn.functional.dropout, compiled by Inductor. mask: dtype, p, what "
        "torch.manual_seed was given, the seed that the compiled code drew then, the mask (see "
        "make_gpu_masks.py). x: values; forward, backward: the same fields, what became of x."
    )
    for dtype in FORMATS:
        say("x", dtype, torch_bits(dtype, torch_values(dtype, device)))
    few, more = (0, 42), (0, 1, 42, 2**40 + 7, 2**63 - 1)
    attempt("mask", inductor_mask, device, "f32", 1000, 0.5, more)
    attempt("mask", inductor_mask, device, "f32", (33, 77), 0.1, few)
    attempt("values", inductor_outputs, device, "f32", 0.1)
    attempt("pair", inductor_pair, device)
    attempt("mask", inductor_mask, device, "bf16", 200000, 0.1, few)
    attempt("mask", inductor_mask, device, "f16", 200000, 0.1, few)
    attempt("mask", inductor_mask, device, "f64", 200001, 0.3, few)
    for dtype in ("f16", "bf16", "f64"):
        attempt("values", inductor_outputs, device, dtype, 0.1)
    attempt("edges", inductor_edges, device, ("f32", "f64"))
    attempt("mask", inductor_mask, device, "f32", (33, 20), 0.5, few, True)
    attempt("mask", inductor_mask, device, "f32", 3000001, 0.9, few)
    attempt("mask", inductor_mask, device, "f32", 1000, 0.0, few)
    attempt("mask", inductor_mask, device, "f32", 1000, 1.0, few)
    for dtype in FORMATS:
        attempt("values", inductor_outputs, device, dtype, 0.15)
    for dtype in ("f16", "bf16"):
        attempt("rounded", inductor_rounded, device, dtype)


def torch_is_from(major, minor):
    import torch

    return tuple(int(number) for number in torch.__version__.split(".")[:2]) >= (major, minor)


def inductor_gpu_masks():
    inductor_masks("cuda", cuda_versions())


def inductor_cpu_masks():
    import torch

    inductor_masks("cpu", f"PyTorch {torch.__version__}, on a CPU")


# ---- Triton ----

if triton is not None:

    @triton.jit
    def draw_kernel(kept, numbers, seed, base, p, n, BLOCK: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        offsets = (base + i).to(tl.uint32)
        tl.store(numbers + i, tl.randint(seed, offsets), mask=i < n)
        tl.store(kept + i, (tl.rand(seed, offsets) > p).to(tl.int8), mask=i < n)

    @triton.jit
    def dropout_kernel(x, divided, multiplied, seed, p, scale, n, BLOCK: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        v = tl.load(x + i, mask=i < n)
        kept = tl.rand(seed, i) > p
        tl.store(divided + i, tl.where(kept, v / (1 - p), 0.0), mask=i < n)
        tl.store(multiplied + i, tl.where(kept, v * scale, 0.0), mask=i < n)


def triton_rows():
    import torch

    for seed, base, p, n in ((0, 0, 0.5, 1000), (123, 0, 0.5, 10), (512, 0, 0.5, 10), (42, 0, 0.1, 100003),
                             (42, 3000, 0.9, 5000), (2**31 - 1, 0, 0.25, 1000), (99, 0, 0.0, 1000),
                             (2**40 + 5, 7, 1 / 3, 3000000), (2**63 - 1, 2**31 - 500, 0.001, 1000),
                             (-3, 0, 0.999, 5000), (0x0123456789ABCDEF, 2**32 - 1000, 0.7, 1000),
                             (99, 2**30, 0.123456789, 4097), (99, 0, 1.0, 1000)):
        kept = torch.zeros(n, dtype=torch.int8, device="cuda")
        numbers = torch.zeros(n, dtype=torch.int32, device="cuda")
        draw_kernel[(triton.cdiv(n, 1024),)](kept, numbers, seed, base, p, n, BLOCK=1024)
        unsigned = seed & 0xFFFFFFFFFFFFFFFF
        say("mask", seed, unsigned, base, repr(p), mask_fields(torch_kept(kept)))
        words = " ".join(f"{w & 0xFFFFFFFF:08x}" for w in numbers[:8].tolist())
        say("words", seed, unsigned, base, words)


def triton_edges():
    """p at numbers that Triton itself returns."""
    import torch

    numbers = torch.zeros(1000, dtype=torch.int32, device="cuda")
    kept = torch.zeros(1000, dtype=torch.int8, device="cuda")
    draw_kernel[(1,)](kept, numbers, 77, 0, 0.5, 1000, BLOCK=1024)
    for i in (1, 2, 3, 4):
        word = int(numbers[i])
        u = np.float32(-word - 1 if word < 0 else word) * np.float32(4.6566127342e-10)
        for p in (u, np.nextafter(u, np.float32(0))):
            draw_kernel[(1,)](kept, numbers, 77, 0, float(p), 1000, BLOCK=1024)
            say("mask", 77, 77, 0, repr(float(p)), mask_fields(torch_kept(kept)))


def triton_outputs():
    import torch

    x = torch_values("f32", "cuda")
    say("x", "f32", torch_bits("f32", x))
    for p in (0.1, 0.5, 0.9, 1 / 3, 0.123456789, 0.7):
        divided, multiplied = torch.zeros_like(x), torch.zeros_like(x)
        scale = float(np.float32(1) / (np.float32(1) - np.float32(p)))
        dropout_kernel[(1,)](x, divided, multiplied, 42, p, scale, x.numel(), BLOCK=32)
        say("divided", repr(p), 42, torch_bits("f32", divided))
        say("multiplied", repr(p), 42, torch_bits("f32", multiplied))


def triton_masks():
    if triton is None:
        sys.exit("missing: triton")
    header(
        f"{cuda_versions()}. mask: seed, the same without a sign, first offset, p, tl.rand(seed, offset) "
        "> p (see make_gpu_masks.py). words: likewise, the first numbers of tl.randint. x: values; "
        "divided: p, seed, x / (1 - p) where kept, computed by the kernel; multiplied: x * (1 / (1 - "
        "p)), the factor given."
    )
    for part in (triton_rows, triton_edges, triton_outputs):
        attempt(part.__name__, part)


# ---- JAX ----


def jax_dtype(dtype):
    import jax.numpy as jnp

    return {"f32": jnp.float32, "f64": jnp.float64, "f16": jnp.float16, "bf16": jnp.bfloat16}[dtype]


def jax_words(key):
    import jax

    k = jax.random.key_data(key)
    return int(k[0]), int(k[1])


def jax_keys(layout):
    import jax

    for seed in (0, 1, 42, 1701, 2**31 - 1, 2**32 - 1, 2**40 + 5, 2**63 - 1):
        try:
            key = jax.random.key(seed)
        except OverflowError:
            continue
        say("key", layout, seed, *jax_words(key))
        for data in (0, 7, 2**32 - 1):
            try:
                say("fold_in", layout, *jax_words(key), data, *jax_words(jax.random.fold_in(key, data)))
            except OverflowError:
                pass
        for children in (2, 5, 1000):
            split = jax.random.split(key, children)
            for child in (0, 1, children - 1):
                say("split", layout, *jax_words(key), children, child, *jax_words(split[child]))


def jax_mask(layout, seed, draws, keep, shape):
    import jax

    key = jax.random.key(seed)
    # As it stands, a float of Python is f32, or f64 with x64.
    p = keep if draws in ("f32", "f64") else jax_dtype(draws)(keep)
    if draws == "f32":
        p = jax_dtype("f32")(keep)
    kept = np.asarray(jax.random.bernoulli(key, p, shape))
    say("mask", layout, *jax_words(key), draws, repr(keep), mask_fields(kept))


def jax_rows(layout, all_draws):
    shapes = ((1,), (2,), (3,), (7,), (1000,), (1001,), (7, 11, 13), (100003,), (4098,))
    keeps = (0.5, 0.9, 0.1, 2 / 3, 1 - 0.123456789, 0.0, 1.0)
    number = 0
    for draws in all_draws:
        for shape in shapes:
            attempt("mask", jax_mask, layout, number * 77, draws, keeps[number % len(keeps)], shape)
            number += 1


def jax_edges(layout, draws):
    """Probabilities at which one number decides: kept where it is below."""
    import jax

    key = jax.random.key(6)
    numbers = jax.random.uniform(key, (1000,), jax_dtype(draws))
    for i in (3, 700):
        u = float(numbers[i])
        for keep in (u, u + 0.5 ** FORMATS[draws][0]):
            jax_mask(layout, 6, draws, keep, (1000,))


def jax_outputs(layout, dtype, rate):
    """What Flax's Dropout does to x, compiled."""
    import jax
    import jax.numpy as jnp

    key = jax.random.key(3)
    keep = 1.0 - rate
    unsigned = {"f32": np.uint32, "f64": np.uint64, "f16": np.uint16, "bf16": np.uint16}[dtype]
    bits = np.array(value_bits(dtype), dtype=unsigned)
    x = jax.lax.bitcast_convert_type(jnp.asarray(bits), jax_dtype(dtype))

    @jax.jit
    def dropout(key, x):
        kept = jax.random.bernoulli(key, p=keep, shape=x.shape)
        return jax.lax.select(kept, x / keep, jnp.zeros_like(x))

    y = np.asarray(jax.lax.bitcast_convert_type(dropout(key, x), unsigned))
    say("forward", layout, dtype, repr(rate), *jax_words(key), hexadecimal(dtype, [int(b) for b in y]))


def flax_rows(rate):
    """A layer of Flax, whose key is looked at on its way."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    keys = []
    original = jax.random.bernoulli

    def noting(key, *arguments, **named):
        keys.append(jax_words(key))
        return original(key, *arguments, **named)

    jax.random.bernoulli = noting
    try:
        layer = nn.Dropout(rate, deterministic=False)
        y = layer.apply({}, jnp.ones((50, 21)), rngs={"dropout": jax.random.key(9)})
    finally:
        jax.random.bernoulli = original
    say("mask", "jax", *keys[0], "f32", repr(1.0 - rate), mask_fields(np.asarray(y) != 0))


def jax_masks():
    import jax

    device = jax.devices()[0].device_kind
    header(
        f"JAX {jax.__version__}, {device}. key: layout, seed, words. fold_in: layout, words, data, "
        "words. split: layout, words, children, child, words. mask: layout, words of the key, dtype of "
        "the probability, probability of keeping, the mask (see make_gpu_masks.py). x: values; forward: "
        "layout, dtype, rate, words, what Flax makes of x under jit."
    )
    for dtype in FORMATS:
        say("x", dtype, hexadecimal(dtype, value_bits(dtype)))
    rates = (0.1, 0.5, 0.9, 1 / 3, 0.15, 0.7)
    attempt("keys", jax_keys, "jax")
    attempt("rows", jax_rows, "jax", ("f32", "f16", "bf16"))
    for draws in ("f32", "f16", "bf16"):
        attempt("edges", jax_edges, "jax", draws)
    for rate in rates:
        for dtype in ("f32", "f16", "bf16"):
            attempt("values", jax_outputs, "jax", dtype, rate)
    for rate in (0.5, 0.1):
        attempt("flax", flax_rows, rate)
    try:
        jax.config.update("jax_threefry_partitionable", False)
        attempt("keys", jax_keys, "jax-legacy")
        attempt("rows", jax_rows, "jax-legacy", ("f32", "f16", "bf16"))
        jax.config.update("jax_enable_x64", True)
        attempt("rows", jax_rows, "jax-legacy", ("f64",))
    except Exception:
        traceback.print_exc()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_threefry_partitionable", True)
    attempt("keys", jax_keys, "jax-x64")
    attempt("rows", jax_rows, "jax", ("f64",))
    attempt("edges", jax_edges, "jax", "f64")
    for rate in rates:
        attempt("values", jax_outputs, "jax", "f64", rate)


# ---- cuRAND ----

DEVICE_PROGRAM = r"""
#include <cstdio>
#include <cstring>
#include <curand_kernel.h>
struct start { unsigned long long seed, subsequence, offset; };
__global__ void draw(start s, unsigned *words, float *ones, float4 *fours)
{
    curandStatePhilox4_32_10_t a, b, c;
    curand_init(s.seed, s.subsequence, s.offset, &a);
    b = c = a;
    for (int i = 0; i < 8; i++) {
        words[i] = curand(&a);
        ones[i] = curand_uniform(&b);
    }
    fours[0] = curand_uniform4(&c);
    fours[1] = curand_uniform4(&c);
}
int main()
{
    static const start starts[] = {{0, 0, 0}, {42, 0, 0}, {42, 1, 0}, {42, 5, 3},
        {81985529216486895u, 123456, 7}, {18446744073709551615u, 4294967295u, 17179869181u},
        {5, 4294967297u, 17179869180u}, {1, 221183, 12},
        {7, 18446744073709551615u, 18446744073709551607u}};
    unsigned *words, drawn[24];
    cudaMalloc(&words, sizeof drawn);
    for (const start &s : starts) {
        draw<<<1, 1>>>(s, words, (float *)(words + 8), (float4 *)(words + 16));
        if (cudaMemcpy(drawn, words, sizeof drawn, cudaMemcpyDeviceToHost) != cudaSuccess)
            return 1;
        printf("device %llu %llu %llu", s.seed, s.subsequence, s.offset);
        for (int i = 0; i < 16; i++)
            printf(" %08x", drawn[i]);
        printf("\n");
        if (memcmp(drawn + 8, drawn + 16, 32) != 0)
            printf("# curand_uniform4 differs\n");
    }
}
"""


def curand_device():
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "draw.cu")
        with open(source, "w") as file:
            file.write(DEVICE_PROGRAM)
        subprocess.run(["nvcc", "-arch=native", "-o", source + ".out", source], check=True)
        print(subprocess.run([source + ".out"], check=True, capture_output=True, text=True).stdout, end="",
              flush=True)


def curand_library():
    """The library that PyTorch has loaded."""
    import ctypes
    import glob
    import torch

    places = [os.path.join(os.path.dirname(torch.__file__), "..", "nvidia", "**", "libcurand.so*"),
              "/usr/local/cuda/lib64/libcurand.so*"]
    found = ["libcurand.so.10"] + [f for place in places for f in glob.glob(place, recursive=True)]
    for name in found:
        try:
            return ctypes.CDLL(name)
        except OSError:
            pass
    raise RuntimeError("no libcurand")


def curand_host(library, ordering, number, seed, offset, p, n):
    import ctypes
    import torch

    def check(status):
        if status != 0:
            raise RuntimeError(f"cuRAND: {status}")

    generator = ctypes.c_void_p()
    numbers = torch.zeros(n, device="cuda")
    words = torch.zeros(n, dtype=torch.int32, device="cuda")
    check(library.curandCreateGenerator(ctypes.byref(generator), 161))  # CURAND_RNG_PSEUDO_PHILOX4_32_10
    try:
        if number is not None:
            check(library.curandSetGeneratorOrdering(generator, number))
        for draw, tensor in ((library.curandGenerateUniform, numbers), (library.curandGenerate, words)):
            check(library.curandSetPseudoRandomGeneratorSeed(generator, ctypes.c_ulonglong(seed)))
            check(library.curandSetGeneratorOffset(generator, ctypes.c_ulonglong(offset)))
            torch.cuda.synchronize()
            check(draw(generator, ctypes.c_void_p(tensor.data_ptr()), ctypes.c_size_t(n)))
            torch.cuda.synchronize()
    finally:
        library.curandDestroyGenerator(generator)
    u = np.float32(numbers[7].item())
    for limit in (p, float(u), float(np.nextafter(u, np.float32(0)))):
        say("mask", ordering, seed, offset, repr(limit), mask_fields((numbers > limit).cpu().numpy()))
    say("words", ordering, seed, offset, " ".join(f"{w & 0xFFFFFFFF:08x}" for w in words[:16].tolist()))


def curand_numbers():
    import ctypes

    library = curand_library()
    version = ctypes.c_int()
    library.curandGetVersion(ctypes.byref(version))
    header(
        f"cuRAND {version.value}, {cuda_versions()}. device: seed, subsequence, offset, eight numbers of "
        "curand, the same by curand_uniform. mask: ordering of the generator PHILOX4_32_10, seed, "
        "offset, p, whether curandGenerateUniform's numbers are above p (see make_gpu_masks.py). words: "
        "the first numbers of curandGenerate."
    )
    attempt("device", curand_device)
    for ordering, number in (("unset", None), ("default", 101), ("best", 100), ("legacy", 103)):
        for seed, offset, p, n in ((0, 0, 0.5, 1000), (42, 0, 0.1, 300000), (1234, 1000, 0.9, 600004),
                                   (2**63 + 5, 262141, 0.3, 100003), (7, 2**34 - 5, 0.5, 3000000),
                                   (99, 0, 0.5, 3000001)):
            attempt(ordering, curand_host, library, ordering, number, seed, offset, p, n)


FILES = {f.__name__: f for f in (torch_cuda_masks, flash_attention_masks, inductor_gpu_masks,
                                 inductor_cpu_masks, triton_masks, jax_masks, curand_numbers)}

# Files of later layouts, by the first version of PyTorch that draws them.
LATER = {"inductor_gpu_masks": {(2, 12): "inductor_gpu_2_12_masks", (2, 13): "inductor_gpu_2_13_masks"},
         "inductor_cpu_masks": {(2, 12): "inductor_cpu_2_12_masks"}}


def compare(name):
    """How many rows of the file are not drawn."""
    global rows_drawn
    file_name = name
    for version, later in LATER.get(name, {}).items():
        if torch_is_from(*version):
            file_name = later
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), file_name + ".txt")
    if not os.path.exists(path):
        sys.exit(f"missing: {file_name}.txt")
    with open(path) as file:
        rows = [line.rstrip("\n") for line in file if not line.startswith("#")]
    rows_drawn = set()
    FILES[name]()
    missing = [row for row in rows if row not in rows_drawn]
    for row in missing:
        print("not drawn:", row)
    print(f"{file_name}: {len(missing)} of {len(rows)} rows are not drawn")
    return len(missing)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    comparing = arguments[:1] == ["--compare"]
    names = arguments[comparing:]
    if len(names) != 1 or names[0] not in FILES:
        sys.exit("usage: make_gpu_masks.py [--compare] " + "|".join(FILES))
    try:
        if comparing:
            sys.exit(compare(names[0]) != 0)
        FILES[names[0]]()
    except ImportError as error:
        sys.exit(f"missing: {error.name}")
