#!/bin/bash
# Philox4x64 of NumPy 2.4.6 and of randomgen 2.5.1 have the same words for a key, the same words for a seed,
# and an `advance` each whose unit is another. Next is
#                                       NumPy      randomgen
#   advance(1) of a new generator       word 4     word 1
#   advance(0) after 1 word             word 4     word 1
#   advance(1) after 1 word             word 8     word 2
# NumPy's documentation speaks of "draws" and of "steps"; but it skips blocks of four words, and what is
# left of the block that was begun: even advance(0) loses three. So who splits a stream among workers by
# counts of draws leaves three of four words out, and has other numbers after a change from one package to
# the other. dropwise counts elements (docs/interop.md, `numpy`). Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 randomgen==2.5.1

"$folder/venv/bin/python" - << 'END'
import sys

import numpy as np
import randomgen

packages = {"NumPy": np.random.Philox, "randomgen": randomgen.Philox}
streams = {name: [list(philox(5).random_raw(40)), list(philox(key=7).random_raw(40))]
           for name, philox in packages.items()}
same = streams["NumPy"] == streams["randomgen"]
print("words of a seed and of a key are", "the same" if same else "different")
found = {}
for name, philox in packages.items():
    found[name] = []
    for drawn, delta in (0, 1), (1, 0), (1, 1):
        generator = philox(5)
        generator.random_raw(drawn)
        generator.advance(delta)
        found[name].append(streams[name][0].index(generator.random_raw()))
        print(f"{name}: after {drawn} words, advance({delta}), word {found[name][-1]} is next")
expected = {"NumPy": [4, 4, 8], "randomgen": [1, 1, 2]}
sys.exit(0 if same and found == expected else "the behaviour has changed")
END
