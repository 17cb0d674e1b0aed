"""Devices under test: the CPU, the stand-in for CuPy, and with ``-m cuda`` a real GPU."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import minigrad
from autoencoder.storage.files import file_lock

HERE = Path(__file__).parent
# Tests find the helpers beside them, and the demos' packages, by name.
FOLDERS = ("", "standin", "minigrad", "minigrad/kernels", "mpi", "browser", "../demos")
sys.path.extend(str((HERE / folder).resolve()) for folder in FOLDERS)


@pytest.fixture(autouse=True)
def _no_gpu_is_remembered(monkeypatch):
    """Let every test ask anew whether a GPU works: the stand-in's answer is not the machine's."""
    monkeypatch.setattr(minigrad.backend.cuda, "_working", set())


def real_gpu():
    """The real GPU, or a skipped test that says why there is none."""
    try:
        return minigrad.device("cuda")
    except RuntimeError as error:
        pytest.skip(str(error))


GPUS = ["standin", pytest.param("cuda", marks=pytest.mark.cuda)]


def _on(name):
    from cupy_standin import installed

    if name == "standin":
        with installed(device_count=2):
            yield minigrad.device("cuda:1")  # the second: nothing may fall back to the first
    elif name == "cuda":
        yield real_gpu()
    else:
        yield minigrad.device(name)


@pytest.fixture(params=["cpu", *GPUS])
def device(request):
    """The device under test: all of them in turn."""
    yield from _on(request.param)


@pytest.fixture(params=GPUS)
def gpu(request):
    """A GPU, for tests that compare it with the CPU: the stand-in's, then the real one."""
    yield from _on(request.param)


@pytest.fixture
def tensor(device):
    """Make a tensor from host values, on the device, keeping an array's precision."""

    def make(values, requires_grad=False, dtype=None):
        return minigrad.Tensor(values, requires_grad=requires_grad, dtype=dtype, device=device)

    return make


@pytest.fixture
def refused(capsys, tmp_path):
    """The line on standard error of a command that gives status 2, and says and writes no more."""

    def written():
        return {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}

    def refused(command, *arguments):
        before = written()
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            command(*arguments)
        output, error = capsys.readouterr()
        assert caught.value.code == 2
        assert output == ""
        assert len(error.splitlines()) == error.count("\n") == 1
        assert len(error) < 2_000
        assert written() == before
        return error

    return refused


# These train the same models, and so take turns.
DEEP_SECTIONS = (
    "train_autoencoder",
    "linear_bottleneck",
    "interpolate",
    "sample_latent",
    "latent_density",
    "density_ladder",
    "variational",
)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Copy the folder of a section's run with the preset smoke: ``smoke_run(name, folder)``.

    A section is computed once in a run of the suite, by the first test that asks: xdist's workers
    share it, under a lock. The copy is the caller's to change.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    shared = shared / "smoke"
    (shared / "models").mkdir(parents=True, exist_ok=True)

    def copy(name, folder):
        from autoencoder.lecture.section import main  # imports matplotlib, which takes long
        from autoencoder.lecture.sections import load_section

        original, is_done = shared / name, shared / f"{name} is done"
        lock = "deep" if name in DEEP_SECTIONS else name
        with file_lock(shared / f"{lock}.lock", timeout=600):
            if not is_done.exists():
                shutil.rmtree(original, ignore_errors=True)  # what a failed run left
                original.mkdir()
                if name in DEEP_SECTIONS:
                    (original / "models").symlink_to(shared / "models")
                assert main(load_section(name), ["--preset", "smoke", "--out", str(original)]) == 0
                is_done.touch()
            shutil.copytree(original, folder, dirs_exist_ok=True)
        return folder

    return copy
