"""Data that nobody can train on: one clear line, exit status 2, and nothing is written."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import numpy
import pytest
from PIL import Image

from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_section


def picture(path, width=20, height=20, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(0).integers(0, 256, (height, width, 3), "uint8")
    Image.fromarray(pixels).save(path, **options)
    return path


def good(folder, count=5):
    for i in range(count):
        picture(folder / f"good{i}.png")
    return folder


def spoil(name, content):
    """A folder of good pictures and one file that is none."""

    def make(place):
        (good(place / "data") / name).write_bytes(content)
        return place / "data"

    return make


def truncated(suffix):
    def make(place):
        path = picture(good(place / "data") / f"cut.{suffix}")
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
        return place / "data"

    return make


def bomb(place):
    """A PNG of 30,000 x 30,000 white pixels in a few hundred bytes of header."""
    picture(good(place / "data") / "bomb.png")
    content = bytearray((place / "data" / "bomb.png").read_bytes())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    (place / "data" / "bomb.png").write_bytes(content)
    return place / "data"


def mixed(place):
    picture(good(place / "data") / "wide.png", 30, 20)
    return place / "data"


def one_pixel(place):
    for i in range(4):
        picture(place / "data" / f"{i}.png", 1, 1)
    return place / "data"


def empty(place):
    (place / "data" / "inside").mkdir(parents=True)
    return place / "data"


def link_loop(place):
    (good(place / "data") / "again").symlink_to(place / "data")
    return place / "data"


def link_to_itself(place):
    (good(place / "data") / "self.png").symlink_to("self.png")
    return place / "data"


def link_to_nothing(place):
    (good(place / "data") / "gone.png").symlink_to("nowhere.png")
    return place / "data"


def pipe(place):
    os.mkfifo(good(place / "data") / "pipe.png")
    return place / "data"


def class_with_a_newline(place):
    good(place / "data" / "a\nb")
    good(place / "data" / "c")
    return place / "data"


def npy(array, suffix=".npy"):
    def make(place):
        with open(place / f"data{suffix}", "wb") as file:
            numpy.save(file, array, allow_pickle=True)
        return place / f"data{suffix}"

    return make


def npy_with(header, content=b"\0" * 64):
    def make(place):
        text = header.encode().ljust(117) + b"\n"
        start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
        (place / "data.npy").write_bytes(start + text + content)
        return place / "data.npy"

    return make


def npz(**arrays):
    def make(place):
        numpy.savez(place / "data.npz", **arrays)
        return place / "data.npz"

    return make


def pickle_in_npz(place):
    with zipfile.ZipFile(place / "data.npz", "w") as archive:
        archive.writestr("images.npy", b"\x80\x04\x95\x10\x00\x00\x00.")
    return place / "data.npz"


def npz_bomb(place):
    """A terabyte of zeros is claimed by a header in a compressed member."""
    head = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    )
    with zipfile.ZipFile(place / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", head.getvalue() + b"\0" * 10**6)
    return place / "data.npz"


def cut_npz(place):
    path = npz(images=numpy.zeros((5, 20, 20), "uint8"))(place)
    path.write_bytes(path.read_bytes()[:1000])
    return path


def file_of(content, name="data.bin"):
    def make(place):
        (place / name).write_bytes(content)
        return place / name

    return make


with_nan = numpy.zeros((5, 20, 20))
with_nan[3, 4, 5] = numpy.nan
BLANK = numpy.zeros((5, 20, 20), "uint8")
BAD = {
    "text named png": (spoil("notes.png", b"hello"), "notes.png: is no image"),
    "empty file named jpg": (spoil("empty.jpg", b""), "empty.jpg: is no image"),
    "truncated jpeg": (truncated("jpg"), "cut.jpg: image file is truncated"),
    "truncated png": (truncated("png"), "cut.png: "),
    "name with a newline": (spoil("two\nlines.png", b"x"), "two lines.png: is no image"),
    "postscript named png": (spoil("run.png", b"%!PS-Adobe-3.0 EPSF-3.0\n"), "run.png: is no"),
    "heic": (spoil("photo.HEIC", b"ftypheic"), "photo.HEIC: HEIC cannot be read; save it as PNG"),
    "bomb": (bomb, "bomb.png: Image size (900000000 pixels) exceeds limit"),
    "mixed sizes": (mixed, "differ in size: 5 of 20 x 20, 1 of 30 x 20 (width x height; wide.png"),
    "one pixel": (one_pixel, "are 1 x 1, the lecture's networks take 16 x 16 to 128 x 128"),
    "empty folder": (empty, "data: holds no images"),
    "only text": (lambda p: empty(p) if (p / "t.txt").write_text("t") else p, "holds no images"),
    "one image": (lambda p: good(p / "data", 1), "there is 1 image; at least 2 are needed"),
    "link loop": (link_loop, "again: a link to a folder that is read already"),
    "link to itself": (link_to_itself, "self.png: Too many levels of symbolic links"),
    "link to nothing": (link_to_nothing, "gone.png: No such file"),
    "named pipe": (pipe, "pipe.png: is a named pipe, not a regular file"),
    "class with a newline": (class_with_a_newline, "cannot name a class"),
    "NaN": (npy(with_nan), "data.npy: image 3 holds nan; floats must lie between 0 and 1"),
    "floats to 255": (npy(with_nan * 0 + 200.0), "image 0 holds"),
    "objects": (npy(numpy.array([None] * 3)), "holds Python objects, which could run any code"),
    "signed integers": (npy(BLANK.astype("int64")), "holds int64; pixels are uint8 from 0 to 255"),
    "complex": (npy(BLANK.astype("c8")), "holds complex64; pixels are uint8 from 0 to 255"),
    "vectors": (npy(BLANK[:, 0]), "has the shape (5, 20); images are (N, H, W)"),
    "five channels": (npy(numpy.zeros((4, 20, 20, 5), "uint8")), "with C = 1 or 3"),
    "no images": (npy(BLANK[:0]), "holds no images"),
    "one image in an array": (npy(BLANK[:1]), "there is 1 image"),
    "claims 10^10": (
        npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (100, 10000, 10000), }"),
        "takes 10,000,000,000 bytes, but 64 are there",
    ),
    "negative shape": (
        npy_with("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, -8), }"),
        "claims the shape",
    ),
    "header that is code": (npy_with("__import__('os').mkdir('spoilt')"), "is no NumPy array"),
    "npy cut short": (file_of(b"\x93NUMPY\x01\x00", "data.npy"), "data.npy: is no NumPy array"),
    "header left open": (npy_with("{'descr': '|u1', 'shape': (3,"), "is no NumPy array"),
    "empty but huge": (
        npy_with(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (0, 8, {10**20}), }}", b""),
        "data.npy: claims the shape (0, 8, 100000000000000000000)",
    ),
    "pickle in an npz": (pickle_in_npz, "data.npz: images: is no NumPy array"),
    "objects in an npz": (
        npz(images=BLANK, labels=numpy.array([None] * 5)),
        "data.npz: labels: holds Python objects",
    ),
    "npz of other names": (npz(pictures=BLANK), "holds 'pictures'; the images must"),
    "too few labels": (npz(images=BLANK, labels=numpy.zeros(4, "i4")), "labels must be 5 whole"),
    "npz bomb": (npz_bomb, "takes 1,000,000,000,000 bytes, but 1,000,000 are there"),
    "damaged npz": (cut_npz, "data.npz: is a damaged archive"),
    "splits of two sizes": (
        npz(train_images=BLANK, test_images=BLANK[:, :16]),
        "training images are (20, 20), test images (16, 20)",
    ),
    "one picture": (lambda p: picture(p / "me.jpg"), "me.jpg: is one image; give the folder"),
    "some file": (file_of(b"anything"), "is neither a folder nor an .npy, .npz or IDX file"),
    "damaged idx": (file_of(b"\0\0\x08\x03\0\0\0\x05\0\0\0\x10\0\0\0\x10"), "dimensions: (5, 16"),
    "unknown name": (lambda p: "fashion-minst", "did you mean 'fashion-mnist'"),
    "nothing there": (lambda p: p / "nowhere", "no file or folder has that name"),
}  # fmt: skip


def content_of(folder):
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def refused(capsys, name, arguments):
    with pytest.raises(SystemExit) as stop:
        main(load_section(name), arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_one_clear_line_and_status_2_and_nothing_is_written(
    case, tmp_path, monkeypatch, capsys
):
    make, words = BAD[case]
    monkeypatch.chdir(tmp_path)
    data = make(tmp_path)
    before = content_of(tmp_path)
    arguments = ["--preset", "smoke", "--data", str(data)]
    assert words in refused(capsys, "train_denoiser", arguments)
    assert content_of(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such permissions")
@pytest.mark.parametrize("spoilt", ["data", "data/sub", "data/sub/good0.png"])
def test_what_may_not_be_read_is_named(spoilt, tmp_path):
    """In a process of its own, which gives up root's way round permissions."""
    good(tmp_path / "data")
    good(tmp_path / "data" / "sub")
    (tmp_path / spoilt).chmod(0)
    code = (
        "import os\n"
        "from PIL import Image\n"
        "from autoencoder.data.datasets import load\n"
        "from autoencoder.data.arrays import DataError\n"
        "Image.init()\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "try: load('data')\n"
        "except DataError as error: print(error)\n"
    )
    tmp_path.chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    (tmp_path / spoilt).chmod(0o755)
    assert result.stdout == f"{spoilt}: Permission denied\n", result.stderr


@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser"])
def test_every_section_refuses_bad_data_before_anything_is_written(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    mixed(tmp_path)
    before = content_of(tmp_path)
    assert "differ in size" in refused(capsys, name, ["--preset", "smoke", "--data", "data"])
    assert content_of(tmp_path) == before
