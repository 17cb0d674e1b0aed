"""The emulation of CUDA: what it runs, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import emulation
import numpy
import pytest

pytestmark = pytest.mark.skipif(emulation.missing() is not None, reason=str(emulation.missing()))

THREADS = """
extern "C" __global__ void where(int *x, int *y, int *z)
{
    int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    int e = block * blockDim.x * blockDim.y * blockDim.z + thread;
    x[e] = blockIdx.x * 10 + threadIdx.x;
    y[e] = blockIdx.y * 10 + threadIdx.y;
    z[e] = blockIdx.z * 10 + threadIdx.z;
}
"""
SHARED = """
extern "C" __global__ void reversed(const double *x, double *y, int waits)
{
    __shared__ double all[64];
    all[threadIdx.x] = x[threadIdx.x];
    if (waits) __syncthreads();
    y[threadIdx.x] = all[63 - threadIdx.x];
}
"""
LEFT_OVER = """
extern "C" __global__ void left_over(double *y)
{
    __shared__ double number;
    if (blockIdx.x == 0) number = 1;
    __syncthreads();
    y[blockIdx.x] = number;
}
"""
DIVERGENT = """
extern "C" __global__ void divergent(int *x)
{
    if (threadIdx.x < 3)
        __syncthreads();
    x[threadIdx.x] = 1;
    __syncthreads();
}
"""
SHUFFLED = """
extern "C" __global__ void shuffled(double *x, int down)
{
    x[threadIdx.x] = __shfl_down_sync(0xffffffff, x[threadIdx.x], down);
}
"""
UNSET = """
extern "C" __global__ void unset(double *x)
{
    double number;
    x[threadIdx.x] += number;
}
"""


def test_every_thread_of_every_block_runs_once_and_knows_its_place():
    grid, block = (3, 2, 2), (4, 3, 2)
    x, y, z = numpy.full((3, 12 * 24), -1, "int32")
    emulation.Kernel(THREADS, "where").launch(grid, block, (x, y, z), seed=5)
    found = sorted(zip(x, y, z))
    expected = [
        (10 * a + p, 10 * b + q, 10 * c + r)
        for (a, b, c) in numpy.ndindex(grid)
        for (p, q, r) in numpy.ndindex(block)
    ]
    assert found == sorted(expected)


def test_a_barrier_is_waited_at_and_without_it_not_a_number_is_seen():
    x = numpy.random.default_rng(0).standard_normal(64)
    y = numpy.zeros(64)
    kernel = emulation.Kernel(SHARED, "reversed")
    kernel.launch((1,), (64,), (x, y, 1))
    numpy.testing.assert_array_equal(y, x[::-1])
    kernel.launch((1,), (64,), (x, y, 0))
    early = numpy.isnan(y)
    assert early.any()
    numpy.testing.assert_array_equal(y[~early], x[::-1][~early])


def test_another_seed_is_another_order_of_threads():
    x, seen = numpy.ones(64), set()
    for seed in range(4):
        y = numpy.zeros(64)
        emulation.Kernel(SHARED, "reversed").launch((1,), (64,), (x, y, 0), seed=seed)
        seen.add(numpy.isnan(y).tobytes())
    assert len(seen) == 4


def test_a_block_finds_nothing_of_another_in_shared_memory():
    y = numpy.zeros(5)
    emulation.Kernel(LEFT_OVER, "left_over").launch((5,), (1,), (y,))
    assert y[0] == 1
    assert numpy.isnan(y[1:]).all()


def test_a_barrier_that_not_all_threads_reach_is_an_error_that_names_the_lines():
    x = numpy.zeros(8, "int32")
    with pytest.raises(
        emulation.EmulationError, match=r"^divergent: block \(0, 0, 0\): .* 5, thread 3 at line 7"
    ):
        emulation.Kernel(DIVERGENT, "divergent").launch((1,), (8,), (x,))


def test_a_shuffle_takes_the_number_of_a_thread_of_the_same_warp():
    x = numpy.arange(64.0)
    emulation.Kernel(SHUFFLED, "shuffled").launch((1,), (64,), (x, 16))
    expected = [*range(16, 32), *range(16, 32), *range(48, 64), *range(48, 64)]
    assert x.tolist() == expected


def test_a_variable_that_was_not_set_holds_a_number_that_nobody_overlooks():
    if not emulation.fills_variables():
        pytest.skip("this C++ compiler cannot fill variables")
    x = numpy.zeros(1)
    emulation.Kernel(UNSET, "unset").launch((1,), (1,), (x,))
    assert abs(x[0]) > 1e100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((numpy.zeros(64), numpy.zeros(64)), "2 arguments for 3 parameters"),
        ((numpy.zeros(64, "f4"), numpy.zeros(64), 1), "argument 0 should be an array of float64"),
        ((numpy.zeros(64), 0, 1), "argument 1 should be an array of float64, got int"),
        ((numpy.zeros(64), numpy.zeros(64), 1.0), "argument 2, 1.0, is no number of type int32"),
        ((numpy.zeros(64), numpy.zeros(64), 2**31), "is no number of type int32"),
    ],
)
def test_arguments_that_do_not_fit_the_parameters_are_refused(arguments, message):
    with pytest.raises(emulation.EmulationError, match=f"^reversed: .*{message}"):
        emulation.Kernel(SHARED, "reversed").launch((1,), (64,), arguments)


@pytest.mark.parametrize(
    ("grid", "block"), [((0,), (1,)), ((1, 65536), (1,)), ((1,), (1025,)), ((1,), (32, 33))]
)
def test_a_grid_that_no_card_runs_is_refused(grid, block):
    arguments = (numpy.zeros(64), numpy.zeros(64), 1)
    with pytest.raises(emulation.EmulationError, match="no card runs"):
        emulation.Kernel(SHARED, "reversed").launch(grid, block, arguments)


def test_a_source_that_does_not_compile_says_where():
    source = 'extern "C" __global__ void wrong(int *x)\n{\n    x[0] = nothing;\n}\n'
    with pytest.raises(emulation.EmulationError, match=r"kernel\.cu:3:\d+: error"):
        emulation.Kernel(source, "wrong")


def test_a_library_is_compiled_once_and_by_several_processes_at_once(tmp_path):
    code = (
        "import emulation, numpy\n"
        f"source = {THREADS!r}\n"
        "x, y, z = numpy.zeros((3, 4), 'int32')\n"
        "emulation.Kernel(source, 'where').launch((1,), (4,), (x, y, z))\n"
        "print(*x)\n"
    )
    environment = os.environ | {
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(Path(emulation.__file__).parents[1]),
    }
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["0 1 2 3"] * 3
    (folder,) = tmp_path.iterdir()
    assert [file.suffix for file in folder.iterdir()] == [".so"]
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    emulation.cache_folder().chmod(0o777)
    with pytest.raises(emulation.EmulationError, match="can be written by others"):
        emulation.cache_folder()


def test_without_a_compiler_or_off_linux_it_says_what_is_missing(monkeypatch):
    bare = emulation.missing.__wrapped__
    assert bare() is None
    monkeypatch.setattr(emulation, "compiler", lambda: None)
    assert "no C++ compiler" in bare()
    monkeypatch.setattr(sys, "platform", "win32")
    assert "on Linux only, not on win32" in bare()
