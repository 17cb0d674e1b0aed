"""The lecture's networks, and their weights in PyTorch and back."""

import numpy
import pytest

import minigrad
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.models import (
    AutoEncoder,
    DenseAutoEncoder,
    MLPAutoEncoder,
    SmoothAutoEncoder,
    count_multiplications,
    count_parameters,
    list_layers,
    zero_biases,
)
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor, nn, no_grad

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


@pytest.mark.parametrize("make", [lambda: AutoEncoder(3), lambda: DenseAutoEncoder(3)])
def test_reconstruction_is_decoding_what_was_encoded(make):
    minigrad.manual_seed(0)
    model = make()
    x = numpy.random.default_rng(0).random((5, 1, 28, 28), dtype="float32")
    z = encode(model, x)
    assert z.shape == (5, 3)
    numpy.testing.assert_allclose(decode(model, z), reconstruct(model, x), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def trained_denoiser():
    minigrad.manual_seed(0)
    model = AutoEncoder(4)
    x = numpy.random.default_rng(0).random((32, 1, 28, 28), dtype="float32")
    train(model, x, TrainingSettings(epochs=1, batch_size=8), quiet=True)
    return model


def in_torch(torch, model):
    """The same network of PyTorch's layers: what ours print is the constructor's call."""
    names = {"Sequential": torch.nn.Sequential, "nn": torch.nn}

    class AutoEncoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for part in ("encoder", "decoder"):
                layers = [eval(f"nn.{layer!r}", names) for layer in getattr(model, part)]
                setattr(self, part, torch.nn.Sequential(*layers))

        def forward(self, x):
            return self.decoder(self.encoder(x))

    twin = AutoEncoder()
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    return twin


def test_trained_weights_move_to_pytorch_and_back_with_one_line(trained_denoiser):
    torch = pytest.importorskip("torch")
    x = numpy.random.default_rng(1).random((7, 1, 28, 28), dtype="float32")
    ours = reconstruct(trained_denoiser, x)
    twin = in_torch(torch, trained_denoiser)
    with torch.no_grad():
        theirs = twin(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(theirs, ours, atol=1e-5)

    minigrad.manual_seed(9)
    back = AutoEncoder(4)
    back.load_state_dict(twin.state_dict())
    assert reconstruct(back, x).tobytes() == ours.tobytes()
    assert repr(twin) == repr(back)


def test_zero_biases_leaves_the_weights_as_they_were():
    model = AutoEncoder(8)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    zero_biases(model)
    for name, array in model.state_dict().items():
        expected = 0 * array if name.endswith("bias") else before[name]
        numpy.testing.assert_array_equal(array, expected, err_msg=name)
    assert sum(name.endswith("bias") for name in before) == 10


def test_the_bottleneck_is_d_numbers_at_every_size_from_16_to_128():
    for size in range(16, 129):
        channels = 1 + size % 4
        model = AutoEncoder(3, size, channels)
        x = Tensor(numpy.zeros((1, channels, size, size), "float32"))
        with no_grad():
            z = model.encoder(x)
            assert z.shape == (1, 3, 1, 1)
            assert model.decoder(z).shape == x.shape
    kernels = {size: AutoEncoder(1, size).encoder[8].kernel_size[0] for size in (16, 28, 64, 128)}
    assert kernels == {16: 1, 28: 4, 64: 13, 128: 29}


def test_output_padding_is_printed_only_where_a_side_is_no_multiple_of_four():
    for size in range(16, 129):
        assert ("output_padding" in repr(AutoEncoder(1, size))) == (size % 4 != 0), size


def test_a_network_of_128_pixels_learns_1_8_million_numbers_and_costs_39_times_one_of_28():
    small, large = AutoEncoder(32), AutoEncoder(32, 128, channels=3)
    # By hand: places of the output times kernel times maps, the decoder the same way back.
    layers = [(24, 25, 1), (20, 25, 32), (9, 16, 32), (4, 9, 32), (1, 16, 32)]
    by_hand = 2 * sum(side**2 * kernel * maps * 32 for side, kernel, maps in layers)
    assert count_multiplications(small, small.sample_shape) == by_hand
    ratio = count_multiplications(large, large.sample_shape) / 24_383_488
    assert (round(count_parameters(large) / 1e6, 1), round(ratio)) == (1.8, 39)


def test_a_layer_that_stands_twice_is_listed_twice():
    linear = nn.Linear(4, 4)
    layers = list_layers(nn.Sequential(linear, nn.Sequential(linear, nn.ReLU())), (4,))
    assert [layer.parameters for layer in layers] == [20, 20, 0]


@pytest.mark.parametrize("size", [(17, 17), (30, 45), (64, 64)])
def test_images_of_other_sizes_come_out_as_pytorch_computes_them(size):
    torch = pytest.importorskip("torch")
    minigrad.manual_seed(0)
    model = AutoEncoder(5, size, channels=3)
    x = numpy.random.default_rng(0).random((2, 3, *size), dtype="float32")
    with torch.no_grad():
        theirs = in_torch(torch, model)(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(reconstruct(model, x), theirs, atol=1e-5)


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
