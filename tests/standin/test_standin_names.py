"""The stand-in has no name that CuPy lacks, and the real CuPy confirms the list where installed."""

import importlib
import inspect
import warnings
from types import ModuleType

import numpy
import pytest
from cupy_standin import installed
from cupy_standin.names import NAMES, signature

CLASSES = {
    "ndarray": lambda cupy: cupy.ndarray,
    "ufunc": lambda cupy: cupy.ufunc,
    "Device": lambda cupy: cupy.cuda.Device,
    "Stream": lambda cupy: cupy.cuda.Stream,
    "RawKernel": lambda cupy: cupy.RawKernel,
    "RawModule": lambda cupy: cupy.RawModule,
    "MemoryPool": lambda cupy: cupy.cuda.MemoryPool,
    "Flags": lambda cupy: type(cupy.zeros(1).flags),
}
MODULES = [name for name in NAMES if name.split(".")[0] == "cupy"]


def public(owner):
    return {name for name in vars(owner) if not name.startswith("_")}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_only_names_that_cupy_has(cupy, name):
    assert public(importlib.import_module(name)) <= set(NAMES[name])


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_only_names_that_cupy_has(cupy, name):
    assert public(CLASSES[name](cupy)) <= set(NAMES[name])


def test_array_operators_are_those_that_cupy_has(cupy):
    plumbing = {"__getattr__", "__slots__", "__weakref__", "__annotations__"}
    special = {name for name in vars(cupy.ndarray) if name.startswith("__")} - plumbing
    special -= {"__static_attributes__", "__firstlineno__"}
    assert special <= set(NAMES["ndarray"])


def test_every_function_of_the_stand_in_has_a_known_signature(cupy):
    for name in MODULES:
        for attribute, value in vars(importlib.import_module(name)).items():
            entry = NAMES[name].get(attribute, {})
            if callable(value) and entry.get("kind") == "function" and attribute != "__getattr__":
                assert signature(name, attribute) is not None, f"{name}.{attribute}"


def test_functions_written_by_hand_take_cupys_arguments(cupy):
    """Those dispatched by table are checked against the list at each call."""
    hand_written = [
        *(("cupy", name) for name in ("array", "asarray", "ascontiguousarray", "asnumpy")),
        *(("ndarray", name) for name in ("get", "item", "astype", "copy", "tolist")),
        *(("MemoryPool", name) for name in ("total_bytes", "free_all_blocks", "used_bytes")),
    ]
    for owner, name in hand_written:
        holder = cupy if owner == "cupy" else CLASSES[owner](cupy)
        ours = list(inspect.signature(getattr(holder, name)).parameters)
        assert ours == list(signature(owner, name).parameters), f"{owner}.{name}"


@pytest.fixture
def real_cupy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("cupy", reason="CuPy is not installed")
    if getattr(module, "__file__", None) is None:
        pytest.skip("only the stand-in is installed")
    return module


def test_the_list_of_names_is_that_of_the_installed_cupy(real_cupy):
    """Names and signatures are read without a GPU; regenerate with read_cupy_names.py."""
    tables = importlib.import_module("read_cupy_names").read()
    if tables["version"] == NAMES["version"]:
        cuda = {"runtime_version": NAMES["runtime_version"]}  # others have the same names
        assert {**tables, **cuda} == NAMES
        return
    for owner in MODULES:
        with installed():
            used = public(importlib.import_module(owner))
        assert used <= set(tables[owner]), f"CuPy {tables['version']} lacks names of {owner}"


def test_the_installed_cupy_refuses_what_the_stand_in_refuses(real_cupy):
    """What the real CuPy can be asked without a GPU: attributes of its classes."""
    assert isinstance(real_cupy, ModuleType)
    for name in ("__index__", "__contains__", "__imatmul__", "setflags", "to_device"):
        assert not hasattr(real_cupy.ndarray, name)
    assert not hasattr(real_cupy, "errstate")
    assert real_cupy.float32 is numpy.float32
    assert issubclass(real_cupy.cuda.runtime.CUDARuntimeError, RuntimeError)
    assert issubclass(real_cupy.cuda.memory.OutOfMemoryError, MemoryError)
    with installed() as standin:
        ours = standin.cuda.memory.OutOfMemoryError(1000, 2000)
        runtime_error = standin.cuda.runtime.CUDARuntimeError
        for status in (2, 35, 100, 101):
            theirs = real_cupy.cuda.runtime.CUDARuntimeError(status)
            assert str(runtime_error(status)) == str(theirs)
    assert str(ours) == str(real_cupy.cuda.memory.OutOfMemoryError(1000, 2000))
