"""Wrong calls to layers, optimisers, shards, checks and random numbers; they change nothing.

Beside the operations' own in ``test_wrong_calls.py``. The words expected are the library's.
"""

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
            [(parameter.grad, parameter._version) for parameter in world.parameters],
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
    """Gradients that fit, but for the last if it is changed."""
    found = [Tensor(numpy.ones(p.shape, "float32")) for p in world.parameters]
    if change is not None:
        found[-1] = change
    return found


def load(thing, edit):
    """Load what ``thing`` saved, edited."""
    state = thing.state_dict()
    edit(state)
    thing.load_state_dict(state)


def remembering(parameter, **changes):
    """The edit that changes what an optimiser remembers of a parameter."""
    return lambda state: state["state"][parameter].update(changes)


def shards(w, function=None, parameters=None, arrays=None, **options):
    return parallel.shard_gradients(
        function or w.loss, parameters or w.parameters, w.batch if arrays is None else arrays,
        **options,
    )  # fmt: skip


LAYERS = [
    (ValueError, "Linear: in_features must be at least 1", lambda w: nn.Linear(0, 3)),
    (ValueError, "Linear: out_features", lambda w: nn.Linear(3, -1)),
    (TypeError, "Linear: out_features must be a whole number", lambda w: nn.Linear(1, 2.0)),
    (TypeError, "Linear: out_features must be .*, got True", lambda w: nn.Linear(1, True)),
    (TypeError, "Linear: in_features .*3.0", lambda w: nn.Linear(3.0, 1)),
    (TypeError, "Linear: in_features .*'3'", lambda w: nn.Linear("3", 1)),
    (TypeError, "parameters are floating point, got int32",
     lambda w: nn.Linear(3, 1, dtype="int32")),
    (TypeError, "expected a dtype, got 'x'", lambda w: nn.Linear(3, 1, dtype="x")),
    (TypeError, "generator must be", lambda w: nn.Linear(3, 1, generator=5)),
    (ValueError, "linear: ", lambda w: w.model(Tensor(numpy.ones((2, 4), "f")))),
    (TypeError, "linear: .*None", lambda w: w.model(None)),
    (TypeError, "linear: .*'abc'", lambda w: w.model("abc")),
    (ValueError, "device: .*'gpu'", lambda w: nn.Linear(3, 1, device="gpu")),
    (TypeError, "LayerNorm: .*'x'", lambda w: nn.LayerNorm(3, dtype="x")),
    (TypeError, "floating point, got int64", lambda w: nn.Conv2d(1, 1, 3, dtype=int)),
    (ValueError, "Conv2d: in_channels", lambda w: nn.Conv2d(0, 1, 3)),
    (ValueError, "Conv2d: kernel_size must be at least 1", lambda w: nn.Conv2d(1, 1, 0)),
    (ValueError, "Conv2d: kernel_size must be at least 1", lambda w: nn.Conv2d(1, 1, (3, 0))),
    (ValueError, "Conv2d: kernel_size must be one number or a pair",
     lambda w: nn.Conv2d(1, 1, (3, 3, 3))),
    (TypeError, "Conv2d: kernel_size", lambda w: nn.Conv2d(1, 1, "3")),
    (ValueError, "Conv2d: stride must be at least 1", lambda w: nn.Conv2d(1, 1, 3, stride=0)),
    (ValueError, "Conv2d: padding must be at least 0", lambda w: nn.Conv2d(1, 1, 3, padding=-1)),
    (ValueError, "Conv2d: padding must be numbers, 'same' or .*'full'",
     lambda w: nn.Conv2d(1, 1, 3, padding="full")),
    (ValueError, "Conv2d: padding 'same' needs stride 1",
     lambda w: nn.Conv2d(1, 1, 3, stride=2, padding="same")),
    (TypeError, "Conv2d: dilation must be a whole", lambda w: nn.Conv2d(1, 1, 3, dilation="1")),
    (ValueError, "Conv2d: in_channels 3 is no multiple", lambda w: nn.Conv2d(3, 4, 3, groups=2)),
    (ValueError, "Conv2d: out_channels 3 is no multiple", lambda w: nn.Conv2d(4, 3, 3, groups=2)),
    (ValueError, "Conv2d: padding_mode must be 'zeros'",
     lambda w: nn.Conv2d(1, 1, 3, padding_mode="reflect")),
    (ValueError, "conv2d: input has 4", lambda w: w.conv(w.image)),
    (TypeError, "ConvTranspose2d: padding must be a whole",
     lambda w: nn.ConvTranspose2d(1, 1, 3, padding="same")),
    (ValueError, "ConvTranspose2d: output_padding",
     lambda w: nn.ConvTranspose2d(1, 1, 3, output_padding=1)),
    (ValueError, r"ConvTranspose2d: output_padding \(2, 2\)",
     lambda w: nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=2)),
    (ValueError, "ConvTranspose2d: output_size",
     lambda w: w.transposed(w.image, output_size=(99, 99))),
    (ValueError, "ConvTranspose2d: ", lambda w: nn.ConvTranspose2d(3, 2, 3, groups=2)),
    (ValueError, "LayerNorm: normalized_shape must name", lambda w: nn.LayerNorm(())),
    (ValueError, "LayerNorm: normalized_shape must be at least 1", lambda w: nn.LayerNorm((3, 0))),
    (TypeError, "LayerNorm: eps", lambda w: nn.LayerNorm(3, eps="x")),
    (TypeError, "LeakyReLU: negative_slope must be a number", lambda w: nn.LeakyReLU("0.1")),
    (ValueError, "MaxPool2d: padding .* at most half", lambda w: nn.MaxPool2d(3, padding=2)),
    (ValueError, "MaxPool2d: kernel_size must be at least 1", lambda w: nn.MaxPool2d(0)),
    (ValueError, "Upsample: give either size or scale_factor", lambda w: nn.Upsample()),
    (ValueError, "Upsample: give either size or .*, and not both", lambda w: nn.Upsample(3, 2)),
    (ValueError, "Upsample: mode must be 'nearest'", lambda w: nn.Upsample(3, mode="bilinear")),
    (ValueError, "Upsample: scale_factor must be positive", lambda w: nn.Upsample(scale_factor=0)),
    (TypeError, "Upsample: scale_factor must be a number", lambda w: nn.Upsample(scale_factor="2")),
    (ValueError, "Upsample: size must be at least 1", lambda w: nn.Upsample(size=0)),
    (TypeError, "Unflatten: unflattened_size must be a tuple", lambda w: nn.Unflatten(1, 3)),
    (ValueError, "Unflatten: unflattened_size needs", lambda w: nn.Unflatten(1, (-1, -1))),
    (ValueError, r"Unflatten: dimension 1 of shape \(1, 4, 6, 6\)",
     lambda w: nn.Unflatten(1, (5, 2))(w.image)),
    (ValueError, "Unflatten: dim 3 is out of range", lambda w: nn.Unflatten(3, (2,))(w.x)),
    (TypeError, "Flatten: start_dim must be a whole number", lambda w: nn.Flatten("1")),
    (TypeError, "Flatten: start_dim must be a whole number", lambda w: nn.Flatten(1.0)),
    (ValueError, r"gelu: approximate .*'tan'", lambda w: F.gelu(w.x, "tan")),
    (ValueError, r"GELU: approximate .*'tan'", lambda w: nn.GELU("tan")),
    (ValueError, r"dropout: p .*1.5", lambda w: F.dropout(w.x, 1.5)),
    (ValueError, r"Dropout: p .*-0.1", lambda w: nn.Dropout(-0.1)),
    (ValueError, r"group_norm: 2 groups .*\(6, 3\)", lambda w: F.group_norm(w.batch[0], 2)),
    (ValueError, r"group_norm: weight .*\(3,\)", lambda w: F.group_norm(w.batch[1], 1, [1.0] * 3)),
    (ValueError, r"GroupNorm: 2 groups .*3", lambda w: nn.GroupNorm(2, 3)),
    (ValueError, r"Embedding: num_embeddings .*0", lambda w: nn.Embedding(0, 3)),
    (ValueError, r"embedding: weight .*\(2,\)", lambda w: F.embedding(Tensor([0]), w.x)),
    (ValueError, r"argmax: nothing", lambda w: Tensor(w.batch[0][:0]).argmax(0)),
    (ValueError, r"batches: size", lambda w: next(minigrad.batches(w.batch, 0))),
    (ValueError, r"batches: .*\[3, 2\]", lambda w: next(minigrad.batches(([1, 2, 3], [1, 2]), 1))),
    (ValueError, "MixtureDensity: .*target_size must be at least 1",
     lambda w: nn.MixtureDensity(3, 0, 2)),
    (ValueError, "MixtureDensity: .*components must be at least 1",
     lambda w: nn.MixtureDensity(3, 2, 0)),
    (ValueError, r"MixtureDensity: .*6 inputs need targets \(6, 2\), got \(5, 2\)",
     lambda w: nn.MixtureDensity(3, 2, 2, generator=numpy.random.default_rng(0)).log_prob(
         Tensor(w.batch[0]), Tensor(w.batch[1][1:]))),
    (TypeError, "Sequential: .*NoneType", lambda w: nn.Sequential(None)),
    (TypeError, "Sequential: expected modules, got function", lambda w: nn.Sequential(F.relu)),
    (ValueError, "Sequential: 'a.b' cannot name a module",
     lambda w: nn.Sequential({"a.b": nn.ReLU()})),
    (ValueError, "Sequential: 'forward' cannot name a module",
     lambda w: nn.Sequential({"forward": nn.ReLU()})),
    (IndexError, "Sequential: index 3", lambda w: w.model[3]),
    (IndexError, "Sequential: index -4", lambda w: w.model[-4]),
    (TypeError, "Sequential: the index", lambda w: w.model["0"]),
    (TypeError, "Sequential: .*function", lambda w: w.model.__setitem__(0, F.relu)),
    (NotImplementedError, "Empty: forward is not written",
     lambda w: type("Empty", (nn.Module,), {})()(w.x)),
    (TypeError, "Linear: weight is a Parameter.*got Tensor",
     lambda w: setattr(w.model[0], "weight", Tensor(numpy.ones((4, 3))))),
    (TypeError, "Linear: weight is a Parameter.*got ndarray",
     lambda w: setattr(w.model[0], "weight", numpy.ones((4, 3)))),
    (TypeError, "expected numbers", lambda w: nn.Parameter("abc")),
    ((TypeError, ValueError), "floating point", lambda w: nn.Parameter([1, 2])),
    (TypeError, "to: expected a device or a dtype", lambda w: w.model.to("float23")),
    (TypeError, "to: parameters are floating", lambda w: w.model.to("int32")),
    *((TypeError, r"Linear\.to", lambda w, target=target: w.model[0].to("float64", target))
      for target in ("int64", "nonsense", None, 3, Tensor([1.0]))),
    (TypeError, "expected a mapping, got list", lambda w: w.model.load_state_dict([1])),
    (ValueError, r"missing 0\.weight.*missing 2\.bias", lambda w: w.model.load_state_dict({})),
    (ValueError, r"Sequential\.load_state_dict: missing 2\.bias",
     lambda w: load(w.model, lambda state: state.pop("2.bias"))),
    (ValueError, r"Sequential\.load_state_dict: unexpected extra",
     lambda w: load(w.model, lambda state: state.update(extra=numpy.zeros(1, "f")))),
    (ValueError, r"unexpected 0\.wieght \(did you mean 0\.weight\?\)",
     lambda w: load(w.model, lambda state: state.update({"0.wieght": state.pop("0.weight")}))),
    (ValueError, r"Sequential\.load_state_dict: 2\.bias: expected shape \(2,\), got \(3,\)",
     lambda w: load(w.model, lambda state: state.update({"2.bias": numpy.ones(3, "f")}))),
    (TypeError, r"Sequential\.load_state_dict: 2\.bias: expected float32, got float64",
     lambda w: load(w.model, lambda state: state.update({"2.bias": numpy.ones(2)}))),
    (TypeError, r"Sequential\.load_state_dict: 2\.bias: expected an array, got str",
     lambda w: load(w.model, lambda state: state.update({"2.bias": "x"}))),
    (TypeError, r"Sequential\.load_state_dict: 2\.bias: expected an array, got list",
     lambda w: load(w.model, lambda state: state.update({"2.bias": [0.0, 0.0]}))),
]  # fmt: skip

OPTIMISERS = [
    (TypeError, "Adam: parameter 0 is a Linear", lambda w: optim.Adam(w.model)),
    (TypeError, "Adam: expected an iter.* got Parameter", lambda w: optim.Adam(w.parameters[0])),
    (TypeError, "Adam: expected an iterable .* got int", lambda w: optim.Adam(3)),
    (ValueError, "SGD: there are no parameters", lambda w: optim.SGD([])),
    (ValueError, "Adam: there are no parameters", lambda w: optim.Adam(nn.ReLU().parameters())),
    (TypeError, "Adam: parameter 0 is a ndarray", lambda w: optim.Adam(w.batch)),
    (ValueError, "Adam: parameter 1 of shape .* twice", lambda w: optim.Adam([w.x, w.x])),
    (ValueError, "Adam: parameter 0 of shape .* comes twice",
     lambda w: optim.Adam([{"params": [w.x]}, {"params": [w.x]}])),
    (ValueError, "Adam: parameter 0 of shape .* must be a floating point leaf",
     lambda w: optim.Adam([w.x * 2.0])),
    (ValueError, "parameter 1 of .* floating point", lambda w: optim.Adam([w.x, Tensor([1])])),
    (ValueError, "SGD: lr must be at least 0", lambda w: optim.SGD(w.parameters, lr=-1.0)),
    (ValueError, "Adam: lr must be at least", lambda w: optim.Adam(w.parameters, lr=-1)),
    (TypeError, "Adam: lr must be a num.*'fast'", lambda w: optim.Adam(w.parameters, lr="fast")),
    (ValueError, "Adam: lr must be at least 0.0, got nan",
     lambda w: optim.Adam(w.parameters, lr=float("nan"))),
    (ValueError, "Adam: lr must be finite", lambda w: optim.Adam(w.parameters, lr=float("inf"))),
    (ValueError, r"Adam: beta2 .*\[0", lambda w: optim.Adam(w.parameters, betas=(0.9, 1.0))),
    (TypeError, "Adam: betas .*pair", lambda w: optim.Adam(w.parameters, betas=0.9)),
    (ValueError, "AdamW: eps must be at least", lambda w: optim.AdamW(w.parameters, eps=-1e-8)),
    (ValueError, "AdamW: weight_decay", lambda w: optim.AdamW(w.parameters, weight_decay=-1)),
    (ValueError, "SGD: momentum", lambda w: optim.SGD(w.parameters, momentum=-1)),
    (ValueError, "SGD: nesterov needs", lambda w: optim.SGD(w.parameters, nesterov=True)),
    (TypeError, "SGD: unknown option 'rate' in a group, expected lr",
     lambda w: optim.SGD([{"params": w.parameters, "rate": 1}])),
    (TypeError, "SGD: a parameter group is a dict", lambda w: optim.SGD([{"lr": 1.0}])),
    (ValueError, "SGD: a parameter group has no par", lambda w: optim.SGD([{"params": []}])),
    (TypeError, "SGD: 'params' must be tensors, got int", lambda w: optim.SGD([{"params": 3}])),
    (TypeError, "SGD: expected parameters or groups, not both",
     lambda w: optim.SGD([w.parameters[0], {"params": w.parameters[1:]}])),
    (ValueError, "twice", lambda w: w.optimizer.add_param_group({"params": w.parameters})),
    (ValueError, "2 gradients for 4 parameters", lambda w: w.optimizer.step(gradients(w)[:2])),
    (ValueError, r"Adam: gradient 3 has shape \(5,\), expected \(2,\)",
     lambda w: w.optimizer.step(gradients(w, Tensor(numpy.ones(5, "float32"))))),
    (TypeError, "Adam: gradient 3 is float64, expected float32",
     lambda w: w.optimizer.step(gradients(w, numpy.ones(2)))),
    (TypeError, "gradient 3 must be .*str", lambda w: w.optimizer.step(gradients(w, "x"))),
    (TypeError, "gradient 3 must be .*float", lambda w: w.optimizer.step(gradients(w, 1.0))),
    (TypeError, "Adam: .*float", lambda w: w.optimizer.step(0.1)),
    (TypeError, "Adam: expected a sequence of grad", lambda w: w.optimizer.step(lambda: 0)),
    (ValueError, r"Adam: the gradient of all parameters has shape \(5,\), expected \(26,\)",
     lambda w: w.optimizer.step(numpy.ones(5, "float32"))),
    (TypeError, "Adam.load_state_dict: expected a dict", lambda w: w.optimizer.load_state_dict([])),
    (TypeError, "Adam.load_state_dict: expected a dict with 'state'",
     lambda w: w.optimizer.load_state_dict({"state": {}})),
    (ValueError, "Adam.*: 2 groups saved, 1 here",
     lambda w: load(w.optimizer, lambda state: state["param_groups"].append({}))),
    (ValueError, "Adam.*: group 0 has .*'momentum'",
     lambda w: load(w.optimizer, lambda state: state["param_groups"][0].update(momentum=0.9))),
    (ValueError, "Adam.*: group 0 has 3 parameters saved, 4 here",
     lambda w: load(w.optimizer, lambda state: state["param_groups"][0]["params"].pop())),
    (ValueError, "lr must be at least",
     lambda w: load(w.optimizer, lambda state: state["param_groups"][0].update(lr=-1.0))),
    (TypeError, "betas must be",
     lambda w: load(w.optimizer, lambda state: state["param_groups"][0].update(betas=[0.9]))),
    (ValueError, "Adam.*: state of parameter 4",
     lambda w: load(w.optimizer, lambda state: state["state"].update({4: {}}))),
    (ValueError, r"Adam.*: parameter 1 has \['exp_avg_sq', 'step'\] saved",
     lambda w: load(w.optimizer, lambda state: state["state"][1].pop("exp_avg"))),
    (ValueError, r"Adam.*: parameter 3: exp_avg has shape \(5,\), expected \(2,\)",
     lambda w: load(w.optimizer, remembering(3, exp_avg=numpy.zeros(5, "f")))),
    (TypeError, "Adam.*: parameter 1: exp_avg is float64, expected float32",
     lambda w: load(w.optimizer, remembering(1, exp_avg=numpy.zeros(4)))),
    (TypeError, "Adam.*: parameter 1: exp_avg must be an array or Tensor, got list",
     lambda w: load(w.optimizer, remembering(1, exp_avg=[0.0] * 4))),
    (ValueError, "step must be at least 0", lambda w: load(w.optimizer, remembering(3, step=-1))),
    (TypeError, "step must be a whole", lambda w: load(w.optimizer, remembering(3, step=0.5))),
    (TypeError, "StepLR: expected an optimiser, got Seq", lambda w: optim.StepLR(w.model, 2)),
    (ValueError, "StepLR: step_size must be at least 1", lambda w: optim.StepLR(w.optimizer, 0)),
    (TypeError, "StepLR: step_size must be a whole", lambda w: optim.StepLR(w.optimizer, 1.5)),
    (ValueError, "StepLR: gamma", lambda w: optim.StepLR(w.optimizer, 1, gamma=-0.1)),
    (TypeError, "StepLR: gamma must be a number", lambda w: optim.StepLR(w.optimizer, 1, None)),
    (ValueError, "CosineAnnealingLR: T_max must be at least 1",
     lambda w: optim.CosineAnnealingLR(w.optimizer, 0)),
    (ValueError, "CosineAnnealingLR: eta_min must be at least",
     lambda w: optim.CosineAnnealingLR(w.optimizer, 5, -1.0)),
    (ValueError, "StepLR.load.*: expected a dict", lambda w: w.schedule.load_state_dict(3)),
    (ValueError, "StepLR.load_state_dict: expected a dict",
     lambda w: w.schedule.load_state_dict({"last_epoch": 3})),
    (ValueError, "StepLR", lambda w: load(w.schedule, lambda state: state.update(T_max=3))),
    (ValueError, "StepLR", lambda w: load(w.schedule, lambda state: state.update(step_size=0))),
    (ValueError, "StepLR",
     lambda w: load(w.schedule, lambda state: state.update(base_lrs=[1.0, 2.0]))),
    (TypeError, "StepLR",
     lambda w: load(w.schedule, lambda state: state.update(base_lrs=["fast"]))),
    (ValueError, "StepLR.load_state_dict: last_epoch",
     lambda w: load(w.schedule, lambda state: state.update(last_epoch=-1))),
    (ValueError, "max_norm must be", lambda w: optim.clip_grad_norm_(w.parameters, -1.0)),
    (ValueError, "norm_type must be pos", lambda w: optim.clip_grad_norm_(w.parameters, 1.0, 0)),
    (TypeError, "parameter 0 is a ndarray", lambda w: optim.clip_grad_norm_(w.batch, 1.0)),
    (TypeError, "clip_grad_norm_: .*float", lambda w: optim.clip_grad_norm_([1.0], 1.0)),
    (TypeError, "clip_grad_norm_: .*NoneType", lambda w: optim.clip_grad_norm_(None, 1.0)),
]  # fmt: skip

CHECKS = (gradcheck.gradcheck, gradcheck.gradgradcheck, gradcheck.adjoint_check)
ENGINE = [
    (ValueError, "workers must be at least 1", lambda w: shards(w, workers=0)),
    (TypeError, "workers .*1.5", lambda w: shards(w, workers=1.5)),
    (ValueError, "shard_size must be at least", lambda w: shards(w, shard_size=0)),
    (TypeError, "shard_size .*2.0", lambda w: shards(w, shard_size=2.0)),
    (ValueError, r"shards: .*\(6, 3\), \(3, 2\)",
     lambda w: shards(w, arrays=[w.batch[0], w.batch[1][:3]])),
    (ValueError, "shards: .*none", lambda w: shards(w, arrays=[])),
    (ValueError, r"shards: .*\(0, 3\)", lambda w: shards(w, arrays=[a[:0] for a in w.batch])),
    (TypeError, r"shards: .*\[1\.0, 2\.0\]", lambda w: shards(w, arrays=[[1.0, 2.0], [1.0, 2.0]])),
    ((TypeError, ValueError), "shards: ", lambda w: shards(w, arrays=[numpy.float32(1.0)])),
    (ValueError, "shards: the loss must be one number, got shape",
     lambda w: shards(w, function=lambda x, t: w.model(x) - t, shard_size=3)),
    (TypeError, "shards: the loss must be a Tensor, got float",
     lambda w: shards(w, function=lambda x, t: 1.0, shard_size=3)),
    ((RuntimeError, ValueError), "grad: ", lambda w: shards(w, parameters=[w.x], shard_size=3)),
    (TypeError, "grad: input 0 is a ndarray",
     lambda w: shards(w, parameters=w.batch, shard_size=3)),
    (ValueError, "workers", lambda w: parallel.map_shards(w.model, w.batch[:1], workers=0)),
    (ValueError, "shard_size", lambda w: parallel.map_shards(w.model, w.batch[:1], shard_size=0)),
    (ValueError, "reduction must be 'mean' or 'sum', got 'none'",
     lambda w: shards(w, reduction="none")),
    (ValueError, r"a row for each of 3 samples, got \(1, 3\)",
     lambda w: parallel.map_shards(lambda x: x.mean(0, keepdim=True), w.batch[:1], shard_size=3)),
    (RuntimeError, r"backward: .*shape \(2,\) needs a gradient", lambda w: (w.x * 2.0).backward()),
    (RuntimeError, "nothing was recorded", lambda w: Tensor([1.0]).backward()),
    (ValueError, r"shape \(2,\).*shape \(3,\)",
     lambda w: (w.x * 2.0).backward(Tensor(numpy.ones(3)))),
    (ValueError, "float64.*float32", lambda w: (w.x * 2.0).backward(Tensor([1.0, 1.0]))),
    (RuntimeError, "only leaves", lambda w: (w.x * 2.0).requires_grad_(False)),
    (RuntimeError, "requires no gradients", lambda w: minigrad.grad(w.x.sum(), w.x.detach())),
    (ValueError, "2 outputs but 1 grad_outputs",
     lambda w: minigrad.grad([w.x * 2.0, w.x], w.x, [Tensor(numpy.ones(2))])),
    ((RuntimeError, ValueError), "grad: ",
     lambda w: minigrad.grad((w.x * 2.0).sum(), [w.parameters[0]])),
    (TypeError, "grad: .*float", lambda w: minigrad.grad(1.0, [w.x])),
    (TypeError, "grad: input 0 is a str", lambda w: minigrad.grad(w.x.sum(), ["x"])),
    *((TypeError, r"input 0 of shape \(4, 3\) is float32, expected float64",
       lambda w, check=check: check(lambda p: p * p, w.parameters[0])) for check in CHECKS[:2]),
    *((TypeError, "input 1 is a ndarray",
       lambda w, check=check: check(lambda x, p: x, [w.x, w.batch[0]])) for check in CHECKS),
    *((ValueError, "none of the 1 inputs requires gradients",
       lambda w, check=check: check(lambda p: p, Tensor(numpy.ones(2)))) for check in CHECKS),
    (TypeError, "f must return a Tensor or several, got float",
     lambda w: gradcheck.gradcheck(lambda p: 1.0, w.x)),
    (TypeError, "f must return a Tensor or several, got NoneType",
     lambda w: gradcheck.gradgradcheck(lambda p: None, w.x)),
    (TypeError, "f must return a Tensor or several, got int",
     lambda w: gradcheck.adjoint_check(lambda p: 2, w.x)),
    (ValueError, "one Tensor, got 2", lambda w: gradcheck.adjoint_check(lambda p: [p, p], w.x)),
    (ValueError, "manual_seed: the seed must be at least 0", lambda w: minigrad.manual_seed(-1)),
    (TypeError, "manual_seed: .*1.5", lambda w: minigrad.manual_seed(1.5)),
    (TypeError, "manual_seed: .*'1'", lambda w: minigrad.manual_seed("1")),
    (TypeError, "manual_seed: .*None", lambda w: minigrad.manual_seed(None)),
    (AttributeError, "minigrad.* 'Tensro'", lambda w: minigrad.Tensro),
    (AttributeError, "functional.* 'conv3d'", lambda w: F.conv3d),
]  # fmt: skip


@pytest.mark.parametrize("row", [*LAYERS, *OPTIMISERS, *ENGINE], ids=lambda row: row[1])
def test_a_wrong_call_is_explained_and_changes_nothing(row, world):
    error, words, call = row
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
