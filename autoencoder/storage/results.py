"""What a section computed, kept in one file so that its figures can be drawn again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy

from autoencoder.storage.checkpoint import (
    FINITE,
    LIST,
    NAMED_VALUES,
    NOT_NEGATIVE,
    CheckpointError,
    Kind,
    check_metadata,
    check_value,
    is_number,
    load_checkpoint,
    save_checkpoint,
)

_ORIGIN = Kind("a text", lambda value: isinstance(value, str))
_LARGEST = 1e30  # of an array's numbers: drawing squares them, in float32 at worst


@dataclass
class Results:
    """Arrays, numbers and metrics rows of a section.

    The figures show the arrays (names of letters, digits and ``_ - . /``). The captions say the
    numbers, anything JSON can hold. The rows go into ``metrics.csv``. ``origin`` says where the
    results come from, if they were not computed by the run that has them.
    """

    arrays: dict[str, numpy.ndarray] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    origin: str = ""

    def keep(self, group: str, **arrays: numpy.ndarray) -> None:
        """Add arrays by their names in a group.

        >>> results = Results()
        >>> results.keep("circle", noisy=numpy.ones(2), clean=numpy.zeros(2))
        >>> list(results.arrays), results.kept("circle", "clean")
        (['circle/noisy', 'circle/clean'], [array([0., 0.])])
        """
        self.arrays |= {f"{group}/{name}": array for name, array in arrays.items()}

    def kept(self, group: str, *names: str) -> list[numpy.ndarray]:
        """Arrays that :meth:`keep` added."""
        return [self.arrays[f"{group}/{name}"] for name in names]

    def rows_by(self, column: str) -> dict[Any, list[dict[str, Any]]]:
        """The rows by what they have in a column.

        >>> results = Results(rows=[{"run": "a", "loss": 2}, {"run": "b"}, {"run": "a", "loss": 1}])
        >>> results.rows_by("run")["a"]
        [{'run': 'a', 'loss': 2}, {'run': 'a', 'loss': 1}]
        """
        found: dict[Any, list[dict[str, Any]]] = {}
        for row in self.rows:
            found.setdefault(row[column], []).append(row)
        return found

    def save(self, path: str | os.PathLike[str], configuration: dict[str, Any]) -> None:
        """Write everything, with the configuration it came from, or raise WriteError."""
        metadata = {
            "kind": "minigrad results",
            "configuration": configuration,
            "numbers": self.numbers,
            "rows": self.rows,
            **({"origin": self.origin} if self.origin else {}),
        }
        save_checkpoint(path, self.arrays, metadata)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        configuration: dict[str, Any] | None = None,
        needs: Callable[[Results], Needs] | None = None,
    ) -> Results:
        """Read what :meth:`save` wrote.

        Results of another configuration are refused, if one is given. ``needs`` tells, from results
        that are read but not checked yet, what figures and captions take out of them. If the file
        is damaged, not results, or lacks something, a CheckpointError names file and field.
        """
        expected: dict[str, Any] = {"kind": "minigrad results"}
        if configuration is not None:
            expected["configuration"] = configuration
        arrays, metadata = load_checkpoint(path, expected_metadata=expected)
        metadata.setdefault("origin", "")
        fields = {"numbers": NAMED_VALUES, "rows": LIST, "origin": _ORIGIN}
        check_metadata(metadata, fields, path)
        results = cls(arrays, metadata["numbers"], metadata["rows"], metadata["origin"])
        for i, row in enumerate(results.rows):
            if not isinstance(row, dict) or not all(map(_is_cell, row.values())):
                what = "is no row of numbers and short texts"
                raise CheckpointError(path, f"rows[{i}]", what)
        if needs is not None:
            needs(results).check(results, path)
        return results


@dataclass
class Needs:
    """What a section's figures and captions take out of its results; more may be there.

    Arrays are asked for by their shapes, such as ``"N 1 H W"`` or ``"10 2"``: a letter is a size
    from 1, the same wherever it stands. Numbers in them are real and finite; ``"positive ..."``
    says more of them, ``"bool ..."`` asks for truth values. An array asks for itself. Numbers are
    asked for as :func:`autoencoder.storage.checkpoint.check_value` takes them, and so are the
    columns of each row, which may have more.

    >>> from autoencoder.storage.checkpoint import FINITE
    >>> needs = Needs({"images": "N 1 H W"}, {"loss": FINITE}, epoch_rows(5, test_loss=FINITE))
    >>> needs.check(Results({"images": numpy.ones((2, 28, 28))}), "results.npz")
    Traceback (most recent call last):
        ...
    autoencoder.storage.checkpoint.CheckpointError: results.npz: images: has shape (2, 28, 28), \
    expected N 1 H W
    """

    arrays: dict[str, str | numpy.ndarray]
    numbers: dict[str, Any]
    rows: Iterable[dict[str, Any]] | None = None

    def check(self, results: Results, path: str | os.PathLike[str]) -> None:
        """Raise CheckpointError, naming file and field, unless everything is there."""
        sizes: dict[str, int] = {}
        for name, expected in self.arrays.items():
            problem = "is missing"
            if name in results.arrays:
                problem = _wrong(results.arrays[name], expected, sizes)
            if problem:
                raise CheckpointError(path, name, problem)
        for name, expected in self.numbers.items():
            if name not in results.numbers:
                raise CheckpointError(path, f"numbers[{name!r}]", "is missing")
            check_value(results.numbers[name], expected, path, f"numbers[{name!r}]")
        wanted_rows = results.rows if self.rows is None else self.rows
        for i, (row, wanted) in enumerate(itertools.zip_longest(results.rows, wanted_rows)):
            if row is None or wanted is None:
                problem = "is missing" if row is None else "is unexpected"
                raise CheckpointError(path, f"rows[{i}]", problem)
            row = {column: row[column] for column in wanted if column in row}
            check_value(row, wanted, path, f"rows[{i}]")


def epoch_rows(
    epochs: int, column: str = "", names: Iterable[Any] = ("",), **columns: Any
) -> Iterator[dict[str, Any]]:
    """The rows that :func:`autoencoder.training.train` gives, one an epoch, with more columns.

    Of several trainings one after another, which have their ``names`` in a ``column``.
    """
    for name in names:
        for epoch in range(1, epochs + 1):
            yield {
                "epoch": epoch,
                "train_loss": FINITE,  # a log-likelihood may have either sign
                "train_loss_per_sample": FINITE,
                "seconds": NOT_NEGATIVE,
                "images_per_second": NOT_NEGATIVE,
                **({column: name} if column else {}),
                **columns,
            }


def _is_cell(value: Any) -> bool:
    return value is None or is_number(value) or (isinstance(value, str) and len(value) <= 200)


def _wrong(array: numpy.ndarray, expected: str | numpy.ndarray, sizes: dict[str, int]) -> str:
    """What is wrong with an array, in words; nothing if nothing is."""
    if isinstance(expected, numpy.ndarray):
        return "" if numpy.array_equal(array, expected) else "has other values than expected"
    *kinds, shape = expected.split(" ", 1) if expected[0].islower() else ["real", expected]
    names = shape.split()
    fits = (
        len(names) == array.ndim
        and array.size > 0
        and all(
            size == (int(name) if name.isdecimal() else sizes.setdefault(name, size))
            for name, size in zip(names, array.shape)
        )
    )
    if not fits:
        known = ", ".join(f"{name} = {sizes[name]}" for name in names if name in sizes)
        return f"has shape {array.shape}, expected {shape}" + (f" with {known}" if known else "")
    if array.dtype.kind not in ("b" if kinds == ["bool"] else "fiu"):
        return f"has dtype {array.dtype}, expected {kinds[0]} numbers"
    if kinds != ["bool"] and not (numpy.abs(array.astype("float64")) <= _LARGEST).all():
        return "holds a number that is not finite"
    if kinds == ["positive"] and array.min() <= 0:
        return "holds a number that is not positive"
    return ""
