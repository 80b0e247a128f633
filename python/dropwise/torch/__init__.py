"""Dropout for PyTorch, on CPUs: with masks that are drawn again from a seed of 8 bytes in the backward pass.

    import dropwise.torch as dw

    y = dw.dropout(x, 0.1)                  # in place of torch.nn.functional.dropout
    y = dw.dropout(x, 0.1, masks="torch")   # PyTorch's own masks and values, several times as fast
    layer = dw.Dropout(0.1)                 # in place of torch.nn.Dropout

They run in eager mode and under torch.compile without a break, in derivatives of any order and both modes,
under vmap, checkpoint and export. PyTorch 2.10 or later is needed; nothing is compiled when this is imported.
"""

from __future__ import annotations

from ._options import Options
from .functional import (
    alpha_dropout,
    concrete_dropout,
    drop_block,
    drop_connect_linear,
    drop_path,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    dropout_add,
    feature_alpha_dropout,
    gaussian_dropout,
    gelu_dropout,
    locked_dropout,
    scaled_dot_product_attention,
    silu_dropout,
    softmax_dropout,
    zoneout,
)
from .modules import (
    AlphaDropout,
    ConcreteDropout,
    DropBlock,
    DropConnectLinear,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    DropoutAdd,
    DropPath,
    FeatureAlphaDropout,
    GaussianDropout,
    GELUDropout,
    LockedDropout,
    SiLUDropout,
    SoftmaxDropout,
    WeightDrop,
    Zoneout,
)
from .patched import patched
from .replace import Report, replace_dropout, restore_dropout

__all__ = [
    "AlphaDropout",
    "ConcreteDropout",
    "DropBlock",
    "DropConnectLinear",
    "DropPath",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "DropoutAdd",
    "FeatureAlphaDropout",
    "GELUDropout",
    "GaussianDropout",
    "LockedDropout",
    "Options",
    "Report",
    "SiLUDropout",
    "SoftmaxDropout",
    "WeightDrop",
    "Zoneout",
    "alpha_dropout",
    "concrete_dropout",
    "drop_block",
    "drop_connect_linear",
    "drop_path",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "dropout_add",
    "feature_alpha_dropout",
    "gaussian_dropout",
    "gelu_dropout",
    "locked_dropout",
    "patched",
    "replace_dropout",
    "restore_dropout",
    "scaled_dot_product_attention",
    "silu_dropout",
    "softmax_dropout",
    "zoneout",
]
