import gzip
import hashlib
import os
import socket
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autoencoder.data.download import Limits, transfer
from autoencoder.data.idx import IdxError, read_idx, write_idx
from autoencoder.data.published import FILES, SOURCES, read_published
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_section
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint
from autoencoder.storage.files import WriteError, read_text
from autoencoder.storage.results import Results

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
# Every example writes the same file anew, so sharing tmp_path between examples is harmless.
fuzz = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def by_hand(array):
    """The format from its definition, element by element."""
    letter = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}[array.dtype.str[1:]]
    content = struct.pack(">BBBB", 0, 0, CODES[array.dtype.str[1:]], array.ndim)
    content += b"".join(struct.pack(">I", size) for size in array.shape)
    return content + b"".join(struct.pack(">" + letter, value) for value in array.ravel().tolist())


def read_or_refusal(path):
    """Give the array and None, or None and the refusal; any other exception is a failure."""
    try:
        return read_idx(path), None
    except IdxError as error:
        return None, error


arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
    )
)


@fuzz
@given(array=arrays)
def test_reads_and_writes_the_format_as_defined(tmp_path, array):
    plain, packed = tmp_path / "a", tmp_path / "a.gz"
    write_idx(plain, array)
    write_idx(packed, array)
    assert plain.read_bytes() == by_hand(array)
    assert gzip.decompress(packed.read_bytes()) == by_hand(array)
    for path in (plain, packed):
        back = read_idx(path)
        assert back.dtype == array.dtype
        assert back.dtype.isnative
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()
        assert back.flags.writeable
        assert back.flags.c_contiguous


def header(code, sizes, count, rest):
    return bytes([0, 0, code, count]) + b"".join(struct.pack(">I", n) for n in sizes) + rest


sizes = st.lists(st.integers(0, 2**32 - 1), max_size=40)
headers = st.builds(header, st.integers(0, 255), sizes, st.integers(0, 255), st.binary(max_size=64))


@settings(fuzz, max_examples=300)
@given(content=st.binary(max_size=200) | headers, compress=st.booleans())
def test_random_content_is_read_or_refused_without_the_memory_it_claims(
    tmp_path, content, compress
):
    path = tmp_path / "some file"
    path.write_bytes(gzip.compress(content, 1) if compress else content)
    tracemalloc.start()
    array, refusal = read_or_refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(path) in str(refusal) if refusal else by_hand(array) == content
    assert peak < 4_000_000


VALID = by_hand(np.arange(24, dtype="u1").reshape(2, 3, 4))


@fuzz
@given(data=st.data())
def test_truncation_extension_and_gzip_bit_flips_never_change_what_is_read(tmp_path, data):
    path = tmp_path / "damaged"
    compress = data.draw(st.booleans())
    content = bytearray(gzip.compress(VALID, mtime=0) if compress else VALID)
    kinds = ["cut", "more", "flip"] if compress else ["cut", "more"]
    kind = data.draw(st.sampled_from(kinds))
    if kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    elif kind == "more":
        content += b"\x07" * data.draw(st.integers(1, 20))
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    array, refusal = read_or_refusal(path)
    if refusal:
        assert str(path) in str(refusal)
    else:
        # A flip in the padding behind the last code of the stream changes nothing.
        assert kind == "flip"
        assert by_hand(array) == VALID


@fuzz
@given(position=st.integers(0, 8 * len(VALID) - 1), compress=st.booleans())
def test_a_digest_catches_every_single_flipped_bit(tmp_path, position, compress):
    content = bytearray(VALID)
    content[position // 8] ^= 1 << position % 8
    path = tmp_path / "flipped"
    path.write_bytes(gzip.compress(content, 1) if compress else content)
    with pytest.raises(IdxError):
        read_idx(path, sha256=hashlib.sha256(VALID).hexdigest())


VECTOR_OF_5 = b"\0\0\x08\1\0\0\0\5"
DAMAGED = {
    "empty": (b"", "magic number"),
    "cut in the magic number": (b"\0\0\x08", "magic number"),
    "wrong magic number": (b"\1\0\x08\1\0\0\0\0", "magic number"),
    "a web page": (b"<html><body>404</body></html>", "magic number"),
    "unknown element type": (b"\0\0\x0a\1\0\0\0\0", "element type"),
    "no dimensions": (b"\0\0\x08\0\0", "number of dimensions"),
    "too many dimensions": (b"\0\0\x08\xff" + b"\0" * 2000, "number of dimensions"),
    "cut in the dimensions": (b"\0\0\x08\3\0\0\0\1\0\0", "dimensions"),
    "dimensions beyond memory": (b"\0\0\x08\3" + b"\xff" * 12, "dimensions"),
    "dimensions beyond memory but empty": (b"\0\0\x08\3" + bytes(4) + b"\xff" * 8, "dimensions"),
    "cut in the elements": (VECTOR_OF_5 + b"abcd", "dimensions"),
    "too many elements": (VECTOR_OF_5 + b"abcdef", "elements"),
    "packed and cut in the elements": (gzip.compress(VECTOR_OF_5 + b"abcd"), "elements"),
    "gzip stream without its end": (gzip.compress(VALID)[:-9], "gzip stream"),
    "gzip stream and more": (gzip.compress(VALID) + b"junk", "gzip stream"),
    "gzip header cut": (b"\x1f\x8b\x08", "gzip stream"),
    "unknown gzip method": (b"\x1f\x8b\xff\xff\xff\xff", "gzip stream"),
}


@pytest.mark.parametrize(("content", "field"), DAMAGED.values(), ids=DAMAGED)
def test_the_refusal_names_file_and_field(tmp_path, content, field):
    path = tmp_path / "named-file"
    path.write_bytes(content)
    with pytest.raises(IdxError) as raised:
        read_idx(path)
    assert str(raised.value).startswith(f"{path}: {field}")
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("sizes", "megabytes", "level", "words"),
    [
        ([1000], 100, 9, "goes on"),
        ([2**15, 2**15], 100, 9, "limit"),
        ([2**31 - 1], 3, 0, "elements: 3145728 bytes, but"),  # which might unfold to 3 GB
    ],
)
def test_bombs_and_claims_take_only_what_arrives_of_memory(
    tmp_path, sizes, megabytes, level, words
):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", level) as stream:
        stream.write(b"\0\0\x08" + struct.pack(f">B{len(sizes)}I", len(sizes), *sizes))
        for _ in range(megabytes):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(IdxError, match=words):
        read_idx(path, **({"max_bytes": 2**29} if level else {}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (4_000_000 if level else 20_000_000)


def test_a_wrong_digest_is_refused_and_the_right_one_accepted(tmp_path):
    path = tmp_path / "a.gz"
    write_idx(path, np.zeros(3, np.uint8))
    right = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    assert read_idx(path, sha256=right.upper()).shape == (3,)
    with pytest.raises(IdxError, match="SHA-256"):
        read_idx(path, sha256="0" * 64)


def test_writing_takes_any_byte_order_and_layout_and_is_reproducible(tmp_path):
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    write_idx(tmp_path / "a.gz", array)
    write_idx(tmp_path / "b.gz", np.ascontiguousarray(array, "<i4"))
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


OF_NO_TYPE = (np.zeros(3, np.int64), np.zeros(3, bool), np.array(["a"]), np.array([None]))


@pytest.mark.parametrize(
    ("array", "field"),
    [*((array, "element type") for array in OF_NO_TYPE), (np.float32(1), "number of dimensions")],
)
def test_arrays_without_a_place_in_the_format_are_refused(tmp_path, array, field):
    with pytest.raises(IdxError, match=field):
        write_idx(tmp_path / "a", array)
    assert not list(tmp_path.iterdir())


def made(kind, path):
    """Something in a file's place that is no file."""
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(path.parent)  # a socket's name may not be long
            listener.bind(path.name)


KINDS = ["named pipe", "folder", "device", "socket"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_at_once_wherever_a_file_is_read(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it"
    made(kind, path)
    words = rf"is a {kind}, not a regular file.*it'"
    for read in (read_idx, read_text, lambda it: read_published(it, FILES[0], SOURCES["kmnist"])):
        with pytest.raises(OSError, match=words):
            read(path)
    with pytest.raises(CheckpointError, match=f"it: file: is a {kind}, not a regular file"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=f"it: file: is a {kind}, not a regular file"):
        Results.load(path)
    if kind != "folder":
        with pytest.raises(WriteError, match=f"it': is a {kind}"):
            transfer("https://127.0.0.1:1/", str(path), Limits())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_in_a_set_or_a_run_is_one_line(tmp_path, monkeypatch, refused, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    made(kind, tmp_path / "set" / FILES[0])
    for name in ("old", "results"):
        (tmp_path / name).mkdir()
    made(kind, tmp_path / "old" / "config.json")
    section = load_section("manifold")
    for arguments in (
        ["--data", str(tmp_path / "set")],
        ["--replot", "--out", str(tmp_path / "old")],
        ["--resume", "--out", str(tmp_path / "old")],
    ):
        error = refused(main, section, arguments)
        assert f"is a {kind}, not a regular file" in error
