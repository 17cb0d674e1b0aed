"""Optimisers and clipping on the stand-in: the CPU's results, few launches, no waits."""

import numpy
import pytest
from cupy_standin import counters

from minigrad import Tensor, nn, optim

MAKERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, dampening=0.1),
    "sgd nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adam decay": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.1),
}


def model_on(device, layers=10):
    generator = numpy.random.default_rng(0)
    layer_list = [nn.Linear(3, 3, generator=generator) for _ in range(layers)]
    return nn.Sequential(*layer_list).to(device)


def gradients_of(model, seed):
    generator = numpy.random.default_rng(seed)
    return [
        Tensor(generator.normal(size=p.shape).astype("f"), device=p.device)
        for p in model.parameters()
    ]


def assert_alike(ours, reference, device):
    assert {str(p.device) for p in ours.parameters()} == {device}
    for name, value in reference.state_dict().items():
        numpy.testing.assert_allclose(ours.state_dict()[name], value, rtol=1e-6)


@pytest.mark.parametrize("case", MAKERS)
def test_steps_are_the_cpus_and_neither_wait_nor_grow_with_the_model(cupy, case):
    ours, reference = model_on("cuda:1"), model_on("cpu")
    optimizer, expected = MAKERS[case](ours.parameters()), MAKERS[case](reference.parameters())
    for step in range(3):
        gradients = gradients_of(ours, step)
        with counters.measure() as used:
            optimizer.step(gradients)
        expected.step(gradients_of(reference, step))
        assert used.waits == used.host_to_device == used.device_to_host == 0
        first = 2 if step == 0 else 0  # what is remembered is set to zero
        assert used.launches <= 14 + 2 * ("decay" in case) + first, used.calls
    for model, improved in ((ours, optimizer), (reference, expected)):
        some = gradients_of(model, 3)
        some[4] = some[7] = None
        improved.step(some)
        improved.step(gradients_of(model, 4))
    assert_alike(ours, reference, "cuda:1")


def test_a_model_moved_to_the_gpu_takes_its_optimiser_along_and_memory_is_loaded_there(cupy):
    moved, reference, loaded = model_on("cpu", 2), model_on("cpu", 2), model_on("cuda:1", 2)
    models = (moved, reference, loaded)
    optimizers = [optim.Adam(model.parameters(), lr=0.1) for model in models]
    for model, optimizer in zip(models, optimizers):
        optimizer.step(gradients_of(model, 0 if model is not loaded else 7))
    loaded.load_state_dict(moved.state_dict())
    optimizers[2].load_state_dict(optimizers[0].state_dict())
    moved.to("cuda")
    for model, optimizer in zip(models, optimizers):
        optimizer.step(gradients_of(model, 1))
    assert_alike(moved, reference, "cuda:0")
    assert_alike(loaded, reference, "cuda:1")
    optimizers[1].load_state_dict(optimizers[2].state_dict())
    for model, optimizer in zip(models, optimizers):
        optimizer.step(gradients_of(model, 2))
    assert_alike(loaded, reference, "cuda:1")


def test_a_gradient_on_another_device_is_refused(cupy):
    model = model_on("cuda", 1)
    optimizer = optim.SGD(model.parameters())
    gradients = gradients_of(model, 0)
    with pytest.raises(TypeError, match="gradient 1 is on cpu, the parameter on cuda:0"):
        optimizer.step([gradients[0], Tensor([0.0] * 3)])
    with pytest.raises(TypeError, match="gradient 0 is on cuda:1, the parameter on cuda:0"):
        optimizer.step([g.to("cuda:1") for g in gradients])


@pytest.mark.parametrize("norm_type", [1, 2, 3, float("inf")])
def test_clipping_is_the_cpus_and_does_not_wait(cupy, norm_type):
    models = [model_on(place, 2) for place in ("cuda", "cpu")]
    for model in models:
        for parameter, gradient in zip(model.parameters(), gradients_of(model, 0)):
            parameter.grad = gradient
    with counters.no_waits():
        lengths = [optim.clip_grad_norm_(m.parameters(), 0.5, norm_type) for m in models]
    assert str(lengths[0].device) == "cuda:0"
    assert lengths[0].item() == pytest.approx(lengths[1].item(), rel=1e-6)
    for mine, other in zip(*(model.parameters() for model in models)):
        numpy.testing.assert_allclose(mine.grad.to("cpu").data, other.grad.data, rtol=1e-5)


def test_weights_are_drawn_the_same_for_every_device(cupy):
    on_gpu = nn.Linear(3, 2, device="cuda", generator=numpy.random.default_rng(0))
    on_cpu = nn.Linear(3, 2, generator=numpy.random.default_rng(0))
    assert str(on_gpu.weight.device) == "cuda:0"
    assert str(nn.LayerNorm(3, device="cuda").weight.device) == "cuda:0"
    for name, value in on_cpu.state_dict().items():
        numpy.testing.assert_array_equal(on_gpu.state_dict()[name], value)
    on_gpu.load_state_dict(on_cpu.state_dict())
    assert str(on_gpu.weight.device) == "cuda:0"
