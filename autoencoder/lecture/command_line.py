"""The options every demo takes, and presets that set them together."""

from __future__ import annotations

import argparse
import difflib
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

__all__ = [
    "PRESETS",
    "Option",
    "OptionError",
    "Parser",
    "build_parser",
    "folder",
    "fraction",
    "not_negative",
    "not_negative_number",
    "one_line",
    "parse",
    "positive",
    "positive_number",
]

PRESETS = ("smoke", "default", "lecture", "full")
# Counts up to what an index of 32 bits holds: beyond, NumPy would refuse the shapes in its words.
LARGEST = 2**31 - 1
_LONGEST_LINE = 1_000


class OptionError(ValueError):
    """What was asked for on a command line cannot be done; the message is for who typed it.

    Any other ValueError is a bug and keeps its traceback.
    """


@dataclass(frozen=True)
class Option:
    """An option whose value comes from the preset unless it is given.

    Parameters
    ----------
    name : str
        As typed after ``--``.
    type : callable
        From text to value; raises ValueError for what it does not take.
    help : str
        What it sets, with units.
    choices : sequence, optional
        The values allowed.

    Examples
    --------
    >>> Option("noise-std", float, "standard deviation of the noise").key
    'noise_std'
    """

    name: str
    type: Callable[[str], Any]
    help: str
    choices: Sequence[Any] | None = None

    @property
    def key(self) -> str:
        """The name in Python."""
        return self.name.replace("-", "_")


def positive(text: str) -> int:
    """A whole number from 1, at most :data:`LARGEST`."""
    number = int(text)
    if not 1 <= number <= LARGEST:
        raise ValueError
    return number


def not_negative(text: str) -> int:
    """A whole number from 0 that fits in 64 bits."""
    number = int(text)
    if not 0 <= number < 2**64:
        raise ValueError
    return number


def positive_number(text: str) -> float:
    """A number above 0 whose square single precision can hold."""
    number = float(text)
    if not 1e-18 <= number <= 1e18:
        raise ValueError
    return number


def not_negative_number(text: str) -> float:
    """A finite number from 0."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def fraction(text: str) -> float:
    """A number between 0 and 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def folder(text: str) -> str:
    """A path that can exist, and be written in one line of UTF-8."""
    if not text or any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise ValueError
    return text


# What argparse says of a value that a type refuses: "invalid ... value".
positive.__name__ = f"whole number from 1 to {LARGEST}"
not_negative.__name__ = "whole number from 0 to 2**64 - 1"
positive_number.__name__ = "positive number"
not_negative_number.__name__ = "number from 0"
fraction.__name__ = "number between 0 and 1"
folder.__name__ = "folder"

_NOT_GIVEN = object()

EPOCHS = Option("epochs", positive, "passes through the training samples")
BATCH_SIZE = Option("batch-size", positive, "samples in a step")


def one_line(text: object) -> str:
    """A message as one line of bounded length that any terminal can show.

    Examples
    --------
    >>> one_line("two\\nlines, a bell\\a")
    'two lines, a bell\\\\x07'
    >>> len(one_line("x" * 10**6)) <= _LONGEST_LINE
    True
    """
    line = str(text)
    if len(line) > _LONGEST_LINE:
        line = f"{line[: _LONGEST_LINE // 2 - 3]} ... {line[-_LONGEST_LINE // 2 + 2 :]}"
    line = " ".join(line.split())
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with a suggestion for a misspelt name."""

    def error(self, message: str) -> NoReturn:
        message = one_line(message)
        known = [text for action in self._actions for text in action.option_strings]
        wrong, choices = "", known
        if message.startswith("unrecognized arguments: "):
            wrong = message.split()[2].partition("=")[0]
        elif message == "unrecognized arguments:":
            message += " an empty one"
        elif "invalid choice: " in message:
            wrong = "".join(message.split("invalid choice: ")[1].split("'")[1:2])
            choices = [str(c) for action in self._actions for c in action.choices or ()]
        close = difflib.get_close_matches(wrong[:100], choices, n=1)
        message += f"; did you mean {close[0]}?" if close else ""
        self.exit(2, f"{self.prog}: {message}\n")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Python 3.10 and 3.11 take the "--" of "--seed=--" away and find no value left.
        if action.option_strings and arg_strings == ["--"]:
            raise argparse.ArgumentError(action, "expected one argument")
        return super()._get_values(action, arg_strings)


def build_parser(
    program: str,
    description: str,
    presets: Mapping[str, Mapping[str, Any]],
    options: Sequence[Option] = (),
) -> Parser:
    """A parser with the common options and those of one demo.

    Parameters
    ----------
    program : str
        What the user typed: the demo's file name.
    description : str
        What the demo does.
    presets : mapping
        For each of ``smoke``, ``default``, ``lecture`` and ``full``, a value for every key of
        ``options`` (and of ``epochs`` and ``batch_size``, if the demo has them).
    options : sequence of Option
        The demo's own.

    Returns
    -------
    Parser
    """
    parser = Parser(
        prog=program,
        description=f"{description} Defaults listed with slashes are those of the presets "
        f"{' / '.join(PRESETS)}.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--preset",
        choices=PRESETS,
        default="default",
        help="sets the options at the end of this list together (default: default)",
    )
    add("--device", default="cpu", help="cpu (the default), cuda (the first GPU) or cuda:N")
    add("--seed", type=not_negative, default=0, help="fixes every random number (default: 0)")
    add(
        "--workers",
        type=positive,
        help="threads on the CPU (default: one a core it may use); results do not depend on it",
        default=None,
    )
    add(
        "--save-seconds",
        type=not_negative_number,
        metavar="SECONDS",
        help="time between checkpoints, 0 for one after every step (default: 30)",
        default=30.0,
    )
    add(
        "--data",
        metavar="FOLDER",
        type=folder,
        help="folder of four IDX files to use in place of MNIST",
    )
    add(
        "--out",
        metavar="FOLDER",
        type=folder,
        help="where results go (default: a new folder under runs/)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--resume", action="store_true", help="go on with the last run, or that in --out"
    )
    group.add_argument("--replot", action="store_true", help="draw the figures of that run again")
    for option in (EPOCHS, BATCH_SIZE, *options):
        if option.key in presets["default"]:
            values = [str(presets[name][option.key]) for name in PRESETS]
            is_same = len(set(values)) == 1
            values = "default: " + (values[0] if is_same else " / ".join(values))
            parser.add_argument(
                f"--{option.name}",
                type=option.type,
                choices=option.choices,
                default=argparse.SUPPRESS,
                help=f"{option.help} ({values})",
            )
    return parser


def parse(
    parser: Parser, presets: Mapping[str, Mapping[str, Any]], arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, set[str]]:
    """Read a command line; what it does not say comes from the preset.

    Returns
    -------
    options : argparse.Namespace
    given : set of str
        The names of the options that were given explicitly.
    """
    common = {action.dest: action.default for action in parser._actions}
    del common["help"]
    options = argparse.Namespace(**dict.fromkeys(common, _NOT_GIVEN))
    parser.parse_args(arguments, options)
    given = {key for key, value in vars(options).items() if value is not _NOT_GIVEN}
    for key in common.keys() - given:
        if common[key] is argparse.SUPPRESS:
            delattr(options, key)
        else:
            setattr(options, key, common[key])
    for key, value in presets[options.preset].items():
        if key not in given:
            setattr(options, key, value)
    return options, given
