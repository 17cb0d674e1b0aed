"""``from autoencoder import ...``: every name is the one at its home, and none is loaded early."""

import ast
import importlib
from pathlib import Path

import pytest
from running import python

import autoencoder

FOR_EDITORS = {
    alias.name: node.module
    for node in ast.walk(ast.parse(Path(autoencoder.__file__).read_text()))
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autoencoder.")
    for alias in node.names
}


def test_editors_see_the_names_that_there_are():
    assert sorted(FOR_EDITORS) == sorted(autoencoder.__all__)
    assert set(autoencoder.__all__) <= set(dir(autoencoder))


@pytest.mark.parametrize("name", autoencoder.__all__)
def test_a_name_is_the_same_object_as_at_its_home(name):
    home = importlib.import_module(FOR_EDITORS[name])
    assert getattr(autoencoder, name) is getattr(home, name)


def test_a_misspelt_name_is_answered_with_near_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'AutoEncodr'; did you mean AutoEnc"):
        autoencoder.AutoEncodr  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'trian'"):
        exec("from autoencoder import trian")
    assert not hasattr(autoencoder, "qqq")


HEAVY = {"matplotlib", "scipy", "cupy"}
PARTS = ("pca", "densities", "metrics", "data.curves", "data.faces")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        *(("import autoencoder", HEAVY), ("from autoencoder import *", HEAVY)),
        (f"import autoencoder.{', autoencoder.'.join(PARTS)}", HEAVY),
        ("import autoencoder.figures", HEAVY),
    ],
)
def test_importing_loads_nothing_heavy(statement, unwanted):
    code = f"{statement}\nimport sys; print({unwanted} & set(sys.modules))"
    assert python("-c", code).stdout == "set()\n"


def test_importing_the_package_alone_loads_nothing_of_it():
    code = "import sys, autoencoder; print([n for n in sys.modules if n.startswith('autoenc')])"
    assert python("-c", code).stdout == "['autoencoder']\n"
