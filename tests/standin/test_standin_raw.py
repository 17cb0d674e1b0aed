"""RawModule and RawKernel: sources run themselves or as array code, and launches are checked.

CuPy: https://docs.cupy.dev/en/stable/user_guide/kernel.html#raw-kernels, raw.pyx and function.pyx.
"""

import emulation
import numpy
import pytest
from cupy_standin import counters, installed
from geometries import CASES, make

from minigrad.kernels import cuda, gpu

needs_compiler = pytest.mark.skipif(
    emulation.missing() is not None, reason=str(emulation.missing())
)
SOURCE = """
struct Pair { double first; long long second; };
extern "C" __global__ void scale(const REAL* __restrict__ x, REAL* __restrict__ y, INDEX count,
                                 double factor)
{
    const INDEX e = blockIdx.x * blockDim.x + threadIdx.x;
    if (e < count) y[e] = factor * x[e];
}
extern "C" __global__ void add_pair(double* y, const Pair pair, const double* bias)
{
    if (threadIdx.x == 0) y[0] = pair.first + pair.second + (bias ? bias[0] : 0);
}
"""
OPTIONS = ("-DREAL=float", "-DINDEX=int")


def kernel(cupy, name="scale"):
    return cupy.RawModule(code=SOURCE, options=OPTIONS).get_function(name)


@needs_compiler
def test_a_source_runs_and_is_one_launch_that_does_not_wait(cupy, used):
    x, y = cupy.arange(300, dtype="f4"), cupy.empty(300, dtype="f4")
    with counters.measure() as launch, counters.no_waits():
        kernel(cupy)((2,), (256,), (x, y, numpy.int32(299), 2.0))
    assert (launch.launches, launch.calls) == (1, {"scale": 1})
    result = y.get()
    numpy.testing.assert_array_equal(result[:299], 2 * numpy.arange(299))
    assert numpy.isnan(result[299])


@needs_compiler
def test_a_structure_goes_with_the_launch_and_a_null_pointer_where_it_is_asked_for(cupy):
    """function.pyx, ``_pointer``: a NumPy array of size one is handed over by value."""
    pair = numpy.array([(1.5, 2)], dtype=[("first", "f8"), ("second", "i8")])
    y, bias = cupy.empty(1), cupy.ones(1)
    add_pair = kernel(cupy, "add_pair")
    add_pair((1,), (32,), (y, pair, None))
    assert y.item() == 3.5
    add_pair((1,), (32,), (y, pair, bias))
    assert y.item() == 4.5
    with pytest.raises(TypeError, match=r"argument pair: Only numpy.ndarrays of size one"):
        add_pair((1,), (32,), (y, numpy.zeros(2), None))


def small(c, dtype="f4", count=4):
    return c.ones(count, dtype=dtype)


def given(c, **changes):
    """The arguments of ``scale``, some of them changed."""
    usual = {"x": small(c), "y": small(c), "count": numpy.int32(4), "factor": 2.0}
    return tuple((usual | changes).values())


ONE, WARP = (1,), (32,)
REFUSED = {
    "too few arguments": (ONE, WARP, lambda c: given(c)[:3]),
    "an array of another precision": (ONE, WARP, lambda c: given(c, y=small(c, "f8"))),
    "a host array": (ONE, WARP, lambda c: given(c, x=numpy.ones(4, "f4"))),
    "a null pointer that nobody asks for": (ONE, WARP, lambda c: given(c, x=None)),
    "a size of another type": (ONE, WARP, lambda c: given(c, count=numpy.int64(4))),
    "a Python int, which CuPy makes int64": (ONE, WARP, lambda c: given(c, count=4)),
    "a whole number for a double": (ONE, WARP, lambda c: given(c, factor=2)),
    "a float32 for a double": (ONE, WARP, lambda c: given(c, factor=numpy.float32(2))),
    "arguments in another order": (
        ONE,
        WARP,
        lambda c: given(c, count=2.0, factor=numpy.int32(4)),
    ),
    "a list as grid": ([1], WARP, given),
    "a block of 2048 threads": (ONE, (2048,), given),
    "an empty grid": ((0,), WARP, given),
    "65536 blocks along y": ((1, 65536), WARP, given),
    "a result that is a broadcast view": (
        ONE,
        WARP,
        lambda c: given(c, y=c.broadcast_to(small(c, count=1), (4,))),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_launch_that_does_not_fit_the_kernel_is_refused(cupy, case):
    grid, block, arguments = REFUSED[case]
    chosen = arguments(cupy)
    with counters.measure() as used, pytest.raises((TypeError, ValueError), match="scale"):
        kernel(cupy)(grid, block, chosen)
    assert used.launches == 0


def test_an_array_of_another_gpu_is_refused(cupy):
    with cupy.cuda.Device(1):
        far = small(cupy)
    with pytest.raises(ValueError, match=r"scale: .*Peer access is unavailable"):
        kernel(cupy)(ONE, WARP, given(cupy, x=far))


def test_what_raw_kernels_lack_is_said(cupy):
    with pytest.raises(AttributeError, match=r"CUDA_ERROR_NOT_FOUND: .*scala"):
        kernel(cupy, "scala")
    with pytest.raises(TypeError, match="options"):
        cupy.RawModule(code=SOURCE, options=["-DREAL=float"]).get_function("scale")


@pytest.mark.parametrize(
    ("failure", "words"), [("no_driver", "InsufficientDriver"), ("no_toolkit", "nvrtc")]
)
def test_a_kernel_is_not_made_where_cupy_could_not_compile_it(failure, words):
    with installed(failure=failure) as cupy:
        module = cupy.RawModule(code=SOURCE, options=OPTIONS)  # lazy: safe at import
        with pytest.raises(RuntimeError, match=words):
            module.get_function("scale")


GEOMETRIES = [
    (3, 4, 40, dict(input_size=(9, 8), kernel_size=(5, 5), output_size=(5, 4))),
    *(CASES[name] for name in ("stride leaves a remainder", "dilated columns", "empty batch")),
    *(CASES[name] for name in ("groups, many channels", "padding out of reach")),
    (40, 2, 3, dict(input_size=(8, 8), kernel_size=(3, 3), output_size=(6, 6))),  # in parts
]


def launches(cupy, dtype):
    """Calls of every kernel, each giving what it writes; the data are the same each time."""
    rng = numpy.random.default_rng(0)

    def array(*shape):
        return cupy.asarray(rng.standard_normal(shape).astype(dtype))

    for name, case in enumerate(GEOMETRIES):
        *arrays, geometry = make(case, dtype)
        x, weight, y, in_bias, out_bias = map(cupy.asarray, arrays)
        yield f"conv2d: {name}", gpu.correlate(x, weight, geometry, out_bias)
        yield f"conv2d, no bias: {name}", gpu.correlate(x, weight, geometry, None)
        yield f"conv_transpose2d: {name}", gpu.spread(y, weight, geometry, in_bias)
        sizes = (len(x), x.shape[1], y.shape[1])
        launch, parts = cuda.conv2d_weight_grad_launch(geometry, *sizes)
        result = cupy.empty((parts, *weight.shape), dtype)
        launch(gpu._channels_last(cupy, x), gpu._channels_last(cupy, y), result)
        yield f"conv2d_weight_grad: {name}", result
    a, b, bias = array(33, 20), array(50, 20), array(50)
    yield "product", gpu.product(a, b.T, bias)
    yield "product, no bias", gpu.product(a.T, a, None)
    x = array(3, 4, 5, 6).transpose(0, 3, 1, 2)
    yield "relu", gpu.relu(x)
    yield "relu_grad", gpu.relu_grad(x, array(3, 6, 4, 5))
    matrix = array(5000, 3)
    launch, parts = cuda.channel_sum_launch(*matrix.shape)
    result = cupy.empty((parts, 3), dtype)
    launch(matrix, result)
    yield "channel_sum", result
    yield "sum_parts", gpu._sum_of_parts(cupy, result)
    for decoupled in (False, True):
        arrays = [array(700), array(700), array(700), abs(array(700))]
        assert gpu.adam(*arrays, 3, (0.01, 0.9, 0.99, 1e-8, 0.1), decoupled)
        yield f"adam, decoupled {decoupled}", cupy.stack([arrays[0], *arrays[2:]])
    pieces = [array(n) for n in (5, 1, 300, *range(1, 80))]
    target = cupy.empty(sum(piece.size for piece in pieces), dtype)
    assert gpu.join(pieces, target)
    yield "join", target


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sources_and_their_equals_in_array_code_write_the_same(dtype):
    """Also part by part; every element was written, since fresh memory is not-a-number."""
    with installed() as cupy:
        emulated = {name: result.get() for name, result in launches(cupy, dtype)}
        names = {call for call in counters.calls if call in cuda.FILES}
    assert names == set(cuda.FILES)  # every kernel there is
    with installed(emulated_work=-1) as cupy:
        found = {name: result.get() for name, result in launches(cupy, dtype)}
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for name, result in emulated.items():
        numpy.testing.assert_allclose(
            found[name], result, rtol=tolerance, atol=10 * tolerance, err_msg=name
        )


@needs_compiler
def test_small_launches_run_the_source_and_large_ones_array_code(cupy, monkeypatch):
    run = []
    launch = emulation.Kernel.launch
    monkeypatch.setattr(
        emulation.Kernel, "launch", lambda self, *given, **options: run.append(self.name)
        or launch(self, *given, **options),
    )  # fmt: skip
    for rows in (100, 300):  # times 100 times 100: 1 and 3 million multiply-adds
        gpu.product(cupy.ones((rows, 100), dtype="f4"), cupy.ones((100, 100), dtype="f4"), None)
    assert run == ["product"]


def test_without_a_cpp_compiler_array_code_computes_all(cupy, monkeypatch):
    monkeypatch.setattr(emulation, "missing", lambda: "there is no C++ compiler")
    monkeypatch.setattr(emulation, "Kernel", None)
    found = gpu.product(cupy.ones((2, 3)), cupy.ones((3, 4)), cupy.ones(4))
    numpy.testing.assert_array_equal(found.get(), numpy.full((2, 4), 4.0))
