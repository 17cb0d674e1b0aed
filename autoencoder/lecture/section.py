"""A section of the lecture as a command: compute, save, draw, say what to see."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from autoencoder import figures
from autoencoder.data.arrays import DataError
from autoencoder.data.download import DownloadError
from autoencoder.lecture.caption import Caption, said_in_text
from autoencoder.lecture.command_line import (
    PRESETS,
    CommonOptions,
    OptionError,
    Parser,
    as_typed,
    build_parser,
    one_line,
    parse,
    preset_values,
)
from autoencoder.lecture.run import (
    CONFIGURATION,
    HOW,
    RUNS,
    Run,
    last_folder,
    models_folder,
    new_folder,
    require_free,
)
from autoencoder.lecture.terminal import STOPPED, command, last_words
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.files import WriteError, atomic_write, read_text
from autoencoder.storage.results import Needs, Results
from autoencoder.training import METRICS, Interrupted, TrainingDiverged, write_rows
from minigrad import device
from minigrad.backend import cuda, cut, shown, with_one_blas_thread
from minigrad.parallel import Communicator, RankError, find_ranks
from minigrad.parallel.ranks import device_of_rank

if TYPE_CHECKING:
    import matplotlib.figure

# What may go wrong without anything being wrong with the program, beside a full memory and what the
# operating system refuses. Every other exception is a bug, and shows its traceback.
REFUSALS = (
    *(OptionError, DataError, DownloadError, CheckpointError, WriteError, TrainingDiverged),
    RankError,
)
_LARGEST_CONFIGURATION = 2**20
RESULTS = "results.npz"
TOO_LITTLE = "The preset smoke trains too little for any of it to be believed."
SUMMARY = "summary.txt"

Figure: TypeAlias = "matplotlib.figure.Figure"  # in quotes: its import takes half a second
Figures = dict[str, Figure]
"""What a section draws: figures by name, the first its main one."""


Check = Callable[[Run[Any]], None] | None


@dataclass(frozen=True)
class Section:
    """One system of the lecture: what its demo has to say of it."""

    name: str  # the demo's: demos/<name>.py
    title: str  # the heading on the page
    equation: str  # what it is about, in matplotlib's mathtext (a subset of TeX), without dollars
    description: str  # what it shows, in a sentence or two
    # Long; may be interrupted and resumed.
    compute: Callable[[Run[Any]], Results]
    # Quick. Figures by name; the first is the section's main figure.
    draw: Callable[[Results], Figures]
    # What is said below each figure, by the figure's name.
    captions: Callable[[Results], dict[str, Caption]]
    topics: Sequence[int] = ()  # of the lecture, that it accompanies: see sections.TOPICS
    sources: Sequence[str] = ()  # where its ideas were published
    options: type[Any] = CommonOptions  # a subclass: the dataclass of its options
    # Called before anything is written: lowers options to what there is (Run.limit), and raises
    # ValueError where it is too little to compute from.
    check: Check = None
    # From the options, and Results that were read, to what draw and captions take out of them: a
    # file that lacks it is refused.
    needs: Callable[[Any, Results], Needs] | None = None

    @classmethod
    def of(
        cls,
        demo: str,
        *,
        title: str,
        equation: str,
        description: str,
        topics: Sequence[int] = (),
        sources: Sequence[str] = (),
    ) -> Section:
        """The section that a demo is, by its module's name: its functions are the module's own."""
        own = vars(sys.modules[demo])
        parts = ("compute", "draw", "captions", "needs", "Options")
        if missing := [part for part in parts if part not in own]:
            raise TypeError(f"{demo}: a section has {', '.join(parts)}; without {missing[0]}")
        return cls(
            demo.rpartition(".")[2],
            title,
            equation,
            description,
            **{part: own[part] for part in parts[:-1]},
            topics=topics,
            sources=sources,
            options=own["Options"],
            check=own.get("check"),
        )

    def read(self, run: Run[Any]) -> Results:
        """The results of an earlier run of the same configuration.

        CheckpointError if the file is damaged, of another configuration, or lacks something.
        """
        needs = None if self.needs is None else functools.partial(self.needs, run.options)
        return Results.load(run.folder / RESULTS, run.configuration, needs)

    def said(self, results: Results, preset: str) -> dict[str, Caption]:
        """The captions as they are shown: with where the results come from.

        A preset that trains too little to learn anything says so in place of claims.
        """
        changes: dict[str, Any] = {"note": results.origin}
        if preset == "smoke":
            changes = {"note": f"{results.origin} {TOO_LITTLE}".strip(), "claims": {}}
        return {
            name: dataclasses.replace(caption, **changes)
            for name, caption in self.captions(results).items()
        }

    def run_inside(self, other: Run[Any], folder: Path, kind: type[Run[Any]] = Run) -> Run[Any]:
        """A run of this section as part of another run, with its preset, options and data."""
        common = other.options.by_name(*(each.name for each in dataclasses.fields(CommonOptions)))
        own = preset_values(self.options, other.options.preset)
        options = self.options(**{**own, **common})
        run = kind(self.name, options, folder, other.models, other.quiet, other.ranks)
        run.share_dataset(other)
        fit_to_data(run, self.check)
        return run

    def parser(self) -> Parser:
        """The parser of the section's command line."""
        return build_parser(f"{self.name}.py", self.description, self.options)

    @property
    def presets(self) -> dict[str, dict[str, Any]]:
        """For each preset, the value of each option of its own."""
        return {preset: preset_values(self.options, preset) for preset in PRESETS}


def write_outputs(section: Section, run: Run[Any], results: Results) -> list[Path]:
    """Write metrics, figures and captions; gives the figures' paths without their suffixes."""
    write_rows(run.folder / METRICS, results.rows)
    stems = []
    with figures.house_style():
        for name, figure in section.draw(results).items():
            figures.save(figure, run.folder / name)
            stems.append(run.folder / name)
    said = section.said(results, run.options.preset)
    atomic_write(run.folder / SUMMARY, said_in_text(said))
    return stems


@command
def main(section: Section, arguments: Sequence[str] | None = None) -> int:
    """Run a section from the command line; the arguments are by default those of the process.

    Gives the exit status: 0, 1 if the run failed, 2 for a mistake on the command line (one line on
    standard error says which), 130 or 143 after Ctrl-C or SIGTERM.
    """
    parser = section.parser()
    options, given = parse(parser, section.options, arguments)
    work = functools.partial(_compute_and_report, section)
    return run_command(parser, options, given, work, section.check)


def _prepare_run(parser: Parser, options: CommonOptions, given: set[str], check: Check) -> Run[Any]:
    """Choose the folder of a demo's run, and find out what cannot work before writing anything.

    The folder is held by this run from then on; of several ranks rank 0 does that for all, and the
    others raise RankError where it raises. OptionError for options that conflict, a device
    that cannot be used, a folder in use, data that are too few for what is computed; DataError for
    data that cannot be read; OSError for a folder that cannot be written.
    """
    ranks = find_ranks()
    with ranks.failing_together():
        try:
            own = device_of_rank(options.device, ranks)
            device(own)
        except (ValueError, RuntimeError) as error:
            raise OptionError(str(error)) from error
    prepared: list[Run[Any]] = []

    def prepare() -> list[Any]:
        run = _prepare_first(parser, options, given, check)
        prepared.append(run)
        return [vars(options), str(run.folder), str(run.models)]

    values, folder, models = ranks.decided(prepare)
    vars(options).update(values)
    run = prepared[0] if prepared else Run(parser.demo, options, folder, models)
    run.ranks = ranks
    if ranks.size > 1:
        options.workers = options.workers or ranks.cores
        with ranks.failing_together():
            data = run.configuration.get("data_sha256")
        ranks.require_same(f"--data: {options.data}", data)
    if ranks.rank > 0:
        options.device = own
    return run


def _prepare_first(
    parser: Parser, options: CommonOptions, given: set[str], check: Check
) -> Run[Any]:
    """Prepare a run on the rank that reads and writes its folder."""
    name = parser.demo
    earlier: dict[str, Any] = {}
    what = "--resume" if options.resume else "--replot"
    goes_on = options.resume or options.replot
    folder = None if options.out is None else Path(options.out)
    if goes_on:
        folder = folder or last_folder(name)
        if folder is None or not (folder / CONFIGURATION).exists():
            raise OptionError(f"{what}: there is no earlier run in {folder or 'runs/'}")
        earlier = _take_over(parser, options, given, folder / CONFIGURATION, what)
        require_free(folder)
    elif folder is not None:
        require_free(folder)
        _require_new(folder)
    place = folder or RUNS / name
    run = Run(name, options, place, models_folder(place))
    run.given = given
    if not options.replot:
        fit_to_data(run, check)
    for key in given & earlier.keys():
        if getattr(options, key) != earlier[key]:
            raise _contradiction(what, key, earlier[key], run.folder)
    if options.resume and earlier.get("data_sha256") != run.configuration.get("data_sha256"):
        raise OptionError(f"--resume: {options.data} holds other data than when {folder} was begun")
    if folder is None:  # a new one gets its number last: what is refused makes none
        run.folder = new_folder(name)
    run.hold(run.folder)
    if not goes_on:
        _require_new(run.folder)  # again: nobody else can write it now
    if not options.replot:
        run.write_configuration()
        for key in sorted(given & run.limited):
            print(f"{as_typed(key)} is {getattr(options, key)}: there are no more")
    return run


def fit_to_data(run: Run[Any], check: Check) -> None:
    """Lower a run's options to what its data hold, or refuse them; nothing is written."""
    options = vars(run.options)
    if options["data"] is not None:
        _ = run.dataset
    if check is not None:
        check(run)
    for counted in ("train_images", "train_points"):
        if counted in options and "batch_size" in options:
            run.limit("batch_size", options[counted])
            break


def _require_new(folder: Path) -> None:
    if (folder / CONFIGURATION).exists():
        raise OptionError(
            f"--out: {folder} holds an earlier run; use --resume, --replot or another folder"
        )


def read_configuration(path: Path) -> dict[str, Any]:
    """What an earlier run wrote into its ``config.json``; OptionError if it is damaged."""
    try:
        earlier = json.loads(read_text(path, _LARGEST_CONFIGURATION))
        if not isinstance(earlier, dict):
            raise ValueError(f"it holds a {type(earlier).__name__}, not options by name")
        return earlier
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"{path} is damaged: {error}") from error


def _take_over(
    parser: Parser, options: CommonOptions, given: set[str], path: Path, what: str
) -> dict[str, Any]:
    """Give the options the values of an earlier run, which is returned.

    Explicit ones must not contradict it, but a number may turn out to be lowered to the same.
    """
    try:
        earlier = read_configuration(path)
    except OptionError as error:
        raise OptionError(f"{what}: {error}") from error
    # A switch that is off is not written.
    switches = [key for key, value in vars(options).items() if isinstance(value, bool)]
    earlier.update({key: False for key in switches if key not in HOW and key not in earlier})
    needed = ["demo", *(key for key in vars(options) if key not in HOW)]
    missing = [key for key in needed if key not in earlier]
    if missing:
        raise OptionError(f"{what}: {path} is damaged: it does not say {missing[0]!r}")
    if earlier.pop("demo") != parser.demo:
        raise OptionError(f"{what}: {path} is of another demo")
    earlier.pop("device", None)
    for key, value in earlier.items():
        if key == "data_sha256":
            continue
        _require_possible(parser, key, value, f"{what}: {path}")
        typed = getattr(options, key) if key in given else value
        # A larger number may yet be lowered by what the data allow, and is compared after that.
        is_larger = isinstance(typed, int) and isinstance(value, int) and typed > value
        if key not in needed or (typed != value and not is_larger):
            raise _contradiction(what, key, value, path.parent)
        setattr(options, key, typed)
    return earlier


def _contradiction(what: str, key: str, value: Any, folder: Path) -> OptionError:
    return OptionError(f"{what}: {cut(as_typed(key))} was {shown(value)} in {folder}")


def _require_possible(parser: Parser, key: str, value: Any, caller: str) -> None:
    """Refuse what could not have been typed: the file may come from anybody."""
    for action in parser._actions:
        if action.dest != key or (value is None and action.default is None):
            continue
        is_switch = action.nargs == 0
        try:
            typed = action.type(str(value)) if callable(action.type) else str(value)
        except ValueError:
            typed = None
        is_possible = typed == value and value in (action.choices or [value])
        if isinstance(value, bool) != is_switch or not (is_switch or is_possible):
            raise OptionError(f"{caller} is damaged: {key} cannot be {shown(value, 60)}")


def run_command(
    parser: Parser,
    options: CommonOptions,
    given: set[str],
    work: Callable[[Run[Any]], None],
    check: Check = None,
    before: Callable[[], None] | None = None,
) -> int:
    """Prepare a demo's run and do its work; what goes wrong becomes one line and an exit status.

    A bug does not: its exception goes on to the caller. ``before`` may change the options.
    """
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="tqdm")
    run: Any = None
    try:
        if before is not None:
            before()
        run = _prepare_run(parser, options, given, check)
        if options.replot:  # nothing is computed that could be shared
            if run.ranks.rank > 0:
                return 0
            run.ranks = Communicator()
        _announce_device(run)
        with _last_words(parser, run):
            work(run)
    except Interrupted as stop:
        print(f"\n{stop}; everything is saved.\n{_way_on(parser, run)}", file=sys.stderr)
        return 128 + (stop.signal_number or signal.SIGINT)
    except KeyboardInterrupt:
        if run is None:
            print(f"{parser.prog}: stopped before anything was computed", file=sys.stderr)
        else:  # between trainings
            what = "stopped; what was trained so far is saved."
            print(f"\n{what}\n{_way_on(parser, run)}", file=sys.stderr)
        return STOPPED
    except Exception as error:
        memory = _full_memory(error, options)
        is_system = isinstance(error, OSError) and error.errno is not None
        is_named = isinstance(error, REFUSALS) or is_system
        if not memory and not is_named:
            raise
        if run is None and not memory:
            parser.error(str(error))
        print(f"{parser.prog}: {one_line(memory or error)}", file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    finally:
        if run is not None:
            run.release()
    return 0


def _full_memory(error: Exception, options: CommonOptions) -> str:
    """What to make smaller if memory ran out, on the host or a GPU; else nothing."""
    is_gpu = cuda.is_memory_full(error)
    if not is_gpu and not isinstance(error, MemoryError):
        return ""
    sizes = [
        f"{as_typed(key)} (it is {value})"
        for key, value in sorted(vars(options).items(), key=lambda item: item[0] != "batch_size")
        if isinstance(value, int) and key.endswith(("_size", "images", "samples", "points"))
    ]
    ways = [f"lower {' or '.join(sizes)}"] if sizes else []
    ways += ["free some, or use --device cpu" if is_gpu else "use a smaller --preset"]
    whose = "the GPU's" if is_gpu else "the"
    return f"{whose} memory is full: {', '.join(ways)}" + (f": {error}" if str(error) else "")


def _way_on(parser: Parser, run: Run[Any]) -> str:
    """The command that goes on with a run, on the same device."""
    size = run.ranks.size
    words = ["mpiexec", "-n", str(size), "python", "-m", "mpi4py"] if size > 1 else ["python"]
    words += [f"demos/{parser.prog}", "--resume", "--out", str(run.folder)]
    for how, usual in (("device", "cpu"), ("workers", run.ranks.cores if size > 1 else None)):
        value = getattr(run.options, how)
        if value != usual:
            words += [f"--{how}", str(value)]
    return f"Go on with: {shlex.join(words)}"


def _last_words(parser: Parser, run: Run[Any]) -> contextlib.AbstractContextManager[None]:
    """What is to be said if a rank dies, and so all of them: by rank 0."""
    if run.ranks.size == 1 or run.ranks.rank > 0:
        return contextlib.nullcontext()
    words = f"{parser.prog}: a rank has died; what was saved last stands. {_way_on(parser, run)}"
    return last_words(words)


def _announce_device(run: Run[Any]) -> None:
    """Say which GPU computes and how much of its memory is free."""
    place = device(run.options.device)
    if place.index is not None and not run.options.replot:
        print(f"{place}: {cuda.describe(place.index)}", flush=True)


def _compute_and_report(section: Section, run: Run[Any]) -> None:
    """Compute a section, or read what is to be drawn again; write its files and say what is seen.

    Into the run's folder go ``config.json``, ``results.npz``, ``metrics.csv``, ``summary.txt`` and
    a PNG and an SVG of every figure. FileNotFoundError if there is nothing to replot.
    """
    if run.options.replot:
        results = section.read(run)
    else:
        run.ranks.decided(run.write_configuration)
        results = with_one_blas_thread(section.compute)(run)

    def write() -> None:
        if not run.options.replot:
            results.save(run.folder / RESULTS, run.configuration)
        write_outputs(section, run, results)

    run.ranks.decided(write)
    print(said_in_text(section.said(results, run.options.preset)), end="")
    print(f"Figures and metrics are in {run.folder}")
