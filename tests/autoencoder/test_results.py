"""A file of results is refused, by field, unless a section's figures and captions can use it."""

import copy

import numpy
import pytest

from autoencoder.lecture.command_line import parse
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_section
from autoencoder.storage.checkpoint import CheckpointError, Kind, save_checkpoint
from autoencoder.storage.results import Results

SIZES = {"G": 2, "N": 3, "M": 5, "L": 6, "S": 4, "C": 3, "H": 28, "W": 28, "K": 3}
NOT_FINITE = [float("nan"), float("inf"), 10**400, 1e300]
WRONG = {
    "a finite number": [None, "1", [], {}, True, *NOT_FINITE],
    "a positive number": [None, "1", [1.0], 0, -1.0, False, *NOT_FINITE],
    "a finite number from 0": [None, "1", -1, *NOT_FINITE],
    "a number": [None, "1", [], {}, True, 10**400],
    "a whole number from 0": [None, "1", -1, 0.5, 10**400, float("nan")],
    "a short text": [None, 3, "$\\frac$", "x" * 1_000, []],
    "anything": [],
}


def made_up(expected):
    """A value that is just what is asked for, and no more."""
    if isinstance(expected, Kind):
        return "text" if expected.words == "a short text" else 2
    if isinstance(expected, dict):
        return {key: made_up(value) for key, value in expected.items()}
    if isinstance(expected, list):
        return [made_up(value) for value in expected if value is not ...]
    return expected


def made_up_array(expected):
    if isinstance(expected, numpy.ndarray):
        return expected
    words = [word for word in expected.split() if not word.islower()]
    shape = [SIZES[word] if word in SIZES else int(word) for word in words]
    array = numpy.random.default_rng(0).random(shape).astype("float32") + 0.1
    return array > 0.5 if "bool" in expected else array


def setting(name):
    """A section, its smoke options, what it needs and results with that and nothing else."""
    section = load_section(name)
    options, _ = parse(section.parser(), section.options, ["--preset", "smoke"])
    if name == "train_denoiser":  # what its check fills in
        options.latent_size, options.noise_std = 32, 0.5
    names = ["training mean", "PCA, d = 32", "text", "autoencoder"]  # of restore
    found = {"names": names, "scores": True}  # of restore, and of variational: digits are judged
    needs = section.needs(options, Results(numbers=found))
    arrays = {key: made_up_array(shape) for key, shape in needs.arrays.items()}
    rows = None if needs.rows is None else list(needs.rows)
    numbers = made_up(needs.numbers)
    needs.rows = rows
    rows = made_up([{"epoch": 1}] if rows is None else rows)
    return section, options, needs, Results(arrays, numbers, rows)


def faults(value, expected, field):
    """Every way to spoil one value: (the field to be named, the spoilt value)."""
    if isinstance(expected, Kind):
        yield from ((field, wrong) for wrong in WRONG[expected.words])
    elif isinstance(expected, dict):
        yield from ((field, wrong) for wrong in (None, 3, [], "text"))
        for key in expected:
            rest = {name: one for name, one in value.items() if name != key}
            yield f"{field}[{key!r}]", rest
            for place, wrong in faults(value[key], expected[key], f"{field}[{key!r}]"):
                yield place, {**value, key: wrong}
    elif isinstance(expected, list):
        yield from ((field, wrong) for wrong in (None, 3, {}, "text", []))
        if expected[-1] is not ...:
            if len(value) > 1:  # an empty list is refused as such, above
                yield f"{field}[{len(value) - 1}]", value[:-1]
            yield f"{field}[{len(value)}]", [*value, value[0]]
        for i, one in enumerate(value):
            for place, wrong in faults(one, expected[i], f"{field}[{i}]"):
                yield place, [*value[:i], wrong, *value[i + 1 :]]
    else:
        yield from ((field, wrong) for wrong in (None, [expected], f"not {expected}", 10**400))


def array_faults(array):
    yield from (None, array[None], array[..., :0], numpy.zeros(array.shape, "complex64"))
    yield array.astype("float32") if array.dtype == bool else array > 0.5
    if array.dtype != bool:
        for value in (numpy.nan, numpy.inf, 1e38):
            spoilt = array.copy()
            spoilt.reshape(-1)[-1] = value
            yield spoilt


@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser"])
def test_results_with_every_field_mutated_in_turn_are_refused_by_file_and_field(name):
    _, _, needs, good = setting(name)
    needs.check(good, "results.npz")
    spoilt = []
    for key in needs.arrays:
        for wrong in array_faults(good.arrays[key]):
            arrays = {**good.arrays, key: wrong}
            if wrong is None:
                del arrays[key]
            spoilt.append((key, Results(arrays, good.numbers, good.rows)))
    for place, wrong in faults(good.numbers, needs.numbers, "numbers"):
        if place != "numbers":  # which is a dictionary, always
            spoilt.append((place, Results(good.arrays, wrong, good.rows)))
    if needs.rows is not None:
        count = len(good.rows)
        spoilt.append((f"rows[{count - 1}]", Results(good.arrays, good.numbers, good.rows[:-1])))
        twice = [*good.rows, good.rows[0]]
        spoilt.append((f"rows[{count}]", Results(good.arrays, good.numbers, twice)))
        for column, expected in needs.rows[0].items():
            for place, wrong in faults(good.rows[0][column], expected, f"rows[0][{column!r}]"):
                rows = [{**good.rows[0], column: wrong}, *good.rows[1:]]
                spoilt.append((place, Results(good.arrays, good.numbers, rows)))
    assert len(spoilt) > 50
    for field, results in spoilt:
        with pytest.raises(CheckpointError) as caught:
            needs.check(results, "results.npz")
        assert caught.value.field == field
        assert str(caught.value).startswith(f"results.npz: {caught.value.field}: ")
        assert len(str(caught.value)) < 500


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser"])
def test_what_a_section_says_it_needs_is_enough_for_its_figures_and_captions(name):
    section, _, _, results = setting(name)
    figures, captions = section.draw(results), section.captions(results)
    assert figures
    assert list(captions) == list(figures)  # each figure has its own


@pytest.mark.parametrize("rows", [[3], ["row"], [[1]], [{"a": [1]}], [{"a": 10**400}], {}, None])
def test_rows_that_are_no_rows_are_refused(rows, tmp_path):
    path = tmp_path / "results.npz"
    save_checkpoint(path, {}, {"kind": "minigrad results", "numbers": {}, "rows": rows})
    with pytest.raises(CheckpointError, match="rows"):
        Results.load(path)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_replot_of_another_demos_or_forged_results_is_one_line_that_names_file_and_field(
    tmp_path, capsys, monkeypatch
):
    section, options, _, good = setting("linear_bottleneck")
    folder = tmp_path / "run"
    arguments = ["--preset", "smoke", "--out", str(folder)]
    monkeypatch.setitem(vars(section), "compute", lambda run: copy.deepcopy(good))
    assert main(section, arguments) == 0
    assert main(section, [*arguments, "--replot"]) == 0
    path = folder / "results.npz"
    own = {key: value for key, value in vars(options).items() if key in section.presets["smoke"]}
    own = {"demo": section.name, "preset": "smoke", "seed": 0, "data": None, "size": None, **own}
    forged = {
        "'demo'": (good, {**own, "demo": "restore"}),
        "'latent_size'": (good, {**own, "latent_size": 7}),
        "'batch_size'": (good, {k: v for k, v in own.items() if k != "batch_size"}),
        "numbers['pca_mse']": (Results(good.arrays, {**good.numbers, "pca_mse": 0}), own),
        "rows[0]": (Results(good.arrays, good.numbers), own),
        "originals": (Results({}, good.numbers, good.rows), own),
    }
    for field, (results, configuration) in forged.items():
        results.save(path, configuration)
        before = files_of(folder)
        capsys.readouterr()
        status = main(section, [*arguments, "--replot"])
        error = capsys.readouterr().err
        assert status == 1
        assert str(path) in error
        assert field in error
        assert error.count("\n") == 1
        assert files_of(folder) == before


# Claims that are true where all that was measured is the same, and small.
TRUE_OF_EQUALS = {
    "manifold": ["the rank correlation is 2.0000"],
    "linear_bottleneck": ["within 0.0 % of PCA"],
    "compare_denoisers": ["None is anywhere worse"],
    "cures": [
        "no better than one Gaussian",
        "samples of two classes",
        "does not tell the samples from exact ones",
        "Some stray",
    ],
    "denoiser_to_diffusion": ["does not tell the samples from exact ones"],
    "variational": ["near the mean squared error", "are used: they tell"],
    "degrees_of_freedom": ["There is no clear elbow"],
}


@pytest.mark.parametrize("name", SECTIONS)
def test_no_caption_says_that_one_is_better_where_the_numbers_say_that_all_are_the_same(name):
    section, _, _, equal = setting(name)
    expected = TRUE_OF_EQUALS.get(name, [])
    for caption in section.captions(equal).values():
        held = [claim for claim, holds in caption.claims.items() if holds]
        assert [claim for claim in held if not any(words in claim for words in expected)] == []
