#!/bin/bash
# TensorFlow 2.21.0 on a CPU: the same tf.random.stateless_uniform draws other numbers when XLA compiles it
# (jit_compile=True), and takes the lower 32 bits only of each of its two seeds then:
#   not compiled   seeds (1, 2) and (1 + 2^32, 2) give different numbers
#   compiled       the same numbers, which are none of those
# So a run that makes seeds of 64 bits, say of a hash of step and layer, may draw one mask for two layers once it
# is compiled. dropwise's layouts `tf` and `tf-xla` draw each. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0

TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - << 'END'
import sys

import tensorflow as tf


def uniform(first, second):
    return tf.random.stateless_uniform([1000], tf.constant([first, second], tf.int64))


found = {}
eager, compiled = uniform, tf.function(uniform, jit_compile=True, autograph=False)
for name, draw in ("not compiled", eager), ("compiled", compiled):
    small, large = draw(1, 2), draw(1 + 2**32, 2)
    found[name] = bool(tf.reduce_all(small == large))
    print(f"{name}: seeds 1 and 1 + 2^32 give {'the same' if found[name] else 'different'} numbers")
both = bool(tf.reduce_any(eager(1, 2) == compiled(1, 2)))
print(f"one seed, compiled and not: {'some equal' if both else 'no equal'} numbers of 1,000")
expected = {"not compiled": False, "compiled": True}
sys.exit("the behaviour has changed" if found != expected or both else 0)
END
