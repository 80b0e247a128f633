#!/bin/bash
# XGBoost 3.2.0, booster "dart", which drops trees: when trees are dropped in a later round, they get other
# weights for good. So the model of an earlier round is not the first trees of the last one; but early
# stopping cuts there:
#   best_score, as printed while training                                    rmse 1.15
#   predict(iteration_range=(0, best_iteration + 1)), as scikit-learn's
#     predict does unasked; and the model of EarlyStopping(save_best=True)   rmse 2.03
#   all trees, with ten rounds beyond the best one                           rmse 1.17
# Without a word of warning; LightGBM 4.7.0 does not stop early with DART, and says so. With DART fix the
# number of rounds, or keep copies of the model while it trains. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q lightgbm==4.7.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/pip" install -q --no-deps xgboost==3.2.0

"$folder/venv/bin/python" - << 'END'
import sys
import warnings

import lightgbm
import numpy as np
import xgboost

random = np.random.Generator(np.random.Philox(1))
x = random.random((2000, 5), dtype=np.float32)
y = x @ np.arange(1, 6) + random.normal(size=2000)
train, valid = xgboost.DMatrix(x[:1000], y[:1000]), xgboost.DMatrix(x[1000:], y[1000:])
SETTINGS = {"booster": "dart", "rate_drop": 0.3, "eta": 1.0, "normalize_type": "forest", "max_depth": 4,
            "nthread": 1, "seed": 1}


def rmse(model, **options):
    return float(np.sqrt(np.mean((model.predict(valid, **options) - y[1000:]) ** 2)))


def fit(**options):
    stop = xgboost.callback.EarlyStopping(rounds=10, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sets = [(valid, "valid")]
        return xgboost.train(SETTINGS, train, 200, evals=sets, callbacks=[stop], verbose_eval=False)


model, cut = fit(), fit(save_best=True)
found = {
    "best_score": model.best_score,
    "up to best_iteration": rmse(model, iteration_range=(0, model.best_iteration + 1)),
    "save_best": rmse(cut),
    "all trees": rmse(model),
}
for name, value in found.items():
    print(f"{name}: rmse {value:.3f}")
best, upto, saved, whole = found.values()

stopped = lightgbm.train(
    {"boosting": "dart", "objective": "l2", "num_threads": 1, "verbose": -1, "eta": 1.0},
    lightgbm.Dataset(x[:1000], y[:1000]), 50, valid_sets=[lightgbm.Dataset(x[1000:], y[1000:])],
    callbacks=[lightgbm.early_stopping(1, verbose=False)],
)
print("LightGBM: rounds of 50, with early stopping after one:", stopped.num_trees())
expected = upto > 1.3 * best and saved > 1.3 * best and whole < 1.2 * best and stopped.num_trees() == 50
sys.exit(0 if expected else "the behaviour has changed")
END
