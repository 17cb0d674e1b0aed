"""The solutions of the exercises run, and print what stands under them.

Run as a program, this file writes there what they print.
"""

import contextlib
import io
import re
from pathlib import Path

import pytest

from autoencoder.lecture.sections import SECTIONS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "exercises"
SOLUTION = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
SOLUTIONS = [
    pytest.param(name, *found, id=f"{name}-{number}")
    for name in SECTIONS
    for number, found in enumerate(SOLUTION.findall((FOLDER / f"{name}.md").read_text("utf-8")), 1)
]


def printed(name, code):
    """What a solution prints, run by itself."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, f"{name}.md", "exec"), {"__name__": "page"})
    return output.getvalue()


@pytest.mark.parametrize(("name", "code", "said"), SOLUTIONS)
def test_solution_prints_what_stands_under_it(name, code, said):
    """Numbers may differ by 2 %, or by 1 in their last digit: other processors round otherwise."""
    found = printed(name, code)
    assert NUMBER.sub("#", found) == NUMBER.sub("#", said)
    for number, expected in zip(NUMBER.findall(found), NUMBER.findall(said)):
        last_digit = 10.0 ** -len(expected.partition(".")[2]) if "." in expected else 0
        assert float(number) == pytest.approx(float(expected), rel=0.02, abs=1.01 * last_digit)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_a_page_of_two_exercises_with_folded_solutions(name):
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    title = page.partition("\n")[0]
    cell = rf"<br>{re.escape(title[2:])}<br>`python demos/{name}\.py`"
    assert re.search(cell, (ROOT / "README.md").read_text("utf-8")), title
    assert f"- [{title[2:]}]({name}.md)" in (FOLDER / "README.md").read_text("utf-8")
    questions = re.split(r"^## Exercise \d: .*$", page, flags=re.MULTILINE)[1:]
    assert len(questions) == 2
    for question in questions:
        asked, folded = question.split("<details><summary>Solution</summary>")
        assert asked.strip().endswith((".", "?"))
        assert folded.strip().endswith("</details>")
        assert len(SOLUTION.findall(folded)) == folded.count("```python") == 1


if __name__ == "__main__":
    for section in SECTIONS:
        path = FOLDER / f"{section}.md"
        page = SOLUTION.sub(
            lambda found, name=section: (
                f"```python\n{found[1]}```\n\n```text\n{printed(name, found[1])}```\n"
            ),
            path.read_text("utf-8"),
        )
        path.write_text(page, "utf-8")
