"""What ships with the package: found by what decides it, as good as it says, complete."""

import dataclasses
import functools
import hashlib
import json

import numpy
import pytest
from small_section import Short, draw_points, small_section, train_network

from autoencoder.data import datasets
from autoencoder.inference import encode
from autoencoder.lecture import shipped
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option, parse
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_demo, load_section
from autoencoder.lecture.shared import trained_autoencoder
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.results import Needs, Results
from autoencoder.storage.weights import save_weights
from autoencoder.training import load_model
from minigrad import Tensor, nn, no_grad
from minigrad import functional as F
from minigrad.parallel.ranks import run_in_threads

train_weights = load_demo("train_weights")
lecture = load_demo("lecture")
POINTS = draw_points()


def a_run(folder, name="net", ranks=None, **options):
    run = Run(name, Short(**options), folder / name, folder / "models", quiet=True, ranks=ranks)
    run.folder.mkdir(parents=True, exist_ok=True)
    return run


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty package, into which a test ships what it likes."""
    folder = tmp_path / "package"
    for kind in ("weights", "results"):
        (folder / kind).mkdir(parents=True)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return folder


@pytest.fixture
def net(tmp_path, package):
    """A trained network that ships, rounded to half precision."""
    run = a_run(tmp_path)
    model, rows = train_network(run, "net")
    path = package / "weights" / "net.npz"
    identity = run.identities["net"]
    save_weights(path, model, {"identity": identity, "rows": rows})
    train_weights._note("weights", "net", path, {"identity": identity})
    return model, rows


def test_a_network_that_ships_is_not_trained_again(tmp_path, net, monkeypatch):
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    run = a_run(tmp_path / "again")
    model, rows = train_network(run, "net")
    assert rows == net[1]
    assert run.trains == []
    for name, array in model.state_dict().items():
        expected = net[0].state_dict()[name].astype("float16")
        assert array.dtype == "float32"
        assert (array == expected).all()


@pytest.mark.parametrize(
    "change", [{"retrain": True}, {"seed": 1}, {"epochs": 2}, {"batch_size": 20}]
)
def test_anything_else_is_trained(tmp_path, net, change):
    run = a_run(tmp_path / "again", **change)
    train_network(run, "net")
    assert run.trains == ["net"]
    assert list((tmp_path / "again" / "models").iterdir())


def test_another_name_or_other_samples_are_trained(tmp_path, net):
    run = a_run(tmp_path / "again")
    train_network(run, "other")
    run.trained("net", lambda: mlp(2, 4, 2), POINTS[1:])
    assert run.trains == ["other", "net"]


def test_a_network_that_starts_elsewhere_is_another_one(tmp_path, net):
    run = a_run(tmp_path / "again", epochs=1)
    started = []
    train_network(run, "net", start=started.append)
    assert run.trains == ["net"]
    assert len(started) == 1


def test_samples_known_by_what_they_follow_from_may_differ_in_their_last_bits(tmp_path, package):
    first, second = a_run(tmp_path / "1"), a_run(tmp_path / "2")
    for run, points in ((first, POINTS), (second, POINTS * (1 + 2**-23))):
        run.trained("net", lambda: mlp(2, 4, 2), points.astype("float32"), samples_of="a model")
    assert first.identities == second.identities
    names = [{path.name for path in run.models.iterdir()} for run in (first, second)]
    assert names[0] != names[1]  # what is trained here goes on only from the same bits


def test_shipped_weights_are_read_where_the_run_computes(tmp_path, net, gpu):
    model, _ = train_network(a_run(tmp_path / "again", device=str(gpu)), "net")
    assert {str(parameter.device) for parameter in model.parameters()} == {str(gpu)}


def test_all_ranks_take_shipped_weights(tmp_path, net):
    def work(ranks):
        run = a_run(tmp_path / "again", ranks=ranks)
        model, rows = train_network(run, "net")
        return run.trains, len(rows), float(model.state_dict()["0.weight"].sum())

    found = run_in_threads(work, 2)
    assert found[0] == found[1]
    assert found[0][0] == []


def test_a_damaged_file_of_weights_is_refused_by_name(tmp_path, net, package):
    path = package / "weights" / "net.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match=r"net\.npz"):
        train_network(a_run(tmp_path / "again"), "net")


@pytest.fixture
def two_sections(monkeypatch, tmp_path, package):
    """The lecture made short, and what ships made by its own command: one network of the two."""
    sections = {name: small_section(name) for name in ("first", "second")}
    for demo in (lecture, train_weights):
        monkeypatch.setattr(demo, "SECTIONS", tuple(sections))
        monkeypatch.setattr(demo, "load_section", sections.__getitem__)
    monkeypatch.setattr(train_weights, "NETWORKS", {"first": ("first",)})
    monkeypatch.setattr(train_weights, "figure", lambda *arguments: {"error": 0.5})
    monkeypatch.chdir(tmp_path)
    assert train_weights.main(["--only", "first,second", "--write"]) == 0
    return sections


def run_lecture(tmp_path, *words):
    """Run the lecture into `page`; each section's captions."""
    folder = tmp_path / "page"
    assert lecture.main([*words, "--out", str(folder)]) == 0
    return {name: (folder / name / "summary.txt").read_text() for name in ("first", "second")}


def forbid(monkeypatch, sections, *names):
    def refuse(run):
        raise AssertionError(f"{run.name} was computed")

    for name in names:
        monkeypatch.setitem(sections, name, dataclasses.replace(sections[name], compute=refuse))


def test_the_lecture_is_drawn_from_shipped_results_and_every_caption_says_so(
    tmp_path, two_sections, monkeypatch, capsys
):
    forbid(monkeypatch, two_sections, "first", "second")
    before = run_lecture(tmp_path)
    for name, text in before.items():
        said = " ".join(text.split())
        command = f"python demos/train_weights.py --only {name} --write"
        assert f"Shipped results, computed by {command}." in said
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("Shipped results, computed by") == 2
    assert "drawn from results that ship" in page
    assert run_lecture(tmp_path, "--replot") == before
    assert run_lecture(tmp_path) == before
    assert capsys.readouterr().out.count("was computed before") == 4


def test_recompute_computes_what_it_can_from_weights_and_names_the_rest(
    tmp_path, two_sections, monkeypatch, capsys
):
    forbid(monkeypatch, two_sections, "second")
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    captions = run_lecture(tmp_path, "--recompute")
    said = capsys.readouterr().out
    assert "Taken as shipped: 2 About second\n" in said
    assert "Shipped" not in captions["first"]
    assert "Shipped" in captions["second"]


def test_retrain_takes_nothing_that_ships(tmp_path, two_sections, package, monkeypatch):
    monkeypatch.setattr(lecture, "shipped_results", None)
    monkeypatch.setattr("autoencoder.lecture.run.shipped_rows", None)
    assert "Shipped" not in "".join(run_lecture(tmp_path, "--retrain").values())
    page = (tmp_path / "page" / "index.html").read_text()
    assert "python demos/first.py --preset default --retrain" in page


def test_recompute_and_retrain_exclude_each_other(refused):
    error = refused(lecture.main, ["--recompute", "--retrain"])
    assert "--recompute: not allowed with argument --retrain" in error


@pytest.mark.parametrize("other", [["--seed", "1"], ["--preset", "full"]])
def test_for_other_options_the_lecture_computes_and_says_so(tmp_path, two_sections, capsys, other):
    captions = run_lecture(tmp_path, *other)
    assert f"No results ship for {' '.join(other)}: the sections are" in capsys.readouterr().out
    assert "Shipped" not in "".join(captions.values())


def test_what_a_changed_section_misses_in_shipped_results_is_named_and_computed(
    tmp_path, two_sections, monkeypatch, capsys
):
    def more(options, found):
        return Needs({"weight": "4 2", "newer": "4 2"}, {})

    forbid(monkeypatch, two_sections, "second")
    changed = dataclasses.replace(two_sections["first"], needs=more)
    monkeypatch.setitem(two_sections, "first", changed)
    captions = run_lecture(tmp_path)
    said = capsys.readouterr().out
    assert "first.npz: newer: is missing" in said
    assert "Shipped" not in captions["first"]
    assert "Shipped" in captions["second"]


def test_a_section_whose_options_changed_is_computed(tmp_path, two_sections, monkeypatch, capsys):
    @dataclasses.dataclass
    class Longer(Short):
        epochs: int = option("passes", default=3)

    changed = dataclasses.replace(two_sections["first"], options=Longer)
    monkeypatch.setitem(two_sections, "first", changed)
    assert "Shipped" not in run_lecture(tmp_path)["first"]
    assert "'epochs'" in capsys.readouterr().out


def test_a_section_takes_the_weights_and_says_so(
    tmp_path, two_sections, capsys, monkeypatch, refused
):
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    out = ["--out", str(tmp_path / "alone")]
    assert main(two_sections["first"], out) == 0
    said = capsys.readouterr().out
    assert "first: its weights ship with the package (--retrain trains it)" in said
    error = refused(main, two_sections["first"], ["--resume", "--retrain", *out])
    assert "--retrain was False" in error


def test_smoke_says_that_it_trains_too_little_in_place_of_claims(tmp_path, two_sections):
    for preset, is_claimed in (("smoke", False), ("full", True)):
        folder = tmp_path / preset
        assert main(two_sections["first"], ["--preset", preset, "--out", str(folder)]) == 0
        said = " ".join((folder / "summary.txt").read_text().split())
        assert ("The first is 0." in said) == is_claimed
        assert ("trains too little for any of it to be believed" in said) != is_claimed


def test_the_command_says_how_far_the_new_is_from_the_old(two_sections, capsys, package):
    manifest = json.loads((package / shipped.MANIFEST).read_text())
    entry = manifest["weights"]["first"]
    content = (package / "weights" / "first.npz").read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["bytes"] == len(content)
    assert {"command", "seed", "versions", "identity", "figures", "epochs"} <= entry.keys()
    assert manifest["results"]["first"]["trains"] == []
    assert manifest["results"]["second"]["trains"] == ["second"]
    path = package / "weights" / "first.npz"
    model = mlp(2, 4, 2)
    shipped.shipped_rows(path, model)
    model.load_state_dict({name: 1.1 * each for name, each in model.state_dict().items()})
    save_weights(path, model, {"identity": entry["identity"], "rows": []})
    capsys.readouterr()
    assert train_weights.main(["--only", "first"]) == 0
    said = capsys.readouterr().out
    assert "first: weights differ by 9.1e-02 of their size; error" in said  # 0.1 / 1.1
    assert "results of first: arrays differ by 0.0e+00 of their size; the same numbers" in said
    assert json.loads((package / shipped.MANIFEST).read_text()) == manifest


def test_weights_of_other_options_are_not_written_into_the_package(two_sections, refused):
    error = refused(train_weights.main, ["--only", "first", "--write", "--seed", "1"])
    assert "nothing ships for --seed 1" in error


def test_results_are_packed_as_finely_as_figures_show(tmp_path):
    rng = numpy.random.default_rng(0)
    arrays = {
        "image": rng.random((5, 1, 9, 9)).astype("float32"),
        "decoded": rng.normal(size=(5, 1, 9, 9)).astype("float32"),
        "points": rng.normal(size=(200, 2)),
        "tiny": rng.random(100) * 1e-9,
        "huge": rng.random(100) * 1e9,
        "few": rng.random(3),
        "mask": rng.random((5, 1, 9, 9)) > 0.5,
        "labels": rng.integers(10, size=200),
        "exact": numpy.arange(80.0) + 1e-6,
    }
    needs = Needs({"exact": arrays["exact"]}, {})
    section = small_section("one", needs=lambda options, found: needs)
    path = tmp_path / "one.npz"
    results = Results(arrays, {"seed": 3}, [{"epoch": 1}])
    shipped.write_results(path, section, results, {"demo": "one"}, None)
    read = shipped.read_results(path, {"demo": "one", "retrain": True})
    assert (read.numbers, read.rows) == (results.numbers, results.rows)
    for name, array in arrays.items():
        assert read.arrays[name].dtype == array.dtype, name
        apart = numpy.abs(read.arrays[name].astype("float64") - array.astype("float64"))
        steps = {"image": 1 / 510, "decoded": numpy.ptp(arrays["decoded"]) / 510}
        bound = steps.get(name, numpy.abs(array) * (2**-11 if name == "points" else 0))
        assert (apart <= bound + 1e-7 * (name in steps)).all(), name
    with pytest.raises(CheckpointError, match="configuration"):
        shipped.read_results(path, {"demo": "another"})


def test_arrays_that_captions_are_made_from_are_not_rounded(tmp_path):
    def captions(results):
        return {"weights": Caption(f"{results.arrays['x'][7]:.9f}")}

    section = small_section("one", captions=captions, needs=None)
    path = tmp_path / "one.npz"
    results = Results({"x": numpy.linspace(0, 1, 100) ** 2})
    shipped.write_results(path, section, results, {"demo": "one"}, None)
    assert (shipped.read_results(path).arrays["x"] == results.arrays["x"]).all()


# What really ships.

LISTED = shipped.manifest()


@functools.cache
def few_digits():
    mnist = datasets.load()
    count = train_weights.FEW
    return mnist.images("test", count), mnist.labels("test")[:count]


@pytest.mark.parametrize("name", LISTED["weights"])
def test_a_network_that_ships_is_as_good_as_the_manifest_says(name):
    path = shipped.FOLDER / "weights" / f"{name}.npz"
    entry = shipped.manifest()["weights"][name]
    content = path.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    found = train_weights.figure(name, load_model(path), *few_digits())
    for measure, value in found.items():
        few = entry["figures"][f"{measure} of {train_weights.FEW} test images"]
        assert value == pytest.approx(few, rel=1e-3)


def test_the_error_at_d_8_is_within_5_percent_of_pytorchs():
    """PyTorch reached 0.01738 with one seed, from biases that are drawn."""
    figures = shipped.manifest()["weights"]["autoencoder-d8"]["figures"]
    assert figures["squared error of 10,000 test images"] == pytest.approx(0.01738, rel=0.05)


@pytest.mark.parametrize("size", [2, 4, 8, 16, 32])
def test_no_layer_of_an_autoencoder_that_ships_has_lost_most_of_its_channels(size, monkeypatch):
    """A channel that is above 0 for no image passes no gradient: it will not come back."""
    kept = []

    def forward(self, x):
        y = F.relu(x)
        kept.append(float((y.data.max(axis=(0, 2, 3)) > 0).mean()))
        return y

    monkeypatch.setattr(nn.ReLU, "forward", forward)
    model = load_model(shipped.FOLDER / "weights" / f"autoencoder-d{size}.npz")
    with no_grad():
        model(Tensor(few_digits()[0]))
    assert len(kept) == 8
    assert min(kept) >= 0.4, kept


def test_the_manifest_lists_every_file_that_ships_and_its_size_is_kept():
    listed = shipped.manifest()
    networks = {name for names in train_weights.NETWORKS.values() for name in names}
    assert set(listed["weights"]) == {"classifier", *networks}
    assert set(listed["results"]) == set(SECTIONS)
    for kind, most in (("weights", 4e6), ("results", 3e6)):
        files = {path.stem: path for path in (shipped.FOLDER / kind).glob("*.npz")}
        assert set(files) == set(listed[kind])
        for name, path in files.items():
            entry = listed[kind][name]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], name
            assert entry["command"].startswith("python demos/train_weights.py --only ")
            assert entry["versions"].keys() == {"minigrad", "numpy", "python", "processor"}
        assert sum(path.stat().st_size for path in files.values()) <= most


@pytest.mark.parametrize("name", LISTED["results"])
def test_the_results_that_ship_are_what_the_section_computes_and_draws_by_now(name):
    section = load_section(name)
    options, _ = parse(section.parser(), section.options, [])
    run = Run(name, options, "unused", "unused")
    results = shipped.shipped_results(section, run.configuration, options)
    for caption in section.said(results, "default").values():
        assert caption.said.endswith(f"--only {name} --write.")


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("train_autoencoder", "variational")]


@pytest.mark.parametrize("name", ["sample_latent", "restore", "compare_denoisers", *SLOW])
def test_a_section_finds_the_weights_that_ship(name, monkeypatch, tmp_path):
    class Asked(Exception):
        pass

    def asked(run, network, model, settings):
        raise Asked(network, run.identities[network])

    monkeypatch.setattr(Run, "_shipped", asked)
    section = load_section(name)
    options, _ = parse(section.parser(), section.options, [])
    run = Run(name, options, tmp_path / name, tmp_path / "models", quiet=True)
    run.write_configuration()
    with pytest.raises(Asked) as caught:
        section.compute(run)
    network, identity = caught.value.args
    assert shipped.shipped_weights(network, identity) is not None, network


@pytest.mark.slow
def test_the_command_gives_the_weights_that_ship_again(tmp_path):
    """The diffusion over eight latents: a minute. Half precision leaves 2e-4 of the weights' size;
    another processor's rounding grows in training, so their figure is compared too.
    """
    ladder = load_demo("density_ladder")
    name, folder = "latent-diffusion-d8", shipped.FOLDER / "weights"
    run = Run("density_ladder", ladder.Options(), tmp_path, tmp_path / "models", quiet=True)
    model, _ = trained_autoencoder(run, 8)
    latents = encode(model, run.images("train"))
    run.options.retrain = True
    density, _ = ladder.fitted_diffusion(run, latents, 0)
    assert run.trains == [name]
    assert run.identities[name] == shipped.manifest()["weights"][name]["identity"]
    weights = (load_model(folder / f"{name}.npz").state_dict(), density.network.state_dict())
    apart = train_weights.difference(*weights)
    new, old = (
        train_weights.figure(name, network, few_digits()[0])["squared error of velocities"]
        for network in (density.network, load_model(folder / f"{name}.npz"))
    )
    print(f"{name}: weights differ by {apart:.1e} of their size; figures {new:.5g} and {old:.5g}")
    assert new == pytest.approx(old, rel=0.02)
