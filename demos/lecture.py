"""The whole lecture from one command: every section in order, laid out on one page."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import functools
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.faces import FACTORS, render_faces
from autoencoder.figures import rows_of_images, save
from autoencoder.lecture.browser.laboratory import laboratory_html, shipped_laboratory
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import (
    CommonOptions,
    OptionError,
    build_parser,
    one_line,
    parse,
    switch,
)
from autoencoder.lecture.page import digest_of, opening_html, page, section_html
from autoencoder.lecture.run import CONFIGURATION, Run, in_use, last_folder
from autoencoder.lecture.section import (
    RESULTS,
    TOO_LITTLE,
    Section,
    read_configuration,
    run_command,
    write_outputs,
)
from autoencoder.lecture.sections import LECTURE, SECTIONS, load_section
from autoencoder.lecture.shipped import differing, manifest, shipped_results
from autoencoder.lecture.terminal import command
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.files import atomic_write, read_text
from autoencoder.storage.results import Results
from minigrad.backend import with_one_blas_thread
from minigrad.parallel import find_ranks

NAME = "lecture"
TITLE = "Autoencoders: the lecture, computed"
DESCRIPTION = (
    "Writes every section of the lecture on one page, index.html: drawn from results that ship "
    "with the package, computed from weights that ship with it (--recompute), or trained "
    "(--retrain). Results ship for the preset default, seed 0 and MNIST; with others, sections are "
    "computed. Run again with the same options, it goes on where it stopped."
)
INTERACTIVE = (
    "Everything here is computed in your browser, in plain JavaScript: the page holds the weights "
    "of networks that ship with minigrad (python demos/train_weights.py trains them again), and "
    "loads nothing."
)
PAGE = "index.html"
FRAGMENT = "section.html"
DEGREES = "degrees_of_freedom"  # the section that the opening points to
# How a section's part of the page came about.
KEPT, SHIPPED, COMPUTED = "kept", "shipped", "computed"


@dataclass
class Options(CommonOptions):
    """What the lecture can be told: beside the common options, the way between the other two."""

    recompute: bool = switch(
        "compute the sections from the weights that ship; those whose networks do not ship are "
        "drawn from the results that do"
    )


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lecture from the command line; gives the exit status, as a section does."""
    parser = build_parser(f"{NAME}.py", DESCRIPTION, Options)
    options, given = parse(parser, Options, arguments)
    if options.recompute and options.retrain:
        parser.error("argument --recompute: not allowed with argument --retrain")

    def before() -> None:
        find_ranks().decided(lambda: _go_on_with_the_same(options))

    return run_command(parser, options, given, _write_lecture, _check, before)


def _go_on_with_the_same(options: Options) -> None:
    """Resume the folder given, or the newest one, if it holds the lecture with these options."""
    folder = last_folder(NAME) if options.out is None else Path(options.out)
    if options.resume or options.replot or folder is None:
        return
    if options.out is None and in_use(folder):
        return  # a second lecture at the same time gets its own folder
    try:
        earlier = read_configuration(folder / CONFIGURATION)
    except OptionError:
        return  # nothing to go on with, or damaged: `run_command` says so
    earlier.pop("device", None)
    if earlier == Run(NAME, options, folder, folder).configuration:
        options.resume, options.out = True, str(folder)


def _check(run: Run[Any]) -> None:
    """Refuse data that any of the sections would refuse."""
    for name in SECTIONS:
        try:
            load_section(name).run_inside(run, run.folder / name)
        except OptionError as error:
            raise OptionError(f"{name}: {error}") from None


def _write_lecture(run: Run[Any]) -> None:
    """Perform the sections one by one; the page grows with each."""
    sections = [load_section(name) for name in SECTIONS]
    fragments: dict[str, str] = {}
    as_shipped: list[str] = []

    def hold() -> None:
        for section in sections:  # all at once: none is found in use after hours
            run.hold(run.folder / section.name)

    run.ranks.decided(hold)
    others = differing(run.options)
    if others and not (run.options.retrain or run.options.replot):
        print(f"No results ship for {' '.join(others)}: the sections are computed", flush=True)
    laboratory = run.ranks.decided(lambda: _laboratory(run))
    opening = run.ranks.decided(lambda: _opening(run.folder) if DEGREES in SECTIONS else "")
    for number, section in enumerate(sections, 1):
        print(f"[{number}/{len(sections)}] {section.title}", flush=True)
        started = time.monotonic()
        own = section.run_inside(run, run.folder / section.name)
        fragments[section.name], how = _fragment(section, own, run.options.recompute)
        if how == SHIPPED:
            as_shipped.append(f"{number} {section.title}")
        said = {
            KEPT: "was computed before",
            SHIPPED: "drawn from results that ship with the package",
            COMPUTED: f"took {time.monotonic() - started:.0f} s",
        }
        print(f"    {said[how]}", flush=True)
        text = _page(run, sections, fragments, opening, laboratory)
        run.ranks.decided(functools.partial(atomic_write, run.folder / PAGE, text))
    if run.options.recompute:
        print(f"Taken as shipped: {'; '.join(as_shipped) or 'none'}")
    print(f"The page is {run.folder / PAGE}")


def _page(
    run: Run[Any],
    sections: Sequence[Section],
    fragments: dict[str, str],
    opening: str,
    laboratory: str,
) -> str:
    contents = [(section.name, section.title) for section in sections]
    introduction = _introduction(run, len(fragments))
    return page(TITLE, introduction, contents, fragments, opening, laboratory)


def _laboratory(run: Run[Any]) -> str:
    """The part of the page that computes in the reader's browser, with networks for MNIST."""
    if run.options.data is not None or run.options.size is not None:
        return ""
    try:
        return laboratory_html(shipped_laboratory(run.dataset), INTERACTIVE)
    except (CheckpointError, OSError) as error:
        print(f"The page has no interactive part: {one_line(error)}", flush=True)
        return ""


def _fragment(section: Section, run: Run[Any], recompute: bool) -> tuple[str, str]:
    """A section's part of the page, and how it came about."""
    kept = run.folder / FRAGMENT
    results: Results | None = None

    def look() -> str:
        nonlocal results
        try:
            results = section.read(run)
            return KEPT
        except CheckpointError:
            if run.options.replot:  # elsewhere what is damaged is computed again
                raise
        except FileNotFoundError:
            if run.options.replot:
                problem = "holds no results with these options, which --replot could draw"
                raise CheckpointError(str(run.folder / RESULTS), "file", problem) from None
        kept.unlink(missing_ok=True)
        run.write_configuration()
        results = _shipped(section, run, recompute)
        return COMPUTED if results is None else SHIPPED

    how = run.ranks.decided(look)
    if how == COMPUTED:
        results = with_one_blas_thread(section.compute)(run)

    def write() -> str:
        if how == KEPT and not run.options.replot and kept.is_file():
            return read_text(kept, 2**30)
        assert results is not None
        if how != KEPT:
            results.save(run.folder / RESULTS, run.configuration)
        text = _drawn(section, run, results)
        atomic_write(kept, text)
        return text

    return run.ranks.decided(write), how


def _shipped(section: Section, run: Run[Any], recompute: bool) -> Results | None:
    """The results that ship, if they are wanted and are what the section computes by now."""
    if run.options.retrain or differing(run.options):
        return None
    if recompute and not manifest()["results"].get(section.name, {}).get("trains"):
        return None
    try:
        return shipped_results(section, run.configuration, run.options)
    except CheckpointError as error:
        print(f"    does not ship: {one_line(error)}", flush=True)
        return None


def _drawn(section: Section, run: Run[Any], results: Results) -> str:
    """Draw a section into its folder; gives its part of the page."""
    settings = {key: value for key, value in run.configuration.items() if value is not None}
    for unsaid in ("demo", "data_sha256"):  # for the program, not for a reader
        settings.pop(unsaid, None)
    command = ["python", f"demos/{section.name}.py", "--preset", run.options.preset]
    if run.options.seed:
        command += ["--seed", str(run.options.seed)]
    for name in ("data", "size"):
        if name in settings:
            command += [f"--{name}", str(settings[name])]
    if settings.pop("retrain", False):
        command.append("--retrain")
    figures = write_outputs(section, run, results)
    said = section.said(results, run.options.preset)
    return section_html(section, results, figures, said, shlex.join(command), settings)


def draw_what_ships(folder: Path) -> tuple[str, list[str]]:
    """Draw the page in a folder, from what ships alone; gives it, and for what nothing ships."""
    run = Run(NAME, Options(), folder, folder)
    sections = [load_section(name) for name in SECTIONS]
    fragments = {}
    for number, section in enumerate(sections, 1):
        print(f"[{number}/{len(sections)}] {section.title}", flush=True)
        own = section.run_inside(run, run.folder / section.name)
        results = _shipped(section, own, recompute=False)
        if results is not None:
            own.folder.mkdir(parents=True, exist_ok=True)
            fragments[section.name] = _drawn(section, own, results)
    missing = [name for name in SECTIONS if name not in fragments]
    return _page(run, sections, fragments, _opening(folder), _laboratory(run)), missing


def shipped_digest(name: str) -> str:
    """What the page says a section follows from, if it is drawn from what ships by now.

    CheckpointError if nothing ships that it could be drawn from.
    """
    section = load_section(name)
    run = section.run_inside(Run(NAME, CommonOptions(), Path(), Path()), Path())
    results = shipped_results(section, run.configuration, run.options)
    return digest_of(section, results, section.said(results, run.options.preset))


def _opening(folder: Path) -> str:
    """What the deck opens with: few degrees of freedom, and the section that finds them."""
    ends = (0.0, 1.0)
    values = numpy.full((len(ends), len(FACTORS), len(FACTORS)), 0.5)  # end, face, factor
    for end, value in enumerate(ends):
        numpy.fill_diagonal(values[end], value)
    faces = [render_faces(each) for each in values]
    figure = rows_of_images(
        [_with_rim(each) for each in faces],
        ["least", "most"],
        column_titles=[factor.replace("_", "\n") for factor in FACTORS],
    )
    save(figure, folder / "opening")
    text = (
        f"Each of these faces is a picture of {faces[0][0].size:,} numbers, and was drawn from "
        f"{len(FACTORS)}. Whoever knows these few degrees of freedom can make faces; nobody tells "
        "them to who has only the pictures. To find them is what this lecture is about."
    )
    link = (
        f"Section {SECTIONS.index(DEGREES) + 1} counts those of simpler faces, makes new ones and "
        "turns each factor."
    )
    caption = Caption(
        "One factor in each column, at its least and at its most; the others between."
    )
    return opening_html(text, folder / "opening", caption, DEGREES, link)


def _with_rim(faces: numpy.ndarray) -> numpy.ndarray:
    """Faces (N, C, H, W) with more of their background, so that no skull touches the edge."""
    wide = numpy.tile(faces[..., :1, :1], (1, 1, faces.shape[2] + 4, faces.shape[3] + 4))
    wide[..., 2:-2, 2:-2] = faces
    return wide


def _introduction(run: Run[Any], done: int) -> str:
    """A line on how the page came about."""
    count = "All" if done == len(SECTIONS) else f"The first {done} of"
    data = "MNIST" if run.options.data is None else run.dataset.name
    options = run.options
    is_shipped = not (options.retrain or differing(options))
    how = "computed"
    if is_shipped:
        how = "drawn from results that ship"
        if options.recompute:
            how = "computed from weights that ship (or, where it is said, as they ship)"
    said = (
        f"{count} {len(SECTIONS)} sections, {how}, with the preset {run.options.preset}, "
        f"seed {run.options.seed} and {data}. Each says what it was computed with, the command "
        "that computes it alone, the file to read, and which topics it belongs to of the lecture "
        f"{LECTURE}."
    )
    return f"{said} {TOO_LITTLE}" if run.options.preset == "smoke" else said
