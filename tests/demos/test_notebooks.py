"""The tour as notebooks: run, with its pictures in them."""

import base64
import io
import json
import sys

import pytest
from PIL import Image
from running import python

from autoencoder.lecture.sections import DEMOS, load_demo

TOUR = DEMOS / "tour"
NEEDED = ("jupytext", "nbconvert", "ipykernel")


def write_notebooks(folder, *words, status=0):
    """Run the command in a folder."""
    return python(TOUR / "notebooks.py", *words, status=status, cwd=folder)


@pytest.fixture
def _with_the_extra():
    for name in NEEDED:
        pytest.importorskip(name, reason=f"{name} is missing: pip install -e '.[notebook]'")


@pytest.mark.usefixtures("_with_the_extra")
def test_nine_notebooks_are_written_with_every_picture_under_its_cell(tmp_path):
    result = write_notebooks(tmp_path)
    scripts = sorted(TOUR.glob("[0-9]*.py"))
    written = [tmp_path / "runs" / "notebooks" / f"{path.stem}.ipynb" for path in scripts]
    assert result.stdout.split() == [str(path.relative_to(tmp_path)) for path in written]
    assert sorted(written[0].parent.iterdir()) == written
    for script, path in zip(scripts, written):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        assert cells[0]["cell_type"] == "markdown"
        saved = sorted((tmp_path / "runs" / "tour").glob(f"{script.stem[:2]}_*.png"))
        outputs = [output for cell in code for output in cell["outputs"]]
        shown = [each["data"]["image/png"] for each in outputs if "data" in each]
        assert {base64.b64decode(each) for each in shown} == {each.read_bytes() for each in saved}
        assert len(shown) == len(saved)
        assert saved or script.stem[:2] in ("01", "06", "09"), script.name
        for each in shown:
            assert min(Image.open(io.BytesIO(base64.b64decode(each))).size) > 200


@pytest.mark.usefixtures("_with_the_extra")
def test_a_script_that_fails_is_named_with_its_cell_and_leaves_no_notebook(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("# %% [markdown]\n# # Mine\n\n# %%\nx = 1\n\n# %%\ny = 0\nx / y\n")
    result = write_notebooks(tmp_path, script, "--out", tmp_path / "out", status=1)
    assert result.stderr.splitlines()[-1] == (
        "mine.py: code cell 2, which begins 'y = 0': ZeroDivisionError: division by zero"
    )
    assert "\x1b" not in result.stderr
    assert list((tmp_path / "out").iterdir()) == []
    (line,) = write_notebooks(tmp_path, "none.py", status=2).stderr.splitlines()
    assert "none.py" in line


def test_what_is_not_installed_is_said_in_a_line(monkeypatch, refused):
    for name in NEEDED:
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    said = "notebooks.py: ipykernel is missing: pip install -e '.[notebook]'\n"
    assert refused(load_demo("notebooks", TOUR).main, []) == said
