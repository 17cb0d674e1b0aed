"""Write the tour's scripts as notebooks that were run: each `.ipynb` holds its pictures."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from autoencoder.lecture.command_line import Parser
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import WriteError, atomic_write

TOUR = Path(__file__).parent


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scripts as notebooks and write them; gives the exit status."""
    parser = Parser("notebooks.py", description=__doc__)
    parser.add_argument(
        "scripts", nargs="*", type=Path, help="in the percent format; the tour's nine, if none"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/notebooks"), help="folder (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        import ipykernel  # noqa: F401 (the notebooks run in it)
        import jupytext
        from nbclient.exceptions import CellExecutionError, DeadKernelError  # comes with nbconvert
        from nbconvert.preprocessors import ExecutePreprocessor
    except ImportError as error:
        parser.error(f"{error.name} is missing: pip install -e '.[notebook]'")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out: {error}")
    for script in options.scripts or sorted(TOUR.glob("[0-9]*.py")):
        try:
            notebook = jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent")
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"{script}: {error}")
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"  # the same each time
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata["kernelspec"] = kernel
        runner = ExecutePreprocessor(
            timeout=None,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=["--log-level=CRITICAL"],
        )
        try:
            runner.preprocess(notebook, {"metadata": {"path": "."}})
        except DeadKernelError as error:
            print(f"{script.name}: {error}", file=sys.stderr)
            return 1
        except CellExecutionError as error:
            ran = [cell for cell in notebook.cells if cell.get("execution_count")]
            print(re.sub(r"\x1b\[[0-9;]*m", "", str(error)), file=sys.stderr)  # without colours
            first = ran[-1].source.splitlines()[0]
            where = f"{script.name}: code cell {len(ran)}, which begins {first!r}"
            print(f"{where}: {error.ename}: {error.evalue}", file=sys.stderr)
            return 1
        path = options.out / f"{script.stem}.ipynb"
        try:
            atomic_write(path, jupytext.writes(notebook, fmt="ipynb"))
        except WriteError as error:
            print(error, file=sys.stderr)
            return 1
        print(path)
    return 0
