"""dropwise.torch.patched: which calls it reaches, and that no gradient belongs to another mask."""

import contextlib
import functools
import os
import subprocess
import sys
import threading

import pytest
from conftest import needs

torch = needs("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import dropout as by_value  # noqa: E402
from torch.utils.checkpoint import CheckpointError, checkpoint  # noqa: E402

import dropwise.torch  # noqa: E402
from dropwise.torch import patched  # noqa: E402

N = 1000


def drawn(function, *tensors, seed=1):
    torch.manual_seed(seed)
    return function(*tensors)


X = torch.linspace(-1, 1, N)
MAPS = torch.rand(2, 50, 4, 4) + 1


def lstm(x):
    """A dropout between two layers that pass on what they get, or nearly so."""
    torch.manual_seed(0)
    layers = nn.LSTM(8, 8, 2, dropout=0.5)
    torch.manual_seed(1)
    return layers(x)[0]


#: A call that PyTorch makes, and the function of ours that it becomes.
CALLS = {
    "F.dropout": (lambda x: F.dropout(x, 0.3), lambda x: dropwise.torch.dropout(x, 0.3), X),
    "by value": (lambda x: by_value(x, 0.3), lambda x: dropwise.torch.dropout(x, 0.3), X),
    "torch.dropout": (lambda x: torch.dropout(x, 0.3, True), lambda x: dropwise.torch.dropout(x, 0.3), X),
    "in place": (
        lambda x: F.dropout(x.clone(), 0.3, inplace=True),
        lambda x: dropwise.torch.dropout(x.clone(), 0.3, inplace=True),
        X,
    ),
    "module": (nn.Dropout(0.3), lambda x: dropwise.torch.dropout(x, 0.3), X),
    "dropout1d": (nn.Dropout1d(0.3), lambda x: dropwise.torch.dropout1d(x, 0.3), MAPS.flatten(2)),
    "dropout2d": (nn.Dropout2d(0.3), lambda x: dropwise.torch.dropout2d(x, 0.3), MAPS),
    "dropout3d": (nn.Dropout3d(0.3), lambda x: dropwise.torch.dropout3d(x, 0.3), MAPS[:, :, None]),
    "alpha": (nn.AlphaDropout(0.3), lambda x: dropwise.torch.alpha_dropout(x, 0.3, True), X),
    "feature alpha": (
        nn.FeatureAlphaDropout(0.3),
        lambda x: dropwise.torch.feature_alpha_dropout(x, 0.3, True),
        MAPS,
    ),
    "double": (lambda x: F.dropout(x.double(), 0.3), lambda x: dropwise.torch.dropout(x.double(), 0.3), X),
    "bfloat16": (
        lambda x: F.dropout(x.bfloat16(), 0.3),
        lambda x: dropwise.torch.dropout(x.bfloat16(), 0.3),
        X,
    ),
    "attention": (
        lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.3, is_causal=True),
        lambda x: dropwise.torch.scaled_dot_product_attention(x, x, x, dropout_p=0.3, is_causal=True),
        MAPS,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_reached(name):
    theirs, ours, x = CALLS[name]
    expected, own = drawn(ours, x), drawn(theirs, x)
    with patched():
        assert torch.equal(drawn(theirs, x), expected)
        with torch.inference_mode():
            assert torch.equal(drawn(theirs, x), expected)
        with torch.no_grad():
            assert torch.equal(drawn(theirs, x), expected)
    assert torch.equal(drawn(theirs, x), own)
    if "alpha" not in name:
        assert not torch.equal(own, expected)
    with patched(masks="torch"):
        assert torch.equal(drawn(theirs, x), own)
        assert torch.equal(torch.get_rng_state(), (drawn(theirs, x), torch.get_rng_state())[1])


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_calls_from_outside_of_python():
    """An LSTM calls dropout from C++, and TorchScript by its own interpreter."""
    script, x = torch.jit.script(nn.Dropout(0.3)), torch.rand(5, 3, 8)
    own = lstm(x)
    with patched():
        assert not torch.equal(lstm(x), own)
        for _ in range(3):  # it compiles what it has seen
            assert torch.equal(drawn(script, X), drawn(lambda x: dropwise.torch.dropout(x, 0.3), X))
    assert torch.equal(lstm(x), own)
    with patched(masks="torch"):
        assert torch.equal(lstm(x), own)


def test_streams_have_masks_of_their_own():
    masks = []
    for stream in (0, 1, 2**32 - 1):
        with patched(stream=stream):
            masks.append(drawn(F.dropout, torch.ones(N)))
        assert torch.equal(
            masks[-1], drawn(functools.partial(dropwise.torch.dropout, stream=stream), torch.ones(N))
        )
    assert 0.4 < (masks[0] == masks[1]).float().mean() < 0.6


def test_when_dropout_acts_does_not_change():
    net = nn.Sequential(nn.Dropout(), nn.AlphaDropout(), nn.Dropout2d()).eval()
    for context in (contextlib.nullcontext(), patched()):
        with context:
            state = torch.get_rng_state()
            assert net(MAPS) is MAPS and F.dropout(X, 0.0) is X and torch.dropout(X, 0.5, False) is X
            empty = torch.ones(0, 3)
            assert F.dropout(empty) is empty
            with pytest.raises((ValueError, RuntimeError), match="probability|p: must be"):
                torch.dropout(X, 1.5, True)
            assert torch.equal(torch.get_rng_state(), state)
            # Attention has no `training`.
            attend = functools.partial(F.scaled_dot_product_attention, MAPS, MAPS, MAPS)
            assert not torch.equal(drawn(functools.partial(attend, dropout_p=0.5)), attend())


def test_other_tensors_are_pytorchs_own():
    with patched():
        for bad in (
            torch.ones(3, dtype=torch.int32),
            torch.ones(3, dtype=torch.complex64),
            torch.eye(3).to_sparse(),
        ):
            try:
                y = F.dropout(bad)
            except (RuntimeError, NotImplementedError):
                continue
            assert y.dtype == bad.dtype
        assert F.dropout(torch.ones(3, device="meta")).device.type == "meta"
        jagged = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged)
        assert F.dropout(jagged).is_nested


@pytest.mark.parametrize("shape", [(50, 20), (2, 50, 4), (2, 50, 2, 2, 2, 3), (2, 50, 2, 1, 2, 1, 3)])
@pytest.mark.parametrize("masks", ["dropwise", "torch"])
def test_whole_features_of_any_number_of_dimensions(shape, masks):
    x = torch.rand(shape).transpose(0, 1) + 1
    own = drawn(lambda x: torch.feature_dropout(x, 0.3, True), x)
    for function in (torch.feature_dropout, lambda x, *rest: torch.feature_dropout_(x.clone(), *rest)):
        with patched(masks=masks):
            y = drawn(lambda x: function(x, 0.3, True), x)  # noqa: B023
        kept = (y != 0).flatten(2) if y.dim() > 2 else y[..., None] != 0
        assert torch.equal(kept.any(-1), kept.all(-1)) and 0.5 < kept.float().mean() < 0.9
        assert torch.equal(y, own) == (masks == "torch")
        expected = x / (1 - torch.tensor(0.3)) * (y != 0)
        assert torch.allclose(y, expected)


@pytest.mark.parametrize("name", ["feature_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("shape", [(), (5,)])
def test_features_of_too_few_dimensions_are_pytorchs_errors(name, shape):
    with patched(), pytest.raises(RuntimeError, match="requires at least 2 dimensions"):
        getattr(torch, name)(torch.ones(shape), 0.5, True)


#: Shapes of queries, keys and values that PyTorch takes, and the function of ours does not.
ATTENTION = {
    "one head of keys": [(2, 3, 4, 8), (2, 1, 5, 8), (2, 1, 5, 8)],
    "one head of values": [(2, 3, 4, 8), (2, 3, 5, 8), (2, 1, 5, 8)],
    "one batch of keys": [(2, 3, 4, 8), (1, 3, 5, 8), (1, 3, 5, 8)],
    "no heads of keys": [(3, 4, 8), (5, 8), (5, 8)],
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_of_other_shapes(name):
    """It is PyTorch's own, whose dropout of probabilities is ours."""
    torch.manual_seed(0)
    tensors = [torch.rand(shape) for shape in ATTENTION[name]]
    attend = functools.partial(F.scaled_dot_product_attention, dropout_p=0.5)
    own = drawn(attend, *tensors)
    with patched(masks="torch"):
        assert torch.equal(drawn(attend, *tensors), own)
    with patched():
        y = drawn(attend, *tensors)
    assert y.shape == own.shape and not torch.equal(y, own)


def test_errors_of_attention_are_pytorchs():
    q, k = torch.rand(2, 3, 4, 8), torch.rand(2, 3, 5, 8)
    for tensors, options in (
        ((q, k[..., :7], k), {}),
        ((q, k, k[:, :, :4]), {}),
        ((q, k[:, :2], k[:, :2]), {}),
        ((q, k[:, :2], k[:, :2]), {"enable_gqa": True}),
        ((q, k, k), {"attn_mask": torch.ones(4, 5), "is_causal": True}),
        ((q, k, k), {"attn_mask": torch.ones(4, 4)}),
        ((q[:1], k[:1], k[:1]), {"attn_mask": torch.ones(2, 1, 4, 5)}),
        ((q[0], k[0], k[0]), {"attn_mask": torch.ones(2, 1, 4, 5)}),
        ((q, k, k), {"attn_mask": torch.ones(4, 5, dtype=torch.int32)}),
        ((q, k.double(), k), {}),
    ):
        errors = []
        for context in (contextlib.nullcontext(), patched()):
            with context, pytest.raises(RuntimeError) as caught:
                F.scaled_dot_product_attention(*tensors, dropout_p=0.5, **options)
            errors.append(str(caught.value))
        assert errors[0] == errors[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_the_first_one_after_a_fork_in_which_another_thread_is_lost():
    code = """
import os, signal, sys, torch
import dropwise.torch
module = sys.modules["dropwise.torch.patched"]
with module._lock:  # as a thread holds it that the child does not have
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        with dropwise.torch.patched():
            torch.nn.functional.dropout(torch.ones(100))
        os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.stdout.strip() == "0", result


class Error(Exception):
    pass


def is_ours():
    return torch.equal(
        drawn(lambda x: F.dropout(x, 0.3), X), drawn(lambda x: dropwise.torch.dropout(x, 0.3), X)
    )


def test_nested_after_exceptions_and_as_a_decorator():
    assert not is_ours()
    with patched():
        with patched(masks="torch"):
            assert not is_ours()
        with pytest.raises(Error), patched(masks="torch"):
            raise Error
        assert is_ours()
        with patched():
            assert is_ours()
        assert is_ours()
    with pytest.raises(Error), patched():
        raise Error
    assert not is_ours()
    assert patched()(is_ours)() and not is_ours()
    again = patched()
    with again:
        assert is_ours()


def test_threads_have_their_own():
    """The `with` holds for the thread that entered it: not for one that runs beside, or begins inside."""
    inside, results = threading.Barrier(2, timeout=60), {}

    def run(name, context):
        with context:
            inside.wait()
            results[name] = [F.dropout(torch.ones(N), 0.5).requires_grad for _ in range(100)]
            y = F.dropout(torch.ones(N, requires_grad=True), 0.5)
            results[name] = y.grad_fn.name() if y.grad_fn else None
            inside.wait()

    threads = [
        threading.Thread(target=run, args=("patched", patched())),
        threading.Thread(target=run, args=("plain", contextlib.nullcontext())),
    ]
    with patched():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    plain = F.dropout(torch.ones(N, requires_grad=True), 0.5).grad_fn.name()
    assert results["plain"] == plain != results["patched"]


def test_the_first_ones_of_a_process_may_be_on_many_threads():
    code = """
import sys, threading
import torch, torch.nn.functional as F
from dropwise.torch import patched
sys.setswitchinterval(1e-6)
begin, results = threading.Barrier(4), []
def run():
    begin.wait()
    with patched():
        y = F.dropout(torch.ones(1000, requires_grad=True))
        results.append(y.grad_fn is not None and "Mul" not in y.grad_fn.name())
threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert results == [True] * 4, results
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    ("options", "text"), [({"masks": "cuda"}, "masks: must be"), ({"stream": -1}, "stream: must be")]
)
def test_bad_arguments(options, text):
    with pytest.raises(ValueError, match=text):
        patched(**options)


# ---- Checkpoints ----

#: What a checkpoint is given: dropout, alone and where more is saved, and what is patched from within.
BODIES = {
    "dropout": lambda x: F.dropout(x, 0.5) * 1.0,
    "twice": lambda x: F.dropout(F.dropout(x.exp(), 0.5).exp(), 0.3),
    "nested": lambda x: checkpoint(lambda x: F.dropout(x, 0.5).exp(), x, use_reentrant=False).sin(),
    "within": lambda x: patched()(lambda x: F.dropout(x, 0.5).exp())(x),
    "without": lambda x: F.dropout(patched(masks="torch")(lambda x: F.dropout(x, 0.5))(x), 0.5).exp(),
}


def count_wrong(forward, backward, body, reentrant, preserve=True):
    """Elements whose gradient is not that of a run without a checkpoint, of the same masks."""
    gradients = []
    for is_checkpointed in (False, True):
        x = X.clone().requires_grad_()
        torch.manual_seed(1)
        with forward:
            if is_checkpointed:
                y = checkpoint(body, x, use_reentrant=reentrant, preserve_rng_state=preserve)
            else:
                y = body(x)
            torch.rand(5)
            if backward is forward:
                y.sum().backward()
        if backward is not forward:
            with backward:
                y.sum().backward()
        assert y.count_nonzero() > 0
        gradients.append(x.grad)
    return int((gradients[0] != gradients[1]).sum())


class Again:
    """A context manager that can be entered more than once."""

    def __init__(self, make):
        self.make, self.entered = make, []

    def __enter__(self):
        self.entered.append(self.make())
        return self.entered[-1].__enter__()

    def __exit__(self, *error):
        return self.entered.pop().__exit__(*error)


PLACES = {
    "forward and backward in one `with`": (forward := Again(patched), forward),
    "backward after it": (Again(patched), Again(contextlib.nullcontext)),
    "backward in another one": (Again(patched), Again(patched)),
    "backward in one of PyTorch's masks": (Again(patched), Again(lambda: patched(masks="torch"))),
    "forward before it": (Again(contextlib.nullcontext), Again(patched)),
    "forward in one of PyTorch's masks": (Again(lambda: patched(masks="torch")), Again(patched)),
    "other streams": (Again(lambda: patched(stream=1)), Again(lambda: patched(stream=2))),
    "nowhere": (Again(contextlib.nullcontext), Again(contextlib.nullcontext)),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_no_gradient_is_of_another_mask(place, reentrant, body):
    assert count_wrong(*PLACES[place], BODIES[body], reentrant) == 0


@pytest.mark.parametrize("body", ["dropout", "twice"])
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_without_the_random_state(place, reentrant, body):
    """An error, or no gradient is wrong; but after the `with` what PyTorch does, which draws another mask."""
    forward, backward = PLACES[place]
    try:
        wrong = count_wrong(forward, backward, BODIES[body], reentrant, preserve=False)
    except CheckpointError:
        assert not reentrant
    except RuntimeError as error:
        assert "nothing says whether the forward" in str(error)
    else:
        assert wrong == 0 or place in ("backward after it", "nowhere") or "PyTorch's" in place


def test_attention_in_a_checkpoint():
    q = MAPS.clone().requires_grad_()
    for reentrant in (False, True):
        gradients = []
        for run in (lambda f, x: f(x), functools.partial(checkpoint, use_reentrant=reentrant)):
            torch.manual_seed(2)
            q.grad = None
            with patched():
                y = run(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), q)
            y.exp().sum().backward()
            gradients.append(q.grad)
        assert torch.equal(*gradients)


def test_a_backward_pass_that_draws_of_its_own():
    x = torch.ones(N, requires_grad=True)
    x.register_hook(F.dropout)
    x.exp().sum().backward()
    with patched(), pytest.raises(RuntimeError, match="dropwise.torch.dropout with a seed"):
        x.exp().sum().backward()
    with patched(masks="torch"):
        x.exp().sum().backward()


# ---- Derivatives, compiled code ----


def squares(x):
    y = F.dropout(x, 0.5)
    return (y**2).sum(), y


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_derivatives_are_of_the_mask_that_was_drawn():
    x, gradient = X + 2, torch.func.grad(squares, has_aux=True)
    with patched():
        for dx, y in (gradient(x), torch.vmap(gradient, randomness="different")(x.expand(3, N))):
            assert torch.allclose(dx, 4 * y) and 0.4 < (y == 0).float().mean() < 0.6
        y, dy = torch.func.jvp(F.dropout, (x,), (torch.ones(N),))
        assert torch.equal(dy, torch.where(y == 0, 0.0, 2.0))
        leaf = x.clone().requires_grad_()
        total, y = squares(leaf)
        (gradient,) = torch.autograd.grad(total, leaf, create_graph=True)
        gradient.sum().backward()
        assert torch.equal(leaf.grad, torch.where(y == 0, 0.0, 8.0))


def test_compiled_code_is_not_reached():
    function = torch.compile(lambda x: F.dropout(x, 0.5) * 2, backend="aot_eager", fullgraph=True)
    with patched():
        inside = drawn(function, torch.ones(N))
        assert torch.equal(drawn(function, torch.ones(N)), inside)
    assert torch.equal(drawn(function, torch.ones(N)), inside)
    torch.compiler.reset()
    assert torch.equal(drawn(function, torch.ones(N)), inside)
