"""Published data sets, downloaded once and kept in a cache folder.

Mirrors are tried in order, over HTTPS only; a broken download is continued; a file gets its name
only once its content has the known digest. Several processes may ask for the same set at once:
one downloads, the others wait.

Set the environment variable ``MINIGRAD_OFFLINE`` to keep off the network, and ``MINIGRAD_DATA`` to
keep the files in another folder than the user's cache.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from autoencoder.data.idx import IdxError
from autoencoder.data.sources import FILES, Source, find_source, read_published
from autoencoder.data.transfer import Limits, RefusedError, transfer
from autoencoder.storage.atomic import WriteError
from autoencoder.storage.file_lock import file_lock
from minigrad.backend import cut

__all__ = ["DownloadError", "Limits", "cache_folder", "fetch", "is_offline"]


class DownloadError(OSError):
    """A data set is not there and could not be fetched; the message says what to do by hand."""


def cache_folder(name: str) -> Path:
    """Give the folder where the files of the set `name` are kept: in ``MINIGRAD_DATA`` if set."""
    chosen = os.environ.get("MINIGRAD_DATA")
    if chosen:
        return Path(chosen).expanduser() / name
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "minigrad" / name


def is_offline() -> bool:
    """Tell whether ``MINIGRAD_OFFLINE`` forbids the network (set, and neither empty nor 0)."""
    return os.environ.get("MINIGRAD_OFFLINE", "") not in ("", "0")


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    offline: bool | None = None,
    mirrors: Sequence[str] | None = None,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
) -> Path:
    """Make sure the four files of a set are in a folder; download those that are not.

    Files already there are not read: `datasets.load` verifies them on every load.

    Parameters
    ----------
    name : {"mnist", "fashion-mnist", "kmnist"}
    folder : path-like, optional
        Where to keep them; by default `cache_folder(name)`. Created if missing.
    offline : bool, optional
        Never touch the network; by default what `is_offline` says.
    mirrors : sequence of str, optional
        HTTPS addresses of folders to try instead of the known ones.
    limits : Limits, optional
        Time-outs, number of attempts, largest size.
    context : ssl.SSLContext, optional
        Which certificates to trust; by default the system's.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DownloadError
        If a file is missing and cannot be had; says why, mirror by mirror, and how to place the
        files by hand.
    WriteError
        If the folder cannot be written.
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import tempfile
    >>> fetch("fashion-mnist", tempfile.mkdtemp(), offline=True)
    Traceback (most recent call last):
        ...
    autoencoder.data.download.DownloadError: cannot download fashion-mnist: offline mode...
    """
    source = find_source(name)
    folder = cache_folder(source.name) if folder is None else Path(folder)
    limits = limits or Limits()
    offline = is_offline() if offline is None else offline
    mirrors = source.mirrors if mirrors is None else tuple(mirrors)
    if not _missing(folder, source):
        return folder
    if offline:
        raise DownloadError(_by_hand(source, folder, ["offline mode (MINIGRAD_OFFLINE)"]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / ".lock", limits.lock_timeout):
            # Another process may have finished while this one waited.
            for file in _missing(folder, source):
                _fetch_file(source, file, folder, mirrors, limits, context)
    except (DownloadError, WriteError):
        raise
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), str(folder)) from error
    return folder


def _missing(folder: Path, source: Source) -> list[str]:
    """Files that are neither there as published nor, where that can be checked, decompressed."""
    return [
        file
        for file in FILES
        if not (folder / f"{file}.gz").is_file()
        and not (file in source.sha256 and (folder / file).is_file())
    ]


def _fetch_file(
    source: Source,
    file: str,
    folder: Path,
    mirrors: Sequence[str],
    limits: Limits,
    context: ssl.SSLContext | None,
) -> None:
    reasons = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file}.gz"
        # Mirrors may have compressed the same content differently: each has its own partial file.
        tag = hashlib.sha256(url.encode()).hexdigest()[:12]
        part = folder / f".{file}.gz.{tag}.part"
        for attempt in range(limits.attempts):
            if attempt:
                time.sleep(limits.backoff * 2 ** (attempt - 1))
            try:
                transfer(url, os.fspath(part), limits, context)
                try:
                    read_published(part, file, source)
                except IdxError:
                    part.unlink()  # a wrong beginning cannot be continued
                    raise
            except WriteError:
                raise
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = cut(str(error)) or type(error).__name__
                if isinstance(error, RefusedError):
                    break
            else:
                os.replace(part, folder / f"{file}.gz")
                for leftover in folder.glob(f".{file}.gz.*.part"):
                    leftover.unlink(missing_ok=True)
                return
        reasons.append(f"{url}: {problem}")
    raise DownloadError(_by_hand(source, folder, reasons or ["no mirror is known"]))


def _by_hand(source: Source, folder: Path, reasons: Sequence[str]) -> str:
    reason = f" {reasons[0]}" if len(reasons) == 1 else "".join(f"\n  {one}" for one in reasons)
    return (
        f"cannot download {source.name}:{reason}\n"
        f"To place the files by hand, get {', '.join(f'{file}.gz' for file in FILES)} "
        f"(described at {source.homepage}) and put them into {str(folder)!r}, or pass another "
        "folder that holds them."
    )
