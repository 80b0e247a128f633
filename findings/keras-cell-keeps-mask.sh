#!/bin/bash
# Keras 3.15.1, LSTMCell, GRUCell and SimpleRNNCell with dropout, called by a loop of one's own: the masks
# are drawn in the first call that trains, and kept, for all steps, batches and epochs that follow; a batch
# of another size is an error of shapes. keras.layers.RNN(cell) has new masks for each call, as it calls the
# cell's reset_dropout_mask and reset_recurrent_dropout_mask. A loop has to call both, for each sequence. A
# Dropout layer in the loop draws in each step. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 numpy==2.4.6

KERAS_BACKEND=jax JAX_PLATFORMS=cpu "$folder/venv/bin/python" - << 'END'
import sys

import keras
import numpy as np

x, sequence = np.ones((2, 64), np.float32), np.ones((2, 1, 64), np.float32)
found = {}
for kind in keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell:
    cell = kind(8, dropout=0.5, recurrent_dropout=0.5, seed=1)
    layer = keras.layers.RNN(kind(8, dropout=0.5, recurrent_dropout=0.5, seed=1))

    def call(rows=x):
        return np.asarray(cell(rows, cell.get_initial_state(len(rows)), training=True)[0])

    outputs = [call() for _ in range(20)]
    try:
        call(np.ones((3, 64), np.float32))
        other_size = "works"
    except TypeError:
        other_size = "error"
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
    layers = [np.asarray(layer(sequence, training=True)) for _ in range(2)]
    facts = (
        "one mask" if all(np.array_equal(y, outputs[0]) for y in outputs) else "new masks",
        other_size,
        "one mask" if np.array_equal(call(), outputs[0]) else "new masks",
        "one mask" if np.array_equal(*layers) else "new masks",
    )
    found[kind.__name__] = facts
    print(f"{kind.__name__}: 20 calls {facts[0]}, another size {facts[1]},",
          f"after a reset {facts[2]}, RNN {facts[3]}")
expected = "one mask", "error", "new masks", "new masks"
sys.exit("the behaviour has changed" if any(facts != expected for facts in found.values()) else 0)
END
