"""Published data sets, downloaded once and kept in a cache folder.

Mirrors are tried in order, over HTTPS only; a broken download is continued; a file gets its name
only once its content has the known digest. Several processes may ask for the same set at once:
one downloads, the others wait. Set the environment variable ``MINIGRAD_OFFLINE`` to keep off the
network, and ``MINIGRAD_DATA`` to keep the files in another folder than the user's cache.

What a server says is not believed: its length, its type, where it redirects to. Connections that
stall or trickle are given up, wherever they do. Only the look-up of a name cannot be cut short: the
system's resolver has time-outs of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import io
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from autoencoder.data.idx import IdxError
from autoencoder.data.published import FILES, Source, find_source, read_published
from autoencoder.storage.files import WriteError, file_lock, open_regular
from minigrad.backend import cut, shown

_CHUNK = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_SLOWEST = 512  # bytes a second
_MOST_HEAD = 2**20  # bytes of all heads, and of what comes with redirections
_WORTH_RETRYING = {408, 416, 425, 429, *range(500, 600)}


class RefusedError(OSError):
    """What the server offers is not wanted; asking it again would not help."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long, how often and how much."""

    # Seconds for everything up to the file's first byte: connections, handshakes, heads,
    # redirections. After that, seconds without a byte, or nearly, until it is given up.
    timeout: float = 20.0
    attempts: int = 3  # at a mirror before the next one's turn
    backoff: float = 1.0  # seconds to wait after the first failed try; doubled after each
    max_bytes: int = 2**26  # of a file
    lock_timeout: float = 1800.0  # seconds to wait for another process that downloads the set

    def __post_init__(self) -> None:
        if self.timeout <= 0 or self.attempts < 1 or self.backoff < 0 or self.max_bytes < 1:
            raise ValueError(f"timeout, attempts and max_bytes must be positive: {self}")


def transfer(url: str, part: str, limits: Limits, context: ssl.SSLContext | None = None) -> None:
    """Fetch an HTTPS address of a gzip file into the file `part`, continuing it if it exists.

    Raises RefusedError if the server offers something else (plain HTTP, a web page, too many
    bytes); OSError, HTTPException or ValueError if the connection fails, stalls or ends early, when
    trying again may help and `part` is left for it; WriteError if the disk does not take the bytes.
    `context` says which certificates to trust; by default the system's.
    """
    _require_https(url)
    with _writes(part):
        file = open_regular(part, os.O_RDWR | os.O_CREAT)  # never cuts what is there
    with file:
        start = file.seek(0, os.SEEK_END)
        # "identity": the digest is of the file, not of some compression on the way.
        headers = {"User-Agent": "minigrad", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = urllib.request.Request(url, headers=headers)
        watch = _Watch(limits)
        opener = urllib.request.build_opener(_Watched(watch, context), _HttpsOnlyRedirects())
        try:
            response = opener.open(request, timeout=limits.timeout)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416:  # the partial file is longer than the whole one
                    file.truncate(0)
                message = f"the server answers {error.code} {error.reason}"
                kind = OSError if error.code in _WORTH_RETRYING else RefusedError
                raise kind(message) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise RefusedError(f"certificate: {error.reason.verify_message}") from None
            raise ConnectionError(str(error.reason)) from None
        with response:
            watch.let_the_file_come()
            _receive(response, file, start, limits)


def _receive(
    response: http.client.HTTPResponse, file: IO[bytes], start: int, limits: Limits
) -> None:
    if "html" in response.headers.get("Content-Type", "").lower():
        raise RefusedError("the server sends a web page instead of the file")
    if response.status != 206:  # the whole file, whatever was asked for
        start = file.truncate(0)
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        file.truncate(0)
        raise OSError("the server sends another range than asked for")
    file.seek(start)
    total = None if response.length is None else start + response.length
    if total is not None and total > limits.max_bytes:
        raise RefusedError(f"{total} bytes are announced, more than the limit {limits.max_bytes}")

    done = start
    name = urllib.parse.urlsplit(response.url).path.rpartition("/")[2]
    # disable=None: a bar on a terminal only
    with tqdm(
        desc=name, total=total, initial=start, unit="B", unit_scale=True, leave=False, disable=None
    ) as bar:
        # read1: hand over what has come, so that a trickle is seen for what it is
        while chunk := response.read1(_CHUNK):
            if done == 0 and chunk[:2] != _GZIP_MAGIC[: len(chunk)]:
                raise RefusedError("the server sends something that is no gzip file")
            if done + len(chunk) > limits.max_bytes:
                file.truncate(0)
                raise RefusedError(f"more than the limit of {limits.max_bytes} bytes arrives")
            with _writes(file.name):
                file.write(chunk)
            done += len(chunk)
            bar.update(len(chunk))
    if total is not None and done < total:
        raise ConnectionError(f"the connection ends after {done} of {total} bytes")
    with _writes(file.name):
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _writes(path: str) -> Iterator[None]:
    """What the system answers in the block is about a file here, and not about the server."""
    try:
        yield
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), path) from error


class _Watch:
    """What is left, in seconds and in bytes, of what a server may take: first for all heads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.start = time.monotonic()
        self.received = 0
        self.most = _MOST_HEAD
        self.is_file = False

    def let_the_file_come(self) -> None:
        """From now on bytes may come for as long as they come fast enough."""
        self.is_file = True
        self.start = time.monotonic()
        self.received = 0
        # Room for what a chunked answer puts between the file's bytes.
        self.most = 2 * self.limits.max_bytes + _MOST_HEAD

    def seconds(self) -> float:
        """How long the next byte may take."""
        if self.is_file:
            return self.limits.timeout
        left = self.start + self.limits.timeout - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"timed out: no whole answer within {self.limits.timeout:g} s")
        return left

    def count(self, size: int) -> None:
        """Note that bytes have come; raise if they are too many, or came too slowly."""
        self.received += size
        if self.received > self.most:
            raise RefusedError(f"more than {self.most} bytes come around the file")
        waited = time.monotonic() - self.start
        if self.is_file and waited > self.limits.timeout:
            if self.received < _SLOWEST * waited:
                raise TimeoutError(f"only {self.received} bytes in {waited:.0f} s")
            self.most -= self.received
            self.start, self.received = time.monotonic(), 0

    def connect(self, address: tuple[str, int], *_: object) -> socket.socket:
        """Connect to a name; the handshake that follows has the time that is left then."""
        connection = socket.create_connection(address, self.seconds())
        try:
            connection.settimeout(self.seconds())
        except TimeoutError:  # the name's first addresses may have taken all of it
            connection.close()
            raise
        return connection


class _Watched(urllib.request.HTTPSHandler):
    """Opens HTTPS addresses under a watch."""

    def __init__(self, watch: _Watch, context: ssl.SSLContext | None) -> None:
        super().__init__(context=context)
        self.watch, self.trusted = watch, context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req, context=self.trusted)

    def _connection(self, host: str, **options: Any) -> http.client.HTTPSConnection:
        connection: Any = http.client.HTTPSConnection(host, **options)
        connection._create_connection = self.watch.connect
        connection.response_class = self._response
        return connection

    def _response(self, sock: Any, **options: Any) -> http.client.HTTPResponse:
        watched: Any = _WatchedBytes(self.watch, sock)
        return http.client.HTTPResponse(watched, **options)


class _WatchedBytes(io.RawIOBase):
    """A socket as an answer reads it, a proxy's too, every byte watched: a line may trickle."""

    def __init__(self, watch: _Watch, sock: socket.socket) -> None:
        self.watch, self.sock = watch, sock
        self.raw = sock.makefile("rb", buffering=0)  # keeps the socket open until it is closed

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self.sock.settimeout(self.watch.seconds())
        size = self.raw.readinto(buffer)
        self.watch.count(size or 0)
        return size

    def close(self) -> None:
        self.raw.close()
        super().close()


class _HttpsOnlyRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        _require_https(arguments[-1])
        return super().redirect_request(*arguments)


def _require_https(url: str) -> None:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise RefusedError(f"{shown(url)} is not an HTTPS address")


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


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    offline: bool | None = None,
    mirrors: Sequence[str] | None = None,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
) -> Path:
    """Make sure the four files of a set are in a folder: download those that are not.

    The folder is given back; by default it is `cache_folder(name)`, and made if missing. Files
    already there are not read: `datasets.load` verifies them on every load. By default it is
    `offline` if ``MINIGRAD_OFFLINE`` is set, and neither empty nor 0, and the `mirrors`, HTTPS
    addresses of folders, are the known ones. `context` says which certificates to trust.

    Raises DownloadError, with the reason mirror by mirror and how to place the files by hand;
    WriteError if the folder cannot be written; ValueError if the name is unknown.

    >>> import tempfile
    >>> fetch("fashion-mnist", tempfile.mkdtemp(), offline=True)
    Traceback (most recent call last):
        ...
    autoencoder.data.download.DownloadError: cannot download fashion-mnist: offline mode...
    """
    source = find_source(name)
    folder = cache_folder(source.name) if folder is None else Path(folder)
    limits = limits or Limits()
    if offline is None:
        offline = os.environ.get("MINIGRAD_OFFLINE", "") not in ("", "0")
    mirrors = source.mirrors if mirrors is None else tuple(mirrors)
    if not _missing(folder, source):
        return folder
    if offline:
        raise DownloadError(_by_hand(source, folder, ["offline mode (MINIGRAD_OFFLINE)"]))
    with contextlib.ExitStack() as lock:
        with _writes(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            lock.enter_context(file_lock(folder / ".lock", limits.lock_timeout))
        # Another process may have finished while this one waited.
        for file in _missing(folder, source):
            _fetch_file(source, file, folder, mirrors, limits, context)
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
                with _writes(str(folder)):
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
