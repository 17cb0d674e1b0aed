"""The lecture's networks, and their weights in PyTorch and back."""

from __future__ import annotations

import numpy
import pytest

import minigrad
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.models import (
    AutoEncoder,
    Denoiser,
    DenseAutoEncoder,
    MLPAutoEncoder,
    SmoothAutoEncoder,
    mlp,
)
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor

LISTING = """\
AutoEncoder(
  (encoder): Sequential(
    (0): Conv2d(1, 32, kernel_size=(5, 5), stride=(1, 1))
    (1): ReLU()
    (2): Conv2d(32, 32, kernel_size=(5, 5), stride=(1, 1))
    (3): ReLU()
    (4): Conv2d(32, 32, kernel_size=(4, 4), stride=(2, 2))
    (5): ReLU()
    (6): Conv2d(32, 32, kernel_size=(3, 3), stride=(2, 2))
    (7): ReLU()
    (8): Conv2d(32, 8, kernel_size=(4, 4), stride=(1, 1))
  )
  (decoder): Sequential(
    (0): ConvTranspose2d(8, 32, kernel_size=(4, 4), stride=(1, 1))
    (1): ReLU()
    (2): ConvTranspose2d(32, 32, kernel_size=(3, 3), stride=(2, 2))
    (3): ReLU()
    (4): ConvTranspose2d(32, 32, kernel_size=(4, 4), stride=(2, 2))
    (5): ReLU()
    (6): ConvTranspose2d(32, 32, kernel_size=(5, 5), stride=(1, 1))
    (7): ReLU()
    (8): ConvTranspose2d(32, 1, kernel_size=(5, 5), stride=(1, 1))
  )
)"""


def test_print_gives_the_lectures_listing():
    assert repr(AutoEncoder(8)) == LISTING


def test_sizes_go_from_28_to_1_and_back():
    model = AutoEncoder(8)
    x = Tensor(numpy.zeros((1, 1, 28, 28), "float32"))
    sizes = [x.shape[-1]]
    for layer in [*model.encoder, *model.decoder]:
        x = layer(x)
        if x.shape[-1] != sizes[-1]:
            sizes.append(x.shape[-1])
    assert sizes == [28, 24, 20, 9, 4, 1, 4, 9, 20, 24, 28]


@pytest.mark.parametrize("make", [lambda: AutoEncoder(3), lambda: DenseAutoEncoder(3)])
def test_reconstruction_is_decoding_what_was_encoded(make):
    minigrad.manual_seed(0)
    model = make()
    x = numpy.random.default_rng(0).random((5, 1, 28, 28), dtype="float32")
    z = encode(model, x)
    assert z.shape == (5, 3)
    numpy.testing.assert_allclose(decode(model, z), reconstruct(model, x), rtol=1e-4, atol=1e-6)


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="latent_size"):
        AutoEncoder(0)
    with pytest.raises(ValueError, match="sizes"):
        mlp(2)


@pytest.fixture(scope="module")
def trained_denoiser():
    minigrad.manual_seed(0)
    model = AutoEncoder(4)
    x = numpy.random.default_rng(0).random((32, 1, 28, 28), dtype="float32")
    train(model, x, TrainingSettings(epochs=1, batch_size=8), quiet=True)
    return model


def in_torch(torch, latent_size):
    """The same network, written in PyTorch."""
    nn = torch.nn

    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            relu = nn.ReLU
            self.encoder = nn.Sequential(
                *(nn.Conv2d(1, 32, 5), relu(), nn.Conv2d(32, 32, 5), relu()),
                *(nn.Conv2d(32, 32, 4, stride=2), relu(), nn.Conv2d(32, 32, 3, stride=2), relu()),
                nn.Conv2d(32, latent_size, 4),
            )
            self.decoder = nn.Sequential(
                *(nn.ConvTranspose2d(latent_size, 32, 4), relu()),
                *(nn.ConvTranspose2d(32, 32, 3, stride=2), relu()),
                *(nn.ConvTranspose2d(32, 32, 4, stride=2), relu()),
                *(nn.ConvTranspose2d(32, 32, 5), relu(), nn.ConvTranspose2d(32, 1, 5)),
            )

        def forward(self, x):
            return self.decoder(self.encoder(x))

    return AutoEncoder()


def test_trained_weights_move_to_pytorch_and_back_with_one_line(trained_denoiser):
    torch = pytest.importorskip("torch")
    x = numpy.random.default_rng(1).random((7, 1, 28, 28), dtype="float32")
    ours = reconstruct(trained_denoiser, x)

    twin = in_torch(torch, 4)
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in trained_denoiser.state_dict().items()})
    with torch.no_grad():
        theirs = twin(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(theirs, ours, atol=1e-5)

    minigrad.manual_seed(9)
    back = AutoEncoder(4)
    back.load_state_dict(twin.state_dict())
    assert reconstruct(back, x).tobytes() == ours.tobytes()
    assert repr(twin) == repr(back)


def test_denoiser_without_bottleneck_keeps_the_size_of_any_image():
    for size in (28, 35):
        x = numpy.zeros((2, 1, size, size), "float32")
        assert reconstruct(Denoiser(4), x).shape == x.shape


MODELS = {
    "AutoEncoder": (lambda: AutoEncoder(8), (1, 28, 28), 8),
    "DenseAutoEncoder": (lambda: DenseAutoEncoder(8), (1, 28, 28), 8),
    "SmoothAutoEncoder": (lambda: SmoothAutoEncoder(8, (3, 8, 8), 4), (3, 8, 8), 8),
    "MLPAutoEncoder": (lambda: MLPAutoEncoder(2, 5, 1), (2,), 1),
}
CALLS = {
    "model(x)": lambda model, x: model(Tensor(x)),
    "model.encode": lambda model, x: model.encode(Tensor(x)),
    "encode": encode,
    "reconstruct": reconstruct,
    "train": lambda model, x: train(model, x, TrainingSettings(epochs=1), quiet=True),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", MODELS)
def test_samples_of_another_shape_are_refused_with_both_shapes(name, call):
    make, shape, _ = MODELS[name]
    wrong = [(3, 1, 32, 32), (3, 1, 64, 64), (3, 1, 28, 20), (3, 3, 28, 28), (3, 28, 28), (3, 784)]
    wrong += [(3, 16, 12), (3, 7, 2)]  # as many numbers as a sample of faces; points in rows
    model = make()
    for given in wrong:
        with pytest.raises(ValueError, match=name) as caught:
            CALLS[call](model, numpy.zeros(given, "float32"))
        expected = f"expected {('N', *shape)}, got {given}".replace("'N'", "N")
        assert expected in str(caught.value)


@pytest.mark.parametrize("call", [decode, lambda model, z: model.decode(Tensor(z))])
@pytest.mark.parametrize("name", MODELS)
def test_latents_of_another_size_are_refused_with_both_shapes(name, call):
    make, _, size = MODELS[name]
    # The second holds as many numbers as a batch of latents that would fit.
    for given in [(3, size + 1), (2 * size, 4), (size,), (3, size, 1, 1)]:
        with pytest.raises(ValueError, match=rf"{name}.* expected \(N, {size}\)") as caught:
            call(make(), numpy.zeros(given, "float32"))
        assert f"got {given}" in str(caught.value)
