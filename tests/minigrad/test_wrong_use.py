"""Wrong calls to layers, optimisers, shards, checks and random numbers; they change nothing.

Beside the operations' own in ``test_wrong_calls.py``. The words expected are the library's.
"""

from __future__ import annotations

import traceback
from types import SimpleNamespace

import numpy
import pytest

import minigrad
from minigrad import Tensor, gradcheck, nn, optim, parallel
from minigrad import functional as F
from minigrad.backend import default_generator


@pytest.fixture
def world():
    """Something of each kind, with a past: a model, an optimiser that has stepped, a batch."""
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    batch = [numpy.ones((6, 3), "float32"), numpy.zeros((6, 2), "float32")]
    optimizer.step([Tensor(numpy.ones(p.shape, "float32")) for p in model.parameters()])
    x = Tensor(numpy.array([0.5, 2.0]), requires_grad=True)

    def loss(x, target):
        return F.mse_loss(model(x), target)

    return SimpleNamespace(
        model=model,
        parameters=list(model.parameters()),
        optimizer=optimizer,
        schedule=optim.StepLR(optimizer, 2),
        batch=batch,
        loss=loss,
        x=x,
        conv=nn.Conv2d(3, 1, 3),
        transposed=nn.ConvTranspose2d(4, 1, 3),
        image=Tensor(numpy.ones((1, 4, 6, 6), "float32")),
    )


def state_of(world):
    """All that a wrong call could have changed."""
    return repr(
        (
            {name: value.tobytes() for name, value in world.model.state_dict().items()},
            [parameter.grad for parameter in world.parameters],
            world.optimizer.state_dict(),
            world.schedule.state_dict(),
            [array.tobytes() for array in world.batch],
            (world.x.data.tobytes(), world.x.grad),
            default_generator().bit_generator.state,
            minigrad.is_grad_enabled(),
            repr(world.model),
        )
    )


def gradients(world, change=None):
    """Gradients that fit, but for what is changed."""
    found = [Tensor(numpy.ones(p.shape, "float32")) for p in world.parameters]
    if change is not None:
        found[0] = change
    return found


def changed(mapping, **changes):
    return {**mapping, **changes}


def shards(w, function=None, parameters=None, arrays=None, **options):
    return parallel.shard_gradients(
        function or w.loss, parameters or w.parameters, w.batch if arrays is None else arrays,
        **options,
    )  # fmt: skip


LAYERS = {
    "Linear-zero": (lambda w: nn.Linear(0, 3), ValueError, "Linear: in_features .*at least 1"),
    "Linear-negative": (lambda w: nn.Linear(3, -1), ValueError, "Linear: out_features"),
    "Linear-float": (lambda w: nn.Linear(3.0, 1), TypeError, "Linear: in_features .*3.0"),
    "Linear-text": (lambda w: nn.Linear("3", 1), TypeError, "Linear: in_features .*'3'"),
    "Linear-dtype": (
        lambda w: nn.Linear(3, 1, dtype="int32"), TypeError,
        "parameters are floating point, got int32"),
    "Linear-dtype-name": (
        lambda w: nn.Linear(3, 1, dtype="x"), TypeError, "expected a dtype, got 'x'"),
    "Linear-generator": (lambda w: nn.Linear(3, 1, generator=5), TypeError, "generator must be"),
    "Linear-shape": (lambda w: w.model(Tensor(numpy.ones((2, 4), "f"))), ValueError, "linear: "),
    "Linear-none": (lambda w: w.model(None), TypeError, "linear: .*None"),
    "Linear-input-text": (lambda w: w.model("abc"), TypeError, "linear: .*'abc'"),
    "Linear-device": (lambda w: nn.Linear(3, 1, device="gpu"), ValueError, "device: .*'gpu'"),
    "LayerNorm-dtype": (lambda w: nn.LayerNorm(3, dtype="x"), TypeError, "LayerNorm: .*'x'"),
    "Conv2d-dtype": (
        lambda w: nn.Conv2d(1, 1, 3, dtype=int), TypeError, "floating point, got int64"),
    "Conv2d-channels": (lambda w: nn.Conv2d(0, 1, 3), ValueError, "Conv2d: in_channels"),
    "Conv2d-kernel": (lambda w: nn.Conv2d(1, 1, 0), ValueError, "Conv2d: kernel_size"),
    "Conv2d-triple": (lambda w: nn.Conv2d(1, 1, (3, 3, 3)), ValueError, "Conv2d: kernel_size"),
    "Conv2d-kernel-text": (lambda w: nn.Conv2d(1, 1, "3"), TypeError, "Conv2d: kernel_size"),
    "Conv2d-stride": (lambda w: nn.Conv2d(1, 1, 3, stride=0), ValueError, "Conv2d: stride"),
    "Conv2d-padding": (lambda w: nn.Conv2d(1, 1, 3, padding=-1), ValueError, "Conv2d: padding"),
    "Conv2d-padding-name": (
        lambda w: nn.Conv2d(1, 1, 3, padding="full"), ValueError, "Conv2d: padding .*'full'"),
    "Conv2d-same": (
        lambda w: nn.Conv2d(1, 1, 3, stride=2, padding="same"), ValueError, "needs stride 1"),
    "Conv2d-groups": (lambda w: nn.Conv2d(3, 2, 3, groups=2), ValueError, "Conv2d: in_channels 3"),
    "Conv2d-mode": (
        lambda w: nn.Conv2d(1, 1, 3, padding_mode="reflect"), ValueError, "Conv2d: padding_mode"),
    "Conv2d-input": (lambda w: w.conv(w.image), ValueError, "conv2d: input has 4"),
    "ConvTranspose2d-output-padding": (
        lambda w: nn.ConvTranspose2d(1, 1, 3, output_padding=1), ValueError,
        "ConvTranspose2d: output_padding"),
    "ConvTranspose2d-output-size": (
        lambda w: w.transposed(w.image, output_size=(99, 99)), ValueError,
        "ConvTranspose2d: output_size"),
    "ConvTranspose2d-groups": (
        lambda w: nn.ConvTranspose2d(3, 2, 3, groups=2), ValueError, "ConvTranspose2d: "),
    "LayerNorm-none": (lambda w: nn.LayerNorm(()), ValueError, "LayerNorm: normalized_shape"),
    "LayerNorm-zero": (lambda w: nn.LayerNorm(0), ValueError, "LayerNorm: normalized_shape"),
    "LayerNorm-eps": (lambda w: nn.LayerNorm(3, eps="x"), TypeError, "LayerNorm: eps"),
    "LeakyReLU": (lambda w: nn.LeakyReLU("0.1"), TypeError, "LeakyReLU: negative_slope"),
    "MaxPool2d-padding": (lambda w: nn.MaxPool2d(2, padding=2), ValueError, "MaxPool2d: padding"),
    "MaxPool2d-kernel": (lambda w: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size"),
    "Upsample-none": (lambda w: nn.Upsample(), ValueError, "Upsample: give size or scale_factor"),
    "Upsample-both": (lambda w: nn.Upsample(3, 2), ValueError, "Upsample: give size"),
    "Upsample-mode": (lambda w: nn.Upsample(3, mode="cubic"), ValueError, "Upsample: mode"),
    "Upsample-factor": (
        lambda w: nn.Upsample(scale_factor=0), ValueError, "Upsample: scale_factor"),
    "Unflatten-size": (lambda w: nn.Unflatten(1, 3), TypeError, "Unflatten: unflattened_size"),
    "Unflatten-rests": (lambda w: nn.Unflatten(1, (-1, -1)), ValueError, "Unflatten: "),
    "Unflatten-input": (lambda w: nn.Unflatten(1, (5, 2))(w.image), ValueError, "Unflatten: "),
    "Flatten-dim": (lambda w: nn.Flatten("1"), TypeError, "Flatten: start_dim"),
    "Sequential-none": (lambda w: nn.Sequential(None), TypeError, "Sequential: .*NoneType"),
    "Sequential-function": (lambda w: nn.Sequential(F.relu), TypeError, "Sequential: .*function"),
    "Sequential-index": (lambda w: w.model[3], IndexError, "Sequential: index 3"),
    "Sequential-item": (
        lambda w: w.model.__setitem__(0, F.relu), TypeError, "Sequential: .*function"),
    "forward-missing": (lambda w: nn.Module()(w.x), NotImplementedError, "forward is not written"),
    "parameter-replaced": (
        lambda w: setattr(w.model[0], "weight", numpy.ones((4, 3))), TypeError,
        "Linear: weight is a Parameter"),
    "Parameter-text": (lambda w: nn.Parameter("abc"), TypeError, "expected numbers"),
    "Parameter-whole": (lambda w: nn.Parameter([1, 2]), (TypeError, ValueError), "floating point"),
    "model-to": (lambda w: w.model.to("float23"), TypeError, "to: expected a device or a dtype"),
    "model-to-int": (lambda w: w.model.to("int32"), TypeError, "to: parameters are floating"),
    "load-list": (lambda w: w.model.load_state_dict([1]), TypeError, "expected a mapping"),
    "load-missing": (
        lambda w: w.model.load_state_dict({}), ValueError, r"missing 0\.weight.*missing 2\.bias"),
    "load-misspelt": (
        lambda w: w.model.load_state_dict(
            {"0.wieght" if n == "0.weight" else n: v for n, v in w.model.state_dict().items()}),
        ValueError, r"unexpected 0\.wieght \(did you mean 0\.weight\?\)"),
    "load-shape": (
        lambda w: w.model.load_state_dict(
            changed(w.model.state_dict(), **{"2.bias": numpy.ones(3, "float32")})),
        ValueError, r"2\.bias: expected shape \(2,\), got \(3,\)"),
    "load-dtype": (
        lambda w: w.model.load_state_dict(
            changed(w.model.state_dict(), **{"2.bias": numpy.ones(2)})),
        TypeError, r"2\.bias: expected float32, got float64"),
    "load-text": (
        lambda w: w.model.load_state_dict(changed(w.model.state_dict(), **{"2.bias": "x"})),
        TypeError, r"2\.bias: expected an array, got str"),
}  # fmt: skip

OPTIMISERS = {
    "Adam-model": (lambda w: optim.Adam(w.model), TypeError, "Adam: parameter 0 is a Linear"),
    "Adam-tensor": (lambda w: optim.Adam(w.parameters[0]), TypeError, "Adam: expected an iter"),
    "Adam-none": (lambda w: optim.Adam([]), ValueError, "Adam: there are no parameters"),
    "Adam-arrays": (lambda w: optim.Adam(w.batch), TypeError, "Adam: parameter 0 is a ndarray"),
    "Adam-twice": (
        lambda w: optim.Adam([w.parameters[0]] * 2), ValueError, "Adam: parameter 1 .*twice"),
    "Adam-no-leaf": (lambda w: optim.Adam([w.x * 2.0]), ValueError, "Adam: parameter 0 .*leaf"),
    "Adam-whole": (lambda w: optim.Adam([Tensor([1, 2])]), ValueError, "Adam: .*floating point"),
    "Adam-lr": (lambda w: optim.Adam(w.parameters, lr=-1), ValueError, "Adam: lr must be at least"),
    "Adam-lr-text": (lambda w: optim.Adam(w.parameters, lr="fast"), TypeError, "Adam: lr .*'fast'"),
    "Adam-lr-nan": (
        lambda w: optim.Adam(w.parameters, lr=float("nan")), ValueError, "Adam: lr .*nan"),
    "Adam-lr-infinite": (
        lambda w: optim.Adam(w.parameters, lr=float("inf")), ValueError, "Adam: lr must be finite"),
    "Adam-beta": (
        lambda w: optim.Adam(w.parameters, betas=(0.9, 1.0)), ValueError, r"Adam: beta2 .*\[0"),
    "Adam-betas": (lambda w: optim.Adam(w.parameters, betas=0.9), TypeError, "Adam: betas .*pair"),
    "Adam-eps": (lambda w: optim.Adam(w.parameters, eps=-1e-8), ValueError, "Adam: eps"),
    "AdamW-decay": (
        lambda w: optim.AdamW(w.parameters, weight_decay=-1), ValueError, "AdamW: weight_decay"),
    "SGD-momentum": (lambda w: optim.SGD(w.parameters, momentum=-1), ValueError, "SGD: momentum"),
    "SGD-nesterov": (
        lambda w: optim.SGD(w.parameters, nesterov=True), ValueError, "SGD: nesterov needs"),
    "group-option": (
        lambda w: optim.SGD([{"params": w.parameters, "rate": 1}]), TypeError,
        "SGD: unknown option 'rate' in a group, expected lr"),
    "group-none": (lambda w: optim.SGD([{"lr": 1.0}]), TypeError, "SGD: a parameter group"),
    "group-empty": (lambda w: optim.SGD([{"params": []}]), ValueError, "SGD: .*no parameters"),
    "group-mixed": (
        lambda w: optim.SGD([w.parameters[0], {"params": w.parameters[1:]}]), TypeError,
        "SGD: expected parameters or groups, not both"),
    "group-again": (
        lambda w: w.optimizer.add_param_group({"params": w.parameters}), ValueError, "twice"),
    "step-few": (
        lambda w: w.optimizer.step(gradients(w)[:2]), ValueError, "2 gradients for 4 parameters"),
    "step-shape": (
        lambda w: w.optimizer.step(gradients(w, Tensor(numpy.ones(2, "float32")))), ValueError,
        r"Adam: gradient 0 .*\(2,\), expected \(4, 3\)"),
    "step-dtype": (
        lambda w: w.optimizer.step(gradients(w, numpy.ones((4, 3)))), TypeError,
        "Adam: gradient 0 .*float64"),
    "step-text": (lambda w: w.optimizer.step(gradients(w, "x")), TypeError, "gradient 0 .*str"),
    "step-number": (lambda w: w.optimizer.step(0.1), TypeError, "Adam: .*float"),
    "step-flat": (
        lambda w: w.optimizer.step(numpy.ones(5, "float32")), ValueError, r"Adam: .*\(5,\)"),
    "load-list": (
        lambda w: w.optimizer.load_state_dict([]), TypeError,
        "Adam.load_state_dict: expected a dict"),
    "load-sgd": (
        lambda w: w.optimizer.load_state_dict(
            optim.SGD([Tensor(p.data) for p in w.parameters]).state_dict()),
        ValueError, "Adam.*: group 0 has .*momentum"),
    "load-few": (
        lambda w: w.optimizer.load_state_dict(
            optim.Adam([Tensor(numpy.ones(2, "float32"))]).state_dict()),
        ValueError, "Adam.*: group 0 has 1 .*saved, 4"),
    "load-lr": (
        lambda w: w.optimizer.load_state_dict(
            {"state": {}, "param_groups": [
                changed(w.optimizer.state_dict()["param_groups"][0], lr=-1.0)]}),
        ValueError, "lr must be at least"),
    "load-shape": (
        lambda w: w.optimizer.load_state_dict(
            changed(w.optimizer.state_dict(), state={
                0: {"step": 1, "exp_avg": numpy.ones(2, "f"), "exp_avg_sq": numpy.ones(2, "f")}})),
        ValueError, r"exp_avg has shape \(2,\), expected \(4, 3\)"),
    "load-step": (
        lambda w: w.optimizer.load_state_dict(
            changed(w.optimizer.state_dict(), state={0: changed(
                w.optimizer.state_dict()["state"][0], step=-1)})),
        ValueError, "step"),
    "StepLR-model": (lambda w: optim.StepLR(w.model, 2), TypeError, "StepLR: expected an optimi"),
    "StepLR-size": (lambda w: optim.StepLR(w.optimizer, 0), ValueError, "StepLR: step_size"),
    "StepLR-float": (lambda w: optim.StepLR(w.optimizer, 1.5), TypeError, "StepLR: step_size"),
    "StepLR-gamma": (
        lambda w: optim.StepLR(w.optimizer, 1, gamma=-0.1), ValueError, "StepLR: gamma"),
    "Cosine-length": (
        lambda w: optim.CosineAnnealingLR(w.optimizer, 0), ValueError, "CosineAnnealingLR: T_max"),
    "schedule-load": (
        lambda w: w.schedule.load_state_dict({"last_epoch": 3}), ValueError,
        "StepLR.load_state_dict: expected a dict"),
    "schedule-load-epoch": (
        lambda w: w.schedule.load_state_dict(changed(w.schedule.state_dict(), last_epoch=-1)),
        ValueError, "StepLR.load_state_dict: last_epoch"),
    "clip-norm": (
        lambda w: optim.clip_grad_norm_(w.parameters, -1.0), ValueError, "max_norm must be"),
    "clip-norm-type": (
        lambda w: optim.clip_grad_norm_(w.parameters, 1.0, norm_type=0), ValueError, "norm_type"),
    "clip-arrays": (
        lambda w: optim.clip_grad_norm_(w.batch, 1.0), TypeError, "parameter 0 is a ndarray"),
    "clip-number": (
        lambda w: optim.clip_grad_norm_([1.0], 1.0), TypeError, "clip_grad_norm_: .*float"),
    "clip-none": (
        lambda w: optim.clip_grad_norm_(None, 1.0), TypeError, "clip_grad_norm_: .*NoneType"),
}  # fmt: skip

ENGINE = {
    "shards-workers": (lambda w: shards(w, workers=0), ValueError, "workers must be at least 1"),
    "shards-workers-float": (lambda w: shards(w, workers=1.5), TypeError, "workers .*1.5"),
    "shards-size": (lambda w: shards(w, shard_size=0), ValueError, "shard_size must be at least"),
    "shards-size-float": (lambda w: shards(w, shard_size=2.0), TypeError, "shard_size .*2.0"),
    "shards-lengths": (
        lambda w: shards(w, arrays=[w.batch[0], w.batch[1][:3]]), ValueError,
        r"shards: .*\(6, 3\), \(3, 2\)"),
    "shards-none": (lambda w: shards(w, arrays=[]), ValueError, "shards: .*none"),
    "shards-empty": (
        lambda w: shards(w, arrays=[a[:0] for a in w.batch]), ValueError, r"shards: .*\(0, 3\)"),
    "shards-list": (
        lambda w: shards(w, arrays=[[1.0, 2.0], [1.0, 2.0]]), TypeError,
        r"shards: .*\[1\.0, 2\.0\]"),
    "shards-0-d": (
        lambda w: shards(w, arrays=[numpy.float32(1.0)]), (TypeError, ValueError), "shards: "),
    "shards-loss-shape": (
        lambda w: shards(w, function=lambda x, t: w.model(x) - t, shard_size=3), ValueError,
        "shards: the loss must be one number, got shape"),
    "shards-loss-number": (
        lambda w: shards(w, function=lambda x, t: 1.0, shard_size=3), TypeError,
        "shards: the loss must be a Tensor, got float"),
    "shards-unrelated": (
        lambda w: shards(w, parameters=[w.x], shard_size=3), (RuntimeError, ValueError), "grad: "),
    "shards-parameters": (
        lambda w: shards(w, parameters=w.batch, shard_size=3), TypeError,
        "grad: input 0 is a ndarray"),
    "map-workers": (
        lambda w: parallel.map_shards(w.model, w.batch[:1], workers=0), ValueError, "workers"),
    "map-size": (
        lambda w: parallel.map_shards(w.model, w.batch[:1], shard_size=0), ValueError,
        "shard_size"),
    "backward-shape": (
        lambda w: (w.x * 2.0).backward(), (RuntimeError, ValueError), r"backward: .*\(2,\)"),
    "backward-no-graph": (
        lambda w: Tensor([1.0]).backward(), (RuntimeError, ValueError), "require"),
    "backward-twice": (lambda w: twice(w.x), RuntimeError, "freed"),
    "backward-gradient": (
        lambda w: (w.x * 2.0).backward(Tensor(numpy.ones(3))), ValueError, r"\(3,\)"),
    "grad-unused": (
        lambda w: minigrad.grad((w.x * 2.0).sum(), [w.parameters[0]]), (RuntimeError, ValueError),
        "grad: "),
    "grad-number": (lambda w: minigrad.grad(1.0, [w.x]), TypeError, "grad: .*float"),
    "grad-inputs": (lambda w: minigrad.grad(w.x.sum(), ["x"]), TypeError, "grad: input 0 is a str"),
    "gradcheck-float32": (
        lambda w: gradcheck.gradcheck(lambda p: p * p, w.parameters[0]), TypeError,
        "gradcheck: input 0 .*float32"),
    "gradcheck-array": (
        lambda w: gradcheck.gradcheck(lambda p: p, w.batch), TypeError, "input 0 is a ndarray"),
    "gradcheck-none": (
        lambda w: gradcheck.gradcheck(lambda p: p, Tensor(numpy.ones(2))), ValueError,
        "gradcheck: none of the 1 inputs requires gradients"),
    "gradcheck-output": (
        lambda w: gradcheck.gradcheck(lambda p: 1.0, w.x), TypeError,
        "f must return a Tensor or several, got float"),
    "gradgradcheck-output": (
        lambda w: gradcheck.gradgradcheck(lambda p: None, w.x), TypeError,
        "f must return a Tensor or several, got NoneType"),
    "adjoint-output": (
        lambda w: gradcheck.adjoint_check(lambda p: 2, w.x), TypeError,
        "f must return a Tensor or several, got int"),
    "adjoint-two": (
        lambda w: gradcheck.adjoint_check(lambda p: [p, p], w.x), ValueError, "one Tensor, got 2"),
    "seed-negative": (
        lambda w: minigrad.manual_seed(-1), ValueError, "manual_seed: the seed must be at least 0"),
    "seed-float": (lambda w: minigrad.manual_seed(1.5), TypeError, "manual_seed: .*1.5"),
    "seed-text": (lambda w: minigrad.manual_seed("1"), TypeError, "manual_seed: .*'1'"),
    "seed-none": (lambda w: minigrad.manual_seed(None), TypeError, "manual_seed: .*None"),
    "name-unknown": (lambda w: minigrad.Tensro, AttributeError, "minigrad.* 'Tensro'"),
    "name-functional": (lambda w: F.conv3d, AttributeError, "functional.* 'conv3d'"),
}  # fmt: skip

CALLS = {
    **{f"nn {name}": call for name, call in LAYERS.items()},
    **{f"optim {name}": call for name, call in OPTIMISERS.items()},
    **{f"engine {name}": call for name, call in ENGINE.items()},
}


def twice(x):
    y = (x * x).sum()
    minigrad.grad(y, [x])
    minigrad.grad(y, [x])


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_explained_and_changes_nothing(name, world):
    call, error, words = CALLS[name]
    before = state_of(world)
    with pytest.raises(error, match=words) as caught:
        call(world)
    last = traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert "numpy" not in last
    assert "minigrad" in last or error is AttributeError
    assert state_of(world) == before


def test_the_state_compared_would_show_a_change(world):
    before = state_of(world)
    world.optimizer.step(gradients(world))
    assert state_of(world) != before
    before = state_of(world)
    default_generator().random()
    assert state_of(world) != before
