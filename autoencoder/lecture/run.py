"""A run of a demo: its options, its folder, its data and the models it trains."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy

from autoencoder.data import datasets
from autoencoder.data.arrays import DataError
from autoencoder.inference import encode
from autoencoder.lecture.command_line import CommonOptions, OptionError, as_typed
from autoencoder.lecture.shipped import shipped_rows, shipped_weights
from autoencoder.models import IMAGE_SIDES, AutoEncoder, count_multiplications, count_parameters
from autoencoder.storage.checkpoint import digest_of
from autoencoder.storage.files import atomic_write, file_lock
from autoencoder.training import CHECKPOINT, Row, TrainingSettings, random_generator, train
from autoencoder.training.loop import Corruption, Loss, name_of
from minigrad import manual_seed, nn
from minigrad.parallel import Communicator
from minigrad.parallel.ranks import device_of_rank

CONFIGURATION = "config.json"
LOCK = ".run.lock"
RUNS = Path("runs")
LARGEST_MATRIX = 2**32  # bytes
# Longer than `in_use` holds a lock to see whether it is free; a run holds it to its end.
_LOCK_SECONDS = 1.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
# Options that say how to run, not what to compute.
HOW = ("device", "workers", "save_seconds", "out", "resume", "replot")

Model = TypeVar("Model", bound=nn.Module)


_Options = TypeVar("_Options", bound=CommonOptions)


class Run(Generic[_Options]):
    """What a section's computation works with.

    ``name`` is the demo's, ``folder`` is where its files go (made if missing), ``models`` where
    trained models are kept for all sections that use the same. A quiet run shows no progress.
    Of several ``ranks``, which compute together, rank 0 alone reads and writes the folder.
    """

    def __init__(
        self,
        name: str,
        options: _Options,
        folder: str | os.PathLike[str],
        models: str | os.PathLike[str],
        quiet: bool = False,
        ranks: Communicator | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.folder = Path(folder)
        self.models = Path(models)
        self.quiet = quiet
        self.ranks = ranks or Communicator()
        self.limited: set[str] = set()  # the options that were lowered to what the data allow
        self.given: set[str] = set()  # the options that were typed
        # The models asked for: by name, the digest of what decides them; and those trained here.
        self.identities: dict[str, str] = {}
        self.trains: list[str] = []
        self._has_said_cost = False
        self._dataset: datasets.Dataset | None = None
        self._encoded: dict[tuple[str, str, int], numpy.ndarray] = {}
        self._held = contextlib.ExitStack()

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what is computed, exactly, and the digest of other data."""
        values = {
            key: value
            for key, value in vars(self.options).items()
            if key not in HOW and value is not False  # a switch that is off is as good as none
        }
        if values.get("data") is not None:
            values["data_sha256"] = self.dataset.digest
        return {"demo": self.name, **values}

    def write_configuration(self) -> None:
        """Make the folder and write ``config.json`` into it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self.configuration, "device": self.options.device}, indent=2)
        atomic_write(self.folder / CONFIGURATION, text + "\n")

    def hold(self, folder: str | os.PathLike[str]) -> None:
        """Make a folder, and keep other runs out of it until :meth:`release`.

        OptionError if another run holds it. The lock is the operating system's: it is free again
        when the process is gone, however it ended. On a file system without locks nothing is held.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(file_lock(folder / LOCK, _LOCK_SECONDS))
        except TimeoutError:
            raise _is_live(folder) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def release(self) -> None:
        """Let other runs into the folders held."""
        self._held.close()

    @property
    def dataset(self) -> datasets.Dataset:
        """MNIST, or what ``--data`` names.

        DataError if it is not there or not what it should be; OptionError if a split of it is
        empty, or its images are not of a size that the lecture's networks take.
        """
        if self._dataset is None:
            options = self.options
            try:
                found = datasets.load(options.data or "mnist", size=options.size, seed=options.seed)
            except OSError as error:
                raise DataError(str(error)) from error
            _require_fitting(found, options.data or "mnist")
            self._dataset = found
        return self._dataset

    def limit(self, key: str, most: int) -> None:
        """Lower an option to what there is of the things it counts: no larger number is kept."""
        if vars(self.options)[key] > most:
            setattr(self.options, key, most)
            self.limited.add(key)

    def require(self, key: str, least: int, reason: str) -> None:
        """Refuse an option that counts too little for what is computed."""
        value = vars(self.options)[key]
        if value < least:
            raise OptionError(f"{as_typed(key)}: {reason} needs at least {least}, not {value}")

    def require_components(self, count: int, key: str = "latent_size") -> None:
        """Refuse images that are too few, or too small, for PCA with so many components."""
        pixels = self.dataset.train_images[0].size
        if count > pixels:
            raise OptionError(f"{as_typed(key)}: PCA of {pixels} pixels has no {count} components")
        self.require_images(train=count + 1, reason=f"PCA with {count} components")
        self.require_small(min(pixels, vars(self.options)["train_images"]), "PCA")

    def require_small(self, rows: int, reason: str) -> None:
        """Refuse images for which a matrix of so many rows of an image's size is too large."""
        pixels = self.dataset.train_images[0].size
        if 8 * rows * pixels > LARGEST_MATRIX:
            raise OptionError(
                f"--data: {reason} of images of {pixels:,} numbers needs a matrix of "
                f"{8 * rows * pixels / 2**30:.1f} GiB: --size, or fewer --train-images, makes it "
                "smaller"
            )

    def require_shape(self, shape: tuple[int, ...], reason: str) -> None:
        """Refuse data whose images (C, H, W) have another shape than something takes."""
        found = self.dataset.image_shape
        if found != shape:
            raise OptionError(f"--data: {reason} takes images of shape {shape}, not {found}")

    def require_images(self, train: int = 1, test: int = 1, reason: str = "training") -> None:
        """Lower the options that count images to the images there are; refuse too few of them.

        The same image twice counts once: it is nothing new to a fit. ``reason`` is what needs them.
        """
        for split, least in (("train", train), ("test", test)):
            key = f"{split}_images"
            images = getattr(self.dataset, key)
            self.limit(key, len(images))
            different: set[bytes] = set()
            for image in images[: vars(self.options)[key]]:
                different.add(image.tobytes())
                if len(different) >= least:
                    break
            else:
                raise OptionError(
                    f"{as_typed(key)}: {reason} needs at least {least} different images, there "
                    f"are {len(different)}"
                )

    def share_dataset(self, other: Run[Any]) -> None:
        """Use the images of another run with the same ``--data``, and the latents that it has."""
        self._dataset, self._encoded = other.dataset, other._encoded

    @property
    def how(self) -> dict[str, Any]:
        """On which threads and ranks a function of the library computes: its last arguments."""
        return {"workers": self.options.workers, "ranks": self.ranks}

    def rng(self, purpose: str, *position: int) -> numpy.random.Generator:
        """The random numbers of one place in the run, which follow from its seed.

        The purpose is ``"data"`` for samples that are drawn, ``"evaluation"`` for what they are
        measured with, or one of training's own: see `random_generator`. Places of one purpose are
        told apart by whole numbers.
        """
        return random_generator(self.options.seed, purpose, *position)

    def images(self, split: str) -> numpy.ndarray:
        """As many of a split's images as the options say, (N, C, H, W) float32 in [0, 1]."""
        return self.dataset.images(split, vars(self.options)[f"{split}_images"])

    def labels(self, split: str) -> numpy.ndarray:
        """The labels of these images; without labels each is a class of its own."""
        count = vars(self.options)[f"{split}_images"]
        if not self.dataset.has_labels:
            return numpy.arange(count)
        return self.dataset.labels(split)[:count]

    def autoencoder(self, latent_size: int) -> AutoEncoder:
        """The lecture's autoencoder, for images of the size and channels of the data."""
        channels, height, width = shape = self.dataset.image_shape
        model = AutoEncoder(latent_size, (height, width), channels)
        if shape != (1, 28, 28) and not (self.quiet or self._has_said_cost):
            self._has_said_cost = True
            usual = count_multiplications(AutoEncoder(latent_size), (1, 28, 28))
            print(
                f"the autoencoder of {height} x {width} x {channels}, d = {latent_size}: "
                f"{count_parameters(model):,} parameters, a pass costs "
                f"{count_multiplications(model, shape) / usual:.1f} times that of 28 x 28 x 1"
            )
        return model

    def encoded(self, model: nn.Module, split: str) -> numpy.ndarray:
        """The latents (N, d) of a split's images. A lecture encodes them once by equal weights."""
        count = vars(self.options)[f"{split}_images"]
        key = (digest_of(*model.state_dict().values()), split, count)
        if key not in self._encoded:
            self._encoded[key] = encode(model, self.images(split), **self.how)
            self._encoded[key].flags.writeable = False
        return self._encoded[key]

    def settings(self, **changes: Any) -> TrainingSettings:
        """Training settings from the options, with changes."""
        options = self.options
        values = {
            "seed": options.seed,
            "device": options.device,
            "workers": options.workers,
            "save_seconds": options.save_seconds,
            **{key: vars(options)[key] for key in ("epochs", "batch_size") if key in vars(options)},
            **changes,
        }
        return TrainingSettings(**values)

    def trained(
        self,
        name: str,
        make_model: Callable[[], Model],
        samples: numpy.ndarray,
        settings: TrainingSettings | None = None,
        *,
        corruption: Corruption | None = None,
        targets: numpy.ndarray | None = None,
        loss: Loss | None = None,
        evaluate: Callable[[Any], dict[str, float]] | None = None,
        tested_on: numpy.ndarray | None = None,
        own: bool = False,
        quiet: bool = False,
        samples_of: str | None = None,
        start: Callable[[Model], None] | None = None,
    ) -> tuple[Model, list[Row]]:
        """A trained model, and the metrics of its epochs: trained now, gone on with, or read.

        Weights that ship with the package are taken, unless the option ``--retrain`` is set, if
        they are those of just this training. ``samples_of`` names what decides samples that are
        computed, such as latents: their last bits depend on the machine, and are not compared.

        Models are kept by name and by everything that decides the result. So sections that need the
        same model share it, and a run that was stopped goes on where it was. The weights are drawn
        from the settings' seed; ``start`` may change them. ``corruption``, ``targets``, ``loss``
        and ``evaluate`` are as for :func:`autoencoder.training.train`. The metrics are kept with
        the model: one that was ``tested_on`` other samples is another one. What ``evaluate`` does
        is not compared: give a model that is measured otherwise another name. An ``own`` model lies
        in the run's folder rather than among the shared ones. A ``quiet`` training shows no
        progress: it takes seconds.
        """
        settings = settings or self.settings()
        manual_seed(settings.seed)
        model = make_model()
        if start is not None:
            start(model)
        folder = self.folder
        if own:
            self.trains.append(name)
        else:
            identity = {
                "model": repr(model),
                "settings": settings.decisive,
                "corruption": name_of(corruption),
                "samples": digest_of(samples),
                "tested_on": None if tested_on is None else digest_of(tested_on),
            }
            if targets is not None:
                identity["targets"] = digest_of(targets)
            if loss is not None:
                identity["loss"] = name_of(loss)
            if start is not None:
                identity["start"] = name_of(start)
            folder = self.models / f"{name}-{_digest(identity)[:12]}"
            if samples_of is not None:
                identity["samples"] = samples_of
            self.identities[name] = _digest(identity)
            rows = self._shipped(name, model, settings)
            if rows is not None:
                return model, rows
            self.trains.append(name)
        is_quiet = quiet or self.quiet
        with contextlib.ExitStack() as held:

            def begin() -> None:
                folder.mkdir(parents=True, exist_ok=True)
                if not own:
                    _take_turn(held, folder, name, is_quiet)
                if (folder / CHECKPOINT).exists() and not is_quiet:
                    print(f"{name}: going on from {folder / CHECKPOINT}")

            self.ranks.decided(begin)
            rows = train(
                model,
                samples,
                settings,
                corruption=corruption,
                targets=targets,
                loss=loss,
                evaluate=evaluate,
                folder=folder,
                resume=True,
                title=name,
                quiet=is_quiet,
                ranks=self.ranks,
            )
        return model, rows

    def _shipped(self, name: str, model: nn.Module, settings: TrainingSettings) -> list[Row] | None:
        """Read a model's weights from the package, on every rank; gives the metrics of its epochs.

        None if they are not there, or not wanted.
        """
        path = None if self.options.retrain else shipped_weights(name, self.identities[name])
        self.ranks.require_same(f"whether the weights of {name} ship", path is not None)
        if path is None:
            return None
        with self.ranks.failing_together():
            rows = shipped_rows(path, model)
            model.to(device_of_rank(settings.device, self.ranks))
        if not self.quiet and self.ranks.rank == 0:
            print(f"{name}: its weights ship with the package (--retrain trains it)", flush=True)
        return rows


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _require_fitting(dataset: datasets.Dataset, data: str) -> None:
    """Refuse data that the lecture's networks cannot be trained and tested on."""
    for name, images in (("training", dataset.train_images), ("test", dataset.test_images)):
        if not len(images):
            raise OptionError(f"--data: {data} holds no {name} images")
    _, *sides = dataset.image_shape
    low, high = IMAGE_SIDES
    if not all(low <= side <= high for side in sides):
        raise OptionError(
            f"--data: the images in {data} are {sides[0]} x {sides[1]}, the lecture's networks "
            f"take {low} x {low} to {high} x {high}: --size 32, or another, crops and scales them"
        )


def models_folder(folder: str | os.PathLike[str]) -> Path:
    """Where a run in a folder shares its models: all runs in ``runs/``, others on their own."""
    is_inside = RUNS.resolve() in Path(folder).resolve().parents
    return (RUNS if is_inside else Path(folder)) / "models"


def last_folder(name: str) -> Path | None:
    """The newest folder of a demo, such as ``runs/train_denoiser/002``; None if there is none."""
    numbers = [int(path.name) for path in (RUNS / name).glob("*") if path.name.isdecimal()]
    return RUNS / name / f"{max(numbers):03d}" if numbers else None


def new_folder(name: str) -> Path:
    """Make the next free folder for a demo; nobody else's."""
    last = last_folder(name)
    number = 0 if last is None else int(last.name)
    while True:
        number += 1
        folder = RUNS / name / f"{number:03d}"
        with contextlib.suppress(FileExistsError):  # another process was faster
            folder.mkdir(parents=True)
            return folder


def in_use(folder: str | os.PathLike[str]) -> bool:
    """Whether a live run holds a folder."""
    path = Path(folder) / LOCK
    try:
        if path.is_file():
            with file_lock(path, timeout=_LOCK_SECONDS / 4):  # others who only ask let go by then
                pass
    except TimeoutError:
        return True
    except OSError:  # nobody can hold it, or it cannot be told
        pass
    return False


def require_free(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that a live run holds."""
    if in_use(folder):
        raise _is_live(folder)


def _is_live(folder: str | os.PathLike[str]) -> OptionError:
    return OptionError(
        f"{os.fspath(folder)} is in use by a run that has not ended; wait for it, or use --out "
        "with another folder"
    )


def _take_turn(held: contextlib.ExitStack, folder: Path, name: str, quiet: bool) -> None:
    """Wait while another run trains the same model: it is read then, not trained a second time."""
    # Where there are no locks, or it is read only, a model that is whole can still be read.
    with contextlib.suppress(OSError):
        try:
            held.enter_context(file_lock(folder / LOCK, timeout=0.0))
        except TimeoutError:
            if not quiet:
                print(f"{name}: waiting for another run that trains it in {folder}", flush=True)
            held.enter_context(file_lock(folder / LOCK, timeout=math.inf))
