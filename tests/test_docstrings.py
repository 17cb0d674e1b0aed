"""Every public name has a page: what it is, what it takes, gives and raises, and an example.

A function of one argument needs no more than a sentence and an example.
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
import types

import minigrad
from minigrad.engine import Operation

ENGINE = ("", ".functional", ".nn", ".optim", ".gradcheck", ".graph", ".parallel")
# What a user imports. The other modules of autoencoder are inside: a sentence says what they are.
MODULES = [*(f"minigrad{name}" for name in (*ENGINE, ".graph.trace")), "autoencoder"]


def public_objects():
    """Functions and classes listed in an ``__all__``, each once, by the name of where it is."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for public in module.__all__:
            thing = getattr(module, public)
            is_alias = isinstance(thing, types.GenericAlias)  # a class too, to Python 3.10
            if inspect.isfunction(thing) or (inspect.isclass(thing) and not is_alias):
                found.setdefault(thing, f"{thing.__module__}.{thing.__qualname__}")
    return sorted((where, thing) for thing, where in found.items())


OBJECTS = public_objects()
# Objects that need no section of their own where a function gives one: the first sentence says it.
SAY_IT_ALL = (
    *("Dataset", "Device", "Figure", "GaussianMixture", "nn.Sequential", "Path", "TrainingState"),
    *("numpy.random.Generator", "Iterator[None]", "HostArray", "bool"),
)


def sections(docstring):
    """The NumPy-style sections of a docstring, by title; the text before them under ''."""
    parts = re.split(r"^([A-Z][a-z]+)\n-{3,}$", docstring, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def parameters_of(thing):
    """Names a caller may pass."""
    called = thing.__init__ if inspect.isclass(thing) else thing
    if inspect.isclass(thing) and thing.__init__ is object.__init__:
        return []
    names = [
        parameter.name
        for parameter in inspect.signature(called).parameters.values()
        if parameter.name != "self"
    ]
    is_anything = inspect.isclass(thing) and names in (["args", "kwargs"], ["args", "kwds"])
    return [] if is_anything else names


def raises_itself(function):
    """Whether there is a raise statement in the function's own body."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    inner = [n for n in ast.walk(tree.body[0]) if isinstance(n, ast.FunctionDef)][1:]
    hidden = {n for f in inner for n in ast.walk(f)}
    return any(
        isinstance(node, ast.Raise) and node.exc is not None and node not in hidden
        for node in ast.walk(tree)
    )


REFERENCE = re.compile(
    r"((?:Parameters|Results?|Returns|Errors)[^.:;]*?) (?:are )?(?:as|those) (?:for|of|from)"
)


def shares(docstring, what):
    """Whether the docstring refers to another for its parameters, results or errors."""
    return any(what in found.lower() for found in REFERENCE.findall(" ".join(docstring.split())))


def missing(thing):
    """What the docstring of a public function or class lacks."""
    docstring = inspect.getdoc(thing)
    if not docstring:
        return ["everything"]
    found, lacks = sections(docstring), []
    if not docstring.splitlines()[0].rstrip().endswith((".", ":")) and "\n\n" in docstring:
        first = docstring.split("\n\n")[0].rstrip()
        lacks += [] if first.endswith((".", ":", "?")) else ["a first sentence"]
    if ">>>" not in docstring:
        lacks.append("an example")
    names = parameters_of(thing)
    given = found.get("Parameters", "") + found.get("Attributes", "")
    if inspect.isfunction(thing) and len(names) <= 1:
        return lacks  # a sentence says what the one argument is; the example shows it
    floors = ("functional", "nn", "optim", "gradcheck")
    if thing.__module__.startswith(tuple(f"minigrad.{floor}." for floor in floors)):
        # PyTorch's names: a sentence says what an argument is as well as a section does.
        said = names if inspect.isclass(thing) else names[1:]
        if not shares(docstring, "parameters"):
            lacks += [f"parameter {n}" for n in said if not re.search(rf"\b{n}\b", docstring)]
        is_told = inspect.isclass(thing) or "Error" in docstring or not raises_itself(thing)
        return lacks if is_told else [*lacks, "raises"]
    if not shares(docstring, "parameters"):
        lacks += [f"parameter {name}" for name in names if not re.search(rf"\b{name}\b", given)]
    if inspect.isfunction(thing):
        annotation = thing.__annotations__.get("return", "None")
        gives = str(annotation) not in ("None", "NoReturn", *SAY_IT_ALL)
        if gives and not ({"Returns", "Yields"} & found.keys() or shares(docstring, "result")):
            lacks.append("returns")
        if raises_itself(thing) and "Raises" not in found and not shares(docstring, "errors"):
            lacks.append("raises")
    return lacks


def test_every_public_name_is_documented():
    assert len(OBJECTS) > 130
    assert minigrad.Tensor in [thing for _, thing in OBJECTS]
    lacks = {where: missing(thing) for where, thing in OBJECTS}
    assert {where: what for where, what in lacks.items() if what} == {}


def test_public_methods_say_what_they_do():
    method = (types.FunctionType, property, staticmethod, classmethod)
    silent = [
        f"{where}.{name}"
        for where, thing in OBJECTS
        if inspect.isclass(thing)
        for name, member in vars(thing).items()
        if isinstance(member, method) and not name.startswith("_")
        if not inspect.getdoc(getattr(thing, name))
    ]
    assert silent == []


def test_operations_derive_their_gradients_beside_their_code():
    derivative = re.compile(r"d[a-zA-Z]/d[a-z]|\bd[a-zA-Z]\w* = |gradient|linear in g")
    shipped = {  # not those that an example in a docstring defines
        name: operation
        for name, operation in Operation.registry.items()
        if operation.__module__.startswith("minigrad.")
        and getattr(sys.modules[operation.__module__], operation.__name__, None) is operation
    }
    assert len(shipped) > 30
    for name, operation in shipped.items():
        text = operation.__dict__.get("__doc__") or ""
        assert "``" in text, f"{name}: the formula of the operation"
        assert derivative.search(text), f"{name}: its derivative"


def test_counting_notices_what_is_missing():
    def half_documented(x, y):
        """Add two things.

        Parameters
        ----------
        x : int
        """
        if y is None:
            raise ValueError("y is missing")
        return x + y

    half_documented.__annotations__["return"] = "int"
    assert missing(half_documented) == ["an example", "parameter y", "returns", "raises"]
    assert missing(lambda x: x) == ["everything"]

    def of_one(x):
        """Double x."""
        return 2 * x

    assert missing(of_one) == ["an example"]
