"""Devices, memory and what a machine without a working GPU does.

Devices: https://docs.cupy.dev/en/stable/user_guide/basic.html#current-device
Memory: https://docs.cupy.dev/en/stable/user_guide/memory.html
Messages of failures were read from CuPy 14.2 on a machine without a GPU.
"""

import gc
import importlib
import sys
import threading

import pytest
from cupy_standin import FAILURES, installed


def test_arrays_live_on_the_device_that_was_current(cupy):
    """Basics: "All CuPy operations ... are performed on the currently active device"."""
    with cupy.cuda.Device(1):
        a = cupy.ones(3)
        assert cupy.cuda.runtime.getDevice() == 1
    assert a.device.id == 1
    assert cupy.ones(3).device.id == 0
    assert cupy.cuda.Device().id == 0


def test_arrays_of_any_device_are_viewed_copied_to_the_host_and_moved_to_the_current_one(cupy):
    """Basics, "Move arrays to a device"; ``ndarray.get`` enters the array's own device."""
    with cupy.cuda.Device(1):
        far = cupy.arange(3.0)
        assert (far + 1).device.id == 1
    assert far[None].T.shape == (3, 1)
    assert far.get().sum() == 3
    for near in (cupy.asarray(far), cupy.array(far), far.copy()):
        assert near.device.id == 0
        assert near.tolist() == [0, 1, 2]


def test_device_properties(cupy):
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    assert properties["name"] == b"Stand-in GPU"
    assert cupy.cuda.Device(0).mem_info == cupy.cuda.runtime.memGetInfo()
    assert properties["totalGlobalMem"] == cupy.cuda.Device(0).mem_info[1]


def test_the_pool_reports_memory_and_keeps_what_was_freed(cupy):
    """Memory, "Memory Pool Operations", its example; blocks are multiples of 512 bytes."""
    pool = cupy.get_default_memory_pool()
    gc.collect()
    pool.free_all_blocks()
    used, total = pool.used_bytes(), pool.total_bytes()
    a = cupy.empty(100, dtype="float32")
    view = a[:10]
    assert pool.used_bytes() == used + 512
    del a
    assert pool.used_bytes() == used + 512
    del view
    assert pool.used_bytes() == used
    assert pool.total_bytes() == total + 512
    assert cupy.cuda.Device(0).mem_info[0] == 16 * 2**30 - pool.total_bytes()
    pool.free_all_blocks()
    assert pool.total_bytes() == total


def test_memory_runs_out():
    """``OutOfMemoryError(size, total, limit)`` is a ``MemoryError`` with this wording."""
    with installed(memory_limit=10_000) as cupy:
        error = cupy.cuda.memory.OutOfMemoryError
        assert issubclass(error, MemoryError)
        a = cupy.zeros(1000)
        with pytest.raises(
            error, match=r"Out of memory allocating 8,192 bytes \(allocated so far:"
        ):
            a + 1
        del a
        assert cupy.ones(1000).sum().item() == 1000
        with cupy.cuda.Device(1):
            cupy.zeros(1000)


FAILED = {
    "no_driver": "cudaErrorInsufficientDriver: CUDA driver version is insufficient",
    "driver_too_old": "cudaErrorInsufficientDriver: CUDA driver version is insufficient",
    "no_device": "cudaErrorNoDevice: no CUDA-capable device is detected",
    "no_toolkit": r"CuPy failed to load libnvrtc\.so",
    "no_kernel_image": "cudaErrorNoKernelImageForDevice",
}


@pytest.mark.parametrize("failure", FAILED)
def test_cupy_imports_without_a_gpu_and_every_array_call_fails(failure):
    with installed(failure=failure):
        cupy = importlib.import_module("cupy")
        for call in (lambda: cupy.ones(2), lambda: cupy.asarray([1.0]) + 1):
            with pytest.raises(RuntimeError, match=FAILED[failure]):
                call()
        versions = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
        assert (versions[0] == 0) == (failure == "no_driver")
        assert (0 < versions[0] < versions[1]) == (failure == "driver_too_old")


def test_a_missing_or_broken_cupy_fails_at_import():
    with installed(failure="missing"), pytest.raises(ModuleNotFoundError) as missing:
        importlib.import_module("cupy")
    assert missing.value.name == "cupy"
    with installed(failure="broken_import"), pytest.raises(ImportError, match="not correctly"):
        importlib.import_module("cupy")


def test_an_unknown_failure_is_refused():
    with pytest.raises(ValueError, match="failure must be one of"), installed(failure="fire"):
        pass
    assert set(FAILED) < set(FAILURES)


def test_installing_nests_and_leaves_no_trace():
    before = {name: module for name, module in sys.modules.items() if name.startswith("cupy.")}
    with installed() as outer:
        with installed(version="13.6.0") as inner:
            assert sys.modules["cupy"] is inner
            assert inner.__version__ == "13.6.0"
        assert sys.modules["cupy"] is outer
        assert isinstance(outer.ones(1), inner.ndarray)
    after = {name: module for name, module in sys.modules.items() if name.startswith("cupy.")}
    assert after == before


def test_submodules_can_be_imported(cupy):
    stride_tricks = importlib.import_module("cupy.lib.stride_tricks")
    assert stride_tricks is cupy.lib.stride_tricks
    assert importlib.import_module("cupy.cuda.runtime") is cupy.cuda.runtime


CAPTURED = {
    "matmul": (lambda cupy, a: a @ a, "calling cuBLAS API during stream capture"),
    "dot": (lambda cupy, a: a[0].dot(a[0]), "calling cuBLAS API during stream capture"),
    "solve": (
        lambda cupy, a: cupy.linalg.solve(a, a),
        "calling cuSOLVER API during stream capture",
    ),
    "a wait": (lambda cupy, a: a.get(), "cudaErrorStreamCaptureUnsupported"),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_capture_refuses_cublas_and_waits(cupy, name):
    """cublas.pyx and cusolver.pyx, ``setStream``; CUDA's guide, "Prohibited and Unhandled"."""
    call, words = CAPTURED[name]
    a = cupy.eye(3)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        call(cupy, a)
        stream.begin_capture()
        assert stream.is_capturing()
        a + a  # a kernel of its own is recorded
        with pytest.raises((NotImplementedError, RuntimeError), match=words):
            call(cupy, a)
        assert type(stream.end_capture()) is cupy.cuda.Graph
        call(cupy, a)


def test_the_current_device_is_one_a_thread_and_one_object_serves_several(cupy):
    """device.pyx, ``Device.__enter__``: the device to go back to is kept in the thread."""
    device, other = cupy.cuda.Device(1), cupy.cuda.Device(0)
    entered, go_on, found = threading.Event(), threading.Event(), []

    def note():
        found.append(cupy.ones(1).device.id)

    def work():
        note()
        with device, other, device:
            entered.set()
            go_on.wait(10)
            note()
        note()

    thread = threading.Thread(target=work)
    with device:
        thread.start()
        entered.wait(10)
    with device:
        go_on.set()
        thread.join()
    note()
    assert found == [0, 1, 0, 0]
