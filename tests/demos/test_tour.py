"""The tour runs: as plain Python, and cell by cell."""

import math
import re
import sys

import numpy
import pytest
from matplotlib.image import imread
from running import python

from autoencoder.lecture.sections import DEMOS
from minigrad.engine import Operation

TOUR = DEMOS / "tour"
SCRIPTS = sorted(TOUR.glob("[0-9]*.py"))


def cells(path):
    """The code cells of a script in percent format."""
    parts = re.split(r"^# %%(.*)$", path.read_text(), flags=re.MULTILINE)
    assert parts[0] == "", f"{path.name} begins before its first cell"
    kinds, bodies = parts[1::2], parts[2::2]
    for kind, body in zip(kinds, bodies):
        if kind == " [markdown]":
            assert all(line.startswith("#") for line in body.strip().splitlines()), body
        else:
            assert kind == ""
            yield body


@pytest.fixture
def run_cells(tmp_path, monkeypatch):
    """Run a script cell by cell, as a notebook does: without arguments, without __file__."""
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    known = dict(Operation.registry)

    def run(name):
        (path,) = TOUR.glob(f"{name}*.py")
        namespace = {"__name__": "__main__"}
        for i, cell in enumerate(cells(path)):
            exec(compile(cell, f"{path.name}, cell {i}", "exec"), namespace)
        return namespace, tmp_path / "runs" / "tour"

    yield run
    Operation.registry.clear()
    Operation.registry.update(known)


def assert_drawn(folder, *names):
    assert sorted(path.stem for path in folder.glob("*.png")) == sorted(names)
    for name in names:
        picture = imread(folder / f"{name}.png")
        assert min(picture.shape[:2]) > 200
        assert numpy.std(picture[..., :3]) > 0.02, f"{name} is blank"


def test_scripts_are_numbered_without_a_gap_and_listed():
    assert [int(path.name[:2]) for path in SCRIPTS] == list(range(1, 10))
    index = (TOUR / "README.md").read_text()
    listed = re.findall(r"^\| `(\S+\.py)`", index, re.MULTILINE)
    assert listed == [path.name for path in SCRIPTS]
    for source in re.findall(r"`((?:minigrad|autoencoder)/\S*?)`", index):
        assert (TOUR.parents[1] / source).exists(), source


def test_chain_rule_by_hand_is_what_backward_gives(run_cells, capsys):
    found, _ = run_cells("01")
    for name in ("w", "b"):
        by_hand, backward = found[f"d_{name}"], found[f"{name}_tensor"].grad.item()
        assert backward == pytest.approx(by_hand, rel=1e-12)
        assert found["by_difference"][name] == pytest.approx(by_hand, rel=1e-7)
    assert "dloss/dw  -0.4108812968  -0.4108812968  -0.4108812968" in capsys.readouterr().out


def test_graph_is_drawn_before_and_after_and_walked_between(run_cells, capsys):
    found, folder = run_cells("02")
    printed = capsys.readouterr().out
    assert "Tensor(values not kept by tanh, shape=(), dtype=float32, grad_fn=add)" in printed
    w, b = -0.3, 1.0
    y = math.tanh(2 * w + b)
    made = dict(re.findall(r"^(\w+) +took \d and made (.*)$", printed, re.MULTILINE))
    values = {"mul": (y - 0.5) ** 2, "shift": y - 0.5, "tanh": y, "add": 2 * w + b, "scale": 2 * w}
    assert {name: float(value) for name, value in made.items()} == pytest.approx(values, rel=1e-5)
    assert_drawn(folder, "02_graph_before", "02_graph_after")
    assert found["w"].grad.item() == pytest.approx(-0.4108813, rel=1e-6)
    assert "shift (4)  minigrad/functional/arithmetic.py:" in printed


def test_check_catches_the_planted_bug_and_passes_without_it(run_cells, monkeypatch, capsys):
    found, folder = run_cells("03")
    assert found["verdict"].startswith("caught: input 0 of shape (3,)")
    assert (found["of_the_sum"], found["of_the_outputs"]) == (True, False)
    assert_drawn(folder, "03_step")
    assert found["gradcheck"](lambda x: x * x * x, found["x"])
    found["FACTOR"] = 3.0  # the reader's correction
    assert found["gradcheck"](lambda x: found["Cube"]()(x), found["x"])


def test_gradients_add_up_and_broadcasting_is_undone(run_cells, capsys):
    found, folder = run_cells("04")
    assert found["x"].grad.item() == 11
    assert found["bias"].grad.data.tolist() == [18, 22, 26]
    assert "()       everything     12.0" in capsys.readouterr().out
    assert_drawn(folder, "04_broadcasting")


def test_four_convolutions_agree_and_the_last_is_fastest(run_cells, capsys):
    found, folder = run_cells("05")
    errors = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(errors) == 4
    assert max(errors) < 1e-3
    assert found["speeds"]["minigrad"] > 20 * found["speeds"]["loops"]
    assert_drawn(folder, "05_convolution")


def test_adjoint_identity_holds_to_rounding(run_cells, capsys):
    found, _ = run_cells("06")
    values = list(found["products"].values())
    assert max(values) - min(values) < 1e-11 * abs(values[0])
    assert abs(found["by_engine"] - found["by_definition"]) < 1e-11 * abs(found["by_definition"])


def test_points_training_finds_the_curve(run_cells, capsys):
    found, folder = run_cells("07")
    assert found["loss"].item() < 0.01  # the points' variance is above 0.6
    assert_drawn(folder, "07_points")


def test_autoencoder_learns_more_than_the_mean_image(run_cells, capsys):
    found, folder = run_cells("08")
    assert_drawn(folder, "08_decoded", "08_halves", "08_layers")
    error = float(numpy.mean((found["shown"] - found["decoded"]) ** 2))
    assert error < found["blank"]
    output = capsys.readouterr().out
    assert re.search(r"encoder\.8 Conv2d +\(1, 8, 1, 1\) +4104", output)
    assert re.search(r"in all +112457", output)


def test_last_script_runs_a_cuda_kernel_and_says_whether_there_is_a_gpu(run_cells, capsys):
    found, folder = run_cells("09")
    printed = capsys.readouterr().out
    if found["emulation"].missing() is None:
        assert found["wrong"].pop("conv2d.cu") == 0
        assert len(found["wrong"]) == 3
        assert min(found["wrong"].values()) > 0.05
        assert_drawn(folder, "09_barriers")
    assert printed.count("__syncthreads();") == 3
    assert found["losses"]["cpu"][2] < found["losses"]["cpu"][0]
    assert ("no GPU here" in printed) == (found["places"] == ["cpu"])


def test_scripts_run_as_plain_python(tmp_path):
    python(TOUR / "02_graph.py", cwd=tmp_path)
    assert (tmp_path / "runs" / "tour" / "02_graph_after.png").exists()
