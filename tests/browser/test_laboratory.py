"""The interactive part as a piece of a page: well-formed, whole, small, and with all its labels."""

import json
import re
from xml.etree import ElementTree

import numpy
import pytest

from autoencoder import AutoEncoder, Denoiser, TrainingSettings, encode, load
from autoencoder.densities import (
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    LatentDiffusion,
)
from autoencoder.lecture.browser.laboratory import (
    FITTED,
    HERE,
    KINDS,
    SCRIPTS,
    Laboratory,
    laboratory_html,
    shipped_laboratory,
    write_fitted,
)
from autoencoder.lecture.densities import RUNGS, fit_rung
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from minigrad import manual_seed


@pytest.fixture(scope="module")
def html(mnist):
    """A laboratory of networks that learnt nothing."""
    manual_seed(0)
    images, labels = (part[:200] for part in mnist)
    networks = {2: AutoEncoder(2), 8: AutoEncoder(8)}
    latents = {d: encode(network, images) for d, network in networks.items()}
    settings = TrainingSettings(epochs=1, batch_size=100)
    densities = {
        "diagonal & plain": DiagonalGaussian().fit(latents[8]),
        "full": FullGaussian().fit(latents[8]),
        "mixture": GaussianMixture.fit(latents[8], 3, numpy.random.default_rng(0)),
        "diffusion </script>": LatentDiffusion(hidden=(8,)).fit(latents[8], settings),
    }
    others = {"denoiser": AutoEncoder(32), "denoiser-wide": Denoiser(), "restorer": AutoEncoder(32)}
    parts = Laboratory(networks, others, densities, latents, images, labels)
    return laboratory_html(parts, "1 < 2.")


def test_it_is_one_well_formed_section(html):
    root = ElementTree.fromstring(html)
    assert (root.tag, root.attrib["id"]) == ("section", "laboratory")
    paragraphs = ["".join(each.itertext()) for each in root.iter("p")]
    assert paragraphs[0] == "1 < 2."
    assert html.count("</script>") == 2  # a name in the data does not end it


def test_its_data_are_read_back_as_they_are(html):
    root = ElementTree.fromstring(html)
    data = json.loads(root.find(".//script[@id='lab-data']").text)
    first, *_, last = (each["name"] for each in data["densities"])
    assert (first, last) == ("diagonal & plain", "diffusion </script>")
    assert data["digits"]["labels"] == list(range(10))
    assert set(data["latents"]) == {"2", "8"}


def test_it_loads_nothing_from_elsewhere(html):
    assert not re.search(r"https?://|\bsrc=|@import|url\(|fetch\(|XMLHttpRequest", html)


def test_every_file_of_the_folder_is_in_it(html):
    assert {path.name for path in HERE.glob("*.js")} == set(SCRIPTS)
    for name in SCRIPTS:
        assert (HERE / name).read_text().split("*/", 1)[1].strip() in html


def test_every_element_the_javascript_asks_for_is_there(html):
    ids = set(re.findall(r'\bid="lab-([^"]+)"', html))
    asked = {*re.findall(r'\bfind\("([^"]+)"\)', html), *re.findall(r'\bput\("([^"]+)"', html)}
    assert len(asked) > 20
    assert asked <= ids


def test_what_can_be_used_has_a_name(html):
    root = ElementTree.fromstring(html)
    for kind in ("canvas", "button"):
        for element in root.iter(kind):
            assert element.attrib.get("aria-label") or "".join(element.itertext()).strip()
    labelled = {id(child) for label in root.iter("label") for child in label}
    assert all(id(each) in labelled for each in root.iter("input"))


def test_the_javascript_is_a_page_a_file():
    """Readable beside the Python it mirrors; no line wider than the Python's."""
    for name in SCRIPTS:
        lines = (HERE / name).read_text().splitlines()
        assert len(lines) <= 250, name
        assert max(map(len, lines)) <= 100, name


# What really ships.


@pytest.fixture(scope="module")
def dataset():
    return load("mnist")


def test_the_interactive_part_is_below_two_megabytes(laboratory):
    assert 1_000_000 < len(laboratory_html(laboratory, "").encode()) < 2_000_000


def test_each_density_gives_other_test_images_more_than_the_one_before(laboratory):
    """The nats of test latents rise along the ladder: parameters are of these latents, in order."""
    latents = laboratory.latents[8].astype("float64")
    others = dict(laboratory.densities)
    diffusion = others.pop("latent diffusion")
    nats = [density.log_prob(latents).mean() for density in others.values()]
    assert nats == sorted(nats)
    few = diffusion.log_prob(latents[:50], steps=20).mean()
    assert few > laboratory.densities["full Gaussian"].log_prob(latents[:50]).mean()


@pytest.fixture
def small(dataset, monkeypatch):
    """A data set of 300 training images, on which everything is fitted in a second."""

    class Small:
        def images(self, split, count=None):
            return dataset.images(split, 300 if split == "train" else count)

        labels = dataset.labels

    return Small()


def test_what_is_written_is_read_back(small, tmp_path, monkeypatch, laboratory):
    path = tmp_path / "laboratory.npz"
    write_fitted(small, path)
    monkeypatch.setattr("autoencoder.lecture.browser.laboratory.FITTED", path)
    found = shipped_laboratory(small).densities
    assert list(found) == list(RUNGS)
    latents = encode(laboratory.autoencoders[8], small.images("train"))
    for name in KINDS:
        wanted = fit_rung(name, latents, seed=0).log_prob(latents)
        numpy.testing.assert_allclose(found[name].log_prob(latents), wanted, rtol=1e-9)


def test_the_diffusion_that_ships_is_of_the_latents_by_their_mean_and_spread(laboratory, dataset):
    """What `LatentDiffusion.fit` finds, without its training."""
    latents = encode(laboratory.autoencoders[8], dataset.images("train", 2_000))
    density = LatentDiffusion().fit(latents, learn=lambda make_network, *_, **__: make_network())
    wanted = DiagonalGaussian().fit(latents)
    numpy.testing.assert_allclose(density.mean, wanted.mean, rtol=1e-12)
    numpy.testing.assert_allclose(density.std, wanted.std, rtol=1e-12)
    ships = laboratory.densities
    assert (ships["latent diffusion"].std == ships["diagonal Gaussian"].std).all()


@pytest.mark.parametrize("lacks", ["the right weights", "a density"])
def test_a_file_of_other_weights_or_densities_is_refused(lacks, tmp_path, monkeypatch, dataset):
    arrays, metadata = load_checkpoint(FITTED)
    if lacks == "a density":
        del arrays["density/1/mean"]
    else:
        metadata["of"] = "0" * 64
    path = tmp_path / "laboratory.npz"
    save_checkpoint(path, arrays, metadata)
    monkeypatch.setattr("autoencoder.lecture.browser.laboratory.FITTED", path)
    with pytest.raises(CheckpointError, match=r"laboratory\.npz: .*(of|density/1/mean)"):
        shipped_laboratory(dataset)


@pytest.mark.slow
def test_fitting_again_gives_the_densities_that_ship(laboratory, dataset):
    latents = encode(laboratory.autoencoders[8], dataset.images("train"))
    held_out = laboratory.latents[8].astype("float64")
    for name in KINDS:
        density = fit_rung(name, latents, seed=0)
        again, ships = (each.log_prob(held_out) for each in (density, laboratory.densities[name]))
        assert again.mean() == pytest.approx(ships.mean(), abs=0.05), name
