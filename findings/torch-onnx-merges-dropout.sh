#!/bin/bash
# PyTorch 2.13.0 with onnxscript 0.7.2, torch.onnx.export of a module in training mode, as for Monte Carlo
# dropout, runs of the file by ONNX Runtime:
#                                             dynamo=False    the default, dynamo=True
#   two calls of dropout of one x             two masks       one mask
#   x * torch.bernoulli(full_like(x, 0.5))    random          the mask drawn at export, in every run
#   x * empty_like(x).bernoulli_(0.5)         random          random
# Common subexpressions and constants are taken out as if Dropout and Bernoulli were functions of their
# inputs. With optimize=False all are random and differ. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 \
    onnxruntime==1.32.0

"$folder/venv/bin/python" - << 'END'
import io
import logging
import sys
import warnings

import onnx
import onnxruntime
import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
x = torch.ones(1000)


class Twice(torch.nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, True), F.dropout(x, 0.5, True)


class Mask(torch.nn.Module):
    def forward(self, x):
        return x * torch.bernoulli(torch.full_like(x, 0.5))


class InPlace(torch.nn.Module):
    def forward(self, x):
        return x * torch.empty_like(x).bernoulli_(0.5)


def export(module, **options):
    if options["dynamo"]:
        return torch.onnx.export(module.train(), (x,), verbose=False, **options).model_proto
    file = io.BytesIO()
    torch.onnx.export(module.train(), (x,), file, training=torch.onnx.TrainingMode.TRAINING, **options)
    return onnx.load_from_string(file.getvalue())


def runs(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    return [session.run(None, feed) for _ in range(2)]


found = {}
for name, options in {
    "not dynamo": {"dynamo": False},
    "dynamo": {"dynamo": True},
    "dynamo, optimize=False": {"dynamo": True, "optimize": False},
}.items():
    one, other = runs(export(Twice(), **options))[0]
    masks = [[result[0] for result in runs(export(module, **options))] for module in (Mask(), InPlace())]
    facts = [(one == other).all(), *((first == second).all() for first, second in masks)]
    found[name] = [bool(fact) for fact in facts]
    print(f"{name}: two dropouts are {'one' if facts[0] else 'two'}, bernoulli is",
          f"{'constant' if facts[1] else 'random'}, bernoulli_ {'constant' if facts[2] else 'random'}")
none = [False, False, False]
expected = {"not dynamo": none, "dynamo": [True, True, False], "dynamo, optimize=False": none}
sys.exit("the behaviour has changed" if found != expected else 0)
END
