import errno
import os
import signal
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest
from running import elsewhere

from autoencoder.storage.files import WriteError, atomic_write, atomic_writer


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def earlier(tmp_path):
    """A file that is there as it was, and nothing beside it, when the test is over."""
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    yield path
    assert path.read_bytes() == b"earlier"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "content",
    [b"\0\xff bytes\r\n", "gr\u00f6\u00dfe\n", b"", bytearray(b"x")],
    ids=["bytes", "text", "nothing", "bytearray"],
)
def test_writes_and_replaces(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(b"earlier and longer than the new content")
    atomic_write(path, content)
    expected = content.encode() if isinstance(content, str) else bytes(content)
    assert path.read_bytes() == expected
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_exception_in_the_block_passes_and_leaves_the_earlier_file(earlier, error):
    def write_half():
        with atomic_writer(earlier) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(type(error)) as raised:
        write_half()
    assert raised.value is error


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_at_any_step_is_one_error_with_the_path(earlier, monkeypatch, call):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(WriteError) as raised:
        atomic_write(earlier, b"new")
    monkeypatch.undo()
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(earlier)
    assert str(raised.value) == f"cannot write {str(earlier)!r}: No space left on device"


def refusal_of_write(path, content):
    try:
        atomic_write(path, content)
    except WriteError as error:
        return str(error)


def write_to_a_full_disk(path):
    """4096 bytes a file are the most from now on, so the write fails in the kernel."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    return refusal_of_write(path, bytes(100_000))


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX file size limits")
def test_a_really_full_disk_leaves_the_earlier_file(earlier):
    said = elsewhere(__file__, f"write_to_a_full_disk({str(earlier)!r})")
    assert said == f"cannot write {str(earlier)!r}: File too large"


def test_a_vanished_folder_is_named(tmp_path):
    folder = tmp_path / "gone"
    words = r"cannot write .*file': the folder .*gone' does not exist"
    with pytest.raises(WriteError, match=words):
        atomic_write(folder / "file", b"new")
    folder.mkdir()

    def write_while_it_vanishes():
        with atomic_writer(folder / "file") as file:
            file.write(b"new")
            for entry in folder.iterdir():
                entry.unlink()
            folder.rmdir()

    with pytest.raises(WriteError, match="does not exist"):
        write_while_it_vanishes()


def write_without_rights(path):
    if os.geteuid() == 0:
        os.setuid(65534)  # gives up the superuser's
    return refusal_of_write(path, b"new")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_read_only_folder_is_one_clear_error():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(b"earlier")
        os.chmod(folder, 0o555)
        said = elsewhere(__file__, f"write_without_rights({str(path)!r})")
        os.chmod(folder, 0o755)
        assert said == f"cannot write {str(path)!r}: Permission denied"
        assert path.read_bytes() == b"earlier"
        assert names(path.parent) == ["file"]


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"earlier")
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_the_usual_permissions_apply(tmp_path):
    previous = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", b"")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_file_reaches_the_disk_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        order.append("flush folder" if is_folder else "flush file")
        fsync(descriptor)

    def record_replace(*arguments):
        order.append("rename")
        replace(*arguments)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    atomic_write(tmp_path / "file", b"new")
    assert order == ["flush file", "rename", "flush folder"]


def test_what_killed_writers_left_is_swept_but_not_what_a_live_one_holds(tmp_path):
    dead, live = tmp_path / ".file.00ff.tmp", tmp_path / ".file.11ee.tmp"
    other = tmp_path / ".another.00ff.tmp"
    for leftover in (dead, live, other):
        leftover.write_bytes(b"half")
    for leftover in (dead, other):
        os.utime(leftover, (time.time() - 3600,) * 2)
    atomic_write(tmp_path / "file", b"new")
    assert names(tmp_path) == [other.name, live.name, "file"]


def test_a_reader_never_sees_anything_but_a_whole_file(tmp_path):
    path = tmp_path / "file"
    contents = {bytes([number]) * 200_000 for number in range(30)}
    atomic_write(path, bytes(200_000))
    failures = []

    def write():
        for content in sorted(contents):
            atomic_write(path, content)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen = path.read_bytes()
        if seen not in contents:
            failures.append(len(seen))
    for writer in writers:
        writer.join()
    assert not failures
    assert names(tmp_path) == ["file"]
