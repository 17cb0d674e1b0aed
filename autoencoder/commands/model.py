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

__all__ = ["add_model_option", "program_name", "refuse_or_raise", "trained_model"]


def program_name(command: str) -> str:
    """What was typed to run a command: a file of ``demos/``, or this package and the command."""
    typed = Path(sys.argv[0]).name
    return f"python -m autoencoder {command}" if typed == "__main__.py" else f"{command}.py"


def add_model_option(parser: Parser, name: str, demo: str) -> None:
    """Let a command be told which trained model to use."""
    parser.add_argument(
        name,
        metavar="RUN",
        type=folder,
        nargs=None if name.startswith("-") else "?",
        help=f"folder of a run, or file, that holds the model (default: the last run of {demo} "
        "in runs/)",
    )


def trained_model(given: str | None, demo: str) -> nn.Module:
    """The model that was given, or that of the demo's last run."""
    path = last_folder(demo) if given is None else given
    if path is None:
        raise OptionError(f"there is no run of {demo} in runs/ here; train one, or name its folder")
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
