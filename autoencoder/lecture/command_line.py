"""Options of demos, each named once in a dataclass, and the presets that set them together."""

from __future__ import annotations

import argparse
import difflib
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, TypeVar

PRESETS = ("smoke", "default", "lecture", "full")
# Counts up to what an index of 32 bits holds: beyond, NumPy would refuse the shapes in its words.
LARGEST = 2**31 - 1
_LONGEST_LINE = 1_000
_Number = TypeVar("_Number", int, float)


class OptionError(ValueError):
    """What was asked for on a command line cannot be done; the message is for who typed it.

    Any other ValueError is a bug and keeps its traceback.
    """


def between(kind: type[_Number], low: float, high: float, name: str) -> Callable[[str], _Number]:
    """What makes a number of what was typed, or raises ValueError.

    >>> between(int, 1, 3, "whole number from 1 to 3")("2")
    2
    """

    def number(text: str) -> _Number:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError
        return value

    number.__name__ = name  # argparse says of a value that a type refuses: "invalid ... value"
    return number


positive = between(int, 1, LARGEST, f"whole number from 1 to {LARGEST}")
not_negative = between(int, 0, 2**64 - 1, "whole number from 0 to 2**64 - 1")
# A square of it is a number that single precision can hold.
positive_number = between(float, 1e-18, 1e18, "positive number")
not_negative_number = between(float, 0, sys.float_info.max, "number from 0")


def folder(text: str) -> str:
    """A path that can exist, and be written in one line of UTF-8."""
    if not text or any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise ValueError
    return text


def option(
    help: str, *, default: Any, type: Callable[[str], Any] = positive, **presets: Any
) -> Any:
    """A field of a demo's options whose value comes from the preset unless it is given.

    ``type`` makes a value of what was typed, by default a count, and raises ValueError for what it
    does not take. ``default`` is the value of every preset that is not named among the keywords
    ``smoke``, ``lecture`` and ``full``.

    >>> @dataclass
    ... class Options(CommonOptions):
    ...     epochs: int = option("passes through the samples", smoke=1, default=5)
    >>> options, given = parse(build_parser("demo", "Shows.", Options), Options, ["--seed", "3"])
    >>> options.epochs, options.seed, given
    (5, 3, {'seed'})
    """
    unknown = presets.keys() - set(PRESETS)
    if unknown:
        raise TypeError(f"option: there is no preset {min(unknown)!r}")
    values = {name: presets.get(name, default) for name in PRESETS}
    if default is not None:  # what None means is told by the help itself
        listed = list(map(str, values.values()))
        help += f" (default: {listed[0] if len(set(listed)) == 1 else ' / '.join(listed)})"
    return field(default=default, metadata={"presets": values, "type": type, "help": help})


def setting(default: Any, help: str, **how: Any) -> Any:
    """A field of a demo's options that no preset sets; ``how`` is as for argparse."""
    return field(default=default, metadata={"help": help, **how})


def switch(help: str) -> Any:
    """A field of a demo's options that is off unless it is given."""
    return setting(False, help, action="store_true")


@dataclass
class CommonOptions:
    """What every demo can be told; the options of a demo are a subclass."""

    preset: str = setting(
        "default",
        "sets the options at the end of this list together (default: default)",
        choices=PRESETS,
    )
    device: str = setting("cpu", "cpu (the default), cuda (the first GPU) or cuda:N")
    seed: int = setting(0, "fixes every random number (default: 0)", type=not_negative)
    workers: int | None = setting(
        None,
        "threads on the CPU (default: one a core it may use); results do not depend on it",
        type=positive,
    )
    save_seconds: float = setting(
        30.0,
        "time between checkpoints, 0 for one after every step (default: 30)",
        type=not_negative_number,
        metavar="SECONDS",
    )
    data: str | None = setting(
        None,
        "images to use in place of MNIST: fashion-mnist or kmnist; a folder of pictures, its "
        "sub-folders are labels; an .npy or .npz file; IDX files",
        type=folder,
    )
    size: int | None = setting(
        None,
        "crop these images to squares, and scale them to so many pixels a side",
        type=positive,
        metavar="PIXELS",
    )
    retrain: bool = switch(
        "train every network; by default those whose weights ship with the package are not "
        "trained again"
    )
    out: str | None = setting(
        None, "where results go (default: a new folder under runs/)", type=folder, metavar="FOLDER"
    )
    resume: bool = switch("go on with the last run, or that in --out")
    replot: bool = switch("draw the figures of that run again")

    def by_name(self, *names: str) -> dict[str, Any]:
        """Some of the options, as results hold those that figures and captions name.

        >>> CommonOptions(seed=3).by_name("seed", "size")
        {'seed': 3, 'size': None}
        """
        return {name: vars(self)[name] for name in names}


_Options = TypeVar("_Options", bound=CommonOptions)


def preset_values(options: type[CommonOptions], preset: str) -> dict[str, Any]:
    """What a preset says of a demo's own options, by name."""
    presets = {each.name: each.metadata.get("presets") for each in fields(options)}
    return {name: values[preset] for name, values in presets.items() if values}


_NOT_GIVEN = object()


def one_line(text: object) -> str:
    """A message as one line of bounded length that any terminal can show.

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


def as_typed(name: str) -> str:
    """An option's name on the command line, such as --batch-size."""
    return f"--{name.replace('_', '-')}"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with a suggestion for a misspelt name."""

    @property
    def demo(self) -> str:
        """The name of the demo whose file was typed."""
        return self.prog.removesuffix(".py")

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
    program: str, description: str, options: type[CommonOptions] = CommonOptions
) -> Parser:
    """A parser with the options of one demo, for the file name that was typed."""
    parser = Parser(
        prog=program,
        description=f"{description} Defaults listed with slashes are those of the presets "
        f"{' / '.join(PRESETS)}.",
        allow_abbrev=False,
    )
    exclusive = parser.add_mutually_exclusive_group()
    for each in fields(options):
        how = {key: value for key, value in each.metadata.items() if key != "presets"}
        holder = exclusive if each.name in ("resume", "replot") else parser
        holder.add_argument(as_typed(each.name), **how)
    parser.set_defaults(**{each.name: each.default for each in fields(options)})
    return parser


def parse(
    parser: Parser, options: type[_Options], arguments: Sequence[str] | None
) -> tuple[_Options, set[str]]:
    """Read a command line: the options, and the names of those that were given explicitly.

    What it does not say comes from the preset.
    """
    typed = argparse.Namespace(**{each.name: _NOT_GIVEN for each in fields(options)})
    parser.parse_args(arguments, typed)
    given = {name: value for name, value in vars(typed).items() if value is not _NOT_GIVEN}
    values = preset_values(options, given.get("preset", options.preset))
    return options(**{**values, **given}), set(given)
