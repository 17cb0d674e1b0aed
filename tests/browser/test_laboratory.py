"""The interactive part as a piece of a page: well-formed, whole, small, and with all its labels."""

import json
import re
from xml.etree import ElementTree

import numpy
import pytest

from autoencoder import AutoEncoder, Denoiser, TrainingSettings, encode
from autoencoder.densities import (
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    LatentDiffusion,
)
from autoencoder.lecture.browser.laboratory import HERE, SCRIPTS, Laboratory, laboratory_html
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
    others = AutoEncoder(32), Denoiser(), AutoEncoder(32)
    parts = Laboratory(networks, *others, 0.5, densities, latents, images, labels)
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
    assert [each["name"] for each in data["densities"]][::3] == [
        "diagonal & plain",
        "diffusion </script>",
    ]
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
    asked = set(re.findall(r'\bfind\("([^"]+)"\)', html)) | set(
        re.findall(r'\bput\("([^"]+)"', html)
    )
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
