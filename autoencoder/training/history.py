"""The record of a run: one row an epoch, written as ``metrics.csv``."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence

from autoencoder.storage.atomic import atomic_write

__all__ = ["Row", "write_rows"]

Row = dict[str, float]


def write_rows(path: str | os.PathLike[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows as a CSV file, whole or not at all; the columns are those of any row.

    Parameters
    ----------
    path : path-like
    rows : sequence of mappings
        From column name to value.

    Raises
    ------
    WriteError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "metrics.csv"
    >>> write_rows(path, [{"epoch": 1, "test_psnr_db": 18.0}])
    >>> path.read_text().split()
    ['epoch,test_psnr_db', '1,18.0']
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())
