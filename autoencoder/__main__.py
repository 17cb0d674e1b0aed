"""``python -m autoencoder``: what can be done without a clone, and doing it."""

from __future__ import annotations

import sys

from autoencoder.lecture.terminal import start

COMMANDS = {
    "denoise": "denoise pictures with a trained model",
    "export": "take a trained network to PyTorch or ONNX",
}


def main() -> int:
    """Run the command that is named first; without one, say what there is."""
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        return start(f"autoencoder.commands.{sys.argv.pop(1)}")
    lines = [
        f"  python -m autoencoder {name:<7} --help    {what}" for name, what in COMMANDS.items()
    ]
    text = "\n".join(["Autoencoders on minigrad. To use what was trained:", *lines])
    text += (
        "\nTo train, and for the lecture: python demos/lecture.py and other demos of a clone;"
        "\nfrom Python: load, train, reconstruct and load_model of the package autoencoder."
    )
    if len(sys.argv) > 1 and sys.argv[1] not in ("-h", "--help"):
        known = " and ".join(COMMANDS)
        print(f"autoencoder: no command {sys.argv[1]!r}; there are {known}", file=sys.stderr)
        return 2
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
