"""What the sections leave with the preset smoke, to be looked at."""

import functools

import pytest

from autoencoder.storage.results import Results


@pytest.fixture(scope="session")
def smoke(tmp_path_factory, smoke_run):
    """The folder of a section's smoke run, and its results, by the section's name."""

    @functools.cache
    def smoke(name):
        folder = smoke_run(name, tmp_path_factory.mktemp(name))
        return folder, Results.load(folder / "results.npz")

    return smoke
