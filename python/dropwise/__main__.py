"""The program: python -m dropwise mask, python -m dropwise info. They print as the program dropwise does."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from . import Mask, __version__, _core, interop

#: Options that some layouts need.
_NUMBERS = ("size", "threads", "vector", "offset", "rows", "columns", "before", "run")


def _whole(text: str) -> int:
    """A whole number below 2**64, decimal or 0x."""
    is_number = re.fullmatch("[0-9]+|0[xX][0-9a-fA-F]+", text, re.ASCII) is not None
    value = int(text, 16 if "x" in text.lower() else 10) if is_number and len(text) < 1000 else 2**64
    if value >= 2**64:
        raise argparse.ArgumentTypeError(f"takes a whole number below 2^64, decimal or 0x, not {text!r}")
    return value


def _signed(text: str) -> int:
    """One that may be negative: -7 is 2**64 - 7, or 2**32 - 7 of layouts whose seeds have 32 bits."""
    return -_whole(text[1:]) if text.startswith("-") else _whole(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m dropwise",
        description="Dropout masks from counter-based random numbers.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dropwise {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser(
        "info",
        help="parts built, CPU features seen, tiers built and usable, the tier chosen and why",
        allow_abbrev=False,
    )
    info.add_argument("--json", action="store_true", help="the same as one JSON object")
    mask = commands.add_parser(
        "mask", help="keep bits of elements F to F + N - 1: 1 is kept, 0 is dropped", allow_abbrev=False
    )
    mask.add_argument("--seed", type=_signed, required=True, metavar="S", help="key of the generator")
    mask.add_argument("--stream", type=_signed, metavar="T", help="number of the mask under this seed")
    mask.add_argument("--p", type=float, metavar="P", help="probability of being dropped")
    mask.add_argument("--first", type=_whole, required=True, metavar="F", help="first element")
    mask.add_argument("--n", type=_whole, required=True, metavar="N", help="number of elements")
    mask.add_argument("--format", choices=("ascii", "raw"), default="ascii", help="0 and 1, or packed bits")
    mask.add_argument("--generator", choices=tuple(_core.generators), help="default: philox4x32-10")
    layout = mask.add_argument_group("masks of other systems")
    layout.add_argument("--layout", choices=tuple(_core.layouts), help="the system")
    layout.add_argument("--dtype", choices=("f32", "f64", "f16", "bf16"))
    layout.add_argument("--path", metavar="M", help="names of flax.linen's modules down to the layer, by /")
    layout.add_argument("--keep", type=float, metavar="Q", help="probability of being kept, instead of --p")
    for name in _NUMBERS:
        layout.add_argument(f"--{name}", type=_whole)
    return parser


def _print_info(as_json: bool) -> None:
    info = _core.info()
    if as_json:
        print(json.dumps(info, indent=2))
        return
    print(
        f"dropwise      {__version__} (ABI {info['abi_version']}, stream version {info['stream_version']})",
        " ".join(["parts        ", *info["parts"]]),
        " ".join(["CPU features ", *info["cpu_features"]]),
        " ".join(["tiers built  ", *info["tiers_built"]]),
        " ".join(["tiers usable ", *info["tiers_usable"]]),
        f"tier chosen   {info['tier']}: {info['tier_reason']}",
        f"AES           {info['aes']}, for ars4x32-7: {info['aes_reason']}",
        f"math          {'yes' if info['math'] else 'no'}: {info['math_reason']}",
        sep="\n",
    )


def _masks(given: argparse.Namespace, parser: argparse.ArgumentParser) -> Mask | interop.Masks:
    others = ("dtype", "keep", *_NUMBERS)
    numbers = {name: getattr(given, name) for name in others if getattr(given, name) is not None}
    if given.layout is None:
        if given.stream is None:
            parser.error("option --stream is missing")
        if numbers:
            parser.error(f"--{next(iter(numbers))} is an option of layouts, and there is no --layout")
        if given.p is None:
            parser.error("option --p is missing")
        for name in ("seed", "stream"):
            if getattr(given, name) < -(2**63):
                parser.error(f"--{name} takes a whole number from -2^63 to 2^64 - 1")
        seed, stream = given.seed % 2**64, given.stream % 2**64
        return Mask(given.p, seed, stream, given.generator or "philox4x32-10")
    if given.generator is not None:
        parser.error("--layout has a generator of its own, and takes no --generator")
    return interop.by_name(given.layout, given.p, given.seed, stream=given.stream, **numbers)


def _fail(text: str) -> int:
    print(f"dropwise: {text}", file=sys.stderr)
    return 1


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command == "info":
        _print_info(given.json)
        return 0
    try:
        masks = _masks(given, parser)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    size = masks.size if isinstance(masks, interop.Masks) else 2**60
    if given.first + given.n > size:
        return _fail(f"this mask has {size} elements: --first {given.first} --n {given.n} goes past them")
    chunk = 1 << 18
    for done in range(0, given.n, chunk):
        n = min(chunk, given.n - done)
        _write(masks.bits(n, given.first + done), n, given.format)
    if given.format == "ascii":
        print()
    return 0


def _write(bits: Any, n: int, form: str) -> None:
    if form == "raw":
        sys.stdout.buffer.write(bits.tobytes())
        return
    for byte in range(0, len(bits), 4096):
        text = "".join(f"{value:08b}"[::-1] for value in bits[byte : byte + 4096].tolist())
        sys.stdout.write(text[: n - 8 * byte])


if __name__ == "__main__":
    sys.exit(main())
