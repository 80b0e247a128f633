"""What lists the public functions lists all: the C++ wrapper, and the arguments of dropwise_explain."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRUCTS = dict(
    zip(
        "MVSFATCBKIEJ",
        "mask view stored softmax attention attention_tile dropconnect dropblock concrete interop mt19937 "
        "mt19937_jump".split(),
    )
)
# Letters of src/api/calls.inc, and the C types that they stand for, without const.
NUMBERS = {
    "d": {"dropwise_dtype"},
    "i": {"uint32_t", "dropwise_isa", "dropwise_activation"},
    "u": {"uint64_t"},
    "z": {"size_t"},
    "q": {"double"},
    "f": {"double"},
}
READ, WRITTEN = "xybrp", "YwRP"


def declared():
    """Names, types of results and parameters (type, name) of all functions in the headers."""
    for header in sorted((ROOT / "include").glob("dropwise*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for result, name, rest in re.findall(
            r"(?m)^DROPWISE_API ([\w ]+?[ *]+)dropwise_(\w+)\(([^;]*)\);", text
        ):
            parameters = []
            for parameter in "" if rest == "void" else re.sub(r"\s+", " ", rest).split(","):
                kind, of, array = re.fullmatch(r"(.*?)(\w+)(\[\d\])?", parameter.strip()).groups()
                parameters.append((kind.strip() + (" *" if array else ""), of))
            yield name, result.strip(), parameters


def fits(letter, kind):
    if letter in STRUCTS:
        return kind.removeprefix("const ") == f"dropwise_{STRUCTS[letter]} *"
    if letter in NUMBERS:
        return kind in NUMBERS[letter]
    return kind.endswith("*") and (kind.startswith("const ") == (letter in READ)) and letter in READ + WRITTEN


functions = list(declared())
assert len(functions) > 130, len(functions)
faults = []

text = re.sub(r'"\s*"', "", (ROOT / "src/api/calls.inc").read_text())
rows = dict(re.findall(r'DROPWISE_CALL\((\w+), "([^"]*)"\)', text))
statuses = {name for name, result, _ in functions if result == "dropwise_status"}
missing = sorted(statuses - rows.keys() - {"math_check"})  # that has no arguments
faults += [f"{name} has no row in src/api/calls.inc" for name in missing]
faults += [f"src/api/calls.inc has {name}, which no header has" for name in sorted(rows.keys() - statuses)]
for name, _, parameters in functions:
    if name not in rows:
        continue
    listed = [argument.rstrip("?").split(":") for argument in rows[name].split()]
    if [of for of, _ in listed] != [of for _, of in parameters]:
        faults.append(f"src/api/calls.inc has other arguments of {name} than its header")
        continue
    faults += [
        f"src/api/calls.inc: {of} of {name} is {kind}, not {letter}"
        for (of, letter), (kind, _) in zip(listed, parameters)
        if not fits(letter, kind)
    ]

wrapper = (ROOT / "include/dropwise.hpp").read_text()
dtypes = ("f32", "f64", "f16", "bf16")
typed = {f"{name}_{dtype}" for name in ("forward", "backward", "infer") for dtype in dtypes}
faults += [
    f"include/dropwise.hpp has no {name}"
    for name, _, _ in functions
    if name not in typed and not re.search(rf"\bdropwise_{name}\b", wrapper)
]

print(*faults or [f"{len(functions)} functions"], sep="\n")
sys.exit(bool(faults))
