"""The page's forward pass in JavaScript, run by Node, against NumPy with the same weights."""

import numpy
import pytest

from autoencoder import AutoEncoder, Denoiser, decode, encode, reconstruct
from autoencoder.lecture.browser.laboratory import pack, pack_layers, pack_network
from autoencoder.models import mlp
from minigrad import Tensor, manual_seed, nn


def in_half_precision(model):
    """The model with weights that float16 holds exactly, as those that ship."""
    for parameter in model.parameters():
        parameter.data[...] = parameter.data.astype("float16")
    return model


@pytest.fixture
def digits(mnist):
    return mnist[0][:4]


def drawn(make, scale=1.0):
    """A model with seeded weights, which a few steps of training would not make harder."""
    manual_seed(1)
    model = make()
    for parameter in model.parameters():
        parameter.data *= scale
    return in_half_precision(model)


@pytest.mark.parametrize("d", [2, 8, 32])
def test_latents_and_pixels_of_an_autoencoder_agree(d, digits, run_node):
    model = drawn(lambda: AutoEncoder(d), scale=1.5)  # so that pixels reach about 1
    latents = encode(model, digits)
    body = """
        const network = unpackNetwork(given.network);
        return {
          latents: given.images.map((x) => encode(network, Float64Array.from(x))),
          decoded: given.latents.map((z) => decode(network, Float64Array.from(z))),
          reconstructed: given.images.map((x) => reconstruct(network, Float64Array.from(x))),
        };
    """
    given = {"network": pack_network(model), "images": digits.reshape(4, -1).tolist()}
    given["latents"] = latents.tolist()
    found = {name: numpy.array(value) for name, value in run_node(body, given).items()}
    largest = abs(latents).max()
    assert largest > 0.01
    assert abs(found["latents"] - latents).max() <= 1e-5 * largest
    pixels = decode(model, latents).reshape(4, -1)
    assert pixels.std() > 0.01
    assert abs(found["decoded"] - pixels).max() <= 1e-5
    assert abs(found["reconstructed"] - reconstruct(model, digits).reshape(4, -1)).max() <= 1e-5


def test_the_denoiser_without_a_bottleneck_agrees(digits, run_node):
    model = drawn(Denoiser, scale=1.5)
    body = """
        const network = unpackNetwork(given.network);
        return given.images.map((x) => reconstruct(network, Float64Array.from(x)));
    """
    given = {"network": pack_network(model), "images": digits.reshape(4, -1).tolist()}
    found = numpy.array(run_node(body, given))
    assert abs(found - reconstruct(model, digits).reshape(4, -1)).max() <= 1e-5


def test_a_fully_connected_network_agrees(run_node):
    model = drawn(lambda: mlp(3, 20, 2))
    x = numpy.random.default_rng(0).normal(size=(5, 3))
    body = """
        const layers = unpackLayers(given.layers);
        return given.x.map((x) => forward(layers, pixel(Float64Array.from(x))).values);
    """
    found = run_node(body, {"layers": pack_layers(model), "x": x.tolist()})
    expected = model(Tensor(x.astype("float32"))).detach().numpy()
    numpy.testing.assert_allclose(found, expected, atol=1e-6)


def test_half_precision_is_read_exactly(run_node):
    every = numpy.arange(2**16, dtype="uint16").view("float16")
    finite = every[numpy.isfinite(every)]
    assert run_node("return unpack(given);", pack(finite)) == finite.astype("float64").tolist()


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_other_numbers_are_read_exactly(kind, run_node):
    values = numpy.random.default_rng(0).uniform(0, 256, 50).astype(kind)
    assert run_node("return unpack(given);", pack(values, kind)) == values.tolist()


@pytest.mark.parametrize(
    "layer",
    [
        *(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 2, (3, 2)), nn.Conv2d(2, 2, 3, groups=2)),
        *(nn.Conv2d(1, 2, 3, dilation=2), nn.Conv2d(1, 2, 3, bias=False), nn.Tanh()),
        nn.ConvTranspose2d(1, 2, 3, stride=2, output_padding=1),
    ],
    ids=repr,
)
def test_a_layer_that_the_javascript_does_not_know_is_refused(layer):
    with pytest.raises(ValueError, match=r"network\.js"):
        pack_layers(nn.Sequential(layer))
