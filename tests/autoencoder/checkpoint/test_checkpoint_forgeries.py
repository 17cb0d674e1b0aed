"""Checkpoints made wrong on purpose, with the right digest over them.

Only the checks behind the seal stand between these files and the program; each must refuse by
name, in bounded memory.
"""

import hashlib
import io
import json
import random
import struct
import warnings
import zipfile

import numpy as np

from autoencoder.storage.checkpoint import load_checkpoint


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_claiming(header, data=b""):
    header = header.encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def reseal(content):
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


class Forger:
    """Builds the archive of a checkpoint from parts, as its maker pleases."""

    def __init__(self, arrays, metadata, seal):
        self.arrays, self.metadata, self.seal = arrays, metadata, seal

    def __call__(
        self, changes=None, *, metadata=None, again=None, version=1, compression=zipfile.ZIP_STORED
    ):
        """Members replaced, added (bytes) or removed (None); one of them put in `again`."""
        metadata = self.metadata if metadata is None else metadata
        members = {"metadata.json": json.dumps(metadata).encode()}
        members |= {f"{name}.npy": npy(array) for name, array in self.arrays.items()}
        members |= changes or {}
        entries = [(name, content) for name, content in members.items() if content is not None]
        file = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
            warnings.simplefilter("ignore")  # of a name used twice
            for name, content in entries if again is None else [*entries, again]:
                archive.writestr(zipfile.ZipInfo(name), content, compression)
        return self.seal(file.getvalue(), version)


FORBIDDEN_DTYPES = ["<U5", "|S3", "<M8[s]", "|V8", "|O", ">f4", "<f16", "f4", "<f40", "__import__"]
CLAIMED_SHAPES = [
    "(1000000000,)",
    "(9999999999999999999, 9999999999999999999)",
    "(4294967296, 4294967296, 0)",
    "(-1,)",
    "(2,)",
    "(" + "1, " * 40 + "1)",
    "(3.0,)",
    "(" + "(" * 5000 + ")" * 5000 + ")",
    "(9**9**9,)",
]
MEMBER_NAMES = [
    *("../evil.npy", "/etc/passwd.npy", "a/../../b.npy", "./a.npy", "a//b.npy", "C:\\evil.npy"),
    *("a\\b.npy", "new\nline.npy", "bell\a.npy", "escape\x1b[31m.npy", "sp ace.npy"),
    *("\u202eright.npy", ".npy", "...npy", "noend", "evil.py", "folder/", "metadata.json.npy"),
    "x" * 300 + ".npy",
]
METADATA = [
    *(b"", b"{", b"[]", b"3", b"null", b"\xff\xfe\x00", b"[" * 100_000),
    *(b'{"a": ' + b"9" * 5000 + b"}", b"__import__('os')", None),
    b'{"model": "small", "a": [' + b"[]," * 1_300_000 + b"[]]}",  # 83 MB of empty lists
]
LONG = "x" * 15_000_000


def header(code="<f4", fortran=False, shape="(3,)"):
    return f"{{'descr': '{code}', 'fortran_order': {fortran}, 'shape': {shape}, }}"


def forged_fields(arrays, forged):
    """Every field got wrong in every way: (kind, the member's bytes)."""
    rng = random.Random(2)
    for name, array in arrays.items():
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


def forgeries(arrays, forged):
    for version in (0, 2, 3, 17, 9999):
        yield "other format version", forged(version=version), "format version"
    yield from forged_fields(arrays, forged)
    for name, array in arrays.items():
        member = f"{name}.npy"
        for other in arrays:
            if arrays[other].shape != array.shape:
                swap = {member: npy(arrays[other]), f"{other}.npy": npy(array)}
                yield "swapped fields", forged(swap), min(name, other, key=list(arrays).index)
        yield "twice", forged(again=(member, npy(array))), member
    for shape in ("(0, 9999999999999999999, 9999999999999999999)", "(4294967296, 4294967296, 0)"):
        huge = npy_claiming(header(shape=shape))
        yield "empty but huge", forged({"order.npy": huge}), "order"
    for name in ("order.npy", "metadata.json", "new.npy"):
        # The name goes on behind a zero byte, where careless readers end it.
        honest = forged({"order.npy": None, f"{name}Zmore": npy(arrays["order"])})
        yield "hidden name", reseal(honest.replace(b"Zmore", b"\0more")), None
    truth = npy(np.zeros(7, bool))[:-1] + b"\x02"
    yield "truth value of 2", forged({"done.npy": truth}), "done"
    for name in ("model/extra", "unknown", "a.b-c_d"):
        yield "unexpected field", forged({f"{name}.npy": npy(np.ones(2))}), name
    for name in MEMBER_NAMES:
        yield "member name", forged({name: npy(np.ones(2))}), None
    for content in METADATA:
        yield "metadata", forged({"metadata.json": content}), "metadata.json"
    for model in ("large", ["small"], None, LONG, {LONG: 1}):
        yield "another model", forged(metadata={"model": model}), "metadata 'model'"
    yield "another model", forged(metadata={}), "metadata 'model'"
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        bomb = {"order.npy": npy(np.zeros(2_000_000, np.int32))}
        yield "compressed bomb", forged(bomb, compression=method), "archive"
        yield "compressed", forged(compression=method), None


def checks(small_arrays):
    return {
        "expected": small_arrays,
        "expected_metadata": {"model": "small"},
        "require_finite": True,
    }


def test_an_honest_forgery_is_accepted(tmp_path, small_arrays, small_metadata, seal):
    """Otherwise the refusals of this file would prove nothing."""
    (tmp_path / "c").write_bytes(Forger(small_arrays, small_metadata, seal)())
    back, metadata = load_checkpoint(tmp_path / "c", **checks(small_arrays))
    assert metadata == small_metadata
    for name, array in small_arrays.items():
        assert back[name].tobytes() == array.tobytes()


def test_forgeries_are_refused_and_named(sweep, small_arrays, small_metadata, seal):
    forged = Forger(small_arrays, small_metadata, seal)
    refused = sweep(forgeries(small_arrays, forged), **checks(small_arrays))
    assert len(refused) >= 20
    assert sum(refused.values()) >= 413
