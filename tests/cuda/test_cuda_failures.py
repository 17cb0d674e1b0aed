"""What a machine without a working GPU is told, and what a demo says of the GPU it uses."""

import re

import pytest
from cupy_standin import FAILURES, counters, installed

import minigrad
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo, load_section
from minigrad.backend import cuda

section = load_section("train_denoiser")
lecture = load_demo("lecture")
SMALL = ["--preset", "smoke", "--train-images", "40", "--test-images", "10"]

EXPLAINED = {
    "CuPy missing": (
        {"failure": "missing"},
        r"CuPy is not installed: pip install 'cupy-cuda13x.* pip install 'cupy-cuda12x.*",
    ),
    "CuPy broken": (
        {"failure": "broken_import"},
        r"cannot be imported, perhaps built for another CUDA version: .*libcudart\.so.*reinstall",
    ),
    "CuPy too old": ({"version": "13.6.0"}, r"CuPy 13\.6\.0 is too old, 14\.0 or later is needed"),
    "no driver": ({"failure": "no_driver"}, "there is no NVIDIA driver on this machine"),
    "driver too old": (
        {"failure": "driver_too_old"},
        "the NVIDIA driver is too old for this CuPy's CUDA version .* update the driver",
    ),
    "no device": ({"failure": "no_device"}, "the driver works but no CUDA device was found"),
    "toolkit missing": (
        {"failure": "no_toolkit"},
        r"a library of the CUDA toolkit is missing .*libnvrtc.*reinstall",
    ),
    "another CUDA version": (
        {"failure": "no_kernel_image"},
        "CuPy was built for another CUDA version .* install the matching one",
    ),
}


def explanation(spec, **options):
    with installed(**options), pytest.raises(RuntimeError) as caught:
        minigrad.device(spec)
    return str(caught.value)


@pytest.mark.parametrize("case", EXPLAINED)
def test_each_failure_is_explained_in_a_line_of_its_own(case):
    options, pattern = EXPLAINED[case]
    message = explanation("cuda", **options)
    assert re.fullmatch(f"device 'cuda': .*{pattern}.*", message)
    others = [other for name, (_, other) in EXPLAINED.items() if name != case]
    assert not any(re.search(other, message) for other in others)


def test_every_failure_the_stand_in_can_play_is_explained():
    played = {options.get("failure") for options, _ in EXPLAINED.values()}
    assert played == set(FAILURES)


def test_an_index_out_of_range_names_those_there_are():
    message = explanation("cuda:2", device_count=2)
    assert "device 'cuda:2': index out of range, this machine has 2 CUDA devices" in message
    assert "(cuda:0 to cuda:1)" in message
    assert "has 1 CUDA device (" in explanation("cuda:1", device_count=1)


@pytest.mark.parametrize(
    "spec", ["cuda:", "cuda:-1", "cuda:1.0", "cuda:x", "cuda 1", "CUDA", "gpu"]
)
def test_what_names_no_device_is_a_value_error(spec):
    with installed(), pytest.raises(ValueError, match="expected 'cpu', 'cuda' or 'cuda:N'"):
        minigrad.device(spec)


def test_nothing_falls_back_to_the_cpu():
    with installed(failure="no_device"):
        for make in (
            lambda: minigrad.Tensor([1.0], device="cuda"),
            lambda: minigrad.nn.Linear(2, 2, device="cuda"),
            lambda: minigrad.nn.Linear(2, 2).to("cuda"),
            lambda: minigrad.Tensor([1.0]).to("cuda"),
        ):
            with pytest.raises(RuntimeError, match="no CUDA device was found"):
                make()


@pytest.mark.parametrize("case", EXPLAINED)
def test_a_demo_without_a_working_gpu_ends_in_one_line_with_status_2(case, tmp_path, capsys):
    options, pattern = EXPLAINED[case]
    folder = tmp_path / "run"
    with installed(**options), pytest.raises(SystemExit) as caught:
        main(section, [*SMALL, "--device", "cuda", "--out", str(folder)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert re.search(pattern, error)
    assert error.count("\n") == 1
    assert not folder.exists()


def test_a_gpu_that_works_is_asked_once_and_described():
    with installed() as cupy:
        minigrad.device("cuda:1")
        with counters.measure() as used:
            assert str(minigrad.device("cuda:1")) == "cuda:1"
        assert used.waits == used.launches == 0
        assert minigrad.backend.cuda.describe(1) == "Stand-in GPU, 16.0 of 16.0 GiB free"
        with cupy.cuda.Device(1):
            held = cupy.zeros(2**28, dtype="float32")
        assert minigrad.backend.cuda.describe(1) == "Stand-in GPU, 15.0 of 16.0 GiB free"
        assert minigrad.backend.cuda.describe(0) == "Stand-in GPU, 16.0 of 16.0 GiB free"
        del held


@pytest.mark.parametrize(
    ("command", "lower"), [("demo", "--batch-size (it is 40)"), ("lecture", "free some")]
)
def test_memory_that_does_not_suffice_is_one_line_that_says_what_to_lower(
    command, lower, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(lecture, "SECTIONS", ("train_autoencoder",))
    arguments = ["--device", "cuda", "--out", str(tmp_path / "run")]
    with installed(memory_limit=100_000):
        if command == "demo":
            status = main(section, [*SMALL, *arguments])
        else:
            status = lecture.main(["--preset", "smoke", *arguments])
    assert status == 1
    error = capsys.readouterr().err
    assert lower in error
    assert "Out of memory allocating" in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


# CuPy's memory.pyx, runtime.pyx, driver.pyx, cublas.pyx, cusolver.pyx; then what is no full memory.
FULL = {
    "OutOfMemoryError: Out of memory allocating 512 bytes": True,
    "CUDARuntimeError: cudaErrorMemoryAllocation: out of memory": True,
    "CUDADriverError: CUDA_ERROR_OUT_OF_MEMORY: out of memory": True,
    "CUBLASError: CUBLAS_STATUS_ALLOC_FAILED": True,
    "CUSOLVERError: CUSOLVER_STATUS_ALLOC_FAILED": True,
    "CUDADriverError: CUDA_ERROR_ILLEGAL_ADDRESS": False,
    "CUBLASError: CUBLAS_STATUS_INVALID_VALUE": False,
    "MemoryError: the host's": False,
}


def error_named(words):
    """An error of the library's own class, which is known by its name alone."""
    name, _, message = words.partition(": ")
    return type(name, (RuntimeError,), {})(message)


@pytest.mark.parametrize("words", FULL)
def test_a_full_memory_is_known_by_the_name_each_library_gives_it(words):
    assert cuda.is_memory_full(error_named(words)) == FULL[words]


@pytest.mark.parametrize("library", ["CUBLAS", "CUSOLVER"])
def test_a_library_that_does_not_start_lacks_memory_only_if_none_is_free(library):
    error = error_named(f"{library}Error: {library}_STATUS_NOT_INITIALIZED")
    with installed(total_memory=2**28 + 2**26) as cupy:
        assert not cuda.is_memory_full(error)
        held = cupy.empty(2**26 + 1, dtype="uint8")
        assert cuda.is_memory_full(error)
        del held
    with installed(failure="no_driver"):
        assert not cuda.is_memory_full(error)
