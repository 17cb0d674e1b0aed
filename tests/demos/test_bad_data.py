"""Data that nobody can train on: one clear line, exit status 2, and nothing is written."""

import io
import os
import zipfile
import zlib

import numpy
import pytest
from PIL import Image
from running import elsewhere

from autoencoder.data.arrays import DataError
from autoencoder.data.datasets import load
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


def spoilt(spoil):
    """A folder of good pictures, in which somebody then spoils something."""

    def make(place):
        spoil(good(place / "data"))
        return place / "data"

    return make


def with_file(name, content):
    """A folder of good pictures and a file that is none."""
    return spoilt(lambda data: (data / name).write_bytes(content))


def truncated(name):
    def cut(data):
        content = picture(data / name).read_bytes()
        (data / name).write_bytes(content[: len(content) * 3 // 4])

    return spoilt(cut)


def bomb(data):
    """A PNG that claims 30,000 x 30,000 pixels in its header."""
    content = bytearray(picture(data / "bomb.png").read_bytes())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    (data / "bomb.png").write_bytes(content)


def mixed(data):
    picture(data / "wide.png", 30, 20)


def one_pixel(place):
    for i in range(4):
        picture(place / "data" / f"{i}.png", 1, 1)
    return place / "data"


def empty(place):
    (place / "data" / "inside").mkdir(parents=True)
    return place / "data"


def class_with_a_newline(place):
    good(place / "data" / "a\nb")
    good(place / "data" / "c")
    return place / "data"


def one_file(name, write):
    """A single file, written by a function of its path."""

    def make(place):
        write(place / name)
        return place / name

    return make


def file_of(content, name="data.bin"):
    return one_file(name, lambda path: path.write_bytes(content))


def npy(array):
    return one_file("data.npy", lambda path: numpy.save(path, array, allow_pickle=True))


def npy_with(header, content=b"\0" * 64):
    text = header.encode().ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
    return file_of(start + text + content, "data.npy")


def npz(**arrays):
    return one_file("data.npz", lambda path: numpy.savez(path, **arrays))


def npz_of(content):
    """An archive whose images are these bytes."""

    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)

    return one_file("data.npz", write)


def terabyte():
    """A header that claims a terabyte, and a megabyte of zeros, which pack to nothing."""
    head = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    )
    return head.getvalue() + b"\0" * 10**6


def npz_of_no_text(place):
    """A member's name is said to be UTF-8, and is not."""
    with zipfile.ZipFile(place / "data.npz", "w") as archive:
        archive.writestr("é.npy", b"")
    content = (place / "data.npz").read_bytes()
    (place / "data.npz").write_bytes(content.replace("é".encode(), b"\xff\xff"))
    return place / "data.npz"


def cut_npz(place):
    path = npz(images=BLANK)(place)
    path.write_bytes(path.read_bytes()[:1000])
    return path


def damaged_npz(place):
    """A bit of the images is another than the archive's sum of them says."""
    path = npz(images=BLANK)(place)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    return path


def idx_of_two_sizes(place):
    for split, side in (("train", 20), ("t10k", 16)):
        head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (5, side, side))
        (place / f"{split}-images-idx3-ubyte").write_bytes(head + bytes(5 * side * side))
    return place


with_nan = numpy.zeros((5, 20, 20))
with_nan[3, 4, 5] = numpy.nan
BLANK = numpy.zeros((5, 20, 20), "uint8")
BAD = {
    "text named png": (with_file("notes.png", b"hello"), "notes.png: is no image"),
    "empty file named jpg": (with_file("empty.jpg", b""), "empty.jpg: is no image"),
    "truncated jpeg": (truncated("cut.jpg"), "cut.jpg: image file is truncated"),
    "truncated png": (truncated("cut.png"), "cut.png: "),
    "name with a newline": (with_file("two\nlines.png", b"x"), "two lines.png: is no image"),
    "postscript named png": (with_file("run.png", b"%!PS-Adobe-3.0 EPSF-3.0\n"), "run.png: is no"),
    "heic": (
        with_file("photo.HEIC", b"ftypheic"),
        "photo.HEIC: HEIC cannot be read; save it as PNG",
    ),
    "bomb": (spoilt(bomb), "bomb.png: Image size (900000000 pixels) exceeds limit"),
    "mixed sizes": (
        spoilt(mixed),
        "differ in size: 5 of 20 x 20, 1 of 30 x 20 (width x height; wide.png",
    ),
    "one pixel": (one_pixel, "are 1 x 1, the lecture's networks take 16 x 16 to 128 x 128"),
    "empty folder": (empty, "data: holds no images"),
    "only text": (lambda p: empty(p) if (p / "t.txt").write_text("t") else p, "holds no images"),
    "one image": (lambda p: good(p / "data", 1), "there is 1 image; at least 2 are needed"),
    "link loop": (
        spoilt(lambda data: (data / "again").symlink_to(data)),
        "again: a link to a folder that is read already",
    ),
    "link to itself": (
        spoilt(lambda data: (data / "self.png").symlink_to("self.png")),
        "self.png: Too many levels of symbolic links",
    ),
    "link to nothing": (
        spoilt(lambda data: (data / "gone.png").symlink_to("nowhere.png")),
        "gone.png: No such file",
    ),
    "named pipe": (
        spoilt(lambda data: os.mkfifo(data / "pipe.png")),
        "pipe.png: is a named pipe, not a regular file",
    ),
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
    "pickle in an npz": (
        npz_of(b"\x80\x04\x95\x10\x00\x00\x00."),
        "data.npz: images: is no NumPy array",
    ),
    "objects in an npz": (
        npz(images=BLANK, labels=numpy.array([None] * 5)),
        "data.npz: labels: holds Python objects",
    ),
    "npz of other names": (npz(pictures=BLANK), "holds 'pictures'; the images must"),
    "too few labels": (npz(images=BLANK, labels=numpy.zeros(4, "i4")), "labels must be 5 whole"),
    "npz bomb": (npz_of(terabyte()), "takes 1,000,000,000,000 bytes, but 1,000,000 are there"),
    "npz of no text": (npz_of_no_text, "data.npz: is a damaged archive"),
    "cut npz": (cut_npz, "data.npz: is a damaged archive"),
    "damaged npz": (damaged_npz, "data.npz: is a damaged archive: Bad CRC-32"),
    "idx of two sizes": (
        idx_of_two_sizes,
        "t10k-images-idx3-ubyte: dimensions: training images are (20, 20), test images (16, 16)",
    ),
    "splits of two sizes": (
        npz(train_images=BLANK, test_images=BLANK[:, :16]),
        "training images are (20, 20), test images (16, 20)",
    ),
    "one picture": (lambda p: picture(p / "me.jpg"), "me.jpg: is one image; give the folder"),
    "some file": (file_of(b"anything"), "is neither a folder nor an .npy, .npz or IDX file"),
    "damaged idx": (file_of(b"\0\0\x08\x03\0\0\0\x05\0\0\0\x10\0\0\0\x10"), "dimensions: (5, 16"),
    "unknown name": (lambda p: "fashion-minst", "did you mean 'fashion-mnist'"),
    "nothing there": (lambda p: p / "nowhere", "no file or folder has that name"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_one_clear_line_and_status_2_and_nothing_is_written(case, tmp_path, refused):
    make, words = BAD[case]
    data = make(tmp_path)
    arguments = ["--preset", "smoke", "--data", str(data)]
    assert words in refused(main, load_section("train_denoiser"), arguments)


def refusal_without_rights():
    """What is said where root's way round permissions is given up."""
    Image.init()
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
    with pytest.raises(DataError) as caught:
        load("data")
    return str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such permissions")
@pytest.mark.parametrize("place", ["data", "data/sub", "data/sub/good0.png"])
def test_what_may_not_be_read_is_named(place, tmp_path):
    good(tmp_path / "data")
    good(tmp_path / "data" / "sub")
    (tmp_path / place).chmod(0)
    tmp_path.chmod(0o755)
    said = elsewhere(__file__, "refusal_without_rights()")
    (tmp_path / place).chmod(0o755)
    assert said == f"{place}: Permission denied"


@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser"])
def test_every_section_refuses_bad_data_before_anything_is_written(name, tmp_path, refused):
    spoilt(mixed)(tmp_path)
    arguments = ["--preset", "smoke", "--data", "data"]
    assert "differ in size" in refused(main, load_section(name), arguments)
