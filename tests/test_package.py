"""What a release is made of: every file of the repository, so that its own suite runs."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import minigrad
from minigrad.backend import cuda

ROOT = Path(__file__).parents[1]


def test_a_source_distribution_holds_every_file_of_the_repository(tmp_path):
    pytest.importorskip("setuptools", minversion="77")  # older ones do not know our metadata
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run([*command, "sdist", "-d", str(tmp_path)], cwd=ROOT, check=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        held = {name.partition("/")[2] for name in content.getnames()}
    missing = {name for name in listed if name and (ROOT / name).exists()} - held
    assert missing == set()


def test_the_version_is_the_same_wherever_it_is_said():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == minigrad.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {minigrad.__version__}\n" in changes


def test_what_messages_say_to_install_is_what_the_extras_are():
    """A wheel's user has no clone to install an extra from, and both names on PyPI are others'."""
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in ("cuda12", "cuda13"):
        (requirement,) = re.findall(rf'^{extra} = \["(.*?)"\]', declared, re.MULTILINE)
        assert f"pip install '{requirement}'" in cuda.EXTRAS
    for folder in ("minigrad", "autoencoder"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(
                r"pip install (-e|'?minigrad|'?autoencoder)", path.read_text("utf-8")
            )
