"""The command that compares one job in several libraries: who does another job is not compared."""

import sys

import pytest
from benchmarking.same_job import command
from benchmarking.same_job.command import LIBRARIES, Program, lines_of_code, main
from running import python

from autoencoder.lecture.sections import DEMOS


def test_minigrad_does_the_job_and_a_library_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr(command, "LIBRARIES", ("minigrad", "no_such_library"))
    assert main(["--rounds", "1", "--images", "100"]) == 0
    printed = capsys.readouterr().out
    (row,) = [line for line in printed.splitlines() if line.startswith("| minigrad")]
    _, _, lines, _, _, error, _ = row.split("|")
    assert int(lines) == lines_of_code(Program("minigrad", "").path)
    assert 0.05 < float(error) < 0.2  # a step from black images, whose error is 0.1
    assert "no_such_library: not installed for" in printed
    assert "| no_such_library" not in printed


PLANTED = {
    "numpy": ("print('7 parameters, test error 0.1')", "another network: 7 parameters, not 112457"),
    "scipy": ("raise ValueError('no such layer')", "failed: ValueError: no such layer"),
    "tqdm": ("print('nothing')", "failed: exit status 0"),
    "pillow": ("while True: pass", "not ready in 1 s"),
}


@pytest.mark.parametrize("library", PLANTED)
def test_a_program_that_does_another_job_or_none_has_no_row(library, tmp_path, monkeypatch, capsys):
    source, words = PLANTED[library]
    (tmp_path / "planted.py").write_text(source)
    monkeypatch.setattr(Program, "path", tmp_path / "planted.py")
    monkeypatch.setattr(command, "LIBRARIES", (library,))
    if library == "pillow":
        monkeypatch.setattr(command, "TIME_LIMIT", 1)
    assert main(["--rounds", "2", "--images", "10"]) == 1
    printed = capsys.readouterr().out
    assert f"{library}: {words}" in printed
    assert f"| {library}" not in printed


def test_lines_of_code_leave_out_the_docstring_comments_and_empty_lines(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(
        '"""What it\n\ndoes."""\n\nimport sys\n\n# why\nprint(\n    sys.path,  # here\n)\n'
    )
    assert lines_of_code(file) == 4


@pytest.mark.parametrize("given", ["chainer=x", "torch", "torch=/no/such/python"])
def test_a_wrong_environment_is_refused_in_a_line(given, refused):
    assert given in refused(main, ["--python", given])


@pytest.mark.slow
@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "minigrad"])
def test_the_program_of_another_library_does_the_same_job(library, tmp_path):
    pytest.importorskip(library)
    command.write_images(tmp_path / "images.npz", 200)
    program = Program(library, sys.executable)
    command.run(program, tmp_path)
    assert not program.problem
    assert 0.05 < program.error < 0.2


def test_the_command_explains_itself():
    assert "--python LIBRARY=PATH" in python(DEMOS / "same_job.py", "--help").stdout
