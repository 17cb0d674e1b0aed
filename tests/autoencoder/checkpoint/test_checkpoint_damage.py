"""Checkpoints damaged byte by byte, and made wrong on purpose with the right digest over them.

Only the checks behind the seal stand between a forged file and the program; each must refuse by
name, in bounded memory.
"""

import collections
import hashlib
import io
import json
import random
import re
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

RNG = np.random.default_rng(0)
# Arrays as training would store them: a model, its optimiser, a position.
ARRAYS = {
    "model/encoder.0.weight": RNG.random((4, 1, 3, 3), dtype="float32"),
    "model/encoder.0.bias": RNG.random(4, dtype="float32"),
    "model/decoder.0.weight": RNG.random((4, 2, 3, 3), dtype="float32"),
    "optimizer/0.first_moment": RNG.random((4, 1, 3, 3), dtype="float32"),
    "optimizer/step": np.int64(700),
    "order": RNG.permutation(60).astype("int32"),
    "done": RNG.random(7) < 0.5,
}
BYTES = {name: array.tobytes() for name, array in ARRAYS.items()}
METADATA = {"model": "small", "epoch": 3, "rng": {"state": 2**100 + 1}, "metrics": [0.5, 0.25]}


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """The bytes of a good checkpoint."""
    path = tmp_path_factory.mktemp("good") / "c.npz"
    save_checkpoint(path, ARRAYS, METADATA)
    return path.read_bytes()


def seal(content, version=1):
    """Seal an archive that has no comment as a checkpoint, with the right digest."""
    comment = f"minigrad checkpoint, format {version}, sha256 ".encode()
    content = content[:-2] + struct.pack("<H", len(comment) + 64) + comment
    return content + hashlib.sha256(content).hexdigest().encode()


def reseal(content):
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


@pytest.fixture
def sweep(tmp_path):
    """Load every fault (kind, bytes, field to be named); count the refusals of each kind."""

    def sweep(faults, **checks):
        path = tmp_path / "faulty.npz"
        refused = collections.Counter()
        for kind, content, field in faults:
            path.write_bytes(content)
            tracemalloc.start()
            with pytest.raises(CheckpointError) as caught:  # anything else is a failure
                load_checkpoint(path, **checks)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            refusal = caught.value
            assert refusal.path == str(path)
            assert field is None or refusal.field == field, (kind, field, str(refusal))
            assert str(refusal).startswith(f"{path}: {refusal.field}: ")
            assert str(refusal).isprintable(), kind
            assert len(str(refusal)) < 1_000 + len(str(path)), kind
            # The archive reader takes some hundred bytes an entry of 46 or more.
            assert peak < 2_000_000 + 12 * len(content), (kind, peak)
            refused[kind] += 1
        return refused

    return sweep


def flips(content, count, seed, within):
    """The content with one bit turned, at random places."""
    for position in random.Random(seed).sample(range(8 * within), count):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        yield bytes(damaged)


def accidents(good):
    rng = random.Random(1)
    for damaged in flips(good, 300, 1, len(good)):
        yield "bit flip", damaged, None
    boundaries = [i for i in range(len(good)) if good[i : i + 2] in (b"PK", b"\x93N")]
    ends = {0, 1, 2, 21, 22, 64, 127, 128, len(good) - 1, len(good) - 64, len(good) - 65}
    ends |= {i + step for i in boundaries for step in (-1, 0, 1, 4, 30) if i + step >= 0}
    ends |= set(rng.sample(range(len(good)), 100))
    for end in sorted(end for end in ends if end < len(good)):
        yield "truncation", good[:end], None
    for _ in range(40):
        start, size = rng.randrange(len(good)), rng.randrange(1, 600)
        end = min(start + size, len(good))
        yield "lost in the middle", good[:start] + good[end:], None
        if any(good[start:end]):
            yield "zeroed block", good[:start] + bytes(end - start) + good[end:], None
    for _ in range(20):
        yield "bytes added", good + rng.randbytes(rng.randrange(1, 300)), None
    for _ in range(40):
        size = rng.randrange(4, 200)
        first = rng.randrange(len(good) // 2 - size)
        second = rng.randrange(len(good) // 2, len(good) - size)
        swapped = bytearray(good)
        swapped[first : first + size] = good[second : second + size]
        swapped[second : second + size] = good[first : first + size]
        if bytes(swapped) != good:
            yield "swapped blocks", bytes(swapped), None


def directory_entries(content):
    return [match.start() for match in re.finditer(b"PK\x01\x02", content)]


def archive_lies(honest):
    """Numbers in the zip directory replaced, two or four bytes each, and resealed."""
    four, two = (1, 2**31 - 1, 2**32 - 2, 2**32 - 1), (1, 8, 99, 2**16 - 1)
    replacements = []
    for entry in directory_entries(honest):
        for offset in (16, 20, 24, 42):  # CRC, stored size, size, offset
            replacements += [(entry + offset, struct.pack("<I", value)) for value in four]
        for offset in (8, 10, 28, 30):  # flags, method, name length, extra length
            replacements += [(entry + offset, struct.pack("<H", value)) for value in two]
    end = honest.rfind(b"PK\x05\x06")
    for offset in (12, 16):  # the directory's size and place
        values = (0, 1, 2**31, 2**32 - 2, 2**32 - 1)
        replacements += [(end + offset, struct.pack("<I", value)) for value in values]
    for place, number in replacements:
        yield reseal(honest[:place] + number + honest[place + len(number) :])


def overlapping_members(honest):
    """Every entry points at the same member: together they claim many times the file."""
    start = directory_entries(honest)[0]
    name = struct.unpack("<H", honest[start + 28 : start + 30])[0]
    for count in (1000, 60_000):
        directory = honest[start : start + 46 + name] * count
        sizes = (0, 0, count, count, len(directory), start, 0)
        tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", *sizes)
        content = seal(honest[:start] + directory + tail)
        yield "overlapping members", content, "archive"  # not the first name that is there twice


def test_accidents_are_refused_even_when_nothing_is_expected(sweep, good):
    refused = sweep(accidents(good))
    assert refused["bit flip"] == 300
    assert refused["truncation"] > 150
    assert sum(refused.values()) > 580


def test_members_that_overlap_are_refused_before_they_are_read(sweep, good):
    assert sum(sweep(overlapping_members(good)).values()) == 2


def test_an_archive_that_contradicts_itself_is_refused_or_the_lie_changes_nothing(tmp_path, good):
    """The lie may sit where nothing is read: dates, attributes, slack behind the last entry."""
    path = tmp_path / "c"
    refusals = []
    tracemalloc.start()
    resealed = map(reseal, flips(good, 500, 3, len(good) - 64))
    for content in (*resealed, *archive_lies(good)):
        path.write_bytes(content)
        try:
            back, metadata = load_checkpoint(path)
        except CheckpointError as error:
            refusals.append(str(error))
        else:
            assert {name: array.tobytes() for name, array in back.items()} == BYTES
            assert metadata == METADATA
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(refusals) > 600
    assert all(map(str.isprintable, refusals))
    assert peak < 10_000_000


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_claiming(header, data=b""):
    header = header.encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def forged(
    changes=None, *, metadata=METADATA, again=None, version=1, compression=zipfile.ZIP_STORED
):
    """A checkpoint of parts: members replaced, added or removed (None); one put in `again`."""
    members = {"metadata.json": json.dumps(metadata).encode()}
    members |= {f"{name}.npy": npy(array) for name, array in ARRAYS.items()}
    members |= changes or {}
    entries = [(name, content) for name, content in members.items() if content is not None]
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of a name used twice
        for name, content in entries if again is None else [*entries, again]:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return seal(file.getvalue(), version)


FORBIDDEN_DTYPES = ["<U5", "|S3", "<M8[s]", "|V8", "|O", ">f4", "<f16", "f4", "<f40", "__import__"]
CLAIMED_SHAPES = [
    *("(1000000000,)", "(9999999999999999999, 9999999999999999999)", "(4294967296, 4294967296, 0)"),
    *("(-1,)", "(2,)", "(" + "1, " * 40 + "1)", "(3.0,)", "(9**9**9,)"),
    "(" + "(" * 5000 + ")" * 5000 + ")",
]
MEMBER_NAMES = [
    *("../evil.npy", "/etc/passwd.npy", "a/../../b.npy", "./a.npy", "a//b.npy", "C:\\evil.npy"),
    *("a\\b.npy", "new\nline.npy", "bell\a.npy", "escape\x1b[31m.npy", "sp ace.npy"),
    *("\u202eright.npy", ".npy", "...npy", "noend", "evil.py", "folder/", "metadata.json.npy"),
    "x" * 300 + ".npy",
]
FORGED_METADATA = [
    *(b"", b"{", b"[]", b"3", b"null", b"\xff\xfe\x00", b"[" * 100_000),
    *(b'{"a": ' + b"9" * 5000 + b"}", b"__import__('os')", None),
    b'{"model": "small", "a": [' + b"[]," * 1_300_000 + b"[]]}",  # 83 MB of empty lists
]
LONG = "x" * 15_000_000


def header(code="<f4", fortran=False, shape="(3,)"):
    return f"{{'descr': '{code}', 'fortran_order': {fortran}, 'shape': {shape}, }}"


def forged_fields():
    """Every field got wrong in every way: (kind, the member's bytes)."""
    rng = random.Random(2)
    for name, array in ARRAYS.items():
        contents = [("missing field", None)]
        contents += [("wrong dtype", npy(array.astype(d))) for d in ("f8", "f2", "i2", "u1", "c8")]
        for shape in ((5,), (3, 4), (1, 1, 1, 1, 1), (0,)):
            contents.append(("wrong shape", npy(np.zeros(shape, array.dtype))))
        for kind in (None, {"a": 1}, "text", print):
            contents.append(("pickled objects", npy(np.array([kind] * 3, dtype=object))))
        for code in FORBIDDEN_DTYPES:
            contents.append(("dtype not allowed", npy_claiming(header(code), b"x" * 12)))
        for shape in CLAIMED_SHAPES:
            contents.append(("claimed shape", npy_claiming(header(shape=shape), bytes(12))))
        for broken in (
            *(b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\xff\xff"),
            *(b"\x93NUMPY\x02\x00\x10\0\0\0" + bytes(16), b"<html></html>"),
            *(npy(array)[:-1], npy(array) + b"\0"),
            npy_claiming(header(fortran=True), bytes(12)),
            npy_claiming(header(shape="(print(1),)"), bytes(12)),
        ):
            contents.append(("broken NPY", broken))
        for value in (np.nan, np.inf, -np.inf) if array.dtype == np.float32 else ():
            spoilt = array.copy()
            spoilt[np.unravel_index(rng.randrange(array.size), array.shape)] = value
            contents.append(("not finite", npy(spoilt)))
        for kind, content in contents:
            yield kind, forged({f"{name}.npy": content}), name


def forgeries():
    for version in (0, 2, 3, 17, 9999):
        yield "other format version", forged(version=version), "format version"
    yield from forged_fields()
    for name, array in ARRAYS.items():
        member = f"{name}.npy"
        for other in ARRAYS:
            if ARRAYS[other].shape != array.shape:
                swap = {member: npy(ARRAYS[other]), f"{other}.npy": npy(array)}
                yield "swapped fields", forged(swap), min(name, other, key=list(ARRAYS).index)
        yield "twice", forged(again=(member, npy(array))), member
    for shape in ("(0, 9999999999999999999, 9999999999999999999)", "(4294967296, 4294967296, 0)"):
        huge = npy_claiming(header(shape=shape))
        yield "empty but huge", forged({"order.npy": huge}), "order"
    for name in ("order.npy", "metadata.json", "new.npy"):
        # The name goes on behind a zero byte, where careless readers end it.
        honest = forged({"order.npy": None, f"{name}Zmore": npy(ARRAYS["order"])})
        yield "hidden name", reseal(honest.replace(b"Zmore", b"\0more")), None
    truth = npy(np.zeros(7, bool))[:-1] + b"\x02"
    yield "truth value of 2", forged({"done.npy": truth}), "done"
    for name in ("model/extra", "unknown", "a.b-c_d"):
        yield "unexpected field", forged({f"{name}.npy": npy(np.ones(2))}), name
    for name in MEMBER_NAMES:
        yield "member name", forged({name: npy(np.ones(2))}), None
    for content in FORGED_METADATA:
        yield "metadata", forged({"metadata.json": content}), "metadata.json"
    for model in ("large", ["small"], None, LONG, {LONG: 1}):
        yield "another model", forged(metadata={"model": model}), "metadata 'model'"
    yield "another model", forged(metadata={}), "metadata 'model'"
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        bomb = {"order.npy": npy(np.zeros(2_000_000, np.int32))}
        yield "compressed bomb", forged(bomb, compression=method), "archive"
        yield "compressed", forged(compression=method), None


CHECKS = dict(expected=ARRAYS, expected_metadata={"model": "small"}, require_finite=True)


def test_an_honest_forgery_is_accepted(tmp_path):
    """Otherwise the refusals of this file would prove nothing."""
    (tmp_path / "c").write_bytes(forged())
    back, metadata = load_checkpoint(tmp_path / "c", **CHECKS)
    assert metadata == METADATA
    assert {name: array.tobytes() for name, array in back.items()} == BYTES


def test_forgeries_are_refused_and_named(sweep):
    refused = sweep(forgeries(), **CHECKS)
    assert len(refused) >= 20
    assert sum(refused.values()) >= 413
