"""The lecture's page from one command: all sections, self-contained, resumed, redrawn."""

import base64
import contextlib
import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from small_section import small_section

from autoencoder.lecture.sections import SECTIONS, TOPICS, load_demo, load_section
from autoencoder.training import Interrupted

lecture_demo = load_demo("lecture")
main = lecture_demo.main
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lecture(tmp_path_factory, smoke_run):
    """The lecture made of sections that were computed alone, as their demos are."""
    folder = tmp_path_factory.mktemp("lecture")
    for name in SECTIONS:
        models = smoke_run(name, folder / name) / "models"
        shutil.copytree(models, folder / "models", dirs_exist_ok=True)
        shutil.rmtree(models)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.MonkeyPatch.context() as monkeypatch:
        forbid_computing(monkeypatch)
        assert main(["--preset", "smoke", "--out", str(folder)]) == 0
    assert said.getvalue().count("was computed before") == len(SECTIONS)
    return folder


def refuse(run):
    raise AssertionError(f"{run.name} was computed again")


def forbid_computing(monkeypatch, allowed=()):
    def load(name):
        section = load_section(name)
        return section if name in allowed else dataclasses.replace(section, compute=refuse)

    monkeypatch.setattr(lecture_demo, "load_section", load)


def sections_of(folder):
    found = ElementTree.parse(folder / "index.html").getroot().iter("section")
    return [section for section in found if section.attrib.get("id") in SECTIONS]


def test_the_page_holds_every_section_with_all_its_parts(lecture):
    found = sections_of(lecture)
    assert [section.attrib["id"] for section in found] == list(SECTIONS)
    for section in found:
        name = section.attrib["id"]
        assert section.find(".//h2//span").text == str(SECTIONS.index(name) + 1)
        assert section.find(".//img") is not None, name
        assert len("".join(section.find(".//figcaption").itertext())) > 20, name
        assert section.find(".//{http://www.w3.org/2000/svg}svg") is not None, name
        entries = ["".join(entry.itertext()) for entry in section.iter("dd")]
        topics, sources, command, source, settings = entries
        assert re.match(r"\d+ [A-Z]", topics), name
        assert re.search(r"\d{4}|course", sources), name
        assert command == f"python demos/{name}.py --preset smoke"
        assert (ROOT / command.split()[1]).is_file()
        assert (ROOT / source).is_file()
        assert settings.startswith("preset smoke, seed 0")


def test_the_page_opens_with_degrees_of_freedom_and_points_to_their_section(lecture):
    root = ElementTree.parse(lecture / "index.html").getroot()
    opening = root.find("body")[1]
    assert opening.attrib["class"] == "opening"
    assert root.find("body")[2].tag == "nav"
    link = opening.find("p/a")
    target = root.find(f".//section[@id='{link.attrib['href'].removeprefix('#')}']")
    assert "".join(target.find(".//h2").itertext()).endswith(" Degrees of freedom")
    assert link.text.split()[:2] == ["Section", target.find(".//h2//span").text]
    # 32 x 32 pixels of three colours, and the factors that the faces are drawn from
    assert "a picture of 3,072 numbers, and was drawn from 8." in opening.find("p").text
    content = opening.find(".//img").attrib["src"].partition(",")[2]
    shown = Image.open(io.BytesIO(base64.b64decode(content)))
    assert shown.size == Image.open(lecture / "opening.png").size


def test_every_topic_of_the_deck_has_its_section_and_its_figures_their_credit():
    covered = {topic for name in SECTIONS for topic in load_section(name).topics}
    assert covered == set(TOPICS) == set(range(1, 16))
    credited = {topic for topic, title in TOPICS.items() if "figure" in title}
    assert credited == {4, 8, 9, 10, 14, 15}


def test_every_section_shows_a_measured_number(lecture):
    for section in sections_of(lecture):
        captions = "".join("".join(each.itertext()) for each in section.iter("figcaption"))
        assert re.search(r"\d[.,e]\d", captions), section.attrib["id"]


def test_a_section_that_is_missing_or_damaged_is_computed_again(lecture, monkeypatch, capsys):
    name = "degrees_of_freedom"
    before = (lecture / "index.html").read_bytes()
    results = lecture / name / "results.npz"
    results.write_bytes(results.read_bytes()[:-100])
    forbid_computing(monkeypatch, allowed=[name])
    assert main(["--resume", "--out", str(lecture)]) == 0
    assert capsys.readouterr().out.count("was computed before") == len(SECTIONS) - 1
    assert (lecture / "index.html").read_bytes() == before


def test_another_configuration_does_not_overwrite_the_lecture(lecture, refused):
    other = ["--preset", "smoke", "--seed", "1", "--out", str(lecture)]
    assert "holds an earlier run" in refused(main, other)


@pytest.fixture
def two_sections(monkeypatch):
    """The lecture made short; what is stored here changes a section."""
    changes = {"first": {}, "second": {}}
    monkeypatch.setattr(lecture_demo, "SECTIONS", tuple(changes))
    monkeypatch.setattr(lecture_demo, "load_section", lambda n: small_section(n, **changes[n]))
    return changes


@pytest.mark.parametrize("how", [["--preset", "smoke"], ["--resume"], ["--replot"]])
def test_a_second_run_computes_nothing_again_and_draws_what_it_is_asked(
    tmp_path, two_sections, how
):
    assert main(["--preset", "smoke", "--out", str(tmp_path)]) == 0
    pictures = sorted(tmp_path.rglob("*.svg")) if how == ["--replot"] else []
    files = [tmp_path / "index.html", *pictures]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    two_sections.update(first={"compute": refuse}, second={"compute": refuse})
    assert main([*how, "--out", str(tmp_path)]) == 0
    assert [file.read_bytes() for file in files] == before
    assert len(pictures) == 2 * (how == ["--replot"])


def test_replot_of_a_section_that_was_not_computed_says_so(tmp_path, two_sections, capsys):
    out = ["--out", str(tmp_path)]
    assert main(["--preset", "smoke", *out]) == 0
    (tmp_path / "second" / "results.npz").unlink()
    assert main(["--replot", *out]) == 1
    assert "holds no results" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stop", "status"), [(Interrupted(15, "epoch 1"), 143), (KeyboardInterrupt(), 130)]
)
def test_an_interrupted_lecture_says_how_to_go_on(tmp_path, two_sections, capsys, stop, status):
    def interrupted(run):
        raise stop

    two_sections["second"] = {"compute": interrupted}
    assert main(["--preset", "smoke", "--out", str(tmp_path)]) == status
    expected = f"Go on with: python demos/lecture.py --resume --out {tmp_path}"
    assert expected in capsys.readouterr().err
    text = (tmp_path / "index.html").read_text()
    assert "The first 1 of 2 sections" in text
    assert "About second (not computed yet)" in text
    two_sections.update(first={"compute": refuse}, second={})
    assert main(["--resume", "--out", str(tmp_path)]) == 0
    assert "All 2 sections" in (tmp_path / "index.html").read_text()


def test_without_a_folder_the_same_command_goes_on_and_another_begins(
    tmp_path, two_sections, capsys
):
    assert main(["--preset", "smoke"]) == 0
    assert main(["--preset", "smoke"]) == 0
    assert capsys.readouterr().out.count("was computed before") == 2
    assert main(["--preset", "smoke", "--seed", "1"]) == 0
    runs = tmp_path / "runs" / "lecture"
    seeds = [json.loads((runs / n / "config.json").read_text())["seed"] for n in ("001", "002")]
    assert seeds == [0, 1]
    assert not (runs / "003").exists()
    # Models are shared by all runs, also when one is gone on with by its folder.
    models = sorted(path.name for path in (tmp_path / "runs" / "models").iterdir())
    assert len(models) == 4
    (runs / "001" / "second" / "results.npz").unlink()
    assert main(["--resume", "--out", "runs/lecture/001"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs" / "models").iterdir()) == models
    assert not (runs / "001" / "models").exists()
    assert "--seed 1" in (runs / "002" / "index.html").read_text()


def test_a_demo_is_loaded_from_any_folder_and_may_hold_a_dataclass(tmp_path):
    (tmp_path / "drawn.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Options:\n    seed: int = 3\n"
    )
    module = load_demo("drawn", tmp_path)
    assert module.Options().seed == 3
    assert load_demo("drawn", tmp_path) is module
    with pytest.raises(ModuleNotFoundError, match="there is no demo"):
        load_demo("drawn")
