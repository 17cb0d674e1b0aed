"""Node, which runs the page's JavaScript without a page."""

import json
import shutil
import subprocess

import pytest

from autoencoder.lecture.browser.laboratory import HERE

WITHOUT_A_PAGE = ("network.js", "densities.js", "digit.js")


def run_javascript(body, given=None):
    """What a body that sees `given` returns in Node, after the page's own JavaScript."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("Node is not installed (Debian's package nodejs)")
    loaded = "".join(
        f"vm.runInThisContext(fs.readFileSync({json.dumps(str(HERE / name))}, 'utf8'));\n"
        for name in WITHOUT_A_PAGE
    )
    program = (
        "const fs = require('fs'), vm = require('vm');\n"
        f"{loaded}"
        "const given = JSON.parse(fs.readFileSync(0, 'utf8'));\n"
        f"const found = (() => {{ {body} }})();\n"
        "console.log(JSON.stringify(found, (_, x) => ArrayBuffer.isView(x) ? [...x] : x));\n"
    )
    result = subprocess.run(
        [node, "-e", program], input=json.dumps(given), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
