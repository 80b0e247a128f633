#!/bin/bash
# XGBoost 3.2.0, booster "dart": what dropout makes of a tree's weight is stored beside the trees
# (weight_drop), and is not in the leaves of trees_to_dataframe. So whoever adds those up has another model,
# and shap 0.51.0 explains that one where it is given background data:
#                                           dart                     gbtree
#   sum of leaves of trees_to_dataframe     5.06 for 1.14            the prediction
#   shap, TreeExplainer(model, data)        explains that sum        explains the prediction
#   shap, TreeExplainer(model)              explains the prediction  explains the prediction
# LightGBM 4.7.0 writes the weights into the leaves. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q shap==0.51.0 lightgbm==4.7.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps xgboost==3.2.0

"$folder/venv/bin/python" - << 'END'
import sys
import warnings

import lightgbm
import numpy as np
import shap
import xgboost

warnings.simplefilter("ignore")
random = np.random.Generator(np.random.Philox(1))
x = random.random((300, 3), dtype=np.float32)
y = x @ np.arange(1, 4) + 0.1 * random.normal(size=300)
data = xgboost.DMatrix(x, y)


def near(sums, predictions):
    return bool(np.abs(sums - predictions).max() < 1e-3)


def explained(explainer):
    return explainer.shap_values(x).sum(axis=1) + explainer.expected_value


found = {}
for booster, dropout in ("gbtree", {}), ("dart", {"rate_drop": 0.5}):
    settings = {"booster": booster, "base_score": 0.0, "max_depth": 3, "nthread": 1, "seed": 1, **dropout}
    model = xgboost.train(settings, data, 20)
    prediction = model.predict(data)
    table = model.trees_to_dataframe()
    values = dict(zip(table["ID"], table["Gain"])) # which has a leaf's value in its row
    leaves = model.predict(data, pred_leaf=True).astype(int)
    sums = np.array([sum(values[f"{tree}-{leaf}"] for tree, leaf in enumerate(row)) for row in leaves])
    with_data, without = explained(shap.TreeExplainer(model, x[:50])), explained(shap.TreeExplainer(model))
    pairs = (sums, prediction), (with_data, prediction), (with_data, sums), (without, prediction)
    found[booster] = [near(*pair) for pair in pairs]
    print(f"{booster}: row 0 predicted {prediction[0]:.3f}, sum of leaves {sums[0]:.3f},",
          f"shap with data {with_data[0]:.3f}, shap without {without[0]:.3f}")

settings = {"boosting": "dart", "objective": "l2", "num_threads": 1, "verbose": -1, "drop_rate": 0.5}
model = lightgbm.train(settings, lightgbm.Dataset(x, y), 20)
table = model.trees_to_dataframe()
values = dict(zip(table["node_index"], table["value"]))
leaves = model.predict(x, pred_leaf=True).astype(int)
sums = np.array([sum(values[f"{tree}-L{leaf}"] for tree, leaf in enumerate(row)) for row in leaves])
print(f"LightGBM: row 0 predicted {model.predict(x)[0]:.3f}, sum of leaves {sums[0]:.3f}")
expected = {"gbtree": [True] * 4, "dart": [False, False, True, True]}
sys.exit(0 if found == expected and near(sums, model.predict(x)) else "the behaviour has changed")
END
