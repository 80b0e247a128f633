"""dropwise.torch.replace_dropout: what becomes ours, what stays as it was, and the way back."""

import contextlib
import copy
import pickle
import warnings

import pytest
from conftest import needs

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import dropwise.torch  # noqa: E402
from dropwise.torch import replace_dropout, restore_dropout  # noqa: E402

KINDS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]


class Own(nn.Dropout):
    def forward(self, x):
        return x


class CallsF(nn.Module):
    def forward(self, x):
        return F.relu(F.dropout(x, 0.5, self.training))


class CallsTorch(nn.Module):
    def forward(self, x):
        return torch.dropout(x, 0.5, self.training)


by_value = F.dropout


class CallsByValue(nn.Module):
    def forward(self, x):
        return by_value(x)


class CallsModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(F.relu(x))


def model():
    shared = nn.Dropout(0.3)
    return nn.ModuleDict(
        {
            "first": shared,
            "second": shared,
            "deep": nn.Sequential(nn.Linear(8, 8), CallsModule(), nn.Sequential(nn.Dropout2d(0.1))),
        }
    )


def types_of(module):
    return [type(part) for part in module.modules()]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_becomes_ours(kind):
    module = getattr(nn, kind)(0.25, True).eval()
    report = replace_dropout(module)
    assert type(module) is getattr(dropwise.torch, kind)
    assert (module.p, module.inplace, module.training, module.masks) == (0.25, True, False, "dropwise")
    assert report.replaced == {"": kind} and repr(report) == f"replaced: 1 {kind}"


def test_names_of_shared_modules_and_of_deep_ones():
    net = model()
    report = replace_dropout(net)
    assert net["first"] is net["second"] and type(net["first"]) is dropwise.torch.Dropout
    assert report.replaced == {
        "first": "Dropout",
        "second": "Dropout",
        "deep.1.dropout": "Dropout",
        "deep.2.0": "Dropout2d",
    }
    assert not report.missed and list(dict(net.named_modules())) == list(dict(model().named_modules()))


def test_twice_changes_nothing_and_the_way_back():
    net = model()
    before, keys = types_of(net), [sorted(vars(part)) for part in net.modules()]
    first = replace_dropout(net)
    after = types_of(net)
    again = replace_dropout(net)
    assert types_of(net) == after != before and not again.replaced and len(again.kept) == 4
    with pytest.raises(ValueError, match="first: was replaced with other options"):
        replace_dropout(net, masks="torch")
    assert types_of(net) == after
    again.undo()
    assert types_of(net) == after
    first.undo()
    assert types_of(net) == before and [sorted(vars(part)) for part in net.modules()] == keys
    replace_dropout(net)
    assert sorted(restore_dropout(net)) == ["deep.1.dropout", "deep.2.0", "first", "second"]
    assert types_of(net) == before and restore_dropout(net) == []


def test_modules_that_a_user_made_ours_are_not_taken_back():
    net = nn.Sequential(dropwise.torch.Dropout(0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = replace_dropout(net)
    assert report.kept == ["0"] and restore_dropout(net) == []
    assert type(net[0]) is dropwise.torch.Dropout


def test_hooks_modes_and_references_are_kept():
    net, calls = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5)), []
    net[1].eval()
    held = net[0]
    handle = net[0].register_forward_hook(lambda *a: calls.append("forward"))
    net[0].register_full_backward_hook(lambda *a: calls.append("backward"))
    net[0].note = "kept"
    replace_dropout(net)
    x = torch.ones(1000, requires_grad=True)
    y = net(x)
    y.sum().backward()
    assert calls == ["forward", "backward"] and torch.equal(x.grad, y) and 0.4 < (y == 0).float().mean() < 0.6
    assert net[0] is held and held.note == "kept" and held.training and not net[1].training
    handle.remove()
    held(x)
    assert calls == ["forward", "backward"]


@pytest.mark.parametrize("back", [False, True])
def test_copies_and_pickles(back):
    net = nn.Sequential(nn.Dropout(0.5), nn.MultiheadAttention(8, 2, 0.5))
    replace_dropout(net)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert types_of(other) == types_of(net)
        if back:
            assert restore_dropout(other) == ["0", "1"]
            assert types_of(other)[1:3] == [nn.Dropout, nn.MultiheadAttention]
        x = torch.rand(3, 2, 8)
        for masks in ("first", "second"):
            torch.manual_seed(1)
            expected, _ = (other if back else net)[1](x, x, x)
            torch.manual_seed(1)
            assert torch.equal(other[1](x, x, x)[0], expected), masks
    assert (
        net.state_dict().keys()
        == nn.Sequential(nn.Dropout(), nn.MultiheadAttention(8, 2)).state_dict().keys()
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
def test_what_is_not_replaced_is_said():
    net = nn.ModuleDict(
        {
            "own": Own(),
            "attention": type("Special", (nn.MultiheadAttention,), {})(8, 2, 0.1),
            "lstm": nn.LSTM(8, 8, 2, dropout=0.1),
            "gru": nn.GRU(8, 8, 2, dropout=0.1),
            "dry": nn.LSTM(8, 8, 2),
            "script": torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.Dropout())),
            "plain": torch.jit.script(nn.Sequential(nn.Linear(8, 8))),
            "f": CallsF(),
            "torch": CallsTorch(),
            "value": CallsByValue(),
            "module": CallsModule(),
        }
    )
    report = replace_dropout(net)
    assert report.replaced == {"module.dropout": "Dropout"}
    assert {name: why.split()[0] for name, why in report.missed.items()} == {
        "own": "Own",
        "attention": "Special",
        "lstm": "LSTM",
        "gru": "GRU",
        "script": "is",
        "f": "CallsF",
        "torch": "CallsTorch",
        "value": "CallsByValue",
    }
    assert "own: Own is a subclass of nn.Dropout" in repr(report)
    assert "lstm: LSTM calls PyTorch's own dropout, from C++; patched() reaches it" in repr(report)


def test_nothing_replaced_warns():
    with pytest.warns(UserWarning, match="found nothing to replace in Linear"):
        replace_dropout(nn.Linear(2, 2))
    with pytest.warns(UserWarning, match="found nothing"):
        assert replace_dropout(nn.LSTM(2, 2, 2, dropout=0.5)).missed.keys() == {""}


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        (["model"], {}, TypeError, "model: must be an nn.Module, not str"),
        ([nn.Dropout()], {"masks": "other"}, ValueError, "masks: must be"),
        ([nn.Dropout()], {"stream": -1}, ValueError, "stream: "),
        ([nn.Dropout()], {"masks": "torch", "fuse": True}, ValueError, "fuse: "),
    ],
)
def test_bad_arguments(arguments, options, error, text):
    with pytest.raises(error, match=text):
        replace_dropout(*arguments, **options)
    assert type(arguments[0]) in (str, nn.Dropout)


def test_an_attention_that_is_not_known_leaves_the_model_as_it_is(monkeypatch):
    model = nn.Sequential(nn.Dropout(), nn.MultiheadAttention(8, 2, 0.4))
    monkeypatch.setattr(F, "multi_head_attention_forward", lambda *arguments, **options: None)
    with pytest.raises(NotImplementedError, match="nn.MultiheadAttention of PyTorch"):
        replace_dropout(model, stream=12345)
    assert [type(module) for module in model] == [nn.Dropout, nn.MultiheadAttention]
    replace_dropout(nn.Sequential(nn.Dropout()), stream=12345)


# ---- Attention and transformers ----


def outputs(module, *tensors, seed=3, **keywords):
    """What a call makes, and gradients of a sum of it."""
    torch.manual_seed(seed)
    module.zero_grad()
    y = module(*tensors, **keywords)
    y = y[0] if isinstance(y, tuple) else y
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return [y.detach(), *(p.grad.clone() for p in module.parameters() if p.grad is not None)]


def attention_cases():
    causal = nn.Transformer.generate_square_subsequent_mask(6)
    padding = torch.zeros(3, 6)
    padding[1, 4:] = -torch.inf
    for batch_first in (False, True):
        for options in (
            {},
            {"add_bias_kv": True},
            {"bias": False, "add_zero_attn": True},
            {"kdim": 4, "vdim": 4},
        ):
            for need_weights in (False, True):
                yield batch_first, options, {"need_weights": need_weights}
    yield True, {}, {"attn_mask": causal, "is_causal": True, "need_weights": False}
    yield True, {}, {"attn_mask": causal, "key_padding_mask": padding, "need_weights": False}
    yield True, {}, {"key_padding_mask": padding < 0, "average_attn_weights": False}


@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_attention_is_pytorchs_but_for_the_mask(masks):
    for batch_first, options, keywords in attention_cases():
        torch.manual_seed(0)
        own = nn.MultiheadAttention(8, 2, 0.4, batch_first=batch_first, **options)
        module = copy.deepcopy(own)
        replace_dropout(module, masks=masks)
        x = torch.rand(3, 6, 8) if batch_first else torch.rand(6, 3, 8)
        other = torch.rand(*x.shape[:2], 4) if "kdim" in options else x
        if masks == "torch":
            for expected, found in zip(
                outputs(own, x, other, other, **keywords), outputs(module, x, other, other, **keywords)
            ):
                assert torch.equal(expected, found), (batch_first, options, keywords)
        else:
            first, second = (outputs(module, x, other, other, seed=seed, **keywords)[0] for seed in (1, 2))
            assert first.shape == x.shape and not torch.equal(first, second)
        for change in (nn.Module.eval, lambda module: setattr(module.train(), "dropout", 0.0)):
            change(own), change(module)
            with torch.no_grad():
                expected, found = (m(x, other, other, **keywords) for m in (own, module))
            assert torch.equal(expected[0], found[0])


def test_attention_without_a_batch_keeps_pytorchs_errors():
    own = nn.MultiheadAttention(8, 2, 0.4, batch_first=True)
    module = copy.deepcopy(own)
    replace_dropout(module, masks="torch")
    x = torch.rand(6, 8)
    assert torch.equal(outputs(own, x, x, x)[0], outputs(module, x, x, x)[0])
    for bad in (torch.rand(6, 7), torch.rand(2, 2, 6, 8)):
        errors = []
        for m in (own, module):
            with pytest.raises((AssertionError, RuntimeError)) as caught:
                m(bad, bad, bad)
            errors.append(str(caught.value))
        assert errors[0] == errors[1]


LAYERS = {
    "encoder": lambda **o: nn.TransformerEncoderLayer(16, 2, 32, 0.3, **o),
    "decoder": lambda **o: nn.TransformerDecoderLayer(16, 2, 32, 0.3, **o),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("norm_first", [False, True])
def test_all_dropout_of_transformers(kind, norm_first):
    """With masks="torch" all results are PyTorch's, in every bit; with own ones none of its masks is left."""
    torch.manual_seed(0)
    own = LAYERS[kind](norm_first=norm_first, activation="gelu", batch_first=True)
    x = torch.rand(2, 5, 16)
    inputs = (x,) if kind == "encoder" else (x, torch.rand(2, 7, 16))
    module = copy.deepcopy(own)
    report = replace_dropout(module, masks="torch")
    counts = {"encoder": "3 Dropout, 1 MultiheadAttention", "decoder": "4 Dropout, 2 MultiheadAttention"}
    assert sorted(repr(report).removeprefix("replaced: ").split(", ")) == counts[kind].split(", ")[::-1]
    for expected, found in zip(outputs(own, *inputs), outputs(module, *inputs), strict=True):
        assert torch.equal(expected, found)
    report.undo()
    replace_dropout(module)
    with Watch() as watch:
        module(*inputs)
    names = " ".join(watch.names)
    assert "bernoulli" not in names and "native_dropout" not in names
    assert names.count("dropwise.") >= len(report.replaced)
    own.eval(), module.eval()
    with torch.no_grad():
        assert torch.equal(own(*inputs), module(*inputs))


class Watch(TorchDispatchMode):
    """Keeps the names of the operators that are called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("context", [contextlib.nullcontext(), torch.device("cpu")])
def test_weights_of_attention_are_dropped_by_our_mask(context):
    """Also where a mode overrides functions, as that of torch.device does."""
    module = nn.MultiheadAttention(8, 2, 0.4, batch_first=True)
    replace_dropout(module, stream=7)
    x = torch.rand(3, 6, 8)
    with context:
        torch.manual_seed(1)
        _, weights = module(x, x, x, average_attn_weights=False)
        torch.manual_seed(1)
        mask = dropwise.torch.dropout(torch.ones(6, 6, 6), 0.4, stream=7).view(3, 2, 6, 6)
    assert torch.equal(weights == 0, mask == 0)


def fused_pair(kind, **options):
    """A layer whose dropout was replaced, the same fused, and what to call them with."""
    # No deepcopy: that of a decoder layer makes ReLU of an activation that is a module.
    options = {"batch_first": True, **options}
    plain, fused = (LAYERS[kind](**options) for _ in range(2))
    fused.load_state_dict(plain.state_dict())
    replace_dropout(plain)
    report = replace_dropout(fused, fuse=True)
    assert type(LAYERS[kind]()).__name__ in report.replaced.values()
    x = torch.rand(2, 5, 16)
    return plain, fused, (x,) if kind == "encoder" else (x, torch.rand(2, 7, 16))


def are_close(plain, fused, inputs, **keywords):
    pairs = zip(outputs(plain, *inputs, **keywords), outputs(fused, *inputs, **keywords), strict=True)
    return all(torch.allclose(expected, found, rtol=1e-4, atol=1e-5) for expected, found in pairs)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", [F.relu, nn.ReLU(), F.gelu, nn.GELU(), F.silu, nn.SiLU(), torch.tanh])
def test_fused_layers_have_the_same_masks(kind, norm_first, activation):
    """Seeds are drawn in the same order, so results are the same but for roundings."""
    plain, fused, inputs = fused_pair(kind, norm_first=norm_first, activation=activation)
    assert are_close(plain, fused, inputs)
    torch.manual_seed(1)
    first = fused(*inputs)
    assert not torch.equal(first, fused(*inputs))
    for part in ("dropout", "dropout2"):
        for module in (plain, fused):
            getattr(module, part).eval()
        assert are_close(plain, fused, inputs), part
    for module in (plain, fused):
        module.dropout1.p = 0.0
    assert are_close(plain, fused, inputs)


@pytest.mark.parametrize("kind", LAYERS)
def test_fused_layers_take_the_same_arguments(kind):
    plain, fused, inputs = fused_pair(kind)
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[0, 3:] = True
    if kind == "encoder":
        calls = [{"src_mask": causal, "is_causal": True}, {"src_key_padding_mask": padding}]
    else:
        calls = [{"tgt_mask": causal, "tgt_is_causal": True}, {"tgt_key_padding_mask": padding}]
    for keywords in calls:
        assert are_close(plain, fused, inputs, **keywords)
    fused.eval(), plain.eval()
    with torch.no_grad():
        assert torch.equal(fused(*inputs), plain(*inputs))
    restore_dropout(fused)
    assert type(fused) is type(LAYERS[kind]())


@pytest.mark.parametrize(
    "options", [{"batch_first": False}, {"bias": False}, {"dtype": torch.float64}], ids=str
)
def test_other_fused_layers(options):
    plain, fused, (x,) = fused_pair("encoder", **options)
    assert are_close(plain, fused, (x.to(options.get("dtype", torch.float32)),))


@pytest.mark.parametrize("kind", LAYERS)
def test_fused_layers_under_autocast(kind):
    plain, fused, inputs = fused_pair(kind, activation="gelu")
    results = []
    for layer in (plain, fused):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            results.append(layer(*inputs))
    assert results[0].dtype == results[1].dtype and torch.allclose(*results, atol=0.05)


def test_fused_layers_call_hooks():
    plain, fused, inputs = fused_pair("encoder")
    calls = []
    for name in ("dropout", "dropout1", "dropout2"):
        handle = getattr(fused, name).register_forward_hook(lambda module, *_: calls.append(module))
        assert are_close(plain, fused, inputs) and calls == [getattr(fused, name)]
        handle.remove()
        calls.clear()
    fused.dropout1 = nn.Identity()
    plain.dropout1 = nn.Identity()
    assert are_close(plain, fused, inputs)


def saved_bytes(module, *inputs):
    """What autograd keeps for the backward pass, each storage once, without the parameters."""
    storages, parameters = {}, {p.untyped_storage().data_ptr() for p in module.parameters()}

    def pack(x):
        storages[x.untyped_storage().data_ptr()] = x.untyped_storage()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        y = module(*inputs)
    return sum(s.nbytes() for at, s in storages.items() if at not in parameters), y


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_bytes_saved_by_fused_layers(activation, norm_first):
    def layer(p):
        return nn.TransformerEncoderLayer(64, 2, 256, p, activation, batch_first=True, norm_first=norm_first)

    x = torch.rand(4, 64, 64)
    fused, dry, own = layer(0.1), layer(0.0), layer(0.1)
    replace_dropout(fused, fuse=True)
    least, most = saved_bytes(dry, x)[0], saved_bytes(own, x)[0]
    assert saved_bytes(fused, x)[0] <= 1.05 * least < most / 1.4


@pytest.mark.parametrize(("name", "fuse"), [("self_attn.dropout", False), ("dropout.p", True)])
def test_compiled_models_follow(name, fuse):
    """Without a break of the graph, and compiled anew where a class has changed."""
    torch.manual_seed(0)
    net = nn.TransformerEncoderLayer(16, 2, 32, 0.0, "gelu", batch_first=True)
    module, _, attribute = name.partition(".")
    setattr(getattr(net, module), attribute, 0.3)  # and no other, as the order of seeds may be another one
    x, compiled = torch.rand(2, 5, 16), torch.compile(net, backend="aot_eager", fullgraph=True)
    own = outputs(compiled, x)
    report = replace_dropout(net, fuse=fuse)
    for expected, found in zip(outputs(net, x), outputs(compiled, x), strict=True):
        assert torch.allclose(expected, found, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outputs(compiled, x)[0], own[0], rtol=1e-3)
    report.undo()
    assert torch.equal(outputs(compiled, x)[0], own[0])
