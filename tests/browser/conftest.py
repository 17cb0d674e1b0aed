"""What the tests of the page's JavaScript share."""

import pytest
from node import run_javascript

from autoencoder import load
from autoencoder.lecture.browser.laboratory import shipped_laboratory


@pytest.fixture(scope="session")
def run_node():
    """Run JavaScript after the page's own: ``run_node(body, given)`` gives what it returns."""
    return run_javascript


@pytest.fixture(scope="session")
def laboratory():
    """The laboratory that ships."""
    return shipped_laboratory(load("mnist"))


@pytest.fixture(scope="session")
def mnist():
    """MNIST's first 2,000 test images (N, 1, 28, 28) and their labels."""
    data = load("mnist")
    return data.images("test", 2_000), data.labels("test")[:2_000]
