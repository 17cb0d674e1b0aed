"""What the page computes with is what ships, and the densities are those of its latents."""

import numpy
import pytest

from autoencoder import encode, load
from autoencoder.densities import DiagonalGaussian, LatentDiffusion
from autoencoder.lecture.browser import fitted
from autoencoder.lecture.browser.fitted import FITTED, KINDS, shipped_laboratory, write_fitted
from autoencoder.lecture.browser.laboratory import laboratory_html
from autoencoder.lecture.densities import RUNGS, fit_rung
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def dataset():
    return load("mnist")


def test_the_interactive_part_is_below_two_megabytes(laboratory):
    assert 1_000_000 < len(laboratory_html(laboratory, "").encode()) < 2_000_000


def test_each_density_gives_other_test_images_more_than_the_one_before(laboratory):
    """The nats of test latents rise along the ladder: parameters are of these latents, in order."""
    latents = laboratory.latents[8].astype("float64")
    nats = {
        name: density.log_prob(latents).mean()
        for name, density in laboratory.densities.items()
        if name != "latent diffusion"
    }
    assert list(nats.values()) == sorted(nats.values())
    diffusion = laboratory.densities["latent diffusion"]
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
    monkeypatch.setattr(fitted, "FITTED", path)
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


def test_a_file_of_other_weights_is_refused(tmp_path, monkeypatch, dataset):
    arrays, metadata = load_checkpoint(FITTED)
    path = tmp_path / "laboratory.npz"
    save_checkpoint(path, arrays, {**metadata, "of": "0" * 64})
    monkeypatch.setattr(fitted, "FITTED", path)
    with pytest.raises(CheckpointError, match="of"):
        shipped_laboratory(dataset)


def test_a_file_that_lacks_a_density_is_refused_by_name(tmp_path, monkeypatch, dataset):
    arrays, metadata = load_checkpoint(FITTED)
    path = tmp_path / "laboratory.npz"
    del arrays["density/1/mean"]
    save_checkpoint(path, arrays, metadata)
    monkeypatch.setattr(fitted, "FITTED", path)
    with pytest.raises(CheckpointError, match=r"laboratory\.npz"):
        shipped_laboratory(dataset)


@pytest.mark.slow
def test_fitting_again_gives_the_densities_that_ship(laboratory, dataset):
    latents = encode(laboratory.autoencoders[8], dataset.images("train"))
    held_out = laboratory.latents[8].astype("float64")
    for name in KINDS:
        density = fit_rung(name, latents, seed=0)
        again, ships = (each.log_prob(held_out) for each in (density, laboratory.densities[name]))
        assert again.mean() == pytest.approx(ships.mean(), abs=0.05), name
