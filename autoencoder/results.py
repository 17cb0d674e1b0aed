"""What a section computed, kept in one file so that its figures can be drawn again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy

from autoencoder.checkpoint import load_checkpoint, save_checkpoint

__all__ = ["Results"]


@dataclass
class Results:
    """Arrays, numbers and metrics rows of a section.

    Parameters
    ----------
    arrays : dict of str to numpy.ndarray
        What the figures show. Names of letters, digits and ``_ - . /``.
    numbers : dict
        What the captions say: anything JSON can hold.
    rows : list of dict
        What goes into ``metrics.csv``.

    Examples
    --------
    >>> results = Results(numbers={"psnr_db": 18.0})
    >>> results.numbers["psnr_db"]
    18.0
    """

    arrays: dict[str, numpy.ndarray] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def save(self, path: str | os.PathLike[str], configuration: dict[str, Any]) -> None:
        """Write everything, with the configuration it came from.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        metadata = {
            "kind": "minigrad results",
            "configuration": configuration,
            "numbers": self.numbers,
            "rows": self.rows,
        }
        save_checkpoint(path, self.arrays, metadata)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], configuration: dict[str, Any] | None = None
    ) -> Results:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
        configuration : dict, optional
            Refuse results of another configuration.

        Raises
        ------
        CheckpointError
            If the file is damaged or not results.
        FileNotFoundError
            If there is none.
        """
        expected: dict[str, Any] = {"kind": "minigrad results"}
        if configuration is not None:
            expected["configuration"] = configuration
        arrays, metadata = load_checkpoint(path, expected_metadata=expected)
        return cls(arrays, metadata["numbers"], metadata["rows"])
