"""Well over 600 seeded faults in checkpoints: each is refused by name, in bounded memory.

Two kinds. Accidents: the bytes of a good file damaged, its seal as it was. Forgeries: the file
made wrong on purpose and sealed with the right digest, so that only the checks behind it stand.
"""

import collections
import hashlib
import io
import json
import random
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from autoencoder.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

SHAPES = {
    "model/encoder.0.weight": ((4, 1, 3, 3), np.float32),
    "model/encoder.0.bias": ((4,), np.float32),
    "model/decoder.0.weight": ((4, 2, 3, 3), np.float32),
    "optimizer/0.first_moment": ((4, 1, 3, 3), np.float32),
    "optimizer/step": ((), np.int64),
    "order": ((60,), np.int32),
    "done": ((7,), np.bool_),
}
METADATA = {
    "model": "small",
    "epoch": 3,
    "rng": {"state": 2**100 + 1},
    "metrics": [0.5, 0.25],
}


def arrays():
    rng = np.random.default_rng(0)
    return {
        name: (rng.random(shape) * 50 if dtype != np.bool_ else rng.random(shape) < 0.5)
        .astype(dtype)
        .reshape(shape)
        if shape
        else dtype(rng.integers(1000))
        for name, (shape, dtype) in SHAPES.items()
    }


SPEC = {name: np.zeros(shape, dtype) for name, (shape, dtype) in SHAPES.items()}
CHECKS = {
    "expected": SPEC,
    "expected_metadata": {"model": "small"},
    "require_finite": True,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "c.npz"
    save_checkpoint(path, arrays(), METADATA)
    return path.read_bytes()


def seal(content, version=1):
    """Give an archive without a comment the seal of a checkpoint."""
    comment = f"minigrad checkpoint, format {version}, sha256 ".encode()
    content = content[:-2] + struct.pack("<H", len(comment) + 64) + comment
    return content + hashlib.sha256(content).hexdigest().encode()


def reseal(content):
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_claiming(header, data=b""):
    header = header.encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def members(changes=None, metadata=METADATA):
    """The members of a good file, some replaced, added (bytes) or removed (None)."""
    result = {"metadata.json": json.dumps(metadata).encode()}
    result |= {f"{name}.npy": npy(array) for name, array in arrays().items()}
    result |= changes or {}
    return [(name, content) for name, content in result.items() if content is not None]


def forge(entries, version=1, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of a name used twice
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return seal(file.getvalue(), version)


def accidents(good):
    rng = random.Random(1)
    for position in rng.sample(range(8 * len(good)), 300):
        damaged = bytearray(good)
        damaged[position // 8] ^= 1 << position % 8
        yield "bit flip", bytes(damaged), None
    boundaries = [i for i in range(len(good)) if good[i : i + 2] in (b"PK", b"\x93N")]
    ends = {
        0,
        1,
        2,
        21,
        22,
        64,
        127,
        128,
        len(good) - 1,
        len(good) - 64,
        len(good) - 65,
    }
    ends |= {
        i + step for i in boundaries for step in (-1, 0, 1, 4, 30) if i + step >= 0
    }
    ends |= set(rng.sample(range(len(good)), 100))
    for end in sorted(end for end in ends if end < len(good)):
        yield "truncation", good[:end], None
    for _ in range(40):
        start, size = rng.randrange(len(good)), rng.randrange(1, 600)
        yield "lost in the middle", good[:start] + good[start + size :], None
    for _ in range(40):
        start, size = rng.randrange(len(good)), rng.randrange(1, 600)
        blank = bytes(len(good[start : start + size]))
        if good[start : start + size] != blank:
            yield "zeroed block", good[:start] + blank + good[start + size :], None
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


def forgeries():
    rng = random.Random(2)
    for version in (0, 2, 3, 17, 9999):
        yield "other format version", forge(members(), version), "format version"
    for name in SHAPES:
        member, array = f"{name}.npy", arrays()[name]
        yield "missing field", forge(members({member: None})), name
        for dtype in ("f8", "f2", "i2", "u1", "c8"):
            yield (
                "wrong dtype",
                forge(members({member: npy(array.astype(dtype))})),
                name,
            )
        for shape in ((5,), (3, 4), (1, 1, 1, 1, 1), (0,)):
            wrong = npy(np.zeros(shape, array.dtype))
            yield "wrong shape", forge(members({member: wrong})), name
        for other in SHAPES:
            if SPEC[other].shape != SPEC[name].shape:
                swap = {member: npy(arrays()[other]), f"{other}.npy": npy(array)}
                yield (
                    "swapped fields",
                    forge(members(swap)),
                    min(name, other, key=list(SHAPES).index),
                )
        for kind in (None, {"a": 1}, "text", print):
            pickled = npy(np.array([kind] * 3, dtype=object))
            yield "pickled objects", forge(members({member: pickled})), name
        for code in (
            "<U5",
            "|S3",
            "<M8[s]",
            "|V8",
            "|O",
            ">f4",
            "<f16",
            "f4",
            "<f40",
            "__import__",
        ):
            header = f"{{'descr': '{code}', 'fortran_order': False, 'shape': (3,), }}"
            yield (
                "dtype not allowed",
                forge(members({member: npy_claiming(header, b"x" * 12)})),
                name,
            )
        for shape in (
            "(1000000000,)",
            "(9999999999999999999, 9999999999999999999)",
            "(0, 9999999999999999999, 9999999999999999999)",
            "(4294967296, 4294967296, 0)",
            "(-1,)",
            "(2,)",
            "(" + "1, " * 40 + "1)",
            "(3.0,)",
            "(" + "(" * 5000 + ")" * 5000 + ")",
            "(9**9**9,)",
        ):
            header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
            yield (
                "claimed shape",
                forge(members({member: npy_claiming(header, bytes(12))})),
                name,
            )
        fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': (3,), }"
        code = "{'descr': '<f4', 'fortran_order': False, 'shape': (print(1),), }"
        for content in (
            b"",
            b"\x93NUMPY",
            b"\x93NUMPY\x01\x00",
            b"\x93NUMPY\x01\x00\xff\xff",
            b"\x93NUMPY\x02\x00\x10\0\0\0" + bytes(16),
            b"<html></html>",
            npy(array)[:-1],
            npy(array) + b"\0",
            npy_claiming(fortran, bytes(12)),
            npy_claiming(code, bytes(12)),
        ):
            yield "broken NPY", forge(members({member: content})), name
        if array.dtype == np.float32:
            for value in (np.nan, np.inf, -np.inf):
                spoilt = array.copy()
                spoilt[np.unravel_index(rng.randrange(array.size), array.shape)] = value
                yield "not finite", forge(members({member: npy(spoilt)})), name
        with_two = members() + [(member, npy(array))]
        yield "twice", forge(with_two), member
    truth = npy(np.zeros(7, bool))[:-1] + b"\x02"
    yield "truth value of 2", forge(members({"done.npy": truth})), "done"
    for name in ("model/extra", "unknown", "a.b-c_d"):
        yield "unexpected field", forge(members({f"{name}.npy": npy(np.ones(2))})), name
    for name in (
        "../evil.npy",
        "/etc/passwd.npy",
        "a/../../b.npy",
        "./a.npy",
        "a//b.npy",
        "C:\\evil.npy",
        "a\\b.npy",
        "new\nline.npy",
        "bell\a.npy",
        "escape\x1b[31m.npy",
        "sp ace.npy",
        "\u202eright.npy",
        ".npy",
        "...npy",
        "noend",
        "evil.py",
        "folder/",
        "metadata.json.npy",
        "x" * 300 + ".npy",
    ):
        yield "member name", forge(members({name: npy(np.ones(2))})), None
    for content in (
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"__import__('os')",
    ):
        yield "metadata", forge(members({"metadata.json": content})), "metadata.json"
    yield "metadata", forge(members({"metadata.json": None})), "metadata.json"
    for other in ({"model": "large"}, {"model": ["small"]}, {"model": None}, {}):
        yield "another model", forge(members(metadata=other)), "metadata 'model'"
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        bomb = members({"order.npy": npy(np.zeros(2_000_000, np.int32))})
        yield "compressed bomb", forge(bomb, compression=method), "archive"
        yield "compressed", forge(members(), compression=method), None
    yield from overlapping_members()


def directory_entries(content):
    starts = []
    start = content.find(b"PK\x01\x02")
    while start >= 0:
        starts.append(start)
        start = content.find(b"PK\x01\x02", start + 4)
    return starts


def archive_lies():
    """Numbers in the zip directory replaced, two or four bytes each, and resealed."""
    honest = forge(members())
    entries = directory_entries(honest)
    four_bytes = {"CRC": 16, "stored size": 20, "size": 24, "offset": 42}
    two_bytes = {"flags": 8, "method": 10, "name length": 28, "extra length": 30}
    replacements = []
    for entry in entries:
        for offset in four_bytes.values():
            values = (1, 2**31 - 1, 2**32 - 2, 2**32 - 1)
            replacements += [
                (entry + offset, struct.pack("<I", value)) for value in values
            ]
        for offset in two_bytes.values():
            values = (1, 8, 99, 2**16 - 1)
            replacements += [
                (entry + offset, struct.pack("<H", value)) for value in values
            ]
    end = honest.rfind(b"PK\x05\x06")
    for offset in (12, 16):  # the directory's size and place
        values = (0, 1, 2**31, 2**32 - 2, 2**32 - 1)
        replacements += [(end + offset, struct.pack("<I", value)) for value in values]
    for place, number in replacements:
        yield reseal(honest[:place] + number + honest[place + len(number) :])


def overlapping_members():
    """Every entry points at the same member: together they claim many times the file."""
    honest = forge(members())
    entries = directory_entries(honest)
    name = struct.unpack("<H", honest[entries[0] + 28 : entries[0] + 30])[0]
    entry = honest[entries[0] : entries[0] + 46 + name]
    for count in (1000, 60_000):
        directory = entry * count
        tail = struct.pack(
            "<4sHHHHIIH",
            b"PK\x05\x06",
            0,
            0,
            count,
            count,
            len(directory),
            entries[0],
            0,
        )
        yield "overlapping members", seal(honest[: entries[0]] + directory + tail), None


def sweep(tmp_path, faults, **checks):
    """Load every fault; return how many of each kind were refused."""
    path = tmp_path / "faulty.npz"
    refused = collections.Counter()
    for kind, content, field in faults:
        path.write_bytes(content)
        tracemalloc.start()
        try:
            load_checkpoint(path, **checks)
        except CheckpointError as error:
            assert error.path == str(path) and str(error).startswith(
                f"{path}: {error.field}: "
            )
            assert field is None or error.field == field, (kind, field, str(error))
            assert str(error).isprintable(), kind
            refused[kind] += 1
        else:
            pytest.fail(f"accepted: {kind} {field}")
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        # The archive reader takes some hundred bytes an entry of 46 or more.
        assert peak < 2_000_000 + 12 * len(content), (kind, peak)
    return refused


def test_the_good_file_and_an_honest_forgery_are_accepted(tmp_path, good):
    for content in (good, forge(members()), reseal(good)):
        (tmp_path / "c").write_bytes(content)
        back, metadata = load_checkpoint(tmp_path / "c", **CHECKS)
        assert metadata == METADATA
        for name, array in arrays().items():
            assert back[name].tobytes() == array.tobytes()


def test_accidents_are_refused_even_when_nothing_is_expected(tmp_path, good):
    refused = sweep(tmp_path, accidents(good))
    assert refused["bit flip"] == 300 and refused["truncation"] > 150
    assert sum(refused.values()) > 580


def test_forgeries_are_refused_and_named(tmp_path):
    refused = sweep(tmp_path, forgeries(), **CHECKS)
    assert len(refused) >= 19 and sum(refused.values()) >= 417


def resealed_flips(good):
    rng = random.Random(3)
    for position in rng.sample(range(8 * (len(good) - 64)), 500):
        damaged = bytearray(good)
        damaged[position // 8] ^= 1 << position % 8
        yield reseal(bytes(damaged))


def test_an_archive_that_contradicts_itself_is_refused_or_the_lie_changes_nothing(
    tmp_path, good
):
    """The lie may sit where nothing is read: dates, attributes, slack behind the last entry."""
    path = tmp_path / "c"
    expected = {name: array.tobytes() for name, array in arrays().items()}
    refused = 0
    tracemalloc.start()
    for content in (*resealed_flips(good), *archive_lies()):
        path.write_bytes(content)
        try:
            back, metadata = load_checkpoint(path)
        except CheckpointError as error:
            assert str(error).isprintable()
            refused += 1
        else:
            assert {name: array.tobytes() for name, array in back.items()} == expected
            assert metadata == METADATA
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 600 and peak < 10_000_000
