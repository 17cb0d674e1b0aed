"""Where a run's state is written, and what happens when it cannot be.

While training goes on, a failure to write costs nothing yet: it is reported once, the earlier
checkpoint stands, and the next interval tries again (somebody may have made room meanwhile). Only
when there is no next time is it an error; then the state goes to the temporary folder instead.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from autoencoder.lecture.terminal import Unbreakable
from autoencoder.storage.atomic import WriteError

__all__ = ["Keeper"]


class Keeper:
    """Writes the state of a run into its folder, again and again.

    Parameters
    ----------
    write : callable
        Takes a folder and writes the state into it; raises OSError if it cannot.
    folder : path-like or None
        The run's; with None nothing is ever written.
    title : str
        What reports call the run.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> keeper = Keeper(lambda folder: (folder / "state").touch(), folder, "training")
    >>> keeper.keep()
    >>> [path.name for path in folder.iterdir()]
    ['state']
    """

    def __init__(
        self,
        write: Callable[[Path], None],
        folder: str | os.PathLike[str] | None,
        title: str,
    ) -> None:
        self.write = write
        self.folder = None if folder is None else Path(folder)
        self.title = title
        self.trouble: str | None = None  # why the last attempt failed

    def keep(self, final: bool = False) -> None:
        """Write the state. A failure is reported on standard error, once, unless it is ``final``.

        Parameters
        ----------
        final : bool
            There will be no further attempt.

        Raises
        ------
        WriteError
            If ``final`` and the state cannot be written; says where it was written instead.
        """
        if self.folder is None:
            return
        try:
            self.write(self.folder)
        except OSError as error:
            if final:
                raise self._rescued(error) from error
            if self.trouble != str(error):
                self._report(f"{error}; training goes on and tries again later")
            self.trouble = str(error)
            return
        if self.trouble is not None:
            self._report("the state could be written again")
        self.trouble = None

    def _rescued(self, error: OSError) -> WriteError:
        """Write the state elsewhere; the error to raise then."""
        reason = error.strerror or str(error)
        path = os.fspath(error.filename or self.folder)
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="minigrad-"))
            try:
                self.write(elsewhere)
            except OSError:
                with contextlib.suppress(OSError):
                    elsewhere.rmdir()
                raise
        except OSError as second:
            what = f"what was trained since the last checkpoint is lost, for {second} too"
        else:
            what = f"the state of training is in {elsewhere} instead: move it here to go on with it"
        return WriteError(error.errno, f"{reason}; {what}", path)

    def _report(self, text: str) -> None:
        # Leaves the progress bar whole.
        tqdm.write(f"{self.title}: {text}", file=Unbreakable.of(sys.stderr))
