"""BLAS held to one thread, by whoever comes first; and libraries that are not at hand."""

import contextlib
import threading
import warnings
from types import SimpleNamespace

import numpy
import pytest
import threadpoolctl
from running import python

from minigrad import Tensor
from minigrad.backend import blas, one_blas_thread
from minigrad.parallel import shard_gradients


def blas_threads():
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


@pytest.fixture
def as_before():
    """BLAS's threads are in the end as they were."""
    before = blas_threads()
    yield
    assert blas_threads() == before


def in_another_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_it_is_held_inside_shards(as_before):
    weight, inside = Tensor([2.0], requires_grad=True), set()

    def watched(x):
        inside.update(blas_threads())
        return (weight * x).mean()

    shard_gradients(watched, [weight], [numpy.ones((8, 1), "float32")], shard_size=2, workers=2)
    assert inside == {1}


def test_the_limit_is_counted_so_that_the_last_holder_lifts_it(as_before):
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    in_another_thread(lambda: second.__exit__(None, None, None))


def test_it_is_held_by_whichever_thread_comes_first(as_before):
    """OpenBLAS's threads belong to the process; threadpoolctl heeds one thread only, if let."""
    inside = []
    with one_blas_thread():
        pass  # by this thread first

    def hold():
        with one_blas_thread():
            inside.extend(blas_threads())

    in_another_thread(hold)
    assert set(inside) == {1}


def test_a_library_loaded_later_is_held_as_well():
    code = (
        "import threadpoolctl\n"
        "from minigrad.backend.blas import one_blas_thread\n"
        "with one_blas_thread(): pass\n"
        "import scipy.linalg\n"
        "with one_blas_thread():\n"
        "    info = [i for i in threadpoolctl.threadpool_info() if i['user_api'] == 'blas']\n"
        "    print({i['num_threads'] for i in info})\n"
    )
    assert python("-c", code).stdout.strip() == "{1}"


def pretend(monkeypatch, *architectures):
    """A BLAS library for each architecture; None for one that does not tell."""
    libraries = [
        SimpleNamespace() if name is None else SimpleNamespace(architecture=name)
        for name in architectures
    ]
    monkeypatch.setattr(blas, "_libraries", lambda: libraries)
    monkeypatch.setattr(blas, "_holders", set())
    monkeypatch.setattr(blas, "_limited", [])
    monkeypatch.setattr(blas, "_warned", False)


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["SkylakeX"], True),
        (["SapphireRapids", "SapphireRapids"], True),
        (["Haswell"], False),
        ([None], False),
        ([], False),
    ],
)
def test_small_products_are_in_place_on_processors_with_avx512(
    architectures, expected, monkeypatch
):
    pretend(monkeypatch, *architectures)
    assert blas.multiplies_small_in_place.__wrapped__() is expected


def test_a_blas_that_cannot_be_limited_is_told_of_once(monkeypatch):
    pretend(monkeypatch)

    def hold():
        with blas.one_blas_thread():
            pass

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        hold()
        hold()
    assert len(told) == 1
    assert "cannot be limited" in str(told[0].message)
    assert told[0].filename == __file__  # the line that holds, not one inside


def test_a_warning_made_an_error_leaves_no_holder_behind(monkeypatch):
    pretend(monkeypatch)
    with warnings.catch_warnings(), contextlib.suppress(RuntimeWarning):
        warnings.simplefilter("error")
        with blas.one_blas_thread():
            pytest.fail("the warning was to be raised")
    assert not blas._holders
