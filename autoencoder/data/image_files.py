"""A folder of pictures: found, checked and read by Pillow, brought to one size.

Pixels become uint8: 16 bits are rounded to 8, palettes and CMYK become red, green and blue, what is
transparent becomes white, and a camera's turn (EXIF) is undone. Grey stays grey if all is grey.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy
from PIL import Image, ImageOps
from tqdm import tqdm

from autoencoder.data.arrays import DataError, require_memory
from autoencoder.storage.files import open_regular
from autoencoder.storage.streams import Unbreakable
from minigrad.backend import shown

# Not all that Pillow knows: some formats start other programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA", "JPEG2000", "AVIF")
SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".avif"),
}
# Pictures all the same: a folder that holds them is not read by half.
UNREADABLE = {
    *(".heic", ".heif", ".svg", ".psd", ".eps", ".pdf", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".rw2", ".ico", ".xcf"),
}
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, height and width change places
_GREY = {"1", "L", "LA", "La", "F"}  # and all that begin with I


def find_images(folder: Path) -> list[Path]:
    """The image files below a folder, in the order of their names; DataError if there are none.

    Files that are no images by their names are left out, which a line on standard error says.
    """
    images: list[Path] = []
    others: list[Path] = []
    seen: set[tuple[int, int]] = set()

    def walk(place: Path) -> None:
        status = place.stat()
        if (status.st_dev, status.st_ino) in seen:
            raise DataError(f"{place}: a link to a folder that is read already")
        seen.add((status.st_dev, status.st_ino))
        for path in sorted(place.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                walk(path)
            elif path.suffix.lower() in SUFFIXES | UNREADABLE:
                images.append(path)
            else:
                others.append(path)

    walk(folder)
    if not images:
        found = f", only files such as {others[0].name}" if others else ""
        raise DataError(f"{folder}: holds no images{found}")
    if others:
        count = "1 file is no image" if len(others) == 1 else f"{len(others)} files are no images"
        line = f"{folder}: left out, {count}: {', '.join(path.name for path in others[:3])}"
        print(line + (", ..." if len(others) > 3 else ""), file=Unbreakable.of(sys.stderr))
    return images


def read_images(
    paths: Sequence[Path], size: int | None = None, places: numpy.ndarray | None = None
) -> numpy.ndarray:
    """Images (N, H, W), or (N, 3, H, W) if one of them is in colour, uint8.

    All headers are read first, so that nothing is decoded of a set that does not fit together; then
    one image at a time. ``places`` says where in the result each goes.
    """
    sizes: list[tuple[int, int]] = []
    is_colour = False
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning)  # of metadata that is not used
        for path in _with_progress(paths, "looking at"):
            with _opened(path) as image:
                width, height = image.size
                if image.getexif().get(_ORIENTATION, 1) >= 5:
                    width, height = height, width
                sizes.append((width, height))
                is_colour = is_colour or not _is_grey(image)
        if size is None and len(set(sizes)) > 1:
            raise DataError(_different(paths, sizes))
        width, height = (size, size) if size is not None else sizes[0]
        shape = (len(paths), *((3,) if is_colour else ()), height, width)
        require_memory(f"{len(paths)} images of {height} x {width}", shape)
        pixels = numpy.empty(shape, "uint8")
        for i, path in enumerate(_with_progress(paths, "reading")):
            with _opened(path) as image:
                pixels[i if places is None else places[i]] = _pixels(image, path, is_colour, size)
    return pixels


def read_image(path: Path) -> numpy.ndarray:
    """One image, (1, H, W) grey or (3, H, W) in colour, float32 in [0, 1]."""
    pixels = read_images([path])[0]
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    return pixels.astype("float32") / numpy.float32(255)


def resize(images: numpy.ndarray, size: int) -> numpy.ndarray:
    """Images (N, H, W) or (N, C, H, W) cropped to the middle square and scaled to size x size."""
    shape = (*images.shape[:-2], size, size)
    require_memory(f"{len(images)} images of {size} x {size}", shape, images.itemsize)
    resized = numpy.empty(shape, images.dtype)
    flat = resized.reshape(-1, size, size)
    for i, plane in enumerate(images.reshape(-1, *images.shape[-2:])):
        fitted = ImageOps.fit(Image.fromarray(plane), (size, size), Image.Resampling.LANCZOS)
        flat[i] = numpy.clip(numpy.asarray(fitted), 0, 1 if images.dtype.kind == "f" else 255)
    return resized


def _with_progress(paths: Sequence[Path], what: str) -> Iterable[Path]:
    shown = {"desc": f"{what} images", "unit": "image", "file": Unbreakable.of(sys.stderr)}
    return tqdm(paths, leave=False, disable=None, **shown)  # None: only on a terminal


def _different(paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> str:
    """That images differ in size, in words."""
    counts = Counter(sizes)
    common = counts.most_common(3)
    listed = ", ".join(f"{count} of {width} x {height}" for (width, height), count in common)
    more = f" and {len(counts) - 3} sizes more" if len(counts) > 3 else ""
    odd = paths[sizes.index(common[1][0])]
    return (
        f"{os.path.commonpath([path.parent for path in paths])}: the images differ in size: "
        f"{listed}{more} (width x height; {odd.name} is one of the second); "
        "a size, such as --size 64, crops and scales them"
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose header is read; whatever is wrong with it is a DataError with its name."""
    if path.suffix.lower() in UNREADABLE:
        kind = path.suffix[1:].upper()
        raise DataError(f"{path}: {kind} cannot be read; save it as PNG or JPEG, or take it out")
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except (DataError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise DataError(f"{path}: is no image, or a damaged one") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged file makes Pillow raise anything, SyntaxError too
        raise DataError(f"{path}: {error or type(error).__name__}") from None


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = numpy.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GREY or image.mode.startswith("I")


def _pixels(image: Image.Image, path: Path, is_colour: bool, size: int | None) -> numpy.ndarray:
    """The pixels of an opened image, (H, W) or (3, H, W)."""
    if size is not None:
        image.draft(None, (2 * size, 2 * size))  # a large JPEG need not be decoded in full
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = numpy.asarray(image).astype("float64")
        most = 1.0 if image.mode == "F" else 65535.0
        if not (values.min() >= 0 and values.max() <= most):
            raise DataError(
                f"{path}: pixels from {values.min():g} to {values.max():g}, expected 0 to {most:g}"
            )
        image = Image.fromarray(numpy.rint(values * (255 / most)).astype("uint8"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB" if is_colour else "L")
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    pixels = numpy.asarray(image)
    return pixels.transpose(2, 0, 1) if is_colour else pixels


def class_names(paths: Sequence[Path], folder: Path) -> list[str] | None:
    """The sub-folder each image lies in; None if one lies in none, or all in the same."""
    parts = [path.relative_to(folder).parts for path in paths]
    names = [part[0] for part in parts if len(part) > 1]
    if len(names) < len(paths) or len(set(names)) < 2:
        return None
    for name in set(names):
        if not name.isprintable():
            raise DataError(f"{folder}: {shown(name)} cannot name a class, it does not print")
    return names
