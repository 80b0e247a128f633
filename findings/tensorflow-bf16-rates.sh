#!/bin/bash
# TensorFlow 2.21.0 draws the numbers for dropout of bfloat16 in bfloat16, in steps of 1/128 from 0:
# whatever the rate is between 0 and 1/128, elements with the number 0 are dropped. Of a million elements,
# so great a share is dropped:
#   rate                                                     0.0001    0.001     0.01
#   tf.nn.experimental.stateless_dropout                     0.0078    0.0078    0.0156
#   the same compiled by XLA (jit_compile=True), one seed    0.0001    0.001     0.01
#   Keras 3.15.1 on TensorFlow, Dropout of mixed_bfloat16    0.0078    0.0078    0.0156
#   the same on JAX                                          0.0001    0.001     0.01
# The scale is that of the rate asked for. So at a rate of 0.0001 the mean is not 1 but 0.992, and a model
# loses 78 times as many activations, by whether it was compiled and by Keras' backend. dropwise's `tf` and
# `tf-xla` draw each as it is. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 keras==3.15.1 jax==0.10.2

cat > "$folder/keras_layer.py" << 'END'
import sys

import keras
import numpy as np

rates = []
for rate in 0.0001, 0.001, 0.01:
    layer = keras.layers.Dropout(rate, seed=1, dtype="mixed_bfloat16")
    y = layer(np.ones((1000, 1000), np.float32), training=True)
    rates.append(float((keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")) == 0).mean()))
print(f"Keras on {keras.backend.backend()}: dropped", *[f"{rate:.5f}" for rate in rates])
expected = [1 / 128, 1 / 128, 2 / 128] if keras.backend.backend() == "tensorflow" else [0.0001, 0.001, 0.01]
same = all(abs(rate - share) < 6 * (share / 1e6) ** 0.5 for rate, share in zip(rates, expected))
sys.exit(0 if same else "the behaviour has changed")
END
cat > "$folder/function.py" << 'END'
import sys

import tensorflow as tf


def dropped(rate):
    y = tf.nn.experimental.stateless_dropout(tf.ones([1000, 1000], tf.bfloat16), rate, seed=[1, 2])
    return tf.reduce_mean(tf.cast(y == 0, tf.float32))


changed = False
compiled = tf.function(dropped, jit_compile=True, autograph=False)
for name, function, shares in (
    ("not compiled", dropped, [1 / 128, 1 / 128, 2 / 128]),
    ("compiled", compiled, [0.0001, 0.001, 0.01]),
):
    rates = [float(function(rate)) for rate in (0.0001, 0.001, 0.01)]
    print(f"{name}: dropped", *[f"{rate:.5f}" for rate in rates])
    far = [abs(rate - share) > 6 * (share / 1e6) ** 0.5 for rate, share in zip(rates, shares)]
    changed = changed or any(far)
sys.exit("the behaviour has changed" if changed else 0)
END
export TF_CPP_MIN_LOG_LEVEL=3 JAX_PLATFORMS=cpu
"$folder/venv/bin/python" "$folder/function.py"
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/keras_layer.py"
done
