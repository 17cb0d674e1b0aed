"""What the commands share: the model they are given, and how they refuse."""

from __future__ import annotations

import sys
from pathlib import Path

from autoencoder.data.arrays import DataError
from autoencoder.lecture.command_line import OptionError, Parser, folder, one_line
from autoencoder.lecture.run import last_folder
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.files import WriteError
from autoencoder.training import load_model
from minigrad import nn

DEMO = "train_denoiser"  # whose last run is used if none is named


def model_parser(command: str, description: str | None, model: str) -> Parser:
    """The parser of a command, which can be told what trained model to use.

    It is run by a file of ``demos/``, or by this package and the command's name.
    """
    is_module = Path(sys.argv[0]).name == "__main__.py"
    program = f"python -m autoencoder {command}" if is_module else f"{command}.py"
    parser = Parser(prog=program, description=description, allow_abbrev=False)
    parser.add_argument(
        model,
        metavar="RUN",
        type=folder,
        nargs=None if model.startswith("-") else "?",
        help=f"folder of a run, or file, that holds the model (default: the last run of {DEMO} "
        "in runs/)",
    )
    return parser


def trained_model(given: str | None) -> nn.Module:
    """The model that was given, or that of the demo's last run."""
    path = last_folder(DEMO) if given is None else given
    if path is None:
        raise OptionError(f"there is no run of {DEMO} in runs/ here; train one, or name its folder")
    return load_model(path)


def refuse_or_raise(parser: Parser, error: Exception) -> int:
    """Say in one line what is wrong with what was asked, or raise what is a bug."""
    if isinstance(error, WriteError):
        print(f"{parser.prog}: {one_line(error)}", file=sys.stderr)
        return 1
    is_system = isinstance(error, OSError) and error.errno is not None
    if not is_system and not isinstance(error, OptionError | DataError | CheckpointError):
        raise error
    parser.error(str(error))
