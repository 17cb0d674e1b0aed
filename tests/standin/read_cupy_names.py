"""Write cupy_standin/cupy_names.json: the names and signatures that the real CuPy has.

CuPy imports without a GPU, so its names can be read on any machine. Run it in an environment of
its own that holds CuPy, whenever the supported version moves on::

    python -m venv /tmp/cupy && /tmp/cupy/bin/pip install cupy-cuda13x
    /tmp/cupy/bin/python tests/standin/read_cupy_names.py

Each module or class becomes a table from public name to its kind and, for what can be called,
its parameters; a default that is no plain literal is written ``...``.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import types
import warnings
from pathlib import Path
from typing import Any

LAZY = ("Generator",)  # what cupy.random finds only when asked for it
OUTPUT = Path(__file__).parent / "cupy_standin" / "cupy_names.json"


def literal(default: str) -> str:
    """The default as written where it is a plain literal, else ``...``."""
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError):
        return "..."
    return repr(value)


def split_parameters(text: str) -> list[str]:
    """Cut a parameter list at its outermost commas."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def parameters_from_text(text: str) -> str:
    """Normalise a parameter list taken from a docstring: no C types, literal defaults only."""
    result = []
    for part in split_parameters(text):
        name, _, default = part.partition("=")
        name = name.partition(":")[0].strip()
        if name not in ("/", "*"):
            name = name.split()[-1]
        result.append(f"{name}={literal(default.strip())}" if default else name)
    return ", ".join(result)


def parameters_from_signature(signature: inspect.Signature) -> str:
    """Normalise a signature that Python knows: no annotations, literal defaults only."""
    cleaned = [
        parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()
    ]
    marked = []
    for parameter in cleaned:
        if parameter.default is not parameter.empty:
            plain = isinstance(parameter.default, (type(None), bool, int, float, str, tuple))
            parameter = parameter.replace(default=parameter.default if plain else ...)
        marked.append(parameter)
    text = str(inspect.Signature(marked))
    return text[1:-1].replace("Ellipsis", "...")


def parameters(value: Any, name: str) -> str | None:
    """The parameters of a function, from its signature or the first line of its docstring."""
    first_line = (value.__doc__ or "").strip().split("\n")[0]
    described = re.match(rf"(?:\w+\.)?{name}\((.*)\)(?: ->.*)?$", first_line)
    try:
        text = parameters_from_signature(inspect.signature(value))
    except (ValueError, TypeError):
        return parameters_from_text(described.group(1)) if described else None
    if described and "*" in text and "*" in described.group(1) and name == "einsum":
        return parameters_from_text(described.group(1))
    return text


def describe(value: Any, name: str) -> dict[str, Any]:
    """One name's entry: its kind, and its parameters where it can be called."""
    import cupy

    if isinstance(value, cupy.ufunc):
        return {"kind": "ufunc", "inputs": value.nin, "outputs": value.nout}
    if isinstance(value, types.ModuleType):
        return {"kind": "module"}
    if isinstance(value, type):
        return {"kind": "class"}
    if callable(value) and not isinstance(value, property):
        entry: dict[str, Any] = {"kind": "function"}
        text = parameters(value, name)
        if text is not None:
            entry["parameters"] = text
        return entry
    return {"kind": "attribute"}


def table(owner: Any, private: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Every public name of a module or a class, and the special methods asked for."""
    names = {name for name in dir(owner) if not name.startswith("_") or name in private}
    names |= {name for name in LAZY if isinstance(owner, types.ModuleType) and hasattr(owner, name)}
    get = getattr if isinstance(owner, types.ModuleType) else inspect.getattr_static
    return {name: describe(get(owner, name, None), name) for name in sorted(names)}


def read() -> dict[str, Any]:
    """All tables, from the CuPy that is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy
        import cupy.lib.stride_tricks
        from cupy._core.flags import Flags

        special = tuple(name for name in dir(cupy.ndarray) if name.startswith("__"))
        return {
            "version": cupy.__version__,
            "runtime_version": cupy.cuda.runtime.runtimeGetVersion(),
            "cupy": table(cupy),
            "cupy.linalg": table(cupy.linalg),
            "cupy.random": table(cupy.random),
            "cupy.lib": table(cupy.lib),
            "cupy.lib.stride_tricks": table(cupy.lib.stride_tricks),
            "cupy.cuda": table(cupy.cuda),
            "cupy.cuda.runtime": table(cupy.cuda.runtime),
            "cupy.cuda.memory": table(cupy.cuda.memory),
            "cupy.cuda.device": table(cupy.cuda.device),
            "cupy.cuda.stream": table(cupy.cuda.stream),
            "ndarray": table(cupy.ndarray, special),
            "ufunc": table(cupy.ufunc),
            "Flags": table(Flags),
            "Device": table(cupy.cuda.Device),
            "Stream": table(cupy.cuda.Stream),
            "MemoryPool": table(cupy.cuda.MemoryPool),
            "RawKernel": table(cupy.RawKernel),
            "RawModule": table(cupy.RawModule),
        }


def main() -> None:
    """Write the tables, one name a line so that a change reads well in a diff."""
    lines = []
    for owner, entries in read().items():
        if isinstance(entries, dict):
            rows = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items())
            lines.append(f"  {json.dumps(owner)}: {{\n{rows}\n  }}")
        else:
            lines.append(f"  {json.dumps(owner)}: {json.dumps(entries)}")
    temporary = OUTPUT.with_suffix(".tmp")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    temporary.replace(OUTPUT)
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
