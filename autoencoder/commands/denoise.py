"""Denoised copies of pictures, made with a trained model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy
from PIL import Image

from autoencoder.classifier import Classifier
from autoencoder.commands.model import model_parser, refuse_or_raise, trained_model
from autoencoder.data.arrays import DataError
from autoencoder.data.image_files import find_images, read_image, resize
from autoencoder.inference import denoise
from autoencoder.lecture.command_line import OptionError, folder, positive
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import atomic_write
from minigrad import nn


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Denoise pictures: status 1 if a file cannot be written, 2 if what was asked is wrong."""
    parser = model_parser("denoise", __doc__, "--model")
    add = parser.add_argument
    add("images", metavar="IMAGE", nargs="+", type=folder, help="a picture, or a folder of them")
    add("--out", metavar="FOLDER", type=folder, default="denoised", help="default: denoised/")
    add("--size", metavar="PIXELS", type=positive, help="crop and scale the pictures first")
    add("--workers", type=positive, help="threads (default: one a core it may use)")
    options = parser.parse_args(arguments)
    try:
        model = trained_model(options.model)
        paths = _pictures(options.images)
        targets = _targets(paths, Path(options.out))
        for path in paths:  # all are looked at before anything is written
            _read(path, options.size, model)
        for path, target in zip(paths, targets, strict=True):
            image = denoise(model, _read(path, options.size, model), options.workers)
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target, _png(image))
            print(f"{path} -> {target}", flush=True)
    except Exception as error:
        return refuse_or_raise(parser, error)
    return 0


def _pictures(given: Sequence[str]) -> list[Path]:
    """The files given, and those in the folders given."""
    paths: list[Path] = []
    for each in map(Path, given):
        paths += find_images(each) if each.is_dir() else [each]
    return paths


def _targets(paths: Sequence[Path], out: Path) -> list[Path]:
    """Where each denoised copy goes: never over a picture that is read, nor two to one place."""
    targets = [out / f"{path.stem}.png" for path in paths]
    inputs = {path.resolve(): path for path in paths}
    places: dict[Path, Path] = {}
    for path, target in zip(paths, targets, strict=True):
        place = target.resolve()
        if place in inputs:
            raise OptionError(f"--out: {target} is a picture that is to be read")
        if place in places:
            raise OptionError(f"{places[place]} and {path} would both be written to {target}")
        places[place] = path
    return targets


def _read(path: Path, size: int | None, model: nn.Module) -> numpy.ndarray:
    """A picture that the model takes, (C, H, W)."""
    image = read_image(path)
    if size is not None:
        image = resize(image[None], size)[0]
    taken = getattr(model, "sample_shape", None)
    if isinstance(model, Classifier) or (taken is not None and len(taken) != 3):
        raise OptionError(f"--model: a {type(model).__name__} gives back no pictures")
    if taken is not None and taken[1:] != image.shape[1:]:
        raise DataError(
            f"{path}: is {image.shape[1]} x {image.shape[2]}, this {type(model).__name__} takes "
            f"{taken[1]} x {taken[2]}: give --size, or a model without a bottleneck"
        )
    if min(image.shape[1:]) < 9:
        raise DataError(f"{path}: is {image.shape[1]} x {image.shape[2]}, the least is 9 x 9")
    return image


def _png(image: numpy.ndarray) -> bytes:
    """An image (C, H, W) in [0, 1] as a PNG file."""
    pixels = numpy.rint(255 * image).astype("uint8")
    file = io.BytesIO()
    pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    Image.fromarray(numpy.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()
