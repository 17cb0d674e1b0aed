"""Wrong command lines: one line on standard error, an exit status, nothing written."""

import dataclasses
import errno
import json
import os
import stat

import numpy
import pytest
from running import python

from autoencoder.data.download import DownloadError
from autoencoder.data.idx import IdxError, read_idx, write_idx
from autoencoder.lecture.command_line import OptionError
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import DEMOS, SECTIONS, load_demo, load_section
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.files import WriteError
from autoencoder.storage.results import Results
from autoencoder.training import TrainingDiverged

section = load_section("train_denoiser")
explore_latent = load_demo("explore_latent")
SMALL = ["--preset", "smoke", "--train-images", "20", "--test-images", "10"]

REFUSED = {  # what is said, and the command lines that it is said of
    "did you mean --epochs?": ["--epoch 3"],
    "did you mean --latent-size?": ["--lattent-size=3"],
    "did you mean --workers?": ["--work 3"],
    "unrecognized arguments: extra": ["extra"],
    "did you mean lecture?": ["--preset lectrue"],
    "expected one argument": ["--preset", "--epochs"],
    "whole number from 1": [
        *("--epochs 0", "--epochs -3", "--epochs 0.5", "--epochs two", "--epochs nan"),
        *("--train-images 0", "--test-images -1", "--batch-size 0", "--workers 0", "--workers -2"),
    ],
    "whole number from 0": [
        *("--latent-size -1", "--seed -1", "--seed 1.5", ["--seed", ""], ["--seed", "9" * 5_000]),
        *(["--latent-size", str(10**30)], ["--latent-size", "x" * 100_000]),
    ],
    "positive number": [
        *("--noise-std -1", "--noise-std nan", "--noise-std inf", "--noise-std loud"),
        "--noise-std 1e308",
    ],
    "number from 0": ["--save-seconds -1", "--save-seconds inf", "--save-seconds soon"],
    "expected 'cpu', 'cuda' or 'cuda:N'": [
        *("--device gpu", ["--device", ""], ["--device", "x" * 100_000]),
    ],
    "'cuda:x'": ["--device cuda:x"],
    "not allowed with": ["--resume --replot"],
    "--resume: there is no earlier run in runs": ["--resume"],
    "--replot: there is no earlier run in runs": ["--replot"],
    "no earlier run in none": ["--resume --out none"],
    "invalid folder value": [["--out", ""], ["--out", "a\0b"], ["--data", "a\u2028b"]],
    "file": ["--out file", "--out file/run"],
    "/proc/minigrad": ["--out /proc/minigrad"],
    "run holds an earlier run": ["--out run"],
    "'none': no file or folder has that name": ["--data none"],
    "file: is neither a folder nor": ["--data file"],
    "empty: holds no images": ["--data empty"],
    "train-images-idx3-ubyte": ["--data damaged"],
    "was 32": ["--resume --out run --latent-size 8"],
    "--seed was 0": ["--resume --out run --seed 7"],
    "was 'smoke'": ["--resume --out run --preset full"],
    "--data was None": ["--resume --out run --data empty"],
    "is of another demo": ["--resume --out other", ["--resume", "--out", "long demo"]],
    "config.json is damaged": [
        *("--resume --out list", "--resume --out text", "--resume --out bytes"),
        *("--resume --out nothing", "--resume --out deep", "--resume --out digits"),
        "--replot --out latin",
    ],
    "epochs cannot be 'many'": ["--resume --out words"],
    "batch_size cannot be -5": ["--resume --out minus"],
    "--shell was 'rm'": ["--resume --out unknown"],
    "data cannot be {'a': 1}": ["--resume --out code"],
    "argument --seed: expected one argument": ["--seed=--"],
    "argument --out: expected one argument": ["--out=--"],
    "argument --preset: expected one argument": ["--preset=--"],
    "unrecognized arguments: an empty one": [[""], [" "]],
    "unrecognized arguments: a b": [["a\nb"]],
    "invalid folder value: 'a\\nb'": [["--out", "a\nb"]],
    "invalid folder value: '\\udcff'": [["--out", "\udcff"]],
    "File name too long": [["--out", "x" * 100_000]],
    "unrecognized arguments: --xxx": [["--" + "x" * 100_000]],
    "--preset": [["--preset", "x" * 100_000]],
    "no file or folder has that name": [["--data", "x" * 100_000]],
    "damaged: it does not say 'demo'": [["--resume", "--out", "no demo"]],
    "damaged: it does not say 'epochs'": [["--resume", "--out", "no epochs"]],
    "preset cannot be None": ["--resume --out null"],
    "epochs cannot be True": ["--resume --out yes"],
    "--out was 'other'": ["--resume --out elsewhere"],
    "epochs cannot be 'xxx": ["--resume --out long"],
    "--xxx": [["--resume", "--out", "long name"]],
    "preset cannot be 'xxx": [["--resume", "--out", "long preset"]],
    "is larger than 1048576 bytes": ["--resume --out large"],
    "is a folder, not a regular file": ["--resume --out folder"],
}


@pytest.fixture
def place(tmp_path):
    """A folder to work in, with earlier runs, good and bad."""
    good = {"demo": "train_denoiser", "preset": "smoke", "seed": 0, "data": None, "epochs": 1}
    good.update(
        size=None, batch_size=100, train_images=20, test_images=10, latent_size=32, noise_std=0.5
    )
    files = {
        "run": good,
        "other": {**good, "demo": "manifold"},
        "list": ["demo"],
        "words": {**good, "epochs": "many"},
        "minus": {**good, "batch_size": -5},
        "unknown": {**good, "shell": "rm"},
        "code": {**good, "data": {"a": 1}},
        "text": "no JSON",
        "bytes": b"\xff\xfe\x00",
        "nothing": "",
        "no demo": {key: good[key] for key in good if key != "demo"},
        "no epochs": {key: good[key] for key in good if key != "epochs"},
        "null": {**good, "preset": None},
        "yes": {**good, "epochs": True},
        "elsewhere": {**good, "out": "other"},
        "long": {**good, "epochs": "x" * 500_000},
        "long name": {**good, "x" * 500_000: 1},
        "long preset": {**good, "preset": "x" * 500_000},
        "long demo": {**good, "demo": "x" * 500_000},
        "large": {**good, "epochs": "x" * 2_000_000},
        "deep": "[" * 100_000,
        "digits": '{"demo": ' + "9" * 5_000 + "}",
        "latin": '{"demo": "é"}'.encode("latin-1"),
    }
    (tmp_path / "folder" / "config.json").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / name).mkdir()
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        text = text.encode() if isinstance(text, str) else text
        (tmp_path / name / "config.json").write_bytes(text)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03\xff\xff\xff\xff")
    return tmp_path


def start(name, arguments):
    """Run any demo that takes ``--data``."""
    if name in ("lecture", "explore_latent"):
        module = load_demo(name)
        return module.main([*arguments, "--headless"] if name == "explore_latent" else arguments)
    return main(load_section(name), arguments)


@pytest.fixture
def refuses(refused):
    """The line with which a demo refuses: ``refuses(arguments, name)``."""

    def refuses(arguments, name="train_denoiser"):
        error = refused(start, name, arguments)
        assert error.startswith(f"{name}.py: ")
        return error

    return refuses


@pytest.mark.parametrize(
    ("words", "line"),
    [pytest.param(words, line, id=words) for words, lines in REFUSED.items() for line in lines],
)
def test_a_wrong_command_line_is_one_line_and_changes_nothing(words, line, place, refuses):
    assert words in refuses(line.split() if isinstance(line, str) else line)


@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sead", "3"], "did you mean --seed?"),
        (["--preset", "ful"], "did you mean full?"),
        (["--resume", "--out", "list"], "config.json is damaged"),
    ],
)
def test_every_demo_refuses_in_the_same_way(name, arguments, words, place, refuses):
    assert words in refuses(arguments, name)


UNFIT = {  # training images, test images, their size
    "holds no training images": (0, 20, (28, 28)),
    "holds no test images": (20, 0, (28, 28)),
    "are 28 x 15, the lecture's networks take 16 x 16 to 128": (40, 40, (28, 15)),
    "are 200 x 32, the lecture's networks take 16 x 16 to 128": (40, 40, (200, 32)),
}


@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser", "explore_latent", "lecture"])
def test_every_demo_refuses_data_that_do_not_fit(name, tmp_path, refuses, write_set):
    for number, (words, form) in enumerate(UNFIT.items()):
        write_set(tmp_path / f"set{number}", *form)
        out = ["--out", "o"] if number else []
        error = refuses(["--preset", "smoke", "--data", f"set{number}", *out], name)
        assert words in error
        assert f"set{number}" in error


def test_after_data_that_did_not_fit_the_command_works_with_good_ones(tmp_path, refuses, write_set):
    command = ["--preset", "smoke", "--data", "set", "--out", "o"]
    write_set(tmp_path / "set", 20, 0)
    refuses(command)
    write_set(tmp_path / "set", 20, 10)
    assert main(section, command) == 0


# The fewest training and test samples that a demo computes from.
LEAST = {
    "manifold": (2, 2),
    "linear_is_pca": (34, 1),
    "train_autoencoder": (9, 1),
    "linear_bottleneck": (33, 1),
    "interpolate": (1, 2),
    "sample_latent": (2, 1),
    "latent_density": (17, 2),
    "density_ladder": (50, 4),
    "restore": (33, 1),
    "denoise_2d": (1, 1),
    "compare_denoisers": (1, 1),
    "multimodal": (30, 1),
    "cures": (30, 8),
    "denoiser_to_diffusion": (50, 4),
    "variational": (10, 4),
    "degrees_of_freedom": (20, 8),
    "train_denoiser": (1, 1),
    "explore_latent": (2, 2),
}


def sized(name, train, test):
    samples = "points" if name in ("manifold", "denoise_2d") else "images"
    return [
        *("--preset", "smoke", "--out", "o"),
        *(f"--train-{samples}", str(train), f"--test-{samples}", str(test)),
    ]


@pytest.mark.parametrize("name", LEAST)
def test_too_few_samples_are_refused_before_training(name, tmp_path, monkeypatch, refuses):
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    train, test = LEAST[name]
    tried = {(n, 60) for n in (1, train - 1) if 0 < n < train}
    tried |= {(60, n) for n in (1, test - 1) if 0 < n < test}
    for few in tried:
        which = "--train-" if few[1] == 60 else "--test-"
        assert which in refuses(sized(name, *few), name)


def numbers_of(value):
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers_of(part)
    elif isinstance(value, float):
        yield value


@pytest.mark.parametrize("name", LEAST)
def test_the_fewest_samples_accepted_are_enough(name, tmp_path):
    assert start(name, sized(name, *LEAST[name])) == 0
    if name != "explore_latent":
        results = Results.load(tmp_path / "o" / "results.npz")
        assert numpy.isfinite([*numbers_of(results.numbers), *numbers_of(results.rows)]).all()


def test_more_components_than_pixels_are_refused_before_training(tmp_path, refuses):
    for name in ("linear_bottleneck", "train_autoencoder", "restore"):
        error = refuses(["--preset", "smoke", "--latent-size", "785"], name)
        assert "--latent-size: PCA of 784 pixels has no 785 components" in error


def test_the_same_image_again_and_again_is_too_few(tmp_path, refuses, write_set):
    write_set(tmp_path / "set", 5, 5)
    one = write_set(tmp_path / "one", 1, 1)
    for file in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        write_idx(tmp_path / "set" / file, numpy.repeat(read_idx(one / file), 100, axis=0))
    for name in ("linear_bottleneck", "sample_latent", "multimodal", "lecture"):
        error = refuses(["--preset", "smoke", "--data", "set", "--out", "o"], name)
        assert "different images, there are 1" in error


@pytest.fixture
def failed(capsys):
    """The line on standard error of a demo that fails while it runs."""

    def failed(arguments, which=section, status=1):
        assert main(which, arguments) == status
        error = capsys.readouterr().err
        assert error.startswith("train_denoiser.py: ")
        assert len(error.splitlines()) == error.count("\n") == 1
        assert len(error) < 2_000
        return error

    return failed


def test_damaged_checkpoints_and_missing_or_pickled_results_are_one_line_status_1(place, failed):
    (place / "run" / "checkpoint.npz").write_bytes(b"PK" + bytes(100))
    error = failed(["--resume", "--out", "run"])
    assert "checkpoint.npz" in error
    assert "seal" in error
    assert "results.npz" in failed(["--replot", "--out", "run"])
    numpy.savez(place / "run" / "results.npz", a=numpy.array([print], dtype=object))
    assert "results.npz" in failed(["--replot", "--out", "run"])


def test_a_full_disk_is_one_line_and_status_1(place, failed, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if is_file and os.pread(descriptor, 2, 0) == b"PK":  # a checkpoint, not config.json
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    error = failed([*SMALL, "--out", "new"])
    assert "No space left on device" in error
    assert "new/checkpoint.npz" in error


def planted(error):
    """The section with a computation that fails in this way."""

    def compute(run):
        raise error

    return dataclasses.replace(section, compute=compute)


BUGS = [ValueError, TypeError, KeyError, IndexError, RuntimeError, FloatingPointError, OSError]
BUGS += [ArithmeticError, AssertionError, RecursionError, numpy.linalg.LinAlgError]
BUGS = [kind("planted") for kind in BUGS]
BUGS += [UnicodeDecodeError("utf-8", b"", 0, 1, "planted"), json.JSONDecodeError("planted", "", 0)]


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
def test_a_bug_keeps_its_traceback(error, place):
    with pytest.raises(type(error)) as caught:
        main(planted(error), [*SMALL, "--out", "new"])
    assert caught.value is error
    assert caught.traceback[-1].name == "compute"


@pytest.mark.parametrize("where", ["data", "draw", "captions"])
def test_a_bug_elsewhere_keeps_its_traceback_too(where, place, monkeypatch):
    def fail(*given, **options):
        raise ValueError("planted")

    changes = {"compute": lambda run: Results(), "draw": lambda results: {}}
    if where == "data":
        monkeypatch.setattr("autoencoder.data.datasets.load", fail)
    else:
        changes[where] = fail
    with pytest.raises(ValueError, match="planted"):
        main(dataclasses.replace(section, **changes), [*SMALL, "--out", "new"])
    assert (place / "new").exists() == (where != "data")


class OutOfMemoryError(Exception):
    """As CuPy's is called."""


TO_LOWER = ("--train-images (it is 20)", "--latent-size (it is 32)")
ON_THE_GPU = "the GPU's memory is full: lower --batch-size (it is 20)"
ALLOCATION = RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")
NAMED = {  # the error, the status, how the line begins and what is in it
    "options": (OptionError("they do not go together"), 2, "they do not go together"),
    "data": (IdxError("images: magic number"), 1, "images: magic number"),
    "a checkpoint": (CheckpointError("c.npz", "seal", "is missing"), 1, "c.npz: seal: is missing"),
    "divergence": (TrainingDiverged("step 3: nan"), 1, "step 3: nan"),
    "writing": (WriteError(errno.ENOSPC, "disk full", "o/a"), 1, "cannot write 'o/a': disk full"),
    "the system": (OSError(errno.EIO, "I/O error", "b"), 1, "[Errno 5] I/O error: 'b'"),
    "a download": (DownloadError("cannot download:\n one\n two"), 1, "cannot download: one two"),
    "a long text": (CheckpointError("c.npz", "x" * 10**6, "no"), 1, "c.npz: xxx"),
    "memory": (MemoryError(), 1, "the memory is full: lower", *TO_LOWER),
    "so much memory": (MemoryError("cannot give 3 TiB"), 1, "", "cannot give 3 TiB", *TO_LOWER),
    "a GPU's memory": (OutOfMemoryError("of 80 GiB"), 1, ON_THE_GPU, *TO_LOWER),
    "CUBLAS": (ALLOCATION, 1, "", "or use --device cpu", *TO_LOWER),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_failure_with_a_name_is_one_line_that_says_what_to_make_smaller(name, place, failed):
    error, status, start, *words = NAMED[name]
    line = failed([*SMALL, "--out", "new"], planted(error), status)
    assert line.startswith(f"train_denoiser.py: {start}")
    assert [each for each in words if each not in line] == []


def test_a_model_larger_than_memory_is_one_line(place, failed):
    error = failed([*SMALL, "--latent-size", str(2**31 - 1), "--out", "new"])
    assert "the memory is full: lower" in error
    assert "--latent-size (it is 2147483647)" in error


def test_an_exploration_of_a_checkpoint_goes_on_with_that_checkpoint(place, monkeypatch):
    seen = []
    monkeypatch.setattr(explore_latent, "_read", seen.append)
    monkeypatch.setattr(explore_latent, "_explore", lambda run, headless: None)
    assert explore_latent.main(["--preset", "smoke", "--checkpoint", "c.npz", "--out", "o"]) == 0
    options = []
    monkeypatch.setattr(explore_latent, "_explore", lambda run, _: options.append(run.options))
    assert explore_latent.main(["--resume", "--out", "o"]) == 0
    assert options[0].checkpoint == "c.npz"


@pytest.mark.parametrize("demo", ["benchmark", "lecture", "train_denoiser"])
def test_a_script_started_by_a_user_refuses_in_the_same_way(demo, place):
    result = python(DEMOS / f"{demo}.py", "--no-such-option", status=2, cwd=place, timeout=60)
    assert "--no-such-option" in result.stderr
    assert "Traceback" not in result.stderr
