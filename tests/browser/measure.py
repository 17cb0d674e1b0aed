"""How long the page's networks take, and the page to load: ``python tests/browser/measure.py``.

Networks: medians of 50 calls after 10 to warm up, of processor time, in Node. The page: from its
opening to its load event in Chromium, median of 5; with the path of a page, such as
docs/lecture/index.html, of that page. Nothing else should run meanwhile.
"""

import sys
import tempfile
from pathlib import Path

from node import run_javascript
from webdriver import Browser, missing

from autoencoder import encode, load
from autoencoder.lecture.browser.laboratory import laboratory_html, pack_network, shipped_laboratory
from autoencoder.lecture.page import page

MEDIANS = """
    const network = unpackNetwork(given.network);
    const [z, x] = [given.latents, given.image].map((values) => Float64Array.from(values));
    const median = (call) => {
      const times = [];
      for (let i = 0; i < 60; i++) {
        const before = process.cpuUsage();
        call();
        const { user, system } = process.cpuUsage(before);
        times.push((user + system) / 1000);
      }
      return times.slice(10).sort((a, b) => a - b)[25];
    };
    return {
      "a decode": median(() => decode(network, z)),
      "an encode and a decode": median(() => reconstruct(network, x)),
    };
"""


def main() -> None:
    """Measure, and print a line for each figure."""
    dataset = load("mnist")
    laboratory = shipped_laboratory(dataset)
    for size, network in laboratory.autoencoders.items():
        given = {
            "network": pack_network(network),
            "latents": encode(network, laboratory.images[:1])[0].tolist(),
            "image": laboratory.images[0].ravel().tolist(),
        }
        for what, milliseconds in run_javascript(MEDIANS, given).items():
            print(f"d = {size}: {what} takes {milliseconds:.1f} ms")
    html = laboratory_html(laboratory, "")
    print(f"the interactive part is {len(html.encode()):,} bytes of the page")
    if missing() is not None:
        print(missing())
        return
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            path = Path(sys.argv[1]).resolve()
        else:
            path = Path(folder) / "index.html"
            path.write_text(page("Laboratory", "", [], {}, laboratory=html))
        with Browser() as browser:
            browser.look(1280, 720)
            times = []
            for _ in range(5):
                browser.open(path.as_uri())
                loaded = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
                times.append(browser.run(loaded))
            print(f"{path.name} loads in {sorted(times)[2]:.0f} ms, median of 5")


if __name__ == "__main__":
    main()
