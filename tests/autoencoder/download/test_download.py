import contextlib
import dataclasses
import gzip
import hashlib
import json
import os
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running import start

from autoencoder.data import download
from autoencoder.data import published as sources
from autoencoder.data.datasets import load
from autoencoder.data.download import DownloadError, Limits, cache_folder, fetch
from autoencoder.data.idx import IdxError
from autoencoder.data.published import FILES, Source
from autoencoder.storage.files import WriteError, file_lock

CERTIFICATE = Path(__file__).with_name("loopback.pem")
QUICK = Limits(timeout=20, attempts=3, backoff=0.01, max_bytes=100_000, lock_timeout=10)
IMPATIENT = dataclasses.replace(QUICK, timeout=0.3, attempts=2)  # with who never answers
COUNTING = dataclasses.replace(QUICK, timeout=1.5, attempts=1)  # each byte comes in time


def trusted():
    return ssl.create_default_context(cafile=CERTIFICATE)


def try_fetch(server, folder, *behaviours, limits=QUICK, context=None):
    mirrors = [f"https://127.0.0.1:{server.server_port}/{behaviour}/" for behaviour in behaviours]
    return fetch("tiny", folder, mirrors=mirrors, limits=limits, context=context or trusted())


def assert_complete(server, folder):
    for file, content in server.files.items():
        assert gzip.decompress((folder / file).read_bytes()) == gzip.decompress(content)
    assert sorted(os.listdir(folder)) == sorted([".lock", *server.files])


FAILING = {  # what is said, and the mirrors that it is said of
    "answers 500": "broken",
    "answers 404": "missing",
    "web page": "web_page",
    "no gzip file": "disguised_web_page",
    "220 ready": "no_http",
    "timed out": "silent stalling",
    r"only \d+ bytes": "trickling trickling_chunk_size",
    "timed out|no whole answer": "trickling_status trickling_headers waiting_for_ever "
    "to_itself_slowly with_a_trickling_body",
    "more than 1048576 bytes|timed out|no whole answer": "with_an_endless_body",
    r"more than \d+ bytes come around the file": "endless_trailers",
    "the connection ends after": "always_dying too_long_announced",
    "gzip stream": "too_short_announced",
    "bytes are announced": "huge_announced",
    "more than the limit of 100000 bytes arrives": "endless",
    "SHA-256": "other_content",
    "content|elements|dimensions": "bomb",
    "'http://.*' is not an HTTPS address": "to_plain_http",
    "'file:///etc/hostname' is not (allowed|an HTTPS address)": "to_a_local_file",
    "redirect|infinite loop": "to_itself",
}


@pytest.mark.parametrize(
    ("behaviour", "words"), [(one, words) for words in FAILING for one in FAILING[words].split()]
)
def test_a_mirror_that_fails_is_named_and_the_next_one_serves(server, tmp_path, behaviour, words):
    limits = dataclasses.replace(QUICK, attempts=2)
    for kind, of_words in ((IMPATIENT, "timed out"), (COUNTING, "only")):
        limits = kind if of_words in words else limits
    alone, both = tmp_path / "alone", tmp_path / "both"
    started = time.monotonic()
    with pytest.raises(DownloadError, match=words) as raised:
        try_fetch(server, alone, behaviour, limits=limits)
    assert time.monotonic() - started < 20  # the mirror would go on for ever
    assert f"/{behaviour}/{FILES[0]}.gz" in str(raised.value)
    assert not [name for name in os.listdir(alone) if not name.startswith(".")]
    assert all(path.stat().st_size <= QUICK.max_bytes for path in alone.iterdir())
    assert len(server.log) <= 12  # two attempts; urllib follows a loop ten times at most

    both.mkdir()
    for file in FILES[1:]:  # one file tells enough
        (both / f"{file}.gz").write_bytes(server.files[f"{file}.gz"])
    once = dataclasses.replace(limits, attempts=1, timeout=max(limits.timeout, 1.5))
    try_fetch(server, both, behaviour, "good", limits=once)
    assert_complete(server, both)


def test_a_handshake_that_trickles_is_given_up_as_a_whole_and_the_lock_with_it(server, tmp_path):
    server.slow_handshake = True
    started = time.monotonic()
    with pytest.raises(DownloadError, match="timed out"):
        try_fetch(server, tmp_path, "good", limits=dataclasses.replace(IMPATIENT, attempts=1))
    assert time.monotonic() - started < 20
    with file_lock(tmp_path / ".lock", 0.1):
        pass
    server.slow_handshake = False
    assert_complete(server, try_fetch(server, tmp_path, "good"))


def test_a_proxy_that_trickles_its_answer_is_given_up(tmp_path, server, monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Name: ")
            while not server.closing.wait(0.05):
                connection.sendall(b"x")

    thread = threading.Thread(target=answer)
    thread.start()
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
    started = time.monotonic()
    with pytest.raises(OSError, match="timed out"):
        download.transfer("https://example.org/f.gz", str(tmp_path / "part"), IMPATIENT, trusted())
    assert time.monotonic() - started < 20
    thread.join(5)
    listener.close()


def test_hopeless_answers_are_not_asked_for_again(server, tmp_path):
    for behaviour, tries in {"missing": 1, "web_page": 1, "to_plain_http": 1, "broken": 3}.items():
        server.log.clear()
        with pytest.raises(DownloadError):
            try_fetch(server, tmp_path, behaviour)
        assert len(server.log) == tries, behaviour


@pytest.mark.parametrize("behaviour", ["good", "without_ranges", "flaky", "dying", "to_good"])
def test_a_mirror_that_recovers_serves_the_whole_set(server, tmp_path, behaviour):
    assert_complete(server, try_fetch(server, tmp_path / "new" / "folder", behaviour))


def test_a_broken_download_is_continued_where_it_ended(server, tmp_path):
    try_fetch(server, tmp_path, "dying")
    file = f"{FILES[0]}.gz"
    half = len(server.files[file]) // 2
    assert server.log[:2] == [("dying", file, None), ("dying", file, f"bytes={half}-")]


def test_an_interrupted_run_is_continued_by_the_next(server, tmp_path):
    once = dataclasses.replace(QUICK, attempts=1)
    with pytest.raises(DownloadError):
        try_fetch(server, tmp_path, "dying", limits=once)
    server.log.clear()
    assert_complete(server, try_fetch(server, tmp_path, "dying"))
    assert server.log[0][2].startswith("bytes=")


@pytest.mark.parametrize("behaviour", ["good", "without_ranges", "wrong_range"])
@pytest.mark.parametrize("size", [500, 1_000_000 // 20])
def test_a_wrong_beginning_is_thrown_away_not_continued_for_ever(server, tmp_path, behaviour, size):
    url = f"https://127.0.0.1:{server.server_port}/{behaviour}/{FILES[0]}.gz"
    part = tmp_path / f".{FILES[0]}.gz.{hashlib.sha256(url.encode()).hexdigest()[:12]}.part"
    part.write_bytes(b"\x1f\x8b" + bytes(size))
    twice = dataclasses.replace(QUICK, attempts=2)
    assert_complete(server, try_fetch(server, tmp_path, behaviour, limits=twice))
    assert server.log[0][2] == f"bytes={size + 2}-"


def test_another_range_than_asked_for_is_not_appended(server, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(b"\x1f\x8b")
    url = f"https://127.0.0.1:{server.server_port}/wrong_range/{FILES[0]}.gz"
    with pytest.raises(OSError, match="another range"):
        download.transfer(url, str(part), QUICK, trusted())
    assert part.read_bytes() == b""


def test_the_wait_between_attempts_doubles(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    with pytest.raises(DownloadError):
        try_fetch(server, tmp_path, "broken", limits=Limits(timeout=1, attempts=4, backoff=3))
    assert waits == [3, 6, 12]


def test_an_untrusted_certificate_is_refused_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match=r"certificate: self.signed"):
        try_fetch(server, tmp_path, "good", context=ssl.create_default_context())
    assert server.log == []


@pytest.mark.parametrize(
    ("mirror", "words"),
    [("http://127.0.0.1:1/", "not an HTTPS address"), ("https://127.0.0.1:1/", "refused")],
)
def test_plain_http_and_a_refused_connection_are_clear_errors(server, tmp_path, mirror, words):
    with pytest.raises(DownloadError, match=words):
        fetch("tiny", tmp_path, mirrors=[mirror], limits=QUICK)


def test_the_message_tells_how_to_place_the_files_by_hand(server, tmp_path):
    with pytest.raises(DownloadError) as raised:
        try_fetch(server, tmp_path, "missing", "broken")
    words = ("/missing/", "/broken/", "by hand", "https://example.org/tiny", repr(str(tmp_path)))
    for word in (*words, *(f"{file}.gz" for file in FILES)):
        assert word in str(raised.value)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_mode_touches_no_network(server, tmp_path, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("MINIGRAD_OFFLINE", "1")
    offline = {"argument": True, "environment": None}[how]
    monkeypatch.setattr(download, "transfer", lambda *_: pytest.fail("network used"))
    mirrors = [f"https://127.0.0.1:{server.server_port}/good"]
    with pytest.raises(DownloadError, match=r"offline mode.*\n.*by hand"):
        fetch("tiny", tmp_path / "a", offline=offline, mirrors=mirrors)
    assert not (tmp_path / "a").exists()
    assert server.log == []
    for file, content in server.files.items():
        (tmp_path / file).write_bytes(content)
    assert fetch("tiny", tmp_path, offline=offline) == tmp_path


def test_files_already_there_are_kept_and_only_the_missing_fetched(server, tmp_path):
    (tmp_path / FILES[0]).write_bytes(gzip.decompress(server.files[f"{FILES[0]}.gz"]))
    (tmp_path / f"{FILES[1]}.gz").write_bytes(server.files[f"{FILES[1]}.gz"])
    try_fetch(server, tmp_path, "good")
    assert [entry[1] for entry in server.log] == [f"{FILES[2]}.gz", f"{FILES[3]}.gz"]


def test_load_downloads_then_verifies_on_every_load(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    assert cache_folder("tiny") == tmp_path / "tiny"
    with pytest.raises(DownloadError, match="no mirror"):
        load("tiny")
    try_fetch(server, None, "good")
    assert load("tiny", offline=True).train_images.shape == (20, 28, 28)
    (tmp_path / "tiny" / f"{FILES[0]}.gz").write_bytes(server.files[f"{FILES[2]}.gz"])
    with pytest.raises(IdxError, match="SHA-256"):
        load("tiny")


def test_a_set_known_by_the_md5_of_its_archives_is_verified_too(server, tmp_path, monkeypatch):
    digests = {file: hashlib.md5(server.files[f"{file}.gz"]).hexdigest() for file in FILES}
    source = Source("tiny", "Tiny", "none", "https://example.org", (), archive_md5=digests)
    monkeypatch.setitem(sources.SOURCES, "tiny", source)
    assert_complete(server, try_fetch(server, tmp_path / "a", "good"))
    with pytest.raises(DownloadError, match="MD5"):
        try_fetch(server, tmp_path / "b", "other_content")


def test_a_full_disk_is_reported_at_once_with_the_path(server, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(WriteError, match=r"cannot write .*part': No space left on device"):
        try_fetch(server, tmp_path, "good")
    assert len(server.log) == 1


def test_a_folder_that_cannot_be_made_is_reported(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match=r"cannot write .*file"):
        try_fetch(server, tmp_path / "file" / "folder", "good")


def test_several_processes_download_each_file_once(server, tiny, tmp_path):
    program = (
        "import json, ssl, sys\n"
        "from autoencoder.data import published as sources\n"
        "from autoencoder.data.download import fetch\n"
        "mirror, folder, certificate, digests = sys.argv[1:]\n"
        "tiny = sources.Source('tiny', '', '', '', (mirror,), json.loads(digests))\n"
        "sources.SOURCES['tiny'] = tiny\n"
        "fetch('tiny', folder, context=ssl.create_default_context(cafile=certificate))\n"
    )
    mirror = f"https://127.0.0.1:{server.server_port}/good/"
    arguments = [mirror, tmp_path, CERTIFICATE, json.dumps(tiny[0].sha256)]
    processes = [start("-c", program, *arguments) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    assert_complete(server, tmp_path)
    assert sorted(entry[1] for entry in server.log) == sorted(server.files)


def test_threads_of_one_process_exclude_each_other_too(server, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: try_fetch(server, tmp_path, "good"), range(4)))
    assert_complete(server, tmp_path)
    assert len(server.log) == 4


def test_a_lock_that_is_never_freed_ends_in_an_error(server, tmp_path):
    held = pytest.raises(OSError, match="another process has held")
    with file_lock(tmp_path / ".lock", 1), held:
        try_fetch(server, tmp_path, "good", limits=Limits(lock_timeout=0.1))
    assert server.log == []


def test_all_known_mirrors_are_https_and_all_sets_have_digests():
    for source in sources.SOURCES.values():
        assert source.mirrors
        assert all(mirror.startswith("https://") for mirror in source.mirrors)
        digests = source.sha256 or source.archive_md5
        assert set(digests) == set(FILES)
        assert {len(digest) for digest in digests.values()} <= {32, 64}
