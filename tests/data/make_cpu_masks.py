#!/usr/bin/env python3
"""Prints what systems draw on a CPU: make_cpu_masks.py SYSTEM > FILE, in a venv that has the system.

    torch   torch==2.13.0 numpy==2.4.6     torch_cpu_masks.txt

Neither the build nor the tests need any of them: they read the files. Where a file has hashes, they are FNV-1a of 64
bits, over the bytes named.
"""
import sys


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in bytes(data):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def digits(mask):
    return "".join("01"[int(kept)] for kept in mask)


def torch_cpu():
    import numpy as np
    import torch
    print(f"# PyTorch {torch.__version__} on a CPU of {vendor()}")
    print("# mask SEED P DIGITS: what F.dropout keeps of 64 ones after manual_seed(SEED)")
    for seed in 0, 5, 2**40 + 5:
        for p in 0.1, 0.5, 0.9:
            torch.manual_seed(seed)
            print("mask", seed, p, digits(torch.nn.functional.dropout(torch.ones(64), p) != 0))
    print("# dropout SEED WORDS P DTYPE N MASK OUTPUT STATE: hashes, one byte for an element of the mask, of")
    print("# y = F.dropout(x, P) when so many words of the generator are used, and of get_rng_state() after it.")
    print("# x[i] is (37 i mod 255 - 127) / 8, and -0 where i mod 50 = 7")
    dtypes = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}
    for number, n in enumerate((1, 2, 63, 64, 65, 155, 311, 312, 313, 623, 624, 625, 1000, 1024, 1337, 4096, 70001)):
        for k, (name, dtype) in enumerate(dtypes.items()):
            p = (0.1, 0.5, 0.3, 0.9, 1e-6, 0.25, 1 - 2.0**-53, 0.0, 1.0)[(number + 3 * k) % 9]
            seed, words = (number * 977 + k) << 30, (number + k) % 3
            i = torch.arange(n)
            x = (((37 * i) % 255 - 127).double() / 8).to(dtype)
            x[i % 50 == 7] = -0.0
            torch.manual_seed(seed)
            for _ in range(words):
                torch.randperm(2)
            assert 625 - int(torch.get_rng_state()[8:12].numpy().view(np.int32)[0]) == (words or 624)
            y = torch.nn.functional.dropout(x, p)
            after = torch.get_rng_state()
            torch.manual_seed(seed)
            for _ in range(words):
                torch.randperm(2)
            mask = torch.nn.functional.dropout(torch.ones(n, dtype=torch.float64), p) != 0
            print("dropout", seed, words, p, name, n, fnv(mask.numpy().view(np.uint8).tobytes()),
                  fnv(y.view(torch.uint8).numpy().tobytes()), fnv(after.numpy().tobytes()))
    print("# jump SEED WORDS: 8 words of numpy.random.MT19937, seeded as RandomState(SEED), 2^128 words further on")
    for seed in 1, 20250731:
        bits = np.random.MT19937()
        bits.state = np.random.RandomState(seed).get_state(legacy=False)
        print("jump", seed, *(f"{word:08x}" for word in bits.jumped().random_raw(8)))


def vendor():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("vendor_id"))


{"torch": torch_cpu}[sys.argv[1]]()
