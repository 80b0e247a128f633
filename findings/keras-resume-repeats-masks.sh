#!/bin/bash
# Keras 3.15.1: how many calls a Dropout layer has drawn for is a variable of the model, but no weight, and
# neither .keras files nor files of weights hold it. So training that is resumed draws the masks of the
# first steps again, where layers have a seed. The state of one with seed=1 is
#   after three steps                                                       (1, 3)
#   after load_model or load_weights                                        (1, 0)
#   after three steps, a restart by BackupAndRestore, and three more        (1, 3), not (1, 6)
# while the optimizer's count of steps, in the same file, goes on. Save layer.seed_generator.state beside
# the model. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 numpy==2.4.6

KERAS_BACKEND=jax JAX_PLATFORMS=cpu FOLDER=$folder "$folder/venv/bin/python" - << 'END'
import os
import sys

import keras
import numpy as np

folder = os.environ["FOLDER"]
x = np.ones((1, 64), np.float32)


def state(model):
    return np.asarray(model.layers[1].seed_generator.state.value).tolist()


def build():
    layers = [keras.layers.Dense(64), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(1)]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile("sgd", "mse")
    return model


def masks(model, calls):
    return [np.asarray(model.layers[1](x, training=True)) for _ in range(calls)]


def steps(model):
    return int(model.optimizer.iterations.value)


def backed_up(epochs):
    model = build()
    backup = keras.callbacks.BackupAndRestore(f"{folder}/backup", delete_checkpoint=False)
    model.fit(np.ones((3, 64)), np.ones(3), batch_size=1, epochs=epochs, verbose=0, callbacks=[backup])
    return model


model = build()
model.fit(np.ones((3, 64)), np.ones(3), batch_size=1, verbose=0)
trained, count = state(model), steps(model)
model.save(f"{folder}/model.keras")
model.save_weights(f"{folder}/model.weights.h5")
loaded, weights = keras.models.load_model(f"{folder}/model.keras"), build()
weights.load_weights(f"{folder}/model.weights.h5")

first = masks(build(), 3)
backed_up(epochs=1)
restarted = backed_up(epochs=2)
found = {"trained": trained, "load_model": state(loaded), "load_weights": state(weights)}
found["restart"] = state(restarted)
for name, value in found.items():
    print(f"{name}: state {value}")
counts = [count, steps(loaded), steps(restarted)]
print("steps of the optimizer, trained, loaded and restarted:", *counts)
repeated = all(np.array_equal(one, other) for one, other in zip(first, masks(loaded, 3)))
print("masks after loading are", "those of the first steps" if repeated else "new ones")
expected = {"trained": [1, 3], "load_model": [1, 0], "load_weights": [1, 0], "restart": [1, 3]}
sys.exit(0 if found == expected and repeated and counts == [3, 3, 6] else "the behaviour has changed")
END
